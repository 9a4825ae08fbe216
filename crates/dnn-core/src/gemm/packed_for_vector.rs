//! A factor that is packed once for many products with one column, as the first layer's weights are for
//! one image at a time.
//!
//! Such a product reads the whole factor once, and that is its time. The twenty weights of a feature are
//! 80 bytes in f32: of two vectors of 64 bytes the second is three quarters another feature's, and both
//! lie across cache lines. Those of four features side by side are five whole vectors. The features come
//! out of four blocks of [`DEPTH`] terms, the blocks whose sums `one_row.rs` adds up, so that the order
//! of additions is the same to the last bit.

use super::one_row::DEPTH;
use super::packed::Line;
use super::{gemm, plain};
use crate::Real;
use crate::simd::arch;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use pulp::{Simd, WithSimd};
use std::marker::PhantomData;

/// Vectors that are summed side by side, at least and at most: fewer would wait for each other, and more
/// have no registers.
const VECTORS: std::ops::RangeInclusive<usize> = 4..=8;

/// The left factor A (n, k) of many products with a vector, packed for this machine's vectors.
#[derive(Clone)]
pub struct PackedForVector<F> {
    lines: Box<[Line]>,
    numbers: PhantomData<F>,
    n: usize,
    form: Form,
    /// Terms that are packed.
    n_terms: usize,
    /// The columns of A after these.
    rest: DMatrix<F>,
}

/// How terms lie side by side.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// Blocks of which one term each lies beside the others.
    blocks: usize,
    /// Vectors that these terms make.
    vectors: usize,
}

impl Form {
    /// Returns the form for `n` rows and vectors of `lanes` numbers, if terms make whole vectors in one.
    fn of(n: usize, lanes: usize) -> Option<Self> {
        let form = |blocks| Self { blocks, vectors: blocks * n / lanes };
        // A vector must not have parts of three terms, and there is no vector of one lane.
        let fits = |form: &Self| {
            n >= lanes
                && lanes > 1
                && form.vectors * lanes == form.blocks * n
                && VECTORS.contains(&form.vectors)
        };
        [4, 2, 1].map(form).into_iter().find(fits)
    }
}

impl<F: Real> PackedForVector<F> {
    /// Copies `a`, or returns `None` when its columns make no whole vectors on this machine.
    ///
    /// # Shapes
    /// `a` (n, k).
    pub fn new(a: &DMatrix<F>) -> Option<Self> {
        let (n, k) = a.shape();
        let form = Form::of(n, arch().dispatch(Width(PhantomData::<F>)))?;
        let group = form.blocks * DEPTH;
        let n_terms = k / group * group;
        let mut lines = Line::zeros::<F>(n * n_terms);
        for (place, to) in Line::numbers(&mut lines).chunks_exact_mut(n).take(n_terms).enumerate() {
            let (row, block) = (place / form.blocks, place % form.blocks);
            let term = row / DEPTH * group + block * DEPTH + row % DEPTH;
            to.copy_from_slice(a.column(term).as_slice());
        }
        let rest = a.columns(n_terms, k - n_terms).into_owned();
        Some(Self { lines, numbers: PhantomData, n, form, n_terms, rest })
    }

    /// Returns n and k.
    pub fn shape(&self) -> (usize, usize) {
        (self.n, self.n_terms + self.rest.ncols())
    }

    /// y ← A·x, to the last bit as [`gemm()`] makes it.
    ///
    /// # Shapes
    /// `x` (k), `y` (n).
    /// # Panics
    /// When the shapes do not fit.
    pub fn multiply(&self, x: &[F], y: &mut [F]) {
        let (n, k) = self.shape();
        assert!(
            x.len() == k && y.len() == n,
            "product of {n}×{k} and {} numbers into {}",
            x.len(),
            y.len()
        );
        let (packed, rest) = x.split_at(self.n_terms);
        F::packed_terms(self, packed, y);
        let beta = if packed.is_empty() { F::zero() } else { F::one() };
        let rest = DMatrixView::from_slice(rest, rest.len(), 1);
        gemm(
            F::one(),
            plain(&self.rest),
            plain(&rest),
            beta,
            &mut DMatrixViewMut::from_slice(y, n, 1),
        );
    }

    /// y ← A·x of the terms that are packed, if there are any.
    #[inline(always)]
    pub(crate) fn packed_terms(&self, x: &[F], y: &mut [F]) {
        arch().dispatch(Terms { a: self, x, y });
    }
}

impl<F: Real> std::fmt::Debug for PackedForVector<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { form, .. } = self;
        f.debug_struct("PackedForVector").field("shape", &self.shape()).field("form", form).finish()
    }
}

/// Numbers in a vector of this machine.
struct Width<F>(PhantomData<F>);

impl<F: Real> WithSimd for Width<F> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        F::lanes::<S>()
    }
}

struct Terms<'a, F: Real> {
    a: &'a PackedForVector<F>,
    x: &'a [F],
    y: &'a mut [F],
}

impl<F: Real> WithSimd for Terms<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::IS_SCALAR {
            return;
        }
        match (self.a.form.blocks, self.a.form.vectors) {
            (4, 4) => self.sum::<S, 4, 4>(simd),
            (4, 5) => self.sum::<S, 4, 5>(simd),
            (4, 6) => self.sum::<S, 4, 6>(simd),
            (4, 7) => self.sum::<S, 4, 7>(simd),
            (4, 8) => self.sum::<S, 4, 8>(simd),
            (2, 5) => self.sum::<S, 2, 5>(simd),
            (2, 6) => self.sum::<S, 2, 6>(simd),
            (2, 7) => self.sum::<S, 2, 7>(simd),
            (2, 8) => self.sum::<S, 2, 8>(simd),
            (1, 5) => self.sum::<S, 1, 5>(simd),
            (1, 6) => self.sum::<S, 1, 6>(simd),
            (1, 7) => self.sum::<S, 1, 7>(simd),
            (1, 8) => self.sum::<S, 1, 8>(simd),
            (blocks, vectors) => unreachable!("{blocks} blocks in {vectors} vectors"),
        }
    }
}

impl<F: Real> Terms<'_, F> {
    /// The sums, with `P` blocks side by side in `Q` vectors.
    #[inline(always)]
    fn sum<S: Simd, const P: usize, const Q: usize>(self, simd: S) {
        let Self { a, x, y } = self;
        let lanes = F::lanes::<S>();
        let n = Q * lanes / P;
        assert!(y.len() == n && x.len() == a.n_terms, "sums of these terms");
        // Of each vector, the block of its first lane, and the lanes that are this block's.
        let owns: [(usize, usize); Q] = std::array::from_fn(|q| {
            let block = q * lanes / n;
            (block, lanes.min((block + 1) * n - q * lanes))
        });
        let masks = owns.map(|(_, own)| F::first_lanes(simd, own));
        let mut weights = a.lines.as_ptr().cast::<F>();
        for (group, x) in x.chunks_exact(P * DEPTH).enumerate() {
            let mut sums = [F::zeros(simd); Q];
            for term in 0..DEPTH {
                let terms: [_; P] =
                    std::array::from_fn(|p| F::broadcast(simd, x[p * DEPTH + term]));
                for (q, sum) in sums.iter_mut().enumerate() {
                    let (block, own) = owns[q];
                    let term = if own == lanes {
                        terms[block]
                    } else {
                        F::blend(simd, masks[q], terms[block], terms[block + 1])
                    };
                    // SAFETY: as many vectors as there are terms are packed, in whole lines.
                    *sum =
                        F::fma(simd, term, unsafe { F::load::<S>(weights.add(q * lanes)) }, *sum);
                }
                // After the last term it may point anywhere.
                weights = weights.wrapping_add(Q * lanes);
            }
            let mut of_blocks = [F::zero(); MOST_NUMBERS];
            for (q, &sum) in sums.iter().enumerate() {
                // SAFETY: there is room for the largest vectors of any machine.
                unsafe { F::store::<S>(of_blocks.as_mut_ptr().add(q * lanes), sum) }
            }
            for (p, sums) in of_blocks.chunks_exact(n).take(P).enumerate() {
                for (y, &sum) in y.iter_mut().zip(sums) {
                    *y = if group + p == 0 { sum } else { *y + sum };
                }
            }
        }
    }
}

/// Numbers in the sums of a group, at most: eight vectors of 64 bytes.
const MOST_NUMBERS: usize = 8 * 64 / size_of::<f32>();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Generator, RngKind};
    use proptest::prelude::*;

    fn has_the_bits_of_the_product<F: Real>(n: usize, k: usize, seed: u64) {
        let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
        let (a, x) = (rng.normal_matrix::<F>(n, k), rng.normal_matrix::<F>(k, 1));
        let mut expected = DMatrix::zeros(n, 1);
        gemm(F::one(), plain(&a), plain(&x), F::zero(), &mut expected);
        let Some(packed) = PackedForVector::new(&a) else { return };
        let mut got = DMatrix::from_element(n, 1, F::of(f64::NAN));
        packed.multiply(x.as_slice(), got.as_mut_slice());
        assert_eq!(got, expected, "{packed:?}");
    }

    proptest! {
        #[test]
        fn a_product_has_the_bits_of_one_that_is_not_packed(
            n in 1..140_usize,
            k in prop_oneof![1..40_usize, 250..3000_usize],
            seed in any::<u64>(),
        ) {
            has_the_bits_of_the_product::<f64>(n, k, seed);
            has_the_bits_of_the_product::<f32>(n, k, seed);
            has_the_bits_of_the_product::<f32>(20, k, seed);
        }
    }

    #[test]
    fn the_forms_of_twenty_rows_are_whole_vectors() {
        for (lanes, blocks, vectors) in [(16, 4, 5), (8, 2, 5), (4, 1, 5)] {
            let form = Form::of(20, lanes).expect("whole vectors");
            assert_eq!((form.blocks, form.vectors), (blocks, vectors));
        }
        assert!(
            Form::of(20, 1).is_none() && Form::of(17, 16).is_none() && Form::of(7, 8).is_none()
        );
    }

    #[test]
    #[should_panic(expected = "product of 32×300 and 299 numbers into 32")]
    fn names_the_shapes() {
        match PackedForVector::new(&DMatrix::<f32>::zeros(32, 300)) {
            Some(packed) => packed.multiply(&[0.0; 299], &mut [0.0; 32]),
            None => panic!("product of 32×300 and 299 numbers into 32: not packed here"),
        }
    }
}
