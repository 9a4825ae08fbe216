//! The subcommands, a file each.

pub(crate) mod audit;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod draw;
pub(crate) mod evaluate;
mod folds;
pub(crate) mod gradcheck;
pub(crate) mod inspect;
pub(crate) mod predict;
pub(crate) mod preview;
pub(crate) mod sweep;
pub(crate) mod train;

use crate::args::{Cli, Command, ConfigCommand, DataCommand};
use crate::console::Console;
use std::process::ExitCode;

/// Runs what the command line asks for.
///
/// # Errors
/// Whatever keeps the subcommand from its work; the exit code is then 2.
pub(crate) fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let console = Console { json: cli.json, quiet: cli.quiet };
    match &cli.command {
        None => train::main_job(console),
        Some(Command::Train(args)) => train::run(args, console),
        Some(Command::Sweep(args)) => sweep::run(args, console),
        Some(Command::Evaluate(args)) => evaluate::run(args, console),
        Some(Command::Compare(args)) => compare::run(args, console),
        Some(Command::Predict(args)) => predict::run(args, console),
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
        Some(Command::Completions(args)) => completions::run(args),
    }
}
