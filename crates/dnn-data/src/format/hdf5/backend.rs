//! The interface to an HDF5 library, and the two libraries that implement it.

use super::error::Cause;
use crate::{Buffer, Limits, Number};
use std::fmt;
use std::ops::Range;

/// The library that reads HDF5. Both give the same values for the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// `hdf5-pure`, written in Rust; needs nothing installed. The default.
    Pure,
    /// The C library of the system. The default with the feature `libhdf5`, and only there with it.
    #[cfg(feature = "libhdf5")]
    CLibrary,
}

impl Default for Backend {
    fn default() -> Self {
        #[cfg(feature = "libhdf5")]
        return Self::CLibrary;
        #[cfg(not(feature = "libhdf5"))]
        return Self::Pure;
    }
}

/// The options of reading HDF5.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The limits of the memory that a file may ask for.
    pub limits: Limits,
    /// The library that reads the file.
    pub backend: Backend,
}

/// An open file. The caller checks type and extent by [`info`](Reader::info) before it reads:
/// both libraries convert silently and allocate whatever a damaged extent asks for.
///
/// Names are paths such as `group/x`, without a leading slash.
pub(super) trait Reader: Send {
    /// Returns the sorted paths of the datasets, and whether there are more than [`MAX_LISTED`] of them.
    fn list(&self) -> Result<(Vec<String>, bool), Cause>;
    /// Returns type, shape and storage of a dataset; `None` when there is no dataset of that name.
    fn info(&self, name: &str) -> Result<Option<DatasetInfo>, Cause>;
    /// Returns the number and the end of the chunks that were written.
    fn chunks_written(&self, name: &str) -> Result<ChunksWritten, Cause>;
    /// Returns the positions of the chunks, in the order of their rows, when each holds whole rows and
    /// all filters were applied to it; `None` when not, or when the library does not know.
    fn chunks_of_rows(&self, info: &DatasetInfo) -> Result<Option<Vec<PackedChunk>>, Cause> {
        let _ = info;
        Ok(None)
    }
    /// Reads all elements of a dataset of uint8.
    fn read_bytes(&self, name: &str) -> Result<Vec<u8>, Cause>;
    /// Reads some rows of a dataset of uint8, along its first dimension.
    fn read_byte_rows(&self, name: &str, rows: Range<u64>) -> Result<Vec<u8>, Cause> {
        let _ = (name, rows);
        Err("rows are read through the pure-Rust library".into())
    }
    /// Reads some rows of a dataset of floats, along its first dimension.
    fn read_float_rows(&self, name: &str, rows: Range<u64>) -> Result<Vec<f64>, Cause> {
        let _ = (name, rows);
        Err("rows are read through the pure-Rust library".into())
    }
    /// Reads all elements of a dataset of integers or booleans.
    fn read_integers(&self, name: &str, signed: bool) -> Result<Vec<i128>, Cause>;
    /// Reads all elements of a dataset of floats.
    fn read_floats(&self, name: &str) -> Result<Vec<f64>, Cause>;
    /// Reads all elements of a dataset of strings, with their padding; strings of variable length may
    /// have `max_bytes` altogether.
    fn read_strings(&self, info: &DatasetInfo, max_bytes: u64) -> Result<Vec<Vec<u8>>, Cause>;
}

/// At most so many datasets are listed, and so many groups entered: hard links can form cycles.
pub(super) const MAX_LISTED: usize = 1000;
/// Groups are entered to this depth.
pub(super) const MAX_DEPTH: usize = 16;

/// Type, shape and storage of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatasetInfo {
    pub(super) name: String,
    /// Extent of each dimension; none for a scalar.
    pub(super) shape: Vec<u64>,
    pub(super) element: Element,
    /// Bytes of an element in the file.
    pub(super) element_bytes: u64,
    pub(super) storage: Storage,
    /// Filters of the chunks, in the order in which they were applied.
    pub(super) filters: Vec<Filter>,
}

impl DatasetInfo {
    /// The type of the numbers of images.
    pub(super) fn number(&self) -> Number {
        match self.element {
            Element::Unsigned(1) => Number::Byte,
            Element::Float(4) => Number::F32,
            _ => Number::F64,
        }
    }

    /// Floats as they are kept: in the precision that the file has them in.
    pub(super) fn floats(&self, read: Vec<f64>) -> Buffer {
        match self.number() {
            Number::F64 => Buffer::F64(read),
            _ => Buffer::F32(read.into_iter().map(|value| value as f32).collect()),
        }
    }

    /// Bytes of a row in the file.
    pub(super) fn row_bytes(&self) -> u64 {
        self.shape.iter().skip(1).fold(self.element_bytes, |n, &d| n.saturating_mul(d))
    }

    /// Rows of a chunk, where there are chunks.
    pub(super) fn chunk_rows(&self) -> Option<u64> {
        match &self.storage {
            Storage::Chunked(chunk) => chunk.first().copied(),
            _ => None,
        }
    }
}

/// The type of an element in the file, apart from its byte order, which the library handles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    /// Unsigned integer of 1, 2, 4 or 8 bytes.
    Unsigned(u8),
    /// Signed integer of 1, 2, 4 or 8 bytes.
    Signed(u8),
    /// IEEE float of 4 or 8 bytes.
    Float(u8),
    /// NumPy's bool: an enumeration of FALSE and TRUE.
    Bool,
    /// String of this many bytes, padded.
    FixedString(u64),
    /// String whose bytes lie elsewhere in the file.
    VarString,
    /// Another type, in words.
    Other(String),
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(bytes) => write!(f, "uint{}", bytes * 8),
            Self::Signed(bytes) => write!(f, "int{}", bytes * 8),
            Self::Float(bytes) => write!(f, "float{}", bytes * 8),
            Self::Bool => write!(f, "bool"),
            Self::FixedString(bytes) => write!(f, "string of {bytes} bytes"),
            Self::VarString => write!(f, "string of variable length"),
            Self::Other(what) => write!(f, "{what}"),
        }
    }
}

/// The storage layout of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Storage {
    /// Compact: in the header of the dataset.
    Compact,
    /// Contiguous: in one piece.
    Contiguous {
        /// Byte of the file where it begins; `None` when nothing was ever written.
        address: Option<u64>,
        n_bytes: u64,
    },
    /// Chunked, in chunks of this shape.
    Chunked(Vec<u64>),
    /// External: in other files.
    Elsewhere,
}

/// The position of a chunk in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackedChunk {
    /// Its first row.
    pub(super) start: u64,
    /// Byte of the file where it begins.
    pub(super) address: u64,
    pub(super) n_bytes: u64,
}

/// The chunks of a dataset that are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunksWritten {
    /// The number of chunks.
    pub(super) n: u64,
    /// The byte of the file where the last chunk ends, when the library knows.
    pub(super) end: Option<u64>,
}

/// A filter of a chunked dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) id: u16,
    /// Whether the library can undo it.
    pub(super) available: bool,
}

impl Filter {
    pub(super) const DEFLATE: u16 = 1;
    pub(super) const SHUFFLE: u16 = 2;
    pub(super) const FLETCHER32: u16 = 3;
    pub(super) const SCALE_OFFSET: u16 = 6;
    pub(super) const LZF: u16 = 32000;
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.id {
            Self::DEFLATE => "gzip",
            Self::SHUFFLE => "shuffle",
            Self::FLETCHER32 => "fletcher32",
            4 => "szip",
            5 => "nbit",
            Self::SCALE_OFFSET => "scale-offset",
            Self::LZF => "lzf",
            32001 => "blosc",
            32004 => "lz4",
            32015 => "zstd",
            id => return write!(f, "filter {id}"),
        };
        f.write_str(name)
    }
}
