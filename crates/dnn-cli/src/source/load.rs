//! Reading what a source names: all of it, prepared, or as it lies in its file.

use super::{DRAWN, DatasetNames, Source, watched};
use crate::console::{Console, warn};
use crate::input::{Input, prepare};
use crate::progress::image_bar;
use anyhow::{Context, bail};
use dnn_data::convert::Converted;
use dnn_data::folder::FolderOptions;
use dnn_data::hdf5::{self, Hdf5Error, Stream};
use dnn_data::preprocess::ContractChange;
use dnn_data::source::{self, Options};
use dnn_data::{
    DataError, ImageSet, ImageShape, Limits, Names, Part, Splits, convert, shared_classes,
    synthetic,
};
use dnn_data::{InputContract, Standardization};
use std::path::Path;

/// Tells how many bytes training takes beside the images, given their features, classes and number.
pub(crate) type Beside<'a> = &'a dyn Fn(usize, usize, usize) -> anyhow::Result<usize>;

/// Images that stay in their file.
pub(crate) struct Streams {
    pub(crate) train: Stream,
    pub(crate) test: Option<Stream>,
    pub(crate) validation: Option<Stream>,
    /// Of the training images, when features are to be brought to mean 0 and deviation 1.
    pub(crate) standardization: Option<Standardization>,
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

    /// The images as they lie in their file, or in one of the cache, when they take more than
    /// `limit` bytes as features of `feature_bytes` each.
    ///
    /// # Errors
    /// What is wrong with the data, or that they cannot be kept in a cache.
    pub(crate) fn stream(
        &self,
        limit: u64,
        feature_bytes: usize,
        beside: Beside<'_>,
        console: Console,
    ) -> anyhow::Result<Option<Streams>> {
        self.check()?;
        if self.is_drawn() {
            bail!("a memory limit is for images in files: drawn ones are in memory");
        }
        let usual = Input::default();
        let input = self.input.as_ref().unwrap_or(&usual);
        let change = input.contract_change();
        let options = self.options(self.names.as_ref(), input.folder_options(None));
        if self.fits(limit, feature_bytes, &options, change, beside)? {
            return Ok(None);
        }
        let train = self.streamed(&self.data, &options, change, &["train"], console)?;
        let Some(train) = train else {
            bail!("{}: no training images, only test images", self.data.display());
        };
        let contract = train.contract()?;
        let beside_train = |splits: &[&str]| match &self.names {
            Some(_) => Ok(None),
            None => self.streamed(&self.data, &options, change, splits, console),
        };
        let given = |path: &Path, names: Option<&DatasetNames>, splits: &[&str]| {
            let whole = FolderOptions { test_share: 0.0, ..self.folder_options(Some(&contract)) };
            let options = self.options(names, whole);
            let stream =
                self.streamed(path, &options, ContractChange::to(&contract), splits, console)?;
            let none = || format!("{}: no images", path.display());
            stream.with_context(none).map(Some)
        };
        let test = match (&self.test, &self.test_names) {
            (None, None) => beside_train(&["test"])?,
            (path, names) => {
                let path = path.as_ref().unwrap_or(&self.data);
                given(path, names.as_ref(), &["test", "validation", "train"])?
            }
        };
        let validation = match &self.validation {
            None => beside_train(&["validation"])?,
            Some(path) => given(path, None, &["validation", "test", "train"])?,
        };
        let all = [Some(&train), test.as_ref(), validation.as_ref()];
        let all = || all.iter().copied().flatten();
        let classes = shared_classes(all().map(|stream| stream.classes().to_vec()).collect())
            .context("the images to judge by are not those of the training")?;
        let m = all().map(|stream| stream.labels().len()).sum();
        let others = test.iter().chain(&validation).map(Stream::least_memory).sum::<usize>();
        let beside = beside(train.shape().n_bytes(), classes.len(), m)? + others;
        let memory = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(beside);
        if memory < train.least_memory() {
            let least = (beside + train.least_memory()).div_ceil(1 << 20);
            bail!(
                "{}: training takes {least} MiB at least (the network, its batches and four blocks of \
                 images), --memory-limit allows {} MiB",
                self.data.display(),
                limit >> 20
            );
        }
        let standardization = input.standardizes().then(|| train.standardization()).transpose()?;
        let named = |stream: Stream| stream.with_classes(classes.clone());
        Ok(Some(Streams {
            train: named(train.with_memory(memory)?),
            test: test.map(named),
            validation: validation.map(named),
            standardization,
        }))
    }

    /// Whether all images, as pixels and as features, are in memory within the limit.
    fn fits(
        &self,
        limit: u64,
        feature_bytes: usize,
        options: &Options,
        change: ContractChange,
        beside: Beside<'_>,
    ) -> anyhow::Result<bool> {
        let (parts, classes) = source::parts(&self.data, options)?;
        let (mut n_bytes, mut m, mut n_features) = (0_u64, 0, 0);
        for Part { shape, n, .. } in parts {
            n_features = ImageShape::of(&change.apply(shape.contract()?)).n_bytes();
            n_bytes += n as u64 * (n_features * (1 + feature_bytes)) as u64;
            m += n;
        }
        // Files to judge by are not looked into: about as large as they lie there, or larger.
        for path in self.test.iter().chain(&self.validation) {
            let packed = path.metadata().map_or(0, |metadata| metadata.len());
            n_bytes = n_bytes.saturating_add(packed.saturating_mul(1 + feature_bytes as u64));
        }
        let beside = beside(n_features, classes.len(), m)? as u64;
        Ok(n_bytes.saturating_add(beside) <= limit)
    }

    /// The first of these splits that lies behind a path, in its file or in one of the cache.
    fn streamed(
        &self,
        path: &Path,
        options: &Options,
        change: ContractChange,
        splits: &[&str],
        console: Console,
    ) -> anyhow::Result<Option<Stream>> {
        let hdf5_options = hdf5::Options::default();
        let open = |path: &Path, names: Option<&Names>| -> anyhow::Result<Option<Stream>> {
            if let Some(names) = names {
                return Ok(Some(Stream::open(path, names, &hdf5_options)?));
            }
            for split in splits {
                match Stream::open(path, &hdf5::of_course(split), &hdf5_options) {
                    Err(DataError::Hdf5(Hdf5Error::Missing { .. })) => {}
                    stream => return Ok(Some(stream?)),
                }
            }
            Ok(None)
        };
        // Images that lie in one HDF5 file as they are wanted need not be written again.
        if source::is_hdf5(path)? {
            let Some(stream) = open(path, options.names.as_ref())? else { return Ok(None) };
            let contract = stream.contract()?;
            if change.apply(contract.clone()) == contract {
                return Ok(Some(stream));
            }
        }
        open(&self.as_hdf5(path, options, change, console)?, None)
    }

    fn folder_options(&self, network: Option<&InputContract>) -> FolderOptions {
        self.input.as_ref().unwrap_or(&Input::default()).folder_options(network)
    }

    /// Writes the images to an HDF5 file, prepared as the configuration says.
    ///
    /// # Errors
    /// What is wrong with the data, or keeps the file from being written.
    pub(crate) fn convert(
        &self,
        out: &Path,
        level: u32,
        console: Console,
    ) -> anyhow::Result<Converted> {
        self.check()?;
        let usual = Input::default();
        let input = self.input.as_ref().unwrap_or(&usual);
        let options = self.options(self.names.as_ref(), input.folder_options(None));
        let converted = watched(console, &options, input.contract_change(), |asked| {
            let asked = convert::Options { level, ..*asked };
            if self.is_drawn() {
                let drawing = self.drawn.clone().unwrap_or_default();
                let drawn = synthetic::draw(&drawing.options())?;
                let splits = Splits::new(Some(drawn.train), Some(drawn.test))?;
                convert::convert_splits(&splits, out, &asked)
            } else {
                convert::convert(&self.data, out, &asked)
            }
        });
        Ok(converted?)
    }

    /// How what lies behind a path is read.
    pub(super) fn options(&self, names: Option<&DatasetNames>, folder: FolderOptions) -> Options {
        Options {
            names: names.map(DatasetNames::names),
            label: self.label.clone(),
            folder,
            ..Options::default()
        }
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
        let options = self.options(names, folder);
        let splits = if let Some(splits) = self.cached(path, &options, console)? {
            splits
        } else {
            let bar = image_bar(console);
            let splits = source::open_watched(path, &options, &|done, all| {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            });
            bar.finish_and_clear();
            splits?
        };
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
