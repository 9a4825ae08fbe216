//! A model beside the same answer for everything.

use super::paired::PairedScore;
use super::score::{Prediction, Score};

/// How a model compares with always giving the same class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MajorityBaseline {
    /// The class that is always given.
    pub class: u32,
    /// First that answer, then the model.
    pub pair: PairedScore,
}

impl MajorityBaseline {
    /// Compares predictions with always giving the class that most of `known` have (the first of several).
    ///
    /// # Panics
    /// When predictions and labels differ in number.
    pub fn of(predictions: &[Prediction], labels: &[u32], known: &[u32]) -> Self {
        let n_classes = known.iter().max().map_or(1, |&most| most as usize + 1);
        let mut counts = vec![0_usize; n_classes];
        for &label in known {
            counts[label as usize] += 1;
        }
        let most = counts.iter().max().copied().unwrap_or(0);
        let class = counts.iter().position(|&n| n == most).unwrap_or(0) as u32;
        let same = vec![Prediction { class, probability: 1.0 }; labels.len()];
        Self { class, pair: PairedScore::of(&same, predictions, labels) }
    }

    /// Returns how often always giving the class is right.
    pub fn score(&self) -> Score {
        self.pair.first()
    }

    /// Returns the probability that a model no better or worse would differ at least as much: McNemar's
    /// test of the examples that only one gets right, [`PairedScore::mcnemar`].
    pub fn p_value(&self) -> f64 {
        self.pair.mcnemar().p_value
    }

    /// Returns about how many examples it would take to tell the two apart at the 5 % level, if they went
    /// on to differ as they do here: m·1.96²·n/d² for n examples that only one gets right and a difference
    /// of d. `None` when there is no difference.
    pub fn n_to_tell_apart(&self) -> Option<usize> {
        let difference = self.pair.only_first.abs_diff(self.pair.only_second) as f64;
        let n = 3.84 * self.pair.n_discordant() as f64 / (difference * difference);
        (difference > 0.0).then(|| (self.pair.total() as f64 * n).ceil() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_of_what_was_known_is_compared_with() {
        let says = |classes: &[u32]| -> Vec<Prediction> {
            classes.iter().map(|&class| Prediction { class, probability: 0.9 }).collect()
        };
        let labels = [1, 1, 0, 0, 0, 1];
        let baseline = MajorityBaseline::of(&says(&[1, 1, 0, 0, 1, 1]), &labels, &[1, 0, 0, 1, 0]);
        assert_eq!(baseline.class, 0);
        assert_eq!(baseline.score(), Score { correct: 3, total: 6 });
        assert_eq!((baseline.pair.only_first, baseline.pair.only_second), (1, 3));
        // Four coins, at most one on a side: 2·(1 + 4)/16.
        assert_eq!(baseline.p_value(), 0.625);
        assert_eq!(baseline.n_to_tell_apart(), Some(24));
        let same = MajorityBaseline::of(&says(&[0; 6]), &labels, &[0, 1]);
        assert_eq!((same.p_value(), same.n_to_tell_apart()), (1.0, None));
    }
}
