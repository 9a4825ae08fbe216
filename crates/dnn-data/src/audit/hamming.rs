//! Hashes that differ in few bits, without comparing all pairs.
//!
//! Multi-index hashing (Norouzi, Punjani, Fleet 2012): 64 bits are four blocks of 16. When two hashes
//! differ in at most d bits, in one of the blocks they differ in at most d/4; so for each block a
//! table is looked up under every value that near.

/// Bits in which hashes may differ at most.
pub const MAX_DISTANCE: u32 = 15;

const N_BLOCKS: u32 = 4;

/// Calls `pair(a, b, distance)` with each pair of indices a < b < `ends[a]`, once, whose hashes differ
/// in at most `distance` bits, for as long as it returns `true` and no more than `max_looks` hashes
/// were looked at. Gives whether all pairs were seen.
pub(super) fn pairs(
    hashes: &[u64],
    ends: &[usize],
    distance: u32,
    max_looks: u64,
    mut pair: impl FnMut(usize, usize, u32) -> bool,
) -> bool {
    let radius = distance / N_BLOCKS;
    let masks: Vec<u16> = (0..=u16::MAX).filter(|mask| mask.count_ones() <= radius).collect();
    let spread: Vec<[u16; 4]> = hashes.iter().map(|&hash| blocks(hash)).collect();
    let mut looks = 0;
    for block in 0..N_BLOCKS as usize {
        let table = Table::of(hashes, spread.iter().map(|blocks| blocks[block]));
        for (a, blocks) in spread.iter().enumerate() {
            for &mask in &masks {
                let near = table.at(blocks[block] ^ mask);
                // Of a pair the earlier looks for the later: indices in a bucket ascend.
                let before =
                    |index: usize| near.partition_point(|entry| (entry.index as usize) < index);
                let later = &near[before(a + 1)..before(ends[a].max(a + 1))];
                looks += later.len() as u64;
                if looks > max_looks {
                    return false;
                }
                for &Entry { hash, index: b } in later {
                    let apart = (hashes[a] ^ hash).count_ones();
                    if apart > distance {
                        continue;
                    }
                    // A pair that is near in several blocks is met in each.
                    let met = (0..block).any(|earlier| {
                        (blocks[earlier] ^ spread[b as usize][earlier]).count_ones() <= radius
                    });
                    if !met && !pair(a, b as usize, apart) {
                        return false;
                    }
                }
            }
        }
    }
    true
}

/// Bits 0, 4, 8 …, then 1, 5, 9 … and so on: neighbouring bits are alike in all images of a kind, as
/// the black edge of digits is, and should not fill a block.
fn blocks(hash: u64) -> [u16; 4] {
    std::array::from_fn(|block| {
        (0..16).fold(0, |bits, i| bits | (((hash >> (4 * i + block)) & 1) as u16) << i)
    })
}

/// Hashes by a value of 16 bits.
struct Table {
    /// Where the entries of each value start; one more at the end.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

/// A hash beside its index: a bucket is read from end to end, with no look elsewhere.
#[derive(Clone, Copy, Default)]
struct Entry {
    hash: u64,
    index: u32,
}

impl Table {
    fn of(hashes: &[u64], values: impl Iterator<Item = u16> + Clone) -> Self {
        let mut starts = vec![0; (1 << 16) + 1];
        for value in values.clone() {
            starts[usize::from(value) + 1] += 1;
        }
        for value in 0..1 << 16 {
            starts[value + 1] += starts[value];
        }
        let mut next = starts.clone();
        let mut entries = vec![Entry::default(); hashes.len()];
        for ((index, value), &hash) in (0..).zip(values).zip(hashes) {
            let place = &mut next[usize::from(value)];
            entries[*place as usize] = Entry { hash, index };
            *place += 1;
        }
        Self { starts, entries }
    }

    fn at(&self, value: u16) -> &[Entry] {
        let value = usize::from(value);
        &self.entries[self.starts[value] as usize..self.starts[value + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(hashes: &[u64], ends: &[usize], distance: u32) -> Vec<(usize, usize, u32)> {
        let mut found = Vec::new();
        assert!(pairs(hashes, ends, distance, u64::MAX, |a, b, apart| {
            found.push((a, b, apart));
            true
        }));
        found.sort_unstable();
        found
    }

    #[test]
    fn blocks_take_every_fourth_bit_and_lose_none() {
        assert_eq!(blocks(0x1111_1111_1111_1111), [u16::MAX, 0, 0, 0]);
        assert_eq!(blocks(0b1000_0010), [0, 1, 0, 2]);
        assert_eq!(blocks(u64::MAX), [u16::MAX; 4]);
    }

    #[test]
    fn the_search_ends_when_it_is_told_to() {
        let hashes = [5; 10];
        assert!(!pairs(&hashes, &[10; 10], 3, 20, |_, _, _| true), "more than 20 to look at");
        let mut n = 0;
        let all = pairs(&hashes, &[10; 10], 3, u64::MAX, |_, _, _| {
            n += 1;
            n < 7
        });
        assert!(!all && n == 7);
    }

    proptest! {
        /// The same pairs as by comparing each with each.
        #[test]
        fn no_pair_is_missed_or_met_twice(
            base in any::<u64>(),
            ends in prop::collection::vec(0..=12usize, 12),
            flips in prop::collection::vec(prop::collection::vec(0..64u32, 0..12), 2..12),
            distance in 0..=MAX_DISTANCE,
        ) {
            let hashes: Vec<u64> = flips
                .iter()
                .map(|bits| bits.iter().fold(base, |hash, bit| hash ^ (1 << bit)))
                .collect();
            let mut expected = Vec::new();
            for a in 0..hashes.len() {
                for b in a + 1..hashes.len().min(ends[a]) {
                    let apart = (hashes[a] ^ hashes[b]).count_ones();
                    if apart <= distance {
                        expected.push((a, b, apart));
                    }
                }
            }
            prop_assert_eq!(found(&hashes, &ends[..hashes.len()], distance), expected);
        }
    }
}
