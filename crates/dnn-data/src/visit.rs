//! Examples as they are read, some at a time: for data that memory does not hold.

use crate::InputContract;
use crate::{DataError, ImageShape, SplitName};

/// What examples are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// Bytes of pixels.
    Bytes(&'a [u8]),
    /// Numbers that are no bytes.
    Floats(&'a [f32]),
}

impl Values<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
    /// The contract that the images were prepared by, where the source says so.
    pub contract: Option<InputContract>,
}

/// What takes examples in the order in which a source has them.
///
/// Each split is begun once, and all its examples follow, of one size and one kind of values.
pub trait Visitor {
    /// The examples of this split follow; or they do not, when the answer is `false`.
    ///
    /// # Errors
    /// What keeps the visitor from taking them; reading ends then.
    fn begin(&mut self, part: Part) -> Result<bool, DataError>;

    /// Takes some examples.
    ///
    /// # Shapes
    /// `values` (n, height, width, channels), row by row; `labels` (n).
    /// # Errors
    /// As [`begin`](Self::begin).
    fn examples(&mut self, values: Values<'_>, labels: &[u32]) -> Result<(), DataError>;
}

/// About so much is read at a time.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// How many rows of so many bytes are read at a time.
pub(crate) fn block_rows(row_bytes: usize) -> usize {
    (BLOCK_BYTES / row_bytes.max(1)).max(1)
}

/// The classes of sets that were read apart, the same for all: those that call theirs by their indices alone take
/// the names, and the number, of the others.
///
/// # Errors
/// [`DataError::Mismatch`] when they have different names.
pub fn shared_classes(sets: Vec<Vec<String>>) -> Result<Vec<String>, DataError> {
    let is_named =
        |classes: &[String]| classes.iter().enumerate().any(|(i, name)| *name != i.to_string());
    let mut shared: Vec<String> = Vec::new();
    for classes in sets {
        let (more, fewer) =
            if classes.len() > shared.len() || is_named(&classes) && !is_named(&shared) {
                (classes, shared)
            } else {
                (shared, classes)
            };
        if is_named(&fewer) && fewer != more || fewer.len() > more.len() {
            return Err(DataError::Mismatch {
                what: "classes of the splits".into(),
                expected: "the same ones".into(),
                got: format!("{} and {}", more.join(", "), fewer.join(", ")),
            });
        }
        shared = more;
    }
    Ok(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_take_the_names_of_others() {
        let shared = |sets: &[&[&str]]| {
            let own = |set: &&[&str]| set.iter().copied().map(String::from).collect();
            shared_classes(sets.iter().map(own).collect())
        };
        for sets in [&[&["0", "1"][..], &["a", "b", "c"]][..], &[&["a", "b", "c"], &["0", "1"]]] {
            assert_eq!(shared(sets).expect("alike"), ["a", "b", "c"]);
        }
        assert_eq!(shared(&[&["0", "1"], &["0", "1", "2"]]).expect("alike"), ["0", "1", "2"]);
        assert!(shared(&[&["a", "b"], &["a", "c"]]).is_err());
        assert!(shared(&[&["a", "b"], &["0", "1", "2"]]).is_err());
    }
}
