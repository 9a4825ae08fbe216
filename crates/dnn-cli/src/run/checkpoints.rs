//! `checkpoints/`: where a run can go on from.
//!
//! `last` is the newest, `previous` the one before it, in case `last` is damaged; `best` the one at
//! the best validation. Each is written whole or not at all; when that fails (a full disk, a lost
//! permission), the user is warned, the older ones stay, and training goes on.

use super::folder::{BEST, CHECKPOINTS, LAST, NEXT, PREVIOUS, RunFolder};
use super::metrics::MetricsLog;
use crate::console::warn;
use crate::interrupt;
use anyhow::{Context, ensure};
use dnn_data::Shown;
use dnn_data::atomic::{create_folder, sync_folder};
use dnn_train::{Checkpoint, Moment};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How often a checkpoint is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(crate) enum CheckpointInterval {
    Iterations(usize),
    Epochs(usize),
    Seconds(u64),
    /// A checkpoint is written only when training is interrupted.
    Never,
}

impl Default for CheckpointInterval {
    /// At most a minute of work is lost, and writing is far too rare to be felt.
    fn default() -> Self {
        Self::Seconds(60)
    }
}

impl FromStr for CheckpointInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number = number.parse().ok().filter(|n| *n > 0);
        match (number, unit.trim()) {
            (Some(n), "" | "iterations") => Ok(Self::Iterations(n)),
            (Some(n), "epochs" | "epoch") => Ok(Self::Epochs(n)),
            (Some(n), "s" | "seconds") => Ok(Self::Seconds(n as u64)),
            _ => Err(format!(
                "`{text}`: expected for example 100 (iterations), 2epochs, 30s or never"
            )),
        }
    }
}

impl TryFrom<String> for CheckpointInterval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CheckpointInterval> for String {
    fn from(every: CheckpointInterval) -> Self {
        match every {
            CheckpointInterval::Iterations(n) => n.to_string(),
            CheckpointInterval::Epochs(n) => format!("{n}epochs"),
            CheckpointInterval::Seconds(n) => format!("{n}s"),
            CheckpointInterval::Never => "never".into(),
        }
    }
}

/// Writes checkpoints during training.
#[derive(Debug)]
pub(crate) struct CheckpointStore {
    every: CheckpointInterval,
    written: Instant,
    /// Whether the best checkpoint may stay in memory until the next write is due.
    holds_best: bool,
    /// The best checkpoint while it is not yet written: validations may improve a thousand times a second.
    best: Option<Checkpoint>,
    warned: bool,
}

impl CheckpointStore {
    /// Returns a store that writes at this interval. `holds_best` says whether the best checkpoint may stay
    /// in memory until the next write is due, which a limit on memory forbids.
    pub(super) fn new(every: CheckpointInterval, holds_best: bool) -> Self {
        Self { every, written: Instant::now(), holds_best, best: None, warned: false }
    }

    /// Returns whether a write is due at this moment.
    fn is_due(&self, moment: &Moment) -> bool {
        match self.every {
            _ if moment.last && interrupt::requested() => true,
            CheckpointInterval::Never => false,
            _ if moment.last || (moment.improved && !self.holds_best) => true,
            CheckpointInterval::Iterations(n) => moment.iteration.is_multiple_of(n),
            CheckpointInterval::Epochs(n) => moment.ends_epoch && moment.epoch.is_multiple_of(n),
            CheckpointInterval::Seconds(n) => self.written.elapsed() >= Duration::from_secs(n),
        }
    }

    /// Returns whether [`take`](Self::take) needs the checkpoint of this moment.
    pub(super) fn wants(&self, moment: &Moment) -> bool {
        self.is_due(moment) || (moment.improved && self.every != CheckpointInterval::Never)
    }

    /// Takes the checkpoint of this moment, and writes it when a write is due.
    pub(super) fn take(
        &mut self,
        checkpoint: &Checkpoint,
        moment: &Moment,
        folder: &RunFolder,
        log: Option<&MetricsLog>,
    ) {
        if !self.is_due(moment) {
            self.best = Some(checkpoint.clone());
            return;
        }
        self.written = Instant::now();
        // What is logged before a checkpoint is not logged again by a run that goes on from it.
        let logged = log.map_or(Ok(()), MetricsLog::sync);
        match logged.and_then(|()| self.write(checkpoint, moment.improved, folder)) {
            Ok(()) => (self.best, self.warned) = (None, false),
            Err(error) => {
                if moment.improved && self.holds_best {
                    self.best = Some(checkpoint.clone());
                }
                if !self.warned {
                    warn(format!(
                        "warning: no checkpoint after {} iterations: {error:#}; training goes on, \
                         and the older checkpoint stays",
                        moment.iteration
                    ));
                }
                self.warned = true;
            }
        }
    }

    /// Writes the best checkpoint if it is still only in memory.
    pub(super) fn flush(&mut self, folder: &RunFolder) {
        let Some(best) = self.best.take() else { return };
        if let Err(error) = prepare(folder).and_then(|()| write_one(folder, BEST, &best)) {
            warn(format!("warning: the best checkpoint is lost: {error:#}"));
        }
    }

    fn write(
        &self,
        checkpoint: &Checkpoint,
        is_best: bool,
        folder: &RunFolder,
    ) -> anyhow::Result<()> {
        prepare(folder)?;
        // The best one first: whoever goes on from `last` does not come by its best one again.
        if let Some(best) = if is_best { Some(checkpoint) } else { self.best.as_ref() } {
            write_one(folder, BEST, best)?;
        }
        write_one(folder, NEXT, checkpoint)?;
        // From here on only names change. Killed between the two, the run goes on from `previous`.
        let checkpoints = folder.file(CHECKPOINTS);
        let rename = |from: &str, to: &str| {
            let to = checkpoints.join(to);
            match fs::rename(checkpoints.join(from), &to) {
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
                done => done.with_context(|| format!("cannot write {}", to.shown())),
            }
        };
        folder.verify()?;
        rename(LAST, PREVIOUS)?;
        rename(NEXT, LAST)?;
        sync_folder(&checkpoints).with_context(|| format!("cannot write {}", checkpoints.shown()))
    }
}

/// Creates the folder of the checkpoints if it does not exist.
fn prepare(folder: &RunFolder) -> anyhow::Result<()> {
    folder.verify()?;
    let checkpoints = folder.file(CHECKPOINTS);
    create_folder(&checkpoints)
        .with_context(|| format!("cannot make the folder {}", checkpoints.shown()))
}

/// Writes a checkpoint to the file of this name in the folder of the checkpoints.
fn write_one(folder: &RunFolder, name: &str, checkpoint: &Checkpoint) -> anyhow::Result<()> {
    folder.write(&format!("{CHECKPOINTS}/{name}"), &checkpoint.to_bytes()?)
}

/// Reads the checkpoint that the run in `run` resumes from; `None` when it has none.
///
/// # Errors
/// When the checkpoint is damaged; the message names the other checkpoints that can be read.
pub(crate) fn read(run: &Path, previous: bool) -> anyhow::Result<Option<Checkpoint>> {
    let folder = run.join(CHECKPOINTS);
    let path = |name: &str| folder.join(name);
    let (last, older) = (path(LAST), path(PREVIOUS));
    if previous {
        ensure!(older.exists(), "{}: there is no checkpoint before the last one", run.shown());
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
    let what = || format!("cannot use the checkpoint {}", path.shown());
    let bytes = fs::read(path).with_context(what)?;
    Checkpoint::from_bytes(&bytes).with_context(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_survive_their_spelling() {
        for (text, every) in [
            ("100", CheckpointInterval::Iterations(100)),
            ("2epochs", CheckpointInterval::Epochs(2)),
            ("30s", CheckpointInterval::Seconds(30)),
            ("never", CheckpointInterval::Never),
        ] {
            assert_eq!(text.parse(), Ok(every));
            assert_eq!(String::from(every), text);
        }
        for text in ["0", "", "epochs", "5min", "-3"] {
            assert!(
                text.parse::<CheckpointInterval>().unwrap_err().contains("expected for example"),
                "{text}"
            );
        }
    }
}
