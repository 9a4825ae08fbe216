//! Images and labels in HDF5, the format of the course's data.
//!
//! The course's schema is `train_set_x` (m, height, width, 3) of uint8, `train_set_y` (m) of
//! integers, `list_classes` of strings, and `test_set_x`, `test_set_y` likewise, in one file or in
//! two. [`write_splits`] writes the schema and [`describe`] says what is in a file. What else is
//! accepted, and what is refused, is in `docs/data-formats.md`.
//!
//! Nothing is read before its type and extent are known to be right and within [`Limits`](crate::Limits).

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
mod writer;

pub use backend::{Backend, Options};
pub use describe::{DatasetSummary, Description, describe};
pub use error::Hdf5Error;
pub(super) use schema::Hdf5;
pub use schema::of_course;
pub use stream::Stream;
pub use writer::{Contents, Factor, FactorValues, Factors, Writer, load_factors, write_splits};
