//! What an engine is, what it is built with, and what it is asked.

use crate::communicator::{Communicator, SingleProcess};
use crate::diagnosis::LayerHealth;
use crate::optimizer::{Optimizer, Step};
use dnn_core::Network;
use dnn_core::Real;
use dnn_core::gemm::FactorPrecision;
use dnn_core::linear::Gradients;
use dnn_core::metrics::Score;
use nalgebra::{DMatrix, DMatrixViewMut};
use serde::{Deserialize, Serialize};

/// What one forward and backward pass is made on: the examples, and the iteration that decides the
/// dropout masks.
#[doc(alias = "random_mini_batches")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass<'a> {
    /// Indices of the batch's examples; `None` for the whole training set.
    pub batch: Option<&'a [usize]>,
    /// Number of updates made before. The dropout masks depend on it and on the seed alone.
    pub iteration: usize,
}

impl Pass<'_> {
    /// Makes a pass on the whole training set.
    pub fn all(iteration: usize) -> Self {
        Self { batch: None, iteration }
    }
}

/// A network in training, in the form that makes its iterations cheap.
///
/// An iteration is `cost`, then `update`; between the two, training may decide to stop.
pub trait Engine<F: Real> {
    /// Name, as the command line and the summary have it.
    fn name(&self) -> &'static str;

    /// Computes the forward pass, the cost, and dZ of every layer, at the present parameters.
    /// Returns the cost: it is the mean of the examples' weighted losses, without an L2 penalty.
    ///
    /// # Panics
    /// When the batch is empty, larger than announced, or names an example that does not exist.
    fn cost(&mut self, pass: Pass<'_>) -> f64;

    /// Takes the features of the batch that the next [`cost`](Engine::cost) is of, in exchange for
    /// those of the last one: for examples that are read batch by batch. Only an engine that was
    /// made for such asks for it. A rank needs those of its own micro-shards alone, which begin with
    /// the batch's example `from`.
    ///
    /// # Shapes
    /// `x` (n₀, as many as the batch, or the rank's part of it).
    /// # Panics
    /// When the engine was made for examples in memory.
    fn feed(&mut self, x: &mut DMatrix<F>, from: usize);

    /// Computes the gradients from the last [`cost`](Engine::cost), and makes the optimizer's step
    /// with them. When the norm of all gradients together, the L2 penalty's included, exceeds
    /// `clip_norm`, they are scaled down to it.
    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step, clip_norm: Option<f64>);

    /// Returns the gradients of the last [`cost`](Engine::cost) in every layer's weights and
    /// biases, whatever coordinates the engine works in: what [`update`](Engine::update) goes by,
    /// without the L2 penalty. To look at them and to check them; training does not need them put
    /// together.
    fn gradients(&mut self) -> Vec<Gradients<F>>;

    /// Returns Σ‖W‖² over all layers, for the L2 penalty.
    fn squared_weights(&mut self) -> f64;

    /// Exchanges the parameters and their exponential moving average, so that
    /// [`network`](Self::network) and [`held_out_logits`](Self::held_out_logits) are those of the
    /// average; a second call, before training goes on, exchanges them back. Does nothing in an engine
    /// without [`EngineOptions::ema_decay`].
    fn exchange_average(&mut self);

    /// Returns the network at the present parameters.
    fn network(&mut self) -> Network<F>;

    /// Adds examples that the network is applied to during training, besides those it trains on.
    /// Returns the number of the set for [`held_out_logits`](Self::held_out_logits).
    ///
    /// # Shapes
    /// `x` (n₀, m) → the number to ask for them by.
    /// # Panics
    /// When `x` does not have n₀ rows.
    fn hold_out(&mut self, x: &DMatrix<F>) -> usize;

    /// Returns the logits of the held-out examples `set` at the present parameters, without
    /// dropout.
    ///
    /// # Shapes
    /// → (n_L, m)
    /// # Panics
    /// When there is no such set.
    fn held_out_logits(&mut self, set: usize) -> DMatrix<F>;

    /// Returns every tensor that the next iteration depends on, by name: parameters and moments, in
    /// the engine's own coordinates. To read for a checkpoint, to write when going on from one.
    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)>;

    /// Returns how many examples of the last [`cost`](Engine::cost) are right, at the parameters that it
    /// was computed with and as they were trained on. Of examples that were mixed, the label with the
    /// greater share counts.
    fn score(&mut self) -> Score;

    /// Returns how each hidden layer fares.
    fn health(&mut self) -> Vec<LayerHealth>;

    /// Returns the first layer, from 1, in which a number is not finite.
    fn first_not_finite(&mut self) -> Option<usize>;
}

/// What an engine is built with.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions<'a> {
    /// Largest number of threads. Fewer are used where more do not help; results do not depend on
    /// it.
    pub n_threads: usize,
    /// Size of the largest batch that will be passed; 0 if every pass is on the whole training set.
    pub max_batch: usize,
    /// Weight of each class in the cost, or 1 for all.
    pub class_weights: Option<&'a [f64]>,
    /// Share of the hidden layers' values that is dropped in training, 0 to 1.
    pub dropout: f64,
    /// Seed of the dropout masks.
    pub seed: u64,
    /// α of mixup: each example is mixed with another one of its batch, with shares drawn from
    /// Beta(α, α); 0 for no mixture.
    pub mixup: f64,
    /// Share d of the exponential moving average of the parameters that is kept in an update,
    /// θ̄ ← d·θ̄ + (1 − d)·θ; 0 for no average.
    pub ema_decay: f64,
    /// Number of pieces that each batch is cut into, whose gradients are summed up in a fixed tree; at least
    /// as many as there are ranks.
    pub micro_shards: usize,
    /// The precision in which the layers' products take their factors in training: A, dZ and W. Sums,
    /// parameters, and the logits of held-out examples are in F whatever it is.
    pub factors: FactorPrecision,
    /// The processes that compute together.
    pub communicator: &'a dyn Communicator,
}

impl Default for EngineOptions<'_> {
    /// One process with one thread, whole training sets, all classes alike, no dropout.
    fn default() -> Self {
        Self {
            n_threads: 1,
            max_batch: 0,
            class_weights: None,
            dropout: 0.0,
            seed: 0,
            mixup: 0.0,
            ema_decay: 0.0,
            micro_shards: 1,
            factors: FactorPrecision::Full,
            communicator: &SingleProcess,
        }
    }
}

/// Which engine trains.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// The one that needs fewer operations, by count.
    #[default]
    Auto,
    /// The first layer in the coordinates of the training set.
    Gram,
    /// Every product in full.
    Dense,
}

/// "auto", "gram", "dense".
impl std::fmt::Display for EngineKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Gram => "gram",
            Self::Dense => "dense",
        })
    }
}

impl EngineKind {
    /// All of them, for lists and tests.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Gram, Self::Dense];
}
