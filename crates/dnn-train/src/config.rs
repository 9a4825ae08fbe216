//! The training configuration: invalid values cannot load.

use crate::engine::EngineKind;
use dnn_core::init::Init;
use dnn_core::rng::RngKind;
use dnn_core::{Activation, Architecture, Loss, NetworkError, Precision};
use serde::{Deserialize, Serialize};

/// Named configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The course's deep network, 12288-20-7-5-1.
    CourseDeep,
    /// The course's two-layer network, 12288-7-1.
    CourseTwoLayer,
}

impl Preset {
    /// All of them, for lists and tests.
    pub const ALL: [Self; 2] = [Self::CourseDeep, Self::CourseTwoLayer];

    /// Its name, as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CourseDeep => "course-deep",
            Self::CourseTwoLayer => "course-two-layer",
        }
    }
}

/// Everything that decides the course of training, apart from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTrainConfig", into = "RawTrainConfig")]
pub struct TrainConfig(RawTrainConfig);

/// The values as they stand in a file; a [`TrainConfig`] is one that has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RawTrainConfig {
    /// Units of each hidden layer; the input's size and the classes come with the data.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[serde(default)]
    pub activation: Activation,
    /// How the weights are drawn.
    pub init: Init,
    /// Which generator draws them.
    #[serde(default)]
    pub rng: RngKind,
    /// Seed of the generator.
    pub seed: u64,
    /// Learning rate α, above 0.
    pub learning_rate: f64,
    /// Parameter updates to make.
    pub iterations: usize,
    /// The cost is logged every so many iterations, from 0.
    #[serde(default = "default_log_every")]
    pub log_every: usize,
    /// Precision of all numbers.
    #[serde(default = "default_precision")]
    pub precision: Precision,
    /// Which engine trains: a matter of speed, the weights are the same apart from rounding.
    #[serde(default)]
    pub engine: EngineKind,
    /// Threads at most; 0 means as many as the machine has. Results do not depend on it.
    #[serde(default)]
    pub threads: usize,
}

fn default_log_every() -> usize {
    100
}

fn default_precision() -> Precision {
    Precision::F64
}

/// Why a configuration cannot be trained with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The learning rate is not a step size.
    #[error("learning_rate is {0}: expected a finite number above 0")]
    LearningRate(f64),
    /// A hidden layer has no units.
    #[error("hidden layer {layer} has 0 units: expected at least 1")]
    HiddenLayer {
        /// Which one, from 1.
        layer: usize,
    },
    /// The network would be too large to hold.
    #[error("a layer of {units} units: at most {max} are supported", max = TrainConfig::MAX_UNITS)]
    TooWide {
        /// Units asked for.
        units: usize,
    },
    /// Nothing would ever be logged.
    #[error("log_every is 0: expected at least 1")]
    LogEvery,
    /// A hidden layer that does nothing.
    #[error("activation identity: hidden layers without an activation are one linear layer")]
    Activation,
    /// More threads than any machine has.
    #[error("threads is {0}: at most {max} are supported", max = TrainConfig::MAX_THREADS)]
    Threads(usize),
    /// NumPy's generator takes 32 bits.
    #[error(transparent)]
    Seed(#[from] dnn_core::rng::SeedError),
}

impl TryFrom<RawTrainConfig> for TrainConfig {
    type Error = ConfigError;

    fn try_from(raw: RawTrainConfig) -> Result<Self, ConfigError> {
        if !(raw.learning_rate.is_finite() && raw.learning_rate > 0.0) {
            return Err(ConfigError::LearningRate(raw.learning_rate));
        }
        if let Some(i) = raw.hidden.iter().position(|&n| n == 0) {
            return Err(ConfigError::HiddenLayer { layer: i + 1 });
        }
        if let Some(&units) = raw.hidden.iter().find(|&&n| n > Self::MAX_UNITS) {
            return Err(ConfigError::TooWide { units });
        }
        if raw.log_every == 0 {
            return Err(ConfigError::LogEvery);
        }
        if raw.activation == Activation::Identity {
            return Err(ConfigError::Activation);
        }
        if raw.threads > Self::MAX_THREADS {
            return Err(ConfigError::Threads(raw.threads));
        }
        dnn_core::rng::Generator::new(raw.rng, raw.seed)?;
        Ok(Self(raw))
    }
}

impl From<TrainConfig> for RawTrainConfig {
    fn from(config: TrainConfig) -> Self {
        config.0
    }
}

impl std::ops::Deref for TrainConfig {
    type Target = RawTrainConfig;

    fn deref(&self) -> &RawTrainConfig {
        &self.0
    }
}

impl TrainConfig {
    /// The widest layer that is supported.
    pub const MAX_UNITS: usize = 1 << 20;
    /// The most threads that are supported.
    pub const MAX_THREADS: usize = 1024;

    /// 20-7-5 hidden units, α = 0.0075, 2500 iterations, seed 1, N(0, 1)/√n_prev from NumPy's
    /// stream, f64: what the course publishes as its four-layer network.
    #[doc(alias = "L_layer_model")]
    pub fn course_deep() -> Self {
        Self(RawTrainConfig {
            hidden: vec![20, 7, 5],
            activation: Activation::Relu,
            init: Init::Lecun,
            rng: RngKind::Numpy,
            seed: 1,
            learning_rate: 0.0075,
            iterations: 2500,
            log_every: default_log_every(),
            precision: default_precision(),
            engine: EngineKind::Auto,
            threads: 0,
        })
    }

    /// 7 hidden units, 0.01·N(0, 1), otherwise as [`course_deep`](Self::course_deep): what the
    /// course publishes as its two-layer network.
    #[doc(alias = "two_layer_model")]
    pub fn course_two_layer() -> Self {
        let deep = Self::course_deep().0;
        Self(RawTrainConfig { hidden: vec![7], init: Init::SmallNormal, ..deep })
    }

    /// The configuration of this name.
    pub fn preset(preset: Preset) -> Self {
        match preset {
            Preset::CourseDeep => Self::course_deep(),
            Preset::CourseTwoLayer => Self::course_two_layer(),
        }
    }

    /// This configuration with some values changed, checked again.
    ///
    /// # Errors
    /// [`ConfigError`], naming the first value at fault.
    ///
    /// ```
    /// use dnn_train::TrainConfig;
    /// let config = TrainConfig::course_deep().with(|c| c.learning_rate = 0.01)?;
    /// assert_eq!(config.learning_rate, 0.01);
    /// assert!(config.with(|c| c.learning_rate = -1.0).is_err());
    /// # Ok::<(), dnn_train::ConfigError>(())
    /// ```
    pub fn with(self, change: impl FnOnce(&mut RawTrainConfig)) -> Result<Self, ConfigError> {
        let mut raw = self.0;
        change(&mut raw);
        raw.try_into()
    }

    /// The shape of the network for data of this many features and classes: one sigmoid output for
    /// two classes, a softmax for more.
    ///
    /// # Errors
    /// When the data's size makes no network.
    pub fn architecture(
        &self,
        n_features: usize,
        n_classes: usize,
    ) -> Result<Architecture, NetworkError> {
        let loss =
            if n_classes == 2 { Loss::BinaryCrossEntropy } else { Loss::SoftmaxCrossEntropy };
        let hidden = self.hidden.iter().copied();
        let layer_dims =
            std::iter::once(n_features).chain(hidden).chain([loss.n_outputs(n_classes)]).collect();
        let architecture = Architecture::new(layer_dims, self.activation, loss);
        architecture.check()?;
        Ok(architecture)
    }

    /// Threads to use: the configured number, or as many as the machine has.
    pub fn n_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_survive_toml() {
        for preset in Preset::ALL {
            let config = TrainConfig::preset(preset);
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config, "{text}");
        }
    }

    #[test]
    fn invalid_values_cannot_load() {
        let text = toml::to_string(&TrainConfig::course_deep()).unwrap();
        for (from, to, message) in [
            ("0.0075", "0.0", "learning_rate is 0: expected a finite number above 0"),
            ("0.0075", "nan", "learning_rate is NaN: expected"),
            ("[20, 7, 5]", "[20, 0]", "hidden layer 2 has 0 units"),
            ("log_every = 100", "log_every = 0", "log_every is 0"),
            ("seed = 1", "seed = 4294967296", "seed 4294967296 for NumPy's generator"),
            ("seed = 1", "sede = 1", "unknown field `sede`"),
            ("\"relu\"", "\"identity\"", "activation identity"),
            ("threads = 0", "threads = 99999", "threads is 99999"),
        ] {
            assert!(text.contains(from), "{text}");
            let error = toml::from_str::<TrainConfig>(&text.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn the_data_decide_the_ends_of_the_network() {
        let config = TrainConfig::course_deep();
        assert_eq!(config.architecture(12_288, 2).unwrap().to_string(), "12288-20-7-5-1");
        let six = config.architecture(12_288, 6).unwrap();
        assert_eq!(
            (six.to_string(), six.loss),
            ("12288-20-7-5-6".into(), Loss::SoftmaxCrossEntropy)
        );
    }
}
