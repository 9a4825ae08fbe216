//! Recognises HDF5 files before a library opens them: the most common faults are a web page or a
//! Git LFS pointer saved under the name of the data, and an incomplete download.

use super::super::found::FoundFile;
use super::Hdf5Error;
use crate::DataError;
use crate::content::{HDF5, HEAD_BYTES, in_place_of_data};
use crate::file::{InputFile, other_than_file};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Checks that `path` is a whole HDF5 file by its signature and its own length; returns its length.
///
/// # Errors
/// All faults that can be found without an HDF5 library.
pub(super) fn check(path: &Path) -> Result<u64, Hdf5Error> {
    let io = |operation| move |source| Hdf5Error::Io { path: path.into(), operation, source };
    let metadata = fs::metadata(path).map_err(io("open"))?;
    if let Some(got) = other_than_file(metadata.file_type()) {
        return Err(Hdf5Error::NotAFile { path: path.into(), got });
    }
    let n_bytes = metadata.len();
    if n_bytes == 0 {
        return Err(Hdf5Error::Empty { path: path.into() });
    }
    let mut file = File::open(path).map_err(io("open"))?;
    let mut head = Vec::new();
    (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(io("read"))?;
    if head.len() < HDF5.len() && HDF5.starts_with(&head) {
        return Err(Hdf5Error::Truncated { path: path.into(), expected: None, got: n_bytes });
    }
    let Some(start) = signature_offset(&mut file, n_bytes).map_err(io("read"))? else {
        let unknown = || "other binary data: the HDF5 signature is missing".into();
        let found = in_place_of_data(&head).unwrap_or_else(unknown);
        return Err(Hdf5Error::NotHdf5 { path: path.into(), found });
    };
    let mut superblock = Vec::new();
    file.seek(SeekFrom::Start(start)).map_err(io("read"))?;
    file.take(96).read_to_end(&mut superblock).map_err(io("read"))?;
    match end_of_file(&superblock) {
        EndOfFile::At(end) if end > n_bytes => {
            Err(Hdf5Error::Truncated { path: path.into(), expected: Some(end), got: n_bytes })
        }
        EndOfFile::CutOff => {
            Err(Hdf5Error::Truncated { path: path.into(), expected: None, got: n_bytes })
        }
        EndOfFile::At(_) | EndOfFile::Unknown => Ok(n_bytes),
    }
}

/// Whether a file is HDF5, or the beginning of it, as far as its signature tells.
pub(super) fn is_hdf5(file: &FoundFile) -> Result<bool, DataError> {
    if file.begins(|head| head.starts_with(&HDF5) || HDF5.starts_with(head)) {
        return Ok(true);
    }
    let InputFile { path, n_bytes, mut file } = file.input()?;
    let offset = signature_offset(&mut file, n_bytes).map_err(crate::file::io(&path, "read"))?;
    Ok(offset.is_some())
}

/// Where HDF5 starts: at 0, or behind a user block of 512, 1024, 2048 … bytes.
fn signature_offset(file: &mut File, n_bytes: u64) -> io::Result<Option<u64>> {
    let mut at = 0_u64;
    while at.saturating_add(HDF5.len() as u64) <= n_bytes {
        let mut found = [0; HDF5.len()];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut found)?;
        if found == HDF5 {
            return Ok(Some(at));
        }
        at = if at == 0 { 512 } else { at * 2 };
    }
    Ok(None)
}

/// The length a file says it has.
enum EndOfFile {
    At(u64),
    /// The superblock itself is cut off.
    CutOff,
    /// A superblock this code does not know: the library decides.
    Unknown,
}

/// Reads the end-of-file address of a superblock (HDF5 File Format Specification, section II.A).
fn end_of_file(superblock: &[u8]) -> EndOfFile {
    // Position of the base address; the end of file is the third of four addresses in versions
    // 0, 1, 2 and 3 alike (base, free space or extension, end of file, driver or root).
    let Some(&version) = superblock.get(8) else { return EndOfFile::CutOff };
    let (offset_size_at, base_at) = match version {
        0 => (13, 24),
        1 => (13, 28),
        2 | 3 => (9, 12),
        _ => return EndOfFile::Unknown,
    };
    let Some(&offset_size) = superblock.get(offset_size_at) else { return EndOfFile::CutOff };
    if !matches!(offset_size, 2 | 4 | 8) {
        return EndOfFile::Unknown;
    }
    let offset_size = usize::from(offset_size);
    let at = base_at + 2 * offset_size;
    let Some(bytes) = superblock.get(at..at + offset_size) else { return EndOfFile::CutOff };
    EndOfFile::At(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        let file = tempfile::Builder::new().suffix(".h5").tempfile().expect("a file");
        fs::write(file.path(), bytes).expect("written");
        let message = check(file.path()).expect_err("not HDF5").to_string();
        message.replace(&file.path().display().to_string(), "F")
    }

    #[test]
    fn what_is_not_hdf5_is_named() {
        let cases: &[(&[u8], &str)] = &[
            (b"", "the file is empty (0 bytes)"),
            (b"\n\n<!DOCTYPE html>\n<html lang=\"en\">", "an HTML page"),
            (b"\xef\xbb\xbf<html><head>", "an HTML page"),
            (b"<!-- x --><HTML>", "an HTML page"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:fbe5", "a git-LFS pointer"),
            (b"404: Not Found", "text, beginning with \"404: Not Found\""),
            (b"<?xml version=\"1.0\"?><Error>", "text, beginning with \"<?xml"),
            ("Größe".as_bytes().split_at(3).0, "text, beginning with \"Gr\""),
            (b"PK\x03\x04rest", "a zip archive"),
            (b"\x1f\x8b\x08", "a gzip archive"),
            (b"\x00\x01\x02\x03", "other binary data"),
            (b"\x89HDF", "truncated: 4 bytes, so"),
            (b"\x89HDF\r\n\x1a\n\x00\x00", "truncated: 10 bytes, so"),
        ];
        for (bytes, expected) in cases {
            let message = refusal(bytes);
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        }
    }

    #[test]
    fn a_folder_and_a_missing_file_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(check(folder.path()), Err(Hdf5Error::NotAFile { got: "a folder", .. })));
        let missing = check(&folder.path().join("none.h5"));
        assert!(
            matches!(missing, Err(Hdf5Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound)
        );
    }
}
