//! The activation of the output layer, which makes probabilities of logits.

use crate::{Activation, Real};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// What a network applies to the logits Z of its output layer.
///
/// Files name it by the cost that a network with this output is trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutputActivation {
    /// The sigmoid of one output, the probability of class 1; two classes.
    #[serde(rename = "binary-cross-entropy")]
    Sigmoid,
    /// The softmax e^zₖ / Σⱼ e^zⱼ over one output for each class.
    #[serde(rename = "softmax-cross-entropy")]
    Softmax,
}

impl OutputActivation {
    /// Returns the number of units that the output layer needs for `n_classes` classes.
    pub fn n_outputs(self, n_classes: usize) -> usize {
        match self {
            Self::Sigmoid => 1,
            Self::Softmax => n_classes,
        }
    }

    /// Returns the number of classes that an output layer of `n_outputs` units tells apart.
    pub fn n_classes(self, n_outputs: usize) -> usize {
        match self {
            Self::Sigmoid => 2,
            Self::Softmax => n_outputs,
        }
    }

    /// Computes the output A of the network in place: `logits` becomes the sigmoid or the softmax
    /// of each column.
    ///
    /// # Shapes
    /// `logits` Z (1, m) or (n_classes, m).
    pub fn forward<F: Real>(self, logits: &mut DMatrix<F>) {
        let n_outputs = logits.nrows();
        match self {
            Self::Sigmoid => {
                Activation::Sigmoid.forward(crate::Bias::None, &mut logits.as_view_mut(), None);
            }
            Self::Softmax => {
                for z in logits.as_mut_slice().chunks_exact_mut(n_outputs) {
                    // NaN is passed over here, and shows in the sum.
                    let top = z.iter().skip(1).fold(z[0], |top, &z| if z > top { z } else { top });
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

    /// Returns the logits of the mean of the probabilities of each `n` columns in turn: what a network
    /// says of an example of which it is shown `n` views. Of one view they are its own.
    ///
    /// With a sigmoid ln Σᵥ σ(zᵥ) − ln Σᵥ σ(−zᵥ), with a softmax ln Σᵥ softmax(zᵥ)ₖ − ln n, both from
    /// logarithms, so that nothing overflows.
    ///
    /// # Shapes
    /// `logits` Z (n_L, m·n) → (n_L, m).
    /// # Panics
    /// When `n` does not divide the number of columns.
    pub fn logits_of_mean<F: Real>(self, logits: DMatrix<F>, n: usize) -> DMatrix<F> {
        if n == 1 {
            return logits;
        }
        let n_outputs = logits.nrows();
        assert_eq!(logits.ncols() % n, 0, "{n} views of each example");
        let log_sum = |terms: &mut dyn Iterator<Item = f64>| {
            let terms: Vec<f64> = terms.collect();
            let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            top + terms.iter().map(|term| (term - top).exp()).sum::<f64>().ln()
        };
        let mut means = DMatrix::zeros(n_outputs, logits.ncols() / n);
        let examples = logits.as_slice().chunks_exact(n_outputs * n);
        for (mean, views) in means.as_mut_slice().chunks_exact_mut(n_outputs).zip(examples) {
            match self {
                Self::Sigmoid => {
                    let log_sigmoid = |z: f64| z.min(0.0) - (-z.abs()).exp().ln_1p();
                    let views = || views.iter().map(|z| z.as_f64());
                    let of_class_1 = log_sum(&mut views().map(log_sigmoid));
                    mean[0] = F::of(of_class_1 - log_sum(&mut views().map(|z| log_sigmoid(-z))));
                }
                Self::Softmax => {
                    let views = || views.chunks_exact(n_outputs);
                    let of_view = |z: &[F]| log_sum(&mut z.iter().map(|z| z.as_f64()));
                    let sums: Vec<f64> = views().map(of_view).collect();
                    for (k, mean) in mean.iter_mut().enumerate() {
                        let terms = &mut views().zip(&sums).map(|(z, sum)| z[k].as_f64() - sum);
                        *mean = F::of(log_sum(terms) - (n as f64).ln());
                    }
                }
            }
        }
        means
    }

    /// Returns the probability of every class for given logits: a row for each class, also with a
    /// sigmoid, whose output is the probability of class 1.
    ///
    /// # Shapes
    /// `logits` Z (n_L, m) → (n_classes, m); each column sums to 1.
    pub fn probabilities<F: Real>(self, logits: DMatrix<F>) -> DMatrix<F> {
        let mut a = logits;
        self.forward(&mut a);
        match self {
            Self::Softmax => a,
            Self::Sigmoid => DMatrix::from_fn(2, a.ncols(), |class, j| {
                if class == 1 { a[(0, j)] } else { F::one() - a[(0, j)] }
            }),
        }
    }
}

/// "sigmoid", "softmax".
impl std::fmt::Display for OutputActivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logits_of_a_mean_have_the_mean_of_the_probabilities() {
        for (output, n_outputs) in [(OutputActivation::Sigmoid, 1), (OutputActivation::Softmax, 3)]
        {
            let z = DMatrix::from_fn(n_outputs, 8, |k, j| ((3 * k + 5 * j) % 7) as f64 - 3.0);
            assert_eq!(output.logits_of_mean(z.clone(), 1), z);
            let (mut each, mut mean) = (z.clone(), output.logits_of_mean(z, 4));
            output.forward(&mut each);
            output.forward(&mut mean);
            assert_eq!(mean.shape(), (n_outputs, 2));
            for (k, j) in (0..n_outputs).flat_map(|k| [(k, 0), (k, 1)]) {
                let expected: f64 = each.columns(4 * j, 4).row(k).mean();
                assert!((mean[(k, j)] - expected).abs() < 1e-15, "{output}: {k}, {j}");
            }
            // Certain of opposite classes, beyond what e^z can hold: one half.
            let mut far = DMatrix::<f64>::zeros(n_outputs, 2);
            (far[(0, 0)], far[(0, 1)]) = (2000.0, -2000.0);
            let mut mean = output.logits_of_mean(far, 2);
            output.forward(&mut mean);
            assert!((mean[(0, 0)] - 0.5).abs() < 1e-15, "{mean}");
            let nan = output.logits_of_mean(DMatrix::from_element(n_outputs, 2, f64::NAN), 2);
            assert!(nan[(0, 0)].is_nan(), "no answer stays none");
        }
    }
}
