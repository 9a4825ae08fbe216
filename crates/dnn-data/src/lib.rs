#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]
// A build of fewer formats leaves parts of what they share unused.
#![cfg_attr(not(feature = "default"), allow(dead_code, unreachable_pub))]

mod affine;
#[cfg(feature = "image")]
mod answer;
#[cfg(any(feature = "hdf5", feature = "image"))]
pub mod atomic;
pub mod audit;
#[cfg(feature = "augment")]
pub mod augment;
#[cfg(feature = "cache")]
pub mod cache;
mod chance;
pub mod classes;
#[cfg(all(feature = "augment", feature = "cache", feature = "synthetic"))]
mod config;
mod content;
mod contract;
#[cfg(all(feature = "hdf5", feature = "image"))]
pub mod convert;
mod describe;
mod element;
mod error;
mod extent;
mod file;
pub mod format;
#[cfg(feature = "image")]
pub mod image;
mod image_set;
mod images;
#[cfg(all(feature = "augment", feature = "cache", feature = "synthetic"))]
pub mod loader;
pub mod model_file;
mod parallel;
mod pixels;
#[cfg(all(feature = "augment", feature = "cache", feature = "csv", feature = "synthetic"))]
pub mod predictions;
mod predictor;
pub mod preprocess;
mod shown;
mod splits;
#[cfg(feature = "synthetic")]
pub mod synthetic;
mod values;
mod views;
mod visit;

#[cfg(feature = "image")]
pub use answer::{Answer, Details, SaliencyMap};
pub use contract::{
    Aspect, ContractError, Decode, FeatureKind, InputContract, Normalization, ResizeFilter,
    Standardization,
};
pub use error::DataError;
pub use file::open_file;
#[cfg(feature = "folder")]
pub use format::folder;
#[cfg(feature = "hdf5")]
pub use format::hdf5;
pub use format::{Limits, Names};
pub use image_set::{ImageSet, Scale};
pub use images::{FeatureExamples, Images, identity, standardization};
pub use model_file::{AnyNetwork, Model, ModelError};
pub use predictor::{PredictError, Predictor};
pub use shown::{Shown, steers_terminal};
pub use splits::{Rejected, Split, Splits};
pub use values::{Buffer, Number, Values};
pub use views::ViewSource;
pub use visit::{Batch, ImageShape, RowSelection, SplitInfo, SplitName, Visitor};
