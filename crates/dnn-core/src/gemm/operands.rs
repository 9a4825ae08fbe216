//! A product in pointers and strides, as the kernels take it, and how they write its sums.

use crate::Real;
use pulp::Simd;

/// C ← α·A·B + β·C in pointers and strides: A (m, k), B (k, n), C (m, n).
///
/// Whoever makes one promises that A and B are valid for reads and C for reads and writes at all
/// its indices, and that nobody else uses C meanwhile.
pub struct Operands<F> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) alpha: F,
    pub(crate) a: *const F,
    pub(crate) a_rs: isize,
    pub(crate) a_cs: isize,
    pub(crate) b: *const F,
    pub(crate) b_rs: isize,
    pub(crate) b_cs: isize,
    /// Where B is packed (`packed.rs`), the distance of its panels; its strides are not used then.
    pub(crate) b_panel: Option<usize>,
    pub(crate) beta: F,
    pub(crate) c: *mut F,
    pub(crate) c_rs: isize,
    pub(crate) c_cs: isize,
}

impl<F: Copy> Operands<F> {
    /// Address of A's element (i, j).
    #[inline(always)]
    pub(super) unsafe fn a_at(&self, i: usize, j: usize) -> *const F {
        // SAFETY: an index within the operand, as the maker promised.
        unsafe { self.a.offset(i as isize * self.a_rs + j as isize * self.a_cs) }
    }

    /// Address of B's element (i, j).
    #[inline(always)]
    pub(super) unsafe fn b_at(&self, i: usize, j: usize) -> *const F {
        // SAFETY: as above.
        unsafe { self.b.offset(i as isize * self.b_rs + j as isize * self.b_cs) }
    }

    /// Address of C's element (i, j).
    #[inline(always)]
    pub(super) unsafe fn c_at(&self, i: usize, j: usize) -> *mut F {
        // SAFETY: as above.
        unsafe { self.c.offset(i as isize * self.c_rs + j as isize * self.c_cs) }
    }

    /// Returns the same product of the transposed matrices, Cᵀ ← α·Bᵀ·Aᵀ + β·Cᵀ.
    pub(super) fn transposed(&self) -> Self {
        Self {
            m: self.n,
            n: self.m,
            a: self.b,
            a_rs: self.b_cs,
            a_cs: self.b_rs,
            b: self.a,
            b_rs: self.a_cs,
            b_cs: self.a_rs,
            c_rs: self.c_cs,
            c_cs: self.c_rs,
            ..*self
        }
    }
}

/// c ← sum + β·c, of the first `n` numbers at `c`, at most a vector.
///
/// # Safety
/// `c` is valid for so many, and with β = 0 not read.
#[inline(always)]
pub(super) unsafe fn add_to<F: Real, S: Simd>(
    simd: S,
    c: *mut F,
    n: usize,
    mut sum: F::Vector<S>,
    beta: F,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if n == F::lanes::<S>() {
            if beta != F::zero() {
                sum = F::fma(simd, F::broadcast(simd, beta), F::load::<S>(c), sum);
            }
            F::store::<S>(c, sum);
        } else {
            let c = std::slice::from_raw_parts_mut(c, n);
            if beta != F::zero() {
                sum = F::fma(simd, F::broadcast(simd, beta), F::partial_load(simd, c), sum);
            }
            F::partial_store(simd, c, sum);
        }
    }
}
