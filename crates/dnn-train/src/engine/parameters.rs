//! Weights or biases with all that training keeps with them.

use super::shared::{Part, SharedMatrix, stride};
use crate::aligned_bytes::AlignedBytes;
use crate::communicator::halves;
use crate::optimizer::{MAX_MOMENTS, Optimizer, Step};
use dnn_core::{Real, vectorized};
use nalgebra::{DMatrix, DMatrixViewMut};
use std::ops::Range;

/// Room for the gradient of one part, a thread's own: it stays in the core's cache, where the
/// gradient of a whole layer would go to memory and come back.
pub(super) struct Scratch<F> {
    gradient: SharedMatrix<F>,
    /// Sums over micro-shards that wait to be added to another one, a level of the tree each.
    waiting: Vec<SharedMatrix<F>>,
}

impl<F: Real> Scratch<F> {
    /// Room for each of these parts, and for each of them on `depth` levels.
    pub(super) fn for_parts<'p>(parts: impl Iterator<Item = &'p Part>, depth: usize) -> Self {
        let most = parts.map(|part| stride::<F>(part.rows.len()) * part.cols.len()).max();
        let room = || SharedMatrix::zeros(most.unwrap_or(0), 1);
        Self { gradient: room(), waiting: (0..depth).map(|_| room()).collect() }
    }

    /// Puts into `to` the sum over the micro-shards `tree` of what `of` makes of each, in the tree of
    /// [`communicator`](crate::communicator).
    ///
    /// # Safety
    /// The promise, for this scratch.
    pub(super) unsafe fn sum_in_tree(
        &self,
        tree: Range<usize>,
        to: &mut DMatrixViewMut<'_, F>,
        of: &impl Fn(usize, &mut DMatrixViewMut<'_, F>),
    ) {
        // SAFETY: the promise.
        unsafe { sum_in_tree(tree, to, &self.waiting, of) }
    }
}

/// See [`Scratch::sum_in_tree`].
///
/// # Safety
/// The promise, for `waiting`.
unsafe fn sum_in_tree<F: Real>(
    tree: Range<usize>,
    to: &mut DMatrixViewMut<'_, F>,
    waiting: &[SharedMatrix<F>],
    of: &impl Fn(usize, &mut DMatrixViewMut<'_, F>),
) {
    let [other, rest @ ..] = waiting else { return of(tree.start, to) };
    if tree.len() == 1 {
        return of(tree.start, to);
    }
    let (left, right) = halves(&tree);
    // SAFETY: the promise; the two sums use the rest one after the other.
    let other = unsafe {
        sum_in_tree(left, to, waiting, of);
        let mut other = other.shaped_mut(to.nrows(), to.ncols());
        sum_in_tree(right, &mut other, rest, of);
        other
    };
    vectorized(
        #[inline(always)]
        || {
            for (mut to, other) in to.column_iter_mut().zip(other.column_iter()) {
                for (to, &other) in to.as_mut_slice().iter_mut().zip(other.as_slice()) {
                    *to += other;
                }
            }
        },
    );
}

/// Values, their gradient, what the optimizer remembers of them, and their running mean: matrices of
/// one shape.
pub(super) struct Parameters<F> {
    pub(super) values: SharedMatrix<F>,
    /// The exponential moving average; empty when `ema_decay` is 0.
    average: SharedMatrix<F>,
    ema_decay: f64,
    /// The gradient of each subtree of micro-shards that this rank has; none unless they are kept.
    gradients: Vec<SharedMatrix<F>>,
    moments: [SharedMatrix<F>; MAX_MOMENTS],
    n_moments: usize,
}

impl<F: Real> Parameters<F> {
    /// Moments start at zero, the average at the values; the gradient is not kept.
    pub(super) fn new(values: &DMatrix<F>, n_moments: usize, ema_decay: f64) -> Self {
        let (rows, cols) = values.shape();
        let moment = |i| SharedMatrix::zeros(rows, if i < n_moments { cols } else { 0 });
        let has_average = ema_decay > 0.0;
        Self {
            values: SharedMatrix::of(values),
            average: if has_average {
                SharedMatrix::of(values)
            } else {
                SharedMatrix::zeros(rows, 0)
            },
            ema_decay,
            gradients: Vec::new(),
            moments: std::array::from_fn(moment),
            n_moments,
        }
    }

    /// Has the gradients of this many subtrees be kept from now on, where there was one in the threads'
    /// scratch.
    pub(super) fn keep_gradients(&mut self, n_trees: usize) {
        let (rows, cols) = (self.values.rows(), self.values.cols());
        self.gradients.resize_with(n_trees, || SharedMatrix::zeros(rows, cols));
    }

    /// Returns the gradient, all of it: where the first subtree's was, when the ranks have summed theirs
    /// up.
    ///
    /// # Panics
    /// When it is not kept.
    pub(super) fn gradient(&mut self) -> DMatrixViewMut<'_, F> {
        self.gradients.first_mut().expect("a gradient that is kept").all_mut()
    }

    /// Returns the place of the part's gradient of a subtree: its own if it is kept, otherwise in
    /// `scratch`.
    ///
    /// # Safety
    /// The promise, for this part of the gradient and `scratch`.
    #[allow(clippy::mut_from_ref)] // the promise takes the place of `&mut self`
    pub(super) unsafe fn gradient_mut<'s>(
        &'s self,
        tree: usize,
        part: &Part,
        scratch: &'s Scratch<F>,
    ) -> DMatrixViewMut<'s, F> {
        // SAFETY: the promise.
        unsafe {
            match self.gradients.get(tree) {
                Some(gradient) => gradient.part_mut(part),
                None => scratch.gradient.shaped_mut(part.rows.len(), part.cols.len()),
            }
        }
    }

    /// Returns the bytes of the gradient of a subtree.
    pub(super) fn gradient_bytes(&self) -> usize {
        self.values.n_bytes()
    }

    /// Hands out the gradients of all subtrees, until [`take_back_gradients`](Self::take_back_gradients).
    pub(super) fn lend_gradients(&mut self) -> impl Iterator<Item = AlignedBytes> {
        self.gradients.iter_mut().map(SharedMatrix::lend)
    }

    /// Takes back the gradients of all subtrees from the beginning of `buffers`.
    pub(super) fn take_back_gradients(&mut self, buffers: &mut impl Iterator<Item = AlignedBytes>) {
        self.gradients.iter_mut().zip(buffers).for_each(|(gradient, of)| gradient.take_back(of));
    }

    /// The optimizer's step on a part, whose gradient is in its place.
    ///
    /// # Safety
    /// The promise, for this part of all matrices and `scratch`.
    pub(super) unsafe fn step(
        &self,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        part: &Part,
        scratch: &Scratch<F>,
    ) {
        // SAFETY: the promise.
        let gradient = unsafe { self.gradient_mut(0, part, scratch) };
        for (gradient, col) in gradient.column_iter().zip(part.cols.clone()) {
            let rows = || part.rows.clone();
            // SAFETY: the promise.
            unsafe {
                let mut moments: [&mut [F]; MAX_MOMENTS] = std::array::from_fn(|i| {
                    if i < self.n_moments {
                        self.moments[i].slice_mut(rows(), col)
                    } else {
                        &mut []
                    }
                });
                let values = self.values.slice_mut(rows(), col);
                optimizer.update(step, values, gradient.as_slice(), &mut moments[..self.n_moments]);
                if self.ema_decay > 0.0 {
                    let kept = if step.number == 1 { 0.0 } else { self.ema_decay };
                    average_in(self.average.slice_mut(rows(), col), values, kept);
                }
            }
        }
    }

    /// Exchanges values and average, if there is one; done twice, everything is as it was.
    pub(super) fn exchange_average(&mut self) {
        if self.ema_decay > 0.0 {
            std::mem::swap(&mut self.values, &mut self.average);
        }
    }

    /// Σ θ² over all of it.
    pub(super) fn squared_values(&mut self) -> f64 {
        self.values.all_mut().iter().map(|p| p.as_f64().powi(2)).sum()
    }

    /// Σ (g + λ·θ)² over all of it: the gradient with the L2 penalty's share.
    ///
    /// # Panics
    /// When the gradient is not kept.
    pub(super) fn squared_gradient(&mut self, l2: f64) -> f64 {
        let l2 = F::of(l2);
        let gradient = self.gradients.first_mut().expect("a gradient that is kept");
        let (values, gradient) = (self.values.all_mut(), gradient.all_mut());
        values.iter().zip(gradient.iter()).map(|(&p, &g)| (g + l2 * p).as_f64().powi(2)).sum()
    }

    /// Values, average and moments by name: what a step depends on, the gradient apart.
    pub(super) fn state(
        &mut self,
        name: &str,
    ) -> impl Iterator<Item = (String, DMatrixViewMut<'_, F>)> {
        let average =
            (self.ema_decay > 0.0).then(|| (format!("{name}.average"), self.average.all_mut()));
        let values = std::iter::once((name.to_owned(), self.values.all_mut())).chain(average);
        let moments = self.moments[..self.n_moments].iter_mut().enumerate();
        let name = name.to_owned();
        values.chain(moments.map(move |(i, m)| (format!("{name}.moment{}", i + 1), m.all_mut())))
    }
}

/// θ̄ ← d·θ̄ + (1 − d)·θ, with d = `kept`; the first average, d = 0, is θ itself.
fn average_in<F: Real>(average: &mut [F], values: &[F], kept: f64) {
    if kept == 0.0 {
        average.copy_from_slice(values);
        return;
    }
    let new = F::of(1.0 - kept);
    vectorized(
        #[inline(always)]
        || {
            for (average, &value) in average.iter_mut().zip(values) {
                *average += new * (value - *average);
            }
        },
    );
}
