#![doc = include_str!("../README.md")]

mod c;
mod check;
mod npz;
mod onnx;

pub use c::c;
pub use check::{CheckError, CheckReport, Checker, noise};
pub use npz::npz;
pub use onnx::{OnnxFiles, OnnxInput, OnnxOptions, onnx};

/// Why a model cannot be written in another format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A graph from images of a network that takes none.
    #[error(
        "the network was trained on numbers that are no pixels, so no graph can take images for it; \
         one that takes its features can be written"
    )]
    NoImages,
    /// More weights than a graph holds.
    #[error(
        "{n_bytes} bytes of weights: a graph holds less than 2 GiB; with the weights in a file of \
         their own it can be written"
    )]
    TooLarge {
        /// Bytes of the weights.
        n_bytes: usize,
    },
    /// The archive of the weights cannot be made.
    #[error("the weights cannot be put into an .npz")]
    Npz(#[from] zip::result::ZipError),
    /// A part of the file cannot be put together.
    #[error("the file cannot be put together")]
    Io(#[from] std::io::Error),
    /// The text of the file cannot be put together.
    #[error("the text of the file cannot be put together")]
    Text(#[from] std::fmt::Error),
    /// The metadata cannot be written as JSON.
    #[error("the metadata of the model cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}
