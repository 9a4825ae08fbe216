//! The trait of all formats, and what a caller can ask of a reader: limits, names of arrays,
//! options.

use super::found::Found;
#[cfg(feature = "folder")]
use crate::InputContract;
#[cfg(feature = "folder")]
use crate::image::DecodeLimits;
use crate::{DataError, Rejected, RowSelection, Scale, SplitName, Visitor};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A format of data: how it is recognised, and how its examples are read.
pub(crate) trait Format: Sync {
    /// Returns what the format is called and what can be asked of it.
    fn about(&self) -> &AboutFormat;
    /// Returns whether what was found is of this format.
    fn detect(&self, found: &Found) -> Result<bool, DataError>;
    /// Returns the files that [`visit`](Self::visit) reads: the path itself, unless a format
    /// overrides this.
    fn files(&self, path: &Path, _: &Options) -> Result<Vec<PathBuf>, DataError> {
        Ok(vec![path.into()])
    }
    /// Passes all examples to the visitor, and returns what is known after that.
    fn visit(
        &self,
        path: &Path,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError>;
}

/// What a format is called, and what can be asked of it.
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub(crate) struct AboutFormat {
    /// Name of the format: "HDF5".
    pub(crate) name: &'static str,
    /// What is looked for in a folder; `None` when only files are of this kind.
    pub(crate) in_folders: Option<&'static str>,
    /// What a file of this kind is called in a list of formats; `None` when only folders are.
    pub(crate) in_files: Option<&'static str>,
    /// Whether arrays are read by the names that [`Options::names`] gives.
    pub(crate) has_names: bool,
    /// Whether a column of labels is chosen by [`Options::label`].
    pub(crate) has_columns: bool,
    /// Whether examples are image files of any size, prepared by [`Options::folder`].
    pub(crate) has_image_files: bool,
    /// Whether [`Options::rows`] limits what is read; else all is read, and the others are passed over.
    pub(crate) takes_rows: bool,
}

impl AboutFormat {
    /// A format of which nothing more can be asked, to be completed with `..`.
    pub(crate) const PLAIN: Self = Self {
        name: "",
        in_folders: None,
        in_files: None,
        has_names: false,
        has_columns: false,
        has_image_files: false,
        takes_rows: false,
    };
}

/// The limits of what a file may declare: a damaged extent can ask for any amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one array in memory; 4 GiB by default. The images of a split are one
    /// array.
    pub max_bytes: u64,
    /// The largest number of classes; 4096 by default.
    pub max_classes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 4 << 30, max_classes: 4096 }
    }
}

/// Which arrays of a file hold the images, the labels and the names of the classes.
///
/// In HDF5, names are paths: `group/x` is the dataset `x` of the group `group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// (m, height, width, 3), (m, height, width, 1) or (m, height, width); or a table, (m, n).
    #[serde(rename = "x")]
    #[schemars(extend(
        "x-example" = "images",
        "x-requires" = "y",
        "x-help" = "Dataset (HDF5) or array (.npz) of the images, when it does not have a usual name \
                    such as train_set_x or x_train"
    ))]
    pub images: String,
    /// Class indices, (m), (m, 1) or (1, m).
    #[serde(rename = "y")]
    #[schemars(extend(
        "x-example" = "labels",
        "x-requires" = "x",
        "x-help" = "Dataset or array of the labels"
    ))]
    pub labels: String,
    /// Strings or integers, one a class; when left out, `list_classes` if the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "x-example" = "class_names",
        "x-flag" = "class-names",
        "x-requires" = "x",
        "x-help" = "Dataset or array of the class names, when it is not called list_classes"
    ))]
    pub classes: Option<String>,
}

/// How a source is read; each format takes the options that concern it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The limits of what a file may declare.
    pub limits: Limits,
    /// The library that reads HDF5.
    #[cfg(feature = "hdf5")]
    pub backend: super::hdf5::Backend,
    /// The arrays to read from HDF5 or .npz, when they do not have the usual names; they are the
    /// training set then.
    pub names: Option<Names>,
    /// The column of a table that holds the labels: its number from 1, or its name.
    pub label: Option<String>,
    /// How many features an example has, where examples need no labels: a table of so many columns has
    /// none, and its batches come without labels.
    pub n_features: Option<usize>,
    /// How numbers that are no bytes become features.
    pub scale: Scale,
    /// Which examples of each split are read.
    pub rows: RowSelection,
    /// How image files are prepared, and what happens to those that cannot be used.
    #[cfg(feature = "folder")]
    pub folder: FolderOptions,
}

/// What is known of a source after all its examples have been passed on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Visited {
    /// Names of the classes, of all splits.
    pub classes: Vec<String>,
    /// The image files that were left out.
    pub rejected: Vec<Rejected>,
    /// Where only [some rows](Options::rows) were read: the splits and classes of which these have image
    /// files, but none that can be used.
    pub unusable: Vec<(SplitName, u32)>,
    /// What was decided about the source that a person should know.
    pub notes: Vec<String>,
}

/// What to do about an image file that cannot be used.
#[cfg(feature = "folder")]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum OnBadImage {
    /// All of them are listed and nothing is loaded.
    #[default]
    Error,
    /// They are left out, and listed with the reasons.
    Skip,
}

/// How a folder of images is read.
#[cfg(feature = "folder")]
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
    /// How many images are decoded at a time; 0 for as many as there are cores.
    pub n_threads: usize,
}

#[cfg(feature = "folder")]
impl FolderOptions {
    /// The usual options, with images prepared by this contract.
    pub fn new(contract: InputContract) -> Self {
        Self {
            contract,
            on_bad_image: OnBadImage::default(),
            test_share: 0.2,
            seed: 1,
            limits: DecodeLimits::default(),
            n_threads: 0,
        }
    }
}

#[cfg(feature = "folder")]
impl Default for FolderOptions {
    /// RGB images of 64×64, as the course's.
    fn default() -> Self {
        Self::new(InputContract::default())
    }
}
