//! Folders of images through the program: trained on, judged, predicted.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Place, draw_folder, stderr};
use dnn_data::image;
use dnn_data::image::write_png;
use dnn_data::synthetic::{DrawOptions, draw};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The probabilities `evaluate` gave to misclassified files, and those of `predict`, must be equal
/// to the last bit.
fn assert_same(place: &Place, run: &str, details: &Value, file: impl Fn(&Value) -> String) {
    let details = details["mislabeled_details"].as_array().unwrap();
    assert!(details.len() >= 5, "enough to compare: {}", details.len());
    for one in details {
        let predicted = place.json(&["predict", run, &file(one)]);
        let answer = &predicted["predictions"][0];
        assert_eq!(answer["class"], one["predicted"]);
        let bits = |v: &Value| v.as_f64().unwrap().to_bits();
        assert_eq!(bits(&answer["probability"]), bits(&one["probability"]), "{one}");
    }
}

#[test]
fn evaluate_and_predict_prepare_a_file_alike_to_the_last_bit() {
    let place = Place::new();
    draw_folder(&place.path("photos"), 40, 30);
    let settings: [&[&str]; 4] = [
        &["--size", "24"],
        &["--size", "20x30", "--aspect", "fit", "--background", "black"],
        &["--size", "16", "--colors", "grey", "--standardize"],
        &["--size", "17x9", "--aspect", "crop", "--resize", "bicubic", "--precision", "f32"],
    ];
    for (i, setting) in settings.iter().enumerate() {
        let run = format!("r{i}");
        let usual = ["train", "photos", "--iterations", "3", "--quiet", "--out", &run];
        place.ok(&[&usual[..], setting].concat());
        for split in ["train", "test"] {
            let judged = place.json(&["evaluate", &run, "photos", "--split", split]);
            assert_same(&place, &run, &judged, |one| one["file"].as_str().unwrap().into());
        }
    }
}

#[test]
fn an_image_of_an_hdf5_file_is_predicted_as_it_was_judged() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "40", "--test", "30", "--size", "24"]);
    let options = DrawOptions { n_train: 40, n_test: 30, size: 24, ..DrawOptions::default() };
    let test = draw(&options).unwrap().test;
    for (run, size) in [("r", "24"), ("small", "15")] {
        place.ok(&["train", "d.h5", "--size", size, "--iterations", "3", "--quiet", "--out", run]);
        let judged = place.json(&["evaluate", run, "d.h5"]);
        assert_same(&place, run, &judged, |one| {
            let i = one["index"].as_u64().unwrap() as usize;
            let path = place.path(&format!("{i}.png"));
            write_png(&path, test.image(i), test.shape()).unwrap();
            path.to_str().unwrap().into()
        });
    }
}

#[test]
fn test_and_validation_images_may_be_folders_of_their_own() {
    let place = Place::new();
    draw_folder(&place.path("photos"), 30, 12);
    let text = place.ok(&["inspect", "photos"]);
    assert!(text.contains("30") && text.contains("12"), "{text}");
    let usual = ["train", "photos/train", "--test", "photos/test", "--test-share", "0"];
    let size = ["--size", "12", "--iterations", "4", "--out", "r"];
    let judged = ["--validation-data", "photos/test", "--validate-every", "2"];
    let result = place.json(&[&usual[..], &size, &judged].concat());
    assert_eq!(result["train"]["total"], 30);
    assert_eq!(result["test"]["total"], 12);
    assert_eq!(result["validations"][0]["score"]["total"], 12);
}

#[test]
fn bad_files_are_all_listed_or_left_out_and_nothing_stays_behind() {
    let place = Place::new();
    draw_folder(&place.path("photos"), 20, 10);
    let cat = place.path("photos/train/cat");
    fs::write(cat.join("empty.jpg"), "").unwrap();
    fs::write(cat.join("page.png"), "<!doctype html><html>").unwrap();
    let train = ["train", "photos", "--iterations", "2", "--size", "8", "--quiet", "--out", "r"];
    let text = place.refused(&train);
    assert!(text.contains("2 of 32 image files cannot be used"), "{text}");
    assert!(text.contains("empty.jpg: expected a PNG or JPEG image, got an empty file"), "{text}");
    assert!(text.contains("page.png"), "{text}");
    assert!(!place.path("r").exists());
    let skipped = place.run(&[&train[..], &["--on-bad-image", "skip"]].concat());
    assert!(skipped.status.success());
    assert!(stderr(&skipped).contains("left out: "), "{}", stderr(&skipped));
    let again = place.run(&["train", "--config", "r/config.toml", "--quiet", "--out", "again"]);
    assert!(stderr(&again).contains("empty.jpg"));
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert!(model("r") == model("again"));
}

#[test]
fn a_photo_held_upright_is_turned_unless_it_is_not_wanted() {
    // A wide JPEG that a camera held on its side wrote: EXIF orientation 6.
    let place = Place::new();
    let photo =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../dnn-data/tests/fixtures/images/orientation.jpg");
    let photo = Path::new(photo);
    let limits = image::DecodeLimits::default();
    let as_is = image::Rendering { exif_orientation: false, ..image::Rendering::default() };
    let upright = image::decode_file(photo, &limits, image::Rendering::default()).unwrap();
    let stored = image::decode_file(photo, &limits, as_is).unwrap();
    assert_eq!((upright.width(), upright.height()), (stored.height(), stored.width()));
    for class in ["a", "b"] {
        for i in 0..3 {
            let to = place.path(&format!("photos/{class}"));
            fs::create_dir_all(&to).unwrap();
            fs::copy(photo, to.join(format!("{i}.jpg"))).unwrap();
        }
    }
    let train = ["train", "photos", "--iterations", "1", "--size", "8", "--test-share", "0"];
    place.ok(&[&train[..], &["--quiet", "--out", "r"]].concat());
    place.ok(&[&train[..], &["--quiet", "--out", "s", "--ignore-exif"]].concat());
    let probability = |run: &str| {
        let photo = photo.to_str().unwrap();
        place.json(&["predict", run, photo])["predictions"][0]["probability"].clone()
    };
    assert_ne!(probability("r"), probability("s"));
}
