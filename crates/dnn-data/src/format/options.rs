//! What every format is asked for and says.

use super::found::Found;
#[cfg(feature = "folder")]
use crate::InputContract;
#[cfg(feature = "folder")]
use crate::image::DecodeLimits;
use crate::{DataError, Limits, Names, Rejected, Scale, Visitor};
#[cfg(feature = "folder")]
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A kind of data: how it is told from others, and how its examples are read.
pub(crate) trait Format: Sync {
    /// What it is called: "HDF5".
    fn name(&self) -> &'static str;
    /// What is looked for in a folder; `None` when only files are of this kind.
    fn in_folders(&self) -> Option<&'static str> {
        None
    }
    /// What a file of this kind is called in a list of them; `None` when only folders are.
    fn in_files(&self) -> Option<&'static str> {
        None
    }
    /// Whether arrays are read by the names that [`Options::names`] gives.
    fn has_names(&self) -> bool {
        false
    }
    /// Whether a column of labels is chosen by [`Options::label`].
    fn has_columns(&self) -> bool {
        false
    }
    /// Whether examples are image files of any size, prepared by [`Options::folder`].
    fn has_image_files(&self) -> bool {
        false
    }
    /// Whether what was found is of this kind.
    fn detect(&self, found: &Found) -> Result<bool, DataError>;
    /// The files that [`visit`](Self::visit) reads.
    fn files(&self, path: &Path, options: &Options) -> Result<Vec<PathBuf>, DataError>;
    /// Passes all examples on, and says what is known when that is done.
    fn visit(
        &self,
        path: &Path,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError>;
}

/// What is asked of a source; each format looks at what concerns it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// What a file may ask for.
    pub limits: Limits,
    /// The library that reads HDF5.
    #[cfg(feature = "hdf5")]
    pub backend: super::hdf5::Backend,
    /// The arrays to read from HDF5 or .npz, when they do not have the usual names; they are the
    /// training set then.
    pub names: Option<Names>,
    /// The column of a table that holds the labels: its number from 1, or its name.
    pub label: Option<String>,
    /// How numbers that are no bytes become features.
    pub scale: Scale,
    /// How image files are prepared, and what is done about bad ones.
    #[cfg(feature = "folder")]
    pub folder: FolderOptions,
}

/// What is known of a source when all its examples have been passed on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Visited {
    /// Names of the classes, of all splits.
    pub classes: Vec<String>,
    /// The image files that were left out.
    pub rejected: Vec<Rejected>,
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
    /// They are left out; [`Splits::rejected`](crate::Splits::rejected) has them.
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
