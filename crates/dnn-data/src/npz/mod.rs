//! Images and labels in NumPy's .npz, as `numpy.savez` and `numpy.savez_compressed` write it.
//!
//! [`load`] knows the usual names, [`load_named`] takes any two arrays. Images are (m, height,
//! width), or with 1 or 3 channels after them, and tables (m, n); labels are integers. Names of
//! classes are taken from `list_classes` or `class_names`, where the file has them. Pickled objects
//! are refused: reading them runs what code they bring.

mod archive;
mod header;

use crate::array::{self, Array};
use crate::visit::shared_classes;
use crate::{DataError, ImageSet, ImageShape, Limits, Names, Part, SplitName, Splits, Visitor};
use archive::{Archive, Entry};
use std::path::Path;

/// The usual names of images and labels, each with its counterpart for the test set.
const USUAL: [[(&str, &str); 2]; 4] = [
    [("x_train", "y_train"), ("x_test", "y_test")],
    [("train_images", "train_labels"), ("test_images", "test_labels")],
    [("train_x", "train_y"), ("test_x", "test_y")],
    [("train_set_x", "train_set_y"), ("test_set_x", "test_set_y")],
];
/// Where there is no test set.
const PLAIN: [(&str, &str); 3] = [("x", "y"), ("images", "labels"), ("data", "target")];
/// Where the names of the classes may be.
const CLASSES: [&str; 2] = ["list_classes", "class_names"];

/// Whether a file starts as a zip archive does.
pub(crate) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// Reads the sets of an .npz by their usual names: `x_train`, `y_train`, `x_test`, `y_test`;
/// `train_images`, `train_labels` and so on; or `X` and `y`, `images` and `labels`, which are to
/// train on. Case does not matter.
///
/// # Errors
/// [`DataError::File`] when there are no such arrays or they are not images and labels;
/// [`DataError::Limit`], before anything is unpacked; [`DataError::Mismatch`] when training and test
/// set do not go together.
pub fn load(path: &Path, limits: &Limits) -> Result<Splits, DataError> {
    let mut archive = Archive::open(path)?;
    let (train, test) = usual_pairs(&archive)?;
    let classes = CLASSES.into_iter().find(|name| archive.find(name).is_some());
    let classes = classes.map(|name| archive.names(name, limits)).transpose()?;
    let mut read = |pair: Option<(&str, &str)>| {
        pair.map(|(x, y)| read(&mut archive, x, y, classes.as_deref(), limits)).transpose()
    };
    let (train, test) = (read(train)?, read(test)?);
    let own = |set: &Option<ImageSet>| set.as_ref().map(|_| path.to_owned());
    let mut splits =
        Splits { train_path: own(&train), test_path: own(&test), train, test, ..Splits::default() };
    splits.unify(limits)?;
    splits.check()?;
    Ok(splits)
}

type Pair = (&'static str, &'static str);

/// Which arrays have the usual names of a training and a test set.
fn usual_pairs(archive: &Archive) -> Result<(Option<Pair>, Option<Pair>), DataError> {
    let has = |(x, _): (&str, &str)| archive.find(x).is_some();
    let usual = USUAL.into_iter().find(|[train, test]| has(*train) || has(*test));
    let plain = PLAIN.into_iter().find(|pair| has(*pair));
    match (usual, plain) {
        (Some([train, test]), _) => {
            Ok((Some(train).filter(|pair| has(*pair)), Some(test).filter(|pair| has(*pair))))
        }
        (None, Some(plain)) => Ok((Some(plain), None)),
        (None, None) => Err(archive.missing(
            "x_train and y_train, train_images and train_labels, the same with test, or X and y; \
             name others with --x and --y"
                .into(),
        )),
    }
}

/// Passes the images of [`load`], or of [`load_named`], on, some at a time; and gives the classes.
///
/// An array whose first index is the fastest is read as a whole.
pub(crate) fn visit(
    path: &Path,
    names: Option<&Names>,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> Result<Vec<String>, DataError> {
    let mut archive = Archive::open(path)?;
    let (train, test) = match names {
        Some(names) => (Some((names.images.as_str(), names.labels.as_str())), None),
        None => usual_pairs(&archive)?,
    };
    let named = names.and_then(|names| names.classes.as_deref());
    let named = named.or_else(|| CLASSES.into_iter().find(|n| archive.find(n).is_some()));
    let named = named.map(|name| archive.names(name, limits)).transpose()?;
    let mut classes = Vec::new();
    for (split, pair) in [(SplitName::Train, train), (SplitName::Test, test)] {
        let Some((x, y)) = pair else { continue };
        let Opened { images, array, shape, labels } = open(&mut archive, x, y, limits)?;
        let own = || array::indices_as_names(&labels);
        let own = named.clone().unwrap_or_else(own);
        if let Some(label) = labels.iter().find(|label| **label as usize >= own.len()) {
            return Err(DataError::File {
                path: path.into(),
                what: format!("labels in `{y}`"),
                expected: format!("class indices below {}", own.len()),
                got: label.to_string(),
            });
        }
        classes.push(own);
        if !visitor.begin(Part { split, shape, n: labels.len(), contract: None })? {
            continue;
        }
        if Archive::in_order(&images) {
            archive.visit(&images, shape, &labels, visitor)?;
        } else {
            let bytes = archive.read(&images, array.n_bytes(limits)?)?;
            let mut rest = &bytes[..];
            array.visit(shape, &labels, visitor, |block| {
                let (next, after) = rest.split_at(block.len());
                block.copy_from_slice(next);
                rest = after;
                Ok(())
            })?;
        }
    }
    shared_classes(classes)
}

/// Reads one set from any two arrays of an .npz.
///
/// # Errors
/// As [`load`].
pub fn load_named(path: &Path, names: &Names, limits: &Limits) -> Result<ImageSet, DataError> {
    let mut archive = Archive::open(path)?;
    let classes = names.classes.as_deref();
    let classes = classes.or_else(|| CLASSES.into_iter().find(|n| archive.find(n).is_some()));
    let classes = classes.map(|name| archive.names(name, limits)).transpose()?;
    read(&mut archive, &names.images, &names.labels, classes.as_deref(), limits)
}

/// Two arrays of an archive that belong together; of the labels, the values.
struct Opened {
    images: Entry,
    array: Array,
    shape: ImageShape,
    labels: Vec<u32>,
}

fn open(archive: &mut Archive, x: &str, y: &str, limits: &Limits) -> Result<Opened, DataError> {
    let (images, labels) = (archive.entry(x)?, archive.entry(y)?);
    let (array, label_array) = (archive.numbers(&images)?, archive.numbers(&labels)?);
    let shape = array::check_pair(&array, &label_array)?;
    let labels = archive.read(&labels, label_array.n_label_bytes(limits)?)?;
    Ok(Opened { images, array, shape, labels: label_array.labels(&labels, limits)? })
}

fn read(
    archive: &mut Archive,
    x: &str,
    y: &str,
    classes: Option<&[String]>,
    limits: &Limits,
) -> Result<ImageSet, DataError> {
    // Before the labels, which are much smaller, take any room.
    let images = archive.entry(x)?;
    archive.numbers(&images)?.n_bytes(limits)?;
    let Opened { images, array, shape, labels } = open(archive, x, y, limits)?;
    let classes = classes.map_or_else(|| array::indices_as_names(&labels), <[String]>::to_vec);
    array.images(archive.read(&images, array.n_bytes(limits)?)?, shape, labels, classes)
}
