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
//! | see each formula of a layer by itself | [`linear`], [`activation`], [`layer`] |
//! | make and apply a network | [`Network`], [`Architecture`], [`init`] |
//! | draw the course's random numbers | [`rng`] |
//! | judge predictions | [`metrics`] |
//! | keep a network | [`Model`] |
//!
//! The cost, the whole network's way back and training are in the crate `dnn-train`.
//!
//! Products and loops over matrices are slow without optimisation. A program that uses this crate has
//! fast dev builds with `[profile.dev.package.dnn-core] opt-level = 3` in its Cargo.toml, and the same
//! for `nalgebra`, `gemm-common`, `gemm-f32` and `gemm-f64`.
//!
//! ```
//! use dnn_core::nalgebra::DMatrix;
//! use dnn_core::rng::{Generator, RngKind};
//! use dnn_core::{Activation, Architecture, Init, Network, OutputActivation};
//!
//! let shape = Architecture::new(vec![2, 4, 1], Activation::Relu, OutputActivation::Sigmoid);
//! let mut rng = Generator::new(RngKind::Numpy, 1)?;
//! let network = Network::<f64>::initialize(&shape, Init::He, &mut rng)?;
//! // Two features, three examples in columns.
//! let x = DMatrix::from_row_slice(2, 3, &[0.0, 1.0, 2.0, 0.5, -0.5, 0.0]);
//! let probabilities = network.probabilities(&x);
//! assert_eq!(probabilities.shape(), (2, 3)); // of both classes
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod activation;
mod contract;
mod dataset;
mod elementary;
pub mod gemm;
pub mod gram;
pub mod init;
mod kernels;
pub mod layer;
pub mod linear;
pub mod metrics;
pub mod model_file;
pub mod network;
mod output;
pub mod rng;
mod scalar;
mod simd;
pub mod split;

pub use activation::{Activation, Bias};
pub use contract::{
    Aspect, ContractError, InputContract, Normalization, ResizeFilter, Standardization,
};
pub use dataset::{Dataset, DatasetError, Examples, ShuffleBlocks};
pub use init::Init;
pub use model_file::{AnyNetwork, Model, ModelError};
pub use network::{Architecture, Network, NetworkError};
pub use output::OutputActivation;
pub use scalar::{Precision, Real};
pub use simd::{Vectorized, vectorize, vectorized};

pub use nalgebra;
