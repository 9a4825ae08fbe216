//! The training configuration: invalid values cannot load.

mod judging;
mod optimizer;

pub use judging::{ClassWeights, LossChoice, Monitor, NamedWeights};
pub use optimizer::{OptimizerConfig, OptimizerName};

use crate::engine::EngineKind;
use crate::schedule::Schedule;
use dnn_core::init::Init;
use dnn_core::rng::RngKind;
use dnn_core::{Activation, Architecture, NetworkError, OutputActivation, Precision};
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
    /// Activation of each hidden layer, where they differ; empty: all as `activation`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activations: Vec<Activation>,
    /// The output layer and its loss.
    #[serde(default)]
    pub loss: LossChoice,
    /// How the weights are drawn.
    pub init: Init,
    /// Which generator draws them.
    #[serde(default)]
    pub rng: RngKind,
    /// Seed of the generator.
    pub seed: u64,
    /// Learning rate α, above 0.
    pub learning_rate: f64,
    /// Parameter updates to make; not counted when `epochs` are.
    pub iterations: usize,
    /// Passes over the training set to make, or 0 to count `iterations`.
    #[serde(default)]
    pub epochs: usize,
    /// Examples of an update; 0, or as many as there are: all of them.
    #[doc(alias = "mini_batch_size")]
    #[serde(default)]
    pub batch_size: usize,
    /// λ of the L2 penalty λ/2m·Σ‖W‖² that the cost includes, m the batch's examples, as in the
    /// course; 0: none. For the decay that the optimizer does by itself see
    /// [`OptimizerConfig::AdamW`].
    #[doc(alias = "lambd")]
    #[serde(default)]
    pub l2: f64,
    /// Share of the hidden layers' values that is dropped in training; the course's `keep_prob` is
    /// 1 less this.
    #[doc(alias = "keep_prob")]
    #[serde(default)]
    pub dropout: f64,
    /// The gradients' norm at most; 0: no limit.
    #[serde(default)]
    pub clip_norm: f64,
    /// How much the examples of each class count in the cost.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Share of the training set, of each class alike, that is kept from training to judge it by;
    /// 0: none. A validation set that comes with the data goes before.
    #[serde(default)]
    pub validation: f64,
    /// Updates between two validations; 0: an epoch, or with whole sets `log_every`.
    #[serde(default)]
    pub validate_every: usize,
    /// Validations without improvement after which training stops; 0: never.
    #[serde(default)]
    pub patience: usize,
    /// What counts as improvement.
    #[serde(default)]
    pub monitor: Monitor,
    /// Whether training ends with the parameters of the best validation instead of the last ones.
    #[serde(default)]
    pub restore_best: bool,
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
    /// The optimizer and its settings.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
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
    /// A list of activations does not fit the hidden layers.
    #[error("{got} activations for {expected} hidden layers")]
    Activations {
        /// Hidden layers.
        expected: usize,
        /// Activations given.
        got: usize,
    },
    /// A number is outside its range.
    #[error("{0}")]
    Range(String),
    /// The engine cannot train with this optimizer.
    #[error(
        "engine gram with optimizer {0}: it takes optimizers whose steps are linear in the \
         gradients, gradient-descent, momentum or nesterov"
    )]
    NotLinear(&'static str),
    /// The labels' number of classes and the configuration disagree.
    #[error("{what} for {n_classes} classes")]
    Classes {
        /// What was configured.
        what: String,
        /// Classes of the data.
        n_classes: usize,
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

/// Why data and configuration make no network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// The data's size.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The configuration does not fit the classes.
    #[error(transparent)]
    Config(#[from] ConfigError),
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
        if std::iter::once(&raw.activation)
            .chain(&raw.activations)
            .any(|&a| a == Activation::Identity)
        {
            return Err(ConfigError::Activation);
        }
        if !raw.activations.is_empty() && raw.activations.len() != raw.hidden.len() {
            let (expected, got) = (raw.hidden.len(), raw.activations.len());
            return Err(ConfigError::Activations { expected, got });
        }
        raw.check_ranges()?;
        if raw.threads > Self::MAX_THREADS {
            return Err(ConfigError::Threads(raw.threads));
        }
        dnn_core::rng::Generator::new(raw.rng, raw.seed)?;
        Ok(Self(raw))
    }
}

impl RawTrainConfig {
    fn check_ranges(&self) -> Result<(), ConfigError> {
        let at_least_0 = [("l2", self.l2), ("clip_norm", self.clip_norm)];
        if let Some((name, x)) = at_least_0.iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            let message = format!("{name} is {x}: expected a finite number, at least 0");
            return Err(ConfigError::Range(message));
        }
        let shares = [("dropout", self.dropout), ("validation", self.validation)];
        if let Some((name, x)) = shares.iter().find(|(_, x)| !(0.0..1.0).contains(x)) {
            let message = format!("{name} is {x}: expected at least 0 and below 1");
            return Err(ConfigError::Range(message));
        }
        if let ClassWeights::Given(weights) = &self.class_weights {
            let sound = |w: &f64| w.is_finite() && *w >= 0.0;
            if !weights.iter().all(sound) || !weights.iter().any(|&w| w > 0.0) {
                let message =
                    "class_weights: expected finite numbers, at least 0, not all of them 0";
                return Err(ConfigError::Range(message.into()));
            }
        }
        if let Some(fault) = self.optimizer.fault() {
            return Err(ConfigError::Range(format!("optimizer: {fault}")));
        }
        if let Some(fault) = self.schedule.fault() {
            return Err(ConfigError::Range(format!("schedule: {fault}")));
        }
        if self.engine == EngineKind::Gram && !self.optimizer.build::<f64>().is_linear() {
            return Err(ConfigError::NotLinear(self.optimizer.name()));
        }
        Ok(())
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
            activations: Vec::new(),
            loss: LossChoice::Auto,
            init: Init::Lecun,
            rng: RngKind::Numpy,
            seed: 1,
            learning_rate: 0.0075,
            iterations: 2500,
            epochs: 0,
            batch_size: 0,
            l2: 0.0,
            dropout: 0.0,
            clip_norm: 0.0,
            class_weights: ClassWeights::default(),
            validation: 0.0,
            validate_every: 0,
            patience: 0,
            monitor: Monitor::ValidationCost,
            restore_best: false,
            log_every: default_log_every(),
            precision: default_precision(),
            engine: EngineKind::Auto,
            threads: 0,
            optimizer: OptimizerConfig::GradientDescent,
            schedule: Schedule::Constant,
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

    /// The shape of the network for data of this many features and classes.
    ///
    /// # Errors
    /// When the data's size makes no network, or loss or class weights do not fit the classes.
    pub fn architecture(
        &self,
        n_features: usize,
        n_classes: usize,
    ) -> Result<Architecture, ShapeError> {
        let mismatch = |what: String| Err(ConfigError::Classes { what, n_classes }.into());
        let output = match self.loss {
            LossChoice::Sigmoid if n_classes != 2 => return mismatch("one sigmoid output".into()),
            LossChoice::Auto if n_classes == 2 => OutputActivation::Sigmoid,
            LossChoice::Sigmoid => OutputActivation::Sigmoid,
            LossChoice::Auto | LossChoice::Softmax => OutputActivation::Softmax,
        };
        match &self.class_weights {
            ClassWeights::Given(weights) if weights.len() != n_classes => {
                return mismatch(format!("{} class weights", weights.len()));
            }
            _ => {}
        }
        let hidden = self.hidden.iter().copied();
        let layer_dims = std::iter::once(n_features)
            .chain(hidden)
            .chain([output.n_outputs(n_classes)])
            .collect();
        let mut architecture = Architecture::new(layer_dims, self.activation, output);
        if !self.activations.is_empty() {
            architecture.activations.clone_from(&self.activations);
        }
        architecture.check()?;
        Ok(architecture)
    }

    /// Updates there will be for `m` training examples.
    pub fn n_iterations(&self, m: usize) -> usize {
        match self.epochs {
            0 => self.iterations,
            epochs => epochs.saturating_mul(self.iterations_per_epoch(m)),
        }
    }

    /// Updates of a pass over `m` training examples, the last short batch's included.
    pub fn iterations_per_epoch(&self, m: usize) -> usize {
        if self.batch_size == 0 { 1 } else { m.div_ceil(self.batch_size).max(1) }
    }

    /// Updates between two validations.
    pub fn validation_interval(&self, m: usize) -> usize {
        match (self.validate_every, self.iterations_per_epoch(m)) {
            (0, 1) => self.log_every,
            (0, epoch) => epoch,
            (n, _) => n,
        }
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
            (six.to_string(), six.output),
            ("12288-20-7-5-6".into(), OutputActivation::Softmax)
        );
    }
}
