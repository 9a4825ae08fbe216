//! How right the probabilities themselves are, beyond which is the highest.

use crate::{Precision, Real};
use nalgebra::DMatrix;

/// Returns the mean of −ln p over the examples, p being the probability of the true class (the
/// cross-entropy). `None` of nothing or when a probability is NaN.
///
/// As in scikit-learn, p is moved into [ε, 1 − ε] with the ε of its type (2.2e-16 for f64), so that
/// one example that was held impossible does not make the loss infinite: it then costs 36. The cost
/// in training comes from logits and knows no such limit.
///
/// # Shapes
/// `probabilities` (n_classes, m), `labels` (m).
/// # Panics
/// When the two differ in number or a label is not below n_classes.
pub fn log_loss<F: Real>(probabilities: &DMatrix<F>, labels: &[u32]) -> Option<f64> {
    let epsilon = match F::PRECISION {
        Precision::F32 => f64::from(f32::EPSILON),
        Precision::F64 => f64::EPSILON,
    };
    mean(probabilities, labels, |p, label| -p[label].as_f64().clamp(epsilon, 1.0 - epsilon).ln())
}

/// Returns the mean squared distance of the probabilities from the truth (Brier 1950). `None` of
/// nothing or when a probability is NaN.
///
/// With two classes (p − y)², p being the probability of class 1: from 0 to 1, ¼ for always saying
/// ½. With more Σ_k (p_k − y_k)² over the classes, y_k being 1 for the true class and 0 for others:
/// from 0 to 2. scikit-learn makes the same difference.
///
/// ```
/// use nalgebra::DMatrix;
/// let p = DMatrix::from_row_slice(2, 2, &[0.2, 0.9, 0.8, 0.1]);
/// let score = dnn_core::metrics::brier_score(&p, &[1, 1]).expect("two examples");
/// assert!((score - (0.2_f64.powi(2) + 0.9_f64.powi(2)) / 2.0).abs() < 1e-15);
/// ```
///
/// # Shapes
/// `probabilities` (n_classes, m), `labels` (m).
/// # Panics
/// When the two differ in number or a label is not below n_classes.
#[doc(alias = "brier_score_loss")]
pub fn brier_score<F: Real>(probabilities: &DMatrix<F>, labels: &[u32]) -> Option<f64> {
    let distance = |p: F, is_class: bool| (p.as_f64() - f64::from(u8::from(is_class))).powi(2);
    mean(probabilities, labels, |p, label| {
        assert!(label < p.len(), "class {label} of {}", p.len());
        if p.len() == 2 {
            return distance(p[1], label == 1);
        }
        p.iter().enumerate().map(|(class, &p)| distance(p, class == label)).sum()
    })
}

/// Returns the mean of what each column and its label cost.
fn mean<F: Real>(
    probabilities: &DMatrix<F>,
    labels: &[u32],
    cost: impl Fn(&[F], usize) -> f64,
) -> Option<f64> {
    assert_eq!(probabilities.ncols(), labels.len(), "probabilities and labels");
    if labels.is_empty() || probabilities.iter().any(|p| p.as_f64().is_nan()) {
        return None;
    }
    let columns = probabilities.as_slice().chunks_exact(probabilities.nrows());
    let sum: f64 = columns.zip(labels).map(|(p, &label)| cost(p, label as usize)).sum();
    Some(sum / labels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certainty_is_free_when_right_and_dear_when_wrong_but_finite() {
        let certain = DMatrix::from_column_slice(2, 1, &[0.0, 1.0]);
        assert!(log_loss(&certain, &[1]).unwrap() < 1e-15);
        assert_eq!(log_loss(&certain, &[0]), Some(-f64::EPSILON.ln()));
        assert_eq!(log_loss(&certain.map(|p| p as f32), &[0]), Some(-f64::from(f32::EPSILON).ln()));
        assert_eq!(
            (brier_score(&certain, &[1]), brier_score(&certain, &[0])),
            (Some(0.0), Some(1.0))
        );
        let three = DMatrix::from_column_slice(3, 1, &[0.0, 1.0, 0.0]);
        assert_eq!((brier_score(&three, &[1]), brier_score(&three, &[2])), (Some(0.0), Some(2.0)));
    }

    #[test]
    fn of_nothing_and_of_nan_there_is_none() {
        let none = DMatrix::<f64>::zeros(2, 0);
        assert_eq!((log_loss(&none, &[]), brier_score(&none, &[])), (None, None));
        let nan = DMatrix::from_column_slice(2, 1, &[f64::NAN, 0.5]);
        assert_eq!((log_loss(&nan, &[1]), brier_score(&nan, &[1])), (None, None));
    }
}
