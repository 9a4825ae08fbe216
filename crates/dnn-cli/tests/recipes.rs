//! Descriptions, views, presets by the data, honesty about chance, and `dnn tune`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, draw_folder, quick};
use serde_json::Value;
use std::fs;

const SHORT: [&str; 5] = ["--epochs", "4", "--schedule", "constant", "--seed=3"];

fn accuracy(report: &Value) -> f64 {
    report["accuracy"].as_f64().unwrap()
}

#[test]
fn a_users_photos_are_described_and_seen_in_views_and_every_command_does_the_same() {
    let place = Place::with_chosen_presets();
    draw_folder(&place.path("photos"), 40, 16);
    let train = ["train", "photos", "--preset", "photos"];
    let said = place.ok(&[&train[..], &["--out", "r"], &SHORT[..]].concat());
    assert!(said.contains("Majority class:"), "{said}");
    let config = fs::read_to_string(place.path("r/config.toml")).unwrap();
    assert!(config.contains("features = \"colour+texture\"\nviews = 12"), "{config}");
    let trained: Value =
        serde_json::from_slice(&fs::read(place.path("r/summary.json")).unwrap()).unwrap();
    let judged = place.json(&["evaluate", "r"]);
    assert_eq!(judged["correct"], trained["test"]["correct"], "training judges by all views");
    let one = place.json(&["evaluate", "r", "--views", "1"]);
    assert_ne!(judged["cost"], one["cost"]);
    // What evaluate says of an image is what predict says of its file.
    let folders = ["cat", "non-cat"].map(|class| place.path("photos/test").join(class));
    let mut right = 0;
    for (class, folder) in folders.iter().enumerate() {
        for name in common::names(folder) {
            let file = folder.join(name);
            let said = place.json(&["predict", "r", file.to_str().unwrap()]);
            right += u64::from(said["predictions"][0]["index"] == class);
        }
    }
    assert_eq!(judged["correct"], right);
    let error = place.refused(&["evaluate", "r", "--views", "13"]);
    assert!(error.contains("--views") && error.contains("expected 1 to 12"), "{error}");
    // The configuration repeats the run.
    place.ok(&["train", "--config", "r/config.toml", "--out", "again"]);
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert_eq!(model("again"), model("r"));
    // As does one thread, and going on.
    place.ok(&[&train[..], &["--out", "one", "--threads=1"], &SHORT[..]].concat());
    assert_eq!(model("one"), model("r"));
    let half = ["--epochs", "2", "--schedule", "constant", "--seed=3"];
    place.ok(&[&train[..], &["--out", "half"], &half[..]].concat());
    place.ok(&["train", "--resume", "half", "--epochs", "4"]);
    assert_eq!(model("half"), model("r"));
}

#[test]
fn a_preset_is_chosen_by_the_data_or_by_name() {
    let place = Place::with_chosen_presets();
    let rows: Vec<String> =
        (0..40).map(|i| format!("{},{},{}", i % 7, (i * i) % 11, ["a", "b"][i % 2])).collect();
    fs::write(place.path("rows.csv"), format!("x,y,label\n{}\n", rows.join("\n"))).unwrap();
    let said = place.ok(&["train", "rows.csv", "--epochs", "2"]);
    assert!(said.contains("Preset table, for rows of numbers"), "{said}");
    let said = place.ok(&["lr-find", "rows.csv", "--iterations", "20"]);
    assert!(said.contains("Preset table, for rows of numbers"), "{said}");
    let named = place.ok(&["train", "rows.csv", "--preset", "course-deep", "--iterations", "2"]);
    assert!(!named.contains("Preset "), "{named}");
    let drawn = place.ok(&[&["train"], &DATA[..], &["--iterations", "2"]].concat());
    assert!(!drawn.contains("Preset "), "{drawn}");
    draw_folder(&place.path("photos"), 20, 8);
    let said = place.ok(&["train", "photos", "--epochs", "1"]);
    assert!(said.contains("Preset photos, for colour images in small numbers"), "{said}");
    assert!(said.contains("colour and texture, 64 units"), "{said}");
    // A preset that is written names its data, or is given them.
    place.ok(&["config", "init", "--preset", "photos", "--out", "photos.toml"]);
    place.ok(&["config", "check", "photos.toml"]);
    place.ok(&["train", "photos", "--config", "photos.toml", "--epochs", "1", "--out", "r"]);
    let config = fs::read_to_string(place.path("r/config.toml")).unwrap();
    assert!(config.contains("features = \"colour+texture\""), "{config}");
    let error = place.refused(&["train", "rows.csv", "--features", "colour"]);
    assert!(error.contains("features \"colour\" of 2×1 images"), "{error}");
}

#[test]
fn auto_takes_the_recipe_of_the_lowest_cross_validated_log_loss() {
    let place = Place::with_chosen_presets();
    // Whether two numbers have the same sign, which no straight line tells; and whether one is positive.
    let number = |i: usize, n: usize| ((i * n) % 97) as f64 / 48.0 - 1.0;
    let write = |name: &str, class: &dyn Fn(f64, f64) -> bool| {
        let row = |i: usize| {
            let (x, y) = (number(i, 37), number(i, 59));
            format!("{x},{y},{}", if class(x, y) { "yes" } else { "no" })
        };
        let rows: Vec<String> = (1..90).map(row).collect();
        fs::write(place.path(name), format!("x,y,label\n{}\n", rows.join("\n"))).unwrap();
    };
    write("signs.csv", &|x, y| (x > 0.0) == (y > 0.0));
    let said = place.ok(&["train", "signs.csv", "--epochs", "60", "--out", "signs"]);
    let chosen = said.lines().find(|line| line.ends_with(", chosen")).expect("a choice");
    assert!(chosen.contains("units"), "{said}");
    let log_loss = |line: &str| line.split_whitespace().nth(2).and_then(|loss| loss.parse().ok());
    let compared = said.lines().skip_while(|line| !line.starts_with("Recipes by")).skip(1).take(4);
    let losses: Vec<f64> = compared.filter_map(log_loss).collect();
    assert_eq!(losses.len(), 4, "{said}");
    assert_eq!(log_loss(chosen), losses.iter().copied().reduce(f64::min), "{said}");
    let config = |run: &str| fs::read_to_string(place.path(run).join("config.toml")).unwrap();
    assert!(!config("signs").contains("hidden = []"), "{said}");
    // Whatever the threads, with the flags on each recipe.
    place.ok(&["train", "signs.csv", "--epochs", "60", "--out", "one", "--threads=1"]);
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert_eq!(model("one"), model("signs"));
    assert!(config("one").contains("epochs = 60"));
    // Who says what the network is like, or names a preset, is asked nothing.
    for flags in [["--layers", "3"], ["--preset", "table"]] {
        let said = place.ok(&[&["train", "signs.csv", "--epochs", "2"], &flags[..]].concat());
        assert!(!said.contains("chosen"), "{said}");
    }
    let found =
        place.json(&["train", "signs.csv", "--epochs", "5", "--folds", "3", "--out", "folds"]);
    assert_eq!(found["summary"]["pooled"]["total"], 89);
    // Each example's fold is written beside its prediction.
    let table = fs::read_to_string(place.path("folds/predictions.csv")).unwrap();
    let folds: Vec<usize> =
        table.lines().skip(1).map(|row| row.rsplit(',').next().unwrap().parse().unwrap()).collect();
    for fold in found["folds"].as_array().unwrap() {
        let number = fold["fold"].as_u64().unwrap() as usize;
        let n = folds.iter().filter(|of| **of == number).count();
        assert_eq!(fold["validation"]["total"], n);
    }
}

#[test]
fn chance_and_other_seeds_are_said() {
    let place = Place::with_chosen_presets();
    let report = place.json(&[&quick()[..], &["--seeds", "3", "--out", "r"]].concat());
    let seeds = report["seeds"].as_array().unwrap();
    assert_eq!(seeds.iter().map(|s| s["seed"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(seeds[0]["test"], report["test"]);
    for of in &seeds[1..] {
        let seed = format!("--seed={}", of["seed"]);
        let alone = place.json(&[&quick()[..], &[&seed]].concat());
        assert_eq!(alone["test"], of["test"], "as if it had been trained alone");
    }
    let judged = place.json(&[&["evaluate", "r"], &DATA[..]].concat());
    let (majority, total) = (&judged["majority"], judged["total"].as_f64().unwrap());
    let counts = judged["confusion"]["counts"].as_array().unwrap();
    let of_class =
        |row: &Value| row.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).sum::<f64>();
    let most = counts.iter().map(of_class).fold(0.0, f64::max);
    assert!((accuracy(majority) - most / total).abs() < 1e-12);
    assert!((0.0..=1.0).contains(&majority["p_value"].as_f64().unwrap()));
    let text = place.ok(&[&["evaluate", "r"], &DATA[..]].concat());
    assert!(text.contains("by always saying"), "{text}");
}

#[test]
fn tune_finds_a_recipe_goes_on_and_writes_what_train_takes() {
    let place = Place::with_chosen_presets();
    draw_folder(&place.path("photos"), 40, 8);
    let search = ["tune", "photos", "--repeats=1", "--folds=2", "--inner-folds=2"];
    let found = place.json(&search);
    assert_eq!(found["recipes"].as_array().unwrap().len(), 6);
    assert!((0.0..=1.0).contains(&accuracy(&found["nested"])));
    let baselines = found["baselines"].as_array().unwrap();
    assert_eq!(baselines[0]["name"], "majority class");
    assert_eq!(baselines[1]["name"], "one feature, one threshold");
    let lines = fs::read_to_string(place.path("tuned.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 1 + 2 * 3 * 6);
    // Cut off in a line, it goes on and comes to the same.
    fs::write(place.path("tuned.jsonl"), &lines[..lines.len() * 2 / 3]).unwrap();
    let again = place.json(&search);
    assert_eq!(again, found);
    // Nor is more than a damaged line trained again.
    let kept = lines.lines().enumerate().map(|(i, line)| if i == 3 { "{" } else { line });
    let kept = kept.take(30).collect::<Vec<_>>().join("\n") + "\n";
    fs::write(place.path("tuned.jsonl"), &kept).unwrap();
    assert_eq!(place.json(&search), found);
    let after = fs::read_to_string(place.path("tuned.jsonl")).unwrap();
    let good: Vec<_> = kept.lines().filter(|line| *line != "{").collect();
    assert_eq!(after.lines().take(good.len()).collect::<Vec<_>>(), good);
    let other = place.refused(&["tune", "photos", "--repeats=2"]);
    assert!(other.contains("--force begins anew"), "{other}");
    let text = place.ok(&search);
    for part in ["majority class", "log loss", "Nested:", "chosen", "Written: tuned.toml"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    place.ok(&["train", "--config", "tuned.toml", "--epochs", "1", "--out", "r"]);
    assert!(place.path("r/model.safetensors").exists());
}
