//! From datasets to labelled images: the course's schema and what others made of it.

use super::backend::{DatasetInfo, Element};
use super::checks::{check_range, image_extent, label_extent, read_classes, read_labels};
use super::file::OpenFile;
use super::{Hdf5Error, Limits, Names, Options};
use crate::{DataError, ImageSet, ImageShape, Splits};
use std::path::{Path, PathBuf};

/// The name the course gives to the dataset of class names.
pub(super) const CLASSES: &str = "list_classes";

/// The course's names: `train_set_x`, `train_set_y`, or the same with `test`.
pub fn of_course(split: &str) -> Names {
    Names { images: format!("{split}_set_x"), labels: format!("{split}_set_y"), classes: None }
}

/// Reads the training and the test set of one file by the course's names.
///
/// A file may hold either or both. Classes without names are called by their index, "0", "1" …,
/// except that two classes are "non-cat" and "cat" where the name of the file says so: it has the word
/// "cat", or "noncat" anywhere.
///
/// # Errors
/// [`DataError::Hdf5`] when the file cannot be used, [`DataError::Mismatch`] when its two sets
/// differ in image size or classes.
pub fn load_file(path: &Path, options: &Options) -> Result<Splits, DataError> {
    let file = OpenFile::open(path, options)?;
    let (train, test) = (of_course("train"), of_course("test"));
    let read = |names: &Names| match file.find(&names.images)? {
        Some(_) => RawSet::read(&file, names).map(Some),
        None => Ok(None),
    };
    let (train_set, test_set) = (read(&train)?, read(&test)?);
    if train_set.is_none() && test_set.is_none() {
        // Says what the file holds instead.
        file.info(&train.images)?;
    }
    assemble(train_set, test_set, &options.limits)
}

/// Reads one set of images from any two datasets of a file.
///
/// # Errors
/// [`DataError::Hdf5`] when the file cannot be used.
pub fn load_named(path: &Path, names: &Names, options: &Options) -> Result<ImageSet, DataError> {
    let file = OpenFile::open(path, options)?;
    let set = RawSet::read(&file, names)?;
    let classes = match &set.classes {
        Some(classes) => classes.clone(),
        None => indices_as_names(&[&set], &options.limits)?,
    };
    set.into_images(classes)
}

/// What images are made of.
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

/// Images and labels of one split as the file has them, before it is clear what the classes are.
pub(super) struct RawSet {
    file: PathBuf,
    names: Names,
    values: Values,
    shape: ImageShape,
    labels: Vec<u32>,
    classes: Option<Vec<String>>,
}

impl RawSet {
    /// Checks and reads.
    pub(super) fn read(file: &OpenFile, names: &Names) -> Result<Self, Hdf5Error> {
        let (set, images, _) = Self::without_pixels(file, names)?;
        let values = match images.element {
            Element::Float(_) => {
                let read = file.read_floats(&images)?;
                Values::Floats(read.into_iter().map(|value| value as f32).collect())
            }
            _ => Values::Bytes(file.read_bytes(&images)?),
        };
        Ok(Self { values, ..set })
    }

    /// Checks and reads all but the pixels; and what dataset those are, and the number of images.
    pub(super) fn without_pixels(
        file: &OpenFile,
        names: &Names,
    ) -> Result<(Self, DatasetInfo, u64), Hdf5Error> {
        // Everything small and everything that can be wrong first: pixels are read last.
        let images = file.info(&names.images)?;
        let (n_images, shape) = image_extent(file, &images)?;
        let labels = match file.info(&names.labels) {
            // The images are not what was meant by labels, however similar their names.
            Err(Hdf5Error::Missing { path, name, nearest, found }) => {
                let nearest = nearest.filter(|near| *near != images.name);
                return Err(Hdf5Error::Missing { path, name, nearest, found });
            }
            labels => labels?,
        };
        let n_labels = label_extent(file, &labels)?;
        if n_labels != n_images {
            return Err(Hdf5Error::Count {
                path: file.path.clone(),
                images: images.name,
                n_images,
                labels: labels.name,
                n_labels,
            });
        }
        let classes = match &names.classes {
            Some(name) => Some(read_classes(file, name)?),
            None if file.find(CLASSES)?.is_some() => Some(read_classes(file, CLASSES)?),
            None => None,
        };
        let set = Self {
            labels: read_labels(file, &labels, classes.as_deref())?,
            values: Values::Bytes(Vec::new()),
            file: file.path.clone(),
            names: names.clone(),
            shape,
            classes,
        };
        Ok((set, images, n_images))
    }

    /// Size of the images, labels, and names of the classes, where the file is read alone.
    pub(super) fn described(
        self,
        limits: &Limits,
    ) -> Result<(ImageShape, Vec<u32>, Vec<String>), Hdf5Error> {
        let classes = match &self.classes {
            Some(classes) => classes.clone(),
            None => names_of(&[&self], limits)?,
        };
        check_range(&self.file, &self.names.labels, &self.labels, classes.len())?;
        Ok((self.shape, self.labels, classes))
    }

    fn into_images(self, classes: Vec<String>) -> Result<ImageSet, DataError> {
        // Labels were checked against the file's own classes; those of the other split may be fewer.
        check_range(&self.file, &self.names.labels, &self.labels, classes.len())?;
        match self.values {
            Values::Bytes(pixels) => ImageSet::new(pixels, self.shape, self.labels, classes),
            Values::Floats(floats) => {
                ImageSet::from_floats(floats, self.shape, self.labels, classes)
                    .map_err(|error| error.in_file(&self.file))
            }
        }
    }
}

/// Gives both sets the same classes, and checks that they belong together.
pub(super) fn assemble(
    mut train: Option<RawSet>,
    mut test: Option<RawSet>,
    limits: &Limits,
) -> Result<Splits, DataError> {
    let of = |set: &mut Option<RawSet>| set.as_mut().and_then(|set| set.classes.take());
    let (of_train, of_test) = match (of(&mut train), of(&mut test)) {
        (Some(train), Some(test)) => (train, test),
        // One file of two without names: those of the other hold.
        (Some(both), None) | (None, Some(both)) => (both.clone(), both),
        (None, None) => {
            let sets: Vec<&RawSet> = train.iter().chain(&test).collect();
            let names = names_of(&sets, limits)?;
            (names.clone(), names)
        }
    };
    let path = |set: &Option<RawSet>| set.as_ref().map(|set| set.file.clone());
    let mut splits = Splits {
        train_path: path(&train),
        test_path: path(&test),
        train: train.map(|set| set.into_images(of_train)).transpose()?,
        test: test.map(|set| set.into_images(of_test)).transpose()?,
        ..Splits::default()
    };
    splits.unify(limits)?;
    splits.check()?;
    Ok(splits)
}

/// Names for the classes of files without any.
fn names_of(sets: &[&RawSet], limits: &Limits) -> Result<Vec<String>, Hdf5Error> {
    let names = indices_as_names(sets, limits)?;
    if names.len() == 2 && sets.iter().all(|set| says_cat(&set.file)) {
        return Ok(vec!["non-cat".into(), "cat".into()]);
    }
    Ok(names)
}

/// Whether a file's own name tells that it holds the course's cats: other two-class sets of the
/// course (happy faces) have the same schema. Locations are no cats, and cats and dogs both are not.
fn says_cat(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphabetic()).collect();
    let says = |any: &[&str]| words.iter().any(|word| any.contains(word));
    words.concat().contains("noncat") || says(&["cat", "cats"]) && !says(&["dog", "dogs", "vs"])
}

/// Names for the classes of sets that have none: "0", "1" … up to the largest label.
fn indices_as_names(sets: &[&RawSet], limits: &Limits) -> Result<Vec<String>, Hdf5Error> {
    let mut n_classes = 2;
    for set in sets {
        for (index, &label) in set.labels.iter().enumerate() {
            if label >= limits.max_classes {
                return Err(Hdf5Error::Value {
                    path: set.file.clone(),
                    name: set.names.labels.clone(),
                    index,
                    expected: format!("a class index below {}", limits.max_classes),
                    got: label.to_string(),
                });
            }
            n_classes = n_classes.max(label + 1);
        }
    }
    Ok((0..n_classes).map(|class| class.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_says_cat_makes_cats() {
        for name in ["train_catvnoncat", "Cat-vs-NonCat", "cat_vs_non_cat", "cats2", "CAT_test"] {
            assert!(says_cat(Path::new(&format!("happy/{name}.h5"))), "{name}");
        }
        for name in ["vacation", "categories", "cat_vs_dog", "cats.and.dogs", "train_happy", ""] {
            assert!(!says_cat(Path::new(&format!("cat/{name}.h5"))), "{name}");
        }
    }
}
