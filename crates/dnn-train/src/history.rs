//! What a training run records, and what it ends with.

use crate::feed::Subset;
use crate::health::LayerHealth;
use dnn_core::metrics::Score;
use dnn_core::{Examples, Network, Real};
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

impl ValidationSplit {
    /// Returns the two parts of `examples`, the set that was divided: what was trained on, and what
    /// was kept apart.
    ///
    /// # Panics
    /// When it is a set of fewer examples.
    pub fn of<'a, F: Real>(&self, examples: &'a dyn Examples<F>) -> (Subset<'a, F>, Subset<'a, F>) {
        let part = |indices: &Vec<usize>| Subset::new(examples, indices.clone());
        (part(&self.train), part(&self.validation))
    }
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

/// How the training set was divided: what was trained on, and what was kept apart to judge by. Both
/// are indices in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationSplit {
    /// The examples that were trained on.
    pub train: Vec<usize>,
    /// The examples that were kept apart.
    pub validation: Vec<usize>,
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
    /// How the training set was divided, when [`TrainConfig::validation`](crate::TrainConfig) kept a
    /// share of it apart; `None` when all of it was trained on.
    pub split: Option<ValidationSplit>,
    /// Updates made.
    pub iterations: usize,
    /// How training ended.
    pub end: End,
    /// Name of the engine that did the work.
    pub engine: &'static str,
    /// How the hidden layers fared at the last logged iteration.
    pub health: Vec<LayerHealth>,
}
