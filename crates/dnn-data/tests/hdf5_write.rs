//! What is written is read back, whole or not at all.
#![cfg(feature = "hdf5")]

mod common;

use common::{backends, message};
use dnn_data::hdf5::{self, Factor, FactorValues, Factors, Options};
use dnn_data::{ImageSet, ImageShape, Splits};
use std::fs;

fn set(n: usize, classes: &[&str]) -> ImageSet {
    let shape = ImageShape { height: 40, width: 30, channels: 3 };
    let pixels = (0..n * shape.n_bytes()).map(|i| (i * i % 251) as u8).collect();
    let labels = (0..n).map(|i| (i % classes.len()) as u32).collect();
    let classes = classes.iter().copied().map(String::from).collect();
    ImageSet::new(pixels, shape, labels, classes).expect("a valid set")
}

fn factor(name: &str, values: FactorValues) -> Factor {
    Factor { name: name.into(), values }
}

#[test]
fn images_labels_classes_and_factors_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("written.h5");
    let classes = ["Käfer", "cat", "dog"];
    // 45 images of 3600 bytes do not fill their last chunk.
    let splits = Splits::new(Some(set(45, &classes)), Some(set(1, &classes))).expect("alike");
    let numbers: Vec<f64> = (0..45).map(|i| f64::from(i) / 7.0).collect();
    let factors = Factors {
        train: vec![
            factor("brightness", FactorValues::F64(numbers.clone())),
            factor("pose", FactorValues::I64((-20..25).collect())),
            factor("scale", FactorValues::F32(numbers.iter().map(|&v| v as f32).collect())),
        ],
        test: vec![factor("pose", FactorValues::I64(vec![i64::MIN]))],
        ..Factors::default()
    };
    hdf5::write_splits(&path, &splits, &factors).expect("written");
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        let back = common::load_hdf5(&path, &options).expect("readable");
        assert!(back.train() == splits.train() && back.test() == splits.test());
        assert_eq!(hdf5::load_factors(&path, &options).expect("readable"), factors);
    }
    let bytes = fs::read(&path).expect("there");
    hdf5::write_splits(&path, &splits, &factors).expect("written over");
    assert_eq!(fs::read(&path).expect("there"), bytes, "the same data make the same file");
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("written.h5");
    let splits = Splits::new(Some(set(2, &["a", "b"])), None).expect("one set");
    let refusal = |splits: &Splits, train: Vec<Factor>| {
        let factors = Factors { train, ..Factors::default() };
        let error = hdf5::write_splits(&path, splits, &factors).expect_err("refused");
        message(&error).replace(&path.display().to_string(), "F")
    };
    assert_eq!(
        refusal(&splits, vec![factor("pose", FactorValues::I64(vec![1]))]),
        "F: cannot write factor `pose` of train: expected one value for each of 2 images, got 1 \
         values"
    );
    let pose = || factor("pose", FactorValues::I64(vec![1, 2]));
    assert!(refusal(&splits, vec![pose(), pose()]).ends_with("expected one of that name, got two"));
    assert!(refusal(&splits, vec![factor("a/b", FactorValues::I64(vec![1, 2]))]).contains("slash"));
    assert!(refusal(&Splits::default(), Vec::new()).contains("a training or a test set"));
    let spaced = Splits::new(Some(set(2, &["a ", "b"])), None).expect("one set");
    assert!(refusal(&spaced, Vec::new()).contains("got \"a \""));
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);

    let nowhere = folder.path().join("none").join("written.h5");
    let error = hdf5::write_splits(&nowhere, &splits, &Factors::default()).expect_err("no folder");
    let says = format!("write failed: there is no folder {}", folder.path().join("none").display());
    assert!(message(&error).contains(&says), "{}", message(&error));
}
