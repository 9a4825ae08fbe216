//! Augmentation: images changed at random while a network trains on them, the same way each time
//! they are asked for.
//!
//! ```
//! use dnn_data::ImageShape;
//! use dnn_data::augment::{AugmentConfig, Augmenter, Strength};
//!
//! let shape = ImageShape { height: 64, width: 64, channels: 3 };
//! let augmenter = Augmenter::new(AugmentConfig::preset(Strength::Medium), shape, 1)?;
//! let image = vec![128; shape.n_bytes()];
//! let mut augmented = vec![0; shape.n_bytes()];
//! let (epoch, index) = (0, 17);
//! augmenter.apply(&image, epoch, index, &mut augmented);
//! # Ok::<(), dnn_data::augment::AugmentError>(())
//! ```
//!
//! - An augmented image is a function of (configuration, seed, epoch, index, image): the order in
//!   which images are asked for, and the number of threads that ask, do not matter, and a resumed
//!   run sees what it would have seen. The bytes are the same on every platform.
//! - First pixels move (flip, rotation, zoom, shift, as one map, so that an image is resampled
//!   once), then colours change (brightness, contrast, saturation, hue and noise in one pass), then
//!   a rectangle is erased.
//! - What is drawn for one setting does not depend on the others: more noise leaves the flips as
//!   they were.

mod colour;
mod config;
mod erase;
mod examples;
mod noise;
#[cfg(feature = "synthetic")]
mod perturb;

pub use crate::affine::Padding;
pub use config::{AugmentConfig, AugmentError, Fill, RawAugmentConfig, Strength};
#[cfg(feature = "synthetic")]
pub use perturb::{perturb, perturbation};

use crate::ImageShape;
use crate::affine::Placement;
use crate::chance::Dice;
use colour::Jitter;
use dnn_core::rng::hash;
use noise::Quantiles;

/// Changes images of one size at random. It can be shared by threads, and allocates nothing for an
/// image.
#[derive(Debug, Clone)]
pub struct Augmenter {
    config: AugmentConfig,
    shape: ImageShape,
    seed: u64,
    quantiles: Option<Quantiles>,
}

impl Augmenter {
    /// The longest side of an image, in pixels.
    pub const MAX_SIDE: usize = crate::InputContract::MAX_SIDE as usize;

    /// Makes an augmenter for images of this size; another seed gives other changes.
    ///
    /// # Errors
    /// [`AugmentError::Shape`] when no picture has this size.
    pub fn new(config: AugmentConfig, shape: ImageShape, seed: u64) -> Result<Self, AugmentError> {
        let sides = 1..=Self::MAX_SIDE;
        if !(sides.contains(&shape.height)
            && sides.contains(&shape.width)
            && [1, 3].contains(&shape.channels))
        {
            return Err(AugmentError::Shape { shape });
        }
        let quantiles = (config.noise > 0.0).then(|| Quantiles::new(255.0 * config.noise));
        Ok(Self { config, shape, seed, quantiles })
    }

    /// Returns the configuration: what is done to images.
    pub fn config(&self) -> &AugmentConfig {
        &self.config
    }

    /// Returns the size of the images.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Writes to `out` what `image`, the example `index`, looks like in this epoch.
    ///
    /// # Shapes
    /// `image` and `out` (height, width, channels), row by row.
    /// # Panics
    /// When `image` or `out` has another number of bytes.
    pub fn apply(&self, image: &[u8], epoch: u64, index: u64, out: &mut [u8]) {
        assert_eq!(image.len(), self.shape.n_bytes(), "bytes of the image");
        assert_eq!(out.len(), self.shape.n_bytes(), "bytes of the result");
        if self.config.is_off() {
            out.copy_from_slice(image);
            return;
        }
        let mut draw = self.draw(epoch, index);
        if draw.placement == Placement::STAYS {
            out.copy_from_slice(image);
        } else {
            let source = draw.placement.source(self.shape);
            source.resample(image, self.shape, self.config.padding, out);
        }
        let noise = self.quantiles.as_ref().map(|quantiles| quantiles.noise(draw.noise));
        draw.jitter.apply(out, self.shape.channels, noise);
        if draw.erases {
            erase::erase(out, self.shape, self.config.erasing_fill, &mut draw.erasing);
        }
    }

    /// Draws all random numbers in a fixed order, also those that the settings do not use.
    fn draw(&self, epoch: u64, index: u64) -> Draw {
        let config = &self.config;
        let seed = hash(hash(self.seed, epoch), index);
        let mut dice = Dice::new(seed);
        let flip = dice.chance(config.flip);
        let mut about = |middle: f64, most: f64| middle + most * (2.0 * dice.unit() - 1.0);
        let degrees = about(0.0, config.rotation);
        let zoom = about(1.0, config.zoom);
        let brightness = about(1.0, config.brightness);
        let contrast = about(1.0, config.contrast);
        let saturation = about(1.0, config.saturation);
        let hue = about(0.0, config.hue);
        let mut shift = |side: usize| {
            let most = (config.shift * side as f64).round() as usize;
            dice.below(2 * most + 1) as i64 - most as i64
        };
        let shift = (shift(self.shape.width), shift(self.shape.height));
        let erases = dice.chance(config.erasing);
        Draw {
            placement: Placement { flip, degrees, zoom, shift },
            jitter: Jitter { brightness, contrast, saturation, hue },
            erases,
            erasing: Dice::new(hash(seed, 1)),
            noise: Dice::new(hash(seed, 2)),
        }
    }
}

/// The changes that are made to one image.
#[derive(Debug, Clone)]
struct Draw {
    placement: Placement,
    jitter: Jitter,
    erases: bool,
    /// Seeds of streams of their own, because these draw any number of random numbers.
    erasing: Dice,
    noise: Dice,
}

#[cfg(test)]
mod tests;
