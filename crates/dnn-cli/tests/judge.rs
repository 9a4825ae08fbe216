//! `dnn evaluate`, `predict`, `inspect`, `data draw`, `completions`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, stderr, stdout, write_colours};
use dnn_data::hdf5::Factors;
use dnn_data::{ImageSet, ImageShape, Splits};
use serde_json::Value;
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

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn mean<'a>(values: impl Iterator<Item = &'a Value>) -> f64 {
    let values: Vec<_> = values.map(number).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// The areas of the curves of one class, again from their points.
fn check_areas(curves: &Value) {
    let points = |curve: &str, x: &str, y: &str| -> Vec<(f64, f64)> {
        let points = curves[curve]["points"].as_array().unwrap();
        points.iter().map(|p| (number(&p[x]), number(&p[y]))).collect()
    };
    let roc = points("roc", "false_positive_rate", "true_positive_rate");
    let area: f64 = roc.windows(2).map(|p| (p[1].0 - p[0].0) * (p[1].1 + p[0].1) / 2.0).sum();
    assert!((area - number(&curves["roc"]["area"])).abs() < 1e-12);
    assert_eq!((roc[0], roc[roc.len() - 1]), ((0.0, 0.0), (1.0, 1.0)));
    let pr = points("precision_recall", "recall", "precision");
    let area: f64 = pr.windows(2).map(|p| (p[1].0 - p[0].0) * p[1].1).sum();
    assert!((area - number(&curves["precision_recall"]["average_precision"])).abs() < 1e-12);
    assert_eq!((pr[0], pr[pr.len() - 1].0), ((0.0, 1.0), 1.0));
}

/// What holds of the metrics of any model.
fn check_metrics(found: &Value) {
    let classes = found["classes"].as_array().unwrap();
    let of_classes = |key| mean(classes.iter().map(|class| &class[key]));
    assert!((number(&found["balanced_accuracy"]) - of_classes("recall")).abs() < 1e-12);
    assert!((number(&found["macro_average"]["f1"]) - of_classes("f1")).abs() < 1e-12);
    // Not the same computation: one comes from logits, the other from probabilities.
    assert!((number(&found["log_loss"]) - number(&found["cost"])).abs() < 1e-9);
    let curves = found["curves"].as_array().unwrap();
    curves.iter().for_each(check_areas);
    let areas = mean(curves.iter().map(|c| &c["roc"]["area"]));
    assert!((number(&found["roc_auc"]) - areas).abs() < 1e-12);
    let areas = mean(curves.iter().map(|c| &c["precision_recall"]["average_precision"]));
    assert!((number(&found["average_precision"]) - areas).abs() < 1e-12);
    let bins = found["calibration"]["bins"].as_array().unwrap();
    let (mut count, mut right, mut gap) = (0.0, 0.0, 0.0);
    for bin in bins.iter().filter(|bin| bin["count"] != 0) {
        let (n, share) = (number(&bin["count"]), number(&bin["accuracy"]));
        count += n;
        right += n * share;
        gap += n * (share - number(&bin["confidence"])).abs();
    }
    assert_eq!((bins.len(), count), (10, number(&found["total"])));
    assert!((right - number(&found["correct"])).abs() < 1e-9);
    assert!((gap / count - number(&found["calibration"]["expected_error"])).abs() < 1e-12);
}

#[test]
fn metrics_of_two_classes_agree_with_one_another() {
    let place = Place::new();
    place.ok(&[
        &["train"],
        &DATA[..],
        &["--iterations", "200", "--layers", "10", "--lr", "0.03", "--out", "r"],
    ]
    .concat());
    let evaluate = [&["evaluate", "r"], &DATA[..]].concat();
    let found = place.json(&evaluate);
    check_metrics(&found);
    let curves = found["curves"].as_array().unwrap();
    assert_eq!((curves.len(), &curves[0]["class"]), (1, &Value::from("cat")));
    assert!(number(&found["brier_score"]) < 1.0);
    let text = place.ok(&evaluate);
    for (name, key) in [
        ("balanced accuracy", "balanced_accuracy"),
        ("ROC AUC", "roc_auc"),
        ("average precision", "average_precision"),
        ("log loss", "log_loss"),
        ("Brier score", "brier_score"),
    ] {
        let part = format!("{name} {:.4}", number(&found[key]));
        assert!(text.contains(&part), "no {part:?} in {text}");
    }
    let part = format!("error {:.4}", number(&found["calibration"]["expected_error"]));
    assert!(text.contains(&part) && text.contains("(of cat)"), "no {part:?} in {text}");
}

#[test]
fn metrics_of_three_classes_are_of_each_against_the_rest() {
    let place = Place::new();
    write_colours(&place.path("c.h5"));
    place.ok(&[
        "train",
        "c.h5",
        "--layers",
        "none",
        "--lr",
        "0.2",
        "--iterations",
        "100",
        "--out",
        "r",
    ]);
    let found = place.json(&["evaluate", "r", "c.h5"]);
    assert!(number(&found["accuracy"]) > 0.6, "it learned little: {}", found["accuracy"]);
    check_metrics(&found);
    let curves = found["curves"].as_array().unwrap();
    let of: Vec<_> = curves.iter().map(|c| c["class"].as_str().unwrap()).collect();
    assert_eq!(of, ["red", "green", "blue"]);
    assert!(place.ok(&["evaluate", "r", "c.h5"]).contains("(mean over the classes)"));
}

#[test]
fn a_split_of_one_class_has_no_curve_but_is_judged() {
    let place = Place::new();
    place.trained();
    // The first test image alone, whichever it is.
    let data = ["drawn", "--draw-train", "30", "--draw-test", "1", "--draw-size", "24"];
    let found = place.json(&[&["evaluate", "r"], &data[..]].concat());
    assert_eq!(found["total"], 1);
    assert_eq!((&found["roc_auc"], &found["curves"][0]["roc"]), (&Value::Null, &Value::Null));
    let text = place.ok(&[&["evaluate", "r"], &data[..]].concat());
    assert!(text.contains("ROC AUC undefined"), "{text}");
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
fn images_of_another_size_are_prepared_and_what_is_no_data_is_refused() {
    let place = Place::new();
    place.trained();
    assert_eq!(place.json(&["evaluate", "r", "drawn"])["total"], 50);
    let error = place.refused(&["evaluate", "nothing", "drawn"]);
    assert!(error.contains("nothing"), "{error}");
    let error = place.refused(&["evaluate", "r", "nowhere"]);
    assert!(error.contains("nowhere: no such file or folder"), "{error}");
}

#[test]
fn a_model_whose_classes_are_numbers_refuses_images_of_another_size() {
    let place = Place::new();
    let set = |side: usize, channels: usize| {
        let shape = ImageShape { height: side, width: side, channels };
        let pixels = (0..20 * shape.n_bytes()).map(|i| (i % 251) as u8).collect();
        let labels = (0..20).map(|i| i % 2).collect();
        ImageSet::new(pixels, shape, labels, ["0", "1"].map(String::from).into()).unwrap()
    };
    for (name, side, channels) in [("own", 8, 1), ("larger", 9, 1), ("colour", 8, 3)] {
        let splits = Splits::new(Some(set(side, channels)), Some(set(side, channels))).unwrap();
        let path = place.path(&format!("{name}.h5"));
        dnn_data::hdf5::write_splits(&path, &splits, &Factors::default()).unwrap();
    }
    place.ok(&["train", "own.h5", "--layers", "2", "--iterations", "5", "--out", "r"]);
    place.ok(&["evaluate", "r", "own.h5"]);
    for data in ["larger.h5", "colour.h5"] {
        for command in [&["evaluate", "r", data][..], &["compare", "r", "r", data]] {
            let error = place.refused(command);
            for part in ["8×8×1", "its classes are numbers", "--any-size", data] {
                assert!(error.contains(part), "no {part:?} in {error}");
            }
            place.ok(&[command, &["--any-size"]].concat());
            place.ok(&[command, &["--class-map", "0=1,1=0"]].concat());
        }
    }
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
    fs::create_dir(place.path("empty")).unwrap();
    let images = ["page.jpg", "good.png", "cut.png", "none.png", "empty"];
    let output = place.run(&[&["predict", "r"], &images[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), text);
    let error = stderr(&output);
    for part in ["page.jpg", "HTML", "cut.png", "none.png", "empty: ", "4 of 5 images"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
    let output = place.run(&["predict", "r", "good.png", "none.png", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
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
fn a_preview_shows_images_and_what_augmentation_makes_of_them() {
    let place = Place::new();
    let preview = |more: &[&str]| {
        let args = [&["data", "preview"], &DATA[..], &["--out", "p.png"], more].concat();
        place.json(&args)
    };
    let picture = || image::open(place.path("p.png")).unwrap().into_rgb8();
    let plain = preview(&["--examples", "4"]);
    assert_eq!(plain["examples"], serde_json::json!([0, 7, 15, 22]));
    assert_eq!((&plain["augment"], &plain["epochs"]), (&Value::Null, &0.into()));
    let before = picture();
    let two = ["--examples", "2", "--epochs", "5", "--augment"];
    let strong = preview(&[&two[..], &["strong,flip=1"]].concat());
    assert_eq!((&strong["augment"]["flip"], &strong["epochs"]), (&1.0.into(), &5.into()));
    let after = picture();
    assert!(after.width() > 6 * 120 && after.height() < before.height() + 200);
    preview(&[&two[..], &["strong,flip=1"]].concat());
    assert_eq!(picture(), after, "the same again");
    preview(&[&two[..], &["strong,flip=1", "--seed", "2"]].concat());
    assert_ne!(picture(), after);

    let refused = |more: &[&str]| {
        place.refused(&[&["data", "preview", "drawn", "--out", "q.png"], more].concat())
    };
    assert!(refused(&["--augment", "stong"]).contains("did you mean `strong`?"));
    assert!(refused(&["--augment", "flip=2"]).contains("flip is 2: expected a probability"));
    assert!(refused(&["--epochs", "2"]).contains("--augment"));
    assert_eq!(place.names(), ["p.png"]);
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

#[test]
fn answers_that_are_no_numbers_are_never_scored() {
    use dnn_core::layer::Dense;
    use dnn_core::{Activation, Network, OutputActivation};
    use nalgebra::{DMatrix, DVector};
    let place = Place::new();
    // Finite weights whose products are not: ∞ − ∞.
    let first =
        Dense::new(DMatrix::from_element(2, 12, f64::MAX), DVector::zeros(2), Activation::Identity);
    let second = Dense::new(
        DMatrix::from_row_slice(1, 2, &[1.0, -1.0]),
        DVector::zeros(1),
        Activation::Identity,
    );
    let layers = vec![first.unwrap(), second.unwrap()];
    let network = Network::new(layers, OutputActivation::Sigmoid).unwrap();
    let input = dnn_data::InputContract::rgb(2, 2).unwrap();
    let classes = vec!["non-cat".into(), "cat".into()];
    let mut bytes = Vec::new();
    dnn_data::Model::new(network, classes, input).unwrap().write(&mut bytes).unwrap();
    fs::write(place.path("m.safetensors"), bytes).unwrap();
    let error =
        place.refused(&["evaluate", "m.safetensors", "drawn", "--quiet", "--require", "0.1"]);
    assert!(error.contains("NaN"), "{error}");
    let shape = ImageShape { height: 2, width: 2, channels: 3 };
    dnn_data::image::write_png(&place.path("i.png"), &[255; 12], shape).unwrap();
    let error = place.refused(&["predict", "m.safetensors", "i.png"]);
    assert!(error.contains("NaN"), "{error}");
}
