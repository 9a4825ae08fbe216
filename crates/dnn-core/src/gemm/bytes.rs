//! Inner products of examples that are bytes over 255, as images are, in whole numbers: exact, and with
//! four to eight times as many products an instruction as in floating point where the processor has AVX-512
//! VNNI, two to four times with AVX2.

use crate::Real;
use nalgebra::{DMatrixView, DMatrixViewMut};
use std::ops::Range;

/// Terms that are summed in 32 bits: 4096·255² is far from the limit, and so many of two blocks of
/// [`ByteColumns::COLUMNS`] columns fit the second-level cache.
const TERMS: usize = 4096;
/// Columns are filled up with zeros to a multiple of so many bytes, the most that a vector has.
const VECTOR: usize = 64;

/// Columns of X whose features are all bytes over 255, as those bytes.
pub struct ByteColumns {
    /// Column after column, each filled up with zeros.
    values: Vec<u8>,
    /// The sum of each column.
    sums: Vec<i64>,
    /// Length of a column with its zeros.
    stride: usize,
    n_columns: usize,
}

impl ByteColumns {
    /// The largest number of columns that [`inner_products`](Self::inner_products) is quick with on
    /// either side.
    pub const COLUMNS: usize = 32;

    /// Returns the columns of `x` as bytes, or `None` when they are something else.
    ///
    /// # Shapes
    /// `x` (n₀, any).
    /// # Panics
    /// When the columns of `x` are not contiguous.
    pub fn of<F: Real>(x: &DMatrixView<'_, F>) -> Option<Self> {
        let stride = x.nrows().next_multiple_of(VECTOR);
        let mut values = vec![0; stride * x.ncols()];
        let mut sums = vec![0; x.ncols()];
        let columns = x.column_iter().zip(values.chunks_exact_mut(stride.max(1)));
        for ((column, bytes), sum) in columns.zip(&mut sums) {
            if !F::as_bytes_over_255(column.as_slice(), &mut bytes[..x.nrows()]) {
                return None;
            }
            *sum = bytes.iter().map(|&byte| i64::from(byte)).sum();
        }
        Some(Self { values, sums, stride, n_columns: x.ncols() })
    }

    /// G = XᵀX′ with the columns of `self` as X and those of `other` as X′. The sums are exact; they are
    /// rounded once when they are divided by 255².
    ///
    /// # Shapes
    /// `g` (columns of `self`, columns of `other`).
    /// # Panics
    /// When the shapes do not fit.
    pub fn inner_products<F: Real>(&self, other: &Self, g: &mut DMatrixViewMut<'_, F>) {
        let (m, n) = g.shape();
        assert!(
            (m, n) == (self.n_columns, other.n_columns) && self.stride == other.stride,
            "inner products of {}×{} and {}×{} bytes into {m}×{n}",
            self.stride,
            self.n_columns,
            other.stride,
            other.n_columns
        );
        let (mut sums, mut taken_off) = (vec![0_i64; m * n], 0);
        for from in (0..self.stride).step_by(TERMS) {
            let terms = from..self.stride.min(from + TERMS);
            let pieces = (|i| self.piece(i, &terms), |j| other.piece(j, &terms));
            taken_off = sum_products(&pieces.0, &pieces.1, m, &mut sums);
        }
        for (g, (sum, of_row)) in g.iter_mut().zip(sums.iter().zip(self.sums.iter().cycle())) {
            *g = F::of((sum + taken_off * of_row) as f64 / (255.0 * 255.0));
        }
    }

    fn piece(&self, column: usize, terms: &Range<usize>) -> &[u8] {
        &self.values[column * self.stride..][terms.clone()]
    }
}

/// Adds the inner products of pieces of columns to `sums`, column after column of the result with `m`
/// rows. Returns the number that is taken off each of b's beforehand, so that it fits the instruction.
fn sum_products<'x>(
    a: &dyn Fn(usize) -> &'x [u8],
    b: &dyn Fn(usize) -> &'x [u8],
    m: usize,
    sums: &mut [i64],
) -> i64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni") {
            // SAFETY: the machine has these instructions.
            unsafe { x86::avx512::sum_products(a, b, m, sums) };
            return 128;
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            unsafe { x86::avx2::sum_products(a, b, m, sums) };
            return 0;
        }
    }
    portable(a, b, m, sums);
    0
}

/// [`sum_products`] in code for any machine.
fn portable<'x>(
    a: &dyn Fn(usize) -> &'x [u8],
    b: &dyn Fn(usize) -> &'x [u8],
    m: usize,
    sums: &mut [i64],
) {
    for (j, sums) in sums.chunks_mut(m.max(1)).enumerate() {
        for (i, sum) in sums.iter_mut().enumerate() {
            let products = a(i).iter().zip(b(j)).map(|(&a, &b)| i32::from(a) * i32::from(b));
            *sum += i64::from(products.sum::<i32>());
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    /// A module with `sum_products` for an instruction set: how bytes of `a` and of `b` become vectors, and
    /// what adds their products to the sums.
    macro_rules! kernel {
        (
            $name:ident, $features:literal, $vector:ident of $bytes:literal bytes,
            $rows:literal by $columns:literal, $zero:ident, $load_a:expr, $load_b:expr, $add_products:expr
        ) => {
            pub(super) mod $name {
                use std::arch::x86_64::*;

                /// As the function outside.
                ///
                /// # Safety
                /// The machine has the instructions. Pieces have whole numbers of vectors.
                #[target_feature(enable = $features)]
                pub(in super::super) unsafe fn sum_products<'x>(
                    a: &dyn Fn(usize) -> &'x [u8],
                    b: &dyn Fn(usize) -> &'x [u8],
                    m: usize,
                    sums: &mut [i64],
                ) {
                    let n = sums.len() / m.max(1);
                    for col in (0..n).step_by($columns) {
                        // Of columns that do not exist, the last one takes the place.
                        let b: [&[u8]; $columns] = std::array::from_fn(|j| b((col + j).min(n - 1)));
                        for row in (0..m).step_by($rows) {
                            let a: [&[u8]; $rows] =
                                std::array::from_fn(|i| a((row + i).min(m - 1)));
                            // SAFETY: as promised.
                            let tile = unsafe { tile(a, b) };
                            for (j, tile) in tile.iter().enumerate().take(n - col) {
                                let sums = &mut sums[(col + j) * m + row..(col + j + 1) * m];
                                sums.iter_mut()
                                    .zip(tile)
                                    .for_each(|(sum, &tile)| *sum += i64::from(tile));
                            }
                        }
                    }
                }

                /// The inner products of `b` and `a`.
                #[target_feature(enable = $features)]
                unsafe fn tile(
                    a: [&[u8]; $rows],
                    b: [&[u8]; $columns],
                ) -> [[i32; $rows]; $columns] {
                    let n = a[0].len();
                    assert!(a.iter().chain(&b).all(|piece| piece.len() == n), "equal pieces");
                    let mut sums = [[$zero(); $rows]; $columns];
                    for at in (0..n / $bytes * $bytes).step_by($bytes) {
                        let mut rows = [$zero(); $rows];
                        for (row, a) in rows.iter_mut().zip(&a) {
                            // SAFETY: a whole vector lies within the piece.
                            *row = unsafe { $load_a(a.as_ptr().add(at)) };
                        }
                        for (sums, b) in sums.iter_mut().zip(&b) {
                            // SAFETY: as above.
                            let b = unsafe { $load_b(b.as_ptr().add(at)) };
                            for (sum, &a) in sums.iter_mut().zip(&rows) {
                                *sum = $add_products(*sum, a, b);
                            }
                        }
                    }
                    // Loops, as a function that is handed a closure does not have the instructions.
                    let mut whole = [[0; $rows]; $columns];
                    for (whole, sums) in whole.iter_mut().zip(sums) {
                        for (whole, sum) in whole.iter_mut().zip(sums) {
                            type Lanes = [i32; size_of::<$vector>() / 4];
                            // SAFETY: a vector is its numbers in a row.
                            let lanes = unsafe { std::mem::transmute::<$vector, Lanes>(sum) };
                            for lane in lanes {
                                *whole += lane;
                            }
                        }
                    }
                    whole
                }
            }
        };
    }
    // Products of bytes without a sign and with one: b is taken as b − 128.
    kernel!(
        avx512, "avx512f,avx512bw,avx512vnni", __m512i of 64 bytes, 4 by 4, _mm512_setzero_si512,
        |at: *const u8| _mm512_loadu_si512(at.cast()),
        |at: *const u8| {
            _mm512_xor_si512(_mm512_loadu_si512(at.cast()), _mm512_set1_epi8(i8::MIN))
        },
        |sum, a, b| _mm512_dpbusd_epi32(sum, a, b)
    );
    kernel!(
        avx2, "avx2", __m256i of 16 bytes, 3 by 3, _mm256_setzero_si256,
        |at: *const u8| _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast())),
        |at: *const u8| _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast())),
        |sum, a, b| _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Generator, RngKind};
    use nalgebra::DMatrix;
    use proptest::prelude::*;

    type Pieces<'a, 'x> = &'a dyn Fn(usize) -> &'x [u8];

    proptest! {
        #[test]
        fn sums_are_exact_with_every_instruction_set(
            n0 in prop_oneof![1..70_usize, 4090..4200_usize],
            (m, n) in (1..10_usize, 1..10_usize),
            seed in any::<u64>(),
        ) {
            let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
            let mut byte = || (rng.uniform() * 256.0).floor();
            let (a, b) = (
                DMatrix::<f64>::from_fn(n0, m, |_, _| byte()),
                DMatrix::<f64>::from_fn(n0, n, |_, _| 255.0 - byte() / 8.0).map(f64::floor),
            );
            let exact = DMatrix::from_fn(m, n, |i, j| a.column(i).iter().zip(&b.column(j)).map(|(a, b)| a * b).sum::<f64>());
            let of = |x: &DMatrix<f64>| ByteColumns::of(&(x / 255.0).as_view()).expect("bytes");
            let (a, b) = (of(&a), of(&b));
            let mut g = DMatrix::from_element(m, n, f64::NAN);
            a.inner_products(&b, &mut g.as_view_mut());
            prop_assert_eq!(g, exact.map(|sum| sum / 65_025.0));
            if n0 < TERMS {
                let columns = |x: &ByteColumns| x.values.chunks(x.stride).map(<[u8]>::to_vec).collect::<Vec<_>>();
                let (a, b) = (columns(&a), columns(&b));
                let (a, b): (Pieces<'_, '_>, Pieces<'_, '_>) = (&|i| &a[i], &|j| &b[j]);
                let mut sums = vec![1_i64; m * n];
                let expected: Vec<_> = exact.iter().map(|&sum| sum as i64 + 1).collect();
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the machine has it.
                    unsafe { x86::avx2::sum_products(a, b, m, &mut sums) };
                    prop_assert_eq!(&sums, &expected);
                    sums.fill(1);
                }
                portable(a, b, m, &mut sums);
                prop_assert_eq!(&sums, &expected);
            }
        }
    }

    #[test]
    fn other_numbers_are_left_to_others() {
        let mut x = DMatrix::<f32>::from_element(5, 3, 7.0 / 255.0);
        assert!(ByteColumns::of(&x.as_view()).is_some());
        x[(4, 2)] = 0.3;
        assert!(ByteColumns::of(&x.as_view()).is_none());
    }
}
