//! A folder with the files of a data set's splits, which are told apart by their content.

use super::file::OpenFile;
use super::{Hdf5Error, Options};
use crate::SplitName;
use std::path::{Path, PathBuf};

/// Returns the files that hold the splits of a folder, at least one.
///
/// `train_catvnoncat.h5` and `test_catvnoncat.h5` are taken where they exist. Otherwise the one
/// file (.h5, .hdf5) that holds images to train on, and the one that holds images to test on; it may
/// be the same. A folder with only one of the two gives only that.
pub(super) fn files(folder: &Path, options: &Options) -> Result<Vec<PathBuf>, Hdf5Error> {
    let files = candidates(folder)?;
    let preferred = |name: &str| files.iter().find(|path| path.ends_with(name)).cloned();
    let mut train = preferred("train_catvnoncat.h5");
    let mut test = preferred("test_catvnoncat.h5");
    let mut validation = None;
    if train.is_none() || test.is_none() {
        let mut contents: Vec<FileSplits> =
            files.iter().map(|path| FileSplits::of(path, options)).collect();
        let (no_train, no_test) = (train.is_none(), test.is_none());
        if no_train {
            train = single_file_with(folder, &mut contents, SplitName::Train, !no_test)?;
        }
        if no_test {
            test = single_file_with(folder, &mut contents, SplitName::Test, !no_train)?;
        }
        let found = |path: &PathBuf| [&train, &test].into_iter().flatten().any(|own| own == path);
        if !contents.iter().any(|c| c.holds(SplitName::Validation) && found(&c.path)) {
            validation = single_file_with(folder, &mut contents, SplitName::Validation, true)?;
        }
    }
    let mut found: Vec<PathBuf> = train.into_iter().chain(test).chain(validation).collect();
    found.dedup();
    if found.is_empty() {
        return Err(Hdf5Error::NoPair { folder: folder.into(), looked_at: files });
    }
    Ok(found)
}

/// Returns the HDF5 files of a folder, sorted by name.
fn candidates(folder: &Path) -> Result<Vec<PathBuf>, Hdf5Error> {
    let io = |source| Hdf5Error::Io { path: folder.into(), operation: "open", source };
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

/// The splits that a file holds, or the error of reading it.
struct FileSplits {
    path: PathBuf,
    has: Result<Vec<SplitName>, Hdf5Error>,
}

impl FileSplits {
    fn of(path: &Path, options: &Options) -> Self {
        let look = || {
            let names = OpenFile::open(path, options)?.usual_names()?;
            Ok(names.into_iter().map(|(split, ..)| split).collect())
        };
        Self { path: path.into(), has: look() }
    }

    fn holds(&self, split: SplitName) -> bool {
        self.has.as_ref().is_ok_and(|has| has.contains(&split))
    }
}

/// Returns the one file that holds a split. A file with both splits is complete in itself: it is no
/// `partner` of a file that holds only the other.
fn single_file_with(
    folder: &Path,
    contents: &mut Vec<FileSplits>,
    split: SplitName,
    partner: bool,
) -> Result<Option<PathBuf>, Hdf5Error> {
    let name = match split {
        SplitName::Train | SplitName::Unsplit => "train_set_x",
        SplitName::Validation => "validation_set_x",
        SplitName::Test => "test_set_x",
    };
    let holds_another =
        |c: &FileSplits| SplitName::ALL.into_iter().any(|other| other != split && c.holds(other));
    let found: Vec<&FileSplits> =
        contents.iter().filter(|c| c.holds(split) && !(partner && holds_another(c))).collect();
    match found[..] {
        [one] => Ok(Some(one.path.clone())),
        [] => {
            // A file that cannot be read may be the one, unless its name says the contrary.
            let names_other = |path: &Path| {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
                split == SplitName::Validation
                    || SplitName::ALL
                        .into_iter()
                        .any(|other| other != split && name.starts_with(other.word()))
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
