//! Several files from one sequence of bytes, and a folder to put them in.

use std::path::Path;
use tempfile::TempDir;

/// Begins a file; a length before each would move all that follow when one byte is put in.
const MARK: &[u8] = b"<#>";

/// The files, and a byte for each that says what becomes of it.
pub(super) fn parts(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut parts = Vec::new();
    let mut rest = bytes.strip_prefix(MARK).unwrap_or(bytes);
    loop {
        let end = rest.windows(MARK.len()).position(|window| window == MARK);
        if let Some((kind, content)) = rest[..end.unwrap_or(rest.len())].split_first() {
            parts.push((*kind, content));
        }
        let Some(end) = end else { return parts };
        rest = &rest[end + MARK.len()..];
    }
}

/// The bytes whose [`parts`] these are.
pub(super) fn joined(parts: &[(u8, &[u8])]) -> Vec<u8> {
    parts.iter().flat_map(|(kind, content)| [MARK, &[*kind], content].concat()).collect()
}

/// An empty folder, in memory where there is such a place.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    folder.expect("a temporary folder")
}

/// Writes a file and the folders that it lies in.
pub(super) fn write(folder: &Path, name: &str, content: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, content).expect("written");
}
