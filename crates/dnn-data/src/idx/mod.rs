//! Images and labels in idx, the format of MNIST and its relatives, as it is or compressed with
//! gzip.
//!
//! A file is one array: two zero bytes, its type, its rank, each dimension in 4 bytes, big-endian,
//! then the elements. Images are (m, height, width), or with 3 or 1 channels after them; labels
//! are (m). [`load`] takes a folder with the files of both splits, or a file of images whose labels
//! lie beside it.

mod folder;
mod stream;

use crate::array::{self, Array};
use crate::file::says_test;
use crate::visit::shared_classes;
use crate::{DataError, ImageShape, Limits, Part, SplitName, Splits, Visitor};
use std::path::{Path, PathBuf};
use stream::Stream;

/// Reads a folder (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, the same with `t10k-`,
/// each with `.gz` or without), or one file of images with the labels beside it.
///
/// In a folder, images and labels are told apart by their content. What is to test on says `t10k`
/// or `test` in its name, all else is to train on. Classes are called by their indices.
///
/// # Errors
/// [`DataError::File`] when a file is not idx, or has more or fewer bytes than it declares, or when
/// images and labels do not go together; [`DataError::Limit`].
pub fn load(path: &Path, limits: &Limits) -> Result<Splits, DataError> {
    let (train, test) = pairs(path)?;
    let path_of = |pair: &Option<Pair>| pair.as_ref().map(|pair| pair.images.clone());
    let read = |pair: &Option<Pair>| pair.as_ref().map(|pair| pair.read(limits)).transpose();
    let mut splits = Splits {
        train: read(&train)?,
        test: read(&test)?,
        train_path: path_of(&train),
        test_path: path_of(&test),
        ..Splits::default()
    };
    splits.unify(limits)?;
    splits.check()?;
    Ok(splits)
}

/// Passes the images of [`load`] on, some at a time; and gives the classes.
pub(crate) fn visit(
    path: &Path,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> Result<Vec<String>, DataError> {
    let (train, test) = pairs(path)?;
    let mut classes = Vec::new();
    for (split, pair) in [(SplitName::Train, train), (SplitName::Test, test)] {
        let Some(pair) = pair else { continue };
        let Opened { images, mut image_stream, shape, labels } = pair.open(limits)?;
        classes.push(array::indices_as_names(&labels));
        if !visitor.begin(Part { split, shape, n: labels.len(), contract: None })? {
            continue;
        }
        images.visit(shape, &labels, visitor, |bytes| image_stream.fill(bytes))?;
        let width = usize::from(images.element.bytes);
        image_stream.end(labels.len() * shape.n_bytes() * width)?;
    }
    shared_classes(classes)
}

/// The files that hold the training and the test set.
fn pairs(path: &Path) -> Result<(Option<Pair>, Option<Pair>), DataError> {
    if path.is_dir() {
        return folder::pairs(path);
    }
    let pair = Pair { labels: labels_beside(path)?, images: path.into() };
    Ok(if says_test(path) { (None, Some(pair)) } else { (Some(pair), None) })
}

/// The files that [`load`] reads.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let (train, test) = pairs(path)?;
    Ok(train.into_iter().chain(test).flat_map(|pair| [pair.images, pair.labels]).collect())
}

/// Whether a file, or what it unpacks to, starts as idx does.
pub(crate) fn is_idx(path: &Path) -> Result<bool, DataError> {
    Ok(Stream::open(path)?.magic()?.is_some())
}

/// Whether a folder has such a file.
pub(crate) fn is_in(folder: &Path) -> Result<bool, DataError> {
    Ok(folder::idx_files(folder)?.into_iter().next().is_some())
}

/// The file of images and the file of labels of a split.
#[derive(Debug)]
struct Pair {
    images: PathBuf,
    labels: PathBuf,
}

/// A pair whose labels are read and whose images are next.
struct Opened {
    images: Array,
    image_stream: Stream,
    shape: ImageShape,
    labels: Vec<u32>,
}

impl Pair {
    fn open(&self, limits: &Limits) -> Result<Opened, DataError> {
        let (images, image_stream) = Stream::open(&self.images)?.array()?;
        let (labels, label_stream) = Stream::open(&self.labels)?.array()?;
        let shape = array::check_pair(&images, &labels)?;
        let label_bytes = label_stream.exactly(labels.n_label_bytes(limits)?)?;
        let labels = labels.labels(&label_bytes, limits)?;
        Ok(Opened { images, image_stream, shape, labels })
    }

    fn read(&self, limits: &Limits) -> Result<crate::ImageSet, DataError> {
        // Before the labels, which are much smaller, take any room.
        let n_bytes = Stream::open(&self.images)?.array()?.0.n_bytes(limits)?;
        let Opened { images, image_stream, shape, labels } = self.open(limits)?;
        let classes = array::indices_as_names(&labels);
        images.images(image_stream.exactly(n_bytes)?, shape, labels, classes)
    }
}

/// The labels of a file of images, by the names that go together.
fn labels_beside(images: &Path) -> Result<PathBuf, DataError> {
    let name = images.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let swapped = name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1");
    let plain = swapped.strip_suffix(".gz").unwrap_or(&swapped);
    let candidates = [swapped.clone(), plain.into(), format!("{plain}.gz")];
    let beside = |name: &String| images.with_file_name(name);
    let found = candidates.iter().filter(|other| **other != name).map(beside).find(|p| p.is_file());
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
