//! s ← ρ·s + (1 − ρ)·g², θ ← θ − α·g/(√s + ε).

use super::{Optimizer, Step};
use dnn_core::{Real, vectorized};

/// RMSprop (Tieleman and Hinton 2012): each parameter's step is divided by the running root mean
/// square of its gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsProp {
    /// Share ρ of the running mean square that is kept, 0 to 1.
    pub decay: f64,
    /// Keeps the quotient finite where gradients vanish.
    pub epsilon: f64,
}

impl<F: Real> Optimizer<F> for RmsProp {
    fn n_moments(&self) -> usize {
        1
    }

    fn is_linear(&self) -> bool {
        false
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
