//! Which data the flags ask for, and what is said while they are loaded.

use crate::args::{Drawing, NameArgs};
use crate::console::{Console, argument, program, warn};
use crate::input::Files;
use crate::interrupt::{self, Interrupted};
use crate::progress::image_bar;
use crate::settings::Flags;
use anyhow::{Context, bail};
use dnn_data::Shown;
use dnn_data::loader::{DataConfig, Hooks, Loader, Notice};
use dnn_data::synthetic::DrawOptions;
use dnn_data::{DataError, ImageSet, InputContract, Names, Scale, SplitName, Splits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

pub(crate) use dnn_data::loader::DRAWN;

/// The data of a run, as its configuration has them and as the flags ask for them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Source(DataConfig);

impl Deref for Source {
    type Target = DataConfig;
    fn deref(&self) -> &DataConfig {
        &self.0
    }
}

impl DerefMut for Source {
    fn deref_mut(&mut self) -> &mut DataConfig {
        &mut self.0
    }
}

/// The images of a split of what `data` holds.
///
/// # Errors
/// When there are none, with what there is instead.
pub(crate) fn split_of(
    name: SplitName,
    mut splits: Splits,
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

/// The arrays that flags name.
pub(crate) fn names(
    x: Option<&String>,
    y: Option<&String>,
    classes: Option<&String>,
) -> Option<Names> {
    Some(Names { images: x?.clone(), labels: y?.clone(), classes: classes.cloned() })
}

impl From<&NameArgs> for Option<Names> {
    fn from(args: &NameArgs) -> Self {
        names(args.x.as_ref(), args.y.as_ref(), args.class_names.as_ref())
    }
}

/// Loads with a bar, until it is done or Ctrl-C is noted; what is to be known goes to standard error.
///
/// # Errors
/// What `work` gives; [`Interrupted`] when a signal ended it.
pub(crate) fn loading<T>(
    source: &Source,
    console: Console,
    work: impl FnOnce(&Loader<'_>) -> Result<T, DataError>,
) -> anyhow::Result<T> {
    let bar = image_bar(console);
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let say = |notice: Notice| match notice {
        Notice::Note(text) => console.note(text),
        Notice::Warning(text) => warn(text),
    };
    let hooks = Hooks { progress: &progress, say: &say, stop: &interrupt::asked };
    let done = work(&Loader::new(source, hooks));
    bar.finish_and_clear();
    match done {
        Err(DataError::Stopped) => bail!(Interrupted("before all images were read")),
        done => Ok(done?),
    }
}

impl Source {
    /// What `DATA` means without flags.
    ///
    /// # Errors
    /// When the current folder cannot be told.
    pub(crate) fn of(data: &Path) -> anyhow::Result<Self> {
        Self::new(data, &NameArgs::default(), &Flags::default())?.absolute(Path::new(""))
    }

    /// What is trained on when nothing is said: the real images when they are there, else drawn
    /// ones, and then how to fetch the real ones is said.
    ///
    /// # Errors
    /// When the current folder cannot be told, or standard output be written to.
    pub(crate) fn usual(console: Console) -> anyhow::Result<Self> {
        if let Some(data) = fetched() {
            return Self::of(&data);
        }
        console.say(how_to_fetch())?;
        Ok(Self::drawn())
    }

    /// What `DATA` and its flags mean.
    ///
    /// # Errors
    /// Flags that do not go with this kind of source.
    pub(crate) fn new(
        data: &Path,
        names: &NameArgs,
        draw: &Flags<Drawing>,
    ) -> anyhow::Result<Self> {
        let mut source = Self(DataConfig::of(data));
        source.drawn = (data == Path::new(DRAWN)).then(DrawOptions::default);
        source.with(names, draw)
    }

    /// This one with what the flags ask for.
    ///
    /// # Errors
    /// Flags that do not go with this kind of source.
    pub(crate) fn with(mut self, names: &NameArgs, draw: &Flags<Drawing>) -> anyhow::Result<Self> {
        if let Some(names) = names.into() {
            self.names = Some(names);
        }
        if let Some(label) = &names.label {
            self.label = Some(label.clone());
        }
        self.scale = names.scale.unwrap_or(self.scale);
        self.class_map.extend(names.class_map.iter().cloned());
        self.drawn = draw.change(self.drawn.take())?;
        self.check()?;
        Ok(self)
    }

    /// How to ask for this source on a command line.
    pub(crate) fn arguments(&self) -> String {
        if let (true, Some(drawn)) = (self.is_drawn(), &self.drawn) {
            let changed = Flags::<Drawing>::arguments(drawn);
            return [DRAWN.into()].into_iter().chain(changed).collect::<Vec<_>>().join(" ");
        }
        let (path, names) = match (&self.test, &self.test_names) {
            (Some(test), names) => (test, names),
            (None, names @ Some(_)) => (&self.data, names),
            (None, None) => (&self.data, &self.names),
        };
        let mut words = vec![argument(&relative(path))];
        if let Some(Names { images, labels, classes }) = names {
            for (flag, name) in
                [("--x", Some(images)), ("--y", Some(labels)), ("--class-names", classes.as_ref())]
            {
                words.extend(name.map(|name| format!("{flag} {}", argument(name.as_ref()))));
            }
        }
        words.extend(self.input.iter().flat_map(Flags::<Files>::arguments));
        words
            .extend(self.label.iter().map(|label| format!("--label {}", argument(label.as_ref()))));
        words.extend(match self.scale {
            Scale::Auto => None,
            Scale::DivideBy255 => Some("--scale divide-by-255".into()),
            Scale::AsIs => Some("--scale as-is".into()),
        });
        if !self.class_map.is_empty() {
            let pairs: Vec<_> = self.class_map.iter().map(|(a, b)| format!("{a}={b}")).collect();
            words.push(format!("--class-map {}", argument(pairs.join(",").as_ref())));
        }
        words.join(" ")
    }

    /// Images that are drawn.
    pub(crate) fn drawn() -> Self {
        let mut source = Self(DataConfig::of(DRAWN));
        source.drawn = Some(DrawOptions::default());
        source
    }

    /// Reads or draws the images, prepared as the configuration says.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(crate) fn load(&self, console: Console) -> anyhow::Result<Splits> {
        // The method itself is of loaders of one lifetime only.
        #[allow(clippy::redundant_closure_for_method_calls)]
        loading(self, console, |loader| loader.splits())
    }

    /// Reads or draws the images for a network: image files are prepared by its contract.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(crate) fn load_for(
        &self,
        network: &InputContract,
        console: Console,
    ) -> anyhow::Result<Splits> {
        loading(self, console, |loader| loader.splits_for(Some(network)))
    }

    /// This source with absolute paths: relative ones are relative to `base`.
    ///
    /// # Errors
    /// When the current folder cannot be told.
    pub(crate) fn absolute(mut self, base: &Path) -> anyhow::Result<Self> {
        let absolute =
            |path: &Path| std::path::absolute(base.join(path)).context("no current folder");
        if !self.is_drawn() {
            self.data = absolute(&self.data)?;
        }
        self.test = self.test.as_deref().map(absolute).transpose()?;
        self.validation = self.validation.as_deref().map(absolute).transpose()?;
        Ok(self)
    }

    /// This one, with the images of `path` to judge by while training.
    ///
    /// # Errors
    /// When the current folder cannot be told.
    pub(crate) fn with_validation(mut self, path: &Path) -> anyhow::Result<Self> {
        self.validation = Some(path.into());
        self.absolute(Path::new(""))
    }
}

/// The path from here, when it leads down from here.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).to_owned()
}

/// The folder of the real images, and whether they are there.
fn fetched() -> Option<PathBuf> {
    let data = PathBuf::from("data");
    data.join("train_catvnoncat.h5").exists().then_some(data)
}

/// How to get the real images.
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
        let draw = Flags::of(toml::Table::from_iter([("seed".into(), 3.into())]));
        let names = NameArgs {
            x: Some("x".into()),
            y: Some("y".into()),
            class_names: None,
            ..NameArgs::default()
        };
        let none = NameArgs::default();
        let error = Source::new("a.h5".as_ref(), &none, &draw).unwrap_err().to_string();
        assert!(error.contains("a.h5 is not drawn"), "{error}");
        let error = Source::new(DRAWN.as_ref(), &names, &Flags::default()).unwrap_err();
        assert!(error.to_string().contains("no datasets to name"), "{error}");
        let label = NameArgs { label: Some("y".into()), ..NameArgs::default() };
        let error = Source::new(DRAWN.as_ref(), &label, &Flags::default()).unwrap_err();
        assert!(error.to_string().contains("--label is for tables"), "{error}");
        let drawn = Source::new(DRAWN.as_ref(), &none, &draw).unwrap();
        assert_eq!(drawn.0.drawn.unwrap(), DrawOptions { seed: 3, ..DrawOptions::default() });
    }
}
