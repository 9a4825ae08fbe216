//! The optimizers [`Momentum`] and [`Nesterov`]: their settings and their steps.

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
        let momentum = F::of(self.momentum);
        step_along(
            step,
            momentum,
            parameters,
            gradients,
            moments,
            #[inline(always)]
            |_, v| v,
        );
    }
}

/// Nesterov's momentum (Nesterov 1983, in the form of Sutskever et al. 2013): v ← μ·v + g,
/// θ ← θ − α·(g + μ·v).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nesterov {
    /// Share μ of the running sum v that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub momentum: f64,
}

impl Default for Nesterov {
    fn default() -> Self {
        Self { momentum: Momentum::default().momentum }
    }
}

impl<F: Real> Optimizer<F> for Nesterov {
    fn n_moments(&self) -> usize {
        1
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        let momentum = F::of(self.momentum);
        step_along(
            step,
            momentum,
            parameters,
            gradients,
            moments,
            #[inline(always)]
            |g, v| g + momentum * v,
        );
    }
}

/// v ← μ·v + g, then θ ← θ − α·d with the direction d that is made of g and the new v.
#[inline(always)]
fn step_along<F: Real>(
    step: &Step,
    momentum: F,
    parameters: &mut [F],
    gradients: &[F],
    moments: &mut [&mut [F]],
    direction: impl Fn(F, F) -> F,
) {
    let [velocity] = moments else { unreachable!("one moment") };
    let rate = F::of(step.learning_rate);
    let gradient = step.gradient();
    vectorized(
        #[inline(always)]
        || {
            for ((p, &g), v) in parameters.iter_mut().zip(gradients).zip(velocity.iter_mut()) {
                let g = gradient(g, *p);
                *v = momentum * *v + g;
                *p -= rate * direction(g, *v);
            }
        },
    );
}
