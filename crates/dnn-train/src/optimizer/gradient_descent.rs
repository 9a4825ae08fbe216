//! θ ← θ − α·g.

use super::{Optimizer, Step};
use dnn_core::{Real, vectorized};

/// Gradient descent, as the course starts with: `W ← W − α·dW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(alias = "update_parameters")]
#[doc(alias = "SGD")]
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
