//! Opening files and listing folders, before the format is known.

use crate::DataError;
use crate::Shown;
use crate::content::HEAD_BYTES;
use std::fs::{self, File, FileType};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

/// The most that deflate, and so gzip and zip, can expand: 1032 times.
pub(crate) const MAX_EXPANSION: u64 = 1032;

/// Opens a file that is read once, from its beginning to its end.
///
/// Standard input and the pipes that a shell passes on are opened under the names that the system gives
/// them, such as `/dev/stdin` and `/dev/fd/63`.
///
/// # Errors
/// The error of the file system; [`io::ErrorKind::InvalidInput`] when a folder, a device, a socket or a named
/// pipe has the name. Opening a named pipe would wait for somebody to write to it.
pub fn open_file(path: &Path) -> io::Result<File> {
    match other_than_file(fs::metadata(path)?.file_type()) {
        // A pipe without a name has no canonical path.
        Some(got) if path.canonicalize().is_ok() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a file, got {got}")))
        }
        _ => File::open(path),
    }
}

/// Returns what has this type, unless it is a regular file.
pub(crate) fn other_than_file(found: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return Some("a pipe");
        }
        if found.is_socket() {
            return Some("a socket");
        }
    }
    match () {
        () if found.is_file() => None,
        () if found.is_dir() => Some("a folder"),
        () => Some("a device"),
    }
}

/// A regular file that is not empty, open at its beginning.
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    pub(crate) n_bytes: u64,
    pub(crate) file: File,
}

impl InputFile {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let metadata = fs::metadata(path).map_err(io(path, "open"))?;
        let got = match (other_than_file(metadata.file_type()), metadata.len()) {
            (Some(other), _) => other,
            (None, 0) => "an empty file (0 bytes)",
            (None, n_bytes) => {
                let file = File::open(path).map_err(io(path, "open"))?;
                return Ok(Self { path: path.into(), n_bytes, file });
            }
        };
        Err(DataError::File {
            path: path.into(),
            what: "data".into(),
            expected: "a file".into(),
            got: got.into(),
        })
    }

    /// Returns the first bytes and goes back to the beginning.
    pub(crate) fn head(&mut self) -> Result<Vec<u8>, DataError> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        (&mut self.file)
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut head)
            .and_then(|_| self.file.rewind())
            .map_err(io(&self.path, "read"))?;
        Ok(head)
    }
}

/// Makes a function for `map_err` that adds the path and the operation.
pub(crate) fn io(path: &Path, operation: &'static str) -> impl FnOnce(io::Error) -> DataError {
    move |source| DataError::Io { path: path.into(), operation, source }
}

/// Returns the files of a folder, sorted, without hidden ones.
pub(crate) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io(folder, "open"))? {
        let entry = entry.map_err(io(folder, "read"))?;
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Returns whether the name of a file says that it holds test data.
pub(crate) fn says_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    crate::SplitName::of_name(&name) == Some(crate::SplitName::Test)
}

/// Lists names of files without their folders, as many as fit into a message.
pub(crate) fn listed(paths: &[PathBuf]) -> String {
    const SHOWN: usize = 8;
    let name = |p: &PathBuf| Path::new(p.file_name().unwrap_or(p.as_os_str())).shown().to_string();
    let shown: Vec<String> = paths.iter().take(SHOWN).map(name).collect();
    match paths.len() {
        0 => "no file".into(),
        n if n > SHOWN => format!("{} and {} more", shown.join(", "), n - SHOWN),
        _ => shown.join(", "),
    }
}
