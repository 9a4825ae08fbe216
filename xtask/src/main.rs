//! Tasks of the workspace that plain cargo does not do.
//!
//! Exit codes: 0 done, 1 a check found something, 2 the task could not be done.

mod bench_peers;
mod ci;
mod doc_paths;
mod fetch_data;
mod layers;
mod metadata;
mod msrv;
mod readme;

use std::path::PathBuf;
use std::process::ExitCode;

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
    Ci(ci::Args),
    BenchPeers(bench_peers::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.task) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in findings {
                eprintln!("{finding}");
            }
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What the task found wrong; nothing when it is done.
fn run(task: &Task) -> anyhow::Result<Vec<String>> {
    let root = workspace_root()?;
    match task {
        Task::FetchData(args) => fetch_data::run(&root, args).map(|()| Vec::new()),
        Task::Layers => layers::check(&root),
        Task::Msrv => msrv::check(&root),
        Task::DocPaths => doc_paths::check(&root),
        Task::Ci(args) => ci::run(&root, args),
        Task::BenchPeers(args) => bench_peers::run(&root, args),
    }
}

/// The folder of the workspace: cargo says at run time where this package lies, which stays right
/// when several checkouts share one target folder.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.parent().context("the folder of xtask has no parent")?;
    Ok(root.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
