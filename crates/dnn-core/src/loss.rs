//! The cost, and the output activation that belongs to it.
//!
//! Training computes both from the logits Z of the output layer: cost and dZ = A − Y stay finite
//! and accurate when the sigmoid saturates. The textbook form, from A, stands beside it for
//! learners and for the course's test cases; it is NaN as soon as an output rounds to 0 or 1.

use crate::Real;
use crate::activation::sigmoid;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// What training minimises. The loss owns the activation of the output layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// One sigmoid output, the probability of class 1; two classes.
    BinaryCrossEntropy,
    /// A softmax over one output a class.
    SoftmaxCrossEntropy,
}

impl Loss {
    /// Units the output layer needs for `n_classes` classes.
    pub fn n_outputs(self, n_classes: usize) -> usize {
        match self {
            Self::BinaryCrossEntropy => 1,
            Self::SoftmaxCrossEntropy => n_classes,
        }
    }

    /// Classes that an output layer of `n_outputs` units tells apart.
    pub fn n_classes(self, n_outputs: usize) -> usize {
        match self {
            Self::BinaryCrossEntropy => 2,
            Self::SoftmaxCrossEntropy => n_outputs,
        }
    }

    /// The cost J, the mean over the examples of
    ///
    /// - binary: max(z, 0) − y·z + ln(1 + e^−|z|), which is −[y·ln a + (1 − y)·ln(1 − a)];
    /// - softmax: ln Σₖ e^zₖ − z_y, which is −ln a_y.
    ///
    /// # Shapes
    /// `logits` Z (1, m) or (n_classes, m); `labels` (m) → a number.
    /// # Panics
    /// When labels and columns differ in number or a label has no output.
    #[doc(alias = "compute_cost")]
    pub fn cost<F: Real>(self, logits: &DMatrix<F>, labels: &[u32]) -> f64 {
        self.sum(logits, labels, |_, _| {}) / labels.len() as f64
    }

    /// The cost, and the gradient dZ = A − Y (not divided by m, as in the course), in place:
    /// `logits` becomes dZ.
    ///
    /// # Shapes
    /// As [`cost`](Self::cost).
    /// # Panics
    /// As [`cost`](Self::cost).
    pub fn cost_and_gradient_in_place<F: Real>(
        self,
        logits: &mut DMatrix<F>,
        labels: &[u32],
    ) -> f64 {
        self.check(logits, labels);
        self.sum_and_gradient_in_place(logits.as_mut_slice(), labels) / labels.len() as f64
    }

    /// [`cost_and_gradient_in_place`](Self::cost_and_gradient_in_place) on some of the columns:
    /// returns the sum of their losses, not the mean.
    ///
    /// # Shapes
    /// `logits`: Z column by column, a column a label.
    /// # Panics
    /// When that is not a whole number of rows, or a label has no output.
    pub fn sum_and_gradient_in_place<F: Real>(self, logits: &mut [F], labels: &[u32]) -> f64 {
        if labels.is_empty() {
            return 0.0;
        }
        assert!(logits.len().is_multiple_of(labels.len()), "whole columns of Z");
        let rows = logits.len() / labels.len();
        let mut sum = 0.0;
        for (z, &label) in logits.chunks_exact_mut(rows).zip(labels) {
            sum += self.column(z, label).as_f64();
            self.column_probabilities(z);
            match self {
                Self::BinaryCrossEntropy => z[0] -= F::of(f64::from(label)),
                Self::SoftmaxCrossEntropy => z[label as usize] -= F::one(),
            }
        }
        sum
    }

    /// The output activation A, in place: `logits` becomes the sigmoid or softmax of each column.
    ///
    /// # Shapes
    /// `logits` (1, m) or (n_classes, m).
    pub fn activate_in_place<F: Real>(self, logits: &mut DMatrix<F>) {
        let rows = logits.nrows();
        for z in logits.as_mut_slice().chunks_exact_mut(rows) {
            self.column_probabilities(z);
        }
    }

    fn check<F: Real>(self, logits: &DMatrix<F>, labels: &[u32]) {
        let (n_outputs, m) = logits.shape();
        assert_eq!(labels.len(), m, "labels for the columns of Z");
        let n_classes = self.n_classes(n_outputs);
        assert!(
            labels.iter().all(|&label| (label as usize) < n_classes),
            "a label is not below {n_classes}"
        );
    }

    fn sum<F: Real>(
        self,
        logits: &DMatrix<F>,
        labels: &[u32],
        mut each: impl FnMut(usize, F),
    ) -> f64 {
        self.check(logits, labels);
        let columns = logits.as_slice().chunks_exact(logits.nrows());
        let mut sum = 0.0;
        for (i, (z, &label)) in columns.zip(labels).enumerate() {
            let loss = self.column(z, label);
            each(i, loss);
            sum += loss.as_f64();
        }
        sum
    }

    /// The loss of each example.
    ///
    /// # Shapes
    /// As [`cost`](Self::cost) → (m).
    /// # Panics
    /// As [`cost`](Self::cost).
    pub fn per_example<F: Real>(self, logits: &DMatrix<F>, labels: &[u32]) -> Vec<F> {
        let mut losses = vec![F::zero(); labels.len()];
        self.sum(logits, labels, |i, loss| losses[i] = loss);
        losses
    }

    /// The loss of one column.
    fn column<F: Real>(self, z: &[F], label: u32) -> F {
        match self {
            Self::BinaryCrossEntropy => {
                let z = z[0];
                let y = F::of(f64::from(label));
                let positive = if z < F::zero() { F::zero() } else { z };
                positive - y * z + (-z.abs()).exp().ln_1p()
            }
            Self::SoftmaxCrossEntropy => {
                let top = maximum(z);
                let sum = z.iter().fold(F::zero(), |sum, &z| sum + (z - top).exp());
                sum.ln() + top - z[label as usize]
            }
        }
    }

    /// Logits of one column → probabilities, in place.
    fn column_probabilities<F: Real>(self, z: &mut [F]) {
        match self {
            Self::BinaryCrossEntropy => z[0] = sigmoid(z[0]),
            Self::SoftmaxCrossEntropy => {
                let top = maximum(z);
                let mut sum = F::zero();
                for z in z.iter_mut() {
                    *z = (*z - top).exp();
                    sum += *z;
                }
                for z in z {
                    *z /= sum;
                }
            }
        }
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BinaryCrossEntropy => "sigmoid cross-entropy",
            Self::SoftmaxCrossEntropy => "softmax cross-entropy",
        })
    }
}

/// The largest element; NaN is passed over, and shows in the sum.
fn maximum<F: Real>(z: &[F]) -> F {
    z.iter().skip(1).fold(z[0], |top, &z| if z > top { z } else { top })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturated_outputs_keep_a_finite_cost_and_the_exact_gradient() {
        let mut z = DMatrix::from_row_slice(1, 2, &[800.0_f64, -800.0]);
        let cost = Loss::BinaryCrossEntropy.cost_and_gradient_in_place(&mut z, &[0, 0]);
        assert_eq!(cost, 400.0);
        assert_eq!(z.as_slice(), [1.0, 0.0]);
    }

    #[test]
    fn softmax_of_two_equals_the_sigmoid_of_the_difference() {
        let two = DMatrix::<f64>::from_row_slice(2, 3, &[0.3, -2.0, 5.0, 1.0, 0.5, -700.0]);
        let one = DMatrix::from_row_slice(1, 3, &[0.7, 2.5, -705.0]);
        let labels = [1, 0, 1];
        let (mut a, mut b) = (two.clone(), one.clone());
        let soft = Loss::SoftmaxCrossEntropy.cost_and_gradient_in_place(&mut a, &labels);
        let sigmoid = Loss::BinaryCrossEntropy.cost_and_gradient_in_place(&mut b, &labels);
        assert!((soft - sigmoid).abs() < 1e-12 * soft);
        for j in 0..3 {
            assert!((a[(1, j)] - b[(0, j)]).abs() < 1e-15);
            assert!((a[(0, j)] + a[(1, j)]).abs() < 1e-15);
        }
        assert_eq!(soft, Loss::SoftmaxCrossEntropy.cost(&two, &labels));
    }

    #[test]
    fn a_nan_logit_gives_a_nan_cost() {
        for loss in [Loss::BinaryCrossEntropy, Loss::SoftmaxCrossEntropy] {
            let z = DMatrix::from_element(loss.n_outputs(2), 1, f64::NAN);
            assert!(loss.cost(&z, &[1]).is_nan(), "{loss}");
            let mut z = DMatrix::from_element(loss.n_outputs(3), 1, 1.0);
            *z.as_mut_slice().last_mut().expect("has elements") = f64::NAN;
            assert!(loss.cost(&z, &[0]).is_nan(), "{loss}");
        }
    }
}
