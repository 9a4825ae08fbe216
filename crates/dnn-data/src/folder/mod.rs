//! Folders of images: one folder a class.
//!
//! Either `root/train/CLASS/…` and `root/test/CLASS/…` (and `root/val/CLASS/…`, if there is one), or
//! `root/CLASS/…`, of which a drawn part is kept apart for testing, the same share of each class.
//!
//! - Classes are in alphabetical order (by the bytes of their names); that order is kept in the
//!   model. Every split must have every class, and no class may be empty.
//! - The folders below a class are part of it, however deep. Symbolic links are followed; one that
//!   leads back up is an error. Names that begin with a dot, `__MACOSX`, `Thumbs.db` and
//!   `desktop.ini` are passed over.
//! - A file is taken for an image when its name ends as an image's does, in a format that can be
//!   read or not, or when it has no ending. Whether it is one, its content tells.
//! - Every image is decoded and prepared by the [contract](InputContract), on all cores; the result
//!   does not depend on their number. Bad files are all found before the first is reported.

mod decode;
mod error;
mod layout;

pub use crate::SplitName;
pub use error::FolderError;
pub use layout::is_image_folder;

use crate::InputContract;
use crate::image::DecodeLimits;
use crate::{DataError, ImageSet, ImageShape, Part, Rejected, Splits, Values, Visitor};
use decode::Decoded;
use layout::Layout;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What to do about an image file that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBadImage {
    /// All of them are listed and nothing is loaded.
    #[default]
    Error,
    /// They are left out; [`Splits::rejected`] has them.
    Skip,
}

/// How a folder of images is read.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderOptions {
    /// How the images are prepared.
    pub contract: InputContract,
    /// What to do about files that cannot be used.
    pub on_bad_image: OnBadImage,
    /// Of `root/CLASS`, the share of each class to keep apart for testing; 0.2 by default, 0 for
    /// none.
    pub test_share: f64,
    /// Seed of the drawing of that share; 1 by default.
    pub seed: u64,
    /// What decoding an image may take.
    pub limits: DecodeLimits,
    /// Bytes that the prepared images may take; 4 GiB by default.
    pub max_bytes: u64,
    /// How many images are decoded at a time; 0 for as many as there are cores.
    pub n_threads: usize,
}

impl FolderOptions {
    /// The usual options, with images prepared by this contract.
    pub fn new(contract: InputContract) -> Self {
        Self {
            contract,
            on_bad_image: OnBadImage::default(),
            test_share: 0.2,
            seed: 1,
            limits: DecodeLimits::default(),
            max_bytes: 4 << 30,
            n_threads: 0,
        }
    }
}

impl Default for FolderOptions {
    /// RGB images of 64×64, as the course's.
    fn default() -> Self {
        Self::new(InputContract::rgb(64, 64).expect("a size that an input may have"))
    }
}

/// How many files are decoded before the threads wait for one another, at most.
const AT_ONCE: usize = 256;
/// What they may take; eight of them may take more.
const AT_ONCE_BYTES: usize = 16 << 20;

/// Reads a folder of images. `progress` is told how many of how many files are done, from any
/// thread.
///
/// # Errors
/// [`FolderError`]: what is wrong with the folder, or all files that are no sound images.
pub fn load(
    root: &Path,
    options: &FolderOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Splits, DataError> {
    let contract = &options.contract;
    let Layout { classes, listings } = layout(root, options)?;
    let n_files = listings.iter().map(|(_, listing)| listing.files.len()).sum::<usize>();
    let n_bytes = contract.n_features() as u64 * n_files as u64;
    if n_bytes > options.max_bytes {
        let (root, limit) = (root.into(), options.max_bytes);
        return Err(FolderError::TooLarge { root, n_files, n_bytes, limit }.into());
    }

    let n_done = AtomicUsize::new(0);
    let tick = || progress(n_done.fetch_add(1, Ordering::Relaxed) + 1, n_files);
    let decoded: Vec<_> = listings
        .into_iter()
        .map(|(split, listing)| (split, decode::decode(listing, options, &tick)))
        .collect();
    if options.on_bad_image == OnBadImage::Error
        && decoded.iter().any(|(_, decoded)| !decoded.rejected.is_empty())
    {
        let bad = decoded.into_iter().flat_map(|(_, decoded)| decoded.rejected).collect();
        return Err(FolderError::BadImages { root: root.into(), bad, n_files }.into());
    }

    let shape = ImageShape::of(contract);
    let mut splits = Splits::default();
    for (split, Decoded { pixels, listing, rejected }) in decoded {
        check_classes(root, split, &listing.labels, &classes)?;
        let set = ImageSet::new(pixels, shape, listing.labels, classes.clone())?
            .read_from(listing.files, contract.clone());
        splits.rejected.extend(rejected);
        let path = Some(root.into());
        match split {
            SplitName::Train | SplitName::All => {
                (splits.train, splits.train_path) = (Some(set), path);
            }
            SplitName::Test => (splits.test, splits.test_path) = (Some(set), path),
            SplitName::Validation => splits.validation = Some(set),
        }
    }
    splits.check()?;
    Ok(splits)
}

/// The layout that a folder is read by.
fn layout(root: &Path, options: &FolderOptions) -> Result<Layout, DataError> {
    options.contract.check().map_err(crate::image::ImageError::from)?;
    if !(0.0..1.0).contains(&options.test_share) {
        return Err(DataError::Mismatch {
            what: "share of the images to test on".into(),
            expected: "0, or more but less than 1".into(),
            got: options.test_share.to_string(),
        });
    }
    Ok(Layout::of(root)?.drawn_apart(root, options)?)
}

/// Every class must have kept a sound image.
fn check_classes(
    root: &Path,
    split: SplitName,
    labels: &[u32],
    classes: &[String],
) -> Result<(), FolderError> {
    let of_class = |label| labels.iter().any(|l| *l as usize == label);
    match (0..classes.len()).find(|label| !of_class(*label)) {
        None => Ok(()),
        Some(label) => {
            let class = classes[label].clone();
            Err(FolderError::NoSoundImage { root: root.into(), split, class })
        }
    }
}

/// The files of a folder in the order in which [`load`] reads them.
pub(crate) fn files(
    root: &Path,
    options: &FolderOptions,
) -> Result<Vec<(SplitName, Vec<PathBuf>)>, DataError> {
    let listings = layout(root, options)?.listings;
    Ok(listings.into_iter().map(|(split, listing)| (split, listing.files)).collect())
}

/// Passes the images of [`load`] on, some at a time; and gives the classes and what was left out.
///
/// With [`OnBadImage::Error`] nothing is passed on any more when one is bad, but all of them are
/// found.
pub(crate) fn visit(
    root: &Path,
    options: &FolderOptions,
    visitor: &mut dyn Visitor,
) -> Result<(Vec<String>, Vec<Rejected>), DataError> {
    let Layout { classes, listings } = layout(root, options)?;
    let n_files = listings.iter().map(|(_, listing)| listing.files.len()).sum::<usize>();
    let strict = options.on_bad_image == OnBadImage::Error;
    let at_once = (AT_ONCE_BYTES / options.contract.n_features()).clamp(8, AT_ONCE);
    let mut all_rejected = Vec::new();
    for (split, listing) in listings {
        let goes_on = |rejected: &[Rejected]| rejected.is_empty() || !strict;
        if goes_on(&all_rejected) {
            let contract = &options.contract;
            let (shape, n) = (ImageShape::of(contract), listing.files.len());
            let part = Part { split, shape, n, contract: Some(contract.clone()) };
            if !visitor.begin(part)? {
                continue;
            }
        }
        let mut labels = Vec::new();
        for part in listing.parts(at_once) {
            let Decoded { pixels, listing, rejected } = decode::decode(part, options, &|| ());
            all_rejected.extend(rejected);
            if !listing.labels.is_empty() && goes_on(&all_rejected) {
                visitor.examples(Values::Bytes(&pixels), &listing.labels)?;
            }
            labels.extend(listing.labels);
        }
        if !strict {
            check_classes(root, split, &labels, &classes)?;
        }
    }
    if strict && !all_rejected.is_empty() {
        return Err(FolderError::BadImages { root: root.into(), bad: all_rejected, n_files }.into());
    }
    Ok((classes, all_rejected))
}

/// What is wrong with a file; nothing is, if it is sound.
#[cfg(feature = "cache")]
pub(crate) fn rejection(path: &Path, options: &FolderOptions) -> Option<Rejected> {
    decode::rejection(path, options)
}
