//! What stands under the name of the data and is not the data, by every door there is.
#![cfg(feature = "hdf5")]

mod common;

use common::{backends, fixture, message};
use dnn_data::Names;
use dnn_data::hdf5::{self, Options};
use std::fs;
use std::path::Path;

/// What each function says of a file, with the path as F.
fn refusals(path: &Path) -> Vec<String> {
    let names = Names { images: "x".into(), labels: "y".into(), classes: None };
    let mut said = Vec::new();
    for backend in backends() {
        let options = Options { backend, ..Options::default() };
        said.push(message(&common::load_hdf5(path, &options).expect_err("load_file")));
        said.push(message(
            &common::load_hdf5_named(path, &names, &options).expect_err("load_named"),
        ));
        said.push(message(&hdf5::describe(path, &options).expect_err("describe")));
        said.push(message(&hdf5::load_factors(path, &options).expect_err("load_factors")));
    }
    said.into_iter().map(|text| text.replace(&path.display().to_string(), "F")).collect()
}

#[test]
fn what_is_no_data_is_named_before_any_library_sees_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("train_catvnoncat.h5");
    let cases: [(&[u8], &str); 5] = [
        (
            b"\n\n<!DOCTYPE html>\n<html lang=\"en\"><head><title>Page not found</title>",
            "F: not an HDF5 file but an HTML page: what was downloaded is the page about the file, \
             or an error page, not the file itself",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\n\
              oid sha256:fbe56ab67c3ae28d564e3a644189117976d6b31af0a3ce9bb17dbf22908af242\n\
              size 2572022\n",
            "F: not an HDF5 file but a git-LFS pointer: the data themselves were not downloaded \
             (in a clone, `git lfs pull` does)",
        ),
        (b"404: Not Found", "F: not an HDF5 file but text, beginning with \"404: Not Found\""),
        (b"", "F: the file is empty (0 bytes), expected HDF5"),
        (
            b"PK\x03\x04\x14\x00",
            "F: not an HDF5 file but a zip archive (or an .npz file): unpack it first",
        ),
    ];
    for (bytes, expected) in cases {
        fs::write(&path, bytes).expect("written");
        for text in refusals(&path) {
            assert_eq!(text, expected);
        }
        // In a folder, the course's name makes it the one that is meant.
        let error = common::load_hdf5(folder.path(), &Options::default()).expect_err("no data");
        assert_eq!(message(&error).replace(&path.display().to_string(), "F"), expected);
    }
}

#[test]
fn what_is_not_there_or_no_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let texts = refusals(folder.path());
    assert!(texts[0].ends_with("found no HDF5 file"), "{}", texts[0]);
    for text in &texts[1..] {
        // A folder may hold the files of a data set, but it is none itself.
        assert!(text == "F: expected an HDF5 file, got a folder" || *text == texts[0], "{text}");
    }
    #[cfg(unix)]
    for text in refusals(Path::new("/dev/null")) {
        assert_eq!(text, "F: expected an HDF5 file, got a device");
    }
    for text in refusals(&folder.path().join("none.h5")) {
        assert!(text.starts_with("F: open failed: No such file or directory"), "{text}");
    }
}

/// Nobody but root may open it; as root, there is nothing to test.
#[test]
#[cfg(unix)]
fn what_may_not_be_opened_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("train.h5");
    fs::copy(fixture("contiguous"), &path).expect("copied");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("forbidden");
    if fs::File::open(&path).is_ok() {
        eprintln!("skipped: root may open everything");
        return;
    }
    for text in refusals(&path) {
        assert!(text.starts_with("F: open failed: Permission denied"), "{text}");
    }
}
