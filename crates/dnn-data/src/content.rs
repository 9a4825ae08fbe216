//! What a file is whose format nobody asked for: a web page or a pointer saved under the name of the
//! data is the most common fault of all.

/// Bytes from the start of a file that are enough to tell.
pub(crate) const HEAD_BYTES: usize = 1024;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    /// A web page.
    Html,
    /// What Git LFS leaves in a clone in place of a large file.
    LfsPointer,
    /// Anything else, from its first character that is not blank.
    Other(&'a str),
}

impl<'a> Text<'a> {
    /// What the text at the start of a file is; `None` when it is not text.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let text = as_text(&bytes[..bytes.len().min(HEAD_BYTES)])?;
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let lower = text.to_ascii_lowercase();
        let is_page = lower.starts_with("<!doctype html")
            || (lower.starts_with('<') && lower.contains("<html"));
        Some(if is_page {
            Self::Html
        } else if lower.starts_with("version https://git-lfs") {
            Self::LfsPointer
        } else {
            Self::Other(text)
        })
    }
}

/// The bytes as text, unless they hold what no text does. The last character may be cut in half.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&bytes[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
    (!text.is_empty() && text.chars().all(is_text)).then_some(text)
}

/// Names what is there instead of the data that were expected, and what to do about it; `None` when
/// it is binary and nothing known.
pub(crate) fn what_it_is(head: &[u8]) -> Option<String> {
    let binary: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "a gzip archive: unpack it first"),
        (b"PK\x03\x04", "a zip archive (or an .npz file): unpack it first"),
        (
            b"\x93NUMPY",
            "a single NumPy array (.npy): images and labels belong together in one .npz, as \
          numpy.savez writes it",
        ),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"CDF", "a classic NetCDF file"),
        (b"\x0e\x03\x13\x01", "an HDF4 file: convert it with h4toh5"),
        (b"MATLAB 5.0", "a MATLAB file older than version 7.3"),
        (b"%PDF", "a PDF document"),
    ];
    if let Some((_, what)) = binary.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some((*what).into());
    }
    Some(match Text::of(head)? {
        Text::Html => "an HTML page: what was downloaded is the page about the file, or an error \
                       page, not the file itself"
            .into(),
        Text::LfsPointer => "a git-LFS pointer: the data themselves were not downloaded (in a \
                             clone, `git lfs pull` does)"
            .into(),
        Text::Other(text) => {
            let line: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
            format!("text, beginning with {line:?}")
        }
    })
}
