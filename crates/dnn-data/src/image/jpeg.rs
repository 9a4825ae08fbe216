//! JPEG: `zune-jpeg` in strict mode, after the structure of the file was found whole; at a quarter or an
//! eighth of the size, `jpeg-decoder`, where the contract allows that.
//!
//! CMYK is taken as inverted whether or not Adobe's marker says so, as Pillow takes it.

use super::jpeg_structure::{self, Structure};
use super::orientation;
use super::{DecodeError, DecodeLimits, ImageFormat, Rendering, RgbImage};
use crate::pixels::Reduction;
use jpeg_decoder::PixelFormat;
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

    let image = if let Some(by) = divisor(&structure, orientation, rendering.least_size) {
        reduced(bytes, &structure, by)?
    } else {
        let pixels = samples(&fenced(&[&bytes[..structure.end]]))?;
        RgbImage::new(width, height, pixels).ok_or_else(another_size)?
    };
    Ok(orientation::upright(image, orientation))
}

/// Returns the largest divisor of both sides that leaves the least size, 4 or 8. (At a half, the decoder is
/// slower than the one that computes every pixel.)
fn divisor(structure: &Structure, orientation: u32, least: Option<(u32, u32)>) -> Option<u32> {
    let (width, height) = (u32::from(structure.width), u32::from(structure.height));
    let (width, height) = if orientation >= 5 { (height, width) } else { (width, height) };
    let (least_width, least_height) = least.filter(|_| structure.is_grey_or_colour())?;
    let is_left = |by: &u32| width / by >= least_width && height / by >= least_height;
    [8, 4].into_iter().find(is_left)
}

/// Decodes both sides divided by `by`, rounded up. An eighth is the means of the blocks, so that no other
/// scan of a progressive file is read.
fn reduced(bytes: &[u8], structure: &Structure, by: u32) -> Result<RgbImage, DecodeError> {
    let of @ (width, height) = (u32::from(structure.width), u32::from(structure.height));
    let mut kept = Vec::new();
    let mut begin = 0;
    let left_out = if by == 8 { &structure.ac_scans[..] } else { &[] };
    for scan in left_out {
        kept.push(&bytes[begin..scan.start]);
        begin = scan.end;
    }
    kept.push(&bytes[begin..structure.end]);
    let file = fenced(&kept);

    let mut decoder = jpeg_decoder::Decoder::new(&file[..]);
    let [to_width, to_height] = [width, height].map(|side| side.div_ceil(by));
    let failed = |error: jpeg_decoder::Error| corrupt(error.to_string());
    decoder.scale(to_width as u16, to_height as u16).map_err(failed)?;
    let mut pixels = decoder.decode().map_err(failed)?;
    if decoder.info().is_some_and(|info| info.pixel_format == PixelFormat::L8) {
        pixels = pixels.into_iter().flat_map(|grey| [grey; 3]).collect();
    } else if by == 8 {
        // The decoder rounds the means of blocks down, 7/16 on average in each of Y, Cb and Cr. By
        // BT.601 that is 1.05 of red, 1.21 of blue, and next to nothing of green.
        for [red, _, blue] in pixels.as_chunks_mut().0 {
            (*red, *blue) = (red.saturating_add(1), blue.saturating_add(1));
        }
    }
    let image = RgbImage::new(to_width, to_height, pixels).ok_or_else(another_size)?;
    Ok(image.reduced(Some(Reduction { by, of, at: (0, 0) })))
}

fn another_size() -> DecodeError {
    corrupt("the decoder's picture has another size")
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

/// The parts of a file up to the end of its picture, with a fence before the end-of-image marker.
///
/// The decoder makes up zeros when the entropy-coded data ends before the picture does: half a
/// picture, then grey. No Huffman code consists of ones only (T.81, annex C), so with ones instead
/// of nothing at the end, a decoder that needs more data than there is reports a bad code; one
/// that does not never looks at them.
fn fenced(parts: &[&[u8]]) -> Vec<u8> {
    /// Bytes of ones: more than the 32 bits of read-ahead and a code with its extra bits.
    const N_ONES: usize = 16;
    let fence = [[0xff, 0x00].repeat(N_ONES), vec![0xff, 0xd9]].concat();
    [parts, &[&fence]].concat().concat()
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
