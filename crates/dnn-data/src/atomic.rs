//! The one way in which files are written: whole or not at all, and over nothing but files.
//!
//! A file is written under a temporary name, `.dnn-*.tmp`, in the folder of its final place, made
//! durable, and renamed. Where a symbolic link leads to a file, that file is replaced; devices, pipes
//! and sockets are refused. A temporary file is locked while its writer lives, so that the next
//! write in the folder can remove what a killed one has left.

use crate::Shown;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use tempfile::{NamedTempFile, PersistError};

const PREFIX: &str = ".dnn-";
const SUFFIX: &str = ".tmp";

/// Writes a file in place of the one of that name. The old file stays until the new one is whole
/// and durable, and remains when anything fails.
///
/// # Errors
/// The error of `fill` or of the file system; [`ErrorKind::InvalidInput`] when something other than
/// a file has the name. Nothing is left behind then.
pub fn write(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    write_as(&replaceable(path)?, fill, NamedTempFile::persist)
}

/// Writes a file as [`write()`] does, but only where nothing has that name, not even at the moment
/// of renaming.
///
/// # Errors
/// As [`write()`]; [`ErrorKind::AlreadyExists`] when something has the name.
pub fn write_new(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    write_as(path, fill, NamedTempFile::persist_noclobber)
}

/// Creates a folder and the missing folders above it, and makes them durable.
///
/// # Errors
/// The error of the file system.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    if parent != Path::new(".") {
        create_folder(parent)?;
    }
    match fs::create_dir(path) {
        // Somebody else was quicker.
        Err(_) if path.is_dir() => Ok(()),
        made => made.and_then(|()| sync_folder(parent)),
    }
}

/// Makes the names in a folder durable, where the operating system can.
///
/// # Errors
/// The error of the file system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere folders cannot be opened.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Returns the path of the file that may be replaced under this name: the name itself, or where a
/// symbolic link leads.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] when something other than a file has the name.
pub fn replaceable(path: &Path) -> io::Result<PathBuf> {
    let refused = |what: &str| Err(io::Error::new(ErrorKind::InvalidInput, what));
    match (path.symlink_metadata(), path.metadata()) {
        (Ok(own), Ok(_)) if own.is_file() => Ok(path.into()),
        (Ok(_), Ok(behind)) if behind.is_file() => path.canonicalize(),
        (_, Ok(behind)) if behind.is_dir() => refused("a folder has that name"),
        (_, Ok(_)) => {
            refused("a device, pipe or socket has that name, and only files are replaced")
        }
        (Ok(_), Err(_)) => refused("a symbolic link of that name leads nowhere"),
        // What is wrong with the folder shows when the temporary file is made.
        (Err(_), Err(_)) => Ok(path.into()),
    }
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
    // The rename itself is durable once the folder is.
    sync_folder(folder_of(path))
}

/// An empty file in the folder of `path`, locked where names of open files can be removed.
fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = folder_of(path);
    if cfg!(unix) {
        remove_stale(folder);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // What an ordinary new file gets (less the umask), instead of a temporary file's 0600.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    loop {
        let temporary = builder.tempfile_in(folder).map_err(|error| {
            if folder.is_dir() {
                return error;
            }
            io::Error::new(error.kind(), format!("there is no folder {}", folder.shown()))
        })?;
        // Where a file system knows no locks, nothing is taken for stale either.
        if cfg!(unix) && temporary.as_file().lock().is_ok() && !temporary.path().exists() {
            // Another process took it for stale before it was locked.
            continue;
        }
        return Ok(temporary);
    }
}

/// Returns whether a file of this name is one that [`write()`] has not finished.
pub fn is_temporary(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.ends_with(SUFFIX))
}

/// Removes the temporary files in a folder whose writers have ended, once in a process.
fn remove_stale(folder: &Path) {
    static SEEN: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
    if !SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.into()) {
        return;
    }
    let is_one = |entry: &fs::DirEntry| {
        is_temporary(&entry.file_name().to_string_lossy())
            && entry.file_type().is_ok_and(|kind| kind.is_file())
    };
    // A folder that cannot be listed may still be written to.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(is_one) {
        let Ok(file) = File::options().read(true).open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            // What cannot be removed stays, as it did before.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A bare file name has the empty path as its parent.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that is written piece by piece under a temporary name, until it is whole.
#[cfg(feature = "hdf5")]
pub(crate) struct Pending {
    temporary: NamedTempFile,
    path: PathBuf,
}

#[cfg(feature = "hdf5")]
impl Pending {
    /// Creates an empty file in the folder of `path`; it is deleted when dropped before
    /// [`keep`](Self::keep).
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = replaceable(path)?;
        let temporary = temporary_beside(&path)?;
        // Who writes it opens and locks it himself.
        temporary.as_file().unlock()?;
        Ok(Self { temporary, path })
    }

    /// Returns the path of the temporary file.
    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Makes the file durable and gives it its final name.
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

    #[test]
    fn folders_are_made_with_those_they_lie_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b/c");
        create_folder(&path).expect("made");
        create_folder(&path).expect("there");
        assert!(path.is_dir());
        std::fs::write(folder.path().join("file"), "").expect("written");
        create_folder(&folder.path().join("file/x")).expect_err("a file has no folders in it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_is_followed_and_anything_else_is_refused() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("elsewhere")).expect("a folder");
        std::fs::write(at("elsewhere/file"), "old").expect("written");
        symlink("elsewhere/file", at("link")).expect("linked");
        write(&at("link"), |file| file.write_all(b"new")).expect("written");
        assert!(at("link").symlink_metadata().expect("there").is_symlink());
        assert_eq!(std::fs::read(at("elsewhere/file")).expect("there"), b"new");

        symlink("/dev/null", at("device")).expect("linked");
        symlink("nowhere", at("dangling")).expect("linked");
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("bound");
        for name in ["device", "dangling", "socket", "elsewhere"] {
            let refused = write(&at(name), |_| unreachable!("nothing is written")).expect_err(name);
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{name}: {refused}");
        }
        let refused = write("/dev/null".as_ref(), |_| unreachable!()).expect_err("a device");
        assert!(refused.to_string().contains("device"), "{refused}");
        drop(socket);
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 5);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in [".dnn-dead.tmp", ".dnn-alive.tmp", ".dnn-notes", "x.tmp"] {
            std::fs::write(at(name), "half").expect("written");
        }
        let alive = File::open(at(".dnn-alive.tmp")).expect("there");
        alive.lock().expect("locked");
        write(&at("new"), |file| file.write_all(b"whole")).expect("written");
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .expect("listed")
            .map(|entry| entry.expect("readable").file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".dnn-alive.tmp", ".dnn-notes", "new", "x.tmp"]);
    }
}
