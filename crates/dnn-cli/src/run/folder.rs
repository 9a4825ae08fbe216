//! The folder of a run: made, locked, and filled with whole files.

use crate::file::write_whole;
use crate::ranks;
use anyhow::{Context, bail, ensure};
use dnn_data::Shown;
use dnn_data::atomic::{create_folder, is_temporary, sync_folder};
use dnn_report::Chart;
use dnn_train::Checkpoint;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The names of the files in the folder of a run.
pub(crate) const CONFIG: &str = "config.toml";
pub(crate) const METRICS: &str = "metrics.jsonl";
pub(crate) const MODEL: &str = "model.safetensors";
pub(crate) const SUMMARY: &str = "summary.json";
pub(crate) const COST_SVG: &str = "cost.svg";
pub(crate) const COST_PNG: &str = "cost.png";
pub(crate) const FOLDS: &str = "folds.json";
pub(crate) const PREDICTIONS: &str = "predictions.csv";
/// The names of the files in the folder of a sweep.
pub(crate) const SWEEP: &str = "sweep.toml";
pub(crate) const ROWS: &str = "rows.jsonl";
pub(crate) const SWEEP_CSV: &str = "sweep.csv";
pub(crate) const SWEEP_JSON: &str = "sweep.json";
/// The accuracies of folds or of a sweep with their intervals.
pub(crate) const SERIES_SVG: &str = "accuracies.svg";
pub(crate) const SERIES_PNG: &str = "accuracies.png";
/// The files that `dnn report` writes.
pub(crate) const REPORT: &str = "report.html";
pub(crate) const MODEL_CARD: &str = "README.md";
/// All files of a run, in the order in which --force removes them. The configuration, by which a run is
/// recognised, comes last: after a kill the folder is still known as a run.
const FILES: [&str; 16] = [
    REPORT,
    MODEL_CARD,
    SERIES_SVG,
    SERIES_PNG,
    MODEL,
    SUMMARY,
    COST_SVG,
    COST_PNG,
    PREDICTIONS,
    FOLDS,
    SWEEP,
    SWEEP_CSV,
    SWEEP_JSON,
    ROWS,
    METRICS,
    CONFIG,
];

/// How a model card begins, and no other README.md.
pub(crate) const MODEL_CARD_BEGINS: &[u8] = b"---\nlibrary_name: dnn\n";

/// The files that --folds writes before its configuration.
const OF_FOLDS: [&str; 4] = [FOLDS, PREDICTIONS, SERIES_SVG, SERIES_PNG];

/// The folder of the checkpoints, and their names in it.
pub(super) const CHECKPOINTS: &str = "checkpoints";
pub(super) const LAST: &str = "last.safetensors";
pub(super) const PREVIOUS: &str = "previous.safetensors";
pub(super) const BEST: &str = "best.safetensors";
/// The checkpoint that is being written, before it is renamed to `last`.
pub(super) const NEXT: &str = "next.safetensors";

/// The folder of runs without --out.
const RUNS: &str = "runs";
/// The file that is locked on systems where a folder cannot be opened.
const LOCK: &str = "run.lock";
/// The first bytes of the configuration of a run, which no other file begins with.
const HEADER: &[u8] = b"# Written by dnn ";

/// The folder of a run, which this process alone writes into as long as the value lives.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    /// The open folder with its lock, since a lock file would be left behind; on systems where a folder cannot
    /// be opened, the file [`LOCK`] in it.
    #[cfg_attr(not(unix), expect(dead_code, reason = "is held, not read"))]
    locked: File,
}

impl RunFolder {
    /// Makes the folder and locks it. One that exists must be empty; with `force` it may hold an
    /// older run, whose files are removed. Nothing else is.
    ///
    /// # Errors
    /// When the folder cannot be made, another process has it, or there is something in it that no
    /// run wrote.
    pub(crate) fn create(path: &Path, force: bool) -> anyhow::Result<Self> {
        create_folder(path)
            .with_context(|| format!("cannot make the run folder {}", path.shown()))?;
        let folder = Self::lock(path)?;
        let others = folder.other_names()?;
        if !others.is_empty() {
            ensure!(
                force,
                "the run folder {} is not empty; name another with --out, or replace the run in it \
                 with --force",
                path.shown()
            );
            folder.remove_run(&others)?;
        }
        Ok(folder)
    }

    /// Makes and locks `runs/NAME`, or `runs/NAME-2` and so on when there is such a run.
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
                    return Self::lock(&path);
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => {
                    return Err(e)
                        .with_context(|| format!("cannot make the run folder {}", path.shown()));
                }
            }
        }
    }

    /// Locks the folder of a run that has begun; changes nothing in it.
    ///
    /// # Errors
    /// When it is no run, or another process has it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if !path.join(CONFIG).is_file() {
            bail!("{}: not a run folder, it has no {CONFIG}", path.shown());
        }
        Self::lock(path)
    }

    fn lock(path: &Path) -> anyhow::Result<Self> {
        /// `dnn inspect` holds the lock for a moment, to see whether anybody else does.
        const TRIES: usize = 5;
        let what = || format!("cannot lock {}", path.shown());
        let locked = to_lock(path).with_context(what)?;
        for _ in 0..TRIES {
            match locked.try_lock() {
                Ok(()) => {
                    let folder = Self { path: path.into(), locked };
                    folder.verify()?;
                    return Ok(folder);
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::Error(error)) => return Err(error).with_context(what),
            }
        }
        bail!("{}: another process is training in this run folder", path.shown())
    }

    /// Returns whether a process is training in this folder.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub(crate) fn is_locked(path: &Path) -> anyhow::Result<bool> {
        let file = to_lock(path).with_context(|| format!("cannot read {}", path.shown()))?;
        Ok(matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Returns the path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// What the file system refuses; when the folder is not [the locked one](Self::verify).
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.verify()?;
        write_whole(&self.file(name), bytes)
    }

    /// Writes a chart as SVG, and as PNG twice as fine as on the screen, for print and for dense screens,
    /// after what `first` writes on a thread of its own, which waits for the disk while the PNG is drawn.
    ///
    /// # Errors
    /// Those of `first`; as [`write`](Self::write); when the chart cannot be drawn.
    pub(crate) fn write_chart(
        &self,
        [svg, png]: [&str; 2],
        chart: &Chart,
        first: impl FnOnce() -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<()> {
        thread::scope(|scope| {
            let written = scope.spawn(|| {
                first()?;
                self.write(svg, chart.svg().as_bytes())
            });
            let drawn = chart.png(2);
            written.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            let failed = || format!("cannot draw {}", self.file(png).shown());
            self.write(png, &drawn.with_context(failed)?)
        })
    }

    /// Checks that the path still leads to the locked folder. A renamed folder keeps its lock, and another run
    /// may have been created under the old name.
    ///
    /// # Errors
    /// When the path leads to another folder or to none.
    pub(crate) fn verify(&self) -> anyhow::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            let locked = self.locked.metadata().map(identity);
            let found = fs::metadata(&self.path).map(identity);
            ensure!(
                matches!((&locked, &found), (Ok(locked), Ok(found)) if locked == found),
                "the run folder {} was renamed, removed or replaced while it was in use: nothing \
                 more is written; what was written before is in the renamed folder, and `dnn train \
                 --resume` goes on with it there",
                self.path.shown()
            );
        }
        Ok(())
    }

    /// Returns the names in the folder, without temporary files and the lock file.
    fn other_names(&self) -> anyhow::Result<Vec<String>> {
        let mut names = names(&self.path)?;
        names.retain(|name| !is_temporary(name) && (cfg!(unix) || name != LOCK));
        Ok(names)
    }

    /// Removes the files of the run that is in the folder, which holds `names`.
    fn remove_run(&self, names: &[String]) -> anyhow::Result<()> {
        let path = self.path.shown();
        // A configuration alone may be somebody's copy beside other things.
        let is_run = begins_with(&self.file(CONFIG), HEADER)
            && (names == [CONFIG]
                || FILES.iter().any(|file| *file != CONFIG && self.file(file).exists()));
        // Folds that were killed before their configuration was written.
        let is_run = is_run
            || (names.iter().any(|name| name == FOLDS)
                && names.iter().all(|name| OF_FOLDS.contains(&name.as_str()))
                && fs::read_to_string(self.file(FOLDS))
                    .is_ok_and(|text| text.contains("\"data_hash\"")));
        ensure!(
            is_run,
            "{path} holds {}, and not a run of dnn: --force replaces runs only; name another folder \
             with --out",
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        );
        for name in FILES {
            let kind = fs::symlink_metadata(self.file(name));
            ensure!(
                kind.as_ref().map_or(true, fs::Metadata::is_file),
                "{path}: {name} is not a file that dnn wrote; remove it, or name another folder \
                 with --out"
            );
        }
        self.remove_checkpoints()?;
        for name in self::names(&self.path)?.iter().filter(|name| is_temporary(name)) {
            remove_file(&self.file(name))?;
        }
        // A README.md may be the user's own.
        let is_own =
            |name: &&&str| **name != MODEL_CARD || begins_with(&self.file(name), MODEL_CARD_BEGINS);
        FILES.iter().filter(is_own).try_for_each(|name| remove_file(&self.file(name)))
    }

    /// Removes the checkpoints, and their folder when nothing else is in it.
    fn remove_checkpoints(&self) -> anyhow::Result<()> {
        let folder = self.file(CHECKPOINTS);
        // Not through a symbolic link: what is behind it is somebody else's.
        if !fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        for name in [LAST, PREVIOUS, BEST, NEXT] {
            remove_file(&folder.join(name))?;
        }
        match fs::remove_dir(&folder) {
            Err(e) if e.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(e).with_context(|| format!("cannot remove the older {}", folder.shown()))
            }
            _ => Ok(()),
        }
    }
}

/// Returns whether a file is one that the run in its folder is known by or goes on from, which nothing but
/// the run writes.
pub(crate) fn is_record(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let folder = path.with_file_name("");
    FILES.iter().any(|file| name == *file)
        && name != REPORT
        && name != MODEL_CARD
        // Those of folds cannot be made again; of a model they can.
        && (name != PREDICTIONS || folder.join(FOLDS).exists())
        && begins_with(&folder.join(CONFIG), HEADER)
}

fn begins_with(path: &Path, start: &[u8]) -> bool {
    let mut read = Vec::new();
    let opened = File::open(path);
    opened.and_then(|file| file.take(start.len() as u64).read_to_end(&mut read)).is_ok()
        && read == start
}

#[cfg(unix)]
fn to_lock(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(not(unix))]
fn to_lock(path: &Path) -> io::Result<File> {
    let lock = path.join(LOCK);
    fs::OpenOptions::new().create(true).truncate(false).write(true).open(lock)
}

/// Removes a regular file of this name, when there is one.
///
/// # Errors
/// What the file system refuses.
fn remove_file(path: &Path) -> anyhow::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove the older {}", path.shown()))
        }
        _ => Ok(()),
    }
}

/// Returns the names in a folder, sorted.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let read = || -> io::Result<Vec<String>> {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    let mut names = read().with_context(|| format!("cannot read {}", folder.shown()))?;
    names.sort();
    Ok(names)
}

/// The folder that a run is written to.
pub(crate) enum Destination<'a> {
    /// This folder; with `force` the run in it is replaced.
    Folder { path: &'a Path, force: bool },
    /// A new folder in `runs/` of this name, with a number where the name is taken.
    Numbered(&'a str),
    /// The folder of a run that is resumed: from its checkpoint or, when it made none, from the start.
    /// The first rank has it locked.
    Resume { folder: Option<RunFolder>, checkpoint: Option<Box<Checkpoint>> },
}

impl Destination<'_> {
    /// Makes and locks the folder; returns it with the checkpoint to resume from. Ranks but the first
    /// have no folder: they write nothing.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds something that must not be replaced.
    pub(crate) fn open(self) -> anyhow::Result<(Option<RunFolder>, Option<Box<Checkpoint>>)> {
        Ok(match self {
            Self::Folder { .. } | Self::Numbered(_) if !ranks::is_first() => (None, None),
            Self::Folder { path, force } => (Some(RunFolder::create(path, force)?), None),
            Self::Numbered(name) => (Some(RunFolder::create_numbered(name)?), None),
            Self::Resume { folder, checkpoint } => (folder, checkpoint),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunConfig;
    use dnn_train::TrainConfig;

    fn config() -> Vec<u8> {
        RunConfig::new(TrainConfig::course_deep()).to_toml().unwrap().into_bytes()
    }

    #[test]
    fn what_is_there_is_kept_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let run = RunFolder::create(&path, false).unwrap();
        run.write(MODEL, b"weights").unwrap();
        run.write(CONFIG, &config()).unwrap();
        drop(run);
        fs::create_dir(path.join(CHECKPOINTS)).unwrap();
        for name in ["notes.txt", ".dnn-x.tmp", "checkpoints/last.safetensors", "checkpoints/own"] {
            fs::write(path.join(name), "mine").unwrap();
        }
        let error = RunFolder::create(&path, false).unwrap_err().to_string();
        assert!(error.contains("is not empty") && error.contains("--force"), "{error}");
        RunFolder::create(&path, true).unwrap();
        assert_eq!(names(&path).unwrap(), ["checkpoints", "notes.txt"]);
        assert_eq!(names(&path.join(CHECKPOINTS)).unwrap(), ["own"]);
    }

    #[test]
    fn what_is_no_run_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for (files, says) in [
            (&["model.safetensors", "config.toml"][..], "`config.toml`, `model.safetensors`"),
            (&["checkpoints/last.safetensors"], "`checkpoints`"),
        ] {
            let path = folder.path().join(files.len().to_string());
            fs::create_dir_all(path.join("checkpoints")).unwrap();
            for name in files {
                fs::write(path.join(name), "[training]\n").unwrap();
            }
            let before = names(&path).unwrap();
            let error = RunFolder::create(&path, true).unwrap_err().to_string();
            assert!(error.contains("not a run of dnn") && error.contains(says), "{error}");
            assert_eq!(names(&path).unwrap(), before);
            assert_eq!(fs::read(path.join(files[0])).unwrap(), b"[training]\n");
        }
        // A copy of a run's configuration among other things is not a run either.
        let path = folder.path().join("copy");
        fs::create_dir(&path).unwrap();
        fs::write(path.join(CONFIG), config()).unwrap();
        fs::write(path.join("thesis.tex"), "text").unwrap();
        assert!(RunFolder::create(&path, true).is_err());
        // What has a run's name but is no file stays, and everything else with it.
        fs::create_dir(path.join(MODEL)).unwrap();
        fs::write(path.join(METRICS), "").unwrap();
        let error = RunFolder::create(&path, true).unwrap_err().to_string();
        assert!(error.contains("model.safetensors is not a file that dnn wrote"), "{error}");
        assert!(path.join(METRICS).exists() && path.join(CONFIG).exists());
    }

    #[test]
    fn a_folder_is_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path(), false).unwrap();
        run.write(CONFIG, &config()).unwrap();
        assert!(RunFolder::is_locked(folder.path()).unwrap());
        for error in [
            RunFolder::create(folder.path(), true).unwrap_err(),
            RunFolder::open(folder.path()).unwrap_err(),
        ] {
            assert!(error.to_string().contains("another process"), "{error}");
        }
        assert!(folder.path().join(CONFIG).exists(), "locked before anything is removed");
        drop(run);
        assert!(!RunFolder::is_locked(folder.path()).unwrap());
        RunFolder::open(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_renamed_folder_is_not_written_into_under_its_old_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, renamed) = (folder.path().join("r"), folder.path().join("renamed"));
        let run = RunFolder::create(&path, false).unwrap();
        fs::rename(&path, &renamed).unwrap();
        let other = RunFolder::create(&path, false).unwrap();
        let error = run.write(CONFIG, b"x").unwrap_err().to_string();
        assert!(error.contains("was renamed, removed or replaced"), "{error}");
        assert!(names(&path).unwrap().is_empty());
        other.write(CONFIG, &config()).unwrap();
        // The lock has moved along.
        fs::write(renamed.join(CONFIG), config()).unwrap();
        assert!(RunFolder::open(&renamed).is_err());
    }
}
