//! One door for every kind of data: what lies behind a path is told by its content.

use crate::file::InputFile;
use crate::{DataError, Limits, Names, Splits};
use std::path::Path;

/// What is asked of a source; each kind of data looks at what concerns it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
}

/// What is looked for in a folder.
const IN_FOLDERS: &[&str] = &[
    #[cfg(feature = "hdf5")]
    "HDF5 files (.h5, .hdf5)",
    #[cfg(feature = "idx")]
    "idx files (train-images-idx3-ubyte and the like, also .gz)",
];

/// What a file can be.
const IN_FILES: &[&str] = &[
    #[cfg(feature = "hdf5")]
    "HDF5",
    #[cfg(feature = "idx")]
    "idx (also .gz)",
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
    if path.is_dir() { open_folder(path, options) } else { open_file(path, options) }
}

fn open_folder(path: &Path, options: &Options) -> Result<Splits, DataError> {
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
    // Image folders go here: folders of images in a folder, one for each class.
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
        let Some(names) = &options.names else {
            return crate::hdf5::load_file(path, &options.hdf5());
        };
        let train = Some(crate::hdf5::load_named(path, names, &options.hdf5())?);
        return Ok(Splits { train, train_path: Some(path.into()), ..Splits::default() });
    }
    #[cfg(feature = "idx")]
    if crate::idx::is_idx(path)? {
        return crate::idx::load(path, &options.limits);
    }
    let head = InputFile::open(path)?.head()?;
    Err(DataError::NoSource {
        path: path.into(),
        found: crate::content::what_it_is(&head)
            .unwrap_or_else(|| "binary data of no known kind".into()),
        looked_for: IN_FILES.join(", "),
    })
}
