//! Progress, logs, early stopping and the like attach to training here.

/// What has just been computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IterationEvent {
    /// Number of parameter updates made so far, from 0.
    pub iteration: usize,
    /// How many there will be.
    pub n_iterations: usize,
    /// The cost at the parameters after `iteration` updates, on the batch at hand.
    pub cost: f64,
    /// The learning rate of the update that follows.
    pub learning_rate: f64,
    /// Whether this iteration is one to log, by the configuration.
    pub log: bool,
}

/// Whether training goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Make the update and go on.
    Continue,
    /// End here, in order, without the update.
    Stop,
}

/// Watches training. Called once an iteration, between the cost and the update.
pub trait Observer {
    /// Takes note of the event; the first `Stop` of any observer ends training.
    fn on_iteration(&mut self, event: &IterationEvent) -> Flow;
}

impl<T: FnMut(&IterationEvent) -> Flow> Observer for T {
    fn on_iteration(&mut self, event: &IterationEvent) -> Flow {
        self(event)
    }
}
