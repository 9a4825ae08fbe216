//! Tasks of the workspace that plain cargo does not do.
//!
//! Exit codes: 0 done, 1 a check found something, 2 the task could not be done.

mod bench_peers;
mod ci;
mod doc_paths;
mod fetch_data;
mod wasm;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Tasks of the workspace that plain cargo does not do.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    FetchData(fetch_data::Args),
    /// Check that crates import only what the layering allows.
    Layers,
    /// Check that no dependency needs a newer Rust than the workspace promises.
    Msrv,
    /// Check that the files that ARCHITECTURE.md names, and those that documents link to, exist.
    DocPaths,
    /// Build the WebAssembly of `dnn export --format html`, for the next build of dnn to have it
    Wasm,
    Ci(ci::Args),
    BenchPeers(bench_peers::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(&cli.task).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

fn run(task: &Task) -> anyhow::Result<ExitCode> {
    let root = workspace_root()?;
    let findings = match task {
        Task::FetchData(args) => fetch_data::run(&root, args).map(|()| Vec::new())?,
        Task::Layers => workspace::check_layers(&root)?,
        Task::Msrv => workspace::check_msrv(&root)?,
        Task::DocPaths => doc_paths::check(&root)?,
        Task::Wasm => wasm::run(&root).map(|()| Vec::new())?,
        Task::Ci(args) => ci::run(&root, args)?,
        Task::BenchPeers(args) => return bench_peers::run(&root, args),
    };
    for finding in &findings {
        eprintln!("{finding}");
    }
    Ok(ExitCode::from(u8::from(!findings.is_empty())))
}

/// The folder of the workspace: cargo says at run time where this package lies, which stays right
/// when several checkouts share one target folder.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.parent().context("the folder of xtask has no parent")?;
    Ok(root.to_path_buf())
}

/// A command at the root. Without the variables that cargo sets for this program alone: left in,
/// they would make build scripts that watch them run again.
fn command(root: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// `--help` too: they are run.py's.
    #[test]
    fn bench_peers_passes_its_arguments_on() {
        for flags in [&["--help"][..], &["--job", "growth", "--quick", "--python", "a b"]] {
            let command_line = [&["cargo xtask", "bench-peers"], flags].concat();
            let Task::BenchPeers(args) = Cli::parse_from(command_line).task else {
                panic!("bench-peers is no other task");
            };
            assert_eq!(args.arguments, flags);
        }
    }
}
