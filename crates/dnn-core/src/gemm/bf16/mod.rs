//! Products whose factors are rounded to bf16: f32 with 8 bits of significand in place of 24.
//!
//! What one is, [`sum`] says: it is what the instruction of AVX512-BF16 computes, in which a product of
//! two terms is exact. Where the machine lacks it, the result has the same bits.

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::one_row::DEPTH;
use super::operands::{Addend, Operands};
use super::packed::Line;
use crate::kernels::Kernels;
use crate::simd::vectorized;
use std::cell::RefCell;

thread_local! {
    /// Room for copies of the factors, kept for the thread's next products.
    static ROOM: RefCell<Box<[Line]>> = RefCell::default();
}

/// C ← A·B with A and B rounded to bf16, whatever α and β are.
///
/// # Safety
/// As for [`Operands`].
pub(crate) unsafe fn multiply(o: &Operands<f32>) {
    ROOM.with_borrow_mut(|room| {
        #[cfg(target_arch = "x86_64")]
        if avx512::fits(o) {
            grow(room, avx512::LINES);
            // SAFETY: passed on; there is room.
            return unsafe { avx512::multiply(o, room) };
        }
        // SAFETY: passed on.
        unsafe { portable(o, room) }
    });
}

/// There are no such products of numbers in f64.
pub(crate) unsafe fn refuse(o: &Operands<f64>) {
    panic!("product of {}×{} and {}×{} in bf16: of f32 alone", o.m, o.k, o.k, o.n)
}

fn grow(room: &mut Box<[Line]>, n_lines: usize) {
    if room.len() < n_lines {
        *room = Line::zeros::<Line>(n_lines);
    }
}

/// [`multiply`] on any machine.
///
/// # Safety
/// As for [`Operands`].
unsafe fn portable(o: &Operands<f32>, room: &mut Box<[Line]>) {
    let (m, n, k) = (o.m, o.n, o.k.next_multiple_of(2));
    grow(room, ((m + n) * k).div_ceil(super::line::<f32>()));
    let (a, rest) = Line::numbers::<f32>(room).split_at_mut(m * k);
    let b = &mut rest[..n * k];
    // The second term of each pair first; of an odd number of terms, zero.
    for place in 0..k {
        let term = place ^ 1;
        // SAFETY: these indices are the operands'.
        unsafe {
            for (i, a) in a[place * m..][..m].iter_mut().enumerate() {
                *a = if term < o.k { rounded(*o.a_at(i, term)) } else { 0.0 };
            }
            for (j, b) in b.chunks_exact_mut(k).enumerate() {
                b[place] = if term < o.k { rounded(*o.b_at(term, j)) } else { 0.0 };
            }
        }
    }
    let factors = Rounded { a, b, m, k };
    let never_flushes = factors.stays_normal();
    // SAFETY: passed on; the copies are as long as it says.
    unsafe {
        if never_flushes && o.c_rs == 1 {
            f32::combine(&factors.operands(o));
        } else {
            factors.multiply(o);
        }
    }
}

/// Rounds to the nearest number of bf16, ties to even; to zero what f32 has no whole significand for.
fn rounded(x: f32) -> f32 {
    let bits = x.to_bits();
    if x.is_nan() {
        return x;
    }
    if x.is_subnormal() {
        return 0.0_f32.copysign(x);
    }
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// sum + a·b, with `a` and `b` of bf16, rounded once to f32. What is below the normal numbers then is
/// zero.
#[inline(always)]
fn sum(a: f32, b: f32, sum: f32) -> f32 {
    /// What is rounded to the smallest normal number, were there smaller ones.
    const SMALLEST: f64 = f32::MIN_POSITIVE as f64 * (1.0 - f32::EPSILON as f64 / 4.0);
    // The product is exact in f64. So is the sum, or it is too far from any tie between numbers of f32
    // for its rounding to change theirs: a product has 16 bits.
    let sum = f64::from(a) * f64::from(b) + f64::from(sum);
    if sum.abs() < SMALLEST { 0.0_f32.copysign(sum as f32) } else { sum as f32 }
}

/// Factors whose numbers are of bf16, in the order in which terms are added.
struct Rounded<'r> {
    /// A, column after column.
    a: &'r [f32],
    /// B, column after column.
    b: &'r [f32],
    m: usize,
    k: usize,
}

impl Rounded<'_> {
    /// Returns whether no sum of the product can be other than what a product in f32 makes of the same
    /// factors: neither products nor sums come to lie below the normal numbers, since all of them are
    /// multiples of the last places' product, and no product is too large.
    fn stays_normal(&self) -> bool {
        let exponents = |factor: &[f32]| {
            let nonzero = factor.iter().filter(|&&x| x != 0.0);
            let exponents = nonzero.map(|x| x.to_bits() >> 23 & 0xff);
            exponents.fold((0xff, 0), |(least, most), e| (e.min(least), e.max(most)))
        };
        let ((least_a, most_a), (least_b, most_b)) = (exponents(self.a), exponents(self.b));
        // The exponents are 127 too large. The last of 8 places is 7 below the first.
        least_a + least_b >= 2 * 127 + 2 * 7 - 126 && most_a + most_b <= 2 * 127 + 125
    }

    /// The product for a kernel of f32. It goes by rows: Cᵀ ← Bᵀ·Aᵀ.
    fn operands(&self, o: &Operands<f32>) -> Operands<f32> {
        Operands {
            m: o.n,
            n: o.m,
            k: self.k,
            alpha: 1.0,
            a: self.b.as_ptr(),
            a_rs: self.k as isize,
            a_cs: 1,
            b: self.a.as_ptr(),
            b_rs: self.m as isize,
            b_cs: 1,
            b_panel: None,
            added: Addend { beta: 0.0, d: o.c, d_rs: o.c_cs },
            c: o.c,
            c_rs: o.c_cs,
            c_cs: o.c_rs,
        }
    }

    /// C ← A·B by definition.
    ///
    /// # Safety
    /// C is `o`'s.
    unsafe fn multiply(&self, o: &Operands<f32>) {
        /// Rows whose sums are taken side by side.
        const ROWS: usize = 64;
        let &Self { a, b, m, k } = self;
        for from in (0..k).step_by(DEPTH) {
            let block = from..k.min(from + DEPTH);
            for (j, b) in b.chunks_exact(k).enumerate() {
                for row in (0..m).step_by(ROWS) {
                    let mut sums = [0.0; ROWS];
                    let sums = &mut sums[..ROWS.min(m - row)];
                    vectorized(
                        #[inline(always)]
                        || {
                            for (b, a) in
                                b[block.clone()].iter().zip(a[block.start * m..].chunks_exact(m))
                            {
                                sums.iter_mut()
                                    .zip(&a[row..])
                                    .for_each(|(s, &a)| *s = sum(a, *b, *s));
                            }
                        },
                    );
                    for (i, &sum) in sums.iter().enumerate() {
                        // SAFETY: an index of C.
                        unsafe {
                            let c = o.c_at(row + i, j);
                            *c = if from == 0 { sum } else { *c + sum };
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Factor, FactorPrecision, gemm, plain, transposed};
    use super::*;
    use crate::rng::{Generator, RngKind};
    use nalgebra::{DMatrix, DMatrixViewMut};
    use proptest::prelude::*;

    /// f32 by its bits, in one of several ranges of exponents, so that sums are denormal, cancel,
    /// overflow, or are no numbers.
    fn numbers(len: usize) -> impl Strategy<Value = Vec<f32>> {
        let range = prop_oneof![
            Just(0..256_u32),
            Just(120..134),
            Just(58..66),
            Just(50..53),
            Just(188..192),
            Just(0..3)
        ];
        let bits = prop::collection::vec((any::<u32>(), any::<u32>()), len);
        (range, bits).prop_map(|(range, bits)| {
            let exponent = |draw: u32| range.start + draw % (range.end - range.start);
            let of = |(bits, draw): (u32, u32)| match draw % 16 {
                0 => f32::from_bits(bits & 0x8000_0000),
                _ => f32::from_bits(bits & 0x807f_ffff | exponent(draw >> 4) << 23),
            };
            bits.into_iter().map(of).collect()
        })
    }

    #[derive(Debug, Clone)]
    struct Case {
        a: DMatrix<f32>,
        b: DMatrix<f32>,
        /// Which factor is transposed.
        turned: [bool; 2],
    }

    fn cases() -> impl Strategy<Value = Case> {
        let k = prop_oneof![4 => 1..40_usize, 1 => 250..530_usize];
        ((1..70_usize, k, 1..40_usize), any::<[bool; 2]>()).prop_flat_map(|((m, k, n), turned)| {
            (numbers(m * k), numbers(k * n)).prop_map(move |(a, b)| Case {
                a: DMatrix::from_vec(m, k, a),
                b: DMatrix::from_vec(k, n, b),
                turned,
            })
        })
    }

    impl Case {
        /// Returns the product that `multiply` puts into a part of a larger matrix.
        fn product(
            &self,
            multiply: impl FnOnce(Factor<'_, f32>, Factor<'_, f32>, &mut DMatrixViewMut<'_, f32>),
        ) -> DMatrix<f32> {
            let (at, bt) = (self.a.transpose(), self.b.transpose());
            let a = if self.turned[0] { transposed(&at) } else { plain(&self.a) };
            let b = if self.turned[1] { transposed(&bt) } else { plain(&self.b) };
            let (m, n) = (a.rows, b.cols);
            let mut c = DMatrix::from_element(m + 2, n + 2, 7.0);
            multiply(a, b, &mut c.view_mut((1, 1), (m, n)));
            let product = c.view((1, 1), (m, n)).into_owned();
            c.view_mut((1, 1), (m, n)).fill(7.0);
            assert!(c.iter().all(|&x| x == 7.0), "wrote outside the view");
            product
        }

        /// The definition, element by element.
        fn naive(&self) -> DMatrix<f32> {
            let k = self.a.ncols();
            DMatrix::from_fn(self.a.nrows(), self.b.ncols(), |i, j| {
                let of = |x: Option<&f32>| rounded(x.copied().unwrap_or_default());
                let add =
                    |to: f32, t: usize| sum(of(self.a.get((i, t))), of(self.b.get((t, j))), to);
                let block = |from: usize| {
                    let pairs = (from..k.min(from + 256)).step_by(2);
                    pairs.fold(0.0, |sum, t| add(add(sum, t + 1), t))
                };
                (256..k).step_by(256).fold(block(0), |sum, from| sum + block(from))
            })
        }
    }

    /// The bits, but of all that is no number the same.
    fn bits(x: &DMatrix<f32>) -> DMatrix<u32> {
        x.map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() })
    }

    fn on_any_machine(a: Factor<'_, f32>, b: Factor<'_, f32>, c: &mut DMatrixViewMut<'_, f32>) {
        let o = Operands::of(1.0, a, b, 0.0, c).expect("a product");
        // SAFETY: the matrices are borrowed.
        unsafe { portable(&o, &mut Box::default()) };
    }

    proptest! {
        #[test]
        fn every_machine_has_the_bits_of_the_definition(case in cases()) {
            let expected = bits(&case.naive());
            let product = case.product(|a, b, c| FactorPrecision::Bf16.multiply(a, b, c));
            prop_assert_eq!(&bits(&product), &expected);
            prop_assert_eq!(&bits(&case.product(on_any_machine)), &expected);
        }
    }

    #[test]
    fn sums_are_those_of_rounded_factors_in_double_precision() {
        let mut rng = Generator::new(RngKind::Modern, 8).unwrap();
        for (m, k, n) in [(1, 1, 1), (33, 300, 13), (100, 1025, 1030), (5, 64, 17)] {
            let (a, b) = (rng.normal_matrix::<f32>(m, k), rng.normal_matrix::<f32>(k, n));
            let exact = |x: &DMatrix<f32>| x.map(|x| f64::from(rounded(x)));
            let mut expected = DMatrix::zeros(m, n);
            gemm(1.0, plain(&exact(&a)), plain(&exact(&b)), 0.0, &mut expected);
            let mut c = DMatrix::zeros(m, n);
            FactorPrecision::Bf16.multiply(plain(&a), plain(&b), &mut c);
            let worst =
                c.iter().zip(&expected).map(|(&c, e)| (f64::from(c) - e).abs()).fold(0.0, f64::max);
            assert!(worst < 2e-7 * k as f64, "{m}×{k}×{n}: {worst}");
        }
    }

    #[test]
    fn rounding_is_to_the_nearest_and_ties_to_even() {
        for (x, expected) in [
            (1.0, 1.0),
            (1.0 + 1.0 / 256.0, 1.0),
            (1.0 + 3.0 / 256.0, 1.0 + 1.0 / 64.0),
            (1.0 + 1.1 / 256.0, 1.0 + 1.0 / 128.0),
            (-0.1, -205.0 / 2048.0),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (-f32::MIN_POSITIVE / 2.0, -0.0),
        ] {
            assert_eq!(rounded(x).to_bits(), f32::to_bits(expected), "{x}");
        }
        assert!(rounded(f32::NAN).is_nan());
    }

    #[test]
    fn what_rounds_to_the_smallest_normal_number_is_kept() {
        let power = |e: i32| 2.0_f32.powi(e);
        // 2⁻¹²⁶ less 1, 2 and 3 quarters of a unit of the numbers below it.
        for (less, expected) in [(1.0, power(-126)), (2.0, power(-126)), (3.0, 0.0)] {
            let case = Case {
                a: DMatrix::from_vec(1, 2, vec![-less * power(-76), power(-63)]),
                b: DMatrix::from_vec(2, 1, vec![power(-76), power(-63)]),
                turned: [false; 2],
            };
            let product = case.product(|a, b, c| FactorPrecision::Bf16.multiply(a, b, c));
            assert_eq!(
                (product[0], case.product(on_any_machine)[0]),
                (expected, expected),
                "{less}"
            );
        }
    }

    #[test]
    fn ordinary_factors_need_no_flush() {
        let stays_normal = |a: f32, b: f32| {
            Rounded { a: &[0.0, a, 1.0], b: &[b, 0.0, 1.0], m: 1, k: 3 }.stays_normal()
        };
        assert!(stays_normal(1e-15, 1e15) && stays_normal(0.0, 0.0));
        // 2⁻⁵⁶·2⁻⁵⁶ with 14 places after it.
        assert!(stays_normal(2.0_f32.powi(-56), 2.0_f32.powi(-56)));
        assert!(!stays_normal(2.0_f32.powi(-56), 2.0_f32.powi(-57)));
        assert!(!stays_normal(1e-30, 1e-10) && !stays_normal(1e20, 1e20));
    }

    #[test]
    #[should_panic(expected = "product of 2×3 and 3×1 in bf16: of f32 alone")]
    fn numbers_in_double_precision_are_refused() {
        let (a, b) = (DMatrix::<f64>::zeros(2, 3), DMatrix::zeros(3, 1));
        FactorPrecision::Bf16.multiply(plain(&a), plain(&b), &mut DMatrix::zeros(2, 1));
    }
}
