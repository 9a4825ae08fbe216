//! `dnn lr-find`.

use crate::args::{DataArgs, choice};
use crate::console::{Console, warn};
use crate::input::InputArgs;
use crate::output::{OutputKind, picture_name, write_chart};
use crate::run::RunConfig;
use crate::settings::{FlagGroup, Flags};
use crate::source::{self, PresetChoice, loading};
use anyhow::{Context, ensure};
use dnn_core::{Examples, Precision};
use dnn_data::Shown;
use dnn_report::rate_plot;
use dnn_train::config::RawTrainConfig;
use dnn_train::{
    LearningRatePoint, LearningRateRange, LearningRateSearch, TrainConfig, Trainable,
    find_learning_rate,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder or file of labelled images or numbers, or `drawn` [default: as for `dnn train`]
    data: Option<PathBuf>,
    #[command(flatten)]
    of_data: DataArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Start from this configuration; auto looks at the data, as `dnn train` does [default: auto]
    #[arg(long, value_name = "PRESET", value_parser = choice(&PresetChoice::all()),
          help_heading = "Training")]
    preset: Option<PresetChoice>,
    #[command(flatten)]
    training: Flags<RateFlags>,
    /// Start from a configuration, for example the config.toml of a run; flags change it
    #[arg(long, value_name = "FILE.toml", conflicts_with = "preset", help_heading = "Training")]
    config: Option<PathBuf>,
    /// Learning rate of the first iteration
    #[arg(long, value_name = "F", default_value_t = LearningRateRange::default().lowest)]
    lowest: f64,
    /// Learning rate of the last iteration
    #[arg(long, value_name = "F", default_value_t = LearningRateRange::default().highest)]
    highest: f64,
    /// Iterations to make
    #[arg(long, value_name = "N", default_value_t = LearningRateRange::default().iterations)]
    iterations: usize,
    /// Write a picture of the cost over the learning rate
    #[arg(long, value_name = "FILE.png", value_parser = picture_name)]
    plot: Option<PathBuf>,
}

/// The flags of the table `training` that count before a learning rate is chosen.
#[derive(Debug, Clone)]
struct RateFlags;

impl FlagGroup for RateFlags {
    type Settings = RawTrainConfig;
    const HEADING: &'static str = "Training";
    // How long is trained, with which learning rate, and what judges it.
    const EXCEPT: &'static [&'static str] = &[
        "learning_rate",
        "iterations",
        "epochs",
        "time",
        "micro_shards",
        "ema_decay",
        "validation",
        "validate_every",
        "patience",
        "monitor",
        "restore_best",
        "calibrate",
        "log_every",
        "schedule",
    ];
}

#[derive(Serialize)]
struct RateReport<'a> {
    data: &'a Path,
    suggestion: Option<f64>,
    points: &'a [LearningRatePoint],
    #[serde(skip_serializing_if = "Option::is_none")]
    plot: Option<&'a Path>,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.plot {
        OutputKind::Picture.check(path)?;
    }
    let base = if let Some(path) = &args.config {
        RunConfig::read(path)?
    } else {
        let data = (args.data.as_deref(), &args.of_data, &args.input);
        source::preset(args.preset, data, console)?.config
    };
    ensure!(base.from.is_none(), "from: learning rates are tried from drawn weights");
    let training = RawTrainConfig::deserialize(args.training.on(&base.training)?)?;
    let training = TrainConfig::try_from(training).context("these settings make no training")?;
    let mut source =
        source::requested_or(base.source, args.data.as_deref(), &args.of_data, console)?;
    args.input.check(&source)?;
    source.input = args.input.change(source.input.take())?;
    source.cache = args.input.cache.caching(&source)?;
    source.check()?;
    let augment = base.augment.filter(|augment| !augment.is_off());
    let config = RunConfig { source: Some(source), augment, ..RunConfig::new(training) };
    let found = match config.training.precision.numbers() {
        Precision::F32 => search_in::<f32>(args, &config, console),
        Precision::F64 => search_in::<f64>(args, &config, console),
    }?;
    let data = &config.source.as_ref().context("no data given")?.data;
    report(args, data, &found, console)
}

fn search_in<F: Trainable>(
    args: &Args,
    config: &RunConfig,
    console: Console,
) -> anyhow::Result<LearningRateSearch> {
    let RunConfig { source, training, augment, .. } = config;
    let source = source.as_ref().context("no data given")?;
    let beside = |n_features: usize, n_classes: usize, m: usize| {
        Ok(dnn_train::memory_beside_examples::<F>(training, n_features, n_classes, m)?)
    };
    let data =
        loading(source, console, |loader| loader.prepare::<F>(*augment, training.seed, &beside))?;
    let train: &dyn Examples<F> = &*data.train;
    let range = LearningRateRange {
        lowest: args.lowest,
        highest: args.highest,
        iterations: args.iterations,
    };
    find_learning_rate(training, train, range).context("no learning rate was found")
}

fn report(
    args: &Args,
    data: &Path,
    found: &LearningRateSearch,
    console: Console,
) -> anyhow::Result<ExitCode> {
    let LearningRateSearch { points, suggestion } = found;
    console.json(&RateReport {
        data,
        suggestion: *suggestion,
        points,
        plot: args.plot.as_deref(),
    })?;
    let (first, last) = (points.first(), points.last());
    if let (false, Some(first), Some(last)) = (console.quiet, first, last) {
        console.text(format!(
            "{} iterations, from a learning rate of {:.1e} with cost {:.4} to {:.1e} with {:.4}",
            points.len(),
            first.learning_rate,
            first.cost,
            last.learning_rate,
            last.cost
        ))?;
    }
    if let Some(rate) = suggestion {
        console.text(format!("Suggested learning rate: {rate:.2e}"))?;
    } else {
        console.text("No suggestion: the cost falls nowhere".to_owned())?;
        warn(format!(
            "the cost never fell between {:e} and {:e}: --lowest, --highest or more --iterations \
             may help",
            args.lowest, args.highest
        ));
    }
    if let Some(path) = &args.plot {
        let of = |value: fn(&LearningRatePoint) -> f64| -> Vec<_> {
            points.iter().map(|point| (point.learning_rate, value(point))).collect()
        };
        let title = suggestion.map(|rate| format!("Suggested learning rate = {rate:.2e}"));
        let chart = rate_plot(
            title.as_deref().unwrap_or("No learning rate suggested"),
            &of(|point| point.cost),
            &of(|point| point.smoothed),
            *suggestion,
        );
        write_chart(path, &chart, 1)?;
        console.text(format!("Written: {}", path.shown()))?;
    }
    Ok(ExitCode::SUCCESS)
}
