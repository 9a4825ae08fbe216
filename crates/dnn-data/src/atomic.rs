//! Files that exist as a whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tempfile::{NamedTempFile, PersistError};

/// Writes a file next to its final place, makes it durable, and renames it; a file that stood there
/// stays as it is until then, and for good when anything fails.
///
/// # Errors
/// What `fill` gives, or what the file system refuses; nothing is left behind then.
pub fn write(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    write_as(path, fill, NamedTempFile::persist)
}

/// As [`write()`], but only where nothing has that name, not even at the last moment.
///
/// # Errors
/// As [`write()`]; [`io::ErrorKind::AlreadyExists`].
pub fn write_new(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    write_as(path, fill, NamedTempFile::persist_noclobber)
}

fn write_as<'a>(
    path: &'a Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
    persist: impl FnOnce(NamedTempFile, &'a Path) -> Result<File, PersistError>,
) -> io::Result<()> {
    let mut temporary = temporary_beside(path)?;
    fill(temporary.as_file_mut())?;
    temporary.as_file_mut().flush()?;
    keep(temporary, path, persist)
}

fn keep<'a>(
    temporary: NamedTempFile,
    path: &'a Path,
    persist: impl FnOnce(NamedTempFile, &'a Path) -> Result<File, PersistError>,
) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    persist(temporary, path).map_err(|e| e.error)?;
    // The rename itself is durable once the folder is. Elsewhere folders cannot be opened.
    #[cfg(unix)]
    File::open(folder_of(path))?.sync_all()?;
    Ok(())
}

fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dnn-").suffix(".tmp");
    // What an ordinary new file gets (less the umask), instead of a temporary file's 0600.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

/// A bare file name has the empty path as its parent.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that is written piece by piece, under another name until it is whole.
#[cfg(feature = "hdf5")]
pub(crate) struct Pending {
    temporary: NamedTempFile,
    path: std::path::PathBuf,
}

#[cfg(feature = "hdf5")]
impl Pending {
    /// An empty file beside `path`; dropped before [`keep`](Self::keep) it is gone.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { temporary: temporary_beside(path)?, path: path.into() })
    }

    /// Where it is written meanwhile.
    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Makes it durable and gives it its name.
    pub(crate) fn keep(self) -> io::Result<()> {
        keep(self.temporary, &self.path, NamedTempFile::persist)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        write(&path, |file| file.write_all(b"old")).expect("written");
        let failed = write(&path, |file| {
            file.write_all(b"ne")?;
            Err(io::Error::other("disk full"))
        });
        assert_eq!(failed.expect_err("it failed").to_string(), "disk full");
        let new = write_new(&path, |file| file.write_all(b"new")).expect_err("there is one");
        assert_eq!(new.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_new_file_is_there_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        write_new(&path, |file| file.write_all(b"new")).expect("written");
        // Someone else comes first while it is written.
        let other = folder.path().join("y");
        let late = write_new(&other, |file| {
            std::fs::write(&other, b"theirs")?;
            file.write_all(b"ours")
        });
        assert_eq!(late.expect_err("theirs is first").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&other).expect("there"), b"theirs");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 2);
    }
}
