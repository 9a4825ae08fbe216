//! The images of all splits under one numbering.

use super::report::ImageRef;
use crate::{ImageSet, ImageShape, SplitName, Splits, Values};
use std::hash::{Hash, Hasher};

/// The images of the training set, then those of the sets that a network is judged by.
#[derive(Debug, Clone)]
pub(super) struct AllImages<'a> {
    sets: Vec<(SplitName, &'a ImageSet)>,
    n_train: usize,
    n: usize,
}

impl<'a> AllImages<'a> {
    /// # Panics
    /// When there is no set: `Splits::check` comes first.
    pub(super) fn of(splits: &'a Splits) -> Self {
        let set = |name| splits.get(name).map(|set| (name, set));
        let sets: Vec<_> = SplitName::ALL.into_iter().filter_map(set).collect();
        assert!(!sets.is_empty(), "splits that were checked");
        let n = sets.iter().map(|(_, set)| set.len()).sum();
        Self { n_train: splits.train().map_or(0, |set| set.len()), sets, n }
    }

    pub(super) fn len(&self) -> usize {
        self.n
    }

    pub(super) fn shape(&self) -> ImageShape {
        self.sets[0].1.shape()
    }

    pub(super) fn classes(&self) -> &'a [String] {
        self.sets[0].1.classes()
    }

    /// The set of image `i`, and its index there.
    fn place(&self, i: usize) -> (SplitName, &'a ImageSet, usize) {
        let mut index = i;
        for &(name, set) in &self.sets {
            if index < set.len() {
                return (name, set, index);
            }
            index -= set.len();
        }
        unreachable!("image {i} of {}", self.n)
    }

    pub(super) fn at(&self, i: usize) -> ImageRef {
        let (split, set, index) = self.place(i);
        ImageRef { split, index, label: set.labels()[index] }
    }

    pub(super) fn is_train(&self, i: usize) -> bool {
        i < self.n_train
    }

    /// The bytes that show image `i`.
    pub(super) fn bytes(&self, i: usize) -> &'a [u8] {
        let (_, set, index) = self.place(i);
        set.image(index)
    }

    pub(super) fn content(&self, i: usize) -> Content<'a> {
        let (_, set, index) = self.place(i);
        let n = set.shape().n_bytes();
        Content(set.values().slice(index * n..(index + 1) * n))
    }
}

/// What an image is, apart from its label. Numbers are finite: `ImageSet` saw to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Content<'a>(pub(super) Values<'a>);

impl Eq for Content<'_> {}

impl Hash for Content<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Values::Bytes(bytes) => state.write(bytes),
            // −0 is equal to 0, and must have its hash.
            numbers => numbers.for_each(|f| state.write_u64((f + 0.0).to_bits())),
        }
    }
}
