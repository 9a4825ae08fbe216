//! The one training loop.

use crate::batches::Batches;
use crate::checkpoint::{Checkpoint, CheckpointError, Progress};
use crate::config::{Monitor, ShapeError, TrainConfig};
use crate::engine::{
    DenseEngine, Engine, EngineKind, EngineOptions, GramEngine, Job, LayerHealth, Pass,
};
use crate::observer::{Flow, IterationEvent, Moment, Observer};
use crate::optimizer::{Optimizer, Step};
use crate::schedule::{Position, Schedule};
use crate::split;
use dnn_core::layer::Dense;
use dnn_core::metrics::{Prediction, Score, predictions};
use dnn_core::rng::{Generator, SeedError};
use dnn_core::{DatasetError, Examples, Loss, Network, NetworkError, Real};
use nalgebra::{DMatrix, DVector};
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
    /// How the hidden layers fared at the last logged iteration of this run.
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
pub fn train<F: Real>(
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

    /// Trains.
    ///
    /// # Errors
    /// [`TrainError`]; `Diverged` when the cost becomes NaN or infinite.
    pub fn run(self, observers: &mut [&mut dyn Observer]) -> Result<Trained<F>, TrainError> {
        self.check()?;
        let Self { config, examples, validation, checkpoint, data } = self;
        let (n_features, n_classes) = (examples.n_features(), examples.classes().len());
        let architecture = config.architecture(n_features, n_classes)?;
        let judged = match validation {
            Some(set) => Some((matrix(set)?, Cow::Borrowed(set.labels()))),
            None => None,
        };
        let (x, labels, judged) = if judged.is_some() || config.validation == 0.0 {
            (matrix(examples)?, Cow::Borrowed(examples.labels()), judged)
        } else {
            let (train, kept) =
                split::stratified(examples.labels(), config.validation, config.rng, config.seed)?;
            let ((x, labels), (kept_x, kept_labels)) =
                (selected(examples, &train)?, selected(examples, &kept)?);
            (Cow::Owned(x), Cow::Owned(labels), Some((Cow::Owned(kept_x), Cow::Owned(kept_labels))))
        };
        let mut rng = Generator::new(config.rng, config.seed)?;
        let network = Network::initialize(&architecture, config.init, &mut rng)?;
        let optimizer = config.optimizer.build::<F>();
        let class_weights = config.class_weights.of(&labels, n_classes);
        let options = EngineOptions {
            n_threads: config.n_threads(),
            max_batch: if config.batch_size >= labels.len() { 0 } else { config.batch_size },
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
            // The tensors of a checkpoint are in its engine's coordinates.
            (EngineKind::Auto, Some(checkpoint)) => checkpoint.progress().engine == "gram",
            (EngineKind::Auto, None) => optimizer.is_linear() && job.gram_is_cheaper(),
            (kind, _) => kind == EngineKind::Gram,
        };
        let mut engine: Box<dyn Engine<F> + '_> = if in_coordinates {
            Box::new(GramEngine::new(&network, &*optimizer, &x, &labels, options))
        } else {
            Box::new(DenseEngine::new(&network, &*optimizer, &x, &labels, options))
        };
        let held_out = judged.as_ref().map(|(x, labels)| (engine.hold_out(x), &labels[..]));
        let progress = Progress::start(config.clone(), data, engine.name().into());
        let mut run = Run {
            config,
            loss: network.loss(),
            best_network: None,
            last: network,
            batches: Batches::new(labels.len(), config.batch_size, config.rng, config.seed),
            n_iterations: config.n_iterations(labels.len()),
            validate_every: config.validation_interval(labels.len()),
            engine: &mut *engine,
            optimizer: &*optimizer,
            held_out,
            progress,
            judged_at: None,
            health: Vec::new(),
        };
        if let Some(checkpoint) = checkpoint {
            run.restore(checkpoint)?;
        }
        let end = run.train(observers)?;
        run.finish(end)
    }
}

/// A training run under way.
struct Run<'a, F: Real> {
    config: &'a TrainConfig,
    loss: Loss,
    engine: &'a mut dyn Engine<F>,
    optimizer: &'a dyn Optimizer<F>,
    batches: Batches,
    n_iterations: usize,
    validate_every: usize,
    /// Number of the engine's held-out set, and its labels.
    held_out: Option<(usize, &'a [u32])>,
    progress: Progress,
    /// The iteration of the last validation.
    judged_at: Option<usize>,
    best_network: Option<Network<F>>,
    /// The network as it was drawn: the shape of what a checkpoint keeps.
    last: Network<F>,
    health: Vec<LayerHealth>,
}

impl<F: Real> Run<'_, F> {
    fn train(&mut self, observers: &mut [&mut dyn Observer]) -> Result<End, TrainError> {
        let start = self.progress.iteration;
        loop {
            let iteration = self.progress.iteration;
            let mut end = (iteration >= self.n_iterations).then_some(End::Completed);
            let mut improved = false;
            if self.is_time_to_judge(end.is_some()) {
                improved = self.judge(observers);
                let patience = self.config.patience;
                if patience > 0 && self.progress.waited >= patience {
                    end = end.or(Some(End::Early));
                }
            }
            if iteration > start || end.is_some() {
                self.offer_checkpoint(observers, improved, end.is_some());
            }
            if let Some(end) = end {
                return Ok(end);
            }
            if self.iterate(observers)? == Flow::Stop {
                // For whoever wants to go on later: the state before this iteration.
                self.offer_checkpoint(observers, false, true);
                return Ok(End::Asked);
            }
        }
    }

    /// One iteration: cost, log, update.
    fn iterate(&mut self, observers: &mut [&mut dyn Observer]) -> Result<Flow, TrainError> {
        let Self { config, engine, batches, progress, .. } = self;
        let iteration = progress.iteration;
        let epoch = iteration / batches.per_epoch();
        let n_iterations = self.n_iterations;
        let at = Position { iteration, n_iterations, epoch, plateaus: progress.plateaus };
        let learning_rate = config.schedule.learning_rate(config.learning_rate, &at);
        let m = batches.m();
        let batch = batches.at(iteration)?;
        // λ/2m·Σ‖W‖² with the m of this batch, as the gradient has it.
        let l2 = match batch {
            _ if config.l2 == 0.0 => 0.0,
            Some(batch) => config.l2 / batch.len() as f64,
            None => config.l2 / m as f64,
        };
        let whole = batch.is_none();
        let cost = engine.cost(Pass { batch, iteration });
        if !cost.is_finite() {
            let layer = engine.first_not_finite().unwrap_or(config.hidden.len() + 1);
            return Err(TrainError::Diverged { iteration, cost, layer, learning_rate });
        }
        let log = iteration.is_multiple_of(config.log_every);
        let before = (progress.since_log, progress.costs.len());
        let mut reported = cost;
        let (sum, n) = &mut progress.since_log;
        (*sum, *n) = (*sum + cost, *n + 1);
        if log {
            if !whole {
                reported = *sum / *n as f64;
            }
            (*sum, *n) = (0.0, 0);
            if l2 > 0.0 {
                reported += 0.5 * l2 * engine.squared_weights();
            }
            progress.costs.push(CostPoint { iteration, cost: reported });
            self.health = engine.health();
        }
        let event = IterationEvent {
            iteration,
            n_iterations,
            epoch,
            cost: reported,
            learning_rate,
            log,
            health: if log { &self.health } else { &[] },
            validation: progress.validations.last().copied(),
        };
        let mut stop = false;
        for observer in observers.iter_mut() {
            stop |= observer.on_iteration(&event) == Flow::Stop;
        }
        if stop {
            // Nothing of this iteration has happened, for whoever goes on from here.
            progress.since_log = before.0;
            progress.costs.truncate(before.1);
            return Ok(Flow::Stop);
        }
        progress.iteration += 1;
        let step = Step { l2, ..Step::new(progress.iteration as u64, learning_rate) };
        let clip = (config.clip_norm > 0.0).then_some(config.clip_norm);
        engine.update(self.optimizer, step, clip);
        Ok(Flow::Continue)
    }

    fn is_time_to_judge(&self, at_the_end: bool) -> bool {
        let iteration = self.progress.iteration;
        self.held_out.is_some()
            && self.judged_at != Some(iteration)
            && iteration > 0
            && (at_the_end || iteration.is_multiple_of(self.validate_every))
    }

    /// Judges by the validation set; whether it is better than ever.
    fn judge(&mut self, observers: &mut [&mut dyn Observer]) -> bool {
        let Some((set, labels)) = self.held_out else { return false };
        let logits = self.engine.held_out_logits(set);
        let iteration = self.progress.iteration;
        let cost = self.loss.cost(&logits, labels);
        let probabilities = self.last.probabilities_of_logits(logits);
        let score = Score::of(&predictions(&probabilities), labels);
        let point = ValidationPoint { iteration, cost, score };
        let progress = &mut self.progress;
        let best = progress.best.map(|best| progress.validations[best]);
        let improved = best.is_none_or(|best| match self.config.monitor {
            Monitor::ValidationCost => cost < best.cost,
            Monitor::ValidationAccuracy => score.correct > best.score.correct,
        });
        progress.validations.push(point);
        if improved {
            progress.best = Some(progress.validations.len() - 1);
            progress.waited = 0;
        } else {
            progress.waited += 1;
        }
        if let Schedule::Plateau { patience, .. } = self.config.schedule {
            let (lowest, waited) = &mut progress.plateau;
            if lowest.is_none_or(|lowest| cost < lowest) {
                (*lowest, *waited) = (Some(cost), 0);
            } else {
                *waited += 1;
                if *waited >= patience {
                    *waited = 0;
                    progress.plateaus += 1;
                }
            }
        }
        self.judged_at = Some(iteration);
        if improved && self.config.restore_best {
            self.best_network = Some(self.engine.network());
        }
        for observer in observers.iter_mut() {
            observer.on_validation(&point, improved);
        }
        improved
    }

    fn offer_checkpoint(
        &mut self,
        observers: &mut [&mut dyn Observer],
        improved: bool,
        last: bool,
    ) {
        let iteration = self.progress.iteration;
        let per_epoch = self.batches.per_epoch();
        let moment = Moment {
            iteration,
            epoch: iteration / per_epoch,
            ends_epoch: iteration.is_multiple_of(per_epoch),
            improved,
            last,
        };
        let mut checkpoint = None;
        for observer in observers.iter_mut() {
            if observer.wants_checkpoint(&moment) {
                let checkpoint = checkpoint.get_or_insert_with(|| self.checkpoint());
                observer.on_checkpoint(checkpoint, &moment);
            }
        }
    }

    fn checkpoint(&mut self) -> Checkpoint {
        let mut checkpoint = Checkpoint::new(self.progress.clone());
        for (name, tensor) in self.engine.state() {
            let shape = [tensor.nrows(), tensor.ncols()];
            checkpoint.put(name, tensor.iter(), shape);
        }
        if let Some(best) = &self.best_network {
            for (l, layer) in best.layers().iter().enumerate() {
                let (w, b) = (layer.weights(), layer.bias());
                checkpoint.put(format!("best.W{}", l + 1), w.iter(), [w.nrows(), w.ncols()]);
                checkpoint.put(format!("best.b{}", l + 1), b.iter(), [b.nrows(), 1]);
            }
        }
        checkpoint
    }

    /// Puts everything as it was.
    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let then = checkpoint.progress();
        let same = |what, then: &str, now: &str| {
            if then == now {
                return Ok(());
            }
            let (then, now) = (then.to_owned(), now.to_owned());
            Err(CheckpointError::Mismatch { what, then, now })
        };
        same("the data", &then.data, &self.progress.data)?;
        same("the engine", &then.engine, &self.progress.engine)?;
        for (name, mut tensor) in self.engine.state() {
            checkpoint.get(&name, &mut tensor)?;
        }
        if checkpoint.has("best.W1") {
            let layers = self.last.layers().iter().enumerate().map(|(l, layer)| {
                let w =
                    checkpoint.matrix::<F>(&format!("best.W{}", l + 1), layer.weights().shape())?;
                let b = checkpoint.matrix::<F>(&format!("best.b{}", l + 1), (layer.n(), 1))?;
                let b = DVector::from_column_slice(b.as_slice());
                Ok(Dense::new(w, b, layer.activation())?)
            });
            let layers = layers.collect::<Result<Vec<_>, TrainError>>()?;
            self.best_network = Some(Network::new(layers, self.loss)?);
        }
        self.progress = Progress { config: self.config.clone(), ..then.clone() };
        self.judged_at = then.validations.last().map(|last| last.iteration);
        Ok(())
    }

    fn finish(self, end: End) -> Result<Trained<F>, TrainError> {
        let Self { engine, best_network, progress, config, health, .. } = self;
        let iteration = progress.iteration;
        let network = engine.network();
        if !network.is_finite() {
            let (cost, learning_rate) = (f64::NAN, config.learning_rate);
            let layer = engine.first_not_finite().unwrap_or(config.hidden.len() + 1);
            return Err(TrainError::Diverged { iteration, cost, layer, learning_rate });
        }
        Ok(Trained {
            network: best_network.unwrap_or(network),
            best: progress.best.map(|best| progress.validations[best]),
            costs: progress.costs,
            validations: progress.validations,
            iterations: iteration,
            end,
            engine: engine.name(),
            health,
        })
    }
}

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

/// Features and labels of some examples.
fn selected<F: Real>(
    examples: &dyn Examples<F>,
    indices: &[usize],
) -> Result<(DMatrix<F>, Vec<u32>), DatasetError> {
    let mut x = DMatrix::zeros(examples.n_features(), indices.len());
    examples.read(indices, &mut x)?;
    Ok((x, indices.iter().map(|&i| examples.labels()[i]).collect()))
}

/// A network's answers on labelled examples.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// How many are right.
    pub score: Score,
    /// The most probable class of each example.
    pub predictions: Vec<Prediction>,
    /// The cost.
    pub cost: f64,
}

/// Applies a network to labelled examples.
///
/// # Errors
/// When the examples cannot be read.
/// # Panics
/// When they do not have the network's number of features or classes.
#[doc(alias = "predict")]
pub fn evaluate<F: Real>(
    network: &Network<F>,
    examples: &dyn Examples<F>,
) -> Result<Evaluation, DatasetError> {
    let x = matrix(examples)?;
    let logits = network.logits(&x);
    let cost = network.loss().cost(&logits, examples.labels());
    let predictions = predictions(&network.probabilities_of_logits(logits));
    let score = Score::of(&predictions, examples.labels());
    Ok(Evaluation { score, predictions, cost })
}
