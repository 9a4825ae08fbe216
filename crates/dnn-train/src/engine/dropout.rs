//! Inverted dropout: during training each value of a hidden layer is zero with probability p, and
//! otherwise divided by 1 − p (Srivastava et al. 2014).
//!
//! Masks are a function of seed, iteration, layer, place in the batch and unit, so they depend
//! neither on the number of threads nor on where a run was resumed.

use super::shared::{Part, SharedMatrix};
use dnn_core::rng::scramble;
use dnn_core::{Activation, Real};
use nalgebra::{DMatrixView, DMatrixViewMut};

/// The masks of one layer.
pub(super) struct Dropout<F> {
    /// 0, or 1 / (1 − p): (m, n).
    mask: SharedMatrix<F>,
    /// 1 − p.
    keep: f64,
    seed: u64,
}

impl<F: Real> Dropout<F> {
    /// For layer number `layer` of `n` units and batches of at most `m`.
    pub(super) fn new(rate: f64, seed: u64, layer: usize, m: usize, n: usize) -> Self {
        let seed = mix(seed ^ mix(layer as u64 + 1));
        Self { mask: SharedMatrix::zeros(m, n), keep: 1.0 - rate, seed }
    }

    /// Draws the mask of this part and applies it to A.
    ///
    /// # Safety
    /// The promise, for this part of the mask.
    pub(super) unsafe fn forward(
        &self,
        iteration: usize,
        part: &Part,
        a: &mut DMatrixViewMut<'_, F>,
    ) {
        let key = mix(self.seed.wrapping_add(mix(iteration as u64)));
        let (threshold, scale) = ((self.keep * 2_f64.powi(32)) as u64, F::of(1.0 / self.keep));
        for (mut a, unit) in a.column_iter_mut().zip(part.cols.clone()) {
            // SAFETY: the promise.
            let mask = unsafe { self.mask.slice_mut(part.rows.clone(), unit) };
            let values = a.as_mut_slice().iter_mut().zip(mask).zip(part.rows.clone());
            for ((a, mask), row) in values {
                let draw = mix(key ^ ((row as u64) << 32 | unit as u64)) >> 32;
                *mask = if draw < threshold { scale } else { F::zero() };
                *a *= *mask;
            }
        }
    }

    /// dA of the values after the mask → dZ.
    ///
    /// # Safety
    /// The promise: nobody writes this part of the mask.
    pub(super) unsafe fn backward(
        &self,
        activation: Activation,
        part: &Part,
        da: &mut DMatrixViewMut<'_, F>,
        z: &DMatrixView<'_, F>,
        a: &DMatrixView<'_, F>,
    ) {
        /// Values whose mask is undone at a time.
        const BLOCK: usize = 64;
        let keep = F::of(self.keep);
        let columns = da.column_iter_mut().zip(z.column_iter()).zip(a.column_iter());
        for (((mut da, z), a), unit) in columns.zip(part.cols.clone()) {
            // SAFETY: the promise.
            let mask = unsafe { self.mask.slice(part.rows.clone(), unit) };
            let blocks = da.as_mut_slice().chunks_mut(BLOCK).zip(mask.chunks(BLOCK));
            let values = z.as_slice().chunks(BLOCK).zip(a.as_slice().chunks(BLOCK));
            for ((da, mask), (z, a)) in blocks.zip(values) {
                let (n, mut unmasked) = (a.len(), [F::zero(); BLOCK]);
                for ((da, unmasked), (&mask, &a)) in
                    da.iter_mut().zip(&mut unmasked).zip(mask.iter().zip(a))
                {
                    // Without a product where the unit was dropped: dA may be anything there.
                    *da = if mask == F::zero() { F::zero() } else { *da * mask };
                    *unmasked = a * keep;
                }
                activation.backward(
                    &mut DMatrixViewMut::from_slice(da, n, 1),
                    &DMatrixView::from_slice(z, n, 1),
                    &DMatrixView::from_slice(&unmasked[..n], n, 1),
                );
            }
        }
    }
}

/// Scatters the bits of a number: a step of SplitMix64.
pub(super) fn mix(x: u64) -> u64 {
    scramble(x.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    fn masked(seed: u64, iteration: usize, layer: usize) -> DMatrix<f64> {
        let dropout = Dropout::new(0.3, seed, layer, 500, 40);
        let mut a = DMatrix::from_element(500, 40, 1.0);
        let whole = Part { rows: 0..500, cols: 0..40 };
        // SAFETY: there is nobody else.
        unsafe { dropout.forward(iteration, &whole, &mut a.as_view_mut()) };
        a
    }

    #[test]
    fn drops_its_share_and_keeps_the_mean() {
        let a = masked(1, 0, 0);
        let dropped = a.iter().filter(|&&a| a == 0.0).count() as f64 / a.len() as f64;
        assert!((dropped - 0.3).abs() < 0.01, "{dropped}");
        assert!((a.mean() - 1.0).abs() < 0.02, "{}", a.mean());
        assert!(a.iter().all(|&a| a == 0.0 || a == 1.0 / 0.7));
    }

    #[test]
    fn masks_are_repeated_and_differ_between_seeds_iterations_and_layers() {
        let first = masked(1, 5, 0);
        assert_eq!(first, masked(1, 5, 0));
        for other in [masked(2, 5, 0), masked(1, 6, 0), masked(1, 5, 1)] {
            let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            // Independent masks agree in 0.7² + 0.3² = 58 % of the places.
            assert!((0.55..0.61).contains(&(same as f64 / first.len() as f64)), "{same}");
        }
    }
}
