//! The optimizer [`Adam`]: its settings and its step.

use super::step::{Optimizer, Step};
use dnn_core::{Real, vectorized};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adam (Kingma and Ba 2015): m ← β₁·m + (1 − β₁)·g, s ← β₂·s + (1 − β₂)·g²,
/// θ ← θ − α·m̂/(√ŝ + ε), with m̂ = m/(1 − β₁ᵗ) and ŝ = s/(1 − β₂ᵗ) in step t.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[doc(alias = "update_parameters_with_adam")]
#[doc(alias = "initialize_adam")]
pub struct Adam {
    /// Share β₁ of the running mean m that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// Share β₂ of the running mean square s that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// The ε that keeps the quotient finite where gradients vanish.
    #[schemars(extend("minimum" = 0))]
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Adam {
    /// 1/(1 − β₁ᵗ) and 1/√(1 − β₂ᵗ): powers cost as much as the step on fifty parameters.
    fn corrections(&self, step: &Step) -> [f64; 2] {
        let t = step.number as f64;
        [1.0 / (1.0 - self.beta1.powf(t)), 1.0 / (1.0 - self.beta2.powf(t)).sqrt()]
    }

    /// See [`Optimizer::prepare`].
    pub(super) fn prepare(&self, step: &Step) -> Step {
        Step { corrections: Some(self.corrections(step)), ..*step }
    }

    /// Adam's step after the parameters have been multiplied by `kept`.
    pub(super) fn step<F: Real>(
        &self,
        step: &Step,
        kept: f64,
        parameters: &mut [F],
        gradients: &[F],
        moments: &mut [&mut [F]],
    ) {
        let [mean, square] = moments else { unreachable!("two moments") };
        let [first, second] = step.corrections.unwrap_or_else(|| self.corrections(step));
        let (rate, correction) = (F::of(step.learning_rate * first), F::of(second));
        let epsilon = F::of(self.epsilon);
        let (kept1, new1) = (F::of(self.beta1), F::of(1.0 - self.beta1));
        let (kept2, new2) = (F::of(self.beta2), F::of(1.0 - self.beta2));
        let kept = F::of(kept);
        let gradient = step.gradient();
        vectorized(
            #[inline(always)]
            || {
                let moments = mean.iter_mut().zip(square.iter_mut());
                for ((p, &g), (m, s)) in parameters.iter_mut().zip(gradients).zip(moments) {
                    let g = gradient(g, *p);
                    *m = kept1 * *m + new1 * g;
                    *s = kept2 * *s + new2 * g * g;
                    *p = *p * kept - rate * *m / (s.sqrt() * correction + epsilon);
                }
            },
        );
    }
}

impl<F: Real> Optimizer<F> for Adam {
    fn n_moments(&self) -> usize {
        2
    }

    fn prepare(&self, step: &Step) -> Step {
        Self::prepare(self, step)
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        self.step(step, 1.0, parameters, gradients, moments);
    }
}
