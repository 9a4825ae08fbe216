//! `metrics.jsonl`: a line for each logged iteration and each validation.

use super::lines::{self, JsonLines};
use crate::file::write_whole;
use dnn_train::checkpoint::Progress;
use dnn_train::engine::LayerHealth;
use dnn_train::{IterationEvent, ValidationPoint};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Adds a line for each logged iteration and each validation.
#[derive(Debug)]
pub(super) struct MetricsLog(JsonLines);

#[derive(Serialize)]
struct IterationLine<'a> {
    iteration: usize,
    epoch: usize,
    cost: f64,
    learning_rate: f64,
    /// How the hidden layers fare.
    layers: &'a [LayerHealth],
}

#[derive(Serialize)]
struct ValidationLine {
    iteration: usize,
    validation: ValidationPoint,
    improved: bool,
}

/// What decides whether a line of the file is kept by a run that is resumed.
#[derive(Deserialize)]
struct LoggedLine {
    iteration: usize,
    validation: Option<IgnoredAny>,
}

impl MetricsLog {
    /// Begins the file, or goes on with that of a run that goes on from `progress`: lines of what
    /// comes after it, which will be written again, and damaged ones are taken away.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn start(path: &Path, progress: Option<&Progress>) -> anyhow::Result<Self> {
        let kept = match progress {
            Some(progress) => {
                let judged = progress.validations.last().map(|last| last.iteration);
                let kept = |line: &LoggedLine| match line.validation {
                    Some(_) => judged.is_some_and(|judged| line.iteration <= judged),
                    None => line.iteration < progress.iteration,
                };
                let lines = lines::read::<LoggedLine>(path)?.into_iter();
                lines.filter(|(_, line)| kept(line)).map(|(text, _)| text).collect()
            }
            None => String::new(),
        };
        write_whole(path, kept.as_bytes())?;
        Ok(Self(JsonLines::open(path)?))
    }

    /// Adds the line of an iteration.
    pub(super) fn iteration(&mut self, event: &IterationEvent<'_>) {
        let IterationEvent { iteration, epoch, cost, learning_rate, health: layers, .. } = *event;
        self.0.append(&IterationLine { iteration, epoch, cost, learning_rate, layers });
    }

    /// Adds the line of a validation.
    pub(super) fn validation(&mut self, point: &ValidationPoint, improved: bool) {
        let (iteration, validation) = (point.iteration, *point);
        self.0.append(&ValidationLine { iteration, validation, improved });
    }

    /// Makes the lines last.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        self.0.sync()
    }
}
