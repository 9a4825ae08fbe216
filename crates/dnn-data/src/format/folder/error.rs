//! Why a folder of images cannot be used.

use crate::Shown;
use crate::classes::listed;
use crate::{Rejected, SplitName};
use std::path::PathBuf;

/// Why a folder of images cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The file system refused, or a link leads back up.
    #[error("{}: {operation} failed", path.shown())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The system's own words.
        source: std::io::Error,
    },
    /// There are no folders of classes.
    #[error(
        "{}: expected a folder for each class with its images, or train and test with such folders, \
         got {got}", root.shown()
    )]
    NoClasses {
        /// The folder.
        root: PathBuf,
        /// What it holds.
        got: String,
    },
    /// The only folder holds folders itself.
    #[error(
        "{}: expected a folder for each class, got only {}, which holds folders itself: the classes \
         lie one level too deep, so name that folder as the data", root.shown(), folder.shown()
    )]
    ClassesDeeper {
        /// The folder.
        root: PathBuf,
        /// The folder in it.
        folder: PathBuf,
    },
    /// There are other folders beside those of splits.
    #[error(
        "{}: expected train, val and test only, got {} beside them", root.shown(), listed(others)
    )]
    BesideSplits {
        /// The folder.
        root: PathBuf,
        /// The other folders.
        others: Vec<String>,
    },
    /// Two folders have names that mean the same split.
    #[error("{}: {first} and {second} both name the same split", root.shown())]
    SplitTwice {
        /// The folder.
        root: PathBuf,
        /// One of them.
        first: String,
        /// The other one.
        second: String,
    },
    /// The folder of a class has no images.
    #[error("{}: expected images, got none: the class {} is empty", path.shown(), class.shown())]
    EmptyClass {
        /// The class's folder.
        path: PathBuf,
        /// Its name.
        class: String,
    },
    /// A split has a class that another split does not have.
    #[error(
        "{}: {} has the class {}, {} has no folder of that name", root.shown(),
        with.phrase(), class.shown(), without.phrase()
    )]
    MissingClass {
        /// The folder.
        root: PathBuf,
        /// The class.
        class: String,
        /// A split that has the class.
        with: SplitName,
        /// A split that does not have the class.
        without: SplitName,
    },
    /// The names of two classes differ in case only.
    #[error(
        "{}: the classes {} and {} differ in case only: which is it?", root.shown(),
        first.shown(), second.shown()
    )]
    SameButCase {
        /// The folder.
        root: PathBuf,
        /// One name.
        first: String,
        /// The other one.
        second: String,
    },
    /// None of the image files of a class can be used.
    #[error(
        "{}: the class {} has no sound image in {}", root.shown(), class.shown(), split.phrase()
    )]
    NoSoundImage {
        /// The folder.
        root: PathBuf,
        /// The split.
        split: SplitName,
        /// The class.
        class: String,
    },
    /// A class has too few images for a test set to be drawn from them.
    #[error(
        "{}: of the {n} images of class {} a share of {share} for testing is none; add images, \
         ask for another share, or for 0 to test on nothing", root.shown(), class.shown()
    )]
    TooFewToSplit {
        /// The folder.
        root: PathBuf,
        /// The class.
        class: String,
        /// How many images it has.
        n: usize,
        /// The share asked for.
        share: f64,
    },
    /// Image files cannot be used; all of them are listed.
    #[error("{}: {} of {n_files} image files cannot be used:{}", root.shown(), bad.len(), list(bad))]
    BadImages {
        /// The folder.
        root: PathBuf,
        /// The files.
        bad: Vec<Rejected>,
        /// How many files there are.
        n_files: usize,
    },
    /// Folders look like splits, but their names are not those of splits.
    #[error(
        "{}: {} {}, so they look like splits and not like classes; read are \
         train, val (or valid, validation, dev) and test as the name of a folder or a part of it, \
         such as train/CLASS, training_set/CLASS or val_signs/CLASS", root.shown(), listed(folders),
        if classes.is_empty() {
            "begin with the words of splits".into()
        } else {
            format!("hold the same folders ({})", listed(classes))
        }
    )]
    UnknownSplits {
        /// The folder.
        root: PathBuf,
        /// What it holds.
        folders: Vec<String>,
        /// The folders that each of them holds; empty where only their names look like splits.
        classes: Vec<String>,
    },
    /// There are more folders than there can be classes.
    #[error(
        "{}: expected a folder for each class, {max} at most, got {n} folders; are the classes one \
         level deeper, or in the names of the files?", root.shown()
    )]
    TooManyClasses {
        /// The folder.
        root: PathBuf,
        /// How many folders it holds.
        n: usize,
        /// How many classes there may be.
        max: u32,
    },
    /// The name of an image contains no class.
    #[error(
        "{}: expected the class and a number in the name of each image, as in cat.0.jpg, or a folder \
         for each class, got {}", root.shown(), file.shown()
    )]
    NoClassInName {
        /// The folder.
        root: PathBuf,
        /// The image.
        file: PathBuf,
    },
    /// The random number generator does not accept the seed.
    #[error("{}: {reason}", root.shown())]
    Seed {
        /// The folder.
        root: PathBuf,
        /// The reason.
        reason: String,
    },
}

/// A line for each file.
fn list(bad: &[Rejected]) -> String {
    let line = |r: &Rejected| format!("\n  {}: {}", r.path.shown(), r.reason);
    bad.iter().map(line).collect()
}
