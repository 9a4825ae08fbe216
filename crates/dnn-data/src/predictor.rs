//! A model made ready to answer.

use crate::preprocess::Features;
use crate::{
    AnyNetwork, ContractError, DataError, FeatureExamples, Images, InputContract, Model,
    Normalization, Values,
};
use dnn_core::gemm::PackedForVector;
use dnn_core::{Network, Real};
use nalgebra::DMatrix;

/// A model made ready to answer: the one way from an image, or from numbers, to the probabilities of
/// the classes.
///
/// It prepares the input by the model's contract, makes features of each view, and returns the mean of
/// the probabilities over the views. It starts no threads and changes nothing, so that threads can
/// share it.
///
/// ```no_run
/// use dnn_data::{Model, Predictor};
/// let model = Model::read(std::fs::File::open("model.safetensors")?)?;
/// let predictor = Predictor::new(model)?;
/// let probabilities = predictor.image_file("cat.jpg".as_ref(), &Default::default())?;
/// for (class, probability) in predictor.classes().iter().zip(probabilities) {
///     println!("{class}: {probability:.4}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Predictor {
    model: Model,
    input: InputContract,
    single: Prepared<f32>,
    double: Prepared<f64>,
}

/// What answers in one precision are made with.
#[derive(Debug, Clone)]
struct Prepared<F: Real> {
    features: Features<F>,
    /// W₁ packed for one example, when that was asked for.
    first: Option<PackedForVector<F>>,
}

impl<F: Real> Prepared<F> {
    fn new(input: &InputContract) -> Result<Self, ContractError> {
        Ok(Self { features: Features::new(input)?, first: None })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The image cannot be read or decoded.
    #[cfg(feature = "image")]
    #[error(transparent)]
    Image(#[from] crate::image::ImageError),
    /// The bytes are no image that can be decoded.
    #[cfg(feature = "image")]
    #[error(transparent)]
    Decode(#[from] crate::image::DecodeError),
    /// The input is not of the kind that the model takes.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The input has another number of values than the model takes.
    #[error("the model takes {expected} numbers ({input}), got {got}")]
    Values {
        /// How many the model takes.
        expected: usize,
        /// What they are.
        input: String,
        /// How many came.
        got: usize,
    },
    /// A number of the input is NaN or infinite.
    #[error("number {index} of the input is {value}: expected a finite number")]
    NotFinite {
        /// Its place, from 0.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A number of an image is no share of 255.
    #[error(
        "number {index} of the input is {value}: expected 0 to 1, since it is part of an image"
    )]
    NoShare {
        /// Its place, from 0.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A probability came out as NaN: the weights are so large that their products overflow.
    #[error("the model gives an answer that is no number (NaN)")]
    NoAnswer,
}

impl Predictor {
    /// Takes a model.
    ///
    /// # Errors
    /// When its contract is not one ([`InputContract::check`]).
    pub fn new(model: Model) -> Result<Self, ContractError> {
        let input = model.input().clone();
        let (single, double) = (Prepared::new(&input)?, Prepared::new(&input)?);
        Ok(Self { model, input, single, double })
    }

    /// Returns the same predictor with the first layer's weights packed once more, which makes each
    /// answer for a single view quicker, by up to a third, and changes no bit of it: for many answers.
    #[must_use]
    pub fn packed(mut self) -> Self {
        match self.model.network() {
            AnyNetwork::F32(network) => self.single.first = network.pack_first_layer(),
            AnyNetwork::F64(network) => self.double.first = network.pack_first_layer(),
        }
        self
    }

    /// Returns the same model with another number of views of each image; 1 is the image itself only.
    ///
    /// # Errors
    /// When inputs of this kind do not have so many views.
    pub fn with_views(self, views: u32) -> Result<Self, ContractError> {
        let input = InputContract { views, ..self.input };
        input.check()?;
        Ok(Self { input, ..self })
    }

    /// Returns the model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Returns the names of the classes, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        self.model.classes()
    }

    /// Returns how an input is prepared: the model's contract, with the views that are in force.
    pub fn input(&self) -> &InputContract {
        &self.input
    }

    /// Returns the probability of each class for an image file, decoded within `limits`.
    ///
    /// # Errors
    /// What is wrong with the file, or that the model takes no images.
    #[cfg(feature = "image")]
    pub fn image_file(
        &self,
        path: &std::path::Path,
        limits: &crate::image::DecodeLimits,
    ) -> Result<Vec<f64>, PredictError> {
        self.takes_images()?;
        self.rgb(crate::image::decode_file(path, limits, (&self.input).into())?)
    }

    /// Returns the probability of each class for the bytes of an image file (PNG, JPEG, WebP or BMP),
    /// decoded within `limits`.
    ///
    /// # Errors
    /// What is wrong with the bytes, or that the model takes no images.
    #[cfg(feature = "image")]
    pub fn image_bytes(
        &self,
        bytes: &[u8],
        limits: &crate::image::DecodeLimits,
    ) -> Result<Vec<f64>, PredictError> {
        self.takes_images()?;
        self.rgb(crate::image::decode_bytes(bytes, limits, (&self.input).into())?)
    }

    /// Returns the probability of each class for a picture of any size, prepared by the contract.
    ///
    /// # Errors
    /// When the model takes no images, or gives no answer.
    #[cfg(feature = "image")]
    pub fn rgb(&self, image: crate::image::RgbImage) -> Result<Vec<f64>, PredictError> {
        self.takes_images()?;
        self.prepared(&crate::preprocess::prepare(image, &self.input)?)
    }

    /// Returns the probability of each class for the bytes of an image that has the contract's size.
    ///
    /// # Shapes
    /// `bytes` (height, width, channels) of the contract, row by row.
    /// # Errors
    /// When there are more or fewer bytes, or the model gives no answer.
    pub fn prepared(&self, bytes: &[u8]) -> Result<Vec<f64>, PredictError> {
        self.answer(Values::Bytes(bytes))
    }

    /// Returns the probability of each class for numbers as the data have them: a row of a table, or
    /// an image's values from 0 to 1. They are described and standardised by the contract.
    ///
    /// # Shapes
    /// `numbers` as many as the contract's [values](InputContract::n_values).
    /// # Errors
    /// When there are more or fewer, one is not finite or no part of an image, or the model gives no
    /// answer.
    pub fn features(&self, numbers: &[f64]) -> Result<Vec<f64>, PredictError> {
        let are_shares = self.input.normalization == Normalization::DivideBy255;
        for (index, &value) in numbers.iter().enumerate() {
            if !value.is_finite() {
                return Err(PredictError::NotFinite { index, value });
            }
            if are_shares && !(0.0..=1.0).contains(&value) {
                return Err(PredictError::NoShare { index, value });
            }
        }
        self.answer(Values::F64(numbers))
    }

    /// Returns labelled images of the contract's size as examples to judge the network by, computed as
    /// they are read, with all views: what answers for many images at once, in the network's own
    /// precision `F`.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when the images are of another size or kind.
    pub fn examples<F: Real, I: Images>(
        &self,
        images: I,
    ) -> Result<FeatureExamples<F, I>, DataError> {
        FeatureExamples::new(images, &self.input)
    }

    #[cfg(feature = "image")]
    fn takes_images(&self) -> Result<(), ContractError> {
        match self.input.normalization {
            Normalization::DivideBy255 => Ok(()),
            Normalization::AsIs => Err(ContractError::NoImages),
        }
    }

    fn answer(&self, values: Values<'_>) -> Result<Vec<f64>, PredictError> {
        let expected = self.input.n_values();
        if values.len() != expected {
            let (input, got) = (self.input.to_string(), values.len());
            return Err(PredictError::Values { expected, input, got });
        }
        let probabilities = match self.model.network() {
            AnyNetwork::F32(network) => self.probabilities(network, &self.single, values),
            AnyNetwork::F64(network) => self.probabilities(network, &self.double, values),
        };
        if probabilities.iter().all(|p| p.is_finite()) {
            Ok(probabilities)
        } else {
            Err(PredictError::NoAnswer)
        }
    }

    fn probabilities<F: Real>(
        &self,
        network: &Network<F>,
        Prepared { features, first }: &Prepared<F>,
        values: Values<'_>,
    ) -> Vec<f64> {
        let (n, views) = (features.n_features(), self.input.views);
        let mut x = DMatrix::zeros(n, views as usize);
        for (view, x) in (0..views).zip(x.as_mut_slice().chunks_exact_mut(n)) {
            features.of_view(values, view, x);
        }
        let logits = match first {
            Some(first) if views == 1 => network.logits_of_one(first, x.as_slice()),
            _ => network.output().logits_of_mean(network.logits(&x), views as usize),
        };
        network.probabilities_of_logits(logits).iter().map(|p| p.as_f64()).collect()
    }
}
