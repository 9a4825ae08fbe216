//! Examples as they are read, some at a time: for data that memory does not hold.

use crate::{DataError, InputContract, Number, Values};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Size of every image of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct ImageShape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Bytes of a pixel: 3 (red, green, blue) or 1 (grey).
    pub channels: usize,
}

impl ImageShape {
    /// Bytes of one image.
    pub fn n_bytes(&self) -> usize {
        self.height * self.width * self.channels
    }
}

impl ImageShape {
    /// The size of images that a contract asks for.
    pub fn of(contract: &InputContract) -> Self {
        let [height, width, channels] =
            [contract.height, contract.width, contract.channels].map(|n| n as usize);
        Self { height, width, channels }
    }

    /// The contract under which images of this size are features as they are.
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

/// Which part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitName {
    /// To train on.
    Train,
    /// To judge by while training.
    Validation,
    /// To test on.
    Test,
    /// All of it: the source makes no such difference.
    Unsplit,
}

impl SplitName {
    /// The splits that a source can tell apart.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// What datasets and columns of this split are called by: `train`, `validation`, `test`; all of a
    /// source that makes no difference is to train on.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train | Self::Unsplit => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The split in a sentence: "the training set".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Train => "the training set",
            Self::Validation => "the validation set",
            Self::Test => "the test set",
            Self::Unsplit => "the data",
        }
    }

    /// The split that one of these words means, as part of the name of a file or folder.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Some(match word.to_lowercase().as_str() {
            "train" | "training" | "trainset" => Self::Train,
            "val" | "valid" | "validation" | "dev" => Self::Validation,
            "test" | "testing" | "testset" | "t10k" => Self::Test,
            _ => return None,
        })
    }

    /// The split that the name of a file or folder says, as one of its parts: `train_signs`,
    /// `test set`, `validation-images`. `None` when it says none, or more than one.
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
