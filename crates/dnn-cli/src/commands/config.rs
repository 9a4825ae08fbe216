//! `dnn config`.

use crate::args::choice;
use crate::console::{Console, argument, program};
use crate::output::OutputKind;
use crate::run::{RunConfig, commented};
use crate::source;
use dnn_data::Shown;
use dnn_train::Preset;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// The configuration to write
    #[arg(long, value_name = "PRESET", value_parser = choice(&Preset::ALL),
          default_value = "course-deep")]
    preset: Preset,
    /// Where to write it [default: standard output]
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
    /// Replace the file
    #[arg(long, requires = "out")]
    force: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// A configuration, for example the config.toml of a run
    file: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    preset: Preset,
    out: Option<&'a Path>,
    config: &'a RunConfig,
}

#[derive(Serialize)]
struct Checked<'a> {
    file: &'a Path,
    sound: bool,
    config: &'a RunConfig,
}

pub(crate) fn init(args: &InitArgs, console: Console) -> anyhow::Result<ExitCode> {
    let config = RunConfig::preset(args.preset);
    let text = commented(&config)?;
    match &args.out {
        None => console.text(text.trim_end())?,
        Some(path) => {
            OutputKind::Config.write(path, text.as_bytes(), args.force)?;
            console.text(format!("Written: {}", path.shown()))?;
            console.note(format!("Next: {} train --config {}", program(), argument(path)));
        }
    }
    console.json(&Written { preset: args.preset, out: args.out.as_deref(), config: &config })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check(args: &CheckArgs, console: Console) -> anyhow::Result<ExitCode> {
    let config = RunConfig::read(&args.file)?;
    console.text(format!("{}: sound; {}", args.file.shown(), summary(&config)))?;
    console.json(&Checked { file: &args.file, sound: true, config: &config })?;
    Ok(ExitCode::SUCCESS)
}

/// Returns a configuration in one line.
fn summary(RunConfig { source, training, .. }: &RunConfig) -> String {
    let hidden: Vec<_> = training.hidden.iter().map(ToString::to_string).collect();
    let hidden = match hidden.join("-") {
        none if none.is_empty() => "no hidden layer".into(),
        units => format!("hidden layers {units}, {}", training.activation),
    };
    let data = match source {
        Some(source) if !source.data.as_os_str().is_empty() => source::arguments(source),
        _ => "the command line's".into(),
    };
    let length = match training.epochs {
        0 => format!("{} iterations", training.iterations),
        epochs => format!("{epochs} epochs"),
    };
    format!(
        "{hidden}; {}, learning rate {}, {length}, seed {}, {}; data: {data}",
        training.optimizer.name(),
        training.learning_rate,
        training.seed,
        training.precision
    )
}
