//! What the loop over the layers asks of the first one, and what an engine is built with.

use super::parameters::Scratch;
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use crate::shared::Part;
use dnn_core::Real;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use std::ops::Range;

/// How the first layer is computed and changed. Its parameters live here, in whatever coordinates.
///
/// For the engines of this crate: the parts and the scratch it speaks of are theirs.
pub trait Input<F: Real>: Send + Sync {
    /// Examples in the form in which the first layer takes them.
    type Source: Send + Sync;

    /// Name of the engine.
    fn name(&self) -> &'static str;

    /// Examples that are not trained on.
    ///
    /// # Shapes
    /// `x` (n₀, m).
    fn held_out(&self, x: &DMatrix<F>, pool: &mut Pool) -> Self::Source;

    /// Takes the features of the batch that is gathered next.
    ///
    /// # Panics
    /// When the first layer was made for examples in memory.
    fn feed(&mut self, x: &mut DMatrix<F>);

    /// Puts the examples `examples` of the batch, which has those numbered `batch`, in the place
    /// that [`forward`](Input::forward) reads without a source.
    ///
    /// # Safety
    /// No other call may use these examples of the batch meanwhile.
    unsafe fn gather(&self, batch: &[usize], examples: Range<usize>);

    /// Part of Z₁ᵀ without bias: of examples of `source`, or of the batch: the gathered one, or with
    /// `all` the whole training set.
    ///
    /// # Shapes
    /// `z` as the part.
    fn forward(
        &self,
        source: Option<&Self::Source>,
        all: bool,
        part: &Part,
        z: &mut DMatrixViewMut<'_, F>,
    );

    /// The parts in which [`gradient`](Input::gradient) and [`step`](Input::step) are done, one a
    /// task.
    fn parts(&self) -> &[Part];

    /// The gradient's part `task`, into the gradient if it is kept, otherwise into `scratch`.
    /// `batch` is `None` for the whole training set.
    ///
    /// # Safety
    /// No other call for the same task, or with the same `scratch`, may run meanwhile.
    unsafe fn gradient(
        &self,
        task: usize,
        batch: Option<&[usize]>,
        dz: &DMatrixView<'_, F>,
        scratch: &Scratch<F>,
    );

    /// The optimizer's step with the gradient's part `task`, which is where
    /// [`gradient`](Input::gradient) has put it.
    ///
    /// # Safety
    /// No other call for the same task, or with the same `scratch`, and no `forward`, may run
    /// meanwhile.
    unsafe fn step(
        &self,
        task: usize,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        scratch: &Scratch<F>,
    );

    /// Before an iteration on the whole training set: what [`look_ahead`](Input::look_ahead) has not
    /// done yet.
    fn catch_up(&mut self, pool: &mut Pool) {
        let _ = pool;
    }

    /// After the step on the part `task`: what the next iteration on the whole training set needs of
    /// it, while the features are in the cache.
    ///
    /// # Safety
    /// As [`step`](Input::step).
    unsafe fn look_ahead(&self, task: usize) {
        let _ = task;
    }

    /// Has all parts of the gradient be kept from now on.
    fn keep_gradient(&mut self);

    /// ‖dW₁ + λ·W₁‖², from the gradient as it stands.
    ///
    /// # Panics
    /// When the gradient is not kept.
    fn squared_gradient(&mut self, l2: f64) -> f64;

    /// ‖W₁‖².
    fn squared_weights(&mut self) -> f64;

    /// Parameters and moments by name.
    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)>;

    /// W₁ (n₁, n₀).
    fn weights(&mut self, pool: &mut Pool) -> DMatrix<F>;

    /// Floating-point operations of an iteration on `m` examples.
    fn flops(&self, m: usize) -> usize;
}

/// What an engine is built with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineOptions<'a> {
    /// Threads at most; fewer are used where more do not help. Results do not depend on it.
    pub n_threads: usize,
    /// The largest batch that will be asked for; 0: only whole training sets.
    pub max_batch: usize,
    /// Weight of each class in the cost, or 1 for all.
    pub class_weights: Option<&'a [f64]>,
    /// Share of the hidden layers' values that is dropped in training, 0 to 1.
    pub dropout: f64,
    /// Seed of the dropout masks.
    pub seed: u64,
}

impl Default for EngineOptions<'_> {
    /// One thread, whole training sets, all classes alike, no dropout.
    fn default() -> Self {
        Self { n_threads: 1, max_batch: 0, class_weights: None, dropout: 0.0, seed: 0 }
    }
}
