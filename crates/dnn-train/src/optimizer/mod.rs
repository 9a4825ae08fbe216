//! How gradients change parameters; one file an optimizer.

mod gradient_descent;

pub use gradient_descent::GradientDescent;

use dnn_core::Real;

/// One step of training, as an optimizer sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Number of the step, from 1.
    pub number: u64,
    /// The learning rate α of this step.
    pub learning_rate: f64,
}

/// Changes parameters by their gradients, element by element.
///
/// An optimizer holds only its settings; what it remembers from step to step (its moments) belongs
/// to the engine, which cuts parameters, gradients and moments alike into pieces and may hand
/// different pieces to different threads.
pub trait Optimizer<F: Real>: Send + Sync {
    /// Numbers to remember for each parameter; they start at zero.
    fn n_moments(&self) -> usize;

    /// Updates a piece of the parameters.
    ///
    /// # Shapes
    /// `parameters`, `gradients` and each of the `n_moments` slices have the same length.
    fn update(&self, step: Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]);
}
