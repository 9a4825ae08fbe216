//! Images, labels and class names, each checked before and after it is read.

use super::Hdf5Error;
use super::backend::{DatasetInfo, Element};
use super::file::OpenFile;
use crate::classes::Labels;
use crate::{ImageShape, extent};

/// Returns number and shape of the images, after checking type, rank and size. Floats may also be a
/// table.
pub(super) fn image_extent(
    file: &OpenFile,
    info: &DatasetInfo,
) -> Result<(u64, ImageShape), Hdf5Error> {
    let is_float = matches!(info.element, Element::Float(_));
    if !is_float && info.element != Element::Unsigned(1) {
        return Err(Hdf5Error::Type {
            path: file.path.clone(),
            name: info.name.clone(),
            expected: "uint8 (0 to 255 for each channel of a pixel), float32 or float64",
            got: info.element.to_string(),
        });
    }
    extent::of_images(&info.shape, is_float).map_err(|expected| refuse_shape(file, info, expected))
}

fn refuse_shape(file: &OpenFile, info: &DatasetInfo, expected: String) -> Hdf5Error {
    let got = info.shape.clone();
    Hdf5Error::Shape { path: file.path.clone(), name: info.name.clone(), expected, got }
}

/// Returns the number of labels, after checking type and rank.
pub(super) fn label_extent(file: &OpenFile, info: &DatasetInfo) -> Result<u64, Hdf5Error> {
    if matches!(info.element, Element::Float(_) | Element::Other(_)) {
        return Err(Hdf5Error::Type {
            path: file.path.clone(),
            name: info.name.clone(),
            expected: "integers, booleans or strings",
            got: info.element.to_string(),
        });
    }
    extent::of_labels(&info.shape).map_err(|expected| refuse_shape(file, info, expected))
}

/// Reads labels: class indices, or names of classes. Strings of digits are indices.
pub(super) fn read_labels(
    file: &OpenFile,
    info: &DatasetInfo,
    n_classes: Option<usize>,
) -> Result<Labels, Hdf5Error> {
    if matches!(info.element, Element::FixedString(_) | Element::VarString) {
        return Ok(Labels::of_words(file.read_strings(info)?));
    }
    let index = |(index, value): (usize, i128)| {
        u32::try_from(value).map_err(|_| Hdf5Error::Value {
            path: file.path.clone(),
            name: info.name.clone(),
            index,
            expected: match n_classes {
                Some(n) => format!("a class index from 0 to {}", n - 1),
                None => "a class index, 0 or more".into(),
            },
            got: value.to_string(),
        })
    };
    let integers = file.read_integers(info)?;
    Ok(Labels::Indices(integers.into_iter().enumerate().map(index).collect::<Result<_, _>>()?))
}

/// Reads the names of the classes. Integers, which some sets of the course list, become their digits.
pub(super) fn read_classes(file: &OpenFile, name: &str) -> Result<Vec<String>, Hdf5Error> {
    let info = file.info(name)?;
    let n = match info.shape[..] {
        [n] | [n, 1] | [1, n] => n,
        _ => 0,
    };
    if n < 2 || n > u64::from(file.max_classes) {
        return Err(Hdf5Error::Shape {
            path: file.path.clone(),
            name: info.name,
            expected: format!("(n,), the names of 2 to {} classes", file.max_classes),
            got: info.shape,
        });
    }
    let names: Vec<String> = match info.element {
        Element::FixedString(_) | Element::VarString => file.read_strings(&info)?,
        Element::Unsigned(_) | Element::Signed(_) => {
            file.read_integers(&info)?.iter().map(i128::to_string).collect()
        }
        _ => {
            return Err(Hdf5Error::Type {
                path: file.path.clone(),
                name: info.name,
                expected: "strings or integers",
                got: info.element.to_string(),
            });
        }
    };
    for (index, class) in names.iter().enumerate() {
        if class.is_empty() || names[..index].contains(class) {
            return Err(Hdf5Error::Value {
                path: file.path.clone(),
                name: info.name,
                index,
                expected: "a name that no other class has".into(),
                got: format!("{class:?}"),
            });
        }
    }
    Ok(names)
}
