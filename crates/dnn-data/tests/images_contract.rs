//! Prediction feeds a network exactly what training fed it: an image of the training set, exported
//! as PNG and loaded, is its column of the dataset, bit for bit.

#![cfg(all(feature = "hdf5", feature = "image"))]

mod common;

use common::real_data;
use dnn_core::Real;
use dnn_data::InputContract;
use dnn_data::hdf5::{self, Factors, Options};
use dnn_data::image::{DecodeLimits, load_features, write_png};
use dnn_data::{ImageSet, ImageShape, Splits};
use std::path::Path;

/// Exports every `step`-th image of a set and checks its features against the dataset's.
#[track_caller]
fn check<F: Real>(set: &ImageSet, step: usize, folder: &Path) {
    let contract = set.contract().expect("a contract");
    let data = set.to_dataset::<F>(&contract).expect("a dataset");
    // The name lies about the format, and nobody is misled.
    let path = folder.join("exported.jpeg");
    for i in (0..set.len()).step_by(step) {
        write_png(&path, set.image(i), set.shape()).expect("written");
        let x = load_features::<F>(&path, &contract, &DecodeLimits::default()).expect("loaded");
        assert_eq!(x, data.x().column(i), "image {i}");
    }
}

/// A set of noise that went through an HDF5 file.
fn through_hdf5(shape: ImageShape, folder: &Path) -> ImageSet {
    let pixels = (0..3 * shape.n_bytes()).map(|i| (i * i / 7 % 256) as u8).collect();
    let classes = vec!["non-cat".into(), "cat".into()];
    let set = ImageSet::new(pixels, shape, vec![0, 1, 1], classes).expect("a set");
    let splits = Splits::new(Some(set), None).expect("one split");
    let path = folder.join("set.h5");
    hdf5::write_splits(&path, &splits, &Factors::default()).expect("written");
    let read = common::load_hdf5(&path, &Options::default()).expect("read back");
    read.train().expect("the training set").clone()
}

#[test]
fn an_image_exported_from_the_training_set_is_its_column() {
    let folder = tempfile::tempdir().expect("a folder");
    for shape in [
        ImageShape { height: 64, width: 64, channels: 3 },
        ImageShape { height: 5, width: 9, channels: 3 },
    ] {
        let set = through_hdf5(shape, folder.path());
        check::<f64>(&set, 1, folder.path());
        check::<f32>(&set, 1, folder.path());
    }
}

#[test]
fn a_grey_image_exported_from_a_training_set_is_its_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let shape = ImageShape { height: 28, width: 28, channels: 1 };
    let pixels = (0..2 * shape.n_bytes()).map(|i| (i * i / 7 % 256) as u8).collect();
    let classes = vec!["0".into(), "1".into()];
    let set = ImageSet::new(pixels, shape, vec![0, 1], classes).expect("a set");
    check::<f64>(&set, 1, folder.path());
}

#[test]
fn the_courses_images_exported_are_their_columns() {
    let Some(data) = real_data() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let splits = common::load_hdf5(&data, &Options::default()).expect("the course's files");
    check::<f64>(&splits.train().expect("train"), 10, folder.path());
    check::<f64>(&splits.test().expect("test"), 10, folder.path());
}

/// A data file is never resized behind the user's back; a picture is, that is what its contract
/// says.
#[test]
fn a_training_set_of_another_size_is_refused_and_a_picture_is_resized() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = through_hdf5(ImageShape { height: 5, width: 9, channels: 3 }, folder.path());
    let contract = InputContract::rgb(4, 3).expect("a contract");
    let refused = set.to_dataset::<f64>(&contract).expect_err("another size").to_string();
    assert_eq!(refused, "size of the images (height×width×channels): expected 3×4×3, got 5×9×3");
    let path = folder.path().join("exported.png");
    write_png(&path, set.image(0), set.shape()).expect("written");
    let x = load_features::<f64>(&path, &contract, &DecodeLimits::default()).expect("loaded");
    assert_eq!(x.len(), 4 * 3 * 3);
}
