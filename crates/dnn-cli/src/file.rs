//! Reading and writing files; a file is written whole or not at all.

use anyhow::{Context, ensure};
use dnn_data::Shown;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Reads a small text, such as a configuration.
///
/// # Errors
/// As [`read_text_of`], with a limit of 1 MiB.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    read_text_of(path, 1 << 20)
}

/// Reads a text whose length is limited, because a pipe or a device may have no end.
///
/// # Errors
/// The error of the file system; a file of more bytes, or one that is not text.
pub(crate) fn read_text_of(path: &Path, max_bytes: u64) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= max_bytes, "expected at most {max_bytes} bytes, got more");
    String::from_utf8(bytes).context("expected text in UTF-8")
}

/// Writes `bytes` to the file `path`; an older file is replaced only when all bytes are on the
/// disk.
///
/// # Errors
/// The error of the file system, with the file's name; an older file is then unchanged.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    dnn_data::atomic::write(path, |file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.shown()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("the folder was just made");
        entries
            .map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII"))
            .collect()
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        write_whole(&ours, b"x").expect("written");
        std::fs::write(&theirs, b"x").expect("written");
        let mode = |path| std::fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode(ours), mode(theirs));
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).expect("a folder");
        std::fs::write(taken.join("inside"), "x").expect("writable");
        let error = write_whole(&taken, b"x").expect_err("a full folder cannot be replaced");
        assert!(format!("{error:#}").contains("taken"), "{error:#}");
        assert_eq!(names(folder.path()), ["taken"]);
        let missing = folder.path().join("no-such-folder").join("a.png");
        let error = write_whole(&missing, b"x").expect_err("no folder");
        assert!(format!("{error:#}").contains("a.png"), "{error:#}");
    }
}
