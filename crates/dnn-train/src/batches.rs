//! Which examples an update sees.

use dnn_core::ShuffleBlocks;
use dnn_core::rng::{Generator, RngKind, SeedError};

/// Shuffled mini-batches, the last short one of an epoch included.
///
/// The order of epoch e is drawn with the seed s + 1 + e, as the course raises its seed before each
/// epoch; with NumPy's stream it is `numpy.random.permutation`. So the order of an epoch depends on
/// nothing that came before, and a resumed run needs no generator's state.
#[derive(Debug, Clone)]
pub(crate) struct Batches {
    m: usize,
    /// 0: the whole set, in its order.
    size: usize,
    kind: RngKind,
    seed: u64,
    epoch: Option<usize>,
    order: Vec<usize>,
    blocks: Option<ShuffleBlocks>,
}

impl Batches {
    pub(crate) fn new(m: usize, size: usize, kind: RngKind, seed: u64) -> Self {
        let size = if size >= m { 0 } else { size };
        let order = if size == 0 { Vec::new() } else { (0..m).collect() };
        Self { m, size, kind, seed, epoch: None, order, blocks: None }
    }

    /// Returns the same, shuffled by blocks of examples.
    pub(crate) fn by_blocks(self, blocks: Option<ShuffleBlocks>) -> Self {
        Self { blocks, ..self }
    }

    /// Examples of an epoch.
    pub(crate) fn m(&self) -> usize {
        self.m
    }

    /// Updates of an epoch.
    pub(crate) fn per_epoch(&self) -> usize {
        if self.size == 0 { 1 } else { self.m.div_ceil(self.size) }
    }

    /// Returns the examples of update number `iteration`, from 0; `None`: all.
    ///
    /// # Errors
    /// When the epoch's seed is beyond the generator's.
    pub(crate) fn at(&mut self, iteration: usize) -> Result<Option<&[usize]>, SeedError> {
        if self.size == 0 {
            return Ok(None);
        }
        let (epoch, place) = (iteration / self.per_epoch(), iteration % self.per_epoch());
        if self.epoch != Some(epoch) {
            let mut rng = Generator::new(self.kind, self.seed + 1 + epoch as u64)?;
            for (i, order) in self.order.iter_mut().enumerate() {
                *order = i;
            }
            match self.blocks {
                None => rng.shuffle(&mut self.order),
                Some(ShuffleBlocks { rows, at_once }) => {
                    let mut blocks: Vec<_> = (0..self.m.div_ceil(rows)).collect();
                    rng.shuffle(&mut blocks);
                    self.order.clear();
                    for blocks in blocks.chunks(at_once) {
                        let from = self.order.len();
                        for block in blocks {
                            self.order.extend(block * rows..self.m.min((block + 1) * rows));
                        }
                        rng.shuffle(&mut self.order[from..]);
                    }
                }
            }
            self.epoch = Some(epoch);
        }
        let start = place * self.size;
        Ok(Some(&self.order[start..self.m.min(start + self.size)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_sees_every_example_once_and_the_next_in_another_order() {
        let mut batches = Batches::new(10, 4, RngKind::Modern, 1);
        let mut epoch = |e: usize| {
            let mut seen = Vec::new();
            for i in 0..3 {
                let batch = batches.at(3 * e + i).unwrap().unwrap();
                assert_eq!(batch.len(), [4, 4, 2][i]);
                seen.extend_from_slice(batch);
            }
            seen
        };
        let (first, second, again) = (epoch(0), epoch(1), epoch(0));
        assert_ne!(first, second);
        assert_eq!(first, again, "an epoch's order depends on nothing before it");
        let mut sorted = second;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn blocks_are_mixed_a_few_at_a_time() {
        let blocks = ShuffleBlocks { rows: 4, at_once: 2 };
        let mut batches = Batches::new(18, 6, RngKind::Modern, 1).by_blocks(Some(blocks));
        let order: Vec<_> = (0..3).flat_map(|i| batches.at(i).unwrap().unwrap().to_vec()).collect();
        let blocks = |range: std::ops::Range<usize>| {
            let of: std::collections::BTreeSet<_> = order[range].iter().map(|i| i / 4).collect();
            of.len()
        };
        // Five blocks, the last one of two examples.
        let short = order.iter().position(|i| *i >= 16).unwrap();
        assert_eq!(blocks(0..if short < 8 { 6 } else { 8 }), 2);
        assert!(order[..6] != [0, 1, 2, 3, 4, 5], "shuffled");
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..18).collect::<Vec<_>>());
    }

    #[test]
    fn numpys_permutation() {
        // numpy.random.RandomState(1).permutation(8)
        let mut batches = Batches::new(8, 7, RngKind::Numpy, 0);
        assert_eq!(batches.at(0).unwrap().unwrap(), [7, 2, 1, 6, 0, 4, 3]);
        assert_eq!(batches.at(1).unwrap().unwrap(), [5]);
    }

    #[test]
    fn a_batch_as_large_as_the_set_is_the_set() {
        let mut batches = Batches::new(5, 5, RngKind::Modern, 1);
        assert_eq!((batches.per_epoch(), batches.at(3).unwrap()), (1, None));
    }
}
