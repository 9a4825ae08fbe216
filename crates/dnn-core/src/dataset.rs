//! Labelled examples, the way training sees them.

use crate::Real;
use crate::rng::{Generator, RngKind, hash};
use nalgebra::DMatrix;

/// Labelled examples as training sees them, wherever they are kept.
///
/// Columns are examples: a batch of them is a matrix X (n_features, m). Labels are class indices
/// and always in memory, since they are small; features need not be.
pub trait Examples<F: Real>: Sync {
    /// Returns the number of examples, m.
    fn n_examples(&self) -> usize {
        self.labels().len()
    }
    /// Returns the number of features of one example, n₀.
    fn n_features(&self) -> usize;
    /// Returns the class of each example, an index into [`classes`](Examples::classes); length m.
    fn labels(&self) -> &[u32];
    /// Returns the names of the classes, in the order of their indices.
    fn classes(&self) -> &[String];
    /// Returns all features as one matrix X (n₀, m), if they are in memory as such.
    fn matrix(&self) -> Option<&DMatrix<F>>;
    /// Copies the features of the examples `indices`, in that order, into the columns of `x`.
    ///
    /// # Shapes
    /// `x` (n₀, indices.len()).
    /// # Errors
    /// [`DatasetError::Read`] when the source behind the examples cannot be read.
    /// # Panics
    /// When an index is not below m or `x` has another shape.
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError>;
    /// Returns how many views of each example a network is shown when it is judged; its answer is the
    /// mean of the probabilities.
    fn n_views(&self) -> usize {
        1
    }
    /// Copies the features of all views of the examples `indices` into the columns of `x`, the views of
    /// an example side by side; the first is what [`read`](Examples::read) gives.
    ///
    /// # Shapes
    /// `x` (n₀, indices.len() · n_views).
    /// # Errors
    /// As [`read`](Examples::read).
    fn read_views(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        self.read(indices, x)
    }
    /// Returns whether training has to read every batch anew: the examples change from epoch to
    /// epoch, or there are more of them than memory holds.
    fn is_streamed(&self) -> bool {
        false
    }
    /// Returns how to shuffle examples that are cheap to read only together with their neighbours; `None` where
    /// any order costs the same.
    fn blocks(&self) -> Option<ShuffleBlocks> {
        None
    }
    /// Does what [`read`](Examples::read) does, for one epoch of training, in which examples may
    /// differ: be augmented, for example. The result depends on the indices and the epoch alone.
    ///
    /// # Errors
    /// As [`read`](Examples::read).
    fn read_for_epoch(
        &self,
        indices: &[usize],
        epoch: u64,
        x: &mut DMatrix<F>,
    ) -> Result<(), DatasetError> {
        let _ = epoch;
        self.read(indices, x)
    }
}

/// How examples are shuffled that are read in blocks of neighbours: the blocks are shuffled first,
/// then the examples of a few blocks at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShuffleBlocks {
    /// Number of examples in a block; the last one may be shorter.
    pub rows: usize,
    /// Number of blocks whose examples are shuffled together.
    pub at_once: usize,
}

/// Why examples cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// There is no example, or an example has no feature.
    #[error(
        "a dataset needs at least one example and one feature, got {n_examples} examples of {n_features} features"
    )]
    Empty {
        /// Columns of X.
        n_examples: usize,
        /// Rows of X.
        n_features: usize,
    },
    /// Labels and columns differ in number.
    #[error("{n_labels} labels for {n_examples} examples")]
    LabelCount {
        /// Number of labels given.
        n_labels: usize,
        /// Columns of X.
        n_examples: usize,
    },
    /// A label names a class that does not exist.
    #[error("example {example} has class {label}, but there are {n_classes} classes (0 to {})", n_classes - 1)]
    LabelRange {
        /// Index of the offending example.
        example: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        n_classes: usize,
    },
    /// There are fewer than two classes to tell apart.
    #[error("a dataset needs at least two classes, got {n_classes}")]
    TooFewClasses {
        /// Number of class names given.
        n_classes: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature {feature} of example {example} is {value}, which is not a finite number")]
    NotFinite {
        /// Row of X.
        feature: usize,
        /// Column of X.
        example: usize,
        /// The value found there.
        value: f64,
    },
    /// The source of the examples failed.
    #[error("reading examples failed")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Labelled examples in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset<F: Real> {
    x: DMatrix<F>,
    labels: Vec<u32>,
    classes: Vec<String>,
}

impl<F: Real> Dataset<F> {
    /// Makes a dataset of the examples in the columns of `x`, after checking them.
    ///
    /// # Shapes
    /// `x` (n₀, m), `labels` of length m, each below `classes.len()`.
    /// # Errors
    /// Each variant of [`DatasetError`] but `Read`, naming the first offence.
    pub fn new(
        x: DMatrix<F>,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, DatasetError> {
        let (n_features, n_examples) = x.shape();
        let n_classes = classes.len();
        if n_examples == 0 || n_features == 0 {
            return Err(DatasetError::Empty { n_examples, n_features });
        }
        if n_classes < 2 {
            return Err(DatasetError::TooFewClasses { n_classes });
        }
        if labels.len() != n_examples {
            return Err(DatasetError::LabelCount { n_labels: labels.len(), n_examples });
        }
        if let Some((example, &label)) =
            labels.iter().enumerate().find(|(_, label)| **label as usize >= n_classes)
        {
            return Err(DatasetError::LabelRange { example, label, n_classes });
        }
        if let Some(at) = F::first_not_finite(x.as_slice()) {
            let (example, feature) = (at / n_features, at % n_features);
            let value = x.as_slice()[at].as_f64();
            return Err(DatasetError::NotFinite { feature, example, value });
        }
        Ok(Self { x, labels, classes })
    }

    /// Returns the features X (n₀, m).
    pub fn x(&self) -> &DMatrix<F> {
        &self.x
    }

    /// Returns how many examples each class has, in the order of the classes.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            counts[label as usize] += 1;
        }
        counts
    }

    /// Returns the examples `indices`, in that order, as a dataset of their own.
    ///
    /// # Errors
    /// [`DatasetError::Empty`] when `indices` is empty.
    /// # Panics
    /// When an index is not below m.
    pub fn select(&self, indices: &[usize]) -> Result<Self, DatasetError> {
        let mut x = DMatrix::zeros(self.x.nrows(), indices.len());
        copy_columns(&self.x, indices.iter().copied(), &mut x);
        let labels = indices.iter().map(|&i| self.labels[i]).collect();
        Self::new(x, labels, self.classes.clone())
    }
}

impl<F: Real> Examples<F> for Dataset<F> {
    fn n_features(&self) -> usize {
        self.x.nrows()
    }
    fn labels(&self) -> &[u32] {
        &self.labels
    }
    fn classes(&self) -> &[String] {
        &self.classes
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        Some(&self.x)
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        copy_columns(&self.x, indices.iter().copied(), x);
        Ok(())
    }
}

/// Copies the columns `columns` of `from` side by side to `to`.
///
/// # Panics
/// When `to` has another shape.
fn copy_columns<F: Real>(
    from: &DMatrix<F>,
    columns: impl Iterator<Item = usize>,
    to: &mut DMatrix<F>,
) {
    let (n_rows, n_columns) = to.shape();
    let mut n_copied = 0;
    for column in columns {
        assert!(n_copied < n_columns && n_rows == from.nrows(), "shape of the batch to fill");
        to.column_mut(n_copied).copy_from(&from.column(column));
        n_copied += 1;
    }
    assert_eq!(n_copied, n_columns, "shape of the batch to fill");
}

/// The features of all views of labelled examples, in memory.
///
/// Training draws one of an example's views in every epoch; it is judged by the mean over all.
#[derive(Debug, Clone)]
pub struct ViewedExamples<F: Real> {
    x: DMatrix<F>,
    labels: Vec<u32>,
    classes: Vec<String>,
    n_views: usize,
    seed: u64,
}

impl<F: Real> ViewedExamples<F> {
    /// Returns the features of all views X (n₀, m · n_views), the views of an example side by side.
    pub fn x(&self) -> &DMatrix<F> {
        &self.x
    }

    /// Reads all views of examples.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(examples: &dyn Examples<F>, seed: u64) -> Result<Self, DatasetError> {
        let (m, n_views) = (examples.n_examples(), examples.n_views());
        let mut x = DMatrix::zeros(examples.n_features(), m * n_views);
        examples.read_views(&(0..m).collect::<Vec<_>>(), &mut x)?;
        let (labels, classes) = (examples.labels().to_vec(), examples.classes().to_vec());
        Ok(Self { x, labels, classes, n_views, seed })
    }

    /// Returns some of the examples.
    ///
    /// # Panics
    /// When an index is not below m.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let views = |&i: &usize| i * self.n_views..(i + 1) * self.n_views;
        let columns: Vec<usize> = indices.iter().flat_map(views).collect();
        Self {
            x: self.x.select_columns(&columns),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            classes: self.classes.clone(),
            ..*self
        }
    }

    /// Brings each feature to the mean 0 and deviation 1 that it has in `self`, in both, and cuts what
    /// is beyond ±`clip`.
    pub fn standardize(&mut self, other: &mut Self, clip: Option<f64>) {
        let n = self.x.ncols() as f64;
        for i in 0..self.x.nrows() {
            let mean = self.x.row(i).iter().map(|x| x.as_f64()).sum::<f64>() / n;
            let square = |x: &F| (x.as_f64() - mean).powi(2);
            let std = (self.x.row(i).iter().map(square).sum::<f64>() / n).sqrt();
            let std = if std < 1e-9 { 1.0 } else { std };
            for x in self.x.row_mut(i).iter_mut().chain(other.x.row_mut(i).iter_mut()) {
                let standardized = (x.as_f64() - mean) / std;
                *x = F::of(clip.map_or(standardized, |clip| standardized.clamp(-clip, clip)));
            }
        }
    }
}

impl<F: Real> Examples<F> for ViewedExamples<F> {
    fn n_features(&self) -> usize {
        self.x.nrows()
    }
    fn labels(&self) -> &[u32] {
        &self.labels
    }
    fn classes(&self) -> &[String] {
        &self.classes
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        (self.n_views == 1).then_some(&self.x)
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        copy_columns(&self.x, indices.iter().map(|i| i * self.n_views), x);
        Ok(())
    }
    fn n_views(&self) -> usize {
        self.n_views
    }
    fn read_views(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        let n = self.n_views;
        copy_columns(&self.x, indices.iter().flat_map(|i| i * n..(i + 1) * n), x);
        Ok(())
    }
    fn is_streamed(&self) -> bool {
        self.n_views > 1
    }
    fn read_for_epoch(
        &self,
        indices: &[usize],
        epoch: u64,
        x: &mut DMatrix<F>,
    ) -> Result<(), DatasetError> {
        let n = self.n_views;
        copy_columns(
            &self.x,
            indices.iter().map(|&i| i * n + view_of_epoch(self.seed, epoch, i, n)),
            x,
        );
        Ok(())
    }
}

/// Returns the number of the view that an example is shown as in an epoch of training, uniformly from
/// 0..`n_views`: the same wherever the views are kept.
pub fn view_of_epoch(seed: u64, epoch: u64, index: usize, n_views: usize) -> usize {
    let seed = hash(hash(hash(seed, VIEW_STREAM), epoch), index as u64);
    let mut generator = Generator::new(RngKind::Modern, seed).expect("any seed will do");
    (generator.uniform() * n_views as f64) as usize
}

/// Parts the choice of views from other choices by the same seed.
const VIEW_STREAM: u64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        vec!["non-cat".into(), "cat".into()]
    }

    #[test]
    fn takes_a_sound_set_and_counts_its_classes() {
        let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let set = Dataset::new(x, vec![0, 1, 1], classes()).unwrap();
        assert_eq!(set.class_counts(), [1, 2]);
        let picked = set.select(&[2, 0]).unwrap();
        assert_eq!(picked.x().as_slice(), [3.0, 6.0, 1.0, 4.0]);
        assert_eq!(picked.labels(), [1, 0]);
        let mut batch = DMatrix::zeros(2, 2);
        set.read(&[1, 1], &mut batch).unwrap();
        assert_eq!(batch.as_slice(), [2.0, 5.0, 2.0, 5.0]);
    }

    #[test]
    fn names_each_offence() {
        let two = || DMatrix::from_element(1, 2, 0.5_f64);
        let message = |r: Result<Dataset<f64>, DatasetError>| r.unwrap_err().to_string();
        assert_eq!(
            message(Dataset::new(DMatrix::zeros(3, 0), vec![], classes())),
            "a dataset needs at least one example and one feature, got 0 examples of 3 features"
        );
        assert_eq!(message(Dataset::new(two(), vec![0], classes())), "1 labels for 2 examples");
        assert_eq!(
            message(Dataset::new(two(), vec![0, 2], classes())),
            "example 1 has class 2, but there are 2 classes (0 to 1)"
        );
        assert_eq!(
            message(Dataset::new(two(), vec![0, 0], vec!["a".into()])),
            "a dataset needs at least two classes, got 1"
        );
        let mut x = two();
        x[(0, 1)] = f64::NAN;
        assert_eq!(
            message(Dataset::new(x, vec![0, 1], classes())),
            "feature 0 of example 1 is NaN, which is not a finite number"
        );
    }

    /// 60 examples of two features, each a single view.
    fn viewed() -> ViewedExamples<f64> {
        let x = DMatrix::from_fn(2, 60, |row, i| ((i * 7919 + row * 31) % 101) as f64 / 50.0);
        let data = Dataset::new(x, vec![0; 60], classes()).unwrap();
        ViewedExamples::read(&data, 1).unwrap()
    }

    #[test]
    fn a_fold_is_standardised_by_its_training_examples() {
        let examples = viewed();
        let (mut train, mut kept) = (examples.select(&[0, 1, 2, 3]), examples.select(&[4, 5]));
        let before = (train.x.clone(), kept.x.clone());
        train.standardize(&mut kept, Some(1.5));
        let mean = before.0.row(1).mean();
        let std = before.0.row(1).variance().sqrt();
        for (x, after) in before.1.row(1).iter().zip(kept.x.row(1).iter()) {
            assert!((((x - mean) / std).clamp(-1.5, 1.5) - after).abs() < 1e-12);
        }
        assert!(train.x.row(1).mean().abs() < 0.3);
    }
}
