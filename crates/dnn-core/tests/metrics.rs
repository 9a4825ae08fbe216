//! The metrics against scikit-learn's and SciPy's values on random data with ties; the numbers and
//! the script that made them are in `golden/`.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::metrics::{
    Calibration, Confusion, McNemarMethod, PairedScore, PrecisionRecallCurve, Quality, RocCurve,
    brier_score, log_loss, one_vs_rest, predictions,
};
use nalgebra::DMatrix;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    mcnemar: Vec<Pair>,
}

#[derive(Deserialize)]
struct Case {
    /// An example a row.
    probabilities: Vec<Vec<f64>>,
    labels: Vec<u32>,
    accuracy: f64,
    balanced_accuracy: f64,
    /// Precision, recall, F1.
    r#macro: [f64; 3],
    log_loss: f64,
    brier_score: f64,
    curves: Vec<Curves>,
    calibration: Bins,
    calibration_of_class_1: Bins,
}

impl Case {
    fn probabilities(&self) -> DMatrix<f64> {
        let (m, n_classes) = (self.probabilities.len(), self.probabilities[0].len());
        DMatrix::from_iterator(n_classes, m, self.probabilities.iter().flatten().copied())
    }
}

#[derive(Deserialize)]
struct Curves {
    /// Threshold, false positive rate, true positive rate.
    roc: Vec<(Option<f64>, f64, f64)>,
    roc_auc: f64,
    /// Threshold, precision, recall.
    precision_recall: Vec<(Option<f64>, f64, f64)>,
    average_precision: f64,
}

#[derive(Deserialize)]
struct Bins {
    counts: Vec<usize>,
    confidence: Vec<f64>,
    accuracy: Vec<f64>,
    expected_error: f64,
}

#[derive(Deserialize)]
struct Pair {
    only_first: usize,
    only_second: usize,
    exact: f64,
    /// Statistic, p.
    chi_square: (f64, f64),
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

#[track_caller]
fn assert_close(got: f64, expected: f64) {
    let gap = (got - expected).abs();
    assert!(gap <= 1e-12 * expected.abs().max(1e-3), "{got} instead of {expected}");
}

#[test]
fn of_predictions() {
    for case in golden().cases {
        let predicted = predictions(&case.probabilities());
        let n_classes = case.probabilities[0].len();
        let confusion = Confusion::of(&predicted, &case.labels, n_classes);
        assert_close(confusion.score().accuracy(), case.accuracy);
        assert_close(confusion.balanced_accuracy().unwrap(), case.balanced_accuracy);
        let average = confusion.macro_average().unwrap();
        assert_close(average.precision, case.r#macro[0]);
        assert_close(average.recall, case.r#macro[1]);
        assert_close(average.f1, case.r#macro[2]);
    }
}

#[test]
fn of_probabilities() {
    for case in golden().cases {
        let p = case.probabilities();
        assert_close(log_loss(&p, &case.labels).unwrap(), case.log_loss);
        assert_close(brier_score(&p, &case.labels).unwrap(), case.brier_score);
    }
}

#[test]
fn curves_and_areas_of_every_class_against_the_rest() {
    for case in golden().cases {
        let p = case.probabilities();
        for (class, expected) in case.curves.iter().enumerate() {
            let (scores, positive) = one_vs_rest(&p, &case.labels, class as u32);
            let roc = RocCurve::of(&scores, &positive).unwrap();
            assert_close(roc.area(), expected.roc_auc);
            let points = roc.points().iter();
            let points: Vec<_> = points
                .map(|p| (p.threshold, p.false_positive_rate, p.true_positive_rate))
                .collect();
            assert_eq!(points, expected.roc);
            let curve = PrecisionRecallCurve::of(&scores, &positive).unwrap();
            assert_close(curve.average_precision(), expected.average_precision);
            let points = curve.points().iter();
            let points: Vec<_> = points.map(|p| (p.threshold, p.precision, p.recall)).collect();
            assert_eq!(points, expected.precision_recall);
        }
    }
}

#[test]
fn all_measures_at_once() {
    for case in golden().cases {
        let n_classes = case.probabilities[0].len();
        let classes: Vec<_> = (0..n_classes).map(|class| class.to_string()).collect();
        let quality = Quality::of(&case.probabilities(), &case.labels, &classes);
        assert_close(quality.balanced_accuracy.unwrap(), case.balanced_accuracy);
        assert_close(quality.macro_average.unwrap().f1, case.r#macro[2]);
        assert_close(quality.log_loss.unwrap(), case.log_loss);
        assert_close(quality.brier_score.unwrap(), case.brier_score);
        assert_close(
            quality.calibration.unwrap().expected_error(),
            case.calibration.expected_error,
        );
        // Of two classes those of the second, of more the mean.
        let of = if n_classes == 2 { &case.curves[1..] } else { &case.curves };
        let mean = |value: fn(&Curves) -> f64| of.iter().map(value).sum::<f64>() / of.len() as f64;
        assert_close(quality.roc_auc.unwrap(), mean(|curves| curves.roc_auc));
        assert_close(quality.average_precision.unwrap(), mean(|curves| curves.average_precision));
        let names: Vec<_> = quality.curves.iter().map(|curves| &curves.class).collect();
        assert_eq!(names, classes[n_classes - of.len()..].iter().collect::<Vec<_>>());
    }
}

#[test]
fn there_are_ties_between_the_classes() {
    let tied = golden().cases.iter().any(|case| {
        let (scores, positive) = one_vs_rest(&case.probabilities(), &case.labels, 1);
        let of = |class: bool| {
            scores.iter().zip(&positive).filter(move |(_, p)| **p == class).map(|(s, _)| *s)
        };
        of(true).any(|a| of(false).any(|b| a == b))
    });
    assert!(tied, "the golden data would not notice how ties are handled");
}

#[test]
fn reliability_bins() {
    let check = |found: Calibration, expected: &Bins| {
        let filled: Vec<_> = found.bins().iter().filter(|bin| bin.count > 0).collect();
        assert_eq!(filled.iter().map(|bin| bin.count).collect::<Vec<_>>(), expected.counts);
        for (i, bin) in filled.iter().enumerate() {
            assert_close(bin.confidence.unwrap(), expected.confidence[i]);
            assert_close(bin.accuracy.unwrap(), expected.accuracy[i]);
        }
        assert_close(found.expected_error(), expected.expected_error);
    };
    // The cases whose probabilities are not on the edges of bins, where rounding decides.
    for case in golden().cases.into_iter().skip(1).step_by(2) {
        let p = case.probabilities();
        let top = Calibration::of_predictions(&predictions(&p), &case.labels, 10).unwrap();
        check(top, &case.calibration);
        let (scores, positive) = one_vs_rest(&p, &case.labels, 1);
        check(Calibration::of(&scores, &positive, 10).unwrap(), &case.calibration_of_class_1);
    }
}

#[test]
fn mcnemar() {
    let mut methods = Vec::new();
    for Pair { only_first, only_second, exact, chi_square } in golden().mcnemar {
        let pair = PairedScore { both_right: 40, only_first, only_second, both_wrong: 7 };
        let found = pair.mcnemar();
        methods.push(found.method);
        match found.method {
            McNemarMethod::Exact => {
                let gap = (found.p_value - exact).abs();
                assert!(gap <= 1e-11 * exact, "{} instead of {exact}", found.p_value);
                assert_eq!(found.statistic, None);
            }
            McNemarMethod::ChiSquare => {
                assert_close(found.statistic.unwrap(), chi_square.0);
                assert_close(found.p_value, chi_square.1);
                // What it stands for.
                assert!((found.p_value - exact).abs() < 2e-4, "{} {exact}", found.p_value);
            }
        }
    }
    assert!(methods.contains(&McNemarMethod::Exact) && methods.contains(&McNemarMethod::ChiSquare));
}
