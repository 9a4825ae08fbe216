//! The command line, and which subcommand does what it asks for.

#[cfg(feature = "serve")]
use crate::commands::serve;
use crate::commands::{
    audit, compare, config, convert, draw, evaluate, explain, export, gradcheck, inspect, lr_find,
    merge, predict, preview, report, sweep, train, tune,
};
use crate::console::Console;
use crate::ranks;
use crate::shard::Shards;
use anyhow::{Context, bail};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::io::{self, Write};
use std::process::ExitCode;

/// Train, judge and apply a deep fully-connected image classifier.
///
/// Without a subcommand: trains the course's deep network on the cat images in data/, or on drawn
/// ones when those are not there.
#[derive(Debug, Parser)]
#[command(name = "dnn", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Print the result only: no progress, no hints
    #[arg(long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Sweep(sweep::Args),
    Tune(Box<tune::Args>),
    LrFind(Box<lr_find::Args>),
    Evaluate(evaluate::Args),
    Compare(compare::Args),
    Explain(Box<explain::Args>),
    Report(Box<report::Args>),
    Predict(predict::Args),
    Merge(merge::Args),
    Export(export::Args),
    #[cfg(feature = "serve")]
    Serve(serve::Args),
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
    /// Print a script that completes `dnn` commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    Init(config::InitArgs),
    Check(config::CheckArgs),
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Draw(draw::Args),
    Convert(Box<convert::Args>),
    Audit(Box<audit::Args>),
    Preview(Box<preview::Args>),
}

/// Returns the command line, to be parsed.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the command line asks for.
///
/// # Errors
/// Whatever keeps the subcommand from its work; the exit code is then 2.
pub(crate) fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let console = Console { json: cli.json, quiet: cli.quiet || !ranks::is_first() };
    if !matches!(cli.command, Some(Command::Train(_) | Command::Evaluate(_) | Command::Predict(_)))
    {
        ranks::only_one("this subcommand")?;
    }
    match &cli.command {
        None => train::main_job(console),
        Some(Command::Train(args)) => train::run(args, console),
        Some(Command::Sweep(args)) => sweep::run(args, console),
        Some(Command::Tune(args)) => tune::run(args, console),
        Some(Command::LrFind(args)) => lr_find::run(args, console),
        Some(Command::Evaluate(args)) => evaluate::run(args, console),
        Some(Command::Compare(args)) => compare::run(args, console),
        Some(Command::Explain(args)) => explain::run(args, console),
        Some(Command::Report(args)) => report::run(args, console),
        Some(Command::Predict(args)) => predict::run(args, console),
        Some(Command::Merge(args)) => merge_shards(args, console),
        Some(Command::Export(args)) => export::run(args, console),
        #[cfg(feature = "serve")]
        Some(Command::Serve(args)) => serve::run(args, console),
        Some(Command::Inspect(args)) => inspect::run(args, console),
        Some(Command::Gradcheck(args)) => gradcheck::run(args, console),
        Some(Command::Data { command: DataCommand::Draw(args) }) => draw::run(args, console),
        Some(Command::Data { command: DataCommand::Convert(args) }) => convert::run(args, console),
        Some(Command::Data { command: DataCommand::Audit(args) }) => audit::run(args, console),
        Some(Command::Data { command: DataCommand::Preview(args) }) => preview::run(args, console),
        Some(Command::Config { command: ConfigCommand::Init(args) }) => config::init(args, console),
        Some(Command::Config { command: ConfigCommand::Check(args) }) => {
            config::check(args, console)
        }
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "dnn", &mut script);
            io::stdout().lock().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Does what the command of these shards does once all its work is done.
fn merge_shards(args: &merge::Args, console: Console) -> anyhow::Result<ExitCode> {
    let shards = Shards::read(&args.shards)?;
    let words = ["dnn"].into_iter().chain(shards.command.iter().map(String::as_str));
    match Cli::try_parse_from(words).context("the command of the shards")?.command {
        Some(Command::Sweep(args)) => sweep::merge(&args, &shards, console),
        Some(Command::Tune(args)) => tune::merge(&args, &shards, console),
        Some(Command::Predict(args)) => predict::merge(&args, &shards, console),
        Some(Command::Data { command: DataCommand::Convert(args) }) => {
            convert::merge(&args, &shards, console)
        }
        Some(Command::Data { command: DataCommand::Audit(args) }) => {
            audit::merge(&args, &shards, console)
        }
        _ => bail!("the command of the shards has no shards: dnn {}", shards.command.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_flag_is_answered_with_the_nearest() {
        let error = Cli::try_parse_from(["dnn", "train", "--iteratons", "5"]).unwrap_err();
        assert!(error.to_string().contains("--iterations"), "{error}");
        let error = Cli::try_parse_from(["dnn", "trian"]).unwrap_err();
        assert!(error.to_string().contains("'train'"), "{error}");
    }
}
