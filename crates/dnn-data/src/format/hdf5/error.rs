//! The errors of HDF5 files.

use crate::Shown;
use crate::extent::shown as shape;
use std::error::Error;
use std::io;
use std::path::PathBuf;

/// A library's own words.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// The reason why an HDF5 file cannot be used: the file, the dataset, what was expected and found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Hdf5Error {
    /// The file system refused: no such file, no permission.
    #[error("{}: {operation} failed", path.shown())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The system's own words.
        source: io::Error,
    },
    /// Something other than a file has the name.
    #[error("{}: expected an HDF5 file, got {got}", path.shown())]
    NotAFile {
        /// What was given.
        path: PathBuf,
        /// "a folder", "a device", "a pipe" or "a socket".
        got: &'static str,
    },
    /// The file has no byte.
    #[error("{}: the file is empty (0 bytes), expected HDF5", path.shown())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else, whatever its name says.
    #[error("{}: not an HDF5 file but {found}", path.shown())]
    NotHdf5 {
        /// The file.
        path: PathBuf,
        /// What it is instead, and what to do about it.
        found: String,
    },
    /// The file ends before its data does.
    #[error("{}: the file is truncated: {got} bytes{}, so it must be fetched or copied again",
        path.shown(), expected.map_or(String::new(), |n| format!(" where {n} are expected")))]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes the file says it has, when that much could be read.
        expected: Option<u64>,
        /// Bytes it has.
        got: u64,
    },
    /// The file is HDF5, but damaged or of a kind the library cannot read.
    #[error("{}: {operation}{} failed: the file is damaged, or uses a part of HDF5 that this \
        reader does not support", path.shown(),
        dataset.as_ref().map_or(String::new(), |name| format!(" `{name}`")))]
    Library {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The dataset, when it was about one.
        dataset: Option<String>,
        /// The library's own words.
        source: Cause,
    },
    /// There is no such dataset.
    #[error("{}: no dataset `{name}`{}; the file holds {}", path.shown(),
        nearest.as_ref().map_or(String::new(), |near| format!(", did you mean `{near}`?")),
        listed(found))]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        name: String,
        /// The most similar name in the file, when one is similar.
        nearest: Option<String>,
        /// The datasets of the file.
        found: Vec<String>,
    },
    /// A dataset has another type of element.
    #[error("{}: `{name}` has elements of type {got}, expected {expected}", path.shown())]
    Type {
        /// The file.
        path: PathBuf,
        /// The dataset.
        name: String,
        /// The types it may have.
        expected: &'static str,
        /// The type it has.
        got: String,
    },
    /// A dataset has another shape.
    #[error("{}: `{name}` has shape {}, expected {expected}", path.shown(), shape(got))]
    Shape {
        /// The file.
        path: PathBuf,
        /// The dataset.
        name: String,
        /// The shapes it may have.
        expected: String,
        /// The shape it has.
        got: Vec<u64>,
    },
    /// Images and labels differ in number.
    #[error("{}: `{images}` holds {n_images} images, but `{labels}` holds {n_labels} labels",
        path.shown())]
    Count {
        /// The file.
        path: PathBuf,
        /// The dataset of images.
        images: String,
        /// Number of images.
        n_images: u64,
        /// The dataset of labels.
        labels: String,
        /// Number of labels.
        n_labels: u64,
    },
    /// A value cannot be used: a label that is no class, a class without a name.
    #[error("{}: `{name}`: entry {index} is {got}, expected {expected}", path.shown())]
    Value {
        /// The file.
        path: PathBuf,
        /// The dataset.
        name: String,
        /// Position in the dataset, from 0.
        index: usize,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// Reading would take more memory than allowed.
    #[error("{}: `{name}` of shape {} would take {} in memory, the limit is {limit}",
        path.shown(), shape(got), bytes.map_or("2⁶⁴ bytes or more".into(), |n| format!("{n} bytes")))]
    Limit {
        /// The file.
        path: PathBuf,
        /// The dataset.
        name: String,
        /// Its shape.
        got: Vec<u64>,
        /// Bytes it would take, unless they overflow.
        bytes: Option<u64>,
        /// Bytes allowed, or what else is bounded.
        limit: String,
    },
    /// A dataset declares more data than the file can hold, or was not written to the end.
    #[error("{}: `{name}` is incomplete: {reason}", path.shown())]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// The dataset.
        name: String,
        /// What is missing.
        reason: String,
    },
    /// The data lie in other files, or behind a filter that the library does not have.
    #[error("{}: `{name}` {reason}", path.shown())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The dataset.
        name: String,
        /// What is not supported, and what to do about it.
        reason: String,
    },
    /// Several files of a folder hold what one should.
    #[error("{}: {} files hold `{name}`: {}; name one of them, or keep one in the folder",
        folder.shown(), candidates.len(), paths(candidates))]
    Ambiguous {
        /// The folder.
        folder: PathBuf,
        /// The dataset looked for.
        name: &'static str,
        /// The files that hold it.
        candidates: Vec<PathBuf>,
    },
    /// No file of a folder holds a training or a test set.
    #[error("{}: looked for an HDF5 file (.h5, .hdf5) holding `train_set_x` or `test_set_x`, such \
        as train_catvnoncat.h5; found {}", folder.shown(),
        if looked_at.is_empty() { "no HDF5 file".into() } else { paths(looked_at) })]
    NoPair {
        /// The folder.
        folder: PathBuf,
        /// The files that were opened in vain.
        looked_at: Vec<PathBuf>,
    },
    /// What should be written is not consistent.
    #[error("{}: cannot write {what}: expected {expected}, got {got}", path.shown())]
    Write {
        /// The file that was to be made.
        path: PathBuf,
        /// What was looked at.
        what: String,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },
}

/// Returns the names, as many as fit into a message.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> =
        names.iter().take(SHOWN).map(|name| format!("`{}`", name.shown())).collect();
    match names.len() {
        0 => "no dataset".into(),
        n if n > SHOWN => format!("{} and {} more", shown.join(", "), n - SHOWN),
        _ => shown.join(", "),
    }
}

/// Returns file names without their folder.
fn paths(paths: &[PathBuf]) -> String {
    let name = |p: &PathBuf| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned();
    listed(&paths.iter().map(name).collect::<Vec<_>>())
}
