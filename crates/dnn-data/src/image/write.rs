//! Pictures written as PNG.

use super::ImageError;
use crate::{ImageShape, atomic};
use png::{BitDepth, ColorType, Encoder, EncodingError};
use std::io::{self, BufWriter};
use std::path::Path;

/// Writes pixels as a PNG file, under its name only when it is whole: an older file of that name
/// is replaced or stays as it was.
///
/// # Shapes
/// `pixels` (height, width, channels) of `shape`, row by row; 3 channels for colour, 1 for grey.
/// # Errors
/// [`ImageError::Unwritable`] when the pixels do not have that shape, [`ImageError::Io`] when the
/// file system refuses.
pub fn write_png(path: &Path, pixels: &[u8], shape: ImageShape) -> Result<(), ImageError> {
    let unwritable = |expected: String, got: String| ImageError::Unwritable {
        path: path.to_owned(),
        expected,
        got,
    };
    let colour = match shape.channels {
        1 => ColorType::Grayscale,
        3 => ColorType::Rgb,
        _ => return Err(unwritable("1 or 3 channels".into(), format!("{}", shape.channels))),
    };
    let (Ok(width), Ok(height)) = (u32::try_from(shape.width), u32::try_from(shape.height)) else {
        return Err(unwritable("sides below 2³²".into(), shape.to_string()));
    };
    if shape.n_bytes() == 0 || pixels.len() != shape.n_bytes() {
        let expected = format!("at least one pixel, and {} bytes for {shape}", shape.n_bytes());
        return Err(unwritable(expected, format!("{} bytes", pixels.len())));
    }
    atomic::write(path, |file| {
        let mut encoder = Encoder::new(BufWriter::new(file), width, height);
        encoder.set_color(colour);
        encoder.set_depth(BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(pixels)?;
            writer.finish()
        });
        written.map_err(|error| match error {
            EncodingError::IoError(source) => source,
            other => io::Error::other(other),
        })
    })
    .map_err(|source| ImageError::Io { path: path.to_owned(), operation: "write", source })
}
