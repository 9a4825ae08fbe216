//! Two libraries that share no code must agree on every file, value by value.
//!
//! `cargo test -p dnn-data --features libhdf5` (needs the C library: `apt-get install libhdf5-dev`).
#![cfg(feature = "libhdf5")]

mod common;

use common::{every_file, fixture, message};
use dnn_data::Names;
use dnn_data::hdf5::{self, Backend, Options};

/// Files that only one of them reads: `hdf5_fixtures.rs` says why. Of a chunk that unpacks to more
/// than it should (`bomb`), the C library takes the beginning.
const ONE_ONLY: &[&str] = &["bomb", "index_btree2", "lzf", "soft_links"];

fn options(backend: Backend) -> Options {
    Options { backend, ..Options::default() }
}

#[test]
fn both_read_the_same_values_or_refuse_alike() {
    let (mut n_read, mut n_refused) = (0, 0);
    for path in every_file() {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if ONE_ONLY.contains(&stem.as_str()) {
            continue;
        }
        let by_pure = common::load_hdf5(&path, &options(Backend::Pure));
        let by_c = common::load_hdf5(&path, &options(Backend::CLibrary));
        match (by_pure, by_c) {
            (Ok(pure), Ok(c)) => {
                for (pure, c) in [(pure.train(), c.train()), (pure.test(), c.test())] {
                    let (Some(pure), Some(c)) = (pure, c) else {
                        assert_eq!(pure.is_some(), c.is_some(), "{stem}");
                        continue;
                    };
                    assert_eq!(pure.shape(), c.shape(), "{stem}");
                    assert!(pure.pixels() == c.pixels(), "{stem}: pixels differ");
                    assert_eq!(pure.labels(), c.labels(), "{stem}");
                    assert_eq!(pure.classes(), c.classes(), "{stem}");
                }
                n_read += 1;
            }
            // Our own words are the same; behind "failed" stand the library's.
            (Err(pure), Err(c)) => {
                assert_eq!(pure.to_string(), c.to_string(), "{stem}");
                n_refused += 1;
            }
            (pure, c) => panic!(
                "{stem}: hdf5-pure: {}, C library: {}",
                pure.map_or_else(|e| message(&e), |_| "read".into()),
                c.map_or_else(|e| message(&e), |_| "read".into())
            ),
        }
    }
    assert!(n_read >= 30 && n_refused >= 15, "{n_read} read, {n_refused} refused");
}

#[test]
fn both_describe_alike() {
    for path in every_file() {
        let by = |backend| {
            let mut description = hdf5::describe(&path, &options(backend)).ok()?;
            for dataset in &mut description.datasets {
                // The problem is in the library's words.
                dataset.problem = dataset.problem.take().map(|_| String::new());
            }
            Some(description)
        };
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // In a cycle, which of the endless paths are listed is each library's affair.
        if stem == "cycle" || ONE_ONLY.contains(&stem.as_str()) {
            continue;
        }
        assert_eq!(by(Backend::Pure), by(Backend::CLibrary), "{stem}");
    }
}

#[test]
fn both_read_labels_of_every_integer_type() {
    let file = fixture("integers");
    let datasets = hdf5::describe(&file, &options(Backend::Pure)).expect("readable").datasets;
    for name in datasets.into_iter().map(|d| d.name).filter(|name| name.starts_with("y_")) {
        let names = Names { images: "x".into(), labels: name.clone(), classes: None };
        let by = |backend| common::load_hdf5_named(&file, &names, &options(backend)).expect(&name);
        assert_eq!(by(Backend::Pure), by(Backend::CLibrary), "{name}");
    }
}
