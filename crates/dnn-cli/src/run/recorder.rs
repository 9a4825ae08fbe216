//! Writes the files of a run's folder during training.

use super::checkpoints::CheckpointStore;
use super::config::RunConfig;
use super::folder::{CONFIG, METRICS, RunFolder};
use super::metrics::MetricsLog;
use dnn_train::{Checkpoint, EpochPoint, Flow, IterationEvent, Moment, Observer, ValidationPoint};

/// An observer that writes the configuration when training starts, and then the log and the checkpoints.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    folder: &'a RunFolder,
    config: String,
    resumed: Option<&'a Checkpoint>,
    log: Option<MetricsLog>,
    checkpoints: CheckpointStore,
    /// The error that stopped the writing, and with it the training.
    failed: Option<anyhow::Error>,
}

impl<'a> Recorder<'a> {
    /// Returns the recorder of a run with this configuration, which begins, or resumes from the checkpoint
    /// `resumed`. Nothing is written before training starts: a refused run leaves the folder unchanged.
    ///
    /// # Errors
    /// When a path in the configuration is not Unicode.
    pub(crate) fn new(
        folder: &'a RunFolder,
        config: &RunConfig,
        resumed: Option<&'a Checkpoint>,
    ) -> anyhow::Result<Self> {
        let every = config.checkpoint_every.unwrap_or_default();
        let is_memory_limited = config.source.as_ref().is_some_and(|s| s.memory_limit.is_some());
        let checkpoints = CheckpointStore::new(every, !is_memory_limited);
        let config = config.to_toml()?;
        Ok(Self { folder, config, resumed, log: None, checkpoints, failed: None })
    }

    /// Writes the best checkpoint if it is still only in memory, as after a training that diverged.
    ///
    /// # Errors
    /// When training was stopped because a file could not be written.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.failed.map_or(Ok(()), Err)?;
        self.checkpoints.flush(self.folder);
        Ok(())
    }

    fn start(&self) -> anyhow::Result<MetricsLog> {
        self.folder.write(CONFIG, self.config.as_bytes())?;
        MetricsLog::start(&self.folder.file(METRICS), self.resumed.map(Checkpoint::progress))
    }

    /// Returns [`Flow::Stop`] when the folder is no longer the one that was locked.
    fn verify(&mut self) -> Flow {
        if self.failed.is_none() {
            self.failed = self.folder.verify().err();
        }
        if self.failed.is_some() { Flow::Stop } else { Flow::Continue }
    }
}

impl Observer for Recorder<'_> {
    fn on_start(&mut self) -> Flow {
        match self.start() {
            Ok(log) => self.log = Some(log),
            Err(error) => self.failed = Some(error),
        }
        if self.failed.is_some() { Flow::Stop } else { Flow::Continue }
    }

    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        if !event.log {
            return if self.failed.is_some() { Flow::Stop } else { Flow::Continue };
        }
        let flow = self.verify();
        if let (Some(log), Flow::Continue) = (&mut self.log, flow) {
            log.iteration(event);
        }
        flow
    }

    fn on_epoch(&mut self, point: &EpochPoint) {
        if let Some(log) = &mut self.log {
            log.epoch(point);
        }
    }

    fn on_validation(&mut self, point: &ValidationPoint, improved: bool) {
        if let Some(log) = &mut self.log {
            log.validation(point, improved);
        }
    }

    fn wants_checkpoint(&mut self, moment: &Moment) -> bool {
        self.failed.is_none() && self.checkpoints.wants(moment)
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, moment: &Moment) {
        if self.verify() == Flow::Continue {
            self.checkpoints.take(checkpoint, moment, self.folder, self.log.as_ref());
        }
    }
}
