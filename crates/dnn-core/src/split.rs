//! Keeping part of the training set apart, cutting it into folds, and cutting a job into shards.

use crate::rng::{Generator, RngKind, SeedError};
use std::ops::Range;

/// Splits examples into those to train on and those to judge by, both as ascending indices. The
/// share `fraction` of each class, rounded, is kept to judge by, but never all of a class.
///
/// # Errors
/// When the generator does not take the seed.
pub fn stratified(
    labels: &[u32],
    fraction: f64,
    kind: RngKind,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), SeedError> {
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for class in shuffled_classes(labels, kind, seed)? {
        let n = (class.len() as f64 * fraction).round() as usize;
        let n = n.min(class.len() - 1);
        validation.extend_from_slice(&class[..n]);
        train.extend_from_slice(&class[n..]);
    }
    train.sort_unstable();
    validation.sort_unstable();
    Ok((train, validation))
}

/// Splits examples into `k` folds of about equal size, each with its share of every class. Returns
/// for each fold the ascending indices of the examples to judge by; every example is in exactly one
/// fold.
///
/// # Errors
/// When the generator does not take the seed.
/// # Panics
/// When there are examples and `k` is 0.
pub fn folds(
    labels: &[u32],
    k: usize,
    kind: RngKind,
    seed: u64,
) -> Result<Vec<Vec<usize>>, SeedError> {
    let mut folds = vec![Vec::new(); k];
    let mut next = 0;
    for class in shuffled_classes(labels, kind, seed)? {
        for example in class {
            folds[next % k].push(example);
            next += 1;
        }
    }
    for fold in &mut folds {
        fold.sort_unstable();
    }
    Ok(folds)
}

/// Returns the examples of each class that has some, in a drawn order.
fn shuffled_classes(
    labels: &[u32],
    kind: RngKind,
    seed: u64,
) -> Result<Vec<Vec<usize>>, SeedError> {
    let mut rng = Generator::new(kind, seed)?;
    let n_classes = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut classes = vec![Vec::new(); n_classes];
    for (i, &label) in labels.iter().enumerate() {
        classes[label as usize].push(i);
    }
    classes.retain(|class| !class.is_empty());
    for class in &mut classes {
        rng.shuffle(class);
    }
    Ok(classes)
}

/// Returns what part number `part` of `parts`, counted from 0, has of `n` things that follow each other:
/// the places ⌊part·n/parts⌋ to ⌊(part + 1)·n/parts⌋, without the last.
///
/// # Panics
/// When there are no parts.
pub fn share(n: usize, part: usize, parts: usize) -> Range<usize> {
    let place = |part: usize| (n as u128 * part as u128 / parts as u128) as usize;
    place(part)..place(part + 1)
}

/// One of the parts that a job is cut into, so that as many processes or machines do it, each its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The only shard of a job that is not cut.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Returns shard number `index` of `count`, counted from 0; `None` when there is no such shard.
    pub fn new(index: usize, count: usize) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Returns the number of the shard, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// Returns the number of shards of the job.
    pub fn count(self) -> usize {
        self.count
    }

    /// Returns which of `n` things that follow each other are the shard's: its [`share`].
    pub fn range(self, n: usize) -> Range<usize> {
        share(n, self.index, self.count)
    }

    /// Returns whether thing number `i` is the shard's where things are dealt out in turn, as is done with
    /// those of which neighbours take equally long.
    pub fn is_dealt(self, i: usize) -> bool {
        i % self.count == self.index
    }

    /// Returns how many of `n` things [are dealt](Self::is_dealt) to the shard.
    pub fn n_dealt(self, n: usize) -> usize {
        n.saturating_sub(self.index).div_ceil(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_everything_once() {
        for (n, count) in [(0, 3), (1, 1), (5, 8), (100, 7), (usize::MAX, 2)] {
            let shards = || (0..count).map(|i| Shard::new(i, count).expect("below the count"));
            let ends: Vec<_> = shards().map(|shard| shard.range(n)).collect();
            assert_eq!((ends[0].start, ends[count - 1].end), (0, n));
            assert!(ends.windows(2).all(|pair| pair[0].end == pair[1].start), "{ends:?}");
            for shard in shards().filter(|_| n < 1000) {
                assert_eq!((0..n).filter(|&i| shard.is_dealt(i)).count(), shard.n_dealt(n));
            }
            for i in 0..n.min(50) {
                assert_eq!(shards().filter(|shard| shard.is_dealt(i)).count(), 1);
            }
        }
        assert_eq!(Shard::new(3, 3), None);
        assert_eq!(Shard::WHOLE.range(9), 0..9);
    }

    fn labels() -> Vec<u32> {
        (0..100).map(|i| u32::from(i % 4 == 0)).collect()
    }

    #[test]
    fn each_class_gives_its_share() {
        let labels = labels();
        let (train, validation) = stratified(&labels, 0.2, RngKind::Modern, 1).unwrap();
        assert_eq!((train.len(), validation.len()), (80, 20));
        assert_eq!(validation.iter().filter(|&&i| labels[i] == 1).count(), 5);
        let mut all = [train.clone(), validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(stratified(&labels, 0.2, RngKind::Modern, 1).unwrap().0, train);
        assert_ne!(stratified(&labels, 0.2, RngKind::Modern, 2).unwrap().0, train);
    }

    #[test]
    fn a_class_is_never_taken_whole() {
        let (train, validation) = stratified(&[0, 0, 0, 1], 0.9, RngKind::Modern, 1).unwrap();
        assert_eq!((train.len(), validation.len()), (2, 2));
        assert!(train.contains(&3));
    }

    #[test]
    fn folds_are_equal_and_cover_everything() {
        let labels = labels();
        let folds = folds(&labels, 7, RngKind::Modern, 3).unwrap();
        let mut all = folds.concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        for fold in &folds {
            assert!((14..=15).contains(&fold.len()), "{}", fold.len());
            assert!((3..=4).contains(&fold.iter().filter(|&&i| labels[i] == 1).count()));
        }
    }
}
