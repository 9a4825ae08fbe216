//! Which files of a folder belong to which split and class.

use super::super::found::Found;
use super::super::options::AboutFormat;
use super::{FolderError, FolderOptions, ImageFiles};
use crate::SplitName;
use dnn_core::rng::RngKind;
use dnn_core::split;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Endings of images' names, whether or not their format is one that can be read: a picture that
/// cannot be read is reported, not passed over.
const ENDINGS: [&str; 20] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "dib", "webp", "tif", "tiff",
    "heic", "heif", "avif", "jp2", "jxl", "ppm", "pgm", "tga",
];

/// Folders of images, one for each class, in folders of splits or without.
pub(in super::super) static CLASS_FOLDERS: ImageFiles = ImageFiles {
    about: AboutFormat {
        name: "a folder for each class",
        in_folders: Some("folders of images, one for each class"),
        has_image_files: true,
        takes_rows: true,
        ..AboutFormat::PLAIN
    },
    detect: |found| match found {
        Found::Folder { path, .. } => is_image_folder(path),
        Found::File(_) => false,
    },
    layout: |root, options| Ok(Layout::of(root, options.limits.max_classes)?),
};

/// The files of a split, in the order of their classes and paths.
pub(super) struct Listing {
    pub(super) files: Vec<PathBuf>,
    pub(super) labels: Vec<u32>,
}

impl Listing {
    /// Returns the listing of the files at these places.
    pub(super) fn range(&self, places: Range<usize>) -> Self {
        let (files, labels) = (&self.files[places.clone()], &self.labels[places]);
        Self { files: files.to_vec(), labels: labels.to_vec() }
    }

    /// Returns the listing in parts of at most this many files.
    pub(super) fn parts(&self, n: usize) -> impl Iterator<Item = Self> + '_ {
        let m = self.files.len();
        (0..m).step_by(n).map(move |from| self.range(from..m.min(from + n)))
    }
}

/// The classes of a folder, and the files of each of its splits.
pub(super) struct Layout {
    pub(super) classes: Vec<String>,
    pub(super) listings: Vec<(SplitName, Listing)>,
}

/// Returns whether a folder looks like a folder of images: a file with an image's name lies one or
/// two folders below it.
pub(super) fn is_image_folder(root: &Path) -> bool {
    WalkDir::new(root)
        .min_depth(2)
        .max_depth(4)
        .follow_links(true)
        .into_iter()
        .filter_entry(|entry| !is_passed_over(entry.file_name()))
        .filter_map(Result::ok)
        .any(|entry| {
            let path = entry.path();
            entry.file_type().is_file() && path.extension().is_some() && has_image_ending(path)
        })
}

impl Layout {
    fn of(root: &Path, max_classes: u32) -> Result<Self, FolderError> {
        let folders = folders(root)?;
        let mut splits: Vec<(SplitName, PathBuf)> = Vec::new();
        let mut others = Vec::new();
        let are_splits = folders.len() > 1
            && folders.iter().all(|path| SplitName::of_name(&name(path)).is_some());
        for path in &folders {
            let name = name(path);
            // `test_tube` may be a class; a folder that holds folders of images is none, nor is
            // `test_set` beside `training_set`.
            let said = SplitName::of_word(&name).or_else(|| {
                SplitName::of_name(&name).filter(|_| are_splits || holds_classes(path))
            });
            match said {
                Some(split) => {
                    if let Some((_, first)) = splits.iter().find(|(s, _)| *s == split) {
                        return Err(FolderError::SplitTwice {
                            root: root.into(),
                            first: self::name(first),
                            second: name,
                        });
                    }
                    splits.push((split, path.clone()));
                }
                None => others.push(name),
            }
        }
        if splits.is_empty() {
            refuse_unknown_splits(root, &folders)?;
            splits.push((SplitName::Unsplit, root.into()));
        } else if !others.is_empty() {
            return Err(FolderError::BesideSplits { root: root.into(), others });
        }

        let mut listings = Vec::new();
        let mut all_classes: Vec<(SplitName, Vec<String>)> = Vec::new();
        for (split, path) in splits {
            let (classes, listing) = classes_in(&path, max_classes)?;
            all_classes.push((split, classes));
            listings.push((split, listing));
        }
        for (without, others) in &all_classes {
            let others: HashSet<&String> = others.iter().collect();
            for (with, classes) in &all_classes {
                if let Some(class) = classes.iter().find(|class| !others.contains(class)) {
                    return Err(FolderError::MissingClass {
                        root: root.into(),
                        class: class.clone(),
                        with: *with,
                        without: *without,
                    });
                }
            }
        }
        let classes = all_classes.swap_remove(0).1;
        Ok(Self { classes, listings })
    }

    /// Returns the layout with a training and a test set where the folder has no splits. The test
    /// files are drawn before any file is decoded, so that a bad one does not change the drawing.
    pub(super) fn drawn_apart(
        mut self,
        root: &Path,
        options: &FolderOptions,
    ) -> Result<Self, FolderError> {
        let [(SplitName::Unsplit, all)] = &self.listings[..] else { return Ok(self) };
        let share = options.test_share;
        if share == 0.0 {
            return Ok(self);
        }
        let (train, test) = split::stratified(&all.labels, share, RngKind::Modern, options.seed)
            .map_err(|e| FolderError::Seed { root: root.into(), reason: e.to_string() })?;
        let part = |indices: &[usize]| Listing {
            files: indices.iter().map(|&i| all.files[i].clone()).collect(),
            labels: indices.iter().map(|&i| all.labels[i]).collect(),
        };
        let (train, test) = (part(&train), part(&test));
        let tested: HashSet<u32> = test.labels.iter().copied().collect();
        for (label, class) in (0..).zip(&self.classes) {
            if !tested.contains(&label) {
                let n = all.labels.iter().filter(|&&l| l == label).count();
                let (root, class) = (root.into(), class.clone());
                return Err(FolderError::TooFewToSplit { root, class, n, share });
            }
        }
        self.listings = vec![(SplitName::Train, train), (SplitName::Test, test)];
        Ok(self)
    }
}

/// Classes in alphabetical order, and their files.
fn classes_in(path: &Path, max_classes: u32) -> Result<(Vec<String>, Listing), FolderError> {
    let folders = folders(path)?;
    let classes: Vec<String> = folders.iter().map(|path| name(path)).collect();
    if classes.is_empty() {
        let n = files_below(path)?.len();
        let got = match n {
            0 => "an empty one".into(),
            n => format!("{n} images that are in no folder of a class"),
        };
        return Err(FolderError::NoClasses { root: path.into(), got });
    }
    if classes.len() > max_classes as usize {
        let (root, n) = (path.into(), classes.len());
        return Err(FolderError::TooManyClasses { root, n, max: max_classes });
    }
    let mut lower: HashMap<String, &String> = HashMap::new();
    for second in &classes {
        if let Some(first) = lower.insert(second.to_lowercase(), second) {
            return Err(FolderError::SameButCase {
                root: path.into(),
                first: first.clone(),
                second: second.clone(),
            });
        }
    }
    if let [folder] = &folders[..]
        && holds_classes(folder)
    {
        return Err(FolderError::ClassesDeeper { root: path.into(), folder: folder.clone() });
    }
    let mut listing = Listing { files: Vec::new(), labels: Vec::new() };
    for (label, folder) in folders.iter().enumerate() {
        let files = files_below(folder)?;
        if files.is_empty() {
            return Err(FolderError::EmptyClass { path: folder.clone(), class: name(folder) });
        }
        listing.labels.extend(std::iter::repeat_n(label as u32, files.len()));
        listing.files.extend(files);
    }
    Ok((classes, listing))
}

/// Returns whether a folder holds folders and no images of its own.
fn holds_classes(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else { return false };
    let mut any = false;
    for entry in entries.flatten().filter(|entry| !is_passed_over(&entry.file_name())) {
        let path = entry.path();
        if path.is_dir() {
            any = true;
        } else if has_image_ending(&path) && path.extension().is_some() {
            return false;
        }
    }
    any
}

/// Refuses folders that each hold the same two or more folders: they are splits whose names are not
/// understood, and training would learn to tell the splits apart. Refuses as well folders whose names
/// all begin with the words of splits, such as `trainA` and `testA`.
fn refuse_unknown_splits(root: &Path, folders: &[PathBuf]) -> Result<(), FolderError> {
    let [first, others @ ..] = folders else { return Ok(()) };
    let is_for = |path: &PathBuf, words: &[&str]| {
        let name = name(path).to_lowercase();
        words.iter().any(|word| name.starts_with(word) || name.ends_with(word))
    };
    let to_train_on = folders.iter().filter(|path| is_for(path, &["train", "training"])).count();
    let to_judge_by = |path: &&PathBuf| is_for(path, &["test", "val", "holdout", "eval"]);
    let to_judge_by = folders.iter().filter(to_judge_by).count();
    if to_train_on > 0 && to_judge_by > 0 && to_train_on + to_judge_by == folders.len() {
        return Err(FolderError::UnknownSplits {
            root: root.into(),
            folders: folders.iter().take(8).map(|path| name(path)).collect(),
            classes: Vec::new(),
        });
    }
    if others.is_empty() || !folders.iter().take(8).all(|path| holds_classes(path)) {
        return Ok(());
    }
    let names = |path: &Path| -> Result<Vec<String>, FolderError> {
        Ok(self::folders(path)?.iter().map(|path| name(path)).collect())
    };
    let below = names(first)?;
    for other in others {
        if below.len() < 2 || names(other)? != below {
            return Ok(());
        }
    }
    Err(FolderError::UnknownSplits {
        root: root.into(),
        folders: folders.iter().take(8).map(|path| name(path)).collect(),
        classes: below.into_iter().take(8).collect(),
    })
}

/// Returns the folders in a folder, by their names.
fn folders(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let io =
        |source| FolderError::Io { path: path.into(), operation: "listing the folder", source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !is_passed_over(&entry.file_name()) && entry.path().is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort_unstable_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(folders)
}

/// Returns the images of a folder and of the folders below it, sorted by their paths.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    image_files(folder).collect()
}

/// Lists the image files of a folder and of those below it, in the order of their names. A file is taken
/// for an image when its name ends as an image's does, or not at all; symbolic links are followed.
///
/// # Errors
/// Each item: what the file system refuses, or a link that leads back up.
pub fn image_files(folder: &Path) -> impl Iterator<Item = Result<PathBuf, FolderError>> + use<> {
    let root = folder.to_owned();
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    let walk = walk.into_iter().filter_entry(|e| e.depth() == 0 || !is_passed_over(e.file_name()));
    walk.filter_map(move |entry| match entry {
        Ok(entry) => (!entry.file_type().is_dir() && has_image_ending(entry.path()))
            .then(|| Ok(entry.into_path())),
        Err(error) => Some(Err(FolderError::Io {
            path: error.path().unwrap_or(&root).into(),
            operation: if error.loop_ancestor().is_some() {
                "following a link that leads back up"
            } else {
                "looking for images"
            },
            source: error.into(),
        })),
    })
}

pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns whether a name is that of a hidden file, or of one that operating systems and archives
/// leave behind.
fn is_passed_over(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.')
        || ["__macosx", "thumbs.db", "desktop.ini"].contains(&name.to_lowercase().as_str())
}

/// Returns whether a file's name ends as an image's does, in a format that can be read or not, or has no
/// ending.
pub fn has_image_ending(path: &Path) -> bool {
    path.extension().is_none_or(|ending| {
        let ending = ending.to_string_lossy().to_lowercase();
        ENDINGS.contains(&ending.as_str())
    })
}
