//! The result of an audit, as plain data.

use crate::{ImageShape, SplitName};
use serde::Serialize;
use std::path::PathBuf;

/// The findings of an audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// Size of all images.
    pub shape: ImageShape,
    /// Names of the classes; labels are indices into them.
    pub classes: Vec<String>,
    /// Counts and colours of each set that exists, the training set first.
    pub splits: Vec<SplitAudit>,
    /// Files that could not be read.
    pub unreadable: Listed<Unreadable>,
    /// Images of one colour only.
    pub constant: Listed<ImageRef>,
    /// Images with the same pixels.
    pub exact: Duplicates,
    /// Images that are nearly the same.
    pub near: Near,
    /// Test images that are in the training set, those with the same pixels first.
    pub leaks: Listed<Leak>,
    /// The same picture with more than one label, the same pixels first.
    pub contradictions: Listed<Group>,
}

impl Audit {
    /// Returns whether a test image is in the training set or an image has more than one label.
    pub fn has_conflicts(&self) -> bool {
        self.leaks.total > 0 || self.contradictions.total > 0
    }
}

/// The first entries of a list and their total number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// The number of all entries.
    pub total: usize,
    /// The first entries.
    pub listed: Vec<T>,
}

impl<T> Listed<T> {
    pub(super) fn of(mut all: Vec<T>, max: usize) -> Self {
        let total = all.len();
        all.truncate(max);
        Self { total, listed: all }
    }

    /// Returns the number of entries that are not listed.
    pub fn n_more(&self) -> usize {
        self.total - self.listed.len()
    }
}

/// The place and label of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ImageRef {
    /// The set.
    pub split: SplitName,
    /// Its index in the set.
    pub index: usize,
    /// Index of its class.
    pub label: u32,
}

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// The error.
    pub reason: String,
}

/// Counts and colours of one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitAudit {
    /// The name of the set.
    pub split: SplitName,
    /// The file or folder of the set.
    pub path: Option<PathBuf>,
    /// Number of images.
    pub n_images: usize,
    /// Images of each class.
    pub class_counts: Vec<usize>,
    /// Classes without an image in this set.
    pub without_images: Vec<u32>,
    /// The ratio of the largest class to the smallest, of those that have images.
    pub imbalance: Imbalance,
    /// Mean and deviation of each channel, as features: bytes divided by 255, other numbers as they
    /// are.
    pub channels: Vec<Channel>,
    /// Mean brightness of the images of each class, in the same measure.
    pub brightness: Vec<Option<f64>>,
}

/// The ratio of the largest class to the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Imbalance {
    /// The class with most images.
    pub largest: u32,
    /// The class with fewest, but at least one.
    pub smallest: u32,
    /// The number of images of the largest class divided by that of the smallest.
    pub ratio: f64,
    /// Whether the ratio is above the limit of the options.
    pub flagged: bool,
}

/// A channel over all pixels of a set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Channel {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub std: f64,
}

/// Groups of duplicate or nearly duplicate images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Duplicates {
    /// Images in all groups together.
    pub n_images: usize,
    /// The groups, largest first.
    pub groups: Listed<Group>,
}

/// A group of images that show the same picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Whether all have the same pixels.
    pub same_pixels: bool,
    /// The images: a training image before a test image, then by index.
    pub images: Listed<ImageRef>,
    /// An image that differs from the first, in label if this is a contradiction, else in pixels
    /// where there is one.
    pub other: ImageRef,
}

/// The outcome of the search for near duplicates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Near {
    /// The search was not asked for.
    Off,
    /// The images are too small to be compared, or the data are a table.
    TooSmall {
        /// The number of pixels that each side must have.
        min_side: usize,
    },
    /// The search was done.
    Searched(Searched),
}

/// The near duplicates that were found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Searched {
    /// The number of bits in which the hashes of a pair may differ.
    pub distance: u32,
    /// The number of images of too little contrast, of which only exact duplicates are found.
    pub n_flat: usize,
    /// Whether all pairs within the distance were compared, which fails where they are too many.
    pub complete: bool,
    /// The groups whose images do not all have the same pixels.
    #[serde(flatten)]
    pub duplicates: Duplicates,
}

/// A test image that is in the training set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Leak {
    /// The test image.
    pub test: ImageRef,
    /// The most similar training image.
    pub train: ImageRef,
    /// The number of training images that match it.
    pub n_train: usize,
    /// The similarity of the two images.
    #[serde(flatten)]
    pub likeness: Likeness,
}

/// The similarity of two images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "likeness", rename_all = "kebab-case")]
pub enum Likeness {
    /// The same pixels.
    Same,
    /// Nearly the same image.
    Near {
        /// The number of bits in which their hashes differ.
        distance: u32,
        /// The contrast of the difference of the two, as a share of their own contrast.
        difference: f32,
    },
}
