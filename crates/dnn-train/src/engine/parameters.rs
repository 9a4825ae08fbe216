//! Weights or biases with all that training keeps with them.

use super::shared::{Part, SharedMatrix, stride};
use crate::optimizer::{MAX_MOMENTS, Optimizer, Step};

use dnn_core::{Real, vectorized};
use nalgebra::{DMatrix, DMatrixViewMut};

/// Room for the gradient of one part, a thread's own: it stays in the core's cache, where the
/// gradient of a whole layer would go to memory and come back.
pub(super) struct Scratch<F>(SharedMatrix<F>);

impl<F: Real> Scratch<F> {
    /// Room for each of these parts.
    pub(super) fn for_parts<'p>(parts: impl Iterator<Item = &'p Part>) -> Self {
        let most = parts.map(|part| stride::<F>(part.rows.len()) * part.cols.len()).max();
        Self(SharedMatrix::zeros(most.unwrap_or(0), 1))
    }
}

/// Values, their gradient, what the optimizer remembers of them, and their running mean: matrices of
/// one shape.
pub(super) struct Parameters<F> {
    pub(super) values: SharedMatrix<F>,
    /// The exponential moving average; empty when `ema_decay` is 0.
    average: SharedMatrix<F>,
    ema_decay: f64,
    /// Empty unless it is kept.
    gradient: SharedMatrix<F>,
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
            gradient: SharedMatrix::zeros(0, 0),
            moments: std::array::from_fn(moment),
            n_moments,
        }
    }

    /// [`new`](Self::new), and the gradient is kept.
    pub(super) fn with_gradient(values: &DMatrix<F>, n_moments: usize, ema_decay: f64) -> Self {
        let mut parameters = Self::new(values, n_moments, ema_decay);
        parameters.keep_gradient();
        parameters
    }

    /// Has the gradient be kept from now on, where it was in the threads' scratch.
    pub(super) fn keep_gradient(&mut self) {
        if self.gradient.cols() < self.values.cols() {
            self.gradient = SharedMatrix::zeros(self.values.rows(), self.values.cols());
        }
    }

    /// Returns the gradient, all of it.
    ///
    /// # Panics
    /// When it is not kept.
    pub(super) fn gradient(&mut self) -> DMatrixViewMut<'_, F> {
        assert_eq!(self.gradient.cols(), self.values.cols(), "a gradient that is kept");
        self.gradient.all_mut()
    }

    /// Returns the place of the part's gradient: its own if it is kept, otherwise in `scratch`.
    ///
    /// # Safety
    /// The promise, for this part of the gradient and `scratch`.
    #[allow(clippy::mut_from_ref)] // the promise takes the place of `&mut self`
    pub(super) unsafe fn gradient_mut<'s>(
        &'s self,
        part: &Part,
        scratch: &'s Scratch<F>,
    ) -> DMatrixViewMut<'s, F> {
        // SAFETY: the promise.
        unsafe {
            if self.gradient.cols() == 0 {
                scratch.0.shaped_mut(part.rows.len(), part.cols.len())
            } else {
                self.gradient.part_mut(part)
            }
        }
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
        let gradient = unsafe { self.gradient_mut(part, scratch) };
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
        assert_eq!(self.gradient.cols(), self.values.cols(), "a gradient that is kept");
        let (values, gradient) = (self.values.all_mut(), self.gradient.all_mut());
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
