//! The course's training on the course's images, through the command line: costs to nine digits
//! after the point, accuracies and errors exactly.
//!
//! Runs when `data/` has the cat files; with `DNN_REQUIRE_DATA=1` their absence is a failure.
#![allow(clippy::unwrap_used)] // tests
#![allow(clippy::unreadable_literal, clippy::excessive_precision)] // golden numbers

mod common;

use common::Place;
use serde_json::Value;
use std::path::PathBuf;

// Plain NumPy 2.4, float64, the course's functions in the course's order (the cost from logits):
// RandomState(seed), W = randn(n, n_prev) times the scale, layer after layer, b = 0; the cost before
// every hundredth update.
const DEEP: [f64; 25] = [
    0.7717493284237688,
    0.6720534400822915,
    0.6482632048575212,
    0.6115068816101354,
    0.5670473268366111,
    0.54013766345478,
    0.5279299569455267,
    0.4654773771766852,
    0.3691258524959279,
    0.39174697434805356,
    0.3151869888600617,
    0.2726998441789385,
    0.23741853400268131,
    0.1996012053220865,
    0.18926300388463305,
    0.1611885466582775,
    0.14821389662363318,
    0.1377748781297294,
    0.1297401754919012,
    0.12122535068005214,
    0.1138206066863371,
    0.10783928526254134,
    0.10285466069352679,
    0.10089745445261786,
    0.09287821526472397,
];
const TWO_LAYER: [f64; 25] = [
    0.6930497356599891,
    0.6464320953428849,
    0.6325140647912677,
    0.6015024920354665,
    0.5601966311605748,
    0.515830477276473,
    0.4754901313943325,
    0.4339163151225749,
    0.400797753620389,
    0.3580705011323798,
    0.3394281538366412,
    0.30527536361962626,
    0.2749137728213017,
    0.24681768210614854,
    0.198507350374661,
    0.17448318112556613,
    0.17080762978096956,
    0.11306524562164709,
    0.09629426845937147,
    0.08342617959726865,
    0.07439078704319085,
    0.06630748132267932,
    0.05919329501038171,
    0.05336140348560557,
    0.048554785628770206,
];
const LITERAL: [f64; 4] =
    [250.3606104762931, 0.6524222373456837, 0.6330258240195296, 0.6242467855631652];

/// The folder of the real images, or nothing when the test may be skipped.
fn data() -> Option<String> {
    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data"));
    let there = ["train", "test"].map(|s| data.join(format!("{s}_catvnoncat.h5")).exists());
    if there == [true; 2] {
        return Some(data.to_str().unwrap().to_owned());
    }
    let required = std::env::var_os("DNN_REQUIRE_DATA").is_some_and(|value| value == "1");
    assert!(!required, "{} lacks the cat files: cargo xtask fetch-data", data.display());
    eprintln!("skipped: no cat files in {}", data.display());
    None
}

fn check(run: &Value, costs: &[f64], train: (u64, u64), test: (u64, u64)) {
    let got: Vec<_> = run["costs"].as_array().unwrap().iter().collect();
    assert_eq!(got.len(), costs.len());
    for (i, (got, golden)) in got.iter().zip(costs).enumerate() {
        assert_eq!(got["iteration"], i * 100);
        let gap = (got["cost"].as_f64().unwrap() - golden).abs();
        assert!(gap < 1e-9, "cost after iteration {}: {gap:e} off", i * 100);
    }
    for (set, (correct, total)) in [("train", train), ("test", test)] {
        assert_eq!((&run[set]["correct"], &run[set]["total"]), (&correct.into(), &total.into()));
    }
}

#[test]
fn course_deep() {
    let (Some(data), place) = (data(), Place::new()) else { return };
    let run = place.json(&["train", &data, "--preset", "course-deep", "--out", "r"]);
    check(&run, &DEEP, (206, 209), (40, 50));
    let found = place.json(&["evaluate", "r", &data, "--mislabeled", "m.png"]);
    assert_eq!(found["mislabeled"], serde_json::json!([5, 11, 13, 19, 28, 29, 34, 38, 44, 45]));
    assert_eq!(found["classes"][1]["class"], "cat");
    assert!(place.path("m.png").exists());
}

#[test]
fn course_two_layer() {
    let (Some(data), place) = (data(), Place::new()) else { return };
    let run = place.json(&["train", &data, "--preset", "course-two-layer", "--out", "r"]);
    check(&run, &TWO_LAYER, (209, 209), (36, 50));
}

/// Where the textbook's cost is NaN at once.
#[test]
fn the_literal_deep_initialisation_trains_with_a_finite_cost() {
    let (Some(data), place) = (data(), Place::new()) else { return };
    let run = place.json(&[
        "train",
        &data,
        "--init",
        "standard-normal",
        "--seed",
        "3",
        "--iterations",
        "301",
        "--out",
        "r",
    ]);
    check(&run, &LITERAL, (141, 209), (17, 50));
}
