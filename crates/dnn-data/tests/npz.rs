//! NumPy's .npz.
#![cfg(feature = "npz")]

mod common;

use common::files::{npy, npz as archive};
use common::message;
use dnn_data::{DataError, Limits, Names, SplitName, Splits, format};
use std::fs;
use std::path::Path;
use tempfile::NamedTempFile;

type Arrays = Vec<(&'static str, Vec<u8>)>;

fn file(bytes: &[u8]) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(".bin").tempfile().expect("a file");
    fs::write(file.path(), bytes).expect("written");
    file
}

fn load(arrays: &[(&str, Vec<u8>)]) -> Result<Splits, DataError> {
    let file = file(&archive(arrays, true));
    format::open(file.path(), &format::Options::default())
}

/// What is said of these arrays, with the path as F.
fn refusal(arrays: &[(&str, Vec<u8>)]) -> String {
    refusal_of(&archive(arrays, true), &Limits::default())
}

fn refusal_of(bytes: &[u8], limits: &Limits) -> String {
    let file = file(bytes);
    said(file.path(), &common::load_within(".npz", file.path(), limits).expect_err("refused"))
}

fn said(path: &Path, error: &DataError) -> String {
    message(error).replace(&path.display().to_string(), "F")
}

/// Keras' `mnist.npz` in small: two images of 2×2 to train on, one to test on.
fn digits() -> Arrays {
    vec![
        ("x_train", npy("|u1", false, &[2, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 255])),
        ("y_train", npy("<i8", false, &[2], &[1_i64, 2].map(i64::to_le_bytes).concat())),
        ("x_test", npy("|u1", false, &[1, 2, 2], &[9, 8, 7, 6])),
        ("y_test", npy("|u1", false, &[1], &[0])),
    ]
}

#[test]
fn training_and_test_set_are_read_by_their_usual_names() {
    for deflate in [true, false] {
        let file = file(&archive(&digits(), deflate));
        let splits = format::open(file.path(), &format::Options::default()).expect("readable");
        let (train, test) = (splits.train().expect("train"), splits.test().expect("test"));
        assert_eq!(train.shape().to_string(), "2×2×1");
        assert_eq!((train.labels(), train.image(1)), (&[1, 2][..], &[4, 5, 6, 255][..]));
        assert_eq!((test.labels(), test.image(0)), (&[0][..], &[9, 8, 7, 6][..]));
        assert_eq!((train.classes().len(), test.classes().len()), (3, 3));
    }
    let x = npy("|u1", false, &[1, 1, 2, 3], &[1, 2, 3, 4, 5, 6]);
    let splits = load(&[("X", x), ("y", npy("|b1", false, &[1, 1], &[1]))]).expect("readable");
    assert_eq!(splits.train().expect("train").shape().to_string(), "1×2×3");
    assert_eq!(splits.test(), None);
}

#[test]
fn types_byte_orders_and_orders_of_indices_give_the_same_numbers() {
    // numpy.array([[1.5, -2, 3], [4, 5, 600]]), in each order of indices.
    let (c, f) = ([1.5, -2.0, 3.0, 4.0, 5.0, 600.0], [1.5, 4.0, -2.0, 5.0, 3.0, 600.0]);
    let tables = [
        npy("<f8", false, &[2, 3], &c.map(f64::to_le_bytes).concat()),
        npy(">f8", false, &[2, 3], &c.map(f64::to_be_bytes).concat()),
        npy("<f8", true, &[2, 3], &f.map(f64::to_le_bytes).concat()),
        npy(">f4", true, &[2, 3], &f.map(|v| (v as f32).to_be_bytes()).concat()),
    ];
    for table in tables {
        let y = npy(">i2", false, &[1, 2], &[0, 0, 0, 1]);
        let train = load(&[("x", table), ("y", y)])
            .expect("readable")
            .take(SplitName::Train)
            .expect("train");
        assert_eq!(train.shape().to_string(), "1×3×1");
        assert_eq!(common::numbers(&train), Some(c.to_vec()));
        assert_eq!(train.labels(), [0, 1]);
    }
    // Integers that are bytes become bytes.
    let x = npy("<i4", false, &[2, 1, 1], &[7_i32, 255].map(i32::to_le_bytes).concat());
    let train = load(&[("images", x), ("labels", npy("|u1", false, &[2], &[0, 1]))]);
    assert_eq!(train.expect("readable").take(SplitName::Train).expect("train").pixels(), [7, 255]);
}

#[test]
fn any_two_arrays_are_read_by_their_names() {
    let mut arrays = digits();
    let names: Vec<u8> = "äb\0ce\0xyz".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    arrays.push(("digits", npy("<U3", false, &[3], &names)));
    let file = file(&archive(&arrays, true));
    let names =
        Names { images: "x_test".into(), labels: "y_test".into(), classes: Some("digits".into()) };
    let named = |names: &Names| {
        let names = Some(names.clone());
        let options = format::Options { names, ..format::Options::default() };
        format::open(file.path(), &options)
            .map(|mut splits| splits.take(SplitName::Train).expect("named arrays"))
    };
    let set = named(&names).expect("readable");
    assert_eq!((set.len(), set.classes()), (1, &["äb", "ce", "xyz"].map(String::from)[..]));
    let names = Names { images: "z".into(), ..names };
    let error = named(&names).expect_err("no z");
    assert_eq!(
        said(file.path(), &error),
        "F: arrays: expected one called `z`, got `x_train`, `y_train`, `x_test`, `y_test`, `digits`"
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let y = |n: u8| npy("|u1", false, &[u64::from(n)], &(0..n).collect::<Vec<_>>());
    let bytes =
        |shape: &[u64]| npy("|u1", false, shape, &vec![0; shape.iter().product::<u64>() as usize]);
    let pair = |x: Vec<u8>, y: Vec<u8>| refusal(&[("x", x), ("y", y)]);
    assert!(pair(bytes(&[2, 3, 4, 4]), y(2)).contains("the channels come last, got (2, 3, 4, 4)"));
    assert!(pair(bytes(&[2, 4, 4, 4]), y(2)).contains("remove the alpha channel"));
    assert_eq!(
        pair(bytes(&[2, 1, 1]), y(3)),
        "F: number of labels in `y`: expected 2, one for each image of `x`, got 3"
    );
    assert!(pair(bytes(&[2, 1, 1]), bytes(&[2, 10])).contains("one class index for each image"));
    let text = pair(bytes(&[1, 1, 1]), npy("<f4", false, &[1], &[0; 4]));
    assert!(text.contains("type of `y`: expected integers"), "{text}");
    let text = pair(npy("<f4", false, &[1, 1], &f32::NAN.to_le_bytes()), y(1));
    assert_eq!(text, "F: feature 0 of example 0: expected a finite number, got NaN");
    let text = pair(npy("|O", false, &[1], b"\x80\x04K\x01."), y(1));
    assert!(text.starts_with("F: content of `x`: expected integers"), "{text}");
    assert!(text.contains("Python objects, which are pickled"), "{text}");
    assert_eq!(
        refusal(&[("x", bytes(&[1, 1, 1])), ("labels", y(1))]),
        "F: arrays: expected one called `y`, got `x`, `labels`"
    );
    assert!(refusal(&[("a", y(1))]).contains("expected x_train and y_train"));
    assert!(refusal(&[]).ends_with("got a zip archive without arrays (.npy)"));
    let text = refusal(&[("x", bytes(&[1, 1, 1])), ("y", b"no array".to_vec())]);
    assert!(text.contains("first bytes of `y`"), "{text}");
}

#[test]
fn too_many_bytes_or_too_few_are_refused_before_they_are_unpacked() {
    let y = npy("|u1", false, &[2], &[0, 1]);
    let arrays = |x: Vec<u8>| [("x", x), ("y", y.clone())];
    for n in [7, 9] {
        let text = refusal(&arrays(npy("|u1", false, &[2, 2, 2], &vec![0; n])));
        assert!(text.starts_with("F: length of `x`: expected 8"), "{text}");
    }
    let huge = npy("|u1", false, &[1 << 40, 1 << 40], &[0]);
    assert!(refusal(&arrays(huge)).contains("expected 2⁶⁴ or more bytes for"));
    // A megabyte that packs into one kilobyte.
    let bomb = archive(&arrays(npy("|u1", false, &[2, 1024, 512], &vec![0; 1 << 20])), true);
    assert!(bomb.len() < 4096);
    let limits = Limits { max_bytes: 1 << 19, ..Limits::default() };
    assert_eq!(
        refusal_of(&bomb, &limits),
        "F: the training set, 2 images of 1024×512×1, would take 1048576 bytes in memory, the limit is 524288 \
         bytes"
    );
    let whole = archive(&digits(), true);
    for n in (4..whole.len()).step_by(17) {
        refusal_of(&whole[..n], &Limits::default());
    }
}
