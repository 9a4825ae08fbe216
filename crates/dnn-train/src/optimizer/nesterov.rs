//! v ← μ·v + g, θ ← θ − α·(g + μ·v).

use super::{Optimizer, Step};
use dnn_core::{Real, vectorized};

/// Nesterov's momentum (Nesterov 1983, in the form of Sutskever et al. 2013): the step looks ahead
/// by what the momentum will do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nesterov {
    /// Share μ of the last step's sum that is kept, 0 to 1.
    pub momentum: f64,
}

impl<F: Real> Optimizer<F> for Nesterov {
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
                    let g = gradient(g, *p);
                    *v = momentum * *v + g;
                    *p -= rate * (g + momentum * *v);
                }
            },
        );
    }
}
