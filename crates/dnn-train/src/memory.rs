//! What training takes.

use crate::config::{ShapeError, TrainConfig};
use crate::evaluation::JUDGED_BYTES;
use crate::feed;
use dnn_core::Real;

/// About how many bytes training takes beside the examples, when those are
/// [streamed](dnn_core::Examples::is_streamed): the program, the weights with their gradients and moments and
/// what is kept of them, the batches that are read ahead, and what is kept for each example.
///
/// # Errors
/// When the configuration makes no network of data like these.
pub fn memory_beside_examples<F: Real>(
    config: &TrainConfig,
    n_features: usize,
    n_classes: usize,
    m: usize,
) -> Result<usize, ShapeError> {
    const PROGRAM: usize = 16 << 20;
    /// Weights, gradients (where they are clipped), two moments, the best ones, a checkpoint's three.
    const COPIES: usize = 8;
    /// Labels, the order of the epoch, probabilities, predictions; and what reading the labels takes.
    const EXAMPLE: usize = 64;
    /// Threads that judge, whatever the machine: how many images are in memory decides the order in
    /// which they are mixed, and that must not depend on the number of cores.
    const JUDGES: usize = 16;
    let architecture = config.architecture(n_features, n_classes)?;
    let width = size_of::<F>();
    let batch = if config.batch_size == 0 { m } else { config.batch_size.min(m) };
    let units: usize = architecture.layer_dims.iter().sum();
    // A layer has its units' values twice: forward and backward.
    let batches = (feed::IN_MEMORY * n_features + 2 * units).saturating_mul(batch * width);
    let judged = JUDGES * JUDGED_BYTES.max(8 * n_features * width);
    Ok(PROGRAM
        .saturating_add(COPIES * architecture.n_parameters() * width)
        .saturating_add(batches)
        .saturating_add(judged)
        .saturating_add(m * (EXAMPLE + n_classes * width)))
}
