//! What is read without anything being said, and what must be said: each format's usual layouts,
//! splits by words in names, labels by position or name, numbers with their precision.
#![cfg(all(feature = "csv", feature = "folder", feature = "hdf5", feature = "npz"))]
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::files::{npy, npz as archive};
use common::message;
use dnn_data::folder::FolderOptions;
use dnn_data::format::{Options, names, open};
use dnn_data::image::write_png;
use dnn_data::{ImageShape, InputContract, Normalization, Scale, SplitName, Splits};
use hdf5_pure::FileBuilder;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SHAPE: ImageShape = ImageShape { height: 4, width: 4, channels: 3 };

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn picture(path: &Path, shade: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_png(path, &[shade; 48], SHAPE).unwrap();
}

/// Image files are made 4×4.
fn small() -> Options {
    let folder = FolderOptions::new(InputContract::rgb(4, 4).unwrap());
    Options { folder, ..Options::default() }
}

fn counts(splits: &Splits) -> Vec<(SplitName, Vec<usize>)> {
    splits.iter().map(|split| (split.name, split.images.class_counts())).collect()
}

#[test]
fn the_table_of_formats_has_no_name_twice() {
    let names = names();
    assert!(names.len() >= 8, "{names:?}");
    for (i, name) in names.iter().enumerate() {
        assert!(!names[..i].contains(name), "{name}");
    }
}

#[test]
fn split_words_may_be_parts_of_folder_names() {
    let root = folder();
    for (split, n) in [("training_set", 3), ("val_signs", 1), ("Test Set", 2)] {
        for class in ["a", "b"] {
            for i in 0..n {
                picture(&root.path().join(format!("{split}/{class}/{i}.png")), i);
            }
        }
    }
    let splits = open(root.path(), &small()).unwrap();
    let expected = [(SplitName::Train, 3), (SplitName::Validation, 1), (SplitName::Test, 2)];
    assert_eq!(counts(&splits), expected.map(|(split, n)| (split, vec![n, n])));
    assert_eq!(splits.train().unwrap().classes(), ["a", "b"]);
}

#[test]
fn folders_that_look_like_splits_are_no_classes() {
    let root = folder();
    for split in ["part1", "part2"] {
        for class in ["cats", "dogs"] {
            picture(&root.path().join(format!("{split}/{class}/0.png")), 1);
        }
    }
    let error = message(&open(root.path(), &small()).unwrap_err());
    for part in ["part1, part2", "cats, dogs", "look like splits", "training_set/CLASS"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
    for split in ["trainA", "testA"] {
        picture(&root.path().join(format!("names/{split}/0.png")), 1);
    }
    let error = message(&open(&root.path().join("names"), &small()).unwrap_err());
    assert!(error.contains("testA, trainA begin with the words of splits"), "{error}");
    // Nor do splits without classes in them, which training would tell apart.
    let root = folder();
    for split in ["training_set", "test_set"] {
        picture(&root.path().join(format!("{split}/0.png")), 1);
    }
    let error = message(&open(root.path(), &small()).unwrap_err());
    assert!(error.contains("1 images that are in no folder of a class"), "{error}");
    // Classes one level too deep are said to be so.
    let root = folder();
    for split in ["train", "test"] {
        picture(&root.path().join(format!("mine/{split}/a/0.png")), 1);
    }
    let error = message(&open(root.path(), &small()).unwrap_err());
    assert!(error.contains("one level too deep") && error.contains("mine"), "{error}");
    // A class may have the word of a split in its name.
    let root = folder();
    for class in ["test_tube", "beaker"] {
        for i in 0..5 {
            picture(&root.path().join(format!("{class}/{i}.png")), i);
        }
    }
    let splits = open(root.path(), &small()).unwrap();
    assert_eq!(splits.train().unwrap().classes(), ["beaker", "test_tube"]);
}

#[test]
fn thousands_of_folders_are_refused_at_once() {
    let root = folder();
    for i in 0..5000 {
        fs::create_dir(root.path().join(i.to_string())).unwrap();
    }
    picture(&root.path().join("0/0.png"), 0);
    let error = message(&open(root.path(), &small()).unwrap_err());
    assert!(error.contains("4096 at most, got 5000 folders"), "{error}");
}

#[test]
fn images_side_by_side_have_their_class_in_their_names() {
    let root = folder();
    for i in 0..10 {
        picture(&root.path().join(format!("cat.{i}.jpg")), i);
        picture(&root.path().join(format!("dog.{i}.jpg")), 100 + i);
    }
    let splits = open(root.path(), &small()).unwrap();
    assert_eq!(counts(&splits), [(SplitName::Train, vec![8, 8]), (SplitName::Test, vec![2, 2])]);
    assert_eq!(splits.train().unwrap().classes(), ["cat", "dog"]);
    picture(&root.path().join("holiday.jpg"), 1);
    let error = message(&open(root.path(), &small()).unwrap_err());
    assert!(error.contains("holiday.jpg") && error.contains("cat.0.jpg"), "{error}");
    // In folders of splits.
    let root = folder();
    for (split, n) in [("train", 4), ("test", 2)] {
        for i in 0..n {
            picture(&root.path().join(format!("{split}/cat.{i}.png")), i);
            picture(&root.path().join(format!("{split}/dog.{i}.png")), 100 + i);
        }
    }
    let splits = open(root.path(), &small()).unwrap();
    assert_eq!(counts(&splits), [(SplitName::Train, vec![4, 4]), (SplitName::Test, vec![2, 2])]);
}

#[test]
fn a_table_lists_image_files_with_labels_and_splits() {
    let root = folder();
    let mut rows = String::from("image,breed,split\n");
    for i in 0..6_u8 {
        picture(&root.path().join(format!("images/{i}.png")), i);
        let split = ["train", "val", "test"][usize::from(i) / 2];
        let breed = ["pug", "collie"][usize::from(i) % 2];
        rows = format!("{rows}{i}.png,{breed},{split}\n");
    }
    let table = root.path().join("labels.csv");
    fs::write(&table, &rows).unwrap();
    let splits = open(&table, &small()).unwrap();
    let each = [SplitName::Train, SplitName::Validation, SplitName::Test];
    assert_eq!(counts(&splits), each.map(|split| (split, vec![1, 1])));
    let train = splits.train().unwrap();
    assert_eq!(
        (train.classes(), train.labels()),
        (&["collie", "pug"].map(String::from)[..], &[1, 0][..])
    );
    assert!(train.files()[0].ends_with("images/0.png"));
    // Without a header, and a file that is not there.
    fs::write(&table, "images/0.png,1\nimages/none.png,0\n").unwrap();
    let mut options = small();
    options.folder.test_share = 0.0;
    let error = message(&open(&table, &options).unwrap_err());
    assert!(error.contains("none.png"), "{error}");
}

#[test]
fn two_npy_make_a_set() {
    let root = folder();
    let write = |name: &str, bytes: Vec<u8>| fs::write(root.path().join(name), bytes).unwrap();
    write("x_train.npy", npy("|u1", false, &[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]));
    write(
        "y_train.npy",
        npy(
            "<U3",
            false,
            &[2],
            &"catdog".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>(),
        ),
    );
    write("x_test.npy", npy("|u1", true, &[1, 2, 2], &[1, 3, 2, 4]));
    write(
        "y_test.npy",
        npy(
            "<U3",
            false,
            &[1],
            &"dog".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>(),
        ),
    );
    let splits = open(root.path(), &Options::default()).unwrap();
    let (train, test) = (splits.train().unwrap(), splits.test().unwrap());
    assert_eq!(train.classes(), ["cat", "dog"]);
    assert_eq!((train.labels(), test.labels()), (&[0, 1][..], &[1][..]));
    assert_eq!((train.image(1), test.image(0)), (&[5, 6, 7, 8][..], &[1, 2, 3, 4][..]));
    write("extra.npy", npy("|u1", false, &[2, 2, 2], &[0; 8]));
    let error = message(&open(root.path(), &Options::default()).unwrap_err());
    assert!(error.contains("one .npy of images or numbers and one of labels"), "{error}");
}

#[test]
fn cifar_100_has_a_hundred_fine_classes() {
    let root = folder();
    let record = |coarse: u8, fine: u8| [vec![coarse, fine], vec![7; 3072]].concat();
    fs::write(root.path().join("train.bin"), [record(3, 99), record(19, 0)].concat()).unwrap();
    fs::write(root.path().join("test.bin"), record(0, 42)).unwrap();
    let splits = open(root.path(), &Options::default()).unwrap();
    let train = splits.train().unwrap();
    assert_eq!((train.labels(), train.classes().len()), (&[99, 0][..], 100));
    assert_eq!(splits.test().unwrap().labels(), [42]);
    let names: Vec<String> = (0..100).map(|i| format!("fine {i}")).collect();
    let names = names.join("\n");
    fs::write(root.path().join("fine_label_names.txt"), names).unwrap();
    let splits = open(root.path(), &Options::default()).unwrap();
    assert_eq!(splits.train().unwrap().classes()[99], "fine 99");
}

#[test]
fn strings_are_labels_and_the_names_of_npz_are_those_of_hdf5_too() {
    let root = folder();
    let labels = npy("|S3", false, &[2], b"catdog");
    let arrays = [("X_train", npy("|u1", false, &[2, 2, 2], &[0; 8])), ("y_train", labels)];
    let path = root.path().join("a.npz");
    fs::write(&path, archive(&arrays, true)).unwrap();
    let splits = open(&path, &Options::default()).unwrap();
    assert_eq!(splits.train().unwrap().classes(), ["cat", "dog"]);

    let path = root.path().join("a.h5");
    let mut file = FileBuilder::new();
    file.create_dataset("X_train").with_u8_data(&[0; 8]).with_shape(&[2, 2, 2]);
    file.create_dataset("y_train").with_u8_data(&[1, 0]);
    file.create_dataset("x_test").with_u8_data(&[0; 4]).with_shape(&[1, 2, 2]);
    file.create_dataset("y_test").with_u8_data(&[1]);
    file.write(&path).unwrap();
    let splits = open(&path, &Options::default()).unwrap();
    assert_eq!(splits.train().unwrap().labels(), [1, 0]);
    assert_eq!(splits.test().unwrap().labels(), [1]);
}

fn table(text: &str, options: &Options) -> Result<Splits, String> {
    let root = folder();
    let path = root.path().join("t.csv");
    fs::write(&path, text).unwrap();
    open(&path, options).map_err(|error| message(&error))
}

#[test]
fn a_number_is_a_position_and_one_line_alone_is_no_header() {
    let labelled = |label: &str| Options { label: Some(label.into()), ..Options::default() };
    // One field of the first line is "1", which is no name of a column.
    let splits = table("1,0.5,1\n0,2.5,3\n1,4.5,5\n", &labelled("1")).unwrap();
    let train = splits.train().unwrap();
    assert_eq!((train.len(), train.labels()), (3, &[1, 0, 1][..]));
    assert!(splits.notes[0].contains("no header, 3 columns, labels in column 1: as asked"));
    // A field is no number though the one below is.
    let splits = table("kind,a,2021\nx,1,2\ny,3,4\n", &labelled("1")).unwrap();
    assert_eq!(splits.train().unwrap().classes(), ["x", "y"]);
    assert!(splits.notes[0].contains("a header"), "{:?}", splits.notes);
    assert!(table("1,2\n3,4\n", &labelled("3")).unwrap_err().contains("a number from 1 to 2"));
    // As mnist_train.csv.
    let row = |label: u8| format!("{label}{}\n", ",0".repeat(784));
    let splits = table(&[row(5), row(0)].concat(), &Options::default()).unwrap();
    assert_eq!(splits.train().unwrap().labels(), [5, 0]);
    assert!(splits.notes[0].contains("labels in column 1"), "{:?}", splits.notes);
}

#[test]
fn wide_tables_are_taken_within_the_limit() {
    let row = |label: u8, value: f64| format!("{label}{}\n", format!(",{value}").repeat(12_288));
    let options = Options { label: Some("1".into()), ..Options::default() };
    let splits = table(&[row(0, 0.5), row(1, -0.25)].concat(), &options).unwrap();
    let train = splits.train().unwrap();
    let contract = train.contract().unwrap();
    assert_eq!(train.shape().width, 12_288);
    assert_eq!(train.to_dataset::<f32>(&contract).unwrap().x()[(12_287, 1)], -0.25);
}

#[test]
fn features_are_the_files_to_the_last_bit() {
    let splits = table("-0.158986,0.423977,1\n-0.347926,0.47076,0\n", &Options::default()).unwrap();
    let train = splits.train().unwrap();
    let x = train.to_dataset::<f64>(&train.contract().unwrap()).unwrap();
    assert_eq!(x.x().as_slice(), [-0.158_986, 0.423_977, -0.347_926, 0.47076]);
    let root = folder();
    let path = root.path().join("a.h5");
    let mut file = FileBuilder::new();
    file.create_dataset("train_set_x").with_f64_data(&[0.1, -2.3, 1e-9, 7.0]).with_shape(&[2, 2]);
    file.create_dataset("train_set_y").with_u8_data(&[1, 0]);
    file.write(&path).unwrap();
    let splits = open(&path, &Options::default()).unwrap();
    let train = splits.train().unwrap();
    let x = train.to_dataset::<f64>(&train.contract().unwrap()).unwrap();
    assert_eq!(x.x().as_slice(), [0.1, -2.3, 1e-9, 7.0]);
}

#[test]
fn what_numbers_are_taken_for_is_said_and_can_be_chosen() {
    // sklearn's digits are whole numbers from 0 to 16.
    let digits = "0,16,0\n8,3,1\n";
    let by = |scale| table(digits, &Options { scale, ..Options::default() }).unwrap();
    let features = |splits: &Splits| {
        let train = splits.train().unwrap();
        let contract = train.contract().unwrap();
        (train.to_dataset::<f64>(&contract).unwrap().x()[(1, 0)], contract.normalization)
    };
    let auto = by(Scale::Auto);
    assert!(
        auto.notes.iter().any(|n| n.contains("whole and from 0 to 16") && n.contains("--scale"))
    );
    assert_eq!(features(&auto), (16.0 / 255.0, Normalization::DivideBy255));
    let as_is = by(Scale::AsIs);
    assert!(as_is.notes.iter().all(|note| !note.contains("--scale")), "{:?}", as_is.notes);
    assert_eq!(features(&as_is), (16.0, Normalization::AsIs));
    let halves = "0.5,127.5,0\n8,3,1\n";
    let options = Options { scale: Scale::DivideBy255, ..Options::default() };
    assert_eq!(features(&table(halves, &options).unwrap()), (0.5, Normalization::DivideBy255));
}
