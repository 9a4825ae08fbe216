//! From images to features: the one implementation of the input contract.
//!
//! Training and prediction both come through here, so a picture cannot be fed to a network
//! differently from the pictures it was trained on.

use dnn_core::{Normalization, Real};
#[cfg(feature = "image")]
pub use resize::prepare;

/// The features of pixels that already have the contract's size and channels, in the same order.
///
/// ```
/// use dnn_core::Normalization;
/// let x: Vec<f64> = dnn_data::preprocess::features(&[0, 51, 255], Normalization::DivideBy255).collect();
/// assert_eq!(x, [0.0, 51.0 / 255.0, 1.0]);
/// ```
pub fn features<F: Real>(
    pixels: &[u8],
    normalization: Normalization,
) -> impl ExactSizeIterator<Item = F> {
    let table = feature_table::<F>(normalization);
    pixels.iter().map(move |&byte| table[usize::from(byte)])
}

/// The feature each byte becomes: a byte has 256 values, so each is divided once.
fn feature_table<F: Real>(normalization: Normalization) -> [F; 256] {
    match normalization {
        Normalization::DivideBy255 => std::array::from_fn(|byte| F::of(byte as f64) / F::of(255.0)),
    }
}

#[cfg(feature = "image")]
mod resize {
    use crate::image::RgbImage;
    use dnn_core::{ContractError, InputContract, ResizeFilter};
    use fast_image_resize::images::{TypedImage, TypedImageRef};
    use fast_image_resize::pixels::U8x3;
    use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

    /// The bytes of an image in the contract's size and channels.
    ///
    /// First grey is made of colour when the contract asks for one channel, then the picture is
    /// stretched to the contract's size, in 8 bits; the aspect ratio is not kept, as in the course.
    /// A picture that has the contract's size passes through byte for byte.
    ///
    /// Grey is (19595·R + 38470·G + 7471·B + 32768) / 65536, the luma of BT.601 (0.299, 0.587,
    /// 0.114) in fixed point, as Pillow's `convert("L")`: a grey picture keeps its values.
    ///
    /// # Shapes
    /// (height, width, channels) of the contract, flattened row by row.
    /// # Errors
    /// When the contract is not one ([`InputContract::check`]).
    pub fn prepare(image: &RgbImage, contract: &InputContract) -> Result<Vec<u8>, ContractError> {
        contract.check()?;
        let (size, wanted) = ((image.width(), image.height()), (contract.width, contract.height));
        let same_size = size == wanted;
        if contract.channels == 1 {
            let grey = image.pixels().as_chunks::<3>().0.iter().copied().map(luma);
            if same_size {
                return Ok(grey.collect());
            }
            // Resized as three equal channels: see `pass`.
            let grey: Vec<u8> = grey.flat_map(|grey| [grey; 3]).collect();
            return Ok(resized(&grey, size, contract).into_iter().step_by(3).collect());
        }
        Ok(if same_size {
            image.pixels().to_vec()
        } else {
            resized(image.pixels(), size, contract)
        })
    }

    fn luma([r, g, b]: [u8; 3]) -> u8 {
        ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 32_768) >> 16)
            as u8
    }

    fn resized(pixels: &[u8], (width, height): (u32, u32), contract: &InputContract) -> Vec<u8> {
        let algorithm = match contract.resize {
            ResizeFilter::Nearest => ResizeAlg::Nearest,
            ResizeFilter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            ResizeFilter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
            ResizeFilter::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
        };
        let options = ResizeOptions::new().resize_alg(algorithm);
        // Rows first, then columns, as Pillow: between the two, what a filter overshoots is cut to
        // a byte, so the order shows. Left to itself, the library takes columns first.
        let narrow = (contract.width, height);
        let rows = pass(pixels, (width, height), narrow, &options);
        pass(&rows, narrow, (contract.width, contract.height), &options)
    }

    /// For one pixel type, fixed here: the library's code for every type that may come is compiled
    /// into this crate, which then takes 82 s to build instead of 31 s.
    fn pass(
        pixels: &[u8],
        (width, height): (u32, u32),
        (to_width, to_height): (u32, u32),
        options: &ResizeOptions,
    ) -> Vec<u8> {
        let source = TypedImageRef::<U8x3>::from_buffer(width, height, pixels)
            .expect("RgbImage holds width·height pixels");
        let mut resized = vec![0; to_width as usize * to_height as usize * 3];
        let mut target = TypedImage::<U8x3>::from_buffer(to_width, to_height, &mut resized)
            .expect("the buffer was made for it");
        Resizer::new().resize_typed(&source, &mut target, options).expect("nothing is cropped");
        resized
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_divided_once_and_rounded_as_the_division_rounds() {
        let bytes: Vec<u8> = (0..=255).collect();
        let double: Vec<f64> = features(&bytes, Normalization::DivideBy255).collect();
        let single: Vec<f32> = features(&bytes, Normalization::DivideBy255).collect();
        for byte in 0..=255_u8 {
            let at = usize::from(byte);
            assert_eq!(double[at], f64::from(byte) / 255.0);
            assert_eq!(single[at], f32::from(byte) / 255.0);
        }
    }
}

#[cfg(all(test, feature = "image"))]
mod image_tests {
    use super::*;
    use crate::image::RgbImage;
    use dnn_core::{ContractError, InputContract, ResizeFilter};

    fn picture() -> RgbImage {
        let pixels = (0..5 * 4 * 3).map(|i| (i * 37 % 256) as u8).collect();
        RgbImage::new(5, 4, pixels).expect("5×4 RGB")
    }

    #[test]
    fn the_contracts_own_size_passes_through() {
        let contract = InputContract::rgb(5, 4).expect("a size");
        assert_eq!(prepare(&picture(), &contract).expect("sound"), picture().pixels());
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
            assert_eq!(prepare(&flat, &contract).expect("sound"), [10, 200, 77].repeat(36));
        }
    }

    #[test]
    fn grey_of_grey_is_itself_and_of_colour_is_luma() {
        let contract = InputContract { channels: 1, ..InputContract::rgb(256, 1).expect("a size") };
        let bytes: Vec<u8> = (0..=255).collect();
        let grey = RgbImage::new(256, 1, bytes.iter().flat_map(|&v| [v; 3]).collect());
        assert_eq!(prepare(&grey.expect("256×1"), &contract).expect("sound"), bytes);
        let contract = InputContract { width: 3, ..contract };
        let primaries = vec![255, 0, 0, 0, 255, 0, 0, 0, 255];
        let primaries = RgbImage::new(3, 1, primaries).expect("3×1");
        assert_eq!(prepare(&primaries, &contract).expect("sound"), [76, 150, 29]);
    }

    #[test]
    fn a_contract_that_is_none_is_refused() {
        let contract = InputContract { channels: 2, ..InputContract::rgb(5, 4).expect("a size") };
        assert_eq!(prepare(&picture(), &contract), Err(ContractError::Channels(2)));
    }
}
