//! Every source as HDF5: reading the file gives what reading the source would.
#![cfg(all(feature = "hdf5", feature = "image"))]

mod common;

use common::files::{idx, npy, npz};
use dnn_data::convert::{Options, convert, convert_splits};
use dnn_data::preprocess::ContractChange;
use dnn_data::{DataError, SplitName, Splits, format};
use std::cell::Cell;
use std::fs;
use std::path::Path;

fn convert_with(
    from: &Path,
    to: &Path,
    source: &format::Options,
    contract: ContractChange,
) -> Result<dnn_data::convert::Converted, DataError> {
    let options = Options { source, contract, level: 6, progress: &|_, _| (), stop: &|| false };
    convert(from, to, &options)
}

/// Converts and reads again; both ways must give the same.
#[track_caller]
fn same(from: &Path, options: &format::Options) -> Splits {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("out.h5");
    convert_with(from, &to, options, ContractChange::default()).expect("converted");
    let plain = format::Options::default();
    let converted = format::open(&to, &plain).expect("readable");
    let direct = format::open(from, options).expect("readable");
    for (own, theirs) in [
        (converted.train(), direct.train()),
        (converted.validation(), direct.validation()),
        (converted.test(), direct.test()),
    ] {
        assert_eq!(own.is_some(), theirs.is_some());
        let (Some(own), Some(theirs)) = (own, theirs) else { continue };
        assert_eq!(own.shape(), theirs.shape());
        assert_eq!(own.classes(), theirs.classes());
        assert_eq!(own.labels(), theirs.labels());
        assert!(own.pixels() == theirs.pixels() && own.values() == theirs.values());
        assert_eq!(own.contract().expect("one"), theirs.contract().expect("one"));
    }
    direct
}

#[test]
fn tables_and_idx() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("t.csv");
    let row = |i: usize| format!("{}.5,{},{}\n", i % 7, i, ["no", "yes"][i % 2]);
    let rows: Vec<String> = (0..5000).map(row).collect();
    fs::write(&table, format!("a,b,class\n{}", rows.concat())).expect("written");
    let splits = same(&table, &format::Options::default());
    assert_eq!(splits.train().expect("a set").len(), 5000);
    // Whole numbers are bytes of pixels, as in the table itself.
    fs::write(&table, "a,b,class\n0,255,0\n7,3,1\n").expect("written");
    assert!(same(&table, &format::Options::default()).train().expect("a set").is_bytes());

    let digits = folder.path().join("digits");
    fs::create_dir(&digits).expect("made");
    for (name, n) in [("train", 3000_u32), ("t10k", 7)] {
        let pixels: Vec<_> = (0..n * 28 * 28).map(|i| (i % 1009 % 251) as u8).collect();
        let images = digits.join(format!("{name}-images-idx3-ubyte"));
        fs::write(images, idx(8, &[n, 28, 28], &pixels)).expect("written");
        let labels: Vec<_> = (0..n).map(|i| (i % if n > 9 { 10 } else { 3 }) as u8).collect();
        let file = digits.join(format!("{name}-labels-idx1-ubyte"));
        fs::write(file, idx(8, &[n], &labels)).expect("written");
    }
    let splits = same(&digits, &format::Options::default());
    assert_eq!(splits.test().expect("a set").classes().len(), 10);
    let float = folder.path().join("images-idx3");
    let numbers: Vec<_> = (0..24).flat_map(|i| (i as f32 / 23.0).to_be_bytes()).collect();
    fs::write(&float, idx(13, &[6, 2, 2], &numbers)).expect("written");
    let labels = idx(8, &[6], &[0, 1, 0, 1, 1, 0]);
    fs::write(folder.path().join("labels-idx1"), labels).expect("written");
    assert!(!same(&float, &format::Options::default()).train().expect("a set").is_bytes());
}

#[test]
fn npz_cifar_and_hdf5() {
    let folder = tempfile::tempdir().expect("a folder");
    let pixels: Vec<u8> = (0..24).collect();
    for fortran in [true, false] {
        let arrays = [
            ("x_train", npy("|u1", fortran, &[2, 3, 4], &pixels)),
            ("y_train", npy("|u1", false, &[2], &[1, 0])),
            ("x_test", npy("|u1", fortran, &[1, 3, 4], &pixels[..12])),
            ("y_test", npy("|u1", false, &[1], &[2])),
        ];
        let path = folder.path().join("digits.npz");
        fs::write(&path, npz(&arrays, !fortran)).expect("written");
        same(&path, &format::Options::default());
        fs::remove_file(&path).expect("there");
    }
    for name in ["both", "float_images", "grey", "gzip_shuffle", "index_btree1"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hdf5");
        same(&path.join(format!("{name}.h5")), &format::Options::default());
    }
    for (name, n) in
        [("data_batch_1.bin", 400_usize), ("data_batch_2.bin", 3), ("test_batch.bin", 5)]
    {
        let record = |i: usize| {
            std::iter::once((i % 10) as u8).chain((0..3072).map(move |at| ((at + i) % 253) as u8))
        };
        let bytes: Vec<u8> = (0..n).flat_map(record).collect();
        fs::write(folder.path().join(name), bytes).expect("written");
    }
    let splits = same(folder.path(), &format::Options::default());
    assert_eq!(splits.train().expect("a set").len(), 403);

    let options = format::Options::default();
    let (once, twice) = (folder.path().join("once.h5"), folder.path().join("twice.h5"));
    let asked =
        ContractChange { size: Some((7, 5)), channels: Some(1), ..ContractChange::default() };
    convert_with(folder.path(), &once, &options, asked).expect("converted");
    let small = format::open(&once, &options).expect("readable");
    let contract = small.test().expect("a set").contract().expect("one");
    assert_eq!((contract.width, contract.height, contract.channels), (7, 5, 1));
    let direct = splits.train().expect("a set");
    assert!(
        direct.prepared(&contract).expect("prepared").pixels()
            == small.train().expect("a set").pixels()
    );
    // And the file once more: it is still known how the images were made.
    convert_with(&once, &twice, &options, ContractChange::default()).expect("converted");
    let again = format::open(&twice, &options).expect("readable");
    assert_eq!(again.test().expect("a set").contract().expect("one"), contract);
    // What is asked is recorded though nothing is resized; what is not asked stays.
    let cropped =
        ContractChange { aspect: Some(dnn_data::Aspect::Crop), ..ContractChange::default() };
    convert_with(&once, &twice, &options, cropped).expect("converted");
    let wide = ContractChange { size: Some((9, 5)), ..ContractChange::default() };
    let thrice = folder.path().join("thrice.h5");
    convert_with(&twice, &thrice, &options, wide).expect("converted");
    let wide =
        format::open(&thrice, &options).expect("readable").take(SplitName::Test).expect("a set");
    let contract = wide.contract().expect("one");
    assert_eq!((contract.width, contract.aspect), (9, dnn_data::Aspect::Crop));
    let direct = again.test().expect("a set");
    assert!(direct.prepared(&contract).expect("prepared").pixels() == wide.pixels());
}

#[cfg(feature = "cache")]
mod folders {
    use super::*;
    use dnn_data::cache::Cache;
    use dnn_data::folder::{FolderOptions, OnBadImage};
    use dnn_data::image::write_png;
    use dnn_data::{Aspect, InputContract};
    use dnn_data::{ImageShape, SplitName};

    /// Three splits of two classes, with a bad file in training.
    fn pictures(root: &Path) {
        let shape = ImageShape { height: 5, width: 9, channels: 3 };
        for (split, n) in [("train", 300), ("val", 2), ("test", 3)] {
            for (class, shade) in [("cat", 0), ("dog", 100)] {
                let folder = root.join(split).join(class);
                fs::create_dir_all(&folder).expect("made");
                for i in 0..n {
                    let pixels: Vec<u8> = (0..135).map(|at| (at + shade + i) as u8).collect();
                    write_png(&folder.join(format!("{i:03}.png")), &pixels, shape)
                        .expect("written");
                }
            }
        }
        fs::write(root.join("train/cat/017.png"), "no picture").expect("written");
    }

    fn options(on_bad_image: OnBadImage) -> format::Options {
        let contract =
            InputContract { aspect: Aspect::Crop, ..InputContract::rgb(4, 4).expect("a size") };
        let folder = FolderOptions { on_bad_image, ..FolderOptions::new(contract) };
        format::Options { folder, ..format::Options::default() }
    }

    #[test]
    fn a_folder_keeps_its_splits_and_its_contract() {
        let root = tempfile::tempdir().expect("made");
        pictures(root.path());
        let splits = same(root.path(), &options(OnBadImage::Skip));
        assert_eq!(splits.train().expect("a set").len(), 599);
        let to = root.path().join("out.h5");
        let strict = options(OnBadImage::Error);
        let none = ContractChange::default();
        let error = convert_with(root.path(), &to, &strict, none).expect_err("a bad file");
        assert!(error.to_string().contains("1 of 610 image files"), "{error}");
        assert!(!to.exists());
        let skip = options(OnBadImage::Skip);
        let converted = convert_with(root.path(), &to, &skip, none).expect("converted");
        assert_eq!(converted.rejected.len(), 1);
        assert_eq!(
            converted.counts,
            [
                (SplitName::Train, vec![299, 300]),
                (SplitName::Validation, vec![2, 2]),
                (SplitName::Test, vec![3, 3]),
            ]
        );
    }

    #[test]
    fn what_is_cached_is_what_would_be_decoded() {
        let root = tempfile::tempdir().expect("made");
        pictures(root.path());
        let folder = tempfile::tempdir().expect("made");
        let cache = Cache::new(&folder.path().join("cache"));
        let open = |source: &format::Options| {
            let asked = Options {
                source,
                contract: ContractChange::default(),
                level: 6,
                progress: &|_, _| (),
                stop: &|| false,
            };
            cache.open(root.path(), &asked)
        };
        assert!(open(&options(OnBadImage::Error)).is_err(), "nothing is left out by a cache");
        let skip = options(OnBadImage::Skip);
        let direct = format::open(root.path(), &skip).expect("readable");
        assert_eq!(direct.rejected.len(), 1);
        let (first, made) = open(&skip).expect("made");
        let (second, found) = open(&skip).expect("found");
        assert!(!made.is_old && found.is_old && made.path == found.path);
        assert!(first == direct && second == direct, "to the names of the files");
        // With others of its files, or others asked for, it is another.
        let small = InputContract::rgb(3, 3).expect("a size");
        let other = FolderOptions { contract: small, ..skip.folder.clone() };
        let other = format::Options { folder: other, ..skip.clone() };
        assert!(!open(&other).expect("made").1.is_old);
        fs::copy(root.path().join("test/dog/000.png"), root.path().join("test/dog/001.png"))
            .expect("copied");
        let (changed, entry) = open(&skip).expect("made");
        assert!(!entry.is_old && changed != direct);
        // One of other images is made anew, and so is a damaged one.
        fs::copy(open(&other).expect("made").1.path, &entry.path).expect("copied");
        assert!(open(&skip).expect("made").0 == changed);
        let bytes = fs::read(&entry.path).expect("there");
        fs::write(&entry.path, &bytes[..bytes.len() / 2]).expect("written");
        let (again, entry) = open(&skip).expect("made");
        assert!(!entry.is_old && again == changed);
    }
}

#[test]
fn a_failed_conversion_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("t.csv");
    fs::write(&from, "a,b,class\n0.5,255,0\n7,x,1\n").expect("written");
    let to = folder.path().join("out.h5");
    let options = format::Options::default();
    let error =
        convert_with(&from, &to, &options, ContractChange::default()).expect_err("no number");
    assert!(error.to_string().contains("line 3, column 2 (b)"), "{error}");
    fs::write(&from, "a,b,class\n0.5,255,0\n7,1,1\n").expect("written");
    let resized = ContractChange { size: Some((3, 3)), ..ContractChange::default() };
    let error = convert_with(&from, &to, &options, resized).expect_err("numbers");
    assert!(error.to_string().contains("are not resized"), "{error}");

    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        true
    };
    let options = Options {
        source: &options,
        contract: ContractChange::default(),
        level: 6,
        progress: &|_, _| (),
        stop: &stop,
    };
    assert!(matches!(convert(&from, &to, &options), Err(DataError::Stopped)));
    let splits = format::open(&from, options.source).expect("readable");
    assert!(matches!(convert_splits(&splits, &to, &options), Err(DataError::Stopped)));
    assert_eq!(asked.get(), 2);
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    let nowhere = folder.path().join("none/out.h5");
    assert!(
        convert(&from, &nowhere, &options).expect_err("no folder").to_string().contains("write")
    );
}
