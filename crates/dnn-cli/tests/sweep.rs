//! `dnn sweep`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Place, names, quick};
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
    assert_eq!(names(&place.path("s")), ["sweep.csv", "sweep.json"]);
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
}

#[test]
fn mistakes_are_found_before_anything_is_trained() {
    let place = Place::new();
    for (sweep, expected) in [
        ("[grid]\nlearning_rat = [0.1]\n", "did you mean `learning_rate`?"),
        ("[gird]\nseed = [1]\n", "did you mean `grid`?"),
        ("[grid]\nseed = []\n", "grid: seed has no values"),
        ("[grid]\nlearning_rate = [0.1, -1.0]\n", "learning_rate is -1"),
        ("[grid]\npatience = [3]\n", "patience and restore_best need a validation set"),
    ] {
        fs::write(place.path("sweep.toml"), sweep).unwrap();
        let error = place.refused(&["sweep", "sweep.toml", "drawn", "--out", "s"]);
        assert!(error.contains(expected), "{sweep}: {error}");
        assert!(!place.path("s").exists());
    }
    let error = place.refused(&["sweep", "no.toml"]);
    assert!(error.contains("cannot use the sweep no.toml"), "{error}");
}
