//! What an audit found, in plain data.

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
    /// Counts and colours of the training set, then of the test set, of those that are there.
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
    /// Whether a test image is in the training set or a picture has more than one label: what makes
    /// a test worthless or a training contradict itself.
    pub fn has_conflicts(&self) -> bool {
        self.leaks.total > 0 || self.contradictions.total > 0
    }
}

/// The first entries of a list, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// Of all entries.
    pub total: usize,
    /// The first of them.
    pub listed: Vec<T>,
}

impl<T> Listed<T> {
    pub(super) fn of(mut all: Vec<T>, max: usize) -> Self {
        let total = all.len();
        all.truncate(max);
        Self { total, listed: all }
    }

    /// How many entries are not listed.
    pub fn n_more(&self) -> usize {
        self.total - self.listed.len()
    }
}

/// Where an image is, and what it is called.
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
    /// Why.
    pub reason: String,
}

/// Counts and colours of one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitAudit {
    /// Which set.
    pub split: SplitName,
    /// The file or folder it is from.
    pub path: Option<PathBuf>,
    /// Number of images.
    pub n_images: usize,
    /// Images of each class.
    pub class_counts: Vec<usize>,
    /// Classes without an image in this set.
    pub without_images: Vec<u32>,
    /// The largest class against the smallest, of those that have images.
    pub imbalance: Imbalance,
    /// Mean and deviation of each channel, as features: bytes divided by 255, other numbers as they
    /// are.
    pub channels: Vec<Channel>,
    /// Mean brightness of the images of each class, in the same measure.
    pub brightness: Vec<Option<f64>>,
}

/// The largest class against the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Imbalance {
    /// The class with most images.
    pub largest: u32,
    /// The class with fewest, but at least one.
    pub smallest: u32,
    /// Images of the largest for each of the smallest.
    pub ratio: f64,
    /// Whether the ratio is above the one that was asked for.
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

/// Groups of images that are the same, or nearly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Duplicates {
    /// Images in all groups together.
    pub n_images: usize,
    /// The groups, largest first.
    pub groups: Listed<Group>,
}

/// Images that are the same picture.
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

/// What became of the search for near duplicates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Near {
    /// Not asked for.
    Off,
    /// The images are too small to be compared by what they show: a table, for example.
    TooSmall {
        /// Pixels that each side should have.
        min_side: usize,
    },
    /// They were looked for.
    Searched(Searched),
}

/// The near duplicates that were found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Searched {
    /// Bits in which the hashes of a pair may differ.
    pub distance: u32,
    /// Images that show too little to be compared: only their pixels were.
    pub n_flat: usize,
    /// Whether all pairs within the distance were looked at; not where they are too many.
    pub complete: bool,
    /// Groups of which not all have the same pixels.
    #[serde(flatten)]
    pub duplicates: Duplicates,
}

/// A test image that is in the training set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Leak {
    /// The test image.
    pub test: ImageRef,
    /// The training image most like it.
    pub train: ImageRef,
    /// How many training images are like it.
    pub n_train: usize,
    /// How alike the two are.
    #[serde(flatten)]
    pub likeness: Likeness,
}

/// How alike two images are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "likeness", rename_all = "kebab-case")]
pub enum Likeness {
    /// The same pixels.
    Same,
    /// Nearly the same picture.
    Near {
        /// Bits in which their hashes differ.
        distance: u32,
        /// What remains of one when the other is taken away, as a share of the contrast.
        difference: f32,
    },
}
