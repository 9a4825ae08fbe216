//! PNG, JPEG, WebP and BMP files of any size and colour mode to the input contract.
//!
//! ```no_run
//! use dnn_data::InputContract;
//! use dnn_data::image::{DecodeLimits, load_features};
//!
//! let contract = InputContract::rgb(64, 64)?;
//! let x = load_features::<f64>("cat.jpg".as_ref(), &contract, &DecodeLimits::default())?;
//! assert_eq!(x.len(), 12_288);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - The format is told by the content, never by the name.
//! - Every picture becomes upright 8-bit RGB: grey is repeated three times, a palette is looked
//!   up, 16 bits are rounded to 8, CMYK is multiplied out, transparency is laid over white, and
//!   the EXIF orientation is applied.
//! - Colour profiles and gamma are not applied, as in the course.
//! - What is cut off or damaged is refused, never shown in part. Limits hold before memory is
//!   taken.

mod error;
mod jpeg;
mod jpeg_structure;
mod orientation;
mod other_formats;
mod png_file;
mod signature;
mod write;

pub use crate::pixels::RgbImage;
pub use error::{DecodeError, ImageError, ImageFormat};
pub use write::{PngContent, encode_png, write_png};

use crate::preprocess::{self, Features};
use crate::{ContractError, Decode, InputContract, Normalization, open_file};
use dnn_core::Real;
use nalgebra::DVector;
use std::io::{self, Read};
use std::path::Path;

/// The limits of decoding one image. A file that asks for more is refused before memory is
/// allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Longest file, in bytes. Default 64 MiB.
    pub max_file_bytes: u64,
    /// Most pixels, width times height. Default 2²⁷ (134 million): phones reach 108 million.
    pub max_pixels: u64,
    /// Most memory that decoding takes besides the file itself, in bytes, by what the header
    /// declares: the decoder's buffers of the whole picture and the copies made of it. Buffers of
    /// a few rows come on top. Default 1 GiB.
    pub max_memory_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_file_bytes: 64 << 20, max_pixels: 1 << 27, max_memory_bytes: 1 << 30 }
    }
}

impl DecodeLimits {
    /// Checks the size that a header declares, before anything is allocated for it.
    fn check_size(&self, format: ImageFormat, width: u32, height: u32) -> Result<(), DecodeError> {
        let side = 1..=RgbImage::MAX_SIDE;
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(DecodeError::TooManyPixels {
                format,
                width,
                height,
                limit: self.max_pixels,
            });
        }
        if !side.contains(&width) || !side.contains(&height) {
            return Err(DecodeError::Size { format, width, height });
        }
        Ok(())
    }

    /// Checks the memory that decoding is about to take.
    fn check_memory(
        &self,
        format: ImageFormat,
        (width, height): (u32, u32),
        needed: u64,
    ) -> Result<(), DecodeError> {
        let limit = self.max_memory_bytes;
        if needed > limit {
            return Err(DecodeError::TooMuchMemory { format, width, height, needed, limit });
        }
        Ok(())
    }
}

/// The choices that a picture's file leaves open; part of the [`InputContract`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendering {
    /// Red, green and blue of the background that shows through transparency.
    pub background: [u8; 3],
    /// Whether the picture is turned upright as its EXIF orientation says.
    pub exif_orientation: bool,
    /// The least width and height, upright, that a JPEG picture may be decoded in at a quarter or an
    /// eighth of its size; `None` for its own size. Then only [`preprocess::prepare`] knows how the
    /// pixels lie in the picture.
    pub least_size: Option<(u32, u32)>,
}

impl Default for Rendering {
    fn default() -> Self {
        Self { background: [255; 3], exif_orientation: true, least_size: None }
    }
}

impl From<&InputContract> for Rendering {
    fn from(contract: &InputContract) -> Self {
        /// So many pixels for one of the input keep what resizing makes of them close to exact.
        const PER_PIXEL: u32 = 4;
        let least_size = match contract.decode {
            Decode::Exact => None,
            Decode::Fast => Some((PER_PIXEL * contract.width, PER_PIXEL * contract.height)),
        };
        let InputContract { background, exif_orientation, .. } = *contract;
        Self { background, exif_orientation, least_size }
    }
}

/// Decodes a PNG, JPEG, WebP or BMP file to RGB: upright and over white, unless `rendering` says otherwise.
///
/// # Errors
/// [`ImageError`]: `Missing`, `Folder`, `Io`, or `Decode` with what is wrong with the content.
pub fn decode_file(
    path: &Path,
    limits: &DecodeLimits,
    rendering: Rendering,
) -> Result<RgbImage, ImageError> {
    let bytes = read_file(path, limits)?;
    decode_bytes(&bytes, limits, rendering)
        .map_err(|reason| ImageError::Decode { path: path.to_owned(), reason })
}

/// Decodes the bytes of such a file to RGB, as [`decode_file`].
///
/// # Errors
/// [`DecodeError`]: what the bytes are instead, or what is wrong with them.
pub fn decode_bytes(
    bytes: &[u8],
    limits: &DecodeLimits,
    rendering: Rendering,
) -> Result<RgbImage, DecodeError> {
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(file_too_large(limits, format!("{} bytes", bytes.len())));
    }
    match signature::format(bytes)? {
        ImageFormat::Png => png_file::decode(bytes, limits, rendering),
        ImageFormat::Jpeg => jpeg::decode(bytes, limits, rendering),
        format @ (ImageFormat::WebP | ImageFormat::Bmp) => {
            other_formats::decode(bytes, format, limits, rendering)
        }
    }
}

/// Returns the most memory that [`decode_bytes`] takes for these bytes besides themselves, in bytes, by
/// what their header declares; nothing is decoded. For programs that decode several images at once and
/// must know before whether there is room.
///
/// # Errors
/// [`DecodeError`], as far as the header shows it.
pub fn decoding_memory(bytes: &[u8]) -> Result<u64, DecodeError> {
    match signature::format(bytes)? {
        ImageFormat::Png => png_file::decoding_memory(bytes),
        ImageFormat::Jpeg => jpeg::decoding_memory(bytes),
        format @ (ImageFormat::WebP | ImageFormat::Bmp) => {
            other_formats::decoding_memory(bytes, format)
        }
    }
}

/// Decodes an image file and makes it a column of features by the contract.
///
/// # Shapes
/// (n₀), the contract's number of features.
/// # Errors
/// As [`decode_file`], or [`ImageError::Contract`].
pub fn load_features<F: Real>(
    path: &Path,
    contract: &InputContract,
    limits: &DecodeLimits,
) -> Result<DVector<F>, ImageError> {
    let features = Features::new(contract)?;
    if contract.normalization == Normalization::AsIs {
        return Err(ContractError::NoImages.into());
    }
    let image = decode_file(path, limits, contract.into())?;
    let pixels = preprocess::prepare(image, contract)?;
    let mut x = DVector::zeros(contract.n_features());
    features.of_bytes(&pixels, x.as_mut_slice());
    Ok(x)
}

fn file_too_large(limits: &DecodeLimits, got: String) -> DecodeError {
    DecodeError::FileTooLarge { limit: limits.max_file_bytes, got }
}

/// Reads the bytes of a file, at most one more than the limit.
fn read_file(path: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, ImageError> {
    let failed = |operation| {
        move |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => ImageError::Missing { path: path.to_owned() },
            _ => ImageError::Io { path: path.to_owned(), operation, source },
        }
    };
    let too_large =
        |got| ImageError::Decode { path: path.to_owned(), reason: file_too_large(limits, got) };
    // Asked before opening, because Windows does not open a folder.
    let metadata = std::fs::metadata(path).map_err(failed("open"))?;
    if metadata.is_dir() {
        return Err(ImageError::Folder { path: path.to_owned() });
    }
    if metadata.len() > limits.max_file_bytes {
        return Err(too_large(format!("{} bytes", metadata.len())));
    }
    let file = open_file(path).map_err(failed("open"))?;
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // A pipe, a device or a growing file has no length to trust.
    file.take(limits.max_file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed("read"))?;
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(too_large("more".into()));
    }
    Ok(bytes)
}
