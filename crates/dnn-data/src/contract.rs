//! The input contract: how an image is turned into the features of a network.

use crate::describe;
use serde::{Deserialize, Serialize};

/// The filter that resizes an image.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ResizeFilter {
    /// Nearest neighbour: each output pixel copies one input pixel.
    Nearest,
    /// Bilinear: a triangle filter.
    Bilinear,
    /// Bicubic: the Catmull–Rom filter.
    Bicubic,
    /// Lanczos: a windowed sinc of three lobes. The sharpest, and the default.
    #[default]
    Lanczos3,
}

/// The rule by which an image of another aspect ratio is brought to the contract's size.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// The whole image is stretched to the size and its proportions change, as in the course.
    #[default]
    Stretch,
    /// The whole image keeps its proportions; margins are filled with the background colour.
    Fit,
    /// The image keeps its proportions and is cropped on two opposite sides.
    Crop,
}

/// The way a JPEG file is decoded.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Decode {
    /// Every pixel is computed, as other decoders do.
    #[default]
    Exact,
    /// A large photo is computed at a quarter or an eighth of its size, where that is at least four times
    /// the network's input in both directions: 1.6 times as fast, of progressive files 6 times, and a level
    /// or so away.
    Fast,
}

impl Decode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
    fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

/// The scaling of a raw value to a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// Divides by 255, which gives features in [0, 1], as in the course.
    #[default]
    #[serde(rename = "divide-by-255")]
    DivideBy255,
    /// Keeps the values as they are, for data other than pixels of one byte.
    AsIs,
}

/// The means and standard deviations by which features are standardised.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardization {
    /// The means: one for each channel, or one for each feature.
    pub mean: Vec<f64>,
    /// The standard deviations: as many as there are means, each above zero.
    pub std: Vec<f64>,
    /// The largest magnitude of a standardised feature; larger ones are clipped to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
}

/// The kind of features that are computed from an image.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum FeatureKind {
    /// All values of all pixels, as in the course.
    #[default]
    Pixels,
    /// The colour descriptor: 172 numbers that say which colours an image has, and where.
    Colour,
    /// The texture descriptor: 80 shares of local binary patterns.
    Texture,
    /// The colour descriptor followed by the texture descriptor: 252 numbers.
    #[serde(rename = "colour+texture")]
    ColourTexture,
}

impl FeatureKind {
    /// All kinds of features, for lists and tests.
    pub const ALL: [Self; 4] = [Self::Pixels, Self::Colour, Self::Texture, Self::ColourTexture];

    /// Returns the name that model files and the command line use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pixels => "pixels",
            Self::Colour => "colour",
            Self::Texture => "texture",
            Self::ColourTexture => "colour+texture",
        }
    }

    /// Returns whether these features contain the colour descriptor.
    pub fn has_colour(self) -> bool {
        matches!(self, Self::Colour | Self::ColourTexture)
    }

    /// Returns whether these features contain the texture descriptor.
    pub fn has_texture(self) -> bool {
        matches!(self, Self::Texture | Self::ColourTexture)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
    fn is_pixels(&self) -> bool {
        *self == Self::Pixels
    }
}

/// How an image becomes a column of X. It is stored in the model file, so that a network is always
/// given inputs prepared as those it was trained on.
///
/// The pixels are flattened row by row, the channels of a pixel side by side:
/// feature ((y·width) + x)·channels + c.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputContract {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of channels of a pixel: 3 (red, green, blue) or 1 (grey).
    pub channels: u32,
    /// The filter that resizes images of another size.
    pub resize: ResizeFilter,
    /// The rule for images of another aspect ratio.
    #[serde(default)]
    pub aspect: Aspect,
    /// The background colour (red, green, blue) behind transparent pixels and in the margins of
    /// [`Aspect::Fit`]; white by default.
    #[serde(default = "white")]
    pub background: [u8; 3],
    /// Whether a photo is rotated as its EXIF orientation says.
    #[serde(default = "yes")]
    pub exif_orientation: bool,
    /// The way a JPEG file is decoded.
    #[serde(default, skip_serializing_if = "Decode::is_exact")]
    pub decode: Decode,
    /// The scaling of raw values to features.
    pub normalization: Normalization,
    /// The standardisation after the scaling, (x − mean) / std; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standardization: Option<Standardization>,
    /// The kind of features: pixels, or descriptors that are computed from them.
    #[serde(default, skip_serializing_if = "FeatureKind::is_pixels")]
    pub features: FeatureKind,
    /// Number of views of an image (crops, each also mirrored) whose probabilities are averaged;
    /// 1 is the image itself only.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub views: u32,
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_one(views: &u32) -> bool {
    *views == 1
}

fn white() -> [u8; 3] {
    [255; 3]
}

fn yes() -> bool {
    true
}

/// The reason why an input contract is invalid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// The width or height is zero or above the supported maximum.
    #[error("an input of {width}×{height} pixels: each side must be 1 to {max}", max = InputContract::MAX_SIDE)]
    Size {
        /// The width that was asked for.
        width: u32,
        /// The height that was asked for.
        height: u32,
    },
    /// The number of channels is neither 1 nor 3.
    #[error("an input of {0} channels: expected 3 (RGB) or 1 (grey)")]
    Channels(u32),
    /// The lengths or values of mean and standard deviation do not fit the features.
    #[error("mean and standard deviation: expected {expected}, got {got}")]
    Standardization {
        /// What was expected.
        expected: String,
        /// What was given.
        got: String,
    },
    /// Features or views that do not exist for inputs of this kind.
    #[error("{asked} of {input}: expected {expected}")]
    Features {
        /// The features or views that were asked for.
        asked: String,
        /// The kind of the input.
        input: String,
        /// The kind that the request needs.
        expected: String,
    },
    /// An image was given to a network whose features are not pixels.
    #[error("the network was trained on numbers that are no pixels, so no image can be its input")]
    NoImages,
}

impl Default for InputContract {
    /// RGB images of 64×64 pixels, stretched with Lanczos3 and divided by 255, as in the course.
    fn default() -> Self {
        Self {
            width: 64,
            height: 64,
            channels: 3,
            resize: ResizeFilter::default(),
            aspect: Aspect::default(),
            background: white(),
            exif_orientation: yes(),
            decode: Decode::default(),
            normalization: Normalization::default(),
            standardization: None,
            features: FeatureKind::Pixels,
            views: one(),
        }
    }
}

impl InputContract {
    /// The largest width or height of an input, in pixels.
    pub const MAX_SIDE: u32 = 4096;

    /// The largest number of columns of a table, whose rows are inputs of one row of grey pixels.
    pub const MAX_COLUMNS: u32 = 1 << 24;

    /// The largest number of views of an image.
    pub const MAX_VIEWS: u32 = 12;

    /// Returns the contract of the course for RGB images of this size: Lanczos3, divided by 255.
    ///
    /// # Errors
    /// [`ContractError::Size`] when a side is 0 or above [`MAX_SIDE`](Self::MAX_SIDE).
    pub fn rgb(width: u32, height: u32) -> Result<Self, ContractError> {
        let contract = Self { width, height, ..Self::default() };
        contract.check()?;
        Ok(contract)
    }

    /// Checks that the contract is valid; call it on a contract that was read from a file.
    ///
    /// # Errors
    /// The first violation that is found.
    pub fn check(&self) -> Result<(), ContractError> {
        let side = 1..=Self::MAX_SIDE;
        // A row of a table may be wider than an image.
        let is_table = self.height == 1 && self.channels == 1;
        let is_wide = is_table && (1..=Self::MAX_COLUMNS).contains(&self.width);
        if !(side.contains(&self.width) || is_wide) || !side.contains(&self.height) {
            return Err(ContractError::Size { width: self.width, height: self.height });
        }
        if self.channels != 1 && self.channels != 3 {
            return Err(ContractError::Channels(self.channels));
        }
        self.check_features()?;
        if let Some(Standardization { mean, std, clip }) = &self.standardization {
            let (channels, n_features) = (self.channels as usize, self.n_features());
            let by_channel = self.features.is_pixels() && mean.len() == channels;
            if mean.len() != std.len() || !(by_channel || mean.len() == n_features) {
                let channels = match self.features {
                    FeatureKind::Pixels => format!("{channels} (channels) or "),
                    _ => String::new(),
                };
                return Err(ContractError::Standardization {
                    expected: format!("{channels}{n_features} (features) of each"),
                    got: format!("{} and {}", mean.len(), std.len()),
                });
            }
            let bad = std.iter().chain(mean).chain(clip).find(|v| !v.is_finite());
            let positive = || std.iter().chain(clip).find(|v| **v <= 0.0);
            if let Some(bad) = bad.or_else(positive) {
                return Err(ContractError::Standardization {
                    expected: "finite numbers, and deviations and clip above zero".into(),
                    got: bad.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Checks that the features and views exist for inputs of this kind.
    fn check_features(&self) -> Result<(), ContractError> {
        let Self { width, height, channels, features, views, normalization, .. } = *self;
        let refuse = |asked: String, expected: String| {
            let input = match normalization {
                Normalization::AsIs => "numbers that are no pixels".into(),
                Normalization::DivideBy255 => {
                    format!("{width}×{height} images of {channels} channels")
                }
            };
            Err(ContractError::Features { asked, input, expected })
        };
        // A row of whole numbers is stored as an image of one row.
        let are_images = normalization == Normalization::DivideBy255 && height > 1;
        if !(1..=Self::MAX_VIEWS).contains(&views) {
            return refuse(format!("{views} views"), format!("1 to {}", Self::MAX_VIEWS));
        }
        if views > 1 && !are_images {
            return refuse(format!("{views} views"), "images of more than one row".into());
        }
        let least = describe::LEAST_SIDE;
        if !features.is_pixels() && (!are_images || width.min(height) < least) {
            let expected = format!("images of {least}×{least} pixels at least");
            return refuse(format!("features \"{}\"", features.name()), expected);
        }
        if features.has_colour() && channels != 3 {
            let expected = "3 channels (\"texture\" takes grey)".into();
            return refuse(format!("features \"{}\"", features.name()), expected);
        }
        Ok(())
    }

    /// Returns the number of values of a prepared image: height · width · channels.
    pub fn n_values(&self) -> usize {
        self.width as usize * self.height as usize * self.channels as usize
    }

    /// Returns the number of features of an image, n₀: its number of values when the features are
    /// pixels, else the length of its descriptor.
    pub fn n_features(&self) -> usize {
        match self.features {
            FeatureKind::Pixels => self.n_values(),
            described => describe::n_features(described),
        }
    }
}

impl std::fmt::Display for InputContract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colour = if self.channels == 3 { "RGB" } else { "grey" };
        let filter = match self.resize {
            ResizeFilter::Nearest => "nearest",
            ResizeFilter::Bilinear => "bilinear",
            ResizeFilter::Bicubic => "bicubic",
            ResizeFilter::Lanczos3 => "lanczos3",
        };
        match self.normalization {
            // Images are no input, so nothing is said of how they are prepared.
            Normalization::AsIs if self.height == 1 && self.channels == 1 => {
                write!(f, "a row of {} numbers", self.width)?;
            }
            Normalization::AsIs => {
                write!(f, "{}×{} {colour}, numbers as they come", self.width, self.height)?;
            }
            Normalization::DivideBy255 => {
                write!(f, "{}×{} {colour}, resized with {filter}", self.width, self.height)?;
                match self.aspect {
                    Aspect::Stretch => {}
                    Aspect::Fit => f.write_str(", fitted in with margins")?,
                    Aspect::Crop => f.write_str(", cropped in proportion")?,
                }
                if self.background != white() {
                    let [r, g, b] = self.background;
                    write!(f, ", background #{r:02x}{g:02x}{b:02x}")?;
                }
                if !self.exif_orientation {
                    f.write_str(", EXIF orientation ignored")?;
                }
                if self.decode == Decode::Fast {
                    f.write_str(", large JPEG files decoded at reduced size")?;
                }
                f.write_str(", divided by 255")?;
            }
        }
        if !self.features.is_pixels() {
            write!(f, ", described by {} ({} numbers)", self.features.name(), self.n_features())?;
        }
        if let Some(Standardization { clip, .. }) = &self.standardization {
            f.write_str(", standardised")?;
            if let Some(clip) = clip {
                write!(f, " and cut at ±{clip}")?;
            }
        }
        if self.views > 1 {
            write!(f, ", {} views", self.views)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn course_input_has_12288_features() {
        let contract = InputContract::rgb(64, 64).unwrap();
        assert_eq!(contract.n_features(), 12_288);
        assert_eq!(contract.to_string(), "64×64 RGB, resized with lanczos3, divided by 255");
    }

    #[test]
    fn refuses_impossible_inputs() {
        assert!(matches!(InputContract::rgb(0, 64), Err(ContractError::Size { width: 0, .. })));
        let contract = InputContract { channels: 4, ..InputContract::rgb(2, 2).unwrap() };
        assert_eq!(contract.check(), Err(ContractError::Channels(4)));
    }

    #[test]
    fn standardization_has_a_number_for_each_channel_or_feature() {
        let rgb = InputContract::rgb(2, 2).unwrap();
        let with = |mean: &[f64], std: &[f64]| {
            let (mean, std) = (mean.into(), std.into());
            let standardization = Standardization { mean, std, clip: None };
            InputContract { standardization: Some(standardization), ..rgb.clone() }.check()
        };
        assert_eq!(with(&[0.5; 3], &[0.2; 3]), Ok(()));
        assert_eq!(with(&[0.5; 12], &[0.2; 12]), Ok(()));
        assert!(with(&[0.5; 2], &[0.2; 2]).is_err());
        assert!(with(&[0.5; 3], &[0.2, 0.0, 0.2]).is_err());
        assert!(with(&[f64::NAN; 3], &[0.2; 3]).is_err());
    }

    #[test]
    fn features_and_views_are_refused_where_there_are_none() {
        let rgb = || InputContract::rgb(64, 64).unwrap();
        let described = |features| InputContract { features, ..rgb() };
        for (features, n) in FeatureKind::ALL.into_iter().zip([12_288, 172, 80, 252]) {
            assert_eq!(described(features).check(), Ok(()));
            assert_eq!(
                (described(features).n_features(), described(features).n_values()),
                (n, 12_288)
            );
        }
        let grey = |features| InputContract { channels: 1, ..described(features) };
        assert_eq!(grey(FeatureKind::Texture).check(), Ok(()));
        let table = InputContract { normalization: Normalization::AsIs, ..rgb() };
        for (contract, says) in [
            (grey(FeatureKind::Colour), "features \"colour\" of 64×64 images of 1 channels"),
            (InputContract { width: 3, ..described(FeatureKind::Texture) }, "4×4 pixels at least"),
            (InputContract { views: 2, ..table.clone() }, "2 views of numbers that are no pixels"),
            (
                InputContract { features: FeatureKind::Texture, ..table },
                "no pixels: expected images",
            ),
            (
                InputContract { views: 2, height: 1, ..rgb() },
                "2 views of 64×1 images of 3 channels: expected images of",
            ),
            (InputContract { views: 0, ..rgb() }, "0 views of 64×64"),
            (InputContract { views: 13, ..rgb() }, "expected 1 to 12"),
        ] {
            let error = contract.check().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let by_channel = Standardization { mean: vec![0.0; 3], std: vec![1.0; 3], clip: Some(5.0) };
        let clipped = |features, standardization| InputContract {
            standardization: Some(standardization),
            ..described(features)
        };
        assert_eq!(clipped(FeatureKind::Pixels, by_channel.clone()).check(), Ok(()));
        assert!(clipped(FeatureKind::Colour, by_channel.clone()).check().is_err());
        let clip = Some(0.0);
        assert!(
            clipped(FeatureKind::Pixels, Standardization { clip, ..by_channel }).check().is_err()
        );
    }

    #[test]
    fn what_is_usual_is_not_written_and_the_rest_is() {
        let usual = serde_json::to_string(&InputContract::default()).unwrap();
        for unusual in ["features", "views", "decode"] {
            assert!(!usual.contains(unusual), "{usual}");
        }
        let contract = InputContract {
            decode: Decode::Fast,
            features: FeatureKind::ColourTexture,
            views: 12,
            standardization: Some(Standardization {
                mean: vec![0.5; 252],
                std: vec![0.25; 252],
                clip: Some(5.0),
            }),
            ..InputContract::default()
        };
        let json = serde_json::to_string(&contract).unwrap();
        assert!(json.contains("\"features\":\"colour+texture\",\"views\":12"), "{json}");
        assert!(json.contains("\"decode\":\"fast\""), "{json}");
        assert_eq!(serde_json::from_str::<InputContract>(&json).unwrap(), contract);
        assert!(contract.to_string().ends_with(
            ", described by colour+texture (252 numbers), standardised and cut at ±5, 12 views"
        ));
    }

    #[test]
    fn survives_json_and_refuses_unknown_fields() {
        let contract = InputContract::rgb(64, 48).unwrap();
        let json = serde_json::to_string(&contract).unwrap();
        assert_eq!(serde_json::from_str::<InputContract>(&json).unwrap(), contract);
        let older = "{\"width\":64,\"height\":48,\"channels\":3,\"resize\":\"lanczos3\",\
                     \"normalization\":\"divide-by-255\"}";
        assert_eq!(serde_json::from_str::<InputContract>(older).unwrap(), contract);
        let newer = json.replace("\"width\"", "\"crop\":1,\"width\"");
        assert!(serde_json::from_str::<InputContract>(&newer).is_err());
    }
}
