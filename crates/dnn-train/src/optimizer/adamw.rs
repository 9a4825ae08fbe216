//! The optimizer [`AdamW`]: its settings and its step.

use super::adam::Adam;
use super::step::{Optimizer, Step};
use dnn_core::Real;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// AdamW (Loshchilov and Hutter 2019): θ ← (1 − α·w)·θ, then the step of Adam. Every parameter
/// shrinks, biases included; unlike that of L2, this decay is not divided by the gradients' size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// Share β₁ of the running mean m that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// Share β₂ of the running mean square s that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// The ε that keeps the quotient finite where gradients vanish.
    #[schemars(extend("minimum" = 0))]
    pub epsilon: f64,
    /// The decay w of all parameters but the gain and the shift of a normalisation.
    #[schemars(extend("minimum" = 0))]
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

impl AdamW {
    fn adam(&self) -> Adam {
        let Self { beta1, beta2, epsilon, .. } = *self;
        Adam { beta1, beta2, epsilon }
    }
}

impl<F: Real> Optimizer<F> for AdamW {
    fn n_moments(&self) -> usize {
        2
    }

    fn prepare(&self, step: &Step) -> Step {
        self.adam().prepare(step)
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        let kept = step.kept(self.weight_decay);
        self.adam().step(step, kept, parameters, gradients, moments);
    }
}
