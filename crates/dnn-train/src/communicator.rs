//! Several processes that train one network together, with the same bytes whatever their number.
//!
//! A batch of m examples is cut into N **micro-shards**, a number that belongs to the configuration:
//! shard i has the batch's places ⌊i·m/N⌋ to ⌊(i + 1)·m/N⌋, without the last. The gradient and the cost
//! are sums over the shards in a fixed binary tree: the sum of the shards a to b is that of a to
//! ⌊(a + b)/2⌋ plus that of the rest, and a shard without examples counts as 0. Floating-point
//! addition is not associative, so the tree is what makes the sum a matter of N alone.
//!
//! Of R processes, called ranks, rank r computes the shards ⌊r·N/R⌋ to ⌊(r + 1)·N/R⌋. It sums them as far
//! as whole subtrees go, the ranks exchange those sums, and each makes the tree's remaining additions
//! for its part of the parameters and passes the result on (a reduce-scatter, then an all-gather). After
//! that every rank has the same gradient and makes the same step, so that parameters and moments are
//! the same on all of them at all times.

use crate::aligned_bytes::{AlignedBytes, LINE_BYTES};
use dnn_core::Real;
pub(crate) use dnn_core::split::share;
use std::io::{self, Read};
use std::ops::Range;

/// Where a message lies in the buffers of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Number of the buffer.
    pub buffer: usize,
    /// The bytes of it.
    pub bytes: Range<usize>,
}

/// What goes from each rank to each other in one exchange.
///
/// Two ranks list the messages between them in the same order and with the same lengths. What is received
/// lies apart from everything else.
#[derive(Debug, Default)]
pub struct Messages {
    /// The memory of all messages, which belongs to the exchange until it is finished.
    pub buffers: Vec<AlignedBytes>,
    /// The messages to each rank; those for this one are not sent.
    pub outgoing: Vec<Vec<Place>>,
    /// Where the messages from each rank will be put.
    pub incoming: Vec<Vec<Place>>,
}

/// How the processes that train one network talk to each other.
///
/// Every rank starts the same exchanges in the same order, and finishes them in that order; several may
/// be under way. Its methods return no errors: a rank that is lost takes with it examples that the others do not
/// have, so nothing is left for them to compute, and an implementation ends the job with a message
/// that names the lost rank. What training does between two exchanges depends on the messages alone.
pub trait Communicator: std::fmt::Debug + Send + Sync {
    /// Returns the number of this process, from 0. Rank 0 prints and writes for all.
    fn rank(&self) -> usize;

    /// Returns the number of processes, at least 1.
    fn size(&self) -> usize;

    /// Starts an exchange and returns without waiting for the other ranks.
    fn start(&self, messages: Messages);

    /// Waits for the oldest exchange that is not finished, and returns its messages, those that were
    /// received in their places.
    fn finish(&self) -> Messages;
}

/// The one process of a job that is not distributed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SingleProcess;

impl Communicator for SingleProcess {
    fn rank(&self) -> usize {
        0
    }
    fn size(&self) -> usize {
        1
    }
    fn start(&self, _: Messages) {}
    fn finish(&self) -> Messages {
        Messages::default()
    }
}

impl dyn Communicator + '_ {
    fn exchange(&self, messages: Messages) -> Messages {
        self.start(messages);
        self.finish()
    }

    /// Returns the text that each rank gives, in the order of the ranks.
    pub fn gather_text(&self, own: &str) -> Vec<String> {
        let (n, rank) = (self.size(), self.rank());
        let mut lengths = vec![0; n];
        lengths[rank] = own.len() as u64;
        self.gather(&mut lengths, |rank| rank..rank + 1);
        let mut ends = Vec::with_capacity(n);
        for length in lengths {
            ends.push(ends.last().unwrap_or(&0) + usize::try_from(length).unwrap_or(usize::MAX));
        }
        let of = |rank: usize| rank.checked_sub(1).map_or(0, |before| ends[before])..ends[rank];
        let mut all = vec![0; ends[n - 1]];
        all[of(rank)].copy_from_slice(own.as_bytes());
        self.gather(&mut all, of);
        (0..n).map(|rank| String::from_utf8_lossy(&all[of(rank)]).into()).collect()
    }

    /// Reads all that the other ranks have to the end, rank by rank in their order, and hands it to `take` on
    /// rank 0, some at a time; all ranks call it together.
    ///
    /// # Errors
    /// What `own` or `take` gives, on that rank: the others wait for it then, and the job has to be ended.
    pub fn collect(
        &self,
        own: &mut dyn Read,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        const AT_ONCE: u64 = 1 << 20;
        let (n, rank) = (self.size(), self.rank());
        for from in 1..n {
            loop {
                let mut piece = Vec::new();
                if rank == from {
                    own.take(AT_ONCE).read_to_end(&mut piece)?;
                }
                let lengths = self.gather_text(&piece.len().to_string());
                let length = lengths[from].parse().map_err(io::Error::other)?;
                if length == 0 {
                    break;
                }
                piece.resize(length, 0);
                let places = |is_one: bool| {
                    is_one.then_some(Place { buffer: 0, bytes: 0..length }).into_iter().collect()
                };
                let mut received = self.exchange(Messages {
                    buffers: vec![AlignedBytes::from(&piece[..])],
                    outgoing: (0..n).map(|to| places(rank == from && to == 0)).collect(),
                    incoming: (0..n).map(|of| places(rank == 0 && of == from)).collect(),
                });
                if rank == 0 {
                    take(&received.buffers[0].bytes()[..length])?;
                }
            }
        }
        Ok(())
    }

    /// Returns what rank 0 says: a decision that depends on a clock, a signal or a disk is made there.
    pub(crate) fn said_by_first(&self, own: bool) -> bool {
        let mut said = vec![u8::from(own); self.size()];
        self.gather(&mut said, |rank| rank..rank + 1);
        said[0] == 1
    }

    /// Fills `values` with what each rank has of them: rank r the range `of(r)`, and all ranges side by
    /// side are all of it.
    pub(crate) fn gather<T: bytemuck::Pod>(
        &self,
        values: &mut [T],
        of: impl Fn(usize) -> Range<usize>,
    ) {
        let (n, own) = (self.size(), self.rank());
        if n == 1 {
            return;
        }
        let place = |rank| {
            let Range { start, end } = of(rank);
            vec![Place { buffer: 0, bytes: start * size_of::<T>()..end * size_of::<T>() }]
        };
        let bytes = bytemuck::cast_slice_mut::<T, u8>(values);
        let mut gathered = self.exchange(Messages {
            buffers: vec![AlignedBytes::from(&*bytes)],
            outgoing: vec![place(own); n],
            incoming: (0..n).map(place).collect(),
        });
        bytes.copy_from_slice(&gathered.buffers[0].bytes()[..bytes.len()]);
    }
}

/// The micro-shards of a batch, and which of them are whose.
#[derive(Debug, Clone, Copy)]
pub struct MicroShards {
    /// Number of micro-shards.
    pub(crate) n: usize,
    pub(crate) rank: usize,
    /// Number of ranks.
    pub(crate) size: usize,
}

impl MicroShards {
    /// One shard of one rank.
    pub(crate) const WHOLE: Self = Self { n: 1, rank: 0, size: 1 };

    /// Makes `n` micro-shards on the ranks of `communicator`; there must be as many as ranks at least.
    pub fn new(n: usize, communicator: &dyn Communicator) -> Self {
        Self { n, rank: communicator.rank(), size: communicator.size() }
    }

    /// Returns the places that a shard has in a batch of `m` examples.
    pub(crate) fn examples(self, m: usize, shard: usize) -> Range<usize> {
        share(m, shard, self.n)
    }

    /// Returns the shards of a rank.
    pub(crate) fn of(self, rank: usize) -> Range<usize> {
        share(self.n, rank, self.size)
    }

    /// Returns the shards of this rank.
    pub(crate) fn own(self) -> Range<usize> {
        self.of(self.rank)
    }

    /// Returns the places that a rank's shards have together in a batch of `m` examples.
    pub(crate) fn examples_of(self, m: usize, rank: usize) -> Range<usize> {
        let shards = self.of(rank);
        self.examples(m, shards.start).start..self.examples(m, shards.end - 1).end
    }

    /// Returns the largest subtrees that a rank's shards make up, in their order.
    pub(crate) fn subtrees(self, rank: usize) -> Vec<Range<usize>> {
        fn within(tree: Range<usize>, shards: &Range<usize>, found: &mut Vec<Range<usize>>) {
            if tree.start >= shards.end || tree.end <= shards.start {
                return;
            }
            if shards.start <= tree.start && tree.end <= shards.end {
                found.push(tree);
                return;
            }
            let (left, right) = halves(&tree);
            within(left, shards, found);
            within(right, shards, found);
        }
        let mut found = Vec::new();
        within(0..self.n, &self.of(rank), &mut found);
        found
    }
}

/// The two subtrees of a tree of more than one shard.
pub(crate) fn halves(tree: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let middle = usize::midpoint(tree.start, tree.end);
    (tree.start..middle, middle..tree.end)
}

/// Returns how many sums wait for another at most while a tree of `n` shards is summed up.
pub(crate) fn depth(n: usize) -> usize {
    n.next_power_of_two().trailing_zeros() as usize
}

/// Returns the sum of a number of each shard, in the tree.
pub(crate) fn sum_in_tree(values: &[f64]) -> f64 {
    if let [value] = values {
        return *value;
    }
    let (left, right) = halves(&(0..values.len()));
    sum_in_tree(&values[left]) + sum_in_tree(&values[right])
}

/// The sum over all ranks of some vectors, such as the gradients of a layer, in the tree: first a
/// reduce-scatter, then an all-gather. Numbers are sent from the vectors' own memory and come there.
#[derive(Debug)]
pub struct TreeSum<F> {
    shards: MicroShards,
    /// Bytes of each vector.
    lengths: Vec<usize>,
    /// The subtrees of all ranks, in their order.
    subtrees: Vec<Subtree>,
    /// What the other ranks have of this rank's part of each vector.
    received: Vec<AlignedBytes>,
    scatter: Messages,
    /// Where this rank's part of the sum over all ranks is put, of each vector.
    own_sums: Vec<Place>,
    gather: Messages,
    /// A sum that waits on each level of the tree.
    room: Vec<[F; BLOCK]>,
}

/// A subtree of a rank.
#[derive(Debug)]
struct Subtree {
    shards: Range<usize>,
    /// Where its sums lie, of each vector this rank's part.
    sums: Vec<Place>,
}

/// Numbers that are summed up at a time: all that wait stay in the first-level cache.
const BLOCK: usize = 512;

/// The bytes of a vector that a rank sums up.
fn part(n_bytes: usize, rank: usize, size: usize) -> Range<usize> {
    let Range { start, end } = share(n_bytes / LINE_BYTES, rank, size);
    start * LINE_BYTES..end * LINE_BYTES
}

impl<F: Real> TreeSum<F> {
    /// Makes room to sum up vectors that lie in buffers of these lengths, in bytes.
    pub fn new(shards: MicroShards, lengths: &[usize]) -> Self {
        let MicroShards { rank: own, size, n } = shards;
        let part = |vector: usize, rank| part(lengths[vector], rank, size);
        let vectors = 0..lengths.len();
        let n_own = shards.subtrees(own).len();
        // First the sums of this rank's subtrees, vector by vector, then what comes from each rank.
        let lent = |vector: usize, tree: usize| vector * n_own + tree;
        let mut received = Vec::new();
        let (mut subtrees, mut outgoing, mut incoming) = (Vec::new(), Vec::new(), Vec::new());
        for rank in 0..size {
            let (mut n_received, mut from_rank) = (0, Vec::new());
            for (tree, shards) in shards.subtrees(rank).into_iter().enumerate() {
                let sums = vectors.clone().map(|vector| {
                    let bytes = part(vector, own);
                    if rank == own {
                        return Place { buffer: lent(vector, tree), bytes };
                    }
                    let bytes = n_received..n_received + bytes.len();
                    n_received = bytes.end;
                    Place { buffer: lent(lengths.len(), rank), bytes }
                });
                let sums: Vec<_> = sums.collect();
                from_rank.extend(sums.iter().cloned());
                subtrees.push(Subtree { shards, sums });
            }
            received.push(AlignedBytes::zeros(n_received));
            incoming.push(from_rank);
            let to_rank = (0..n_own).flat_map(|tree| {
                let vectors = vectors.clone();
                vectors.map(move |vector| (vector, tree))
            });
            let to_rank = to_rank.map(|(vector, tree)| Place {
                buffer: lent(vector, tree),
                bytes: part(vector, rank),
            });
            outgoing.push(to_rank.collect::<Vec<_>>());
        }
        // The sum is where the first subtree's was.
        let sums = |rank: usize| -> Vec<_> {
            let sum = |vector| Place { buffer: lent(vector, 0), bytes: part(vector, rank) };
            vectors.clone().map(sum).collect()
        };
        let not_empty = |places: Vec<Vec<Place>>| {
            let not_empty = |of: Vec<Place>| of.into_iter().filter(|at| !at.bytes.is_empty());
            places.into_iter().map(|of| not_empty(of).collect()).collect()
        };
        let messages = |outgoing, incoming| Messages {
            buffers: Vec::new(),
            outgoing: not_empty(outgoing),
            incoming: not_empty(incoming),
        };
        Self {
            scatter: messages(outgoing, incoming),
            own_sums: sums(own),
            gather: messages(vec![sums(own); size], (0..size).map(sums).collect()),
            room: vec![[F::zero(); BLOCK]; depth(n) + 1],
            lengths: lengths.to_vec(),
            shards,
            subtrees,
            received,
        }
    }

    /// Starts to exchange this rank's sums, which are handed over in their buffers: of each vector those over
    /// all [subtrees](MicroShards) of the rank.
    pub fn start(
        &mut self,
        communicator: &dyn Communicator,
        sums: impl IntoIterator<Item = AlignedBytes>,
    ) {
        let mut messages = std::mem::take(&mut self.scatter);
        messages.buffers.extend(sums);
        messages.buffers.append(&mut self.received);
        communicator.start(messages);
    }

    /// Waits for the other ranks' sums, makes the additions that are left for this rank's part of the
    /// vectors, and starts to pass it on.
    pub fn add_up(&mut self, communicator: &dyn Communicator) {
        let mut messages = communicator.finish();
        for vector in 0..self.lengths.len() {
            let n_bytes = part(self.lengths[vector], self.shards.rank, self.shards.size).len();
            for from in (0..n_bytes).step_by(BLOCK * size_of::<F>()) {
                let bytes = from..n_bytes.min(from + BLOCK * size_of::<F>());
                let mut subtrees = self.subtrees.iter();
                let buffers = &mut messages.buffers;
                let tree = &(0..self.shards.n);
                add_up(&mut subtrees, buffers, vector, tree, &bytes, &mut self.room);
                let sum = bytemuck::cast_slice(&self.room[0][..bytes.len() / size_of::<F>()]);
                at(buffers, &self.own_sums[vector], &bytes).copy_from_slice(sum);
            }
        }
        let mut gather = std::mem::take(&mut self.gather);
        std::mem::swap(&mut gather.buffers, &mut messages.buffers);
        communicator.start(gather);
        self.scatter = messages;
    }

    /// Waits for the other ranks' parts of the sums, and hands back the buffers: the sum over all ranks is where
    /// that of the first subtree was.
    pub fn finish(
        &mut self,
        communicator: &dyn Communicator,
    ) -> impl Iterator<Item = AlignedBytes> {
        self.gather = communicator.finish();
        let n_lent = self.gather.buffers.len() - self.shards.size;
        self.received.extend(self.gather.buffers.drain(n_lent..));
        self.gather.buffers.drain(..)
    }
}

/// Some bytes of what lies in a place.
fn at<'b>(buffers: &'b mut [AlignedBytes], place: &Place, bytes: &Range<usize>) -> &'b mut [u8] {
    &mut buffers[place.buffer].bytes()[place.bytes.start..][bytes.clone()]
}

/// Puts the sum over `tree`, of the numbers in the bytes `bytes` of this rank's part of a vector, into the
/// first of the `room`; the subtrees are used up in their order.
fn add_up<F: Real>(
    subtrees: &mut std::slice::Iter<'_, Subtree>,
    buffers: &mut [AlignedBytes],
    vector: usize,
    tree: &Range<usize>,
    bytes: &Range<usize>,
    room: &mut [[F; BLOCK]],
) {
    let n = bytes.len() / size_of::<F>();
    let next = &subtrees.as_slice()[0];
    if next.shards == *tree {
        subtrees.next();
        let numbers = at(buffers, &next.sums[vector], bytes);
        bytemuck::cast_slice_mut::<F, u8>(&mut room[0][..n]).copy_from_slice(numbers);
        return;
    }
    let (left, right) = halves(tree);
    add_up(subtrees, buffers, vector, &left, bytes, room);
    let (sum, rest) = room.split_at_mut(1);
    add_up(subtrees, buffers, vector, &right, bytes, rest);
    for (sum, &other) in sum[0][..n].iter_mut().zip(&rest[0][..n]) {
        *sum += other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_are_the_shards_of_a_rank_in_the_fewest_pieces() {
        let shards = |n, rank, size| MicroShards { n, rank, size };
        assert_eq!(shards(8, 1, 2).subtrees(1), vec![4..8; 1]);
        assert_eq!(shards(8, 0, 3).subtrees(1), [2..4, 4..5]);
        assert_eq!(shards(8, 0, 1).subtrees(0), vec![0..8; 1]);
        for (n, size) in [(1, 1), (5, 3), (7, 7), (13, 4), (64, 9)] {
            let shards = shards(n, 0, size);
            let all: Vec<_> = (0..size).flat_map(|rank| shards.subtrees(rank)).flatten().collect();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
            for m in [0, 1, 5, 100] {
                let places: Vec<_> = (0..n).flat_map(|shard| shards.examples(m, shard)).collect();
                let by_rank: Vec<_> = (0..size).flat_map(|r| shards.examples_of(m, r)).collect();
                assert_eq!((&places, &by_rank), (&(0..m).collect(), &places));
            }
        }
    }

    #[test]
    fn the_tree_is_the_one_that_is_promised() {
        let [a, b, c] = [1.0, 1e-16, 1e-16];
        assert_eq!(sum_in_tree(&[a, b, c]), a + (b + c));
        assert_eq!((a + b) + c, 1.0, "another order would not be noticed");
        assert_eq!([1, 2, 3, 8, 9].map(depth), [0, 1, 2, 3, 4]);
    }
}
