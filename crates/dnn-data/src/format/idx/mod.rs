//! Images and labels in idx, the format of MNIST and its relatives, as it is or compressed with
//! gzip.
//!
//! A file is one array: two zero bytes, its type, its rank, each dimension in 4 bytes, big-endian,
//! then the elements. Images are (m, height, width), or with 3 or 1 channels after them; labels
//! are (m). A source is a folder with the files of both splits, or a file of images whose labels lie
//! beside it.

mod folder;
mod stream;

use super::array::{self, Array};
use super::found::Found;
use super::options::{AboutFormat, Format, Options, Visited};
use crate::classes::{self, Labels};
use crate::file::says_test;
use crate::{DataError, ImageShape, Limits, SplitInfo, SplitName, Visitor};
use std::path::{Path, PathBuf};
use stream::IdxReader;

/// Reads a folder (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, the same with `t10k-`,
/// each with `.gz` or without), or one file of images with the labels beside it.
///
/// In a folder, images and labels are told apart by their content. What is to test on says `t10k`
/// or `test` in its name, all else is to train on. Classes are called by their indices.
pub(super) struct Idx;

impl Format for Idx {
    fn about(&self) -> &AboutFormat {
        &AboutFormat {
            name: "idx",
            in_folders: Some("idx files (train-images-idx3-ubyte and the like, also .gz)"),
            in_files: Some("idx (also .gz)"),
            ..AboutFormat::PLAIN
        }
    }
    fn detect(&self, found: &Found) -> Result<bool, DataError> {
        Ok(found.files().iter().any(|file| file.begins(|head| stream::magic(head).is_some())))
    }
    fn files(&self, path: &Path, _: &Options) -> Result<Vec<PathBuf>, DataError> {
        let (train, test) = pairs(path)?;
        Ok(train.into_iter().chain(test).flat_map(|pair| [pair.images, pair.labels]).collect())
    }
    fn visit(
        &self,
        path: &Path,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        let (train, test) = pairs(path)?;
        let mut opened = Vec::new();
        let mut labels = Vec::new();
        for (split, pair) in [(SplitName::Train, train), (SplitName::Test, test)] {
            let Some(pair) = pair else { continue };
            let (pair, own) = pair.open(split, &options.limits)?;
            opened.push(pair);
            labels.push(own);
        }
        let resolved = classes::resolve(labels, None, options.limits.max_classes);
        let (labels, classes) =
            resolved.map_err(|bad| opened[bad.set].label_array.bad_label(bad))?;
        for (mut pair, labels) in opened.into_iter().zip(labels) {
            let (images, shape) = (&pair.images, pair.shape);
            let part = SplitInfo {
                split: pair.split,
                shape,
                n: labels.len(),
                number: images.number(),
                contract: None,
                path: Some(images.path.clone()),
            };
            if !visitor.begin(part)? {
                continue;
            }
            images.visit(shape, &labels, visitor, |bytes| pair.image_stream.fill(bytes))?;
            let width = usize::from(images.element.bytes);
            pair.image_stream.end(labels.len() * shape.n_bytes() * width)?;
        }
        Ok(Visited { classes, ..Visited::default() })
    }
}

/// Returns the files that hold the training and the test set.
fn pairs(path: &Path) -> Result<(Option<FilePair>, Option<FilePair>), DataError> {
    if path.is_dir() {
        return folder::pairs(path);
    }
    let pair = FilePair { labels: label_file_of(path)?, images: path.into() };
    Ok(if says_test(path) { (None, Some(pair)) } else { (Some(pair), None) })
}

/// The file of images and the file of labels of a split.
#[derive(Debug)]
struct FilePair {
    images: PathBuf,
    labels: PathBuf,
}

/// The open files of a split, whose labels are read and whose images come next.
struct OpenPair {
    split: SplitName,
    images: Array,
    image_stream: IdxReader,
    shape: ImageShape,
    label_array: Array,
}

impl FilePair {
    fn open(&self, split: SplitName, limits: &Limits) -> Result<(OpenPair, Labels), DataError> {
        let (images, image_stream) = IdxReader::open(&self.images)?.array()?;
        let (label_array, label_stream) = IdxReader::open(&self.labels)?.array()?;
        let shape = array::check_pair(&images, &label_array)?;
        let label_bytes = label_stream.exactly(label_array.n_label_bytes(limits)?)?;
        let labels = label_array.labels(&label_bytes, limits)?;
        Ok((OpenPair { split, images, image_stream, shape, label_array }, labels))
    }
}

/// Returns the file of labels that belongs to a file of images, by its name.
fn label_file_of(images: &Path) -> Result<PathBuf, DataError> {
    let name = images.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let swapped = name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1");
    let plain = swapped.strip_suffix(".gz").unwrap_or(&swapped);
    let candidates = [swapped.clone(), plain.into(), format!("{plain}.gz")];
    let in_same_folder = |name: &String| images.with_file_name(name);
    let found =
        candidates.iter().filter(|other| **other != name).map(in_same_folder).find(|p| p.is_file());
    found.ok_or_else(|| DataError::File {
        path: images.into(),
        what: "labels of these images".into(),
        expected: if swapped == name {
            "a name such as train-images-idx3-ubyte, which says where they are; or the folder of \
             both"
                .into()
        } else {
            format!("{swapped} beside it")
        },
        got: "no such file".into(),
    })
}
