//! `dnn data audit`.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{DATA, Place, stderr, stdout};
use dnn_data::hdf5::{Factors, write_splits};
use dnn_data::{ImageSet, ImageShape, Splits};

/// Images of stripes, each of its own width; `which` says the width, the label and the brightness.
fn set(which: &[(u8, u32, u8)]) -> Option<ImageSet> {
    let shape = ImageShape { height: 24, width: 24, channels: 3 };
    let pixel = |at: usize, &(width, _, brightness): &(u8, u32, u8)| {
        let (y, x) = (at / 24, at % 24);
        let stripe = (x / usize::from(width) + y / (2 * usize::from(width))) % 2;
        [40 + 150 * stripe as u8 + brightness; 3]
    };
    let pixels = which.iter().flat_map(|image| (0..24 * 24).flat_map(move |at| pixel(at, image)));
    let labels = which.iter().map(|image| image.1).collect();
    let classes = ["non-cat", "cat"].map(String::from).to_vec();
    ImageSet::new(pixels.collect(), shape, labels, classes).ok()
}

/// Train 1 is test 0, train 2 a little darker is test 1, train 0 has both labels.
fn write_bad(place: &Place) {
    let train = set(&[(3, 0, 0), (5, 1, 0), (7, 0, 0), (3, 1, 0)]);
    let test = set(&[(5, 1, 0), (7, 0, 9), (11, 1, 0)]);
    let splits = Splits::new(train, test).unwrap();
    write_splits(&place.path("bad.h5"), &splits, &Factors::default()).unwrap();
}

#[test]
fn conflicts_are_named_and_fail_when_strict() {
    let place = Place::new();
    write_bad(&place);
    let text = place.ok(&["data", "audit", "bad.h5"]);
    for line in [
        "Test images that are in the training set: 2 of 3",
        "  test 0 (cat) is train 1 (cat): the same pixels",
        "  test 1 (non-cat) is train 2 (non-cat): near: 0 bits, 0.0 %",
        "Pictures with more than one label: 1",
        "  train 0 (non-cat), train 3 (cat)",
        "Same pixels: 4 images in 2 groups",
        "Near duplicates: 2 images in 1 group",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
    }
    let output = place.run(&["data", "audit", "bad.h5", "--strict"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), text);
    assert_eq!(
        stderr(&output),
        "2 test images are in the training set, 1 picture has more than one label\n"
    );
    // Without near duplicates one leak is left, and it is enough.
    let output = place.run(&["data", "audit", "bad.h5", "--strict", "--near", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("Near duplicates: not looked for"));
    place.ok(&[&["data", "audit", "--strict"], &DATA[..]].concat());
    place.ok(&["data", "audit", "--strict", "bad.h5", "--x", "test_set_x", "--y", "test_set_y"]);
}

#[test]
fn json_is_one_object_with_everything() {
    let place = Place::new();
    write_bad(&place);
    let output = place.run(&["data", "audit", "bad.h5", "--strict", "--json", "--list", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(found["shape"]["height"], 24);
    assert_eq!(found["splits"][0]["class_counts"], serde_json::json!([2, 2]));
    assert_eq!(found["leaks"]["total"], 2);
    assert_eq!(found["leaks"]["listed"].as_array().unwrap().len(), 1);
    let leak = &found["leaks"]["listed"][0];
    assert_eq!(leak["train"], serde_json::json!({"split": "train", "index": 1, "label": 1}));
    assert_eq!(leak["test"], serde_json::json!({"split": "test", "index": 0, "label": 1}));
    assert_eq!(leak["likeness"], "same");
    assert_eq!(found["contradictions"]["total"], 1);
    assert_eq!(found["near"]["status"], "searched");
    assert_eq!(found["near"]["n_images"], 2);
    let found = place.json(&["data", "audit", "bad.h5", "--near", "0"]);
    assert_eq!(found["near"]["status"], "off");
}

#[test]
fn the_sheet_has_two_images_for_each_suspect() {
    let place = Place::new();
    write_bad(&place);
    let text = place.ok(&["data", "audit", "bad.h5", "--sheet", "s.png"]);
    assert!(text.ends_with("Written: s.png\n"), "{text}");
    let image = image::open(place.path("s.png")).unwrap().into_rgb8();
    // 24 pixels are shown as 120. Test 1 alone is of this grey: the pair of a leak.
    let n_pixels = |grey: u8| image.pixels().filter(|pixel| pixel.0 == [grey; 3]).count();
    let stripes = set(&[(7, 0, 9)]).unwrap();
    let dark = stripes.image(0).chunks(3).filter(|pixel| pixel[0] == 49).count();
    assert_eq!(n_pixels(49), dark * 25);
    assert_eq!(place.names(), ["bad.h5", "s.png"]);
    place.ok(&[&["data", "audit", "--sheet", "none.png"], &DATA[..]].concat());
    assert!(image::open(place.path("none.png")).is_ok());
}

#[test]
fn what_cannot_be_audited_is_refused() {
    let place = Place::new();
    assert!(place.refused(&["data", "audit", "missing.h5"]).contains("missing.h5"));
    let error = place.refused(&["data", "audit", "--x", "a", "--y", "b"]);
    assert!(error.contains("--x and --y need DATA"), "{error}");
    let error = place.run(&["data", "audit", "drawn", "--near", "16"]);
    assert_eq!(error.status.code(), Some(2));
    assert!(stderr(&error).contains("16 is not in 0..=15"), "{}", stderr(&error));
}
