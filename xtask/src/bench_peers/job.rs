//! The jobs that train: what each side is asked to do, and what of it is compared.

use std::process::Command;

use super::compare::{Equality, Pairs, differs, equal, median, verdict};
use super::side::{Bench, Images, Run};
use super::table::Row;
use super::{Job, Outcome};

/// Updates of the course's training.
const ITERATIONS: usize = 2500;
/// Images, batch and passes of the 768-512-512-10 job.
const MLP: (usize, usize, usize) = (60_000, 128, 2);

/// A script of benches/peers, a way it can do the job, and the ratio we want.
struct Peer {
    script: &'static str,
    variant: &'static str,
    target: Option<f64>,
}

const fn peer(script: &'static str, variant: &'static str, target: Option<f64>) -> Peer {
    Peer { script, variant, target }
}

const TEXTBOOK: &str = "numpy_textbook.py";
const TORCH: &str = "torch_train.py";

const COURSE_PEERS: &[Peer] = &[
    peer(TEXTBOOK, "", Some(150.0)),
    peer(TORCH, "eager", Some(70.0)),
    peer("sklearn_train.py", "", None),
    peer("numpy_gram.py", "", None),
];
const DENSE_PEERS: &[Peer] = &[peer(TORCH, "eager", Some(1.5))];
const WHOLE_PEERS: &[Peer] = &[peer(TORCH, "eager", Some(30.0))];
const MLP_PEERS: &[Peer] = &[
    peer(TORCH, "eager", None),
    peer(TORCH, "foreach", None),
    peer(TORCH, "fused", None),
    peer(TORCH, "compiled", None),
    peer("sklearn_train.py", "", None),
];
/// Against the fastest of PyTorch's.
const MLP_TARGET: f64 = 1.3;
/// PyTorch's peak memory over ours.
const MEMORY_TARGET: f64 = 8.0;

/// One job in both sides' words.
struct Task {
    images: Images,
    ours: Vec<String>,
    theirs: Vec<String>,
    peers: &'static [Peer],
    equality: Equality,
    /// Updates of ours over updates of theirs.
    scale: f64,
    /// Examples seen in training, when speed is counted in them.
    n_samples: Option<f64>,
}

/// Runs one job: ours and each peer in turn.
///
/// # Errors
/// When our side cannot be run; a peer that cannot gets a row that says why.
pub(super) fn run(bench: &Bench, job: Job) -> anyhow::Result<Outcome> {
    let task = task(bench, job)?;
    let mut outcome = Outcome::default();
    let mut fastest: Option<(usize, f64, f64)> = None;
    for peer in task.peers {
        let name = format!("{} {}", peer.script.trim_end_matches(".py"), peer.variant);
        if peer.variant == "compiled" && !has_cxx() {
            outcome.rows.push(Row::without_ratio("PyTorch, compiled", "no C++ compiler here"));
            continue;
        }
        let mut args = task.theirs.clone();
        if !peer.variant.is_empty() {
            args.extend(["--variant".into(), peer.variant.into()]);
        }
        let (ours, theirs) = match alternate(bench, &task, peer.script, &args)? {
            Ok(runs) => runs,
            Err(error) => {
                eprintln!("{name}: {error:#}");
                outcome.rows.push(Row::without_ratio(name.trim(), "could not be run"));
                continue;
            }
        };
        let runs = bench.runs();
        let agreed = ours.iter().zip(&theirs).try_fold(String::new(), |_, (ours, theirs)| {
            let mut curve = ours.curve.clone();
            if task.scale > 1.0 {
                // Theirs stopped earlier: the ends are not the same.
                curve.final_cost = None;
            }
            let how = equal(&curve, &theirs.curve, task.equality)?;
            match (ours.test_accuracy, theirs.test_accuracy) {
                (Some(a), Some(b)) if task.scale == 1.0 && differs(a - b, 1e-9) => {
                    Err(format!("test accuracy: ours {a}, theirs {b}"))
                }
                _ => Ok(how),
            }
        });
        let against = &theirs[0].name;
        match agreed {
            Err(difference) => {
                outcome.disagreements.push(format!("{against}: {difference}"));
                outcome.rows.push(Row::without_ratio(against, "results differ"));
            }
            Ok(how) => {
                eprintln!("{against}: equal: {how}; our engine: {}", ours[0].name);
                let pairs =
                    paired(&ours, &theirs, |run, is_theirs| seconds(job, &task, run, is_theirs));
                let theirs_s = median(&pairs.theirs);
                if peer.script == TORCH && fastest.is_none_or(|(_, least, _)| theirs_s < least) {
                    fastest = Some((outcome.rows.len(), theirs_s, pairs.ratio()));
                }
                outcome
                    .rows
                    .push(Row { runs: runs.clone(), ..row(&task, against, &pairs, peer.target) });
                if job == Job::WholeProcess {
                    let memory = paired(&ours, &theirs, |run, _| run.peak_rss_bytes);
                    outcome.rows.push(Row { runs, ..memory_row(against, &memory) });
                }
            }
        }
    }
    if matches!(job, Job::MlpSgd | Job::MlpAdam)
        && let Some((i, _, ratio)) = fastest
    {
        outcome.rows[i].target = format!("≥ {MLP_TARGET}× (PyTorch's best)");
        outcome.rows[i].verdict = verdict(ratio, Some(MLP_TARGET));
    }
    Ok(outcome)
}

fn task(bench: &Bench, job: Job) -> anyhow::Result<Task> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let precision = match job {
        Job::CourseDeepF64 | Job::DenseF64 | Job::WholeProcess => "f64",
        _ => "f32",
    };
    let is_mlp = matches!(job, Job::MlpSgd | Job::MlpAdam);
    let images = if is_mlp { noise(bench)? } else { bench.images()? };
    // Ours always does the whole job: what it does once would weigh more in a part of it.
    let n_theirs = if bench.quick { ITERATIONS / 10 } else { ITERATIONS };
    let mut ours =
        words(&format!("--preset course-deep --rng numpy --seed 1 --precision {precision}"));
    let mut theirs = words(&format!("--dtype {precision} --seed 1 --threads {}", bench.threads));
    theirs.extend(["--data".into(), images.train.to_string_lossy().into_owned()]);
    if is_mlp {
        let (_, batch, passes) = MLP;
        let passes = if bench.quick { 1 } else { passes };
        let (optimizer, lr) =
            if job == Job::MlpAdam { ("adam", 0.001) } else { ("gradient-descent", 0.1) };
        let same = format!(
            "--layers 512,512 --batch-size {batch} --epochs {passes} --optimizer {optimizer} --lr {lr}"
        );
        ours.extend(words(&same));
        theirs.extend(words(&same));
        theirs.extend(words("--classes 10"));
    } else {
        ours.extend(words(&format!("--iterations {ITERATIONS} --log-every 50")));
        theirs.extend(words(&format!("--iterations {n_theirs} --log-every 50")));
    }
    if matches!(job, Job::DenseF64 | Job::DenseF32) {
        ours.extend(words("--engine dense"));
    }
    if job == Job::WholeProcess {
        theirs.extend(["--test-data".into(), images.test.to_string_lossy().into_owned()]);
        let model = bench.work.join("peer-model.pt");
        theirs.extend(["--save".into(), model.to_string_lossy().into_owned()]);
    }
    let n_passes = if bench.quick { 1 } else { MLP.2 };
    Ok(Task {
        images,
        ours,
        theirs,
        peers: match job {
            Job::DenseF64 | Job::DenseF32 => DENSE_PEERS,
            Job::WholeProcess => WHOLE_PEERS,
            Job::MlpSgd | Job::MlpAdam => MLP_PEERS,
            _ => COURSE_PEERS,
        },
        equality: match (is_mlp, precision) {
            (true, _) => Equality::OtherOrder,
            (false, "f64") => Equality::Exact,
            _ => Equality::Single,
        },
        scale: if is_mlp { 1.0 } else { ITERATIONS as f64 / n_theirs as f64 },
        n_samples: is_mlp.then_some((MLP.0 * n_passes) as f64),
    })
}

/// 60,000 noise images of 16×16×3 in ten classes, made once.
fn noise(bench: &Bench) -> anyhow::Result<Images> {
    let path = bench.work.join("noise-60000x16.h5");
    if !path.exists() {
        let out = path.to_string_lossy().into_owned();
        let n_train = MLP.0.to_string();
        let args = ["--out", &out, "--train", &n_train].map(str::to_owned);
        bench.python_once("draw_noise.py", &args)?;
    }
    Ok(Images { train: path.clone(), test: path })
}

/// Ours, theirs, ours, theirs … `Ok(Err)` when it is the peer that fails.
fn alternate(
    bench: &Bench,
    task: &Task,
    script: &str,
    args: &[String],
) -> anyhow::Result<anyhow::Result<(Vec<Run>, Vec<Run>)>> {
    let flags: Vec<&str> = task.ours.iter().map(String::as_str).collect();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..bench.repeat {
        ours.push(bench.train(&task.images, &flags)?);
        match bench.peer(script, args) {
            Ok(run) => theirs.push(run),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok((ours, theirs)))
}

fn paired(ours: &[Run], theirs: &[Run], value: impl Fn(&Run, bool) -> f64) -> Pairs {
    let mut pairs = Pairs::default();
    for (ours, theirs) in ours.iter().zip(theirs) {
        pairs.push(value(ours, false), value(theirs, true));
    }
    pairs
}

/// What of a run is compared, scaled up when a peer has done a part of the job.
fn seconds(job: Job, task: &Task, run: &Run, is_theirs: bool) -> f64 {
    let scale = if is_theirs { task.scale } else { 1.0 };
    let whole = if scale == 1.0 {
        run.train_s
    } else {
        // The median update, which the first ones and other work do not disturb.
        let n = ITERATIONS as f64;
        run.step_s.map_or(run.train_s * scale, |step| step * n)
    };
    match job {
        Job::WholeProcess => run.wall_s - run.train_s + whole,
        _ => whole,
    }
}

fn row(task: &Task, against: &str, pairs: &Pairs, target: Option<f64>) -> Row {
    let shown = |seconds: f64| match task.n_samples {
        Some(n) => format!("{:.0} samples/s", n / seconds),
        None => show_seconds(seconds),
    };
    Row {
        against: against.into(),
        theirs: shown(median(&pairs.theirs)),
        ours: shown(median(&pairs.ours)),
        ratio: pairs.shown(),
        target: target.map(|target| format!("≥ {target}×")).unwrap_or_default(),
        verdict: verdict(pairs.ratio(), target),
        ..Row::default()
    }
}

fn memory_row(against: &str, pairs: &Pairs) -> Row {
    let shown = |bytes: f64| format!("{:.0} MiB", bytes / f64::from(1 << 20));
    Row {
        against: format!("{against}: peak memory"),
        theirs: shown(median(&pairs.theirs)),
        ours: shown(median(&pairs.ours)),
        ratio: pairs.shown(),
        target: format!("≥ {MEMORY_TARGET}×"),
        verdict: verdict(pairs.ratio(), Some(MEMORY_TARGET)),
        ..Row::default()
    }
}

/// `15.2 s`, `91.3 ms`, `7.42 µs`.
pub(super) fn show_seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {unit}")
}

/// Whether torch.compile will find a C++ compiler.
fn has_cxx() -> bool {
    let named = std::env::var("CXX").ok();
    named.iter().map(String::as_str).chain(["c++", "g++", "clang++"]).any(|name| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_scaled(scale: f64, n_samples: Option<f64>) -> Task {
        Task {
            images: Images { train: "a.h5".into(), test: "b.h5".into() },
            ours: Vec::new(),
            theirs: Vec::new(),
            peers: &[],
            equality: Equality::Exact,
            scale,
            n_samples,
        }
    }

    #[test]
    fn a_part_of_the_job_is_scaled_by_its_median_update() {
        let run = Run { train_s: 1.0, step_s: Some(0.003), wall_s: 1.5, ..Run::default() };
        let part = task_scaled(10.0, None);
        assert_eq!(seconds(Job::CourseDeepF64, &part, &run, true), 7.5);
        assert_eq!(seconds(Job::WholeProcess, &part, &run, true), 8.0);
        // Ours is never a part; a peer without a median is scaled as a whole.
        assert_eq!(seconds(Job::CourseDeepF64, &part, &run, false), 1.0);
        let plain = Run { step_s: None, ..run.clone() };
        assert_eq!(seconds(Job::CourseDeepF64, &part, &plain, true), 10.0);
        let whole = task_scaled(1.0, None);
        assert_eq!(seconds(Job::WholeProcess, &whole, &run, true), 1.5);
    }

    #[test]
    fn rows_show_their_unit_and_verdict() {
        let mut pairs = Pairs::default();
        pairs.push(0.1, 16.0);
        let row_of = |task: &Task, target| row(task, "NumPy", &pairs, target);
        let row = row_of(&task_scaled(1.0, None), Some(150.0));
        assert_eq!((row.theirs.as_str(), row.ours.as_str()), ("16.0 s", "100 ms"));
        assert_eq!(
            (row.ratio.as_str(), row.target.as_str(), row.verdict.as_str()),
            ("160×", "≥ 150×", "met")
        );
        let row = row_of(&task_scaled(1.0, Some(1000.0)), None);
        assert_eq!((row.ours.as_str(), row.verdict.as_str()), ("10000 samples/s", ""));
        assert_eq!(show_seconds(7.4e-6), "7.40 µs");
    }
}
