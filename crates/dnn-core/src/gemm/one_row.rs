//! A vector times a matrix, as for a single image.
//!
//! The wider a tile, the fewer passes over B. And since few sums would each wait for the one before,
//! several blocks of [`DEPTH`] terms are summed side by side, then added to C one after the other: the
//! order of sums is that of the products of more rows in `narrow.rs`.

use super::operands::Operands;
use crate::Real;
use pulp::Simd;

/// Rows of B that a product with few rows takes at once: with two vectors of each they fit the first-level cache.
pub(super) const DEPTH: usize = 256;
/// Vectors of a tile of one row, at most.
const WIDEST: usize = 5;

/// C ← α·A·B + β·C of one row, where B's and C's rows are contiguous.
///
/// # Safety
/// As for [`Operands`]; `o.m == 1`, `o.b_cs == 1` and `o.c_cs == 1`.
#[inline(always)]
pub(super) unsafe fn combine<F: Real, S: Simd>(simd: S, o: &Operands<F>) {
    let lanes = F::lanes::<S>();
    let n_vectors = o.n.div_ceil(lanes);
    let mut at = 0;
    while at < n_vectors {
        let vectors = (n_vectors - at).min(WIDEST);
        let col = at * lanes;
        let cols = (vectors * lanes).min(o.n - col);
        // SAFETY: passed on; these columns are those of C.
        unsafe {
            match vectors {
                1 => one_row_columns::<F, S, 1, 8>(simd, o, col, cols),
                2 => one_row_columns::<F, S, 2, 4>(simd, o, col, cols),
                3 => one_row_columns::<F, S, 3, 4>(simd, o, col, cols),
                4 => one_row_columns::<F, S, 4, 2>(simd, o, col, cols),
                _ => one_row_columns::<F, S, WIDEST, 2>(simd, o, col, cols),
            }
        }
        at += vectors;
    }
}

/// `cols` columns of C in `Q` vectors, with the terms in groups of `P` blocks.
#[inline(always)]
unsafe fn one_row_columns<F: Real, S: Simd, const Q: usize, const P: usize>(
    simd: S,
    o: &Operands<F>,
    col: usize,
    cols: usize,
) {
    let mut from = 0;
    while from < o.k {
        // SAFETY: passed on; the terms are those of the product.
        unsafe {
            if from + P * DEPTH <= o.k {
                one_row_blocks::<F, S, Q, P>(simd, o, (col, cols), from, DEPTH);
                from += P * DEPTH;
            } else {
                let depth = DEPTH.min(o.k - from);
                one_row_blocks::<F, S, Q, 1>(simd, o, (col, cols), from, depth);
                from += depth;
            }
        }
    }
}

/// Adds `P` blocks of `depth` terms each, the first of which is `from`.
#[inline(always)]
unsafe fn one_row_blocks<F: Real, S: Simd, const Q: usize, const P: usize>(
    simd: S,
    o: &Operands<F>,
    (col, cols): (usize, usize),
    from: usize,
    depth: usize,
) {
    let lanes = F::lanes::<S>();
    // Of the last vector, what is C's.
    let rest = cols - (Q - 1) * lanes;
    // Where B is all rows side by side, a whole vector may reach into the next row, if there is one.
    let reaches = rest == lanes || o.b_rs == o.n as isize && o.n >= lanes;
    let mut sums = [[F::zeros(simd); Q]; P];
    // SAFETY: `depth` terms of each block, and `cols` columns, lie within the operands. A vector that
    // reaches beyond its row ends before the end of the next one.
    unsafe {
        let mut a: [*const F; P] = std::array::from_fn(|p| o.a_at(0, from + p * depth));
        let mut b: [*const F; P] = std::array::from_fn(|p| o.b_at(from + p * depth, col));
        let whole = if reaches && rest < lanes { depth - 1 } else { depth };
        let whole = if reaches { whole } else { 0 };
        for _ in 0..whole {
            for p in 0..P {
                let term = F::broadcast(simd, *a[p]);
                for (q, sum) in sums[p].iter_mut().enumerate() {
                    *sum = F::fma(simd, term, F::load::<S>(b[p].add(q * lanes)), *sum);
                }
                // After the last term they may point anywhere.
                a[p] = a[p].wrapping_offset(o.a_cs);
                b[p] = b[p].wrapping_offset(o.b_rs);
            }
        }
        for _ in whole..depth {
            for p in 0..P {
                let term = F::broadcast(simd, *a[p]);
                for (q, sum) in sums[p].iter_mut().enumerate() {
                    let b = b[p].add(q * lanes);
                    let b = if q + 1 < Q { F::load::<S>(b) } else { partial(simd, b, rest) };
                    *sum = F::fma(simd, term, b, *sum);
                }
                // After the last term they may point anywhere.
                a[p] = a[p].wrapping_offset(o.a_cs);
                b[p] = b[p].wrapping_offset(o.b_rs);
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            let added = o.added_to_terms(from + p);
            for (q, &sum) in sums.iter().enumerate() {
                let n = if q + 1 < Q { lanes } else { rest };
                o.add(simd, added, (0, col + q * lanes), n, sum);
            }
        }
    }
}

/// A vector of `n` numbers, and zeros after them.
#[inline(always)]
unsafe fn partial<F: Real, S: Simd>(simd: S, from: *const F, n: usize) -> F::Vector<S> {
    // SAFETY: the caller's promise that there are as many.
    unsafe {
        if n == F::lanes::<S>() {
            F::load::<S>(from)
        } else {
            F::partial_load(simd, std::slice::from_raw_parts(from, n))
        }
    }
}
