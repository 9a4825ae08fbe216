//! Products in bf16 with the instruction `VDPBF16PS`, which adds the products of sixteen pairs to
//! sixteen sums.
//!
//! C is gone through by columns, of these by blocks of [`DEPTH`] terms: a block of B is rounded and
//! copied once, then of A two vectors of rows at a time, which are used for all columns while they
//! are in the first-level cache. A pair of terms is 32 bits. Of A the same pair of sixteen rows makes a
//! vector; of B the pairs of a column follow each other, since an instruction takes one of them for all
//! its lanes.

use super::super::one_row::DEPTH;
use super::super::operands::Operands;
use super::super::packed::{Line, line};
use std::arch::x86_64::{
    __m256bh, __m256i, __m512bh, __m512i, _mm512_add_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_or_si512, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_slli_epi32,
    _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};
use std::mem::transmute;

/// Two terms in bf16, the first in the low half.
type Pair = u32;
/// Pairs in a block of terms.
const PAIRS: usize = DEPTH / 2;
/// Pairs in a vector, and sums.
const LANES: usize = 16;
/// Vectors of A that are copied at a time.
const VECTORS: usize = 2;
/// Columns of a block of B, at most: it takes half of the second-level cache.
const MOST_COLUMNS: usize = 1024;
/// Room for the copies of A and B.
pub(super) const LINES: usize = (VECTORS * LANES + MOST_COLUMNS) * PAIRS / line::<Pair>();
/// Columns of a tile, at most: with two vectors of rows, its sums leave a quarter of the registers free.
const MOST_TILE_COLUMNS: usize = 12;

/// Returns whether this machine has the instructions, and the product is one for them.
pub(super) fn fits(o: &Operands<f32>) -> bool {
    o.c_rs == 1
        && (o.a_rs == 1 || o.a_cs == 1)
        && (o.b_rs == 1 || o.b_cs == 1)
        && is_x86_feature_detected!("avx512bf16")
        && is_x86_feature_detected!("avx512f")
}

/// C ← A·B, whatever α and β are.
///
/// # Safety
/// As for [`Operands`], which [`fits`]; `room` has [`LINES`].
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn multiply(o: &Operands<f32>, room: &mut [Line]) {
    assert!(room.len() >= LINES, "room for the copies");
    let a: *mut Pair = room.as_mut_ptr().cast();
    let b = a.wrapping_add(VECTORS * LANES * PAIRS);
    for col in (0..o.n).step_by(MOST_COLUMNS) {
        let cols = MOST_COLUMNS.min(o.n - col);
        for from in (0..o.k).step_by(DEPTH) {
            let depth = DEPTH.min(o.k - from);
            // SAFETY: the block lies within the operands, and its copies within the room.
            unsafe {
                for at in (0..cols).step_by(LANES) {
                    let lanes = Lanes {
                        first: o.b_at(from, col + at),
                        n: LANES.min(cols - at),
                        lane: o.b_cs,
                        term: o.b_rs,
                        depth,
                    };
                    lanes.copy::<false>(b.add(at * PAIRS));
                }
                for row in (0..o.m).step_by(VECTORS * LANES) {
                    let rows = (VECTORS * LANES).min(o.m - row);
                    for at in (0..rows).step_by(LANES) {
                        let lanes = Lanes {
                            first: o.a_at(row + at, from),
                            n: LANES.min(rows - at),
                            lane: o.a_rs,
                            term: o.a_cs,
                            depth,
                        };
                        lanes.copy::<true>(a.add(at * PAIRS));
                    }
                    let c = o.c_at(row, col);
                    let strip = Strip { a, b, depth, c, rows, cols, c_cs: o.c_cs, adds: from > 0 };
                    if rows > LANES { strip.multiply::<2>() } else { strip.multiply::<1>() }
                }
            }
        }
    }
}

/// Up to sixteen rows of A or columns of B, and the terms of a block.
struct Lanes {
    first: *const f32,
    n: usize,
    /// Distance of a lane from the one before.
    lane: isize,
    /// Distance of a term from the one before; this or `lane` is 1.
    term: isize,
    depth: usize,
}

impl Lanes {
    /// Rounds and copies the terms: with `BY_PAIR` the same pair of all lanes side by side, otherwise
    /// all pairs of a lane. What is missing of sixteen lanes and of whole pairs is zero.
    ///
    /// # Safety
    /// All terms are there to be read, and `to` has room for sixteen lanes of [`PAIRS`] pairs.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn copy<const BY_PAIR: bool>(&self, to: *mut Pair) {
        let by_pair = self.lane == 1;
        for pair in (0..self.depth.div_ceil(2)).step_by(LANES) {
            // SAFETY: passed on; the block has whole squares of pairs.
            unsafe {
                let mut square = if by_pair { self.by_pair(pair) } else { self.by_lane(pair) };
                if by_pair != BY_PAIR {
                    transpose(&mut square);
                }
                let (to, stride) =
                    if BY_PAIR { (to.add(pair * LANES), LANES) } else { (to.add(pair), PAIRS) };
                for (i, vector) in square.into_iter().enumerate() {
                    _mm512_storeu_si512(to.add(i * stride).cast(), vector);
                }
            }
        }
    }

    /// Sixteen pairs from `pair` on, a vector the same pair of all lanes, which are contiguous.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn by_pair(&self, pair: usize) -> [__m512i; LANES] {
        let mask = first(self.n);
        let mut square = [_mm512_setzero_si512(); LANES];
        for (i, vector) in square.iter_mut().enumerate() {
            let term = 2 * (pair + i);
            let at = self.first.wrapping_offset(term as isize * self.term);
            let (even, odd) = (
                if term < self.depth { mask } else { 0 },
                if term + 1 < self.depth { mask } else { 0 },
            );
            // SAFETY: what the masks choose is there; a vector of bf16 is one of 16 bits.
            let (even, odd) = unsafe {
                let odd = _mm512_maskz_loadu_ps(odd, at.wrapping_offset(self.term));
                let even = _mm512_maskz_loadu_ps(even, at);
                (
                    transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(even)),
                    transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(odd)),
                )
            };
            let (even, odd) = (_mm512_cvtepu16_epi32(even), _mm512_cvtepu16_epi32(odd));
            *vector = _mm512_or_si512(even, _mm512_slli_epi32::<16>(odd));
        }
        square
    }

    /// Sixteen pairs from `pair` on, a vector those of one lane, whose terms are contiguous.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn by_lane(&self, pair: usize) -> [__m512i; LANES] {
        let left = self.depth - 2 * pair;
        let masks = [first(left), first(left.saturating_sub(LANES))];
        let mut square = [_mm512_setzero_si512(); LANES];
        for (i, vector) in square.iter_mut().enumerate().take(self.n) {
            let at = self.first.wrapping_offset(i as isize * self.lane).wrapping_add(2 * pair);
            // SAFETY: as above.
            *vector = unsafe {
                let low = _mm512_maskz_loadu_ps(masks[0], at);
                let high = _mm512_maskz_loadu_ps(masks[1], at.wrapping_add(LANES));
                transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
            };
        }
        square
    }
}

/// Returns the mask of the first `n` lanes of sixteen.
fn first(n: usize) -> u16 {
    if n < LANES { (1 << n) - 1 } else { u16::MAX }
}

/// Turns vectors of lanes into vectors of pairs, or back.
#[target_feature(enable = "avx512f")]
fn transpose(square: &mut [__m512i; LANES]) {
    // First within the quarters of the vectors, four numbers each, then the quarters.
    let mut within = [_mm512_setzero_si512(); LANES];
    for (to, from) in within.chunks_exact_mut(4).zip(square.chunks_exact(4)) {
        let low =
            [_mm512_unpacklo_epi32(from[0], from[1]), _mm512_unpacklo_epi32(from[2], from[3])];
        let high =
            [_mm512_unpackhi_epi32(from[0], from[1]), _mm512_unpackhi_epi32(from[2], from[3])];
        to[0] = _mm512_unpacklo_epi64(low[0], low[1]);
        to[1] = _mm512_unpackhi_epi64(low[0], low[1]);
        to[2] = _mm512_unpacklo_epi64(high[0], high[1]);
        to[3] = _mm512_unpackhi_epi64(high[0], high[1]);
    }
    for i in 0..4 {
        let from = [within[i], within[4 + i], within[8 + i], within[12 + i]];
        let upper = [
            _mm512_shuffle_i32x4::<0x44>(from[0], from[1]),
            _mm512_shuffle_i32x4::<0x44>(from[2], from[3]),
        ];
        let lower = [
            _mm512_shuffle_i32x4::<0xee>(from[0], from[1]),
            _mm512_shuffle_i32x4::<0xee>(from[2], from[3]),
        ];
        square[i] = _mm512_shuffle_i32x4::<0x88>(upper[0], upper[1]);
        square[4 + i] = _mm512_shuffle_i32x4::<0xdd>(upper[0], upper[1]);
        square[8 + i] = _mm512_shuffle_i32x4::<0x88>(lower[0], lower[1]);
        square[12 + i] = _mm512_shuffle_i32x4::<0xdd>(lower[0], lower[1]);
    }
}

/// The rows of C that belong to the vectors of A which are copied, and a block of columns and terms.
struct Strip {
    a: *const Pair,
    b: *const Pair,
    depth: usize,
    c: *mut f32,
    rows: usize,
    cols: usize,
    c_cs: isize,
    /// Whether the sums are added to C, not put into it.
    adds: bool,
}

impl Strip {
    /// All columns, of `R` vectors of rows.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn multiply<const R: usize>(&self) {
        let mut col = 0;
        while col < self.cols {
            let cols = MOST_TILE_COLUMNS.min(self.cols - col);
            // SAFETY: passed on. B is copied in whole vectors of columns.
            unsafe {
                match cols.div_ceil(4) {
                    1 => self.tile::<R, 4>(col, cols),
                    2 => self.tile::<R, 8>(col, cols),
                    _ => self.tile::<R, MOST_TILE_COLUMNS>(col, cols),
                }
            }
            col += cols;
        }
    }

    /// `cols` columns from `col` on, of `C` that are summed.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn tile<const R: usize, const C: usize>(&self, col: usize, cols: usize) {
        let mut sums = [[_mm512_setzero_ps(); R]; C];
        let b = self.b.wrapping_add(col * PAIRS);
        for pair in 0..self.depth.div_ceil(2) {
            // SAFETY: the copies have these vectors of rows and columns.
            unsafe {
                let pairs = |of| transmute::<__m512i, __m512bh>(of);
                let mut a = [pairs(_mm512_setzero_si512()); R];
                for (r, a) in a.iter_mut().enumerate() {
                    *a = pairs(_mm512_loadu_si512(self.a.add((r * PAIRS + pair) * LANES).cast()));
                }
                for (c, sums) in sums.iter_mut().enumerate() {
                    let b = pairs(_mm512_set1_epi32((*b.add(c * PAIRS + pair)).cast_signed()));
                    for (sum, &a) in sums.iter_mut().zip(&a) {
                        *sum = _mm512_dpbf16_ps(*sum, a, b);
                    }
                }
            }
        }
        for (c, sums) in sums.iter().enumerate().take(cols) {
            let to = self.c.wrapping_offset((col + c) as isize * self.c_cs);
            for (r, &(mut sum)) in sums.iter().enumerate() {
                let (to, mask) = (to.wrapping_add(r * LANES), first(self.rows - r * LANES));
                // SAFETY: what the mask chooses are C's rows.
                unsafe {
                    if self.adds {
                        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), sum);
                    }
                    _mm512_mask_storeu_ps(to, mask, sum);
                }
            }
        }
    }
}
