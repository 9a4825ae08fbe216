//! Sets of classes that hold the right one as often as promised: split conformal prediction.

use crate::Real;
use nalgebra::DMatrix;

/// How badly a network's probabilities have fitted the labels of examples that it was not trained on,
/// from which sets of classes with a promised coverage are made (split conformal prediction: Vovk et
/// al. 2005; Angelopoulos and Bates 2021, section 1).
///
/// The score of an example is 1 − p, p the probability of its label. A new example's set has the
/// classes whose score is at most the ⌈(n + 1)·coverage⌉-th smallest of the n. If the new example is
/// drawn as these were, the set holds its class with at least that probability, whatever the network
/// is worth; a bad network has large sets.
///
/// ```
/// use dnn_core::metrics::ConformalScores;
/// use dnn_core::nalgebra::DMatrix;
///
/// // Nine examples of class 1, one of them taken for class 0.
/// let of_class_1 = [0.9, 0.8, 0.95, 0.7, 0.99, 0.85, 0.3, 0.9, 0.75];
/// let p = DMatrix::from_fn(2, 9, |k, j| if k == 1 { of_class_1[j] } else { 1.0 - of_class_1[j] });
/// let scores = ConformalScores::of(&p, &[1; 9]);
/// // A sure answer and an unsure one.
/// let p = DMatrix::from_column_slice(2, 2, &[0.2, 0.8, 0.5, 0.5]);
/// assert_eq!(scores.sets(&p, 0.9), [vec![1], vec![0, 1]]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConformalScores(Vec<f64>);

impl ConformalScores {
    /// Computes the scores of labelled examples.
    ///
    /// # Shapes
    /// `probabilities` (n_classes, m), `labels` (m).
    /// # Panics
    /// When labels and columns differ in number, or a label is not below the number of classes.
    pub fn of<F: Real>(probabilities: &DMatrix<F>, labels: &[u32]) -> Self {
        assert_eq!(probabilities.ncols(), labels.len(), "a label for each column");
        let scores = labels.iter().enumerate();
        let score = |(j, &label): (usize, &u32)| 1.0 - probabilities[(label as usize, j)].as_f64();
        let mut scores: Vec<_> = scores.map(score).collect();
        scores.sort_unstable_by(f64::total_cmp);
        Self(scores)
    }

    /// Takes scores that were computed before, in any order; `None` when there are none, or one is
    /// no number from 0 to 1.
    pub fn from_scores(mut scores: Vec<f64>) -> Option<Self> {
        let sound = |score: &f64| (0.0..=1.0).contains(score);
        if scores.is_empty() || !scores.iter().all(sound) {
            return None;
        }
        scores.sort_unstable_by(f64::total_cmp);
        Some(Self(scores))
    }

    /// Returns the scores, the smallest first.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// Returns the largest score of a class that is in a set of this coverage, a number between 0 and
    /// 1; `None` when the scores are too few for it and every class is in every set.
    pub fn threshold(&self, coverage: f64) -> Option<f64> {
        // (n + 1)·coverage may come out a rounding above a whole number.
        let rank = ((self.0.len() + 1) as f64 * coverage - 1e-9).ceil().max(1.0);
        self.0.get(rank as usize - 1).copied()
    }

    /// Returns the least number of scores with which sets of this coverage can leave out a class.
    pub fn needed(coverage: f64) -> usize {
        (coverage / (1.0 - coverage) - 1e-9).ceil().max(1.0) as usize
    }

    /// Returns the classes of each example's set, in ascending order. The most probable class is in
    /// it in any case.
    ///
    /// # Shapes
    /// `probabilities` (n_classes, m) → m sets.
    pub fn sets<F: Real>(&self, probabilities: &DMatrix<F>, coverage: f64) -> Vec<Vec<u32>> {
        let threshold = self.threshold(coverage).unwrap_or(1.0);
        let sets = probabilities.column_iter().map(|p| {
            let top = p.iter().fold(p[0], |top, &p| if p > top { p } else { top });
            let is_in = |p: F| p == top || 1.0 - p.as_f64() <= threshold;
            (0..).zip(p.iter()).filter(|(_, p)| is_in(**p)).map(|(class, _)| class).collect()
        });
        sets.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OutputActivation;
    use crate::rng::{Generator, RngKind};

    /// Probabilities for examples of three classes, drawn around their class's corner.
    fn drawn(rng: &mut Generator, m: usize) -> (DMatrix<f64>, Vec<u32>) {
        let labels: Vec<u32> = (0..m).map(|_| (rng.uniform() * 3.0) as u32).collect();
        let mut z = rng.normal_matrix(3, m) * 1.5;
        for (j, &label) in labels.iter().enumerate() {
            z[(label as usize, j)] += 1.5;
        }
        (OutputActivation::Softmax.probabilities(z), labels)
    }

    /// Over 2000 simulations the sets hold the label as often as promised: the expected coverage is
    /// between the promise and the promise + 1/(n + 1), here with four standard errors on either side.
    #[test]
    fn the_coverage_is_what_was_promised() {
        let mut rng = Generator::new(RngKind::Modern, 9).unwrap();
        for (n, coverage) in [(19, 0.9), (50, 0.9), (50, 0.8), (200, 0.95)] {
            let (simulations, per_simulation) = (2000, 20);
            let mut shares = Vec::new();
            for _ in 0..simulations {
                let (p, labels) = drawn(&mut rng, n);
                let scores = ConformalScores::of(&p, &labels);
                let (p, labels) = drawn(&mut rng, per_simulation);
                let sets = scores.sets(&p, coverage);
                let held = sets.iter().zip(&labels).filter(|(set, label)| set.contains(label));
                shares.push(held.count() as f64 / per_simulation as f64);
            }
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let squares: f64 = shares.iter().map(|share| (share - mean).powi(2)).sum();
            let error = (squares / shares.len() as f64 / shares.len() as f64).sqrt();
            let (low, high) =
                (coverage - 4.0 * error, coverage + 1.0 / (n + 1) as f64 + 4.0 * error);
            assert!((low..high).contains(&mean), "{n}, {coverage}: {mean} ± {error}");
        }
    }

    #[test]
    fn thresholds_by_hand() {
        let scores =
            ConformalScores::from_scores((1..=9).rev().map(|i| f64::from(i) / 10.0).collect());
        let scores = scores.unwrap();
        // ⌈10·0.9⌉ = 9, ⌈10·0.5⌉ = 5, ⌈10·0.91⌉ = 10 > 9.
        assert_eq!([0.9, 0.5, 0.91].map(|c| scores.threshold(c)), [Some(0.9), Some(0.5), None]);
        assert_eq!([0.9, 0.5, 0.91, 0.95].map(ConformalScores::needed), [9, 1, 11, 19]);
        for bad in [vec![], vec![0.5, f64::NAN], vec![1.5]] {
            assert_eq!(ConformalScores::from_scores(bad), None);
        }
        // Too few scores: all classes; and never none at all.
        let p = DMatrix::from_column_slice(3, 1, &[0.3, 0.4, 0.3]);
        assert_eq!(scores.sets(&p, 0.95), [[0, 1, 2]]);
        assert_eq!(scores.sets(&p, 0.1), [[1]]);
    }
}
