//! A run: the folder that training leaves behind.
//!
//! `config.toml` is written first, `metrics.jsonl` grows a line at a time, `checkpoints/` has where
//! to go on from, and `model.safetensors`, the pictures and `summary.json` follow at the end, each
//! whole or not at all.

mod checkpoints;
mod config;
mod folder;
pub(crate) mod lines;
mod metrics;
mod recorder;
#[cfg(test)]
mod reference;
mod resume;
mod summary;
mod template;

pub(crate) use checkpoints::{CheckpointInterval, read as read_checkpoint};
pub(crate) use config::RunConfig;
pub(crate) use folder::{
    CONFIG, COST_PNG, COST_SVG, Destination, FOLDS, MODEL, MODEL_CARD, MODEL_CARD_BEGINS,
    PREDICTIONS, REPORT, ROWS, RunFolder, SERIES_PNG, SERIES_SVG, SUMMARY, SWEEP, SWEEP_CSV,
    SWEEP_JSON, is_record,
};
pub(crate) use recorder::Recorder;
pub(crate) use resume::{refuse_changes, refuse_changes_of_series};
pub(crate) use summary::{Machine, Seconds, SeedScore, Summary};
pub(crate) use template::commented;

use anyhow::Context;
use dnn_data::Model;
use dnn_data::Shown;
use std::path::{Path, PathBuf};

/// Reads a model file, or the model in the folder of a run; returns it with the path of the file.
///
/// # Errors
/// When the file cannot be read or is no model, with the reason.
pub(crate) fn read_model(path: &Path) -> anyhow::Result<(Model, PathBuf)> {
    let file = if path.is_dir() { path.join(MODEL) } else { path.to_owned() };
    let read = || -> anyhow::Result<Model> {
        if path.is_dir() && !file.exists() {
            anyhow::bail!("the folder has no {MODEL}: not a run, or one that did not finish");
        }
        Ok(Model::read(dnn_data::open_file(&file).context("cannot open it")?)?)
    };
    let model = read().with_context(|| format!("cannot use the model {}", file.shown()))?;
    Ok((model, file))
}

/// Returns the name of a model: that of its run's folder, or of its file when it is in no run.
pub(crate) fn model_name(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let is_a_runs = path.file_name().is_some_and(|name| name == MODEL);
    let name = match path.parent() {
        Some(run) if is_a_runs => run.file_name(),
        _ if path.is_dir() => path.file_name(),
        _ => path.file_stem(),
    };
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
