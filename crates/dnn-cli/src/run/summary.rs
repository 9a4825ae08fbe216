//! `summary.json`, which is also what `dnn train --json` prints.

use super::config::RunConfig;
use super::folder::SUMMARY;
use crate::quality::Majority;
use anyhow::Context;
use dnn_core::metrics::Score;
use dnn_core::{Architecture, Precision};
use dnn_data::Shown;
use dnn_report::figures::accuracy_plot;
use dnn_report::{Chart, Series, cost_plot};
use dnn_train::engine::LayerHealth;
use dnn_train::{Checkpoint, CostPoint, End, EpochPoint, TrainConfig, ValidationPoint};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What came of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The model file.
    pub(crate) model: PathBuf,
    /// The run's folder.
    pub(crate) run: PathBuf,
    /// Where the images came from: a path, or "drawn".
    pub(crate) data: PathBuf,
    /// Where the test images came from, when they came from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test_data: Option<PathBuf>,
    /// Layers of the network.
    pub(crate) architecture: Architecture,
    /// Names of the classes.
    pub(crate) classes: Vec<String>,
    /// The engine that did the work.
    pub(crate) engine: String,
    /// Precision of all numbers.
    pub(crate) precision: Precision,
    /// Updates made.
    pub(crate) iterations: usize,
    /// How training came to its end.
    pub(crate) end: End,
    /// The cost at every logged iteration.
    pub(crate) costs: Vec<CostPoint>,
    /// Every epoch of mini-batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) epochs: Vec<EpochPoint>,
    /// Every validation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) validations: Vec<ValidationPoint>,
    /// The best validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best: Option<ValidationPoint>,
    /// How the hidden layers fare on the training images at the end.
    #[serde(default)]
    pub(crate) layers: Vec<LayerHealth>,
    /// What there is to say of them, in words.
    #[serde(default)]
    pub(crate) findings: Vec<String>,
    /// The temperature that was fitted on the validation images, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) temperature: Option<f64>,
    /// The cost on the images that were trained on, at the end.
    pub(crate) final_cost: f64,
    /// Right ones of the images that were trained on.
    pub(crate) train: Score,
    /// Right ones of the validation images, when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validation: Option<Score>,
    /// Right ones of the test images, when there are any.
    pub(crate) test: Option<Score>,
    /// Always giving the class that most training images have, on the test images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) majority: Option<Majority>,
    /// What networks of other seeds get right of the test images, when that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) seeds: Vec<OfSeed>,
    /// How long it took.
    pub(crate) seconds: Seconds,
    /// SHA-256 of the training and validation images with their labels.
    pub(crate) data_hash: String,
    /// The configuration.
    pub(crate) config: TrainConfig,
    /// Version of the program.
    pub(crate) version: String,
    /// What it was built from and what it ran on.
    pub(crate) machine: Machine,
}

/// A network that differs in its seed alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfSeed {
    /// Its seed.
    pub(crate) seed: u64,
    /// Right ones of the test images.
    pub(crate) test: Score,
}

/// What the bits of a result may depend on, besides data and configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Revision of the program's source, when it was built from a repository.
    pub(crate) git_revision: Option<String>,
    /// Architecture of the processor.
    pub(crate) arch: String,
    /// Instruction sets that the kernels choose between.
    pub(crate) cpu_features: Vec<String>,
}

impl Summary {
    /// Reads the summary of the run in `run`; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub(crate) fn read(run: &Path) -> anyhow::Result<Option<Self>> {
        let file = run.join(SUMMARY);
        let text = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", file.shown()))?,
        };
        let summary = serde_json::from_str(&text);
        Ok(Some(summary.with_context(|| format!("cannot understand {}", file.shown()))?))
    }

    /// What the curves of training are drawn over, and how many iterations are one of it.
    fn time(&self) -> (&'static str, f64) {
        match self.epochs.first() {
            Some(first) => ("epochs", first.iteration as f64 / first.epoch as f64),
            None => ("iterations", 1.0),
        }
    }

    /// Draws the training cost, over the epochs where there are mini-batches, and the validation cost.
    pub(crate) fn cost_plot(&self, title: &str) -> Chart {
        let (label, unit) = self.time();
        let over = |iteration: usize| iteration as f64 / unit;
        let mut training: Vec<_> =
            self.epochs.iter().map(|p| (over(p.iteration), p.cost)).collect();
        if training.is_empty() {
            training.extend(self.costs.iter().map(|p| (over(p.iteration), p.cost)));
        }
        if training.len() == 1 {
            // One point is no curve; the cost after training is the next there is.
            training.push((over(self.iterations), self.final_cost));
        }
        let validation: Vec<_> =
            self.validations.iter().map(|p| (over(p.iteration), p.cost)).collect();
        let mut series = vec![Series { name: "training", points: &training }];
        if !validation.is_empty() {
            series.push(Series { name: "validation", points: &validation });
        }
        cost_plot(title, &self.architecture.to_string(), label, &series)
    }

    /// Draws the accuracy on the training and the validation images, as far as they were recorded.
    pub(crate) fn accuracy_plot(&self) -> Option<Chart> {
        let (label, unit) = self.time();
        let of = |points: &mut dyn Iterator<Item = (usize, Score)>| -> Vec<_> {
            points.map(|(i, score)| (i as f64 / unit, score.accuracy())).collect()
        };
        let mut training = of(&mut self.epochs.iter().map(|p| (p.iteration, p.score)));
        if training.is_empty() {
            training = of(&mut self.costs.iter().filter_map(|p| Some((p.iteration, p.score?))));
        }
        let validation = of(&mut self.validations.iter().map(|p| (p.iteration, p.score)));
        let mut series = vec![("training", training), ("validation", validation)];
        series.retain(|(_, points)| points.len() > 1);
        (!series.is_empty()).then(|| accuracy_plot(label, &series))
    }

    /// Returns whether the run with this configuration, whose last checkpoint is `last`, has come to
    /// its end with this summary: neither it nor one of its other seeds was interrupted, it was not out of
    /// time, and has not been given more iterations since.
    pub(crate) fn is_final(&self, config: &RunConfig, last: Option<&Checkpoint>) -> bool {
        let length = |config: &TrainConfig| (config.iterations, config.epochs);
        let RunConfig { training: config, seeds, .. } = config;
        !matches!(self.end, End::Asked | End::Time)
            && self.seeds.len() >= seeds.unwrap_or(0) as usize
            && last.is_none_or(|c| c.progress().iteration <= self.iterations)
            && (self.end == End::Early || length(config) == length(&self.config))
    }
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        #[allow(unused_mut)] // only some architectures have something to look for
        let mut features: Vec<&str> = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let found = [
                ("avx2", std::is_x86_feature_detected!("avx2")),
                ("fma", std::is_x86_feature_detected!("fma")),
                ("avx512f", std::is_x86_feature_detected!("avx512f")),
            ];
            features.extend(found.iter().filter(|(_, there)| *there).map(|(name, _)| *name));
        }
        Self {
            git_revision: option_env!("DNN_GIT_REVISION").map(str::to_owned),
            arch: std::env::consts::ARCH.into(),
            cpu_features: features.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// How long the parts of a run took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Seconds {
    /// Reading or drawing the images and making features of them.
    pub(crate) load: f64,
    /// Drawing the weights and training.
    pub(crate) train: f64,
    /// Applying the network to both sets.
    pub(crate) evaluate: f64,
}
