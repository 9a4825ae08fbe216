//! Files in the encodings that others write (see `fixtures/hdf5/README.md`): what must be read, and
//! what must be refused with which words; by each backend there is.
#![cfg(feature = "hdf5")]

mod common;

use common::{backends, fixture, message};
use dnn_data::format;
use dnn_data::hdf5::{self, Backend, Options};
use dnn_data::{Batch, DataError, Names, RowSelection, SplitInfo, SplitName, Splits, Visitor};
use std::fs;
use std::path::Path;

/// What `make.py` calls X: (4, 2, 3, 3).
fn pixels() -> Vec<u8> {
    (0..72).map(|i| (i * 7 % 256) as u8).collect()
}

const READ: &[(&str, [&str; 2])] = &[
    ("contiguous", ["non-cat", "cat"]),
    ("gzip_shuffle", ["non-cat", "cat"]),
    ("v108", ["non-cat", "cat"]),
    ("v110", ["non-cat", "cat"]),
    ("v112", ["non-cat", "cat"]),
    ("v114", ["non-cat", "cat"]),
    ("userblock", ["non-cat", "cat"]),
    ("labels_column", ["non-cat", "cat"]),
    ("labels_row", ["non-cat", "cat"]),
    ("labels_big_endian", ["non-cat", "cat"]),
    ("labels_uint8", ["non-cat", "cat"]),
    ("labels_bool", ["non-cat", "cat"]),
    ("labels_fixed_string", ["non-cat", "cat"]),
    ("labels_text", ["non-cat", "cat"]),
    ("labels_scale_offset", ["non-cat", "cat"]),
    ("classes_text", ["non-cat", "cat"]),
    ("classes_utf8", ["chien", "château"]),
    ("classes_integer", ["0", "1"]),
    ("compact", ["non-cat", "cat"]),
    ("no_classes", ["0", "1"]),
    ("no_classes_cat", ["non-cat", "cat"]),
    ("cycle", ["non-cat", "cat"]),
    ("index_btree1", ["non-cat", "cat"]),
    ("index_fixed_array", ["non-cat", "cat"]),
    ("index_extensible_array", ["non-cat", "cat"]),
    ("index_implicit", ["non-cat", "cat"]),
    ("edge_chunks", ["non-cat", "cat"]),
    ("paged", ["non-cat", "cat"]),
    ("track_order", ["non-cat", "cat"]),
    ("many_old", ["non-cat", "cat"]),
    ("many_new", ["non-cat", "cat"]),
];

#[test]
fn every_encoding_gives_the_same_images_and_labels() {
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        for (name, classes) in READ {
            let splits = common::load_hdf5(&fixture(name), &options)
                .unwrap_or_else(|e| panic!("{name} by {backend:?}: {}", message(&e)));
            let train = splits.train().expect("a training set");
            assert_eq!(train.pixels(), pixels(), "{name}");
            assert_eq!(train.shape().to_string(), "2×3×3", "{name}");
            assert_eq!(train.labels(), [1, 0, 1, 1], "{name}");
            assert_eq!(train.classes(), classes, "{name}");
            assert_eq!(splits.path(SplitName::Train), Some(&*fixture(name)));
            assert_eq!((splits.test(), splits.path(SplitName::Test)), (None, None));
        }
    }
}

/// Has the file at `written_to` changed before the first image comes; takes images as values, or lets
/// their source append them.
#[derive(Default)]
struct Taking<'a> {
    written_to: Option<&'a Path>,
    appended: Option<Vec<u8>>,
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

impl Visitor for Taking<'_> {
    fn begin(&mut self, _: SplitInfo) -> Result<bool, DataError> {
        if let Some(path) = self.written_to {
            let mut bytes = fs::read(path).expect("there");
            bytes.push(0);
            fs::write(path, bytes).expect("written");
        }
        Ok(true)
    }
    fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError> {
        self.pixels.extend(batch.values.bytes().expect("bytes of pixels"));
        self.labels.extend(batch.labels);
        Ok(())
    }
    fn pixels(&mut self) -> Option<&mut Vec<u8>> {
        self.appended.as_mut()
    }
}

#[test]
fn images_in_one_piece_are_read_straight_to_where_they_stay() {
    let rows = RowSelection::Range(1..3);
    let wanted = &pixels()[18..54];
    for name in ["contiguous", "userblock", "compact", "gzip_shuffle"] {
        let options = format::Options { rows: rows.clone(), ..format::Options::default() };
        for backend in backends() {
            let options = format::Options { backend, ..options.clone() };
            let mut taking = Taking { appended: Some(Vec::new()), ..Taking::default() };
            format::visit(&fixture(name), &options, &mut taking).expect("readable");
            let is_straight =
                backend == Backend::Pure && ["contiguous", "userblock"].contains(&name);
            let appended = taking.appended.as_deref().expect("given");
            let (there, other) = if is_straight {
                (appended, &taking.pixels[..])
            } else {
                (&taking.pixels[..], appended)
            };
            assert_eq!((there, other), (wanted, &[][..]), "{name} by {backend:?}");
            assert_eq!(taking.labels, [0, 1], "{name}");
        }
    }
}

#[test]
fn a_set_is_never_read_from_a_file_that_changed_meanwhile() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("d.h5");
    for (name, appended) in
        [("contiguous", Some(Vec::new())), ("contiguous", None), ("gzip_shuffle", None)]
    {
        for backend in backends() {
            fs::copy(fixture(name), &path).expect("copied");
            let options = format::Options { backend, ..format::Options::default() };
            let appended = appended.clone();
            let mut taking = Taking { written_to: Some(&path), appended, ..Taking::default() };
            let error = format::visit(&path, &options, &mut taking).expect_err("changed");
            assert!(message(&error).contains("written to while it was read"), "{error}");
        }
    }
}

#[test]
fn labels_of_every_integer_type_are_the_same() {
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        let file = fixture("integers");
        let names: Vec<String> = (hdf5::describe(&file, &options).expect("readable").datasets)
            .into_iter()
            .map(|dataset| dataset.name)
            .filter(|name| name.starts_with("y_"))
            .collect();
        assert_eq!(names.len(), 16, "signed and unsigned, 1 to 8 bytes, both byte orders");
        for labels in names {
            let names = Names { images: "x".into(), labels: labels.clone(), classes: None };
            let set = common::load_hdf5_named(&file, &names, &options).expect(&labels);
            assert_eq!(set.labels(), [1, 0, 1, 1], "{labels} by {backend:?}");
        }
    }
}

/// What one of the libraries lacks; the other still reads it.
#[test]
fn what_only_one_library_reads_the_other_refuses_with_a_reason() {
    let by_pure = |name: &str| {
        let options = Options { backend: Backend::Pure, ..Options::default() };
        common::load_hdf5(&fixture(name), &options)
    };
    let refusal = |name: &str| message(&by_pure(name).expect_err(name));
    assert!(
        refusal("soft_links").contains("this reader does not follow soft links, if that is one")
    );
    assert!(refusal("index_btree2").contains("version 2 B-tree chunk index"));
    let lzf = by_pure("lzf").expect("readable").take(SplitName::Train).expect("a training set");
    assert_eq!(lzf.pixels(), pixels());
    #[cfg(feature = "libhdf5")]
    {
        let by_c = |name: &str| {
            let options = Options { backend: Backend::CLibrary, ..Options::default() };
            common::load_hdf5(&fixture(name), &options)
        };
        for name in ["soft_links", "index_btree2"] {
            let train =
                by_c(name).expect("readable").take(SplitName::Train).expect("a training set");
            assert_eq!((train.pixels(), train.labels()), (&pixels()[..], &[1, 0, 1, 1][..]));
        }
        let lzf = message(&by_c("lzf").expect_err("a filter of h5py"));
        assert!(lzf.contains("`train_set_x` is compressed with lzf, which this build cannot read"));
    }
}

#[test]
fn one_file_can_hold_both_splits_grey_images_or_datasets_of_other_names() {
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        let load = |name: &str| -> Splits {
            common::load_hdf5(&fixture(name), &options).expect("readable")
        };
        let test = load("both").take(SplitName::Test).expect("a test set");
        assert_eq!(test.image(0), &pixels()[18..36]);
        assert_eq!(test.image(1), &pixels()[..18]);
        assert_eq!(test.labels(), [0, 1]);

        let grey = load("grey").take(SplitName::Train).expect("a training set");
        assert_eq!(grey.shape().channels, 1);
        assert_eq!(grey.image(0), [0, 21, 42, 63, 84, 105]);
        assert_eq!(load("grey_without_channel").take(SplitName::Train), Some(grey));

        let mut names =
            Names { images: "photos/x".into(), labels: "/photos/y".into(), classes: None };
        let named = common::load_hdf5_named(&fixture("named"), &names, &options).expect("readable");
        assert_eq!(named.pixels(), pixels());
        // Two labels are no reason to call anything a cat.
        assert_eq!(named.classes(), load("no_classes").train().expect("a set").classes());
        names.labels = "photos/yy".into();
        let missing =
            common::load_hdf5_named(&fixture("named"), &names, &options).expect_err("missing");
        assert!(message(&missing).contains("no dataset `photos/yy`, did you mean `photos/y`?"));
        names.labels = "photos".into();
        let group =
            common::load_hdf5_named(&fixture("named"), &names, &options).expect_err("a group");
        assert!(message(&group).contains("no dataset `photos`"), "{}", message(&group));
    }
}

const REFUSED: &[(&str, &str)] = &[
    ("float_labels", "`train_set_y` has elements of type float64, expected integers"),
    ("half_written", "`train_set_x` is incomplete: 2 of its 4 chunks were written"),
    ("never_written", "`train_set_x` is incomplete: nothing was ever written to it"),
    ("external", "`train_set_x` lies in another file"),
    ("huge", "`train_set_x` is incomplete: its extent of 192000000 bytes cannot be in a file of"),
    ("layout_5", "reading `train_set_x` failed"),
    ("named", "no dataset `train_set_x`; the file holds `photos/x`, `photos/y`"),
    ("no_images", "`train_set_x` has shape (0, 2, 3, 3), expected at least one image"),
    ("channels_first", "`train_set_x` has shape (4, 3, 5, 6), expected (m, height, width, 3): the"),
    ("flattened", "shape (4, 18), expected (m, height, width, 3): images must not be flattened"),
    ("labels_too_few", "`train_set_x` holds 4 images, but `train_set_y` holds 3 labels"),
    ("labels_missing", "no dataset `train_set_y`; the file holds `list_classes`, `train_set_x`"),
    (
        "labels_one_hot",
        "`train_set_y` has shape (4, 2), expected (m,), (m, 1) or (1, m): one class",
    ),
    ("label_too_large", "`train_set_y`: entry 2 is 2, expected a class index from 0 to 1"),
    ("label_negative", "`train_set_y`: entry 2 is -1, expected a class index from 0 to 1"),
    ("label_no_digit", "`train_set_y`: entry 0 is \"1\", expected one of the classes non-cat, cat"),
    (
        "classes_alike",
        "`list_classes`: entry 1 is \"cat\", expected a name that no other class has",
    ),
    ("classes_one", "`list_classes` has shape (1,), expected (n,), the names of 2 to 4096 classes"),
];

#[test]
fn what_cannot_be_used_is_refused_with_a_reason() {
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        for (name, expected) in REFUSED {
            let error = common::load_hdf5(&fixture(name), &options).expect_err(name);
            assert!(matches!(error, DataError::Hdf5(_)));
            let message = message(&error);
            assert!(message.contains(expected), "{name} by {backend:?}: {message}");
            assert!(message.contains(&format!("{name}.h5")), "{message} lacks the file");
        }
    }
}

#[test]
fn floats_are_images_or_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.h5");
    let write = |x: &dyn Fn(&mut hdf5_pure::FileBuilder), y: &[u8]| {
        let mut file = hdf5_pure::FileBuilder::new();
        x(&mut file);
        file.create_dataset("train_set_y").with_u8_data(y);
        file.write(&path).expect("written");
    };
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        let load = |path: &Path| common::load_hdf5(path, &options);
        let refusal = || message(&load(&path).expect_err("refused"));
        // From 0 to 1, by NumPy's division.
        let train = load(&fixture("float_images"))
            .expect("readable")
            .take(SplitName::Train)
            .expect("a set");
        assert_eq!((train.shape().to_string(), train.pixels()), ("2×3×3".into(), &pixels()[..]));
        let expected: Vec<f64> = pixels().iter().map(|&b| f64::from(b) / 255.0).collect();
        assert_eq!(common::numbers(&train), Some(expected));

        let table = |x: &[f32], shape: &'static [u64]| {
            let x = x.to_vec();
            move |file: &mut hdf5_pure::FileBuilder| {
                file.create_dataset("train_set_x").with_f32_data(&x).with_shape(shape);
            }
        };
        write(&table(&[1.5, -2.0, 3.0, 4.0, 5.0, 600.0], &[2, 3]), &[1, 0]);
        let train = load(&path).expect("readable").take(SplitName::Train).expect("a set");
        assert_eq!(train.shape().to_string(), "1×3×1");
        assert_eq!(common::numbers(&train), Some(vec![1.5, -2.0, 3.0, 4.0, 5.0, 600.0]));
        write(&table(&[1.5, f32::INFINITY], &[2, 1]), &[1, 0]);
        let expected = "x.h5: feature 0 of example 1: expected a finite number, got inf";
        assert!(refusal().ends_with(expected), "{}", refusal());
        let integers = |file: &mut hdf5_pure::FileBuilder| {
            file.create_dataset("train_set_x").with_i32_data(&[1, 2]).with_shape(&[2, 1, 1]);
        };
        write(&integers, &[1, 0]);
        let expected = "has elements of type int32, expected uint8 (0 to 255 for each channel of a \
                        pixel), float32 or float64";
        assert!(refusal().ends_with(expected), "{}", refusal());
    }
}

/// Opening each group by its name would walk through all of them each time, and take minutes.
#[test]
fn groups_beyond_number_are_left_out_of_the_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("many.h5");
    let mut file = hdf5_pure::FileBuilder::new();
    for i in 0..30_000 {
        let group = file.create_group(&format!("g{i}")).finish();
        file.add_group(group);
    }
    file.create_dataset("train_set_x").with_u8_data(&[1, 2, 3, 4]).with_shape(&[2, 1, 2]);
    file.create_dataset("train_set_y").with_u8_data(&[0, 1]);
    file.write(&path).expect("written");
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        let start = std::time::Instant::now();
        let description = hdf5::describe(&path, &options).expect("readable");
        let names: Vec<&str> = description.datasets.iter().map(|d| &d.name[..]).collect();
        assert_eq!((names, description.more), (vec!["train_set_x", "train_set_y"], true));
        let mut set = common::load_hdf5(&path, &options).expect("readable");
        assert_eq!(set.take(SplitName::Train).expect("a set").pixels(), [1, 2, 3, 4]);
        assert!(start.elapsed().as_secs() < 60, "{backend:?} took {:?}", start.elapsed());
    }
}

#[test]
fn limits_hold() {
    for backend in backends() {
        let mut options = Options { backend, ..Options::default() };
        options.limits.max_bytes = 71;
        let error = common::load_hdf5(&fixture("no_classes"), &options).expect_err("72 bytes");
        let expected = "the training set, 4 images of 2×3×3, would take 72 bytes in memory, the \
                        limit is 71 bytes";
        assert!(message(&error).ends_with(expected), "{}", message(&error));
        options.limits.max_bytes = 200;
        assert!(common::load_hdf5(&fixture("contiguous"), &options).is_ok());
        options.limits.max_classes = 1;
        let error = common::load_hdf5(&fixture("no_classes"), &options).expect_err("two classes");
        assert!(message(&error).contains("entry 0 is 1, expected a class index below 1"));
    }
}

#[test]
fn a_description_lists_what_is_there() {
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        let description = hdf5::describe(&fixture("gzip_shuffle"), &options).expect("readable");
        let found: Vec<String> = description
            .datasets
            .iter()
            .map(|d| format!("{} {} {:?} {}", d.name, d.element, d.shape, d.filters.join("+")))
            .collect();
        assert_eq!(
            found,
            [
                "list_classes string of 7 bytes [2] ",
                "train_set_x uint8 [4, 2, 3, 3] shuffle+gzip",
                "train_set_y int64 [4] shuffle+gzip+fletcher32",
            ]
        );
        assert_eq!(description.datasets[1].data_bytes, Some(72));
        assert!(!description.more);
        let damaged = hdf5::describe(&fixture("layout_5"), &options).expect("two can be read");
        let problems: Vec<bool> = damaged.datasets.iter().map(|d| d.problem.is_some()).collect();
        assert_eq!(problems, [false, true, false]);
        // A hard link from a group to its parent: endless paths, a bounded list.
        let cycle = hdf5::describe(&fixture("cycle"), &options).expect("readable");
        assert!(cycle.more && cycle.datasets.len() <= 1000);
    }
}
