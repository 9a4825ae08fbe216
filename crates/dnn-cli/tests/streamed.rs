//! Training on more images than memory is allowed to hold.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::Place;
use std::fs;

/// Enough for four blocks of a megabyte, not for the images.
const LIMIT: &str = "13M";

fn train<'a>(place: &Place, run: &'a str, more: &[&'a str]) -> serde_json::Value {
    let usual = ["train", "d.h5", "--epochs", "2", "--batch-size", "64", "--engine", "dense"];
    let usual = [&usual[..], &["--lr", "0.001", "--out", run, "--quiet"]].concat();
    place.json(&[&usual[..], more].concat())
}

#[test]
fn images_that_stay_in_their_file_are_trained_on_and_judged() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "1500", "--test", "60", "--size", "40"]);
    let streamed = train(&place, "s", &["--memory-limit", LIMIT]);
    assert_eq!(streamed["train"]["total"], 1500);
    assert_eq!(streamed["test"]["total"], 60);
    assert_eq!(streamed["iterations"], 48);
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
fn what_cannot_be_streamed_is_refused() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "300", "--test", "20", "--size", "32"]);
    let refused = |args: &[&str], says: &str| {
        let error = place.refused(&[args, &["--out", "r", "--quiet"]].concat());
        assert!(error.contains(says), "{error}");
        assert!(!place.path("r").exists());
    };
    refused(&["train", "d.h5", "--memory-limit", "1M"], "four blocks");
    refused(&["train", "d.h5", "--memory-limit", "2X"], "512M or 2G");
    refused(&["train", "drawn", "--memory-limit", "1G"], "one HDF5 file");
}
