//! A factor that is copied once into the order in which the kernel of `narrow.rs` reads it, for many
//! products: kernels that pack it anew for each of them spend a fifth of their time on that.

use super::Factor;
use super::operands::{Addend, Operands};
use crate::Real;
use nalgebra::{Dim, Matrix, RawStorageMut};
use std::marker::PhantomData;
use std::ops::Range;

/// Bytes of a cache line, the width of a panel.
const LINE_BYTES: usize = 64;

/// Returns how many numbers of type F a cache line has, which is how wide a panel of [`Packed`] is.
pub const fn line<F>() -> usize {
    LINE_BYTES / size_of::<F>()
}

/// A cache line of numbers.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Line([u8; LINE_BYTES]);

impl Line {
    /// Returns lines of zeros, enough for `n` numbers.
    pub(super) fn zeros<F>(n: usize) -> Box<[Self]> {
        // Zero is all bits zero in both number types.
        vec![Self([0; LINE_BYTES]); n.div_ceil(line::<F>())].into_boxed_slice()
    }

    /// Returns the numbers in the lines.
    pub(super) fn numbers<F: Real>(lines: &mut [Self]) -> &mut [F] {
        // SAFETY: lines are bytes one after the other, aligned for any number, and all bytes are numbers.
        unsafe {
            std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * line::<F>())
        }
    }
}

/// The left factor A (n, k) of many products, packed for [`gemm_packed`].
///
/// It lies in panels of as many rows as a cache line has numbers. In a panel, column follows column,
/// each in a line of its own, so that a product reads memory from one end to the other. The last panel
/// is filled up with zeros.
pub struct Packed<F> {
    lines: Box<[Line]>,
    numbers: PhantomData<F>,
    n: usize,
    k: usize,
}

impl<F: Real> Packed<F> {
    /// Copies `a`.
    pub fn new(a: Factor<'_, F>) -> Self {
        let ((n, k), line) = (a.shape(), line::<F>());
        let mut lines = Line::zeros::<F>(n.next_multiple_of(line) * k);
        let to = Line::numbers::<F>(&mut lines);
        for (panel, from) in (0..n).step_by(line).enumerate() {
            for j in 0..k {
                for i in from..n.min(from + line) {
                    let at = i as isize * a.row_stride + j as isize * a.col_stride;
                    // SAFETY: an index of the factor.
                    to[(panel * k + j) * line + i - from] = unsafe { *a.pointer.offset(at) };
                }
            }
        }
        Self { lines, numbers: PhantomData, n, k }
    }

    /// Returns n and k.
    pub fn shape(&self) -> (usize, usize) {
        (self.n, self.k)
    }
}

/// `c ← a[rows]·b + β·d`, in place, with a factor that is packed; without β and `d` it is `a[rows]·b`.
///
/// The sum of each element is taken in the order in which [`gemm`](super::gemm()) takes it in products
/// with at most [`NARROW`](super::NARROW) columns.
///
/// # Shapes
/// `a` (n, k), `b` (k, u) after transposition, `c` and `d` (rows.len(), u).
/// # Panics
/// When the shapes do not fit, `rows` does not begin where a panel does, at a multiple of [`line()`], or
/// the columns of `c` or `d` are not contiguous.
pub fn gemm_packed<F: Real, R: Dim, C: Dim, S: RawStorageMut<F, R, C>>(
    (a, rows): (&Packed<F>, Range<usize>),
    b: Factor<'_, F>,
    added: Option<(F, Factor<'_, F>)>,
    c: &mut Matrix<F, R, C, S>,
) {
    let u = b.cols;
    assert!(
        b.rows == a.k && c.shape() == (rows.len(), u) && rows.end <= a.n,
        "product of rows {rows:?} of {:?} and {}×{u} into {:?}",
        a.shape(),
        b.rows,
        c.shape()
    );
    let (row_stride, col_stride) = c.strides();
    assert!(row_stride == 1, "contiguous columns of the product");
    let added = match added {
        Some((beta, d)) => {
            let contiguous = d.row_stride == 1;
            assert!(d.shape() == c.shape() && contiguous, "contiguous columns of the addend");
            Addend { beta, d: d.pointer, d_rs: d.col_stride }
        }
        None => Addend { beta: F::zero(), d: c.as_ptr(), d_rs: col_stride as isize },
    };
    assert!(rows.start.is_multiple_of(line::<F>()), "rows from the beginning of a panel");
    if rows.is_empty() || u == 0 {
        return;
    }
    if a.k == 0 {
        let beta = added.beta;
        // SAFETY: an index of the addend, whose shape is that of `c`.
        let d = |i, j| unsafe { *added.at(j, i) };
        for (j, mut column) in c.column_iter_mut().enumerate() {
            for (i, c) in column.iter_mut().enumerate() {
                *c = if beta == F::zero() { beta } else { beta * d(i, j) };
            }
        }
        return;
    }
    let panel = a.k * line::<F>();
    // The kernel goes by rows: cᵀ ← bᵀ·aᵀ + β·dᵀ.
    let operands = Operands {
        m: u,
        n: rows.len(),
        k: a.k,
        alpha: F::one(),
        a: b.pointer,
        a_rs: b.col_stride,
        a_cs: b.row_stride,
        b: a.lines.as_ptr().cast::<F>().wrapping_add(rows.start / line::<F>() * panel),
        b_rs: line::<F>() as isize,
        b_cs: 1,
        b_panel: Some(panel),
        added,
        c: c.as_mut_ptr(),
        c_rs: col_stride as isize,
        c_cs: 1,
    };
    // SAFETY: pointers, extents and strides are those of storages that are borrowed for the whole call,
    // and the shapes fit as just checked; rows of C are contiguous, and panels of `a` whole.
    unsafe { F::combine(&operands) }
}

#[cfg(test)]
mod tests {
    use super::super::{gemm, plain, transposed};
    use super::*;
    use crate::rng::{Generator, RngKind};
    use nalgebra::DMatrix;
    use proptest::prelude::*;

    fn has_the_bits_of_the_product<F: Real>(
        (n, k, u): (usize, usize, usize),
        (from, to): (usize, usize),
        beta: F,
    ) {
        let mut rng = Generator::new(RngKind::Modern, 5).unwrap();
        let (a, b) = (rng.normal_matrix::<F>(n, k), rng.normal_matrix::<F>(k, u));
        let (from, to) = (from.min(to) / line::<F>() * line::<F>(), to.max(from).min(n));
        let from = from.min(to / line::<F>() * line::<F>());
        let packed = Packed::new(plain(&a));
        let mut expected = rng.normal_matrix::<F>(n, u);
        let mut got = expected.clone();
        let before = expected.clone();
        gemm(F::one(), plain(&a), plain(&b), beta, &mut expected);
        let rows = from..to;
        let mut part = got.rows_mut(from, rows.len());
        let added = before.rows(from, rows.len());
        part.fill(F::of(f64::NAN));
        gemm_packed((&packed, rows.clone()), plain(&b), Some((beta, plain(&added))), &mut part);
        for (i, (got, before)) in got.row_iter().zip(before.row_iter()).enumerate() {
            assert!(got == if rows.contains(&i) { expected.row(i) } else { before }, "row {i}");
        }
        let turned = (Packed::new(transposed(&a.transpose())), b.transpose());
        let mut again = DMatrix::from_element(n, u, F::of(f64::NAN));
        let mut whole = again.clone();
        gemm_packed((&turned.0, 0..n), transposed(&turned.1), None, &mut again);
        gemm(F::one(), plain(&a), plain(&b), F::zero(), &mut whole);
        assert_eq!(again, whole);
    }

    proptest! {
        #[test]
        fn products_have_the_bits_of_those_that_are_packed_each_time(
            (n, u) in (2..90_usize, 1..33_usize),
            k in prop_oneof![0..40_usize, 250..600_usize],
            rows in (0..90_usize, 0..90_usize),
            beta in prop::sample::select(vec![0.0, 1.0, 2.0]),
        ) {
            has_the_bits_of_the_product::<f64>((n, k, u), rows, beta);
            has_the_bits_of_the_product::<f32>((n, k, u), rows, beta as f32);
        }
    }

    #[test]
    #[should_panic(expected = "product of rows 0..2 of (2, 3) and 4×2 into (2, 2)")]
    fn names_the_shapes() {
        let (a, b) = (DMatrix::<f64>::zeros(2, 3), DMatrix::zeros(4, 2));
        let packed = Packed::new(plain(&a));
        gemm_packed((&packed, 0..2), plain(&b), None, &mut DMatrix::zeros(2, 2));
    }
}
