//! What is said of one image, for programs that answer others: a server, a page.

use crate::image::{DecodeLimits, PngContent, decode_bytes, encode_png};
use crate::preprocess::{Features, prepare};
use crate::{
    AnyNetwork, ContractError, FeatureKind, ImageShape, Normalization, PredictError, Predictor,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dnn_core::metrics::predictions;
use dnn_core::saliency::{Grid, Saliency};
use nalgebra::DMatrix;
use serde::Serialize;

/// What is asked for besides class and probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Details {
    /// The picture as the network saw it.
    pub prepared: bool,
    /// Which pixels the answer rests on, where the network's features are pixels.
    pub saliency: bool,
}

impl Details {
    /// Returns the memory that an [`Answer`] of this model takes besides decoding the image, in bytes: for
    /// programs that answer several at once.
    pub fn memory_bytes(self, predictor: &Predictor) -> u64 {
        let input = predictor.input();
        let (n_values, n_features) = (input.n_values() as u64, input.n_features() as u64);
        let computing = 4 * n_values + 8 * n_features * u64::from(input.views);
        if !self.saliency || input.features != FeatureKind::Pixels {
            return computing;
        }
        // W₁ in double precision, what each pixel changes in W₁·x, and the map.
        let n_units = predictor.model().network().architecture().layer_dims[1] as u64;
        computing + 8 * (2 * n_units + 8) * n_features
    }
}

/// What a model says of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The most probable class.
    pub class: String,
    /// Its place among the classes, from 0.
    pub index: u32,
    /// Its probability.
    pub probability: f64,
    /// The probability of each class.
    pub probabilities: Vec<f64>,
    /// Width of the image in pixels, upright.
    pub width: u32,
    /// Height of the image in pixels, upright.
    pub height: u32,
    /// The picture as the network saw it: base64 of a PNG file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared: Option<String>,
    /// Which pixels the answer rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saliency: Option<SaliencyMap>,
}

/// By how much the log-odds of the class fall when a square around a pixel of the prepared picture is
/// replaced by the mean of its colours; negative where the class becomes more probable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SaliencyMap {
    /// Width of the prepared picture.
    pub width: u32,
    /// Height of the prepared picture.
    pub height: u32,
    /// A number for each pixel, row by row (height · width).
    pub values: Vec<f64>,
}

impl Answer {
    /// Decodes an image file's bytes within the limits and asks the model.
    ///
    /// # Errors
    /// As [`Predictor::image_bytes`].
    pub fn new(
        predictor: &Predictor,
        bytes: &[u8],
        limits: &DecodeLimits,
        details: Details,
    ) -> Result<Self, PredictError> {
        let input = predictor.input();
        if input.normalization == Normalization::AsIs {
            return Err(ContractError::NoImages.into());
        }
        let image = decode_bytes(bytes, limits, input.into())?;
        let (width, height) = image.size_in_file();
        let pixels = prepare(image, input)?;
        let probabilities = predictor.prepared(&pixels)?;
        let best =
            predictions(&DMatrix::from_column_slice(probabilities.len(), 1, &probabilities))[0];
        let prepared = details.prepared.then(|| {
            let [height, width, channels] =
                [input.height, input.width, input.channels].map(|n| n as usize);
            let mut png = Vec::new();
            // Memory takes everything, and the contract has sizes that a PNG can have.
            let shape = ImageShape { height, width, channels };
            let _ = encode_png(&mut png, &pixels, shape, PngContent::Photos);
            STANDARD.encode(png)
        });
        let saliency = (details.saliency && input.features == FeatureKind::Pixels)
            .then(|| SaliencyMap::new(predictor, &pixels, best.class as usize))
            .transpose()?;
        Ok(Self {
            class: predictor.classes()[best.class as usize].clone(),
            index: best.class,
            probability: best.probability,
            probabilities,
            width,
            height,
            prepared,
            saliency,
        })
    }
}

impl SaliencyMap {
    /// Squares that are replaced are this part of the shorter side.
    const SQUARES_PER_SIDE: u32 = 8;

    fn new(predictor: &Predictor, pixels: &[u8], class: usize) -> Result<Self, ContractError> {
        let input = predictor.input();
        let saliency = match predictor.model().network() {
            AnyNetwork::F32(network) => Saliency::new(network),
            AnyNetwork::F64(network) => Saliency::new(network),
        };
        let features = Features::<f64>::new(input)?;
        let of = |pixels: &[u8]| {
            let mut x = vec![0.0; pixels.len()];
            features.of_bytes(pixels, &mut x);
            x
        };
        let n_channels = input.channels as usize;
        let n_pixels = pixels.len() / n_channels;
        let mean = |channel| {
            let values = pixels.iter().skip(channel).step_by(n_channels);
            (values.map(|&value| u64::from(value)).sum::<u64>() / n_pixels as u64) as u8
        };
        let mean: Vec<u8> = (0..n_channels).map(mean).collect();
        let (width, height) = (input.width, input.height);
        let grid = Grid { width: width as usize, height: height as usize, channels: n_channels };
        let side = (width.min(height) / Self::SQUARES_PER_SIDE).max(1) as usize;
        let squares = (side, side.div_ceil(2));
        let values =
            saliency.occlusion(&of(pixels), &of(&mean.repeat(n_pixels)), class, grid, squares);
        Ok(Self { width, height, values })
    }
}
