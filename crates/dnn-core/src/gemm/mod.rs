//! The single door for matrix products.
//!
//! Every product of the workspace goes through [`gemm()`]: nalgebra's own transposed products
//! (`tr_mul`, `gemm_tr`) are 4 to 16 times slower on large layers (clippy.toml refuses them), and one
//! door means one place to choose a kernel: our own for products with few rows (`narrow.rs`, `one_row.rs`), the
//! `gemm` crate otherwise. Both pick their instruction set at run time. A factor that stays the same over many
//! products can be packed once, for [`gemm_packed`] or, where the other factor is one column, as
//! [`PackedForVector`]; [`ByteColumns`] has products of bytes in whole numbers, and
//! [`FactorPrecision::Bf16`] those of factors that are rounded.

pub(crate) mod bf16;
mod bytes;
pub(crate) mod narrow;
mod one_row;
mod operands;
mod packed;
mod packed_for_vector;

pub use bytes::ByteColumns;
pub use narrow::terms_at_once;
use operands::Addend;
pub use operands::Operands;
pub use packed::{Packed, gemm_packed, line};
pub use packed_for_vector::PackedForVector;

use crate::Real;
use nalgebra::{Dim, Matrix, RawStorage, RawStorageMut};
use std::marker::PhantomData;

/// One factor of a product: a matrix as it is ([`plain`]) or transposed ([`transposed`]).
#[derive(Clone, Copy)]
pub struct Factor<'a, F> {
    pointer: *const F,
    rows: usize,
    cols: usize,
    row_stride: isize,
    col_stride: isize,
    borrow: PhantomData<&'a F>,
}

impl<F> Factor<'_, F> {
    /// Returns the rows and columns as the product sees them.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }
}

/// Returns the matrix or view as it is: op(A) = A.
pub fn plain<F: Real, R: Dim, C: Dim, S: RawStorage<F, R, C>>(
    matrix: &Matrix<F, R, C, S>,
) -> Factor<'_, F> {
    let (rows, cols) = matrix.shape();
    let (row_stride, col_stride) = matrix.strides();
    Factor {
        pointer: matrix.as_ptr(),
        rows,
        cols,
        row_stride: row_stride as isize,
        col_stride: col_stride as isize,
        borrow: PhantomData,
    }
}

/// Returns the matrix or view transposed: op(A) = Aᵀ. Nothing is copied.
pub fn transposed<F: Real, R: Dim, C: Dim, S: RawStorage<F, R, C>>(
    matrix: &Matrix<F, R, C, S>,
) -> Factor<'_, F> {
    let a = plain(matrix);
    Factor { rows: a.cols, cols: a.rows, row_stride: a.col_stride, col_stride: a.row_stride, ..a }
}

/// `c ← α·a·b + β·c`, in place.
///
/// With β = 0 the old content of `c` is not read, so it may be anything, NaN included.
///
/// # Shapes
/// `a` (m, k), `b` (k, n), `c` (m, n), after transposition.
/// # Panics
/// When the shapes do not fit; they are checked where data enter, so this is a bug.
///
/// ```
/// use dnn_core::gemm::{gemm, plain, transposed};
/// use nalgebra::DMatrix;
///
/// let a = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 3.0, 4.0]);
/// let mut c = DMatrix::identity(2, 2);
/// gemm(1.0, transposed(&a), plain(&a), 10.0, &mut c); // AᵀA + 10·I
/// assert_eq!(c, DMatrix::from_row_slice(2, 2, &[20.0, 14.0, 14.0, 30.0]));
/// ```
#[doc(alias = "dot")]
pub fn gemm<F: Real, R: Dim, C: Dim, S: RawStorageMut<F, R, C>>(
    alpha: F,
    a: Factor<'_, F>,
    b: Factor<'_, F>,
    beta: F,
    c: &mut Matrix<F, R, C, S>,
) {
    if let Some(operands) = Operands::of(alpha, a, b, beta, c) {
        // SAFETY: the storages that they are of are borrowed for the whole call, `c` exclusively.
        unsafe { operands.multiply() }
    }
}

/// The precision in which a product takes its factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FactorPrecision {
    /// That of their numbers.
    #[default]
    Full,
    /// bf16: the 8 bits of exponent of f32 with 8 of significand, so that a processor can multiply two
    /// pairs in one place. The sums are in f32, and have the same bits on every machine; where it has no
    /// AVX512-BF16, they take longer than products in f32.
    Bf16,
}

impl FactorPrecision {
    /// `c ← a·b`, in place; the old content of `c` is not read.
    ///
    /// # Shapes
    /// `a` (m, k), `b` (k, n), `c` (m, n), after transposition.
    /// # Panics
    /// When the shapes do not fit; when factors in bf16 are asked of numbers in f64.
    ///
    /// ```
    /// use dnn_core::gemm::{FactorPrecision, plain};
    /// use nalgebra::DMatrix;
    ///
    /// let a = DMatrix::from_row_slice(1, 2, &[1.0_f32, 1.0 + 1.0 / 128.0]);
    /// let b = DMatrix::from_column_slice(2, 1, &[2.0, 1.0 + 1.0 / 1024.0]);
    /// let mut c = DMatrix::zeros(1, 1);
    /// FactorPrecision::Full.multiply(plain(&a), plain(&b), &mut c);
    /// assert_eq!(c[0], 3.0 + 1.0 / 128.0 + 1.0 / 1024.0 + 1.0 / 131_072.0);
    /// FactorPrecision::Bf16.multiply(plain(&a), plain(&b), &mut c);
    /// assert_eq!(c[0], 3.0 + 1.0 / 128.0);
    /// ```
    pub fn multiply<F: Real, R: Dim, C: Dim, S: RawStorageMut<F, R, C>>(
        self,
        a: Factor<'_, F>,
        b: Factor<'_, F>,
        c: &mut Matrix<F, R, C, S>,
    ) {
        if let Some(operands) = Operands::of(F::one(), a, b, F::zero(), c) {
            // SAFETY: the storages that they are of are borrowed for the whole call, `c` exclusively.
            unsafe {
                match self {
                    Self::Full => operands.multiply(),
                    Self::Bf16 => F::product_in_bf16(&operands),
                }
            }
        }
    }
}

/// The largest number of rows of C for which our own kernels are faster than the `gemm` crate's;
/// see docs/performance.md. They take the sum of each element in the same order, whatever the
/// number of rows.
pub const NARROW: usize = 32;

impl<F: Real> Operands<F> {
    /// Returns the operands of c ← α·a·b + β·c, or `None` when there is nothing to multiply; then it is
    /// done.
    ///
    /// # Panics
    /// When the shapes do not fit.
    fn of<R: Dim, C: Dim, S: RawStorageMut<F, R, C>>(
        alpha: F,
        a: Factor<'_, F>,
        b: Factor<'_, F>,
        beta: F,
        c: &mut Matrix<F, R, C, S>,
    ) -> Option<Self> {
        let (m, k) = a.shape();
        let n = b.cols;
        assert!(
            b.rows == k && c.shape() == (m, n),
            "product of {m}×{k} and {}×{n} into {:?}",
            b.rows,
            c.shape()
        );
        if m == 0 || n == 0 {
            return None;
        }
        if k == 0 || alpha == F::zero() {
            if beta == F::zero() {
                c.fill(F::zero());
            } else {
                c.apply(|c| *c *= beta);
            }
            return None;
        }
        let (row_stride, col_stride) = c.strides();
        // Pointers, extents and strides are those of nalgebra storages, and the shapes fit. The
        // borrows end here: whoever multiplies holds them.
        Some(Self {
            m,
            n,
            k,
            alpha,
            a: a.pointer,
            a_rs: a.row_stride,
            a_cs: a.col_stride,
            b: b.pointer,
            b_rs: b.row_stride,
            b_cs: b.col_stride,
            b_panel: None,
            added: Addend { beta, d: c.as_ptr(), d_rs: row_stride as isize },
            c: c.as_mut_ptr(),
            c_rs: row_stride as isize,
            c_cs: col_stride as isize,
        })
    }

    /// # Safety
    /// The promise of [`Operands`].
    unsafe fn multiply(&self) {
        let turned = self.transposed();
        for o in [self, &turned] {
            if o.m > NARROW {
                continue;
            }
            if o.b_cs == 1 && o.c_cs == 1 {
                // SAFETY: passed on; the strides are as required.
                return unsafe { F::combine(o) };
            }
            if o.a_cs == 1 && o.b_rs == 1 {
                // SAFETY: passed on; the strides are as required.
                return unsafe { F::dots(o) };
            }
        }
        // The crate's kernels want the columns of C contiguous.
        let o = if self.c_cs.unsigned_abs() < self.c_rs.unsigned_abs() { &turned } else { self };
        // SAFETY: passed on.
        unsafe { F::product_of_any_size(o) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;
    use proptest::prelude::*;

    fn filled(rows: usize, cols: usize, seed: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, cols, |i, j| ((i * 31 + j * 17 + seed * 7) % 23) as f64 - 11.0)
    }

    /// The definition, element by element.
    fn naive(alpha: f64, a: &DMatrix<f64>, b: &DMatrix<f64>, beta: f64, c: &mut DMatrix<f64>) {
        for i in 0..c.nrows() {
            for j in 0..c.ncols() {
                let sum: f64 = (0..a.ncols()).map(|l| a[(i, l)] * b[(l, j)]).sum();
                c[(i, j)] = alpha * sum + if beta == 0.0 { 0.0 } else { beta * c[(i, j)] };
            }
        }
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            (m, n) in prop_oneof![(1..40_usize, 1..40_usize), (Just(1), 1..70_usize), (1..70_usize, Just(1))],
            k in prop_oneof![0..40_usize, 250..600_usize],
            (ta, tb) in any::<(bool, bool)>(),
            alpha in prop::sample::select(vec![0.0, 1.0, -0.5]),
            beta in prop::sample::select(vec![0.0, 1.0, 2.0]),
        ) {
            let (a, b) = (filled(m, k, 1), filled(k, n, 2));
            let (at, bt) = (a.transpose(), b.transpose());
            let mut expected = filled(m, n, 3);
            let mut got = expected.clone();
            naive(alpha, &a, &b, beta, &mut expected);
            let a = if ta { transposed(&at) } else { plain(&a) };
            let b = if tb { transposed(&bt) } else { plain(&b) };
            gemm(alpha, a, b, beta, &mut got);
            // Small whole numbers: every order of summation gives the same result.
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn works_on_views(row in 0..3_usize, col in 0..3_usize) {
            let (a, b) = (filled(8, 9, 1), filled(9, 8, 2));
            let (av, bv) = (a.view((row, col), (4, 5)), b.view((col, row), (5, 3)));
            let mut expected = DMatrix::zeros(4, 3);
            naive(1.0, &av.into_owned(), &bv.into_owned(), 0.0, &mut expected);
            let mut c = DMatrix::from_element(10, 10, 7.0);
            gemm(1.0, plain(&av), plain(&bv), 0.0, &mut c.view_mut((row, col), (4, 3)));
            prop_assert_eq!(c.view((row, col), (4, 3)).into_owned(), expected);
            c.view_mut((row, col), (4, 3)).fill(7.0);
            prop_assert!(c.iter().all(|&v| v == 7.0), "wrote outside the view");
        }
    }

    #[test]
    fn beta_zero_does_not_read_the_destination() {
        let a = filled(3, 3, 1);
        let mut c = DMatrix::from_element(3, 3, f64::NAN);
        gemm(1.0, plain(&a), plain(&a), 0.0, &mut c);
        assert!(c.iter().all(|v| v.is_finite()));
    }

    #[test]
    #[should_panic(expected = "product of 2×3 and 4×2 into (2, 2)")]
    fn names_both_shapes() {
        gemm(1.0, plain(&filled(2, 3, 0)), plain(&filled(4, 2, 0)), 0.0, &mut filled(2, 2, 0));
    }
}
