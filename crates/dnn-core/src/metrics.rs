//! How good predictions are: accuracy with its interval, confusion, precision, recall, F1.

use crate::Real;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// The class a network finds most probable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// Index of the class.
    pub class: u32,
    /// Its probability.
    pub probability: f64,
}

/// The most probable class of every example; of equally probable ones the first, so that a
/// probability of exactly ½ is class 0, as in the course (p > 0.5).
///
/// # Shapes
/// `probabilities` (n_classes, m) → m predictions.
#[doc(alias = "predict")]
pub fn predictions<F: Real>(probabilities: &DMatrix<F>) -> Vec<Prediction> {
    let columns = probabilities.as_slice().chunks_exact(probabilities.nrows());
    columns
        .map(|p| {
            let best = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
            Prediction { class: best as u32, probability: p[best].as_f64() }
        })
        .collect()
}

/// A count of successes among trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// How many are right.
    pub correct: usize,
    /// Of how many.
    pub total: usize,
}

impl Score {
    /// How many predictions are the labels.
    ///
    /// # Panics
    /// When the two differ in number.
    pub fn of(predictions: &[Prediction], labels: &[u32]) -> Self {
        assert_eq!(predictions.len(), labels.len(), "predictions and labels");
        let right = |(prediction, label): &(&Prediction, &u32)| prediction.class == **label;
        let correct = predictions.iter().zip(labels).filter(right).count();
        Self { correct, total: labels.len() }
    }

    /// correct / total; NaN of nothing.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.total as f64
    }

    /// The 95 % Wilson score interval of the accuracy (Wilson 1927): the shares p that are
    /// compatible with what was counted, (p̂ + z²/2n ± z·√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n) with
    /// z = 1.96. (0, 1) of nothing.
    ///
    /// ```
    /// use dnn_core::metrics::Score;
    /// let (low, high) = Score { correct: 40, total: 50 }.wilson_interval();
    /// assert!((low - 0.6696).abs() < 1e-4 && (high - 0.8876).abs() < 1e-4);
    /// ```
    pub fn wilson_interval(&self) -> (f64, f64) {
        /// 97.5 % quantile of N(0, 1).
        const Z: f64 = 1.959_963_984_540_054;
        if self.total == 0 {
            return (0.0, 1.0);
        }
        let n = self.total as f64;
        let p = self.accuracy();
        let centre = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
    }
}

/// How often each class was taken for each class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// `counts[truth][prediction]`.
    counts: Vec<Vec<usize>>,
}

/// Precision, recall and F1 of one class; `None` where the definition divides by zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassReport {
    /// Of what was taken for the class, the share that is: TP / (TP + FP).
    pub precision: Option<f64>,
    /// Of the class, the share that was found: TP / (TP + FN).
    pub recall: Option<f64>,
    /// Their harmonic mean, 2·TP / (2·TP + FP + FN).
    pub f1: Option<f64>,
    /// Examples of the class: TP + FN.
    pub support: usize,
}

impl Confusion {
    /// Counts predictions against labels.
    ///
    /// # Panics
    /// When the two differ in number or one is not below `n_classes`.
    pub fn of(predictions: &[Prediction], labels: &[u32], n_classes: usize) -> Self {
        assert_eq!(predictions.len(), labels.len(), "predictions and labels");
        let mut counts = vec![vec![0; n_classes]; n_classes];
        for (prediction, &label) in predictions.iter().zip(labels) {
            counts[label as usize][prediction.class as usize] += 1;
        }
        Self { counts }
    }

    /// `counts[truth][prediction]`.
    pub fn counts(&self) -> &[Vec<usize>] {
        &self.counts
    }

    /// Right ones of all.
    pub fn score(&self) -> Score {
        let correct = (0..self.counts.len()).map(|i| self.counts[i][i]).sum();
        Score { correct, total: self.counts.iter().flatten().sum() }
    }

    /// Precision, recall and F1 of `class`, taken as the positive one.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn class_report(&self, class: usize) -> ClassReport {
        let hits = self.counts[class][class];
        let support: usize = self.counts[class].iter().sum();
        let taken: usize = self.counts.iter().map(|row| row[class]).sum();
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        ClassReport {
            precision: share(hits, taken),
            recall: share(hits, support),
            f1: share(2 * hits, support + taken),
            support,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predicted(classes: &[u32]) -> Vec<Prediction> {
        classes.iter().map(|&class| Prediction { class, probability: 1.0 }).collect()
    }

    #[test]
    fn counts_by_hand() {
        // Truth 0 0 0 1 1, predicted 0 1 0 1 0: TP of class 1 is 1, FP 1, FN 1.
        let confusion = Confusion::of(&predicted(&[0, 1, 0, 1, 0]), &[0, 0, 0, 1, 1], 2);
        assert_eq!(confusion.counts(), [[2, 1], [1, 1]]);
        assert_eq!(confusion.score(), Score { correct: 3, total: 5 });
        let report = confusion.class_report(1);
        assert_eq!((report.precision, report.recall, report.f1), (Some(0.5), Some(0.5), Some(0.5)));
        assert_eq!(report.support, 2);
    }

    #[test]
    fn a_class_never_seen_and_never_predicted_has_no_score() {
        let report = Confusion::of(&predicted(&[0]), &[0], 2).class_report(1);
        assert_eq!((report.precision, report.recall, report.f1), (None, None, None));
    }

    #[test]
    fn wilson_interval_at_the_edges() {
        // statsmodels.stats.proportion.proportion_confint(k, n, method="wilson")
        let close = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() + (a.1 - b.1).abs() < 1e-14;
        let interval = |correct, total| Score { correct, total }.wilson_interval();
        assert!(close(interval(0, 10), (0.0, 0.277_532_799_862_889_26)), "{:?}", interval(0, 10));
        assert!(close(interval(10, 10), (0.722_467_200_137_110_6, 1.0)), "{:?}", interval(10, 10));
        assert!(close(interval(40, 50), (0.669_628_940_677_745_8, 0.887_562_499_842_238_9)));
        assert_eq!(interval(0, 0), (0.0, 1.0));
    }
}
