//! Which examples an update sees.

use crate::communicator::MicroShards;
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
    /// Micro-shards that a batch is cut into.
    micro_shards: usize,
}

impl Batches {
    pub(crate) fn new(m: usize, size: usize, kind: RngKind, seed: u64) -> Self {
        let size = if size >= m { 0 } else { size };
        let order = if size == 0 { Vec::new() } else { (0..m).collect() };
        Self { m, size, kind, seed, epoch: None, order, blocks: None, micro_shards: 1 }
    }

    /// Returns the same, shuffled by blocks of examples, with blocks of its own for each of the
    /// micro-shards, as far as there are so many at once: who computes some of the micro-shards reads
    /// their blocks only.
    pub(crate) fn by_blocks(self, blocks: Option<ShuffleBlocks>, micro_shards: usize) -> Self {
        Self { blocks, micro_shards, ..self }
    }

    /// Puts the epoch in an order in which the micro-shards of the batches have blocks of their own.
    ///
    /// The shuffled blocks one after the other are cut into lanes, one for each micro-shard, or for some
    /// neighbours of them where fewer blocks are in memory at once. A lane's blocks are mixed a few at
    /// a time, and a batch takes each micro-shard's examples from its lane.
    fn shuffle_blocks(
        &mut self,
        rng: &mut Generator,
        ShuffleBlocks { rows, at_once }: ShuffleBlocks,
    ) {
        let (m, n_shards) = (self.m, self.micro_shards);
        let n_lanes = n_shards.min(at_once);
        // What a lane has in a batch, of the places in the batch.
        let shards = MicroShards { n: n_shards, rank: 0, size: n_lanes };
        let batches = (0..m).step_by(self.size).map(|start| self.size.min(m - start));
        let mut blocks: Vec<_> = (0..m.div_ceil(rows)).collect();
        rng.shuffle(&mut blocks);
        let examples = |block: &usize| block * rows..m.min((block + 1) * rows);
        let all: Vec<_> = blocks.iter().flat_map(examples).collect();
        let mut rest = &all[..];
        let mut lanes: Vec<_> = (0..n_lanes)
            .map(|lane| {
                let n = batches.clone().map(|m| shards.examples_of(m, lane).len()).sum();
                let (examples, others) = rest.split_at(n);
                rest = others;
                let mut examples = examples.to_vec();
                let blocks = examples.chunk_by_mut(|a, b| a / rows == b / rows);
                let ends: Vec<_> = blocks
                    .scan(0, |end, block| {
                        *end += block.len();
                        Some(*end)
                    })
                    .collect();
                let mut from = 0;
                for blocks in ends.chunks(at_once / n_lanes) {
                    let end = blocks[blocks.len() - 1];
                    rng.shuffle(&mut examples[from..end]);
                    from = end;
                }
                examples.into_iter()
            })
            .collect();
        self.order.clear();
        for m in batches {
            for (lane, examples) in lanes.iter_mut().enumerate() {
                self.order.extend(examples.take(shards.examples_of(m, lane).len()));
            }
        }
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
            match self.blocks {
                None => {
                    self.order.iter_mut().enumerate().for_each(|(i, order)| *order = i);
                    rng.shuffle(&mut self.order);
                }
                Some(blocks) => self.shuffle_blocks(&mut rng, blocks),
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
    use std::collections::BTreeSet;

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
        let mut batches = Batches::new(18, 6, RngKind::Modern, 1).by_blocks(Some(blocks), 1);
        let order: Vec<_> = (0..3).flat_map(|i| batches.at(i).unwrap().unwrap().to_vec()).collect();
        let blocks = |range: std::ops::Range<usize>| {
            let of: BTreeSet<_> = order[range].iter().map(|i| i / 4).collect();
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
    fn each_micro_shard_has_blocks_of_its_own() {
        let (rows, at_once, size) = (4, 8, 10);
        for (m, n_shards, n_lanes) in [(400, 4, 4), (403, 3, 3), (97, 16, 8)] {
            let blocks = Some(ShuffleBlocks { rows, at_once });
            let mut batches = Batches::new(m, size, RngKind::Modern, 1).by_blocks(blocks, n_shards);
            let shards = MicroShards { n: n_shards, rank: 0, size: n_lanes };
            let (mut seen, mut of_lane) = (Vec::new(), vec![BTreeSet::new(); n_lanes]);
            for i in 0..m.div_ceil(size) {
                let batch = batches.at(i).unwrap().unwrap();
                seen.extend_from_slice(batch);
                for (lane, blocks) in of_lane.iter_mut().enumerate() {
                    let own = &batch[shards.examples_of(batch.len(), lane)];
                    blocks.extend(own.iter().map(|i| i / rows));
                }
            }
            // A block where two lanes meet is in both.
            let read: usize = of_lane.iter().map(BTreeSet::len).sum();
            assert!(read < m.div_ceil(rows) + n_lanes, "{read} blocks are read");
            seen.sort_unstable();
            assert_eq!(seen, (0..m).collect::<Vec<_>>());
        }
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
