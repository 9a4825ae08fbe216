//! Weights or biases with all that training keeps beside them.

use crate::optimizer::{MAX_MOMENTS, Optimizer, Step};
use crate::shared::{Part, SharedMatrix};
use dnn_core::Real;
use nalgebra::DMatrix;

/// Values, their gradient, and what the optimizer remembers of them: matrices of one shape.
pub(super) struct Parameters<F> {
    pub(super) values: SharedMatrix<F>,
    pub(super) gradient: SharedMatrix<F>,
    moments: [SharedMatrix<F>; MAX_MOMENTS],
    n_moments: usize,
}

impl<F: Real> Parameters<F> {
    /// Moments start at zero.
    pub(super) fn new(values: &DMatrix<F>, n_moments: usize) -> Self {
        let (rows, cols) = values.shape();
        let moment = |i| SharedMatrix::zeros(rows, if i < n_moments { cols } else { 0 });
        Self {
            values: SharedMatrix::of(values),
            gradient: SharedMatrix::zeros(rows, cols),
            moments: std::array::from_fn(moment),
            n_moments,
        }
    }

    /// The optimizer's step on a part, by the gradient in `gradient`.
    ///
    /// # Safety
    /// Nobody else may use this part of any of the matrices meanwhile.
    pub(super) unsafe fn step(&self, optimizer: &dyn Optimizer<F>, step: &Step, part: &Part) {
        // SAFETY: passed on.
        unsafe { self.step_by(&self.gradient, optimizer, step, part) }
    }

    /// The optimizer's step on a part, by a gradient that is elsewhere, in a matrix of this shape.
    ///
    /// # Safety
    /// As [`step`](Self::step), and nobody may write the gradient meanwhile.
    pub(super) unsafe fn step_by(
        &self,
        gradient: &SharedMatrix<F>,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        part: &Part,
    ) {
        for col in part.cols.clone() {
            let rows = || part.rows.clone();
            // SAFETY: the caller's promise.
            unsafe {
                let mut moments: [&mut [F]; MAX_MOMENTS] = std::array::from_fn(|i| {
                    if i < self.n_moments {
                        self.moments[i].slice_mut(rows(), col)
                    } else {
                        &mut []
                    }
                });
                let gradient = gradient.slice(rows(), col);
                let values = self.values.slice_mut(rows(), col);
                optimizer.update(step, values, gradient, &mut moments[..self.n_moments]);
            }
        }
    }
}
