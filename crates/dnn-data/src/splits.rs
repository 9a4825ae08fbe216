//! A training set and a test set that belong together.

use crate::Normalization;
use crate::{DataError, ImageSet, Limits};
use std::path::PathBuf;

/// What a source of data holds: a training set, a test set, or both, and where each came from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Splits {
    /// The images to train on.
    pub train: Option<ImageSet>,
    /// The images to test on.
    pub test: Option<ImageSet>,
    /// The images to judge by while training, where a source keeps some apart.
    pub validation: Option<ImageSet>,
    /// The image files that were left out, with what is wrong with each.
    pub rejected: Vec<Rejected>,
    /// The file or folder `train` was read from.
    pub train_path: Option<PathBuf>,
    /// The file or folder `test` was read from.
    pub test_path: Option<PathBuf>,
}

/// Which part of a source of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SplitName {
    /// To train on.
    Train,
    /// To judge by while training.
    Validation,
    /// To test on.
    Test,
    /// All of it: the source makes no such difference.
    All,
}

impl SplitName {
    /// What datasets of this part are called by: `train`, `validation`, `test`; all of a source is
    /// to train on.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train | Self::All => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl std::fmt::Display for SplitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "the training set",
            Self::Validation => "the validation set",
            Self::Test => "the test set",
            Self::All => "the folder",
        })
    }
}

/// An image file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Splits {
    /// Takes two sets that came from no file, after checking that they agree.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn new(train: Option<ImageSet>, test: Option<ImageSet>) -> Result<Self, DataError> {
        let splits = Self { train, test, ..Self::default() };
        splits.check()?;
        Ok(splits)
    }

    /// Where one set calls its classes by their indices alone, it takes the names, and the number,
    /// of the other's.
    ///
    /// For sets from different files, of which only one may have names; or neither, and one does
    /// not have every class.
    pub fn share_classes(&mut self) {
        let (Some(train), Some(test)) = (&mut self.train, &mut self.test) else { return };
        let takes = |a: &ImageSet, b: &ImageSet| {
            !a.has_class_names() && a.classes().len() <= b.classes().len()
        };
        if takes(test, train) {
            test.rename_classes(train.classes());
        } else if takes(train, test) {
            train.rename_classes(test.classes());
        }
    }

    /// Makes two sets that were read apart alike: in their classes as
    /// [`share_classes`](Self::share_classes) does, and tables also in what their numbers are.
    ///
    /// [`ImageSet::from_floats`] takes whole numbers from 0 to 255 as bytes. A table whose other
    /// half has other numbers keeps them as the numbers they are.
    ///
    /// # Errors
    /// [`DataError::Limit`] when the bytes of a table would take too much memory as numbers.
    pub fn unify(&mut self, limits: &Limits) -> Result<(), DataError> {
        self.share_classes();
        let (Some(train), Some(test)) = (&mut self.train, &mut self.test) else { return Ok(()) };
        if !train.is_table() || !test.is_table() {
            return Ok(());
        }
        let (bytes, path) = match (train.floats(), test.floats()) {
            (Some(_), None) => (test, &self.test_path),
            (None, Some(_)) => (train, &self.train_path),
            _ => return Ok(()),
        };
        let n_bytes = (bytes.pixels().len() * size_of::<f32>()) as u64;
        if n_bytes > limits.max_bytes {
            return Err(DataError::Limit {
                path: path.clone().unwrap_or_default(),
                what: "the table as numbers".into(),
                bytes: Some(n_bytes),
                limit: limits.max_bytes,
            });
        }
        bytes.keep_numbers();
        Ok(())
    }

    /// Whether one network can be trained on one set and tested on the other.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when the images differ in size or the classes in name or order, when
    /// one has bytes where the other has numbers beyond 0 to 1, or when there is no set at all.
    pub fn check(&self) -> Result<(), DataError> {
        let (train, test) = match (&self.train, &self.test) {
            (Some(train), Some(test)) => (train, test),
            (None, None) => {
                return Err(DataError::Mismatch {
                    what: "data".into(),
                    expected: "a training or a test set".into(),
                    got: "neither".into(),
                });
            }
            _ => return Ok(()),
        };
        let mismatch = |what: &str, expected: String, got: String| {
            let of = |path: &Option<PathBuf>| {
                path.as_ref().map_or(String::new(), |path| format!(" ({})", path.display()))
            };
            let what = format!("{what} of the test set{}", of(&self.test_path));
            let expected = format!("{expected} as in the training set{}", of(&self.train_path));
            Err(DataError::Mismatch { what, expected, got })
        };
        if train.shape() != test.shape() {
            return mismatch("images", train.shape().to_string(), test.shape().to_string());
        }
        // Bytes are divided by 255; numbers beyond 0 to 1 are not.
        let as_is = |set: &ImageSet| set.normalization() == Normalization::AsIs;
        if train.floats().is_none() && as_is(test) {
            let got = "numbers below 0 or above 1".into();
            return mismatch("features", "bytes, or numbers from 0 to 1,".into(), got);
        }
        if as_is(train) && test.floats().is_none() {
            return mismatch("features", "numbers".into(), "bytes".into());
        }
        if train.classes() != test.classes() {
            return mismatch("classes", list(train.classes()), list(test.classes()));
        }
        Ok(())
    }
}

/// The first names, so that a message stays a line.
fn list(classes: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = classes[..classes.len().min(SHOWN)].join(", ");
    if classes.len() > SHOWN { format!("{shown}, … ({} in all)", classes.len()) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;

    fn set(width: usize, classes: [&str; 2]) -> ImageSet {
        let shape = ImageShape { height: 1, width, channels: 1 };
        ImageSet::new(vec![0; width], shape, vec![0], classes.map(String::from).to_vec())
            .expect("a valid set")
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
        let mut swapped = Splits {
            train: Some(train),
            test: Some(set(2, ["cat", "non-cat"])),
            train_path: Some("a.h5".into()),
            test_path: Some("b.h5".into()),
            ..Splits::default()
        };
        assert_eq!(
            swapped.check().expect_err("another order").to_string(),
            "classes of the test set (b.h5): expected non-cat, cat as in the training set (a.h5), \
             got cat, non-cat"
        );
        swapped.test = None;
        assert!(swapped.check().is_ok());
        assert!(Splits::default().check().is_err());
    }

    fn table(numbers: [f32; 2]) -> ImageSet {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        let classes = vec!["a".into(), "b".into()];
        ImageSet::from_floats(numbers.to_vec(), shape, vec![0], classes).expect("a table")
    }

    #[test]
    fn a_table_of_whole_numbers_stays_numbers_beside_another() {
        for (train, test) in [([3.0, 200.0], [1.5, 300.0]), ([1.5, 0.0], [3.0, 4.0])] {
            let mut splits = Splits::default();
            (splits.train, splits.test) = (Some(table(train)), Some(table(test)));
            splits.unify(&Limits::default()).expect("they fit");
            splits.check().expect("they agree");
            let floats = |set: &Option<ImageSet>| {
                set.as_ref().and_then(|set| set.floats().map(<[f32]>::to_vec))
            };
            assert_eq!(floats(&splits.train), Some(train.to_vec()));
            assert_eq!(floats(&splits.test), Some(test.to_vec()));
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
        let named = || Some(set(2, ["non-cat", "cat"]));
        let numbered = || Some(set(2, ["0", "1"]));
        for (train, test) in [(named(), numbered()), (numbered(), named())] {
            let mut splits = Splits { train, test, ..Splits::default() };
            splits.share_classes();
            assert_eq!(splits.check().map_err(|e| e.to_string()), Ok(()));
            assert_eq!(splits.train.expect("it was given").classes(), ["non-cat", "cat"]);
        }
        let other = Some(set(2, ["dog", "horse"]));
        let mut splits = Splits { train: named(), test: other, ..Splits::default() };
        splits.share_classes();
        assert!(splits.check().is_err());
    }
}
