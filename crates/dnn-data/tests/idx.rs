//! idx files, MNIST's format.
#![cfg(feature = "idx")]

mod common;

use common::files::{gzip, idx};
use common::message;
use dnn_data::{Limits, SplitName, Splits, format};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("written");
    }
    folder
}

/// Three images of 2×2 and two of them to test on, as MNIST is laid out.
fn mnist() -> [(&'static str, Vec<u8>); 4] {
    let pixels: Vec<u8> = (0..12).map(|i| i * 20).collect();
    [
        ("train-images-idx3-ubyte", idx(8, &[3, 2, 2], &pixels)),
        ("train-labels-idx1-ubyte", idx(8, &[3], &[1, 0, 9])),
        ("t10k-images-idx3-ubyte", idx(8, &[2, 2, 2], &pixels[4..])),
        ("t10k-labels-idx1-ubyte", idx(8, &[2], &[0, 3])),
    ]
}

fn packed() -> Vec<(String, Vec<u8>)> {
    mnist().into_iter().map(|(name, bytes)| (format!("{name}.gz"), gzip(&bytes))).collect()
}

fn check(splits: &Splits) {
    let (train, test) = (splits.train().expect("train"), splits.test().expect("test"));
    assert_eq!(train.shape().to_string(), "2×2×1");
    assert_eq!(train.labels(), [1, 0, 9]);
    assert_eq!(train.image(1), [80, 100, 120, 140]);
    assert_eq!((test.labels(), test.image(0)), ([0, 3].as_slice(), train.image(1)));
    let digits: Vec<String> = (0..10).map(|digit: u8| digit.to_string()).collect();
    assert_eq!((train.classes(), test.classes()), (&digits[..], &digits[..]));
}

/// What is said of a path, with it as F.
fn refusal(path: &Path) -> String {
    let error = common::load_within("idx", path, &Limits::default()).expect_err("not usable");
    message(&error).replace(&path.display().to_string(), "F")
}

#[test]
fn a_folder_is_read_packed_or_not_and_found_by_its_content() {
    let folder = folder(&mnist());
    let splits = common::load_within("idx", folder.path(), &Limits::default()).expect("readable");
    check(&splits);
    assert_eq!(splits.path(SplitName::Test), Some(&*folder.path().join("t10k-images-idx3-ubyte")));
    for (name, bytes) in packed() {
        // Beside the unpacked ones first,
        fs::write(folder.path().join(&name), bytes).expect("written");
    }
    check(&common::load_within("idx", folder.path(), &Limits::default()).expect("readable"));
    for (name, _) in mnist() {
        // then alone, among other things.
        fs::remove_file(folder.path().join(name)).expect("removed");
    }
    fs::write(folder.path().join("README"), "MNIST").expect("written");
    fs::write(folder.path().join("empty"), "").expect("written");
    check(&format::open(folder.path(), &format::Options::default()).expect("found"));
    // Names other than the usual ones will do, as long as they tell the splits apart.
    let path = folder.path().join("t10k-labels-idx1-ubyte.gz");
    fs::rename(path, folder.path().join("labels_of_TEST")).expect("renamed");
    check(&common::load_within("idx", folder.path(), &Limits::default()).expect("readable"));
}

#[test]
fn a_file_of_images_finds_its_labels() {
    let folder = folder(&mnist());
    let images = folder.path().join("train-images-idx3-ubyte");
    let splits = format::open(&images, &format::Options::default()).expect("found");
    assert_eq!((splits.train().expect("train").len(), splits.test()), (3, None));
    let test = folder.path().join("t10k-images-idx3-ubyte");
    let splits = format::open(&test, &format::Options::default()).expect("found");
    assert_eq!((splits.train(), splits.test().expect("test").len()), (None, 2));
    // The labels may be packed where the images are not.
    let labels = folder.path().join("train-labels-idx1-ubyte");
    fs::write(labels.with_extension("gz"), gzip(&mnist()[1].1)).expect("written");
    fs::remove_file(&labels).expect("removed");
    assert!(common::load_within("idx", &images, &Limits::default()).is_ok());
    fs::remove_file(labels.with_extension("gz")).expect("removed");
    assert_eq!(
        refusal(&images),
        "F: labels of these images: expected train-labels-idx1-ubyte beside it, got no such file"
    );
}

#[test]
fn other_types_and_colours_are_read() {
    let colours: Vec<u8> = (0..24).collect();
    let floats: Vec<u8> = [0.5_f32, -1.0, 0.25, 7.5].iter().flat_map(|v| v.to_be_bytes()).collect();
    let labels =
        |n: u32| idx(0x0c, &[n], &(0..n as i32).flat_map(i32::to_be_bytes).collect::<Vec<_>>());
    let folder = folder(&[
        ("train-images", idx(8, &[2, 2, 2, 3], &colours)),
        ("train-labels", labels(2)),
        ("test-images", idx(8, &[1, 2, 2, 3], &colours[..12])),
        ("test-labels", labels(1)),
    ]);
    let splits = common::load_within("idx", folder.path(), &Limits::default()).expect("readable");
    let train = splits.train().expect("train");
    assert_eq!((train.shape().to_string(), train.pixels()), ("2×2×3".into(), &colours[..]));
    assert_eq!(splits.test().expect("test").labels(), [0]);
    fs::write(folder.path().join("x-images"), idx(0x0d, &[2, 1, 2], &floats)).expect("written");
    fs::write(folder.path().join("x-labels"), labels(2)).expect("written");
    let splits = common::load_within("idx", &folder.path().join("x-images"), &Limits::default())
        .expect("readable");
    let train = splits.train().expect("train");
    assert_eq!(common::numbers(train), Some(vec![0.5, -1.0, 0.25, 7.5]));
}

#[test]
fn bytes_too_few_or_too_many_are_refused() {
    let images = |bytes: Vec<u8>| {
        let folder = folder(&[("train-images", bytes), ("train-labels", idx(8, &[3], &[0, 1, 2]))]);
        refusal(&folder.path().join("train-images"))
    };
    let whole = mnist()[0].1.clone();
    let missing = &whole[..whole.len() - 1];
    let trailing = [&whole[..], &[0]].concat();
    assert_eq!(
        images(missing.into()),
        "F: length: expected 28 bytes for uint8 of shape (3, 2, 2), got 27"
    );
    assert!(images(trailing.clone()).ends_with("(3, 2, 2), got 29"));
    let unpacked = "F: elements: expected 12 bytes, as its dimensions say, got ";
    assert!(images(gzip(missing)).ends_with("12 bytes more, as its dimensions say, got the end"));
    assert_eq!(images(gzip(&trailing)), format!("{unpacked}more"));
    let zip = gzip(&whole);
    assert!(images(zip[..zip.len() - 6].into()).starts_with("F: unpack failed: "));
    let mut checksum = zip.clone();
    let at = zip.len() - 6;
    checksum[at] ^= 1;
    assert!(images(checksum).starts_with("F: unpack failed: "));
    // Two members are one file, as gzip has it; anything else behind the first is not.
    let (a, b) = whole.split_at(20);
    let folder = folder(&[
        ("train-images", [gzip(a), gzip(b)].concat()),
        ("train-labels", idx(8, &[3], &[0, 1, 2])),
    ]);
    assert!(common::load_within("idx", folder.path(), &Limits::default()).is_ok());
    assert!(images([&zip[..], b"tail"].concat()).starts_with("F: unpack failed: "));
}

#[test]
fn what_a_file_asks_for_is_checked_first() {
    let images = |bytes: Vec<u8>, limits: Limits| {
        let folder = folder(&[("train-images", bytes), ("train-labels", idx(8, &[3], &[0, 1, 2]))]);
        let path = folder.path().join("train-images");
        let error = common::load_within("idx", &path, &limits).expect_err("refused");
        message(&error).replace(&path.display().to_string(), "F")
    };
    // 65535 images of 4096×4096 in a few bytes.
    let huge = gzip(&idx(8, &[65535, 4096, 4096], &[0; 100]));
    let text = images(huge.clone(), Limits::default());
    assert!(text.contains("expected 1099494850576 bytes for uint8"), "{text}");
    assert!(text.ends_with(", too few when unpacked"), "{text}");
    // Zeros that pack well are refused by the limit.
    let zeros = gzip(&idx(8, &[3, 512, 512], &vec![0; 3 << 18]));
    let limits = Limits { max_bytes: 1 << 19, ..Limits::default() };
    assert_eq!(
        images(zeros, limits),
        "F: the training set, 3 images of 512×512×1, would take 786432 bytes in memory, the limit is 524288 \
         bytes"
    );
    let text = images(idx(8, &[0, 2, 2], &[]), Limits::default());
    assert_eq!(text, "F: shape: expected at least one image, got (0, 2, 2)");
    let text = images(idx(8, &[3, 2, 2, 2, 1], &[0; 24]), Limits::default());
    assert_eq!(text, "F: dimensions: expected 1 for labels, 3 or 4 for images, got 5");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let pair = |images: Vec<u8>, labels: Vec<u8>| {
        let folder = folder(&[("train-images", images), ("train-labels", labels)]);
        let text = message(
            &common::load_within("idx", folder.path(), &Limits::default()).expect_err("refused"),
        );
        text.replace(&folder.path().display().to_string(), "F")
    };
    let images = idx(8, &[2, 1, 1], &[3, 4]);
    assert_eq!(
        pair(images.clone(), idx(8, &[3], &[0, 1, 1])),
        "F/train-labels: number of labels: expected 2, one for each image of F/train-images, got 3"
    );
    assert_eq!(
        pair(images.clone(), idx(9, &[2], &[0, 0xff])),
        "F/train-labels: label 1: expected a class index from 0 to 4095, got -1"
    );
    let text = pair(images.clone(), idx(0x0d, &[2], &[0; 8]));
    assert!(text.contains("type of the labels: expected integers"), "{text}");
    assert_eq!(
        pair(images.clone(), images),
        "F: images to train on: expected one idx file of them; name a file of images to choose, got \
         train-images, train-labels"
    );
}

#[test]
fn the_real_digits_are_read() {
    let Some(folder) = common::real_digits() else { return };
    let splits = format::open(&folder, &format::Options::default()).expect("MNIST");
    let (train, test) = (splits.train().expect("train"), splits.test().expect("test"));
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!(train.shape().to_string(), "28×28×1");
    assert_eq!(train.classes().len(), 10);
    // As on the page of MNIST: 5 0 4 1 9 …, 7 2 1 0 4 …; counts and sums of the unpacked files by Python.
    assert_eq!(train.labels()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(test.labels()[..5], [7, 2, 1, 0, 4]);
    assert_eq!(train.class_counts(), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(test.class_counts(), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    let sum = |pixels: &[u8]| pixels.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    assert_eq!((sum(train.pixels()), sum(test.pixels())), (1_567_298_545, 264_923_200));
}
