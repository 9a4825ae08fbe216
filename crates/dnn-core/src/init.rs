//! Initialisation of the weights. Biases start at zero.

use crate::rng::Generator;
use crate::{Activation, Real};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// How the weights W (n, n_prev) of a layer are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// What suits the layer's activation: He for ReLU and its relatives, which
    /// [rectify](Activation::rectifies), Glorot for tanh, the sigmoid and the output layer.
    Auto,
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
    He,
    /// N(0, 1)·√(2 / (n_prev + n)) (Glorot and Bengio 2010): for tanh and sigmoid layers.
    #[doc(alias = "Xavier")]
    Glorot,
}

impl Init {
    /// All of them, for lists and tests.
    pub const ALL: [Self; 6] =
        [Self::Auto, Self::SmallNormal, Self::StandardNormal, Self::Lecun, Self::He, Self::Glorot];

    /// The initialisation of a layer with this activation: itself, or what `Auto` stands for.
    #[must_use]
    pub fn of_layer(self, activation: Activation) -> Self {
        match (self, activation) {
            (Self::Auto, activation) if activation.rectifies() => Self::He,
            (Self::Auto, _) => Self::Glorot,
            (init, _) => init,
        }
    }

    /// Draws W; `Auto` as for the output layer.
    ///
    /// # Shapes
    /// → (n, n_prev), drawn row by row.
    pub fn weights<F: Real>(self, n: usize, n_prev: usize, rng: &mut Generator) -> DMatrix<F> {
        let (fan_out, fan_in) = (n as f64, n_prev as f64);
        // Multiplied or divided as the course does: the last bit depends on it.
        let scale: &dyn Fn(f64) -> f64 = match self {
            Self::SmallNormal => &|x| x * 0.01,
            Self::StandardNormal => &|x| x,
            Self::Lecun => &|x| x / fan_in.sqrt(),
            Self::He => &|x| x * (2.0 / fan_in).sqrt(),
            Self::Auto | Self::Glorot => &|x| x * (2.0 / (fan_in + fan_out)).sqrt(),
        };
        let values = (0..n * n_prev).map(|_| F::of(scale(rng.normal())));
        DMatrix::from_row_iterator(n, n_prev, values)
    }
}

impl std::fmt::Display for Init {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::SmallNormal => "small-normal",
            Self::StandardNormal => "standard-normal",
            Self::Lecun => "lecun",
            Self::He => "he",
            Self::Glorot => "glorot",
        })
    }
}
