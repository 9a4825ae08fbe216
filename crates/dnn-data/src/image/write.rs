//! Writing pictures as PNG.

use super::ImageError;
use crate::{ImageShape, atomic};
use png::{BitDepth, ColorType, DeflateCompression, Encoder, EncodingError, Filter};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What a picture shows, which says how it is best packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PngContent {
    /// Photos, or pictures with photos among them: packed well.
    Photos,
    /// Lines and text on even ground: packed in a sixth of the time, to one and a half times the size.
    Drawing,
}

/// Writes pixels as a PNG file, under its name only when it is whole: an older file of that name
/// is replaced or stays as it was.
///
/// # Shapes
/// `pixels` (height, width, channels) of `shape`, row by row; 3 channels for colour, 1 for grey.
/// # Errors
/// [`ImageError::Unwritable`] when the pixels do not have that shape, [`ImageError::Io`] when the
/// file system refuses.
pub fn write_png(path: &Path, pixels: &[u8], shape: ImageShape) -> Result<(), ImageError> {
    header(pixels, shape).map_err(|(expected, got)| ImageError::Unwritable {
        path: path.to_owned(),
        expected,
        got,
    })?;
    atomic::write(path, |file| encode_png(BufWriter::new(file), pixels, shape, PngContent::Photos))
        .map_err(|source| ImageError::Io { path: path.to_owned(), operation: "write", source })
}

/// Writes pixels as PNG to `out`.
///
/// # Shapes
/// As [`write_png`].
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when the pixels do not have that shape; the error of `out`.
pub fn encode_png(
    out: impl Write,
    pixels: &[u8],
    shape: ImageShape,
    content: PngContent,
) -> io::Result<()> {
    let (colour, width, height) = header(pixels, shape).map_err(|(expected, got)| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("expected {expected}, got {got}"))
    })?;
    let mut encoder = Encoder::new(out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    if content == PngContent::Drawing {
        // Where neighbours are equal anyway, differences of them only make the ground uneven.
        encoder.set_filter(Filter::NoFilter);
        encoder.set_deflate_compression(DeflateCompression::Level(1));
    }
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    written.map_err(|error| match error {
        EncodingError::IoError(source) => source,
        other => io::Error::other(other),
    })
}

/// Returns what the header of the PNG says, or what was expected and what came.
fn header(pixels: &[u8], shape: ImageShape) -> Result<(ColorType, u32, u32), (String, String)> {
    let colour = match shape.channels {
        1 => ColorType::Grayscale,
        3 => ColorType::Rgb,
        n => return Err(("1 or 3 channels".into(), n.to_string())),
    };
    let (Ok(width), Ok(height)) = (u32::try_from(shape.width), u32::try_from(shape.height)) else {
        return Err(("sides below 2³²".into(), shape.to_string()));
    };
    if shape.n_bytes() == 0 || pixels.len() != shape.n_bytes() {
        let expected = format!("at least one pixel, and {} bytes for {shape}", shape.n_bytes());
        return Err((expected, format!("{} bytes", pixels.len())));
    }
    Ok((colour, width, height))
}
