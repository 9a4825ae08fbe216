//! The optimizer as a configuration has it.

use crate::optimizer::{Adam, AdamW, GradientDescent, Momentum, Nesterov, Optimizer, RmsProp};
use dnn_core::Real;
use serde::{Deserialize, Serialize};

/// An optimizer and its settings.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// [`GradientDescent`].
    #[default]
    GradientDescent,
    /// [`Momentum`].
    Momentum {
        /// μ.
        #[serde(default = "momentum")]
        momentum: f64,
    },
    /// [`Nesterov`].
    Nesterov {
        /// μ.
        #[serde(default = "momentum")]
        momentum: f64,
    },
    /// [`RmsProp`].
    #[serde(rename = "rmsprop")]
    RmsProp {
        /// ρ.
        #[serde(default = "decay")]
        decay: f64,
        /// ε.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// [`Adam`].
    Adam {
        /// β₁.
        #[serde(default = "momentum")]
        beta1: f64,
        /// β₂.
        #[serde(default = "beta2")]
        beta2: f64,
        /// ε.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// [`AdamW`].
    #[serde(rename = "adamw")]
    AdamW {
        /// β₁.
        #[serde(default = "momentum")]
        beta1: f64,
        /// β₂.
        #[serde(default = "beta2")]
        beta2: f64,
        /// ε.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// The decay w.
        #[serde(default = "weight_decay")]
        weight_decay: f64,
    },
}

fn momentum() -> f64 {
    0.9
}

fn decay() -> f64 {
    0.99
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

fn weight_decay() -> f64 {
    0.01
}

/// The optimizers by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerName {
    /// [`GradientDescent`].
    GradientDescent,
    /// [`Momentum`].
    Momentum,
    /// [`Nesterov`].
    Nesterov,
    /// [`RmsProp`].
    #[serde(rename = "rmsprop")]
    RmsProp,
    /// [`Adam`].
    Adam,
    /// [`AdamW`].
    #[serde(rename = "adamw")]
    AdamW,
}

impl OptimizerName {
    /// All of them, for lists and tests.
    pub const ALL: [Self; 6] = [
        Self::GradientDescent,
        Self::Momentum,
        Self::Nesterov,
        Self::RmsProp,
        Self::Adam,
        Self::AdamW,
    ];

    /// This optimizer with its usual settings.
    pub fn usual(self) -> OptimizerConfig {
        let (beta1, beta2, epsilon) = (momentum(), beta2(), epsilon());
        match self {
            Self::GradientDescent => OptimizerConfig::GradientDescent,
            Self::Momentum => OptimizerConfig::Momentum { momentum: momentum() },
            Self::Nesterov => OptimizerConfig::Nesterov { momentum: momentum() },
            Self::RmsProp => OptimizerConfig::RmsProp { decay: decay(), epsilon },
            Self::Adam => OptimizerConfig::Adam { beta1, beta2, epsilon },
            Self::AdamW => {
                OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay: weight_decay() }
            }
        }
    }
}

impl OptimizerConfig {
    /// The optimizer.
    pub fn build<F: Real>(&self) -> Box<dyn Optimizer<F>> {
        match *self {
            Self::GradientDescent => Box::new(GradientDescent),
            Self::Momentum { momentum } => Box::new(Momentum { momentum }),
            Self::Nesterov { momentum } => Box::new(Nesterov { momentum }),
            Self::RmsProp { decay, epsilon } => Box::new(RmsProp { decay, epsilon }),
            Self::Adam { beta1, beta2, epsilon } => Box::new(Adam { beta1, beta2, epsilon }),
            Self::AdamW { beta1, beta2, epsilon, weight_decay } => {
                Box::new(AdamW { adam: Adam { beta1, beta2, epsilon }, weight_decay })
            }
        }
    }

    /// Its name, as a configuration has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GradientDescent => "gradient-descent",
            Self::Momentum { .. } => "momentum",
            Self::Nesterov { .. } => "nesterov",
            Self::RmsProp { .. } => "rmsprop",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
        }
    }

    /// What is wrong with its numbers.
    pub(super) fn fault(&self) -> Option<String> {
        let share = |name: &str, x: f64| {
            (!(0.0..1.0).contains(&x))
                .then(|| format!("{name} is {x}: expected at least 0 and below 1"))
        };
        let positive = |name: &str, x: f64| {
            (!(x.is_finite() && x >= 0.0))
                .then(|| format!("{name} is {x}: expected a finite number, at least 0"))
        };
        match *self {
            Self::GradientDescent => None,
            Self::Momentum { momentum } | Self::Nesterov { momentum } => {
                share("momentum", momentum)
            }
            Self::RmsProp { decay, epsilon } => {
                share("decay", decay).or_else(|| positive("epsilon", epsilon))
            }
            Self::Adam { beta1, beta2, epsilon } => share("beta1", beta1)
                .or_else(|| share("beta2", beta2))
                .or_else(|| positive("epsilon", epsilon)),
            Self::AdamW { beta1, beta2, epsilon, weight_decay } => share("beta1", beta1)
                .or_else(|| share("beta2", beta2))
                .or_else(|| positive("epsilon", epsilon))
                .or_else(|| positive("weight_decay", weight_decay)),
        }
    }
}
