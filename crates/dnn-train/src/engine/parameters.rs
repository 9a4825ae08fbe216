//! Weights or biases with all that training keeps beside them.

use crate::optimizer::{MAX_MOMENTS, Optimizer, Step};
use crate::shared::{Part, SharedMatrix};
use dnn_core::Real;
use nalgebra::{DMatrix, DMatrixViewMut};

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

    /// The optimizer's step on a part.
    ///
    /// # Safety
    /// Nobody else may use this part of any of the matrices meanwhile.
    pub(super) unsafe fn step(&self, optimizer: &dyn Optimizer<F>, step: &Step, part: &Part) {
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
                let gradient = self.gradient.slice(rows(), col);
                let values = self.values.slice_mut(rows(), col);
                optimizer.update(step, values, gradient, &mut moments[..self.n_moments]);
            }
        }
    }

    /// Σ θ² over all of it.
    pub(super) fn squared_values(&mut self) -> f64 {
        self.values.all_mut().iter().map(|p| p.as_f64().powi(2)).sum()
    }

    /// Σ (g + λ·θ)² over all of it: the gradient with the L2 penalty's share.
    ///
    /// # Safety
    /// Nobody may write values or gradient meanwhile.
    pub(super) unsafe fn squared_gradient(&self, l2: f64) -> f64 {
        let l2 = F::of(l2);
        // SAFETY: the caller's promise.
        let (values, gradient) = unsafe {
            (self.values.part(&self.values.whole()), self.gradient.part(&self.gradient.whole()))
        };
        values.iter().zip(gradient.iter()).map(|(&p, &g)| (g + l2 * p).as_f64().powi(2)).sum()
    }

    /// Values and moments by name: what a step depends on, the gradient apart.
    pub(super) fn state(
        &mut self,
        name: &str,
    ) -> impl Iterator<Item = (String, DMatrixViewMut<'_, F>)> {
        let values = std::iter::once((name.to_owned(), self.values.all_mut()));
        let moments = self.moments[..self.n_moments].iter_mut().enumerate();
        let name = name.to_owned();
        values.chain(moments.map(move |(i, m)| (format!("{name}.moment{}", i + 1), m.all_mut())))
    }
}
