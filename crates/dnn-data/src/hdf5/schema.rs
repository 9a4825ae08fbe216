//! From datasets to labelled images: the course's schema and what others made of it.

use super::backend::{DatasetInfo, Element};
use super::checks::{check_range, image_extent, label_extent, read_classes, read_labels};
use super::file::OpenFile;
use super::{Backend, Hdf5Error, Limits, Names, Options};
use crate::InputContract;
use crate::visit::{BLOCK_BYTES, shared_classes};
use crate::{DataError, ImageSet, ImageShape, Part, SplitName, Splits, Visitor, extent};
use std::path::{Path, PathBuf};

/// The name the course gives to the dataset of class names.
pub(super) const CLASSES: &str = "list_classes";
/// The input contract that the images of a file were prepared by, as JSON in uint8.
pub(super) const CONTRACT: &str = "input_contract";

/// The splits that a file can have.
pub(super) const SPLITS: [SplitName; 3] =
    [SplitName::Train, SplitName::Validation, SplitName::Test];

/// The course's names: `train_set_x`, `train_set_y`, or the same with `test` or `validation`.
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
    let mut splits = assemble(train_set, test_set, &options.limits)?;
    if let Some(validation) = read(&of_course("validation"))?
        && let Some(set) = splits.train.as_ref().or(splits.test.as_ref())
    {
        let classes = validation.classes.clone().unwrap_or_else(|| set.classes().to_vec());
        let validation = validation.into_images(classes)?;
        let mut pair = Splits { test: Some(validation), ..Splits::default() };
        pair.train = Some(set.clone());
        pair.check()?;
        splits.validation = pair.test;
    }
    Ok(splits)
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
    contract: Option<InputContract>,
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
            contract: read_contract(file, shape)?,
            shape,
            classes,
        };
        Ok((set, images, n_images))
    }

    /// What is known of the images, where the file is read alone.
    pub(super) fn described(self, limits: &Limits) -> Result<Described, Hdf5Error> {
        let classes = match &self.classes {
            Some(classes) => classes.clone(),
            None => names_of(&[&self], limits)?,
        };
        check_range(&self.file, &self.names.labels, &self.labels, classes.len())?;
        let Self { shape, labels, contract, .. } = self;
        Ok(Described { shape, labels, classes, contract })
    }

    fn into_images(self, classes: Vec<String>) -> Result<ImageSet, DataError> {
        // Labels were checked against the file's own classes; those of the other split may be fewer.
        check_range(&self.file, &self.names.labels, &self.labels, classes.len())?;
        let mut set = match self.values {
            Values::Bytes(pixels) => ImageSet::new(pixels, self.shape, self.labels, classes)?,
            Values::Floats(floats) => {
                ImageSet::from_floats(floats, self.shape, self.labels, classes)
                    .map_err(|error| error.in_file(&self.file))?
            }
        };
        // Of numbers that are no bytes it is of no use.
        if let Some(contract) = self.contract.filter(|_| set.floats().is_none()) {
            set.set_contract(contract);
        }
        Ok(set)
    }
}

/// What is known of the images of a split without reading them.
pub(super) struct Described {
    pub(super) shape: ImageShape,
    pub(super) labels: Vec<u32>,
    pub(super) classes: Vec<String>,
    pub(super) contract: Option<InputContract>,
}

/// The contract that the images were prepared by, where the file has it.
fn read_contract(file: &OpenFile, shape: ImageShape) -> Result<Option<InputContract>, Hdf5Error> {
    /// With a mean and a deviation for each channel it is some 500 bytes long.
    const MAX_BYTES: u64 = 1 << 16;
    let Some(info) = file.find(CONTRACT)? else { return Ok(None) };
    let refuse = |got: String| Hdf5Error::Value {
        path: file.path.clone(),
        name: CONTRACT.into(),
        index: 0,
        expected: format!("the input contract of images of {shape}, as JSON in uint8"),
        got,
    };
    let n_bytes = match info.shape[..] {
        [n] if info.element == Element::Unsigned(1) => n,
        _ => return Err(refuse(format!("{} of {}", extent::shown(&info.shape), info.element))),
    };
    if n_bytes > MAX_BYTES {
        return Err(refuse(format!("{n_bytes} bytes")));
    }
    let contract: InputContract = serde_json::from_slice(&file.read_bytes(&info)?)
        .map_err(|error| refuse(error.to_string()))?;
    contract.check().map_err(|error| refuse(error.to_string()))?;
    if ImageShape::of(&contract) != shape {
        return Err(refuse(format!("one of {}", ImageShape::of(&contract))));
    }
    Ok(Some(contract))
}

/// Passes the images of a file, or of the two files of a folder, on, some at a time; and gives the
/// classes.
///
/// Always through the pure-Rust library, which reads rows without the rest.
pub(crate) fn visit(
    path: &Path,
    names: Option<&Names>,
    options: &Options,
    visitor: &mut dyn Visitor,
) -> Result<Vec<String>, DataError> {
    let options = Options { backend: Backend::Pure, ..*options };
    let mut parts = Vec::new();
    if let Some(names) = names {
        let file = OpenFile::open(path, &options)?;
        parts.push((SplitName::Train, RawSet::without_pixels(&file, names)?, file));
    } else {
        for split in SPLITS {
            let names = of_course(split.word());
            for path in files(path, &options)? {
                let file = OpenFile::open(&path, &options)?;
                let known = |(other, ..): &(SplitName, _, _)| *other == split;
                if !parts.iter().any(known) && file.find(&names.images)?.is_some() {
                    parts.push((split, RawSet::without_pixels(&file, &names)?, file));
                }
            }
        }
        if parts.is_empty() {
            // Says what the file holds instead.
            OpenFile::open(path, &options)?.info(&of_course("train").images)?;
        }
    }
    let sets: Vec<&RawSet> = parts.iter().map(|(_, (set, ..), _)| set).collect();
    let mut classes: Vec<Vec<String>> = sets.iter().filter_map(|set| set.classes.clone()).collect();
    if classes.is_empty() {
        classes.push(names_of(&sets, &options.limits)?);
    }
    let classes = shared_classes(classes)?;
    for (split, (set, images, n), file) in parts {
        check_range(&set.file, &set.names.labels, &set.labels, classes.len())?;
        file.check_by_rows(&images)?;
        let RawSet { shape, contract, .. } = &set;
        let part = Part { split, shape: *shape, n: n as usize, contract: contract.clone() };
        if !visitor.begin(part)? {
            continue;
        }
        // Whole chunks: each is unpacked once.
        let chunk = images.chunk_rows().unwrap_or(1).max(1);
        let row_bytes = set.shape.n_bytes() as u64 * images.element_bytes;
        let rows = chunk * (BLOCK_BYTES as u64 / (chunk * row_bytes).max(1)).max(1);
        for start in (0..n).step_by(rows as usize) {
            let end = n.min(start + rows);
            let labels = &set.labels[start as usize..end as usize];
            if images.element == Element::Unsigned(1) {
                let bytes = file.read_byte_rows(&images, start..end)?;
                visitor.examples(crate::Values::Bytes(&bytes), labels)?;
            } else {
                let floats = file.read_float_rows(&images, start..end)?;
                visitor.examples(crate::Values::Floats(&floats), labels)?;
            }
        }
    }
    Ok(classes)
}

/// The file itself, or the files of a folder that hold its two sets.
pub(crate) fn files(path: &Path, options: &Options) -> Result<Vec<PathBuf>, DataError> {
    if path.is_dir() {
        let (train, test) = super::folder::pair(path, options)?;
        let mut files: Vec<PathBuf> = train.into_iter().chain(test).collect();
        files.dedup();
        return Ok(files);
    }
    Ok(vec![path.into()])
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
