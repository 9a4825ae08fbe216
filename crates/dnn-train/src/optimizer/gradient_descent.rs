//! The optimizer [`GradientDescent`]: its settings and its step.

use super::step::{Optimizer, Step};
use dnn_core::{Real, vectorized};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gradient descent, what the course starts with: θ ← θ − α·g.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[doc(alias = "update_parameters")]
#[doc(alias = "SGD")]
#[doc(alias = "update_parameters_with_gd")]
pub struct GradientDescent;

impl<F: Real> Optimizer<F> for GradientDescent {
    fn n_moments(&self) -> usize {
        0
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], _: &mut [&mut [F]]) {
        let rate = F::of(step.learning_rate);
        let gradient = step.gradient();
        vectorized(
            #[inline(always)]
            || {
                for (p, &g) in parameters.iter_mut().zip(gradients) {
                    *p -= rate * gradient(g, *p);
                }
            },
        );
    }
}
