//! Images and labels in HDF5, the format of the course's data.
//!
//! The course's schema is `train_set_x` (m, height, width, 3) of uint8, `train_set_y` (m) of
//! integers, `list_classes` of strings, and `test_set_x`, `test_set_y` likewise, in one file or in
//! two. [`load_pair`] takes a folder, [`load_file`] a file, [`load_named`] any two datasets;
//! [`write_splits`] writes the schema and [`describe`] says what is in a file. What else is
//! accepted, and what is refused, is in `docs/data-formats.md`.
//!
//! Nothing is read before its type and extent are known to be right and within [`Limits`].

mod backend;
mod checks;
#[cfg(feature = "libhdf5")]
mod clib;
mod describe;
mod error;
mod file;
mod folder;
mod pure;
mod schema;
mod sniff;
mod stream;
mod write;
mod writer;

pub use crate::{Limits, Names};
pub use backend::Backend;
pub use describe::{DatasetSummary, Description, describe};
pub use error::Hdf5Error;
pub(crate) use folder::is_in;
pub use folder::load_pair;
pub(crate) use schema::{files, visit};
pub use schema::{load_file, load_named, of_course};
pub use stream::{Stream, StreamedExamples};
pub use write::{Factor, FactorValues, Factors, load_factors, write_splits};
pub use writer::{Contents, Writer};

/// Whether a file has the signature of HDF5 where it may be.
pub(crate) fn is_hdf5(path: &std::path::Path) -> Result<bool, crate::DataError> {
    let mut input = crate::file::InputFile::open(path)?;
    sniff::is_hdf5(&mut input.file, input.n_bytes).map_err(crate::file::io(path, "read"))
}

/// How HDF5 is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What a file may ask for.
    pub limits: Limits,
    /// The library that reads.
    pub backend: Backend,
}
