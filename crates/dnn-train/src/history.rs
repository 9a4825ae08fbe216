//! What a training run records, and what it ends with.

use crate::diagnosis::LayerHealth;
use dnn_core::metrics::Score;
use dnn_core::{Network, Real};
use serde::{Deserialize, Serialize};

/// The cost at one iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostPoint {
    /// Number of parameter updates made before.
    pub iteration: usize,
    /// The cost at that iteration.
    pub cost: f64,
}

/// The result of the network on the validation set at one iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ValidationPoint {
    /// Number of parameter updates made before.
    pub iteration: usize,
    /// The cost on the validation set.
    pub cost: f64,
    /// How many of its examples are right.
    pub score: Score,
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All iterations were made.
    Completed,
    /// An observer stopped it.
    Asked,
    /// The validation set showed no improvement for as long as was configured.
    Early,
}

/// The result of a training run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trained<F: Real> {
    /// The network after the last update, or the best one where that was asked for.
    pub network: Network<F>,
    /// The cost at every logged iteration.
    pub costs: Vec<CostPoint>,
    /// The results on the validation set, in the order of the iterations.
    pub validations: Vec<ValidationPoint>,
    /// The best result on the validation set.
    pub best: Option<ValidationPoint>,
    /// Number of parameter updates made.
    pub iterations: usize,
    /// Why training ended.
    pub end: End,
    /// Name of the engine that did the work.
    pub engine: &'static str,
    /// How the hidden layers fared at the last logged iteration.
    pub health: Vec<LayerHealth>,
}
