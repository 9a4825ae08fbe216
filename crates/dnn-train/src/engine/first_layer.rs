//! What the loop over the layers asks of the first one.

use super::mixup::Mixup;
use super::parameters::{Parameters, Scratch};
use super::shared::Part;
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use dnn_core::Real;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use std::ops::Range;

/// The examples of a batch, and what each of them is mixed with.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    /// Their numbers in the training set.
    pub(super) indices: &'a [usize],
    /// The mixture, when there is one.
    pub(super) mixup: Option<&'a Mixup>,
}

impl Selection<'_> {
    /// Writes an example of the batch to `to`: what `of` has for its place in the batch, mixed with what
    /// it has for its partner's.
    pub(super) fn put_together<'x, F: Real>(
        &self,
        place: usize,
        to: &mut [F],
        of: impl Fn(usize) -> &'x [F],
    ) {
        to.copy_from_slice(of(place));
        if let Some(mixup) = self.mixup {
            let (share, rest) = mixup.shares::<F>();
            for (to, &partner) in to.iter_mut().zip(of(mixup.partners[place])) {
                *to = share * *to + rest * partner;
            }
        }
    }
}

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

    /// Takes the features of the batch that is gathered next, from the example `from` on.
    ///
    /// # Panics
    /// When the first layer was made for examples in memory.
    fn feed(&mut self, x: &mut DMatrix<F>, from: usize);

    /// Puts the examples `examples` of the batch, mixed where they are, in the place that
    /// [`forward`](Self::forward) reads without a input.
    ///
    /// # Safety
    /// The promise, for these examples of the batch.
    unsafe fn gather(&self, batch: Selection<'_>, examples: Range<usize>);

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

    /// Returns the parameters that [`gradient`](Self::gradient) is the gradient in.
    fn parameters(&self) -> &Parameters<F>;

    /// The same, to change them.
    fn parameters_mut(&mut self) -> &mut Parameters<F>;

    /// Returns whether the gradient is a sum over the examples, as dW₁ is. If not, examples have places
    /// of their own in it, and all of a batch are asked for at once.
    fn gradient_is_a_sum(&self) -> bool;

    /// The gradient's part `task` from the examples `examples` of the batch, into `to`. `batch` is
    /// `None` for the whole training set.
    ///
    /// # Shapes
    /// `dz` dZ₁ᵀ (examples, n₁), `to` as the part.
    /// # Safety
    /// The promise: nobody gathers these examples meanwhile.
    unsafe fn gradient(
        &self,
        task: usize,
        batch: Option<Selection<'_>>,
        examples: &Range<usize>,
        dz: &DMatrixView<'_, F>,
        to: &mut DMatrixViewMut<'_, F>,
    );

    /// The optimizer's step with the gradient's part `task`, which is where
    /// [`Parameters::gradient_mut`] has it.
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
