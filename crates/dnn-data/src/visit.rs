//! Examples as they are read, some at a time: for data that memory does not hold.

use crate::{DataError, ImageShape, InputContract, Number, SplitName, Values};
use std::path::PathBuf;

/// One split of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Which one.
    pub split: SplitName,
    /// Size of every image.
    pub shape: ImageShape,
    /// How many examples it has, at most.
    pub n: usize,
    /// The type of the numbers that the images are made of.
    pub number: Number,
    /// The contract that the images were prepared by, where the source says so.
    pub contract: Option<InputContract>,
    /// The file or folder that it is read from.
    pub path: Option<PathBuf>,
}

/// Some examples, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch<'a> {
    /// (n, height, width, channels), row by row.
    pub values: Values<'a>,
    /// Class of each, (n).
    pub labels: &'a [u32],
    /// The file of each, (n), where each has its own; else none.
    pub files: &'a [PathBuf],
}

/// What takes examples in the order in which a source has them.
///
/// Each split is begun once, and all its examples follow, of one size and one type of numbers.
pub trait Visitor {
    /// The examples of this split follow; or they do not, when the answer is `false`.
    ///
    /// # Errors
    /// What keeps the visitor from taking them; reading ends then.
    fn begin(&mut self, part: Part) -> Result<bool, DataError>;

    /// Takes some examples.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError>;
}

/// About so much is read at a time.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// How many rows of so many bytes are read at a time.
pub(crate) fn block_rows(row_bytes: usize) -> usize {
    (BLOCK_BYTES / row_bytes.max(1)).max(1)
}
