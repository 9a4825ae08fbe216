//! Curves over all thresholds: how well a score tells a class from the rest.

use crate::Real;
use nalgebra::DMatrix;
use serde::Serialize;

/// Returns the probability of `class` for every example, and which examples are of that class: what
/// the curves of one class against the rest are made from.
///
/// # Shapes
/// `probabilities` (n_classes, m), `labels` (m) → m and m.
/// # Panics
/// When there is no such class or the numbers of examples differ.
pub fn one_vs_rest<F: Real>(
    probabilities: &DMatrix<F>,
    labels: &[u32],
    class: u32,
) -> (Vec<f64>, Vec<bool>) {
    assert_eq!(probabilities.ncols(), labels.len(), "probabilities and labels");
    let scores = probabilities.row(class as usize).iter().map(|p| p.as_f64()).collect();
    (scores, labels.iter().map(|label| *label == class).collect())
}

/// A point of a [`RocCurve`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RocPoint {
    /// The threshold: examples that score at least this are predicted positive; `None` where no
    /// example is.
    pub threshold: Option<f64>,
    /// Share of the negatives that are predicted positive: FP / (FP + TN).
    pub false_positive_rate: f64,
    /// Share of the positives that are predicted positive: TP / (TP + FN), the recall.
    pub true_positive_rate: f64,
}

/// The receiver operating characteristic: true against false positive rate as the threshold falls.
///
/// Examples of equal score come in together, on one straight segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RocCurve {
    points: Vec<RocPoint>,
    area: f64,
}

impl RocCurve {
    /// Returns the curve of these scores, higher for positives; `None` when there is no positive or
    /// no negative example, or a score is NaN.
    ///
    /// ```
    /// use dnn_core::metrics::RocCurve;
    /// let curve = RocCurve::of(&[0.1, 0.4, 0.4, 0.8], &[false, false, true, true]).expect("both");
    /// // Of the 4 pairs of a positive and a negative, 3 are in order and one is a tie.
    /// assert_eq!(curve.area(), 3.5 / 4.0);
    /// assert_eq!(RocCurve::of(&[0.1, 0.4], &[true, true]), None);
    /// ```
    ///
    /// # Panics
    /// When the two differ in number.
    #[doc(alias = "roc_curve")]
    pub fn of(scores: &[f64], positive: &[bool]) -> Option<Self> {
        let counts = counts_by_threshold(scores, positive)?;
        let (n_positive, n_negative) = totals(&counts);
        if n_positive == 0 || n_negative == 0 {
            return None;
        }
        // Whole numbers until the last division: twice the area, in units of one pair.
        let mut doubled = 0.0;
        let mut before = Counts::default();
        for now in &counts {
            doubled += (now.fp - before.fp) as f64 * (now.tp + before.tp) as f64;
            before = *now;
        }
        let points = std::iter::once(Counts::default())
            .chain(keep(&counts, |[before, now, after]| {
                // A point on the straight line between its neighbours is not needed.
                (now.fp - before.fp, now.tp - before.tp) != (after.fp - now.fp, after.tp - now.tp)
            }))
            .map(|at| RocPoint {
                threshold: at.threshold,
                false_positive_rate: at.fp as f64 / n_negative as f64,
                true_positive_rate: at.tp as f64 / n_positive as f64,
            })
            .collect();
        Some(Self { points, area: doubled / (2.0 * n_positive as f64 * n_negative as f64) })
    }

    /// Returns the points from (0, 0) to (1, 1); points in the middle of a straight run of equal
    /// steps are left out.
    pub fn points(&self) -> &[RocPoint] {
        &self.points
    }

    /// Returns the area under the curve, by trapezoids. Equally the share of pairs of a positive
    /// and a negative in which the positive scores higher, a tie counting half (Hanley and McNeil
    /// 1982): ½ for scores that know nothing, 1 for a perfect order.
    #[doc(alias = "roc_auc_score")]
    #[doc(alias = "auc")]
    pub fn area(&self) -> f64 {
        self.area
    }
}

/// A point of a [`PrecisionRecallCurve`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrecisionRecallPoint {
    /// The threshold: examples that score at least this are predicted positive; `None` where no
    /// example is.
    pub threshold: Option<f64>,
    /// Share of the examples predicted positive that are: TP / (TP + FP); 1 where none is predicted
    /// so.
    pub precision: f64,
    /// Share of the positives that are predicted positive: TP / (TP + FN).
    pub recall: f64,
}

/// Precision against recall as the threshold falls: for classes so rare that the false positive
/// rate looks small whatever happens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrecisionRecallCurve {
    points: Vec<PrecisionRecallPoint>,
    average_precision: f64,
}

impl PrecisionRecallCurve {
    /// Returns the curve of these scores, higher for positives; `None` when there is no positive
    /// example or a score is NaN.
    ///
    /// # Panics
    /// When the two differ in number.
    #[doc(alias = "precision_recall_curve")]
    pub fn of(scores: &[f64], positive: &[bool]) -> Option<Self> {
        let counts = counts_by_threshold(scores, positive)?;
        let (n_positive, _) = totals(&counts);
        if n_positive == 0 {
            return None;
        }
        let precision = |at: &Counts| at.tp as f64 / (at.tp + at.fp) as f64;
        let mut average_precision = 0.0;
        let mut found = 0;
        for now in &counts {
            average_precision += (now.tp - found) as f64 / n_positive as f64 * precision(now);
            found = now.tp;
        }
        let nothing = PrecisionRecallPoint { threshold: None, precision: 1.0, recall: 0.0 };
        let points = std::iter::once(nothing)
            .chain(
                // Between the first and the last of one recall, precision only falls.
                keep(&counts, |[before, now, after]| before.tp != now.tp || now.tp != after.tp)
                    .map(|at| PrecisionRecallPoint {
                        threshold: at.threshold,
                        precision: precision(&at),
                        recall: at.tp as f64 / n_positive as f64,
                    }),
            )
            .collect();
        Some(Self { points, average_precision })
    }

    /// Returns the points from recall 0 to recall 1; of those with the same recall only the first
    /// and the last.
    pub fn points(&self) -> &[PrecisionRecallPoint] {
        &self.points
    }

    /// Returns Σ (Rᵢ − Rᵢ₋₁)·Pᵢ over the thresholds, falling, with R₀ = 0: the area by rectangles,
    /// since straight lines between the points would promise more than can be had (Davis and
    /// Goadrich 2006). The share of positives for scores that know nothing, 1 for a perfect order.
    #[doc(alias = "average_precision_score")]
    pub fn average_precision(&self) -> f64 {
        self.average_precision
    }
}

/// What is taken for positive at a threshold.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    threshold: Option<f64>,
    tp: usize,
    fp: usize,
}

/// Returns the counts at every score that occurs, highest first; `None` when a score is NaN.
fn counts_by_threshold(scores: &[f64], positive: &[bool]) -> Option<Vec<Counts>> {
    assert_eq!(scores.len(), positive.len(), "scores and labels");
    if scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut examples: Vec<(f64, bool)> =
        scores.iter().copied().zip(positive.iter().copied()).collect();
    examples.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut at = Counts::default();
    let by_score = examples.chunk_by(|a, b| a.0 == b.0).map(|equal| {
        let n_positive = equal.iter().filter(|(_, positive)| *positive).count();
        at.tp += n_positive;
        at.fp += equal.len() - n_positive;
        at.threshold = Some(equal[0].0);
        at
    });
    Some(by_score.collect())
}

/// Returns the number of positive and of negative examples.
fn totals(counts: &[Counts]) -> (usize, usize) {
    counts.last().map_or((0, 0), |all| (all.tp, all.fp))
}

/// The first, the last, and of the others those that are `needed` between their neighbours.
fn keep(counts: &[Counts], needed: impl Fn([&Counts; 3]) -> bool) -> impl Iterator<Item = Counts> {
    let last = counts.len() - 1;
    counts.iter().enumerate().filter_map(move |(i, now)| {
        let inner = i > 0 && i < last;
        (!inner || needed([&counts[i - 1], now, &counts[i + 1]])).then_some(*now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_order_and_none_at_all() {
        let scores = [0.9, 0.8, 0.2, 0.1];
        let truth = [true, true, false, false];
        assert_eq!(RocCurve::of(&scores, &truth).unwrap().area(), 1.0);
        assert_eq!(PrecisionRecallCurve::of(&scores, &truth).unwrap().average_precision(), 1.0);
        let same = [0.3; 4];
        assert_eq!(RocCurve::of(&same, &truth).unwrap().area(), 0.5);
        assert_eq!(PrecisionRecallCurve::of(&same, &truth).unwrap().average_precision(), 0.5);
        let against: Vec<_> = truth.iter().map(|positive| !positive).collect();
        assert_eq!(RocCurve::of(&scores, &against).unwrap().area(), 0.0);
    }

    #[test]
    fn curves_go_from_corner_to_corner() {
        let scores = [0.5, 0.9, 0.5, 0.1, 0.7, 0.5];
        let truth = [true, false, false, true, true, false];
        let roc = RocCurve::of(&scores, &truth).unwrap();
        let (first, last) = (roc.points()[0], roc.points()[roc.points().len() - 1]);
        assert_eq!((first.false_positive_rate, first.true_positive_rate), (0.0, 0.0));
        assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
        assert_eq!((first.threshold, last.threshold), (None, Some(0.1)));
        // 0.9 by hand: one of three negatives; 0.7: one of three positives as well.
        assert_eq!(roc.points()[1].false_positive_rate, 1.0 / 3.0);
        assert_eq!(roc.points()[2].true_positive_rate, 1.0 / 3.0);
        let pr = PrecisionRecallCurve::of(&scores, &truth).unwrap();
        assert_eq!(pr.points()[0].precision, 1.0);
        assert_eq!(pr.points()[1].precision, 0.0);
        assert_eq!(pr.points().last().map(|p| (p.recall, p.precision)), Some((1.0, 0.5)));
    }

    #[test]
    fn what_is_undefined_is_none() {
        for (scores, truth) in
            [(vec![], vec![]), (vec![0.5], vec![false]), (vec![0.1, f64::NAN], vec![true, false])]
        {
            assert_eq!(RocCurve::of(&scores, &truth), None);
            assert_eq!(PrecisionRecallCurve::of(&scores, &truth), None);
        }
        assert_eq!(RocCurve::of(&[0.5], &[true]), None);
        let only_positive = PrecisionRecallCurve::of(&[0.5], &[true]).unwrap();
        assert_eq!(only_positive.average_precision(), 1.0);
        let infinite = [f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(RocCurve::of(&infinite, &[true, false]).unwrap().area(), 1.0);
    }
}
