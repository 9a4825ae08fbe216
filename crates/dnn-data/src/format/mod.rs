//! Reading data of every format: the content of a file or folder decides which format it is, and
//! that format reads it.
//!
//! [`visit`] passes examples to a [`Visitor`] as they are read; [`open`] collects them in memory.

mod array;
#[cfg(feature = "cifar")]
mod cifar;
mod collect;
#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "folder")]
pub mod folder;
mod found;
#[cfg(feature = "hdf5")]
pub mod hdf5;
#[cfg(feature = "idx")]
mod idx;
mod names;
#[cfg(feature = "npz")]
mod npz;
mod options;

pub use options::{Limits, Names, Options, Visited};

use crate::visit::OfRows;
use crate::{Batch, DataError, RowSelection, SplitInfo, Splits, Visitor};
use found::Found;
use options::Format;
use std::path::{Path, PathBuf};

/// The formats that are compiled in. The first that recognises what was found reads it.
static FORMATS: &[&dyn Format] = &[
    #[cfg(feature = "hdf5")]
    &hdf5::Hdf5,
    #[cfg(feature = "npz")]
    &npz::Npz,
    #[cfg(feature = "npz")]
    &npz::NpyPair,
    #[cfg(feature = "idx")]
    &idx::Idx,
    #[cfg(feature = "cifar")]
    &cifar::CIFAR10,
    #[cfg(feature = "cifar")]
    &cifar::CIFAR100,
    #[cfg(feature = "folder")]
    &folder::FLAT_FOLDER,
    #[cfg(feature = "folder")]
    &folder::CLASS_FOLDERS,
    #[cfg(all(feature = "csv", feature = "folder"))]
    &folder::FILE_TABLE,
    #[cfg(feature = "csv")]
    &csv::Csv,
];

/// Returns the names of the formats that are compiled in, in the order in which they are tried.
pub fn names() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.about().name).collect()
}

/// A file or folder of data whose format is known.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    path: &'a Path,
    format: &'static dyn Format,
}

impl<'a> Source<'a> {
    /// Finds the format of a folder or file by its content, whatever its name.
    ///
    /// # Errors
    /// [`DataError::NoSource`] when no format recognises what is there; [`DataError::Mismatch`]
    /// when the options ask for something that the format does not have.
    pub fn of(path: &'a Path, options: &Options) -> Result<Self, DataError> {
        let found = Found::at(path)?;
        for &format in FORMATS {
            if format.detect(&found)? {
                let source = Self { path, format };
                source.check(options)?;
                return Ok(source);
            }
        }
        let looked_for = FORMATS.iter().filter_map(|format| match &found {
            Found::Folder { .. } => format.about().in_folders,
            Found::File(_) => format.about().in_files,
        });
        Err(DataError::NoSource {
            path: path.into(),
            found: found.described(),
            looked_for: looked_for.collect::<Vec<_>>().join(", "),
        })
    }

    /// Makes a source of a path whose format is known by name.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when there is no such format, or the options ask for something that
    /// it does not have.
    pub fn of_format(path: &'a Path, format: &str, options: &Options) -> Result<Self, DataError> {
        let known = FORMATS.iter().copied().find(|known| known.about().name == format);
        let source =
            known.map(|format| Self { path, format }).ok_or_else(|| DataError::Mismatch {
                what: "format".into(),
                expected: names().join(", "),
                got: format.into(),
            })?;
        source.check(options)?;
        Ok(source)
    }

    /// Checks that the options ask for nothing that the format does not have.
    fn check(&self, options: &Options) -> Result<(), DataError> {
        let refuse = |what: &str, expected: &str| {
            Err(DataError::File {
                path: self.path.into(),
                what: what.into(),
                expected: expected.into(),
                got: self.format.about().name.into(),
            })
        };
        if options.names.is_some() && !self.format.about().has_names {
            return refuse("arrays to read by their names", "a file that holds them: HDF5 or .npz");
        }
        if options.label.is_some() && !self.format.about().has_columns {
            return refuse("column of the labels", "a table (CSV)");
        }
        Ok(())
    }

    /// Returns the name of the format.
    pub fn format(&self) -> &'static str {
        self.format.about().name
    }

    /// Returns whether the examples are image files of any size, which are decoded and prepared.
    pub fn has_image_files(&self) -> bool {
        self.format.about().has_image_files
    }

    /// Returns whether the source is one HDF5 file, whose examples can stay in the file while they
    /// are used.
    pub fn is_hdf5_file(&self) -> bool {
        self.format.about().name == "HDF5" && !self.path.is_dir()
    }

    /// Returns whether the examples are the rows of a table, with the numbers in it as their features.
    pub fn is_table(&self) -> bool {
        self.format.about().has_columns && !self.has_image_files()
    }

    /// Returns the files that the examples are read from.
    ///
    /// # Errors
    /// The fault of the source.
    pub fn files(&self, options: &Options) -> Result<Vec<PathBuf>, DataError> {
        self.format.files(self.path, options)
    }

    /// Passes the examples to a visitor, some at a time: memory limits neither their number nor the
    /// size of a file.
    ///
    /// # Errors
    /// The fault of the source, or the error of the visitor. Some examples may have been passed on
    /// by then.
    pub fn visit(
        &self,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        if options.rows == RowSelection::All || self.format.about().takes_rows {
            return self.format.visit(self.path, options, visitor);
        }
        self.format.visit(self.path, options, &mut OfRows::new(&options.rows, visitor))
    }

    /// Returns the splits that [`visit`](Self::visit) would pass on, without their examples, and
    /// the names of the classes.
    ///
    /// # Errors
    /// The fault of the source, as far as it shows without reading the examples.
    pub fn split_infos(
        &self,
        options: &Options,
    ) -> Result<(Vec<SplitInfo>, Vec<String>), DataError> {
        struct SplitInfos(Vec<SplitInfo>);
        impl Visitor for SplitInfos {
            fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
                self.0.push(part);
                Ok(false)
            }
            fn examples(&mut self, _: Batch<'_>) -> Result<(), DataError> {
                Ok(())
            }
        }
        let mut infos = SplitInfos(Vec::new());
        let Visited { classes, .. } = self.visit(options, &mut infos)?;
        Ok((infos.0, classes))
    }

    /// Reads all examples into memory. `progress` is called with how many are read and how many
    /// there are.
    ///
    /// # Errors
    /// The fault of the source; [`DataError::Limit`] before memory is allocated.
    pub fn open(
        &self,
        options: &Options,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Splits, DataError> {
        collect::collect(self.format, self.path, options, progress)
    }
}

/// Reads the data at a path into memory, whatever their format.
///
/// # Errors
/// As [`Source::of`] and [`Source::open`].
pub fn open(path: &Path, options: &Options) -> Result<Splits, DataError> {
    Source::of(path, options)?.open(options, &|_, _| ())
}

/// Passes the examples that [`open`] would read to a visitor, some at a time.
///
/// # Errors
/// As [`Source::of`] and [`Source::visit`].
pub fn visit(
    path: &Path,
    options: &Options,
    visitor: &mut dyn Visitor,
) -> Result<Visited, DataError> {
    Source::of(path, options)?.visit(options, visitor)
}
