//! The optimizer [`RmsProp`]: its settings and its step.

use super::step::{Optimizer, Step};
use dnn_core::{Real, vectorized};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// RMSprop (Tieleman and Hinton 2012): s ← ρ·s + (1 − ρ)·g², θ ← θ − α·g/(√s + ε).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RmsProp {
    /// Share ρ of the running mean square s that is kept in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub decay: f64,
    /// The ε that keeps the quotient finite where gradients vanish.
    #[schemars(extend("minimum" = 0))]
    pub epsilon: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self { decay: 0.99, epsilon: 1e-8 }
    }
}

impl<F: Real> Optimizer<F> for RmsProp {
    fn n_moments(&self) -> usize {
        1
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        let [square] = moments else { unreachable!("one moment") };
        let (rate, epsilon) = (F::of(step.learning_rate), F::of(self.epsilon));
        let (kept, new) = (F::of(self.decay), F::of(1.0 - self.decay));
        let gradient = step.gradient();
        vectorized(
            #[inline(always)]
            || {
                for ((p, &g), s) in parameters.iter_mut().zip(gradients).zip(square.iter_mut()) {
                    let g = gradient(g, *p);
                    *s = kept * *s + new * g * g;
                    *p -= rate * g / (s.sqrt() + epsilon);
                }
            },
        );
    }
}
