//! The compiled loops of each number type.
//!
//! They are methods of a trait that f32 and f64 implement, not generic functions, so that they are
//! compiled with this crate's optimisation, whatever the crate that uses them is built with.

use crate::activation::{self, Activation, Bias};
use crate::gemm::{Operands, PackedForVector, bf16, narrow};
use crate::layer_norm::{self, Normalized};
use nalgebra::{DMatrixView, DMatrixViewMut};

/// The compiled loops of a number type; a supertrait of [`Real`](crate::Real).
pub trait Kernels: Copy + Sized + nalgebra::Scalar {
    /// A product whose rows of B and C are contiguous.
    ///
    /// # Safety
    /// As for `narrow::combine`.
    unsafe fn combine(o: &Operands<Self>);
    /// A product whose rows of A and columns of B are contiguous.
    ///
    /// # Safety
    /// As for `narrow::dots`.
    unsafe fn dots(o: &Operands<Self>);
    /// Any other product, by the `gemm` crates.
    ///
    /// # Safety
    /// As for [`Operands`].
    unsafe fn product_of_any_size(o: &Operands<Self>);
    /// A product of factors that are rounded to bf16, whatever α and β are.
    ///
    /// # Safety
    /// As for [`Operands`].
    /// # Panics
    /// For other numbers than f32.
    unsafe fn product_in_bf16(o: &Operands<Self>);
    /// The packed terms of a product with a vector.
    fn packed_terms(a: &PackedForVector<Self>, x: &[Self], y: &mut [Self]);
    /// [`Activation::forward`].
    fn activation_forward(
        activation: Activation,
        bias: Bias<'_, Self>,
        z: &mut DMatrixViewMut<'_, Self>,
        keep: Option<&mut DMatrixViewMut<'_, Self>>,
    );
    /// [`Activation::backward`].
    fn activation_backward(
        activation: Activation,
        da: &mut DMatrixViewMut<'_, Self>,
        z: &DMatrixView<'_, Self>,
        a: &DMatrixView<'_, Self>,
    );
    /// [`layer_norm::forward`].
    fn layer_norm_forward(
        gamma: &[Self],
        beta: &[Self],
        z: &mut DMatrixViewMut<'_, Self>,
        keep: Option<Normalized<'_, Self>>,
    );
    /// [`layer_norm::backward`].
    fn layer_norm_backward(
        gamma: &[Self],
        dy: &DMatrixView<'_, Self>,
        values: &DMatrixView<'_, Self>,
        inverse_deviations: &[Self],
        dz: &mut DMatrixViewMut<'_, Self>,
    );
}

macro_rules! kernels {
    ($real:ty, $gemm:path, $bf16:path) => {
        impl Kernels for $real {
            unsafe fn combine(o: &Operands<Self>) {
                // SAFETY: passed on.
                unsafe { narrow::combine(o) }
            }
            unsafe fn dots(o: &Operands<Self>) {
                // SAFETY: passed on.
                unsafe { narrow::dots(o) }
            }
            unsafe fn product_of_any_size(o: &Operands<Self>) {
                // SAFETY: passed on.
                unsafe {
                    $gemm()(
                        o.m,
                        o.n,
                        o.k,
                        o.c,
                        o.c_cs,
                        o.c_rs,
                        o.added.beta != 0.0,
                        o.a,
                        o.a_cs,
                        o.a_rs,
                        o.b,
                        o.b_cs,
                        o.b_rs,
                        // The destination is scaled by the first factor, the product by the second.
                        o.added.beta,
                        o.alpha,
                        false,
                        false,
                        false,
                        gemm_common::Parallelism::None,
                    );
                }
            }
            unsafe fn product_in_bf16(o: &Operands<Self>) {
                // SAFETY: passed on.
                unsafe { $bf16(o) }
            }
            fn packed_terms(a: &PackedForVector<Self>, x: &[Self], y: &mut [Self]) {
                a.packed_terms(x, y);
            }
            fn activation_forward(
                activation: Activation,
                bias: Bias<'_, Self>,
                z: &mut DMatrixViewMut<'_, Self>,
                keep: Option<&mut DMatrixViewMut<'_, Self>>,
            ) {
                activation::forward(activation, bias, z, keep);
            }
            fn activation_backward(
                activation: Activation,
                da: &mut DMatrixViewMut<'_, Self>,
                z: &DMatrixView<'_, Self>,
                a: &DMatrixView<'_, Self>,
            ) {
                activation::backward(activation, da, z, a);
            }
            fn layer_norm_forward(
                gamma: &[Self],
                beta: &[Self],
                z: &mut DMatrixViewMut<'_, Self>,
                keep: Option<Normalized<'_, Self>>,
            ) {
                layer_norm::forward_loop(gamma, beta, z, keep);
            }
            fn layer_norm_backward(
                gamma: &[Self],
                dy: &DMatrixView<'_, Self>,
                values: &DMatrixView<'_, Self>,
                inverse_deviations: &[Self],
                dz: &mut DMatrixViewMut<'_, Self>,
            ) {
                layer_norm::backward_loop(gamma, dy, values, inverse_deviations, dz);
            }
        }
    };
}

kernels!(f32, gemm_f32::gemm::f32::get_gemm_fn, bf16::multiply);
kernels!(f64, gemm_f64::gemm::f64::get_gemm_fn, bf16::refuse);
