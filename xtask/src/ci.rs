//! `cargo xtask ci`: everything that must hold before a change is in, cheapest first.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use cargo_metadata::TargetKind;
use clap::ValueEnum;

use crate::{doc_paths, fetch_data, layers, metadata, msrv, readme};

/// Run what CI runs: the checks below, in this order, up to the first failure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these checks
    #[arg(value_name = "CHECK")]
    only: Vec<Step>,
    /// A folder that has the data sets: they are copied into data/, and then the tests that need
    /// real images must find them
    #[arg(long, value_name = "DIR")]
    data_from: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Formatting
    Fmt,
    /// Who may import whom
    Layers,
    /// The promised Rust version
    Msrv,
    /// Files that documents name
    DocPaths,
    /// Clippy, warnings denied
    Clippy,
    /// Each feature of dnn-data alone, warnings denied
    Features,
    /// Documentation, warnings denied
    Doc,
    /// The data sets of --data-from
    Data,
    /// The README's test command
    Test,
    /// Every example of the library crates
    Examples,
    /// The HDF5 backend on the C library, against the one in pure Rust
    Libhdf5,
    /// The README's first command in a clean clone
    FirstRun,
}

/// What users of one kind of data ask for; and none of it.
const DATA_FEATURES: [&str; 11] =
    ["", "hdf5", "idx", "npz", "cifar", "csv", "image", "folder", "cache", "augment", "synthetic"];

/// Runs the steps in order; gives the first failure.
///
/// # Errors
/// When `--data-from` is no path.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<Vec<String>> {
    // Absolute, as the commands run at the root.
    let data_from = args.data_from.as_ref().map(std::path::absolute).transpose()?;
    let ci = Ci { root, data_from: data_from.as_deref() };
    let wanted = |step: &Step| args.only.is_empty() || args.only.contains(step);
    let steps: Vec<Step> = Step::value_variants().iter().copied().filter(wanted).collect();
    let mut took: Vec<(String, Duration)> = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let name = name(*step);
        eprintln!("\n=== {name} ({} of {})", i + 1, steps.len());
        let start = Instant::now();
        if let Err(error) = ci.step(*step) {
            return Ok(vec![format!(
                "error: check `{name}` failed: {error:#}\nto repeat it alone: cargo xtask ci {name}"
            )]);
        }
        eprintln!("=== {name}: passed in {:.1} s", start.elapsed().as_secs_f64());
        took.push((name, start.elapsed()));
    }
    eprintln!();
    for (name, duration) in &took {
        eprintln!("{name:10} {:7.1} s", duration.as_secs_f64());
    }
    let total: Duration = took.iter().map(|(_, duration)| *duration).sum();
    eprintln!("{:10} {:7.1} s: all checks passed", "total", total.as_secs_f64());
    Ok(Vec::new())
}

fn name(step: Step) -> String {
    step.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

struct Ci<'a> {
    root: &'a Path,
    data_from: Option<&'a Path>,
}

impl Ci<'_> {
    fn step(&self, step: Step) -> anyhow::Result<()> {
        match step {
            Step::Fmt => self.cargo("fmt --all -- --check"),
            Step::Layers => none(&layers::check(self.root)?),
            Step::Msrv => none(&msrv::check(self.root)?),
            Step::DocPaths => none(&doc_paths::check(self.root)?),
            Step::Clippy => self.cargo("clippy --workspace --all-targets -- -D warnings"),
            Step::Features => DATA_FEATURES.iter().try_for_each(|feature| {
                let flags = ["--no-default-features", "--features", feature];
                let mut clippy = self.command("cargo");
                clippy.args(["clippy", "--package", "dnn-data"]).args(flags);
                execute(clippy.args(["--", "-D", "warnings"]))
            }),
            Step::Doc => {
                let mut doc = self.command("cargo");
                doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings");
                execute(&mut doc)
            }
            Step::Data => self.data(),
            Step::Test => self.test(),
            Step::Examples => self.examples(),
            Step::Libhdf5 => self.libhdf5(),
            Step::FirstRun => self.first_run(),
        }
    }

    /// A command at the root. Without the variables that cargo sets for us alone: left in, they
    /// would make build scripts that watch them run again.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        if self.data_from.is_some() {
            command.env("DNN_REQUIRE_DATA", "1");
        }
        command
    }

    fn cargo(&self, args: &str) -> anyhow::Result<()> {
        execute(self.command("cargo").args(args.split(' ')))
    }

    fn data(&self) -> anyhow::Result<()> {
        let Some(from) = self.data_from else {
            eprintln!("no --data-from: the tests that need real images look into data/, or skip");
            return Ok(());
        };
        let sets = fetch_data::sets_in(self.root, from)?;
        ensure!(!sets.is_empty(), "{}: has none of the data sets", from.display());
        let mut fetch = self.command("cargo");
        fetch.args(["xtask", "fetch-data"]).args(sets).arg("--from").arg(from);
        execute(&mut fetch)
    }

    fn test(&self) -> anyhow::Result<()> {
        let command = self.readme_command("cargo test")?;
        ensure!(
            command.starts_with("cargo test --workspace"),
            "README.md's test command is `{command}`: it must test the whole workspace"
        );
        execute(self.command("sh").args(["-c", &command]))
    }

    /// The README's first command that starts with `start`.
    fn readme_command(&self, start: &str) -> anyhow::Result<String> {
        let commands = readme::commands(self.root)?;
        commands
            .into_iter()
            .find(|command| command.starts_with(start))
            .with_context(|| format!("README.md has no `{start} …` in a block marked sh"))
    }

    /// Each library crate shows by an example that it can be used alone.
    fn examples(&self) -> anyhow::Result<()> {
        let metadata = metadata::read(self.root)?;
        for package in metadata.workspace_packages() {
            if !package.targets.iter().any(|target| target.is_kind(TargetKind::Lib)) {
                continue;
            }
            let mut n_run = 0;
            for example in &package.targets {
                if !example.is_kind(TargetKind::Example) {
                    continue;
                }
                let mut run = self.command("cargo");
                run.args(["run", "--package", package.name.as_str(), "--example", &example.name]);
                if !example.required_features.is_empty() {
                    run.args(["--features", &example.required_features.join(",")]);
                }
                execute(&mut run)?;
                n_run += 1;
            }
            ensure!(n_run > 0, "{}: no example in its examples/", package.name);
        }
        Ok(())
    }

    fn libhdf5(&self) -> anyhow::Result<()> {
        let all = || {
            self.cargo(
                "clippy --package dnn-data --features libhdf5 --all-targets -- -D warnings",
            )?;
            self.cargo("test --package dnn-data --features libhdf5")
        };
        all().context("needs the C library, version 1.10 or later: apt-get install libhdf5-dev")
    }

    /// What a newcomer types first, with nothing built and nothing fetched.
    fn first_run(&self) -> anyhow::Result<()> {
        let command = self.readme_command("cargo run")?;
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let clone = folder.path().join("clone");
        execute(self.command("git").arg("clone").arg("--quiet").arg(self.root).arg(&clone))?;
        let start = Instant::now();
        execute(
            self.command("sh")
                .args(["-c", &command])
                .current_dir(&clone)
                .env("CARGO_TARGET_DIR", folder.path().join("target"))
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("DNN_REQUIRE_DATA"),
        )?;
        eprintln!(
            "`{command}` in a clean clone, build included: {:.1} s",
            start.elapsed().as_secs_f64()
        );
        let status = self
            .command("git")
            .args(["status", "--porcelain"])
            .current_dir(&clone)
            .output()
            .context("git did not start")?;
        let status = String::from_utf8_lossy(&status.stdout);
        ensure!(status.is_empty(), "`{command}` leaves files that git sees:\n{status}");
        Ok(())
    }
}

/// Runs a command, shown as one would type it.
fn execute(command: &mut Command) -> anyhow::Result<()> {
    let mut shown = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        shown += " ";
        shown += &arg.to_string_lossy();
    }
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("`{shown}` did not start"))?;
    ensure!(status.success(), "`{shown}` ended with {status}");
    Ok(())
}

fn none(findings: &[String]) -> anyhow::Result<()> {
    if !findings.is_empty() {
        bail!(findings.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_with_its_status() {
        let error = execute(Command::new("sh").args(["-c", "exit 3"])).expect_err("exit 3");
        assert!(error.to_string().starts_with("`sh -c exit 3` ended with"), "{error}");
        assert!(execute(Command::new("sh").args(["-c", "exit 0"])).is_ok());
    }

    #[test]
    fn findings_fail_their_step() {
        assert!(none(&[]).is_ok());
        assert_eq!(none(&["a".into(), "b".into()]).expect_err("two").to_string(), "a\nb");
    }

    #[test]
    fn the_test_command_must_be_for_the_workspace() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ci = Ci { root: folder.path(), data_from: None };
        let complain = |text: &str| {
            std::fs::write(folder.path().join("README.md"), text).expect("write README.md");
            ci.test().expect_err("no such command").to_string()
        };
        assert!(complain("cargo test --workspace").contains("no `cargo test …`"));
        assert!(complain("```sh\ncargo test\n```").contains("must test the whole workspace"));
    }
}
