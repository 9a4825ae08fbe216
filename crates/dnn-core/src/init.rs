//! Initialisation of the weights. Biases start at zero.

use crate::rng::Generator;
use crate::{Activation, Real};
use nalgebra::DMatrix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the weights W (n, n_prev) of a layer are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Init {
    /// What suits the layer's activation: He for ReLU and its relatives, Glorot for tanh, the sigmoid and
    /// the output layer.
    Auto,
    /// 0: every unit of a layer stays like every other, as the course's second part shows.
    #[doc(alias = "initialize_parameters_zeros")]
    Zeros,
    /// scale·N(0, 1): with a scale of 10 the large initialisation of the course's second part.
    #[doc(alias = "initialize_parameters_random")]
    Normal {
        /// Standard deviation of the weights.
        #[schemars(extend("exclusiveMinimum" = 0, "x-example" = 10.0))]
        scale: f64,
    },
    /// 0.01·N(0, 1): the course's two-layer network.
    #[doc(alias = "initialize_parameters")]
    SmallNormal,
    /// N(0, 1): the course's deep initialisation as its text has it. On images it saturates the
    /// output at once.
    StandardNormal,
    /// N(0, 1) / √n_prev: the deep initialisation as the course applies it; also known as LeCun's.
    #[doc(alias = "initialize_parameters_deep")]
    Lecun,
    /// N(0, 1)·√(2 / n_prev) (He et al. 2015): keeps the variance through ReLU layers.
    #[doc(alias = "initialize_parameters_he")]
    He,
    /// N(0, 1)·√(2 / (n_prev + n)) (Glorot and Bengio 2010): for tanh and sigmoid layers.
    #[doc(alias = "Xavier")]
    Glorot,
}

impl Init {
    /// Returns the initialisation of a layer with this activation: itself, or what `Auto` stands
    /// for.
    #[must_use]
    pub fn of_layer(self, activation: Activation) -> Self {
        match (self, activation) {
            (Self::Auto, activation) if activation.rectifies() => Self::He,
            (Self::Auto, _) => Self::Glorot,
            (init, _) => init,
        }
    }

    /// Draws the weights W of a layer; `Auto` is taken as for the output layer.
    ///
    /// # Shapes
    /// → (n, n_prev), drawn row by row.
    pub fn weights<F: Real>(self, n: usize, n_prev: usize, rng: &mut Generator) -> DMatrix<F> {
        let (fan_out, fan_in) = (n as f64, n_prev as f64);
        // Multiplied or divided as the course does: the last bit depends on it.
        let scale: &dyn Fn(f64) -> f64 = match self {
            Self::Zeros => &|_| 0.0,
            Self::Normal { scale } => &move |x| x * scale,
            Self::SmallNormal => &|x| x * 0.01,
            Self::StandardNormal => &|x| x,
            Self::Lecun => &|x| x / fan_in.sqrt(),
            Self::He => &|x| x * (2.0 / fan_in).sqrt(),
            Self::Auto | Self::Glorot => &|x| x * (2.0 / (fan_in + fan_out)).sqrt(),
        };
        rng.matrix_of_normal(n, n_prev, |x| F::of(scale(x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::RngKind;

    #[test]
    fn zeros_and_a_normal_of_any_scale() {
        let draw = |init: Init| -> DMatrix<f64> {
            init.weights(3, 4, &mut Generator::new(RngKind::Numpy, 3).expect("a seed"))
        };
        assert_eq!(draw(Init::Zeros), DMatrix::zeros(3, 4));
        // np.random.seed(3); np.random.randn(3, 4)[0, 0] * 10, as the course prints it.
        assert!((draw(Init::Normal { scale: 10.0 })[(0, 0)] - 17.886_284_73).abs() < 1e-8);
        assert_eq!(draw(Init::Normal { scale: 0.01 }), draw(Init::SmallNormal));
    }
}
