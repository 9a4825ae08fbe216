//! What a run is trained on and judged by, as features.

use crate::console::Console;
use crate::source::{Source, Streams};
use anyhow::{bail, ensure};
use dnn_core::{Examples, Real};
use dnn_data::InputContract;
use dnn_data::augment::{AugmentConfig, AugmentedExamples};
use dnn_data::hdf5::{Stream, StreamedExamples};
use dnn_data::{ImageSet, Limits, Splits, Values};
use dnn_train::TrainConfig;
use sha2::{Digest, Sha256};
use std::time::Instant;

/// What is trained on and judged by.
pub(crate) struct Prepared<F: Real> {
    pub(crate) train: Box<dyn Examples<F>>,
    pub(crate) test: Option<Box<dyn Examples<F>>>,
    pub(crate) validation: Option<Box<dyn Examples<F>>>,
    pub(crate) contract: InputContract,
    pub(crate) data_hash: String,
    /// When their loading began.
    pub(crate) start: Instant,
}

impl<F: Real> Prepared<F> {
    /// Reads the source and makes features of it.
    ///
    /// # Errors
    /// What is wrong with the data, or that they cannot be augmented.
    pub(crate) fn load(
        source: &Source,
        augment: Option<AugmentConfig>,
        training: &TrainConfig,
        console: Console,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        let seed = training.seed;
        let beside = |n_features: usize, n_classes: usize, m: usize| -> anyhow::Result<usize> {
            Ok(dnn_train::memory_beside_examples::<F>(training, n_features, n_classes, m)?)
        };
        if let Some(limit) = source.memory_limit
            && let Some(streamed) = source.stream(limit, size_of::<F>(), &beside, console)?
        {
            return Self::streamed(streamed, augment.map(|a| (a, seed)), start);
        }
        let Splits { train, test, validation, .. } = source.load(console)?;
        let Some(train) = train else {
            bail!("{}: no training images, only test images", source.data.display());
        };
        let given = source.load_validation(&train.contract()?, console)?;
        let mut pair = Splits {
            train: Some(train),
            test: given.or(validation),
            train_path: Some(source.data.clone()),
            test_path: source.validation.clone(),
            ..Splits::default()
        };
        pair.unify(&Limits::default())?;
        pair.check()?;
        let Splits { train: Some(train), test: validation, .. } = pair else {
            bail!("{}: no training images", source.data.display());
        };
        let contract = train.contract()?;
        let dataset = |set: &ImageSet| -> anyhow::Result<Box<dyn Examples<F>>> {
            Ok(Box::new(set.to_dataset::<F>(&contract)?))
        };
        Ok(Self {
            data_hash: hash(std::iter::once(&train).chain(&validation)),
            train: match augment {
                Some(config) => Box::new(AugmentedExamples::new(train, &contract, config, seed)?),
                None => dataset(&train)?,
            },
            test: test.as_ref().map(dataset).transpose()?,
            validation: validation.as_ref().map(dataset).transpose()?,
            contract,
            start,
        })
    }

    /// Images that stay in their file.
    fn streamed(
        streams: Streams,
        augment: Option<(AugmentConfig, u64)>,
        start: Instant,
    ) -> anyhow::Result<Self> {
        let Streams { train, test, validation, standardization } = streams;
        let contract = InputContract { standardization, ..train.contract()? };
        let data_hash = fingerprint(&train)?;
        let examples = |stream: Stream| -> anyhow::Result<Box<dyn Examples<F>>> {
            ensure!(
                stream.contract()?.normalization == contract.normalization,
                "the images to judge by are bytes, or numbers, where those to train on are not"
            );
            Ok(Box::new(StreamedExamples::new(stream, &contract)?))
        };
        let test = test.map(examples).transpose()?;
        let validation = validation.map(examples).transpose()?;
        let train: Box<dyn Examples<F>> = match augment {
            Some((config, seed)) => {
                Box::new(AugmentedExamples::new(train, &contract, config, seed)?)
            }
            None => examples(train)?,
        };
        Ok(Self { train, test, validation, contract, data_hash, start })
    }
}

/// SHA-256 of the labels and of some images of a set that is too large to read for this alone.
fn fingerprint(stream: &Stream) -> anyhow::Result<String> {
    const SAMPLE: usize = 64;
    let m = stream.labels().len();
    let mut hash = Sha256::new();
    hash.update(format!("{:?} {:?}\n", stream.shape(), stream.classes()));
    for label in stream.labels() {
        hash.update(label.to_le_bytes());
    }
    let some: Vec<_> = (0..SAMPLE.min(m)).map(|i| i * m / SAMPLE.min(m)).collect();
    let mut values = Vec::new();
    stream.each(&some, |_, image| match image {
        Values::Bytes(bytes) => values.extend_from_slice(bytes),
        Values::Floats(floats) => values.extend(floats.iter().flat_map(|v| v.to_le_bytes())),
    })?;
    hash.update(&values);
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// SHA-256 of what is trained on and judged by, as hexadecimal digits.
fn hash<'a>(sets: impl Iterator<Item = &'a ImageSet>) -> String {
    let mut hash = Sha256::new();
    for set in sets {
        hash.update(format!("{:?} {:?}\n", set.shape(), set.classes()));
        hash.update(set.pixels());
        for float in set.floats().unwrap_or_default() {
            hash.update(float.to_le_bytes());
        }
        for label in set.labels() {
            hash.update(label.to_le_bytes());
        }
    }
    hex(&hash.finalize())
}
