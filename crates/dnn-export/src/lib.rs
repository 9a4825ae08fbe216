#![doc = include_str!("../README.md")]

mod c;
mod check;
mod npz;
mod onnx;

pub use c::c;
pub use check::{CheckError, CheckReport, Checker, noise};
pub use npz::npz;
pub use onnx::{OnnxFiles, OnnxInput, OnnxOptions, onnx};

use dnn_data::{InputContract, Model};

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
    /// Features of one view for a network that answers for several.
    #[error(
        "the model answers by the mean over {n} views of an image, and its features are of one view; an \
         ONNX graph from images can be written"
    )]
    Views {
        /// How many views.
        n: u32,
    },
    /// A temperature after the mean over several views, for weights alone.
    #[error(
        "the model has a temperature, which counts after the mean over several views, and weights alone \
         cannot have it; an ONNX graph from images can be written"
    )]
    Temperature,
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

/// What is computed from features alone is of one view.
fn check_one_view(contract: &InputContract) -> Result<(), ExportError> {
    match contract.views {
        1 => Ok(()),
        n => Err(ExportError::Views { n }),
    }
}

/// Returns the model with its temperature in the weights of its output layer.
fn without_temperature(model: &Model) -> Result<Model, ExportError> {
    model.clone().with_temperature_in_weights().ok_or(ExportError::Temperature)
}
