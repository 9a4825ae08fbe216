//! `summary.json`, which is also what `dnn train --json` prints.

use dnn_core::metrics::Score;
use dnn_core::{Architecture, Precision};
use dnn_train::CostPoint;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What came of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The model file.
    pub(crate) model: PathBuf,
    /// The run's folder.
    pub(crate) run: PathBuf,
    /// Where the images came from: a path, or "drawn".
    pub(crate) data: PathBuf,
    /// Where the test images came from, when they came from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test_data: Option<PathBuf>,
    /// Layers of the network.
    pub(crate) architecture: Architecture,
    /// Names of the classes.
    pub(crate) classes: Vec<String>,
    /// The engine that did the work.
    pub(crate) engine: String,
    /// Precision of all numbers.
    pub(crate) precision: Precision,
    /// Updates made.
    pub(crate) iterations: usize,
    /// Whether training was ended from outside before all were made.
    pub(crate) stopped: bool,
    /// The cost at every logged iteration.
    pub(crate) costs: Vec<CostPoint>,
    /// The cost on the training images at the end.
    pub(crate) final_cost: f64,
    /// Right ones of the training images.
    pub(crate) train: Score,
    /// Right ones of the test images, when there are any.
    pub(crate) test: Option<Score>,
    /// How long it took.
    pub(crate) seconds: Seconds,
    /// Version of the program.
    pub(crate) version: String,
}

/// How long the parts of a run took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Seconds {
    /// Reading or drawing the images and making features of them.
    pub(crate) load: f64,
    /// Drawing the weights and training.
    pub(crate) train: f64,
    /// Applying the network to both sets.
    pub(crate) evaluate: f64,
}
