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
    assert!(text.contains("empty.jpg: expected an image, got an empty file"), "{text}");
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

#[test]
fn a_network_that_learned_from_photos_decoded_fast_is_told_photos_decoded_fast() {
    let place = Place::new();
    let (width, height) = (330, 266);
    for (i, class) in ["a", "b", "a", "b"].into_iter().enumerate() {
        let folder = place.path("photos").join(class);
        fs::create_dir_all(&folder).unwrap();
        let pixels: Vec<u8> =
            (0..width * height * 3).map(|at| (at / 9 * (i + 3) % 251) as u8).collect();
        jpeg_encoder::Encoder::new_file(folder.join(format!("{i}.jpg")), 90)
            .unwrap()
            .encode(&pixels, width as u16, height as u16, jpeg_encoder::ColorType::Rgb)
            .unwrap();
    }
    let train = ["train", "photos", "--iterations", "3", "--size", "8", "--test-share", "0"];
    let train = [&train[..], &["--cache", "kept", "--quiet", "--out"]].concat();
    place.ok(&[&train[..], &["exact"]].concat());
    place.ok(&[&train[..], &["fast", "--decode", "fast"]].concat());
    assert_eq!(fs::read_dir(place.path("kept")).unwrap().count(), 2, "each has an own cache");
    let probability = |run: &str, more: &[&str]| {
        let predict = [&["predict", run, "photos/a/0.jpg"], more].concat();
        place.json(&predict)["predictions"][0]["probability"].clone()
    };
    let fast = probability("fast", &[]);
    assert_ne!(fast, probability("exact", &[]));
    assert!(place.ok(&["inspect", "fast"]).contains("decode = \"fast\""));
    // The run's model on its own is told the same.
    assert_eq!(fast, probability("fast/model.safetensors", &[]));
    let text = place.refused(&["train", "photos/a/0.jpg", "--decode", "slow", "--out", "x"]);
    assert!(text.contains("exact") && text.contains("fast"), "{text}");
}

/// Pictures of two classes in a folder each, `n` of a class.
fn two_classes(place: &Place, root: &str, classes: [&str; 2], n: u8) {
    let shape = dnn_data::ImageShape { height: 4, width: 4, channels: 3 };
    for (label, class) in classes.into_iter().enumerate() {
        let folder = place.path(root).join(class);
        fs::create_dir_all(&folder).unwrap();
        for i in 0..n {
            let shade = 90 * label as u8 + 7 * i;
            write_png(&folder.join(format!("{i}.png")), &[shade; 48], shape).unwrap();
        }
    }
}

#[test]
fn a_run_is_judged_by_what_it_kept_apart() {
    let place = Place::new();
    two_classes(&place, "photos", ["cat", "non-cat"], 20);
    let train = ["train", "photos", "--size", "4", "--test-share", "0.4", "--split-seed", "7"];
    let more = ["--iterations", "5", "--layers", "3", "--out", "r"];
    let trained = place.json(&[&train[..], &more].concat());
    assert_eq!(trained["test"]["total"], 16);
    for evaluate in [&["evaluate", "r"][..], &["evaluate", "r", "photos"]] {
        let judged = place.json(evaluate);
        assert_eq!(
            (&judged["total"], &judged["correct"]),
            (&16.into(), &trained["test"]["correct"])
        );
    }
    assert_eq!(place.json(&["evaluate", "r", "--test-share", "0.5"])["total"], 20);
    // Another division mixes what was trained on with what was not, which is said.
    let says_so = |args: &[&str]| stderr(&place.run(args)).contains("on another division");
    assert!(says_so(&["evaluate", "r", "--test-share", "0.5"]));
    assert!(says_so(&["evaluate", "r", "photos", "--split-seed", "6"]));
    assert!(!says_so(&["evaluate", "r", "photos"]));
    let train_set = place.json(&["evaluate", "r", "--split", "train"]);
    assert_eq!(train_set["correct"], trained["train"]["correct"]);
    let model = place.path("r/model.safetensors");
    fs::copy(model, place.path("alone.safetensors")).unwrap();
    let error = place.refused(&["evaluate", "alone.safetensors"]);
    assert!(error.contains("name DATA"), "{error}");
}

#[test]
fn classes_are_matched_by_name_or_by_a_map_and_else_refused() {
    let place = Place::new();
    two_classes(&place, "photos", ["cat", "non-cat"], 10);
    let train = ["train", "photos", "--size", "4", "--iterations", "40", "--layers", "3"];
    place.ok(&[&train[..], &["--lr", "0.1", "--quiet", "--out", "r"]].concat());
    // Of all pictures, since another part is drawn of classes in another order.
    let all = ["--test-share", "0", "--split", "train"];
    let right = &place.json(&[&["evaluate", "r", "photos"], &all[..]].concat())["correct"];
    // The same pictures under other names, in another order.
    two_classes(&place, "others", ["z-cats", "dogs"], 10);
    let error = place.refused(&["evaluate", "r", "others"]);
    assert!(error.contains("got dogs, z-cats") && error.contains("--class-map"), "{error}");
    let map = ["evaluate", "r", "others", "--class-map", "z-cats=cat,dogs=non-cat"];
    assert_eq!(&place.json(&[&map[..], &all].concat())["correct"], right);
    // Classes that are numbers mean nothing for others.
    two_classes(&place, "numbers", ["0", "1"], 10);
    let train = ["train", "numbers", "--size", "4", "--iterations", "2", "--quiet", "--out", "n"];
    place.ok(&train);
    assert!(place.refused(&["evaluate", "n", "photos"]).contains("those of the network, 0, 1"));
}

#[test]
fn flags_that_do_nothing_for_the_data_are_refused() {
    let place = Place::new();
    place.ok(&["data", "draw", "--out", "d.h5", "--train", "6", "--test", "4", "--size", "16"]);
    let error = place.refused(&["train", "d.h5", "--test-share", "0.3"]);
    assert!(error.contains("this is HDF5"), "{error}");
    assert!(place.refused(&["train", "d.h5", "--label", "2"]).contains("a table (CSV)"));
    assert!(place.refused(&["train", "drawn", "--on-bad-image", "skip"]).contains("image files"));
    draw_folder(&place.path("photos"), 10, 10);
    let error = place.refused(&["train", "photos", "--split-seed", "3"]);
    assert!(error.contains("splits of its own"), "{error}");
}

#[test]
fn every_command_knows_validation_sets() {
    let place = Place::new();
    for split in ["train", "val", "test"] {
        two_classes(&place, &format!("photos/{split}"), ["a", "b"], 3);
    }
    let text = place.ok(&["inspect", "photos"]);
    assert!(text.contains("Validation: 6 of "), "{text}");
    place.ok(&["train", "photos", "--size", "4", "--iterations", "2", "--quiet", "--out", "r"]);
    assert_eq!(place.json(&["evaluate", "r", "--split", "validation"])["total"], 6);
    fs::write(place.path("s.toml"), "config = \"r/config.toml\"\n[grid]\nseed = [1]\n").unwrap();
    let sweep = place.json(&["sweep", "s.toml", "--out", "s"]);
    assert_eq!(sweep["rows"][0]["validation"]["score"]["total"], 6);
    let audit = place.json(&["data", "audit", "photos"]);
    let splits: Vec<_> = audit["splits"].as_array().unwrap().iter().collect();
    assert_eq!(splits.len(), 3);
    assert_eq!(splits[1]["split"], "validation");
    // The same pictures in all three: those to judge by are leaks.
    assert_eq!(audit["leaks"]["total"], 12);
}
