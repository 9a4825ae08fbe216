//! The command line.

use crate::choice::choice;
use crate::commands::{
    audit, compare, completions, config, convert, draw, evaluate, gradcheck, inspect, predict,
    preview, sweep, train,
};
use crate::spec::spec;
use clap::{Args, Parser, Subcommand};
use dnn_core::rng::RngKind;
use dnn_core::{Activation, Init, Precision};
use dnn_data::Scale;
use dnn_train::Preset;
use dnn_train::config::{ClassWeights, LossChoice, Monitor, NamedWeights, OptimizerConfig};
use dnn_train::engine::EngineKind;
use dnn_train::schedule::Schedule;
use std::path::PathBuf;

/// Train, judge and apply a deep fully-connected image classifier.
///
/// Without a subcommand: trains the course's deep network on the cat images in data/, or on drawn
/// ones when those are not there.
#[derive(Debug, Parser)]
#[command(name = "dnn", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print the result only: no progress, no hints
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<train::Args>),
    Sweep(sweep::Args),
    Evaluate(evaluate::Args),
    Compare(compare::Args),
    Predict(predict::Args),
    Inspect(inspect::Args),
    Gradcheck(gradcheck::Args),
    /// Make data, look at it, or for what is wrong with it
    Data {
        #[command(subcommand)]
        command: DataCommand,
    },
    /// Write or check a training configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    Completions(completions::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Init(config::InitArgs),
    Check(config::CheckArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    Draw(draw::Args),
    Convert(Box<convert::Args>),
    Audit(Box<audit::Args>),
    Preview(Box<preview::Args>),
}

/// Which parts of a file are meant, where they do not have the usual names.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NameArgs {
    /// Dataset (HDF5) or array (.npz) of the images, when it does not have a usual name such as
    /// train_set_x or x_train
    #[arg(long, value_name = "NAME", requires = "y")]
    pub(crate) x: Option<String>,
    /// Dataset or array of the labels
    #[arg(long, value_name = "NAME", requires = "x")]
    pub(crate) y: Option<String>,
    /// Dataset or array of the class names, when it is not called list_classes
    #[arg(long, value_name = "NAME", requires = "x")]
    pub(crate) class_names: Option<String>,
    /// Column of the labels in a table (CSV), by its name or its number from 1 [default: label,
    /// class, target, y or species, else the last]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// What numbers that are no bytes become: auto divides whole ones from 0 to 255 by 255
    #[arg(long, value_name = "NAME",
          value_parser = choice(&[Scale::Auto, Scale::DivideBy255, Scale::AsIs]))]
    pub(crate) scale: Option<Scale>,
    /// Other names for the classes of the data, for example cats=cat,dogs=non-cat
    #[arg(long, value_name = "OWN=NAME,…", value_parser = class_pair, value_delimiter = ',')]
    pub(crate) class_map: Vec<(String, String)>,
}

/// Which images are drawn when the data is `drawn`.
#[derive(Debug, Clone, Default, Args)]
#[allow(clippy::struct_field_names)] // they are the flags
pub(crate) struct DrawArgs {
    /// Training images to draw [default: 209]
    #[arg(long, value_name = "N")]
    pub(crate) draw_train: Option<usize>,
    /// Test images to draw [default: 50]
    #[arg(long, value_name = "N")]
    pub(crate) draw_test: Option<usize>,
    /// Seed of the drawn images [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) draw_seed: Option<u64>,
    /// Pixels a side of the drawn images [default: 64]
    #[arg(long, value_name = "N")]
    pub(crate) draw_size: Option<usize>,
}

/// Changes to the training configuration.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct TrainingArgs {
    /// Start from this configuration [default: course-deep]
    #[arg(long, value_name = "PRESET",
          value_parser = choice(&Preset::ALL))]
    pub(crate) preset: Option<Preset>,
    /// Units of the hidden layers, for example 20,7,5; "none" for logistic regression
    #[arg(long, value_name = "N,N,…", value_parser = layers)]
    pub(crate) layers: Option<Layers>,
    /// Activation of the hidden layers: one for all, or one for each
    #[arg(long, value_name = "NAME,…", value_delimiter = ',',
          value_parser = choice(&hidden_activations()))]
    pub(crate) activation: Option<Vec<Activation>>,
    /// The output layer and its loss
    #[arg(long, value_name = "NAME", value_parser = choice(&LossChoice::ALL))]
    pub(crate) loss: Option<LossChoice>,
    /// How the weights are drawn
    #[arg(long, value_name = "NAME", value_parser = choice(&Init::ALL))]
    pub(crate) init: Option<Init>,
    /// Seed of the weights
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Generator of random numbers: NumPy's legacy stream, or a modern one
    #[arg(long, value_name = "NAME", value_parser = choice(&RngKind::ALL))]
    pub(crate) rng: Option<RngKind>,
    /// Learning rate
    #[arg(long, value_name = "F", alias = "learning-rate", allow_negative_numbers = true)]
    pub(crate) lr: Option<f64>,
    /// How the learning rate changes: constant, step:every=N,factor=F, exponential:factor=F,
    /// inverse-time:decay=F (the course's), cosine:warmup=N,minimum=F or
    /// plateau:factor=F,patience=N
    #[arg(long, value_name = "NAME[:KEY=F,…]", value_parser = spec::<Schedule>)]
    pub(crate) schedule: Option<Schedule>,
    /// gradient-descent, momentum, nesterov, rmsprop, adam or adamw, with settings where the usual
    /// ones do not suit: momentum:momentum=0.8, adamw:weight_decay=0.1
    #[arg(long, value_name = "NAME[:KEY=F,…]", value_parser = spec::<OptimizerConfig>)]
    pub(crate) optimizer: Option<OptimizerConfig>,
    /// Updates of the weights
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    pub(crate) iterations: Option<usize>,
    /// Passes over the training images, in place of --iterations
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Images of an update, 0 for all
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<usize>,
    /// The course's L2 penalty: lambda/2m times the squared weights are added to the cost
    #[arg(long, value_name = "F", alias = "lambda", allow_negative_numbers = true)]
    pub(crate) l2: Option<f64>,
    /// Share of the hidden layers' values that is dropped in training (the course's keep_prob is
    /// 1 less this)
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub(crate) dropout: Option<f64>,
    /// The gradients' norm at most, 0 for no limit
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub(crate) clip_norm: Option<f64>,
    /// How much each class counts: none, balanced, or a number for each class
    #[arg(long, value_name = "NAME|F,F,…", value_parser = class_weights)]
    pub(crate) class_weights: Option<ClassWeights>,
    /// Share of the training images to judge by instead of training on them
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub(crate) validation: Option<f64>,
    /// Updates between two validations [default: an epoch, or --log-every with all images at once]
    #[arg(long, value_name = "N")]
    pub(crate) validate_every: Option<usize>,
    /// Stop after so many validations without improvement, 0 for never
    #[arg(long, value_name = "N")]
    pub(crate) patience: Option<usize>,
    /// What counts as improvement
    #[arg(long, value_name = "NAME", value_parser = choice(&Monitor::ALL))]
    pub(crate) monitor: Option<Monitor>,
    /// End with the weights of the best validation, not the last ones
    #[arg(long)]
    pub(crate) restore_best: bool,
    /// Log the cost every so many iterations
    #[arg(long, value_name = "N")]
    pub(crate) log_every: Option<usize>,
    /// Precision of all numbers
    #[arg(long, value_name = "NAME", value_parser = choice(&Precision::ALL))]
    pub(crate) precision: Option<Precision>,
    /// How the first layer is computed; the weights are the same apart from rounding
    #[arg(long, value_name = "NAME", value_parser = choice(&EngineKind::ALL))]
    pub(crate) engine: Option<EngineKind>,
    /// Threads at most, 0 for as many as there are cores; results do not depend on it
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// Where a model is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArg {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
}

/// Units of the hidden layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers(pub(crate) Vec<usize>);

/// "20,7,5", or "none".
///
/// # Errors
/// Which part is not a number.
pub(crate) fn layers(text: &str) -> Result<Layers, String> {
    if text == "none" {
        return Ok(Layers(Vec::new()));
    }
    let unit = |part: &str| {
        part.trim().parse::<usize>().map_err(|_| {
            format!("`{part}` is not a number of units; expected for example 20,7,5, or none")
        })
    };
    text.split(',').map(unit).collect::<Result<_, _>>().map(Layers)
}

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    match text {
        "none" => Ok(ClassWeights::Named(NamedWeights::None)),
        "balanced" => Ok(ClassWeights::Named(NamedWeights::Balanced)),
        numbers => numbers
            .split(',')
            .map(|w| w.trim().parse().map_err(|_| format!("`{w}` is not a number")))
            .collect::<Result<_, _>>()
            .map(ClassWeights::Given)
            .map_err(|error| format!("{error}; expected none, balanced, or a number a class")),
    }
}

/// A class of the data and what it is called.
fn class_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(own, name)| !own.is_empty() && !name.is_empty());
    let pair = pair.map(|(own, name)| (own.to_owned(), name.to_owned()));
    pair.ok_or_else(|| format!("`{text}`: expected OWN=NAME"))
}

/// Those a hidden layer can have.
pub(crate) fn hidden_activations() -> Vec<Activation> {
    Activation::ALL.into_iter().filter(|a| *a != Activation::Identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn layers_are_numbers() {
        assert_eq!(layers("20,7,5"), Ok(Layers(vec![20, 7, 5])));
        assert_eq!(layers("none"), Ok(Layers(vec![])));
        assert!(layers("20;7").unwrap_err().contains("`20;7` is not a number of units"));
    }

    #[test]
    fn a_wrong_flag_is_answered_with_the_nearest() {
        let error = Cli::try_parse_from(["dnn", "train", "--iteratons", "5"]).unwrap_err();
        assert!(error.to_string().contains("--iterations"), "{error}");
        let error = Cli::try_parse_from(["dnn", "trian"]).unwrap_err();
        assert!(error.to_string().contains("'train'"), "{error}");
    }
}
