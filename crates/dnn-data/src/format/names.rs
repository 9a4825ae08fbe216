//! The usual names of the arrays of images and labels, whatever the file that holds them.

use crate::SplitName;

/// Names of the images and labels of each split, in the order train, validation, test.
const USUAL: [[(&str, &str); 3]; 4] = [
    [
        ("train_set_x", "train_set_y"),
        ("validation_set_x", "validation_set_y"),
        ("test_set_x", "test_set_y"),
    ],
    [("x_train", "y_train"), ("x_val", "y_val"), ("x_test", "y_test")],
    [
        ("train_images", "train_labels"),
        ("val_images", "val_labels"),
        ("test_images", "test_labels"),
    ],
    [("train_x", "train_y"), ("val_x", "val_y"), ("test_x", "test_y")],
];
/// Names of images and labels where there is only a training set.
const PLAIN: [(&str, &str); 3] = [("x", "y"), ("images", "labels"), ("data", "target")];
/// Names of the array of class names.
pub(crate) const CLASSES: [&str; 2] = ["list_classes", "class_names"];

/// Returns the names of the images and labels of each split that is there; `find` returns the name
/// of an array as the file has it, which may differ in case.
///
/// # Errors
/// The error of `find`.
pub(crate) fn usual<E>(
    mut find: impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Vec<(SplitName, String, String)>, E> {
    for family in USUAL {
        let mut found = Vec::new();
        for (split, (x, y)) in SplitName::ALL.into_iter().zip(family) {
            if let Some(x) = find(x)? {
                found.push((split, x, find(y)?.unwrap_or_else(|| y.into())));
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    for (x, y) in PLAIN {
        if let Some(x) = find(x)? {
            return Ok(vec![(SplitName::Train, x, find(y)?.unwrap_or_else(|| y.into()))]);
        }
    }
    Ok(Vec::new())
}
