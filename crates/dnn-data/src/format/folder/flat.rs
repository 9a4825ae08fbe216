//! A folder of images whose names say the class: `cat.0.jpg`, `dog_12.png`.

use super::super::found::Found;
use super::super::options::AboutFormat;
use super::layout::{Layout, Listing, has_image_ending, is_image_folder, name};
use super::{FolderError, ImageFiles, Options};
use crate::file::files_of;
use crate::{DataError, SplitName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Images in one folder with the class in their names, with folders of splits (`train/cat.0.jpg`)
/// or without.
pub(in super::super) static FLAT_FOLDER: ImageFiles = ImageFiles {
    about: AboutFormat {
        name: "images with the class in their names",
        in_folders: Some("images with the class in their names (cat.0.jpg)"),
        has_image_files: true,
        takes_rows: true,
        ..AboutFormat::PLAIN
    },
    detect: |found| match found {
        Found::Folder { path, .. } => splits_of(path).is_ok_and(|splits| !splits.is_empty()),
        Found::File(_) => false,
    },
    layout,
};

/// Returns the class in the name of an image: what stands before a number at the end of the name
/// and the dot, hyphen, underscore or space before that.
fn class_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let numbered = stem.trim_end_matches(')');
    let class = numbered.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_number = class.len() < numbered.len();
    let class = class.trim_end_matches([' ', '(', ')', '.', '_', '-']);
    (has_number && !class.is_empty()).then(|| class.to_owned())
}

fn holds_folders(path: &Path) -> bool {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| path.is_dir())
}

/// Returns the images that lie in a folder, or in its folders of splits.
fn splits_of(root: &Path) -> Result<Vec<(SplitName, Vec<PathBuf>)>, DataError> {
    let images = |folder: &Path| -> Result<Vec<PathBuf>, DataError> {
        let mut files = files_of(folder)?;
        files.retain(|path| path.extension().is_some() && has_image_ending(path));
        Ok(files)
    };
    let mut splits: BTreeMap<SplitName, Vec<PathBuf>> = BTreeMap::new();
    for entry in std::fs::read_dir(root).map_err(crate::file::io(root, "open"))?.flatten() {
        let path = entry.path();
        if let (true, Some(split)) = (path.is_dir(), SplitName::of_name(&name(&path))) {
            let files = images(&path)?;
            // Where images have no class in their names, as Kaggle's to be submitted, they have none.
            let says_class = files.first().is_some_and(|file| class_of(file).is_some());
            if says_class && !holds_folders(&path) {
                splits.entry(split).or_default().extend(files);
            }
        }
    }
    if splits.is_empty() && !is_image_folder(root) {
        let own = images(root)?;
        if !own.is_empty() {
            splits.insert(SplitName::Unsplit, own);
        }
    }
    Ok(splits.into_iter().collect())
}

fn layout(root: &Path, options: &Options) -> Result<Layout, DataError> {
    let splits = splits_of(root)?;
    let mut classes = BTreeSet::new();
    for file in splits.iter().flat_map(|(_, files)| files) {
        let (root, file) = (root.to_owned(), file.to_owned());
        let class = class_of(&file).ok_or(FolderError::NoClassInName { root, file })?;
        classes.insert(class);
    }
    let (n, max) = (classes.len(), options.limits.max_classes);
    if n > max as usize {
        return Err(FolderError::TooManyClasses { root: root.into(), n, max }.into());
    }
    let classes: Vec<String> = classes.into_iter().collect();
    let label = |file: &PathBuf| {
        let class = class_of(file).and_then(|class| classes.binary_search(&class).ok());
        class.unwrap_or(0) as u32
    };
    let listings = splits
        .into_iter()
        .map(|(split, files)| {
            let labels = files.iter().map(label).collect();
            (split, Listing { files, labels })
        })
        .collect();
    Ok(Layout { classes, listings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_stands_before_a_number() {
        let class = |name: &str| class_of(Path::new(name));
        for (name, expected) in [
            ("cat.0.jpg", Some("cat")),
            ("dog_12.png", Some("dog")),
            ("non-cat (3).jpg", Some("non-cat")),
            ("great-dane-07.jpeg", Some("great-dane")),
            ("12.jpg", None),
            ("holiday.jpg", None),
        ] {
            assert_eq!(class(name).as_deref(), expected, "{name}");
        }
    }
}
