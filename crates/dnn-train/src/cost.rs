//! The cost: what training minimises, and the gradient in the logits with which the backward pass starts.
//!
//! It is computed from the logits Z of the output layer, before the sigmoid or softmax, and so stays
//! finite and accurate when an output saturates. The course's form, from A, is
//! [`textbook::cost`](crate::textbook::cost); it is NaN as soon as an output rounds to 0 or 1.

use dnn_core::nalgebra::{DMatrix, DMatrixViewMut};
use dnn_core::{OutputActivation, Real, Vectorized, vectorize};

/// What training minimises: a sum over the examples of a loss of their logits.
///
/// [`CrossEntropy`] is the one that the program trains with. A cost of your own is a type that
/// implements this and is handed to [`Training::cost`](crate::Training::cost):
///
/// ```
/// use dnn_core::nalgebra::{DMatrix, DMatrixViewMut};
/// use dnn_core::{Dataset, Real};
/// use dnn_train::{Cost, TrainConfig, Training};
///
/// /// (z − y)² / 2 of one output, with y = −1 for class 0 and 1 for class 1.
/// struct SquaredError;
///
/// impl<F: Real> Cost<F> for SquaredError {
///     fn value_and_gradient(
///         &self,
///         z: &mut DMatrixViewMut<'_, F>,
///         labels: &[u32],
///         weights: &[F],
///     ) -> f64 {
///         let mut sum = 0.0;
///         for ((z, &label), &weight) in z.iter_mut().zip(labels).zip(weights) {
///             let gap = *z - F::of(if label == 1 { 1.0 } else { -1.0 });
///             sum += (weight * gap * gap).as_f64() / 2.0;
///             *z = weight * gap;
///         }
///         sum
///     }
/// }
///
/// let x = DMatrix::from_row_slice(1, 4, &[-2.0, -1.0, 1.0, 2.0]);
/// let data = Dataset::new(x, vec![0, 0, 1, 1], vec!["minus".into(), "plus".into()])?;
/// let config = TrainConfig::course_deep().with(|c| c.hidden = vec![])?;
/// let trained = Training::new(&config, &data).cost(&SquaredError).run(&mut [])?;
/// assert_eq!(dnn_train::evaluate(&trained.network, &data)?.score.correct, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Matrices are transposed, as everywhere in the engines: a column is an output unit, its rows the
/// examples, which are contiguous.
pub trait Cost<F: Real>: Send + Sync {
    /// Returns Σⱼ weightⱼ·loss(zⱼ, labelⱼ) over some examples, and computes its gradient in the
    /// logits in place: `z` becomes dZᵀ = weight·∂loss/∂z.
    ///
    /// Weights are class weights divided by the number of examples, so that the sum over a batch is
    /// the cost J, a mean. A batch may come in pieces, several at the same time. It is not called
    /// with labels that are not below the network's number of classes.
    ///
    /// # Shapes
    /// `z` Zᵀ (m, n_L), with (m, 1) for a network with a sigmoid and (m, n_classes) with a softmax;
    /// `labels` and `weights` (m).
    fn value_and_gradient(
        &self,
        z: &mut DMatrixViewMut<'_, F>,
        labels: &[u32],
        weights: &[F],
    ) -> f64;
}

/// Returns the mean loss of examples that all have the same weight.
///
/// # Shapes
/// `logits` Z (n_L, m), `labels` (m) → a number.
/// # Panics
/// When labels and columns differ in number.
#[doc(alias = "compute_cost")]
pub fn mean_cost<F: Real>(cost: &dyn Cost<F>, logits: &DMatrix<F>, labels: &[u32]) -> f64 {
    let mut z = logits.transpose();
    let weights = vec![F::of(1.0 / labels.len() as f64); labels.len()];
    cost.value_and_gradient(&mut z.as_view_mut(), labels, &weights)
}

/// The cross-entropy between labels and the probabilities that the network's output makes of logits.
///
/// - With a sigmoid: max(z, 0) − y·z + ln(1 + e^−|z|), which is −[y·ln a + (1 − y)·ln(1 − a)].
/// - With a softmax: ln Σₖ e^zₖ − Σₖ yₖ·zₖ, which is −Σₖ yₖ·ln aₖ.
///
/// In both, the gradient is A − Y. The target y is 1 for the label and 0 for all else, and with
/// label smoothing ε (Szegedy et al. 2016) it is 1 − ε for the label plus ε shared by all K classes:
/// yₖ = (1 − ε)·\[k is the label\] + ε/K.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropy {
    output: OutputActivation,
    smoothing: f64,
}

impl CrossEntropy {
    /// Returns the cross-entropy of a network with this output, without label smoothing.
    pub const fn new(output: OutputActivation) -> Self {
        Self { output, smoothing: 0.0 }
    }

    /// Returns the same with label smoothing ε, at least 0 and below 1.
    #[must_use]
    pub const fn with_smoothing(self, smoothing: f64) -> Self {
        Self { output: self.output, smoothing }
    }
}

impl<F: Real> Cost<F> for CrossEntropy {
    /// # Panics
    /// When the lengths differ, or a label has no output.
    fn value_and_gradient(
        &self,
        z: &mut DMatrixViewMut<'_, F>,
        labels: &[u32],
        weights: &[F],
    ) -> f64 {
        let (m, n_outputs) = z.shape();
        assert!(labels.len() == m && weights.len() == m, "a label and a weight for each example");
        let n_classes = self.output.n_classes(n_outputs);
        assert!(
            labels.iter().all(|&label| (label as usize) < n_classes),
            "a label is not below {n_classes}"
        );
        let shared = self.smoothing / n_classes as f64;
        let target = Target { other: F::of(shared), label: F::of(1.0 - self.smoothing + shared) };
        match self.output {
            OutputActivation::Sigmoid => vectorize(Binary { z, labels, weights, target }),
            OutputActivation::Softmax => vectorize(Softmax { z, labels, weights, target }),
        }
    }
}

/// The entries of Y: 1 for the label and 0 elsewhere, unless labels are smoothed.
#[derive(Clone, Copy)]
struct Target<F> {
    label: F,
    other: F,
}

/// Examples that are worked on at once: their intermediate values stay in the first-level cache.
const BLOCK: usize = 64;

struct Binary<'a, 'z, F> {
    z: &'a mut DMatrixViewMut<'z, F>,
    labels: &'a [u32],
    weights: &'a [F],
    target: Target<F>,
}

impl<F: Real> Vectorized for Binary<'_, '_, F> {
    type Output = f64;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> f64 {
        let mut sum = 0.0;
        let mut losses = [F::zero(); BLOCK];
        let mut z = self.z.column_mut(0);
        let blocks = z.as_mut_slice().chunks_mut(BLOCK);
        let examples = self.labels.chunks(BLOCK).zip(self.weights.chunks(BLOCK));
        for (z, (labels, weights)) in blocks.zip(examples) {
            let examples = z.iter_mut().zip(labels).zip(weights).zip(&mut losses);
            for (((z, &label), &weight), loss) in examples {
                let y = if label == 1 { self.target.label } else { self.target.other };
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
}

struct Softmax<'a, 'z, F> {
    z: &'a mut DMatrixViewMut<'z, F>,
    labels: &'a [u32],
    weights: &'a [F],
    target: Target<F>,
}

impl<F: Real> Vectorized for Softmax<'_, '_, F> {
    type Output = f64;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> f64 {
        let Target { label: y_label, other: y_other } = self.target;
        let y_more = y_label - y_other;
        let mut sum = 0.0;
        let mut losses = [F::zero(); BLOCK];
        let examples = self.labels.chunks(BLOCK).zip(self.weights.chunks(BLOCK));
        for (block, (labels, weights)) in examples.enumerate() {
            let n = labels.len();
            let mut z = self.z.rows_mut(block * BLOCK, n);
            // Σₖ yₖ·zₖ, the largest logit, and Σₖ e^(zₖ − top).
            let mut expected = [F::zero(); BLOCK];
            let (mut top, mut total) = ([F::zero(); BLOCK], [F::zero(); BLOCK]);
            for ((expected, &label), j) in expected.iter_mut().zip(labels).zip(0..) {
                *expected = y_more * z[(j, label as usize)];
            }
            if y_other > F::zero() {
                for z in z.column_iter() {
                    for (expected, &z) in expected.iter_mut().zip(z.as_slice()) {
                        *expected += y_other * z;
                    }
                }
            }
            top[..n].copy_from_slice(z.column(0).as_slice());
            for z in z.column_iter().skip(1) {
                for (top, &z) in top.iter_mut().zip(z.as_slice()) {
                    *top = if z > *top { z } else { *top };
                }
            }
            for mut z in z.column_iter_mut() {
                for ((z, &top), total) in z.as_mut_slice().iter_mut().zip(&top).zip(&mut total) {
                    *z = (*z - top).exp_with::<FUSED>();
                    *total += *z;
                }
            }
            let sums = expected.iter().zip(&top).zip(weights.iter().zip(&mut total));
            for (loss, ((&expected, &top), (&weight, total))) in losses.iter_mut().zip(sums) {
                *loss = weight * (total.ln_with::<FUSED>() + top - expected);
                *total = weight / *total;
            }
            for mut z in z.column_iter_mut() {
                let examples = z.as_mut_slice().iter_mut().zip(&total).zip(weights);
                if y_other > F::zero() {
                    examples.for_each(|((z, &scale), &weight)| *z = *z * scale - weight * y_other);
                } else {
                    examples.for_each(|((z, &scale), _)| *z *= scale);
                }
            }
            for (j, (&label, &weight)) in labels.iter().zip(weights).enumerate() {
                z[(j, label as usize)] -= weight * y_more;
            }
            sum = losses[..n].iter().fold(sum, |sum, loss| sum + loss.as_f64());
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cost and the gradient A − Y of each column of `logits`.
    fn cost_and_gradient(
        cost: &dyn Cost<f64>,
        logits: &DMatrix<f64>,
        labels: &[u32],
    ) -> (f64, DMatrix<f64>) {
        let mut z = logits.transpose();
        let weights = vec![1.0 / labels.len() as f64; labels.len()];
        let value = cost.value_and_gradient(&mut z.as_view_mut(), labels, &weights);
        (value, z.transpose() * labels.len() as f64)
    }

    const BOTH: [CrossEntropy; 2] = [
        CrossEntropy { output: OutputActivation::Sigmoid, smoothing: 0.0 },
        CrossEntropy { output: OutputActivation::Softmax, smoothing: 0.0 },
    ];

    #[test]
    fn saturated_outputs_keep_a_finite_cost_and_the_exact_gradient() {
        let z = DMatrix::from_row_slice(1, 2, &[800.0_f64, -800.0]);
        let (cost, dz) = cost_and_gradient(&BOTH[0], &z, &[0, 0]);
        assert_eq!(cost, 400.0);
        assert_eq!(dz.as_slice(), [1.0, 0.0]);
    }

    #[test]
    fn softmax_of_two_equals_the_sigmoid_of_the_difference() {
        let two = DMatrix::<f64>::from_row_slice(2, 3, &[0.3, -2.0, 5.0, 1.0, 0.5, -700.0]);
        let one = DMatrix::from_row_slice(1, 3, &[0.7, 2.5, -705.0]);
        let labels = [1, 0, 1];
        for smoothing in [0.0, 0.1] {
            let [sigmoid, softmax] = BOTH.map(|cost| cost.with_smoothing(smoothing));
            let (soft, a) = cost_and_gradient(&softmax, &two, &labels);
            let (sigmoid, b) = cost_and_gradient(&sigmoid, &one, &labels);
            assert!((soft - sigmoid).abs() < 1e-12 * soft, "{soft} {sigmoid}");
            for j in 0..3 {
                assert!((a[(1, j)] - b[(0, j)]).abs() < 1e-15);
                assert!((a[(0, j)] + a[(1, j)]).abs() < 1e-15);
            }
        }
    }

    /// Formulas written out for each example, over more than two blocks.
    #[test]
    fn cost_and_gradient_are_those_of_the_formula() {
        let m = 150;
        let labels: Vec<u32> = (0..m).map(|j| j % 2).collect();
        for (cost, smoothing) in BOTH.iter().flat_map(|cost| [(cost, 0.0), (cost, 0.2)]) {
            let n_outputs = cost.output.n_outputs(3);
            let n_classes = cost.output.n_classes(n_outputs);
            let z = DMatrix::<f64>::from_fn(n_outputs, m as usize, |i, j| {
                ((i * 31 + j * 17) % 41) as f64 - 20.0
            });
            let (value, dz) = cost_and_gradient(&cost.with_smoothing(smoothing), &z, &labels);
            let (mut sum, mut a) = (0.0, z.clone());
            cost.output.forward(&mut a);
            for (j, &label) in labels.iter().enumerate() {
                let y = |class: usize| {
                    f64::from(class == label as usize) * (1.0 - smoothing)
                        + smoothing / n_classes as f64
                };
                let z = z.column(j);
                if cost.output == OutputActivation::Sigmoid {
                    sum += z[0].max(0.0) - y(1) * z[0] + (-z[0].abs()).exp().ln_1p();
                    assert!((dz[(0, j)] - (a[(0, j)] - y(1))).abs() < 1e-13);
                } else {
                    let top = z.max();
                    sum += z.iter().map(|z| (z - top).exp()).sum::<f64>().ln() + top;
                    for (k, z) in z.iter().enumerate() {
                        sum -= y(k) * z;
                        assert!((dz[(k, j)] - (a[(k, j)] - y(k))).abs() < 1e-13);
                    }
                }
            }
            let expected = sum / f64::from(m);
            assert!((value - expected).abs() < 1e-13 * expected, "{cost:?} {smoothing}: {value}");
        }
    }

    #[test]
    fn a_nan_logit_gives_a_nan_cost() {
        for cost in BOTH {
            let z = DMatrix::from_element(cost.output.n_outputs(2), 1, f64::NAN);
            assert!(mean_cost(&cost, &z, &[1]).is_nan(), "{cost:?}");
            let mut z = DMatrix::from_element(cost.output.n_outputs(3), 1, 1.0);
            *z.as_mut_slice().last_mut().expect("has elements") = f64::NAN;
            assert!(mean_cost(&cost, &z, &[0]).is_nan(), "{cost:?}");
        }
    }
}
