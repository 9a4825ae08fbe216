//! `metrics.jsonl`: one line for each logged iteration, complete when it is there.

use crate::console::warn;
use crate::file::write_whole;
use anyhow::Context;
use dnn_train::engine::LayerHealth;
use dnn_train::{Flow, IterationEvent, Observer, ValidationPoint};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Appends a line for each logged iteration.
#[derive(Debug)]
pub(crate) struct MetricsLog {
    path: PathBuf,
    /// `None` once writing has failed.
    file: Option<File>,
}

#[derive(Serialize)]
struct Line<'a> {
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

impl MetricsLog {
    /// Makes the file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path: path.into(), file: Some(file) })
    }
}

impl MetricsLog {
    /// Goes on with the file of a run that was interrupted: lines from `iteration` on, which will
    /// be written again, and a last line that is not complete are taken away.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn resume(path: &Path, iteration: usize) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Place {
            iteration: usize,
            validation: Option<IgnoredAny>,
        }
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let kept: String = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .filter(|line| {
                // The validation after `iteration` updates is part of the checkpoint.
                serde_json::from_str::<Place>(line).is_ok_and(|place| {
                    place.iteration < iteration
                        || (place.iteration == iteration && place.validation.is_some())
                })
            })
            .collect();
        write_whole(path, kept.as_bytes())?;
        let file = File::options()
            .append(true)
            .open(path)
            .with_context(|| format!("cannot append to {}", path.display()))?;
        Ok(Self { path: path.into(), file: Some(file) })
    }

    fn append(&mut self, line: &impl Serialize) {
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_string(line)
            .map_err(std::io::Error::from)
            // In one piece: a line is there or it is not.
            .and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            warn(format!(
                "warning: {}: {error}; training goes on without this log",
                self.path.display()
            ));
            self.file = None;
        }
    }
}

impl Observer for MetricsLog {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        let IterationEvent { iteration, epoch, cost, learning_rate, health: layers, .. } = *event;
        if event.log {
            self.append(&Line { iteration, epoch, cost, learning_rate, layers });
        }
        Flow::Continue
    }

    fn on_validation(&mut self, point: &ValidationPoint, improved: bool) {
        let (iteration, validation) = (point.iteration, *point);
        self.append(&ValidationLine { iteration, validation, improved });
    }
}
