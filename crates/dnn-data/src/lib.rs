#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]

#[cfg(any(feature = "hdf5", feature = "image"))]
pub mod atomic;
pub mod audit;
#[cfg(feature = "augment")]
pub mod augment;
#[cfg(feature = "cache")]
pub mod cache;
#[cfg(any(feature = "augment", feature = "synthetic"))]
mod chance;
pub mod classes;
#[cfg(all(feature = "augment", feature = "cache", feature = "synthetic"))]
mod config;
mod content;
mod contract;
#[cfg(all(feature = "hdf5", feature = "image"))]
pub mod convert;
#[cfg(any(feature = "idx", feature = "npz"))]
mod element;
mod error;
#[cfg(any(feature = "hdf5", feature = "idx", feature = "npz"))]
mod extent;
mod file;
pub mod format;
#[cfg(feature = "image")]
pub mod image;
mod image_set;
mod images;
mod limits;
#[cfg(all(feature = "augment", feature = "cache", feature = "synthetic"))]
pub mod loader;
pub mod model_file;
mod names;
#[cfg(any(feature = "folder", feature = "hdf5"))]
mod parallel;
pub mod preprocess;
mod shown;
mod splits;
#[cfg(feature = "synthetic")]
pub mod synthetic;
mod values;
mod visit;

pub use contract::{
    Aspect, ContractError, InputContract, Normalization, ResizeFilter, Standardization,
};
pub use error::DataError;
#[cfg(feature = "folder")]
pub use format::folder;
#[cfg(feature = "hdf5")]
pub use format::hdf5;
pub use image_set::{ImageSet, Scale};
pub use images::{FeatureExamples, Images, identity, standardization};
pub use limits::Limits;
pub use model_file::{AnyNetwork, Model, ModelError};
pub use names::Names;
pub use shown::{Shown, steers_terminal};
pub use splits::{Rejected, Split, Splits};
pub use values::{Buffer, Number, Values};
pub use visit::{Batch, ImageShape, Part, SplitName, Visitor};
