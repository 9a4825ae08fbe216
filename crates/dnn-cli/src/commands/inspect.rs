//! `dnn inspect`.

use super::{folds, sweep};
use crate::console::{Console, argument, causes, of_how_many, program, warn};
use crate::run::{self, RunConfig, RunFolder, Summary};
use anyhow::Context;
use dnn_core::{Architecture, Precision};
use dnn_data::Shown;
use dnn_data::hdf5::{self, Description, Hdf5Error, Options};
use dnn_data::image::{DecodeLimits, ImageFormat, Rendering, decode_file};
use dnn_data::{DataError, ImageSet, InputContract, Model, SplitName, format, open_file};
use dnn_train::{End, FoldSummary};
use serde::Serialize;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file, or the folder of a run or of data
    file: PathBuf,
}

/// What was found, as it is printed in JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Inspected {
    Model(ModelFacts),
    Hdf5(Description),
    Data {
        path: PathBuf,
        train: Option<SetFacts>,
        validation: Option<SetFacts>,
        test: Option<SetFacts>,
    },
    Image {
        path: PathBuf,
        width: u32,
        height: u32,
    },
    Run {
        path: PathBuf,
        state: RunState,
        /// The number of updates made by the last checkpoint.
        iteration: Option<usize>,
        /// The summary of the run, or of the part that had ended before the run was continued.
        summary: Option<Box<Summary>>,
        config: Box<RunConfig>,
    },
    Folds {
        path: PathBuf,
        state: RunState,
        report: Box<folds::FoldsReport>,
        config: Box<RunConfig>,
    },
    Sweep {
        path: PathBuf,
        state: RunState,
        rows: sweep::RowCounts,
        config: Box<RunConfig>,
    },
}

/// How far training in a folder has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum RunState {
    /// A process is training in the folder.
    Running,
    /// Training was interrupted, and can go on.
    Interrupted,
    Finished,
}

impl RunState {
    /// Returns the state of a folder whose contents say whether it is finished.
    fn new(folder: &Path, is_finished: bool) -> anyhow::Result<Self> {
        Ok(match (RunFolder::is_locked(folder)?, is_finished) {
            (true, _) => Self::Running,
            (false, false) => Self::Interrupted,
            (false, true) => Self::Finished,
        })
    }
}

#[derive(Serialize)]
struct ModelFacts {
    path: PathBuf,
    file_bytes: u64,
    architecture: Architecture,
    n_parameters: usize,
    precision: Precision,
    classes: Vec<String>,
    input: InputContract,
}

#[derive(Serialize)]
struct SetFacts {
    n: usize,
    height: usize,
    width: usize,
    channels: usize,
    /// Whether features are numbers beyond bytes.
    floats: bool,
    classes: Vec<String>,
    class_counts: Vec<usize>,
}

impl SetFacts {
    fn of(set: &ImageSet) -> Self {
        let shape = set.shape();
        Self {
            n: set.len(),
            height: shape.height,
            width: shape.width,
            channels: shape.channels,
            floats: !set.is_bytes(),
            classes: set.classes().to_vec(),
            class_counts: set.class_counts(),
        }
    }
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let found = inspect(&args.file)?;
    console.json(&found)?;
    if !console.json {
        console.text(describe(&found)?.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(path: &Path) -> anyhow::Result<Inspected> {
    if path.is_dir() {
        let is_run = path.join(run::CONFIG).exists();
        return if is_run {
            inspect_run(path)
        } else {
            inspect_data(path)
                .with_context(|| format!("not a run, without {}, nor data", run::CONFIG))
        };
    }
    let failed = || format!("cannot read {}", path.shown());
    let mut start = Vec::new();
    open_file(path).with_context(failed)?.take(16).read_to_end(&mut start).with_context(failed)?;
    if Model::is_start(&start) {
        let (model, path) = run::read_model(path)?;
        return Ok(Inspected::Model(facts(&model, path).with_context(failed)?));
    }
    if ImageFormat::of(&start).is_some() {
        let image = decode_file(path, &DecodeLimits::default(), Rendering::default())?;
        let (width, height) = (image.width(), image.height());
        return Ok(Inspected::Image { path: path.into(), width, height });
    }
    // HDF5 may begin after a block of the user's, and holds more than images and labels.
    match hdf5::describe(path, &Options::default()) {
        Err(DataError::Hdf5(Hdf5Error::NotHdf5 { .. })) => inspect_data(path),
        description => Ok(Inspected::Hdf5(description?)),
    }
}

fn inspect_data(path: &Path) -> anyhow::Result<Inspected> {
    let splits = format::open(path, &format::Options::default())?;
    let facts = |split| splits.get(split).map(SetFacts::of);
    Ok(Inspected::Data {
        path: path.into(),
        train: facts(SplitName::Train),
        validation: facts(SplitName::Validation),
        test: facts(SplitName::Test),
    })
}

fn facts(model: &Model, path: PathBuf) -> std::io::Result<ModelFacts> {
    let architecture = model.network().architecture();
    Ok(ModelFacts {
        file_bytes: std::fs::metadata(&path)?.len(),
        path,
        n_parameters: architecture.n_parameters(),
        architecture,
        precision: model.network().precision(),
        classes: model.classes().to_vec(),
        input: model.input().clone(),
    })
}

fn inspect_run(path: &Path) -> anyhow::Result<Inspected> {
    let config = path.join(run::CONFIG);
    let config = Box::new(RunConfig::read(&config)?);
    let to = path.to_owned();
    if path.join(run::SWEEP).exists() {
        let rows = sweep::RowCounts::read(path)?;
        let state = RunState::new(path, rows.trained + rows.failed >= rows.asked)?;
        return Ok(Inspected::Sweep { path: to, state, rows, config });
    }
    if path.join(run::FOLDS).exists() {
        let report = Box::new(folds::FoldsReport::read(path)?);
        let state = RunState::new(path, report.is_complete())?;
        return Ok(Inspected::Folds { path: to, state, report, config });
    }
    let summary = Summary::read(path)?.map(Box::new);
    let checkpoint = run::read_checkpoint(path, false).unwrap_or_else(|error| {
        warn(format!("warning: {}", causes(error.as_ref()).join(": ")));
        None
    });
    let is_final =
        summary.as_ref().is_some_and(|summary| summary.is_final(&config, checkpoint.as_ref()));
    let state = RunState::new(path, is_final)?;
    let iteration = checkpoint.map(|checkpoint| checkpoint.progress().iteration);
    Ok(Inspected::Run { path: to, state, iteration, summary, config })
}

fn describe(found: &Inspected) -> anyhow::Result<String> {
    let mut out = String::new();
    match found {
        Inspected::Model(model) => {
            let classes: Vec<_> = model.classes.iter().map(|name| name.shown()).collect();
            writeln!(out, "Model:       {}, {} bytes", model.path.shown(), model.file_bytes)?;
            let ModelFacts { architecture, precision, n_parameters, input, .. } = model;
            writeln!(out, "Layers:      {architecture}, {n_parameters} parameters in {precision}")?;
            writeln!(out, "Activations: {}", activations(architecture))?;
            writeln!(out, "Classes:     {}", classes.join(", "))?;
            writeln!(out, "Input:       {input}")?;
        }
        Inspected::Hdf5(file) => {
            writeln!(out, "HDF5 file: {}, {} bytes", file.path.shown(), file.file_bytes)?;
            for dataset in &file.datasets {
                let name = dataset.name.shown();
                if let Some(problem) = &dataset.problem {
                    writeln!(out, "  {name}: damaged: {}", problem.shown())?;
                    continue;
                }
                let shape: Vec<_> = dataset.shape.iter().map(ToString::to_string).collect();
                write!(out, "  {name}: {} ({})", dataset.element, shape.join(", "))?;
                if !dataset.filters.is_empty() {
                    write!(out, ", packed with {}", dataset.filters.join(", "))?;
                }
                writeln!(out)?;
            }
            if file.datasets.is_empty() {
                writeln!(out, "  no datasets")?;
            }
            if file.more {
                writeln!(out, "  … and more")?;
            }
        }
        Inspected::Data { path, train, validation, test } => {
            writeln!(out, "Data:     {}", path.shown())?;
            let sets = [("Training: ", train), ("Validation: ", validation), ("Test:     ", test)];
            for (name, set) in sets {
                let Some(set) = set else { continue };
                let SetFacts { n, height, width, channels, .. } = set;
                let kind = if set.floats { "numbers" } else { "bytes" };
                writeln!(out, "{name}{n} of {height}×{width}×{channels}, {kind}")?;
            }
            if let Some(set) = train.as_ref().or(validation.as_ref()).or(test.as_ref()) {
                let count = |set: &Option<SetFacts>, i: usize| {
                    set.as_ref().map_or(0, |set| set.class_counts[i])
                };
                let classes: Vec<_> = set
                    .classes
                    .iter()
                    .enumerate()
                    .map(|(i, name)| {
                        let n = count(train, i) + count(validation, i) + count(test, i);
                        format!("{} ({n})", name.shown())
                    })
                    .collect();
                writeln!(out, "Classes:  {}", classes.join(", "))?;
            }
        }
        Inspected::Image { path, width, height } => {
            writeln!(out, "Image: {}, {width}×{height} pixels", path.shown())?;
        }
        Inspected::Run { path, state, iteration, summary, config } => {
            writeln!(out, "Run:        {}", path.shown())?;
            if *state != RunState::Finished {
                let made = iteration.map_or_else(
                    || "no checkpoint yet".into(),
                    |iteration| format!("last checkpoint after {iteration} iterations"),
                );
                write_state(&mut out, *state, &made, "train", path)?;
            }
            if let Some(summary) = summary {
                if *state != RunState::Finished {
                    writeln!(out, "Until then, the model in it is of this training:")?;
                }
                write_summary(&mut out, summary)?;
            } else {
                writeln!(out, "Result:     none yet")?;
            }
            writeln!(out, "\n{}", shown_config(config)?.trim_end())?;
        }
        Inspected::Folds { path, state, report, config } => {
            writeln!(out, "Folds:      {}", path.shown())?;
            let made = format!("{} of {} folds trained", report.folds.len(), report.k);
            write_state(&mut out, *state, &made, "train", path)?;
            for folds::FailedFold { fold, error } in &report.failed {
                writeln!(out, "Fold {fold} failed: {}", error.shown())?;
            }
            if let Some(FoldSummary { mean, deviation, pooled }) = report.summary {
                let (mean, deviation) = (100.0 * mean, 100.0 * deviation);
                writeln!(
                    out,
                    "Accuracy:   {mean:.2} % on average, deviation {deviation:.2} points"
                )?;
                writeln!(out, "Together:   {}", of_how_many(pooled))?;
            }
            writeln!(out, "\n{}", shown_config(config)?.trim_end())?;
        }
        Inspected::Sweep { path, state, rows, config } => {
            writeln!(out, "Sweep:      {}", path.shown())?;
            let sweep::RowCounts { asked, trained, failed } = rows;
            let made = format!("{trained} of {asked} combinations trained, {failed} failed");
            write_state(&mut out, *state, &made, "sweep", path)?;
            writeln!(out, "\n{}", shown_config(config)?.trim_end())?;
        }
    }
    Ok(out)
}

/// A configuration as text in which no string breaks a line.
fn shown_config(config: &RunConfig) -> anyhow::Result<String> {
    fn escape(value: &mut toml::Value) {
        match value {
            toml::Value::String(text) => *text = text.shown().into_owned(),
            toml::Value::Array(values) => values.iter_mut().for_each(escape),
            toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| escape(value)),
            _ => {}
        }
    }
    let mut config = toml::Value::try_from(config)?;
    escape(&mut config);
    Ok(toml::to_string(&config)?)
}

/// Writes how far training has come, and the command that continues it.
fn write_state(
    out: &mut String,
    state: RunState,
    made: &str,
    command: &str,
    path: &Path,
) -> std::fmt::Result {
    let state = match state {
        RunState::Running => format!("in progress, {made}"),
        RunState::Finished => format!("finished, {made}"),
        RunState::Interrupted => {
            let (dnn, path) = (program(), argument(path));
            format!("interrupted, {made}; to go on: {dnn} {command} --resume {path}")
        }
    };
    writeln!(out, "State:      {state}")
}

fn activations(architecture: &Architecture) -> String {
    let hidden = architecture.activations.iter().enumerate().map(|(l, activation)| {
        let normalized = if architecture.normalizes(l) { " of normalised sums" } else { "" };
        format!("{activation}{normalized}")
    });
    hidden.chain([format!("{} cross-entropy", architecture.output)]).collect::<Vec<_>>().join(", ")
}

fn write_summary(out: &mut String, summary: &Summary) -> std::fmt::Result {
    writeln!(out, "Layers:     {}, {}", summary.architecture, summary.precision)?;
    let stopped = match summary.end {
        End::Completed => "",
        End::Asked => ", interrupted",
        End::Early => ", stopped early",
        End::Time => ", stopped when its time was over",
    };
    writeln!(out, "Iterations: {}{stopped}, {} engine", summary.iterations, summary.engine)?;
    writeln!(out, "Cost:       {:.6}", summary.final_cost)?;
    writeln!(out, "Training:   {}", of_how_many(summary.train))?;
    if let Some(validation) = summary.validation {
        writeln!(out, "Validation: {}", of_how_many(validation))?;
    }
    if let Some(test) = summary.test {
        writeln!(out, "Test:       {}", of_how_many(test))?;
    }
    Ok(())
}
