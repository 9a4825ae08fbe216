//! Drawn images of cats and of other things: data that need no files.
//!
//! [`draw`] makes a train and a test set of labelled images with the shape of the course's own
//! (64×64 RGB, "non-cat" and "cat"). What the course names as causes of error is a recorded number
//! of every image: its [`Factors`].
//!
//! # The promise
//! - One image is a function of (seed, split, index) and its size: a larger set begins with the
//!   smaller one.
//! - The bytes are the same on every platform with IEEE 754 doubles: choices come from
//!   Xoshiro256++ through conversions of our own, and pixels are computed with correctly rounded
//!   operations alone. Tests pin them. A release that changes them says so in the changelog.

#![allow(clippy::unreadable_literal)] // colours are read as 0xRRGGBB

mod animals;
mod body;
mod canvas;
mod cat;
mod coat;
mod creatures;
mod dice;
mod factors;
mod geometry;
mod kind;
mod nature;
mod palette;
mod plan;
mod scene;
mod shape;
mod things;

pub use factors::{Cause, Factors, Posture};
pub use kind::Kind;
pub use plan::{DrawnSet, Plan};

use crate::{DataError, ImageSet, ImageShape};
use serde::{Deserialize, Serialize};

/// Why nothing was drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// The pictures would be too small to show anything, or needlessly large.
    #[error(
        "drawn images: a size of {got} pixels; must be {} to {}",
        Plan::SIDES.start(),
        Plan::SIDES.end()
    )]
    Size {
        /// The pixels a side that were asked for.
        got: usize,
    },
    /// A set would be empty or too large for memory.
    #[error(
        "drawn images: {got} images of {size}×{size} pixels to {split}; \
         must be at least 1 and at most {most}"
    )]
    Count {
        /// "train" or "test".
        split: &'static str,
        /// The number of images that was asked for.
        got: usize,
        /// Pixels a side.
        size: usize,
        /// The most images of this size that can be drawn.
        most: usize,
    },
    /// A factor was set outside its range.
    #[error("drawn images: {name} is {got}; must be {least} to {most}")]
    Factor {
        /// The factor.
        name: &'static str,
        /// Its least value.
        least: f64,
        /// Its greatest value.
        most: f64,
        /// The value.
        got: f64,
    },
}

/// How many images are drawn, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DrawOptions {
    /// Training images to draw.
    #[schemars(extend("x-flag" = "draw-train"))]
    #[serde(rename = "train")]
    pub n_train: usize,
    /// Test images to draw.
    #[schemars(extend("x-flag" = "draw-test"))]
    #[serde(rename = "test")]
    pub n_test: usize,
    /// Seed of the drawn images.
    #[schemars(extend("x-flag" = "draw-seed"))]
    pub seed: u64,
    /// Pixels a side of the drawn images.
    #[schemars(extend("x-flag" = "draw-size"))]
    pub size: usize,
}

impl Default for DrawOptions {
    /// The numbers of the course: 209 training and 50 test images of 64×64 pixels.
    fn default() -> Self {
        Self { n_train: 209, n_test: 50, seed: 1, size: 64 }
    }
}

/// A drawn training and test set, with the factors of each image.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The training images.
    pub train: ImageSet,
    /// The test images.
    pub test: ImageSet,
    /// The factors of each image of [`train`](Self::train).
    pub train_factors: Vec<Factors>,
    /// The factors of each image of [`test`](Self::test).
    pub test_factors: Vec<Factors>,
}

/// The most bytes of one drawn set: 1 GiB.
const MAX_SET_BYTES: usize = 1 << 30;

/// Draws a training and a test set with the class balance of the course's: a third of the training
/// images and two thirds of the test images are cats (each to within one image).
///
/// # Shapes
/// `train` (n_train, size, size, 3), `test` (n_test, size, size, 3); classes "non-cat" (0) and
/// "cat" (1).
/// # Errors
/// [`SyntheticError`], as [`DataError::Synthetic`], when the size is not in [`Plan::SIDES`], a set
/// would be empty, or one would be larger than 1 GiB.
pub fn draw(options: &DrawOptions) -> Result<Drawn, DataError> {
    let DrawOptions { n_train, n_test, seed, size } = *options;
    let (train, train_factors) = set(seed, DrawnSet::Train, n_train, size)?;
    let (test, test_factors) = set(seed, DrawnSet::Test, n_test, size)?;
    Ok(Drawn { train, test, train_factors, test_factors })
}

fn set(
    seed: u64,
    split: DrawnSet,
    n: usize,
    size: usize,
) -> Result<(ImageSet, Vec<Factors>), DataError> {
    if !Plan::SIDES.contains(&size) {
        return Err(SyntheticError::Size { got: size }.into());
    }
    let shape = ImageShape { height: size, width: size, channels: 3 };
    let most = MAX_SET_BYTES / shape.n_bytes();
    if !(1..=most).contains(&n) {
        let split = split.name();
        return Err(SyntheticError::Count { split, got: n, size, most }.into());
    }
    let mut pixels = Vec::with_capacity(n * shape.n_bytes());
    let (mut labels, mut factors) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for index in 0..n {
        let plan = Plan::new(seed, split, index);
        pixels.extend(plan.render(size)?);
        labels.push(plan.label());
        factors.push(plan.factors);
    }
    let classes = vec!["non-cat".to_owned(), "cat".to_owned()];
    Ok((ImageSet::new(pixels, shape, labels, classes)?, factors))
}
