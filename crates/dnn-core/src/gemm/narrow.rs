//! Products with few rows, where packing the factors, as general kernels do, costs more than the
//! product: the layers of the course's network, 20, 7, 5 and 1 units wide.
//!
//! Two forms, by what is contiguous in memory. Both keep a tile of the result in registers.
//!
//! - [`combine`]: the rows of B are contiguous, and so are those of C: C's rows are combinations
//!   of B's. A tile is up to six rows of two vectors, or eight of three with 32 registers. B may be
//!   packed beforehand (`packed.rs`).
//! - [`dots`]: the rows of A and the columns of B are contiguous: every element of C is a dot
//!   product. A tile is up to three by three of them.
//!
//! Tiles leave a few registers free: with all 16 taken, the compiler moves sums between registers
//! and memory in the innermost loop, at half the speed.

use super::one_row::{self, DEPTH};
use super::operands::Operands;
use super::packed::line;
use crate::Real;
use crate::simd::arch;
use pulp::{Simd, WithSimd};
use std::mem::MaybeUninit;

/// Rows of B lie far apart from here, in bytes. Then they are on different pages, and often in the
/// same sets of the cache, so that they are copied together first.
const FAR_BYTES: usize = 1024;
/// Rows of B from which on copying pays: fewer are no more than the pages that a core has at hand.
const MANY_ROWS: usize = 64;
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
    if o.m > 1 && is_far(o) {
        combine_far(o);
    } else {
        dispatch(o, std::ptr::null_mut());
    }
}

/// In one place: all tiles of all instruction sets are compiled to where it is called.
#[inline(never)]
fn dispatch<F: Real>(o: &Operands<F>, room: *mut F) {
    arch().dispatch(Combine { o, room });
}

/// Returns whether rows of B are so far apart that they are copied together first.
fn is_far<F>(o: &Operands<F>) -> bool {
    let distance = o.b_rs.unsigned_abs() * size_of::<F>();
    o.b_panel.is_none() && distance >= FAR_BYTES && o.k >= MANY_ROWS
}

/// [`combine`] with copies of B's rows. A function of its own: so much room on the stack is looked at
/// page by page, which small products do not wait for.
#[inline(never)]
fn combine_far<F: Real>(o: &Operands<F>) {
    #[allow(clippy::large_stack_arrays)] // a thread has room for it, and the heap is slower
    let mut room = [const { MaybeUninit::<u64>::uninit() }; DEPTH * PACKED_STRIDE_BYTES / 8];
    dispatch(o, room.as_mut_ptr().cast());
}

/// C ← α·A·B + β·C where A's rows and B's columns are contiguous.
///
/// # Safety
/// As for [`Operands`]; `o.a_cs == 1` and `o.b_rs == 1`.
#[inline(always)]
pub(crate) unsafe fn dots<F: Real>(o: &Operands<F>) {
    arch().dispatch(Dots(o));
}

struct Combine<'a, F> {
    o: &'a Operands<F>,
    /// Room for `DEPTH` rows at the distance of copied ones, where rows of B are far apart.
    room: *mut F,
}

impl<F: Real> WithSimd for Combine<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { o, room } = self;
        if o.m == 1 && o.b_panel.is_none() {
            // SAFETY: the caller's promises.
            return unsafe { one_row::combine(simd, o) };
        }
        let (lanes, line) = (F::lanes::<S>(), line::<F>());
        let far = is_far(o);
        let at_once = match o.b_panel {
            // Vectors narrower than a panel: one panel after the other.
            Some(_) if lanes < line => line,
            None if far => PANEL_BYTES / size_of::<F>(),
            _ => o.n,
        };
        let stride = PACKED_STRIDE_BYTES / size_of::<F>();
        for col in (0..o.n).step_by(at_once) {
            let cols = at_once.min(o.n - col);
            for from in (0..o.k).step_by(DEPTH) {
                let block = Block { row: 0, col, cols, from, to: o.k.min(from + DEPTH) };
                // SAFETY: the block lies within the operands. Where rows are copied, `DEPTH` of at
                // most `at_once` numbers fit the buffer at this stride, and rows of B are contiguous.
                unsafe {
                    let b = match o.b_panel {
                        Some(panel) => Rows {
                            first: o.b.add(col / line * panel + from * line),
                            term: line as isize,
                            vector: if lanes < line { lanes } else { panel },
                            padded: true,
                        },
                        None if far => {
                            for k in from..block.to {
                                let to = room.add((k - from) * stride);
                                to.copy_from_nonoverlapping(o.b_at(k, col), cols);
                            }
                            let term = stride as isize;
                            Rows { first: room, term, vector: lanes, padded: false }
                        }
                        None => {
                            let first = o.b_at(from, col);
                            Rows { first, term: o.b_rs, vector: lanes, padded: false }
                        }
                    };
                    // In one place: the compiler copies all tiles to where this is called.
                    combine_columns(simd, o, block, b);
                }
            }
        }
    }
}

/// The block's rows of B.
#[derive(Clone, Copy)]
struct Rows<F> {
    /// Where the first row has the block's first column.
    first: *const F,
    /// Distance of a row from the one before.
    term: isize,
    /// Distance of a row's vector from the one before.
    vector: usize,
    /// Whether the last vector is whole, however many columns there are.
    padded: bool,
}

/// All rows of C, and the block's columns.
#[inline(always)]
unsafe fn combine_columns<F: Real, S: Simd>(
    simd: S,
    o: &Operands<F>,
    mut block: Block,
    mut b: Rows<F>,
) {
    let lanes = F::lanes::<S>();
    let most = if has_32_registers::<S>() { 3 } else { 2 };
    let end = block.col + block.cols;
    while block.col < end {
        let left = end - block.col;
        let vectors =
            if b.padded { share(left.div_ceil(lanes), most) } else { (left / lanes).min(most) };
        block.cols = if vectors == 0 { left } else { left.min(vectors * lanes) };
        // SAFETY: passed on.
        unsafe {
            match vectors {
                3 if has_32_registers::<S>() => combine_rows::<F, S, 3>(simd, o, block, b),
                2 => combine_rows::<F, S, 2>(simd, o, block, b),
                1 => combine_rows::<F, S, 1>(simd, o, block, b),
                _ if !S::IS_SCALAR => combine_tail(simd, o, block, b),
                // Single numbers are whole vectors.
                _ => {}
            }
        }
        // After the last vector it may point anywhere.
        b.first = b.first.wrapping_add(vectors * b.vector);
        block.col += block.cols;
    }
}

/// Part of a product: rows of C from `row`, `cols` columns from `col`, terms `from..to`.
#[derive(Clone, Copy)]
struct Block {
    row: usize,
    col: usize,
    cols: usize,
    from: usize,
    to: usize,
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
    Rows { first: mut b, term, vector, .. }: Rows<F>,
) {
    let lanes = F::lanes::<S>();
    let mut sums = [[F::zeros(simd); Q]; U];
    // SAFETY: rows row..row+U, terms from..to and the block's columns lie within the operands, and Q
    // vectors within the rows of B.
    unsafe {
        let a: [*const F; U] = std::array::from_fn(|u| o.a_at(block.row + u, block.from));
        let mut at = 0_isize;
        for _ in block.from..block.to {
            let row: [F::Vector<S>; Q] =
                std::array::from_fn(|q| F::load::<S>(b.wrapping_add(q.wrapping_mul(vector))));
            for (sums, a) in sums.iter_mut().zip(&a) {
                let a = F::broadcast(simd, *a.wrapping_offset(at));
                for (sum, &b) in sums.iter_mut().zip(&row) {
                    *sum = F::fma(simd, a, b, *sum);
                }
            }
            // After the last term they may point anywhere.
            at = at.wrapping_add(o.a_cs);
            b = b.wrapping_offset(term);
        }
        let added = o.added_to_terms(block.from);
        // Single numbers are whole vectors; what follows would only make the code large.
        if S::IS_SCALAR {
            for (row, sums) in (block.row..).zip(&sums) {
                for (col, &sum) in (block.col..).zip(sums) {
                    o.add(simd, added, (row, col), 1, sum);
                }
            }
            return;
        }
        let whole = block.cols / lanes;
        if whole < Q {
            let (col, n) = (block.col + whole * lanes, block.cols - whole * lanes);
            for (row, sums) in (block.row..).zip(&sums) {
                o.add(simd, added, (row, col), n, sums[Q - 1]);
            }
        }
        // Whole vectors apart from others, and with something added or not: loops of so little are
        // unrolled, and the sums stay in registers.
        let alpha = F::broadcast(simd, o.alpha);
        for sum in sums.as_flattened_mut() {
            *sum = F::product(simd, alpha, *sum);
        }
        let mut c = o.c_at(block.row, block.col);
        if added.beta == F::zero() {
            for sums in &sums {
                for (q, &sum) in sums.iter().enumerate() {
                    if q + 1 < Q || whole == Q {
                        F::store::<S>(c.add(q * lanes), sum);
                    }
                }
                c = c.wrapping_offset(o.c_rs);
            }
        } else {
            let (beta, mut d) = (F::broadcast(simd, added.beta), added.at(block.row, block.col));
            for sums in &sums {
                for (q, &sum) in sums.iter().enumerate() {
                    if q + 1 < Q || whole == Q {
                        let d = F::load::<S>(d.add(q * lanes));
                        F::store::<S>(c.add(q * lanes), F::fma(simd, beta, d, sum));
                    }
                }
                c = c.wrapping_offset(o.c_rs);
                d = d.wrapping_offset(added.d_rs);
            }
        }
    }
}

/// The block's columns of C, fewer than a vector.
#[inline(always)]
unsafe fn combine_tail<F: Real, S: Simd>(simd: S, o: &Operands<F>, mut block: Block, b: Rows<F>) {
    const ROWS: usize = 4;
    while block.row < o.m {
        // SAFETY: passed on.
        unsafe {
            if o.m - block.row >= ROWS {
                tail_tile::<F, S, ROWS>(simd, o, block, b);
                block.row += ROWS;
            } else {
                tail_tile::<F, S, 1>(simd, o, block, b);
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
    Rows { first: mut b, term, .. }: Rows<F>,
) {
    let (n, mut sums) = (block.cols, [F::zeros(simd); U]);
    // SAFETY: n columns of B's and C's rows, which are contiguous; rows row..row+U of A and C.
    unsafe {
        for k in block.from..block.to {
            let row = F::partial_load(simd, std::slice::from_raw_parts(b, n));
            for (u, sum) in sums.iter_mut().enumerate() {
                *sum = F::fma(simd, F::broadcast(simd, *o.a_at(block.row + u, k)), row, *sum);
            }
            // After the last term it may point anywhere.
            b = b.wrapping_offset(term);
        }
        let added = o.added_to_terms(block.from);
        for (row, sum) in (block.row..).zip(sums) {
            o.add(simd, added, (row, block.col), n, sum);
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
                let cols = share(o.n - col, 3);
                let block = Block { row: 0, col, cols, from, to };
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
        let beta = o.added_to_terms(block.from).beta;
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
