//! CIFAR-10's binary version.
#![cfg(feature = "cifar")]

mod common;

use common::files::cifar as records;
use common::message;
use dnn_data::{DataError, Limits, SplitName, format};
use std::fs;
use std::path::Path;

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("written");
    }
}

#[test]
fn a_folder_and_a_file_are_found_by_their_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second, test) = (records(&[3, 9]), records(&[0]), records(&[5]));
    write(
        folder.path(),
        &[
            ("data_batch_1.bin", &first),
            ("data_batch_2.bin", &second),
            ("test_batch.bin", &test),
            ("readme.html", b"<html>"),
        ],
    );
    let options = format::Options::default();
    let splits = format::open(folder.path(), &options).expect("found");
    let (train, test) = (splits.train().expect("train"), splits.test().expect("test"));
    assert_eq!((train.labels(), test.labels()), (&[3, 9, 0][..], &[5][..]));
    assert_eq!(train.shape().to_string(), "32×32×3");
    // Planes become pixels.
    assert_eq!(train.image(1)[..6], [1, 101, 201, 1, 101, 201]);
    assert_eq!((train.classes()[3].as_str(), train.classes()[9].as_str()), ("cat", "truck"));
    assert_eq!(splits.path(SplitName::Train).as_deref(), Some(folder.path()));
    let splits = format::open(&folder.path().join("test_batch.bin"), &options).expect("found");
    assert_eq!((splits.train(), splits.test().expect("test").len()), (None, 1));
    let names = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n";
    write(folder.path(), &[("batches.meta.txt", names.as_bytes())]);
    let splits = format::open(folder.path(), &options).expect("found");
    assert_eq!(splits.train().expect("train").classes()[3], "d");
    write(folder.path(), &[("batches.meta.txt", b"a\nb\n")]);
    let error =
        common::load_within("CIFAR-10", folder.path(), &Limits::default()).expect_err("two names");
    assert!(
        message(&error)
            .ends_with("names of classes: expected 10 different ones, a line each, got 2 lines")
    );
}

#[test]
fn what_is_no_record_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("batch.bin");
    let load = |bytes: &[u8], max_bytes: u64| {
        fs::write(&path, bytes).expect("written");
        let limits = Limits { max_bytes, ..Limits::default() };
        let error = common::load_within("CIFAR-10", &path, &limits).expect_err("refused");
        message(&error).replace(&path.display().to_string(), "F")
    };
    let whole = records(&[1, 2]);
    assert_eq!(load(&whole[1..], 1 << 20), "F: bytes: expected a multiple of 3073, got 6145");
    let text = load(&records(&[1, 10]), 1 << 20);
    assert_eq!(text, "F: label 1: expected a class index from 0 to 9, got 10");
    let text = load(&whole, 4096);
    assert_eq!(
        text,
        "F: the training set, 2 images of 32×32×3, would take 6144 bytes in memory, the limit is 4096 \
         bytes"
    );
    // And by the common door they are something else.
    fs::write(&path, records(&[1, 10])).expect("written");
    let error = format::open(&path, &format::Options::default()).expect_err("no source");
    assert!(matches!(error, DataError::NoSource { .. }));
    let text = message(&error);
    assert!(text.contains("binary data of no known kind; looked for "), "{text}");
}
