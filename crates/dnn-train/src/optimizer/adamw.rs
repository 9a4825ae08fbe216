//! θ ← (1 − α·w)·θ, then Adam's step.

use super::{Adam, Optimizer, Step};
use dnn_core::Real;

/// AdamW (Loshchilov and Hutter 2019): Adam, with every parameter, biases included, shrunk by α·w
/// in each step. Unlike L2, this decay is not divided by the gradients' size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// The settings of Adam.
    pub adam: Adam,
    /// The decay w.
    pub weight_decay: f64,
}

impl<F: Real> Optimizer<F> for AdamW {
    fn n_moments(&self) -> usize {
        2
    }

    fn is_linear(&self) -> bool {
        false
    }

    fn prepare(&self, step: &Step) -> Step {
        self.adam.prepare(step)
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        let kept = 1.0 - step.learning_rate * self.weight_decay;
        self.adam.step(step, kept, parameters, gradients, moments);
    }
}
