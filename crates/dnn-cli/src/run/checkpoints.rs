//! `checkpoints/`: where a run can go on from.
//!
//! `last` is the newest, `previous` the one before it, in case `last` is damaged; `best` the one at
//! the best validation. Each is written whole or not at all; when that fails (a full disk, a lost
//! permission), the user is warned, the older ones stay, and training goes on.

use crate::console::warn;
use crate::file::write_whole;
use crate::interrupt;
use anyhow::{Context, bail, ensure};
use dnn_data::atomic::{create_folder, sync_folder};
use dnn_train::{Checkpoint, Flow, IterationEvent, Moment, Observer};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

const FOLDER: &str = "checkpoints";
const LAST: &str = "last.safetensors";
const PREVIOUS: &str = "previous.safetensors";
const BEST: &str = "best.safetensors";

/// How often a checkpoint is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Every {
    Iterations(usize),
    Epochs(usize),
    Seconds(u64),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number = number.parse().ok().filter(|n| *n > 0);
        match (number, unit.trim()) {
            (Some(n), "" | "iterations") => Ok(Self::Iterations(n)),
            (Some(n), "epochs" | "epoch") => Ok(Self::Epochs(n)),
            (Some(n), "s" | "seconds") => Ok(Self::Seconds(n as u64)),
            _ => Err(format!("`{text}`: expected for example 100 (iterations), 2epochs or 30s")),
        }
    }
}

impl TryFrom<String> for Every {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Every> for String {
    fn from(every: Every) -> Self {
        match every {
            Every::Iterations(n) => n.to_string(),
            Every::Epochs(n) => format!("{n}epochs"),
            Every::Seconds(n) => format!("{n}s"),
        }
    }
}

/// Writes checkpoints as training goes on.
#[derive(Debug)]
pub(crate) struct CheckpointStore {
    folder: PathBuf,
    every: Option<Every>,
    written: Instant,
    warned: bool,
}

impl CheckpointStore {
    /// For the run in `run`. Without `every` one is made only when training is interrupted.
    pub(crate) fn new(run: &Path, every: Option<Every>) -> Self {
        Self { folder: run.join(FOLDER), every, written: Instant::now(), warned: false }
    }

    fn is_due(&self, moment: &Moment) -> bool {
        match self.every {
            Some(Every::Iterations(n)) => moment.iteration.is_multiple_of(n),
            Some(Every::Epochs(n)) => moment.ends_epoch && moment.epoch.is_multiple_of(n),
            Some(Every::Seconds(n)) => self.written.elapsed() >= Duration::from_secs(n),
            None => false,
        }
    }

    fn write(&self, checkpoint: &Checkpoint, moment: &Moment) -> anyhow::Result<()> {
        create_folder(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        let bytes = checkpoint.to_bytes()?;
        let (last, next) = (self.folder.join(LAST), self.folder.join("next.safetensors"));
        write_whole(&next, &bytes)?;
        // From here on only names change. Killed between the two, the run goes on from `previous`.
        let rename = |from: &Path, to: &str| {
            let to = self.folder.join(to);
            match fs::rename(from, &to) {
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
                done => done.with_context(|| format!("cannot write {}", to.display())),
            }
        };
        rename(&last, PREVIOUS)?;
        rename(&next, LAST)?;
        if moment.improved {
            write_whole(&self.folder.join(BEST), &bytes)?;
        }
        sync_folder(&self.folder).with_context(|| format!("cannot write {}", self.folder.display()))
    }
}

impl Observer for CheckpointStore {
    fn on_iteration(&mut self, _: &IterationEvent<'_>) -> Flow {
        Flow::Continue
    }

    fn wants_checkpoint(&mut self, moment: &Moment) -> bool {
        let at_the_end = moment.last && (self.every.is_some() || interrupt::asked());
        at_the_end || self.is_due(moment) || (moment.improved && self.every.is_some())
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, moment: &Moment) {
        self.written = Instant::now();
        match self.write(checkpoint, moment) {
            Ok(()) => self.warned = false,
            Err(error) if !self.warned => {
                self.warned = true;
                warn(format!(
                    "warning: no checkpoint after {} iterations: {error:#}; training goes on, and \
                     the older checkpoint stays",
                    moment.iteration
                ));
            }
            Err(_) => {}
        }
    }
}

/// The checkpoint that the run in `run` goes on from; `None` when it made none.
///
/// # Errors
/// When it is damaged, with what else there is.
pub(crate) fn read(run: &Path, previous: bool) -> anyhow::Result<Option<Checkpoint>> {
    let folder = run.join(FOLDER);
    let path = |name: &str| folder.join(name);
    let (last, older) = (path(LAST), path(PREVIOUS));
    if previous {
        ensure!(older.exists(), "{}: there is no checkpoint before the last one", run.display());
        return load(&older).map(Some);
    }
    if last.exists() {
        return match load(&last) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(error) if older.exists() && load(&older).is_ok() => Err(error.context(
                "the last checkpoint cannot be used; to go on from the one before it: --previous",
            )),
            Err(error) => Err(error),
        };
    }
    if older.exists() { load(&older).map(Some) } else { Ok(None) }
}

fn load(path: &Path) -> anyhow::Result<Checkpoint> {
    let what = || format!("cannot use the checkpoint {}", path.display());
    let bytes = fs::read(path).with_context(what)?;
    Checkpoint::from_bytes(&bytes).with_context(what)
}

/// Holds a run's folder for one process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: fs::File,
}

/// Takes the run's folder for this process, as long as the lock lives.
///
/// # Errors
/// When another process has it.
pub(crate) fn lock(run: &Path) -> anyhow::Result<Lock> {
    let what = || format!("cannot lock {}", run.display());
    let file = to_lock(run).with_context(what)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(fs::TryLockError::WouldBlock) => {
            bail!("{}: another process is training in this run folder", run.display())
        }
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(what),
    }
}

/// The folder itself, so that no file of its own is left behind.
#[cfg(unix)]
fn to_lock(run: &Path) -> std::io::Result<fs::File> {
    fs::File::open(run)
}

/// Where folders cannot be opened: a file in it.
#[cfg(not(unix))]
fn to_lock(run: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().create(true).truncate(false).write(true).open(run.join("run.lock"))
}

/// Removes an older run's checkpoints.
///
/// # Errors
/// What the file system refuses.
pub(crate) fn remove(run: &Path) -> anyhow::Result<()> {
    let folder = run.join(FOLDER);
    match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove the older {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_survive_their_spelling() {
        for (text, every) in [
            ("100", Every::Iterations(100)),
            ("2epochs", Every::Epochs(2)),
            ("30s", Every::Seconds(30)),
        ] {
            assert_eq!(text.parse(), Ok(every));
            assert_eq!(String::from(every), text);
        }
        for text in ["0", "", "epochs", "5min", "-3"] {
            assert!(text.parse::<Every>().unwrap_err().contains("expected for example"), "{text}");
        }
    }

    #[test]
    fn a_folder_is_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let lock = super::lock(folder.path()).unwrap();
        let error = super::lock(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(lock);
        super::lock(folder.path()).unwrap();
    }
}
