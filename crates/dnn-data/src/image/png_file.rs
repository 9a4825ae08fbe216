//! PNG, decoded by the `png` crate with all checksums verified.

use super::orientation;
use super::{DecodeError, DecodeLimits, ImageFormat, Rendering, RgbImage};
use crate::pixels::{over, round_to_8_bits};
use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Limits, Transformations};
use std::io::{Cursor, ErrorKind};

pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    rendering: Rendering,
) -> Result<RgbImage, DecodeError> {
    let failed = |error: DecodingError| reason(bytes, error);
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(false);
    options.set_skip_ancillary_crc_failures(false);
    // Not used, and compressed: a short file could ask for much memory.
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits {
        bytes: usize::try_from(limits.max_memory_bytes).unwrap_or(usize::MAX),
    });

    let size @ (width, height) = decoder.read_header_info().map_err(failed)?.size();
    limits.check_size(ImageFormat::Png, width, height)?;
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    // The decoder takes whole colours from it, and panics when the last one is cut.
    if reader.info().palette.as_ref().is_some_and(|palette| palette.len() % 3 != 0) {
        return Err(corrupt("its palette ends within a colour"));
    }
    let (colour, depth) = reader.output_color_type();
    let is_rgb = (colour, depth) == (ColorType::Rgb, BitDepth::Eight);
    let n_decoded = reader.output_buffer_size().unwrap_or(usize::MAX);
    let n_rgb = u64::from(width) * u64::from(height) * 3;
    let converting = n_decoded as u64 + if is_rgb { 0 } else { n_rgb };
    limits.check_memory(ImageFormat::Png, size, converting)?;
    let mut decoded = vec![0; n_decoded];
    let frame = reader.next_frame(&mut decoded).map_err(failed)?;
    if (frame.width, frame.height) != size {
        return Err(corrupt("the first frame of the animation is smaller than the picture"));
    }
    // Whatever follows the picture must be there and sound as well, and may hold the orientation.
    reader.finish().map_err(failed)?;
    let exif = reader.info().exif_metadata.as_deref().filter(|_| rendering.exif_orientation);
    let orientation = exif.map_or(1, orientation::read);
    if orientation > 1 {
        limits.check_memory(ImageFormat::Png, size, converting.max(2 * n_rgb))?;
    }

    let pixels =
        if is_rgb { decoded } else { to_rgb(decoded, colour, depth, rendering.background) };
    let image = RgbImage::new(width, height, pixels)
        .ok_or_else(|| corrupt("the decoder's picture has another size"))?;
    Ok(orientation::upright(image, orientation))
}

/// What decoding takes at most besides the file: transparency and orientation may come after the header.
pub(super) fn decoding_memory(bytes: &[u8]) -> Result<u64, DecodeError> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    let info = decoder.read_header_info().map_err(|error| reason(bytes, error))?;
    let n_channels = match info.color_type {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => 4,
    };
    let bytes_per_pixel = if info.bit_depth == BitDepth::Sixteen { 2 } else { 1 } * n_channels + 3;
    Ok(u64::from(info.width).saturating_mul(u64::from(info.height)).saturating_mul(bytes_per_pixel))
}

/// Returns samples of 8 or 16 bits in any colour mode as 8-bit RGB over a background.
fn to_rgb(
    mut samples: Vec<u8>,
    colour: ColorType,
    depth: BitDepth,
    background: [u8; 3],
) -> Vec<u8> {
    if depth == BitDepth::Sixteen {
        // In place: the buffer of a large picture is not taken twice.
        for i in 0..samples.len() / 2 {
            samples[i] = round_to_8_bits([samples[2 * i], samples[2 * i + 1]]);
        }
        samples.truncate(samples.len() / 2);
    }
    match colour {
        ColorType::Grayscale => samples.iter().flat_map(|&v| [v; 3]).collect(),
        ColorType::GrayscaleAlpha => {
            let pixels = samples.as_chunks::<2>().0.iter();
            pixels.flat_map(|&[v, a]| background.map(|behind| over(behind, v, a))).collect()
        }
        ColorType::Rgba => {
            let pixels = samples.as_chunks::<4>().0.iter();
            let [red, green, blue] = background;
            pixels
                .flat_map(|&[r, g, b, a]| [over(red, r, a), over(green, g, a), over(blue, b, a)])
                .collect()
        }
        // A palette was expanded to one of these by the decoder.
        ColorType::Rgb | ColorType::Indexed => samples,
    }
}

fn reason(bytes: &[u8], error: DecodingError) -> DecodeError {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            let at = format!("after {} bytes, before its end chunk", bytes.len());
            DecodeError::Truncated { format: ImageFormat::Png, at }
        }
        error => corrupt(error.to_string()),
    }
}

fn corrupt(reason: impl Into<String>) -> DecodeError {
    DecodeError::Corrupt { format: ImageFormat::Png, reason: reason.into() }
}
