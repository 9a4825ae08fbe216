//! `dnn evaluate`, `predict`, `inspect`, `data draw`, `completions`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, stderr, stdout};
use dnn_data::ImageShape;
use std::fs;

#[test]
fn evaluate_agrees_with_training_and_adds_up() {
    let place = Place::new();
    let run = place.trained();
    for (split, key, total) in [("train", "train", 30), ("test", "test", 12)] {
        let found = place.json(&[&["evaluate", "r"], &DATA[..], &["--split", split]].concat());
        assert_eq!(found["correct"], run[key]["correct"]);
        assert_eq!(found["total"], total);
        let wrong = found["mislabeled"].as_array().unwrap();
        assert_eq!(wrong.len() as u64, total - found["correct"].as_u64().unwrap());
        let counts = found["confusion"]["counts"].as_array().unwrap();
        let sum: u64 = counts
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|n| n.as_u64().unwrap())
            .sum();
        assert_eq!(sum, total);
        assert_eq!(found["confusion"]["labels"][1], "cat");
        for (wrong, details) in wrong.iter().zip(found["mislabeled_details"].as_array().unwrap()) {
            assert_eq!(wrong, &details["index"]);
            assert_ne!(details["true"], details["predicted"]);
            assert!(details["probability"].as_f64().unwrap() >= 0.5);
        }
    }
    let text = place.ok(&[&["evaluate", "r"], &DATA[..]].concat());
    for part in ["Accuracy:", "95 % interval", "predicted", "true", "precision", "recall", "F1"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_required_accuracy_decides_the_exit_code() {
    let place = Place::new();
    place.trained();
    let with =
        |floor: &str| place.run(&[&["evaluate", "r"], &DATA[..], &["--require", floor]].concat());
    assert_eq!(with("0.0").status.code(), Some(0));
    let missed = with("1.0");
    assert_eq!(missed.status.code(), Some(1));
    assert!(stderr(&missed).contains("below the required 1"), "{}", stderr(&missed));
    assert_eq!(with("75").status.code(), Some(2));
}

#[test]
fn images_of_another_size_or_of_other_classes_are_refused() {
    let place = Place::new();
    place.trained();
    let error = place.refused(&["evaluate", "r", "drawn"]);
    assert!(error.contains("expected 24×24×3, got 64×64×3"), "{error}");
    let error = place.refused(&["evaluate", "nothing", "drawn"]);
    assert!(error.contains("nothing"), "{error}");
    let error = place.refused(&["evaluate", "r", "nowhere"]);
    assert!(error.contains("nowhere: no such file or folder"), "{error}");
}

#[test]
fn predict_answers_for_the_good_images_and_names_the_bad() {
    let place = Place::new();
    place.trained();
    let shape = ImageShape { height: 40, width: 50, channels: 3 };
    let pixels: Vec<u8> = (0..40 * 50 * 3).map(|i| (i % 251) as u8).collect();
    dnn_data::image::write_png(&place.path("good.png"), &pixels, shape).unwrap();
    fs::write(place.path("page.jpg"), "<!DOCTYPE html><html></html>").unwrap();
    let png = fs::read(place.path("good.png")).unwrap();
    fs::write(place.path("cut.png"), &png[..png.len() / 2]).unwrap();

    let text = place.ok(&["predict", "r", "good.png"]);
    assert!(text.starts_with("good.png: ") && text.lines().count() == 1, "{text}");
    let output = place.run(&["predict", "r", "page.jpg", "good.png", "cut.png", "none.png", "r"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), text);
    let error = stderr(&output);
    for part in ["page.jpg", "HTML", "cut.png", "none.png", "4 of 5 images"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
    let output = place.run(&["predict", "r", "good.png", "none.png", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let p = &json["predictions"][0];
    let sum: f64 = p["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-12);
    assert!(json["predictions"][1]["error"].as_str().unwrap().contains("none.png"));
}

#[test]
fn prediction_on_a_test_image_is_the_evaluation_of_it() {
    let place = Place::new();
    place.trained();
    let drawn = dnn_data::synthetic::draw(&dnn_data::synthetic::DrawOptions {
        n_train: 30,
        n_test: 12,
        size: 24,
        ..Default::default()
    })
    .unwrap();
    let found = place.json(&[&["evaluate", "r"], &DATA[..]].concat());
    let wrong = &found["mislabeled_details"][0];
    let index = wrong["index"].as_u64().unwrap() as usize;
    let shape = drawn.test.shape();
    dnn_data::image::write_png(&place.path("i.png"), drawn.test.image(index), shape).unwrap();
    let predicted = place.json(&["predict", "r", "i.png"]);
    assert_eq!(predicted["predictions"][0]["class"], wrong["predicted"]);
    let gap = predicted["predictions"][0]["probability"].as_f64().unwrap()
        - wrong["probability"].as_f64().unwrap();
    assert!(gap.abs() < 1e-13, "{gap:e}");
}

#[test]
fn drawn_images_make_a_file_that_trains_alike() {
    let place = Place::new();
    let run = place.trained();
    let draw = ["data", "draw", "--out", "d.h5", "--train", "30", "--test", "12", "--size", "24"];
    place.ok(&[&draw[..], &["--contact-sheet", "d.png"]].concat());
    let args = ["train", "d.h5", "--iterations", "40", "--log-every", "10", "--out", "s"];
    assert_eq!(place.json(&args)["costs"], run["costs"]);
    let args = [
        "train",
        "d.h5",
        "--x",
        "train_set_x",
        "--y",
        "train_set_y",
        "--test-x",
        "test_set_x",
        "--test-y",
        "test_set_y",
        "--class-names",
        "list_classes",
        "--iterations",
        "40",
        "--log-every",
        "10",
        "--out",
        "t",
    ];
    assert_eq!(place.json(&args)["costs"], run["costs"]);
    assert!(fs::read(place.path("d.png")).unwrap().starts_with(b"\x89PNG"));
    let error = place.refused(&["data", "draw"]);
    assert!(error.contains("--out") && error.contains("--contact-sheet"), "{error}");
    let error = place.refused(&["data", "draw", "--out", "no/such/d.h5"]);
    assert!(error.contains("no/such/d.h5"), "{error}");
}

#[test]
fn inspect_knows_models_data_images_and_runs() {
    let place = Place::new();
    place.trained();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "3", "--test", "2", "--size", "24"]);
    let model = place.ok(&["inspect", "r/model.safetensors"]);
    assert!(model.contains("1728-20-7-5-1") && model.contains("non-cat, cat"), "{model}");
    let run = place.ok(&["inspect", "r"]);
    assert!(run.contains("learning_rate = 0.0075") && run.contains("of 30)"), "{run}");
    let data = place.ok(&["inspect", "d.h5"]);
    assert!(data.contains("train_set_x: uint8 (3, 24, 24, 3)"), "{data}");
    let image = place.ok(&["inspect", "r/cost.png"]);
    assert!(image.contains("1600×1000"), "{image}");
    for (file, kind) in
        [("r/model.safetensors", "model"), ("d.h5", "hdf5"), ("r", "run"), ("r/cost.png", "image")]
    {
        assert_eq!(place.json(&["inspect", file])["kind"], kind);
    }
    fs::write(place.path("x"), "nothing in particular").unwrap();
    assert!(place.refused(&["inspect", "x"]).contains('x'));
    assert!(place.refused(&["inspect", "gone"]).contains("gone"));
    fs::create_dir(place.path("empty")).unwrap();
    assert!(place.refused(&["inspect", "empty"]).contains("not a run"));
}

#[test]
fn a_damaged_model_is_refused() {
    let place = Place::new();
    place.trained();
    let whole = fs::read(place.path("r/model.safetensors")).unwrap();
    for n in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(place.path("cut.safetensors"), &whole[..n]).unwrap();
        let error = place.refused(&["predict", "cut.safetensors", "i.png"]);
        assert!(error.contains("cut.safetensors"), "{error}");
    }
}

#[test]
fn bad_data_is_refused_by_name_and_leaves_nothing() {
    let place = Place::new();
    fs::write(place.path("page.h5"), "<!DOCTYPE html><html></html>").unwrap();
    fs::write(
        place.path("pointer.h5"),
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 2572022\n",
    )
    .unwrap();
    fs::write(place.path("empty.h5"), "").unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    let before = place.names();
    for (data, says) in [
        ("page.h5", "HTML"),
        ("pointer.h5", "pointer"),
        ("empty.h5", "empty.h5"),
        ("folder", "folder"),
        ("gone", "no such file or folder"),
    ] {
        let error = place.refused(&["train", data]);
        assert!(error.contains(says), "{data}: {error}");
        assert_eq!(place.names(), before);
    }
}

#[test]
fn shells_get_their_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(place.ok(&["completions", shell]).contains("evaluate"), "{shell}");
    }
}
