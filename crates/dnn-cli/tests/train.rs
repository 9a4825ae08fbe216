//! `dnn train`, and what it leaves behind.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, names, quick, stderr, stdout};
use serde_json::Value;
use std::fs;

#[test]
fn a_run_has_all_its_files_and_says_what_it_did() {
    let place = Place::new();
    let result = place.trained();
    assert_eq!(
        names(&place.path("r")),
        [
            "checkpoints",
            "config.toml",
            "cost.png",
            "cost.svg",
            "metrics.jsonl",
            "model.safetensors",
            "summary.json"
        ]
    );
    assert_eq!(result["model"], "r/model.safetensors");
    assert_eq!(result["run"], "r");
    assert_eq!(result["data"], "drawn");
    assert_eq!(result["precision"], "f64");
    assert_eq!(result["iterations"], 40);
    assert_eq!(result["end"], "completed");
    assert_eq!(result["train"]["total"], 30);
    assert_eq!(result["test"]["total"], 12);
    let costs = result["costs"].as_array().unwrap();
    let iterations: Vec<_> = costs.iter().map(|c| c["iteration"].as_u64().unwrap()).collect();
    assert_eq!(iterations, [0, 10, 20, 30]);
    for part in ["load", "train", "evaluate"] {
        assert!(result["seconds"][part].as_f64().unwrap() >= 0.0);
    }
    let summary = fs::read_to_string(place.path("r/summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&summary).unwrap(), result);
    let log = fs::read_to_string(place.path("r/metrics.jsonl")).unwrap();
    let logged: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(logged.len(), 4);
    assert_eq!(logged[3]["cost"], costs[3]["cost"]);
}

#[test]
fn the_configuration_of_a_run_repeats_it_to_the_byte() {
    let place = Place::new();
    place.trained();
    place.ok(&["train", "--config", "r/config.toml", "--out", "again", "--threads", "2"]);
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert!(model("r") == model("again"));
    place.ok(&["train", "--config", "r/config.toml", "--out", "other", "--seed", "2"]);
    assert!(model("r") != model("other"));
}

#[test]
fn text_shows_the_costs_the_accuracies_and_what_to_type_next() {
    let place = Place::new();
    let text = place.ok(&quick());
    for part in [
        "Cost after iteration 0: 0.",
        "Cost after iteration 30: 0.",
        "Training accuracy: ",
        " of 30)",
        "Test accuracy: ",
        " of 12), 95 % interval ",
        "dnn evaluate runs/course-deep drawn --draw-train 30 --draw-test 12 --draw-size 24",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    // What it says to type next works.
    let judge = [&["evaluate", "runs/course-deep"], &DATA[..], &["--mislabeled", "mislabeled.png"]];
    place.ok(&judge.concat());
    assert!(place.path("mislabeled.png").exists());
    // The next run does not touch the first.
    place.ok(&quick());
    assert_eq!(names(&place.path("runs")), ["course-deep", "course-deep-2"]);
    let quiet = place.run(&[&quick()[..], &["--quiet"]].concat());
    assert!(quiet.stderr.is_empty() && !stdout(&quiet).contains("Cost after"));
}

#[test]
fn a_run_is_not_overwritten_unless_forced() {
    let place = Place::new();
    place.trained();
    let again = [&quick()[..], &["--out", "r"]].concat();
    let before = fs::read(place.path("r/summary.json")).unwrap();
    let error = place.refused(&again);
    assert!(error.contains("r is not empty") && error.contains("--force"), "{error}");
    assert_eq!(fs::read(place.path("r/summary.json")).unwrap(), before);
    place.ok(&[&again[..], &["--force"]].concat());
}

#[test]
fn more_memory_than_there_is_is_refused_before_images_are_read() {
    let place = Place::new();
    fs::write(
        place.path("c.toml"),
        "[source]\ndata = \"drawn\"\n[source.drawn]\ntrain = 100000\n[source.input]\nsize = \"4096\"\n\
         [training]\niterations = 2\n",
    )
    .unwrap();
    fs::write(place.path("s.toml"), "config = \"c.toml\"\n[grid]\nseed = [1, 2]\n").unwrap();
    // 100,000 images of 50 million features of 8 bytes.
    for args in [
        &["train", "--config", "c.toml"][..],
        &["train", "--config", "c.toml", "--folds", "3"],
        &["sweep", "s.toml"],
    ] {
        let error = place.refused(args);
        assert!(error.contains("takes at least 40") && error.contains("GB of memory"), "{error}");
        assert_eq!(place.names(), ["c.toml", "s.toml"]);
    }
}

#[test]
fn wrong_settings_are_named_and_leave_nothing() {
    let place = Place::new();
    for (args, says) in [
        (vec!["--lr", "0"], "learning_rate is 0"),
        (vec!["--lr", "-1"], "learning_rate is -1"),
        (vec!["--layers", "20,0"], "number 2 of hidden is 0: expected a whole number, 1 to"),
        (vec!["--layers", "20;7"], "hidden is \"20;7\": expected a whole number"),
        (vec!["--seed", "4294967296"], "seed 4294967296"),
        (vec!["--init", "glorott"], "did you mean `glorot`?"),
        (vec!["--rng", "nump"], "'numpy'"),
        (vec!["--precision", "f46"], "[possible values: f32, f64, bf16]"),
        (vec!["--precision", "bf16", "--engine", "gram"], "engine gram with precision bf16"),
        (vec!["--preset", "course-dep"], "'course-deep'"),
        (vec!["--iteratoins", "3"], "'--iterations'"),
        (vec!["--config", "none.toml"], "none.toml"),
    ] {
        let error = place.refused(&[&["train", "drawn"], &args[..]].concat());
        assert!(error.contains(says), "{args:?}: {error}");
        assert!(place.names().is_empty(), "{args:?} left {:?}", place.names());
    }
    fs::write(place.path("c.toml"), "[training]\nhiden = [3]\n").unwrap();
    let error = place.refused(&["train", "--config", "c.toml"]);
    assert!(error.contains("line 2") && error.contains("did you mean `hidden`?"), "{error}");
}

#[test]
fn divergence_is_an_error_that_says_where_and_what_helps() {
    let place = Place::new();
    // Plain ReLUs could all die at the first step, and the cost stay finite.
    let wild = ["--lr", "1e300", "--activation", "leaky-relu", "--out", "r"];
    let args = [&quick()[..], &wild].concat();
    let error = place.refused(&args);
    assert!(error.contains("diverged") && error.contains("learning rate"), "{error}");
    assert!(!place.path("r/model.safetensors").exists());
}

#[cfg(unix)]
#[test]
fn a_signal_keeps_the_model_so_far_and_is_the_exit_code() {
    use std::io::Read;
    use std::process::Stdio;
    let place = Place::new();
    for (signal, code, run) in [("-INT", 130, "r"), ("-TERM", 143, "s")] {
        let args =
            ["train", "drawn", "--iterations", "100000000", "--out", run, "--log-every", "1"];
        let mut child =
            place.dnn(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        // What is trained on, and the costs before and after the first update: it trains.
        let mut text = vec![0; 96];
        out.read_exact(&mut text).unwrap();
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(rest.contains("Stopped 12288-20-7-5-1 after "), "{rest}");
        let summary = fs::read_to_string(place.path(run).join("summary.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&summary).unwrap()["end"], "asked");
        assert!(rest.contains(&format!("To go on: dnn train --resume {run}")), "{rest}");
        place.ok(&["inspect", &format!("{run}/model.safetensors")]);
    }
}

#[test]
fn a_reader_that_leaves_does_not_end_training() {
    let place = Place::new();
    let args = [&quick()[..], &["--out", "r"]].concat();
    let mut child = place.dnn(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(place.path("r/model.safetensors").exists());
}

#[test]
fn folds_judge_every_training_image_once() {
    let place = Place::new();
    let report = place.json(&[&quick()[..], &["--folds", "3", "--out", "f"]].concat());
    assert_eq!(report["folds"].as_array().unwrap().len(), 3);
    assert_eq!(report["summary"]["pooled"]["total"], 30);
    let written =
        ["accuracies.png", "accuracies.svg", "config.toml", "folds.json", "predictions.csv"];
    assert_eq!(names(&place.path("f")), written);
    let again = place.json(&[&quick()[..], &["--folds", "3", "--out", "g"]].concat());
    assert_eq!(report["folds"], again["folds"]);
    let error = place.refused(&[&quick()[..], &["--folds", "31", "--out", "h"]].concat());
    assert!(error.contains("31 folds of 30 examples: expected 2 to 30"), "{error}");
    assert!(!place.path("h").exists());
}

#[test]
fn flags_of_breadth_train_and_stay_in_the_configuration() {
    let place = Place::new();
    let flags = [
        "--optimizer",
        "adamw:weight_decay=0.1",
        "--lr",
        "0.001",
        "--epochs",
        "6",
        "--batch-size",
        "8",
        "--dropout",
        "0.1",
        "--l2",
        "0.01",
        "--clip-norm",
        "5",
        "--class-weights",
        "balanced",
        "--validation",
        "0.25",
        "--patience",
        "50",
        "--restore-best",
        "--schedule",
        "cosine:warmup=3",
        "--layers",
        "9,6",
        "--activation",
        "tanh,relu",
        "--loss",
        "softmax",
        "--init",
        "auto",
    ];
    let args = [&["train"], &DATA[..], &flags].concat();
    let first = place.json(&[&args[..], &["--out", "a"]].concat());
    assert_eq!(first["iterations"], 6 * 3, "22 images in batches of 8");
    assert_eq!(first["validations"].as_array().unwrap().len(), 6);
    assert_eq!(first["architecture"]["loss"], "softmax-cross-entropy");
    // Only what was trained on counts as that, and the weights that are kept are the best ones.
    assert_eq!(first["train"]["total"], 22);
    assert_eq!(first["validation"]["total"], 8);
    assert_eq!(first["validation"], first["best"]["score"]);
    place.ok(&["train", "--config", "a/config.toml", "--out", "b", "--threads", "3"]);
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert!(model("a") == model("b"));
    for (flags, expected) in [
        (["--optimizer", "adma"], "did you mean `adam`?"),
        (["--schedule", "cosin"], "did you mean `cosine`?"),
        (["--dropout", "1"], "dropout is 1: expected a finite number, at least 0 and below 1"),
        (["--patience", "3"], "patience, restore_best and calibrate need a validation set"),
        (["--class-weights", "1,2,3"], "3 class weights for 2 classes"),
        (["--validation", "0.001"], "this share of the training set is no example"),
    ] {
        let error = place.refused(&[&quick()[..], &flags, &["--out", "c"]].concat());
        assert!(error.contains(expected), "{flags:?}: {error}");
    }
    let gram = ["--engine", "gram", "--optimizer", "adam", "--out", "c"];
    let error = place.refused(&[&quick()[..], &gram].concat());
    assert!(error.contains("it takes optimizers whose steps are linear"), "{error}");
}

#[test]
fn a_network_that_tells_nothing_apart_says_so() {
    let place = Place::new();
    let text = place.ok(&[&quick()[..], &["--init", "zeros", "--out", "same"]].concat());
    assert!(text.contains("30 training images of 2 classes\n"), "{text}");
    assert!(text.contains("gives every training image the same answer, "), "{text}");
    let text = place.ok(&[&quick()[..], &["--validation", "0.2", "--out", "judged"]].concat());
    assert!(text.contains("Training accuracy: ") && text.contains(" of 24)\n"), "{text}");
    assert!(text.contains("Validation accuracy: ") && text.contains(" of 6)\n"), "{text}");
}

#[test]
fn augmented_training_repeats_itself_and_is_judged_on_the_images_as_they_are() {
    let place = Place::new();
    let train = [&quick()[..], &["--augment", "strong", "--batch-size", "8"]].concat();
    let augmented = place.json(&[&train[..], &["--out", "a"]].concat());
    assert_eq!(augmented["engine"], "dense");
    place.ok(&["train", "--config", "a/config.toml", "--threads", "2", "--out", "again"]);
    let plain = [&quick()[..], &["--batch-size", "8", "--out", "plain"]].concat();
    place.ok(&plain);
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert!(model("a") == model("again"));
    assert!(model("a") != model("plain"));
    let judged = place.json(&[&["evaluate", "a"], &DATA[..], &["--split", "train"]].concat());
    assert_eq!(judged["correct"], augmented["train"]["correct"]);
    let error = place.refused(&[&train[..], &["--engine", "gram", "--out", "g"]].concat());
    assert!(error.contains("gram engine"), "{error}");
}
