//! The images of both splits under one numbering.

use super::report::{ImageRef, Split};
use crate::{ImageSet, ImageShape, Splits};
use std::hash::{Hash, Hasher};

/// The images of the training set, then those of the test set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Images<'a> {
    train: Option<&'a ImageSet>,
    test: Option<&'a ImageSet>,
    n_train: usize,
    any: &'a ImageSet,
}

impl<'a> Images<'a> {
    /// # Panics
    /// When there is no set: `Splits::check` comes first.
    pub(super) fn of(splits: &'a Splits) -> Self {
        let (train, test) = (splits.train.as_ref(), splits.test.as_ref());
        let any = train.or(test).expect("splits that were checked");
        Self { train, test, n_train: train.map_or(0, ImageSet::len), any }
    }

    pub(super) fn len(&self) -> usize {
        self.n_train + self.test.map_or(0, ImageSet::len)
    }

    pub(super) fn shape(&self) -> ImageShape {
        self.any.shape()
    }

    pub(super) fn classes(&self) -> &'a [String] {
        self.any.classes()
    }

    /// The set of image `i`, and its index there.
    fn place(&self, i: usize) -> (Split, &'a ImageSet, usize) {
        match (self.train, self.test) {
            (Some(train), _) if i < self.n_train => (Split::Train, train, i),
            (_, Some(test)) => (Split::Test, test, i - self.n_train),
            _ => unreachable!("image {i} of {}", self.len()),
        }
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
        match set.floats() {
            Some(floats) => Content::Floats(&floats[index * n..][..n]),
            None => Content::Bytes(set.image(index)),
        }
    }
}

/// What an image is, apart from its label. Numbers are finite: `ImageSet` saw to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Content<'a> {
    Bytes(&'a [u8]),
    Floats(&'a [f32]),
}

impl Eq for Content<'_> {}

impl Hash for Content<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Bytes(bytes) => state.write(bytes),
            // −0 is equal to 0, and must have its hash.
            Self::Floats(floats) => {
                floats.iter().for_each(|f| state.write_u32((f + 0.0).to_bits()));
            }
        }
    }
}
