//! What an optimizer is: one step of training on a piece of the parameters.

use dnn_core::Real;

/// The most numbers an optimizer remembers for each parameter.
pub const MAX_MOMENTS: usize = 2;

/// One step of training, as an optimizer sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Number of the step, from 1.
    pub number: u64,
    /// The learning rate α of this step.
    pub learning_rate: f64,
    /// The L2 penalty's share of the gradient for each unit of the parameter; 0 for biases.
    pub l2: f64,
    /// What gradients are multiplied by, 1 unless they are clipped.
    pub scale: f64,
    /// What [`Optimizer::prepare`] has worked out; `None` to have it done when it is needed.
    pub corrections: Option<[f64; MAX_MOMENTS]>,
}

impl Step {
    /// A step without penalty or clipping.
    pub const fn new(number: u64, learning_rate: f64) -> Self {
        Self { number, learning_rate, l2: 0.0, scale: 1.0, corrections: None }
    }

    /// The function from the batch's gradient and the parameter's value to the gradient that the step
    /// goes by: with the L2 penalty's share, and clipped.
    pub fn gradient<F: Real>(&self) -> impl Fn(F, F) -> F + use<F> {
        let (scale, l2) = (F::of(self.scale), F::of(self.l2));
        move |gradient, parameter| scale * (gradient + l2 * parameter)
    }
}

/// Changes parameters by their gradients, element by element.
///
/// An optimizer holds only its settings; what it remembers from step to step (its moments) belongs
/// to the engine, which cuts parameters, gradients and moments alike into pieces and may hand
/// different pieces to different threads.
pub trait Optimizer<F: Real>: Send + Sync {
    /// Numbers to remember for each parameter, at most [`MAX_MOMENTS`]; they start at zero.
    fn n_moments(&self) -> usize;

    /// Whether each step is a linear function of all gradients so far, with the same coefficients
    /// for every parameter. Then training may work in other coordinates than the weights.
    fn is_linear(&self) -> bool;

    /// The step with all that does not depend on the parameter worked out, for many calls of
    /// [`update`](Self::update), which does it itself otherwise.
    fn prepare(&self, step: &Step) -> Step {
        *step
    }

    /// Updates a piece of the parameters.
    ///
    /// # Shapes
    /// `parameters`, `gradients` and each of the `n_moments` slices have the same length.
    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]);
}
