//! Runs that are interrupted, killed or damaged, and go on.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, quick, stderr};
use serde_json::Value;
use std::fs;
use std::time::Duration;

const MODEL: &str = "model.safetensors";

/// A run that is never interrupted, in `whole`.
fn whole(place: &Place, args: &[&str]) -> Vec<u8> {
    place.ok(&[args, &["--out", "whole"]].concat());
    fs::read(place.path("whole").join(MODEL)).unwrap()
}

#[cfg(unix)]
mod killed {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Stdio};

    const KILLS: usize = 200;

    /// What is trained, besides `dnn train DATA --out r`.
    const CONFIGURATIONS: [&[&str]; 10] = [
        &["--iterations", "6000", "--checkpoint-every", "40"],
        &["--iterations", "6000", "--optimizer", "momentum", "--checkpoint-every", "200"],
        &[
            "--iterations",
            "1500",
            "--optimizer",
            "nesterov",
            "--engine",
            "dense",
            "--checkpoint-every",
            "20",
        ],
        &[
            "--iterations",
            "1500",
            "--optimizer",
            "rmsprop",
            "--lr",
            "0.0005",
            "--checkpoint-every",
            "25",
        ],
        &[
            "--iterations",
            "1500",
            "--optimizer",
            "adam",
            "--lr",
            "0.0005",
            "--checkpoint-every",
            "30",
        ],
        &[
            "--epochs",
            "300",
            "--optimizer",
            "adamw",
            "--lr",
            "0.0005",
            "--batch-size",
            "7",
            "--checkpoint-every",
            "4epochs",
        ],
        &[
            "--epochs",
            "300",
            "--optimizer",
            "adam",
            "--lr",
            "0.0005",
            "--batch-size",
            "8",
            "--dropout",
            "0.3",
            "--rng",
            "modern",
            "--checkpoint-every",
            "37",
        ],
        &[
            "--epochs",
            "500",
            "--batch-size",
            "10",
            "--dropout",
            "0.2",
            "--l2",
            "0.1",
            "--clip-norm",
            "1",
            "--checkpoint-every",
            "31",
        ],
        &[
            "--iterations",
            "4000",
            "--validation",
            "0.3",
            "--validate-every",
            "50",
            "--restore-best",
            "--schedule",
            "plateau:factor=0.5,patience=3",
            "--checkpoint-every",
            "60",
        ],
        &[
            "--epochs",
            "300",
            "--precision",
            "f32",
            "--optimizer",
            "adam",
            "--lr",
            "0.0005",
            "--batch-size",
            "9",
            "--validation",
            "0.2",
            "--patience",
            "400",
            "--restore-best",
            "--schedule",
            "cosine:warmup=50",
            "--class-weights",
            "balanced",
            "--checkpoint-every",
            "2epochs",
        ],
    ];

    /// Numbers for the moments of death, the same in every run of the test.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % n
        }
    }

    fn start(place: &Place, args: &[&str]) -> Child {
        place.dnn(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn runs_killed_at_any_moment_end_with_the_same_bytes() {
        let mut dice = Dice(1);
        let mut kills = 0;
        for (i, configuration) in CONFIGURATIONS.iter().enumerate() {
            let place = Place::new();
            let log = ["--log-every", "100", "--layers", "10,5", "--quiet"];
            let args = [&["train"], &DATA[..], &log, configuration].concat();
            let expected = whole(&place, &args);
            let mut here = 0;
            while here < KILLS / CONFIGURATIONS.len() {
                // From the start, until the run has come to its end.
                let first = [&args[..], &["--out", "r", "--force"]].concat();
                let mut child = start(&place, &first);
                loop {
                    std::thread::sleep(Duration::from_millis(dice.below(250)));
                    child.kill().unwrap();
                    let output = child.wait_with_output().unwrap();
                    if output.status.signal() != Some(9) {
                        assert_eq!(output.status.code(), Some(0), "{i}: {}", stderr(&output));
                        break;
                    }
                    here += 1;
                    let threads = ["1", "2", "3"][here % 3];
                    // Killed before the folder was made, the run starts again.
                    let begun = place.path("r/config.toml").exists();
                    child = if !begun {
                        start(&place, &first)
                    } else if here < KILLS / CONFIGURATIONS.len() {
                        start(&place, &["train", "--resume", "r", "--quiet", "--threads", threads])
                    } else {
                        place.ok(&["train", "--resume", "r", "--quiet", "--threads", threads]);
                        break;
                    };
                }
                let model = fs::read(place.path("r").join(MODEL)).unwrap();
                assert!(model == expected, "configuration {i} after {here} kills");
                check_log(&place, i);
            }
            kills += here;
        }
        assert!(kills >= KILLS, "{kills}");
    }

    /// Complete lines, each iteration once, in order: the same log as without the kills.
    fn check_log(place: &Place, i: usize) {
        let lines = |run: &str| -> Vec<Value> {
            let text = fs::read_to_string(place.path(run).join("metrics.jsonl")).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(lines("r"), lines("whole"), "log of configuration {i}");
    }

    #[test]
    fn an_interrupted_run_goes_on_even_without_checkpoints_asked_for() {
        let place = Place::new();
        let args = [
            &["train"],
            &DATA[..],
            &["--optimizer", "adam", "--lr", "0.0005", "--iterations", "3000"],
        ]
        .concat();
        let expected = whole(&place, &args);
        let child = start(&place, &[&args[..], &["--out", "r"]].concat());
        while !place.path("r/metrics.jsonl").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(150));
        let id = child.id().to_string();
        std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
        let said = place.ok(&["train", "--resume", "r"]);
        assert!(said.contains("Going on after iteration "), "{said}");
        assert!(fs::read(place.path("r").join(MODEL)).unwrap() == expected);
    }

    #[test]
    fn a_second_process_on_the_same_run_is_refused() {
        let place = Place::new();
        let args = [&["train"], &DATA[..], &["--iterations", "100000000", "--out", "r"]].concat();
        let mut child = start(&place, &args);
        while !place.path("r/config.toml").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let error = place.refused(&["train", "--resume", "r"]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(error.contains("another process is training in this run folder"), "{error}");
    }

    #[test]
    fn a_checkpoint_that_cannot_be_written_warns_and_training_goes_on() {
        let place = Place::new();
        let args = [&quick()[..], &["--checkpoint-every", "10", "--out", "r"]].concat();
        let expected = whole(&place, &quick());
        place.ok(&args);
        let checkpoints = place.path("r/checkpoints");
        // A file where the folder should be: as good as a full disk, also for root.
        fs::remove_dir_all(&checkpoints).unwrap();
        fs::write(&checkpoints, "in the way").unwrap();
        let output = place.run(&["train", "--resume", "r"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let error = stderr(&output);
        assert_eq!(error.matches("warning: no checkpoint after").count(), 1, "{error}");
        assert!(fs::read(place.path("r").join(MODEL)).unwrap() == expected);
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_and_the_one_before_it_offered() {
    let place = Place::new();
    let args = [&quick()[..], &["--checkpoint-every", "10"]].concat();
    let expected = whole(&place, &args);
    place.ok(&[&args[..], &["--out", "r"]].concat());
    let last = place.path("r/checkpoints/last.safetensors");
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&last, &bytes).unwrap();
    let error = place.refused(&["train", "--resume", "r"]);
    assert!(error.contains("damaged: its checksum is") && error.contains("--previous"), "{error}");
    fs::write(&last, &bytes[..middle]).unwrap();
    let error = place.refused(&["train", "--resume", "r"]);
    assert!(error.contains("not a checkpoint, or an incomplete one"), "{error}");
    place.ok(&["train", "--resume", "r", "--previous"]);
    assert!(fs::read(place.path("r").join(MODEL)).unwrap() == expected);
}

#[test]
fn a_finished_run_can_be_given_more_iterations() {
    let place = Place::new();
    let quick_args = quick();
    let longer: Vec<_> =
        quick_args.iter().map(|&arg| if arg == "40" { "60" } else { arg }).collect();
    let expected = whole(&place, &longer);
    place.ok(&[&quick()[..], &["--checkpoint-every", "15", "--out", "r"]].concat());
    place.ok(&["train", "--resume", "r", "--iterations", "60"]);
    assert!(fs::read(place.path("r").join(MODEL)).unwrap() == expected);
}

#[test]
fn what_is_no_run_or_has_other_data_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let error = place.refused(&["train", "--resume", "empty"]);
    assert!(error.contains("not a run folder, it has no config.toml"), "{error}");
    place.ok(&[&quick()[..], &["--checkpoint-every", "10", "--out", "r"]].concat());
    let error = place.refused(&["train", "--resume", "r", "--draw-seed", "2"]);
    assert!(error.contains("it is of another run: the data was "), "{error}");
}
