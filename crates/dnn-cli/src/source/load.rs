//! Reading what a source names: all of it, prepared, or as it lies in its file.

use super::{DRAWN, DatasetNames, Source};
use crate::console::{Console, warn};
use crate::input::{Input, prepare};
use crate::progress::bar;
use anyhow::{Context, bail};
use dnn_core::InputContract;
use dnn_data::folder::FolderOptions;
use dnn_data::hdf5::{self, Hdf5Error, Stream};
use dnn_data::source::{self, Options};
use dnn_data::{DataError, ImageSet, Limits, Names, Splits, synthetic};
use std::path::Path;

/// Of a memory limit, the part for the images of one split: the rest is for the batches, the network
/// and the library.
const STREAM_SHARE: u64 = 3;

/// Images that stay in their file.
pub(crate) struct Streams {
    pub(crate) train: Stream,
    pub(crate) test: Option<Stream>,
}

impl Source {
    /// Reads or draws the images, prepared as the configuration says.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(crate) fn load(&self, console: Console) -> anyhow::Result<Splits> {
        let mut splits = self.load_for(None, console)?;
        if let Some(input) = &self.input {
            input.apply(&mut splits)?;
        }
        Ok(splits)
    }

    /// Reads or draws the images for a network: image files are prepared by its contract.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(crate) fn load_for(
        &self,
        network: Option<&InputContract>,
        console: Console,
    ) -> anyhow::Result<Splits> {
        self.check()?;
        let mut splits = if self.is_drawn() {
            let drawing = self.drawn.clone().unwrap_or_default();
            let drawn = synthetic::draw(&drawing.options())?;
            Splits::new(Some(drawn.train), Some(drawn.test))?
        } else {
            let path = &self.data;
            // A link to nowhere is there, and opening it says what is wrong.
            if !path.exists() && !path.is_symlink() {
                bail!(
                    "{}: no such file or folder; expected a folder or a file of labelled images or \
                     numbers, or `{DRAWN}` (the real cat images: `cargo xtask fetch-data`)",
                    path.display()
                );
            }
            self.open(path, self.names.as_ref(), self.folder_options(network), console)?
        };
        if let Some(path) = &self.test {
            splits.test = if let Some(names) = &self.test_names {
                self.open_named(path, names, console)?
            } else {
                let contract = splits.train.as_ref().map(ImageSet::contract).transpose()?;
                Some(self.one_set(path, contract.as_ref().or(network), to_test_on, console)?)
            };
            splits.test_path = Some(path.clone());
        } else if let Some(names) = &self.test_names {
            splits.test = self.open_named(&self.data, names, console)?;
            splits.test_path = Some(self.data.clone());
        }
        splits.unify(&Limits::default())?;
        splits.check()?;
        Ok(splits)
    }

    /// The images to judge by while training, when there are some, prepared as those that are
    /// trained on.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn load_validation(
        &self,
        contract: &InputContract,
        console: Console,
    ) -> anyhow::Result<Option<ImageSet>> {
        let pick = |splits: Splits| splits.validation.or(splits.test).or(splits.train);
        self.judged_by(self.validation.as_deref(), contract, pick, console)
    }

    /// The images of `--test`, when there are some, prepared as those that are trained on.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn load_test(
        &self,
        contract: &InputContract,
        console: Console,
    ) -> anyhow::Result<Option<ImageSet>> {
        self.judged_by(self.test.as_deref(), contract, to_test_on, console)
    }

    fn judged_by(
        &self,
        path: Option<&Path>,
        contract: &InputContract,
        pick: impl FnOnce(Splits) -> Option<ImageSet>,
        console: Console,
    ) -> anyhow::Result<Option<ImageSet>> {
        let Some(path) = path else { return Ok(None) };
        let mut set = self.one_set(path, Some(contract), pick, console)?;
        prepare(&mut set, contract.clone())
            .with_context(|| format!("cannot prepare the images of {}", path.display()))?;
        Ok(Some(set))
    }

    /// The images as they lie in their file, when they take more than `limit` bytes as features of
    /// `feature_bytes` each.
    ///
    /// # Errors
    /// When the source is no HDF5 file, or what is wrong with it.
    pub(crate) fn stream(
        &self,
        limit: u64,
        feature_bytes: usize,
    ) -> anyhow::Result<Option<Streams>> {
        self.check()?;
        if self.is_drawn() || self.data.is_dir() {
            bail!("a memory limit is for images in one HDF5 file, not for {}", self.data.display());
        }
        let options = hdf5::Options::default();
        let memory = usize::try_from(limit / STREAM_SHARE).unwrap_or(usize::MAX);
        let open = |names: &Names| Stream::open(&self.data, names, &options, memory);
        let names =
            self.names.as_ref().map_or_else(|| hdf5::of_course("train"), DatasetNames::names);
        let train = open(&names)?;
        let n = (train.labels().len() as u64).saturating_mul(train.shape().n_bytes() as u64);
        if n.saturating_mul(feature_bytes as u64) <= limit {
            return Ok(None);
        }
        if self.input.is_some() {
            bail!("images that stay in their file are taken as they are: no flags of the input");
        }
        let test = match &self.test_names {
            Some(names) if self.test.is_none() => Some(open(&names.names())?),
            _ if self.test.is_some() || self.names.is_some() => None,
            _ => match open(&hdf5::of_course("test")) {
                Ok(test) => Some(test),
                Err(DataError::Hdf5(Hdf5Error::Missing { .. })) => None,
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Some(Streams { train, test }))
    }

    fn folder_options(&self, network: Option<&InputContract>) -> FolderOptions {
        self.input.as_ref().unwrap_or(&Input::default()).folder_options(network)
    }

    /// What lies behind a path, whatever it is.
    fn open(
        &self,
        path: &Path,
        names: Option<&DatasetNames>,
        folder: FolderOptions,
        console: Console,
    ) -> anyhow::Result<Splits> {
        if names.is_some() && path.is_dir() {
            bail!(
                "{} is a folder: --x and --y name datasets of an HDF5 or .npz file",
                path.display()
            );
        }
        let options = Options {
            names: names.map(DatasetNames::names),
            label: self.label.clone(),
            folder,
            ..Options::default()
        };
        let bar = bar(console, 0, "{bar:25} {pos}/{len} images  {per_sec}  {eta} left");
        let splits = source::open_watched(path, &options, &|done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let splits = splits?;
        for rejected in &splits.rejected {
            warn(format!("left out: {}: {}", rejected.path.display(), rejected.reason));
        }
        Ok(splits)
    }

    fn open_named(
        &self,
        path: &Path,
        names: &DatasetNames,
        console: Console,
    ) -> anyhow::Result<Option<ImageSet>> {
        Ok(self.open(path, Some(names), FolderOptions::default(), console)?.train)
    }

    /// One of the sets behind a path. A folder that makes no difference between them is one set.
    fn one_set(
        &self,
        path: &Path,
        contract: Option<&InputContract>,
        pick: impl FnOnce(Splits) -> Option<ImageSet>,
        console: Console,
    ) -> anyhow::Result<ImageSet> {
        let whole = FolderOptions { test_share: 0.0, ..self.folder_options(contract) };
        let splits = self.open(path, None, whole, console)?;
        pick(splits).with_context(|| format!("{}: no images", path.display()))
    }
}

/// The images to test on, or what a source has in their place.
fn to_test_on(splits: Splits) -> Option<ImageSet> {
    splits.test.or(splits.validation).or(splits.train)
}
