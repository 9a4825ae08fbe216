//! Images and labels in NumPy's .npz, as `numpy.savez` and `numpy.savez_compressed` write it, and in
//! pairs of .npy, as `numpy.save` does.
//!
//! Images are (m, height, width), or with 1 or 3 channels after them, and tables (m, n); labels are
//! integers, or names of classes. Names of classes are taken from `list_classes` or `class_names`,
//! where the file has them. Pickled objects are refused: reading them runs what code they bring.

mod archive;
mod header;
mod pair;

use super::array::{self, Array};
use super::found::Found;
use super::names::{CLASSES, usual};
use super::options::{AboutFormat, Format, Options, Visited};
use crate::classes;
use crate::content::{EMPTY_ZIP, ZIP};
use crate::{DataError, ImageShape, Limits, SplitInfo, SplitName, Visitor};
use archive::{Archive, ArrayEntry};
pub(super) use pair::NpyPair;
use std::path::Path;

/// Reads the sets of an .npz by their usual names: `x_train`, `y_train`, `x_test`, `y_test`;
/// `train_images`, `train_labels` and so on; or `X` and `y`, `images` and `labels`, which are to
/// train on. Case does not matter.
pub(super) struct Npz;

impl Format for Npz {
    fn about(&self) -> &AboutFormat {
        &AboutFormat {
            name: ".npz",
            in_files: Some("NumPy's .npz"),
            has_names: true,
            ..AboutFormat::PLAIN
        }
    }
    fn detect(&self, found: &Found) -> Result<bool, DataError> {
        let is_zip = |head: &[u8]| head.starts_with(ZIP) || head.starts_with(EMPTY_ZIP);
        Ok(found.file().is_some_and(|file| file.begins(is_zip)))
    }
    /// An array in Fortran's order, whose first index varies fastest, is read as a whole.
    fn visit(
        &self,
        path: &Path,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        let limits = &options.limits;
        let mut archive = Archive::open(path)?;
        let pairs = match &options.names {
            Some(names) => vec![(SplitName::Train, names.images.clone(), names.labels.clone())],
            None => usual_pairs(&archive)?,
        };
        let named = options.names.as_ref().and_then(|names| names.classes.as_deref());
        let named = named.or_else(|| CLASSES.into_iter().find(|n| archive.find(n).is_some()));
        let named = named.map(|name| archive.names(name, limits)).transpose()?;
        let (mut opened, mut labels) = (Vec::new(), Vec::new());
        for (split, x, y) in pairs {
            let (images, label_entry) = (archive.entry(&x)?, archive.entry(&y)?);
            let array = archive.numbers(&images)?;
            let label_array = archive.label_array(&label_entry);
            let shape = array::check_pair(&array, &label_array)?;
            labels.push(archive.labels(&label_entry, &label_array, limits)?);
            opened.push(OpenArrays { split, images, array, shape, label_array });
        }
        let (labels, classes) = classes::resolve(labels, named, limits.max_classes)
            .map_err(|bad| opened[bad.set].label_array.bad_label(bad))?;
        for (set, labels) in opened.iter().zip(labels) {
            let &OpenArrays { split, ref images, ref array, shape, .. } = set;
            let part = SplitInfo {
                split,
                shape,
                n: labels.len(),
                number: array.number(),
                contract: None,
                path: Some(path.into()),
            };
            if visitor.begin(part)? {
                archive.pass_on(images, array, shape, &labels, limits, visitor)?;
            }
        }
        Ok(Visited { classes, ..Visited::default() })
    }
}

/// Two arrays of an archive that belong together.
struct OpenArrays {
    split: SplitName,
    images: ArrayEntry,
    array: Array,
    shape: ImageShape,
    label_array: Array,
}

/// Returns the arrays that have usual names.
fn usual_pairs(archive: &Archive) -> Result<Vec<(SplitName, String, String)>, DataError> {
    let find = |name: &str| Ok::<_, DataError>(archive.own_name(name));
    let pairs = usual(find)?;
    if pairs.is_empty() {
        return Err(archive.missing(
            "x_train and y_train, train_images and train_labels, the same with test, or X and y; \
             name others with --x and --y"
                .into(),
        ));
    }
    Ok(pairs)
}

impl Archive {
    /// Passes the images of an array to a visitor, some at a time where their order allows it.
    fn pass_on(
        &mut self,
        images: &ArrayEntry,
        array: &Array,
        shape: ImageShape,
        labels: &[u32],
        limits: &Limits,
        visitor: &mut dyn Visitor,
    ) -> Result<(), DataError> {
        if images.header.is_in_order() {
            return self.visit(images, shape, labels, visitor);
        }
        let bytes = self.read(images, array.n_bytes(limits)?)?;
        array.visit_bytes(&bytes, shape, labels, visitor)
    }
}
