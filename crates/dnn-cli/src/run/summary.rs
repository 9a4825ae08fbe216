//! `summary.json`, which is also what `dnn train --json` prints.

use super::config::RunConfig;
use super::folder::SUMMARY;
use crate::quality::Majority;
use anyhow::Context;
use dnn_core::Architecture;
use dnn_core::metrics::Score;
use dnn_data::Shown;
use dnn_report::figures::accuracy_plot;
use dnn_report::{Chart, Series, cost_plot};
use dnn_train::engine::LayerHealth;
use dnn_train::{
    Checkpoint, CostPoint, Curves, End, EpochPoint, TrainConfig, TrainingPrecision, ValidationPoint,
};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The results of a run, with everything that they depend on.
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
    /// The layers of the network.
    pub(crate) architecture: Architecture,
    /// The names of the classes.
    pub(crate) classes: Vec<String>,
    /// The engine that trained the network.
    pub(crate) engine: String,
    /// The precision that the network was trained in.
    pub(crate) precision: TrainingPrecision,
    /// The number of parameter updates.
    pub(crate) iterations: usize,
    /// Why training ended.
    pub(crate) end: End,
    /// The cost at every logged iteration.
    pub(crate) costs: Vec<CostPoint>,
    /// The training cost and accuracy of every epoch of mini-batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) epochs: Vec<EpochPoint>,
    /// The cost and accuracy of every validation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) validations: Vec<ValidationPoint>,
    /// The validation with the lowest cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best: Option<ValidationPoint>,
    /// The health of the hidden layers on the training images at the end.
    #[serde(default)]
    pub(crate) layers: Vec<LayerHealth>,
    /// Sentences about unhealthy layers and answers.
    #[serde(default)]
    pub(crate) findings: Vec<String>,
    /// The temperature that was fitted on the validation images, if calibration was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) temperature: Option<f64>,
    /// The final cost on the training images, without held-out ones.
    pub(crate) final_cost: f64,
    /// The accuracy on the training images, without held-out ones.
    pub(crate) train: Score,
    /// The accuracy on the validation images, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validation: Option<Score>,
    /// The accuracy on the test images, if there are any.
    pub(crate) test: Option<Score>,
    /// The accuracy on the test images of always answering their most frequent class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) majority: Option<Majority>,
    /// The test accuracies of the networks of `--seeds`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) seeds: Vec<SeedScore>,
    /// The seconds that loading, training and evaluation took.
    pub(crate) seconds: Seconds,
    /// SHA-256 of the training and validation images with their labels.
    pub(crate) data_hash: String,
    /// The configuration.
    pub(crate) config: TrainConfig,
    /// The version of the program.
    pub(crate) version: String,
    /// The revision of the source and the machine it ran on.
    pub(crate) machine: Machine,
}

/// One network of `--seeds`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeedScore {
    /// The seed of its initial weights and batches.
    pub(crate) seed: u64,
    /// Its accuracy on the test images.
    pub(crate) test: Score,
}

/// What the bits of a result may depend on besides data and configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Revision of the program's source, when it was built from a repository.
    pub(crate) git_revision: Option<String>,
    /// The architecture of the processor.
    pub(crate) arch: String,
    /// The instruction sets of the processor among those that the kernels choose between.
    pub(crate) cpu_features: Vec<String>,
}

impl Summary {
    /// Reads the summary of the run in the folder `run`; `None` when it has none.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub(crate) fn read(run: &Path) -> anyhow::Result<Option<Self>> {
        let file = run.join(SUMMARY);
        let text = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", file.shown()))?,
        };
        let summary = serde_json::from_str(&text);
        Ok(Some(summary.with_context(|| format!("cannot understand {}", file.shown()))?))
    }

    fn curves(&self) -> Curves {
        let end = (self.iterations, self.final_cost);
        Curves::of(&self.costs, &self.epochs, &self.validations, end)
    }

    /// Draws the training cost, over the epochs where there are mini-batches, and the validation cost.
    pub(crate) fn cost_plot(&self, title: &str) -> Chart {
        let Curves { unit, training_cost, validation_cost, .. } = self.curves();
        let mut series = vec![Series { name: "training", points: &training_cost }];
        if !validation_cost.is_empty() {
            series.push(Series { name: "validation", points: &validation_cost });
        }
        cost_plot(title, &self.architecture.to_string(), unit, &series)
    }

    /// Draws the accuracy on the training and validation images over time; `None` when none was recorded.
    pub(crate) fn accuracy_plot(&self) -> Option<Chart> {
        let Curves { unit, training_accuracy, validation_accuracy, .. } = self.curves();
        let mut series = vec![("training", training_accuracy), ("validation", validation_accuracy)];
        series.retain(|(_, points)| points.len() > 1);
        (!series.is_empty()).then(|| accuracy_plot(unit, &series))
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
    /// Returns the machine that this process runs on.
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

/// The seconds that each part of a run took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Seconds {
    /// Reading or drawing the images and computing their features.
    pub(crate) load: f64,
    /// Initialisation and training.
    pub(crate) train: f64,
    /// Evaluation on all splits.
    pub(crate) evaluate: f64,
}
