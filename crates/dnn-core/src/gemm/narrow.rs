//! Products with few rows, where packing the factors, as general kernels do, costs more than the
//! product: the layers of the course's network, 20, 7, 5 and 1 units wide.
//!
//! Two forms, by what is contiguous in memory. Both keep a tile of the result in registers.
//!
//! - [`combine`]: the rows of B are contiguous, and so are those of C: C's rows are combinations
//!   of B's. A tile is up to six rows of two vectors, or eight of three with 32 registers.
//! - [`dots`]: the rows of A and the columns of B are contiguous: every element of C is a dot
//!   product. A tile is up to three by three of them.
//!
//! Tiles leave a few registers free: with all 16 taken, the compiler moves sums between registers
//! and memory in the innermost loop, at half the speed.

use super::one_row::{self, DEPTH};
use super::operands::Operands;
use crate::Real;
use crate::simd::arch;
use pulp::{Simd, WithSimd};
use std::mem::MaybeUninit;

/// Rows of B lie far apart from here, in bytes. Then they are on different pages, and often in the
/// same sets of the cache, so that they are copied together first.
const FAR_BYTES: usize = 1024;
/// Length of the piece of each row that is copied, in bytes.
const PANEL_BYTES: usize = 512;
/// Distance of the copied rows in bytes: an odd number of cache lines, so that they spread over
/// all sets of the cache.
const PACKED_STRIDE_BYTES: usize = PANEL_BYTES + 64;
/// Rows of a tile of [`combine`], at most.
const MOST_ROWS: usize = 8;
/// Length of the piece of each dot product that [`dots`] takes at once, in bytes: what six of them
/// need stays in the first-level cache.
const DOTS_BYTES: usize = 4096;

/// Returns the number of terms that a product Aᵀ·B of at most [`NARROW`](super::NARROW) rows or
/// columns adds up before they go into C, where the columns of A and B are contiguous. So the
/// products of so many rows of A and B each, added in their order, are the whole product to the
/// last bit.
pub const fn terms_at_once<F>() -> usize {
    DOTS_BYTES / size_of::<F>()
}

/// C ← α·A·B + β·C where B's and C's rows are contiguous.
///
/// # Safety
/// As for [`Operands`]; `o.b_cs == 1` and `o.c_cs == 1`.
#[inline(always)]
pub(crate) unsafe fn combine<F: Real>(o: &Operands<F>) {
    arch().dispatch(Combine(o));
}

/// C ← α·A·B + β·C where A's rows and B's columns are contiguous.
///
/// # Safety
/// As for [`Operands`]; `o.a_cs == 1` and `o.b_rs == 1`.
#[inline(always)]
pub(crate) unsafe fn dots<F: Real>(o: &Operands<F>) {
    arch().dispatch(Dots(o));
}

struct Combine<'a, F>(&'a Operands<F>);

impl<F: Real> WithSimd for Combine<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let o = self.0;
        if o.m == 1 {
            // SAFETY: the caller's promises.
            return unsafe { one_row::combine(simd, o) };
        }
        let far = o.b_rs.unsigned_abs() * size_of::<F>() >= FAR_BYTES;
        let panel = if far { PANEL_BYTES / size_of::<F>() } else { o.n };
        let stride = PACKED_STRIDE_BYTES / size_of::<F>();
        #[allow(clippy::large_stack_arrays)] // a thread has room for it, and the heap is slower
        let mut packed = [const { MaybeUninit::<u64>::uninit() }; DEPTH * PACKED_STRIDE_BYTES / 8];
        let packed = packed.as_mut_ptr().cast::<F>();
        for col in (0..o.n).step_by(panel) {
            let cols = panel.min(o.n - col);
            for from in (0..o.k).step_by(DEPTH) {
                let block = Block { row: 0, col, from, to: o.k.min(from + DEPTH) };
                // SAFETY: the block lies within the operands. Where rows are copied, `DEPTH` of at
                // most `panel` numbers fit the buffer at this stride, and rows of B are contiguous.
                unsafe {
                    let rows = if far {
                        for k in from..block.to {
                            let to = packed.add((k - from) * stride);
                            to.copy_from_nonoverlapping(o.b_at(k, col), cols);
                        }
                        (packed.cast_const(), stride as isize)
                    } else {
                        (o.b_at(from, col), o.b_rs)
                    };
                    // In one place: the compiler copies all tiles to where this is called.
                    combine_columns(simd, o, block, cols, rows);
                }
            }
        }
    }
}

/// The block's rows of B: address of the first one at the block's first column, and their distance.
type Rows<F> = (*const F, isize);

/// All rows and `n` columns of C.
#[inline(always)]
unsafe fn combine_columns<F: Real, S: Simd>(
    simd: S,
    o: &Operands<F>,
    mut block: Block,
    n: usize,
    (mut b, b_rs): Rows<F>,
) {
    let lanes = F::lanes::<S>();
    let most = if has_32_registers::<S>() { 3 } else { 2 };
    let end = block.col + n;
    while block.col < end {
        let vectors = ((end - block.col) / lanes).min(most);
        let cols = if vectors == 0 { end - block.col } else { vectors * lanes };
        // SAFETY: passed on.
        unsafe {
            match vectors {
                3 if has_32_registers::<S>() => {
                    combine_rows::<F, S, 3>(simd, o, block, (b, b_rs));
                }
                2 => combine_rows::<F, S, 2>(simd, o, block, (b, b_rs)),
                1 => combine_rows::<F, S, 1>(simd, o, block, (b, b_rs)),
                _ => combine_tail(simd, o, block, cols, (b, b_rs)),
            }
            b = b.add(cols);
        }
        block.col += cols;
    }
}

/// Part of a product: rows of C from `row`, columns from `col`, terms `from..to`.
#[derive(Clone, Copy)]
struct Block {
    row: usize,
    col: usize,
    from: usize,
    to: usize,
}

impl Block {
    /// What C is multiplied by when the block is added: β once, 1 from then on.
    #[inline(always)]
    fn beta<F: Real>(&self, o: &Operands<F>) -> F {
        if self.from == 0 { o.beta } else { F::one() }
    }
}

/// Returns whether tiles may be larger. Tiles that never are used cost compilation all the same,
/// unless they are excluded by a constant.
#[inline(always)]
const fn has_32_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
}

/// Cuts `n` into equal pieces of at most `most`: the length of the first of them.
#[inline(always)]
fn share(n: usize, most: usize) -> usize {
    n.div_ceil(n.div_ceil(most))
}

/// All rows of C, `Q` vectors wide.
#[inline(always)]
unsafe fn combine_rows<F: Real, S: Simd, const Q: usize>(
    simd: S,
    o: &Operands<F>,
    mut block: Block,
    b: Rows<F>,
) {
    let most = if has_32_registers::<S>() { MOST_ROWS } else { 6 };
    while block.row < o.m {
        let rows = share(o.m - block.row, most);
        // SAFETY: passed on.
        unsafe {
            match rows {
                1 => combine_tile::<F, S, 1, Q>(simd, o, block, b),
                2 => combine_tile::<F, S, 2, Q>(simd, o, block, b),
                3 => combine_tile::<F, S, 3, Q>(simd, o, block, b),
                4 => combine_tile::<F, S, 4, Q>(simd, o, block, b),
                5 => combine_tile::<F, S, 5, Q>(simd, o, block, b),
                7 if has_32_registers::<S>() => combine_tile::<F, S, 7, Q>(simd, o, block, b),
                8 if has_32_registers::<S>() => {
                    combine_tile::<F, S, MOST_ROWS, Q>(simd, o, block, b);
                }
                _ => combine_tile::<F, S, 6, Q>(simd, o, block, b),
            }
        }
        block.row += rows;
    }
}

#[inline(always)]
unsafe fn combine_tile<F: Real, S: Simd, const U: usize, const Q: usize>(
    simd: S,
    o: &Operands<F>,
    block: Block,
    (mut b, b_rs): Rows<F>,
) {
    let lanes = F::lanes::<S>();
    let mut sums = [[F::zeros(simd); Q]; U];
    // SAFETY: rows row..row+U, terms from..to and Q vectors of columns from col lie within the
    // operands.
    unsafe {
        let mut a = o.a_at(block.row, block.from);
        for _ in block.from..block.to {
            let row: [F::Vector<S>; Q] = std::array::from_fn(|q| F::load::<S>(b.add(q * lanes)));
            for (u, sums) in sums.iter_mut().enumerate() {
                let a = F::broadcast(simd, *a.offset(u as isize * o.a_rs));
                for (sum, &b) in sums.iter_mut().zip(&row) {
                    *sum = F::fma(simd, a, b, *sum);
                }
            }
            a = a.offset(o.a_cs);
            b = b.offset(b_rs);
        }
        let (alpha, beta) = (F::broadcast(simd, o.alpha), block.beta(o));
        for (u, sums) in sums.iter().enumerate() {
            let c = o.c_at(block.row + u, block.col);
            for (q, &sum) in sums.iter().enumerate() {
                let c = c.add(q * lanes);
                let mut result = F::product(simd, alpha, sum);
                if beta != F::zero() {
                    result = F::fma(simd, F::broadcast(simd, beta), F::load::<S>(c), result);
                }
                F::store::<S>(c, result);
            }
        }
    }
}

/// The last `n` columns of C, fewer than a vector.
#[inline(always)]
unsafe fn combine_tail<F: Real, S: Simd>(
    simd: S,
    o: &Operands<F>,
    mut block: Block,
    n: usize,
    b: Rows<F>,
) {
    const ROWS: usize = 4;
    while block.row < o.m {
        // SAFETY: passed on.
        unsafe {
            if o.m - block.row >= ROWS {
                tail_tile::<F, S, ROWS>(simd, o, block, n, b);
                block.row += ROWS;
            } else {
                tail_tile::<F, S, 1>(simd, o, block, n, b);
                block.row += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn tail_tile<F: Real, S: Simd, const U: usize>(
    simd: S,
    o: &Operands<F>,
    block: Block,
    n: usize,
    (mut b, b_rs): Rows<F>,
) {
    let mut sums = [F::zeros(simd); U];
    // SAFETY: n columns of B's and C's rows, which are contiguous; rows row..row+U of A and C.
    unsafe {
        for k in block.from..block.to {
            let row = F::partial_load(simd, std::slice::from_raw_parts(b, n));
            for (u, sum) in sums.iter_mut().enumerate() {
                *sum = F::fma(simd, F::broadcast(simd, *o.a_at(block.row + u, k)), row, *sum);
            }
            b = b.offset(b_rs);
        }
        let beta = block.beta(o);
        for (u, sum) in sums.into_iter().enumerate() {
            let mut result = F::product(simd, F::broadcast(simd, o.alpha), sum);
            let c = std::slice::from_raw_parts_mut(o.c_at(block.row + u, block.col), n);
            if beta != F::zero() {
                let old = F::partial_load(simd, c);
                result = F::fma(simd, F::broadcast(simd, beta), old, result);
            }
            F::partial_store(simd, c, result);
        }
    }
}

struct Dots<'a, F>(&'a Operands<F>);

impl<F: Real> WithSimd for Dots<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let o = self.0;
        let depth = terms_at_once::<F>();
        for from in (0..o.k).step_by(depth) {
            let to = o.k.min(from + depth);
            let mut col = 0;
            while col < o.n {
                let block = Block { row: 0, col, from, to };
                let cols = share(o.n - col, 3);
                // SAFETY: the block lies within the operands; the caller promised the strides.
                unsafe {
                    match cols {
                        1 => dots_rows::<F, S, 1>(simd, o, block),
                        2 => dots_rows::<F, S, 2>(simd, o, block),
                        _ => dots_rows::<F, S, 3>(simd, o, block),
                    }
                }
                col += cols;
            }
        }
    }
}

/// All rows of C, `J` columns wide.
#[inline(always)]
unsafe fn dots_rows<F: Real, S: Simd, const J: usize>(simd: S, o: &Operands<F>, mut block: Block) {
    while block.row < o.m {
        let rows = share(o.m - block.row, 3);
        // SAFETY: passed on.
        unsafe {
            match rows {
                1 => dots_tile::<F, S, 1, J>(simd, o, block),
                2 => dots_tile::<F, S, 2, J>(simd, o, block),
                _ => dots_tile::<F, S, 3, J>(simd, o, block),
            }
        }
        block.row += rows;
    }
}

#[inline(always)]
unsafe fn dots_tile<F: Real, S: Simd, const I: usize, const J: usize>(
    simd: S,
    o: &Operands<F>,
    block: Block,
) {
    let lanes = F::lanes::<S>();
    let mut sums = [[F::zeros(simd); J]; I];
    // SAFETY: rows row..row+I, columns col..col+J and terms from..to lie within the operands, and
    // the terms are contiguous in both factors.
    unsafe {
        let a: [*const F; I] = std::array::from_fn(|i| o.a_at(block.row + i, block.from));
        let b: [*const F; J] = std::array::from_fn(|j| o.b_at(block.from, block.col + j));
        let n = block.to - block.from;
        let whole = n - n % lanes;
        let mut t = 0;
        while t < whole {
            let b: [F::Vector<S>; J] = std::array::from_fn(|j| F::load::<S>(b[j].add(t)));
            for (sums, a) in sums.iter_mut().zip(&a) {
                let a = F::load::<S>(a.add(t));
                for (sum, &b) in sums.iter_mut().zip(&b) {
                    *sum = F::fma(simd, a, b, *sum);
                }
            }
            t += lanes;
        }
        if whole < n {
            let rest = |p: *const F| {
                F::partial_load(simd, std::slice::from_raw_parts(p.add(whole), n - whole))
            };
            for (sums, &a) in sums.iter_mut().zip(&a) {
                let a = rest(a);
                for (sum, &b) in sums.iter_mut().zip(&b) {
                    *sum = F::fma(simd, a, rest(b), *sum);
                }
            }
        }
        let beta = block.beta(o);
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let c = o.c_at(block.row + i, block.col + j);
                let mut result = o.alpha * F::sum(simd, sum);
                if beta != F::zero() {
                    result += beta * *c;
                }
                *c = result;
            }
        }
    }
}
