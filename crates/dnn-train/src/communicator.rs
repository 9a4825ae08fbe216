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

use dnn_core::Real;
pub(crate) use dnn_core::split::share;
use std::io::{self, Read};
use std::ops::Range;

/// What goes from each rank to each other in one exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    /// What this rank sends, a message for each rank. The one for itself is not sent.
    pub outgoing: Vec<Vec<u8>>,
    /// What this rank receives, a message from each rank: before the exchange of the lengths that will
    /// come. The one from itself is left as it is.
    pub incoming: Vec<Vec<u8>>,
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

    /// Waits for the oldest exchange that is not finished, and returns its messages: both kinds, for
    /// their memory.
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
        if self.size() == 1 {
            return vec![own.into()];
        }
        let n = self.size();
        let same = |message: &[u8]| vec![message.to_vec(); n];
        let length = (own.len() as u64).to_le_bytes();
        let lengths =
            self.exchange(Messages { outgoing: same(&length), incoming: same(&length) }).incoming;
        let length = |bytes: &Vec<u8>| {
            let bytes = bytes.as_slice().try_into().unwrap_or_default();
            usize::try_from(u64::from_le_bytes(bytes)).unwrap_or_default()
        };
        let incoming = lengths.iter().map(|bytes| vec![0; length(bytes)]).collect();
        let texts = self.exchange(Messages { outgoing: same(own.as_bytes()), incoming }).incoming;
        let texts = texts.iter().enumerate().map(|(rank, text)| {
            if rank == self.rank() { own.into() } else { String::from_utf8_lossy(text).into() }
        });
        texts.collect()
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
                let mut messages =
                    Messages { outgoing: vec![Vec::new(); n], incoming: vec![Vec::new(); n] };
                if rank == from {
                    messages.outgoing[0] = piece;
                } else if rank == 0 {
                    messages.incoming[from] = vec![0; length];
                }
                let received = self.exchange(messages);
                if rank == 0 {
                    take(&received.incoming[from])?;
                }
            }
        }
        Ok(())
    }

    /// Returns what rank 0 says: a decision that depends on a clock, a signal or a disk is made there.
    pub(crate) fn said_by_first(&self, own: bool) -> bool {
        let n = self.size();
        if n == 1 {
            return own;
        }
        let first = self.rank() == 0;
        let length = usize::from(first);
        let outgoing = vec![vec![u8::from(own); length]; n];
        let mut incoming = vec![Vec::new(); n];
        incoming[0] = vec![0; 1 - length];
        let said = self.exchange(Messages { outgoing, incoming });
        if first { own } else { said.incoming[0] == [1] }
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
        let bytes: &[u8] = bytemuck::cast_slice(&values[of(own)]);
        let outgoing = vec![bytes.to_vec(); n];
        let incoming = (0..n).map(|rank| vec![0; size_of_val(&values[of(rank)])]).collect();
        let gathered = self.exchange(Messages { outgoing, incoming });
        for (rank, bytes) in gathered.incoming.iter().enumerate().filter(|(rank, _)| *rank != own) {
            bytemuck::cast_slice_mut::<T, u8>(&mut values[of(rank)]).copy_from_slice(bytes);
        }
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

/// The sum over all ranks of one vector, such as the gradient of a layer, in the tree: first a
/// reduce-scatter, then an all-gather.
#[derive(Debug)]
pub struct TreeSum<F> {
    shards: MicroShards,
    /// Length of the vector.
    n: usize,
    scatter: Messages,
    gather: Messages,
    /// The subtrees of all ranks, in their order.
    subtrees: Vec<Subtree>,
    /// A sum that waits on each level of the tree.
    room: Vec<[F; BLOCK]>,
}

/// A subtree of a rank, and where its sum begins in the rank's message, in bytes.
#[derive(Debug)]
struct Subtree {
    shards: Range<usize>,
    rank: usize,
    start: usize,
}

/// Numbers that are summed up at a time: all that wait stay in the first-level cache.
const BLOCK: usize = 512;

impl<F: Real> TreeSum<F> {
    /// Makes room for vectors of `n` numbers.
    pub fn new(shards: MicroShards, n: usize) -> Self {
        let (own, width) = (shards.rank, size_of::<F>());
        let trees = |rank: usize| shards.subtrees(rank).len();
        let part = |rank: usize| width * share(n, rank, shards.size).len();
        let room = |bytes: &dyn Fn(usize) -> usize| {
            (0..shards.size).map(|rank| Vec::with_capacity(bytes(rank))).collect::<Vec<_>>()
        };
        let filled = |bytes: &dyn Fn(usize) -> usize| {
            (0..shards.size).map(|rank| vec![0; bytes(rank)]).collect::<Vec<_>>()
        };
        let subtrees = (0..shards.size).flat_map(|rank| {
            let subtrees = shards.subtrees(rank).into_iter().enumerate();
            subtrees.map(move |(i, shards)| Subtree { shards, rank, start: i * part(own) })
        });
        Self {
            subtrees: subtrees.collect(),
            room: vec![[F::zero(); BLOCK]; depth(shards.n) + 1],
            scatter: Messages {
                outgoing: room(&|rank| trees(own) * part(rank)),
                incoming: filled(&|rank| trees(rank) * part(own)),
            },
            gather: Messages { outgoing: room(&|_| part(own)), incoming: filled(&part) },
            shards,
            n,
        }
    }

    /// Starts to exchange this rank's sums: `put` appends the numbers of a range of the vector, from the
    /// sum over the subtree of a number.
    pub fn start(
        &mut self,
        communicator: &dyn Communicator,
        put: impl Fn(usize, Range<usize>, &mut Vec<u8>),
    ) {
        let MicroShards { rank: own, size, .. } = self.shards;
        let n_own = self.subtrees.iter().filter(|tree| tree.rank == own).count();
        let mut messages = std::mem::take(&mut self.scatter);
        for (rank, message) in messages.outgoing.iter_mut().enumerate() {
            message.clear();
            for tree in 0..n_own {
                put(tree, share(self.n, rank, size), message);
            }
        }
        communicator.start(messages);
    }

    /// Waits for the other ranks' sums, makes the additions that are left for this rank's part of the
    /// vector, and starts to pass it on.
    pub fn add_up(&mut self, communicator: &dyn Communicator) {
        let MicroShards { rank: own, size, n: n_shards } = self.shards;
        let mut messages = communicator.finish();
        messages.incoming[own].clone_from(&messages.outgoing[own]);
        let part = share(self.n, own, size).len() * size_of::<F>();
        let mut gather = std::mem::take(&mut self.gather);
        gather.outgoing[own].clear();
        for from in (0..part).step_by(BLOCK * size_of::<F>()) {
            let to = part.min(from + BLOCK * size_of::<F>());
            let mut subtrees = self.subtrees.iter();
            add_up(&mut subtrees, &messages.incoming, &(0..n_shards), from..to, &mut self.room);
            let sum = &self.room[0][..(to - from) / size_of::<F>()];
            gather.outgoing[own].extend_from_slice(bytemuck::cast_slice(sum));
        }
        let (before, rest) = gather.outgoing.split_at_mut(own);
        if let Some((sum, after)) = rest.split_first_mut() {
            before.iter_mut().chain(after).for_each(|message| message.clone_from(sum));
        }
        communicator.start(gather);
        self.scatter = messages;
    }

    /// Waits for the other ranks' parts of the sum; `take` is handed each range of it.
    pub fn finish(
        &mut self,
        communicator: &dyn Communicator,
        mut take: impl FnMut(Range<usize>, &[u8]),
    ) {
        let MicroShards { rank: own, size, .. } = self.shards;
        let messages = communicator.finish();
        for (rank, message) in messages.incoming.iter().enumerate() {
            let message = if rank == own { &messages.outgoing[own] } else { message };
            take(share(self.n, rank, size), message);
        }
        self.gather = messages;
    }
}

/// Puts the sum over `tree`, of the numbers in the bytes `bytes` of each subtree's sum in `messages`, into
/// the first of the `room`; the subtrees are used up in their order.
fn add_up<F: Real>(
    subtrees: &mut std::slice::Iter<'_, Subtree>,
    messages: &[Vec<u8>],
    tree: &Range<usize>,
    bytes: Range<usize>,
    room: &mut [[F; BLOCK]],
) {
    let n = bytes.len() / size_of::<F>();
    let next = &subtrees.as_slice()[0];
    if next.shards == *tree {
        subtrees.next();
        let Subtree { rank, start, .. } = next;
        let numbers = &messages[*rank][start + bytes.start..start + bytes.end];
        bytemuck::cast_slice_mut::<F, u8>(&mut room[0][..n]).copy_from_slice(numbers);
        return;
    }
    let (left, right) = halves(tree);
    add_up(subtrees, messages, &left, bytes.clone(), room);
    let (sum, rest) = room.split_at_mut(1);
    add_up(subtrees, messages, &right, bytes, rest);
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
