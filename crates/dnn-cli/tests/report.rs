//! `dnn explain`, `dnn report` and `dnn evaluate --plots`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Place, draw_folder, names};
use dnn_data::ImageShape;
use dnn_data::image::write_png;
use std::fs;

/// The six causes, as JSON and tables name them.
const CAUSES: [&str; 6] = ["pose", "background", "colour", "angle", "brightness", "scale"];

#[test]
fn drawn_images_are_drawn_again_with_each_cause() {
    let place = Place::new();
    place.trained();
    let found = place.json(&["explain", "r", "--out", "pictures"]);
    let causes = found["causes"].as_array().unwrap();
    let of = |kind: &str| -> Vec<&str> {
        let of_kind = causes.iter().filter(|cause| cause["kind"] == kind);
        of_kind.map(|cause| cause["cause"].as_str().unwrap()).collect()
    };
    assert_eq!(of("intervention"), CAUSES);
    assert_eq!(of("observation"), CAUSES);
    for cause in causes {
        let n = cause["n"].as_u64().unwrap();
        assert!((1..=12).contains(&n), "{cause}");
        if let (Some(low), Some(high)) =
            (cause["interval"][0].as_f64(), cause["interval"][1].as_f64())
        {
            let difference = cause["difference"].as_f64().unwrap();
            assert!(low <= difference && difference <= high, "{cause}");
        }
        if cause["kind"] == "intervention" {
            assert!((0.0..=1.0).contains(&cause["p_holm"].as_f64().unwrap()), "{cause}");
        } else {
            assert!(cause["p_holm"].is_null(), "under five images have any cause: {cause}");
        }
    }
    assert!((3..=6).contains(&found["words"].as_array().unwrap().len()), "{}", found["words"]);
    let checks = &found["map_checks"];
    let n_maps = found["occlusion"].as_array().unwrap().len();
    assert!(n_maps > 0 && found["integrated_gradients"].as_array().unwrap().len() == n_maps);
    assert!(checks["completeness_gap"].as_f64().unwrap() < 1e-6, "{checks}");
    assert_eq!(checks["occlusion_advantage"], found["deletion_advantage"]);
    assert!(found["near_duplicates"]["total"].is_u64(), "{found}");
    let files = names(&place.path("pictures"));
    for name in [
        "causes.svg",
        "strengths.png",
        "simplified.svg",
        "where-it-looked.png",
        "integrated-gradients.svg",
    ] {
        assert!(files.iter().any(|file| file == name), "{name} of {files:?}");
    }
    assert_eq!(found, place.json(&["explain", "r"]), "the same every time");
}

/// Folders are sorted, cat before non-cat; the course's classes are non-cat and cat.
#[test]
fn classes_of_all_splits_are_those_of_the_model_whatever_their_order() {
    let place = Place::new();
    place.trained();
    let images = draw_folder(&place.path("d"), 6, 6);
    for set in ["train", "test"] {
        let twin = place.path("d").join(set).join("cat").join("twin.png");
        write_png(&twin, images.image(0), images.shape()).unwrap();
    }
    let found = place.json(&["explain", "r", "d"]);
    let near = &found["near_duplicates"]["listed"];
    let twin = near.as_array().unwrap().iter().find(|near| near["test"]["label"] == 1);
    let twin = twin.unwrap_or_else(|| panic!("a pair of cats in {near}"));
    assert_eq!(twin["train"]["label"], 1, "{near}");
    place.ok(&["report", "r", "d", "--out", "r.html"]);
}

#[test]
fn a_table_of_causes_is_used_and_a_wrong_one_refused() {
    let place = Place::new();
    place.trained();
    let rows = |n: usize| {
        let row = |i: usize| format!("test,{i},{},{}\n", i % 2, if i == 3 { "0.5" } else { "0" });
        format!("set,index,odd,wet\n{}", (0..n).map(row).collect::<String>() + "test,11,1,1\n")
    };
    fs::write(place.path("f.csv"), rows(11)).unwrap();
    let found = place.json(&["explain", "r", "--factors", "f.csv"]);
    let seen = &found["observations"];
    assert_eq!((&seen["n"], &seen["causes"][0]["cause"]), (&12.into(), &"odd".into()));
    assert_eq!(seen["causes"][1]["n_without"], 10, "the unsure one is left out");
    assert!(seen["causes"][1]["p_value"].is_null(), "one image has the cause");
    for (text, expected) in [
        ("set,index,odd\ntest,0,0\ntest,99,1\n", "line 3: test image 99 is not in the data"),
        ("set,index,odd\ntest,0,1\ntest,1,1\n", "the column `odd` has no row with 0"),
        ("odd\n1\n", "expected `set,index` or `file`"),
    ] {
        fs::write(place.path("f.csv"), text).unwrap();
        let error = place.refused(&["explain", "r", "--factors", "f.csv"]);
        assert!(error.contains("f.csv") && error.contains(expected), "{error}");
    }
    // Numbers are no pictures.
    fs::write(place.path("t.csv"), "a,b,label\n0.5,1.5,x\n1.5,0.5,y\n0.4,1.2,x\n1.1,0.2,y\n")
        .unwrap();
    place.ok(&["train", "t.csv", "--iterations", "5", "--layers", "2", "--out", "t", "--quiet"]);
    let error = place.refused(&["explain", "t", "--split", "train"]);
    assert!(error.contains("numbers, not pictures"), "{error}");
    // A page needs no pictures.
    place.ok(&["report", "t", "--split", "train"]);
}

#[test]
fn a_report_is_one_file_that_asks_for_nothing() {
    let place = Place::new();
    place.trained();
    let said = place.ok(&["report", "r"]);
    assert!(said.contains("report.html") && said.contains("README.md"), "{said}");
    let html = fs::read_to_string(place.path("r/report.html")).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.len() < 3_000_000);
    for foreign in ["<script", "<link", "src=\"http", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    for section in [
        "Key figures",
        "Causes of error",
        "Errors",
        "Which class is taken for which",
        "Over all thresholds",
        "Training",
        "The network",
        "Data audit",
        "To repeat it to the byte",
        "Configuration",
    ] {
        assert!(html.contains(&format!("<h2>{section}</h2>")), "{section}");
    }
    let card = fs::read_to_string(place.path("r/README.md")).unwrap();
    assert!(card.starts_with("---\nlibrary_name: dnn\n"), "{card}");
    // It belongs to the run: --force replaces it as well.
    place.ok(&[&common::quick()[..], &["--out", "r", "--force"]].concat());
    assert!(!place.path("r/report.html").exists());
    // Nothing else is replaced.
    fs::write(place.path("notes.html"), "mine").unwrap();
    let error = place.refused(&["report", "r", "--out", "notes.html"]);
    assert!(error.contains("no page of HTML"), "{error}");
    assert_eq!(fs::read(place.path("notes.html")).unwrap(), b"mine");
    fs::remove_file(place.path("r/config.toml")).unwrap();
    let error = place.refused(&["report", "r", "drawn"]);
    assert!(error.contains("name the page with --out"), "{error}");
}

#[test]
fn evaluate_writes_each_plot_twice() {
    let place = Place::new();
    place.trained();
    place.ok(&["evaluate", "r", "--plots", "plots"]);
    let mut expected: Vec<_> = ["calibration", "confusion", "precision-recall", "roc"]
        .iter()
        .flat_map(|name| [format!("{name}.png"), format!("{name}.svg")])
        .collect();
    expected.sort();
    assert_eq!(names(&place.path("plots")), expected);
}

/// A training image that is a test image as well, and predictions of folds that are found by themselves.
#[test]
fn what_is_in_both_sets_is_listed_and_folds_are_found() {
    let place = Place::new();
    for (folder, n) in [("train", 8_u32), ("test", 6)] {
        for class in ["a", "b"] {
            let folder = place.path("d").join(folder).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..n {
                // The first of either set and class is the same picture.
                let seed = if i == 0 { 0 } else { 100 * n + i };
                let light = if class == "a" { 40 } else { 150 };
                let shape = ImageShape { height: 16, width: 16, channels: 3 };
                // PCG's permutation of a place and a seed.
                let pixel = |j: u32| {
                    let state =
                        (j + 769 * seed).wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
                    light + (word >> 26) as u8
                };
                let pixels: Vec<u8> = (0..shape.n_bytes() as u32).map(pixel).collect();
                write_png(&folder.join(format!("{i}.png")), &pixels, shape).unwrap();
            }
        }
    }
    let train = ["train", "d", "--preset", "course-deep", "--layers", "6", "--iterations", "200"];
    let train = [&train[..], &["--init", "glorot", "--quiet"]].concat();
    place.ok(&[&train[..], &["--out", "r"]].concat());
    fs::write(place.path("f.csv"), "set,index,odd\ntest,0,0\ntest,1,1\ntrain,0,0\ntrain,1,1\n")
        .unwrap();
    let output = place.run(&["explain", "r", "d", "--factors", "f.csv"]);
    let said = common::stderr(&output);
    assert!(
        said.contains("2 training images") && said.contains("--folds 10 --out r-folds"),
        "{said}"
    );
    place.ok(&[&train[..], &["--folds", "4", "--out", "r-folds"]].concat());
    let found = place.json(&["explain", "r", "d", "--factors", "f.csv"]);
    assert_eq!(found["observations"]["n"], 4, "{found}");
    let near = &found["near_duplicates"];
    assert_eq!((&near["total"], &near["listed"][0]["likeness"]), (&2.into(), &"same".into()));
    let said = place.ok(&["explain", "r", "d"]);
    assert!(said.contains("test 0.png and train 0.png, both a"), "{said}");
    place.ok(&["report", "r", "d"]);
    let html = fs::read_to_string(place.path("r/report.html")).unwrap();
    assert!(html.contains("<h2>Near duplicates across sets</h2>"));
}
