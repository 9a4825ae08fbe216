//! The course's way through a network, for learners and for its test cases: the sigmoid is the
//! last layer's own activation, and the way back starts from dAL.
//!
//! It is the same mathematics as [`Network`](crate::Network), but not the same numbers when an
//! output saturates: here A rounds to 0 or 1 and the cost is NaN or infinite. Training uses
//! [`Loss`](crate::Loss), which works from the logits.

use crate::Real;
use crate::layer::{Cache, Dense};
use crate::linear::Gradients;
use nalgebra::DMatrix;

/// Forward through all layers, keeping each cache.
///
/// # Shapes
/// `x` (n₀, m) → AL (n_L, m), one cache a layer.
/// # Panics
/// When the layers do not fit each other or `x`.
#[doc(alias = "L_model_forward")]
pub fn model_forward<F: Real>(layers: &[Dense<F>], x: &DMatrix<F>) -> (DMatrix<F>, Vec<Cache<F>>) {
    let mut a = x.clone();
    let mut caches = Vec::with_capacity(layers.len());
    for layer in layers {
        let (a_next, cache) = layer.forward(a);
        caches.push(cache);
        a = a_next;
    }
    (a, caches)
}

/// The cross-entropy cost J = −(1/m)·Σ [y·ln a + (1 − y)·ln(1 − a)].
///
/// # Shapes
/// `al` (1, m), the probabilities of class 1; `y` (1, m) of 0 and 1 → a number, NaN or infinite
/// when an output has saturated.
/// # Panics
/// When the shapes differ.
#[doc(alias = "compute_cost")]
pub fn cost<F: Real>(al: &DMatrix<F>, y: &DMatrix<F>) -> F {
    assert_eq!(al.shape(), y.shape(), "AL and Y");
    let one = F::one();
    let sum = al.zip_fold(y, F::zero(), |sum, a, y| sum + y * a.ln() + (one - y) * (one - a).ln());
    -sum / F::of(al.ncols() as f64)
}

/// dAL = −(Y/AL − (1 − Y)/(1 − AL)): where the way back starts.
///
/// # Shapes
/// `al`, `y` (1, m) → (1, m).
/// # Panics
/// When the shapes differ.
#[doc(alias = "dAL")]
pub fn cost_gradient<F: Real>(al: &DMatrix<F>, y: &DMatrix<F>) -> DMatrix<F> {
    let one = F::one();
    al.zip_map(y, |a, y| -(y / a - (one - y) / (one - a)))
}

/// Backward through all layers, from the cost to every layer's gradients.
///
/// # Shapes
/// `al`, `y` (1, m); `caches` as [`model_forward`] made them → the layers' gradients, first layer
/// first.
/// # Panics
/// When layers and caches differ in number or shape.
#[doc(alias = "L_model_backward")]
pub fn model_backward<F: Real>(
    layers: &[Dense<F>],
    al: &DMatrix<F>,
    y: &DMatrix<F>,
    caches: &[Cache<F>],
) -> Vec<Gradients<F>> {
    assert_eq!(layers.len(), caches.len(), "one cache a layer");
    let mut da = cost_gradient(al, y);
    let mut gradients: Vec<_> = layers
        .iter()
        .zip(caches)
        .rev()
        .map(|(layer, cache)| {
            let (da_prev, gradients) = layer.backward(std::mem::take(&mut da), cache);
            da = da_prev;
            gradients
        })
        .collect();
    gradients.reverse();
    gradients
}

/// One step of gradient descent on every layer.
///
/// # Shapes
/// `gradients` as [`model_backward`] made them.
/// # Panics
/// When layers and gradients differ in number or shape.
pub fn update_parameters<F: Real>(
    layers: &mut [Dense<F>],
    gradients: &[Gradients<F>],
    learning_rate: F,
) {
    assert_eq!(layers.len(), gradients.len(), "one set of gradients a layer");
    for (layer, gradients) in layers.iter_mut().zip(gradients) {
        layer.update(gradients, learning_rate);
    }
}
