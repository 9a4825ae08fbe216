//! The optimizer [`Lion`]: its settings and its step.

use super::step::{Optimizer, Step};
use dnn_core::{Real, vectorized};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lion (Chen et al. 2023): θ ← (1 − α·w)·θ − α·sign(β₁·m + (1 − β₁)·g), m ← β₂·m + (1 − β₂)·g.
/// Every parameter moves by α, so a learning rate of a tenth of Adam's suits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lion {
    /// Share β₁ of the running mean m in the sign of the step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// Share β₂ of the running mean m that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// The decay w of all parameters but the gain and the shift of a normalisation.
    #[schemars(extend("minimum" = 0))]
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl<F: Real> Optimizer<F> for Lion {
    fn n_moments(&self) -> usize {
        1
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        let [mean] = moments else { unreachable!("one moment") };
        let rate = F::of(step.learning_rate);
        let kept = F::of(step.kept(self.weight_decay));
        let (kept1, new1) = (F::of(self.beta1), F::of(1.0 - self.beta1));
        let (kept2, new2) = (F::of(self.beta2), F::of(1.0 - self.beta2));
        let gradient = step.gradient();
        vectorized(
            #[inline(always)]
            || {
                for ((p, &g), m) in parameters.iter_mut().zip(gradients).zip(mean.iter_mut()) {
                    let g = gradient(g, *p);
                    let direction = kept1 * *m + new1 * g;
                    let up = if direction > F::zero() { rate } else { F::zero() };
                    let down = if direction < F::zero() { rate } else { F::zero() };
                    *p = *p * kept - up + down;
                    *m = kept2 * *m + new2 * g;
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against an independent implementation, run with `python3`:
    ///
    /// ```python
    /// def lion(theta, grads, lr=0.1, beta1=0.9, beta2=0.99, wd=0.1):
    ///     m = 0.0
    ///     for g in grads:
    ///         c = beta1 * m + (1 - beta1) * g
    ///         theta -= lr * ((c > 0) - (c < 0) + wd * theta)
    ///         m = beta2 * m + (1 - beta2) * g
    ///     return theta
    /// print(lion(1.0, [0.5, -0.02, -1.0]), lion(-2.0, [0.0, 3.0, -0.1]))
    /// ```
    ///
    /// The second gradient of the first does not turn its step's sign alone; the first of the
    /// second is 0, and so is its sign.
    #[test]
    fn three_steps_of_an_independent_implementation() {
        let lion = Lion { weight_decay: 0.1, ..Lion::default() };
        let gradients = [[0.5, 0.0], [-0.02, 3.0], [-1.0, -0.1]];
        let (mut parameters, mut mean) = ([1.0_f64, -2.0], [0.0; 2]);
        for (i, gradients) in gradients.iter().enumerate() {
            let step = Step::new(i as u64 + 1, 0.1);
            lion.update(&step, &mut parameters, gradients, &mut [&mut mean]);
        }
        for (got, expected) in parameters.iter().zip([0.873_289, -2.139_598]) {
            assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
        }
    }
}
