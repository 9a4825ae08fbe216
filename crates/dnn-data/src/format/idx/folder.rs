//! A folder of idx files: images and labels are told apart by their number of dimensions, training
//! and test files by their names.

use super::super::found::Found;
use super::FilePair;
use super::stream::magic;
use crate::DataError;
use crate::file::{listed, says_test};
use std::path::{Path, PathBuf};

/// An idx file and the number of its dimensions.
pub(super) struct IdxFile {
    path: PathBuf,
    rank: u8,
}

/// Returns the idx files of a folder. Of a file and the same with `.gz` only the first is taken: it
/// was unpacked from the other.
pub(super) fn idx_files(folder: &Path) -> Result<Vec<IdxFile>, DataError> {
    let in_folder = Found::at(folder)?;
    let files = in_folder.files();
    let mut found = Vec::new();
    for file in files {
        let path = &file.path;
        let magic = file.start().and_then(|start| magic(&start.head));
        let is_twin = path.extension().is_some_and(|extension| extension == "gz")
            && files.iter().any(|other| other.path == path.with_extension(""));
        if let (Some(magic), false) = (magic, is_twin) {
            found.push(IdxFile { path: path.clone(), rank: magic.rank });
        }
    }
    Ok(found)
}

/// Returns the files of the training set and of the test set.
pub(super) fn pairs(folder: &Path) -> Result<(Option<FilePair>, Option<FilePair>), DataError> {
    let found = idx_files(folder)?;
    let (test, train): (Vec<_>, Vec<_>) = found.iter().partition(|found| says_test(&found.path));
    if found.is_empty() {
        return Err(DataError::File {
            path: folder.into(),
            what: "files".into(),
            expected: "idx files, such as train-images-idx3-ubyte".into(),
            got: "none".into(),
        });
    }
    Ok((pair(folder, &train, "train")?, pair(folder, &test, "test")?))
}

/// Returns the file of images and the file of labels of a split.
fn pair(folder: &Path, found: &[&IdxFile], split: &str) -> Result<Option<FilePair>, DataError> {
    if found.is_empty() {
        return Ok(None);
    }
    let one = |what: &str, is_it: fn(u8) -> bool| {
        let files: Vec<PathBuf> =
            found.iter().filter(|f| is_it(f.rank)).map(|f| f.path.clone()).collect();
        match &files[..] {
            [one] => Ok(one.clone()),
            _ => Err(DataError::File {
                path: folder.into(),
                what: format!("{what} to {split} on"),
                expected: "one idx file of them; name a file of images to choose".into(),
                got: listed(&files),
            }),
        }
    };
    Ok(Some(FilePair {
        images: one("images", |rank| rank >= 2)?,
        labels: one("labels", |rank| rank == 1)?,
    }))
}
