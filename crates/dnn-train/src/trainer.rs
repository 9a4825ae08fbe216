//! A training run from its parts: configuration, examples, optimizer, cost; the loop itself is in
//! `run.rs`.

use crate::checkpoint::{Checkpoint, Progress};
use crate::communicator::{Communicator, SingleProcess};
use crate::config::{TrainConfig, TrainingPrecision};
use crate::cost::{Cost, CrossEntropy};
use crate::engine::{self, EngineInput, EngineKind, EngineOptions, GramMatrix, Workload};
use crate::error::TrainError;
use crate::evaluation::{logits, selected};
use crate::feed::Subset;
use crate::history::{Trained, ValidationSplit};
use crate::observer::Observer;
use crate::optimizer::{MAX_MOMENTS, Optimizer};
use crate::run::{Run, ValidationSet};
use crate::schedule::Schedule;
use crate::temperature::fit_temperature;
use dnn_core::metrics::ConformalScores;
use dnn_core::rng::Generator;
use dnn_core::{
    Architecture, DatasetError, Examples, Network, NetworkError, Precision, Real, split,
};
use nalgebra::DMatrix;
use std::borrow::Cow;

/// A training run before it starts: the examples, the validation set, the optimizer, the cost, and
/// the checkpoint to resume from.
pub struct Training<'a, F: Real> {
    config: &'a TrainConfig,
    examples: &'a dyn Examples<F>,
    validation: Option<&'a dyn Examples<F>>,
    checkpoint: Option<&'a Checkpoint>,
    data: String,
    optimizer: Option<&'a dyn Optimizer<F>>,
    cost: Option<&'a dyn Cost<F>>,
    start: Option<Start<'a, F>>,
    communicator: &'a dyn Communicator,
    gram: Option<&'a GramMatrix<'a, F>>,
}

/// A network to start from.
#[derive(Clone, Copy)]
struct Start<'a, F: Real> {
    network: &'a Network<F>,
    /// Whether it tells the same classes apart.
    same_classes: bool,
}

impl<'a, F: Real> Training<'a, F> {
    /// Makes a training run on these examples as configured.
    pub fn new(config: &'a TrainConfig, examples: &'a dyn Examples<F>) -> Self {
        Self {
            config,
            examples,
            validation: None,
            checkpoint: None,
            data: String::new(),
            optimizer: None,
            cost: None,
            start: None,
            communicator: &SingleProcess,
            gram: None,
        }
    }

    /// Steps with this optimizer, instead of the one that the configuration names. Its learning
    /// rates come from the configuration all the same.
    ///
    /// A checkpoint holds its moments, and not which optimizer it is: whoever resumes a run gives
    /// the same one again.
    #[must_use]
    pub fn optimizer(mut self, optimizer: &'a dyn Optimizer<F>) -> Self {
        self.optimizer = Some(optimizer);
        self
    }

    /// Minimises this cost, instead of the cross-entropy, and judges the validation set by it. In
    /// training the class weights of the configuration count; see [`Cost::value_and_gradient`].
    #[must_use]
    pub fn cost(mut self, cost: &'a dyn Cost<F>) -> Self {
        self.cost = Some(cost);
        self
    }

    /// Judges by these examples while training, instead of keeping part of the training set apart.
    #[must_use]
    pub fn validate_on(mut self, examples: Option<&'a dyn Examples<F>>) -> Self {
        self.validation = examples;
        self
    }

    /// Starts from the weights of a trained network instead of drawn ones (warm start). It must have
    /// the features and the hidden layers of the one to train. Its output layer is taken as well when
    /// its `classes` are those of the examples, in the same order, and drawn otherwise. Its temperature
    /// is not taken.
    ///
    /// A run that was started so resumes only when it is given the same network again.
    #[must_use]
    pub fn start_from(mut self, network: &'a Network<F>, classes: &[String]) -> Self {
        self.start = Some(Start { network, same_classes: classes == self.examples.classes() });
        self
    }

    /// Trains together with the other ranks of this communicator, each of which makes the same run. They
    /// share each batch's micro-shards, of which there are at least as many, and end with the same
    /// parameters, bit for bit those that one process with as many micro-shards ends with.
    ///
    /// Observers are called on every rank; what those of rank 0 decide counts for all.
    #[must_use]
    pub fn communicator(mut self, communicator: &'a dyn Communicator) -> Self {
        self.communicator = communicator;
        self
    }

    /// Shares this Gram matrix with other trainings on the same examples, where training takes place in
    /// its coordinates: the first of them computes it. It has to be that of the examples'
    /// [`matrix`](Examples::matrix); a training on a part of them computes its own.
    #[must_use]
    pub fn gram_matrix(mut self, gram: Option<&'a GramMatrix<'a, F>>) -> Self {
        self.gram = gram;
        self
    }

    /// Sets the identifier of the data, a hash for example. Checkpoints keep it, and a run resumes
    /// only with the same.
    #[must_use]
    pub fn identified_by(mut self, data: impl Into<String>) -> Self {
        self.data = data.into();
        self
    }

    /// Resumes the run from a checkpoint. It ends with the same bits as one that was never
    /// interrupted, on the same kind of machine.
    #[must_use]
    pub fn resume_from(mut self, checkpoint: Option<&'a Checkpoint>) -> Self {
        self.checkpoint = checkpoint;
        self
    }

    /// Checks that training can start: finds what [`run`](Self::run) would refuse at once, before
    /// anything is made for the run.
    ///
    /// # Errors
    /// Configuration, data and validation set that do not fit each other.
    pub fn check(&self) -> Result<(), TrainError> {
        let Self { config, examples, validation, .. } = self;
        let architecture = config.architecture(examples.n_features(), examples.classes().len())?;
        if let Some(Start { network, .. }) = self.start {
            let hidden = |of: &Architecture| {
                let inputs = &of.layer_dims[..of.layer_dims.len() - 1];
                (inputs.to_vec(), of.activations.clone(), of.normalization)
            };
            let from = network.architecture();
            if hidden(&from) != hidden(&architecture) {
                let (expected, got) = (in_words(&architecture), in_words(&from));
                return Err(TrainError::WarmStart { expected, got });
            }
        }
        if config.precision == TrainingPrecision::Bf16 && F::PRECISION != Precision::F32 {
            return Err(TrainError::DoubleInBf16);
        }
        let (ranks, micro_shards) = (self.communicator.size(), config.micro_shards.unwrap_or(1));
        if ranks > micro_shards {
            return Err(TrainError::Ranks { ranks, micro_shards });
        }
        let batch = batch_len(config, examples.n_examples());
        check_available(&architecture, working_bytes(&architecture, batch, size_of::<F>()))?;
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
        } else if config.patience > 0
            || config.restore_best
            || config.calibrate
            || config.validate_every > 0
            || matches!(config.schedule, Schedule::Plateau { .. })
        {
            return Err(TrainError::NothingToJudge(
                "schedule plateau, validate_every, patience, restore_best and calibrate need a validation \
                 set, or validation = 0.1 for example",
            ));
        }
        Ok(())
    }

    /// See [`run`](Self::run).
    pub(crate) fn run_with(
        self,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Trained<F>, TrainError> {
        self.check()?;
        let Self {
            config,
            examples,
            validation,
            checkpoint,
            data,
            optimizer,
            cost,
            start,
            communicator,
            gram,
        } = self;
        let own_cost = cost;
        let (n_features, n_classes) = (examples.n_features(), examples.classes().len());
        let architecture = config.architecture(n_features, n_classes)?;
        let share = if validation.is_some() { 0.0 } else { config.validation };
        let divided = if share > 0.0 {
            let labels = examples.labels();
            let (train, validation) = split::stratified(labels, share, config.rng, config.seed)?;
            Some(ValidationSplit { train, validation })
        } else {
            None
        };
        let judged = match (validation, &divided) {
            (Some(set), _) => Some((matrix(set)?, Cow::Borrowed(set.labels()))),
            (None, Some(divided)) => {
                let (x, labels) = selected(examples, &divided.validation)?;
                Some((Cow::Owned(x), Cow::Owned(labels)))
            }
            (None, None) => None,
        };
        let all = examples;
        let rest = divided.as_ref().map(|divided| Subset::new(all, divided.train.clone()));
        let examples = rest.as_ref().map_or(examples, |rest| rest as &dyn Examples<F>);
        let is_streamed = examples.is_streamed();
        let x = if is_streamed { None } else { Some(matrix(examples)?) };
        let labels = examples.labels();
        let mut rng = Generator::new(config.rng, config.seed)?;
        let mut network = Network::initialize(&architecture, config.init, &mut rng)?;
        if let Some(start) = start {
            network = start.replace_layers_of(&network)?;
        }
        let built = config.optimizer.build::<F>();
        let optimizer = optimizer.unwrap_or(&*built);
        if optimizer.n_moments() > MAX_MOMENTS {
            return Err(TrainError::Moments { got: optimizer.n_moments() });
        }
        let cross_entropy =
            CrossEntropy::new(network.output()).with_smoothing(config.label_smoothing);
        let cost = cost.unwrap_or(&cross_entropy);
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
            mixup: config.mixup,
            ema_decay: config.ema_decay,
            micro_shards: config.micro_shards.unwrap_or(1),
            factors: config.precision.factors(),
            communicator,
        };
        let workload = Workload {
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
            _ if config.precision == TrainingPrecision::Bf16 => false,
            // The tensors of a checkpoint are in its engine's coordinates.
            (EngineKind::Auto, Some(checkpoint)) => {
                optimizer.is_linear() && checkpoint.progress().engine == "gram"
            }
            (EngineKind::Auto, None) => optimizer.is_linear() && workload.gram_is_cheaper(),
            (kind, _) => kind == EngineKind::Gram,
        };
        if in_coordinates && !optimizer.is_linear() {
            return Err(TrainError::GramNotLinear);
        }
        let x = x.as_deref();
        let shared = gram.filter(|gram| x.is_some_and(|x| std::ptr::eq(x, gram.x())));
        let own = x.map(GramMatrix::new);
        let input = match (x, shared.or(own.as_ref())) {
            (Some(_), Some(gram)) if in_coordinates => EngineInput::Gram(gram),
            (Some(x), _) => EngineInput::Dense(x),
            (None, _) => EngineInput::Fed,
        };
        let mut engine = engine::build(&network, cost, optimizer, input, labels, options);
        // The validation set is judged by its true labels, and all classes alike.
        let plain = CrossEntropy::new(network.output());
        let held_out = judged.as_ref().map(|(x, labels)| ValidationSet {
            set: engine.hold_out(x),
            labels: &labels[..],
            cost: own_cost.unwrap_or(&plain),
        });
        let mut progress = Progress::start(config.clone(), data, engine.name().into());
        progress.started_from = start.map(|_| checksum(&network));
        let m = labels.len();
        let mut run = Run::new(config, network, &mut *engine, optimizer, m, held_out, progress);
        run.communicator = communicator;
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
        let trained = run.finish(end)?;
        let kept = divided.as_ref().map(|divided| divided.of(all).1);
        let judged_by = validation.or(kept.as_ref().map(|kept| kept as &dyn Examples<F>));
        let trained = match judged_by {
            Some(examples) if config.calibrate => calibrated(trained, examples, communicator)?,
            _ => trained,
        };
        Ok(Trained { split: divided, ..trained })
    }
}

/// Fits the network's temperature to examples that it was not trained on, and keeps how well its
/// answers fit them then.
fn calibrated<F: Real>(
    trained: Trained<F>,
    examples: &dyn Examples<F>,
    communicator: &dyn Communicator,
) -> Result<Trained<F>, TrainError> {
    let (logits, labels) = (logits(&trained.network, examples, communicator)?, examples.labels());
    let temperature = fit_temperature(trained.network.output(), &logits, labels);
    let network = trained.network.with_temperature(temperature)?;
    let conformal = ConformalScores::of(&network.probabilities_of_logits(logits), labels);
    Ok(Trained { network, conformal: Some(conformal), ..trained })
}

impl<F: Real> Start<'_, F> {
    /// Returns the network `drawn` with the layers that are taken from this one.
    fn replace_layers_of(&self, drawn: &Network<F>) -> Result<Network<F>, NetworkError> {
        let (from, output) = (self.network, drawn.output());
        let mut layers = from.layers().to_vec();
        if !self.same_classes || from.output() != output {
            layers.pop();
            layers.extend(drawn.layers().last().cloned());
        }
        Network::new(layers, output)
    }
}

/// Returns the layers with their activations: "64-20-7-1 (relu, tanh)".
fn in_words(of: &Architecture) -> String {
    let mut words: Vec<_> = of.activations.iter().map(ToString::to_string).collect();
    words.extend((!of.normalization.is_none()).then(|| "normalised".into()));
    format!("{of} ({})", words.join(", "))
}

/// Returns the CRC-32 of a network's parameters, in words.
fn checksum<F: Real>(network: &Network<F>) -> String {
    let mut crc = crc32fast::Hasher::new();
    for layer in network.layers() {
        for value in layer.parameters().into_iter().flatten() {
            crc.update(&value.as_f64().to_le_bytes());
        }
    }
    format!("crc32:{:08x}", crc.finalize())
}

/// Checks, before examples are read, that there is memory for training on `n_train` of them and for
/// the features of all `n_examples`, those to judge by among them.
///
/// # Errors
/// [`TrainError::Memory`]; when the configuration makes no network of data like these.
pub fn check_memory(
    config: &TrainConfig,
    n_features: usize,
    n_classes: usize,
    [n_train, n_examples]: [usize; 2],
) -> Result<(), TrainError> {
    let width = match config.precision.numbers() {
        Precision::F32 => size_of::<f32>(),
        Precision::F64 => size_of::<f64>(),
    };
    let architecture = config.architecture(n_features, n_classes)?;
    let features = n_features as u128 * n_examples as u128 * width as u128;
    let features = u64::try_from(features).unwrap_or(u64::MAX);
    let working = working_bytes(&architecture, batch_len(config, n_train), width);
    check_available(&architecture, working.saturating_add(features))
}

/// Returns the number of examples of an update, of `m` in all.
fn batch_len(config: &TrainConfig, m: usize) -> usize {
    if config.batch_size == 0 { m } else { config.batch_size.min(m) }
}

/// Returns how many bytes training takes at least beside the examples: the weights with their gradients,
/// and the values of a batch, forward and backward, in numbers of `width` bytes.
fn working_bytes(architecture: &Architecture, batch: usize, width: usize) -> u64 {
    let dims = &architecture.layer_dims;
    let weights = dims.windows(2).map(|pair| pair[0] as u128 * pair[1] as u128).sum::<u128>();
    let values = dims.iter().skip(1).map(|&n| n as u128).sum::<u128>() * batch as u128;
    let bytes = 2 * (weights + values) * width as u128;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Refuses what takes more memory than there is, before it is asked for: when an allocation fails, the
/// program ends without a word.
fn check_available(architecture: &Architecture, needed: u64) -> Result<(), TrainError> {
    /// What any machine has; asking the system costs more than training a small network.
    const SMALL: u64 = 256 << 20;
    if needed <= SMALL {
        return Ok(());
    }
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    let available = (system.available_memory() + system.free_swap()).min(group);
    // Other limits, such as that of a process, are known by asking.
    let is_granted = usize::try_from(needed)
        .is_ok_and(|needed| Vec::<u8>::new().try_reserve_exact(needed).is_ok());
    if is_granted && (needed <= available || available == 0) {
        return Ok(());
    }
    Err(TrainError::Memory { layers: architecture.to_string(), needed, available, is_granted })
}

/// Checks that one network takes both sets.
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

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_core::{Activation, OutputActivation};

    #[test]
    fn more_memory_than_there_is_is_refused_with_an_estimate() {
        let architecture = |units: usize| {
            Architecture::new(vec![1000, units, 1], Activation::Relu, OutputActivation::Sigmoid)
        };
        // 2 · (1000·10 + 10·1 + 50·11) · 8 bytes.
        assert_eq!(working_bytes(&architecture(10), 50, 8), 168_960);
        let check = |units| {
            let architecture = architecture(units);
            check_available(&architecture, working_bytes(&architecture, 1, 4))
        };
        assert!(check(10).is_ok());
        for units in [1 << 40, usize::MAX] {
            let refused = check(units).expect_err("no machine has so much").to_string();
            assert!(refused.contains("1000-") && refused.contains("GB of memory"), "{refused}");
        }
        // Features count before they are there.
        let config = TrainConfig::course_deep();
        assert!(super::check_memory(&config, 12_288, 2, [209, 259]).is_ok());
        let refused =
            super::check_memory(&config, 12_288, 2, [209, 1 << 40]).expect_err("too many");
        assert!(refused.to_string().contains("training 12288-20-7-5-1 takes"), "{refused}");
    }
}
