//! Labelled images, in memory or in a file, and the features that a contract makes of them.

use crate::preprocess::{Features, Moments};
use crate::{
    ContractError, DataError, FeatureKind, ImageShape, InputContract, Normalization,
    Standardization, Values,
};
use dnn_core::{DatasetError, Examples, Real, ShuffleBlocks};
use nalgebra::DMatrix;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Labelled images, or rows of a table, in memory or in a file.
pub trait Images: Send + Sync {
    /// Returns the shape that all images have.
    fn shape(&self) -> ImageShape;
    /// Returns the class index of each image.
    fn labels(&self) -> &[u32];
    /// Returns the names of the classes, in the order of their indices.
    fn classes(&self) -> &[String];
    /// Returns the contract by which the images were prepared, or under which they are features
    /// unchanged.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when no contract has this size.
    fn contract(&self) -> Result<InputContract, DataError>;
    /// Returns whether the values are pixels of one byte, not other numbers.
    fn is_bytes(&self) -> bool;
    /// Calls `take` with the values of each of these images and its position in the list of indices.
    ///
    /// # Errors
    /// When the images cannot be read.
    /// # Panics
    /// When an index is not below the number of images.
    fn each(
        &self,
        indices: &[usize],
        take: &mut dyn FnMut(usize, Values<'_>),
    ) -> Result<(), DataError>;
    /// Returns the blocks within which streamed images are shuffled, so that each block is read once
    /// an epoch; `None` where every order costs the same.
    fn blocks(&self) -> Option<ShuffleBlocks> {
        None
    }
    /// Returns the file of each image where each has its own; else an empty slice.
    fn files(&self) -> &[PathBuf] {
        &[]
    }
    /// Returns the number of images, m.
    fn len(&self) -> usize {
        self.labels().len()
    }
    /// Returns whether there are no images.
    fn is_empty(&self) -> bool {
        self.labels().is_empty()
    }
}

/// Number of images that are read at a time in a pass over all of them.
const AT_ONCE: usize = 256;

/// Calls `take` with the values of every image, in order.
///
/// # Errors
/// When the images cannot be read.
pub(crate) fn each_of_all(
    images: &dyn Images,
    take: &mut dyn FnMut(usize, Values<'_>),
) -> Result<(), DataError> {
    for start in (0..images.len()).step_by(AT_ONCE) {
        let some: Vec<usize> = (start..images.len().min(start + AT_ONCE)).collect();
        images.each(&some, &mut |at, values| take(start + at, values))?;
    }
    Ok(())
}

/// The magnitude at which standardised descriptors are clipped.
const CLIP: f64 = 5.0;

/// Returns whether the features of all views of `m` images are few enough to be kept in memory rather than
/// computed anew whenever one is needed: 256 MiB at most.
pub(crate) fn views_fit<F>(m: usize, n_views: usize, n_features: usize) -> bool {
    let sizes = [n_views, n_features, size_of::<F>()];
    sizes.into_iter().fold(m, usize::saturating_mul) <= 256 << 20
}

/// Returns the standardisation of a training set under a contract: the mean and standard deviation of
/// each channel of images, of each column of a table, and of each number of a descriptor over all
/// views. Descriptors are also clipped at ±5. A constant feature gets the standard deviation 1.
///
/// # Errors
/// When the images cannot be read, or the contract does not fit them.
pub fn standardization(
    images: &dyn Images,
    contract: &InputContract,
) -> Result<Standardization, DataError> {
    let shape = images.shape();
    if contract.features != FeatureKind::Pixels {
        let contract = InputContract { standardization: None, ..contract.clone() };
        let features = features::<f64>(images, &contract)?;
        let (n, n_views) = (features.n_features(), contract.views as usize);
        let mut moments = Moments::new(n, images.len() * n_views * n);
        let (mut numbers, mut kept) = (vec![0.0; n], Vec::new());
        let fit = views_fit::<f64>(images.len(), n_views, n);
        for pass in 0..2 {
            if pass == 1 && fit {
                moments.add(Values::F64(&kept));
            } else {
                each_of_all(images, &mut |_, image| {
                    for view in 0..contract.views {
                        features.of_view(image, view, &mut numbers);
                        moments.add(Values::F64(&numbers));
                        kept.extend(numbers.iter().filter(|_| fit));
                    }
                })?;
            }
            moments.end_pass();
        }
        return Ok(Standardization { clip: Some(CLIP), ..moments.standardization() });
    }
    let is_table = contract.normalization == Normalization::AsIs;
    let n = if is_table { shape.n_bytes() } else { shape.channels };
    let mut moments = Moments::new(n, images.len() * shape.n_bytes());
    // Two passes avoid the cancellation of E[x²] − E[x]².
    for _ in 0..2 {
        each_of_all(images, &mut |_, values| match values {
            Values::Bytes(bytes) if !is_table => moments.add_bytes(bytes),
            values => moments.add(values),
        })?;
        moments.end_pass();
    }
    Ok(moments.standardization())
}

/// Streamed sets of more bytes are sampled instead of read as a whole to compute their identity.
const HASHED_BYTES: usize = 1 << 30;
/// Number of images in such a sample.
const HASHED_IMAGES: usize = 4096;

/// Returns the identity of the data that a network is trained on, as 64 hexadecimal digits: the
/// SHA-256 of the input contract, of the labels, classes and shapes of all sets, of all their values,
/// and of the blocks within which streamed images are shuffled.
///
/// Of streamed images that take more than 1 GiB, 4096 evenly spaced ones are hashed.
///
/// # Errors
/// When the images cannot be read.
pub fn identity<'a>(
    contract: &InputContract,
    sets: impl IntoIterator<Item = &'a dyn Images>,
) -> Result<String, DataError> {
    let mut hash = Sha256::new();
    // Fields with their default value are left out, so that data keep the identity of earlier versions.
    let described = format!("{contract:?}\n").replace(", clip: None", "");
    hash.update(described.replace(", features: Pixels, views: 1", ""));
    let mut bytes = Vec::new();
    for images in sets {
        let (shape, m) = (images.shape(), images.len());
        hash.update(format!("{shape:?} {:?} {:?} {m}\n", images.classes(), images.blocks()));
        for label in images.labels() {
            hash.update(label.to_le_bytes());
        }
        let mut add = |_: usize, values: Values<'_>| {
            bytes.clear();
            values.write_le(&mut bytes);
            hash.update(&bytes);
        };
        let is_large = m.saturating_mul(shape.n_bytes()) > HASHED_BYTES;
        if images.blocks().is_some() && is_large {
            let n = HASHED_IMAGES.min(m);
            let some: Vec<usize> = (0..n).map(|i| i * m / n).collect();
            images.each(&some, &mut add)?;
        } else {
            each_of_all(images, &mut add)?;
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// Labelled images as examples of a network: a contract turns them into features as they are read.
pub struct FeatureExamples<F: Real, I> {
    images: I,
    features: Features<F>,
    views: u32,
    change: Option<Change>,
    /// Reused memory for the bytes of a batch that is augmented.
    room: Mutex<Vec<u8>>,
}

/// Replaces an image by another of the same size, given its bytes, the epoch, its index and scratch
/// memory.
pub(crate) type Change = Box<dyn Fn(&[u8], u64, u64, &mut [u8], &mut [u8]) + Send + Sync>;

impl<F: Real, I: Images> FeatureExamples<F, I> {
    /// Makes examples of images that have the contract's size.
    ///
    /// # Errors
    /// When the contract is invalid or has another size.
    pub fn new(images: I, contract: &InputContract) -> Result<Self, DataError> {
        let features = features(&images, contract)?;
        let (views, change, room) = (contract.views, None, Mutex::default());
        Ok(Self { images, features, views, change, room })
    }

    /// Returns the images.
    pub(crate) fn images(&self) -> &I {
        &self.images
    }

    /// Augments the images, which must be bytes, when they are read for an epoch of training.
    pub(crate) fn changed_by(self, change: Change) -> Self {
        Self { change: Some(change), ..self }
    }
}

impl<I: Images + ?Sized> Images for &I {
    fn shape(&self) -> ImageShape {
        (**self).shape()
    }
    fn labels(&self) -> &[u32] {
        (**self).labels()
    }
    fn classes(&self) -> &[String] {
        (**self).classes()
    }
    fn contract(&self) -> Result<InputContract, DataError> {
        (**self).contract()
    }
    fn is_bytes(&self) -> bool {
        (**self).is_bytes()
    }
    fn each(
        &self,
        indices: &[usize],
        take: &mut dyn FnMut(usize, Values<'_>),
    ) -> Result<(), DataError> {
        (**self).each(indices, take)
    }
    fn blocks(&self) -> Option<ShuffleBlocks> {
        (**self).blocks()
    }
    fn files(&self) -> &[PathBuf] {
        (**self).files()
    }
}

/// Returns the computation of features by a contract, for images of this shape.
///
/// # Errors
/// When the contract is invalid or has another size.
pub(crate) fn features<F: Real>(
    images: &dyn Images,
    contract: &InputContract,
) -> Result<Features<F>, DataError> {
    let wanted = ImageShape::of(contract);
    if images.shape() != wanted {
        return Err(DataError::Mismatch {
            what: "size of the images (height×width×channels)".into(),
            expected: wanted.to_string(),
            got: images.shape().to_string(),
        });
    }
    let own = images.contract()?.normalization;
    if contract.normalization == Normalization::DivideBy255 && own == Normalization::AsIs {
        return Err(DataError::Mismatch {
            what: "features".into(),
            expected: "bytes, or numbers from 0 to 1".into(),
            got: "numbers below 0 or above 1".into(),
        });
    }
    Features::new(contract).map_err(|error: ContractError| DataError::Mismatch {
        what: "input contract".into(),
        expected: "one that holds together".into(),
        got: error.to_string(),
    })
}

impl<F: Real, I: Images> Examples<F> for FeatureExamples<F, I> {
    fn n_examples(&self) -> usize {
        self.images.len()
    }
    fn n_features(&self) -> usize {
        self.features.n_features()
    }
    fn labels(&self) -> &[u32] {
        self.images.labels()
    }
    fn classes(&self) -> &[String] {
        self.images.classes()
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        None
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        let n = self.n_features();
        assert_eq!(x.shape(), (n, indices.len()), "a column for each example");
        let x = x.as_mut_slice();
        let read = self.images.each(indices, &mut |at, image| {
            self.features.of(image, &mut x[at * n..(at + 1) * n]);
        });
        read.map_err(|e| DatasetError::Read(e.into()))
    }
    fn n_views(&self) -> usize {
        self.views as usize
    }
    fn read_views(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        let (n, n_views) = (self.n_features(), self.n_views());
        assert_eq!(x.shape(), (n, indices.len() * n_views), "a column for each view");
        let x = x.as_mut_slice();
        let read = self.images.each(indices, &mut |at, image| {
            let views = x[at * n * n_views..][..n * n_views].chunks_exact_mut(n);
            (0..).zip(views).for_each(|(view, x)| self.features.of_view(image, view, x));
        });
        read.map_err(|e| DatasetError::Read(e.into()))
    }
    fn is_streamed(&self) -> bool {
        true
    }
    fn blocks(&self) -> Option<ShuffleBlocks> {
        self.images.blocks()
    }
    fn read_for_epoch(
        &self,
        indices: &[usize],
        epoch: u64,
        x: &mut DMatrix<F>,
    ) -> Result<(), DatasetError> {
        let Some(change) = &self.change else { return self.read(indices, x) };
        assert_eq!(x.shape(), (self.n_features(), indices.len()), "a column for each example");
        let n = self.features.n_values();
        // Taken out of the lock, so that no thread waits for another.
        let room = || self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pixels = std::mem::take(&mut *room());
        pixels.resize(indices.len() * n, 0);
        let mut scratch = vec![0; n];
        let read = self.images.each(indices, &mut |at, image| {
            let Some(image) = image.bytes() else { return };
            change(
                image,
                epoch,
                indices[at] as u64,
                &mut scratch,
                &mut pixels[at * n..(at + 1) * n],
            );
        });
        if read.is_ok() {
            self.features.of_bytes(&pixels, x.as_mut_slice());
        }
        *room() = pixels;
        read.map_err(|e| DatasetError::Read(e.into()))
    }
}
