//! `config.toml`: all that is needed to repeat a run.

use super::CheckpointInterval;
use crate::settings::{at_line, check_text};
use crate::{console, file, source};
use anyhow::{Context, anyhow, bail};
use dnn_core::settings;
use dnn_data::Shown;
use dnn_data::augment::AugmentConfig;
use dnn_data::loader::{DataConfig, InputConfig};
use dnn_train::config::RawTrainConfig;
use dnn_train::{Preset, TrainConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// What a run is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunConfig {
    /// How often a checkpoint is kept to go on from: iterations ("100"), epochs ("1epochs"), seconds
    /// ("30s") or "never", which is only when training is interrupted; once a minute when it is left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "x-example" = "100",
        "x-group" = "checkpoints",
        "x-resume" = true,
        "x-value" = "N|Nepochs|Ns|never",
        "x-help" = "Keep a checkpoint every N iterations, Nepochs or Ns (seconds), and at the end; the \
                    last two, and the best; or `never` [default: 60s]"
    ))]
    pub(crate) checkpoint_every: Option<CheckpointInterval>,
    /// A model, or the folder of a run, whose weights training starts from in place of drawn ones. Its
    /// output layer is drawn anew when it tells other classes apart. A relative path starts from the
    /// folder of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-example" = "runs/first"))]
    pub(crate) from: Option<PathBuf>,
    /// How many networks are trained that differ in their seeds alone, to see how far their test accuracies
    /// are apart; the first is the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2), extend("x-example" = 5))]
    pub(crate) seeds: Option<u32>,
    /// Where the images come from. Without this table the command line says it, or data/ is taken
    /// when the cat images are there, and drawn ones when not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<DataConfig>,
    /// How the training images are changed at random in every epoch; `dnn data preview` shows it.
    /// Without this table they stay as they are.
    #[schemars(extend(
        "x-group" = "augment",
        "x-value" = "STRENGTH|KEY=F,…",
        "x-help" = "Change the training images at random in every epoch: light, medium, strong, or \
                    settings such as flip=0.5,rotation=15, or both: strong,erasing=0 (`dnn data \
                    preview` shows them)"
    ))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) augment: Option<AugmentConfig>,
    /// The network and how it is trained.
    pub(crate) training: TrainConfig,
}

impl RunConfig {
    /// This training, nothing else said.
    pub(crate) fn new(training: TrainConfig) -> Self {
        Self {
            checkpoint_every: None,
            from: None,
            seeds: None,
            source: None,
            augment: None,
            training,
        }
    }

    /// Returns what a configuration may say.
    pub(crate) fn schema() -> &'static Json {
        settings::schema::<RunConfig>()
    }

    /// The configuration of this name: the training, and how images are prepared for it and changed at
    /// random. The data are left to be named.
    pub(crate) fn preset(preset: Preset) -> Self {
        let input = match preset {
            Preset::CourseDeep | Preset::CourseTwoLayer => None,
            Preset::Photos => Some(InputConfig::described()),
            Preset::Digits | Preset::Table => Some(InputConfig::standardized()),
        };
        let source = input.map(|input| DataConfig { input: Some(input), ..DataConfig::default() });
        let augment = (preset == Preset::Digits).then(AugmentConfig::shifts);
        Self { source, augment, ..Self::new(TrainConfig::preset(preset)) }
    }

    /// Reads a configuration; paths in it are relative to its folder.
    ///
    /// # Errors
    /// What is wrong with the file, with the line and the nearest valid key.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let what = || format!("cannot use the configuration {}", path.shown());
        let text = file::read_text(path).with_context(what)?;
        Self::of_file(&text, path.parent().unwrap_or(Path::new(""))).with_context(what)
    }

    /// What stands in a file of this folder.
    fn of_file(text: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut config = Self::parse(text)?;
        if let Some(from) = config.from.take() {
            let from = std::path::absolute(folder.join(from)).context("no current folder")?;
            config.from = Some(from);
        }
        // A preset says how images are prepared, and leaves open which.
        if let Some(source) = config.source.take_if(|source| !source.data.as_os_str().is_empty()) {
            source.check()?;
            config.source = Some(source::absolute(source, folder)?);
        }
        Ok(config)
    }

    /// Reads the text of a configuration, in which paths stay as they are.
    ///
    /// # Errors
    /// What is wrong with it, with the line and the nearest valid key.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let table = check_text(text, Self::schema())?;
        if let Some(training) = table.get("training").cloned() {
            let training = RawTrainConfig::deserialize(training)?;
            if let Err(error) = TrainConfig::try_from(training) {
                let key = format!("training.{}", error.key());
                bail!("{}", at_line(text, &key, &error.to_string()));
            }
        }
        toml::from_str(text).map_err(|error| anyhow!("{}", error.to_string().trim_end()))
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// When a path is not Unicode.
    pub(crate) fn to_toml(&self) -> anyhow::Result<String> {
        let text = toml::to_string(self).context("a path that is not Unicode cannot be kept")?;
        let version = env!("CARGO_PKG_VERSION");
        Ok(format!(
            "# Written by dnn {version}. To repeat the run: {} train --config THIS_FILE\n\n{text}",
            console::program()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edited::edited;
    use crate::run::commented;
    use crate::settings::present;
    use proptest::prelude::*;

    /// CheckpointInterval key of a source.
    const SOURCE: &str = "checkpoint_every = \"2epochs\"
from = \"../first\"
seeds = 3
[source]
data = \"a.npz\"
test = \"b.h5\"
validation = \"../c\"
label = \"y\"
memory_limit = 1000
names = { x = \"x\", y = \"y\", classes = \"z\" }
test_names = { x = \"x\", y = \"y\" }
[source.input]
size = \"64x48\"
colors = \"grey\"
aspect = \"fit\"
background = \"#0080ff\"
standardize = true
on_bad_image = \"skip\"
test_share = 0.25
split_seed = 2
";

    fn texts() -> Vec<String> {
        let training = TrainConfig::course_deep();
        let drawn = RunConfig {
            source: Some(source::drawn()),
            augment: Some(AugmentConfig::default()),
            ..RunConfig::new(training.clone())
        };
        let training = RunConfig::new(training).to_toml().unwrap();
        vec![drawn.to_toml().unwrap(), commented(&drawn).unwrap(), SOURCE.to_owned() + &training]
    }

    #[test]
    fn every_text_to_edit_is_read() {
        for text in texts() {
            RunConfig::of_file(&text, Path::new("/folder")).unwrap();
        }
    }

    #[test]
    fn length_threads_and_logging_may_change_when_a_run_goes_on() {
        let mut found = Vec::new();
        let mut tables = vec![RunConfig::schema().clone()];
        while let Some(table) = tables.pop() {
            for (key, setting) in settings::properties(present(&table)).into_iter().flatten() {
                if setting.get("x-resume").is_some_and(|may| may == true) {
                    found.push(key.clone());
                }
                tables.push(setting.clone());
            }
        }
        found.sort();
        assert_eq!(
            found,
            ["checkpoint_every", "epochs", "iterations", "log_every", "threads", "time"]
        );
    }

    #[test]
    fn a_share_that_is_none_is_refused() {
        for share in ["nan", "1.0", "-0.1"] {
            let text = texts()[2].replace("test_share = 0.25", &format!("test_share = {share}"));
            let error = RunConfig::parse(&text).unwrap_err().to_string();
            assert!(error.contains("expected a share, at least 0 and below 1"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_read_is_what_is_written(text in edited(texts())) {
            let folder = Path::new("/folder");
            if let Ok(config) = RunConfig::of_file(&text, folder) {
                let written = config.to_toml().unwrap();
                prop_assert_eq!(RunConfig::of_file(&written, folder).unwrap(), config);
            }
        }
    }

    #[test]
    fn survives_toml() {
        for source in [None, Some(source::drawn())] {
            let config = RunConfig { source, ..RunConfig::new(TrainConfig::course_deep()) };
            let text = config.to_toml().unwrap();
            assert_eq!(RunConfig::parse(&text).unwrap(), config, "{text}");
        }
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line_and_the_nearest() {
        let config = RunConfig::new(TrainConfig::course_deep());
        let text = config.to_toml().unwrap().replace("learning_rate", "learning_rat");
        let error = RunConfig::parse(&text).unwrap_err().to_string();
        assert!(
            error.contains("did you mean `learning_rate`?") && error.contains("line"),
            "{error}"
        );
        let error = RunConfig::parse("[trainig]\n").unwrap_err().to_string();
        assert!(error.contains("did you mean `training`?") && error.contains("line 1"), "{error}");
    }
}
