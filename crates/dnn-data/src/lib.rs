//! Labelled images from files, or drawn, ready for a [`dnn_core`] network.

#[cfg(any(feature = "hdf5", feature = "image"))]
pub mod atomic;
#[cfg(feature = "augment")]
pub mod augment;
#[cfg(any(feature = "augment", feature = "synthetic"))]
mod chance;
#[cfg(any(feature = "hdf5", feature = "image"))]
mod content;
mod error;
#[cfg(feature = "hdf5")]
pub mod hdf5;
#[cfg(feature = "image")]
pub mod image;
mod image_set;
pub mod preprocess;
mod splits;
#[cfg(feature = "synthetic")]
pub mod synthetic;

pub use error::DataError;
pub use image_set::{ImageSet, ImageShape};
pub use splits::Splits;
