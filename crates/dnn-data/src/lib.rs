//! Labelled images from files, or drawn, ready for a [`dnn_core`] network.

#[cfg(feature = "hdf5")]
mod atomic;
mod error;
#[cfg(feature = "hdf5")]
pub mod hdf5;
mod image_set;
mod splits;

pub use error::DataError;
pub use image_set::{ImageSet, ImageShape};
pub use splits::Splits;
