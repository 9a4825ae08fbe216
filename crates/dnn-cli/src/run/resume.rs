//! What a run that goes on may change.

use super::config::RunConfig;
use crate::console::{argument, program};
use anyhow::{Context, ensure};
use dnn_core::settings;
use dnn_data::Shown;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::Path;
use toml::{Table, Value};

/// Checks that resuming the run in `run` with the configuration `asked` changes only settings that a resumed
/// run may change from those it was `begun` with.
///
/// # Errors
/// Names every other setting that differs, with both values.
pub(crate) fn refuse_changes(
    begun: &RunConfig,
    asked: &RunConfig,
    run: &Path,
) -> anyhow::Result<()> {
    let table = |config| Table::try_from(config).context("a path that is not Unicode");
    let schema = RunConfig::schema();
    let mut changes = Vec::new();
    collect_changes("", &table(begun)?, &table(asked)?, schema, &mut changes);
    let mut allowed = Vec::new();
    collect_allowed(schema, &mut allowed);
    ensure!(
        changes.is_empty(),
        "{}: {}; a run that goes on may change {} and nothing else, and stays as it was. To start a \
         new run with other settings, add their flags to: {} train --config {}",
        run.shown(),
        changes.join(", "),
        allowed.join(", "),
        program(),
        argument(&run.join(super::CONFIG))
    );
    Ok(())
}

/// As [`refuse_changes`], for the trainings of a sweep or of folds. Their results are compared with each
/// other, so the number of iterations or epochs may not change either.
///
/// # Errors
/// As [`refuse_changes`], and for another number of iterations or epochs.
pub(crate) fn refuse_changes_of_series(
    begun: &RunConfig,
    asked: &RunConfig,
    run: &Path,
) -> anyhow::Result<()> {
    refuse_changes(begun, asked, run)?;
    let length = |config: &RunConfig| (config.training.iterations, config.training.epochs);
    let ((iterations, epochs), (now, now_epochs)) = (length(begun), length(asked));
    ensure!(
        length(begun) == length(asked),
        "{}: the other trainings in it had iterations = {iterations} and epochs = {epochs}; expected \
         the same, got {now} and {now_epochs}",
        run.shown()
    );
    ensure!(
        begun.training.time == asked.training.time,
        "{}: the other trainings in it had another limit of time; expected the same",
        run.shown()
    );
    Ok(())
}

/// Appends a sentence for each key whose values differ, with the full name of the key.
fn collect_changes(
    path: &str,
    begun: &Table,
    asked: &Table,
    schema: &Json,
    changes: &mut Vec<String>,
) {
    let keys: BTreeSet<_> = begun.keys().chain(asked.keys()).collect();
    for key in keys {
        let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let setting = settings::properties(schema).and_then(|p| p.get(key)).unwrap_or(&Json::Null);
        if may_change(setting) {
            continue;
        }
        match (begun.get(key), asked.get(key)) {
            (Some(Value::Table(begun)), Some(Value::Table(asked))) => {
                collect_changes(&name, begun, asked, setting, changes);
            }
            (begun, asked) if begun != asked => {
                let shown = |value: Option<&Value>| {
                    let text = value.map(ToString::to_string);
                    text.map_or_else(|| "not set".into(), |text| text.shown().into_owned())
                };
                changes.push(format!("{name} was {} and would be {}", shown(begun), shown(asked)));
            }
            _ => {}
        }
    }
}

/// Returns whether a resumed run may change a setting.
fn may_change(setting: &Json) -> bool {
    setting.get("x-resume") == Some(&Json::Bool(true))
}

/// Appends the names of all settings that a resumed run may change.
fn collect_allowed<'s>(schema: &'s Json, allowed: &mut Vec<&'s str>) {
    for (name, setting) in settings::properties(schema).into_iter().flatten() {
        if may_change(setting) {
            allowed.push(name);
        }
        collect_allowed(setting, allowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_train::TrainConfig;

    #[test]
    fn every_change_but_the_allowed_ones_is_named() {
        let begun = RunConfig::new(TrainConfig::course_deep());
        let with = |change: fn(&mut dnn_train::config::RawTrainConfig)| {
            RunConfig::new(TrainConfig::course_deep().with(change).unwrap())
        };
        let run = Path::new("r");
        let longer = with(|c| (c.iterations, c.threads, c.log_every) = (9000, 3, 7));
        refuse_changes(&begun, &longer, run).unwrap();
        let error = refuse_changes_of_series(&begun, &longer, run).unwrap_err().to_string();
        assert!(error.contains("had iterations = 2500 and epochs = 0; expected"), "{error}");
        let other = with(|c| (c.learning_rate, c.seed) = (0.5, 9));
        let error = refuse_changes(&begun, &other, run).unwrap_err().to_string();
        assert!(error.contains("training.learning_rate was 0.0075 and would be 0.5, "), "{error}");
        assert!(error.contains("training.seed was 1 and would be 9; "), "{error}");
        assert!(error.contains("train --config r/config.toml"), "{error}");
    }
}
