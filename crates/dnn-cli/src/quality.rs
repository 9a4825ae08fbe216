//! How good a model's answers are, in lines of text, and beside always giving the same answer.

use crate::console::of_how_many;
use dnn_core::metrics::{Calibration, MajorityBaseline, Prediction, Quality, Score};
use dnn_data::Shown;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};

/// The level of significance.
const LEVEL: f64 = 0.05;

/// Returns the measures as three lines of text.
pub(crate) fn lines(quality: &Quality) -> String {
    let number = |value: Option<f64>| value.map_or("undefined".into(), |v| format!("{v:.4}"));
    let of = match &quality.curves[..] {
        [only] => format!("of {}", only.class.shown()),
        _ => "mean over the classes".into(),
    };
    format!(
        "Classes:   balanced accuracy {}, macro F1 {}\n\
         Ranking:   ROC AUC {}, average precision {} ({of})\n\
         Certainty: log loss {}, Brier score {}, calibration error {}\n",
        number(quality.balanced_accuracy),
        number(quality.macro_average.map(|average| average.f1)),
        number(quality.roc_auc),
        number(quality.average_precision),
        number(quality.log_loss),
        number(quality.brier_score),
        number(quality.calibration.as_ref().map(Calibration::expected_error))
    )
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
        write!(
            f,
            "\nNote: {total} images are too few to tell whether the network differs from that"
        )?;
        match self.n_to_tell_apart {
            Some(n) => write!(f, "; about {n} would be needed"),
            None => Ok(()),
        }
    }
}
