//! From images to features: the one implementation of the input contract.
//!
//! Training and prediction both use it, so an image is always prepared as those that the network
//! was trained on.

use crate::{
    Aspect, ContractError, Decode, FeatureKind, ImageShape, InputContract, Normalization,
    ResizeFilter, Standardization, Values, describe, views,
};
use dnn_core::Real;
#[cfg(feature = "image")]
pub use resize::prepare;
use std::borrow::Cow;

/// The computation of features by a contract: values are scaled or described, then standardised.
///
/// ```
/// use dnn_data::InputContract;
/// use dnn_data::preprocess::Features;
/// let features = Features::<f64>::new(&InputContract::rgb(1, 1)?)?;
/// let mut x = [0.0; 3];
/// features.of_bytes(&[0, 51, 255], &mut x);
/// assert_eq!(x, [0.0, 51.0 / 255.0, 1.0]);
/// # Ok::<(), dnn_data::ContractError>(())
/// ```
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "n_features is the term")]
pub struct Features<F: Real> {
    kind: FeatureKind,
    shape: ImageShape,
    n_features: usize,
    /// Lookup tables from each of the 256 values of a byte to its feature: one for all channels, or
    /// one for each channel.
    tables: Vec<[F; 256]>,
    /// The standardisation of each channel, which the tables already contain, or of each feature.
    standardization: Option<Standardization>,
}

impl<F: Real> Features<F> {
    /// Makes the computation of this contract.
    ///
    /// # Errors
    /// When the contract is invalid ([`InputContract::check`]).
    pub fn new(contract: &InputContract) -> Result<Self, ContractError> {
        contract.check()?;
        let normalized = |byte: usize| match contract.normalization {
            Normalization::DivideBy255 => F::of(byte as f64) / F::of(255.0),
            Normalization::AsIs => F::of(byte as f64),
        };
        let standardization = contract.standardization.clone();
        let channels = contract.channels as usize;
        let is_of_pixels = contract.features == FeatureKind::Pixels;
        let tables = match &standardization {
            Some(Standardization { mean, std, clip }) if is_of_pixels && mean.len() == channels => {
                let one = |(&mean, &std): (&f64, &f64)| {
                    let mut table = std::array::from_fn(normalized);
                    for x in &mut table {
                        standardize_one(x, mean, std, *clip);
                    }
                    table
                };
                mean.iter().zip(std).map(one).collect()
            }
            _ => vec![std::array::from_fn(normalized)],
        };
        let (kind, shape) = (contract.features, ImageShape::of(contract));
        let n_features = contract.n_features();
        Ok(Self { kind, shape, n_features, tables, standardization })
    }

    /// Returns the number of values of a prepared image.
    pub fn n_values(&self) -> usize {
        self.shape.n_bytes()
    }

    /// Returns the number of features of an image, n₀.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Computes the features of images that already have the contract's size and channels.
    ///
    /// # Shapes
    /// Any number of images one after the other, in both slices.
    /// # Panics
    /// When the two slices are not of the same number of images.
    pub fn of_bytes(&self, bytes: &[u8], x: &mut [F]) {
        if self.kind != FeatureKind::Pixels {
            return self.described(bytes, x);
        }
        F::look_up(&self.tables, bytes, x);
        if let Some(Standardization { mean, std, clip }) = &self.standardization
            && mean.len() > self.tables.len()
        {
            standardize(x, mean, std, *clip);
        }
    }

    fn described(&self, bytes: &[u8], x: &mut [F]) {
        let (n_values, n_features) = (self.n_values(), self.n_features);
        assert_eq!(bytes.len() / n_values, x.len() / n_features, "images and their features");
        let mut numbers = vec![0.0; n_features];
        for (image, x) in bytes.chunks_exact(n_values).zip(x.chunks_exact_mut(n_features)) {
            describe::describe(self.kind, self.shape, image, &mut numbers);
            if let Some(Standardization { mean, std, clip }) = &self.standardization {
                standardize(&mut numbers, mean, std, *clip);
            }
            x.iter_mut().zip(&numbers).for_each(|(x, &number)| *x = F::of(number));
        }
    }

    /// Computes the features of one view of an image.
    ///
    /// View 0 is the image itself, 1 its mirror image; then, in pairs of a crop and its mirror image,
    /// the middle, the upper left, the upper right, the lower left and the lower right. A crop has seven
    /// eighths of both sides and is resized to the image's size.
    ///
    /// # Panics
    /// When the view does not exist, or a slice is not of one image.
    pub fn of_view(&self, values: Values<'_>, view: u32, x: &mut [F]) {
        if view == 0 {
            return self.of(values, x);
        }
        let image = bytes_of(values);
        let mut pixels = vec![0; image.len()];
        views::view(&image, self.shape, view, &mut pixels);
        self.of_bytes(&pixels, x);
    }

    /// Computes the features of images of the contract's size; values other than bytes are not scaled.
    /// Descriptors round them to bytes first.
    ///
    /// # Panics
    /// When values and features are not of the same number of images.
    pub fn of(&self, values: Values<'_>, x: &mut [F]) {
        if let Values::Bytes(bytes) = values {
            return self.of_bytes(bytes, x);
        }
        if self.kind != FeatureKind::Pixels {
            return self.described(&bytes_of(values), x);
        }
        assert_eq!(values.len(), x.len(), "a feature for each number");
        let mut at = 0;
        values.for_each(|value| {
            x[at] = F::of(value);
            at += 1;
        });
        if let Some(Standardization { mean, std, clip }) = &self.standardization {
            standardize(x, mean, std, *clip);
        }
    }
}

/// Returns the bytes of an image; numbers from 0 to 1 are rounded to multiples of 1/255.
fn bytes_of(values: Values<'_>) -> Cow<'_, [u8]> {
    if let Values::Bytes(bytes) = values {
        return Cow::Borrowed(bytes);
    }
    let mut bytes = Vec::with_capacity(values.len());
    values.for_each(|value| bytes.push((255.0 * value).round() as u8));
    Cow::Owned(bytes)
}

/// The properties of a contract that are asked for; `None` keeps those of the data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContractChange {
    /// Width and height.
    pub size: Option<(u32, u32)>,
    /// 3 for red, green and blue, 1 for grey.
    pub channels: Option<u32>,
    /// The filter images are resized with.
    pub resize: Option<ResizeFilter>,
    /// The rule for images of another aspect ratio.
    pub aspect: Option<Aspect>,
    /// The background colour behind transparent pixels and in margins.
    pub background: Option<[u8; 3]>,
    /// Whether photos are rotated as their EXIF orientation says.
    pub exif_orientation: Option<bool>,
    /// The way a JPEG file is decoded.
    pub decode: Option<Decode>,
}

impl ContractChange {
    /// Returns a request for all properties of this contract.
    pub fn to(contract: &InputContract) -> Self {
        Self {
            size: Some((contract.width, contract.height)),
            channels: Some(contract.channels),
            resize: Some(contract.resize),
            aspect: Some(contract.aspect),
            background: Some(contract.background),
            exif_orientation: Some(contract.exif_orientation),
            decode: Some(contract.decode),
        }
    }

    /// Returns the contract with the properties that are asked for.
    #[must_use]
    pub fn apply(&self, base: InputContract) -> InputContract {
        let (width, height) = self.size.unwrap_or((base.width, base.height));
        InputContract {
            width,
            height,
            channels: self.channels.unwrap_or(base.channels),
            resize: self.resize.unwrap_or(base.resize),
            aspect: self.aspect.unwrap_or(base.aspect),
            background: self.background.unwrap_or(base.background),
            exif_orientation: self.exif_orientation.unwrap_or(base.exif_orientation),
            decode: self.decode.unwrap_or(base.decode),
            ..base
        }
    }
}

/// Mean and standard deviation of features that alternate in a stream of values, in two passes.
pub(crate) struct Moments {
    /// Number of values of each feature.
    each: f64,
    /// The means, known after the first pass.
    mean: Option<Vec<f64>>,
    sums: Vec<f64>,
    at: usize,
}

impl Moments {
    /// Makes the statistics of `n` features with `n_values` values altogether.
    pub(crate) fn new(n: usize, n_values: usize) -> Self {
        Self { each: (n_values / n) as f64, mean: None, sums: vec![0.0; n], at: 0 }
    }

    /// Adds the next values.
    pub(crate) fn add(&mut self, values: Values<'_>) {
        values.for_each(|value| self.add_one(value));
    }

    fn add_one(&mut self, value: f64) {
        self.sums[self.at] += match &self.mean {
            None => value / self.each,
            Some(mean) => (value - mean[self.at]).powi(2),
        };
        self.at = (self.at + 1) % self.sums.len();
    }

    /// Adds the next values, given as bytes; each is divided by 255 as [`Features`] does.
    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.add_one(f64::from(byte) / 255.0);
        }
    }

    /// Ends the first pass, when all values have been added.
    pub(crate) fn end_pass(&mut self) {
        if self.mean.is_none() {
            let n = self.sums.len();
            self.mean = Some(std::mem::replace(&mut self.sums, vec![0.0; n]));
        }
    }

    /// Returns means and standard deviations after the second pass.
    pub(crate) fn standardization(self) -> Standardization {
        let deviation = |sum: f64| {
            let std = (sum / self.each).sqrt();
            if std < 1e-12 { 1.0 } else { std }
        };
        let std = self.sums.into_iter().map(deviation).collect();
        Standardization { mean: self.mean.unwrap_or_default(), std, clip: None }
    }
}

/// Computes (x − mean) / std, with means and deviations repeated in turn.
fn standardize<F: Real>(x: &mut [F], mean: &[f64], std: &[f64], clip: Option<f64>) {
    for x in x.chunks_mut(mean.len()) {
        for ((x, &mean), &std) in x.iter_mut().zip(mean).zip(std) {
            standardize_one(x, mean, std, clip);
        }
    }
}

#[inline(always)]
fn standardize_one<F: Real>(x: &mut F, mean: f64, std: f64, clip: Option<f64>) {
    *x = (*x - F::of(mean)) / F::of(std);
    if let Some(clip) = clip {
        *x = nalgebra::clamp(*x, F::of(-clip), F::of(clip));
    }
}

#[cfg(feature = "image")]
mod resize {
    use crate::pixels::{Reduction, RgbImage, luma};
    use crate::{Aspect, ContractError, InputContract, ResizeFilter};
    use fast_image_resize::images::TypedImage;
    use fast_image_resize::pixels::U8x3;
    use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

    /// Returns the bytes of an image in the contract's size and channels.
    ///
    /// First the image is made grey when the contract has one channel; then it is stretched, fitted or
    /// cropped to the contract's size, in 8 bits. An image of the contract's size keeps its bytes.
    ///
    /// Grey is (19595·R + 38470·G + 7471·B + 32768) / 65536, the luma of BT.601 (0.299, 0.587,
    /// 0.114) in fixed point, as Pillow's `convert("L")`: a grey image keeps its values.
    ///
    /// # Shapes
    /// (height, width, channels) of the contract, flattened row by row.
    /// # Errors
    /// When the contract is invalid ([`InputContract::check`]).
    pub fn prepare(image: RgbImage, contract: &InputContract) -> Result<Vec<u8>, ContractError> {
        contract.check()?;
        let size = (image.width(), image.height());
        let same_size = size == (contract.width, contract.height);
        let reduction = image.reduction();
        if contract.channels == 1 {
            let grey = image.pixels().as_chunks::<3>().0.iter().copied().map(luma);
            if same_size {
                return Ok(grey.collect());
            }
            // Resized as three equal channels: see `pass`.
            let grey: Vec<u8> = grey.flat_map(|grey| [grey; 3]).collect();
            let background = [luma(contract.background); 3];
            let picture = Picture { pixels: grey, size, reduction };
            return Ok(placed(picture, contract, background).into_iter().step_by(3).collect());
        }
        let pixels = image.into_pixels();
        if same_size {
            return Ok(pixels);
        }
        Ok(placed(Picture { pixels, size, reduction }, contract, contract.background))
    }

    /// Pixels that are to be resized.
    struct Picture {
        pixels: Vec<u8>,
        size: (u32, u32),
        reduction: Option<Reduction>,
    }

    /// Returns the image in the contract's size, by its rule for other aspect ratios.
    fn placed(picture: Picture, contract: &InputContract, background: [u8; 3]) -> Vec<u8> {
        let wanted @ (to_width, to_height) = (contract.width, contract.height);
        // Of a picture that was decoded smaller, the size that its file has.
        let (width, height) = picture.reduction.map_or(picture.size, |reduction| reduction.of);
        // length·numerator / denominator, rounded, between 1 and `most`.
        let part = |length: u32, numerator: u32, denominator: u32, most: u32| {
            let (n, d) = (u64::from(length) * u64::from(numerator), u64::from(denominator));
            u32::try_from((n + d / 2) / d).unwrap_or(most).clamp(1, most)
        };
        let is_wider =
            u64::from(width) * u64::from(to_height) > u64::from(to_width) * u64::from(height);
        match contract.aspect {
            Aspect::Stretch => picture.part([0, 0, width, height]).resized(wanted, contract.resize),
            Aspect::Crop => {
                let (kept_width, kept_height) = if is_wider {
                    (part(height, to_width, to_height, width), height)
                } else {
                    (width, part(width, to_height, to_width, height))
                };
                let (left, top) = ((width - kept_width) / 2, (height - kept_height) / 2);
                let kept = picture.part([left, top, kept_width, kept_height]);
                kept.resized(wanted, contract.resize)
            }
            Aspect::Fit => {
                let inner @ (inner_width, inner_height) = if is_wider {
                    (to_width, part(height, to_width, width, to_height))
                } else {
                    (part(width, to_height, height, to_width), to_height)
                };
                let picture = picture.part([0, 0, width, height]).resized(inner, contract.resize);
                let mut sheet = background.repeat(to_width as usize * to_height as usize);
                let (left, top) = ((to_width - inner_width) / 2, (to_height - inner_height) / 2);
                let inside = left as usize * 3..(left + inner_width) as usize * 3;
                let rows = sheet.chunks_exact_mut(to_width as usize * 3).skip(top as usize);
                for (row, from) in rows.zip(picture.chunks_exact(inner_width as usize * 3)) {
                    row[inside.clone()].copy_from_slice(from);
                }
                sheet
            }
        }
    }

    /// A part of a picture: where it begins and its extent, in pixels, across and down. In a picture that
    /// was decoded smaller, these need not be whole.
    struct Part {
        pixels: Vec<u8>,
        size: (u32, u32),
        across: Option<(f64, f64)>,
        down: Option<(f64, f64)>,
    }

    impl Picture {
        /// Returns a part of the picture, given by left, top, width and height in pixels of its file.
        fn part(self, [left, top, part_width, part_height]: [u32; 4]) -> Part {
            let Self { pixels, size: size @ (width, height), reduction } = self;
            if let Some(Reduction { by, of: _, at: (x, y) }) = reduction {
                let within = |from: u32, extent: u32| {
                    Some((f64::from(from) / f64::from(by), f64::from(extent) / f64::from(by)))
                };
                let (across, down) = (within(x + left, part_width), within(y + top, part_height));
                return Part { pixels, size, across, down };
            }
            let whole = |pixels, size| Part { pixels, size, across: None, down: None };
            if (part_width, part_height) == (width, height) {
                return whole(pixels, size);
            }
            let rows = pixels.chunks_exact(width as usize * 3);
            let columns = left as usize * 3..(left + part_width) as usize * 3;
            let kept_rows = rows.skip(top as usize).take(part_height as usize);
            let cut = kept_rows.flat_map(|row| &row[columns.clone()]).copied().collect();
            whole(cut, (part_width, part_height))
        }
    }

    impl Part {
        fn resized(self, wanted @ (to_width, _): (u32, u32), filter: ResizeFilter) -> Vec<u8> {
            let Self { mut pixels, size: size @ (width, height), across, down } = self;
            if size == wanted {
                return pixels;
            }
            let algorithm = match filter {
                ResizeFilter::Nearest => ResizeAlg::Nearest,
                ResizeFilter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
                ResizeFilter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
                ResizeFilter::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
            };
            let options = ResizeOptions::new().resize_alg(algorithm);
            let within = |left, top, width, height| options.crop(left, top, width, height);
            // Rows first, then columns, as Pillow does: between the two passes, overshoots are clipped
            // to bytes, so the order matters. The library's own order is columns first.
            let narrow = (to_width, height);
            let of_rows = across.map_or(options, |(x, w)| within(x, 0.0, w, f64::from(height)));
            let of_columns = down.map_or(options, |(y, h)| within(0.0, y, f64::from(to_width), h));
            let mut rows = pass(&mut pixels, (width, height), narrow, &of_rows);
            pass(&mut rows, narrow, wanted, &of_columns)
        }
    }

    /// Resizes along one axis. The types of pixel and image are fixed here, since the library's generic
    /// code is compiled into this crate once for each. The source is borrowed mutably because the
    /// library's intermediate image is a mutable one, and so both passes have one type.
    fn pass(
        pixels: &mut [u8],
        (width, height): (u32, u32),
        (to_width, to_height): (u32, u32),
        options: &ResizeOptions,
    ) -> Vec<u8> {
        let source = TypedImage::<U8x3>::from_buffer(width, height, pixels)
            .expect("RgbImage holds width·height pixels");
        let mut resized = vec![0; to_width as usize * to_height as usize * 3];
        let mut target = TypedImage::<U8x3>::from_buffer(to_width, to_height, &mut resized)
            .expect("the buffer was made for it");
        Resizer::new().resize_typed(&source, &mut target, options).expect("parts lie within");
        resized
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features<F: Real>(bytes: &[u8], contract: &InputContract) -> Vec<F> {
        let mut x = vec![F::zero(); bytes.len()];
        Features::new(contract).expect("sound").of_bytes(bytes, &mut x);
        x
    }

    #[test]
    fn each_byte_is_divided_once_and_rounded_as_the_division_rounds() {
        let bytes: Vec<u8> = (0..=255).collect();
        let contract = InputContract::rgb(1, 1).expect("a size");
        let double: Vec<f64> = features(&bytes, &contract);
        let single: Vec<f32> = features(&bytes, &contract);
        for byte in 0..=255_u8 {
            let at = usize::from(byte);
            assert_eq!(double[at], f64::from(byte) / 255.0);
            assert_eq!(single[at], f32::from(byte) / 255.0);
        }
    }

    #[test]
    fn a_set_is_standardised_to_mean_0_and_deviation_1() {
        let shape = crate::ImageShape { height: 2, width: 1, channels: 3 };
        let classes = vec!["a".into(), "b".into()];
        let set = crate::ImageSet::new(
            (0..12).map(|v| v * 20).collect(),
            shape,
            vec![0, 1],
            classes.clone(),
        );
        let table = crate::ImageSet::from_values(
            crate::Buffer::F32((0..12).map(|v| v as f32 * 1.5 - 3.0).collect()),
            shape,
            vec![0, 1],
            classes,
            crate::Scale::Auto,
        );
        for (set, n) in [(set.expect("sound"), 3), (table.expect("sound"), 6)] {
            let plain = set.contract().expect("a size");
            let standardization = crate::standardization(&set, &plain).expect("in memory");
            let contract = InputContract { standardization: Some(standardization), ..plain };
            let data = set.to_dataset::<f64>(&contract).expect("sound");
            for i in 0..n {
                let x: Vec<f64> = data.x().iter().skip(i).step_by(n).copied().collect();
                let mean = x.iter().sum::<f64>() / x.len() as f64;
                let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
                assert!(mean.abs() < 1e-12 && (square - 1.0).abs() < 1e-12, "{mean} {square}");
            }
        }
    }

    #[test]
    fn bytes_and_floats_are_standardised_alike_by_channel_and_by_feature() {
        let by = |mean: &[f64], std: &[f64]| InputContract {
            standardization: Some(Standardization {
                mean: mean.into(),
                std: std.into(),
                clip: None,
            }),
            ..InputContract::rgb(2, 1).expect("a size")
        };
        let bytes = [0_u8, 255, 0, 255, 0, 255];
        let floats: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
        let cases = [
            (by(&[0.5, 0.25, 0.0], &[0.5, 0.25, 2.0]), [-1.0, 3.0, 0.0, 1.0, -1.0, 0.5]),
            (by(&[0.5; 3], &[0.5; 3]), [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]),
            (
                by(&[0.0, 1.0, 0.0, 1.0, 0.0, 0.0], &[1.0, 1.0, 1.0, 1.0, 1.0, 4.0]),
                [0.0, 0.0, 0.0, 0.0, 0.0, 0.25],
            ),
        ];
        for (contract, expected) in cases {
            assert_eq!(features::<f64>(&bytes, &contract), expected);
            let mut x = [0.0; 6];
            Features::<f64>::new(&contract).expect("sound").of(Values::F32(&floats), &mut x);
            assert_eq!(x, expected);
        }
    }
}

#[cfg(all(test, feature = "image"))]
mod image_tests {
    use super::*;
    use crate::pixels::{Reduction, RgbImage};
    use crate::{Aspect, ContractError, InputContract, ResizeFilter};

    fn picture() -> RgbImage {
        let pixels = (0..5 * 4 * 3).map(|i| (i * 37 % 256) as u8).collect();
        RgbImage::new(5, 4, pixels).expect("5×4 RGB")
    }

    #[test]
    fn the_contracts_own_size_passes_through() {
        let contract = InputContract::rgb(5, 4).expect("a size");
        assert_eq!(prepare(picture(), &contract).expect("sound"), picture().pixels());
    }

    #[test]
    fn a_flat_colour_stays_flat_with_every_filter() {
        let flat = RgbImage::new(7, 3, [10, 200, 77].repeat(21)).expect("7×3 RGB");
        for resize in [
            ResizeFilter::Nearest,
            ResizeFilter::Bilinear,
            ResizeFilter::Bicubic,
            ResizeFilter::Lanczos3,
        ] {
            let contract = InputContract { resize, ..InputContract::rgb(4, 9).expect("a size") };
            assert_eq!(prepare(flat.clone(), &contract).expect("sound"), [10, 200, 77].repeat(36));
        }
    }

    #[test]
    fn grey_of_grey_is_itself_and_of_colour_is_luma() {
        let contract = InputContract { channels: 1, ..InputContract::rgb(256, 1).expect("a size") };
        let bytes: Vec<u8> = (0..=255).collect();
        let grey = RgbImage::new(256, 1, bytes.iter().flat_map(|&v| [v; 3]).collect());
        assert_eq!(prepare(grey.expect("256×1"), &contract).expect("sound"), bytes);
        let contract = InputContract { width: 3, ..contract };
        let primaries = vec![255, 0, 0, 0, 255, 0, 0, 0, 255];
        let primaries = RgbImage::new(3, 1, primaries).expect("3×1");
        assert_eq!(prepare(primaries, &contract).expect("sound"), [76, 150, 29]);
    }

    #[test]
    fn another_aspect_ratio_is_stretched_fitted_or_cropped() {
        // Three columns: red, green, blue; made 3 wide and 9 high, or 1 wide and 1 high.
        let stripes = RgbImage::new(3, 1, vec![255, 0, 0, 0, 255, 0, 0, 0, 255]).expect("3×1");
        let with = |aspect, width, height| InputContract {
            aspect,
            resize: ResizeFilter::Nearest,
            background: [9, 8, 7],
            ..InputContract::rgb(width, height).expect("a size")
        };
        let prepared =
            |contract: &InputContract| prepare(stripes.clone(), contract).expect("sound");
        assert_eq!(prepared(&with(Aspect::Crop, 1, 1)), [0, 255, 0]);
        let fitted = prepared(&with(Aspect::Fit, 3, 3));
        assert_eq!(fitted[..9], [9, 8, 7].repeat(3));
        assert_eq!(&fitted[9..18], stripes.pixels());
        assert_eq!(fitted[18..], [9, 8, 7].repeat(3));
        let stretched = prepared(&with(Aspect::Stretch, 3, 2));
        assert_eq!(stretched, stripes.pixels().repeat(2));
        // No extreme value is lost by rounding.
        let line = RgbImage::new(4000, 1, vec![1; 12_000]).expect("4000×1");
        assert_eq!(prepare(line.clone(), &with(Aspect::Crop, 2, 1)).expect("sound"), [1; 6]);
        let thin = prepare(line, &with(Aspect::Fit, 8, 8)).expect("sound");
        let row = thin.chunks(24).filter(|row| **row == [1; 24]);
        assert_eq!(row.count(), 1, "one row of eight pixels");
    }

    #[test]
    fn a_picture_that_was_decoded_smaller_keeps_its_place() {
        // A ramp across, of 61 pixels, and of the means of each four: the last goes beyond the picture,
        // or, mirrored, the first.
        let ramp = |width: u32, height: u32, level: fn(u32) -> u32| {
            let row: Vec<u8> = (0..width).flat_map(|x| [level(x) as u8; 3]).collect();
            RgbImage::new(width, height, row.repeat(height as usize)).expect("as many pixels")
        };
        let full = ramp(61, 61, |x| 3 * x + 20);
        let reduced = |at, level| {
            let reduction = Reduction { by: 4, of: (61, 61), at: (at, at) };
            ramp(16, 16, level).reduced(Some(reduction))
        };
        let both = [reduced(0, |x| 12 * x + 25), reduced(3, |x| 12 * x + 16)];
        for aspect in [Aspect::Stretch, Aspect::Fit, Aspect::Crop] {
            let contract = InputContract { aspect, ..InputContract::rgb(5, 4).expect("a size") };
            let exact = prepare(full.clone(), &contract).expect("sound");
            for image in &both {
                let close = prepare(image.clone(), &contract).expect("sound");
                let far = close.iter().zip(&exact).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(far <= Some(3), "{aspect:?} {image:?}: {close:?} {exact:?}");
            }
        }
    }

    #[test]
    fn a_contract_that_is_none_is_refused() {
        let contract = InputContract { channels: 2, ..InputContract::rgb(5, 4).expect("a size") };
        assert_eq!(prepare(picture(), &contract), Err(ContractError::Channels(2)));
    }
}
