//! Folders of images: layouts that are read, and those that are refused by name.

mod common;

use dnn_data::InputContract;
use dnn_data::folder::{FolderOptions, OnBadImage};
use dnn_data::image::write_png;
use dnn_data::{ImageShape, Splits, format};
use std::fs;
use std::path::Path;

const SHAPE: ImageShape = ImageShape { height: 2, width: 3, channels: 3 };

fn options() -> FolderOptions {
    FolderOptions::new(InputContract::rgb(3, 2).expect("a size"))
}

/// A picture of one shade.
fn picture(path: impl AsRef<Path>, shade: u8) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    write_png(path, &vec![shade; SHAPE.n_bytes()], SHAPE).expect("written");
}

fn load(root: &Path, options: &FolderOptions) -> Result<Splits, String> {
    let options = format::Options { folder: options.clone(), ..format::Options::default() };
    common::load_as("a folder for each class", root, &options).map_err(|error| error.to_string())
}

fn shades(set: &dnn_data::ImageSet) -> Vec<u8> {
    (0..set.len()).map(|i| set.image(i)[0]).collect()
}

#[test]
fn splits_and_classes_are_folders_in_alphabetical_order() {
    let root = tempfile::tempdir().expect("made");
    let at = |path: &str| root.path().join(path);
    picture(at("train/non-cat/1.png"), 1);
    picture(at("train/cat/2.png"), 2);
    picture(at("train/cat/10.PNG"), 10);
    picture(at("train/cat/deep/er/3.png"), 3);
    picture(at("Test/cat/4.png"), 4);
    picture(at("Test/non-cat/without_ending"), 5);
    picture(at("val/cat/6.png"), 6);
    picture(at("val/non-cat/7.png"), 7);
    fs::write(at("train/cat/notes.txt"), "none").expect("written");
    fs::write(at("train/cat/.hidden.png"), "none").expect("written");
    fs::create_dir(at("train/.git")).expect("made");
    let source = format::Source::of(root.path(), &format::Options::default()).expect("found");
    assert!(source.has_image_files());

    let splits = load(root.path(), &options()).expect("sound");
    let train = splits.train().expect("there");
    assert_eq!(train.classes(), ["cat", "non-cat"]);
    assert_eq!(train.labels(), [0, 0, 0, 1]);
    assert_eq!(shades(train), [10, 2, 3, 1]);
    assert!(train.files()[2].ends_with("cat/deep/er/3.png"));
    assert_eq!(shades(splits.test().expect("there")), [4, 5]);
    assert_eq!(shades(splits.validation().expect("there")), [6, 7]);
}

#[test]
fn the_door_for_all_data_opens_folders_of_images() {
    let root = tempfile::tempdir().expect("made");
    for class in ["a", "b"] {
        for i in 0..5 {
            picture(root.path().join(format!("{class}/{i}.png")), i);
        }
    }
    let splits = format::open(root.path(), &format::Options::default()).expect("found");
    let train = splits.train().expect("there");
    assert_eq!((train.len(), train.shape().n_bytes()), (8, 64 * 64 * 3));
    let asked = format::Options { folder: options(), ..format::Options::default() };
    let splits = format::open(root.path(), &asked).expect("found");
    assert_eq!(splits.test().expect("there").shape(), SHAPE);
}

#[test]
fn a_share_of_each_class_is_kept_apart_and_the_seed_says_which() {
    let root = tempfile::tempdir().expect("made");
    for i in 0..10 {
        picture(root.path().join(format!("a/{i}.png")), i);
        picture(root.path().join(format!("b/{i}.png")), 100 + i);
    }
    let with = |seed, n_threads| {
        let splits = load(root.path(), &FolderOptions { seed, n_threads, ..options() });
        let splits = splits.expect("sound");
        (splits.train().expect("there").clone(), splits.test().expect("there").clone())
    };
    let (train, test) = with(1, 1);
    assert_eq!(test.labels(), [0, 0, 1, 1]);
    assert_eq!(train.len(), 16);
    let mut all = [shades(&train), shades(&test)].concat();
    all.sort_unstable();
    assert_eq!(all, (0..10).chain(100..110).collect::<Vec<_>>());
    assert_eq!(with(1, 3), (train.clone(), test.clone()), "whatever the number of threads");
    assert_ne!(with(2, 1).1, test);
    let whole = load(root.path(), &FolderOptions { test_share: 0.0, ..options() }).expect("sound");
    assert_eq!((whole.train().expect("there").len(), whole.test()), (20, None));
    let error = load(root.path(), &FolderOptions { test_share: 0.01, ..options() });
    assert!(error.expect_err("none").contains("of the 10 images of class a a share of 0.01"));
    assert!(load(root.path(), &FolderOptions { test_share: 1.0, ..options() }).is_err());
}

#[test]
fn all_bad_files_are_listed_or_left_out() {
    let root = tempfile::tempdir().expect("made");
    let at = |path: &str| root.path().join(path);
    for (class, shade) in [("a", 10), ("b", 20)] {
        for i in 0..4 {
            picture(at(&format!("{class}/{i}.png")), shade + i);
        }
    }
    fs::write(at("a/0.jpg"), "").expect("written");
    let whole = fs::read(at("a/1.png")).expect("read");
    fs::write(at("a/1x.png"), &whole[..whole.len() / 2]).expect("written");
    fs::write(at("b/3x.gif"), "GIF89a").expect("written");
    let options = FolderOptions { test_share: 0.0, ..options() };
    let error = load(root.path(), &options).expect_err("refused");
    assert!(error.contains("3 of 11 image files cannot be used"), "{error}");
    for (file, reason) in [("0.jpg", "an empty file"), ("1x.png", "cut off"), ("3x.gif", "GIF")] {
        let line = error.lines().find(|line| line.contains(file)).expect("listed");
        assert!(line.contains(reason), "{line}");
    }
    let options = FolderOptions { on_bad_image: OnBadImage::Skip, ..options };
    let splits = load(root.path(), &options).expect("the rest is sound");
    assert_eq!(splits.rejected.len(), 3);
    let train = splits.train().expect("there");
    assert_eq!(shades(train), [10, 11, 12, 13, 20, 21, 22, 23]);
    assert_eq!(train.labels(), [0, 0, 0, 0, 1, 1, 1, 1]);
    assert!(train.files()[7].ends_with("b/3.png"));

    for i in 0..4 {
        fs::write(at(&format!("b/{i}.png")), "text").expect("written");
    }
    let error = load(root.path(), &options).expect_err("nothing is left");
    assert!(error.contains("the class b has no sound image"), "{error}");
}

#[test]
fn what_would_shift_labels_is_refused_by_name() {
    let refused = |files: &[&str], folders: &[&str], says: &str| {
        let root = tempfile::tempdir().expect("made");
        for file in files {
            picture(root.path().join(file), 1);
        }
        for folder in folders {
            fs::create_dir_all(root.path().join(folder)).expect("made");
        }
        let error = load(root.path(), &options()).expect_err("refused");
        assert!(error.contains(says), "{error}");
    };
    refused(&["a/1.png"], &["b"], "the class b is empty");
    refused(
        &["train/a/1.png", "train/b/1.png", "test/a/1.png"],
        &[],
        "has the class b, the test set",
    );
    refused(
        &["train/a/1.png", "test/a/1.png", "test/c/1.png"],
        &[],
        "has the class c, the training",
    );
    refused(&["cat/1.png", "Cat/1.png"], &[], "Cat and cat differ in case only");
    refused(&["1.png", "2.png"], &[], "2 images that are in no folder of a class");
    refused(&[], &[], "an empty one");
    refused(&["train/a/1.png", "other/b/1.png"], &[], "got other beside them");
    refused(&["val/a/1.png", "dev/a/1.png"], &[], "dev and val both name the same split");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_back_up() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("made");
    let at = |path: &str| root.path().join(path);
    picture(at("elsewhere/1.png"), 1);
    picture(at("data/b/2.png"), 2);
    symlink(at("elsewhere"), at("data/a")).expect("linked");
    symlink(at("data/b/2.png"), at("data/b/3.png")).expect("linked");
    let options = FolderOptions { test_share: 0.0, ..options() };
    let splits = load(&at("data"), &options).expect("sound");
    assert_eq!(shades(splits.train().expect("there")), [1, 2, 2]);
    symlink(at("data"), at("data/b/loop")).expect("linked");
    let error = load(&at("data"), &options).expect_err("refused");
    assert!(error.contains("a link that leads back up"), "{error}");
    fs::remove_file(at("data/b/loop")).expect("removed");
    symlink(at("nowhere.png"), at("data/b/4.png")).expect("linked");
    assert!(load(&at("data"), &options).expect_err("refused").contains("4.png"));
}

#[cfg(unix)]
#[test]
fn a_pipe_among_the_images_is_not_waited_for() {
    let root = tempfile::tempdir().expect("made");
    let at = |path: &str| root.path().join(path);
    picture(at("train/a/1.png"), 1);
    picture(at("train/b/1.png"), 2);
    let made = std::process::Command::new("mkfifo").arg(at("train/b/2.png")).status();
    assert!(made.expect("mkfifo is there").success());
    let error = load(root.path(), &options()).expect_err("a pipe");
    assert!(error.ends_with("2.png: open failed: expected a file, got a pipe"), "{error}");
    let skip = FolderOptions { on_bad_image: OnBadImage::Skip, ..options() };
    let splits = load(root.path(), &skip).expect("the others");
    assert_eq!((splits.train().expect("train").len(), splits.rejected.len()), (2, 1));
}
