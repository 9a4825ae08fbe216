//! Images, labels and class names, each checked before and after it is read.

use super::Hdf5Error;
use super::backend::{DatasetInfo, Element};
use super::file::OpenFile;
use crate::{ImageShape, extent};
use std::path::Path;

/// Number and size of the images; type, rank and size are checked. Floats may also be a table.
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

/// Number of the labels; type and rank are checked.
pub(super) fn label_extent(file: &OpenFile, info: &DatasetInfo) -> Result<u64, Hdf5Error> {
    if matches!(info.element, Element::Float(_) | Element::Other(_)) {
        return Err(Hdf5Error::Type {
            path: file.path.clone(),
            name: info.name.clone(),
            expected: "integers, booleans or strings of digits",
            got: info.element.to_string(),
        });
    }
    extent::of_labels(&info.shape).map_err(|expected| refuse_shape(file, info, expected))
}

/// Class indices, each below the number of classes when that is known.
pub(super) fn read_labels(
    file: &OpenFile,
    info: &DatasetInfo,
    classes: Option<&[String]>,
) -> Result<Vec<u32>, Hdf5Error> {
    let refuse = |index: usize, got: String| {
        let expected = match classes {
            Some(classes) => format!("a class index from 0 to {}", classes.len() - 1),
            None => "a class index, 0 or more".into(),
        };
        let (path, name) = (file.path.clone(), info.name.clone());
        Hdf5Error::Value { path, name, index, expected, got }
    };
    let is_string = matches!(info.element, Element::FixedString(_) | Element::VarString);
    let labels: Vec<u32> = if is_string {
        let strings = file.read_strings(info)?;
        let digits = |(index, text): (usize, String)| match text.trim().parse() {
            Ok(label) => Ok(label),
            Err(_) => Err(refuse(index, format!("{text:?}"))),
        };
        strings.into_iter().enumerate().map(digits).collect::<Result<_, _>>()?
    } else {
        let integers = file.read_integers(info)?;
        let index = |(index, value): (usize, i128)| {
            u32::try_from(value).map_err(|_| refuse(index, value.to_string()))
        };
        integers.into_iter().enumerate().map(index).collect::<Result<_, _>>()?
    };
    if let Some(classes) = classes {
        check_range(&file.path, &info.name, &labels, classes.len())?;
    }
    Ok(labels)
}

/// Every label must be below the number of classes.
pub(super) fn check_range(
    path: &Path,
    name: &str,
    labels: &[u32],
    n_classes: usize,
) -> Result<(), Hdf5Error> {
    match labels.iter().position(|&label| label as usize >= n_classes) {
        None => Ok(()),
        Some(index) => Err(Hdf5Error::Value {
            path: path.into(),
            name: name.into(),
            index,
            expected: format!("a class index from 0 to {}", n_classes.saturating_sub(1)),
            got: labels[index].to_string(),
        }),
    }
}

/// Names of the classes. Some sets of the course list integers: those become their digits.
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
