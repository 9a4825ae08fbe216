//! Everything that reads a file, as functions of bytes: whatever the bytes are, a reader gives sound
//! data or an error.
//!
//! The fuzz targets call these functions, and so does `crates/dnn-cli/tests/fuzz_corpus.rs`, which
//! includes this file: what fuzzing found is tried again with every stable toolchain.

mod files;
mod numbers;
mod seeds;
mod sources;
/// Files as the tests of the product write them.
#[path = "../../crates/dnn-data/tests/common/files.rs"]
mod written;

// The tests of the workspace include this file and mutate as they do elsewhere.
#[allow(unused_imports)]
pub use numbers::{mutate, other_number};
pub use seeds::root;
pub use sources::{cifar, csv, folder_of_images, idx, npz, source};

use dnn_data::augment::{AugmentConfig, Augmenter};
use dnn_data::format::{Options, Source};
use dnn_data::image::{DecodeLimits, Rendering, decode_bytes};
use dnn_data::preprocess::prepare;
use dnn_data::{ImageShape, hdf5 as hdf5_file};
use dnn_data::{InputContract, Model, Predictor};
use dnn_train::{Checkpoint, TrainConfig, Training};
use std::io::Write;

/// A reader, and files to start from.
pub struct Reader {
    /// Also the name of the fuzz target.
    pub name: &'static str,
    /// Whether the bytes were taken for a file of this kind. Panics when what came out is not sound.
    pub read: fn(&[u8]) -> bool,
    /// Names and contents.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
    /// The most bytes that it may ask for at once, given the limits that are set here.
    pub max_allocation: usize,
}

impl Reader {
    const fn new(
        name: &'static str,
        read: fn(&[u8]) -> bool,
        seeds: fn() -> Vec<(String, Vec<u8>)>,
    ) -> Self {
        Self { name, read, seeds, max_allocation: 8 << 20 }
    }

    const fn source(
        name: &'static str,
        read: fn(&[u8]) -> bool,
        seeds: fn() -> Vec<(String, Vec<u8>)>,
    ) -> Self {
        Self { max_allocation: sources::MAX_ALLOCATION, ..Self::new(name, read, seeds) }
    }
}

/// All of them.
pub const READERS: [Reader; 12] = [
    Reader::new("hdf5", hdf5, seeds::hdf5),
    Reader::new("image", image, seeds::image),
    Reader::new("model", model, seeds::model),
    Reader::new("checkpoint", checkpoint, seeds::checkpoint),
    Reader::new("train_config", train_config, seeds::train_config),
    Reader::new("augment_config", augment_config, seeds::augment_config),
    Reader::source("idx", idx, seeds::idx),
    Reader::source("npz", npz, seeds::npz),
    Reader::source("cifar", cifar, seeds::cifar),
    Reader::source("csv", csv, seeds::csv),
    Reader::new("source", source, seeds::source),
    Reader::new("folder_of_images", folder_of_images, seeds::folder_of_images),
];

/// What a file may make a reader ask for, where the reader has a limit.
const MAX_BYTES: u64 = 1 << 20;

/// Images and labels as HDF5, and the description of what is in such a file.
pub fn hdf5(bytes: &[u8]) -> bool {
    // Readers of HDF5 seek; in memory, where there is such a place.
    let mut builder = tempfile::Builder::new();
    builder.suffix(".h5");
    let file = builder.tempfile_in("/dev/shm").or_else(|_| builder.tempfile());
    let mut file = file.expect("a temporary file");
    file.write_all(bytes).expect("written");
    let mut options = hdf5_file::Options::default();
    options.limits.max_bytes = MAX_BYTES;
    let _ = hdf5_file::describe(file.path(), &options);
    let _ = hdf5_file::load_factors(file.path(), &options);
    let limits = options.limits;
    let options = Options { limits, ..Options::default() };
    let Ok(source) = Source::of_format(file.path(), "HDF5", &options) else { return false };
    let Ok(splits) = source.open(&options, &|_, _| ()) else { return false };
    for set in splits.iter().map(|split| &split.images) {
        assert!(!set.is_empty() && set.pixels().len() == set.len() * set.shape().n_bytes());
        assert!(set.labels().iter().all(|&label| (label as usize) < set.classes().len()));
    }
    true
}

/// Pictures.
pub fn image(bytes: &[u8]) -> bool {
    let limits = DecodeLimits {
        max_pixels: 1 << 18,
        max_memory_bytes: 4 * MAX_BYTES,
        ..DecodeLimits::default()
    };
    let Ok(image) = decode_bytes(bytes, &limits, Rendering::default()) else { return false };
    let n_pixels = image.width() as usize * image.height() as usize;
    assert_eq!(image.pixels().len(), 3 * n_pixels);
    assert!((1..=1 << 18).contains(&n_pixels));
    let contract = InputContract::rgb(4, 3).expect("a sound size");
    assert_eq!(prepare(image, &contract).expect("prepared").len(), contract.n_values());
    true
}

/// Model files; one that is read can be applied, and is what is written again.
pub fn model(bytes: &[u8]) -> bool {
    let Ok(model) = Model::read(bytes) else { return false };
    let mut written = Vec::new();
    model.write(&mut written).expect("written");
    assert_eq!(Model::read(&written[..]).expect("what was written"), model);
    let classes = model.classes().len();
    let predictor = Predictor::new(model).expect("checked");
    let black = vec![0; predictor.input().n_values()];
    // Weights may be so large that there is no answer; that is said.
    if let Ok(probabilities) = predictor.prepared(&black) {
        assert_eq!(probabilities.len(), classes);
    }
    true
}

/// Checkpoints; training goes on from one that is read, or refuses it.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let Ok(checkpoint) = Checkpoint::from_bytes(bytes) else { return false };
    let written = checkpoint.to_bytes().expect("written");
    assert_eq!(Checkpoint::from_bytes(&written).expect("what was written"), checkpoint);
    let (config, data) = seeds::training();
    let training = Training::new(&config, &data).identified_by(seeds::DATA);
    let _ = training.resume_from(Some(&checkpoint)).run(&mut []);
    true
}

/// Training configurations; one that is read is what is written again.
pub fn train_config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(config) = toml::from_str::<TrainConfig>(text) else { return false };
    let written = toml::to_string(&config).expect("written");
    assert_eq!(toml::from_str::<TrainConfig>(&written).expect("what was written"), config);
    for n_classes in [2, 5] {
        let _ = config.architecture(12, n_classes);
    }
    let _ = (config.n_iterations(7), config.validation_interval(7), config.n_threads());
    true
}

/// Configurations of augmentation; one that is read augments images.
pub fn augment_config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(config) = toml::from_str::<AugmentConfig>(text) else { return false };
    let written = toml::to_string(&config).expect("written");
    assert_eq!(toml::from_str::<AugmentConfig>(&written).expect("what was written"), config);
    for (height, width, channels) in [(5, 4, 3), (1, 1, 1)] {
        let shape = ImageShape { height, width, channels };
        let image: Vec<u8> = (0..shape.n_bytes()).map(|i| (i * 41) as u8).collect();
        let augmenter = Augmenter::new(config, shape, 1).expect("a sound size");
        for epoch in 0..3 {
            augmenter.apply(&image, epoch, 0, &mut image.clone());
        }
    }
    true
}
