//! `cargo xtask bench-peers`: the same jobs here and in NumPy, PyTorch, scikit-learn, onnxruntime,
//! Pillow, h5py.
//!
//! `benches/peers/` has the peers; this runs both sides in alternation, holds their results equal
//! before it divides their times, and keeps the table in docs/performance.md.

mod compare;
mod environment;
mod growth;
mod job;
mod loading;
mod machine;
mod one_image;
mod plot;
mod products;
mod side;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::ValueEnum;

use side::Bench;
use table::Row;

/// Measure the same jobs here and in the Python peers, and write docs/performance.md's table.
///
/// Each job first holds both sides' results equal, and gives no ratio when they are not (exit code
/// 1). Runs alternate; what is compared are medians. A target that is not met is said in the table
/// and is no failure: times depend on the machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One run of each, and a tenth of the iterations for the slow peers, times scaled up
    #[arg(long)]
    quick: bool,
    /// Only this job; may be repeated. Other rows of the table stay, on the same machine
    #[arg(long = "job", value_name = "NAME")]
    jobs: Vec<Job>,
    /// A Python that has the packages of benches/peers/requirements.txt, instead of a virtual
    /// environment under target/
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Runs of each side [default: 3; with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    repeat: Option<u32>,
    /// Threads for every side
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
}

/// What is measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Job {
    /// 12288-20-7-5-1, 2500 iterations, f64: training alone
    CourseDeepF64,
    /// The same in f32
    CourseDeepF32,
    /// The same in f64 with the dense engine forced
    DenseF64,
    /// The same in f32 with the dense engine forced
    DenseF32,
    /// From HDF5 to a saved model and printed accuracy: time and peak memory
    WholeProcess,
    /// 768-512-512-10, batches of 128, f32, gradient descent
    MlpSgd,
    /// The same with Adam
    MlpAdam,
    /// The products of an iteration of that network alone, against what the cores can do at most
    Products,
    /// Latency of one image through 12288-20-7-5-1 in f32
    OneImage,
    /// Time against counted operations
    Growth,
    /// Photos decoded and resized, rows of HDF5: from files to pixels in memory
    Loading,
}

impl Job {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Runs the jobs; gives those whose sides disagree.
///
/// # Errors
/// When there is no Python with the packages, when a build fails, or when a job cannot be run.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<Vec<String>> {
    let document = root.join("docs").join("performance.md");
    let read = || {
        let text = std::fs::read_to_string(&document)
            .with_context(|| format!("{}: read failed", document.display()))?;
        table::check(&text).with_context(|| document.display().to_string())?;
        anyhow::Ok(text)
    };
    read()?;
    let (bench, versions) = Bench::prepare(root, args)?;
    let processor = machine::describe(root)?;
    let machine = format!("{processor}; {} threads; {}", args.threads, versions_line(&versions));
    let jobs: &[Job] = if args.jobs.is_empty() { Job::value_variants() } else { &args.jobs };
    let (mut disagreements, mut failures) = (Vec::new(), Vec::new());
    for (i, &job) in jobs.iter().enumerate() {
        let name = job.name();
        eprintln!("\n=== {name} ({} of {})", i + 1, jobs.len());
        let start = Instant::now();
        let outcome = match job {
            Job::OneImage => one_image::run(&bench),
            Job::Products => products::run(&bench),
            Job::Growth => growth::run(&bench),
            Job::Loading => loading::run(&bench),
            _ => job::run(&bench, job),
        };
        match outcome {
            Ok(mut outcome) => {
                for row in &mut outcome.rows {
                    row.job.clone_from(&name);
                }
                println!("{}", table::render(&outcome.rows));
                disagreements.extend(outcome.disagreements.iter().map(|d| format!("{name}: {d}")));
                // After each job, so that an interrupted run keeps what it has measured; read again,
                // as someone may write in the document meanwhile.
                let text = table::replace(&read()?, &machine, &name, &outcome.rows)?;
                write(&document, &text)?;
            }
            Err(error) => {
                eprintln!("{name}: {error:#}");
                failures.push(name.clone());
            }
        }
        eprintln!("=== {name}: {:.0} s", start.elapsed().as_secs_f64());
    }
    if !failures.is_empty() {
        bail!("these jobs could not be run: {}", failures.join(", "));
    }
    Ok(disagreements)
}

/// What a job has come to.
#[derive(Debug, Default)]
struct Outcome {
    rows: Vec<Row>,
    /// Peers whose results differ from ours: they get no ratio.
    disagreements: Vec<String>,
}

fn versions_line(versions: &BTreeMap<String, Option<String>>) -> String {
    let present = versions.iter().filter_map(|(name, version)| Some((name, version.as_ref()?)));
    present.map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let context = || format!("{}: write failed", path.display());
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(context)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(permissions).with_context(context)?;
    }
    file.persist(path).with_context(context)?;
    Ok(())
}
