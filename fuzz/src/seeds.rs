//! Files to start from: the fixtures, and what the product itself writes.

mod sources;

pub use sources::{cifar, csv, folder_of_images, idx, npz, source};

use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Dataset, Init, Network, OutputActivation};
use dnn_data::augment::{AugmentConfig, Fill, Padding, Strength};
use dnn_data::{InputContract, Model, Standardization};
use dnn_train::config::{ClassWeights, NamedWeights, OptimizerConfig, TrainingPrecision};
use dnn_train::engine::EngineKind;
use dnn_train::optimizer::Adam;
use dnn_train::schedule::Schedule;
use dnn_train::{
    Checkpoint, Flow, IterationEvent, Moment, Observer, Preset, TrainConfig, Training,
};
use std::path::PathBuf;

type Seeds = Vec<(String, Vec<u8>)>;

/// The folder of the repository.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().find(|folder| folder.join("fuzz/regressions").exists());
    root.expect("this file is in the repository").to_path_buf()
}

fn fixtures(folder: &str, extensions: &[&str]) -> Seeds {
    let folder = root().join("crates/dnn-data/tests/fixtures").join(folder);
    let entries = std::fs::read_dir(folder).expect("fixtures");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let wanted =
        |path: &PathBuf| path.extension().is_some_and(|e| extensions.iter().any(|w| e == *w));
    let file = |path: PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("readable"))
    };
    paths.filter(wanted).map(file).collect()
}

pub fn hdf5() -> Seeds {
    fixtures("hdf5", &["h5"])
}

pub fn image() -> Seeds {
    fixtures("images", &["png", "jpg"])
}

pub fn model() -> Seeds {
    let input = InputContract::rgb(2, 1).expect("a sound size");
    let scaled = InputContract {
        standardization: Some(Standardization {
            mean: vec![0.5; 3],
            std: vec![0.25; 3],
            clip: None,
        }),
        ..input.clone()
    };
    let classes = |n: usize| ["a", "b", "c"].iter().take(n).map(|&c| c.into()).collect::<Vec<_>>();
    let mut rng = Generator::new(RngKind::Numpy, 1).expect("a small seed");
    let binary = Architecture::new(vec![6, 2, 1], Activation::Relu, OutputActivation::Sigmoid);
    let many = Architecture::new(vec![6, 3], Activation::Tanh, OutputActivation::Softmax);
    let f64 = Network::<f64>::initialize(&binary, Init::Lecun, &mut rng).expect("a network");
    let f32 = Network::<f32>::initialize(&many, Init::He, &mut rng).expect("a network");
    let models =
        [("f64", Model::new(f64, classes(2), input)), ("f32", Model::new(f32, classes(3), scaled))];
    let file = |(name, model): (&str, Result<Model, _>)| {
        let mut bytes = Vec::new();
        Model::write(&model.expect("a sound model"), &mut bytes).expect("written");
        (name.to_owned(), bytes)
    };
    models.map(file).to_vec()
}

/// What identifies the data of the checkpoints.
pub const DATA: &str = "seeds";

/// A training that uses all that a checkpoint keeps, and its data.
pub fn training() -> (TrainConfig, Dataset<f64>) {
    let config = TrainConfig::course_deep().with(|c| {
        c.hidden = vec![2];
        c.iterations = 5;
        c.batch_size = 4;
        c.log_every = 2;
        c.validation = 0.25;
        c.validate_every = 1;
        c.patience = 3;
        c.restore_best = true;
        c.engine = EngineKind::Dense;
        c.optimizer = Adam::default().into();
        c.schedule = Schedule::Plateau { factor: 0.5, patience: 1, minimum: 0.0 };
        c.threads = 1;
    });
    let x = Generator::new(RngKind::Modern, 5).expect("a seed").normal_matrix(3, 12);
    let labels = (0..12).map(|i| u32::from(x[(0, i)] > 0.0)).collect();
    let data = Dataset::new(x, labels, vec!["a".into(), "b".into()]);
    (config.expect("a sound configuration"), data.expect("sound data"))
}

#[derive(Default)]
struct Keep(Seeds);

impl Observer for Keep {
    fn on_iteration(&mut self, _: &IterationEvent<'_>) -> Flow {
        Flow::Continue
    }

    fn wants_checkpoint(&mut self, _: &Moment) -> bool {
        true
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, _: &Moment) {
        self.0.push((self.0.len().to_string(), checkpoint.to_bytes().expect("written")));
    }
}

pub fn checkpoint() -> Seeds {
    let mut keep = Keep::default();
    let (config, data) = training();
    let training = Training::new(&config, &data).identified_by(DATA);
    training.run(&mut [&mut keep]).expect("trained");
    keep.0
}

pub fn train_config() -> Seeds {
    let text = |config: &TrainConfig| toml::to_string(config).expect("written").into_bytes();
    let mut seeds: Seeds = Vec::new();
    for preset in Preset::ALL {
        seeds.push((preset.name().into(), text(&TrainConfig::preset(preset))));
    }
    let schedules = [
        Schedule::Constant,
        Schedule::Step { every: 2, factor: 0.5 },
        Schedule::Exponential { factor: 0.5 },
        Schedule::InverseTime { decay: 1.0 },
        Schedule::Cosine { warmup: 1, minimum: 0.0 },
        Schedule::Plateau { factor: 0.5, patience: 1, minimum: 0.0 },
    ];
    for (optimizer, schedule) in OptimizerConfig::all().into_iter().zip(schedules) {
        let config = TrainConfig::course_deep().with(|c| {
            (c.optimizer, c.schedule) = (optimizer, schedule);
            c.activations = vec![Activation::Tanh, Activation::Relu, Activation::Sigmoid];
            c.precision = TrainingPrecision::F32;
            c.class_weights = ClassWeights::Given(vec![1.0, 2.0]);
        });
        let config = config.expect("a sound configuration");
        seeds.push((config.optimizer.name().into(), text(&config)));
    }
    let balanced = TrainConfig::course_two_layer().with(|c| {
        c.class_weights = ClassWeights::Named(NamedWeights::Balanced);
        (c.epochs, c.batch_size, c.dropout, c.clip_norm) = (3, 4, 0.5, 1.0);
    });
    seeds.push(("balanced".into(), text(&balanced.expect("a sound configuration"))));
    seeds
}

pub fn augment_config() -> Seeds {
    let text = |config: AugmentConfig| toml::to_string(&config).expect("written").into_bytes();
    let mut seeds: Seeds = Vec::new();
    for strength in Strength::ALL {
        seeds.push((strength.name().into(), text(AugmentConfig::preset(strength))));
    }
    for (padding, fill) in [(Padding::Edge, Fill::Noise), (Padding::Constant, Fill::Mean)] {
        let config = AugmentConfig::default().with(|c| {
            (c.padding, c.erasing_fill, c.shift, c.erasing) = (padding, fill, 1.0, 1.0);
        });
        seeds.push((format!("{padding:?}"), text(config.expect("a sound configuration"))));
    }
    seeds
}
