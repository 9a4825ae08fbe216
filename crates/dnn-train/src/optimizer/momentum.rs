//! The optimizer [`Momentum`]: its settings and its step.

use super::step::{Optimizer, Step};
use dnn_core::{Real, vectorized};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gradient descent with momentum (Polyak 1964): v ← μ·v + g, θ ← θ − α·v.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[doc(alias = "update_parameters_with_momentum")]
#[doc(alias = "initialize_velocity")]
pub struct Momentum {
    /// Share μ of the running sum v that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub momentum: f64,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { momentum: 0.9 }
    }
}

impl<F: Real> Optimizer<F> for Momentum {
    fn n_moments(&self) -> usize {
        1
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        let [velocity] = moments else { unreachable!("one moment") };
        let (rate, momentum) = (F::of(step.learning_rate), F::of(self.momentum));
        let gradient = step.gradient();
        vectorized(
            #[inline(always)]
            || {
                for ((p, &g), v) in parameters.iter_mut().zip(gradients).zip(velocity.iter_mut()) {
                    *v = momentum * *v + gradient(g, *p);
                    *p -= rate * *v;
                }
            },
        );
    }
}
