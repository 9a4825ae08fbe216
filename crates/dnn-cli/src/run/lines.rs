//! Files of JSON objects, a line each, to which lines are added as things happen.

use crate::console::warn;
use anyhow::{Context, ensure};
use dnn_data::Shown;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A text file that lines are appended to.
#[derive(Debug)]
pub(crate) struct JsonLines {
    path: PathBuf,
    /// The open file; `None` after a write has failed.
    file: Option<File>,
}

impl JsonLines {
    /// Opens the file for appending, and creates it if it does not exist.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot append to {}", path.shown()))?;
        Ok(Self { path: path.into(), file: Some(file) })
    }

    /// Locks the file until the value is dropped, where the file system has locks.
    ///
    /// # Errors
    /// When another process holds the lock.
    pub(crate) fn locked(self) -> anyhow::Result<Self> {
        let locked = self.file.as_ref().map(File::try_lock);
        ensure!(
            !matches!(locked, Some(Err(TryLockError::WouldBlock))),
            "{}: another process is adding to this file",
            self.path.shown()
        );
        Ok(self)
    }

    /// Appends a line. The first failure prints a warning, and nothing is appended after it: a log is worth
    /// less than the training that it is of.
    pub(crate) fn append(&mut self, line: &impl Serialize) {
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_string(line)
            .map_err(std::io::Error::from)
            // In one piece: a line is there or it is not.
            .and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            warn(format!(
                "warning: {}: {error}; training goes on without this log",
                self.path.shown()
            ));
            self.file = None;
        }
    }

    /// Flushes the lines to the disk (fsync).
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        let sync = self.file.as_ref().map_or(Ok(()), File::sync_data);
        sync.with_context(|| format!("cannot write {}", self.path.shown()))
    }
}

/// Reads the lines of a file, each as text and parsed; returns none when there is no such file. A damaged
/// line is skipped with a warning. A last line without an end is skipped silently: it was being written
/// when the process ended, and is written again.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<(String, T)>> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        bytes => bytes.with_context(|| format!("cannot read {}", path.shown()))?,
    };
    let mut lines = Vec::new();
    let mut damaged = Vec::new();
    for (i, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            break;
        }
        let text = std::str::from_utf8(line).ok();
        match text.and_then(|text| Some((text.to_owned(), serde_json::from_str(text).ok()?))) {
            Some(line) => lines.push(line),
            None => damaged.push((i + 1).to_string()),
        }
    }
    if !damaged.is_empty() {
        warn(format!(
            "warning: {}: left out what is damaged, line {}",
            path.shown(),
            damaged.join(", ")
        ));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_lines_are_left_out_and_the_others_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(read::<u32>(&path).unwrap().is_empty());
        let mut lines = JsonLines::open(&path).unwrap();
        lines.append(&1);
        lines.sync().unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(b"\xff\xfe\n{\n\0\0\n2\n3"))
            .unwrap();
        let read = read::<u32>(&path).unwrap();
        assert_eq!(read, [("1\n".to_owned(), 1), ("2\n".to_owned(), 2)]);
    }
}
