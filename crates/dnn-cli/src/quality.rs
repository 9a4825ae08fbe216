//! Measures of a model's answers beyond accuracy: calibration, ranking and the confusion of
//! classes.

use crate::console::of_how_many;
use crate::judge::Answers;
use dnn_core::metrics::{
    Calibration, Confusion, MacroAverage, MajorityBaseline, PrecisionRecallCurve, Prediction,
    RocCurve, Score, one_vs_rest,
};
use dnn_data::Shown;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};

/// The level of significance.
const LEVEL: f64 = 0.05;
/// The number of confidence bins, each ten percentage points wide.
const BINS: usize = 10;

/// Measures of a classifier beyond its accuracy; an undefined one is `None`.
#[derive(Debug, Serialize)]
pub(crate) struct Quality<'a> {
    pub(crate) balanced_accuracy: Option<f64>,
    pub(crate) macro_average: Option<MacroAverage>,
    pub(crate) log_loss: Option<f64>,
    pub(crate) brier_score: Option<f64>,
    /// With two classes, the value of the second; with more, the mean of those that have one.
    pub(crate) roc_auc: Option<f64>,
    pub(crate) average_precision: Option<f64>,
    pub(crate) calibration: Option<Calibration>,
    /// With two classes, the second against the first; with more, each against the rest.
    pub(crate) curves: Vec<ClassCurves<'a>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ClassCurves<'a> {
    pub(crate) class: &'a str,
    pub(crate) roc: Option<RocCurve>,
    pub(crate) precision_recall: Option<PrecisionRecallCurve>,
}

impl<'a> Quality<'a> {
    pub(crate) fn of(
        answers: &Answers,
        confusion: &Confusion,
        labels: &[u32],
        classes: &'a [String],
    ) -> Self {
        let positive = if classes.len() == 2 { 1..2 } else { 0..classes.len() };
        let curves: Vec<_> = positive
            .map(|class| {
                let (scores, is_class) = one_vs_rest(&answers.probabilities, labels, class as u32);
                ClassCurves {
                    class: &classes[class],
                    roc: RocCurve::of(&scores, &is_class),
                    precision_recall: PrecisionRecallCurve::of(&scores, &is_class),
                }
            })
            .collect();
        let roc = curves.iter().filter_map(|c| c.roc.as_ref());
        let precision_recall = curves.iter().filter_map(|c| c.precision_recall.as_ref());
        Self {
            balanced_accuracy: confusion.balanced_accuracy(),
            macro_average: confusion.macro_average(),
            log_loss: answers.log_loss,
            brier_score: answers.brier_score,
            roc_auc: mean(roc.map(RocCurve::area)),
            average_precision: mean(precision_recall.map(PrecisionRecallCurve::average_precision)),
            calibration: Calibration::of_predictions(&answers.predictions, labels, BINS),
            curves,
        }
    }
}

/// Returns the measures as three lines of text.
impl Display for Quality<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let number = |value: Option<f64>| value.map_or("undefined".into(), |v| format!("{v:.4}"));
        let of = match &self.curves[..] {
            [only] => format!("of {}", only.class.shown()),
            _ => "mean over the classes".into(),
        };
        writeln!(
            f,
            "Classes:   balanced accuracy {}, macro F1 {}",
            number(self.balanced_accuracy),
            number(self.macro_average.map(|average| average.f1))
        )?;
        writeln!(
            f,
            "Ranking:   ROC AUC {}, average precision {} ({of})",
            number(self.roc_auc),
            number(self.average_precision)
        )?;
        writeln!(
            f,
            "Certainty: log loss {}, Brier score {}, calibration error {}",
            number(self.log_loss),
            number(self.brier_score),
            number(self.calibration.as_ref().map(Calibration::expected_error))
        )
    }
}

/// A model compared with always giving the same answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Majority {
    /// The class that is always answered.
    class: String,
    correct: usize,
    total: usize,
    accuracy: f64,
    /// The p-value of McNemar's exact test between the two.
    p_value: f64,
    /// The approximate number of examples that would tell the two apart, when these do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n_to_tell_apart: Option<usize>,
}

impl Majority {
    /// Compares the predictions with always answering the most frequent class of the judged examples, the best
    /// of all constant answers.
    pub(crate) fn of(predictions: &[Prediction], labels: &[u32], classes: &[String]) -> Self {
        let baseline = MajorityBaseline::of(predictions, labels, labels);
        let (score, p_value) = (baseline.score(), baseline.p_value());
        let is_open = p_value >= LEVEL;
        Self {
            class: classes[baseline.class as usize].clone(),
            correct: score.correct,
            total: score.total,
            accuracy: score.accuracy(),
            p_value,
            n_to_tell_apart: baseline.n_to_tell_apart().filter(|_| is_open),
        }
    }
}

/// Writes one line, and a second when the examples are too few to tell the two apart.
impl Display for Majority {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { correct, total, p_value, .. } = *self;
        let score = of_how_many(Score { correct, total });
        let p = if p_value < 1e-4 { "p < 0.0001".into() } else { format!("p = {p_value:.4}") };
        write!(f, "{score} by always saying {} ({p}, McNemar)", self.class.shown())?;
        if p_value < LEVEL {
            return Ok(());
        }
        write!(f, "\nNote: {total} images are too few to tell the network from that")?;
        match self.n_to_tell_apart {
            Some(n) => write!(f, "; it would take about {n}"),
            None => Ok(()),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
