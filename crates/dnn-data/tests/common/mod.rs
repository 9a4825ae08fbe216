//! What several tests of formats share.
#![allow(dead_code)] // each test uses a part of it

pub(crate) mod damage;
pub(crate) mod files;

use dnn_data::format::{Options, Source};
#[cfg(feature = "hdf5")]
use dnn_data::hdf5::Backend;
use dnn_data::{DataError, Limits, Splits};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Every backend that is compiled in.
#[cfg(feature = "hdf5")]
pub(crate) fn backends() -> Vec<Backend> {
    vec![
        Backend::Pure,
        #[cfg(feature = "libhdf5")]
        Backend::CLibrary,
    ]
}

/// What lies behind a path, read as a source of this format whatever its content says.
pub(crate) fn load_as(format: &str, path: &Path, options: &Options) -> Result<Splits, DataError> {
    Source::of_format(path, format, options)?.open(options, &|_, _| ())
}

/// The same with limits alone.
pub(crate) fn load_within(format: &str, path: &Path, limits: &Limits) -> Result<Splits, DataError> {
    load_as(format, path, &Options { limits: *limits, ..Options::default() })
}

#[cfg(feature = "hdf5")]
pub(crate) fn load_hdf5(
    path: &Path,
    options: &dnn_data::hdf5::Options,
) -> Result<Splits, DataError> {
    let &dnn_data::hdf5::Options { limits, backend } = options;
    load_as("HDF5", path, &Options { limits, backend, ..Options::default() })
}

#[cfg(feature = "hdf5")]
pub(crate) fn load_hdf5_named(
    path: &Path,
    names: &dnn_data::Names,
    options: &dnn_data::hdf5::Options,
) -> Result<dnn_data::ImageSet, DataError> {
    let &dnn_data::hdf5::Options { limits, backend } = options;
    let options = Options { limits, backend, names: Some(names.clone()), ..Options::default() };
    let mut splits = load_as("HDF5", path, &options)?;
    Ok(splits.take(dnn_data::SplitName::Train).expect("named arrays are to train on"))
}

/// The numbers of a set that are no bytes of pixels.
pub(crate) fn numbers(set: &dnn_data::ImageSet) -> Option<Vec<f64>> {
    (!set.is_bytes()).then(|| set.values().to_f64())
}

/// A file that h5py wrote.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/hdf5/{name}.h5"))
}

/// An error with its causes, as a person sees it.
pub(crate) fn message(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += ": ";
        text += &cause.to_string();
        source = cause.source();
    }
    text
}

/// The folder of the course's real images; `None`, with a note, when they were not fetched and
/// nobody insists by `DNN_REQUIRE_DATA=1`.
pub(crate) fn real_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    if folder.join("train_catvnoncat.h5").exists() && folder.join("test_catvnoncat.h5").exists() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("DNN_REQUIRE_DATA").is_none_or(|value| value != "1"),
        "DNN_REQUIRE_DATA=1, but {} lacks the cat files: cargo xtask fetch-data",
        folder.display()
    );
    eprintln!("skipped: the cat images are not in {}", folder.display());
    None
}

/// Every file that h5py wrote, and the course's where they are.
pub(crate) fn every_file() -> Vec<PathBuf> {
    let folder = fixture("both").parent().expect("a folder").to_path_buf();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "h5"))
        .collect();
    if let Some(folder) = real_data() {
        files.extend(["train_catvnoncat.h5", "test_catvnoncat.h5"].map(|name| folder.join(name)));
    }
    files.sort();
    files
}

/// The folder of MNIST; `None`, with a note, as [`real_data`].
pub(crate) fn real_digits() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist");
    if folder.join("train-images-idx3-ubyte.gz").exists() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("DNN_REQUIRE_DATA").is_none_or(|value| value != "1"),
        "DNN_REQUIRE_DATA=1, but {} lacks MNIST: cargo xtask fetch-data mnist",
        folder.display()
    );
    eprintln!("skipped: MNIST is not in {}", folder.display());
    None
}
