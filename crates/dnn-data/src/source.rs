//! One door for every kind of data: what lies behind a path is told by its content.

#[cfg(any(feature = "hdf5", feature = "npz"))]
use crate::ImageSet;
#[cfg(feature = "csv")]
use crate::content::Text;
use crate::content::what_it_is;
use crate::file::InputFile;
use crate::{DataError, Limits, Names, Splits};
use std::path::Path;

/// What is asked of a source; each kind of data looks at what concerns it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// What a file may ask for.
    pub limits: Limits,
    /// The library that reads HDF5.
    #[cfg(feature = "hdf5")]
    pub backend: crate::hdf5::Backend,
    /// The arrays to read from HDF5 or .npz, when they do not have the usual names; they are the
    /// training set then.
    pub names: Option<Names>,
    /// The column of a table that holds the labels: its name, or its number from 1.
    pub label: Option<String>,
    /// How images in folders are prepared, and what is done about bad ones.
    #[cfg(feature = "folder")]
    pub folder: crate::folder::FolderOptions,
}

/// What is looked for in a folder.
const IN_FOLDERS: &[&str] = &[
    #[cfg(feature = "hdf5")]
    "HDF5 files (.h5, .hdf5)",
    #[cfg(feature = "idx")]
    "idx files (train-images-idx3-ubyte and the like, also .gz)",
    #[cfg(feature = "cifar")]
    "CIFAR-10's binary files (data_batch_1.bin and the like)",
    #[cfg(feature = "folder")]
    "folders of images, one for each class",
];

/// What a file can be.
const IN_FILES: &[&str] = &[
    #[cfg(feature = "hdf5")]
    "HDF5",
    #[cfg(feature = "idx")]
    "idx (also .gz)",
    #[cfg(feature = "npz")]
    "NumPy's .npz",
    #[cfg(feature = "cifar")]
    "CIFAR-10's binary records",
    #[cfg(feature = "csv")]
    "a table (CSV)",
];

#[cfg(feature = "hdf5")]
impl Options {
    fn hdf5(&self) -> crate::hdf5::Options {
        crate::hdf5::Options { limits: self.limits, backend: self.backend }
    }
}

/// Reads what lies behind a path: a folder or a file, whatever its name.
///
/// # Errors
/// What is wrong with the data; [`DataError::NoSource`] when nothing that can be read is there.
pub fn open(path: &Path, options: &Options) -> Result<Splits, DataError> {
    open_watched(path, options, &|_, _| ())
}

/// As [`open`]; where there are many files, `progress` is told how many of how many are done, from
/// any thread.
///
/// # Errors
/// As [`open`].
pub fn open_watched(
    path: &Path,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Splits, DataError> {
    if path.is_dir() { open_folder(path, options, progress) } else { open_file(path, options) }
}

fn open_folder(
    path: &Path,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Splits, DataError> {
    // Nothing else takes long.
    let _ = progress;
    if options.names.is_some() {
        return Err(DataError::File {
            path: path.into(),
            what: "arrays to read by their names".into(),
            expected: "a file that holds them".into(),
            got: "a folder".into(),
        });
    }
    #[cfg(feature = "hdf5")]
    if crate::hdf5::is_in(path)? {
        return crate::hdf5::load_pair(path, &options.hdf5());
    }
    #[cfg(feature = "idx")]
    if crate::idx::is_in(path)? {
        return crate::idx::load(path, &options.limits);
    }
    #[cfg(feature = "cifar")]
    if crate::cifar::is_in(path)? {
        return crate::cifar::load(path, &options.limits);
    }
    #[cfg(feature = "folder")]
    if crate::folder::is_image_folder(path) {
        return crate::folder::load(path, &options.folder, progress);
    }
    let files = crate::file::files_of(path)?;
    Err(DataError::NoSource {
        path: path.into(),
        found: format!("a folder with {}", crate::file::listed(&files)),
        looked_for: IN_FOLDERS.join(", "),
    })
}

fn open_file(path: &Path, options: &Options) -> Result<Splits, DataError> {
    #[cfg(feature = "hdf5")]
    if crate::hdf5::is_hdf5(path)? {
        return match &options.names {
            Some(names) => named(path, crate::hdf5::load_named(path, names, &options.hdf5())),
            None => crate::hdf5::load_file(path, &options.hdf5()),
        };
    }
    let head = InputFile::open(path)?.head()?;
    #[cfg(feature = "npz")]
    if crate::npz::is_zip(&head) {
        return match &options.names {
            Some(names) => named(path, crate::npz::load_named(path, names, &options.limits)),
            None => crate::npz::load(path, &options.limits),
        };
    }
    if options.names.is_some() {
        return Err(DataError::File {
            path: path.into(),
            what: "arrays to read by their names".into(),
            expected: "HDF5 or .npz".into(),
            got: found(&head),
        });
    }
    #[cfg(feature = "idx")]
    if crate::idx::is_idx(path)? {
        return crate::idx::load(path, &options.limits);
    }
    #[cfg(feature = "cifar")]
    if crate::cifar::is_cifar(path)? {
        return crate::cifar::load(path, &options.limits);
    }
    #[cfg(feature = "csv")]
    if let Some(Text::Other(_)) = Text::of(&head) {
        return crate::csv::load(path, options.label.as_deref(), &options.limits);
    }
    Err(DataError::NoSource {
        path: path.into(),
        found: found(&head),
        looked_for: IN_FILES.join(", "),
    })
}

/// What stands where data should.
fn found(head: &[u8]) -> String {
    what_it_is(head).unwrap_or_else(|| "binary data of no known kind".into())
}

/// A set that was asked for by the names of its arrays is to train on.
#[cfg(any(feature = "hdf5", feature = "npz"))]
fn named(path: &Path, set: Result<ImageSet, DataError>) -> Result<Splits, DataError> {
    Ok(Splits { train: Some(set?), train_path: Some(path.into()), ..Splits::default() })
}
