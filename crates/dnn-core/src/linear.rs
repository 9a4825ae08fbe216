//! The linear half of a layer, forward and backward, as the course writes it.

use crate::Real;
use crate::gemm::{gemm, plain, transposed};
use nalgebra::{DMatrix, DVector};

/// Gradients of the cost with respect to one layer's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<F: Real> {
    /// dW (n, n_prev).
    pub dw: DMatrix<F>,
    /// db (n).
    pub db: DVector<F>,
    /// dγ (n); empty where the layer is not [normalised](crate::layer_norm).
    pub dgamma: DVector<F>,
    /// dβ (n); empty where the layer is not normalised.
    pub dbeta: DVector<F>,
}

impl<F: Real> Gradients<F> {
    /// Makes the gradients of a layer that is not normalised.
    ///
    /// # Shapes
    /// `dw` (n, n_prev), `db` (n).
    pub fn new(dw: DMatrix<F>, db: DVector<F>) -> Self {
        Self { dw, db, dgamma: DVector::zeros(0), dbeta: DVector::zeros(0) }
    }

    /// Returns the gradients in the order of
    /// [`PARAMETER_NAMES`](crate::layer::PARAMETER_NAMES), each column by column.
    pub fn slices(&self) -> [&[F]; 4] {
        [self.dw.as_slice(), self.db.as_slice(), self.dgamma.as_slice(), self.dbeta.as_slice()]
    }
}

/// Computes Z = W·A_prev + b, with b added to every column.
///
/// # Shapes
/// `w` (n, n_prev), `b` (n), `a_prev` (n_prev, m) → Z (n, m).
/// # Panics
/// On mismatch: a bug, since `Network::new` checked the chain.
#[doc(alias = "linear_forward")]
pub fn linear<F: Real>(w: &DMatrix<F>, b: &DVector<F>, a_prev: &DMatrix<F>) -> DMatrix<F> {
    let mut z = DMatrix::zeros(w.nrows(), a_prev.ncols());
    gemm(F::one(), plain(w), plain(a_prev), F::zero(), &mut z);
    for mut column in z.column_iter_mut() {
        column += b;
    }
    z
}

/// Computes the backward pass of the linear half. Returns dA_prev and the gradients of W and b.
///
/// dW = dZ·A_prevᵀ / m, db = Σ dZ / m (over the columns), dA_prev = Wᵀ·dZ.
///
/// # Shapes
/// `dz` (n, m), `a_prev` (n_prev, m), `w` (n, n_prev) → dA_prev (n_prev, m), dW (n, n_prev), db (n).
/// # Panics
/// On mismatch.
pub fn linear_backward<F: Real>(
    dz: &DMatrix<F>,
    a_prev: &DMatrix<F>,
    w: &DMatrix<F>,
) -> (DMatrix<F>, Gradients<F>) {
    let per_example = F::one() / F::of(dz.ncols() as f64);
    let mut dw = DMatrix::zeros(w.nrows(), w.ncols());
    gemm(per_example, plain(dz), transposed(a_prev), F::zero(), &mut dw);
    let mut db = DVector::zeros(w.nrows());
    for column in dz.column_iter() {
        db += column;
    }
    db *= per_example;
    let mut da_prev = DMatrix::zeros(a_prev.nrows(), a_prev.ncols());
    gemm(F::one(), transposed(w), plain(dz), F::zero(), &mut da_prev);
    (da_prev, Gradients::new(dw, db))
}
