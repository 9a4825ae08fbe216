//! How gradients change parameters; one file an optimizer.
//!
//! θ is a parameter, g its gradient, α the learning rate.

mod adam;
mod adamw;
mod gradient_descent;
mod lion;
mod momentum;
mod rmsprop;
mod step;

pub use step::{MAX_MOMENTS, Optimizer, Step};

use dnn_core::Real;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes the optimizers known by the names that a configuration has for them.
macro_rules! optimizers {
    ($($module:ident::$Type:ident = $name:literal;)*) => {
        $(
            pub use $module::$Type;

            impl From<$Type> for OptimizerConfig {
                fn from(settings: $Type) -> Self {
                    Self::$Type(settings)
                }
            }
        )*

        /// An optimizer and its settings, as a configuration has it.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name")]
        #[allow(missing_docs)] // the optimizers' own docs, which the schema takes as well
        pub enum OptimizerConfig {
            $(#[serde(rename = $name)] $Type($Type),)*
        }

        impl OptimizerConfig {
            /// Returns every optimizer with its default settings.
            pub fn all() -> Vec<Self> {
                vec![$($Type::default().into()),*]
            }

            /// Returns the optimizer's name, as a configuration has it.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => $name,)*
                }
            }

            /// Makes the optimizer.
            pub fn build<F: Real>(&self) -> Box<dyn Optimizer<F>> {
                match *self {
                    $(Self::$Type(optimizer) => Box::new(optimizer),)*
                }
            }
        }
    };
}

optimizers! {
    gradient_descent::GradientDescent = "gradient-descent";
    momentum::Momentum = "momentum";
    momentum::Nesterov = "nesterov";
    rmsprop::RmsProp = "rmsprop";
    adam::Adam = "adam";
    adamw::AdamW = "adamw";
    lion::Lion = "lion";
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        GradientDescent.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// θ after two steps from 1 with the gradients 0.5 and −0.25, α = 0.1.
    fn two_steps(optimizer: &dyn Optimizer<f64>, l2: f64) -> f64 {
        let (mut p, mut m) = ([1.0], [[0.0]; MAX_MOMENTS]);
        for (number, g) in [(1, 0.5), (2, -0.25)] {
            let step = Step { l2, ..Step::new(number, 0.1) };
            let mut moments: Vec<&mut [f64]> = m.iter_mut().map(|m| &mut m[..]).collect();
            optimizer.update(&step, &mut p, &[g], &mut moments[..optimizer.n_moments()]);
        }
        p[0]
    }

    fn close(got: f64, by_hand: f64) {
        assert!((got - by_hand).abs() < 1e-15, "{got} is not {by_hand}");
    }

    #[test]
    fn steps_by_hand() {
        // 1 − 0.1·0.5 + 0.1·0.25
        close(two_steps(&GradientDescent, 0.0), 0.975);
        // g = 0.5 + 0.2·1 → θ = 0.93; g = −0.25 + 0.2·0.93
        close(two_steps(&GradientDescent, 0.2), 0.93 + 0.1 * (0.25 - 0.186));
        // v = 0.5, then 0.9·0.5 − 0.25 = 0.2
        close(two_steps(&Momentum { momentum: 0.9 }, 0.0), 1.0 - 0.05 - 0.02);
        // steps of 0.5 + 0.9·0.5 and −0.25 + 0.9·0.2
        close(two_steps(&Nesterov { momentum: 0.9 }, 0.0), 1.0 - 0.095 + 0.007);
    }

    #[test]
    fn adams_first_step_is_the_learning_rate_whatever_the_gradient() {
        let adam = Adam { beta1: 0.9, beta2: 0.999, epsilon: 0.0 };
        for (g, sign) in [(1e-6, 1.0), (-30.0, -1.0)] {
            let (mut p, mut m, mut s) = ([2.0_f64], [0.0], [0.0]);
            adam.update(&Step::new(1, 0.1), &mut p, &[g], &mut [&mut m, &mut s]);
            assert!((p[0] - (2.0 - 0.1 * sign)).abs() < 1e-12, "{}", p[0]);
        }
    }

    #[test]
    fn clipping_scales_the_gradient() {
        let mut p = [1.0];
        let step = Step { scale: 0.5, ..Step::new(1, 0.1) };
        GradientDescent.update(&step, &mut p, &[1.0], &mut []);
        close(p[0], 0.95);
    }
}
