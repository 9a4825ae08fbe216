//! The functions that train and judge, for `f32` and `f64`.
//!
//! A generic function is compiled in the crate that calls it, with that crate's optimisation. The
//! methods of [`Trainable`] are implemented for the two number types instead, so that the training
//! loop, the engines and the evaluation are compiled in this crate: as fast in a development build
//! of any program as this crate is, and once for all programs.

use crate::config::TrainConfig;
use crate::cost::Cost;
use crate::engine::{self, Engine, EngineOptions, Features};
use crate::error::TrainError;
use crate::evaluation::{self, Evaluation};
use crate::history::Trained;
use crate::observer::Observer;
use crate::optimizer::Optimizer;
use crate::trainer::Training;
use dnn_core::{DatasetError, Examples, Network, Real};
use nalgebra::DMatrix;

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
    ) -> Result<Evaluation<Self>, DatasetError>;

    #[doc(hidden)]
    fn engine<'d>(
        network: &Network<Self>,
        cost: &'d dyn Cost<Self>,
        optimizer: &dyn Optimizer<Self>,
        features: Features<'d, Self>,
        labels: &'d [u32],
        options: EngineOptions<'_>,
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
            ) -> Result<Evaluation<Self>, DatasetError> {
                evaluation::evaluate(network, examples)
            }
            fn engine<'d>(
                network: &Network<Self>,
                cost: &'d dyn Cost<Self>,
                optimizer: &dyn Optimizer<Self>,
                features: Features<'d, Self>,
                labels: &'d [u32],
                options: EngineOptions<'_>,
            ) -> Box<dyn Engine<Self> + 'd> {
                engine::build(network, cost, optimizer, features, labels, options)
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
    F::evaluate(network, examples)
}

/// Makes an engine that computes every product in full, as the course does.
///
/// # Shapes
/// `x` (n₀, m), `labels` (m).
/// # Panics
/// When `x`, `labels` or the options do not fit the network.
pub fn dense_engine<'d, F: Trainable>(
    network: &Network<F>,
    cost: &'d dyn Cost<F>,
    optimizer: &dyn Optimizer<F>,
    x: &'d DMatrix<F>,
    labels: &'d [u32],
    options: EngineOptions<'_>,
) -> Box<dyn Engine<F> + 'd> {
    F::engine(network, cost, optimizer, Features::Dense(x), labels, options)
}

/// Makes a [`dense_engine`] for examples that are read batch by batch: call [`feed`](Engine::feed)
/// before every [`cost`](Engine::cost).
///
/// # Shapes
/// `labels` (m).
/// # Panics
/// When the labels or the options do not fit the network.
pub fn fed_engine<'d, F: Trainable>(
    network: &Network<F>,
    cost: &'d dyn Cost<F>,
    optimizer: &dyn Optimizer<F>,
    labels: &'d [u32],
    options: EngineOptions<'_>,
) -> Box<dyn Engine<F> + 'd> {
    F::engine(network, cost, optimizer, Features::Fed, labels, options)
}

/// Makes an engine with the first layer in the coordinates of the training set ([`dnn_core::gram`]
/// has the algebra): the work of an iteration does not depend on the number of features. For
/// optimizers whose steps are linear in the gradients. It builds G = XᵀX and P = W₁·X first, on all
/// threads.
///
/// # Shapes
/// `x` (n₀, m), `labels` (m).
/// # Panics
/// When `x`, `labels` or the options do not fit the network, or the optimizer is not linear.
pub fn gram_engine<'d, F: Trainable>(
    network: &Network<F>,
    cost: &'d dyn Cost<F>,
    optimizer: &dyn Optimizer<F>,
    x: &'d DMatrix<F>,
    labels: &'d [u32],
    options: EngineOptions<'_>,
) -> Box<dyn Engine<F> + 'd> {
    F::engine(network, cost, optimizer, Features::Gram(x), labels, options)
}
