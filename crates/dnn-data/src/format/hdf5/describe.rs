//! A listing of an HDF5 file, which helps to see why a file is refused.

use super::backend::{DatasetInfo, Element, Storage};
use super::file::OpenFile;
use super::{Hdf5Error, Options};
use crate::DataError;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The contents of an HDF5 file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub file_bytes: u64,
    /// Its datasets, sorted by their paths.
    pub datasets: Vec<DatasetSummary>,
    /// Whether there are more datasets than are listed (1000 at most).
    pub more: bool,
}

/// A dataset of a file, without its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatasetSummary {
    /// Path of the dataset in the file.
    pub name: String,
    /// Extent of each dimension; none for a scalar.
    pub shape: Vec<u64>,
    /// Type of an element: "uint8", "string of 7 bytes" …
    pub element: String,
    /// Bytes of all elements, unpacked; `None` when they are of variable length or overflow.
    pub data_bytes: Option<u64>,
    /// Shape of a chunk, when it is stored in chunks.
    pub chunk: Option<Vec<u64>>,
    /// Filters of the chunks, in the order they were applied: "shuffle", "gzip" …
    pub filters: Vec<String>,
    /// The error of a dataset that is damaged.
    pub problem: Option<String>,
}

/// Lists the datasets of a file with shape, type, size and filters; reads no data.
///
/// # Errors
/// [`DataError::Hdf5`] when the file is not HDF5 or its list of datasets cannot be read. A damaged
/// dataset is listed with its problem.
pub fn describe(path: &Path, options: &Options) -> Result<Description, DataError> {
    let file = OpenFile::open(path, options)?;
    let (names, more) = file.list()?;
    let datasets = names
        .into_iter()
        .map(|name| match file.find(&name) {
            Ok(Some(info)) => summary(info),
            problem => DatasetSummary {
                name,
                shape: Vec::new(),
                element: "unknown".into(),
                data_bytes: None,
                chunk: None,
                filters: Vec::new(),
                problem: Some(match problem {
                    Err(Hdf5Error::Library { source, .. }) => source.to_string(),
                    _ => "it cannot be found by its name".into(),
                }),
            },
        })
        .collect();
    Ok(Description { path: file.path, file_bytes: file.n_bytes, datasets, more })
}

fn summary(info: DatasetInfo) -> DatasetSummary {
    let n = info.shape.iter().try_fold(1_u64, |n, &d| n.checked_mul(d));
    DatasetSummary {
        data_bytes: n
            .filter(|_| info.element != Element::VarString)
            .and_then(|n| n.checked_mul(info.element_bytes)),
        element: info.element.to_string(),
        chunk: match info.storage {
            Storage::Chunked(chunk) => Some(chunk),
            _ => None,
        },
        filters: info.filters.iter().map(ToString::to_string).collect(),
        name: info.name,
        shape: info.shape,
        problem: None,
    }
}
