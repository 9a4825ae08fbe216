//! `metrics.jsonl`: a line for each logged iteration, each epoch of mini-batches, and each validation.

use super::lines::{self, JsonLines};
use crate::file::write_whole;
use dnn_core::metrics::Score;
use dnn_train::checkpoint::Progress;
use dnn_train::engine::LayerHealth;
use dnn_train::{EpochPoint, IterationEvent, ValidationPoint};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Writes `metrics.jsonl`: a line for each logged iteration, each epoch of mini-batches and each validation.
#[derive(Debug)]
pub(super) struct MetricsLog(JsonLines);

#[derive(Serialize)]
struct IterationLine<'a> {
    iteration: usize,
    epoch: usize,
    cost: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Score>,
    learning_rate: f64,
    /// The health of the hidden layers.
    layers: &'a [LayerHealth],
}

#[derive(Serialize)]
struct EpochLine {
    iteration: usize,
    training: EpochPoint,
}

#[derive(Serialize)]
struct ValidationLine {
    iteration: usize,
    validation: ValidationPoint,
    improved: bool,
}

/// The fields that decide whether a resumed run keeps a line of the file.
#[derive(Deserialize)]
struct LoggedLine {
    iteration: usize,
    validation: Option<IgnoredAny>,
    training: Option<IgnoredAny>,
}

impl MetricsLog {
    /// Creates the file. For a run that resumes from `progress`, keeps the lines up to there: later lines,
    /// which will be written again, and damaged ones are removed.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(super) fn start(path: &Path, progress: Option<&Progress>) -> anyhow::Result<Self> {
        let kept = match progress {
            Some(progress) => {
                let judged = progress.validations.last().map(|last| last.iteration);
                let ended = progress.epochs.last().map(|last| last.iteration);
                let kept = |line: &LoggedLine| match (&line.validation, &line.training) {
                    (Some(_), _) => judged.is_some_and(|judged| line.iteration <= judged),
                    (_, Some(_)) => ended.is_some_and(|ended| line.iteration <= ended),
                    (None, None) => line.iteration < progress.iteration,
                };
                let lines = lines::read::<LoggedLine>(path)?.into_iter();
                lines.filter(|(_, line)| kept(line)).map(|(text, _)| text).collect()
            }
            None => String::new(),
        };
        write_whole(path, kept.as_bytes())?;
        Ok(Self(JsonLines::open(path)?))
    }

    /// Appends the line of an iteration.
    pub(super) fn iteration(&mut self, event: &IterationEvent<'_>) {
        let IterationEvent { iteration, epoch, cost, score, learning_rate, health, .. } = *event;
        let layers = health;
        self.0.append(&IterationLine { iteration, epoch, cost, score, learning_rate, layers });
    }

    /// Appends the line of an epoch.
    pub(super) fn epoch(&mut self, point: &EpochPoint) {
        self.0.append(&EpochLine { iteration: point.iteration, training: *point });
    }

    /// Appends the line of a validation.
    pub(super) fn validation(&mut self, point: &ValidationPoint, improved: bool) {
        let (iteration, validation) = (point.iteration, *point);
        self.0.append(&ValidationLine { iteration, validation, improved });
    }

    /// Flushes the lines to the disk (fsync).
    ///
    /// # Errors
    /// What the file system refuses.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        self.0.sync()
    }
}
