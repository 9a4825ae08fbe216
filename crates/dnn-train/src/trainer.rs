//! The one training loop.

use crate::config::TrainConfig;
use crate::engine::{DenseEngine, Engine, EngineKind, EngineOptions, GramEngine, Job, Pass};
use crate::observer::{Flow, IterationEvent, Observer};
use crate::optimizer::{GradientDescent, Optimizer, Step};
use dnn_core::metrics::{Prediction, Score, predictions};
use dnn_core::rng::{Generator, SeedError};
use dnn_core::{DatasetError, Examples, Network, NetworkError, Real};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Why training could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data and the configuration make no network.
    #[error("the data and the configuration make no network")]
    Network(#[from] NetworkError),
    /// The seed does not fit the generator.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The examples could not be read.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The cost is no number any more.
    #[error(
        "the cost is {cost} at iteration {iteration}: training has diverged; \
         a smaller learning rate than {learning_rate} or another initialisation may help"
    )]
    Diverged {
        /// Updates made before.
        iteration: usize,
        /// What the cost was: NaN or infinite.
        cost: f64,
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

/// What training leaves behind.
#[derive(Debug, Clone)]
pub struct Trained<F: Real> {
    /// The network after the last update.
    pub network: Network<F>,
    /// The cost at every logged iteration.
    pub costs: Vec<CostPoint>,
    /// Updates made.
    pub iterations: usize,
    /// Whether an observer ended training before all iterations were made.
    pub stopped: bool,
    /// Name of the engine that did the work.
    pub engine: &'static str,
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
    let architecture = config.architecture(examples.n_features(), examples.classes().len())?;
    let mut rng = Generator::new(config.rng, config.seed)?;
    let network = Network::initialize(&architecture, config.init, &mut rng)?;
    let x = matrix(examples)?;
    let optimizer: &dyn Optimizer<F> = &GradientDescent;
    let labels = examples.labels();
    let options = EngineOptions { n_threads: config.n_threads(), ..EngineOptions::default() };
    let job = Job {
        n_features: examples.n_features(),
        n_units: network.layers()[0].n(),
        m: examples.n_examples(),
        batch: examples.n_examples(),
        iterations: config.iterations,
        held_out: 0,
    };
    let in_coordinates = match config.engine {
        EngineKind::Auto => optimizer.is_linear() && job.gram_is_cheaper(),
        EngineKind::Gram => true,
        EngineKind::Dense => false,
    };
    if in_coordinates {
        let mut engine = GramEngine::new(&network, optimizer, &x, labels, options);
        drop(network);
        run(config, &mut engine, optimizer, observers)
    } else {
        let mut engine = DenseEngine::new(&network, optimizer, &x, labels, options);
        drop(network);
        run(config, &mut engine, optimizer, observers)
    }
}

fn run<F: Real>(
    config: &TrainConfig,
    engine: &mut dyn Engine<F>,
    optimizer: &dyn Optimizer<F>,
    observers: &mut [&mut dyn Observer],
) -> Result<Trained<F>, TrainError> {
    let n_iterations = config.iterations;
    let learning_rate = config.learning_rate;
    let mut costs = Vec::with_capacity(n_iterations.div_ceil(config.log_every));
    let mut stopped = false;
    let mut iteration = 0;
    while iteration < n_iterations {
        let cost = engine.cost(Pass::all(iteration));
        let log = iteration.is_multiple_of(config.log_every);
        if !cost.is_finite() {
            return Err(TrainError::Diverged { iteration, cost, learning_rate });
        }
        if log {
            costs.push(CostPoint { iteration, cost });
        }
        let event = IterationEvent { iteration, n_iterations, cost, learning_rate, log };
        for observer in observers.iter_mut() {
            stopped |= observer.on_iteration(&event) == Flow::Stop;
        }
        if stopped {
            break;
        }
        iteration += 1;
        engine.update(optimizer, Step::new(iteration as u64, learning_rate), None);
    }
    let network = engine.network();
    if !network.is_finite() {
        return Err(TrainError::Diverged { iteration, cost: f64::NAN, learning_rate });
    }
    Ok(Trained { network, costs, iterations: iteration, stopped, engine: engine.name() })
}

/// All features as one matrix, read when the source does not have them so.
fn matrix<F: Real>(examples: &dyn Examples<F>) -> Result<Cow<'_, DMatrix<F>>, DatasetError> {
    if let Some(x) = examples.matrix() {
        return Ok(Cow::Borrowed(x));
    }
    let mut x = DMatrix::zeros(examples.n_features(), examples.n_examples());
    examples.read(&(0..examples.n_examples()).collect::<Vec<_>>(), &mut x)?;
    Ok(Cow::Owned(x))
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
