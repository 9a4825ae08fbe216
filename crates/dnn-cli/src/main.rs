//! The `dnn` program: trains, judges and applies a deep fully-connected image classifier.
//!
//! Glue only: `cli` says what can be asked for, `commands` has a file for each subcommand, which
//! parses, calls the libraries and prints. Results go to standard output, everything else to
//! standard error; the exit code is 0, 1 (a requirement was not met), 2 (an error), or 130 and 143
//! (interrupted by SIGINT or SIGTERM).

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
mod output;
mod progress;
mod quality;
mod run;
mod settings;
mod source;
mod table;

use clap::Parser;
use dnn_data::Shown;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

/// Exit code of every error, as clap's own for a wrong command line.
const ERROR: u8 = 2;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    interrupt::survive_file_size_limit();
    match cli::run(&cli) {
        Ok(code) => code,
        // Who reads our output has seen enough: `dnn inspect x | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            if error.is::<interrupt::Interrupted>() {
                interrupt::exit_code()
            } else {
                ExitCode::from(ERROR)
            }
        }
    }
}

/// Prints what clap has to say of the command line, which quotes the arguments: those that would steer
/// the terminal, or break a line, are escaped.
fn refuse(error: &clap::Error) -> ExitCode {
    let escaped = |argument: OsString| argument.to_string_lossy().shown().into_owned();
    let of_escaped = cli::Cli::try_parse_from(std::env::args_os().map(escaped)).err();
    of_escaped.as_ref().unwrap_or(error).exit()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().map(io::Error::kind)
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// The error and its causes, a line each.
fn report(error: &anyhow::Error) {
    let mut before = "error";
    for text in console::causes(error.as_ref()) {
        console::warn(format!("{before}: {text}"));
        before = "  because";
    }
}
