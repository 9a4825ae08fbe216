//! A folder that holds a training and a test file: which is which is told by their content.

use super::file::OpenFile;
use super::schema::{RawSet, assemble, of_course};
use super::{Hdf5Error, Options};
use crate::{DataError, Splits};
use std::path::{Path, PathBuf};

/// Reads the training and the test set of a folder.
///
/// `train_catvnoncat.h5` and `test_catvnoncat.h5` are taken where they exist. Otherwise the one
/// file (.h5, .hdf5) that holds `train_set_x`, and the one that holds `test_set_x`; it may be the
/// same. A folder with only one of the two gives only that.
///
/// # Errors
/// [`DataError::Hdf5`]: no file holds either, several hold the same, or one that could be the
/// missing one cannot be read; [`DataError::Mismatch`]: the two differ in image size or classes.
pub fn load_pair(folder: &Path, options: &Options) -> Result<Splits, DataError> {
    let (train, test) = pair(folder, options)?;
    let read = |path: Option<PathBuf>, split: &str| {
        path.map(|path| RawSet::read(&OpenFile::open(&path, options)?, &of_course(split)))
            .transpose()
    };
    assemble(read(train, "train")?, read(test, "test")?, &options.limits)
}

/// The files that hold the training and the test set of a folder; one of them at least.
pub(super) fn pair(
    folder: &Path,
    options: &Options,
) -> Result<(Option<PathBuf>, Option<PathBuf>), Hdf5Error> {
    let files = candidates(folder)?;
    let preferred = |name: &str| files.iter().find(|path| path.ends_with(name)).cloned();
    let mut train = preferred("train_catvnoncat.h5");
    let mut test = preferred("test_catvnoncat.h5");
    if train.is_none() || test.is_none() {
        let mut contents: Vec<Content> =
            files.iter().map(|path| Content::of(path, options)).collect();
        if let (None, None) = (&train, &test) {
            train = the_one(folder, &mut contents, Split::Train, false)?;
            test = the_one(folder, &mut contents, Split::Test, false)?;
        } else if train.is_none() {
            train = the_one(folder, &mut contents, Split::Train, true)?;
        } else {
            test = the_one(folder, &mut contents, Split::Test, true)?;
        }
    }
    if train.is_none() && test.is_none() {
        return Err(Hdf5Error::NoPair { folder: folder.into(), looked_at: files });
    }
    Ok((train, test))
}

/// Whether a folder has HDF5 files by their names.
pub(crate) fn is_in(folder: &Path) -> Result<bool, DataError> {
    Ok(!candidates(folder)?.is_empty())
}

/// The HDF5 files of a folder by their names, sorted.
fn candidates(folder: &Path) -> Result<Vec<PathBuf>, Hdf5Error> {
    let io = |source| Hdf5Error::Io { path: folder.into(), operation: "open", source };
    if !std::fs::metadata(folder).map_err(io)?.is_dir() {
        return Err(Hdf5Error::NotAFolder { path: folder.into() });
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_hdf5 = path.extension().is_some_and(|extension| {
            extension.eq_ignore_ascii_case("h5") || extension.eq_ignore_ascii_case("hdf5")
        });
        if is_hdf5 && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[derive(Clone, Copy)]
enum Split {
    Train,
    Test,
}

/// Which splits a file holds, or why it cannot be read.
struct Content {
    path: PathBuf,
    has: Result<[bool; 2], Hdf5Error>,
}

impl Content {
    fn of(path: &Path, options: &Options) -> Self {
        let look = || {
            let file = OpenFile::open(path, options)?;
            Ok([file.find("train_set_x")?.is_some(), file.find("test_set_x")?.is_some()])
        };
        Self { path: path.into(), has: look() }
    }

    fn holds(&self, split: Split) -> bool {
        self.has.as_ref().is_ok_and(|has| has[split as usize])
    }
}

/// The one file that holds a split. A file with both splits is complete in itself: it is no
/// `partner` of a file that holds only the other.
fn the_one(
    folder: &Path,
    contents: &mut Vec<Content>,
    split: Split,
    partner: bool,
) -> Result<Option<PathBuf>, Hdf5Error> {
    let (name, other, other_name) = match split {
        Split::Train => ("train_set_x", Split::Test, "test"),
        Split::Test => ("test_set_x", Split::Train, "train"),
    };
    let found: Vec<&Content> =
        contents.iter().filter(|c| c.holds(split) && !(partner && c.holds(other))).collect();
    match found[..] {
        [one] => Ok(Some(one.path.clone())),
        [] => {
            // A file that cannot be read may be the one, unless its name says the contrary.
            let names_other = |path: &Path| {
                path.file_name().is_some_and(|file| {
                    file.to_string_lossy().to_lowercase().starts_with(other_name)
                })
            };
            match contents.iter().position(|c| c.has.is_err() && !names_other(&c.path)) {
                Some(broken) => contents.swap_remove(broken).has.map(|_| None),
                None => Ok(None),
            }
        }
        _ => Err(Hdf5Error::Ambiguous {
            folder: folder.into(),
            name,
            candidates: found.iter().map(|c| c.path.clone()).collect(),
        }),
    }
}
