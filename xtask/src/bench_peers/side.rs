//! The two sides: `dnn` in release, and the Python peers, both run by benches/peers/measure.py.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Args;
use super::compare::{CostPoint, Curve};
use super::environment::{self, Versions};
use crate::metadata;

/// Everything that is the same for all jobs.
pub(super) struct Bench {
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// Results, drawn data and the virtual environment.
    pub work: PathBuf,
    peers: PathBuf,
    python: PathBuf,
    dnn: PathBuf,
    pub threads: u32,
    pub repeat: u32,
    pub quick: bool,
    /// The most that other work has disturbed a run since it was last asked for.
    others_cores: Cell<f64>,
}

/// Other work on more of a core than this disturbs a run.
const QUIET_CORES: f64 = 0.2;
/// Disturbed runs are repeated this often at most, and only short ones.
const RETRIES: usize = 2;
const SHORT_S: f64 = 5.0;

/// Files with the course's training and test images.
pub(super) struct Images {
    pub train: PathBuf,
    pub test: PathBuf,
}

/// What one run of either side has come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    pub train_s: f64,
    /// Median time of an update; the peers that know it.
    pub step_s: Option<f64>,
    pub wall_s: f64,
    pub peak_rss_bytes: f64,
    pub curve: Curve,
    /// The side's own words for itself: a peer's name, or our engine.
    pub name: String,
    pub test_accuracy: Option<f64>,
}

impl Bench {
    /// Finds Python, builds `dnn`, makes the working folder.
    ///
    /// # Errors
    /// When there is no Python with the packages, or `dnn` does not build.
    pub(super) fn prepare(root: &Path, args: &Args) -> anyhow::Result<(Self, Versions)> {
        let target = metadata::read(root)?.target_directory.into_std_path_buf();
        let work = target.join("bench-peers");
        std::fs::create_dir_all(&work)
            .with_context(|| format!("{}: create folder failed", work.display()))?;
        let peers = root.join("benches").join("peers");
        let (python, versions) = environment::find(args.python.as_deref(), &peers, &work)?;
        let dnn = target.join("release").join(format!("dnn{}", std::env::consts::EXE_SUFFIX));
        let bench = Self {
            root: root.to_path_buf(),
            target,
            work,
            peers,
            python,
            dnn,
            threads: args.threads,
            repeat: args.repeat.unwrap_or(if args.quick { 1 } else { 3 }),
            quick: args.quick,
            others_cores: Cell::new(0.0),
        };
        bench.cargo(&["build", "--release", "--package", "dnn-cli"])?;
        ensure!(bench.dnn.exists(), "{}: not built", bench.dnn.display());
        Ok((bench, versions))
    }

    /// Runs cargo at the root, its messages on standard error; gives what it printed.
    pub(super) fn cargo(&self, args: &[&str]) -> anyhow::Result<String> {
        eprintln!("$ cargo {}", args.join(" "));
        let mut cargo = Command::new("cargo");
        cargo.args(args).current_dir(&self.root).stdin(Stdio::null()).stderr(Stdio::inherit());
        // Set for us by the outer cargo; build scripts that watch them would run again.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        let output = cargo.output().context("cargo did not start")?;
        let status = output.status;
        ensure!(status.success(), "cargo {} ended with {status}", args.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Builds a bench of a package and gives its program.
    ///
    /// # Errors
    /// When it does not build.
    pub(super) fn bench_program(&self, package: &str, bench: &str) -> anyhow::Result<PathBuf> {
        let args = ["bench", "--quiet", "--package", package, "--bench", bench, "--no-run"];
        let printed = self.cargo(&[&args[..], &["--message-format", "json"]].concat())?;
        program_of(&printed, bench).with_context(|| format!("cargo built no bench `{bench}`"))
    }

    /// The course's images when they are fetched, else as many drawn ones.
    ///
    /// # Errors
    /// When drawing fails.
    pub(super) fn images(&self) -> anyhow::Result<Images> {
        let data = self.root.join("data");
        let (train, test) = (data.join("train_catvnoncat.h5"), data.join("test_catvnoncat.h5"));
        if train.exists() && test.exists() {
            return Ok(Images { train, test });
        }
        let drawn = self.drawn(209, 64)?;
        Ok(Images { train: drawn.clone(), test: drawn })
    }

    /// Drawn images of this number and size, kept for the next run.
    ///
    /// # Errors
    /// When drawing fails.
    pub(super) fn drawn(&self, n_train: usize, size: usize) -> anyhow::Result<PathBuf> {
        let path = self.work.join(format!("drawn-{n_train}x{size}.h5"));
        if !path.exists() {
            let (n_train, size) = (n_train.to_string(), size.to_string());
            let out = path.to_string_lossy();
            let args = ["data", "draw", "--train", &n_train, "--size", &size, "--out", &out];
            self.launch_once(&self.dnn_command(&args))?;
        }
        Ok(path)
    }

    /// `dnn` with these arguments and `--json`: what it printed, and the launcher's measurements.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn dnn(&self, args: &[&str]) -> anyhow::Result<(Value, Launched)> {
        self.launch(&self.dnn_command(args))
    }

    fn dnn_command(&self, args: &[&str]) -> Vec<String> {
        let mut command = vec![self.dnn.to_string_lossy().into_owned()];
        command.extend(args.iter().map(|&arg| arg.to_owned()));
        command.extend(["--json".into(), "--quiet".into()]);
        command
    }

    /// A program of ours with these arguments: its JSON, and the launcher's measurements.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn program(
        &self,
        program: &Path,
        args: &[String],
    ) -> anyhow::Result<(Value, Launched)> {
        let program = program.to_string_lossy().into_owned();
        self.launch(&[&[program], args].concat())
    }

    /// `dnn train` with the job's threads; the run's folder is [`Bench::run_folder`].
    ///
    /// # Errors
    /// When it fails, or does not print what it should.
    pub(super) fn train(&self, images: &Images, flags: &[&str]) -> anyhow::Result<Run> {
        let (train, test) = (images.train.to_string_lossy(), images.test.to_string_lossy());
        let (out, threads) = (self.run_folder(), self.threads.to_string());
        let out = out.to_string_lossy();
        let mut args = vec!["train", &*train];
        if train != test {
            args.extend(["--test", &*test]);
        }
        args.extend(["--threads", &threads, "--out", &out, "--force"]);
        args.extend_from_slice(flags);
        let (json, launched) = self.dnn(&args)?;
        let n_correct = number(&json, "/test/correct");
        Ok(Run {
            train_s: number(&json, "/seconds/train").context("`dnn train` gave no seconds")?,
            step_s: None,
            wall_s: launched.wall_s,
            peak_rss_bytes: launched.peak_rss_bytes,
            curve: curve(&json)?,
            name: json.pointer("/engine").and_then(Value::as_str).unwrap_or_default().to_owned(),
            test_accuracy: n_correct.zip(number(&json, "/test/total")).map(|(n, m)| n / m),
        })
    }

    /// Where `dnn train` leaves its model.
    pub(super) fn run_folder(&self) -> PathBuf {
        self.work.join("run")
    }

    /// A peer with these arguments: its JSON line, and the launcher's measurements.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn python(
        &self,
        script: &str,
        args: &[String],
    ) -> anyhow::Result<(Value, Launched)> {
        self.launch(&self.python_command(script, args))
    }

    /// A script that prepares something, not measured.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn python_once(&self, script: &str, args: &[String]) -> anyhow::Result<()> {
        self.launch_once(&self.python_command(script, args)).map(|_| ())
    }

    fn python_command(&self, script: &str, args: &[String]) -> Vec<String> {
        let mut command = vec![
            self.python.to_string_lossy().into_owned(),
            self.peers.join(script).to_string_lossy().into_owned(),
        ];
        command.extend_from_slice(args);
        command
    }

    /// A training peer.
    ///
    /// # Errors
    /// When it fails, or does not print what it should.
    pub(super) fn peer(&self, script: &str, args: &[String]) -> anyhow::Result<Run> {
        let (json, launched) = self.python(script, args)?;
        Ok(Run {
            train_s: number(&json, "/train_seconds").context("the peer gave no seconds")?,
            step_s: number(&json, "/step_seconds"),
            wall_s: launched.wall_s,
            peak_rss_bytes: launched.peak_rss_bytes,
            curve: curve(&json)?,
            name: json.pointer("/peer").and_then(Value::as_str).unwrap_or(script).to_owned(),
            test_accuracy: number(&json, "/accuracy/test"),
        })
    }

    /// How the runs since the last call were made, as the table says it.
    pub(super) fn runs(&self) -> String {
        let mut text = format!("{} run{}", self.repeat, if self.repeat == 1 { "" } else { "s" });
        if self.quick {
            text.push_str(", quick");
        }
        if self.others_cores.take() > QUIET_CORES {
            text.push_str(", busy machine");
        }
        text
    }

    /// The least disturbed of a few launches, or the first that is not disturbed.
    fn launch(&self, command: &[String]) -> anyhow::Result<(Value, Launched)> {
        let mut best = self.launch_once(command)?;
        for _ in 0..RETRIES {
            if best.1.others_cores <= QUIET_CORES || best.1.wall_s > SHORT_S {
                break;
            }
            let again = self.launch_once(command)?;
            if again.1.others_cores < best.1.others_cores {
                best = again;
            }
        }
        self.others_cores.set(self.others_cores.get().max(best.1.others_cores));
        Ok(best)
    }

    fn launch_once(&self, command: &[String]) -> anyhow::Result<(Value, Launched)> {
        let threads = self.threads.to_string();
        let mut launcher = Command::new(&self.python);
        launcher
            .arg(self.peers.join("measure.py"))
            .args(command)
            .current_dir(&self.work)
            .stdin(Stdio::null())
            .envs(
                ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
                    .map(|name| (name, &threads)),
            );
        let output = launcher.output().context("Python did not start")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        let shown =
            command.iter().take(2).map(|part| file_name(part)).collect::<Vec<_>>().join(" ");
        if !output.status.success() {
            // The last lines have the error; a traceback comes before it.
            let lines: Vec<&str> = complaint.trim().lines().collect();
            bail!("{shown}: {}", lines[lines.len().saturating_sub(3)..].join(" "));
        }
        parse(&String::from_utf8_lossy(&output.stdout)).with_context(|| shown)
    }
}

/// The launcher's measurements of a whole process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Launched {
    pub wall_s: f64,
    pub peak_rss_bytes: f64,
    /// Cores that other work took meanwhile; 0 where the system does not tell.
    pub others_cores: f64,
}

/// One JSON object of the measured program, whatever else it printed before, and the launcher's
/// line after it.
fn parse(output: &str) -> anyhow::Result<(Value, Launched)> {
    let output = output.trim_end();
    let (rest, last) = output.rsplit_once('\n').unwrap_or(("", output));
    let launched: Value = serde_json::from_str(last).context("the launcher printed no JSON")?;
    let measured = |name: &str| number(&launched, name).context("the launcher measured nothing");
    let launched = Launched {
        wall_s: measured("/wall_seconds")?,
        peak_rss_bytes: measured("/peak_rss_bytes")?,
        others_cores: number(&launched, "/others_cores").unwrap_or(0.0),
    };
    // `dnn` prints its object over several lines, a peer in one after its libraries' remarks.
    let object = serde_json::from_str(rest)
        .or_else(|_| serde_json::from_str(rest.lines().last().unwrap_or_default()));
    Ok((object.context("printed no JSON object")?, launched))
}

/// The program in the messages that cargo printed, one JSON object a line.
fn program_of(printed: &str, bench: &str) -> Option<PathBuf> {
    let messages = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut of_bench = messages.filter(|message| message["target"]["name"] == bench);
    of_bench.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

fn number(json: &Value, pointer: &str) -> Option<f64> {
    json.pointer(pointer).and_then(Value::as_f64)
}

fn curve(json: &Value) -> anyhow::Result<Curve> {
    let costs = json.pointer("/costs").context("no costs printed")?;
    // A cost that is no number (JSON has no NaN) is one that nothing equals.
    let points = costs.as_array().context("costs is no list")?.iter().map(|point| CostPoint {
        iteration: number(point, "/iteration").map_or(0, |i| i as usize),
        cost: number(point, "/cost").unwrap_or(f64::NAN),
    });
    Ok(Curve { costs: points.collect(), final_cost: number(json, "/final_cost") })
}

fn file_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAUNCHER: &str =
        "{\"wall_seconds\": 0.5, \"peak_rss_bytes\": 1024, \"others_cores\": 0.25}\n";

    #[test]
    fn both_sides_output_is_read() {
        let ours =
            format!("{{\n  \"costs\": [{{\"iteration\": 0, \"cost\": 0.7}}]\n}}\n{LAUNCHER}");
        let theirs = format!("a remark\n{{\"final_cost\": 0.1, \"costs\": []}}\n{LAUNCHER}");
        let (json, launched) = parse(&ours).expect("ours");
        let expected = Launched { wall_s: 0.5, peak_rss_bytes: 1024.0, others_cores: 0.25 };
        assert_eq!(launched, expected);
        assert_eq!(curve(&json).expect("costs").costs, [CostPoint { iteration: 0, cost: 0.7 }]);
        let (json, _) = parse(&theirs).expect("theirs");
        assert_eq!(curve(&json).expect("costs").final_cost, Some(0.1));
    }

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let message = |name: &str, executable: &str| {
            format!("{{\"target\": {{\"name\": \"{name}\"}}, \"executable\": {executable}}}\n")
        };
        let printed = [
            message("dnn_data", "null"),
            "a remark\n".into(),
            message("other", "\"target/other\""),
            message("wanted", "\"target/wanted-1\""),
        ]
        .concat();
        assert_eq!(program_of(&printed, "wanted"), Some("target/wanted-1".into()));
        assert_eq!(program_of(&printed, "dnn_data"), None);
    }

    #[test]
    fn output_without_an_object_is_refused() {
        for output in ["", "no JSON\n", LAUNCHER, &format!("a remark\n{LAUNCHER}")] {
            assert!(parse(output).is_err(), "{output}");
        }
        assert!(curve(&serde_json::json!({})).is_err());
        let nan = curve(&serde_json::json!({"costs": [{"iteration": 0, "cost": null}]}));
        assert!(nan.expect("a list").costs[0].cost.is_nan());
    }
}
