//! `dnn compare`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, stderr, write_colours};
use serde_json::Value;
use std::collections::HashSet;

/// Trains one well and one hardly at all.
fn two_models(place: &Place) {
    let train = |with: &str| {
        let with: Vec<_> = with.split(' ').collect();
        place.ok(&[&["train"], &DATA[..], &with[..]].concat())
    };
    train("--layers 10 --lr 0.03 --iterations 300 --out a");
    train("--layers none --lr 0.0001 --iterations 1 --seed 5 --precision f32 --out b");
}

fn compare<'a>(a: &'a str, b: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["compare", a, b], &DATA[..], more].concat()
}

#[test]
fn the_table_is_what_evaluating_both_says() {
    let place = Place::new();
    two_models(&place);
    for split in ["train", "test"] {
        let found = place.json(&compare("a", "b", &["--split", split]));
        let of = |model| {
            let found =
                place.json(&[&["evaluate", model], &DATA[..], &["--split", split]].concat());
            let wrong = found["mislabeled"].as_array().unwrap().iter();
            let wrong: HashSet<u64> = wrong.map(|i| i.as_u64().unwrap()).collect();
            (found, wrong)
        };
        let ((a, wrong_a), (b, wrong_b)) = (of("a"), of("b"));
        let total = a["total"].as_u64().unwrap();
        let (only_a, only_b) =
            (wrong_b.difference(&wrong_a).count(), wrong_a.difference(&wrong_b).count());
        let table = serde_json::json!({
            "both_right": total - wrong_a.union(&wrong_b).count() as u64,
            "only_a": only_a,
            "only_b": only_b,
            "both_wrong": wrong_a.intersection(&wrong_b).count(),
        });
        assert_eq!(found["table"], table);
        assert_ne!(only_a + only_b, 0, "the models answer alike");
        for (side, evaluated) in [("a", &a), ("b", &b)] {
            for key in ["model", "correct", "accuracy", "interval"] {
                assert_eq!(found[side][key], evaluated[key], "{side} {key}");
            }
        }
        assert_eq!((found["total"].as_u64(), &found["split"]), (Some(total), &Value::from(split)));
        assert_eq!(found["points_per_image"].as_f64().unwrap(), 100.0 / total as f64);
        let p = found["mcnemar"]["p_value"].as_f64().unwrap();
        assert_eq!(found["mcnemar"]["method"], "exact");
        assert_eq!(found["significant"], p < 0.05);

        // The other way round.
        let back = place.json(&compare("b", "a", &["--split", split]));
        assert_eq!(back["mcnemar"], found["mcnemar"]);
        assert_eq!(back["table"]["only_a"], found["table"]["only_b"]);
        let difference = |of: &Value| of["difference"].as_f64().unwrap();
        assert_eq!(difference(&back), -difference(&found));
    }
}

#[test]
fn the_verdict_is_in_words() {
    let place = Place::new();
    two_models(&place);
    let text = place.ok(&compare("a", "b", &["--split", "train"]));
    for part in ["95 % interval", "A right", "B wrong", "McNemar:", "(exact;", "A is better than B"]
    {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(text.contains("With 30 images, one image is worth 3.33 percentage points."), "{text}");
    let text = place.ok(&compare("a", "a", &[]));
    assert!(text.contains("p = 1.0000") && text.contains("nothing tells them apart"), "{text}");
    let found = place.json(&compare("a", "a", &[]));
    assert_eq!((&found["significant"], &found["better"]), (&Value::from(false), &Value::Null));
}

#[test]
fn each_model_sees_the_images_in_its_own_size() {
    let place = Place::new();
    place.trained();
    let data = ["drawn", "--draw-train", "30", "--draw-test", "12", "--draw-size", "32"];
    place.ok(&[&["train"], &data[..], &["--iterations", "40", "--out", "large"]].concat());
    let output = place.run(&[&["compare", "r", "large"], &data[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("r/model.safetensors they are made 24×24×3"));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();

    // What the small model says of each image as a picture.
    let options = dnn_data::synthetic::DrawOptions {
        n_train: 30,
        n_test: 12,
        size: 32,
        ..Default::default()
    };
    let test = dnn_data::synthetic::draw(&options).unwrap().test;
    let names: Vec<String> = (0..test.len()).map(|i| format!("{i}.png")).collect();
    for (i, name) in names.iter().enumerate() {
        dnn_data::image::write_png(&place.path(name), test.image(i), test.shape()).unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let said = place.json(&[&["predict", "r"], &names[..]].concat());
    let said = said["predictions"].as_array().unwrap().iter();
    let right = said.zip(test.labels()).filter(|(said, label)| said["index"] == **label).count();
    assert_eq!(found["a"]["correct"], right);
    let evaluated = place.json(&[&["evaluate", "large"], &data[..]].concat());
    assert_eq!(found["b"]["correct"], evaluated["correct"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let place = Place::new();
    place.trained();
    write_colours(&place.path("c.h5"));
    place.ok(&["train", "c.h5", "--layers", "none", "--iterations", "5", "--out", "c"]);
    let error = place.refused(&compare("r", "c", &[]));
    for part in ["non-cat, cat", "red, green, blue", "r/model", "c/model", "same question"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
    let error = place.refused(&["compare", "r", "r", "c.h5"]);
    assert!(error.contains("red, green, blue") && error.contains("c.h5"), "{error}");
    assert!(place.refused(&compare("r", "gone", &[])).contains("gone"));
    assert!(place.refused(&["compare", "r", "r", "nowhere"]).contains("nowhere"));
}
