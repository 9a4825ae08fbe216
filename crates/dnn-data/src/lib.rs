//! Labelled images from files, or drawn, ready for a [`dnn_core`] network.

mod error;
mod image_set;
mod splits;

pub use error::DataError;
pub use image_set::{ImageSet, ImageShape};
pub use splits::Splits;
