//! Training, from configuration and examples to a network; the loop itself is in `run.rs`.

use crate::checkpoint::{Checkpoint, CheckpointError, Progress};
use crate::config::{ShapeError, TrainConfig};
use crate::diagnosis;
use crate::engine::{DenseEngine, Engine, EngineKind, EngineOptions, GramEngine, Job, LayerHealth};
use crate::evaluation::{self, Evaluation, selected};
use crate::feed::Subset;
use crate::observer::Observer;
use crate::run::Run;
use dnn_core::metrics::Score;
use dnn_core::rng::{Generator, SeedError};
use dnn_core::{DatasetError, Examples, Network, NetworkError, Real, split};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Why training could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data and the configuration make no network.
    #[error("the data and the configuration make no network")]
    Shape(#[from] ShapeError),
    /// The network cannot be made.
    #[error("the data and the configuration make no network")]
    Network(#[from] NetworkError),
    /// The seed does not fit the generator.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The examples could not be read.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The validation set does not fit the training set.
    #[error("the validation set has {got}, the training set {expected}")]
    Validation {
        /// Of the training set.
        expected: String,
        /// Of the validation set.
        got: String,
    },
    /// Coordinates in the training set want a training set that stays as it is, in memory.
    #[error(
        "the gram engine needs examples that stay the same and fit into memory: use engine auto or \
         dense with examples that are augmented or streamed"
    )]
    GramStreamed,
    /// Nothing is left to judge by.
    #[error("{0}")]
    NothingToJudge(&'static str),
    /// So many folds cannot be made.
    #[error("{k} folds of {m} examples: expected 2 to {m}")]
    Folds {
        /// Folds asked for.
        k: usize,
        /// Examples there are.
        m: usize,
    },
    /// The run cannot go on from the checkpoint.
    #[error("cannot go on from the checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// The cost is no number any more.
    #[error(
        "the cost is {cost} at iteration {iteration}: training has diverged, first seen in layer \
         {layer}; a smaller learning rate than {learning_rate}, another initialisation, or \
         clip_norm may help"
    )]
    Diverged {
        /// Updates made before.
        iteration: usize,
        /// What the cost was: NaN or infinite.
        cost: f64,
        /// The first layer with a number that is not finite, from 1; the last one when only the
        /// loss is not.
        layer: usize,
        /// The learning rate at the time.
        learning_rate: f64,
    },
    /// The cost on the validation set is no number any more.
    #[error(
        "the cost on the validation set is {cost} after {iteration} iterations: training has \
         diverged, first seen in layer {layer}; a smaller learning rate, another initialisation, \
         or clip_norm may help"
    )]
    ValidationDiverged {
        /// Updates made before.
        iteration: usize,
        /// What the cost was: NaN or infinite.
        cost: f64,
        /// The first layer with a number that is not finite, from 1; the last one when only the
        /// loss is not.
        layer: usize,
    },
}

/// The cost at one iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostPoint {
    /// Number of updates made before.
    pub iteration: usize,
    /// The cost then.
    pub cost: f64,
}

/// The network judged on the validation set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ValidationPoint {
    /// Number of updates made before.
    pub iteration: usize,
    /// The cost on the validation set.
    pub cost: f64,
    /// How many of its examples are right.
    pub score: Score,
}

/// How training came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All iterations were made.
    Completed,
    /// An observer asked for it.
    Asked,
    /// The validation set showed no improvement for as long as was configured.
    Early,
}

/// What training leaves behind.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trained<F: Real> {
    /// The network after the last update, or the best one where that was asked for.
    pub network: Network<F>,
    /// The cost at every logged iteration.
    pub costs: Vec<CostPoint>,
    /// Every validation.
    pub validations: Vec<ValidationPoint>,
    /// The best of them.
    pub best: Option<ValidationPoint>,
    /// Updates made.
    pub iterations: usize,
    /// How training ended.
    pub end: End,
    /// Name of the engine that did the work.
    pub engine: &'static str,
    /// How the hidden layers fared at the last logged iteration.
    pub health: Vec<LayerHealth>,
}

/// Draws a network as configured and trains it on these examples.
///
/// Cost J at iteration i is the cost after i updates, before the next, as the course prints it.
///
/// # Errors
/// [`TrainError`]; `Diverged` when the cost becomes NaN or infinite.
#[doc(alias = "L_layer_model")]
#[doc(alias = "two_layer_model")]
pub fn train<F: Trainable>(
    config: &TrainConfig,
    examples: &dyn Examples<F>,
    observers: &mut [&mut dyn Observer],
) -> Result<Trained<F>, TrainError> {
    Training::new(config, examples).run(observers)
}

/// A training run, before it starts: what to train on, what to judge by, where to go on from.
pub struct Training<'a, F: Real> {
    config: &'a TrainConfig,
    examples: &'a dyn Examples<F>,
    validation: Option<&'a dyn Examples<F>>,
    checkpoint: Option<&'a Checkpoint>,
    data: String,
}

impl<'a, F: Real> Training<'a, F> {
    /// Training as configured on these examples.
    pub fn new(config: &'a TrainConfig, examples: &'a dyn Examples<F>) -> Self {
        Self { config, examples, validation: None, checkpoint: None, data: String::new() }
    }

    /// Judges by these examples while training, instead of keeping part of the training set apart.
    #[must_use]
    pub fn validate_on(mut self, examples: Option<&'a dyn Examples<F>>) -> Self {
        self.validation = examples;
        self
    }

    /// Notes in checkpoints what identifies the data, a hash of it for example; a run goes on only
    /// with the same.
    #[must_use]
    pub fn identified_by(mut self, data: impl Into<String>) -> Self {
        self.data = data.into();
        self
    }

    /// Goes on where a checkpoint was made. The run ends with the same bits as one that was never
    /// interrupted, on the same kind of machine.
    #[must_use]
    pub fn resume_from(mut self, checkpoint: Option<&'a Checkpoint>) -> Self {
        self.checkpoint = checkpoint;
        self
    }

    /// Whether training can start: what [`run`](Self::run) would refuse at once, found before
    /// anything is made for the run.
    ///
    /// # Errors
    /// Configuration, data and validation set that do not fit each other.
    pub fn check(&self) -> Result<(), TrainError> {
        let Self { config, examples, validation, .. } = self;
        config.architecture(examples.n_features(), examples.classes().len())?;
        if let Some(set) = validation {
            return check_alike(*examples, *set);
        }
        if config.validation > 0.0 {
            let (labels, share) = (examples.labels(), config.validation);
            if split::stratified(labels, share, config.rng, config.seed)?.1.is_empty() {
                return Err(TrainError::NothingToJudge(
                    "validation: this share of the training set is no example",
                ));
            }
        } else if config.patience > 0 || config.restore_best {
            return Err(TrainError::NothingToJudge(
                "patience and restore_best need a validation set, or validation = 0.1 for example",
            ));
        }
        Ok(())
    }

    fn compiled_here(self, observers: &mut [&mut dyn Observer]) -> Result<Trained<F>, TrainError> {
        self.check()?;
        let Self { config, examples, validation, checkpoint, data } = self;
        let (n_features, n_classes) = (examples.n_features(), examples.classes().len());
        let architecture = config.architecture(n_features, n_classes)?;
        let share = if validation.is_some() { 0.0 } else { config.validation };
        let kept = if share > 0.0 {
            let labels = examples.labels();
            Some(split::stratified(labels, share, config.rng, config.seed)?)
        } else {
            None
        };
        let judged = match (validation, &kept) {
            (Some(set), _) => Some((matrix(set)?, Cow::Borrowed(set.labels()))),
            (None, Some((_, kept))) => {
                let (x, labels) = selected(examples, kept)?;
                Some((Cow::Owned(x), Cow::Owned(labels)))
            }
            (None, None) => None,
        };
        let rest = kept.map(|(train, _)| Subset::new(examples, train));
        let examples = rest.as_ref().map_or(examples, |rest| rest as &dyn Examples<F>);
        let is_streamed = examples.is_streamed();
        let x = if is_streamed { None } else { Some(matrix(examples)?) };
        let labels = examples.labels();
        let mut rng = Generator::new(config.rng, config.seed)?;
        let network = Network::initialize(&architecture, config.init, &mut rng)?;
        let optimizer = config.optimizer.build::<F>();
        let class_weights = config.class_weights.of(labels, n_classes);
        let options = EngineOptions {
            n_threads: config.n_threads(),
            max_batch: match config.batch_size {
                // A streamed set comes as one batch.
                size if size == 0 || size >= labels.len() => {
                    if is_streamed {
                        labels.len()
                    } else {
                        0
                    }
                }
                size => size,
            },
            class_weights: class_weights.as_deref(),
            dropout: config.dropout,
            seed: config.seed,
        };
        let job = Job {
            n_features,
            n_units: network.layers()[0].n(),
            m: labels.len(),
            batch: if options.max_batch == 0 { labels.len() } else { options.max_batch },
            iterations: config.n_iterations(labels.len()),
            held_out: judged.as_ref().map_or(0, |(x, _)| x.ncols()),
        };
        let in_coordinates = match (config.engine, checkpoint) {
            (kind, _) if is_streamed => {
                if kind == EngineKind::Gram {
                    return Err(TrainError::GramStreamed);
                }
                false
            }
            // The tensors of a checkpoint are in its engine's coordinates.
            (EngineKind::Auto, Some(checkpoint)) => {
                optimizer.is_linear() && checkpoint.progress().engine == "gram"
            }
            (EngineKind::Auto, None) => optimizer.is_linear() && job.gram_is_cheaper(),
            (kind, _) => kind == EngineKind::Gram,
        };
        let mut engine: Box<dyn Engine<F> + '_> = match &x {
            None => Box::new(DenseEngine::fed(&network, &*optimizer, labels, options)),
            Some(x) if in_coordinates => {
                Box::new(GramEngine::new(&network, &*optimizer, x, labels, options))
            }
            Some(x) => Box::new(DenseEngine::new(&network, &*optimizer, x, labels, options)),
        };
        let held_out = judged.as_ref().map(|(x, labels)| (engine.hold_out(x), &labels[..]));
        let progress = Progress::start(config.clone(), data, engine.name().into());
        let m = labels.len();
        let mut run = Run::new(config, network, &mut *engine, &*optimizer, m, held_out, progress);
        if let Some(checkpoint) = checkpoint {
            run.restore(checkpoint)?;
        }
        let end = if is_streamed {
            std::thread::scope(|scope| {
                let feed = run.feed(scope, examples);
                run.train(Some(feed), observers)
            })?
        } else {
            run.train(None, observers)?
        };
        run.finish(end)
    }
}

impl<F: Trainable> Training<'_, F> {
    /// Trains.
    ///
    /// # Errors
    /// [`TrainError`]; `Diverged` when the cost becomes NaN or infinite.
    pub fn run(self, observers: &mut [&mut dyn Observer]) -> Result<Trained<F>, TrainError> {
        F::run(self, observers)
    }
}

/// A type of number that networks are trained in: `f32`, `f64`.
///
/// Generic code is compiled in the crate that uses it. The loop and its engines are compiled here,
/// for the two types there are: with this crate's optimisation, and not again in every program
/// that trains.
pub trait Trainable: Real {
    /// As [`Training::run`].
    ///
    /// # Errors
    /// Those of [`Training::run`].
    fn run(
        training: Training<'_, Self>,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Trained<Self>, TrainError>;

    /// As [`evaluate`](crate::evaluate).
    ///
    /// # Errors
    /// Those of [`evaluate`](crate::evaluate).
    fn evaluate(
        network: &Network<Self>,
        examples: &dyn Examples<Self>,
    ) -> Result<Evaluation<Self>, DatasetError>;

    /// As [`diagnose`](crate::diagnose).
    ///
    /// # Errors
    /// Those of [`diagnose`](crate::diagnose).
    fn diagnose(
        network: &Network<Self>,
        examples: &dyn Examples<Self>,
        trained: &[LayerHealth],
    ) -> Result<Vec<LayerHealth>, DatasetError>;
}

macro_rules! trainable {
    ($($number:ty),*) => {$(
        impl Trainable for $number {
            fn run(
                training: Training<'_, Self>,
                observers: &mut [&mut dyn Observer],
            ) -> Result<Trained<Self>, TrainError> {
                training.compiled_here(observers)
            }
            fn evaluate(
                network: &Network<Self>,
                examples: &dyn Examples<Self>,
            ) -> Result<Evaluation<Self>, DatasetError> {
                evaluation::evaluate_here(network, examples)
            }
            fn diagnose(
                network: &Network<Self>,
                examples: &dyn Examples<Self>,
                trained: &[LayerHealth],
            ) -> Result<Vec<LayerHealth>, DatasetError> {
                diagnosis::diagnose_here(network, examples, trained)
            }
        }
    )*};
}

trainable!(f32, f64);

/// That one network takes both.
fn check_alike<F: Real>(
    train: &dyn Examples<F>,
    validation: &dyn Examples<F>,
) -> Result<(), TrainError> {
    let features = |set: &dyn Examples<F>| format!("{} features", set.n_features());
    let classes = |set: &dyn Examples<F>| format!("the classes {}", set.classes().join(", "));
    for what in [features, classes] {
        let (expected, got) = (what(train), what(validation));
        if expected != got {
            return Err(TrainError::Validation { expected, got });
        }
    }
    Ok(())
}

/// All features as one matrix, read when the source does not have them so.
pub(crate) fn matrix<F: Real>(
    examples: &dyn Examples<F>,
) -> Result<Cow<'_, DMatrix<F>>, DatasetError> {
    if let Some(x) = examples.matrix() {
        return Ok(Cow::Borrowed(x));
    }
    let all: Vec<_> = (0..examples.n_examples()).collect();
    Ok(Cow::Owned(selected(examples, &all)?.0))
}
