//! Training on more images than memory is allowed to hold.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::Place;
use std::fs;

/// Enough for the program, a batch and four blocks of a megabyte, not for the images.
const LIMIT: &str = "56M";

fn train<'a>(place: &Place, run: &'a str, more: &[&'a str]) -> serde_json::Value {
    let usual = ["train", "d.h5", "--epochs", "2", "--batch-size", "64", "--engine", "dense"];
    let usual = [&usual[..], &["--lr", "0.001", "--out", run, "--quiet"]].concat();
    place.json(&[&usual[..], more].concat())
}

#[test]
fn images_that_stay_in_their_file_are_trained_on_and_judged() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "1600", "--test", "60", "--size", "40"]);
    let streamed = train(&place, "s", &["--memory-limit", LIMIT]);
    assert_eq!(streamed["train"]["total"], 1600);
    assert_eq!(streamed["test"]["total"], 60);
    assert_eq!(streamed["iterations"], 50);
    // The same run again, by its configuration.
    place.ok(&["train", "--config", "s/config.toml", "--out", "again", "--quiet"]);
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert!(model("s") == model("again"));
    // Judged as any other file is.
    let judged = place.json(&["evaluate", "s", "d.h5"]);
    assert_eq!(judged["correct"], streamed["test"]["correct"]);
    let train_set = place.json(&["evaluate", "s", "d.h5", "--split", "train"]);
    assert_eq!(train_set["correct"], streamed["train"]["correct"]);
    // Where memory suffices, nothing is streamed: the order is that of any other run.
    let enough = train(&place, "m", &["--memory-limit", "1G"]);
    let usual = train(&place, "u", &[]);
    assert_eq!(enough["costs"], usual["costs"]);
    assert_ne!(streamed["costs"], usual["costs"], "blocks are shuffled in another order");
}

#[test]
fn any_source_can_be_streamed_prepared_and_augmented() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "1600", "--test", "60", "--size", "48"]);
    let resized = ["--size", "40", "--standardize", "--augment", "light"];
    let limited = ["--memory-limit", LIMIT, "--cache", "kept"];
    let first = train(&place, "a", &[&resized[..], &limited].concat());
    assert_eq!(first["test"]["total"], 60);
    assert_eq!(common::names(&place.path("kept")).len(), 1);
    // A damaged file of the cache is made anew.
    let kept = place.path("kept").join(&common::names(&place.path("kept"))[0]);
    let sound = fs::read(&kept).unwrap();
    let mut damaged = sound.clone();
    damaged[sound.len() / 2..][..9].fill(0xff);
    fs::write(&kept, damaged).unwrap();
    let again = train(&place, "d", &[&resized[..], &limited].concat());
    assert_eq!(again["costs"], first["costs"]);
    assert!(fs::read(&kept).unwrap() == sound, "it stayed damaged");
    // The same images, made before.
    place.ok(&["data", "convert", "d.h5", "e.h5", "--size", "40"]);
    let usual = ["train", "e.h5", "--epochs", "2", "--batch-size", "64", "--engine", "dense"];
    let usual = [&usual[..], &["--lr", "0.001", "--out", "b", "--quiet"]].concat();
    let more = ["--standardize", "--augment", "light", "--memory-limit", LIMIT];
    let second = place.json(&[&usual[..], &more].concat());
    assert_eq!(first["costs"], second["costs"]);
    // How images are prepared is known, whether or not they were prepared again.
    let contract =
        |run: &str| place.json(&["inspect", &format!("{run}/model.safetensors")])["input"].clone();
    train(&place, "e", &[&["--size", "40", "--aspect", "crop"], &limited[..]].concat());
    train(&place, "f", &["--size", "40", "--aspect", "crop"]);
    assert_eq!(contract("e")["aspect"], "crop");
    assert_eq!(contract("e"), contract("f"));
    // Another file to test on is not in memory either, nor are its classes other ones.
    let tested = train(&place, "g", &[&["--size", "40", "--test", "e.h5"], &limited[..]].concat());
    assert_eq!(tested["test"]["total"], 60);
    let plain = train(&place, "c", &[&["--size", "40", "--standardize"], &limited[..]].concat());
    assert_ne!(first["costs"], plain["costs"], "it was augmented");
}

#[test]
fn views_of_images_in_their_file_are_drawn_and_averaged() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "1600", "--test", "60", "--size", "40"]);
    let limited = ["--standardize", "--memory-limit", LIMIT];
    let streamed = train(&place, "s", &[&limited[..], &["--views", "4"]].concat());
    place.ok(&["train", "--config", "s/config.toml", "--out", "again", "--quiet"]);
    let model = |run: &str| fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert!(model("s") == model("again"));
    let plain = train(&place, "p", &limited);
    assert_ne!(streamed["costs"], plain["costs"], "each epoch shows one of the views");
    // In memory the answers are the means over the same views.
    for split in ["test", "train"] {
        let judged = place.json(&["evaluate", "s", "d.h5", "--split", split]);
        assert_eq!(judged["correct"], streamed[split]["correct"], "{split}");
        let one = place.json(&["evaluate", "s", "d.h5", "--split", split, "--views", "1"]);
        assert_ne!(judged["cost"], one["cost"], "{split}");
    }
}

#[test]
fn folds_are_augmented_as_a_training_is() {
    let place = Place::new();
    let folds = |run: &str, more: &[&str]| {
        let usual = ["train", "drawn", "--draw-size", "16", "--draw-train", "60", "--folds", "2"];
        let usual = [&usual[..], &["--iterations", "20", "--out", run]].concat();
        place.json(&[&usual[..], more].concat())["folds"].clone()
    };
    let augmented = folds("a", &["--augment", "strong"]);
    assert_eq!(augmented, folds("b", &["--augment", "strong"]));
    assert_ne!(augmented, folds("c", &[]));
}

#[test]
fn what_cannot_be_streamed_is_refused() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "300", "--test", "20", "--size", "32"]);
    let refused = |args: &[&str], says: &str| {
        let error = place.refused(&[args, &["--out", "r", "--quiet"]].concat());
        assert!(error.contains(says), "{error}");
        assert!(!place.path("r").exists());
    };
    refused(&["train", "d.h5", "--memory-limit", "1M"], "four blocks of images");
    refused(&["train", "d.h5", "--memory-limit", "2X"], "512M or 2G");
    refused(&["train", "drawn", "--memory-limit", "1G"], "drawn ones are in memory");
    refused(
        &["train", "d.h5", "--size", "16", "--memory-limit", "1M", "--no-cache"],
        "--cache DIR",
    );
}
