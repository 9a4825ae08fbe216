//! Why data cannot be used, naming the file, what was expected and what came.

use crate::Shown;
use std::io;
use std::path::PathBuf;

/// Why data cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file system refused.
    #[error("{}: {operation} failed", path.shown())]
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
    /// A file holds something other than expected.
    #[error("{}: {what}: expected {expected}, got {got}", path.shown())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was looked at.
        what: String,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },
    /// Reading takes more memory than the system gives.
    #[error("{}: {what} take {bytes} bytes in memory, more than the system gives this process \
        (--memory-limit keeps images in a file)", path.shown())]
    Memory {
        /// The file or folder.
        path: PathBuf,
        /// What was to be read.
        what: String,
        /// Bytes it takes.
        bytes: u64,
    },
    /// Reading would take more memory than allowed.
    #[error("{}: {what} would take {} in memory, the limit is {limit} bytes",
        path.shown(), bytes.map_or("2⁶⁴ bytes or more".into(), |n| format!("{n} bytes")))]
    Limit {
        /// The file.
        path: PathBuf,
        /// What was to be read.
        what: String,
        /// Bytes it would take, unless they overflow.
        bytes: Option<u64>,
        /// Bytes allowed.
        limit: u64,
    },
    /// The path leads to nothing that can be read.
    #[error("{}: {found}; looked for {looked_for}", path.shown())]
    NoSource {
        /// The file or folder.
        path: PathBuf,
        /// What is found there.
        found: String,
        /// The formats that were looked for.
        looked_for: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Config(String),
    /// The memory that training takes in addition to the images could not be estimated.
    #[error("the memory that training needs besides the images cannot be computed")]
    Estimate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Decoded images cannot be kept.
    #[error("cannot cache the images")]
    Cache(#[source] Box<DataError>),
    /// A model has no answer for an example.
    #[error("{}: example {index}", path.shown())]
    Example {
        /// The file or folder of the examples.
        path: PathBuf,
        /// The example's place in its split, from 0.
        index: usize,
        /// What is wrong with it.
        source: Box<DataError>,
    },
    /// A model has no answer.
    #[error(transparent)]
    Predict(#[from] crate::PredictError),
    /// The caller asked to stop before all was done.
    #[error("stopped before it was done")]
    Stopped,
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
    Folder(#[from] crate::format::folder::FolderError),
    /// An HDF5 file cannot be used.
    #[cfg(feature = "hdf5")]
    #[error(transparent)]
    Hdf5(#[from] crate::format::hdf5::Hdf5Error),
    /// An image file cannot be used.
    #[cfg(feature = "image")]
    #[error(transparent)]
    Image(#[from] crate::image::ImageError),
}

impl DataError {
    /// Refuses to continue when the system does not grant this many bytes; `which` names file and
    /// contents. An allocation that fails would end the program without a message.
    pub(crate) fn afford(
        bytes: u64,
        which: impl FnOnce() -> (PathBuf, String),
    ) -> Result<(), Self> {
        let is_granted = usize::try_from(bytes)
            .is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
        if is_granted {
            return Ok(());
        }
        let (path, what) = which();
        Err(Self::Memory { path, what, bytes })
    }

    /// Turns an error about data in memory into one about the file that they were read from.
    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        match self {
            Self::Mismatch { what, expected, got } => {
                Self::File { path: path.into(), what, expected, got }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_no_machine_gives_is_refused_by_name() {
        let which = || (PathBuf::from("d.h5"), "5 images of 9×9×1".into());
        assert!(DataError::afford(1 << 20, which).is_ok());
        let refused = DataError::afford(1 << 60, which).expect_err("too much").to_string();
        assert!(
            refused.starts_with("d.h5: 5 images of 9×9×1 take 1152921504606846976"),
            "{refused}"
        );
    }
}
