//! Where images come from: a folder, files, or the drawing of them.

mod caching;
mod load;

pub(crate) use caching::watched;
pub(crate) use load::Streams;

use crate::args::{DrawArgs, NameArgs};
use crate::console::{Console, argument, program};
use crate::input::{Caching, Input};
use anyhow::{Context, bail};
use dnn_data::synthetic::DrawOptions;
use dnn_data::{ImageSet, Names, Splits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The word that asks for drawn images; `./drawn` is a file or folder of that name.
pub(crate) const DRAWN: &str = "drawn";

/// Which images of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Split {
    Train,
    Test,
}

impl Split {
    /// Both, for the command line.
    pub(crate) const ALL: [Self; 2] = [Self::Train, Self::Test];

    /// These images of what `data` holds.
    ///
    /// # Errors
    /// When there are none, with what there is instead.
    pub(crate) fn of(self, splits: Splits, data: &Path) -> anyhow::Result<ImageSet> {
        let (set, other, its_name) = match self {
            Self::Train => (splits.train, splits.test, Self::Test),
            Self::Test => (splits.test, splits.train, Self::Train),
        };
        let other = other.map_or(String::new(), |_| format!("; it has others: --split {its_name}"));
        set.with_context(|| format!("{}: no {self} images{other}", data.display()))
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}

/// A source of images, as a run's configuration has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Source {
    /// A folder or file of labelled images or numbers, or "drawn". A relative path starts from the
    /// folder of this file.
    pub(crate) data: PathBuf,
    /// A file or folder with the test images, when they are elsewhere.
    #[schemars(extend("x-example" = "test.h5"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test: Option<PathBuf>,
    /// A file or folder with images to judge by while training.
    #[schemars(extend("x-example" = "validation.h5"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) validation: Option<PathBuf>,
    /// Datasets (HDF5) or arrays (.npz) of the training images, when they do not have usual names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) names: Option<DatasetNames>,
    /// Datasets of the test images, in `test` or else in `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test_names: Option<DatasetNames>,
    /// The column of the labels in a table (CSV), by its name or its number from 1.
    #[schemars(extend("x-example" = "species"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// Which images are drawn, when `data` is "drawn".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drawn: Option<Drawing>,
    /// How the images are prepared, where it is not as the data have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Input>,
    /// Bytes for the images in memory; with more of them they stay in their HDF5 file and are read
    /// while training goes on.
    #[schemars(range(min = 1), extend("x-example" = 536_870_912))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_limit: Option<u64>,
    /// Where decoded images are kept; changes nothing but the time it takes.
    #[serde(skip)]
    pub(crate) caching: Caching,
}

/// Datasets of an HDF5 file, or arrays of an .npz.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetNames {
    /// Images, (m, height, width, channels).
    #[schemars(extend("x-example" = "images"))]
    x: String,
    /// Labels, (m), from 0.
    #[schemars(extend("x-example" = "labels"))]
    y: String,
    /// Names of the classes.
    #[schemars(extend("x-example" = "class_names"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<String>,
}

/// Which images to draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Drawing {
    /// Training images, a number.
    pub(crate) train: usize,
    /// Test images, a number.
    pub(crate) test: usize,
    /// Another seed, other images.
    pub(crate) seed: u64,
    /// Pixels a side.
    pub(crate) size: usize,
}

impl Default for Drawing {
    fn default() -> Self {
        let DrawOptions { n_train, n_test, seed, size } = DrawOptions::default();
        Self { train: n_train, test: n_test, seed, size }
    }
}

impl Drawing {
    pub(crate) fn options(&self) -> DrawOptions {
        DrawOptions { n_train: self.train, n_test: self.test, seed: self.seed, size: self.size }
    }

    /// This one with what the flags ask for.
    pub(crate) fn with(mut self, args: &DrawArgs) -> Self {
        self.train = args.draw_train.unwrap_or(self.train);
        self.test = args.draw_test.unwrap_or(self.test);
        self.seed = args.draw_seed.unwrap_or(self.seed);
        self.size = args.draw_size.unwrap_or(self.size);
        self
    }
}

impl DrawArgs {
    /// Whether any was given.
    pub(crate) fn any(&self) -> bool {
        self.draw_train.is_some()
            || self.draw_test.is_some()
            || self.draw_seed.is_some()
            || self.draw_size.is_some()
    }
}

impl DatasetNames {
    pub(crate) fn new(
        x: Option<&String>,
        y: Option<&String>,
        classes: Option<&String>,
    ) -> Option<Self> {
        Some(Self { x: x?.clone(), y: y?.clone(), classes: classes.cloned() })
    }

    fn names(&self) -> Names {
        Names { images: self.x.clone(), labels: self.y.clone(), classes: self.classes.clone() }
    }
}

impl From<&NameArgs> for Option<DatasetNames> {
    fn from(args: &NameArgs) -> Self {
        DatasetNames::new(args.x.as_ref(), args.y.as_ref(), args.class_names.as_ref())
    }
}

impl Source {
    /// What `DATA` means without flags.
    ///
    /// # Errors
    /// When the current folder cannot be told.
    pub(crate) fn of(data: &Path) -> anyhow::Result<Self> {
        Self::new(data, &NameArgs::default(), &DrawArgs::default())?.absolute(Path::new(""))
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
    pub(crate) fn new(data: &Path, names: &NameArgs, draw: &DrawArgs) -> anyhow::Result<Self> {
        let is_drawn = data == Path::new(DRAWN);
        let source = Self {
            data: data.into(),
            names: names.into(),
            label: names.label.clone(),
            drawn: (is_drawn || draw.any()).then(|| Drawing::default().with(draw)),
            ..Self::default()
        };
        source.check()?;
        Ok(source)
    }

    /// This one with what the flags ask for.
    ///
    /// # Errors
    /// Flags that do not go with this kind of source.
    pub(crate) fn with(
        mut self,
        names_and_label: &NameArgs,
        draw: &DrawArgs,
    ) -> anyhow::Result<Self> {
        if let Some(names) = names_and_label.into() {
            self.names = Some(names);
        }
        if let Some(label) = &names_and_label.label {
            self.label = Some(label.clone());
        }
        if draw.any() {
            self.drawn = Some(self.drawn.unwrap_or_default().with(draw));
        }
        self.check()?;
        Ok(self)
    }

    /// How to ask for this source on a command line.
    pub(crate) fn arguments(&self) -> String {
        if let (true, Some(drawn)) = (self.is_drawn(), &self.drawn) {
            let usual = Drawing::default();
            let flags = [
                ("train", drawn.train as u64, usual.train as u64),
                ("test", drawn.test as u64, usual.test as u64),
                ("seed", drawn.seed, usual.seed),
                ("size", drawn.size as u64, usual.size as u64),
            ];
            let changed = flags.into_iter().filter(|(_, value, usual)| value != usual);
            let changed = changed.map(|(flag, value, _)| format!("--draw-{flag} {value}"));
            return [DRAWN.into()].into_iter().chain(changed).collect::<Vec<_>>().join(" ");
        }
        let (path, names) = match (&self.test, &self.test_names) {
            (Some(test), names) => (test, names),
            (None, names @ Some(_)) => (&self.data, names),
            (None, None) => (&self.data, &self.names),
        };
        let mut words = vec![argument(&relative(path))];
        if let Some(DatasetNames { x, y, classes }) = names {
            for (flag, name) in
                [("--x", Some(x)), ("--y", Some(y)), ("--class-names", classes.as_ref())]
            {
                words.extend(name.map(|name| format!("{flag} {}", argument(name.as_ref()))));
            }
        }
        words.extend(self.input.iter().flat_map(Input::file_flags));
        words
            .extend(self.label.iter().map(|label| format!("--label {}", argument(label.as_ref()))));
        words.join(" ")
    }

    /// Images that are drawn.
    pub(crate) fn drawn() -> Self {
        Self { data: DRAWN.into(), drawn: Some(Drawing::default()), ..Self::default() }
    }

    fn is_drawn(&self) -> bool {
        self.data == Path::new(DRAWN)
    }

    /// Whether the parts go together.
    ///
    /// # Errors
    /// What does not.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.data.as_os_str().is_empty() {
            bail!("no data given: expected a folder, a file, or `{DRAWN}`");
        }
        if self.is_drawn() && (self.names.is_some() || self.test_names.is_some()) {
            bail!("drawn images have no datasets to name: --x and --y are for HDF5 and .npz files");
        }
        if self.is_drawn() && self.label.is_some() {
            bail!("drawn images have no columns: --label is for tables (CSV)");
        }
        if !self.is_drawn() && self.drawn.is_some() {
            bail!(
                "{} is not drawn: the --draw flags are for the data `{DRAWN}`",
                self.data.display()
            );
        }
        Ok(())
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
        let draw = DrawArgs { draw_seed: Some(3), ..DrawArgs::default() };
        let names =
            NameArgs { x: Some("x".into()), y: Some("y".into()), class_names: None, label: None };
        let none = NameArgs::default();
        let error = Source::new("a.h5".as_ref(), &none, &draw).unwrap_err().to_string();
        assert!(error.contains("a.h5 is not drawn"), "{error}");
        let error = Source::new(DRAWN.as_ref(), &names, &DrawArgs::default()).unwrap_err();
        assert!(error.to_string().contains("no datasets to name"), "{error}");
        let label = NameArgs { label: Some("y".into()), ..NameArgs::default() };
        let error = Source::new(DRAWN.as_ref(), &label, &DrawArgs::default()).unwrap_err();
        assert!(error.to_string().contains("--label is for tables"), "{error}");
        let drawn = Source::new(DRAWN.as_ref(), &none, &draw).unwrap();
        assert_eq!(drawn.drawn.unwrap(), Drawing { seed: 3, ..Drawing::default() });
    }
}
