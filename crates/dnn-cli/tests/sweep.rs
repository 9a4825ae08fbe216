//! `dnn sweep`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Place, names, quick, stderr};
use std::fs;

#[test]
fn a_grid_is_trained_and_told_in_one_table() {
    let place = Place::new();
    // Small drawn images come with a configuration.
    place.ok(&[&quick()[..], &["--out", "base"]].concat());
    let sweep = "config = \"base/config.toml\"\n[grid]\nseed = [1, 2]\nhidden = [[6], [5, 4]]\n";
    fs::write(place.path("sweep.toml"), sweep).unwrap();
    let report = place.json(&["sweep", "sweep.toml", "--out", "s"]);
    assert_eq!(report["rows"].as_array().unwrap().len(), 4);
    assert_eq!(report["groups"].as_array().unwrap().len(), 2);
    assert_eq!(
        names(&place.path("s")),
        [
            "accuracies.png",
            "accuracies.svg",
            "config.toml",
            "rows.jsonl",
            "sweep.csv",
            "sweep.json",
            "sweep.toml"
        ]
    );
    let table = fs::read_to_string(place.path("s/sweep.csv")).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines.len() == 5 && lines[0].starts_with("hidden,seed,train_correct"), "{table}");
    assert!(lines[3].starts_with("\"[5, 4]\",1,"), "{table}");
    // A run of the sweep is the run that `train` makes.
    let flags = ["--layers", "5,4", "--seed", "2", "--out", "one"];
    let args = [&["train", "--config", "base/config.toml"], &flags[..]].concat();
    let one = place.json(&args);
    assert_eq!(report["rows"][3]["cost"], one["final_cost"]);
    // As many at a time as there are makes no difference.
    let again = place.json(&["sweep", "sweep.toml", "--jobs", "3", "--out", "t"]);
    assert_eq!(again["groups"], report["groups"]);
    let said = place.ok(&["sweep", "sweep.toml", "--out", "u"]);
    assert!(said.contains("hidden = [6], 2 seeds: test accuracy "), "{said}");
    assert!(said.contains("one image is 8.33 points"), "{said}");
    // What is kept apart to judge by is not counted as trained on.
    let sweep = "config = \"base/config.toml\"\n[grid]\nvalidation = [0.2]\n";
    fs::write(place.path("sweep.toml"), sweep).unwrap();
    let row = &place.json(&["sweep", "sweep.toml", "--out", "v"])["rows"][0];
    assert_eq!(
        (&row["train"]["total"], &row["validation"]["score"]["total"]),
        (&24.into(), &6.into())
    );
}

#[test]
fn mistakes_are_found_before_anything_is_trained() {
    let place = Place::new();
    for (sweep, expected) in [
        ("[grid]\nlearning_rat = [0.1]\n", "did you mean `learning_rate`?"),
        ("[gird]\nseed = [1]\n", "did you mean `grid`?"),
        ("[grid]\nseed = []\n", "grid: seed has no values"),
        ("[grid]\nlearning_rate = [0.1, -1.0]\n", "learning_rate is -1"),
        ("[grid]\npatience = [3]\n", "patience, restore_best and calibrate need a validation set"),
    ] {
        fs::write(place.path("sweep.toml"), sweep).unwrap();
        let error = place.refused(&["sweep", "sweep.toml", "drawn", "--out", "s"]);
        assert!(error.contains(expected), "{sweep}: {error}");
        assert!(!place.path("s").exists());
    }
    let error = place.refused(&["sweep", "no.toml"]);
    assert!(error.contains("cannot use the sweep no.toml"), "{error}");
}

#[test]
fn a_sweep_goes_on_with_what_is_missing_and_records_what_fails() {
    let place = Place::new();
    // Plain ReLUs could all die at the first step, and the cost stay finite.
    place.ok(&[&quick()[..], &["--activation", "leaky-relu", "--out", "base"]].concat());
    let sweep =
        "config = \"base/config.toml\"\n[grid]\nlearning_rate = [0.01, 1e300]\nseed = [1, 2]\n";
    fs::write(place.path("sweep.toml"), sweep).unwrap();
    let output = place.run(&["sweep", "sweep.toml", "--jobs", "1", "--out", "s"]);
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("2 of 4 combinations came to no end"), "{error}");
    let table = |run: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(place.path(run).join("sweep.csv")).unwrap();
        let lines = text.lines().map(|line| line.split(',').map(String::from).collect());
        let mut lines: Vec<Vec<String>> = lines.collect();
        let seconds = lines[0].iter().position(|name| name == "seconds").unwrap();
        for line in &mut lines {
            line[seconds].clear();
        }
        lines
    };
    let whole = table("s");
    assert_eq!(whole.len(), 5);
    assert!(whole[3].concat().contains("training has diverged"), "{whole:?}");
    let found = place.json(&["inspect", "s"]);
    assert_eq!((&found["kind"], &found["state"]), (&"sweep".into(), &"finished".into()));
    assert_eq!(found["rows"], serde_json::json!({ "asked": 4, "trained": 2, "failed": 2 }));
    // As it stands after a kill: two rows, and a third that was not written to its end.
    let file = place.path("s/rows.jsonl");
    let rows = fs::read_to_string(&file).unwrap();
    let kept: String = rows.split_inclusive('\n').take(3).collect();
    fs::write(&file, format!("{kept}{{\"setting\":{{\"lea")).unwrap();
    fs::remove_file(place.path("s/sweep.csv")).unwrap();
    let text = place.ok(&["inspect", "s"]);
    assert!(text.contains("interrupted, 2 of 4 combinations trained, 0 failed"), "{text}");
    let error = place.refused(&["train", "--resume", "s"]);
    assert!(error.contains("sweep --resume s"), "{error}");
    let output = place.run(&["sweep", "--resume", "s"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(table("s"), whole);
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.starts_with(&kept) && now.lines().count() == 5, "{now}");
    // As it stands after a kill before the first row: what the rows are of is not written twice.
    let start: String = now.split_inclusive('\n').take(1).collect();
    fs::write(&file, &start).unwrap();
    place.run(&["sweep", "--resume", "s"]);
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.starts_with(&start) && now.lines().count() == 5, "{now}");
    // Rows of another training are not mixed with these.
    let config = place.path("s/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("l2 = 0.0", "l2 = 0.1")).unwrap();
    let error = place.refused(&["sweep", "--resume", "s"]);
    assert!(error.contains("training.l2 was 0.0 and would be 0.1"), "{error}");
    // Rows of other images are not mixed with these.
    fs::write(&config, text.replace("seed = 1\nsize = 24", "seed = 2\nsize = 24")).unwrap();
    let error = place.refused(&["sweep", "--resume", "s"]);
    assert!(error.contains("the sweep is of other data"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), now);
}
