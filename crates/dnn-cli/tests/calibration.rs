//! Calibrated models, warm starts, limits of time and the learning-rate finder, through the program.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, names, stdout, write_colours};
use serde_json::Value;

/// Draws `n` images into `images/`, and returns their names.
fn photos(place: &Place) -> Vec<String> {
    common::draw_folder(&place.path("images"), 2, 12);
    let mut found = Vec::new();
    for class in names(&place.path("images/test")) {
        let folder = format!("images/test/{class}");
        found.extend(names(&place.path(&folder)).iter().map(|name| format!("{folder}/{name}")));
    }
    found
}

#[test]
fn a_calibrated_model_keeps_its_temperature_and_answers_with_sets() {
    let place = Place::new();
    let train = [
        &["train", "drawn", "--draw-train", "200", "--draw-test", "12", "--draw-size", "24"][..],
        &["--iterations", "300", "--lr", "0.1", "--threads=1"],
        &["--validation", "0.4", "--calibrate", "--out", "r"],
    ];
    let summary = place.json(&train.concat());
    let t = summary["temperature"].as_f64().unwrap();
    assert!(t > 0.0 && t != 1.0, "{t}");
    let images = photos(&place);
    let mut args = vec!["predict", "r"];
    args.extend(images.iter().map(String::as_str));
    let plain = place.json(&args);
    assert!(plain.get("coverage").is_none() && plain["predictions"][0].get("set").is_none());
    args.extend(["--coverage", "0.9"]);
    let covered = place.json(&args);
    assert_eq!(covered["coverage"], 0.9);
    let classes: Vec<&Value> = covered["classes"].as_array().unwrap().iter().collect();
    for (plain, covered) in plain["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .zip(covered["predictions"].as_array().unwrap())
    {
        assert_eq!(plain["probability"], covered["probability"]);
        let set = covered["set"].as_array().unwrap();
        assert!(
            set.contains(&covered["class"]) && set.iter().all(|class| classes.contains(&class))
        );
    }
    // The same in files: the last column of a table, a list in JSON lines.
    for out in ["rows.csv", "rows.jsonl"] {
        place.ok(&[&args[..], &["--out", out]].concat());
        let rows = std::fs::read_to_string(place.path(out)).unwrap();
        let sets: Vec<Value> = if out == "rows.csv" {
            let mut table = csv::Reader::from_reader(rows.as_bytes());
            assert_eq!(table.headers().unwrap().iter().next_back(), Some("set"));
            let set = |row: csv::StringRecord| serde_json::from_str(&row[row.len() - 1]);
            table.records().map(|row| set(row.unwrap()).unwrap()).collect()
        } else {
            let row = |row| serde_json::from_str::<Value>(row).unwrap()["set"].clone();
            rows.lines().map(row).collect()
        };
        let expected = covered["predictions"].as_array().unwrap().iter();
        assert_eq!(sets, expected.map(|answer| answer["set"].clone()).collect::<Vec<_>>(), "{out}");
    }
    let text = place.ok(&args);
    assert!(text.lines().next().unwrap().contains(", one of {"), "{text}");
    // With 80 images no class can be left out of sets that hold 99 of 100.
    let certain = place.run(&[&args[..args.len() - 1], &["0.99"]].concat());
    assert!(
        common::stderr(&certain).contains("calibrated with 80 images; a coverage of 0.99 needs 99")
    );
    assert!(stdout(&certain).contains(", one of {non-cat, cat}"));
    for wrong in ["0", "1", "1.5", "nan"] {
        let error = place.refused(&[&args[..args.len() - 1], &[wrong]].concat());
        assert!(error.contains("expected a probability between 0 and 1"), "{error}");
    }
    // What is exported has the temperature in its weights.
    place.ok(&["export", "r", "--format", "c", "--out", "model.c"]);
    let uncalibrated = place.trained_as("plain");
    assert!(uncalibrated.get("temperature").is_none());
    let error = place.refused(&["predict", "plain", &images[0], "--coverage", "0.9"]);
    assert!(error.contains("was not calibrated; train it with --calibrate"), "{error}");
    let error = place.refused(&["train", "drawn", "--calibrate", "--out", "none"]);
    assert!(error.contains("calibrate need a validation set"), "{error}");
    assert!(!place.path("none").exists());
}

#[test]
fn a_warm_start_begins_where_the_model_was() {
    let place = Place::new();
    let first = place.trained_as("first");
    let again =
        [&["train"], &DATA[..], &["--from", "first", "--iterations", "1", "--out", "again"]];
    let second = place.json(&again.concat());
    let (end, begin) =
        (first["final_cost"].as_f64().unwrap(), second["costs"][0]["cost"].as_f64().unwrap());
    assert!((end - begin).abs() < 1e-9, "{end} {begin}");
    let config = std::fs::read_to_string(place.path("again/config.toml")).unwrap();
    assert!(config.contains("first/model.safetensors"), "{config}");
    // The configuration repeats it.
    let repeated = place.json(&["train", "--config", "again/config.toml", "--out", "repeated"]);
    assert_eq!(repeated["costs"], second["costs"]);
    // Three classes from two: the hidden layers are taken, and the output layer drawn.
    write_colours(&place.path("colours.h5"));
    let small = ["train", "colours.h5", "--size", "24", "--from", "first", "--iterations", "5"];
    let three = place.json(&[&small[..], &["--out", "three"]].concat());
    assert_eq!(three["architecture"]["layer_dims"], serde_json::json!([1728, 20, 7, 5, 3]));
    // What does not fit is refused before anything is written.
    let error = place.refused(&["train", "colours.h5", "--from", "first", "--out", "none"]);
    assert!(error.contains("it was trained on") && error.contains("--size"), "{error}");
    let other = [&again.concat()[..10], &["--layers", "9", "--out", "none"]].concat();
    let error = place.refused(&other);
    assert!(error.contains("only the output layer may differ"), "{error}");
    assert!(!place.path("none").exists());
}

#[test]
fn training_ends_in_time_and_goes_on() {
    let place = Place::new();
    let limited = ["--iterations", "100000000", "--log-every", "1000000", "--time", "200ms"];
    let summary = place.json(&[&["train"], &DATA[..], &limited, &["--out", "r"]].concat());
    assert_eq!(summary["end"], "time");
    let made = summary["iterations"].as_u64().unwrap();
    assert!(made > 0);
    assert!(place.ok(&["inspect", "r"]).contains("stopped when its time was over"));
    let more = place.json(&["train", "--resume", "r"]);
    assert!(more["iterations"].as_u64().unwrap() > made, "the same time once more");
    let error = place.run(&["train", "drawn", "--time", "soon"]);
    assert!(common::stderr(&error).contains("expected a time above 0, for example 90s, 10m"));
}

#[test]
fn a_learning_rate_is_suggested_and_drawn() {
    let place = Place::new();
    let args =
        [&["lr-find"], &DATA[..], &["--lowest", "1e-4", "--iterations", "60", "--threads=1"]];
    let found = place.json(&[&args.concat()[..], &["--plot", "rate.svg"]].concat());
    let suggestion = found["suggestion"].as_f64().unwrap();
    assert!((1e-4..10.0).contains(&suggestion), "{suggestion}");
    assert!(found["points"].as_array().unwrap().len() <= 60);
    let svg = std::fs::read_to_string(place.path("rate.svg")).unwrap();
    assert!(svg.contains("Suggested learning rate") && svg.contains("1e-2"));
    let text = place.ok(&args.concat());
    assert!(text.contains("Suggested learning rate: "), "{text}");
    assert_eq!(place.names(), ["rate.svg"], "no run is left behind");
    let error = place.refused(&[&args.concat()[..], &["--highest", "1e-5"]].concat());
    assert!(error.contains("expected 0 < lowest < highest"), "{error}");
}
