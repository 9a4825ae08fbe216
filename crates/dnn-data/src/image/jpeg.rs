//! JPEG: `zune-jpeg` in strict mode, after the structure of the file was found whole.
//!
//! CMYK is taken as inverted whether or not Adobe's marker says so, as Pillow takes it.

use super::jpeg_structure::{self, Structure};
use super::orientation;
use super::{DecodeError, DecodeLimits, ImageFormat, Rendering, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    rendering: Rendering,
) -> Result<RgbImage, DecodeError> {
    let structure = jpeg_structure::read(bytes)?;
    let size @ (width, height) = (u32::from(structure.width), u32::from(structure.height));
    limits.check_size(ImageFormat::Jpeg, width, height)?;
    let exif = structure.exif.filter(|_| rendering.exif_orientation);
    let orientation = exif.map_or(1, orientation::read);
    limits.check_memory(ImageFormat::Jpeg, size, memory(&structure, orientation))?;

    let pixels = samples(&fenced(bytes, &structure))?;
    let image = RgbImage::new(width, height, pixels)
        .ok_or_else(|| corrupt("the decoder returned a picture of another size"))?;
    Ok(orientation::upright(image, orientation))
}

/// What decoding takes besides the file, upright as its EXIF orientation says.
pub(super) fn decoding_memory(bytes: &[u8]) -> Result<u64, DecodeError> {
    let structure = jpeg_structure::read(bytes)?;
    Ok(memory(&structure, structure.exif.map_or(1, orientation::read)))
}

fn memory(structure: &Structure, orientation: u32) -> u64 {
    let bytes_per_pixel = if orientation > 1 { 6 } else { 3 };
    let n_pixels = u64::from(structure.width) * u64::from(structure.height);
    n_pixels * bytes_per_pixel + structure.n_coefficient_bytes()
}

/// The file up to the end of its picture, with a fence before the end-of-image marker.
///
/// The decoder makes up zeros when the entropy-coded data ends before the picture does: half a
/// picture, then grey. No Huffman code consists of ones only (T.81, annex C), so with ones instead
/// of nothing at the end, a decoder that needs more data than there is reports a bad code; one
/// that does not never looks at them.
fn fenced(bytes: &[u8], structure: &Structure) -> Vec<u8> {
    /// Bytes of ones: more than the 32 bits of read-ahead and a code with its extra bits.
    const N_ONES: usize = 16;
    let mut fenced = Vec::with_capacity(structure.end + 2 * N_ONES + 2);
    fenced.extend(&bytes[..structure.end]);
    fenced.extend([0xff, 0x00].repeat(N_ONES));
    fenced.extend([0xff, 0xd9]);
    fenced
}

fn samples(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    // Sizes and scans were checked; the decoder's own limits must not be tighter.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode().map_err(|error| corrupt(error.to_string()))
}

fn corrupt(reason: impl Into<String>) -> DecodeError {
    DecodeError::Corrupt { format: ImageFormat::Jpeg, reason: reason.into() }
}
