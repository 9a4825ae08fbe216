//! Why an image cannot be used: what was expected and what came.

use super::RgbImage;
use crate::Shown;
use std::io;
use std::path::PathBuf;

/// The image formats that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, baseline or progressive.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// Windows bitmap.
    Bmp,
}

impl std::fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
        })
    }
}

/// Why an image file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is no file of that name.
    #[error("{}: expected PNG, JPEG, WebP or BMP, got no file of that name", path.shown())]
    Missing {
        /// The name.
        path: PathBuf,
    },
    /// A folder was named.
    #[error("{}: expected PNG, JPEG, WebP or BMP, got a folder", path.shown())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{}: {operation} failed", path.shown())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "open", "read", "create" …
        operation: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file's content is not a picture that can be used.
    #[error("{}: {reason}", path.shown())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        reason: DecodeError,
    },
    /// The input contract is invalid, or does not apply to images.
    #[error(transparent)]
    Contract(#[from] crate::ContractError),
    /// A picture cannot be written as PNG.
    #[error("{}: expected {expected} to write as PNG, got {got}", path.shown())]
    Unwritable {
        /// The file asked for.
        path: PathBuf,
        /// What can be written.
        expected: String,
        /// What was given.
        got: String,
    },
}

/// Why bytes are not a picture that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes.
    #[error("expected an image, got an empty file")]
    Empty,
    /// The bytes are something other than an image that can be decoded.
    #[error("expected PNG, JPEG, WebP or BMP, got {found}{advice}")]
    OtherFormat {
        /// What they look like: "a HEIC image".
        found: String,
        /// What to do, starting with "; ", or nothing.
        advice: &'static str,
    },
    /// The file is longer than the limit.
    #[error("expected an image file of at most {limit} bytes, got {got}")]
    FileTooLarge {
        /// The limit.
        limit: u64,
        /// Bytes of the file: "N bytes" or "more".
        got: String,
    },
    /// The picture has more pixels than the limit.
    #[error("expected at most {limit} pixels, got {width}×{height} in a {format} image")]
    TooManyPixels {
        /// The file's format.
        format: ImageFormat,
        /// Width the file declares.
        width: u32,
        /// Height the file declares.
        height: u32,
        /// The limit.
        limit: u64,
    },
    /// Decoding would take more memory than the limit.
    #[error(
        "expected at most {limit} bytes of memory to decode a {format} image, got one of {width}×{height} pixels that needs {needed}"
    )]
    TooMuchMemory {
        /// The file's format.
        format: ImageFormat,
        /// Width the file declares.
        width: u32,
        /// Height the file declares.
        height: u32,
        /// Bytes it would take.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// A side is 0 or too long.
    #[error(
        "expected 1 to {max} pixels a side, got {width}×{height} in a {format} image",
        max = RgbImage::MAX_SIDE
    )]
    Size {
        /// The file's format.
        format: ImageFormat,
        /// Width the file declares.
        width: u32,
        /// Height the file declares.
        height: u32,
    },
    /// The file is of a variant of the format that cannot be decoded.
    #[error("expected {expected}, got {got}; save it again as PNG or JPEG and use that")]
    Unsupported {
        /// The variants that can be decoded.
        expected: &'static str,
        /// What the file has.
        got: String,
    },
    /// The file ends before the picture does.
    #[error("expected a whole {format} image, got one that is cut off {at}")]
    Truncated {
        /// The file's format.
        format: ImageFormat,
        /// Where, starting with a preposition.
        at: String,
    },
    /// The content contradicts the format.
    #[error("expected a sound {format} image, got a damaged one: {reason}")]
    Corrupt {
        /// The file's format.
        format: ImageFormat,
        /// What is wrong with it.
        reason: String,
    },
}
