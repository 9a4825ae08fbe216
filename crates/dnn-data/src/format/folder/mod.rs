//! Image files, one an example: in a folder for each class, in one folder with the class in each
//! name, or listed in a table.
//!
//! Folders of classes are either `root/train/CLASS/…` and `root/test/CLASS/…` (and `root/val/CLASS/…`, if there is one), or
//! `root/CLASS/…`, of which a drawn part is kept apart for testing, the same share of each class.
//!
//! - Classes are in alphabetical order (by the bytes of their names); that order is kept in the
//!   model. Every split must have every class, and no class may be empty.
//! - The folders below a class are part of it, however deep. Symbolic links are followed; one that
//!   leads back up is an error. Names that begin with a dot, `__MACOSX`, `Thumbs.db` and
//!   `desktop.ini` are passed over.
//! - A file is taken for an image when its name ends as an image's does, in a format that can be
//!   read or not, or when it has no ending. Whether it is one, its content tells.
//! - Every image is decoded and prepared by the [contract](crate::InputContract), on all cores; the result
//!   does not depend on their number. Bad files are all found before the first is reported.

mod decode;
mod error;
mod flat;
mod layout;
#[cfg(feature = "csv")]
mod table;

pub use error::FolderError;
pub(super) use flat::FLAT_FOLDER;
pub(super) use layout::CLASS_FOLDERS;
pub use layout::{has_image_ending, image_files};
#[cfg(feature = "csv")]
pub(super) use table::FILE_TABLE;

use super::found::Found;
use super::options::{AboutFormat, Format, Options, Visited};
pub use super::options::{FolderOptions, OnBadImage};
use crate::{
    Batch, DataError, ImageShape, Number, Rejected, RowSelection, SplitInfo, SplitName, Values,
    Visitor,
};
use decode::Decoded;
use layout::Layout;
use std::path::{Path, PathBuf};

/// The most files that are decoded before the threads wait for one another.
const AT_ONCE: usize = 256;
/// The most bytes that these files may take as images; eight of them may take more.
const AT_ONCE_BYTES: usize = 16 << 20;

/// A format of image files of any size. Formats differ only in how they tell which file belongs to
/// which split and class.
pub(super) struct ImageFiles {
    about: AboutFormat,
    detect: fn(&Found) -> bool,
    layout: fn(&Path, &Options) -> Result<Layout, DataError>,
}

impl Format for ImageFiles {
    fn about(&self) -> &AboutFormat {
        &self.about
    }
    fn detect(&self, found: &Found) -> Result<bool, DataError> {
        Ok((self.detect)(found))
    }
    fn files(&self, path: &Path, options: &Options) -> Result<Vec<PathBuf>, DataError> {
        let listings = self.listings(path, options)?.listings;
        Ok(listings.into_iter().flat_map(|(_, listing)| listing.files).collect())
    }
    /// With [`OnBadImage::Error`], nothing more is passed on after a bad file, but the search goes
    /// on until all of them are found.
    fn visit(
        &self,
        root: &Path,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        let Layout { classes, mut listings } = self.listings(root, options)?;
        let in_part = options.rows != RowSelection::All;
        if in_part {
            for (_, listing) in &mut listings {
                *listing = listing.range(options.rows.of(listing.files.len()));
            }
            listings.retain(|(_, listing)| !listing.files.is_empty());
        }
        let options = &options.folder;
        let n_files = listings.iter().map(|(_, listing)| listing.files.len()).sum::<usize>();
        let strict = options.on_bad_image == OnBadImage::Error;
        let at_once = (AT_ONCE_BYTES / options.contract.n_values()).clamp(8, AT_ONCE);
        let (mut rejected, mut unusable) = (Vec::new(), Vec::new());
        for (split, listing) in listings {
            let goes_on = |rejected: &[Rejected]| rejected.is_empty() || !strict;
            if goes_on(&rejected) {
                let contract = &options.contract;
                let part = SplitInfo {
                    split,
                    shape: ImageShape::of(contract),
                    n: listing.files.len(),
                    number: Number::Byte,
                    contract: Some(contract.clone()),
                    path: Some(root.into()),
                };
                if !visitor.begin(part)? {
                    continue;
                }
            }
            let mut sound = vec![false; classes.len()];
            for part in listing.parts(at_once) {
                let Decoded { pixels, listing, rejected: bad } =
                    decode::decode(part, split, options);
                rejected.extend(bad);
                let (values, labels) = (Values::Bytes(&pixels), &listing.labels[..]);
                if !labels.is_empty() && goes_on(&rejected) {
                    visitor.examples(Batch { values, labels, files: &listing.files })?;
                }
                for &label in labels {
                    sound[label as usize] = true;
                }
            }
            // Every class must have kept a sound image.
            let mut without = listing.labels;
            without.retain(|&label| !sound[label as usize]);
            without.dedup();
            if !strict
                && !in_part
                && let Some(&label) = without.first()
            {
                let (root, class) = (root.into(), classes[label as usize].clone());
                return Err(FolderError::NoSoundImage { root, split, class }.into());
            }
            unusable.extend(without.into_iter().map(|label| (split, label)));
        }
        if strict && !rejected.is_empty() {
            return Err(FolderError::BadImages { root: root.into(), bad: rejected, n_files }.into());
        }
        Ok(Visited { classes, rejected, unusable, ..Visited::default() })
    }
}

impl ImageFiles {
    /// Returns the files of each split and class, with a test set drawn from the files where the
    /// source has no splits.
    fn listings(&self, root: &Path, options: &Options) -> Result<Layout, DataError> {
        let folder = &options.folder;
        folder.contract.check().map_err(crate::image::ImageError::from)?;
        if !(0.0..1.0).contains(&folder.test_share) {
            return Err(DataError::Mismatch {
                what: "share of the images to test on".into(),
                expected: "0, or more but less than 1".into(),
                got: folder.test_share.to_string(),
            });
        }
        Ok((self.layout)(root, options)?.drawn_apart(root, folder)?)
    }
}

/// Returns the files of each split of a source of image files, in the order in which they are read.
pub(crate) fn files_of_splits(
    root: &Path,
    options: &Options,
) -> Result<Vec<(SplitName, Vec<PathBuf>)>, DataError> {
    let found = Found::at(root)?;
    let all = [
        &FLAT_FOLDER,
        &CLASS_FOLDERS,
        #[cfg(feature = "csv")]
        &FILE_TABLE,
    ];
    let Some(format) = all.into_iter().find(|format| (format.detect)(&found)) else {
        return Ok(Vec::new());
    };
    let listings = format.listings(root, options)?.listings;
    Ok(listings.into_iter().map(|(split, listing)| (split, listing.files)).collect())
}

/// Returns a file with what is wrong with it; `None` when it can be used.
pub(crate) fn rejection(
    path: &Path,
    split: SplitName,
    options: &FolderOptions,
) -> Option<Rejected> {
    decode::rejection(path, split, options)
}
