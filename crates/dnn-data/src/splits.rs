//! A data set: labelled images in named splits that belong together.

use crate::Shown;
use crate::classes::{self, listed};
use crate::{DataError, ImageSet, Normalization, SplitName};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// An image file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The split that it belongs to.
    pub split: SplitName,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// A split of a data set in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Which split it is.
    pub name: SplitName,
    /// The labelled images.
    pub images: ImageSet,
    /// The file or folder that the images were read from; `None` for images that were made in
    /// memory.
    pub path: Option<PathBuf>,
}

/// A data set in memory: named splits with images of one size and the same classes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Splits {
    all: Vec<Split>,
    /// The image files that were left out, with what is wrong with each.
    pub rejected: Vec<Rejected>,
    /// Sentences about what was decided while reading that a user should know: which line is a
    /// header, what numbers were taken for.
    pub notes: Vec<String>,
}

impl Splits {
    /// Makes a data set of training and test images that came from no file, after checking that
    /// they agree.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn new(train: Option<ImageSet>, test: Option<ImageSet>) -> Result<Self, DataError> {
        let mut splits = Self::default();
        for (name, images) in [(SplitName::Train, train), (SplitName::Test, test)] {
            if let Some(images) = images {
                splits.insert(Split { name, images, path: None });
            }
        }
        splits.check()?;
        Ok(splits)
    }

    /// Returns the splits in the order train, validation, test, unsplit.
    pub fn iter(&self) -> impl Iterator<Item = &Split> {
        self.all.iter()
    }

    /// Returns the splits for changing them, in the same order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Split> {
        self.all.iter_mut()
    }

    /// Adds a split in place of the one of the same name, if there is one.
    pub fn insert(&mut self, split: Split) {
        self.all.retain(|other| other.name != split.name);
        self.all.push(split);
        self.all.sort_by_key(|split| split.name);
    }

    /// Returns the splits with what `change` makes of their images.
    ///
    /// # Errors
    /// The first error of `change`.
    pub fn try_map<E>(
        self,
        mut change: impl FnMut(ImageSet) -> Result<ImageSet, E>,
    ) -> Result<Self, E> {
        let change = |split: Split| Ok(Split { images: change(split.images)?, ..split });
        let all = self.all.into_iter().map(change).collect::<Result<_, E>>()?;
        Ok(Self { all, ..self })
    }

    fn position(&self, name: SplitName) -> Option<usize> {
        let at = |name| self.all.iter().position(|split| split.name == name);
        // Unsplit data are training data.
        at(name).or_else(|| if name == SplitName::Train { at(SplitName::Unsplit) } else { None })
    }

    /// Returns the images of a split; unsplit data are the training set.
    pub fn get(&self, name: SplitName) -> Option<&ImageSet> {
        self.position(name).map(|at| &self.all[at].images)
    }

    /// Removes a split and returns its images; unsplit data are the training set.
    pub fn take(&mut self, name: SplitName) -> Option<ImageSet> {
        self.position(name).map(|at| self.all.remove(at).images)
    }

    /// Returns the file or folder that a split was read from.
    pub fn path(&self, name: SplitName) -> Option<&Path> {
        self.position(name).and_then(|at| self.all[at].path.as_deref())
    }

    /// Returns the training set.
    pub fn train(&self) -> Option<&ImageSet> {
        self.get(SplitName::Train)
    }

    /// Returns the validation set.
    pub fn validation(&self) -> Option<&ImageSet> {
        self.get(SplitName::Validation)
    }

    /// Returns the test set.
    pub fn test(&self) -> Option<&ImageSet> {
        self.get(SplitName::Test)
    }

    /// Brings splits that were read separately to the same classes and the same kind of numbers,
    /// where that is possible.
    ///
    /// Classes that are called by their indices take the names, and the number, of the others.
    /// [`ImageSet::from_values`] takes whole numbers from 0 to 255 as bytes; where another split of
    /// the table has other numbers, they become numbers again.
    pub fn unify(&mut self) {
        let named = self.all.iter().map(|split| split.images.classes());
        let most = named.max_by_key(|names| (!classes::are_numbered(names), names.len()));
        let most = most.map(<[String]>::to_vec).unwrap_or_default();
        for split in &mut self.all {
            let own = split.images.classes();
            if classes::are_numbered(own) && own.len() <= most.len() {
                split.images.rename_classes(&most);
            }
        }
        let as_is = |split: &Split| split.images.normalization() == Normalization::AsIs;
        if self.all.iter().all(|split| split.images.is_table()) && self.all.iter().any(as_is) {
            for split in &mut self.all {
                if split.images.is_bytes() {
                    split.images.keep_numbers();
                }
            }
        }
    }

    /// Checks that a network can be trained on one split and judged by the others.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when the images differ in size or the classes in name or order, when
    /// one split has bytes where another has numbers outside [0, 1], or when there is no split.
    pub fn check(&self) -> Result<(), DataError> {
        let Some((first, others)) = self.all.split_first() else {
            return Err(DataError::Mismatch {
                what: "data".into(),
                expected: "a training or a test set".into(),
                got: "neither".into(),
            });
        };
        others.iter().try_for_each(|other| agree(first, other))
    }
}

/// Checks that two splits have images of the same kind and the same classes.
fn agree(first: &Split, other: &Split) -> Result<(), DataError> {
    let mismatch = |what: &str, expected: String, got: String| {
        let of = |split: &Split| {
            let path = split.path.as_ref();
            let path = path.map_or(String::new(), |path| format!(" ({})", path.shown()));
            format!("{}{path}", split.name.phrase())
        };
        let what = format!("{what} of {}", of(other));
        let expected = format!("{expected} as in {}", of(first));
        Err(DataError::Mismatch { what, expected, got })
    };
    let (a, b) = (&first.images, &other.images);
    if a.shape() != b.shape() {
        return mismatch("images", a.shape().to_string(), b.shape().to_string());
    }
    // Bytes are divided by 255; numbers beyond 0 to 1 are not.
    let as_is = |set: &ImageSet| set.normalization() == Normalization::AsIs;
    if !as_is(a) && as_is(b) && a.is_bytes() {
        let got = "numbers below 0 or above 1".into();
        return mismatch("features", "bytes, or numbers from 0 to 1,".into(), got);
    }
    if as_is(a) && !as_is(b) && b.is_bytes() {
        return mismatch("features", "numbers".into(), "bytes".into());
    }
    if a.classes() != b.classes() {
        return mismatch("classes", listed(a.classes()), listed(b.classes()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffer, ImageShape, Scale};

    fn set(width: usize, classes: [&str; 2]) -> ImageSet {
        let shape = ImageShape { height: 1, width, channels: 1 };
        ImageSet::new(vec![0; width], shape, vec![0], classes.map(String::from).to_vec())
            .expect("a valid set")
    }

    fn split(name: SplitName, images: ImageSet, path: &str) -> Split {
        Split { name, images, path: Some(path.into()) }
    }

    #[test]
    fn sets_that_differ_are_refused_with_both_sides_named() {
        let train = set(2, ["non-cat", "cat"]);
        assert!(Splits::new(Some(train.clone()), Some(train.clone())).is_ok());
        let size = Splits::new(Some(train.clone()), Some(set(3, ["non-cat", "cat"])));
        assert_eq!(
            size.expect_err("another size").to_string(),
            "images of the test set: expected 1×2×1 as in the training set, got 1×3×1"
        );
        let mut swapped = Splits::default();
        swapped.insert(split(SplitName::Train, train, "a.h5"));
        swapped.insert(split(SplitName::Test, set(2, ["cat", "non-cat"]), "b.h5"));
        assert_eq!(
            swapped.check().expect_err("another order").to_string(),
            "classes of the test set (b.h5): expected non-cat, cat as in the training set (a.h5), \
             got cat, non-cat"
        );
        assert!(swapped.take(SplitName::Test).is_some());
        assert!(swapped.check().is_ok());
        assert!(Splits::default().check().is_err());
    }

    fn table(numbers: [f64; 2]) -> ImageSet {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        let classes = vec!["a".into(), "b".into()];
        let values = Buffer::F64(numbers.to_vec());
        ImageSet::from_values(values, shape, vec![0], classes, Scale::Auto).expect("a table")
    }

    #[test]
    fn a_table_of_whole_numbers_stays_numbers_beside_another() {
        for (train, test) in [([3.0, 200.0], [1.5, 300.0]), ([1.5, 0.0], [3.0, 4.0])] {
            let mut splits = Splits::default();
            splits.insert(Split { name: SplitName::Train, images: table(train), path: None });
            splits.insert(Split { name: SplitName::Test, images: table(test), path: None });
            splits.unify();
            splits.check().expect("they agree");
            let numbers = |set: Option<&ImageSet>| {
                set.filter(|set| !set.is_bytes()).map(|set| set.values().to_f64())
            };
            assert_eq!(numbers(splits.train()), Some(train.to_vec()));
            assert_eq!(numbers(splits.test()), Some(test.to_vec()));
        }
    }

    #[test]
    fn numbers_are_not_judged_by_what_was_trained_on_bytes() {
        let error = Splits::new(Some(table([3.0, 200.0])), Some(table([-1.0, 1.0])))
            .expect_err("they differ");
        assert_eq!(
            error.to_string(),
            "features of the test set: expected bytes, or numbers from 0 to 1, as in the training \
             set, got numbers below 0 or above 1"
        );
    }

    #[test]
    fn names_and_number_of_classes_are_shared() {
        let named = || set(2, ["non-cat", "cat"]);
        let numbered = || set(2, ["0", "1"]);
        let pair = |train, test| {
            let mut splits = Splits::default();
            splits.insert(split(SplitName::Train, train, "a"));
            splits.insert(split(SplitName::Validation, test, "b"));
            splits.unify();
            splits
        };
        for splits in [pair(named(), numbered()), pair(numbered(), named())] {
            assert_eq!(splits.check().map_err(|e| e.to_string()), Ok(()));
            assert_eq!(splits.train().expect("given").classes(), ["non-cat", "cat"]);
        }
        assert!(pair(named(), set(2, ["dog", "horse"])).check().is_err());
    }
}
