//! The training configuration: invalid values cannot load.

mod judging;
mod time_limit;

pub use crate::optimizer::OptimizerConfig;
pub use judging::{ClassWeights, LossChoice, Monitor, NamedWeights};
pub use time_limit::TimeLimit;

use crate::engine::EngineKind;
use crate::optimizer;
use crate::schedule::Schedule;
use dnn_core::gemm::FactorPrecision;
use dnn_core::init::Init;
use dnn_core::rng::RngKind;
use dnn_core::settings::{self, SettingError};
use dnn_core::{
    Activation, Architecture, HiddenNormalization, NetworkError, OutputActivation, Precision,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Named configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The course's deep network, 12288-20-7-5-1.
    CourseDeep,
    /// The course's two-layer network, 12288-7-1.
    CourseTwoLayer,
    /// For colour images in small numbers, described by colour and texture: one hidden layer.
    Photos,
    /// For many small images, told by their pixels: two hidden layers.
    Digits,
    /// For rows of standardised numbers: one hidden layer.
    Table,
}

impl Preset {
    /// All of them, for lists and tests.
    pub const ALL: [Self; 5] =
        [Self::CourseDeep, Self::CourseTwoLayer, Self::Photos, Self::Digits, Self::Table];

    /// Returns its name, as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CourseDeep => "course-deep",
            Self::CourseTwoLayer => "course-two-layer",
            Self::Photos => "photos",
            Self::Digits => "digits",
            Self::Table => "table",
        }
    }
}

/// The precisions in which a network can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrainingPrecision {
    /// IEEE 754 single precision, 4 bytes a number.
    F32,
    /// IEEE 754 double precision, 8 bytes a number; what the course's numbers were made with.
    F64,
    /// f32, but the factors of the layers' products are rounded to bf16, of 8 bits of significand. The
    /// network is one in f32, and is judged in f32. For processors with AVX512-BF16.
    Bf16,
}

impl TrainingPrecision {
    /// All of them, for lists and tests.
    pub const ALL: [Self; 3] = [Self::F32, Self::F64, Self::Bf16];

    /// Returns the precision of parameters, activations and sums, and of the model file.
    pub fn numbers(self) -> Precision {
        match self {
            Self::F32 | Self::Bf16 => Precision::F32,
            Self::F64 => Precision::F64,
        }
    }

    /// Returns the precision in which the layers' products take their factors.
    pub fn factors(self) -> FactorPrecision {
        match self {
            Self::F32 | Self::F64 => FactorPrecision::Full,
            Self::Bf16 => FactorPrecision::Bf16,
        }
    }
}

impl From<Precision> for TrainingPrecision {
    fn from(numbers: Precision) -> Self {
        match numbers {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }
}

/// "f32", "f64", "bf16".
impl std::fmt::Display for TrainingPrecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::F32 | Self::F64 => self.numbers().fmt(f),
            Self::Bf16 => f.write_str("bf16"),
        }
    }
}

/// Everything that decides the course of training, apart from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawTrainConfig", into = "RawTrainConfig")]
pub struct TrainConfig(RawTrainConfig);

/// The values as they stand in a file; a [`TrainConfig`] is one that has been checked. What a file
/// leaves out is as in the course's deep network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RawTrainConfig {
    /// Units of each hidden layer, first to last; none is logistic regression. The sizes of input
    /// and output come with the data.
    #[schemars(
        inner(range(min = 1, max = TrainConfig::MAX_UNITS)),
        extend("x-flag" = "layers", "x-value" = "N,N,…")
    )]
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[schemars(extend("x-clears" = "activations", "x-list" = "activations", "x-value" = "NAME,…"))]
    pub activation: Activation,
    /// Activation of each hidden layer, where they differ; as many as there are hidden layers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-flag" = false, "x-example" = ["relu", "relu", "tanh"]))]
    pub activations: Vec<Activation>,
    /// What the hidden layers do to their sums Z before the activation: none, or layer normalisation (Ba
    /// et al. 2016), mean 0 and variance 1 over the units of each example, then a gain γ and a shift
    /// β that are learnt.
    pub normalization: HiddenNormalization,
    /// The output layer and its cross-entropy.
    pub loss: LossChoice,
    /// How the weights are drawn; biases start at 0.
    pub init: Init,
    /// Generator of all random numbers.
    pub rng: RngKind,
    /// Where the generator starts; numpy takes 32 bits.
    pub seed: u64,
    /// Where the generator of the batches' orders starts, when not at `seed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-example" = 1))]
    pub shuffle_seed: Option<u64>,
    /// Learning rate α, the length of a step.
    #[schemars(extend("exclusiveMinimum" = 0, "x-flag" = "lr", "x-alias" = "learning-rate"))]
    pub learning_rate: f64,
    /// Updates of the parameters to make; not counted when `epochs` are.
    #[schemars(extend("x-clears" = "epochs", "x-resume" = true))]
    pub iterations: usize,
    /// Passes over the training set to make, in place of `iterations`; 0 counts `iterations`.
    #[schemars(extend("x-resume" = true))]
    pub epochs: usize,
    /// Time after which training ends, also when iterations are left: "90s", "10m", "1h30m". Counted
    /// anew when a run goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-resume" = true, "x-example" = "10m", "x-value" = "TIME"))]
    pub time: Option<TimeLimit>,
    /// Examples of an update; 0, or as many as there are, takes all of them.
    #[doc(alias = "mini_batch_size")]
    pub batch_size: usize,
    /// Pieces that a batch is cut into, whose gradients are summed up in a fixed order, so that as many
    /// processes at most can share the work and end with the same bytes; without it a batch is one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TrainConfig::MAX_MICRO_SHARDS), extend("x-example" = 8))]
    pub micro_shards: Option<usize>,
    /// λ of the penalty λ/2m·Σ‖W‖² in the cost, m the examples of the batch, as in the course.
    #[doc(alias = "lambd")]
    #[doc(alias = "compute_cost_with_regularization")]
    #[doc(alias = "backward_propagation_with_regularization")]
    #[schemars(extend("minimum" = 0, "x-alias" = "lambda"))]
    pub l2: f64,
    /// Share of the hidden layers' values that is dropped in training; the course's keep_prob is 1
    /// less this.
    #[doc(alias = "keep_prob")]
    #[doc(alias = "forward_propagation_with_dropout")]
    #[doc(alias = "backward_propagation_with_dropout")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// α of mixup (Zhang et al. 2018): each example is mixed with another one of its batch, and so are
    /// their losses, with shares drawn from Beta(α, α); 0 for none.
    #[schemars(extend("minimum" = 0))]
    pub mixup: f64,
    /// Share d of the exponential moving average of the weights that an update keeps, θ̄ ← d·θ̄ + (1 −
    /// d)·θ; the average is what is judged and kept (Polyak and Juditsky 1992). 0 for none.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub ema_decay: f64,
    /// Norm of all gradients together at most; 0 for no limit.
    #[schemars(extend("minimum" = 0))]
    pub clip_norm: f64,
    /// Share ε of each label that is spread over all classes: the cost's targets are 1 − ε + ε/K for
    /// the label and ε/K for the other classes.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub label_smoothing: f64,
    /// What the examples of each class count in the cost, or a number for each class.
    #[schemars(extend("x-value" = "NAME|F,F,…"))]
    pub class_weights: ClassWeights,
    /// Share of the training set, of each class alike, that is kept from training to judge by. Not
    /// used when the data have a validation set.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub validation: f64,
    /// Updates between two validations; 0 for an epoch, or `log_every` when an update takes all
    /// examples.
    pub validate_every: usize,
    /// Validations without improvement until training stops; 0 for never.
    pub patience: usize,
    /// What has to improve for `patience` and `restore_best`.
    pub monitor: Monitor,
    /// Whether training ends with the parameters of the best validation instead of the last ones.
    pub restore_best: bool,
    /// Whether the validation set calibrates the network at the end: its temperature is fitted (Guo et
    /// al. 2017), and what `predict --coverage` needs is kept.
    pub calibrate: bool,
    /// Iterations between two costs that are logged, from iteration 0 on.
    #[schemars(range(min = 1), extend("x-resume" = true))]
    pub log_every: usize,
    /// Precision of all numbers, in training and in the model file; with bf16 they are in f32, and the
    /// factors of the layers' products are rounded in training.
    pub precision: TrainingPrecision,
    /// How the first layer is computed; a matter of speed, the weights are the same apart from
    /// rounding.
    pub engine: EngineKind,
    /// Threads at most, 0 for as many as there are cores; results do not depend on it.
    #[schemars(range(max = TrainConfig::MAX_THREADS), extend("x-resume" = true))]
    pub threads: usize,
    /// How gradients become steps.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes with e, the epochs done; an epoch is an iteration when an
    /// update takes all examples.
    pub schedule: Schedule,
}

/// 20-7-5 hidden units, α = 0.0075, 2500 iterations, seed 1, N(0, 1)/√n_prev from NumPy's stream,
/// f64: what the course publishes as its four-layer network.
impl Default for RawTrainConfig {
    fn default() -> Self {
        Self {
            hidden: vec![20, 7, 5],
            activation: Activation::Relu,
            activations: Vec::new(),
            normalization: HiddenNormalization::None,
            loss: LossChoice::Auto,
            init: Init::Lecun,
            rng: RngKind::Numpy,
            seed: 1,
            shuffle_seed: None,
            learning_rate: 0.0075,
            iterations: 2500,
            epochs: 0,
            time: None,
            batch_size: 0,
            micro_shards: None,
            l2: 0.0,
            dropout: 0.0,
            mixup: 0.0,
            ema_decay: 0.0,
            clip_norm: 0.0,
            label_smoothing: 0.0,
            class_weights: ClassWeights::default(),
            validation: 0.0,
            validate_every: 0,
            patience: 0,
            monitor: Monitor::ValidationCost,
            restore_best: false,
            calibrate: false,
            log_every: 100,
            precision: TrainingPrecision::F64,
            engine: EngineKind::Auto,
            threads: 0,
            optimizer: OptimizerConfig::default(),
            schedule: Schedule::Constant,
        }
    }
}

/// Why a configuration cannot be trained with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value is not one that its setting may have.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A list of activations does not fit the hidden layers.
    #[error("{got} activations for {expected} hidden layers")]
    Activations {
        /// Hidden layers.
        expected: usize,
        /// Activations given.
        got: usize,
    },
    /// No example would count.
    #[error("class_weights are all 0: expected one above 0 at least")]
    NoWeight,
    /// The engine cannot train with this optimizer.
    #[error(
        "engine gram with optimizer {optimizer}: it takes optimizers whose steps are linear in the \
         gradients, {linear}"
    )]
    NotLinear {
        /// The configured optimizer's name.
        optimizer: &'static str,
        /// The names of the optimizers it takes.
        linear: String,
    },
    /// The engine cannot train in this precision.
    #[error("engine gram with precision bf16: it has no products of rounded factors, dense has")]
    GramInBf16,
    /// The labels' number of classes and the configuration disagree.
    #[error("{what} for {n_classes} classes")]
    Classes {
        /// The key of what was configured.
        key: &'static str,
        /// What was configured.
        what: String,
        /// Classes of the data.
        n_classes: usize,
    },
    /// NumPy's generator takes 32 bits.
    #[error("{source}")]
    Seed {
        /// The key of the seed.
        key: &'static str,
        /// What is wrong with it.
        source: dnn_core::rng::SeedError,
    },
}

impl ConfigError {
    /// Returns the key of the setting at fault.
    pub fn key(&self) -> &str {
        match self {
            Self::Setting(error) => error.key(),
            Self::Activations { .. } => "activations",
            Self::NoWeight => "class_weights",
            Self::NotLinear { .. } | Self::GramInBf16 => "engine",
            Self::Classes { key, .. } | Self::Seed { key, .. } => key,
        }
    }
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
        settings::check(&raw, settings::schema::<RawTrainConfig>())?;
        if !raw.activations.is_empty() && raw.activations.len() != raw.hidden.len() {
            let (expected, got) = (raw.hidden.len(), raw.activations.len());
            return Err(ConfigError::Activations { expected, got });
        }
        if let ClassWeights::Given(weights) = &raw.class_weights
            && !weights.iter().any(|&weight| weight > 0.0)
        {
            return Err(ConfigError::NoWeight);
        }
        let is_linear = |optimizer: &OptimizerConfig| optimizer.build::<f64>().is_linear();
        if raw.engine == EngineKind::Gram && !is_linear(&raw.optimizer) {
            let linear = OptimizerConfig::all().into_iter().filter(is_linear);
            let linear: Vec<_> = linear.map(|optimizer| optimizer.name()).collect();
            let optimizer = raw.optimizer.name();
            return Err(ConfigError::NotLinear { optimizer, linear: linear.join(", ") });
        }
        if raw.engine == EngineKind::Gram && raw.precision == TrainingPrecision::Bf16 {
            return Err(ConfigError::GramInBf16);
        }
        for (key, seed) in [("seed", Some(raw.seed)), ("shuffle_seed", raw.shuffle_seed)] {
            let tried = seed.map(|seed| dnn_core::rng::Generator::new(raw.rng, seed));
            tried.transpose().map_err(|source| ConfigError::Seed { key, source })?;
        }
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
    /// The most pieces that a batch can be cut into.
    pub const MAX_MICRO_SHARDS: usize = 65_536;
    /// The most threads that are supported.
    pub const MAX_THREADS: usize = 1024;

    /// 20-7-5 hidden units, α = 0.0075, 2500 iterations, seed 1, N(0, 1)/√n_prev from NumPy's
    /// stream, f64: what the course publishes as its four-layer network.
    #[doc(alias = "L_layer_model")]
    pub fn course_deep() -> Self {
        Self(RawTrainConfig::default())
    }

    /// 7 hidden units, 0.01·N(0, 1), otherwise as [`course_deep`](Self::course_deep): what the
    /// course publishes as its two-layer network.
    #[doc(alias = "two_layer_model")]
    pub fn course_two_layer() -> Self {
        let deep = Self::course_deep().0;
        Self(RawTrainConfig { hidden: vec![7], init: Init::SmallNormal, ..deep })
    }

    /// Returns the configuration of this name.
    pub fn preset(preset: Preset) -> Self {
        match preset {
            Preset::CourseDeep => Self::course_deep(),
            Preset::CourseTwoLayer => Self::course_two_layer(),
            Preset::Photos => Self::photos(),
            Preset::Digits => Self::digits(),
            Preset::Table => Self::table(),
        }
    }

    /// 64 hidden units, Adam with α up to 0.001 in one cycle, 40 epochs of batches of 32: for
    /// descriptions of few images, of which `docs/accuracy.md` has what each setting brings.
    pub fn photos() -> Self {
        Self(RawTrainConfig {
            hidden: vec![64],
            init: Init::He,
            learning_rate: 0.001,
            epochs: 40,
            batch_size: 32,
            log_every: 20,
            precision: TrainingPrecision::F32,
            optimizer: optimizer::Adam::default().into(),
            schedule: Schedule::OneCycle { rise: 0.3 },
            ..RawTrainConfig::default()
        })
    }

    /// 512-256 hidden units, a fifth dropped, Adam with α up to 0.002 in one cycle, 15 epochs of
    /// batches of 128, a tenth of the examples kept apart; ends with the weights that are most often
    /// right on these, and early when twelve epochs have brought nothing.
    pub fn digits() -> Self {
        Self(RawTrainConfig {
            hidden: vec![512, 256],
            dropout: 0.2,
            learning_rate: 0.002,
            epochs: 15,
            batch_size: 128,
            validation: 0.1,
            patience: 12,
            monitor: Monitor::ValidationAccuracy,
            restore_best: true,
            log_every: 100,
            ..Self::photos().0
        })
    }

    /// 64 hidden units of tanh, AdamW with α up to 0.003 in one cycle, 200 epochs of batches of 16.
    pub fn table() -> Self {
        Self(RawTrainConfig {
            activation: Activation::Tanh,
            learning_rate: 0.003,
            epochs: 200,
            batch_size: 16,
            optimizer: optimizer::AdamW::default().into(),
            ..Self::photos().0
        })
    }

    /// Returns this configuration with some values changed, checked again.
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

    /// Returns the shape of the network for data of this many features and classes.
    ///
    /// # Errors
    /// When the data's size makes no network, or loss or class weights do not fit the classes.
    pub fn architecture(
        &self,
        n_features: usize,
        n_classes: usize,
    ) -> Result<Architecture, ShapeError> {
        let mismatch = |key, what| Err(ConfigError::Classes { key, what, n_classes }.into());
        let output = match self.loss {
            LossChoice::Sigmoid if n_classes != 2 => {
                return mismatch("loss", "one sigmoid output".into());
            }
            LossChoice::Auto if n_classes == 2 => OutputActivation::Sigmoid,
            LossChoice::Sigmoid => OutputActivation::Sigmoid,
            LossChoice::Auto | LossChoice::Softmax => OutputActivation::Softmax,
        };
        match &self.class_weights {
            ClassWeights::Given(weights) if weights.len() != n_classes => {
                return mismatch("class_weights", format!("{} class weights", weights.len()));
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
        if !self.hidden.is_empty() {
            architecture.normalization = self.normalization;
        }
        architecture.check()?;
        Ok(architecture)
    }

    /// Returns the number of updates that training on `m` examples makes.
    pub fn n_iterations(&self, m: usize) -> usize {
        match self.epochs {
            0 => self.iterations,
            epochs => epochs.saturating_mul(self.iterations_per_epoch(m)),
        }
    }

    /// Returns the number of updates of a pass over `m` training examples, including that of a
    /// shorter last batch.
    pub fn iterations_per_epoch(&self, m: usize) -> usize {
        if self.batch_size == 0 { 1 } else { m.div_ceil(self.batch_size).max(1) }
    }

    /// Returns the number of updates between two validations.
    pub fn validation_interval(&self, m: usize) -> usize {
        match (self.validate_every, self.iterations_per_epoch(m)) {
            (0, 1) => self.log_every,
            (0, epoch) => epoch,
            (n, _) => n,
        }
    }

    /// Returns the number of threads to use: the configured number, or as many as the machine has.
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
            (
                "[20, 7, 5]",
                "[20, 0]",
                "number 2 of hidden is 0: expected a whole number, 1 to 1048576",
            ),
            ("log_every = 100", "log_every = 0", "log_every is 0"),
            ("seed = 1", "seed = 4294967296", "seed 4294967296 for NumPy's generator"),
            ("seed = 1", "sede = 1", "unknown field `sede`"),
            (
                "\"relu\"",
                "\"identity\"",
                "activation is \"identity\": expected one of relu, sigmoid, ",
            ),
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
