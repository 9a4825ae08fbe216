//! The input contract: how an image must be prepared for a network.

use serde::{Deserialize, Serialize};

/// How pixels outside the grid are weighted when an image is resized.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ResizeFilter {
    /// The nearest pixel: blocky, but nothing is invented.
    Nearest,
    /// A triangle over the nearest pixels.
    Bilinear,
    /// Catmull–Rom cubic.
    Bicubic,
    /// Windowed sinc over three lobes: the sharpest, and the default.
    #[default]
    Lanczos3,
}

/// How an image of another aspect ratio comes to the contract's size.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// Stretched: all of the image, out of proportion. As the course does.
    #[default]
    Stretch,
    /// All of the image in proportion, with margins in the background's colour.
    Fit,
    /// In proportion, and what hangs over on two sides is cut off.
    Crop,
}

/// How a byte of a pixel becomes a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// v / 255: features in [0, 1], as the course does.
    #[default]
    #[serde(rename = "divide-by-255")]
    DivideBy255,
    /// Numbers as they come, for data that are no bytes of pixels.
    AsIs,
}

/// The mean and standard deviation that features are brought to 0 and 1 by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardization {
    /// One number for each channel, or one for each feature.
    pub mean: Vec<f64>,
    /// As many, each above zero.
    pub std: Vec<f64>,
}

/// How an image becomes a column of X. Travels in the model file, so that a network cannot be fed
/// differently from how it was trained.
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
    /// Channels of a pixel: 3 (red, green, blue) or 1 (grey).
    pub channels: u32,
    /// The filter an image of another size is resized with.
    pub resize: ResizeFilter,
    /// How an image of another aspect ratio comes to this size.
    #[serde(default)]
    pub aspect: Aspect,
    /// Red, green and blue of what shows through transparency, and of the margins of
    /// [`Aspect::Fit`]; white by default.
    #[serde(default = "white")]
    pub background: [u8; 3],
    /// Whether a photo is turned upright as its EXIF orientation says.
    #[serde(default = "yes")]
    pub exif_orientation: bool,
    /// How bytes become features.
    pub normalization: Normalization,
    /// What features are standardised by, after normalization: (x − mean) / std.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standardization: Option<Standardization>,
}

fn white() -> [u8; 3] {
    [255; 3]
}

fn yes() -> bool {
    true
}

/// Why an input contract is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// The size is empty or beyond what the product supports.
    #[error("an input of {width}×{height} pixels: each side must be 1 to {max}", max = InputContract::MAX_SIDE)]
    Size {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// Neither grey nor colour.
    #[error("an input of {0} channels: expected 3 (RGB) or 1 (grey)")]
    Channels(u32),
    /// Mean and standard deviation that do not go with the features.
    #[error("mean and standard deviation: expected {expected}, got {got}")]
    Standardization {
        /// What would go.
        expected: String,
        /// What came.
        got: String,
    },
    /// An image for a network whose features are no pixels.
    #[error("the network was trained on numbers that are no pixels, so no image can be its input")]
    NoImages,
}

impl Default for InputContract {
    /// RGB images of 64×64 pixels, stretched with Lanczos3, divided by 255: what the course feeds its
    /// networks.
    fn default() -> Self {
        Self {
            width: 64,
            height: 64,
            channels: 3,
            resize: ResizeFilter::default(),
            aspect: Aspect::default(),
            background: white(),
            exif_orientation: yes(),
            normalization: Normalization::default(),
            standardization: None,
        }
    }
}

impl InputContract {
    /// The largest width or height an input may have, in pixels.
    pub const MAX_SIDE: u32 = 4096;

    /// The most columns a table may have: as an input it is one row of grey pixels.
    pub const MAX_COLUMNS: u32 = 1 << 24;

    /// RGB images of this size, Lanczos3, divided by 255: what the course feeds its networks.
    ///
    /// # Errors
    /// [`ContractError::Size`] when a side is 0 or above [`MAX_SIDE`](Self::MAX_SIDE).
    pub fn rgb(width: u32, height: u32) -> Result<Self, ContractError> {
        let contract = Self { width, height, ..Self::default() };
        contract.check()?;
        Ok(contract)
    }

    /// Whether the size and channels are ones an image can have; call it on a contract that was read.
    ///
    /// # Errors
    /// The first offence.
    pub fn check(&self) -> Result<(), ContractError> {
        let side = 1..=Self::MAX_SIDE;
        // A row of a table is no picture, and may be wider than one.
        let is_table = self.height == 1 && self.channels == 1;
        let is_wide = is_table && (1..=Self::MAX_COLUMNS).contains(&self.width);
        if !(side.contains(&self.width) || is_wide) || !side.contains(&self.height) {
            return Err(ContractError::Size { width: self.width, height: self.height });
        }
        if self.channels != 1 && self.channels != 3 {
            return Err(ContractError::Channels(self.channels));
        }
        if let Some(Standardization { mean, std }) = &self.standardization {
            let (channels, n_features) = (self.channels as usize, self.n_features());
            if mean.len() != std.len() || ![channels, n_features].contains(&mean.len()) {
                return Err(ContractError::Standardization {
                    expected: format!("{channels} (channels) or {n_features} (features) of each"),
                    got: format!("{} and {}", mean.len(), std.len()),
                });
            }
            let bad = std.iter().chain(mean).find(|v| !v.is_finite());
            if let Some(bad) = bad.or_else(|| std.iter().find(|v| **v <= 0.0)) {
                return Err(ContractError::Standardization {
                    expected: "finite numbers, and deviations above zero".into(),
                    got: bad.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Number of features of one image, n₀ = height · width · channels.
    pub fn n_features(&self) -> usize {
        self.width as usize * self.height as usize * self.channels as usize
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
        f.write_str(match self.normalization {
            Normalization::DivideBy255 => ", divided by 255",
            Normalization::AsIs => ", numbers as they come",
        })?;
        if self.standardization.is_some() {
            f.write_str(", standardised")?;
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
            let standardization = Standardization { mean: mean.into(), std: std.into() };
            InputContract { standardization: Some(standardization), ..rgb.clone() }.check()
        };
        assert_eq!(with(&[0.5; 3], &[0.2; 3]), Ok(()));
        assert_eq!(with(&[0.5; 12], &[0.2; 12]), Ok(()));
        assert!(with(&[0.5; 2], &[0.2; 2]).is_err());
        assert!(with(&[0.5; 3], &[0.2, 0.0, 0.2]).is_err());
        assert!(with(&[f64::NAN; 3], &[0.2; 3]).is_err());
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
