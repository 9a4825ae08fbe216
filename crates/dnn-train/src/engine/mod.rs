//! How cost and gradients of a batch are computed, and how the parameters they belong to change.
//!
//! [`LayeredEngine`] is the loop over the layers; how the first one is computed, which is nearly
//! all of the work, is its [`Input`]: in full ([`DenseEngine`]) or in the coordinates of the
//! training set ([`GramEngine`]).

mod choice;
mod dense;
mod dropout;
mod gram;
mod input;
mod layer;
mod layered;
mod parameters;
mod tasks;
mod trial;

pub use choice::EngineKind;
pub(crate) use choice::Job;
pub use dense::{DenseEngine, DenseInput};
pub use gram::{GramEngine, GramInput};
pub use input::{EngineOptions, Input};
pub use layered::LayeredEngine;

use crate::optimizer::{Optimizer, Step};
use dnn_core::{Network, Real};
use nalgebra::{DMatrix, DMatrixViewMut};

/// What is computed in one go: some examples, and which dropout masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass<'a> {
    /// The examples, or all of them.
    pub batch: Option<&'a [usize]>,
    /// Updates made before: dropout's masks depend on it and on the seed, on nothing else.
    pub iteration: usize,
}

impl Pass<'_> {
    /// All examples.
    pub fn all(iteration: usize) -> Self {
        Self { batch: None, iteration }
    }
}

/// How a layer fares, as of the last [`cost`](Engine::cost).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LayerHealth {
    /// Units.
    pub units: usize,
    /// Units that give the same answer to every example: ReLUs that fire for none.
    pub dead: usize,
    /// Share of the values of a sigmoid or tanh that are within 1 % of its limits.
    pub saturated: f64,
    /// Root mean square of dZ, not divided by the number of examples. Not finite when the squares
    /// overflow; JSON has null for it then.
    #[serde(deserialize_with = "null_is_nan")]
    pub gradient_rms: f64,
}

/// serde_json writes numbers that are not finite as null, and does not read them back.
fn null_is_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(<Option<f64> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// A network in training, in whatever form makes its iterations cheap.
///
/// An iteration is `cost`, then `update`; between the two, training may decide to stop.
pub trait Engine<F: Real> {
    /// Name, as the command line and the summary have it.
    fn name(&self) -> &'static str;

    /// Forward, cost, and dZ of every layer, at the present parameters. The cost is the mean of the
    /// examples' weighted losses, without an L2 penalty.
    ///
    /// # Panics
    /// When the batch is empty, larger than announced, or names an example that does not exist.
    fn cost(&mut self, pass: Pass<'_>) -> f64;

    /// Takes the features of the batch that the next [`cost`](Engine::cost) is of, in exchange for
    /// those of the last one: for examples that are read batch by batch. Only an engine that was
    /// made for such asks for it.
    ///
    /// # Shapes
    /// `x` (n₀, as many as the batch).
    /// # Panics
    /// When the engine was made for examples in memory.
    fn feed(&mut self, x: &mut DMatrix<F>);

    /// Gradients from the last [`cost`](Engine::cost), and the optimizer's step with them. When the
    /// norm of all gradients together, the L2 penalty's included, exceeds `clip_norm`, they are
    /// scaled down to it.
    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step, clip_norm: Option<f64>);

    /// Σ‖W‖² over all layers, for the L2 penalty.
    fn squared_weights(&mut self) -> f64;

    /// The network at the present parameters.
    fn network(&mut self) -> Network<F>;

    /// Takes examples to apply the network to during training, besides those it trains on.
    ///
    /// # Shapes
    /// `x` (n₀, m) → the number to ask for them by.
    /// # Panics
    /// When `x` does not have n₀ rows.
    fn hold_out(&mut self, x: &DMatrix<F>) -> usize;

    /// The logits of the held-out examples `set` at the present parameters, without dropout.
    ///
    /// # Shapes
    /// → (n_L, m)
    /// # Panics
    /// When there is no such set.
    fn held_out_logits(&mut self, set: usize) -> DMatrix<F>;

    /// Every tensor that the next iteration depends on, by name: parameters and moments, in the
    /// engine's own coordinates. To read for a checkpoint, to write when going on from one.
    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)>;

    /// How each hidden layer fares.
    fn health(&mut self) -> Vec<LayerHealth>;

    /// The first layer, from 1, in which a number is not finite.
    fn first_not_finite(&mut self) -> Option<usize>;
}
