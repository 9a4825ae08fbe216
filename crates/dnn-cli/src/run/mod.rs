//! A run: the folder that training leaves behind.
//!
//! `config.toml` is written first, `metrics.jsonl` grows a line at a time, and `model.safetensors`,
//! the pictures and `summary.json` follow at the end, each whole or not at all.

mod checkpoints;
mod config;
mod folder;
mod metrics;
#[cfg(test)]
mod reference;
mod summary;
mod template;

pub(crate) use checkpoints::{CheckpointStore, Every, lock, read as read_checkpoint};
pub(crate) use config::RunConfig;
pub(crate) use folder::RunFolder;
pub(crate) use metrics::MetricsLog;
pub(crate) use summary::{Machine, Seconds, Summary};
pub(crate) use template::commented;

use anyhow::Context;
use dnn_core::Model;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Names of the files in a run folder.
pub(crate) const CONFIG: &str = "config.toml";
pub(crate) const METRICS: &str = "metrics.jsonl";
pub(crate) const MODEL: &str = "model.safetensors";
pub(crate) const SUMMARY: &str = "summary.json";
pub(crate) const COST_SVG: &str = "cost.svg";
pub(crate) const COST_PNG: &str = "cost.png";
pub(crate) const FOLDS: &str = "folds.json";
const FILES: [&str; 7] = [CONFIG, METRICS, MODEL, SUMMARY, COST_SVG, COST_PNG, FOLDS];

/// Reads a model file, or the model of a run's folder; gives the file's path as well.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn read_model(path: &Path) -> anyhow::Result<(Model, PathBuf)> {
    let file = if path.is_dir() { path.join(MODEL) } else { path.to_owned() };
    let read = || -> anyhow::Result<Model> {
        if path.is_dir() && !file.exists() {
            anyhow::bail!("the folder has no {MODEL}: not a run, or one that did not finish");
        }
        Ok(Model::read(File::open(&file).context("cannot open it")?)?)
    };
    let model = read().with_context(|| format!("cannot use the model {}", file.display()))?;
    Ok((model, file))
}
