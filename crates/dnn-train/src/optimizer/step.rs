//! What an optimizer is: one step of training on a piece of the parameters.

use dnn_core::Real;

/// The largest number of values that an optimizer may keep for each parameter.
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
    /// Whether a decay that an optimizer makes beside the gradient applies: not to the gain and the
    /// shift of a normalisation.
    pub decays: bool,
    /// What gradients are multiplied by, 1 unless they are clipped.
    pub scale: f64,
    /// What [`Optimizer::prepare`] has worked out; `None` to have it done when it is needed.
    pub corrections: Option<[f64; MAX_MOMENTS]>,
}

impl Step {
    /// Makes a step without penalty or clipping.
    pub const fn new(number: u64, learning_rate: f64) -> Self {
        Self { number, learning_rate, l2: 0.0, decays: true, scale: 1.0, corrections: None }
    }

    /// Returns the share of a parameter that a decay `weight_decay`, apart from the gradient, leaves: 1 − α·w
    /// where it [applies](Self::decays), otherwise 1.
    pub fn kept(&self, weight_decay: f64) -> f64 {
        if self.decays { 1.0 - self.learning_rate * weight_decay } else { 1.0 }
    }

    /// Returns the function that makes the gradient of the step from the batch's gradient and the
    /// parameter's value: it adds the L2 penalty's share and clips.
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
///
/// An optimizer of your own is a type that implements this, and is handed to
/// [`Training::optimizer`](crate::Training::optimizer):
///
/// ```
/// use dnn_core::{Dataset, Real, nalgebra::DMatrix};
/// use dnn_train::optimizer::{Optimizer, Step};
/// use dnn_train::{TrainConfig, Training};
///
/// /// θ ← θ − α·sign(g).
/// struct SignDescent;
///
/// impl<F: Real> Optimizer<F> for SignDescent {
///     fn n_moments(&self) -> usize {
///         0
///     }
///     fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], _: &mut [&mut [F]]) {
///         let (rate, gradient) = (F::of(step.learning_rate), step.gradient());
///         for (p, &g) in parameters.iter_mut().zip(gradients) {
///             *p -= rate * gradient(g, *p).signum();
///         }
///     }
/// }
///
/// let x = DMatrix::from_row_slice(1, 4, &[-2.0, -1.0, 1.0, 2.0]);
/// let data = Dataset::new(x, vec![0, 0, 1, 1], vec!["minus".into(), "plus".into()])?;
/// let config = TrainConfig::course_deep().with(|c| (c.hidden, c.iterations) = (vec![], 200))?;
/// let trained = Training::new(&config, &data).optimizer(&SignDescent).run(&mut [])?;
/// assert_eq!(dnn_train::evaluate(&trained.network, &data)?.score.correct, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Optimizer<F: Real>: Send + Sync {
    /// Returns how many numbers the optimizer keeps for each parameter, at most [`MAX_MOMENTS`];
    /// they start at zero.
    fn n_moments(&self) -> usize;

    /// Returns whether each step is a linear function of all gradients so far, with the same
    /// coefficients for every parameter. Then training may work in other coordinates than the
    /// weights.
    fn is_linear(&self) -> bool {
        false
    }

    /// Returns the step with everything computed that is the same for all parameters, so that the
    /// many calls of [`update`](Self::update) need not.
    fn prepare(&self, step: &Step) -> Step {
        *step
    }

    /// Updates a piece of the parameters.
    ///
    /// # Shapes
    /// `parameters`, `gradients` and each of the `n_moments` slices have the same length.
    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]);
}
