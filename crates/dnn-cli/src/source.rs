//! Which data the flags ask for, and loading them with progress and messages.

use crate::args::{DataArgs, DataValues, DrawingFlags};
use crate::console::{Console, argument, program, warn};
use crate::input::{FileFlags, InputArgs};
use crate::interrupt::{self, Interrupted};
use crate::progress::example_bar;
use crate::run::RunConfig;
use crate::settings::Flags;
use anyhow::{Context, bail, ensure};
use dnn_data::Shown;
use dnn_data::loader::{DataConfig, DataKind, Extent, FEW_EXAMPLES, Hooks, Loader, Notice};
use dnn_data::synthetic::DrawOptions;
use dnn_data::{DataError, ImageSet, InputContract, Names, SplitName, Splits};
use dnn_train::{Preset, TrainConfig};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub(crate) use dnn_data::loader::DRAWN;

/// Returns the images of a split of the data at `data`.
///
/// # Errors
/// When there is no such split, with the splits that there are.
pub(crate) fn split_of(
    name: SplitName,
    splits: &mut Splits,
    data: &Path,
) -> anyhow::Result<ImageSet> {
    let set = splits.take(name);
    set.with_context(|| {
        let others: Vec<_> = splits.iter().map(|other| format!("--split {}", other.name)).collect();
        let others = if others.is_empty() {
            String::new()
        } else {
            format!("; it has others: {}", others.join(", "))
        };
        format!("{}: no {name} images{others}", data.shown())
    })
}

/// Loads data with a progress bar, until all is read or a signal asks to stop; notes and warnings
/// go to standard error.
///
/// # Errors
/// The error of `work`; [`Interrupted`] when a signal ended it.
pub(crate) fn loading<T>(
    source: &DataConfig,
    console: Console,
    work: impl FnOnce(&Loader<'_>) -> Result<T, DataError>,
) -> anyhow::Result<T> {
    let bar = example_bar(console);
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let say = |notice: Notice| match notice {
        Notice::Note(text) => console.note(text),
        Notice::Warning(text) => warn(text),
    };
    let hooks = Hooks { progress: &progress, say: &say, stop: &interrupt::requested };
    let done = work(&Loader::new(source, hooks));
    bar.finish_and_clear();
    match done {
        Err(DataError::Stopped) => bail!(Interrupted("before all examples were read")),
        done => Ok(done?),
    }
}

/// Returns the data at a path, without flags.
///
/// # Errors
/// When the current folder is unknown.
pub(crate) fn of(data: &Path) -> anyhow::Result<DataConfig> {
    absolute(named(data, &DataArgs::default())?, Path::new(""))
}

/// Returns the data that are used by default: the real images when they are there, otherwise drawn
/// ones, with a hint how to fetch the real ones.
///
/// # Errors
/// When the current folder is unknown, or standard output cannot be written to.
pub(crate) fn by_default(console: Console) -> anyhow::Result<DataConfig> {
    if let Some(data) = fetched() {
        return of(&data);
    }
    console.say(how_to_fetch())?;
    Ok(drawn())
}

/// Returns the data that a command asks for: `data`, or drawn images when only flags of those are
/// given, or the data that are used by default.
///
/// # Errors
/// Flags that do not go with this kind of source, or that need `DATA`.
pub(crate) fn requested(
    data: Option<&Path>,
    args: &DataArgs,
    console: Console,
) -> anyhow::Result<DataConfig> {
    match data {
        Some(data) => named(data, args),
        None if args.names.any() => bail!("--x and --y need DATA, an HDF5 or .npz file"),
        None if args.values.gives("label") => bail!("--label needs DATA, a table (CSV)"),
        None if args.draw.any() => named(DRAWN.as_ref(), args),
        None => changed(by_default(console)?, args),
    }
}

/// Returns the data of a configuration with what the flags ask for, or the data that are
/// [`requested`] for, prepared as a configuration says that leaves the data open.
///
/// # Errors
/// As [`requested`].
pub(crate) fn requested_or(
    base: Option<DataConfig>,
    data: Option<&Path>,
    args: &DataArgs,
    console: Console,
) -> anyhow::Result<DataConfig> {
    let is_named = |base: &DataConfig| !base.data.as_os_str().is_empty();
    match (data, base) {
        (None, Some(base)) if is_named(&base) => changed(base, args),
        (data, base) => {
            let asked = requested(data, args, console)?;
            let input = base.filter(|base| !is_named(base)).and_then(|base| base.input);
            Ok(DataConfig { input: asked.input.or(input), ..asked })
        }
    }
}

/// A preset by its name, or the one that suits the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum PresetChoice {
    Named(Preset),
    ByData(Auto),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Auto {
    Auto,
}

impl PresetChoice {
    pub(crate) fn all() -> Vec<Self> {
        let named = Preset::ALL.into_iter().map(Self::Named);
        [Self::ByData(Auto::Auto)].into_iter().chain(named).collect()
    }
}

/// What a training starts from.
pub(crate) struct Start {
    /// The preset.
    pub(crate) preset: Preset,
    /// Its configuration, without changes to images where the data are such as cannot be changed.
    pub(crate) config: RunConfig,
    /// Whether nobody asked for this preset, and the data are few enough to compare it with others.
    pub(crate) is_open: bool,
}

/// Returns the preset of this name, or the one that suits the data, and says then which and why.
///
/// # Errors
/// Flags that do not go with this kind of source; when standard output cannot be written to.
pub(crate) fn preset(
    choice: Option<PresetChoice>,
    (data, args, input): (Option<&Path>, &DataArgs, &InputArgs),
    console: Console,
) -> anyhow::Result<Start> {
    let named = |preset| Ok(Start { preset, config: RunConfig::preset(preset), is_open: false });
    if let Some(PresetChoice::Named(preset)) = choice {
        return named(preset);
    }
    let Some(data) = data else { return named(Preset::CourseDeep) };
    let mut source = self::named(data, args)?;
    if is_of_the_course(&source) {
        return named(Preset::CourseDeep);
    }
    source.input = input.change(source.input.take())?;
    // What is wrong with the data is said where they are loaded.
    let Ok((kind, m)) = Loader::new(&source, Hooks::default()).kind() else {
        return named(Preset::CourseDeep);
    };
    let (preset, why) = match kind {
        DataKind::Table => (Preset::Table, "rows of numbers"),
        DataKind::FewPhotos => (Preset::Photos, "colour images in small numbers"),
        DataKind::Images | DataKind::NumberImages => {
            (Preset::Digits, "images that are told by their pixels")
        }
    };
    console.say(format!(
        "Preset {}, for {why}; --preset course-deep is the course's network",
        preset.name()
    ))?;
    let mut config = RunConfig::preset(preset);
    let are_bytes = kind != DataKind::NumberImages;
    config.augment = config.augment.filter(|_| are_bytes);
    Ok(Start { preset, config, is_open: are_bytes && m <= FEW_EXAMPLES })
}

/// Returns the data at a path, read as the flags ask for.
///
/// # Errors
/// Flags that do not go with this kind of source.
pub(crate) fn named(data: &Path, args: &DataArgs) -> anyhow::Result<DataConfig> {
    let mut source = DataConfig::of(data);
    source.drawn = (data == Path::new(DRAWN)).then(DrawOptions::default);
    changed(source, args)
}

/// Returns `source` with what the flags ask for.
///
/// # Errors
/// Flags that do not go with this kind of source.
pub(crate) fn changed(mut source: DataConfig, args: &DataArgs) -> anyhow::Result<DataConfig> {
    ensure!(
        !args.values.gives("scale") || !source.is_drawn(),
        "drawn images are bytes: --scale is for numbers, in tables, .npz and HDF5"
    );
    source.names = args.names.change(None)?.or(source.names);
    source.label = args.values.value("label")?.or(source.label);
    source.scale = args.values.value("scale")?.unwrap_or(source.scale);
    source.class_map.extend(args.class_map.iter().cloned());
    source.exclude = args.values.value("exclude")?.unwrap_or(source.exclude);
    source.drawn = args.draw.change(source.drawn.take())?;
    source.check()?;
    Ok(source)
}

/// Returns the arguments that ask for this source on a command line.
pub(crate) fn arguments(source: &DataConfig) -> String {
    if let (true, Some(drawn)) = (source.is_drawn(), &source.drawn) {
        let changed = Flags::<DrawingFlags>::arguments(drawn);
        return [DRAWN.into()].into_iter().chain(changed).collect::<Vec<_>>().join(" ");
    }
    let (path, names) = match (&source.test, &source.test_names) {
        (Some(test), names) => (test, names),
        (None, names @ Some(_)) => (&source.data, names),
        (None, None) => (&source.data, &source.names),
    };
    let mut words = vec![argument(&relative(path))];
    if let Some(Names { images, labels, classes }) = names {
        for (flag, name) in
            [("--x", Some(images)), ("--y", Some(labels)), ("--class-names", classes.as_ref())]
        {
            words.extend(name.map(|name| format!("{flag} {}", argument(name.as_ref()))));
        }
    }
    words.extend(source.input.iter().flat_map(Flags::<FileFlags>::arguments));
    let (label, scale) = (source.label.clone(), source.scale);
    let values = DataConfig { label, scale, ..DataConfig::default() };
    words.extend(Flags::<DataValues>::arguments(&values));
    if !source.class_map.is_empty() {
        let pairs: Vec<_> = source.class_map.iter().map(|(a, b)| format!("{a}={b}")).collect();
        words.push(format!("--class-map {}", argument(pairs.join(",").as_ref())));
    }
    words.join(" ")
}

/// Returns the configuration of drawn images.
pub(crate) fn drawn() -> DataConfig {
    let mut source = DataConfig::of(DRAWN);
    source.drawn = Some(DrawOptions::default());
    source
}

/// Refuses data that take more memory than there is, as features and for training on them, before
/// they are read.
///
/// # Errors
/// What it would take and what there is.
pub(crate) fn check_memory(source: &DataConfig, training: &TrainConfig) -> anyhow::Result<()> {
    if let Some(extent) = Loader::new(source, Hooks::default()).extent()? {
        let Extent { n_features, n_classes, n_train, n_examples } = extent;
        dnn_train::check_memory(training, n_features, n_classes, [n_train, n_examples])
            .context("these images and settings make no training")?;
    }
    Ok(())
}

/// Reads or draws the images, prepared as the configuration says.
///
/// # Errors
/// The fault of the data.
pub(crate) fn load(source: &DataConfig, console: Console) -> anyhow::Result<Splits> {
    // The method itself is of loaders of one lifetime only.
    #[allow(clippy::redundant_closure_for_method_calls)]
    loading(source, console, |loader| loader.splits())
}

/// Reads or draws the images for a network: image files are prepared by its contract.
///
/// # Errors
/// The fault of the data.
pub(crate) fn load_for(
    source: &DataConfig,
    network: &InputContract,
    console: Console,
) -> anyhow::Result<Splits> {
    loading(source, console, |loader| loader.splits_for(Some(network)))
}

/// Returns the source with absolute paths: relative ones are relative to `base`.
///
/// # Errors
/// When the current folder is unknown.
pub(crate) fn absolute(mut source: DataConfig, base: &Path) -> anyhow::Result<DataConfig> {
    let absolute = |path: &Path| std::path::absolute(base.join(path)).context("no current folder");
    if !source.is_drawn() {
        source.data = absolute(&source.data)?;
    }
    source.test = source.test.as_deref().map(absolute).transpose()?;
    source.validation = source.validation.as_deref().map(absolute).transpose()?;
    Ok(source)
}

/// Returns the path relative to the current folder, when it leads into it.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).to_owned()
}

/// Returns the folder of the real images, when they are there.
fn fetched() -> Option<PathBuf> {
    let data = PathBuf::from("data");
    data.join("train_catvnoncat.h5").exists().then_some(data)
}

/// Returns whether these are the course's images: drawn ones are like them.
pub(crate) fn is_of_the_course(source: &DataConfig) -> bool {
    let is_named = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains("catvnoncat"))
    };
    source.is_drawn() || is_named(&source.data) || source.data.join("train_catvnoncat.h5").exists()
}

/// Says how to get the real images.
fn how_to_fetch() -> String {
    format!(
        "Drawn images: data/ has no train_catvnoncat.h5. For the real ones: cargo xtask fetch-data, \
         then {} again",
        program().trim_end_matches(" --")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_another_kind_of_source_are_refused() {
        let given = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
        let draw = DataArgs { draw: Flags::of(given("seed = 3")), ..DataArgs::default() };
        let names = Flags::of(given("x = 'x'\ny = 'y'"));
        let names = DataArgs { names, ..DataArgs::default() };
        let error = named("a.h5".as_ref(), &draw).unwrap_err().to_string();
        assert!(error.contains("a.h5 is not drawn"), "{error}");
        let error = named(DRAWN.as_ref(), &names).unwrap_err();
        assert!(error.to_string().contains("no datasets to name"), "{error}");
        let values = |text| DataArgs { values: Flags::of(given(text)), ..DataArgs::default() };
        let label = values("label = 'y'");
        let error = named(DRAWN.as_ref(), &label).unwrap_err();
        assert!(error.to_string().contains("--label is for tables"), "{error}");
        let scale = values("scale = 'as-is'");
        let error = named(DRAWN.as_ref(), &scale).unwrap_err();
        assert!(error.to_string().contains("--scale is for numbers"), "{error}");
        let drawn = named(DRAWN.as_ref(), &draw).unwrap();
        assert_eq!(drawn.drawn.unwrap(), DrawOptions { seed: 3, ..DrawOptions::default() });
    }
}
