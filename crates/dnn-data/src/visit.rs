//! Examples as they are read, some at a time: for data that memory does not hold.

use crate::{DataError, InputContract, Number, Values};
use dnn_core::split::Shard;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::PathBuf;

/// The size of every image of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Bytes of a pixel: 3 (red, green, blue) or 1 (grey).
    pub channels: usize,
}

impl ImageShape {
    /// Returns the number of bytes of one image, height · width · channels; of other numbers than
    /// bytes, how many there are.
    pub fn n_bytes(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Returns the size of the images that a contract asks for.
    pub fn of(contract: &InputContract) -> Self {
        let [height, width, channels] =
            [contract.height, contract.width, contract.channels].map(|n| n as usize);
        Self { height, width, channels }
    }

    /// Returns the contract under which images of this size become features without being resized.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when no contract has this size.
    pub fn contract(&self) -> Result<InputContract, DataError> {
        let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let [width, height, channels] = [self.width, self.height, self.channels].map(side);
        let usual = InputContract::default();
        let contract = InputContract { width, height, channels, ..usual };
        contract.check().map(|()| contract).map_err(|e| DataError::Mismatch {
            what: "size of the images".into(),
            expected: format!("1 to {} pixels a side, 1 or 3 channels", InputContract::MAX_SIDE),
            got: e.to_string(),
        })
    }
}

impl std::fmt::Display for ImageShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.height, self.width, self.channels)
    }
}

/// The name of a split: which part of a data set it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitName {
    /// The training set.
    Train,
    /// The validation set: examples that a network is judged by while it is trained.
    Validation,
    /// The test set.
    Test,
    /// All examples of a source that has no splits.
    Unsplit,
}

impl SplitName {
    /// The splits that a source can have.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Returns the word that datasets and columns of this split are named by: `train`, `validation`
    /// or `test`. Unsplit examples are training examples.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train | Self::Unsplit => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// Returns what the split is called in a sentence: "the training set".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Train => "the training set",
            Self::Validation => "the validation set",
            Self::Test => "the test set",
            Self::Unsplit => "the data",
        }
    }

    /// Returns the split that a word in the name of a file or folder means.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Some(match word.to_lowercase().as_str() {
            "train" | "training" | "trainset" => Self::Train,
            "val" | "valid" | "validation" | "dev" => Self::Validation,
            "test" | "testing" | "testset" | "t10k" => Self::Test,
            _ => return None,
        })
    }

    /// Returns the split that the name of a file or folder contains as one of its words:
    /// `train_signs`, `test set`, `validation-images`. `None` when it contains none, or more than
    /// one.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let mut found = name.split(|c: char| !c.is_alphanumeric()).filter_map(Self::of_word);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}

impl std::fmt::Display for SplitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What is known of a split of a source before its examples are read.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitInfo {
    /// Which split it is.
    pub split: SplitName,
    /// The size of every image.
    pub shape: ImageShape,
    /// The number of examples; image files that cannot be used still count.
    pub n: usize,
    /// The type of the numbers that the images consist of.
    pub number: Number,
    /// The contract that the images were prepared by, where the source says so.
    pub contract: Option<InputContract>,
    /// The file or folder that the split is read from.
    pub path: Option<PathBuf>,
}

/// Some examples of a split, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch<'a> {
    /// The numbers of the examples, (n, height, width, channels), row by row.
    pub values: Values<'a>,
    /// Class index of each example, (n).
    pub labels: &'a [u32],
    /// The file of each example, (n), where each has its own; otherwise empty.
    pub files: &'a [PathBuf],
}

/// A receiver of examples, in the order in which a source has them.
///
/// Each split is begun once, and all its examples follow, of one size and one type of numbers.
pub trait Visitor {
    /// Announces a split. Its examples follow when the visitor returns `true`; when it returns
    /// `false`, the split is skipped.
    ///
    /// # Errors
    /// The reason why the visitor cannot take the examples; reading ends then.
    fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError>;

    /// Takes some examples of the split that was begun last.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError>;

    /// Returns the pixels that were taken so far, for a source that can append the next ones without a copy
    /// in between: it passes on their labels after that, with no values. `None`, the default, is from
    /// a visitor that takes values, or examples of other numbers than bytes.
    fn pixels(&mut self) -> Option<&mut Vec<u8>> {
        None
    }
}

/// Which examples of each split are passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RowSelection {
    /// All of them.
    #[default]
    All,
    /// The [share](Shard::range) of one of several processes that read a source together.
    Shard(Shard),
    /// Those at these places, from 0; image files that cannot be used still count.
    Range(Range<usize>),
}

impl RowSelection {
    /// Returns the places of the examples in a split of `n`.
    pub fn of(&self, n: usize) -> Range<usize> {
        match self {
            Self::All => 0..n,
            Self::Shard(shard) => shard.range(n),
            Self::Range(range) => range.start.min(n)..range.end.min(n),
        }
    }
}

/// A visitor that passes some rows on to another. A split without such rows is not begun.
pub(crate) struct OfRows<'v> {
    rows: &'v RowSelection,
    inner: &'v mut dyn Visitor,
    /// What is left of the rows of the split, counted from the next example.
    left: Range<usize>,
    n_values: usize,
}

impl<'v> OfRows<'v> {
    pub(crate) fn new(rows: &'v RowSelection, inner: &'v mut dyn Visitor) -> Self {
        Self { rows, inner, left: 0..0, n_values: 0 }
    }
}

impl Visitor for OfRows<'_> {
    fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
        self.left = self.rows.of(part.n);
        self.n_values = part.shape.n_bytes();
        let n = self.left.len();
        Ok(n > 0 && self.inner.begin(SplitInfo { n, ..part })?)
    }

    fn examples(&mut self, Batch { values, labels, files }: Batch<'_>) -> Result<(), DataError> {
        let n = values.len() / self.n_values;
        let own = self.left.start.min(n)..self.left.end.min(n);
        self.left = self.left.start.saturating_sub(n)..self.left.end.saturating_sub(n);
        if own.is_empty() {
            return Ok(());
        }
        let values = values.slice(own.start * self.n_values..own.end * self.n_values);
        // Without labels or files there are none to cut.
        let labels = labels.get(own.clone()).unwrap_or_default();
        let files = files.get(own).unwrap_or_default();
        self.inner.examples(Batch { values, labels, files })
    }
}

/// About how many bytes are read at a time.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// Returns how many rows of this many bytes are read at a time.
pub(crate) fn block_rows(row_bytes: usize) -> usize {
    (BLOCK_BYTES / row_bytes.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_split_are_parts_of_names() {
        for (name, split) in [
            ("train", Some(SplitName::Train)),
            ("training_set", Some(SplitName::Train)),
            ("val_signs", Some(SplitName::Validation)),
            ("Test Set", Some(SplitName::Test)),
            ("test_batch.bin", Some(SplitName::Test)),
            ("trains", None),
            ("cats", None),
            ("train_test", None),
            ("contest", None),
        ] {
            assert_eq!(SplitName::of_name(name), split, "{name}");
        }
    }
}
