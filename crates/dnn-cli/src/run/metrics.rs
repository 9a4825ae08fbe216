//! `metrics.jsonl`: one line for each logged iteration, complete when it is there.

use crate::console::warn;
use anyhow::Context;
use dnn_train::{Flow, IterationEvent, Observer};
use serde::Serialize;
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
struct Line {
    iteration: usize,
    cost: f64,
    learning_rate: f64,
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

impl Observer for MetricsLog {
    fn on_iteration(&mut self, event: &IterationEvent) -> Flow {
        let IterationEvent { iteration, cost, learning_rate, .. } = *event;
        if let (true, Some(file)) = (event.log, &mut self.file) {
            let line = Line { iteration, cost, learning_rate };
            let written = serde_json::to_string(&line)
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
        Flow::Continue
    }
}
