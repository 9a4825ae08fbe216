//! A network's answers on labelled examples.

use crate::communicator::{Communicator, share};
use crate::cost::{CrossEntropy, mean_cost};
use dnn_core::metrics::{Prediction, Score, predictions};
use dnn_core::{DatasetError, Examples, Network, Real};
use nalgebra::DMatrix;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Features and labels of some examples.
pub(crate) fn selected<F: Real>(
    examples: &dyn Examples<F>,
    indices: &[usize],
) -> Result<(DMatrix<F>, Vec<u32>), DatasetError> {
    let mut x = DMatrix::zeros(examples.n_features(), indices.len());
    examples.read(indices, &mut x)?;
    Ok((x, indices.iter().map(|&i| examples.labels()[i]).collect()))
}

/// Returns how many examples are read to be judged: bytes enough for their products to be fast, and
/// fewer when not all are in memory.
pub(crate) fn examples_at_once<F: Real>(examples: &dyn Examples<F>) -> usize {
    let bytes = if examples.is_streamed() { JUDGED_BYTES } else { 16 * JUDGED_BYTES };
    let n_views = examples.n_views();
    (bytes / (examples.n_features() * n_views * size_of::<F>()) / 8 * 8).clamp(8, 256)
}

/// Bytes of the examples that a thread judges at a time, when they are streamed.
pub(crate) const JUDGED_BYTES: usize = 1 << 20;

/// Returns the logits of all examples, (n_L, m), some at a time and on all cores. An example's
/// logits do not depend on the other examples, so neither do they on the number of cores or ranks, which
/// have an equal share each.
pub(crate) fn logits<F: Real>(
    network: &Network<F>,
    examples: &dyn Examples<F>,
    communicator: &dyn Communicator,
) -> Result<DMatrix<F>, DatasetError> {
    /// Multiplications below which a thread takes longer to start than to do them.
    const WORTH_A_THREAD: usize = 20_000_000;
    let (m, n_views) = (examples.n_examples(), examples.n_views());
    let at_once = examples_at_once(examples);
    let n_outputs = network.layers().last().expect("a network has layers").n();
    let all = Mutex::new(DMatrix::zeros(n_outputs, m));
    let of = |rank: usize| {
        let pieces = share(m.div_ceil(at_once), rank, communicator.size());
        m.min(pieces.start * at_once)..m.min(pieces.end * at_once)
    };
    let own = of(communicator.rank());
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let n_products = (own.len() * n_views).saturating_mul(network.architecture().n_parameters());
    let n_threads = n_threads.min(n_products / WORTH_A_THREAD).max(1);
    // Each thread has some.
    let at_once = at_once.min(own.len().div_ceil(n_threads).next_multiple_of(8)).max(8);
    let next = AtomicUsize::new(own.start);
    let work = || -> Result<(), DatasetError> {
        let mut x = DMatrix::zeros(0, 0);
        let in_memory = examples.matrix();
        loop {
            let from = next.fetch_add(at_once, Ordering::Relaxed);
            if from >= own.end {
                return Ok(());
            }
            let n = at_once.min(own.end - from);
            let some = if let Some(all) = in_memory {
                network.logits(&all.columns(from, n))
            } else {
                if x.ncols() != n * n_views {
                    x = DMatrix::zeros(examples.n_features(), n * n_views);
                }
                examples.read_views(&(from..from + n).collect::<Vec<_>>(), &mut x)?;
                network.logits(&x)
            };
            let some = network.output().logits_of_mean(some, n_views);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.columns_mut(from, n).copy_from(&some);
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..n_threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let joined = others.into_iter().map(|other| match other.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.fold(mine, Result::and)
    })?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    communicator.gather(all.as_mut_slice(), |rank| {
        let examples = of(rank);
        n_outputs * examples.start..n_outputs * examples.end
    });
    Ok(all)
}

/// The predictions of a network for labelled examples, and how good they are.
#[derive(Debug, Clone)]
pub struct Evaluation<F: Real> {
    /// The probability of every class for every example, (n_classes, m).
    pub probabilities: DMatrix<F>,
    /// How many are right.
    pub score: Score,
    /// The most probable class of each example.
    pub predictions: Vec<Prediction>,
    /// The cost: the mean cross-entropy, in which all classes have the same weight.
    pub cost: f64,
}

/// See [`evaluate`](crate::evaluate()).
pub(crate) fn evaluate<F: Real>(
    network: &Network<F>,
    examples: &dyn Examples<F>,
    communicator: &dyn Communicator,
) -> Result<Evaluation<F>, DatasetError> {
    let logits = network.tempered(logits(network, examples, communicator)?);
    let cost = mean_cost(&CrossEntropy::new(network.output()), &logits, examples.labels());
    let probabilities = network.output().probabilities(logits);
    let predictions = predictions(&probabilities);
    let score = Score::of(&predictions, examples.labels());
    Ok(Evaluation { probabilities, score, predictions, cost })
}
