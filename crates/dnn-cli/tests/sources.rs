//! Data of every kind, as the program takes it.

mod common;
#[path = "../../dnn-data/tests/common/files.rs"]
#[allow(dead_code)] // it is shared
mod files;

use common::Place;
use dnn_data::ImageSet;
use dnn_data::image::write_png;
use dnn_data::synthetic::{DrawOptions, draw};
use files::{idx, npy, npz};
use serde_json::Value;
use std::fs;

const N: usize = 24;
const QUICK: [&str; 6] =
    ["--layers=4", "--iterations=30", "--lr=0.1", "--threads=1", "--json", "--quiet"];

/// A label, and 2×2 bytes that tell it.
fn example(i: usize) -> (u8, [u8; 4]) {
    let label = (i % 2) as u8;
    (label, [label * 200, 30 + (i * 7 % 40) as u8, 255 - label * 200, (i * 13 % 90) as u8])
}

fn labels(n: usize) -> Vec<u8> {
    (0..n).map(|i| example(i).0).collect()
}

fn pixels(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| example(i).1).collect()
}

fn bytes(shape: &[u64], elements: &[u8]) -> Vec<u8> {
    npy("|u1", false, shape, elements)
}

fn table() -> String {
    let row = |i: usize| {
        let (label, [a, b, c, d]) = example(i);
        let species = ["setosa", "virginica"][usize::from(label)];
        format!("{species},{}.5,{b},{c},{d}\n", f32::from(a) / 100.0)
    };
    (0..N).map(row).fold("kind,a,b,c,d\n".into(), |table, row| table + &row)
}

fn write_digits(place: &Place) {
    let n = N as u32;
    fs::create_dir(place.path("digits")).expect("created");
    for (name, bytes) in [
        ("train-images-idx3-ubyte", idx(8, &[n, 2, 2], &pixels(N))),
        ("train-labels-idx1-ubyte", idx(8, &[n], &labels(N))),
        ("t10k-images-idx3-ubyte", idx(8, &[8, 2, 2], &pixels(8))),
        ("t10k-labels-idx1-ubyte", idx(8, &[8], &labels(8))),
    ] {
        fs::write(place.path("digits").join(name), bytes).expect("written");
    }
}

fn trained(place: &Place, args: &[&str]) -> Value {
    let json = place.ok(&[&["train"], args, &QUICK[..]].concat());
    serde_json::from_str(&json).expect("JSON")
}

#[test]
fn a_folder_of_idx_files_is_trained_on_judged_and_inspected() {
    let place = Place::new();
    write_digits(&place);
    let summary = trained(&place, &["digits", "--out=r"]);
    assert_eq!(summary["train"]["total"], 24, "{summary}");
    assert_eq!(summary["test"]["total"], 8, "{summary}");
    let text = place.ok(&["evaluate", "r", "digits"]);
    assert!(text.contains('8'), "{text}");
    let text = place.ok(&["inspect", "digits"]);
    assert!(text.contains("Training: 24 of 2×2×1, bytes"), "{text}");
    assert!(text.contains("Test:     8 of 2×2×1, bytes"), "{text}");
    assert!(text.contains("Classes:  0 (16), 1 (16)"), "{text}");
}

#[test]
fn an_npz_is_trained_on_by_usual_and_by_other_names() {
    let place = Place::new();
    let arrays = [
        ("x_train", bytes(&[24, 2, 2], &pixels(N))),
        ("y_train", bytes(&[24], &labels(N))),
        ("a", bytes(&[8, 2, 2], &pixels(8))),
        ("b", bytes(&[8], &labels(8))),
    ];
    fs::write(place.path("x.npz"), npz(&arrays, false)).expect("written");
    assert!(trained(&place, &["x.npz", "--out=r"])["test"].is_null());
    let tested = trained(&place, &["x.npz", "--test-x=a", "--test-y=b", "--out=s"]);
    assert!(!tested["test"].is_null(), "{tested}");
    assert!(place.ok(&["evaluate", "r", "x.npz", "--x=a", "--y=b"]).contains('8'));
    let error = place.refused(&["train", "x.npz", "--x=a", "--y=c"]);
    assert!(
        error.contains("expected one called `c`, got `x_train`, `y_train`, `a`, `b`"),
        "{error}"
    );
}

#[test]
fn a_table_is_trained_on_with_the_labels_where_they_are_said_to_be() {
    let place = Place::new();
    fs::write(place.path("iris.csv"), table()).expect("written");
    trained(&place, &["iris.csv", "--label", "kind", "--out=r"]);
    let config = fs::read_to_string(place.path("r").join("config.toml")).expect("there");
    assert!(config.contains("label = \"kind\""), "{config}");
    let text = place.ok(&["evaluate", "r", "iris.csv", "--label=1", "--split=train"]);
    assert!(text.contains("setosa"), "{text}");
    // Without --label the last column is taken, and names are no numbers.
    let error = place.refused(&["train", "iris.csv"]);
    assert!(
        error.contains("iris.csv: line 2, column 1 (kind): expected a number, got \"setosa\""),
        "{error}"
    );
    // A table to test on, of the same columns.
    trained(&place, &["iris.csv", "--label=kind", "--test=iris.csv", "--out=s"]);
    assert!(place.refused(&["train", "drawn", "--label=a"]).contains("--label is for tables"));
}

#[test]
fn what_is_no_data_is_said_with_what_was_looked_for() {
    let place = Place::new();
    fs::write(place.path("x.h5"), "<!DOCTYPE html><html>").expect("written");
    let error = place.refused(&["train", "x.h5"]);
    assert!(error.contains("an HTML page") && error.contains("looked for HDF5, "), "{error}");
    fs::create_dir(place.path("empty")).expect("created");
    let error = place.refused(&["train", "empty"]);
    assert!(error.contains("a folder with no file; looked for HDF5 files"), "{error}");
}

/// The same images in every format of images; each is predicted from a picture of its own as it was
/// judged, to the last bit.
#[test]
fn an_image_is_predicted_as_it_was_judged_wherever_it_came_from() {
    let place = Place::new();
    let options = DrawOptions { n_train: 30, n_test: 25, size: 32, ..DrawOptions::default() };
    let drawn = draw(&options).expect("drawn");
    let (train, test) = (&drawn.train, &drawn.test);
    let labels = |set: &ImageSet| set.labels().iter().map(|&label| label as u8).collect::<Vec<_>>();
    let n = |set: &ImageSet| set.len() as u64;
    let arrays = [
        ("x_train", bytes(&[n(train), 32, 32, 3], train.pixels())),
        ("y_train", bytes(&[n(train)], &labels(train))),
        ("x_test", bytes(&[n(test), 32, 32, 3], test.pixels())),
        ("y_test", bytes(&[n(test)], &labels(test))),
    ];
    fs::write(place.path("npz"), npz(&arrays, false)).expect("written");
    for folder in ["idx", "cifar"] {
        fs::create_dir(place.path(folder)).expect("made");
    }
    for (name, batch, set) in
        [("train", "data_batch_1.bin", train), ("t10k", "test_batch.bin", test)]
    {
        let n = set.len() as u32;
        let images = idx(8, &[n, 32, 32, 3], set.pixels());
        fs::write(place.path(&format!("idx/{name}-images-idx4-ubyte")), images).expect("written");
        let labels_file = place.path(&format!("idx/{name}-labels-idx1-ubyte"));
        fs::write(labels_file, idx(8, &[n], &labels(set))).expect("written");
        let record = |i: usize| {
            let plane = |c: usize| set.image(i).iter().skip(c).step_by(3).copied();
            let planes = (0..3).flat_map(plane).collect::<Vec<_>>();
            std::iter::once(set.labels()[i] as u8).chain(planes)
        };
        let records: Vec<u8> = (0..set.len()).flat_map(record).collect();
        fs::write(place.path(&format!("cifar/{batch}")), records).expect("written");
    }
    for i in 0..test.len() {
        write_png(&place.path(&format!("{i}.png")), test.image(i), test.shape()).expect("written");
    }
    for (source, size) in [("npz", "32"), ("idx", "20x11"), ("cifar", "9")] {
        let run = format!("run-{source}");
        let train = ["train", source, "--size", size, "--iterations", "3", "--layers", "5"];
        place.ok(&[&train[..], &["--standardize", "--quiet", "--out", &run]].concat());
        let judged = place.json(&["evaluate", &run, source]);
        let wrong = judged["mislabeled_details"].as_array().expect("a list");
        assert!(wrong.len() >= 3, "{source}: enough to compare: {}", wrong.len());
        for one in wrong {
            let predicted = place.json(&["predict", &run, &format!("{}.png", one["index"])]);
            let answer = &predicted["predictions"][0];
            assert_eq!(answer["class"], one["predicted"], "{source}");
            let bits = |v: &Value| v.as_f64().expect("a number").to_bits();
            assert_eq!(bits(&answer["probability"]), bits(&one["probability"]), "{source}");
        }
    }
}
