//! The readers of labelled data, and what a sound set is.

use super::files::{folder, parts, write};
use super::written;
use dnn_data::InputContract;
use dnn_data::folder::{FolderOptions, OnBadImage};
use dnn_data::format::{self as any_format, Options, Source};
use dnn_data::image::DecodeLimits;
use dnn_data::{Batch, DataError, ImageSet, Limits, Names, SplitInfo, Splits, Visitor};
use std::collections::HashSet;
use std::error::Error;
use std::path::Path;

/// What these readers may ask for at once: their limit, and beside it an inflater's window, buffers
/// and an allocator's rounding.
pub(super) const MAX_ALLOCATION: usize = (LIMITS.max_bytes as usize) + (1 << 18);
const LIMITS: Limits = Limits { max_bytes: 1 << 18, max_classes: 100 };

/// Reads a path as one format, whatever its content says.
fn load(format: &str, path: &Path, options: &Options) -> Result<Splits, DataError> {
    Source::of_format(path, format, options)?.open(options, &|_, _| ())
}

/// What is asked for by default, within the limits.
fn within() -> Options {
    Options { limits: LIMITS, ..Options::default() }
}

/// Images and labels in idx, either of them packed when its first byte is odd; as a file with the
/// other beside it, and as a folder.
pub fn idx(bytes: &[u8]) -> bool {
    let folder = folder();
    let names = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
    for ((kind, content), name) in parts(bytes).into_iter().zip(names) {
        let packed = (kind % 2 == 1).then(|| written::gzip(content));
        write(folder.path(), name, packed.as_deref().unwrap_or(content));
    }
    let of_file = load("idx", &folder.path().join(names[0]), &within());
    let of_folder = load("idx", folder.path(), &within());
    if let (Ok(file), Ok(folder)) = (&of_file, &of_folder) {
        assert_eq!(file.train(), folder.train());
    }
    is_sound(of_folder) | is_sound(of_file)
}

/// An archive; or arrays, of which a sound one is made.
pub fn npz(bytes: &[u8]) -> bool {
    const NAMES: [&str; 8] =
        ["x_train", "y_train", "x_test", "y_test", "class_names", "X", "y", "list_classes"];
    let folder = folder();
    let path = folder.path().join("data.npz");
    if bytes.starts_with(b"PK") {
        std::fs::write(&path, bytes).expect("written");
    } else {
        // Under the right checksums, mutated arrays are read to their end.
        let array = |(kind, content): (u8, &[u8])| {
            (NAMES[usize::from(kind / 2) % NAMES.len()], with_length_of_header(content))
        };
        let mut arrays: Vec<_> = parts(bytes).into_iter().map(array).collect();
        let mut seen = HashSet::new();
        arrays.retain(|(name, _)| seen.insert(*name));
        let deflated = bytes.last().is_some_and(|byte| byte % 2 == 1);
        std::fs::write(&path, written::npz(&arrays, deflated)).expect("written");
    }
    let names = Names { images: "x_test".into(), labels: "Y_TEST".into(), classes: None };
    let named = load(".npz", &path, &Options { names: Some(names), ..within() });
    is_sound(named) | is_sound(load(".npz", &path, &within()))
}

/// An .npy whose header ends where its dictionary does, as far as it is one.
fn with_length_of_header(npy: &[u8]) -> Vec<u8> {
    let mut npy = npy.to_vec();
    let end = npy.windows(2).position(|pair| pair == b"}\n").map(|at| at + 2);
    if let (Some(end @ 10..), Some(1)) = (end, npy.get(6)) {
        let length = u16::try_from(end - 10).unwrap_or(u16::MAX);
        npy[8..10].copy_from_slice(&length.to_le_bytes());
    }
    npy
}

/// CIFAR-10's records to train on and to test on, and the names of the classes.
pub fn cifar(bytes: &[u8]) -> bool {
    const NAMES: [&str; 3] = ["data_batch_1.bin", "test_batch.bin", "batches.meta.txt"];
    let folder = folder();
    for (kind, content) in parts(bytes) {
        write(folder.path(), NAMES[usize::from(kind) % NAMES.len()], content);
    }
    let of_file = load("CIFAR-10", &folder.path().join(NAMES[0]), &within());
    let of_folder = load("CIFAR-10", folder.path(), &within());
    if let (Ok(file), Ok(folder)) = (&of_file, &of_folder) {
        assert!(folder.train().is_none() || file.train() == folder.train());
    }
    is_sound(of_folder) | is_sound(of_file)
}

/// Tables, with the labels where they usually are, and in the second column.
pub fn csv(bytes: &[u8]) -> bool {
    let folder = folder();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, bytes).expect("written");
    let [usual, second] = [None, Some("2")].map(|label| {
        let options = Options { label: label.map(String::from), ..within() };
        load("a table (CSV)", &path, &options)
    });
    is_sound(usual) | is_sound(second)
}

/// A file of any kind, by the door that is common to all; and the folder that it lies in.
pub fn source(bytes: &[u8]) -> bool {
    let folder = folder();
    let path = folder.path().join("data");
    std::fs::write(&path, bytes).expect("written");
    let mut options = within();
    let read = [&path, folder.path()].map(|path| {
        let read = any_format::open(path, &options);
        assert_passed_on(path, &options, read.as_ref().ok());
        read
    });
    let names = Names { images: "x_train".into(), labels: "y_train".into(), classes: None };
    options.names = Some(names);
    let [file, folder] = read.map(is_sound);
    is_sound(any_format::open(&path, &options)) | file | folder
}

/// What is read as a whole is passed on as well, to the last example; and what is not may be.
fn assert_passed_on(path: &Path, options: &Options, whole: Option<&Splits>) {
    struct Count(usize);
    impl Visitor for Count {
        fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
            assert!(part.shape.n_bytes() > 0);
            Ok(true)
        }
        fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError> {
            let Batch { values, labels, .. } = batch;
            assert!(!labels.is_empty() && values.len().is_multiple_of(labels.len()));
            self.0 += labels.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    let passed_on = any_format::visit(path, options, &mut count);
    if let Some(whole) = whole {
        let n: usize = whole.iter().map(|split| split.images.len()).sum();
        assert_eq!(count.0, n, "{passed_on:?}");
        passed_on.expect("what can be read as a whole");
    }
}

/// Files in folders of classes, with and without splits: bad ones are left out, or all is refused.
pub fn folder_of_images(bytes: &[u8]) -> bool {
    const NAMES: [&str; 16] = [
        "train/a/0.png",
        "train/a/1.jpg",
        "train/b/0.png",
        "train/b/below/1",
        "test/a/0.jpg",
        "test/b/0",
        "val/a/0.png",
        "val/b/0.jpg",
        "a/0.png",
        "a/1.jpeg",
        "b/0.jpg",
        "b/1",
        "A/0.gif",
        "0.png",
        ".hidden/0.png",
        "a/Thumbs.db",
    ];
    let folder = folder();
    for (kind, content) in parts(bytes) {
        write(folder.path(), NAMES[usize::from(kind) % NAMES.len()], content);
    }
    let mut options = FolderOptions::new(InputContract::rgb(4, 3).expect("a sound size"));
    options.limits = DecodeLimits {
        max_pixels: 1 << 16,
        max_memory_bytes: LIMITS.max_bytes,
        ..DecodeLimits::default()
    };
    (options.n_threads, options.test_share) = (1, 0.5);
    let load = |folder_options: &FolderOptions| {
        let options = Options { folder: folder_options.clone(), ..within() };
        load("a folder for each class", folder.path(), &options)
    };
    let whole = load(&options);
    options.on_bad_image = OnBadImage::Skip;
    let skipped = load(&options);
    match (&whole, &skipped) {
        (Ok(whole), Ok(skipped)) => assert!(whole == skipped && whole.rejected.is_empty()),
        (Ok(_), Err(error)) => panic!("whole, but not with bad images left out: {error}"),
        (Err(_), Ok(skipped)) => assert!(!skipped.rejected.is_empty()),
        (Err(_), Err(_)) => {}
    }
    is_sound(whole) | is_sound(skipped)
}

/// Whether sets were read. Panics when they are not what a network can be trained on.
fn is_sound(read: Result<Splits, DataError>) -> bool {
    match read {
        Ok(splits) => {
            splits.check().expect("sets that go together");
            splits.iter().for_each(|split| check(&split.images));
            true
        }
        Err(error) => {
            // Saying what is wrong must not go wrong.
            let mut cause: Option<&dyn Error> = Some(&error);
            while let Some(error) = cause {
                assert!(!error.to_string().is_empty());
                cause = error.source();
            }
            false
        }
    }
}

fn check(set: &ImageSet) {
    let n = set.len() * set.shape().n_bytes();
    assert!(n > 0 && set.pixels().len() == n);
    assert!(set.values().len() == n && set.values().to_f64().iter().all(|v| v.is_finite()));
    assert!(set.labels().iter().all(|&label| (label as usize) < set.classes().len()));
    assert!(set.classes().len() <= LIMITS.max_classes as usize);
    let mut names = HashSet::new();
    assert!(set.classes().iter().all(|name| names.insert(name)));
    let contract = set.contract().expect("a contract");
    // As numbers they are larger than the reader may ask for. A folder may have one class, for
    // looking at; nothing is trained on it.
    if n <= 1 << 15 && set.classes().len() > 1 {
        set.to_dataset::<f64>(&contract).expect("columns");
    }
}
