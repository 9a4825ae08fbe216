//! Ranks of an MPI job end with the bytes of one process, also when they are killed on the way.
#![allow(clippy::unwrap_used)] // tests

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Small, with what depends on chance: mini-batches, dropout, augmentation.
const TRAIN: &str = "train drawn --draw-train 120 --draw-test 30 --draw-size 16 --preset course-deep \
    --layers 16,8 --batch-size 24 --dropout 0.2 --augment light --ema-decay 0.9 --optimizer adam --lr 0.002 \
    --validation 0.2 --threads 1 --quiet";
/// So many kills, unless DNN_MPI_KILLS says how many.
const KILLS: usize = 3;

/// `dnn-mpi` on so many ranks, more than there are cores if need be.
fn mpirun(ranks: usize, folder: &Path, args: &str) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--bind-to", "none", "-n", &ranks.to_string()]);
    command.arg(assert_cmd::cargo::cargo_bin!("dnn-mpi")).args(args.split_whitespace());
    // Containers run as root.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn ok(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {error}");
    error
}

/// `dnn` itself, in a process of its own since its ranks are those of a process: the binary without MPI's
/// launcher is one rank, and the library's command line is asked here.
fn dnn(folder: &Path, args: &str) {
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(folder).unwrap();
    let words = std::iter::once("dnn").chain(args.split_whitespace());
    let matches = dnn_cli::command().try_get_matches_from(words).unwrap();
    let done = dnn_cli::run_command(&matches, dnn_cli::Ranks::SINGLE);
    std::env::set_current_dir(before).unwrap();
    done.unwrap();
}

fn model(folder: &Path, run: &str) -> Vec<u8> {
    fs::read(folder.join(run).join("model.safetensors")).unwrap()
}

#[test]
fn one_to_five_ranks_and_dnn_itself_write_the_same_model() {
    let place = TempDir::new().unwrap();
    let folder = place.path();
    dnn(folder, &format!("{TRAIN} --iterations 40 --micro-shards 8 --out whole"));
    let whole = model(folder, "whole");
    for ranks in 1..=5 {
        let out = format!("r{ranks}");
        ok(mpirun(ranks, folder, &format!("{TRAIN} --iterations 40 --out {out}")));
        assert!(model(folder, &out) == whole, "{ranks} ranks write another model");
    }
    // A checkpoint of four ranks goes on with three, and in dnn.
    for (run, ranks) in [("a", Some(3)), ("b", None)] {
        ok(mpirun(4, folder, &format!("{TRAIN} --iterations 20 --out {run}")));
        let args = format!("train --resume {run} --iterations 40 --quiet");
        match ranks {
            Some(ranks) => drop(ok(mpirun(ranks, folder, &args))),
            None => dnn(folder, &args),
        }
        assert!(model(folder, run) == whole, "going on on {ranks:?} ranks ends with another model");
    }
    // The judgement is the same, and printed once.
    let judged = |ranks| {
        ok(mpirun(
            ranks,
            folder,
            "evaluate whole drawn --draw-train 120 --draw-test 30 --draw-size 16",
        ))
    };
    let one = judged(1);
    assert_eq!(one.matches("Accuracy:").count(), 1, "{one}");
    assert_eq!(judged(3), one);
    // So are the predictions, each rank's after those of the one before it.
    let of_data = "drawn --draw-train 120 --draw-test 31 --draw-size 16";
    dnn(folder, &format!("predict whole {of_data} --out whole.csv --quiet"));
    let rows = fs::read(folder.join("whole.csv")).unwrap();
    for ranks in [1, 2, 5] {
        let said = ok(mpirun(ranks, folder, &format!("predict whole {of_data} --out p.csv")));
        assert_eq!(said, "Written: p.csv (31 rows)\n");
        assert!(fs::read(folder.join("p.csv")).unwrap() == rows, "{ranks} ranks predict otherwise");
    }
    let error = refused(mpirun(2, folder, &format!("predict whole {of_data}")));
    assert!(error.contains("predict without --out is for one process"), "{error}");
    let error =
        refused(mpirun(2, folder, &format!("predict whole {of_data} --out p.csv --shard 1/2")));
    assert!(error.contains("--shard is for one process"), "{error}");
}

#[test]
fn what_does_not_fit_together_is_refused_by_name() {
    let place = TempDir::new().unwrap();
    let folder = place.path();
    let error =
        refused(mpirun(3, folder, &format!("{TRAIN} --iterations 9 --micro-shards 2 --out r")));
    assert!(
        error.contains("rank 0 of 3") && error.contains("3 ranks for 2 micro-shards"),
        "{error}"
    );
    assert!(!folder.join("r").exists());
    let error = refused(mpirun(2, folder, "sweep"));
    assert!(error.contains("one process") || error.contains("Usage"), "{error}");
    // Other data on rank 1, whose folder differs.
    let mut command = Command::new("mpirun");
    let binary = assert_cmd::cargo::cargo_bin!("dnn-mpi");
    command.args(["--oversubscribe", "--bind-to", "none"]);
    for (part, size) in ["16", "18"].iter().enumerate() {
        if part > 0 {
            command.arg(":");
        }
        let args = TRAIN.replace("--draw-train 120", &format!("--draw-train 1{size}"));
        command.args(["-n", "1"]).arg(binary).args(args.split_whitespace());
        command.args(["--iterations", "9", "--out", "r"]);
    }
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.current_dir(folder);
    let error = refused(command);
    assert!(error.contains("rank 1 has another data set than rank 0"), "{error}");
}

/// The processes of a job's ranks, by rank: those whose parent is the launcher.
fn ranks_of(launcher: u32) -> Vec<(usize, i32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if parent != Some(&launcher.to_string()) {
            continue;
        }
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let rank = environment.split(|&byte| byte == 0).find_map(|variable| {
            String::from_utf8_lossy(variable).strip_prefix("OMPI_COMM_WORLD_RANK=")?.parse().ok()
        });
        found.extend(rank.map(|rank| (rank, pid)));
    }
    found
}

fn ends_within(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Ranks are killed and stopped, and the run goes on each time on another number of ranks: it ends with
/// the bytes of a run that nobody disturbed.
#[test]
fn a_job_whose_ranks_are_lost_ends_within_seconds_and_goes_on() {
    let kills = std::env::var("DNN_MPI_KILLS").map_or(KILLS, |n| n.parse().unwrap());
    let place = TempDir::new().unwrap();
    let folder = place.path();
    let iterations = 400 * (kills + 1);
    let train = format!("{TRAIN} --iterations {iterations} --checkpoint-every 20");
    ok(mpirun(2, folder, &format!("{train} --out whole")));
    let mut draw: u64 = 7;
    let mut chance = |n: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % n
    };
    let (mut lost, mut started) = (0, false);
    while lost < kills {
        let ranks = 2 + chance(4) as usize;
        let args = if started {
            "--peer-timeout 3s train --resume killed --quiet".into()
        } else {
            format!("--peer-timeout 3s {train} --out killed")
        };
        let mut command = mpirun(ranks, folder, &args);
        let mut job = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // Somewhere in training, once there is a checkpoint to go on from.
        let checkpoint = folder.join("killed/checkpoints/last.safetensors");
        let before = fs::metadata(&checkpoint).and_then(|found| found.modified()).ok();
        let start = Instant::now();
        loop {
            let now = fs::metadata(&checkpoint).and_then(|found| found.modified()).ok();
            let ended = job.try_wait().unwrap();
            if (now.is_some() && now != before) || ended.is_some() {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(300), "no checkpoint after five minutes");
            std::thread::sleep(Duration::from_millis(5));
        }
        started = true;
        std::thread::sleep(Duration::from_millis(chance(100)));
        let processes = ranks_of(job.id());
        if processes.len() < ranks {
            // It was quicker than the hand that kills.
            let status = ends_within(&mut job, Duration::from_secs(60)).expect("it has ended");
            assert!(status.success(), "{status}");
            break;
        }
        let (rank, pid) = processes[chance(ranks as u64) as usize];
        let signal = if lost % 3 == 2 { libc::SIGSTOP } else { libc::SIGKILL };
        // SAFETY: a process that this test has started.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        let status = ends_within(&mut job, Duration::from_secs(30));
        let status = status.unwrap_or_else(|| {
            let _ = job.kill();
            panic!("the job hangs without rank {rank}")
        });
        let output = job.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        if status.success() {
            break; // It had ended before.
        }
        assert!(error.contains(&format!("rank {rank} ")), "rank {rank} is not named: {error}");
        lost += 1;
    }
    assert!(lost > 0, "nothing was killed");
    ok(mpirun(3, folder, "train --resume killed --quiet"));
    assert!(model(folder, "killed") == model(folder, "whole"), "another model after {lost} kills");
}
