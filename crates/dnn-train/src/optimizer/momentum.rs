//! v ← μ·v + g, θ ← θ − α·v.

use super::{Optimizer, Step};
use dnn_core::{Real, vectorized};

/// Gradient descent with momentum (Polyak 1964): the gradients' running sum, each step's share
/// fading by μ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Momentum {
    /// Share μ of the last step's sum that is kept, 0 to 1.
    pub momentum: f64,
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
