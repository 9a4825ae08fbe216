//! A product in pointers and strides, as the kernels take it, and how they write its sums.

use crate::Real;
use pulp::Simd;

/// β·D, which is added to a product: the factor, and the matrix in pointer and distance of rows, which are
/// contiguous where the kernel is [`combine`](super::narrow::combine).
#[derive(Clone, Copy)]
pub(crate) struct Addend<F> {
    pub(crate) beta: F,
    pub(crate) d: *const F,
    pub(crate) d_rs: isize,
}

impl<F> Addend<F> {
    /// Address of D's element (i, j).
    #[inline(always)]
    pub(super) fn at(&self, i: usize, j: usize) -> *const F {
        self.d.wrapping_offset(i as isize * self.d_rs).wrapping_add(j)
    }
}

/// C ← α·A·B + β·D in pointers and strides: A (m, k), B (k, n), C and D (m, n). D may be C, and is unless
/// B is packed.
///
/// Whoever makes one promises that A, B and with β ≠ 0 D are valid for reads and C for reads and writes
/// at all its indices, and that nobody else uses C meanwhile.
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
    pub(crate) added: Addend<F>,
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

    /// Returns what is added to sums of the terms from `from` on: β·D to the first ones, C itself from
    /// then on.
    #[inline(always)]
    pub(super) fn added_to_terms(&self, from: usize) -> Addend<F>
    where
        F: Real,
    {
        if from == 0 { self.added } else { Addend { beta: F::one(), d: self.c, d_rs: self.c_rs } }
    }

    /// C ← α·sum + what is `added`, of `n` numbers from C's element (i, j) on, at most a vector.
    ///
    /// # Safety
    /// So many numbers of the row lie within C, and with β ≠ 0 within D; C's rows are contiguous.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(
        &self,
        simd: S,
        added: Addend<F>,
        (i, j): (usize, usize),
        n: usize,
        sum: F::Vector<S>,
    ) where
        F: Real,
    {
        // A single number is a whole vector, which the compiler does not see.
        let whole = S::IS_SCALAR || n == F::lanes::<S>();
        let mut sum = F::product(simd, F::broadcast(simd, self.alpha), sum);
        // SAFETY: the caller's promise.
        unsafe {
            let (c, d) = (self.c_at(i, 0).add(j), added.at(i, j));
            if added.beta != F::zero() {
                let d = if whole {
                    F::load::<S>(d)
                } else {
                    F::partial_load(simd, std::slice::from_raw_parts(d, n))
                };
                sum = F::fma(simd, F::broadcast(simd, added.beta), d, sum);
            }
            if whole {
                F::store::<S>(c, sum);
            } else {
                F::partial_store(simd, std::slice::from_raw_parts_mut(c, n), sum);
            }
        }
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
            added: Addend { d_rs: self.c_cs, ..self.added },
            c_rs: self.c_cs,
            c_cs: self.c_rs,
            ..*self
        }
    }
}
