//! The measures of a classifier beyond its accuracy, all at once.

use super::{
    Calibration, Confusion, MacroAverage, PrecisionRecallCurve, RocCurve, brier_score, log_loss,
    one_vs_rest, predictions,
};
use crate::Real;
use nalgebra::DMatrix;
use serde::Serialize;

/// The number of confidence bins of the calibration, each ten percentage points wide.
const N_BINS: usize = 10;

/// The measures of a classifier beyond its accuracy; an undefined one is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// The mean recall of the classes.
    pub balanced_accuracy: Option<f64>,
    /// Precision, recall and F1, each as the mean over the classes.
    pub macro_average: Option<MacroAverage>,
    /// The mean of −ln p of the true class.
    pub log_loss: Option<f64>,
    /// The mean squared error of the probabilities.
    pub brier_score: Option<f64>,
    /// The area under the ROC curve. With two classes, of the second; with more, the mean of those that have one.
    pub roc_auc: Option<f64>,
    /// The area under precision and recall, of the same classes.
    pub average_precision: Option<f64>,
    /// How often the answers are right, by how sure they are.
    pub calibration: Option<Calibration>,
    /// With two classes, the curves of the second against the first; with more, of each against the rest.
    pub curves: Vec<ClassCurves>,
}

/// The curves over all thresholds of a class against the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassCurves {
    /// The name of the class.
    pub class: String,
    /// Receiver operating characteristic.
    pub roc: Option<RocCurve>,
    /// Precision over recall.
    pub precision_recall: Option<PrecisionRecallCurve>,
}

impl Quality {
    /// Measures probabilities by the labels.
    ///
    /// # Shapes
    /// `probabilities` (n_classes, m), `labels` (m), `classes` (n_classes).
    /// # Panics
    /// When these differ in number or a label is not below n_classes.
    pub fn of<F: Real>(probabilities: &DMatrix<F>, labels: &[u32], classes: &[String]) -> Self {
        assert_eq!(probabilities.nrows(), classes.len(), "probabilities and classes");
        let predictions = predictions(probabilities);
        let confusion = Confusion::of(&predictions, labels, classes.len());
        let positive = if classes.len() == 2 { 1..2 } else { 0..classes.len() };
        let curves: Vec<_> = positive
            .map(|class| {
                let (scores, is_class) = one_vs_rest(probabilities, labels, class as u32);
                ClassCurves {
                    class: classes[class].clone(),
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
            log_loss: log_loss(probabilities, labels),
            brier_score: brier_score(probabilities, labels),
            roc_auc: mean(roc.map(RocCurve::area)),
            average_precision: mean(precision_recall.map(PrecisionRecallCurve::average_precision)),
            calibration: Calibration::of_predictions(&predictions, labels, N_BINS),
            curves,
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
