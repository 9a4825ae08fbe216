//! The mathematics of the deep fully-connected network of Andrew Ng's course,
//! [LINEAR → RELU] × (L−1) → LINEAR → SIGMOID, and nothing else: no paths, no clock, no printing,
//! no global state, no threads of its own.
//!
//! Columns are examples: X (n₀, m) holds one example a column. A layer computes
//! Z = W·A_prev + b and A = g(Z); the way back computes dZ, dW = dZ·A_prevᵀ/m, db = Σ dZ/m and
//! dA_prev = Wᵀ·dZ. Code writes `w b z a dw db da_prev` for them, and every function carries the
//! course's name as a search alias: type `linear_activation_backward` into the search box.
//!
//! | to | look at |
//! |---|---|
//! | see each formula by itself | [`linear`], [`activation`], [`layer`], [`textbook`] |
//! | make, apply and differentiate a network | [`Network`], [`Architecture`], [`init`] |
//! | minimise something | [`Loss`] |
//! | check a gradient | [`gradcheck`] |
//! | draw the course's random numbers | [`rng`] |
//! | judge predictions | [`metrics`] |
//!
//! ```
//! use dnn_core::init::Init;
//! use dnn_core::network::Workspace;
//! use dnn_core::rng::{Generator, RngKind};
//! use dnn_core::{Activation, Architecture, Loss, Network};
//! use nalgebra::DMatrix;
//!
//! // XOR: 2-4-1, the examples in columns.
//! let x = DMatrix::<f64>::from_row_slice(2, 4, &[0., 0., 1., 1., 0., 1., 0., 1.]);
//! let labels = [0, 1, 1, 0];
//! let shape = Architecture::new(vec![2, 4, 1], Activation::Tanh, Loss::BinaryCrossEntropy);
//! let mut rng = Generator::new(RngKind::Numpy, 1)?;
//! let mut network = Network::initialize(&shape, Init::Glorot, &mut rng)?;
//!
//! let mut workspace = Workspace::new(&network, x.ncols());
//! let mut gradients = network.zero_gradients();
//! for _ in 0..2000 {
//!     network.cost_and_gradients(&x, &labels, &mut workspace, &mut gradients);
//!     network.update(&gradients, 0.5);
//! }
//! let predicted = dnn_core::metrics::predictions(&network.probabilities(&x));
//! assert!(predicted.iter().zip(labels).all(|(p, label)| p.class == label));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod activation;
mod dataset;
mod elementary;
pub mod gemm;
pub mod gradcheck;
pub mod gram;
pub mod init;
mod kernels;
pub mod layer;
pub mod linear;
pub mod loss;
pub mod metrics;
pub mod network;
pub mod rng;
mod scalar;
mod simd;
pub mod split;
pub mod textbook;

pub use activation::Activation;
pub use dataset::{Dataset, DatasetError, Examples, ShuffleBlocks};
pub use init::Init;
pub use loss::Loss;
pub use network::{Architecture, Network, NetworkError};
pub use scalar::{Precision, Real};
pub use simd::vectorized;
