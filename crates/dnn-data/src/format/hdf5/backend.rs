//! What this crate needs of an HDF5 library, and which libraries there are.

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

/// How HDF5 is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What a file may ask for.
    pub limits: Limits,
    /// The library that reads.
    pub backend: Backend,
}

/// An open file. The caller checks type and extent by [`info`](Reader::info) before it reads:
/// both libraries convert silently and allocate whatever a damaged extent asks for.
///
/// Names are paths such as `group/x`, without a leading slash.
pub(super) trait Reader: Send {
    /// Paths of the datasets, sorted, and whether there are more than [`MAX_LISTED`] of them.
    fn list(&self) -> Result<(Vec<String>, bool), Cause>;
    /// What a dataset is, without reading its data; `None` when there is no dataset of that name.
    fn info(&self, name: &str) -> Result<Option<DatasetInfo>, Cause>;
    /// The chunks that were written.
    fn chunks_written(&self, name: &str) -> Result<ChunksWritten, Cause>;
    /// Where the chunks lie, in the order of their rows, when each holds whole rows and all filters
    /// were applied to it; `None` when not, or when the library does not tell.
    fn chunks_of_rows(&self, info: &DatasetInfo) -> Result<Option<Vec<PackedChunk>>, Cause> {
        let _ = info;
        Ok(None)
    }
    /// All elements of a dataset of uint8.
    fn read_bytes(&self, name: &str) -> Result<Vec<u8>, Cause>;
    /// Some rows of a dataset of uint8, along its first dimension.
    fn read_byte_rows(&self, name: &str, rows: Range<u64>) -> Result<Vec<u8>, Cause> {
        let _ = (name, rows);
        Err("rows are read through the pure-Rust library".into())
    }
    /// Some rows of a dataset of floats, along its first dimension.
    fn read_float_rows(&self, name: &str, rows: Range<u64>) -> Result<Vec<f64>, Cause> {
        let _ = (name, rows);
        Err("rows are read through the pure-Rust library".into())
    }
    /// All elements of a dataset of integers or booleans.
    fn read_integers(&self, name: &str, signed: bool) -> Result<Vec<i128>, Cause>;
    /// All elements of a dataset of floats.
    fn read_floats(&self, name: &str) -> Result<Vec<f64>, Cause>;
    /// All elements of a dataset of strings, of together at most `max_bytes` where they are of
    /// variable length; padding may still be there.
    fn read_strings(&self, info: &DatasetInfo, max_bytes: u64) -> Result<Vec<Vec<u8>>, Cause>;
}

/// At most so many datasets are listed, and so many groups entered: hard links can form cycles.
pub(super) const MAX_LISTED: usize = 1000;
/// Groups are entered to this depth.
pub(super) const MAX_DEPTH: usize = 16;

/// What a dataset is.
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

/// How an element is stored. Byte order is the library's business.
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
    /// Anything else, described.
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

/// Where the elements lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Storage {
    /// In the description of the dataset itself.
    Compact,
    /// In one piece.
    Contiguous {
        /// Whether anything was ever written.
        written: bool,
    },
    /// In chunks of this shape.
    Chunked(Vec<u64>),
    /// In other files.
    Elsewhere,
}

/// A chunk as it lies in the file.
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
    /// Number of them.
    pub(super) n: u64,
    /// Byte of the file where the last one ends, when the library tells.
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
