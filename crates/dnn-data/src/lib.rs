//! Labelled images from files, or drawn, ready for a [`dnn_core`] network.

#[cfg(any(feature = "idx", feature = "npz"))]
mod array;
#[cfg(any(feature = "hdf5", feature = "image"))]
pub mod atomic;
pub mod audit;
#[cfg(feature = "augment")]
pub mod augment;
#[cfg(feature = "cache")]
pub mod cache;
#[cfg(any(feature = "augment", feature = "synthetic"))]
mod chance;
#[cfg(feature = "cifar")]
pub mod cifar;
mod content;
mod contract;
#[cfg(all(feature = "hdf5", feature = "image"))]
pub mod convert;
#[cfg(feature = "csv")]
pub mod csv;
#[cfg(any(feature = "idx", feature = "npz"))]
mod element;
mod error;
#[cfg(any(feature = "hdf5", feature = "idx", feature = "npz"))]
mod extent;
mod file;
#[cfg(feature = "folder")]
pub mod folder;
#[cfg(feature = "hdf5")]
pub mod hdf5;
#[cfg(feature = "idx")]
pub mod idx;
#[cfg(feature = "image")]
pub mod image;
mod image_set;
mod limits;
pub mod model_file;
mod names;
#[cfg(feature = "npz")]
pub mod npz;
#[cfg(any(feature = "folder", feature = "hdf5"))]
mod parallel;
pub mod preprocess;
pub mod source;
mod splits;
#[cfg(feature = "synthetic")]
pub mod synthetic;
mod visit;

pub use contract::{
    Aspect, ContractError, InputContract, Normalization, ResizeFilter, Standardization,
};
pub use error::DataError;
pub use image_set::{ImageSet, ImageShape};
pub use limits::Limits;
pub use model_file::{AnyNetwork, Model, ModelError};
pub use names::Names;
pub use splits::{Rejected, SplitName, Splits};
pub use visit::{Part, Values, Visitor, shared_classes};
