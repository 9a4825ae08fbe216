//! What a file is, by its first bytes: the one table of signatures, for data and for images alike.
//! A web page or a pointer saved under the name of the data is the most common fault of all.

/// Number of bytes from the start of a file that are enough to tell what it is.
pub(crate) const HEAD_BYTES: usize = 1024;

pub(crate) const GZIP: &[u8] = b"\x1f\x8b";
pub(crate) const HDF5: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
pub(crate) const JPEG: &[u8] = b"\xff\xd8\xff";
pub(crate) const NPY: &[u8] = b"\x93NUMPY";
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
pub(crate) const ZIP: &[u8] = b"PK\x03\x04";
/// Signature of a zip archive without files.
pub(crate) const EMPTY_ZIP: &[u8] = b"PK\x05\x06";

/// Signatures with what each stands for, and what to do about such a file in place of data.
const SIGNATURES: &[(&[u8], &str, &str)] = &[
    (GZIP, "a gzip archive", ": unpack it first"),
    (ZIP, "a zip archive", " (or an .npz file): unpack it first"),
    (
        NPY,
        "a single NumPy array",
        " (.npy): images and labels belong together in one .npz, as numpy.savez writes it",
    ),
    (&HDF5, "an HDF5 file", ""),
    (b"\x89PNG", "a PNG image", ""),
    (JPEG, "a JPEG image", ""),
    (b"GIF87a", "a GIF image", ""),
    (b"GIF89a", "a GIF image", ""),
    (b"II*\0", "a TIFF image or a camera's raw file", ""),
    (b"MM\0*", "a TIFF image or a camera's raw file", ""),
    (b"II+\0", "a BigTIFF image", ""),
    (b"MM\0+", "a BigTIFF image", ""),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image", ""),
    (b"\xff\x0a", "a JPEG XL image", ""),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image", ""),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image", ""),
    (b"\0\0\x01\0", "a Windows icon", ""),
    (b"8BPS", "a Photoshop document", ""),
    (b"gimp xcf", "a GIMP document", ""),
    (b"qoif", "a QOI image", ""),
    (b"\x8bJNG\r\n\x1a\n", "a JNG image", ""),
    (b"\x8aMNG\r\n\x1a\n", "an MNG animation", ""),
    (b"DDS ", "a DirectDraw texture", ""),
    (b"v/1\x01", "an OpenEXR image", ""),
    (b"%PDF", "a PDF document", ""),
    (b"%!PS", "a PostScript document", ""),
    (b"CDF", "a classic NetCDF file", ""),
    (b"\x0e\x03\x13\x01", "an HDF4 file", ": convert it with h4toh5"),
    (b"MATLAB 5.0", "a MATLAB file older than version 7.3", ""),
];

/// Brands of the ISO media container, which has `ftyp` at byte 4 and the brand after it.
const MEDIA_BRANDS: &[(&[u8], &str)] = &[
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

/// Returns what a binary file is by its signature, and what to do about it in place of data; `None`
/// when the signature is unknown.
pub(crate) fn by_signature(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let known = SIGNATURES.iter().find(|(signature, ..)| head.starts_with(signature));
    known.map(|(_, name, cure)| (*name, *cure)).or_else(|| {
        let name = if head.starts_with(b"RIFF") {
            if is_webp(head) { "a WebP image" } else { "a RIFF file (WAV, AVI)" }
        } else if head.get(4..8) == Some(b"ftyp") {
            let brand = head.get(8..12).unwrap_or_default();
            let known = MEDIA_BRANDS.iter().find(|(known, _)| *known == brand);
            known.map_or("an MP4 video", |(_, name)| name)
        } else if is_bmp(head) {
            "a BMP image"
        } else if is_netpbm(head) {
            "a Netpbm image"
        } else {
            return None;
        };
        Some((name, ""))
    })
}

pub(crate) fn is_webp(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP")
}

/// Two letters are too few to go by: the four reserved bytes must be zero as well.
pub(crate) fn is_bmp(head: &[u8]) -> bool {
    head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4])
}

/// Whether a file begins as a Netpbm image does: a line of text, then binary.
fn is_netpbm(head: &[u8]) -> bool {
    matches!(head, [b'P', b'1'..=b'7', space, ..] if space.is_ascii_whitespace())
}

/// The kinds of text that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    /// A web page.
    Html,
    /// The pointer that Git LFS leaves in a clone in place of a large file.
    LfsPointer,
    /// An SVG drawing.
    Svg,
    /// Any other text, from its first character that is not blank.
    Other(&'a str),
}

impl<'a> Text<'a> {
    /// Returns what kind of text a file begins with; `None` when it is not text.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let text = as_text(&bytes[..bytes.len().min(HEAD_BYTES)])?;
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let lower = text.to_ascii_lowercase();
        let is_page = lower.starts_with("<!doctype html")
            || (lower.starts_with('<') && lower.contains("<html"));
        let is_svg =
            lower.starts_with("<svg") || (lower.starts_with("<?xml") && lower.contains("<svg"));
        Some(if is_page {
            Self::Html
        } else if lower.starts_with("version https://git-lfs") {
            Self::LfsPointer
        } else if is_svg {
            Self::Svg
        } else {
            Self::Other(text)
        })
    }
}

/// Returns the bytes as text, unless they hold what no text does. The last character may be cut in
/// half.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&bytes[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
    (!text.is_empty() && text.chars().all(is_text)).then_some(text)
}

/// Returns the first line of a text, cut after `n` characters, in quotes.
pub(crate) fn first_line(text: &str, n: usize) -> String {
    format!("{:?}", text.lines().next().unwrap_or_default().chars().take(n).collect::<String>())
}

/// Names what stands in place of the data that were expected, and what to do about it; `None` when
/// it is binary and unknown.
pub(crate) fn in_place_of_data(head: &[u8]) -> Option<String> {
    if let Some((name, cure)) = by_signature(head) {
        return Some(format!("{name}{cure}"));
    }
    Some(match Text::of(head)? {
        Text::Html => "an HTML page: what was downloaded is the page about the file, or an error \
                       page, not the file itself"
            .into(),
        Text::LfsPointer => "a git-LFS pointer: the data themselves were not downloaded (in a \
                             clone, `git lfs pull` does)"
            .into(),
        Text::Svg => "an SVG drawing".into(),
        Text::Other(text) => format!("text, beginning with {}", first_line(text, 60)),
    })
}
