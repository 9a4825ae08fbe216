//! Vectors of the machine's width, for the kernels that are this crate's own.
//!
//! `pulp` picks the instruction set at run time (on x86-64 AVX-512, AVX2 with FMA, or scalar code;
//! on aarch64 NEON), so one binary serves every machine.

use pulp::{Arch, Simd, WithSimd};
use std::sync::LazyLock;

/// The best instruction set of this machine, looked up once.
static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Returns the best instruction set of this machine.
#[inline]
pub(crate) fn arch() -> Arch {
    *ARCH
}

/// A number type with vectors. Implemented for `f32` and `f64`; part of [`Real`](crate::Real).
pub trait Lanes: Copy + 'static {
    /// As many numbers as one register of the instruction set `S` holds.
    type Vector<S: Simd>: Copy;
    /// Which lanes of such a register are chosen.
    type Mask<S: Simd>: Copy;
    /// Zeros.
    fn zeros<S: Simd>(simd: S) -> Self::Vector<S>;
    /// `x` in every lane.
    fn broadcast<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;
    /// a·b + c, fused where the machine can.
    fn fma<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// a·b.
    fn product<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// Returns the mask that chooses the first `n` lanes.
    fn first_lanes<S: Simd>(simd: S, n: usize) -> Self::Mask<S>;
    /// `a` in the lanes that `mask` chooses, `b` in the others.
    fn blend<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// Returns the sum of all lanes.
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;
    /// Returns the numbers of a slice shorter than a vector, zeros after them.
    fn partial_load<S: Simd>(simd: S, from: &[Self]) -> Self::Vector<S>;
    /// The first lanes into a slice shorter than a vector.
    fn partial_store<S: Simd>(simd: S, to: &mut [Self], v: Self::Vector<S>);

    /// Numbers in a vector.
    fn lanes<S: Simd>() -> usize {
        size_of::<Self::Vector<S>>() / size_of::<Self>()
    }
    /// Returns the numbers at `from`.
    ///
    /// # Safety
    /// `from` is valid for reads of [`lanes`](Self::lanes) numbers.
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> Self::Vector<S> {
        // SAFETY: the caller's promise; a vector is its numbers in a row.
        unsafe { from.cast::<Self::Vector<S>>().read_unaligned() }
    }
    /// Puts the numbers to `to`.
    ///
    /// # Safety
    /// `to` is valid for writes of [`lanes`](Self::lanes) numbers.
    #[inline(always)]
    unsafe fn store<S: Simd>(to: *mut Self, v: Self::Vector<S>) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self::Vector<S>>().write_unaligned(v) }
    }
}

macro_rules! lanes {
    (
        $real:ty, $vector:ident, $mask:ident, $splat:ident, $fma:ident, $mul:ident, $between:ident,
        $select:ident, $sum:ident, $load:ident, $store:ident
    ) => {
        impl Lanes for $real {
            type Vector<S: Simd> = S::$vector;
            type Mask<S: Simd> = S::$mask;
            #[inline(always)]
            fn zeros<S: Simd>(simd: S) -> S::$vector {
                simd.$splat(0.0)
            }
            #[inline(always)]
            fn broadcast<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }
            #[inline(always)]
            fn fma<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$fma(a, b, c)
            }
            #[inline(always)]
            fn product<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn first_lanes<S: Simd>(simd: S, n: usize) -> S::$mask {
                simd.$between(0, n as _).mask()
            }
            #[inline(always)]
            fn blend<S: Simd>(simd: S, mask: S::$mask, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$select(mask, a, b)
            }
            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$vector) -> Self {
                simd.$sum(a)
            }
            #[inline(always)]
            fn partial_load<S: Simd>(simd: S, from: &[Self]) -> S::$vector {
                let mask = simd.$between(0, from.len() as _).mask();
                // SAFETY: what the mask chooses is the slice. A mask without the functions that pulp puts
                // beside it is one instruction instead of a call.
                unsafe { simd.$load(mask.into(), from.as_ptr()) }
            }
            #[inline(always)]
            fn partial_store<S: Simd>(simd: S, to: &mut [Self], v: S::$vector) {
                simd.$store(to, v);
            }
        }
    };
}

lanes!(
    f32,
    f32s,
    m32s,
    splat_f32s,
    mul_add_e_f32s,
    mul_f32s,
    mask_between_m32s,
    select_f32s,
    reduce_sum_f32s,
    mask_load_ptr_f32s,
    partial_store_f32s
);
lanes!(
    f64,
    f64s,
    m64s,
    splat_f64s,
    mul_add_e_f64s,
    mul_f64s,
    mask_between_m64s,
    select_f64s,
    reduce_sum_f64s,
    mask_load_ptr_f64s,
    partial_store_f64s
);

/// A computation that is compiled for several instruction sets and run with the best that the
/// machine has.
///
/// Loops over slices in it become vector code of full width. Mark [`run`](Self::run) and what it
/// calls `#[inline(always)]`.
pub trait Vectorized {
    /// What it computes.
    type Output;
    /// Computes it; `FUSED` says whether the machine fuses a·b + c, for the elementary functions of
    /// [`Real`](crate::Real).
    fn run<const FUSED: bool>(self) -> Self::Output;
}

/// Runs `work` with this machine's best instruction set.
#[inline(always)]
pub fn vectorize<V: Vectorized>(work: V) -> V::Output {
    struct Op<V>(V);
    impl<V: Vectorized> WithSimd for Op<V> {
        type Output = V::Output;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> V::Output {
            if S::IS_SCALAR { self.0.run::<false>() } else { self.0.run::<true>() }
        }
    }
    arch().dispatch(Op(work))
}

/// Runs a closure as [`vectorize`] does, for loops that need no elementary functions.
///
/// ```
/// let mut x = vec![1.0_f32; 1000];
/// dnn_core::vectorized(#[inline(always)] || x.iter_mut().for_each(|x| *x *= 2.0));
/// assert!(x.iter().all(|&x| x == 2.0));
/// ```
#[inline(always)]
pub fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    struct Closure<C>(C);
    impl<R, C: FnOnce() -> R> Vectorized for Closure<C> {
        type Output = R;
        #[inline(always)]
        fn run<const FUSED: bool>(self) -> R {
            (self.0)()
        }
    }
    vectorize(Closure(f))
}
