//! How good predictions are.
//!
//! | question | look at |
//! |---|---|
//! | how many are right, and how far to trust that | [`Score`]: accuracy with Wilson's interval |
//! | which class is taken for which | [`Confusion`]: precision, recall, F1, their macro averages, balanced accuracy |
//! | do members of a class get more of its probability than others | [`RocCurve`], [`PrecisionRecallCurve`], with their areas |
//! | are the probabilities themselves right | [`log_loss`], [`brier_score`], [`Calibration`] |
//! | all of these at once | [`Quality`] |
//! | which classes hold the right one 90 times of 100 | [`ConformalScores`] |
//! | is one model better than another | [`PairedScore`]: McNemar's test |
//! | is it better than always saying the same | [`MajorityBaseline`] |
//!
//! Pure functions of probabilities (n_classes, m), whose columns are examples, and of labels, m
//! class indices. What is undefined is `None`: the recall of a class without examples, the curve of
//! a class that has no counterpart, anything of a probability that is NaN. The values are
//! scikit-learn's: `tests/metrics.rs`.

mod calibration;
mod conformal;
mod confusion;
mod curve;
mod majority;
mod paired;
mod probability;
mod quality;
mod score;

pub use calibration::{Calibration, ReliabilityBin};
pub use conformal::ConformalScores;
pub use confusion::{ClassReport, Confusion, MacroAverage};
pub use curve::{PrecisionRecallCurve, PrecisionRecallPoint, RocCurve, RocPoint, one_vs_rest};
pub use majority::MajorityBaseline;
pub use paired::{McNemar, McNemarMethod, PairedScore};
pub use probability::{brier_score, log_loss};
pub use quality::{ClassCurves, Quality};
pub use score::{Prediction, Score, predictions};
