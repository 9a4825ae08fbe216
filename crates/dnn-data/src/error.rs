//! Why data cannot be used, naming the file, what was expected and what came.

use std::io;
use std::path::PathBuf;

/// Why data cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file system refused.
    #[error("{}: {operation} failed", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: "read", "create", "rename" …
        operation: &'static str,
        /// The system's own words.
        source: io::Error,
    },
    /// Images and labels in memory do not fit together.
    #[error("{what}: expected {expected}, got {got}")]
    Mismatch {
        /// What was looked at.
        what: String,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },
    /// Nothing was drawn.
    #[cfg(feature = "synthetic")]
    #[error(transparent)]
    Synthetic(#[from] crate::synthetic::SyntheticError),
    /// The examples are not a dataset.
    #[error(transparent)]
    Dataset(#[from] dnn_core::DatasetError),
    /// A folder of images cannot be used.
    #[cfg(feature = "folder")]
    #[error(transparent)]
    Folder(#[from] crate::folder::FolderError),
    /// An HDF5 file cannot be used.
    #[cfg(feature = "hdf5")]
    #[error(transparent)]
    Hdf5(#[from] crate::hdf5::Hdf5Error),
    /// An image file cannot be used.
    #[cfg(feature = "image")]
    #[error(transparent)]
    Image(#[from] crate::image::ImageError),
}
