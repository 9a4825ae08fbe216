//! The first layer in the coordinates of the training set, where its cost does not depend on the
//! number of features.
//!
//! Every gradient of W₁ is dZ₁·Xᵀ: a combination of the m examples. An optimizer whose steps are
//! linear in the gradients therefore never leaves the affine space
//!
//! W₁ = s·W₁⁰ + C·Xᵀ, C (n₁, m), s a number, at first 1; C at first 0,
//!
//! and stepping on (s, C) is stepping on W₁:
//!
//! - forward: Z₁ = W₁·X + b₁ = s·P + C·G + b₁, with G = XᵀX (m, m) and P = W₁⁰·X made once;
//! - backward: the gradient in C is dZ₁, in s it is 0; an L2 penalty λ adds λ·C and λ·s;
//! - weights, when asked for: [`add_columns`].
//!
//! It is the same sequence of weights, apart from rounding. With n₀ features an iteration costs
//! 2·n₁·m² operations here and 4·n₁·m·n₀ there: 59 times as many for the course's 12288 features
//! and 209 examples, and twice that with the dA₀ that the textbook computes as well.

use crate::Real;
use crate::gemm::{NARROW, gemm, plain, transposed};
use nalgebra::{DMatrix, DMatrixViewMut};
use std::ops::Range;

/// Columns `columns` of G = XᵀX from the diagonal's block downwards, the half from which symmetry
/// gives the other one: G[columns.start.., columns] = X[.., columns.start..]ᵀ·X[.., columns].
///
/// Blocks are independent of each other, so that threads can share them.
///
/// # Shapes
/// `x` X (n₀, m), `g` (m − columns.start, columns.len()).
/// # Panics
/// When the shapes do not fit.
pub fn lower_block<F: Real>(x: &DMatrix<F>, columns: Range<usize>, g: &mut DMatrixViewMut<'_, F>) {
    let below = x.columns(columns.start, x.ncols() - columns.start);
    let block = x.columns(columns.start, columns.len());
    gemm(F::one(), transposed(&below), plain(&block), F::zero(), g);
}

/// The columns `features` of W₁ = s·W₁⁰ + C·Xᵀ, in the place of those of W₁⁰.
///
/// Columns are independent of each other, so that threads can share them.
///
/// # Shapes
/// `c_transposed` Cᵀ (m, n₁), `x` X (n₀, m), `w` (n₁, features.len()).
/// # Panics
/// When the shapes do not fit.
pub fn add_columns<F: Real>(
    s: F,
    c_transposed: &DMatrix<F>,
    x: &DMatrix<F>,
    features: Range<usize>,
    w: &mut DMatrixViewMut<'_, F>,
) {
    let x = x.rows(features.start, features.len());
    if w.nrows() > NARROW {
        gemm(F::one(), transposed(c_transposed), transposed(&x), s, w);
        return;
    }
    // As W₁ᵀ, whose columns are as long as those of X: few rows have a kernel for that.
    let mut turned = w.transpose();
    gemm(F::one(), plain(&x), plain(c_transposed), s, &mut turned);
    w.tr_copy_from(&turned);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Generator, RngKind};

    #[test]
    fn steps_in_coordinates_are_steps_on_the_weights() {
        let mut rng = Generator::new(RngKind::Modern, 3).unwrap();
        let (n0, n1, m) = (30, 4, 7);
        let (w0, x) = (rng.normal_matrix::<f64>(n1, n0), rng.normal_matrix::<f64>(n0, m));
        let (mut w, mut s, mut c) = (w0.clone(), 1.0, DMatrix::zeros(m, n1));
        let (rate, l2) = (0.1, 0.3);
        for _ in 0..3 {
            let dz = rng.normal_matrix::<f64>(n1, m);
            let mut dw = &w * l2;
            gemm(1.0, plain(&dz), transposed(&x), 1.0, &mut dw);
            w -= dw * rate;
            c -= (dz.transpose() + &c * l2) * rate;
            s -= l2 * s * rate;
        }
        let mut got = w0.clone();
        add_columns(s, &c, &x, 0..n0, &mut got.as_view_mut());
        let difference = (got - &w).amax();
        assert!(difference < 1e-13, "{difference}");
    }

    #[test]
    fn the_lower_half_is_that_of_the_product() {
        let mut rng = Generator::new(RngKind::Modern, 4).unwrap();
        let x = rng.normal_matrix::<f64>(20, 9);
        let mut g = DMatrix::from_element(9, 9, f64::NAN);
        for columns in [0..4, 4..8, 8..9] {
            let (start, n) = (columns.start, columns.len());
            lower_block(&x, columns, &mut g.view_mut((start, start), (9 - start, n)));
        }
        for j in 0..9 {
            for i in j..9 {
                assert!((g[(i, j)] - x.column(i).dot(&x.column(j))).abs() < 1e-12);
            }
        }
    }
}
