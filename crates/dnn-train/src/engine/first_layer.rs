//! What the loop over the layers asks of the first one.

use super::parameters::Scratch;
use super::shared::Part;
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use dnn_core::Real;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use std::ops::Range;

/// How the first layer is computed and changed. Its parameters live here, in whatever coordinates.
pub(super) trait FirstLayer<F: Real>: Send + Sync {
    /// Examples in the form in which the first layer takes them.
    type Input: Send + Sync;

    /// Returns the name of the engine.
    fn name(&self) -> &'static str;

    /// Examples that are not trained on.
    ///
    /// # Shapes
    /// `x` (n₀, m).
    fn held_out(&self, x: &DMatrix<F>, pool: &mut Pool) -> Self::Input;

    /// Takes the features of the batch that is gathered next.
    ///
    /// # Panics
    /// When the first layer was made for examples in memory.
    fn feed(&mut self, x: &mut DMatrix<F>);

    /// Puts the examples `examples` of the batch, which has those numbered `batch`, in the place
    /// that [`forward`](Self::forward) reads without a input.
    ///
    /// # Safety
    /// The promise, for these examples of the batch.
    unsafe fn gather(&self, batch: &[usize], examples: Range<usize>);

    /// Part of Z₁ᵀ without bias: of examples of `input`, or of the batch: the gathered one, or with
    /// `all` the whole training set.
    ///
    /// # Shapes
    /// `z` as the part.
    fn forward(
        &self,
        input: Option<&Self::Input>,
        all: bool,
        part: &Part,
        z: &mut DMatrixViewMut<'_, F>,
    );

    /// Returns the parts in which [`gradient`](Self::gradient) and [`step`](Self::step) are done,
    /// one a task.
    fn parts(&self) -> &[Part];

    /// The gradient's part `task`, into the gradient if it is kept, otherwise into `scratch`.
    /// `batch` is `None` for the whole training set.
    ///
    /// # Safety
    /// The promise, for this part of the gradient and `scratch`.
    unsafe fn gradient(
        &self,
        task: usize,
        batch: Option<&[usize]>,
        dz: &DMatrixView<'_, F>,
        scratch: &Scratch<F>,
    );

    /// The optimizer's step with the gradient's part `task`, which is where
    /// [`gradient`](Self::gradient) has put it.
    ///
    /// # Safety
    /// The promise, for this part of the parameters and `scratch`.
    unsafe fn step(
        &self,
        task: usize,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        scratch: &Scratch<F>,
    );

    /// Before an iteration on the whole training set: what [`look_ahead`](Self::look_ahead) has not
    /// done yet.
    fn catch_up(&mut self, pool: &mut Pool) {
        let _ = pool;
    }

    /// After the step on the part `task`: what the next iteration on the whole training set needs of
    /// it, while the features are in the cache.
    ///
    /// # Safety
    /// As [`step`](Self::step).
    unsafe fn look_ahead(&self, task: usize) {
        let _ = task;
    }

    /// Has all parts of the gradient be kept from now on.
    fn keep_gradient(&mut self);

    /// Returns dW₁ (n₁, n₀), from the gradient that was computed last.
    ///
    /// # Panics
    /// When the gradient is not kept.
    fn weight_gradient(&mut self) -> DMatrix<F>;

    /// Returns ‖dW₁ + λ·W₁‖², from the gradient that was computed last.
    ///
    /// # Panics
    /// When the gradient is not kept.
    fn squared_gradient(&mut self, l2: f64) -> f64;

    /// ‖W₁‖².
    fn squared_weights(&mut self) -> f64;

    /// Parameters and moments by name.
    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)>;

    /// Exchanges the parameters and their running means, where those are kept.
    fn exchange_average(&mut self);

    /// W₁ (n₁, n₀).
    fn weights(&mut self, pool: &mut Pool) -> DMatrix<F>;

    /// Floating-point operations of an iteration on `m` examples.
    fn flops(&self, m: usize) -> usize;
}
