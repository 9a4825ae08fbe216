//! Folders of HDF5 files: which file is the training set, and what to say when none is or many are.
#![cfg(feature = "hdf5")]

mod common;

use common::{fixture, message};
use dnn_data::hdf5::{self, Factors, Options};
use dnn_data::{DataError, ImageSet, ImageShape, Splits};
use std::fs;
use tempfile::TempDir;

/// Two images of a shade; a training or a test set.
fn set(shade: u8) -> ImageSet {
    let shape = ImageShape { height: 1, width: 2, channels: 3 };
    let classes = vec!["non-cat".into(), "cat".into()];
    ImageSet::new(vec![shade; 12], shape, vec![1, 0], classes).expect("a valid set")
}

fn train(shade: u8) -> Splits {
    Splits::new(Some(set(shade)), None).expect("one set")
}

fn test(shade: u8) -> Splits {
    Splits::new(None, Some(set(shade))).expect("one set")
}

fn both(shade: u8) -> Splits {
    Splits::new(Some(set(shade)), Some(set(shade))).expect("two alike")
}

/// A folder of these files.
fn folder(files: &[(&str, Splits)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, splits) in files {
        let path = folder.path().join(name);
        hdf5::write_splits(&path, splits, &Factors::default()).expect("written");
    }
    folder
}

/// The shades of the training and the test set that are found.
fn shades(folder: &TempDir) -> Result<(Option<u8>, Option<u8>), DataError> {
    let splits = common::load_hdf5(folder.path(), &Options::default())?;
    let shade = |set: Option<&ImageSet>| set.map(|set| set.pixels()[0]);
    Ok((shade(splits.train()), shade(splits.test())))
}

#[test]
fn the_content_tells_which_is_which() {
    let found = |files: &[(&str, Splits)]| shades(&folder(files)).expect("found");
    let (cat_train, cat_test) = ("train_catvnoncat.h5", "test_catvnoncat.h5");
    assert_eq!(found(&[("b.h5", train(1)), ("a.HDF5", test(2))]), (Some(1), Some(2)));
    assert_eq!(found(&[("b.h5", train(1))]), (Some(1), None));
    assert_eq!(found(&[("b.h5", test(2)), ("c.txt", train(1))]), (None, Some(2)));
    assert_eq!(found(&[("b.h5", both(3))]), (Some(3), Some(3)));
    // The course's names go first,
    let course = [(cat_train, train(1)), (cat_test, test(2)), ("drawn.h5", both(3))];
    assert_eq!(found(&course), (Some(1), Some(2)));
    assert_eq!(found(&[(cat_train, train(1)), ("other.h5", test(2))]), (Some(1), Some(2)));
    // and real images to train on are never tested on drawn ones.
    assert_eq!(found(&[(cat_train, train(1)), ("drawn.h5", both(3))]), (Some(1), None));
}

#[test]
fn several_candidates_or_none_are_an_error_that_lists_them() {
    let refusal = |files: &[(&str, Splits)]| {
        let folder = folder(files);
        let message = message(&shades(&folder).expect_err("no single answer"));
        message.replace(&folder.path().display().to_string(), "F")
    };
    assert_eq!(
        refusal(&[("a.h5", train(1)), ("b.h5", both(2)), ("c.h5", test(3))]),
        "F: 2 files hold `train_set_x`: `a.h5`, `b.h5`; name one of them, or keep one in the folder"
    );
    assert_eq!(
        refusal(&[]),
        "F: looked for an HDF5 file (.h5, .hdf5) holding `train_set_x` or `test_set_x`, such as \
         train_catvnoncat.h5; found no HDF5 file"
    );
    let other = tempfile::tempdir().expect("a folder");
    fs::copy(fixture("named"), other.path().join("named.h5")).expect("copied");
    assert!(message(&shades(&other).expect_err("nothing")).ends_with("found `named.h5`"));
    let missing = common::load_hdf5(&other.path().join("none"), &Options::default());
    assert!(message(&missing.expect_err("no folder")).contains("none: open failed: No such file"));
    let file = common::load_hdf5(&other.path().join("named.h5"), &Options::default());
    assert!(message(&file.expect_err("other names")).contains("`train_set_x`"));
}

#[test]
fn a_broken_file_that_may_be_the_missing_one_is_an_error() {
    let folder = folder(&[("train.h5", train(1))]);
    let test_file = folder.path().join("test.h5");
    fs::write(&test_file, "<!DOCTYPE html><html>").expect("written");
    let error = message(&shades(&folder).expect_err("the test set is a web page"));
    assert!(error.contains("test.h5: not an HDF5 file but an HTML page"), "{error}");
    // Beside a whole pair it is nobody's business,
    hdf5::write_splits(&folder.path().join("b.h5"), &test(2), &Factors::default())
        .expect("written");
    assert_eq!(shades(&folder).expect("a pair"), (Some(1), Some(2)));
    // unless it has the course's name.
    fs::rename(&test_file, folder.path().join("test_catvnoncat.h5")).expect("renamed");
    assert!(message(&shades(&folder).expect_err("a web page")).contains("an HTML page"));
}

#[test]
fn sets_that_do_not_belong_together_are_refused() {
    let shape = ImageShape { height: 2, width: 1, channels: 3 };
    let upright = ImageSet::new(vec![0; 6], shape, vec![0], vec!["non-cat".into(), "cat".into()]);
    let upright = Splits::new(None, upright.ok()).expect("one set");
    let folder = folder(&[("a.h5", train(1)), ("b.h5", upright)]);
    let error = shades(&folder).expect_err("other sizes");
    assert!(matches!(error, DataError::Mismatch { .. }));
    let message = message(&error);
    assert!(message.contains("b.h5): expected 1×2×3 as in the training set ("), "{message}");
}

#[test]
fn classes_of_one_file_hold_for_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(fixture("classes_utf8"), folder.path().join("train.h5")).expect("copied");
    // `list_classes` is in the training file only.
    let mut test = hdf5_pure::FileBuilder::new();
    test.create_dataset("test_set_x").with_u8_data(&[7; 18]).with_shape(&[1, 2, 3, 3]);
    test.create_dataset("test_set_y").with_u8_data(&[1]);
    test.write(folder.path().join("test.h5")).expect("written");
    let splits = common::load_hdf5(folder.path(), &Options::default()).expect("a pair");
    assert_eq!(splits.test().expect("a test set").classes(), ["chien", "château"]);
}
