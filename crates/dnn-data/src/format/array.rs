//! Arrays of numbers in a file: checked by what their headers declare, then turned into images and
//! labels.

use crate::Shown;
use crate::classes::{BadLabel, Labels};
use crate::element::{ElementKind, ElementType};
use crate::visit::block_rows;
use crate::{Batch, Buffer, DataError, ImageShape, Limits, Number, Values, Visitor, extent};
use std::path::{Path, PathBuf};

/// An array as its file declares it.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    pub(crate) path: PathBuf,
    /// Name for messages; empty when the file holds one array only.
    pub(crate) name: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) element: ElementType,
}

impl Array {
    /// Returns the type that the numbers are kept in: numbers of four bytes and less in single
    /// precision, except integers of four bytes, which it cannot represent.
    pub(crate) fn number(&self) -> Number {
        match (self.element.kind, self.element.bytes) {
            (ElementKind::Unsigned, 1) => Number::Byte,
            (ElementKind::Float, 4) | (_, 1 | 2) => Number::F32,
            _ => Number::F64,
        }
    }

    /// Returns the bytes of all elements in the file, after checking that they fit into memory as
    /// images.
    pub(crate) fn n_bytes(&self, limits: &Limits) -> Result<usize, DataError> {
        // Whatever is no byte becomes a number beside what was read.
        let number = self.number();
        self.n_bytes_with(if number == Number::Byte { 0 } else { number.n_bytes() as u64 }, limits)
    }

    /// Returns the bytes of all elements in the file, after checking that they fit into memory as
    /// labels.
    pub(crate) fn n_label_bytes(&self, limits: &Limits) -> Result<usize, DataError> {
        // Each becomes a u32 beside what was read.
        self.n_bytes_with(4, limits)
    }

    /// Does the same for elements that each take `beside` bytes in addition to their own.
    fn n_bytes_with(&self, beside: u64, limits: &Limits) -> Result<usize, DataError> {
        let width = u64::from(self.element.bytes);
        let in_memory = width + beside;
        let n = self.shape.iter().try_fold(1_u64, |n, &d| n.checked_mul(d));
        let bytes = n.and_then(|n| n.checked_mul(in_memory));
        match bytes.filter(|bytes| *bytes <= limits.max_bytes) {
            Some(bytes) => Ok((bytes / in_memory * width) as usize),
            None => Err(DataError::Limit {
                path: self.path.clone(),
                what: format!("{} of shape {}", self.what("the array"), extent::shown(&self.shape)),
                bytes,
                limit: limits.max_bytes,
            }),
        }
    }

    /// Reads labels, each below the limit.
    pub(crate) fn labels(&self, bytes: &[u8], limits: &Limits) -> Result<Labels, DataError> {
        let label = |i: usize, value: i128| match u32::try_from(value) {
            Ok(label) if label < limits.max_classes => Ok(label),
            _ => {
                let expected = format!("a class index from 0 to {}", limits.max_classes - 1);
                let what = format!("label {i}{}", self.in_name());
                Err(mismatch(&self.path, what, expected, value.to_string()))
            }
        };
        let mut labels = Vec::with_capacity(bytes.len() / usize::from(self.element.bytes));
        for (i, value) in self.element.integers(bytes).enumerate() {
            labels.push(label(i, value)?);
        }
        Ok(Labels::Indices(labels))
    }

    /// Returns the error about a label of this array.
    pub(crate) fn bad_label(&self, bad: BadLabel) -> DataError {
        let what = format!("label {}{}", bad.index, self.in_name());
        mismatch(&self.path, what, bad.expected, bad.got)
    }

    /// Passes the images to a visitor, some at a time, as `fill` reads their bytes.
    pub(crate) fn visit(
        &self,
        shape: ImageShape,
        labels: &[u32],
        visitor: &mut dyn Visitor,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let row_bytes = shape.n_bytes() * usize::from(self.element.bytes);
        let mut bytes = Vec::new();
        for labels in labels.chunks(block_rows(row_bytes)) {
            bytes.resize(labels.len() * row_bytes, 0);
            fill(&mut bytes)?;
            let numbers = match self.number() {
                Number::Byte => None,
                number => Some(self.element.numbers(&bytes, number)),
            };
            let values = numbers.as_ref().map_or(Values::Bytes(&bytes), Buffer::values);
            visitor.examples(Batch { values, labels, files: &[] })?;
        }
        Ok(())
    }

    /// Passes images whose bytes are in memory to a visitor.
    pub(crate) fn visit_bytes(
        &self,
        bytes: &[u8],
        shape: ImageShape,
        labels: &[u32],
        visitor: &mut dyn Visitor,
    ) -> Result<(), DataError> {
        let mut rest = bytes;
        self.visit(shape, labels, visitor, |block| {
            let (next, after) = rest.split_at(block.len());
            block.copy_from_slice(next);
            rest = after;
            Ok(())
        })
    }

    fn refuse_shape(&self, expected: String) -> DataError {
        let what = format!("shape{}", self.of_name());
        mismatch(&self.path, what, expected, extent::shown(&self.shape))
    }

    fn what(&self, nameless: &str) -> String {
        if self.name.is_empty() { nameless.into() } else { format!("`{}`", self.name) }
    }

    fn of_name(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" of `{}`", self.name) }
    }

    fn in_name(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) }
    }
}

/// Checks by their headers that images and labels go together, and returns the size of an image.
pub(crate) fn check_pair(images: &Array, labels: &Array) -> Result<ImageShape, DataError> {
    let (n_images, shape) =
        extent::of_images(&images.shape, true).map_err(|expected| images.refuse_shape(expected))?;
    let n_labels =
        extent::of_labels(&labels.shape).map_err(|expected| labels.refuse_shape(expected))?;
    if labels.element.kind == ElementKind::Float {
        let what = format!("type of {}", labels.what("the labels"));
        let expected = "integers, one class index for each image".into();
        return Err(mismatch(&labels.path, what, expected, labels.element.to_string()));
    }
    if n_images != n_labels {
        let what = format!("number of labels{}", labels.in_name());
        let from = if images.path == labels.path {
            images.what("the images")
        } else {
            images.path.shown().to_string()
        };
        let expected = format!("{n_images}, one for each image of {from}");
        return Err(mismatch(&labels.path, what, expected, n_labels.to_string()));
    }
    Ok(shape)
}

fn mismatch(path: &Path, what: String, expected: String, got: String) -> DataError {
    DataError::File { path: path.into(), what, expected, got }
}
