//! A folder of idx files: images and labels are told apart by their content, what is to train on
//! and what is to test on by the names.

use super::super::found::Found;
use super::Pair;
use super::stream::magic;
use crate::DataError;
use crate::file::{listed, says_test};
use std::path::{Path, PathBuf};

/// An idx file and its rank.
pub(super) struct IdxFile {
    path: PathBuf,
    rank: u8,
}

/// The idx files of a folder. Of a file and the same with `.gz`, only the first: it was unpacked
/// from the other.
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

/// Images and labels to train on and to test on.
pub(super) fn pairs(folder: &Path) -> Result<(Option<Pair>, Option<Pair>), DataError> {
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

/// The one file of images of a split and the one of labels.
fn pair(folder: &Path, found: &[&IdxFile], split: &str) -> Result<Option<Pair>, DataError> {
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
    Ok(Some(Pair {
        images: one("images", |rank| rank >= 2)?,
        labels: one("labels", |rank| rank == 1)?,
    }))
}
