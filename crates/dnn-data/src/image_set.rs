//! A set of labelled images in memory, before they become features.

use crate::classes::mapped;
use crate::images::{self, Images};
use crate::parallel;
#[cfg(feature = "image")]
use crate::preprocess;
use crate::values::{self, NumberRange};
use crate::visit::{Batch, block_rows};
use crate::{
    Buffer, DataError, ImageShape, InputContract, Normalization, SplitInfo, SplitName, Values,
    Visitor,
};
use dnn_core::{Dataset, Real};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
#[cfg(feature = "image")]
use std::borrow::Cow;
use std::path::PathBuf;

/// How numbers whose type is not a byte become features.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Whole numbers from 0 to 255, of which some are above 1, are taken for bytes and divided by
    /// 255; others are features as they are.
    #[default]
    Auto,
    /// All numbers are divided by 255.
    #[serde(rename = "divide-by-255")]
    DivideBy255,
    /// All numbers are features as they are.
    AsIs,
}

/// Labelled images of one size with one byte a channel; or examples of other numbers, with bytes to
/// show them as pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSet {
    values: Buffer,
    /// Bytes that show numbers which are no bytes as pictures.
    shown: Option<Vec<u8>>,
    normalization: Normalization,
    shape: ImageShape,
    labels: Vec<u32>,
    classes: Vec<String>,
    files: Vec<PathBuf>,
    /// Where examples were left out, the numbers of the others in the set as it was read, and how many it had.
    numbers: Option<(Vec<usize>, usize)>,
    contract: Option<InputContract>,
}

impl ImageSet {
    /// Makes a set of m images, after checking that they fit together.
    ///
    /// # Shapes
    /// `pixels` (m, height, width, channels), row by row; `labels` (m), each below `classes.len()`.
    /// # Errors
    /// [`DataError::Mismatch`] when the numbers do not fit together or the set is empty.
    pub fn new(
        pixels: Vec<u8>,
        shape: ImageShape,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let mismatch = |what: &str, expected: String, got: String| {
            Err(DataError::Mismatch { what: what.into(), expected, got })
        };
        if labels.is_empty() || shape.n_bytes() == 0 {
            let got = format!("{} images of {shape}", labels.len());
            return mismatch("images", "at least one, not empty".into(), got);
        }
        if pixels.len() != labels.len() * shape.n_bytes() {
            let expected = format!(
                "{} bytes for {} images of {shape}",
                labels.len() * shape.n_bytes(),
                labels.len()
            );
            return mismatch("pixels", expected, format!("{} bytes", pixels.len()));
        }
        if let Some(i) = labels.iter().position(|&label| label as usize >= classes.len()) {
            let expected = format!("one of {} classes (below {})", classes.len(), classes.len());
            return mismatch(&format!("label of image {i}"), expected, labels[i].to_string());
        }
        Ok(Self {
            values: Buffer::Bytes(pixels),
            shown: None,
            normalization: Normalization::DivideBy255,
            shape,
            labels,
            classes,
            files: Vec::new(),
            numbers: None,
            contract: None,
        })
    }

    /// Makes a set of m examples of bytes or other numbers, after checking them.
    ///
    /// Bytes are bytes of pixels. `scale` says what other numbers become: by default, whole numbers
    /// from 0 to 255, of which some are above 1, become bytes, and all others stay numbers, such as
    /// images from 0 to 1 or the rows of a table.
    ///
    /// # Shapes
    /// As [`new`](Self::new); a table of n columns is images of 1×n×1.
    /// # Errors
    /// As [`new`](Self::new), when a number is not finite, or is to be divided by 255 and is not 0 to 255.
    pub fn from_values(
        values: Buffer,
        shape: ImageShape,
        labels: Vec<u32>,
        classes: Vec<String>,
        scale: Scale,
    ) -> Result<Self, DataError> {
        let values = match values {
            Buffer::Bytes(pixels) => {
                let mut set = Self::new(pixels, shape, labels, classes)?;
                if scale == Scale::AsIs {
                    set.keep_numbers();
                }
                return Ok(set);
            }
            numbers => numbers,
        };
        let mut range = NumberRange::default();
        range.add(values.values(), 0, shape.n_bytes())?;
        if scale != Scale::AsIs
            && range.is_bytes()
            && let Some(pixels) = values.values().to_bytes()
        {
            return Self::new(pixels, shape, labels, classes);
        }
        let (values, normalization) = match scale {
            Scale::Auto => (values, range.normalization()),
            Scale::AsIs => (values, Normalization::AsIs),
            // Later, whoever asks the network is refused such numbers.
            Scale::DivideBy255 if range.least < 0.0 || range.most > 255.0 => {
                return Err(DataError::Mismatch {
                    what: "numbers to divide by 255".into(),
                    expected: "0 to 255 (`as-is` takes others)".into(),
                    got: format!("{} to {}", range.least, range.most),
                });
            }
            Scale::DivideBy255 => (divided(values), Normalization::DivideBy255),
        };
        let (low, high) = match normalization {
            Normalization::AsIs => (range.least, range.most),
            Normalization::DivideBy255 => (0.0, 1.0),
        };
        let unit = 255.0 / (high - low).max(f64::from(f32::MIN_POSITIVE));
        let mut shown = Vec::with_capacity(values.values().len());
        values.values().for_each(|value| shown.push(((value - low) * unit).round() as u8));
        let set = Self::new(shown, shape, labels, classes)?;
        let Buffer::Bytes(shown) = set.values else { unreachable!("made of bytes") };
        Ok(Self { values, shown: Some(shown), normalization, ..set })
    }

    /// Sets the contract by which the images become features.
    ///
    /// # Panics
    /// When the images do not have the contract's size.
    pub fn set_contract(&mut self, contract: InputContract) {
        assert_eq!(contract.n_values(), self.shape.n_bytes(), "images of the contract's size");
        self.normalization = contract.normalization;
        self.contract = Some(contract);
    }

    /// Returns the set with the file of each image and the contract by which they were prepared.
    ///
    /// # Panics
    /// When there is not a file for each image, or the images do not have the contract's size.
    #[must_use]
    pub fn read_from(self, files: Vec<PathBuf>, contract: InputContract) -> Self {
        assert_eq!(files.len(), self.len(), "a file for each image");
        let mut set = Self { files, ..self };
        set.set_contract(contract);
        set
    }

    /// Returns whether the examples are rows of a table.
    pub(crate) fn is_table(&self) -> bool {
        self.shape.height == 1 && self.shape.channels == 1
    }

    /// Takes bytes as numbers that become features as they are, without being divided by 255.
    pub(crate) fn keep_numbers(&mut self) {
        self.normalization = Normalization::AsIs;
    }

    /// Gives the classes other names; there may be more of them than before.
    pub(crate) fn rename_classes(&mut self, classes: &[String]) {
        assert!(classes.len() >= self.classes.len(), "a name for each class");
        self.classes = classes.to_vec();
    }

    /// Returns the set with other classes; `map` has the new class index of each old one.
    ///
    /// # Panics
    /// When `map` has no entry for a label, or leads to a class that does not exist.
    #[must_use]
    pub fn with_classes(self, classes: Vec<String>, map: &[u32]) -> Self {
        let labels = mapped(&self.labels, &classes, map);
        Self { labels, classes, ..self }
    }

    /// Returns the same examples with other pixels: changed, to see what a network makes of them.
    ///
    /// # Shapes
    /// `pixels` (m, height, width, channels), row by row.
    /// # Errors
    /// [`DataError::Mismatch`] when the numbers of bytes differ, or these are other numbers than bytes
    /// of pixels.
    pub fn with_pixels(&self, pixels: Vec<u8>) -> Result<Self, DataError> {
        if !self.is_bytes() || pixels.len() != self.pixels().len() {
            return Err(DataError::Mismatch {
                what: "pixels".into(),
                expected: format!("{} bytes of pixels", self.pixels().len()),
                got: if self.is_bytes() {
                    format!("{} bytes", pixels.len())
                } else {
                    "numbers that are no pixels".into()
                },
            });
        }
        Ok(Self { values: Buffer::Bytes(pixels), ..self.clone() })
    }

    /// Returns the number of images, m.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there is no image, which is never true of a set that [`new`](Self::new)
    /// made.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the size of every image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Returns the class index of each image, (m).
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Returns the names of the classes, in the order of their indices.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Returns the file of each image, where each was read from its own; otherwise nothing.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the number of example `i` in its split as it was read, from 0: its index, unless examples were
    /// left out.
    ///
    /// # Panics
    /// When examples were left out and `i` is not below the number of those that are there.
    pub fn number(&self, i: usize) -> usize {
        self.numbers.as_ref().map_or(i, |(numbers, _)| numbers[i])
    }

    /// Returns the index of the example with this [`number`](Self::number), if it is there.
    pub fn index_of(&self, number: usize) -> Option<usize> {
        match &self.numbers {
            Some((numbers, _)) => numbers.iter().position(|&other| other == number),
            None => Some(number).filter(|number| *number < self.len()),
        }
    }

    /// Returns how many examples the split had when it was read.
    pub fn n_read(&self) -> usize {
        self.numbers.as_ref().map_or(self.len(), |(_, n_read)| *n_read)
    }

    /// The numbers of some examples, as `numbers` has them.
    fn numbers_of(&self, indices: &[usize]) -> (Vec<usize>, usize) {
        (indices.iter().map(|&i| self.number(i)).collect(), self.n_read())
    }

    /// Returns the set without the examples of these indices; the others keep their
    /// [`number`](Self::number).
    pub(crate) fn without(&self, left_out: &[usize]) -> Self {
        let kept: Vec<_> = (0..self.len()).filter(|i| !left_out.contains(i)).collect();
        Self { numbers: Some(self.numbers_of(&kept)), ..self.select(&kept) }
    }

    /// Returns whether the values are bytes of pixels.
    pub fn is_bytes(&self) -> bool {
        self.shown.is_none() && self.normalization == Normalization::DivideBy255
    }

    /// Returns the contract by which the images were prepared, where there is one; otherwise the
    /// contract of images of this size, divided by 255, or as they are when they are numbers
    /// outside [0, 1].
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when no contract has this size.
    pub fn contract(&self) -> Result<InputContract, DataError> {
        if let Some(contract) = &self.contract {
            return Ok(contract.clone());
        }
        Ok(InputContract { normalization: self.normalization, ..self.shape.contract()? })
    }

    /// Returns the examples `indices`, in that order, as a set of their own.
    ///
    /// # Panics
    /// When an index is not below the number of images.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let n = self.shape.n_bytes();
        let number = self.values().number();
        let mut values = Buffer::with_capacity(number, indices.len() * n);
        for &i in indices {
            let image = self.values().slice(i * n..(i + 1) * n);
            values.extend(image).expect("numbers of its own type");
        }
        let shown = |pixels: &Vec<u8>| {
            indices.iter().flat_map(|&i| &pixels[i * n..(i + 1) * n]).copied().collect()
        };
        let files = if self.files.is_empty() { &[][..] } else { indices };
        Self {
            values,
            shown: self.shown.as_ref().map(shown),
            normalization: self.normalization,
            shape: self.shape,
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            classes: self.classes.clone(),
            files: files.iter().map(|&i| self.files[i].clone()).collect(),
            numbers: self.numbers.is_some().then(|| self.numbers_of(indices)),
            contract: self.contract.clone(),
        }
    }

    /// Returns the numbers of all examples, (m, height, width, channels), row by row.
    pub fn values(&self) -> Values<'_> {
        self.values.values()
    }

    /// Returns all pixels, (m, height, width, channels), row by row. Numbers that are no bytes are
    /// shown by bytes: 0 to 1, or the least to the greatest, as 0 to 255.
    pub fn pixels(&self) -> &[u8] {
        match (&self.values, &self.shown) {
            (Buffer::Bytes(pixels), _) | (_, Some(pixels)) => pixels,
            (_, None) => &[],
        }
    }

    /// Returns the bytes of image `i`, (height, width, channels), row by row.
    ///
    /// # Panics
    /// When `i` is not below the number of images.
    pub fn image(&self, i: usize) -> &[u8] {
        &self.pixels()[i * self.shape.n_bytes()..][..self.shape.n_bytes()]
    }

    /// Returns how many images each class has, in the order of the classes.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            counts[label as usize] += 1;
        }
        counts
    }

    /// Returns how these bytes or numbers become features.
    pub(crate) fn normalization(&self) -> Normalization {
        self.normalization
    }

    /// Passes the examples to a visitor as the split `split`.
    ///
    /// # Errors
    /// The error of the visitor.
    pub fn visit(&self, split: SplitName, visitor: &mut dyn Visitor) -> Result<(), DataError> {
        let part = SplitInfo {
            split,
            shape: self.shape,
            n: self.len(),
            number: self.values().number(),
            contract: self.contract.clone(),
            path: None,
        };
        if !visitor.begin(part)? {
            return Ok(());
        }
        let n = self.shape.n_bytes();
        let rows = block_rows(n);
        for (block, labels) in self.labels.chunks(rows).enumerate() {
            let start = block * rows;
            let values = self.values().slice(start * n..(start + labels.len()) * n);
            let files = self.files.get(start..start + labels.len()).unwrap_or_default();
            visitor.examples(Batch { values, labels, files })?;
        }
        Ok(())
    }

    /// Returns the images in the contract's size and channels, prepared as [`preprocess::prepare`]
    /// prepares pictures; borrowed when they have that size already.
    ///
    /// # Errors
    /// [`DataError::Image`] when the contract is not one, [`DataError::Mismatch`] when the images are
    /// larger than a picture can be, or are numbers that are no bytes.
    #[cfg(feature = "image")]
    pub fn prepared(&self, contract: &InputContract) -> Result<Cow<'_, Self>, DataError> {
        use crate::image::ImageError;
        contract.check().map_err(ImageError::from)?;
        let shape = ImageShape::of(contract);
        if self.shape == shape {
            return Ok(Cow::Borrowed(self));
        }
        if !self.is_bytes() {
            return Err(not_resized(self.shape, shape));
        }
        let mut pixels = Vec::with_capacity(self.len() * shape.n_bytes());
        for i in 0..self.len() {
            pixels.extend(prepared(self.image(i), self.shape, contract)?);
        }
        let mut prepared = Self::new(pixels, shape, self.labels.clone(), self.classes.clone())?;
        prepared.files.clone_from(&self.files);
        Ok(Cow::Owned(prepared))
    }

    /// Returns the images as columns of features, by the contract.
    ///
    /// # Shapes
    /// X (n₀, m), n₀ the contract's number of features.
    /// # Errors
    /// [`DataError::Mismatch`] when the images are not of the contract's size.
    pub fn to_dataset<F: Real>(&self, contract: &InputContract) -> Result<Dataset<F>, DataError> {
        /// Bytes of features that take longer to compute than a thread to start.
        const WORTH_A_THREAD: usize = 2 << 20;
        let features = images::features::<F>(self, contract)?;
        let (n_values, n_features) = (features.n_values(), features.n_features());
        let mut x = values::zeros(n_features * self.len());
        let n_images = WORTH_A_THREAD.div_ceil(n_features * size_of::<F>());
        let parts = x.chunks_mut(n_images * n_features).enumerate();
        parallel::for_each(parts, 0, |(part, x)| {
            let (first, n) = (part * n_images, x.len() / n_features);
            features.of(self.values().slice(first * n_values..(first + n) * n_values), x);
        });
        let x = DMatrix::from_vec(features.n_features(), self.len(), x);
        Ok(Dataset::new(x, self.labels.clone(), self.classes.clone())?)
    }
}

/// Returns numbers divided by 255.
fn divided(values: Buffer) -> Buffer {
    match values {
        Buffer::Bytes(bytes) => Buffer::F32(bytes.iter().map(|&v| f32::from(v) / 255.0).collect()),
        Buffer::F32(all) => Buffer::F32(all.into_iter().map(|v| v / 255.0).collect()),
        Buffer::F64(all) => Buffer::F64(all.into_iter().map(|v| v / 255.0).collect()),
    }
}

impl Images for ImageSet {
    fn shape(&self) -> ImageShape {
        self.shape()
    }
    fn labels(&self) -> &[u32] {
        self.labels()
    }
    fn classes(&self) -> &[String] {
        self.classes()
    }
    fn contract(&self) -> Result<InputContract, DataError> {
        self.contract()
    }
    fn is_bytes(&self) -> bool {
        self.is_bytes()
    }
    fn each(
        &self,
        indices: &[usize],
        take: &mut dyn FnMut(usize, Values<'_>),
    ) -> Result<(), DataError> {
        let n = self.shape.n_bytes();
        for (at, &i) in indices.iter().enumerate() {
            take(at, self.values().slice(i * n..(i + 1) * n));
        }
        Ok(())
    }
    fn files(&self) -> &[PathBuf] {
        self.files()
    }
}

/// Returns an image of bytes in the contract's size and channels.
#[cfg(feature = "image")]
pub(crate) fn prepared(
    image: &[u8],
    shape: ImageShape,
    contract: &InputContract,
) -> Result<Vec<u8>, DataError> {
    use crate::image::{ImageError, RgbImage};
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let rgb = match shape.channels {
        1 => image.iter().flat_map(|&grey| [grey; 3]).collect(),
        _ => image.to_vec(),
    };
    let image = RgbImage::new(side(shape.width), side(shape.height), rgb).ok_or_else(|| {
        DataError::Mismatch {
            what: "size of the images (height×width×channels)".into(),
            expected: format!("1 to {} a side, 1 or 3 channels", RgbImage::MAX_SIDE),
            got: shape.to_string(),
        }
    })?;
    Ok(preprocess::prepare(image, contract).map_err(ImageError::from)?)
}

/// Returns the error about numbers that are no bytes and were to be resized.
#[cfg(feature = "image")]
pub(crate) fn not_resized(shape: ImageShape, wanted: ImageShape) -> DataError {
    DataError::Mismatch {
        what: "size of the examples (height×width×channels)".into(),
        expected: format!("{wanted}, since numbers that are no bytes are not resized"),
        got: shape.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_core::Examples as _;

    fn set() -> ImageSet {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        ImageSet::new(vec![0, 255, 51, 102], shape, vec![1, 0], vec!["a".into(), "b".into()])
            .unwrap()
    }

    #[test]
    fn bytes_become_columns_divided_by_255() {
        let set = set();
        let data = set.to_dataset::<f64>(&set.contract().unwrap()).unwrap();
        assert_eq!(data.x().as_slice(), [0.0, 1.0, 51.0 / 255.0, 102.0 / 255.0]);
        assert_eq!(data.labels(), [1, 0]);
        assert_eq!(set.image(1), [51, 102]);
    }

    #[test]
    fn another_size_than_the_contract_is_refused() {
        let contract = InputContract::rgb(64, 64).unwrap();
        assert_eq!(
            set().to_dataset::<f32>(&contract).unwrap_err().to_string(),
            "size of the images (height×width×channels): expected 64×64×3, got 1×2×1"
        );
    }

    #[cfg(feature = "image")]
    #[test]
    fn prepared_images_are_what_a_picture_of_them_would_be() {
        use crate::image::RgbImage;
        let set = set();
        assert!(matches!(set.prepared(&set.contract().unwrap()).unwrap(), Cow::Borrowed(_)));
        let contract = InputContract::rgb(3, 2).unwrap();
        let prepared = set.prepared(&contract).unwrap();
        assert_eq!(prepared.shape(), ImageShape { height: 2, width: 3, channels: 3 });
        assert_eq!((prepared.labels(), prepared.classes()), (set.labels(), set.classes()));
        for i in 0..set.len() {
            let rgb = set.image(i).iter().flat_map(|&grey| [grey; 3]).collect();
            let picture = RgbImage::new(2, 1, rgb).unwrap();
            let expected = preprocess::prepare(picture, &contract).unwrap();
            assert_eq!(prepared.image(i), expected);
        }
        assert!(prepared.to_dataset::<f64>(&contract).is_ok());
    }
}
