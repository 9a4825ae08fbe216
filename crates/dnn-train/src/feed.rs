//! Batches that are read while training goes on, and the memory that training takes beside them.

use crate::batches::Batches;
use crate::communicator::MicroShards;
use crate::config::{ShapeError, TrainConfig};
use crate::evaluation::JUDGED_BYTES;
use dnn_core::{DatasetError, Examples, Real};
use nalgebra::DMatrix;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Scope;

/// Batches that are read before they are asked for, where there is one rank.
const AHEAD: usize = 2;
/// Batches in memory: those ahead, the one that is read, the one in work, and one on its way back.
const IN_MEMORY: usize = AHEAD + 3;

/// One batch: its examples, and the features (n₀, examples) of those that this rank works on, from the
/// example number `from` on.
pub(crate) struct Fed<F: Real> {
    pub(crate) batch: Vec<usize>,
    pub(crate) x: DMatrix<F>,
    pub(crate) from: usize,
}

/// A reader, a little ahead of training. Batches come in the order of the iterations whatever the
/// threads do, so the reader changes no result.
pub(crate) struct Feed<F: Real> {
    batches: Receiver<Result<Fed<F>, DatasetError>>,
    used: Sender<Fed<F>>,
}

impl<F: Real> Feed<F> {
    /// Starts to read the batches of the iterations from `iteration` on; ends when it is dropped.
    ///
    /// Each of several ranks has its share of every batch in memory, so that it reads further ahead in the
    /// same memory; and computes first where it has one processor for both, since the others wait for
    /// its gradients and not for what it reads.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        examples: &'scope dyn Examples<F>,
        mut order: Batches,
        iterations: std::ops::Range<usize>,
        shards: MicroShards,
    ) -> Self {
        let ahead = AHEAD + IN_MEMORY * (shards.size - 1);
        let (ready, batches) = sync_channel(ahead);
        let (used, empty) = channel::<Fed<F>>();
        scope.spawn(move || {
            if shards.size > 1 {
                yield_to_others();
            }
            for iteration in iterations {
                let next = read(examples, &mut order, iteration, shards, empty.try_recv().ok());
                if send(&ready, next).is_err() {
                    return;
                }
            }
        });
        Self { batches, used }
    }

    /// Returns the next batch.
    ///
    /// # Errors
    /// When it could not be read.
    pub(crate) fn next(&mut self) -> Result<Fed<F>, DatasetError> {
        self.batches.recv().unwrap_or_else(|_| Err(DatasetError::Read("the reader ended".into())))
    }

    /// Gives back a batch, for its memory.
    pub(crate) fn give_back(&mut self, batch: Fed<F>) {
        // A reader that has ended needs no memory.
        let _ = self.used.send(batch);
    }
}

/// Gives this thread the processor only when no other thread wants it, where the system can do that for a
/// single thread.
fn yield_to_others() {
    // Where it is refused, the batches are read all the same.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}

fn send<T>(to: &SyncSender<T>, value: T) -> Result<(), ()> {
    to.send(value).map_err(|_| ())
}

fn read<F: Real>(
    examples: &dyn Examples<F>,
    order: &mut Batches,
    iteration: usize,
    shards: MicroShards,
    used: Option<Fed<F>>,
) -> Result<Fed<F>, DatasetError> {
    let epoch = (iteration / order.per_epoch()) as u64;
    let m = order.m();
    let mut fed =
        used.unwrap_or_else(|| Fed { batch: Vec::new(), x: DMatrix::zeros(0, 0), from: 0 });
    fed.batch.clear();
    match order.at(iteration).map_err(|e| DatasetError::Read(e.into()))? {
        Some(batch) => fed.batch.extend_from_slice(batch),
        None => fed.batch.extend(0..m),
    }
    let own = shards.examples_of(fed.batch.len(), shards.rank);
    let shape = (examples.n_features(), own.len());
    if fed.x.shape() != shape {
        fed.x = DMatrix::zeros(shape.0, shape.1);
    }
    fed.from = own.start;
    if !own.is_empty() {
        examples.read_for_epoch(&fed.batch[own], epoch, &mut fed.x)?;
    }
    Ok(fed)
}

/// Some of the examples of a set, in an order of their own, read from that set when they are needed.
pub struct Subset<'a, F: Real> {
    examples: &'a dyn Examples<F>,
    indices: Vec<usize>,
    labels: Vec<u32>,
}

impl<'a, F: Real> Subset<'a, F> {
    /// Takes the examples with these indices.
    ///
    /// # Panics
    /// When an index is not below the number of examples.
    pub fn new(examples: &'a dyn Examples<F>, indices: Vec<usize>) -> Self {
        let labels = indices.iter().map(|&i| examples.labels()[i]).collect();
        Self { examples, indices, labels }
    }

    fn indices_of_all(&self, indices: &[usize]) -> Vec<usize> {
        indices.iter().map(|&i| self.indices[i]).collect()
    }
}

impl<F: Real> Examples<F> for Subset<'_, F> {
    fn n_features(&self) -> usize {
        self.examples.n_features()
    }
    fn labels(&self) -> &[u32] {
        &self.labels
    }
    fn classes(&self) -> &[String] {
        self.examples.classes()
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        None
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        self.examples.read(&self.indices_of_all(indices), x)
    }
    fn n_views(&self) -> usize {
        self.examples.n_views()
    }
    fn read_views(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        self.examples.read_views(&self.indices_of_all(indices), x)
    }
    fn is_streamed(&self) -> bool {
        self.examples.is_streamed()
    }
    fn read_for_epoch(
        &self,
        indices: &[usize],
        epoch: u64,
        x: &mut DMatrix<F>,
    ) -> Result<(), DatasetError> {
        self.examples.read_for_epoch(&self.indices_of_all(indices), epoch, x)
    }
}

/// Returns about how many bytes training takes beside the examples, if those are
/// [streamed](dnn_core::Examples::is_streamed): the program, the weights with their gradients and
/// moments and what is kept of them, the batches that are read ahead, and what is kept for each
/// example.
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
    /// which they are mixed, and that must not depend on the number of cores. Where more judge, each
    /// takes a megabyte beyond the limit.
    const JUDGES: usize = 8;
    let architecture = config.architecture(n_features, n_classes)?;
    let (width, average) = (size_of::<F>(), usize::from(config.ema_decay > 0.0));
    let batch = if config.batch_size == 0 { m } else { config.batch_size.min(m) };
    let units: usize = architecture.layer_dims.iter().sum();
    // A layer has its units' values twice, forward and backward, and both again where it is normalised.
    let values = if architecture.normalization.is_none() { 2 } else { 4 };
    let batches = (IN_MEMORY * n_features + values * units).saturating_mul(batch * width);
    let judged = JUDGES * JUDGED_BYTES.max(8 * n_features * width);
    Ok(PROGRAM
        .saturating_add((COPIES + average) * architecture.n_parameters() * width)
        .saturating_add(batches)
        .saturating_add(judged)
        .saturating_add(m * (EXAMPLE + n_classes * width)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_for_images_does_not_depend_on_the_number_of_threads() {
        let beside = |threads| {
            let config = TrainConfig::course_deep().with(|config| config.threads = threads);
            let config = config.expect("sound");
            memory_beside_examples::<f32>(&config, 12_288, 2, 1000).expect("a network")
        };
        assert_eq!(beside(1), beside(2));
        assert_eq!(beside(1), beside(7));
    }
}
