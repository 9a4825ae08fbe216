//! How cost and gradients of a batch are computed, and how the parameters they belong to change.
//!
//! [`LayeredEngine`] is the loop over the layers; how the first one is computed, which is nearly
//! all of the work, is its [`Input`]: in full ([`DenseEngine`]) or in the coordinates of the
//! training set ([`GramEngine`]).

mod choice;
mod dense;
mod gram;
mod layered;
mod parameters;

pub use choice::EngineKind;
pub(crate) use choice::Job;
pub use dense::{DenseEngine, DenseInput};
pub use gram::{GramEngine, GramInput};
pub use layered::{EngineOptions, Input, LayeredEngine};

use crate::optimizer::{Optimizer, Step};
use dnn_core::{Network, Real};
use nalgebra::DMatrix;

/// A network in training, in whatever form makes its iterations cheap.
///
/// An iteration is `cost`, then `update`; between the two, training may decide to stop.
pub trait Engine<F: Real> {
    /// Name, as the command line and the summary have it.
    fn name(&self) -> &'static str;

    /// Forward, cost, and dZ of every layer, at the present parameters, on the examples `batch`,
    /// or on all of them.
    ///
    /// # Panics
    /// When the batch is empty, larger than announced, or names an example that does not exist.
    fn cost(&mut self, batch: Option<&[usize]>) -> f64;

    /// Gradients from the last [`cost`](Engine::cost), and the optimizer's step with them.
    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step);

    /// The network at the present parameters.
    fn network(&mut self) -> Network<F>;

    /// Takes examples to apply the network to during training, besides those it trains on.
    ///
    /// # Shapes
    /// `x` (n₀, m) → the number to ask for them by.
    /// # Panics
    /// When `x` does not have n₀ rows.
    fn hold_out(&mut self, x: &DMatrix<F>) -> usize;

    /// The logits of the held-out examples `set` at the present parameters.
    ///
    /// # Shapes
    /// → (n_L, m)
    /// # Panics
    /// When there is no such set.
    fn held_out_logits(&mut self, set: usize) -> DMatrix<F>;
}
