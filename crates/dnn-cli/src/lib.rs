//! What the programs `dnn` and `dnn-mpi` are made of: their command line and what it does.
//!
//! Glue only: `cli` says what can be asked for, `commands` has a file for each subcommand, which
//! parses, calls the libraries and prints. Results go to standard output, everything else to
//! standard error; the exit code is 0, 1 (a requirement was not met), 2 (an error), or 130 and 143
//! (interrupted by SIGINT or SIGTERM).
//!
//! A program is five lines: [`use_huge_pages`], [`command`], [`matches`] to parse it, [`run_command`] with what was found, and
//! [`report`] for the error.

mod args;
mod cli;
mod commands;
mod console;
#[cfg(test)]
mod edited;
mod file;
mod input;
mod interrupt;
mod judge;
mod memory;
mod output;
mod progress;
mod quality;
mod ranks;
mod recipes;
mod run;
mod settings;
mod shard;
mod source;
mod table;

pub use cli::command;
pub use memory::use_huge_pages;
pub use ranks::Ranks;

use anyhow::Context;
use clap::{ArgMatches, Command, FromArgMatches};
use dnn_data::Shown;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

/// Exit code of every error, as clap's own for a wrong command line.
const ERROR: u8 = 2;

/// Returns what the command line asks for.
///
/// # Errors
/// The message of clap for a wrong command line, or the help that is asked for. A message quotes the
/// arguments: those that would steer the terminal, or break a line, are escaped.
pub fn matches(command: &Command) -> Result<ArgMatches, clap::Error> {
    command.clone().try_get_matches().map_err(|error| {
        let escaped = |argument: OsString| argument.to_string_lossy().shown().into_owned();
        let of_escaped = command.clone().try_get_matches_from(std::env::args_os().map(escaped));
        of_escaped.err().unwrap_or(error)
    })
}

/// Does what the command line asks for, on this rank.
///
/// # Errors
/// Whatever keeps the subcommand from its work, for [`report`]; ranks that do not fit together.
pub fn run_command(matches: &ArgMatches, ranks: Ranks) -> anyhow::Result<ExitCode> {
    interrupt::survive_file_size_limit();
    let cli = cli::Cli::from_arg_matches(matches).context("the command line")?;
    ranks::start(ranks)?;
    match cli::run(&cli) {
        // Who reads what is not a result has seen enough, too: `dnn completions bash | head`.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().map(io::Error::kind)
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// Prints the error and its causes, a line each, and returns the exit code for it.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let mut before =
        ranks::rank_prefix().map_or_else(|| "error".into(), |rank| format!("error: {rank}"));
    for text in console::causes(error.as_ref()) {
        console::warn_on_any_rank(format!("{before}: {text}"));
        before = "  because".into();
    }
    if error.is::<interrupt::Interrupted>() {
        interrupt::exit_code()
    } else {
        ExitCode::from(ERROR)
    }
}
