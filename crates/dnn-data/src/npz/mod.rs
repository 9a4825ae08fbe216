//! Images and labels in NumPy's .npz, as `numpy.savez` and `numpy.savez_compressed` write it.
//!
//! [`load`] knows the usual names, [`load_named`] takes any two arrays. Images are (m, height,
//! width), or with 1 or 3 channels after them, and tables (m, n); labels are integers. Names of
//! classes are taken from `list_classes` or `class_names`, where the file has them. Pickled objects
//! are refused: reading them runs what code they bring.

mod archive;
mod header;

use crate::array;
use crate::{DataError, ImageSet, ImageShape, Limits, Names, Splits};
use archive::Archive;
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
    let has = |(x, _): (&str, &str)| archive.find(x).is_some();
    let usual = USUAL.into_iter().find(|[train, test]| has(*train) || has(*test));
    let plain = PLAIN.into_iter().find(|pair| has(*pair));
    let (train, test) = match (usual, plain) {
        (Some([train, test]), _) => {
            (Some(train).filter(|pair| has(*pair)), Some(test).filter(|pair| has(*pair)))
        }
        (None, Some(plain)) => (Some(plain), None),
        (None, None) => {
            return Err(archive.missing(
                "x_train and y_train, train_images and train_labels, the same with test, or X and \
                 y; name others with --x and --y"
                    .into(),
            ));
        }
    };
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

fn read(
    archive: &mut Archive,
    x: &str,
    y: &str,
    classes: Option<&[String]>,
    limits: &Limits,
) -> Result<ImageSet, DataError> {
    let (images, labels) = (archive.entry(x)?, archive.entry(y)?);
    let (image_array, label_array) = (archive.numbers(&images)?, archive.numbers(&labels)?);
    let shape: ImageShape = array::check_pair(&image_array, &label_array)?;
    let (n_bytes, n_label_bytes) =
        (image_array.n_bytes(limits)?, label_array.n_label_bytes(limits)?);
    let labels = label_array.labels(&archive.read(&labels, n_label_bytes)?, limits)?;
    let classes = classes.map_or_else(|| array::indices_as_names(&labels), <[String]>::to_vec);
    image_array.images(archive.read(&images, n_bytes)?, shape, labels, classes)
}
