//! θ ← θ − α·∂J/∂θ.

use super::{Optimizer, Step};
use dnn_core::Real;

/// Gradient descent, as the course starts with: `W ← W − α·dW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(alias = "update_parameters")]
pub struct GradientDescent;

impl<F: Real> Optimizer<F> for GradientDescent {
    fn n_moments(&self) -> usize {
        0
    }

    fn update(&self, step: Step, parameters: &mut [F], gradients: &[F], _: &mut [&mut [F]]) {
        let learning_rate = F::of(step.learning_rate);
        for (parameter, &gradient) in parameters.iter_mut().zip(gradients) {
            *parameter -= learning_rate * gradient;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_by_hand() {
        let mut parameters = [1.0, -2.0];
        let step = Step { number: 1, learning_rate: 0.1 };
        GradientDescent.update(step, &mut parameters, &[10.0, -5.0], &mut []);
        assert_eq!(parameters, [0.0, -1.5]);
    }
}
