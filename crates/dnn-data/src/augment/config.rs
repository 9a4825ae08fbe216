//! The configuration of augmentation: what is changed, and by how much. Invalid values cannot load.

use crate::affine::Padding;
use dnn_core::settings::{self, SettingError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What augmentation does to images; by default nothing.
///
/// In a file every field may be left out:
///
/// ```
/// use dnn_data::augment::AugmentConfig;
/// let config: AugmentConfig = toml::from_str("flip = 0.5\nrotation = 15")?;
/// assert_eq!((config.flip, config.rotation, config.zoom), (0.5, 15.0, 0.0));
/// assert!(toml::from_str::<AugmentConfig>("flip = 1.5").is_err());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawAugmentConfig", into = "RawAugmentConfig")]
pub struct AugmentConfig(RawAugmentConfig);

/// The values as they stand in a file; an [`AugmentConfig`] is one that has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-presets" = Strength::presets()))]
#[non_exhaustive]
pub struct RawAugmentConfig {
    /// Probability of a horizontal flip, left for right.
    #[doc(alias = "hflip")]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "x-what" = "a probability"))]
    pub flip: f64,
    /// Largest shift, as a fraction of each side; by whole pixels.
    #[doc(alias = "translate")]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "x-what" = "a fraction"))]
    pub shift: f64,
    /// Largest rotation about the middle, in degrees, either way.
    #[schemars(extend("minimum" = 0, "maximum" = 180, "x-what" = "degrees"))]
    pub rotation: f64,
    /// Largest zoom: 0.1 scales by 0.9 to 1.1.
    #[doc(alias = "scale")]
    #[schemars(extend("minimum" = 0, "maximum" = 0.9, "x-what" = "a fraction"))]
    pub zoom: f64,
    /// What shows where a shifted, rotated or shrunk image ends.
    pub padding: Padding,
    /// Largest change of brightness: 0.2 multiplies the colours by 0.8 to 1.2.
    #[schemars(extend("minimum" = 0, "maximum" = 1, "x-what" = "a fraction"))]
    pub brightness: f64,
    /// Largest change of contrast: 0.2 makes the distance from the image's mean grey 0.8 to 1.2
    /// times as large.
    #[schemars(extend("minimum" = 0, "maximum" = 1, "x-what" = "a fraction"))]
    pub contrast: f64,
    /// Largest change of saturation: 0.2 makes the distance from grey 0.8 to 1.2 times as large.
    /// Grey images have none.
    #[schemars(extend("minimum" = 0, "maximum" = 1, "x-what" = "a fraction"))]
    pub saturation: f64,
    /// Largest change of hue, as a fraction of the colour circle: 0.5 is halfway round, either way.
    /// Grey images have none.
    #[schemars(extend("minimum" = 0, "maximum" = 0.5, "x-what" = "a fraction of the colour circle"))]
    pub hue: f64,
    /// Standard deviation of Gaussian noise in each channel, as a fraction of 255.
    #[schemars(extend("minimum" = 0, "maximum" = 1, "x-what" = "a fraction"))]
    pub noise: f64,
    /// Probability that a rectangle of 2 to 20 % of the image is erased.
    #[doc(alias = "cutout")]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "x-what" = "a probability"))]
    pub erasing: f64,
    /// What an erased rectangle shows.
    pub erasing_fill: Fill,
}

/// What an erased rectangle shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// The image's mean colour.
    #[default]
    Mean,
    /// Uniform noise.
    Noise,
}

impl Fill {
    /// Both fills, for lists and tests.
    pub const ALL: [Self; 2] = [Self::Mean, Self::Noise];
}

/// Presets, from what hardly shows to what leaves the subject just recognisable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// Flips, small shifts, a little brightness and contrast.
    Light,
    /// Rotation, zoom and colours as well.
    Medium,
    /// Every change, and larger ones.
    Strong,
}

impl Strength {
    /// All values, for lists and tests.
    pub const ALL: [Self; 3] = [Self::Light, Self::Medium, Self::Strong];

    /// Returns the presets and "none" by name, as the command line has them.
    fn presets() -> serde_json::Value {
        let presets = Self::ALL.map(|strength| (strength.name(), AugmentConfig::preset(strength)));
        let all = presets.into_iter().chain([("none", AugmentConfig::default())]);
        all.map(|(name, config)| (name.to_owned(), serde_json::json!(config))).collect()
    }

    /// Returns the name of the preset, as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Medium => "medium",
            Self::Strong => "strong",
        }
    }
}

/// Why images cannot be augmented.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// A value is out of the range of its setting.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Images of this size cannot be augmented.
    #[error(
        "augmentation of {shape} images: expected 1 to {max} pixels a side and 1 or 3 channels",
        max = super::Augmenter::MAX_SIDE
    )]
    Shape {
        /// The size asked for.
        shape: crate::ImageShape,
    },
}

impl TryFrom<RawAugmentConfig> for AugmentConfig {
    type Error = AugmentError;

    fn try_from(raw: RawAugmentConfig) -> Result<Self, AugmentError> {
        settings::check(&raw, settings::schema::<RawAugmentConfig>())?;
        Ok(Self(raw))
    }
}

impl From<AugmentConfig> for RawAugmentConfig {
    fn from(config: AugmentConfig) -> Self {
        config.0
    }
}

impl std::ops::Deref for AugmentConfig {
    type Target = RawAugmentConfig;

    fn deref(&self) -> &RawAugmentConfig {
        &self.0
    }
}

impl AugmentConfig {
    /// Returns shifts by up to 8 % of each side, two pixels of 28: what leaves small images of any kind
    /// what they are.
    pub fn shifts() -> Self {
        Self(RawAugmentConfig { shift: 0.08, ..RawAugmentConfig::default() })
    }

    /// Returns the preset of this strength.
    pub fn preset(strength: Strength) -> Self {
        let none = RawAugmentConfig::default();
        Self(match strength {
            Strength::Light => {
                RawAugmentConfig { flip: 0.5, shift: 0.05, brightness: 0.1, contrast: 0.1, ..none }
            }
            Strength::Medium => RawAugmentConfig {
                flip: 0.5,
                shift: 0.1,
                rotation: 10.0,
                zoom: 0.1,
                brightness: 0.2,
                contrast: 0.2,
                saturation: 0.2,
                hue: 0.02,
                ..none
            },
            Strength::Strong => RawAugmentConfig {
                flip: 0.5,
                shift: 0.15,
                rotation: 20.0,
                zoom: 0.2,
                brightness: 0.3,
                contrast: 0.3,
                saturation: 0.4,
                hue: 0.05,
                noise: 0.02,
                erasing: 0.25,
                ..none
            },
        })
    }

    /// Returns this configuration with some values changed, checked again.
    ///
    /// # Errors
    /// [`AugmentError::Setting`], naming the first value at fault.
    pub fn with(self, change: impl FnOnce(&mut RawAugmentConfig)) -> Result<Self, AugmentError> {
        let mut raw = self.0;
        change(&mut raw);
        raw.try_into()
    }

    /// Returns whether images stay as they are.
    pub fn is_off(&self) -> bool {
        !(self.moves_pixels() || self.changes_colours() || self.erasing > 0.0)
    }

    pub(super) fn moves_pixels(&self) -> bool {
        [self.flip, self.shift, self.rotation, self.zoom].iter().any(|&most| most > 0.0)
    }

    fn changes_colours(&self) -> bool {
        let Self(raw) = self;
        [raw.brightness, raw.contrast, raw.saturation, raw.hue, raw.noise].iter().any(|&x| x > 0.0)
    }
}

/// Writes the settings that are not as by default as `key=value` with commas between, or "none"
/// when images stay as they are.
impl std::fmt::Display for AugmentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_off() {
            return f.write_str("none");
        }
        f.write_str(&settings::changed(&self.0).join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_survive_toml_and_grow_stronger() {
        let presets = Strength::ALL.map(AugmentConfig::preset);
        for config in presets {
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<AugmentConfig>(&text).unwrap(), config, "{text}");
            assert!(AugmentConfig::try_from(config.0).is_ok() && !config.is_off());
        }
        for pair in presets.windows(2) {
            let sum = |c: &AugmentConfig| {
                [c.shift, c.zoom, c.brightness, c.contrast, c.saturation, c.hue, c.noise]
                    .iter()
                    .sum::<f64>()
            };
            assert!(sum(&pair[0]) < sum(&pair[1]) && pair[0].rotation < pair[1].rotation);
        }
    }

    #[test]
    fn nothing_said_is_nothing_done() {
        let config: AugmentConfig = toml::from_str("").unwrap();
        assert_eq!(config, AugmentConfig::default());
        assert!(config.is_off());
        assert_eq!(config.to_string(), "none");
        let padded = config.with(|c| c.padding = Padding::Edge).unwrap();
        assert!(padded.is_off(), "there is nothing to pad");
    }

    #[test]
    fn invalid_values_cannot_load() {
        for (text, message) in [
            ("flip = 1.5", "flip is 1.5: expected a probability, 0 to 1"),
            ("flip = nan", "flip is NaN: expected a probability, 0 to 1"),
            ("erasing = -0.1", "erasing is -0.1: expected a probability, 0 to 1"),
            ("shift = inf", "shift is inf: expected a fraction, 0 to 1"),
            ("rotation = 181", "rotation is 181: expected degrees, 0 to 180"),
            ("zoom = 1.0", "zoom is 1: expected a fraction, 0 to 0.9"),
            ("brightness = 2", "brightness is 2: expected a fraction, 0 to 1"),
            ("contrast = 2", "contrast is 2: expected a fraction, 0 to 1"),
            ("saturation = 2", "saturation is 2: expected a fraction, 0 to 1"),
            ("noise = 2", "noise is 2: expected a fraction, 0 to 1"),
            ("hue = 0.6", "hue is 0.6: expected a fraction of the colour circle, 0 to 0.5"),
            ("padding = \"wrap\"", "unknown variant `wrap`, expected one of `reflect`, `edge`"),
            ("filp = 0.5", "unknown field `filp`"),
        ] {
            let error = toml::from_str::<AugmentConfig>(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_on_is_said() {
        let config: AugmentConfig =
            toml::from_str("flip = 0.5\nrotation = 15\npadding = \"edge\"").unwrap();
        assert_eq!(config.to_string(), "flip=0.5,rotation=15,padding=edge");
    }
}
