//! Progress, logs, early stopping and the like attach to training here.

use crate::checkpoint::Checkpoint;
use crate::diagnosis::LayerHealth;
use crate::history::{EpochPoint, ValidationPoint};
use dnn_core::metrics::Score;

/// What an observer is told about an iteration, between its cost and its update.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct IterationEvent<'a> {
    /// Number of parameter updates made so far, from 0.
    pub iteration: usize,
    /// Number of parameter updates that the whole run makes.
    pub n_iterations: usize,
    /// Number of completed passes over the training set.
    pub epoch: usize,
    /// The cost at the parameters after `iteration` updates, on the present batch; at logged
    /// iterations with mini-batches the mean since the last logged one, and in any case with the
    /// L2 penalty there is.
    pub cost: f64,
    /// How many training examples are right, when all of them are trained on at once; at logged
    /// iterations. With mini-batches [`Observer::on_epoch`] says it.
    pub score: Option<Score>,
    /// The learning rate of the update that follows.
    pub learning_rate: f64,
    /// Whether this iteration is one to log, by the configuration.
    pub log: bool,
    /// How the hidden layers fare; at logged iterations.
    pub health: &'a [LayerHealth],
    /// The latest result on the validation set, if there is one.
    pub validation: Option<ValidationPoint>,
}

/// Whether training goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Make the update and go on.
    Continue,
    /// End here, in order, without the update.
    Stop,
}

/// A point between two iterations, at which a checkpoint can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Number of parameter updates made.
    pub iteration: usize,
    /// Number of completed passes over the training set.
    pub epoch: usize,
    /// Whether an epoch has just ended.
    pub ends_epoch: bool,
    /// Whether the validation just made is the best so far.
    pub improved: bool,
    /// Whether training ends here.
    pub last: bool,
}

/// Watches training, and may stop it or ask for checkpoints.
pub trait Observer {
    /// Called once, before the first iteration, when nothing can be refused any more: data,
    /// configuration and the checkpoint to go on from fit each other. `Stop` ends training there,
    /// without a checkpoint.
    fn on_start(&mut self) -> Flow {
        Flow::Continue
    }

    /// Called once an iteration, between the cost and the update. The first `Stop` of any observer
    /// ends training.
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow;

    /// Called after each pass over the training set in mini-batches, after the validation that is made
    /// there, and at the end for a pass that is not complete.
    fn on_epoch(&mut self, _point: &EpochPoint) {}

    /// Called after each validation.
    fn on_validation(&mut self, _point: &ValidationPoint, _improved: bool) {}

    /// Returns whether a checkpoint is wanted here. It is called before each iteration but the
    /// first, and at the end.
    fn wants_checkpoint(&mut self, _moment: &Moment) -> bool {
        false
    }

    /// Takes the checkpoint that was wanted.
    fn on_checkpoint(&mut self, _checkpoint: &Checkpoint, _moment: &Moment) {}
}

impl<T: FnMut(&IterationEvent<'_>) -> Flow> Observer for T {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        self(event)
    }
}
