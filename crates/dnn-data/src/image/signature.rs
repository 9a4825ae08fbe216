//! What a file is, by its first bytes.

use super::{DecodeError, ImageFormat};
use crate::content::Text;

/// Formats that are met under an image's name, by their first bytes.
const KNOWN: &[(&[u8], &str)] = &[
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\0", "a TIFF image or a camera's raw file"),
    (b"MM\0*", "a TIFF image or a camera's raw file"),
    (b"II+\0", "a BigTIFF image"),
    (b"MM\0+", "a BigTIFF image"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"\0\0\x01\0", "a Windows icon"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"qoif", "a QOI image"),
    (b"\x8bJNG\r\n\x1a\n", "a JNG image"),
    (b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
    (b"DDS ", "a DirectDraw texture"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
];

/// Brands of the ISO media container, `ftyp` at byte 4.
const BRANDS: &[(&[u8], &str)] = &[
    (b"heic", "a HEIC image"),
    (b"heix", "a HEIC image"),
    (b"heim", "a HEIC image"),
    (b"heis", "a HEIC image"),
    (b"hevc", "a HEIC image sequence"),
    (b"hevx", "a HEIC image sequence"),
    (b"mif1", "a HEIF image"),
    (b"msf1", "a HEIF image sequence"),
    (b"avif", "an AVIF image"),
    (b"avis", "an AVIF image sequence"),
    (b"crx ", "a camera's raw file"),
    (b"qt  ", "a QuickTime video"),
];

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";

/// The format of the bytes, or what they are instead.
pub(super) fn format(bytes: &[u8]) -> Result<ImageFormat, DecodeError> {
    if bytes.starts_with(PNG) {
        return Ok(ImageFormat::Png);
    }
    if bytes.starts_with(JPEG) {
        return Ok(ImageFormat::Jpeg);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(ImageFormat::WebP);
    }
    // Two letters are too few to go by: the four reserved bytes must be zero as well.
    if bytes.starts_with(b"BM") && bytes.get(6..10) == Some(&[0; 4]) {
        return Ok(ImageFormat::Bmp);
    }
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let at = format!("after {} bytes", bytes.len());
    if PNG.starts_with(bytes) {
        return Err(DecodeError::Truncated { format: ImageFormat::Png, at });
    }
    if JPEG.starts_with(bytes) {
        return Err(DecodeError::Truncated { format: ImageFormat::Jpeg, at });
    }
    if bytes.starts_with(b"\x89PNG") {
        return Err(DecodeError::Corrupt {
            format: ImageFormat::Png,
            reason: "its signature has other line ends, as after a transfer in text mode".into(),
        });
    }
    Err(other(bytes))
}

fn other(bytes: &[u8]) -> DecodeError {
    const CONVERT: &str = "; convert it to PNG or JPEG first";
    let known = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    let riff = bytes.starts_with(b"RIFF").then_some("a RIFF file (WAV, AVI)");
    let media = (bytes.get(4..8) == Some(b"ftyp")).then(|| {
        let brand = bytes.get(8..12).unwrap_or_default();
        BRANDS.iter().find(|(known, _)| *known == brand).map_or("an MP4 video", |(_, name)| name)
    });
    if let Some(name) = known.or(riff).or(media) {
        return DecodeError::OtherFormat { found: name.into(), advice: CONVERT };
    }
    let (found, advice) = match Text::of(bytes) {
        // A line of text, then binary.
        _ if is_netpbm(bytes) => ("a Netpbm image".into(), CONVERT),
        Some(Text::Html) => (
            "an HTML page".into(),
            "; a web page was saved instead of the image: download it again",
        ),
        Some(Text::LfsPointer) => {
            ("a Git LFS pointer".into(), "; fetch the image itself with `git lfs pull`")
        }
        Some(Text::Other(text)) if is_svg(text) => ("an SVG drawing".into(), CONVERT),
        Some(Text::Other(text)) => {
            let line: String = text.lines().next().unwrap_or_default().chars().take(40).collect();
            (format!("a text starting with {line:?}"), "")
        }
        None => {
            let first: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            (format!("unknown data starting with the bytes {}", first.join(" ")), "")
        }
    };
    DecodeError::OtherFormat { found, advice }
}

fn is_svg(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.starts_with("<svg") || (lower.starts_with("<?xml") && lower.contains("<svg"))
}

fn is_netpbm(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'7', space, ..] if space.is_ascii_whitespace())
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
        assert_eq!(said(b""), "expected a PNG or JPEG image, got an empty file");
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
            let start = format!("expected a PNG or JPEG image, got {name}");
            assert!(said.starts_with(&start), "{said}");
        }
    }

    #[test]
    fn a_long_text_cut_within_a_character_is_still_text() {
        let long = "é".repeat(400);
        assert!(said(format!("x{long}").as_bytes()).contains("a text starting with \"xéé"));
    }
}
