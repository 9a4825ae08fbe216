//! What a training run records, and what it ends with.

use crate::diagnosis::LayerHealth;
use dnn_core::metrics::Score;
use dnn_core::{Network, Real};
use serde::{Deserialize, Serialize};

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

/// The result of a training run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trained<F: Real> {
    /// The network after the last update, or the best one where that was asked for.
    pub network: Network<F>,
    /// The cost at every logged iteration.
    pub costs: Vec<CostPoint>,
    /// The network judged on the validation set, each time it was.
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
