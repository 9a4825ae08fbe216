//! What a file is in place of an image, or which of the image formats.

use super::{DecodeError, ImageFormat};
use crate::content::{JPEG, PNG, Text, by_signature, first_line, is_bmp, is_webp};

impl ImageFormat {
    /// Returns the format of a file by its first bytes, of which 12 are enough; `None` when it is
    /// none of those that can be decoded.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            _ if head.starts_with(PNG) => Some(Self::Png),
            _ if head.starts_with(JPEG) => Some(Self::Jpeg),
            _ if is_webp(head) => Some(Self::WebP),
            _ if is_bmp(head) => Some(Self::Bmp),
            _ => None,
        }
    }
}

/// Returns the format of the bytes.
///
/// # Errors
/// What the bytes are instead, or what is wrong with their beginning.
pub(super) fn format(bytes: &[u8]) -> Result<ImageFormat, DecodeError> {
    if let Some(format) = ImageFormat::of(bytes) {
        return Ok(format);
    }
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let at = format!("after {} bytes", bytes.len());
    for (signature, format) in [(PNG, ImageFormat::Png), (JPEG, ImageFormat::Jpeg)] {
        if signature.starts_with(bytes) {
            return Err(DecodeError::Truncated { format, at });
        }
    }
    if bytes.starts_with(b"\x89PNG") {
        return Err(DecodeError::Corrupt {
            format: ImageFormat::Png,
            reason: "its signature has other line ends, as after a transfer in text mode".into(),
        });
    }
    Err(no_image(bytes))
}

fn no_image(bytes: &[u8]) -> DecodeError {
    const CONVERT: &str = "; convert it to PNG or JPEG first";
    if let Some((name, _)) = by_signature(bytes) {
        return DecodeError::OtherFormat { found: name.into(), advice: CONVERT };
    }
    let (found, advice) = match Text::of(bytes) {
        Some(Text::Html) => (
            "an HTML page".into(),
            "; a web page was saved instead of the image: download it again",
        ),
        Some(Text::LfsPointer) => {
            ("a Git LFS pointer".into(), "; fetch the image itself with `git lfs pull`")
        }
        Some(Text::Svg) => ("an SVG drawing".into(), CONVERT),
        Some(Text::Other(text)) => (format!("a text starting with {}", first_line(text, 40)), ""),
        None => {
            let first: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            (format!("unknown data starting with the bytes {}", first.join(" ")), "")
        }
    };
    DecodeError::OtherFormat { found, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> String {
        format(bytes).expect_err("not an image").to_string()
    }

    #[test]
    fn knows_the_two_formats_and_their_beginnings() {
        assert_eq!(format(b"\x89PNG\r\n\x1a\n\0\0"), Ok(ImageFormat::Png));
        assert_eq!(format(b"\xff\xd8\xff\xe0"), Ok(ImageFormat::Jpeg));
        assert_eq!(said(b""), "expected an image, got an empty file");
        assert_eq!(
            said(b"\x89PN"),
            "expected a whole PNG image, got one that is cut off after 3 bytes"
        );
        assert_eq!(
            said(b"\xff\xd8"),
            "expected a whole JPEG image, got one that is cut off after 2 bytes"
        );
        assert!(said(b"\x89PNG\n\x1a\n\0\0\0").contains("text mode"));
    }

    #[test]
    fn names_what_came_instead() {
        for (bytes, name) in [
            (&b"GIF89a\x01\0"[..], "a GIF image; convert it to PNG or JPEG first"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "a RIFF file"),
            (b"II*\0\x08\0\0\0", "a TIFF image"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC image; convert it to PNG or JPEG first"),
            (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF image; convert"),
            (b"\0\0\0\x18ftypisom\0\0\0\0", "an MP4 video"),
            (b"%PDF-1.7\n", "a PDF document"),
            (b"\x89HDF\r\n\x1a\n\0", "an HDF5 file"),
            (b"P6\n2 2\n255\n\xff\0\xfe", "a Netpbm image"),
            (b"\n  <!DOCTYPE HTML><html>", "an HTML page; a web page was saved"),
            (b"\xef\xbb\xbf<html lang=en>", "an HTML page"),
            (b"<!-- saved --><HTML>", "an HTML page"),
            (b"<?xml version='1.0'?>\n<svg xmlns=''>", "an SVG drawing"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer; fetch"),
            (b"\n404: Not Found\n", "a text starting with \"404: Not Found\""),
            (b"\0\x01\x02\xff", "unknown data starting with the bytes 00 01 02 ff"),
        ] {
            let said = said(bytes);
            let start = format!("expected PNG, JPEG, WebP or BMP, got {name}");
            assert!(said.starts_with(&start), "{said}");
        }
    }

    #[test]
    fn a_long_text_cut_within_a_character_is_still_text() {
        let long = "é".repeat(400);
        assert!(said(format!("x{long}").as_bytes()).contains("a text starting with \"xéé"));
    }
}
