//! What can go wrong in training.

use crate::checkpoint::CheckpointError;
use crate::config::ShapeError;
use crate::optimizer::MAX_MOMENTS;
use dnn_core::rng::SeedError;
use dnn_core::{DatasetError, NetworkError};

/// Why training could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data and the configuration make no network.
    #[error("the data and the configuration make no network")]
    Shape(#[from] ShapeError),
    /// The network cannot be made.
    #[error("the data and the configuration make no network")]
    Network(#[from] NetworkError),
    /// The seed does not fit the generator.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The examples could not be read.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The validation set does not fit the training set.
    #[error("the validation set has {got}, the training set {expected}")]
    Validation {
        /// What the training set has.
        expected: String,
        /// What the validation set has.
        got: String,
    },
    /// The Gram engine needs a training set that is in memory and does not change.
    #[error(
        "the gram engine needs examples that stay the same and fit into memory: use engine auto or \
         dense with examples that are augmented or streamed"
    )]
    GramStreamed,
    /// The Gram engine needs an optimizer whose steps are linear in the gradients.
    #[error(
        "the gram engine needs an optimizer whose steps are linear in the gradients: use engine auto \
         or dense with this one"
    )]
    GramNotLinear,
    /// Training in bf16 was asked of numbers in double precision.
    #[error(
        "precision bf16 with numbers in f64: expected numbers in f32, whose factors are rounded"
    )]
    DoubleInBf16,
    /// The optimizer needs more moments for each parameter than the engines keep.
    #[error("an optimizer with {got} moments for each parameter: expected at most {MAX_MOMENTS}")]
    Moments {
        /// The number of moments it needs.
        got: usize,
    },
    /// Training takes more memory than there is.
    #[error(
        "training {layers} takes at least {} of memory, and {} are available{}: use smaller layers, \
         a smaller size of the images or batch_size, or precision f32",
        gigabytes(*needed), gigabytes(*available),
        if *is_granted { "" } else { ", of which this process is not given so much" }
    )]
    Memory {
        /// The units of the layers, as in "12288-20-7-5-1".
        layers: String,
        /// Bytes that weights, gradients and the values of a batch take.
        needed: u64,
        /// Bytes that the machine has left.
        available: u64,
        /// Whether the system would give so much to this process: it has limits of its own.
        is_granted: bool,
    },
    /// There are more processes than pieces of a batch.
    #[error(
        "{ranks} ranks for {micro_shards} micro-shards: expected at most a rank for each; start fewer, or \
         train anew with micro_shards = {ranks}"
    )]
    Ranks {
        /// Processes that train together.
        ranks: usize,
        /// Pieces that each batch is cut into.
        micro_shards: usize,
    },
    /// The network to start from is of another shape.
    #[error(
        "the network to start from is {got}, and this one is to be {expected}: only the output layer \
         may differ"
    )]
    WarmStart {
        /// The layers of the network to train, in words.
        expected: String,
        /// The layers of the network to start from.
        got: String,
    },
    /// The range of a learning-rate range test is none.
    #[error(
        "learning rates from {lowest} to {highest} in {iterations} iterations: expected 0 < lowest < \
         highest and at least {min_iterations} iterations"
    )]
    LearningRateRange {
        /// The learning rate to begin with.
        lowest: f64,
        /// The learning rate to end with.
        highest: f64,
        /// The number of updates.
        iterations: usize,
        /// The fewest updates from which something can be suggested.
        min_iterations: usize,
    },
    /// There is no validation set, and the configuration needs one.
    #[error("{0}")]
    NothingToJudge(&'static str),
    /// The examples cannot be split into so many folds.
    #[error("{k} folds of {m} examples: expected 2 to {m}")]
    Folds {
        /// Folds asked for.
        k: usize,
        /// Examples there are.
        m: usize,
    },
    /// The run cannot go on from the checkpoint.
    #[error("cannot go on from the checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// The cost became NaN or infinite.
    #[error(
        "the cost is {cost} at iteration {iteration}: training has diverged, first seen in layer \
         {layer}; a smaller learning rate than {}, another initialisation, or clip_norm may help",
        dnn_core::settings::shown(&toml::Value::Float(*learning_rate))
    )]
    Diverged {
        /// Updates made before.
        iteration: usize,
        /// What the cost was: NaN or infinite.
        cost: f64,
        /// The first layer with a number that is not finite, from 1; the last one when only the
        /// loss is not.
        layer: usize,
        /// The learning rate at the time.
        learning_rate: f64,
    },
    /// The cost on the validation set became NaN or infinite.
    #[error(
        "the cost on the validation set is {cost} after {iteration} iterations: training has \
         diverged, first seen in layer {layer}; a smaller learning rate, another initialisation, \
         or clip_norm may help"
    )]
    ValidationDiverged {
        /// Updates made before.
        iteration: usize,
        /// What the cost was: NaN or infinite.
        cost: f64,
        /// The first layer with a number that is not finite, from 1; the last one when only the
        /// cost is not.
        layer: usize,
    },
}

/// A number of bytes in words.
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_learning_rate_takes_few_digits() {
        let diverged =
            TrainError::Diverged { iteration: 3, cost: f64::NAN, layer: 2, learning_rate: 1e300 };
        assert!(
            diverged.to_string().contains("a smaller learning rate than 1e300, "),
            "{diverged}"
        );
    }
}
