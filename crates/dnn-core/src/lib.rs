#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]
//! ## Conventions
//!
//! Columns are examples: X (n₀, m) holds one example a column. A layer computes
//! Z = W·A_prev + b and A = g(Z); the backward pass computes dZ, dW = dZ·A_prevᵀ/m, db = Σ dZ/m and
//! dA_prev = Wᵀ·dZ. Code writes `w b z a dw db da_prev` for them, and every function carries the
//! course's name as a search alias: type `linear_activation_backward` into the search box.
//!
//! | to | look at |
//! |---|---|
//! | see each formula of a layer by itself | [`linear`], [`layer_norm`], [`activation`], [`layer`] |
//! | make and apply a network | [`Network`], [`Architecture`], [`init`] |
//! | draw the course's random numbers | [`rng`] |
//! | judge predictions | [`metrics`] |
//! | see what an answer rests on | [`saliency`] |
//!
//! The cost, the whole network's backward pass and training are in the crate `dnn-train`.

pub mod activation;
mod dataset;
mod elementary;
mod error;
pub mod gemm;
pub mod gram;
pub mod init;
mod kernels;
pub mod layer;
pub mod layer_norm;
pub mod linear;
pub mod metrics;
pub mod network;
mod output;
pub mod rng;
pub mod saliency;
mod scalar;
pub mod settings;
mod simd;
pub mod split;

pub use activation::{Activation, Bias};
pub use dataset::{Dataset, DatasetError, Examples, ShuffleBlocks, ViewedExamples, view_of_epoch};
pub use error::NetworkError;
pub use init::Init;
pub use network::{Architecture, HiddenNormalization, Network};
pub use output::OutputActivation;
pub use scalar::{Precision, Real};
pub use simd::{Vectorized, vectorize, vectorized};

pub use nalgebra;
