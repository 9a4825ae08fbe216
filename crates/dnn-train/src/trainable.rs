//! The functions that train and judge, for `f32` and `f64`.
//!
//! A generic function is compiled in the crate that calls it, with that crate's optimisation. The
//! methods of [`Trainable`] are implemented for the two number types instead, so that the training
//! loop, the engines and the evaluation are compiled in this crate: as fast in a development build
//! of any program as this crate is, and once for all programs.

use crate::communicator::{Communicator, SingleProcess};
use crate::config::TrainConfig;
use crate::cost::Cost;
use crate::engine::{self, Engine, EngineInput, EngineOptions};
use crate::error::TrainError;
use crate::evaluation::{self, Evaluation};
use crate::history::Trained;
use crate::observer::Observer;
use crate::optimizer::Optimizer;
use crate::trainer::Training;
use dnn_core::{DatasetError, Examples, Network, Real};

/// A number type that networks are trained in: `f32` or `f64`, and no other.
///
/// It is only a bound. Write `F: Trainable` in code that is generic over the number type and calls
/// [`train`](crate::train), [`Training::run`] or [`evaluate`](crate::evaluate()). There is nothing to
/// call, and nothing to implement: its hidden methods are how these functions come to be compiled in
/// this crate for both types, so that they are fast in a development build of your program as well.
pub trait Trainable: Real {
    #[doc(hidden)]
    fn run(
        training: Training<'_, Self>,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Trained<Self>, TrainError>;

    #[doc(hidden)]
    fn evaluate(
        network: &Network<Self>,
        examples: &dyn Examples<Self>,
        communicator: &dyn Communicator,
    ) -> Result<Evaluation<Self>, DatasetError>;

    #[doc(hidden)]
    fn engine<'d>(
        network: &Network<Self>,
        cost: &'d dyn Cost<Self>,
        optimizer: &dyn Optimizer<Self>,
        input: EngineInput<'d, Self>,
        labels: &'d [u32],
        options: EngineOptions<'d>,
    ) -> Box<dyn Engine<Self> + 'd>;
}

macro_rules! trainable {
    ($($number:ty),*) => {$(
        impl Trainable for $number {
            fn run(
                training: Training<'_, Self>,
                observers: &mut [&mut dyn Observer],
            ) -> Result<Trained<Self>, TrainError> {
                training.run_with(observers)
            }
            fn evaluate(
                network: &Network<Self>,
                examples: &dyn Examples<Self>,
                communicator: &dyn Communicator,
            ) -> Result<Evaluation<Self>, DatasetError> {
                evaluation::evaluate(network, examples, communicator)
            }
            fn engine<'d>(
                network: &Network<Self>,
                cost: &'d dyn Cost<Self>,
                optimizer: &dyn Optimizer<Self>,
                input: EngineInput<'d, Self>,
                labels: &'d [u32],
                options: EngineOptions<'d>,
            ) -> Box<dyn Engine<Self> + 'd> {
                engine::build(network, cost, optimizer, input, labels, options)
            }
        }
    )*};
}

trainable!(f32, f64);

impl<F: Trainable> Training<'_, F> {
    /// Trains the network to the end of the run, or until an observer stops it.
    ///
    /// # Errors
    /// [`TrainError`]; `Diverged` when the cost becomes NaN or infinite.
    pub fn run(self, observers: &mut [&mut dyn Observer]) -> Result<Trained<F>, TrainError> {
        F::run(self, observers)
    }
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

/// Applies a network to labelled examples, some at a time and on all cores.
///
/// # Errors
/// When the examples cannot be read.
/// # Panics
/// When they do not have the network's number of features or classes.
#[doc(alias = "predict")]
pub fn evaluate<F: Trainable>(
    network: &Network<F>,
    examples: &dyn Examples<F>,
) -> Result<Evaluation<F>, DatasetError> {
    F::evaluate(network, examples, &SingleProcess)
}

/// Does what [`evaluate`] does, a part of the examples on each rank; every rank has the whole result.
///
/// # Errors
/// When the examples cannot be read.
/// # Panics
/// When they do not have the network's number of features or classes.
pub fn evaluate_on_ranks<F: Trainable>(
    network: &Network<F>,
    examples: &dyn Examples<F>,
    communicator: &dyn Communicator,
) -> Result<Evaluation<F>, DatasetError> {
    F::evaluate(network, examples, communicator)
}

/// Makes an engine: what computes cost and gradients of a batch, and holds the parameters that they
/// change.
///
/// # Shapes
/// X of the input (n₀, m), `labels` (m).
/// # Panics
/// When the input, the labels or the options do not fit the network; in coordinates also when the
/// optimizer is not linear. When factors in bf16 are asked of numbers in f64, or in coordinates.
pub fn build_engine<'d, F: Trainable>(
    network: &Network<F>,
    cost: &'d dyn Cost<F>,
    optimizer: &dyn Optimizer<F>,
    input: EngineInput<'d, F>,
    labels: &'d [u32],
    options: EngineOptions<'d>,
) -> Box<dyn Engine<F> + 'd> {
    F::engine(network, cost, optimizer, input, labels, options)
}
