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
