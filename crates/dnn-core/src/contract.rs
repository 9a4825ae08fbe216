//! The input contract: how an image must be prepared for a network.

use serde::{Deserialize, Serialize};

/// How pixels outside the grid are weighted when an image is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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

/// How a byte of a pixel becomes a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// v / 255: features in [0, 1], as the course does.
    #[default]
    #[serde(rename = "divide-by-255")]
    DivideBy255,
}

/// How an image becomes a column of X. Travels in the model file, so that a network cannot be fed
/// differently from how it was trained.
///
/// The pixels are flattened row by row, the channels of a pixel side by side:
/// feature ((y·width) + x)·channels + c.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputContract {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Channels of a pixel: 3 (red, green, blue) or 1 (grey).
    pub channels: u32,
    /// The filter an image of another size is resized with; the aspect ratio is not kept.
    pub resize: ResizeFilter,
    /// How bytes become features.
    pub normalization: Normalization,
}

/// Why an input contract is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
}

impl InputContract {
    /// The largest width or height an input may have, in pixels.
    pub const MAX_SIDE: u32 = 4096;

    /// RGB images of this size, Lanczos3, divided by 255: what the course feeds its networks.
    ///
    /// # Errors
    /// [`ContractError::Size`] when a side is 0 or above [`MAX_SIDE`](Self::MAX_SIDE).
    pub fn rgb(width: u32, height: u32) -> Result<Self, ContractError> {
        let contract = Self {
            width,
            height,
            channels: 3,
            resize: ResizeFilter::default(),
            normalization: Normalization::default(),
        };
        contract.check()?;
        Ok(contract)
    }

    /// Whether the size and channels are ones an image can have; call it on a contract that was read.
    ///
    /// # Errors
    /// The first offence.
    pub fn check(&self) -> Result<(), ContractError> {
        let side = 1..=Self::MAX_SIDE;
        if !side.contains(&self.width) || !side.contains(&self.height) {
            return Err(ContractError::Size { width: self.width, height: self.height });
        }
        if self.channels != 1 && self.channels != 3 {
            return Err(ContractError::Channels(self.channels));
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
        write!(f, "{}×{} {colour}, resized with {filter}, divided by 255", self.width, self.height)
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
    fn survives_json_and_refuses_unknown_fields() {
        let contract = InputContract::rgb(64, 48).unwrap();
        let json = serde_json::to_string(&contract).unwrap();
        assert_eq!(serde_json::from_str::<InputContract>(&json).unwrap(), contract);
        let newer = json.replace("\"width\"", "\"crop\":1,\"width\"");
        assert!(serde_json::from_str::<InputContract>(&newer).is_err());
    }
}
