//! The cost, and the output activation that belongs to it.
//!
//! Training computes both from the logits Z of the output layer: cost and dZ = A − Y stay finite
//! and accurate when the sigmoid saturates. The textbook form, from A, stands beside it for
//! learners and for the course's test cases; it is NaN as soon as an output rounds to 0 or 1.

use crate::Real;
use crate::activation::sigmoid;
use crate::simd::{arch, fuses};
use nalgebra::{DMatrix, DMatrixViewMut};
use pulp::{Simd, WithSimd};
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
        let (rows, mut sum) = (logits.nrows(), 0.0);
        for (z, &label) in logits.as_mut_slice().chunks_exact_mut(rows).zip(labels) {
            sum += self.column(z, label).as_f64();
            self.column_probabilities(z);
            match self {
                Self::BinaryCrossEntropy => z[0] -= F::of(f64::from(label)),
                Self::SoftmaxCrossEntropy => z[label as usize] -= F::one(),
            }
        }
        sum / labels.len() as f64
    }

    /// The sum of the examples' weighted losses, and the gradient weight·(A − Y), in place, on the
    /// transposed matrix: the form of the training engines, vectorised over the examples. Weights
    /// of 1/m make the sum the cost.
    ///
    /// # Shapes
    /// `z` Zᵀ (m, 1) or (m, `n_classes`), becomes dZᵀ; `labels` and `weights` (m).
    /// # Panics
    /// When the lengths differ, or a label has no output.
    pub fn weighted_units_in_place<F: Real>(
        self,
        z: &mut DMatrixViewMut<'_, F>,
        labels: &[u32],
        weights: &[F],
    ) -> f64 {
        let (m, n_outputs) = z.shape();
        assert!(labels.len() == m && weights.len() == m, "a label and a weight for each example");
        self.check_labels(n_outputs, labels);
        F::weighted_units(self, z, labels, weights)
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
        self.check_labels(n_outputs, labels);
    }

    fn check_labels(self, n_outputs: usize, labels: &[u32]) {
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

/// Examples that are worked on at once: their intermediate values stay in the first-level cache.
const BLOCK: usize = 64;

/// [`Loss::weighted_units_in_place`] for this machine.
#[inline(always)]
pub(crate) fn weighted_units<F: Real>(
    loss: Loss,
    z: &mut DMatrixViewMut<'_, F>,
    labels: &[u32],
    weights: &[F],
) -> f64 {
    arch().dispatch(WeightedUnits { loss, z, labels, weights })
}

struct WeightedUnits<'a, 'z, F> {
    loss: Loss,
    z: &'a mut DMatrixViewMut<'z, F>,
    labels: &'a [u32],
    weights: &'a [F],
}

impl<F: Real> WithSimd for WeightedUnits<'_, '_, F> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        match (self.loss, fuses::<S>()) {
            (Loss::BinaryCrossEntropy, true) => self.binary::<true>(),
            (Loss::BinaryCrossEntropy, false) => self.binary::<false>(),
            (Loss::SoftmaxCrossEntropy, true) => self.softmax::<true>(),
            (Loss::SoftmaxCrossEntropy, false) => self.softmax::<false>(),
        }
    }
}

impl<F: Real> WeightedUnits<'_, '_, F> {
    #[inline(always)]
    fn binary<const FUSED: bool>(self) -> f64 {
        let mut sum = 0.0;
        let mut losses = [F::zero(); BLOCK];
        let mut z = self.z.column_mut(0);
        let blocks = z.as_mut_slice().chunks_mut(BLOCK);
        let examples = self.labels.chunks(BLOCK).zip(self.weights.chunks(BLOCK));
        for (z, (labels, weights)) in blocks.zip(examples) {
            let examples = z.iter_mut().zip(labels).zip(weights).zip(&mut losses);
            for (((z, &label), &weight), loss) in examples {
                let y = if label == 1 { F::one() } else { F::zero() };
                let e = (-z.abs()).exp_with::<FUSED>();
                let positive = if *z < F::zero() { F::zero() } else { *z };
                *loss = weight * (positive - y * *z + e.ln_1p_with::<FUSED>());
                let p = F::one() / (F::one() + e);
                let p = if *z < F::zero() { e * p } else { p };
                *z = weight * (p - y);
            }
            // One after the other, so that the order of the sum is the same everywhere.
            sum = losses[..z.len()].iter().fold(sum, |sum, loss| sum + loss.as_f64());
        }
        sum
    }

    #[inline(always)]
    fn softmax<const FUSED: bool>(self) -> f64 {
        let mut sum = 0.0;
        let mut logits = [F::zero(); BLOCK];
        let examples = self.labels.chunks(BLOCK).zip(self.weights.chunks(BLOCK));
        for (block, (labels, weights)) in examples.enumerate() {
            let n = labels.len();
            let mut z = self.z.rows_mut(block * BLOCK, n);
            let (mut top, mut total) = ([F::zero(); BLOCK], [F::zero(); BLOCK]);
            for ((logit, &label), j) in logits.iter_mut().zip(labels).zip(0..) {
                *logit = z[(j, label as usize)];
            }
            top[..n].copy_from_slice(z.column(0).as_slice());
            for z in z.column_iter().skip(1) {
                for (top, &z) in top.iter_mut().zip(z.as_slice()) {
                    *top = if z > *top { z } else { *top };
                }
            }
            for mut z in z.column_iter_mut() {
                let examples = z.as_mut_slice().iter_mut().zip(&top).zip(&mut total);
                for ((z, &top), total) in examples {
                    *z = (*z - top).exp_with::<FUSED>();
                    *total += *z;
                }
            }
            for ((logit, &top), (&weight, total)) in
                logits.iter_mut().zip(&top).zip(weights.iter().zip(&mut total))
            {
                *logit = weight * (total.ln_with::<FUSED>() + top - *logit);
                *total = weight / *total;
            }
            for mut z in z.column_iter_mut() {
                for (z, &scale) in z.as_mut_slice().iter_mut().zip(&total) {
                    *z *= scale;
                }
            }
            for (j, (&label, &weight)) in labels.iter().zip(weights).enumerate() {
                z[(j, label as usize)] -= weight;
            }
            sum = logits[..n].iter().fold(sum, |sum, loss| sum + loss.as_f64());
        }
        sum
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
    fn the_transposed_form_agrees_with_the_columns() {
        let m = 150; // more than two blocks
        let labels: Vec<u32> = (0..m).map(|j| j % 2).collect();
        for loss in [Loss::BinaryCrossEntropy, Loss::SoftmaxCrossEntropy] {
            let outputs = loss.n_outputs(3);
            let mut z = DMatrix::<f64>::from_fn(outputs, m as usize, |i, j| {
                ((i * 31 + j * 17) % 41) as f64 - 20.0
            });
            let mut units = z.transpose();
            let weights = vec![1.0 / f64::from(m); m as usize];
            let sum = loss.weighted_units_in_place(&mut units.as_view_mut(), &labels, &weights);
            let cost = loss.cost_and_gradient_in_place(&mut z, &labels);
            assert!((sum - cost).abs() < 1e-13 * cost, "{loss}: {sum} is not {cost}");
            let difference = (units.transpose() * f64::from(m) - z).amax();
            assert!(difference < 1e-14, "{loss}: {difference}");
        }
    }

    #[test]
    fn a_nan_logit_gives_a_nan_cost() {
        for loss in [Loss::BinaryCrossEntropy, Loss::SoftmaxCrossEntropy] {
            let z = DMatrix::from_element(loss.n_outputs(2), 1, f64::NAN);
            assert!(loss.cost(&z, &[1]).is_nan(), "{loss}");
            let mut z = DMatrix::from_element(loss.n_outputs(3), 1, 1.0);
            *z.as_mut_slice().last_mut().expect("has elements") = f64::NAN;
            assert!(loss.cost(&z, &[0]).is_nan(), "{loss}");
            let mut z = z.transpose();
            assert!(loss.weighted_units_in_place(&mut z.as_view_mut(), &[0], &[1.0]).is_nan());
        }
    }
}
