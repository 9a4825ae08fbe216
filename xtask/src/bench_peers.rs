//! `cargo xtask bench-peers`: finds a Python for `benches/peers/run.py`, which measures.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::command;

/// Measure the same jobs here and in the Python peers, and write docs/performance.md's table.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// What run.py is given; `--help` lists its flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

/// Runs the driver in the system's Python and returns its exit code.
///
/// # Errors
/// When there is no Python.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let status = python(root)?
        .arg(root.join("benches/peers/run.py"))
        .args(&args.arguments)
        // A relative path among the arguments is meant from here.
        .current_dir(std::env::current_dir()?)
        .status()
        .context("Python did not start")?;
    // Without a code when a signal ended it.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)))
}

/// The system's Python at the root, leaving no compiled files in the source tree.
///
/// # Errors
/// When there is none.
pub(crate) fn python(root: &Path) -> anyhow::Result<Command> {
    let name = ["python3", "python"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()))
        .context("no python3 here: install Python 3.11 or later")?;
    let mut python = command(root, name);
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(python)
}
