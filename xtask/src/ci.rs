//! `cargo xtask ci`: everything that must hold before a change is in, cheapest first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::builder::PossibleValuesParser;

use crate::workspace::{Metadata, check_layers, check_msrv};
use crate::{bench_peers, doc_paths, fetch_data, wasm};

/// Run what CI runs: the checks below, in this order, up to the first failure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these checks
    #[arg(value_name = "CHECK", value_parser = PossibleValuesParser::new(CHECKS.map(|(name, _)| name)))]
    only: Vec<String>,
    /// A folder that has the data sets: they are copied into data/, and then the tests that need
    /// real images must find them
    #[arg(long, value_name = "DIR")]
    data_from: Option<PathBuf>,
}

type Check = fn(&Ci) -> anyhow::Result<()>;

/// The checks in their order; what each is for stands in docs/xtask.md.
const CHECKS: [(&str, Check); 22] = [
    ("fmt", |ci| ci.cargo("fmt --all -- --check")),
    ("layers", |ci| no_findings(&check_layers(&ci.root)?)),
    ("msrv", |ci| no_findings(&check_msrv(&ci.root)?)),
    ("doc-paths", |ci| no_findings(&doc_paths::check(&ci.root)?)),
    ("peers", |ci| {
        let tests = ["-m", "unittest", "discover", "--start-directory", "benches/peers"];
        execute(bench_peers::python(&ci.root)?.args(tests))
    }),
    ("openapi", Ci::openapi),
    ("package", |ci| {
        ci.cargo("package --workspace --exclude xtask --no-verify --allow-dirty --quiet")
    }),
    ("clippy", |ci| ci.cargo("clippy --workspace --all-targets -- -D warnings")),
    ("features", Ci::features),
    ("doc", |ci| {
        let mut doc = ci.command("cargo");
        execute(doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings"))
    }),
    ("targets", Ci::targets),
    ("loom", |ci| {
        let mut test = ci.command("cargo");
        test.args(["test", "--locked", "--manifest-path", "loom/Cargo.toml"]);
        execute(test.env("RUSTFLAGS", "--cfg loom"))
    }),
    ("emulated", Ci::emulated),
    ("data", Ci::data),
    ("wasm", Ci::wasm),
    ("test", Ci::test),
    ("pages", Ci::pages),
    ("examples", Ci::examples),
    ("export", Ci::export),
    ("libhdf5", Ci::libhdf5),
    ("mpi", Ci::mpi),
    ("first-run", Ci::first_run),
];

/// The target whose processors have NEON, and what links for it.
const NEON: &str = "aarch64-unknown-linux-gnu";
const NEON_LINKER: (&str, &str) =
    ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
const X86_64: &str = "x86_64-unknown-linux-gnu";

/// The processors that the kernels are tested on besides this machine's: target and emulator.
const EMULATED: [(&str, &str); 3] = [
    (NEON, "qemu-aarch64 -L /usr/aarch64-linux-gnu"),
    // AVX2 with FMA, no AVX-512.
    (X86_64, "qemu-x86_64 -cpu Haswell"),
    // No AVX: scalar code.
    (X86_64, "qemu-x86_64 -cpu Nehalem"),
];

/// What everything but xtask, whose TLS is in C, compiles for.
const TARGETS: [&str; 3] = [NEON, "x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// Runs the checks in order; gives the first failure.
///
/// # Errors
/// When `--data-from` is no path.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<Vec<String>> {
    // Absolute, as the commands run at the root.
    let data_from = args.data_from.as_ref().map(std::path::absolute).transpose()?;
    let ci = Ci { root: root.to_owned(), data_from };
    let is_wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut took: Vec<(&str, Duration)> = Vec::new();
    for (name, check) in CHECKS.into_iter().filter(|(name, _)| is_wanted(name)) {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        if let Err(error) = check(&ci) {
            return Ok(vec![format!(
                "error: check `{name}` failed: {error:#}\nto repeat it alone: cargo xtask ci {name}"
            )]);
        }
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

struct Ci {
    root: PathBuf,
    data_from: Option<PathBuf>,
}

impl Ci {
    fn command(&self, program: &str) -> Command {
        let mut command = crate::command(&self.root, program);
        if self.data_from.is_some() {
            command.env("DNN_REQUIRE_DATA", "1");
        }
        command
    }

    fn cargo(&self, args: &str) -> anyhow::Result<()> {
        execute(self.command("cargo").args(args.split(' ')))
    }

    /// `dnn-mpi`, a workspace of its own, where MPI is installed; .ci/run installs it.
    fn mpi(&self) -> anyhow::Result<()> {
        if !Command::new("mpirun").arg("--version").output().is_ok_and(|out| out.status.success()) {
            ensure!(std::env::var_os("DNN_REQUIRE_MPI").is_none(), "mpirun is missing");
            eprintln!("skipped: mpirun is missing (libopenmpi-dev openmpi-bin libclang-dev)");
            return Ok(());
        }
        let manifest = "--manifest-path crates/dnn-mpi/Cargo.toml --locked";
        self.cargo("fmt --manifest-path crates/dnn-mpi/Cargo.toml -- --check")?;
        self.cargo(&format!("clippy {manifest} --all-targets -- -D warnings"))?;
        self.cargo(&format!("test {manifest}"))
    }

    /// Each feature of a library alone, as users of one kind of data ask for it; and none.
    fn features(&self) -> anyhow::Result<()> {
        let metadata = Metadata::read(&self.root)?;
        for package in metadata.members().filter(|package| package.is_library()) {
            // `libhdf5` needs a system library, and has a check of its own.
            let all = package
                .features
                .keys()
                .filter(|name| !["default", "libhdf5"].contains(&name.as_str()));
            let none = (!package.features.is_empty()).then_some("");
            for feature in all.map(String::as_str).chain(none) {
                self.cargo(&format!(
                    "clippy --package {} --no-default-features --features={feature} -- -D warnings",
                    package.name
                ))?;
            }
        }
        Ok(())
    }

    /// The program and its libraries for other machines, without their compiler for C.
    fn targets(&self) -> anyhow::Result<()> {
        for target in TARGETS {
            self.cargo(&format!("check --workspace --exclude xtask --target {target}"))
                .with_context(|| format!("needs rustup target add {target}"))?;
        }
        Ok(())
    }

    /// The kernels' tests on emulated processors. An x86-64 machine runs the same programs as `test` there;
    /// another one leaves those processors out. Random tests try a quarter of their cases, because emulation
    /// takes some 15 times as long; dnn-train's tests would take half an hour.
    fn emulated(&self) -> anyhow::Result<()> {
        for (target, emulator) in EMULATED {
            let mut test = self.command("cargo");
            test.args(["test", "--package", "dnn-core", "--lib", "--tests"]);
            if target != X86_64 {
                test.args(["--target", target]);
            } else if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
                eprintln!("skipped: {emulator} emulates a processor for programs of {target}");
                continue;
            }
            let runner = format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace('-', "_"));
            test.env(runner, emulator).env(NEON_LINKER.0, NEON_LINKER.1);
            eprintln!("with {emulator}");
            execute(test.env("PROPTEST_CASES", "64")).context(
                "needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user, by Debian's names",
            )?;
        }
        Ok(())
    }

    fn data(&self) -> anyhow::Result<()> {
        let Some(from) = &self.data_from else {
            eprintln!("no --data-from: the tests that need real images look into data/, or skip");
            return Ok(());
        };
        let sets = fetch_data::sets_in(&self.root, from)?;
        ensure!(!sets.is_empty(), "{}: has none of the data sets", from.display());
        let mut fetch = self.command("cargo");
        execute(fetch.args(["xtask", "fetch-data"]).args(sets).arg("--from").arg(from))
    }

    /// What the server says of itself, held to the OpenAPI specification.
    fn openapi(&self) -> anyhow::Result<()> {
        let venv = self.root.join("target/openapi");
        execute(self.command("python3").args(["-m", "venv"]).arg(&venv))?;
        let bin = |name: &str| Command::new(venv.join("bin").join(name));
        execute(bin("pip").args(["install", "--quiet", "openapi-spec-validator==0.9.0"]))?;
        let document = self.root.join("crates/dnn-serve/src/openapi.json");
        execute(bin("openapi-spec-validator").arg(document))
    }

    /// The page's WebAssembly, for the tests that follow; the same bytes from another folder.
    fn wasm(&self) -> anyhow::Result<()> {
        wasm::run(&self.root)?;
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let clone = folder.path().join("elsewhere");
        execute(self.command("git").arg("clone").arg("--quiet").arg(&self.root).arg(&clone))?;
        let again = wasm::build(&clone, &folder.path().join("target"))?;
        let built = wasm::build(&self.root, &self.root.join("target"))?;
        ensure!(built == again, "built from a clone of HEAD, the WebAssembly has other bytes");
        Ok(())
    }

    /// Pages in a real browser, judged by axe-core as well.
    fn pages(&self) -> anyhow::Result<()> {
        let npm = self.root.join("target/npm");
        let install =
            ["install", "--no-audit", "--no-fund", "--silent", "axe-core@4.10.3", "--prefix"];
        execute(self.command("npm").args(install).arg(&npm))?;
        execute(
            self.command("cargo")
                .args(["test", "--package", "dnn-cli", "--test", "page"])
                .env("DNN_REQUIRE_BROWSER", "1")
                .env("DNN_AXE", npm.join("node_modules/axe-core/axe.min.js")),
        )
    }

    fn test(&self) -> anyhow::Result<()> {
        let command = self.readme_command("cargo test")?;
        ensure!(
            command.starts_with("cargo test --workspace"),
            "README.md's test command is `{command}`: it must test the whole workspace"
        );
        execute(self.command("sh").args(["-c", &command]))
    }

    /// The README's first command that starts with `start`, of those in blocks marked `sh`.
    fn readme_command(&self, start: &str) -> anyhow::Result<String> {
        let path = self.root.join("README.md");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{}: read failed", path.display()))?;
        let mut is_shell = false;
        for line in text.lines() {
            if let Some(info) = line.strip_prefix("```") {
                is_shell = info == "sh";
            } else if is_shell && line.starts_with(start) {
                return Ok(line.split(" #").next().unwrap_or(line).trim().to_owned());
            }
        }
        anyhow::bail!("README.md has no `{start} …` in a block marked sh")
    }

    /// Every example of every crate.
    fn examples(&self) -> anyhow::Result<()> {
        for package in Metadata::read(&self.root)?.members() {
            for example in package.targets.iter().filter(|target| target.kind == ["example"]) {
                let mut run = self.command("cargo");
                run.args(["run", "--package", &package.name, "--example", &example.name]);
                execute(run.args(["--features", &example.required_features.join(",")]))?;
            }
        }
        Ok(())
    }

    /// Exported models in the runtimes of others, installed here; nothing is skipped.
    fn export(&self) -> anyhow::Result<()> {
        let folder = self.root.join("target").join("export");
        let python = folder.join("python");
        let venv = ["-m", "venv"].map(Path::new);
        execute(bench_peers::python(&self.root)?.args(venv).arg(&python))
            .context("needs Python's module venv: apt-get install python3-venv")?;
        let python = python.join(if cfg!(windows) { "Scripts" } else { "bin" }).join("python");
        let tests = self.root.join("crates").join("dnn-export").join("tests");
        let mut install = self.command(&python.to_string_lossy());
        let install = install.args(["-m", "pip", "install", "--quiet", "--requirement"]);
        execute(install.arg(tests.join("requirements.txt")))?;
        let mut install = self.command("npm");
        let install = install.args(["install", "--silent", "--no-save", "--prefix"]).arg(&folder);
        execute(install.arg("onnxruntime-web@1.30.0"))
            .context("needs Node: apt-get install nodejs npm")?;
        let mut test = self.command("cargo");
        test.args(["test", "--package", "dnn-export"])
            .env("DNN_PYTHON", &python)
            .env("DNN_ONNXRUNTIME_WEB", folder.join("node_modules").join("onnxruntime-web"))
            .envs(["DNN_REQUIRE_ONNXRUNTIME", "DNN_REQUIRE_CC"].map(|name| (name, "1")));
        execute(&mut test)
    }

    fn libhdf5(&self) -> anyhow::Result<()> {
        [
            "clippy --package dnn-data --features libhdf5 --all-targets -- -D warnings",
            "test --package dnn-data --features libhdf5",
        ]
        .into_iter()
        .try_for_each(|args| self.cargo(args))
        .context("needs the C library, version 1.10 or later: apt-get install libhdf5-dev")
    }

    /// What a newcomer types first, with nothing built and nothing fetched.
    fn first_run(&self) -> anyhow::Result<()> {
        let command = self.readme_command("cargo run")?;
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let clone = folder.path().join("clone");
        execute(self.command("git").arg("clone").arg("--quiet").arg(&self.root).arg(&clone))?;
        let start = Instant::now();
        execute(
            self.command("sh")
                .args(["-c", &command])
                .current_dir(&clone)
                .env("CARGO_TARGET_DIR", folder.path().join("target"))
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("DNN_REQUIRE_DATA"),
        )?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("`{command}` in a clean clone, build included: {seconds:.1} s");
        let mut git = self.command("git");
        git.args(["status", "--porcelain"]).current_dir(&clone);
        let status = git.output().context("git did not start")?.stdout;
        let status = String::from_utf8_lossy(&status);
        ensure!(status.is_empty(), "`{command}` leaves files that git sees:\n{status}");
        Ok(())
    }
}

/// Runs a command, shown as one would type it.
fn execute(command: &mut Command) -> anyhow::Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("`{shown}` did not start"))?;
    ensure!(status.success(), "`{shown}` ended with {status}");
    Ok(())
}

fn no_findings(findings: &[String]) -> anyhow::Result<()> {
    ensure!(findings.is_empty(), findings.join("\n"));
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
    fn findings_fail_their_check() {
        assert!(no_findings(&[]).is_ok());
        let error = no_findings(&["a".into(), "b".into()]).expect_err("two");
        assert_eq!(error.to_string(), "a\nb");
    }

    #[test]
    fn commands_come_from_shell_blocks_of_the_readme() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ci = Ci { root: folder.path().to_owned(), data_from: None };
        let write = |text: &str| {
            std::fs::write(folder.path().join("README.md"), text).expect("write README.md");
        };
        write("cargo test --workspace");
        assert!(ci.test().expect_err("no block").to_string().contains("no `cargo test …`"));
        write("```sh\ncargo test\n```");
        let error = ci.test().expect_err("one crate's tests");
        assert!(error.to_string().contains("must test the whole workspace"), "{error}");
        write("cargo run a\n```rust\ncargo run b\n```\n```sh\n# c\ncargo run d   # e\n```\n");
        assert_eq!(ci.readme_command("cargo run").expect("in a block"), "cargo run d");
    }

    #[test]
    fn every_check_is_described() {
        let document = include_str!("../../docs/xtask.md");
        for (name, _) in CHECKS {
            assert!(document.contains(&format!("`{name}`")), "docs/xtask.md has no `{name}`");
        }
    }
}
