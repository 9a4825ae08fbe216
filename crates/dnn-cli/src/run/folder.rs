//! The folder of a run: made, claimed, and filled with whole files.

use super::{FILES, checkpoints};
use crate::file::write_whole;
use anyhow::{Context, bail};
use dnn_data::atomic::{create_folder, sync_folder};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where runs go that are not told where.
const RUNS: &str = "runs";

/// The folder of a run that is ours to fill.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder. One that exists must be empty; with `force` it may hold an older run,
    /// whose files are removed.
    ///
    /// # Errors
    /// When the folder cannot be made or has something in it.
    pub(crate) fn create(path: &Path, force: bool) -> anyhow::Result<Self> {
        let what = || format!("cannot make the run folder {}", path.display());
        create_folder(path).with_context(what)?;
        if force {
            for name in FILES {
                match fs::remove_file(path.join(name)) {
                    Err(e) if e.kind() != ErrorKind::NotFound => {
                        return Err(e)
                            .with_context(|| format!("cannot remove the older {name}"))
                            .with_context(what);
                    }
                    _ => {}
                }
            }
            checkpoints::remove(path)?;
        } else if fs::read_dir(path).with_context(what)?.next().is_some() {
            bail!(
                "the run folder {} is not empty; name another with --out, or replace the run in it \
                 with --force",
                path.display()
            );
        }
        Ok(Self { path: path.into() })
    }

    /// Makes `runs/NAME`, or `runs/NAME-2` and so on when there is such a run.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create_numbered(name: &str) -> anyhow::Result<Self> {
        let runs = Path::new(RUNS);
        create_folder(runs).with_context(|| format!("cannot make the folder {RUNS}"))?;
        let mut number = 1;
        loop {
            let path =
                runs.join(if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
            // Whoever makes the folder has it: two runs started at once do not share one.
            match fs::create_dir(&path) {
                Ok(()) => {
                    sync_folder(runs).with_context(|| format!("cannot write {RUNS}"))?;
                    return Ok(Self { path });
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => {
                    return Err(e)
                        .with_context(|| format!("cannot make the run folder {}", path.display()));
                }
            }
        }
    }

    /// The folder of a run that has begun.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let config = path.join(super::CONFIG);
        if !config.is_file() {
            bail!("{}: not a run folder, it has no {}", path.display(), super::CONFIG);
        }
        Ok(Self { path: path.into() })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write_whole(&self.file(name), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::MODEL;

    #[test]
    fn what_is_there_is_kept_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let run = RunFolder::create(&path, false).unwrap();
        run.write(MODEL, b"weights").unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        let error = RunFolder::create(&path, false).unwrap_err().to_string();
        assert!(error.contains("is not empty") && error.contains("--force"), "{error}");
        RunFolder::create(&path, true).unwrap();
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
    }
}
