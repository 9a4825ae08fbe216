//! `dnn data convert`, and the cache of decoded images.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Place, draw_folder, stderr};
use std::fs;

fn model(place: &Place, run: &str) -> Vec<u8> {
    fs::read(place.path(run).join("model.safetensors")).unwrap()
}

#[test]
fn a_converted_folder_trains_the_same_network() {
    let place = Place::new();
    draw_folder(&place.path("photos"), 40, 30);
    let shape = ["--size", "20x13", "--aspect", "crop", "--colors", "grey"];
    let written = place.json(&[&["data", "convert", "photos", "p.h5"], &shape[..]].concat());
    assert_eq!(written["splits"][0]["name"], "train");
    assert_eq!(written["classes"], serde_json::json!(["cat", "non-cat"]));
    assert_eq!(written["shape"], serde_json::json!({"height": 13, "width": 20, "channels": 1}));
    let train = ["train", "--iterations", "5", "--quiet", "--standardize"];
    place.ok(&[&train[..], &["photos", "--out", "a"], &shape].concat());
    place.ok(&[&train[..], &["p.h5", "--out", "b"]].concat());
    assert!(model(&place, "a") == model(&place, "b"), "weights and contract");
    // And a photo is prepared as those were.
    let file = fs::read_dir(place.path("photos/test/cat")).unwrap().next().unwrap().unwrap().path();
    let predict = |run: &str| place.json(&["predict", run, file.to_str().unwrap()]);
    assert_eq!(predict("a")["predictions"], predict("b")["predictions"]);
}

#[test]
fn other_sources_are_converted_too() {
    let place = Place::new();
    let text = place.ok(&["data", "convert", "drawn", "d.h5", "--draw-train", "30", "--quiet"]);
    let other = place.json(&["data", "convert", "d.h5", "e.h5", "--class-map", "cat=feline"]);
    assert_eq!(other["classes"], serde_json::json!(["non-cat", "feline"]));
    let error = place.refused(&["data", "convert", "d.h5", "e.h5", "--class-map", "dog=feline"]);
    assert!(error.contains("class to rename"), "{error}");
    assert!(text.contains("train: 30 of 64×64×3: "), "{text}");
    assert!(text.contains("Written: d.h5 ("), "{text}");
    fs::write(place.path("t.csv"), "a,b,kind\n0.5,3,x\n1.5,4,y\n2,5,x\n").unwrap();
    place.ok(&["data", "convert", "t.csv", "t.h5", "--label", "kind"]);
    place.ok(&["train", "t.h5", "--iterations", "2", "--out", "r", "--layers", "2", "--quiet"]);
    let error = place.refused(&["data", "convert", "t.csv", "s.h5", "--label", "kind", "--size=3"]);
    assert!(error.contains("are not resized"), "{error}");
    // Bytes in a wider type are bytes.
    let numbers = (0..16_i16).flat_map(|i| (i * 17).to_be_bytes());
    let header = [0, 0, 11, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2];
    let images: Vec<u8> = header.into_iter().chain(numbers).collect();
    fs::write(place.path("w-images-idx3"), images).unwrap();
    fs::write(place.path("w-labels-idx1"), [0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 0, 1]).unwrap();
    place.ok(&["data", "convert", "w-images-idx3", "w.h5", "--size", "3"]);
    let error = place.refused(&["data", "convert", "nothing", "s.h5"]);
    assert!(error.contains("nothing"), "{error}");
    fs::create_dir_all(place.path("bad/x")).unwrap();
    fs::create_dir_all(place.path("bad/y")).unwrap();
    for name in ["x/1.png", "x/2.jpg", "y/1.png"] {
        fs::write(place.path("bad").join(name), "no picture").unwrap();
    }
    let error = place.refused(&["data", "convert", "bad", "s.h5", "--test-share", "0"]);
    assert!(error.contains("3 of 3 image files cannot be used"), "{error}");
    assert!(!place.names().iter().any(|name| name == "s.h5" || name.starts_with(".dnn-")));
}

#[test]
fn decoded_images_are_kept_where_it_was_asked_for() {
    let place = Place::new();
    draw_folder(&place.path("photos"), 40, 30);
    fs::write(place.path("photos/train/cat/bad.png"), "no picture").unwrap();
    let train = |run: &str, more: &[&str]| {
        let usual = ["train", "photos", "--size", "12", "--on-bad-image", "skip", "--out", run];
        let output = place.run(&[&usual[..], &["--iterations", "5"], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("left out") && said.contains("bad.png"), "{said}");
        said
    };
    assert!(!train("a", &[]).contains("are kept in"), "so few are not");
    assert!(train("b", &["--cache", "kept"]).contains("are kept in kept"));
    assert!(!train("c", &["--cache", "kept"]).contains("are kept in"), "they are there");
    assert_eq!(common::names(&place.path("kept")).len(), 1);
    assert!(model(&place, "a") == model(&place, "b") && model(&place, "a") == model(&place, "c"));
    let judge = |more: &[&str]| {
        place.json(&[&["evaluate", "a", "photos", "--on-bad-image", "skip"], more].concat())
    };
    assert_eq!(judge(&[]), judge(&["--cache", "kept"]));
    place.ok(&["train", "--resume", "b", "--iterations", "6", "--cache", "kept", "--quiet"]);
    place.ok(&["data", "convert", "photos", "d.h5", "--on-bad-image", "skip", "--size", "12"]);
    for (data, flag) in [("d.h5", "--out"), ("drawn", "--draw-seed")] {
        let error = place.refused(&["train", data, flag, "1", "--cache", "kept"]);
        assert!(error.contains(&format!("{data}: --cache is for image files")), "{error}");
    }
    fs::write(place.path("file"), "").unwrap();
    let error = place.refused(&["train", "photos", "--on-bad-image", "skip", "--cache", "file"]);
    assert!(error.contains("cannot cache the images"), "{error}");
}
