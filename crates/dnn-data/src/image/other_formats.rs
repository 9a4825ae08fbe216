//! WebP and BMP, decoded by the `image` crate.

use super::orientation;
use super::{DecodeError, DecodeLimits, ImageFormat, Rendering, RgbImage};
use crate::pixels::over;
use image_codecs::codecs::bmp::BmpDecoder;
use image_codecs::codecs::webp::WebPDecoder;
use image_codecs::error::{ImageError, ImageResult};
use image_codecs::{ColorType, ImageDecoder};
use std::io::{Cursor, ErrorKind};

/// Decodes a WebP or BMP file; of an animation, the first frame.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    limits: &DecodeLimits,
    rendering: Rendering,
) -> Result<RgbImage, DecodeError> {
    let failed = |error: ImageError| reason(bytes, format, &error);
    if format == ImageFormat::Bmp {
        let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(failed)?;
        return decoded(decoder, bytes, format, limits, rendering);
    }
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    decoded(decoder, bytes, format, limits, rendering)
}

/// What decoding takes besides the file.
pub(super) fn decoding_memory(bytes: &[u8], format: ImageFormat) -> Result<u64, DecodeError> {
    let failed = |error: ImageError| reason(bytes, format, &error);
    Ok(match format {
        ImageFormat::Bmp => memory(&BmpDecoder::new(Cursor::new(bytes)).map_err(failed)?),
        _ => memory(&WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?),
    })
}

/// The decoder keeps its own picture with alpha beside the one that it gives, and RGB is made of that.
fn memory(decoder: &impl ImageDecoder) -> u64 {
    let (width, height) = decoder.dimensions();
    let n_rgb = u64::from(width).saturating_mul(u64::from(height)).saturating_mul(3);
    decoder.total_bytes().saturating_mul(2).saturating_add(n_rgb)
}

fn decoded(
    mut decoder: impl ImageDecoder,
    bytes: &[u8],
    format: ImageFormat,
    limits: &DecodeLimits,
    rendering: Rendering,
) -> Result<RgbImage, DecodeError> {
    let failed = |error: ImageError| reason(bytes, format, &error);
    let size @ (width, height) = decoder.dimensions();
    limits.check_size(format, width, height)?;
    let exif: ImageResult<Option<Vec<u8>>> = decoder.exif_metadata();
    let exif = exif.ok().flatten().filter(|_| rendering.exif_orientation);
    let orientation = exif.map_or(1, |exif| orientation::read(&exif));
    limits.check_memory(format, size, memory(&decoder))?;
    let color = decoder.color_type();
    let mut samples = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut samples).map_err(failed)?;
    let [red, green, blue] = rendering.background;
    let pixels = match color {
        ColorType::L8 => samples.iter().flat_map(|&v| [v; 3]).collect(),
        ColorType::Rgb8 => samples,
        ColorType::Rgba8 => (samples.as_chunks::<4>().0.iter())
            .flat_map(|&[r, g, b, a]| [over(red, r, a), over(green, g, a), over(blue, b, a)])
            .collect(),
        other => return Err(corrupt(format, format!("its colours are {other:?}"))),
    };
    let image = RgbImage::new(width, height, pixels)
        .ok_or_else(|| corrupt(format, "the decoder's picture has another size"))?;
    Ok(orientation::upright(image, orientation))
}

fn reason(bytes: &[u8], format: ImageFormat, error: &ImageError) -> DecodeError {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format, at: format!("after {} bytes", bytes.len()) }
        }
        error => corrupt(format, error.to_string()),
    }
}

fn corrupt(format: ImageFormat, reason: impl Into<String>) -> DecodeError {
    DecodeError::Corrupt { format, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::super::decode_bytes;
    use super::*;

    /// A BMP of 2×1 pixels, red and blue, in 24 bits: rows are padded to four bytes.
    fn bmp() -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        for field in [62_u32, 0, 54, 40, 2, 1] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend([1, 0, 24, 0]);
        bytes.extend([0; 24]);
        bytes.extend([0, 0, 255, 255, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn a_bmp_is_read_whole_or_refused() {
        let read =
            |bytes: &[u8]| decode_bytes(bytes, &DecodeLimits::default(), Rendering::default());
        let image = read(&bmp()).expect("a BMP");
        assert_eq!((image.width(), image.pixels()), (2, &[255, 0, 0, 0, 0, 255][..]));
        for n in 2..bmp().len() - 2 {
            assert!(read(&bmp()[..n]).is_err(), "{n} bytes");
        }
        let small = DecodeLimits { max_memory_bytes: 10, ..DecodeLimits::default() };
        let refused = decode_bytes(&bmp(), &small, Rendering::default());
        assert!(matches!(refused, Err(DecodeError::TooMuchMemory { .. })), "{refused:?}");
    }

    #[test]
    fn a_webp_is_what_was_encoded() {
        use image_codecs::codecs::webp::WebPEncoder;
        let (mut bytes, pixels) = (Vec::new(), [10, 20, 30, 255, 200, 100, 50, 128]);
        let encoder = WebPEncoder::new_lossless(&mut bytes);
        let color = image_codecs::ExtendedColorType::Rgba8;
        encoder.encode(&pixels, 2, 1, color).expect("encoded");
        let read =
            |bytes: &[u8]| decode_bytes(bytes, &DecodeLimits::default(), Rendering::default());
        let image = read(&bytes).expect("a WebP");
        let over_white = [200, 100, 50].map(|v| over(255, v, 128));
        assert_eq!(image.pixels(), [&[10, 20, 30], &over_white[..]].concat());
        assert!(read(&bytes[..bytes.len() - 4]).is_err());
    }
}
