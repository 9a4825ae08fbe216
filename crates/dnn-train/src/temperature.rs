//! Temperature scaling: one number that makes the probabilities of a trained network fit.

use dnn_core::{OutputActivation, Real};
use nalgebra::DMatrix;

/// The temperatures between which one is looked for.
const LIMITS: (f64, f64) = (0.01, 100.0);

/// Returns the temperature T at which the mean cross-entropy of labelled examples is lowest, with
/// probabilities from the logits Z/T (Guo et al. 2017, section 4.2). The examples must be others than
/// the network was trained on, where it is surer than it can be elsewhere.
///
/// The cross-entropy is convex in 1/T, so there is one lowest point, found by halving. It is 1 when
/// there is none: all examples right, and the better the surer. At most 100, which is as good as no
/// opinion.
///
/// # Shapes
/// `logits` Z (n_L, m), `labels` (m).
/// # Panics
/// When labels and columns differ in number, or a label is not below the number of classes.
pub fn fit_temperature<F: Real>(
    output: OutputActivation,
    logits: &DMatrix<F>,
    labels: &[u32],
) -> f64 {
    assert_eq!(logits.ncols(), labels.len(), "a label for each column");
    let n_classes = output.n_classes(logits.nrows());
    assert!(labels.iter().all(|&label| (label as usize) < n_classes), "labels of the classes");
    let z = logits.map(Real::as_f64);
    let target = |i: usize, j: usize| match output {
        OutputActivation::Sigmoid => f64::from(labels[j]),
        OutputActivation::Softmax => f64::from(u8::from(labels[j] as usize == i)),
    };
    let y = DMatrix::from_fn(z.nrows(), z.ncols(), target);
    // ∂J/∂β = Σ (A − Y)·Z, with β = 1/T.
    let rises = |beta: f64| {
        let mut a = &z * beta;
        output.forward(&mut a);
        (a - &y).dot(&z) > 0.0
    };
    let (mut low, mut high) = ((1.0 / LIMITS.1).ln(), (1.0 / LIMITS.0).ln());
    if !rises(high.exp()) {
        return 1.0;
    }
    if rises(low.exp()) {
        return LIMITS.1;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return (-middle).exp();
        }
        if rises(middle.exp()) {
            high = middle;
        } else {
            low = middle;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unreadable_literal)] // golden numbers
mod tests {
    use super::*;
    use dnn_core::metrics::ConformalScores;
    use dnn_core::rng::{Generator, RngKind};

    /// ```python
    /// import torch
    /// torch.set_default_dtype(torch.float64)
    /// z = torch.tensor([[2., -1., .5], [0., 3., -2.], [4., 1., 1.], [-1., .5, 6.], [3., 2.5, 0.]])
    /// y = torch.tensor([0, 1, 1, 2, 2])
    /// def fit(loss):
    ///     beta = torch.ones(1, requires_grad=True)
    ///     lbfgs = torch.optim.LBFGS([beta], max_iter=500, tolerance_grad=1e-14,
    ///                               tolerance_change=1e-16, line_search_fn="strong_wolfe")
    ///     def closure():
    ///         lbfgs.zero_grad(); j = loss(beta); j.backward(); return j
    ///     lbfgs.step(closure)
    ///     return 1 / beta.item()
    /// print(fit(lambda beta: torch.nn.functional.cross_entropy(z * beta, y)))
    /// t = torch.tensor([1., 0., 0., 0., 1.])
    /// logistic = torch.nn.functional.binary_cross_entropy_with_logits
    /// print(fit(lambda beta: logistic(z[:, 0] * beta, t)))
    /// ```
    #[test]
    fn the_lowest_cross_entropy_is_where_pytorch_finds_it() {
        let z = [2., -1., 0.5, 0., 3., -2., 4., 1., 1., -1., 0.5, 6., 3., 2.5, 0.];
        let z = DMatrix::from_column_slice(3, 5, &z);
        let softmax = fit_temperature(OutputActivation::Softmax, &z, &[0, 1, 1, 2, 2]);
        assert!((softmax - 3.314173068806662).abs() < 1e-7, "{softmax}");
        let z = DMatrix::from_rows(&[z.row(0)]);
        let sigmoid = fit_temperature(OutputActivation::Sigmoid, &z, &[1, 0, 0, 0, 1]);
        assert!((sigmoid - 7.36749538561057).abs() < 1e-7, "{sigmoid}");
    }

    /// Temperature and scores come from the same examples, as in training; over many simulations the
    /// sets hold the label as often as promised all the same.
    #[test]
    fn the_coverage_is_as_promised_although_the_temperature_was_fitted_to_the_same_examples() {
        let mut rng = Generator::new(RngKind::Modern, 5).unwrap();
        let (output, coverage) = (OutputActivation::Softmax, 0.9);
        let mut drawn = |m: usize| {
            let labels: Vec<u32> = (0..m).map(|_| (rng.uniform() * 3.0) as u32).collect();
            let mut z = rng.normal_matrix::<f64>(3, m) * 4.0;
            for (j, &label) in labels.iter().enumerate() {
                z[(label as usize, j)] += 4.0;
            }
            (z, labels)
        };
        let shares: Vec<f64> = (0..2000)
            .map(|_| {
                let (z, labels) = drawn(40);
                let t = fit_temperature(output, &z, &labels);
                let scores = ConformalScores::of(&output.probabilities(z / t), &labels);
                let (z, labels) = drawn(20);
                let sets = scores.sets(&output.probabilities(z / t), coverage);
                let held = sets.iter().zip(&labels).filter(|(set, label)| set.contains(label));
                held.count() as f64 / 20.0
            })
            .collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        // Promised: 0.9 to 0.9 + 1/41. The standard error of the mean is 0.0018.
        assert!((coverage - 0.005..coverage + 1.0 / 41.0 + 0.005).contains(&mean), "{mean}");
    }

    #[test]
    fn no_lowest_point_is_no_change_and_no_opinion_the_highest_temperature() {
        let z = DMatrix::from_row_slice(1, 3, &[1.0, -2.0, 3.0]);
        let fit = |labels| fit_temperature(OutputActivation::Sigmoid, &z, labels);
        assert_eq!(fit(&[1, 0, 1]), 1.0, "all right");
        assert_eq!(fit(&[0, 1, 0]), 100.0, "all wrong");
    }
}
