//! Which class was taken for which, and what follows from it.

use super::score::{Prediction, Score};
use serde::Serialize;

/// How often each class was taken for each class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// The counts, as `counts[truth][prediction]`.
    counts: Vec<Vec<usize>>,
}

/// Precision, recall and F1 of one class; `None` where the definition divides by zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassReport {
    /// Share of the examples predicted to be of the class that are of it: TP / (TP + FP).
    pub precision: Option<f64>,
    /// Share of the examples of the class that are predicted to be of it: TP / (TP + FN).
    pub recall: Option<f64>,
    /// The harmonic mean of precision and recall, 2·TP / (2·TP + FP + FN).
    pub f1: Option<f64>,
    /// Number of examples of the class: TP + FN.
    pub support: usize,
}

/// The means over the classes, each class counting the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MacroAverage {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
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

    /// Returns the counts, as `counts[truth][prediction]`.
    pub fn counts(&self) -> &[Vec<usize>] {
        &self.counts
    }

    /// Returns how many predictions are right.
    pub fn score(&self) -> Score {
        let correct = (0..self.counts.len()).map(|i| self.counts[i][i]).sum();
        Score { correct, total: self.counts.iter().flatten().sum() }
    }

    /// Returns precision, recall and F1 of `class`, taken as the positive one.
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

    /// Returns the mean recall of the classes that have examples: what a classifier that knows
    /// nothing cannot raise above 1/K by always answering with the commonest of K classes. `None`
    /// of nothing.
    ///
    /// ```
    /// use dnn_core::metrics::{Confusion, Prediction};
    /// // Three of four are class 0, and 0 is always the answer.
    /// let always = vec![Prediction { class: 0, probability: 0.75 }; 4];
    /// let confusion = Confusion::of(&always, &[0, 0, 0, 1], 2);
    /// assert_eq!(confusion.score().accuracy(), 0.75);
    /// assert_eq!(confusion.balanced_accuracy(), Some(0.5));
    /// ```
    #[doc(alias = "balanced_accuracy_score")]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        mean(self.reports().filter_map(|report| report.recall))
    }

    /// Returns precision, recall and F1, averaged over the classes that occur among the labels or
    /// the predictions. As in scikit-learn, what a class leaves undefined counts as 0: the
    /// precision of one that was never predicted, the recall of one without examples. `None` of
    /// nothing.
    #[doc(alias = "precision_recall_fscore_support")]
    pub fn macro_average(&self) -> Option<MacroAverage> {
        // F1 is undefined where labels and predictions both lack the class, and only there.
        let occurring: Vec<_> = self.reports().filter(|report| report.f1.is_some()).collect();
        let average = |part: fn(&ClassReport) -> Option<f64>| {
            mean(occurring.iter().map(|report| part(report).unwrap_or(0.0)))
        };
        Some(MacroAverage {
            precision: average(|report| report.precision)?,
            recall: average(|report| report.recall)?,
            f1: average(|report| report.f1)?,
        })
    }

    fn reports(&self) -> impl Iterator<Item = ClassReport> {
        (0..self.counts.len()).map(|class| self.class_report(class))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
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
    fn averages_leave_out_what_does_not_occur() {
        // Class 2 has no examples but is predicted, class 3 occurs nowhere.
        let confusion = Confusion::of(&predicted(&[0, 2, 1, 1]), &[0, 0, 1, 1], 4);
        assert_eq!(confusion.balanced_accuracy(), Some(0.75));
        let average = confusion.macro_average().expect("something occurs");
        assert_eq!(average.precision, 2.0 / 3.0);
        assert_eq!(average.recall, 0.5);
        assert!((average.f1 - (2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-15);
        let nothing = Confusion::of(&[], &[], 2);
        assert_eq!((nothing.balanced_accuracy(), nothing.macro_average()), (None, None));
    }
}
