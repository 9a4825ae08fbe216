//! The course's way through a network, step by step: for learners, for its test cases, and as what
//! the tests hold the engines to. Nothing that trains rests on it.
//!
//! It is the same mathematics as in the [engines](crate::engine), but not the same numbers when an
//! output saturates: here A rounds to 0 or 1 and the cost is NaN or infinite. Training uses
//! [`CrossEntropy`](crate::CrossEntropy), which works from the logits.
//!
//! ```
//! use dnn_core::nalgebra::DMatrix;
//! use dnn_train::textbook;
//!
//! // XOR: 2-4-1, the examples in columns.
//! let x = DMatrix::<f64>::from_row_slice(2, 4, &[0., 0., 1., 1., 0., 1., 0., 1.]);
//! let y = DMatrix::from_row_slice(1, 4, &[0.0, 1.0, 1.0, 0.0]);
//! let network = textbook::l_layer_model(&x, &y, &[2, 4, 1], 0.5, 2000, 2, |_, _| {})?;
//! assert_eq!(textbook::predict(&network, &x), y);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use dnn_core::layer::Cache;
use dnn_core::linear::{Gradients, linear, linear_backward};
use dnn_core::nalgebra::DMatrix;
use dnn_core::rng::{Generator, RngKind, SeedError};
use dnn_core::{Activation, Architecture, Init, Network, NetworkError, OutputActivation, Real};

/// Why the course's model cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TextbookError {
    /// The layer sizes make no network.
    #[error("these layer sizes make no network")]
    Shape(#[from] NetworkError),
    /// The seed is not one of NumPy's.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

/// Forward through all layers, keeping each cache: the hidden layers, then the linear half of the
/// last one and the network's sigmoid or softmax.
///
/// # Shapes
/// `x` (n₀, m) → AL (n_L, m), one cache for each layer.
/// # Panics
/// When `x` does not have n₀ rows.
#[doc(alias = "L_model_forward")]
pub fn model_forward<F: Real>(network: &Network<F>, x: &DMatrix<F>) -> (DMatrix<F>, Vec<Cache<F>>) {
    let (last, hidden) = network.layers().split_last().expect("a network has layers");
    let mut a = x.clone();
    let mut caches = Vec::with_capacity(network.layers().len());
    for layer in hidden {
        let (a_next, cache) = layer.forward(a);
        caches.push(cache);
        a = a_next;
    }
    let z = linear(last.weights(), last.bias(), &a);
    let mut al = z.clone();
    network.output().forward(&mut al);
    caches.push(Cache { a_prev: a, z });
    (al, caches)
}

/// Returns the cross-entropy cost, J = −(1/m)·Σ [y·ln a + (1 − y)·ln(1 − a)] with a sigmoid and J =
/// −(1/m)·Σ Σₖ yₖ·ln aₖ with a softmax, which has more than one row.
///
/// # Shapes
/// `al` (n_L, m), probabilities; `y` (n_L, m) of 0 and 1 → a number, NaN or infinite when an output
/// has saturated.
/// # Panics
/// When the shapes differ.
#[doc(alias = "compute_cost")]
pub fn cost<F: Real>(al: &DMatrix<F>, y: &DMatrix<F>) -> F {
    assert_eq!(al.shape(), y.shape(), "AL and Y");
    let one = F::one();
    let sum = if al.nrows() == 1 {
        al.zip_fold(y, F::zero(), |sum, a, y| sum + y * a.ln() + (one - y) * (one - a).ln())
    } else {
        al.zip_fold(y, F::zero(), |sum, a, y| sum + y * a.ln())
    };
    -sum / F::of(al.ncols() as f64)
}

/// dAL = −(Y/AL − (1 − Y)/(1 − AL)): where the backward pass starts with a sigmoid.
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

/// Backward through all layers, from the cost to every layer's gradients. With a sigmoid it starts
/// from [dAL](cost_gradient), as the course does; with a softmax from dZ_L = AL − Y.
///
/// # Shapes
/// `al`, `y` (n_L, m); `caches` as [`model_forward`] made them → the gradients of each layer, first
/// layer first.
/// # Panics
/// When network and caches differ in number of layers or in shape.
#[doc(alias = "L_model_backward")]
pub fn model_backward<F: Real>(
    network: &Network<F>,
    al: &DMatrix<F>,
    y: &DMatrix<F>,
    caches: &[Cache<F>],
) -> Vec<Gradients<F>> {
    assert_eq!(network.layers().len(), caches.len(), "one cache for each layer");
    let (last, hidden) = network.layers().split_last().expect("a network has layers");
    let dz = match network.output() {
        OutputActivation::Sigmoid => {
            let (mut dz, z) = (cost_gradient(al, y), &caches[hidden.len()].z);
            let mut a = z.clone();
            network.output().forward(&mut a);
            Activation::Sigmoid.backward(&mut dz.as_view_mut(), &z.as_view(), &a.as_view());
            dz
        }
        OutputActivation::Softmax => al - y,
    };
    let (mut da, of_last) = linear_backward(&dz, &caches[hidden.len()].a_prev, last.weights());
    let mut gradients = vec![of_last];
    for (layer, cache) in hidden.iter().zip(caches).rev() {
        let (da_prev, of_layer) = layer.backward(da, cache);
        gradients.push(of_layer);
        da = da_prev;
    }
    gradients.reverse();
    gradients
}

/// One step of gradient descent on every layer: `W ← W − α·dW`, `b ← b − α·db`,
/// and γ and β likewise where layers are normalised.
///
/// # Shapes
/// `gradients` as [`model_backward`] made them.
/// # Panics
/// When layers and gradients differ in number or shape.
pub fn update_parameters<F: Real>(
    network: &mut Network<F>,
    gradients: &[Gradients<F>],
    learning_rate: F,
) {
    assert_eq!(network.layers().len(), gradients.len(), "gradients of each layer");
    for (of_layer, gradients) in network.parameters_mut().zip(gradients) {
        for (parameters, gradient) in of_layer.into_iter().zip(gradients.slices()) {
            assert_eq!(parameters.len(), gradient.len(), "a gradient for each parameter");
            for (p, &g) in parameters.iter_mut().zip(gradient) {
                *p -= learning_rate * g;
            }
        }
    }
}

/// Returns the parameters of the course's two-layer network: W = 0.01·N(0, 1), b = 0.
///
/// # Errors
/// When a size is 0, or the seed is not one of NumPy's.
pub fn initialize_parameters(
    n_x: usize,
    n_h: usize,
    seed: u64,
) -> Result<Network<f64>, TextbookError> {
    initialize(&[n_x, n_h, 1], Init::SmallNormal, seed)
}

/// Returns the parameters of the course's deep network as it is applied: W = N(0, 1)/√n_prev, b =
/// 0. The network applies its sigmoid itself, whatever it is passed to.
///
/// # Errors
/// When a size is 0 or the last one is not 1, or the seed is not one of NumPy's.
pub fn initialize_parameters_deep(
    layer_dims: &[usize],
    seed: u64,
) -> Result<Network<f64>, TextbookError> {
    initialize(layer_dims, Init::Lecun, seed)
}

fn initialize(layer_dims: &[usize], init: Init, seed: u64) -> Result<Network<f64>, TextbookError> {
    let mut rng = Generator::new(RngKind::Numpy, seed)?;
    let relu = Activation::Relu;
    let shape = Architecture::new(layer_dims.to_vec(), relu, OutputActivation::Sigmoid);
    Ok(Network::initialize(&shape, init, &mut rng)?)
}

/// Returns the course's deep network: [LINEAR → RELU] × (L−1) → LINEAR → SIGMOID, by gradient
/// descent on the whole training set. `each` is called with the number of every iteration and its
/// cost.
///
/// # Shapes
/// `x` (n₀, m), `y` (1, m) of 0 and 1, `layer_dims` n₀, n₁, …, 1.
/// # Errors
/// When a size is 0 or the last one is not 1, or the seed is not one of NumPy's.
/// # Panics
/// When `x`, `y` and `layer_dims` do not fit each other.
#[doc(alias = "L_layer_model")]
pub fn l_layer_model(
    x: &DMatrix<f64>,
    y: &DMatrix<f64>,
    layer_dims: &[usize],
    learning_rate: f64,
    n_iterations: usize,
    seed: u64,
    each: impl FnMut(usize, f64),
) -> Result<Network<f64>, TextbookError> {
    let network = initialize_parameters_deep(layer_dims, seed)?;
    Ok(gradient_descent(network, x, y, learning_rate, n_iterations, each))
}

/// Returns the course's two-layer network, LINEAR → RELU → LINEAR → SIGMOID, with `n_h` hidden
/// units, by gradient descent on the whole training set. `each` is called with the number of every
/// iteration and its cost.
///
/// # Shapes
/// `x` (n₀, m), `y` (1, m) of 0 and 1.
/// # Errors
/// When there are no features or hidden units, or the seed is not one of NumPy's.
/// # Panics
/// When `x` and `y` do not have the same number of examples.
pub fn two_layer_model(
    x: &DMatrix<f64>,
    y: &DMatrix<f64>,
    n_h: usize,
    learning_rate: f64,
    n_iterations: usize,
    seed: u64,
    each: impl FnMut(usize, f64),
) -> Result<Network<f64>, TextbookError> {
    let network = initialize_parameters(x.nrows(), n_h, seed)?;
    Ok(gradient_descent(network, x, y, learning_rate, n_iterations, each))
}

fn gradient_descent(
    mut network: Network<f64>,
    x: &DMatrix<f64>,
    y: &DMatrix<f64>,
    learning_rate: f64,
    n_iterations: usize,
    mut each: impl FnMut(usize, f64),
) -> Network<f64> {
    for iteration in 0..n_iterations {
        let (al, caches) = model_forward(&network, x);
        each(iteration, cost(&al, y));
        let gradients = model_backward(&network, &al, y, &caches);
        update_parameters(&mut network, &gradients, learning_rate);
    }
    network
}

/// Returns the class of each example, 1 where AL > 0.5.
///
/// # Shapes
/// `x` (n₀, m) → (1, m) of 0 and 1, for a network with a sigmoid.
/// # Panics
/// When `x` does not have n₀ rows.
pub fn predict<F: Real>(network: &Network<F>, x: &DMatrix<F>) -> DMatrix<F> {
    let (al, _) = model_forward(network, x);
    al.map(|a| if a > F::of(0.5) { F::one() } else { F::zero() })
}
