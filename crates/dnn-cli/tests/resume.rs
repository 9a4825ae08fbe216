//! Runs that are interrupted, killed or damaged, and go on.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, files, names, quick, stderr, write_colours};
use dnn_train::Checkpoint;
use serde_json::Value;
use std::fs;
use std::time::Duration;

const MODEL: &str = "model.safetensors";

/// A run that is never interrupted, in `whole`.
fn whole(place: &Place, args: &[&str]) -> Vec<u8> {
    place.ok(&[args, &["--out", "whole"]].concat());
    fs::read(place.path("whole").join(MODEL)).unwrap()
}

/// Runs it; it must fail with 2. Gives standard error.
fn run_error(place: &Place, args: &[&str]) -> String {
    let output = place.run(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    stderr(&output)
}

/// What came of a run, without what may differ between two runs of the same training.
fn outcome(place: &Place, run: &str) -> Value {
    let text = fs::read_to_string(place.path(run).join("summary.json")).unwrap();
    let mut summary: Value = serde_json::from_str(&text).unwrap();
    for key in ["run", "model", "seconds"] {
        summary.as_object_mut().unwrap().remove(key).unwrap();
    }
    summary["config"].as_object_mut().unwrap().remove("threads").unwrap();
    summary
}

#[cfg(unix)]
mod killed {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const KILLS: usize = 200;

    /// What is trained, besides `dnn train DATA --out r`.
    const CONFIGURATIONS: [&[&str]; 10] = [
        // Validations that improve much more often than checkpoints are due.
        &["--iterations", "6000", "--checkpoint-every", "40", "--validation", "0.2"],
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
        let next = AtomicUsize::new(0);
        let work = || {
            let mut kills = 0;
            while let Some(configuration) = {
                let i = next.fetch_add(1, Ordering::Relaxed);
                CONFIGURATIONS.get(i).map(|configuration| (i, *configuration))
            } {
                kills += killed_and_resumed(configuration);
            }
            kills
        };
        // Most of the time a process is waited for: three configurations at a time.
        let kills: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert!(kills >= KILLS, "{kills}");
    }

    /// Trains as one of the configurations says, killed again and again; gives the number of kills.
    fn killed_and_resumed((i, configuration): (usize, &[&str])) -> usize {
        let mut dice = Dice(i as u64 + 1);
        let place = Place::new();
        let log = ["--log-every", "100", "--layers", "10,5", "--quiet"];
        let args = [&["train"], &DATA[..], &log, configuration].concat();
        let expected = whole(&place, &args);
        let mut kills = 0;
        while kills < KILLS / CONFIGURATIONS.len() {
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
                kills += 1;
                let threads = ["1", "2", "3"][kills % 3];
                // Killed before the folder was made, the run starts again.
                let begun = place.path("r/config.toml").exists();
                child = if !begun {
                    start(&place, &first)
                } else if kills < KILLS / CONFIGURATIONS.len() {
                    start(&place, &["train", "--resume", "r", "--quiet", "--threads", threads])
                } else {
                    place.ok(&["train", "--resume", "r", "--quiet", "--threads", threads]);
                    break;
                };
            }
            let model = fs::read(place.path("r").join(MODEL)).unwrap();
            assert!(model == expected, "configuration {i} after {kills} kills");
            check_log(&place, i);
            assert_eq!(outcome(&place, "r"), outcome(&place, "whole"), "configuration {i}");
        }
        kills
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
        for second in [
            &["train", "--resume", "r"][..],
            &[&quick()[..], &["--out", "r", "--force"]].concat(),
            &[&quick()[..], &["--folds", "2", "--out", "r", "--force"]].concat(),
        ] {
            let error = place.refused(second);
            assert!(error.contains("another process is training in this run folder"), "{error}");
        }
        assert!(place.path("r/config.toml").exists() && place.path("r/metrics.jsonl").exists());
        let found = place.json(&["inspect", "r"]);
        assert_eq!((&found["state"], &found["iteration"]), (&"running".into(), &Value::Null));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(place.json(&["inspect", "r"])["state"], "interrupted");
    }

    #[test]
    fn a_run_whose_folder_is_renamed_stops_and_goes_on_there() {
        let place = Place::new();
        let long = ["--iterations", "100000000", "--checkpoint-every", "1s", "--out", "r"];
        let args = [&["train"], &DATA[..], &long].concat();
        let child = start(&place, &args);
        while !place.path("r/checkpoints/last.safetensors").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::rename(place.path("r"), place.path("s")).unwrap();
        // Another run under the old name is left alone.
        fs::create_dir(place.path("r")).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let error = stderr(&output);
        assert!(error.contains("the run folder r was renamed, removed or replaced"), "{error}");
        assert!(names(&place.path("r")).is_empty());
        let found = place.json(&["inspect", "s"]);
        assert_eq!(found["state"], "interrupted");
        let made = found["iteration"].as_u64().unwrap() + 10;
        place.ok(&["train", "--resume", "s", "--iterations", &made.to_string(), "--quiet"]);
        assert_eq!(place.json(&["inspect", "s"])["state"], "finished");
    }

    #[test]
    fn a_checkpoint_that_cannot_be_written_warns_and_training_goes_on() {
        let place = Place::new();
        let args = [&quick()[..], &["--checkpoint-every", "10", "--out", "r"]].concat();
        let expected = whole(&place, &quick());
        place.ok(&args);
        let checkpoints = place.path("r/checkpoints");
        // Killed before its end.
        for name in ["summary.json", MODEL] {
            fs::remove_file(place.path("r").join(name)).unwrap();
        }
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
        quick_args.iter().map(|&arg| if arg == "40" { "63" } else { arg }).collect();
    let judged = ["--validation", "0.2", "--validate-every", "7"];
    let mut expected = Vec::new();
    // Whatever is kept on the way: the state at the end is, unless that is turned off.
    for (i, every) in [&[][..], &["--checkpoint-every", "15"]].iter().enumerate() {
        let run = format!("r{i}");
        let place = if i == 0 { &place } else { &Place::new() };
        expected = whole(place, &[&longer[..], &judged, every].concat());
        place.ok(&[&quick()[..], &judged, every, &["--out", &run]].concat());
        place.ok(&["train", "--resume", &run, "--iterations", "63"]);
        assert!(fs::read(place.path(&run).join(MODEL)).unwrap() == expected);
        assert_eq!(outcome(place, &run), outcome(place, "whole"));
        let log = |run: &str| fs::read(place.path(run).join("metrics.jsonl")).unwrap();
        assert!(log(&run) == log("whole"));
        let best = fs::read(place.path(&run).join("checkpoints/best.safetensors")).unwrap();
        let best = Checkpoint::from_bytes(&best).unwrap();
        let validations = &best.progress().validations;
        assert_eq!(validations.last().unwrap().iteration, best.progress().iteration);
        assert_eq!(best.progress().best, Some(validations.len() - 1), "improved there");
    }
    // Killed before the model was written, the run comes to the same end without training.
    for name in [MODEL, "summary.json", "cost.png"] {
        fs::remove_file(place.path("r0").join(name)).unwrap();
    }
    let said = place.ok(&["train", "--resume", "r0"]);
    assert!(said.contains("Going on after iteration 63") && !said.contains("Cost after"), "{said}");
    assert!(fs::read(place.path("r0").join(MODEL)).unwrap() == expected);
    assert_eq!(outcome(&place, "r0"), outcome(&place, "whole"));
    let before = files(&place.path("r0"));
    let error = place.refused(&["train", "--resume", "r0", "--iterations", "62"]);
    assert!(error.contains("has made 63 iterations; expected at least so many, got 62"), "{error}");
    let said = place.ok(&["train", "--resume", "r0"]);
    assert!(
        said.contains("r0 is finished, after 63 iterations. To go on with it, with N above 63: "),
        "{said}"
    );
    assert_eq!(place.json(&["train", "--resume", "r0"])["iterations"], 63);
    assert!(files(&place.path("r0")) == before, "nothing was written");
}

#[test]
fn a_finished_run_is_not_trained_anew() {
    let place = Place::new();
    place.ok(&[&quick()[..], &["--checkpoint-every", "never", "--out", "r"]].concat());
    assert!(!place.path("r/checkpoints").exists());
    let before = files(&place.path("r"));
    let said = place.ok(&["train", "--resume", "r"]);
    assert!(said.contains("r is finished, after 40 iterations"), "{said}");
    let error = place.refused(&["train", "--resume", "r", "--iterations", "50"]);
    assert!(error.contains("r has a model, and no checkpoint to go on from"), "{error}");
    assert!(files(&place.path("r")) == before);
    // A summary that cannot be read is no reason to train over the model.
    fs::write(place.path("r/summary.json"), "{").unwrap();
    let before = files(&place.path("r"));
    let error = run_error(&place, &["train", "--resume", "r"]);
    assert!(error.contains("cannot understand") && error.contains("has a model, and"), "{error}");
    assert!(files(&place.path("r")) == before);
    // Early stopping is an end as well.
    let early = ["--validation", "0.3", "--validate-every", "1", "--patience", "1", "--lr", "2"];
    place.ok(&[&quick()[..], &early, &["--out", "e"]].concat());
    let before = files(&place.path("e"));
    let said = place.ok(&["train", "--resume", "e", "--iterations", "50"]);
    assert!(said.contains("e stopped early, after "), "{said}");
    assert!(files(&place.path("e")) == before);
}

#[test]
fn other_settings_are_refused_by_name_and_leave_the_run_as_it_was() {
    let place = Place::new();
    let wide = [&["train"], &DATA[..], &["--iterations", "40", "--out", "r"]].concat();
    assert_eq!(place.json(&wide)["engine"], "gram");
    fs::remove_file(place.path("r/summary.json")).unwrap();
    let before = files(&place.path("r"));
    for (flags, name) in [
        (&["--lr", "0.5"][..], "training.learning_rate was 0.0075 and would be 0.5"),
        (&["--seed", "9"], "training.seed"),
        (&["--optimizer", "adam"], "training.optimizer"),
        (&["--activation", "tanh"], "training.activation"),
        (&["--layers", "4"], "training.hidden"),
        (&["--l2", "0.1"], "training.l2"),
        (&["--dropout", "0.1"], "training.dropout"),
        (&["--init", "he"], "training.init"),
        (&["--rng", "modern"], "training.rng"),
        (&["--class-weights", "balanced"], "training.class_weights"),
        (&["--schedule", "exponential:factor=0.9"], "training.schedule"),
        (&["--batch-size", "5"], "training.batch_size"),
        (&["--precision", "f32"], "training.precision"),
        (&["--precision", "bf16"], "training.precision was \"f64\" and would be \"bf16\""),
        (&["--engine", "dense"], "training.engine"),
        (&["--validation", "0.2"], "training.validation"),
        (&["--augment", "light"], "augment was not set and would be"),
        (&["--standardize"], "source.input"),
        (&["--draw-seed", "2"], "source.drawn.seed was 1 and would be 2"),
    ] {
        let error = place.refused(&[&["train", "--resume", "r"], flags].concat());
        assert!(error.contains(name), "{flags:?}: {error}");
        assert!(error.contains("train --config r/config.toml"), "{flags:?}: {error}");
        assert!(files(&place.path("r")) == before, "{flags:?}");
    }
    // Of images in a file: drawn ones have no memory limit.
    write_colours(&place.path("colours.h5"));
    place.ok(&["train", "colours.h5", "--iterations", "10", "--out", "of-file"]);
    let before = files(&place.path("of-file"));
    let error = place.refused(&["train", "--resume", "of-file", "--memory-limit", "1G"]);
    assert!(error.contains("source.memory_limit"), "{error}");
    assert!(error.contains("train --config of-file/config.toml"), "{error}");
    assert!(files(&place.path("of-file")) == before);
    // What the run was begun with is what its checkpoint says, whatever becomes of the file.
    let config = place.path("r/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    for (from, to, says) in [
        ("learning_rate = 0.0075", "learning_rate = 0.5", "training.learning_rate was 0.0075"),
        ("seed = 1\nsize = 24", "seed = 2\nsize = 24", "it is of another run: the data was "),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(edited, text);
        fs::write(&config, edited).unwrap();
        let before = files(&place.path("r"));
        let error = place.refused(&["train", "--resume", "r", "--iterations", "50"]);
        assert!(error.contains(says), "{error}");
        assert!(files(&place.path("r")) == before, "{says}");
    }
    fs::write(&config, text).unwrap();
    let free = ["--threads", "2", "--log-every", "5", "--iterations", "50"];
    place.ok(&[&["train", "--resume", "r"], &free[..]].concat());
}

#[test]
fn what_is_damaged_or_half_written_does_not_keep_a_run_from_going_on() {
    let place = Place::new();
    place.ok(&[&quick()[..], &["--out", "r"]].concat());
    let log = place.path("r/metrics.jsonl");
    let text = fs::read(&log).unwrap();
    let mut damaged = text.clone();
    damaged[3] = 0xff;
    fs::write(&log, [&damaged[..], b"{\"iteration\":4"].concat()).unwrap();
    for name in [".dnn-abc.tmp", "checkpoints/.dnn-xyz.tmp"] {
        fs::write(place.path("r").join(name), "half").unwrap();
    }
    let output = place.run(&["train", "--resume", "r", "--iterations", "60"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let error = stderr(&output);
    assert!(error.contains("metrics.jsonl: left out what is damaged, line 1"), "{error}");
    let lines = fs::read_to_string(&log).unwrap();
    let iterations: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["iteration"].clone())
        .collect();
    assert_eq!(iterations, [10, 20, 30, 40, 50]);
    assert!(!names(&place.path("r")).iter().any(|name| name.contains(".tmp")));
    assert_eq!(names(&place.path("r/checkpoints")), ["last.safetensors", "previous.safetensors"]);
}

#[test]
fn the_best_checkpoint_of_a_training_that_diverges_is_kept() {
    let place = Place::new();
    // The learning rate grows until the cost overflows, long after the first validation.
    let wild = ["--schedule", "exponential:factor=2", "--lr", "0.001", "--iterations", "5000"];
    let judged = ["--activation", "leaky-relu", "--validation", "0.2", "--validate-every", "1"];
    let args = [&["train"], &DATA[..], &wild, &judged, &["--out", "r"]].concat();
    let error = place.refused(&args);
    assert!(error.contains("diverged"), "{error}");
    assert_eq!(names(&place.path("r/checkpoints")), ["best.safetensors"]);
    let best = fs::read(place.path("r/checkpoints/best.safetensors")).unwrap();
    let best = Checkpoint::from_bytes(&best).unwrap();
    assert_eq!(best.progress().best, Some(best.progress().validations.len() - 1));
    assert!(!place.path("r/model.safetensors").exists());
}

#[test]
fn what_is_no_run_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let error = place.refused(&["train", "--resume", "empty"]);
    assert!(error.contains("not a run folder, it has no config.toml"), "{error}");
    let error = place.refused(&["train", "--resume", "empty", "--force"]);
    assert!(error.contains("'--resume <RUN>' cannot be used with '--force'"), "{error}");
    let error = place.refused(&["sweep", "--resume", "empty"]);
    assert!(error.contains("not the folder of a sweep, it has no sweep.toml"), "{error}");
}

#[test]
fn folds_that_are_missing_are_trained_and_failed_ones_recorded() {
    let place = Place::new();
    let whole = place.json(&[&quick()[..], &["--folds", "3", "--out", "f"]].concat());
    assert_eq!(place.json(&["inspect", "f"])["state"], "finished");
    // As it stands after a kill in the third fold.
    let file = place.path("f/folds.json");
    let mut report = whole.clone();
    report["folds"].as_array_mut().unwrap().pop();
    fs::write(&file, report.to_string()).unwrap();
    let found = place.json(&["inspect", "f"]);
    assert_eq!((&found["kind"], &found["state"]), (&"folds".into(), &"interrupted".into()));
    assert!(place.ok(&["inspect", "f"]).contains("interrupted, 2 of 3 folds trained"));
    let before = files(&place.path("f"));
    for (flags, name) in [
        (["--lr", "0.5"], "training.learning_rate was"),
        (["--iterations", "50"], "had iterations = 40 and epochs = 0; expected the same, got 50"),
        (["--augment", "light"], "augment was not set"),
    ] {
        let error = place.refused(&[&["train", "--resume", "f"], &flags[..]].concat());
        assert!(error.contains(name), "{error}");
    }
    assert!(files(&place.path("f")) == before);
    let config = place.path("f/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("learning_rate = 0.0075", "learning_rate = 0.5")).unwrap();
    let error = place.refused(&["train", "--resume", "f"]);
    assert!(error.contains("training.learning_rate was 0.0075 and would be 0.5"), "{error}");
    fs::write(&config, text).unwrap();
    let text = place.ok(&["train", "--resume", "f"]);
    assert!(text.contains("Fold 3 of 3: ") && !text.contains("Fold 2 of 3"), "{text}");
    let now: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(now, whole);
    // One that diverges is recorded, and the others are trained all the same.
    let wild = ["--folds", "2", "--lr", "1e300", "--activation", "leaky-relu", "--out", "d"];
    let output = place.run(&[&quick()[..], &wild].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("2 of 2 folds came to no end"), "{}", stderr(&output));
    let found = place.json(&["inspect", "d"]);
    assert_eq!(found["state"], "finished");
    assert_eq!(found["report"]["failed"].as_array().unwrap().len(), 2);
    let error = found["report"]["failed"][0]["error"].as_str().unwrap();
    assert!(error.contains("training has diverged"), "{error}");
    // Such a folder is one to replace.
    place.ok(&[&quick()[..], &["--out", "d", "--force"]].concat());
    assert!(!place.path("d/folds.json").exists());
}

/// Other seeds that were interrupted are trained by a resume, and the exit code says that they were.
#[cfg(unix)]
#[test]
fn other_seeds_are_interrupted_and_resumed() {
    let place = Place::new();
    let train = |n, out| [&quick()[..], &["--seeds", n, "--out", out]].concat();
    place.ok(&train("4", "whole"));
    let summary = |run: &str| -> Value {
        let text = fs::read(place.path(run).join("summary.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let seeds = |run: &str| summary(run)["seeds"].as_array().cloned().unwrap_or_default();
    let mut child = place.dnn(&train("100000", "long")).spawn().unwrap();
    while !place.path("long/summary.json").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(seeds("long").len() < 100_000);
    // As it stands after four seeds were asked for, and the program ended in the third.
    let config = fs::read_to_string(place.path("long/config.toml")).unwrap();
    fs::write(place.path("long/config.toml"), config.replace("seeds = 100000", "seeds = 4"))
        .unwrap();
    let mut left = summary("long");
    left["seeds"] = summary("whole")["seeds"].as_array().unwrap()[..2].into();
    fs::write(place.path("long/summary.json"), left.to_string()).unwrap();
    let said = place.ok(&["train", "--resume", "long"]);
    assert!(said.contains("over 4 seeds"), "{said}");
    assert_eq!(seeds("long"), seeds("whole"));
    let said = place.ok(&["train", "--resume", "long"]);
    assert!(said.contains("is finished"), "{said}");
    // A configuration repeats them, and neither folds nor a sweep take it for one seed.
    place.ok(&["train", "--config", "whole/config.toml", "--out", "again"]);
    assert_eq!(seeds("again"), seeds("whole"));
    let error = place.refused(&["train", "--config", "whole/config.toml", "--folds", "2"]);
    assert!(error.contains("seeds"), "{error}");
}

#[test]
fn folds_killed_before_their_configuration_was_written_are_replaced_when_forced() {
    let place = Place::new();
    let folds = [&quick()[..], &["--folds", "2", "--out", "f", "--force"]].concat();
    place.ok(&folds);
    fs::remove_file(place.path("f/config.toml")).unwrap();
    place.ok(&folds);
    // Somebody else's file of that name stays.
    fs::remove_file(place.path("f/config.toml")).unwrap();
    fs::write(place.path("f/folds.json"), "[1]").unwrap();
    let error = place.refused(&folds);
    assert!(error.contains("not a run of dnn"), "{error}");
    assert_eq!(fs::read_to_string(place.path("f/folds.json")).unwrap(), "[1]");
}
