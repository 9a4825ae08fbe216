//! From a [`DataConfig`] to the examples that a network is trained and evaluated on.
//!
//! A [`Loader`] does what `dnn train` and the other commands do with their data: it detects the format,
//! reads or draws the images, prepares them, caches decoded images, streams images from their file
//! when a memory limit asks for it, and computes features.
//!
//! ```no_run
//! use dnn_data::loader::{ByteSize, DataConfig, Hooks, Loader};
//! let memory_limit = Some(ByteSize(1 << 30));
//! let config = DataConfig { memory_limit, ..DataConfig::of("photos") };
//! // The memory of training without the images: here 100 MB, whatever their size and number.
//! let training_memory = |_features: usize, _classes: usize, _images: usize| Ok(100 << 20);
//! let data = Loader::new(&config, Hooks::default()).prepare::<f32>(None, 1, &training_memory)?;
//! println!("{} images, data {}", data.train.n_examples(), data.identity);
//! # Ok::<(), dnn_data::DataError>(())
//! ```

use crate::Shown;
use crate::augment::AugmentConfig;
use crate::cache::{Cache, CachePolicy, Entry};
use crate::classes::{check_classes, listed, renamed, shared};
pub use crate::config::{Background, ByteSize, Colors, DRAWN, DataConfig, InputConfig, Size};
use crate::convert::{self, Converted};
use crate::folder::FolderOptions;
use crate::format::{Options, Source};
use crate::hdf5::{self, Hdf5Error, Stream};
use crate::image::ImageError;
use crate::images::{each_of_all, views_fit};
use crate::preprocess::ContractChange;
use crate::synthetic::DrawOptions;
use crate::{
    DataError, FeatureExamples, FeatureKind, ImageSet, ImageShape, Images, InputContract, Names,
    Normalization, Number, RowSelection, Split, SplitInfo, SplitName, Splits, identity,
    standardization, synthetic,
};
use dnn_core::split::Shard;
use dnn_core::{Examples, Real, ViewedExamples};
use std::borrow::Cow;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Folders with fewer bytes are decoded faster than a cache would be read.
const MANY_BYTES: u64 = 64 << 20;
/// The default compression level of gzip.
const LEVEL: u32 = 6;

/// A message of a loader to its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A choice that was made or a step that was done.
    Note(String),
    /// Something unusual that may be a mistake.
    Warning(String),
}

/// The callbacks through which a program follows and interrupts loading.
#[derive(Clone, Copy)]
pub struct Hooks<'a> {
    /// Called with the number of images that are read and their total.
    pub progress: &'a dyn Fn(usize, usize),
    /// Called with messages for the user.
    pub say: &'a dyn Fn(Notice),
    /// Called between images; loading stops when it returns `true`.
    pub stop: &'a dyn Fn() -> bool,
}

impl Default for Hooks<'_> {
    fn default() -> Self {
        Self { progress: &|_, _| (), say: &|_| (), stop: &|| false }
    }
}

/// Returns the bytes that training needs besides the images, given their features, classes and number.
pub type TrainingMemory<'a> =
    &'a dyn Fn(usize, usize, usize) -> Result<usize, Box<dyn Error + Send + Sync>>;

/// The dimensions of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Number of features of an example.
    pub n_features: usize,
    /// Number of classes.
    pub n_classes: usize,
    /// Number of training examples.
    pub n_train: usize,
    /// Number of examples of all splits.
    pub n_examples: usize,
}

/// The examples that a network is trained and evaluated on.
pub struct Prepared<F: Real> {
    /// The training examples.
    pub train: Box<dyn Examples<F>>,
    /// The test examples.
    pub test: Option<Box<dyn Examples<F>>>,
    /// The validation examples, which are evaluated during training.
    pub validation: Option<Box<dyn Examples<F>>>,
    /// The contract by which an image becomes an example.
    pub contract: InputContract,
    /// The identity of the data: see [`identity`](identity()).
    pub identity: String,
}

/// With at most so many images, descriptors are more accurate than pixels, and recipes can be compared
/// in seconds.
pub const FEW_EXAMPLES: usize = 5_000;

/// The kind of a data set, by which `auto` chooses a preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Rows of numbers.
    Table,
    /// At most 5,000 colour images.
    FewPhotos,
    /// Grey images, or more than 5,000 images.
    Images,
    /// Images of numbers that are no bytes.
    NumberImages,
}

/// Loads the data of a configuration.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    pub(crate) config: &'a DataConfig,
    pub(crate) hooks: Hooks<'a>,
    pub(crate) shard: Shard,
}

/// Images that are streamed from their files.
struct Streams {
    train: Stream,
    test: Option<Stream>,
    validation: Option<Stream>,
}

impl<'a> Loader<'a> {
    /// Makes a loader of this configuration.
    pub fn new(config: &'a DataConfig, hooks: Hooks<'a>) -> Self {
        Self { config, hooks, shard: Shard::WHOLE }
    }

    /// Returns the loader with [`convert`](Self::convert) reading one shard of the data only; what all of
    /// them write, [`convert::join`](convert::join()) joins.
    #[must_use]
    pub fn of_shard(self, shard: Shard) -> Self {
        Self { shard, ..self }
    }

    /// Returns all splits in memory, read or drawn and prepared as the configuration says.
    ///
    /// # Errors
    /// When the configuration or the data are invalid, or a file cannot be read.
    #[doc(alias = "load_data")]
    pub fn splits(&self) -> Result<Splits, DataError> {
        let mut splits = self.splits_for(None)?;
        if let Some(input) = &self.config.input {
            Self::apply(input, &mut splits)?;
        }
        self.examine(&splits);
        Ok(splits)
    }

    /// Returns all splits in memory, with image files prepared by the contract of a network.
    ///
    /// # Errors
    /// When the configuration or the data are invalid, or a file cannot be read.
    pub fn splits_for(&self, network: Option<&InputContract>) -> Result<Splits, DataError> {
        let config = self.config;
        config.check()?;
        let mut splits = if config.is_drawn() {
            let drawn = synthetic::draw(&config.drawn.clone().unwrap_or_default())?;
            Splits::new(Some(drawn.train), Some(drawn.test))?
        } else {
            self.open(&config.data, config.names.as_ref(), self.folder_options(network))?
        };
        let test = match (&config.test, &config.test_names) {
            (None, None) => None,
            (path, Some(names)) => {
                let path = path.as_ref().unwrap_or(&config.data);
                let mut named = self.open(path, Some(names), FolderOptions::default())?;
                named.take(SplitName::Train).map(|set| (set, path))
            }
            (Some(path), None) => {
                let contract = splits.train().map(ImageSet::contract).transpose()?;
                let order = [SplitName::Test, SplitName::Validation, SplitName::Train];
                Some((self.one_set(path, contract.as_ref().or(network), order)?, path))
            }
        };
        if let Some((images, path)) = test {
            splits.insert(Split { name: SplitName::Test, images, path: Some(path.clone()) });
        }
        if let Some(path) = &config.validation {
            let contract = splits.train().map(ImageSet::contract).transpose()?;
            let order = [SplitName::Validation, SplitName::Test, SplitName::Train];
            let images = self.one_set(path, contract.as_ref().or(network), order)?;
            splits.insert(Split { name: SplitName::Validation, images, path: Some(path.clone()) });
        }
        if !config.exclude.is_empty() {
            let train = splits.iter_mut().find(|split| split.name == SplitName::Train);
            let Some(train) = train else { return Err(self.no_training()) };
            train.images = without(&train.images, &config.exclude)?;
        }
        if !config.class_map.is_empty() {
            splits = splits.try_map(|images| {
                let (classes, map) = renamed(images.classes(), &config.class_map)?;
                Ok::<_, DataError>(images.with_classes(classes, &map))
            })?;
        }
        splits.unify();
        splits.check()?;
        Ok(splits)
    }

    /// Returns the dimensions that [`prepare`](Self::prepare) would give the data in memory, where they
    /// are known before reading: those of image files, of drawn images, and of resized images.
    /// Test and validation sets in other files are not counted.
    ///
    /// `None` also when the data are invalid; reading them returns the error.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn extent(&self) -> Result<Option<Extent>, DataError> {
        let config = self.config;
        config.check()?;
        let change = self.input().contract_change();
        let (parts, n_classes) = if config.is_drawn() {
            let DrawOptions { n_train, n_test, size, .. } =
                config.drawn.clone().unwrap_or_default();
            let shape = ImageShape { height: size, width: size, channels: 3 };
            let splits = [(SplitName::Train, shape, n_train), (SplitName::Test, shape, n_test)];
            (splits.to_vec(), 2)
        } else {
            let options = config.options(config.names.as_ref(), self.folder_options(None));
            let Ok(source) = Source::of(&config.data, &options) else { return Ok(None) };
            if !source.has_image_files() && change.size.is_none() {
                return Ok(None);
            }
            let Ok((parts, classes)) = source.split_infos(&options) else { return Ok(None) };
            if classes.len() < 2 {
                return Ok(None);
            }
            let parts = parts.into_iter().map(|part| (part.split, part.shape, part.n)).collect();
            (parts, classes.len())
        };
        let mut extent = Extent { n_features: 0, n_classes, n_train: 0, n_examples: 0 };
        for (split, shape, n) in parts {
            extent.n_features = self.n_features(change.apply(shape.contract()?));
            extent.n_examples += n;
            if matches!(split, SplitName::Train | SplitName::Unsplit) {
                extent.n_train += n;
            }
        }
        Ok(Some(extent))
    }

    /// Returns the examples to train and evaluate on: in memory, or streamed from files when they
    /// exceed the configuration's memory limit. `augment` are the changes to the training images, and
    /// `seed` determines their random numbers and the view that an epoch shows.
    ///
    /// # Errors
    /// When the configuration or the data are invalid, or a file cannot be read.
    pub fn prepare<F: Real>(
        &self,
        augment: Option<AugmentConfig>,
        seed: u64,
        training_memory: TrainingMemory<'_>,
    ) -> Result<Prepared<F>, DataError> {
        if let Some(ByteSize(limit)) = self.config.memory_limit
            && let Some(streams) = self.streams(limit, size_of::<F>(), training_memory)?
        {
            let Streams { train, test, validation } = streams;
            let contract = with_features(&self.input(), &train)?;
            let judged = |images, contract: &InputContract| {
                Ok(Box::new(FeatureExamples::new(images, contract)?) as Box<dyn Examples<F>>)
            };
            let sets = (train, test, validation);
            return self.features(sets, contract, judged, |images, contract| {
                if is_drawn_anew(contract, augment) {
                    augmented(images, contract, augment, seed)
                } else {
                    judged(images, contract)
                }
            });
        }
        let mut splits = self.splits()?;
        let mut n_values = 0;
        for Split { images, .. } in splits.iter() {
            n_values += images.len() * images.contract()?.n_features();
        }
        DataError::afford(n_values as u64 * size_of::<F>() as u64, || {
            (self.config.data.clone(), format!("{n_values} features in {}", F::PRECISION))
        })?;
        let Some(train) = splits.take(SplitName::Train) else { return Err(self.no_training()) };
        let (test, validation) = (splits.take(SplitName::Test), splits.take(SplitName::Validation));
        let contract = train.contract()?;
        let sets = (train, test, validation);
        self.features(sets, contract, examples_to_judge_by, |images, contract| {
            examples_to_train_on(images, contract, augment, seed)
        })
    }

    fn features<F: Real, I: Images + 'static>(
        &self,
        (train, test, validation): (I, Option<I>, Option<I>),
        contract: InputContract,
        to_judge_by: impl Fn(I, &InputContract) -> Result<Box<dyn Examples<F>>, DataError>,
        to_train_on: impl FnOnce(I, &InputContract) -> Result<Box<dyn Examples<F>>, DataError>,
    ) -> Result<Prepared<F>, DataError> {
        check_classes(&self.config.data, train.classes())?;
        for judged in test.iter().chain(&validation) {
            let own = judged.contract()?.normalization;
            if own == Normalization::AsIs && contract.normalization != own {
                return Err(DataError::Mismatch {
                    what: "features to judge by".into(),
                    expected: "bytes, or numbers from 0 to 1, as those to train on".into(),
                    got: "numbers below 0 or above 1".into(),
                });
            }
        }
        let sets = std::iter::once(&train).chain(&validation).map(|set| set as &dyn Images);
        let identity = identity(&contract, sets)?;
        let test = test.map(|images| to_judge_by(images, &contract)).transpose()?;
        let validation = validation.map(|images| to_judge_by(images, &contract)).transpose()?;
        let train = to_train_on(train, &contract)?;
        Ok(Prepared { train, test, validation, contract, identity })
    }

    /// Writes the images to an HDF5 file, prepared as the configuration says; `level` is the
    /// compression level of gzip.
    ///
    /// # Errors
    /// When the data are invalid, or the file cannot be written.
    pub fn convert(&self, out: &Path, level: u32) -> Result<Converted, DataError> {
        let config = self.config;
        config.check()?;
        let mut options = config.options(config.names.as_ref(), self.folder_options(None));
        if self.shard != Shard::WHOLE {
            options.rows = RowSelection::Shard(self.shard);
        }
        let asked =
            convert::Options { level, ..self.asked(&options, self.input().contract_change()) };
        if config.is_drawn() || !config.exclude.is_empty() || !config.class_map.is_empty() {
            convert::convert_splits(&self.splits_for(None)?, out, &asked)
        } else {
            check_exists(&config.data)?;
            convert::convert(&config.data, out, &asked)
        }
    }

    /// Writes what the shards of a conversion have written as one file, with the callbacks of this loader:
    /// see [`convert::join`](convert::join()).
    ///
    /// # Errors
    /// As [`convert::join`](convert::join()).
    pub fn join(
        &self,
        parts: &[(PathBuf, Converted)],
        out: &Path,
        level: u32,
    ) -> Result<Converted, DataError> {
        let Hooks { progress, stop, .. } = self.hooks;
        convert::join(parts, out, level, (progress, stop))
    }

    /// Returns the files that the data are read from, without those of a test or validation set elsewhere;
    /// none of drawn ones.
    ///
    /// # Errors
    /// When the configuration is invalid, or there are no data.
    pub fn files(&self) -> Result<Vec<PathBuf>, DataError> {
        let config = self.config;
        config.check()?;
        if config.is_drawn() {
            return Ok(Vec::new());
        }
        check_exists(&config.data)?;
        let options = config.options(config.names.as_ref(), self.folder_options(None));
        Source::of(&config.data, &options)?.files(&options)
    }

    /// Returns the splits of the data, without those elsewhere, and what each is read from.
    ///
    /// # Errors
    /// As [`files`](Self::files).
    pub fn split_paths(&self) -> Result<Vec<(SplitName, Option<PathBuf>)>, DataError> {
        let config = self.config;
        config.check()?;
        if config.is_drawn() {
            return Ok([SplitName::Train, SplitName::Test].map(|name| (name, None)).to_vec());
        }
        check_exists(&config.data)?;
        let options = config.options(config.names.as_ref(), self.folder_options(None));
        let (parts, _) = Source::of(&config.data, &options)?.split_infos(&options)?;
        // What says nothing of it is read from the source itself.
        let path = |own: Option<PathBuf>| Some(own.unwrap_or_else(|| config.data.clone()));
        Ok(parts.into_iter().map(|part| (part.split, path(part.path))).collect())
    }

    /// Returns the kind of the data, by their size and number, and the number of training examples; their
    /// values are not read.
    ///
    /// # Errors
    /// When the configuration or the data are invalid, or a file cannot be read.
    pub fn kind(&self) -> Result<(DataKind, usize), DataError> {
        let config = self.config;
        config.check()?;
        if config.is_drawn() {
            let n_train = config.drawn.clone().unwrap_or_default().n_train;
            return Ok((DataKind::FewPhotos, n_train));
        }
        let options = config.options(config.names.as_ref(), self.folder_options(None));
        let (parts, _) = Source::of(&config.data, &options)?.split_infos(&options)?;
        let is_trained_on =
            |part: &&SplitInfo| matches!(part.split, SplitName::Train | SplitName::Unsplit);
        let train: Vec<_> = parts.iter().filter(is_trained_on).collect();
        let Some(&SplitInfo { shape, number, .. }) = train.first().copied() else {
            return Err(self.no_training());
        };
        let shape = ImageShape::of(&self.input().contract_change().apply(shape.contract()?));
        let m: usize = train.iter().map(|part| part.n).sum();
        let (least, most) = (shape.height.min(shape.width), shape.height.max(shape.width));
        let kind = if shape.channels == 1 && least == 1 && most > 1 {
            DataKind::Table
        } else if shape.channels == 3
            && number == Number::Byte
            && m <= FEW_EXAMPLES
            && least >= crate::describe::LEAST_SIDE as usize
        {
            DataKind::FewPhotos
        } else if number == Number::Byte {
            DataKind::Images
        } else {
            DataKind::NumberImages
        };
        Ok((kind, m))
    }

    fn input(&self) -> Cow<'a, InputConfig> {
        match &self.config.input {
            Some(input) => Cow::Borrowed(input),
            None => Cow::Owned(InputConfig::default()),
        }
    }

    pub(crate) fn folder_options(&self, network: Option<&InputContract>) -> FolderOptions {
        self.input().folder_options(network)
    }

    /// How many features are made of images of this contract.
    fn n_features(&self, contract: InputContract) -> usize {
        InputContract { features: self.input().features, ..contract }.n_features()
    }

    fn asked<'o>(&'o self, source: &'o Options, contract: ContractChange) -> convert::Options<'o> {
        let Hooks { progress, stop, .. } = self.hooks;
        convert::Options { source, contract, level: LEVEL, progress, stop }
    }

    fn note(&self, text: String) {
        (self.hooks.say)(Notice::Note(text));
    }

    fn warn(&self, text: String) {
        (self.hooks.say)(Notice::Warning(text));
    }

    fn no_training(&self) -> DataError {
        DataError::File {
            path: self.config.data.clone(),
            what: "data".into(),
            expected: "training images".into(),
            got: "only others".into(),
        }
    }

    /// Prepares images that were read as the configuration asks for.
    fn apply(input: &InputConfig, splits: &mut Splits) -> Result<(), DataError> {
        let change = input.contract_change();
        for split in splits.iter_mut() {
            let contract = change.apply(split.images.contract()?);
            prepare(&mut split.images, contract)?;
        }
        let first = splits.iter().next().map(|split| with_features(input, &split.images));
        if let Some(InputContract { features, views, standardization, .. }) = first.transpose()? {
            for split in splits.iter_mut() {
                let (contract, standardization) =
                    (split.images.contract()?, standardization.clone());
                let contract = InputContract { standardization, features, views, ..contract };
                split.images.set_contract(contract);
            }
        }
        Ok(())
    }

    /// Reports unusual classes and the scaling that was chosen.
    fn examine(&self, splits: &Splits) {
        for note in &splits.notes {
            self.note(note.clone());
        }
        let Some(train) = splits.train() else { return };
        let (classes, counts) = (train.classes(), train.class_counts());
        let with = counts.iter().filter(|count| **count > 0).count();
        let empty: Vec<String> = classes
            .iter()
            .zip(&counts)
            .filter(|(_, count)| **count == 0)
            .map(|(class, _)| class.clone())
            .collect();
        let data = self.config.data.shown();
        if with == 1 && classes.len() > 1 {
            self.warn(format!(
                "{data}: all training images are of one class; a network learns to name it always"
            ));
        }
        if !empty.is_empty() {
            self.warn(format!(
                "{data}: {} of {} classes have no training images: {}",
                empty.len(),
                classes.len(),
                listed(&empty)
            ));
        }
    }

    /// Returns the splits of a path in memory, through the cache where one is used.
    fn open(
        &self,
        path: &Path,
        names: Option<&Names>,
        folder: FolderOptions,
    ) -> Result<Splits, DataError> {
        check_exists(path)?;
        let options = self.config.options(names, folder);
        let source = Source::of(path, &options)?;
        let cached = self.cached(path, &source, &options)?;
        let splits = match cached {
            Some(splits) => splits,
            None => source.open(&options, self.hooks.progress)?,
        };
        for rejected in &splits.rejected {
            self.warn(format!("left out: {}: {}", rejected.path.shown(), rejected.reason));
        }
        Ok(splits)
    }

    /// Returns the splits of a source of image files, through the cache where one is used.
    fn cached(
        &self,
        path: &Path,
        source: &Source<'_>,
        options: &Options,
    ) -> Result<Option<Splits>, DataError> {
        let policy = &self.config.cache;
        if *policy == CachePolicy::Off || !source.has_image_files() {
            return Ok(None);
        }
        let is_asked = matches!(policy, CachePolicy::In(_));
        if !is_asked && n_bytes(&source.files(options)?) < MANY_BYTES {
            return Ok(None);
        }
        let Some(folder) = policy.folder() else { return Ok(None) };
        let asked = self.asked(options, ContractChange::default());
        match Cache::new(&folder).open(path, &asked) {
            Ok((splits, entry)) => {
                if !entry.is_old {
                    self.note(format!(
                        "Decoded images are kept in {} (--no-cache: nowhere)",
                        folder.shown()
                    ));
                }
                Ok(Some(splits))
            }
            // An error of the images would come without a cache, too.
            Err(error @ (DataError::Folder(_) | DataError::Stopped)) => Err(error),
            Err(error) if is_asked => Err(DataError::Cache(Box::new(error))),
            Err(error) => {
                self.warn(format!("images are not cached: {error}"));
                Ok(None)
            }
        }
    }

    /// Returns the first of these splits that a path has, prepared by a contract. Image files without
    /// splits are one set.
    fn one_set(
        &self,
        path: &Path,
        contract: Option<&InputContract>,
        order: [SplitName; 3],
    ) -> Result<ImageSet, DataError> {
        let whole = FolderOptions { test_share: 0.0, ..self.folder_options(contract) };
        let mut splits = self.open(path, None, whole)?;
        let found = order.into_iter().find_map(|name| splits.take(name));
        let mut set = found.ok_or_else(|| none_in(path))?;
        if let Some(contract) = contract
            && set.is_bytes()
            && ImageShape::of(contract) != set.shape()
        {
            prepare(&mut set, contract.clone())?;
        }
        Ok(set)
    }

    /// Returns the images as streams of their files, or of the cache, when their features of
    /// `feature_bytes` each exceed `limit` bytes.
    fn streams(
        &self,
        limit: u64,
        feature_bytes: usize,
        training_memory: TrainingMemory<'_>,
    ) -> Result<Option<Streams>, DataError> {
        let config = self.config;
        config.check()?;
        let change = self.input().contract_change();
        let options = config.options(config.names.as_ref(), self.folder_options(None));
        if self.fits(limit, feature_bytes, &options, change, training_memory)? {
            return Ok(None);
        }
        let train = self.streamed(&config.data, &options, change, &[SplitName::Train])?;
        let train = train.ok_or_else(|| self.no_training())?;
        let contract = train.contract()?;
        let in_training_file = |split| match &config.names {
            Some(_) => Ok(None),
            None => self.streamed(&config.data, &options, change, &[split]),
        };
        let given = |path: &Path, names: Option<&Names>, splits: &[SplitName]| {
            let whole = FolderOptions { test_share: 0.0, ..self.folder_options(Some(&contract)) };
            let options = config.options(names, whole);
            let stream = self.streamed(path, &options, ContractChange::to(&contract), splits)?;
            stream.ok_or_else(|| none_in(path)).map(Some)
        };
        let (train_name, test_name) = (SplitName::Train, SplitName::Test);
        let test = match (&config.test, &config.test_names) {
            (None, None) => in_training_file(test_name)?,
            (path, names) => {
                let path = path.as_ref().unwrap_or(&config.data);
                given(path, names.as_ref(), &[test_name, SplitName::Validation, train_name])?
            }
        };
        let validation = match &config.validation {
            None => in_training_file(SplitName::Validation)?,
            Some(path) => given(path, None, &[SplitName::Validation, test_name, train_name])?,
        };
        let own_names = |stream: Stream| -> Result<Stream, DataError> {
            let (classes, map) = renamed(stream.classes(), &config.class_map)?;
            Ok(stream.with_classes(classes, &map))
        };
        let train = own_names(train)?;
        let test = test.map(own_names).transpose()?;
        let validation = validation.map(own_names).transpose()?;
        let all = [Some(&train), test.as_ref(), validation.as_ref()];
        let all = || all.iter().copied().flatten();
        let classes = shared(all().map(|stream| stream.classes().to_vec()).collect())?;
        let m = all().map(Images::len).sum();
        let others = test.iter().chain(&validation).map(Stream::least_memory).sum::<usize>();
        let for_training = training_memory(self.n_features(contract), classes.len(), m)
            .map_err(DataError::Estimate)?
            + others;
        let memory = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(for_training);
        if memory < train.least_memory() {
            let least = (for_training + train.least_memory()).div_ceil(1 << 20);
            return Err(DataError::Config(format!(
                "{}: training takes {least} MiB at least (the network, its batches and four blocks of \
                 images), --memory-limit allows {} MiB",
                config.data.shown(),
                limit >> 20
            )));
        }
        let named = |stream: Stream| {
            let map: Vec<_> = (0..stream.classes().len() as u32).collect();
            stream.with_classes(classes.clone(), &map)
        };
        Ok(Some(Streams {
            train: named(train.with_memory(memory)?),
            test: test.map(named),
            validation: validation.map(named),
        }))
    }

    /// Returns whether all images, as pixels and as features, fit in memory within the limit.
    fn fits(
        &self,
        limit: u64,
        feature_bytes: usize,
        options: &Options,
        change: ContractChange,
        training_memory: TrainingMemory<'_>,
    ) -> Result<bool, DataError> {
        let config = self.config;
        let (splits, classes) = Source::of(&config.data, options)?.split_infos(options)?;
        let (mut n_bytes, mut m, mut n_features) = (0_u64, 0, 0);
        for SplitInfo { shape, n, number, .. } in splits {
            let contract = change.apply(shape.contract()?);
            let n_values = contract.n_values();
            n_features = self.n_features(contract);
            let each = n_values * number.n_bytes() + n_features * feature_bytes;
            n_bytes = n_bytes.saturating_add((n as u64).saturating_mul(each as u64));
            m += n;
        }
        // Validation files are not opened: their size on disk is a lower bound.
        for path in config.test.iter().chain(&config.validation) {
            let packed = path.metadata().map_or(0, |metadata| metadata.len());
            n_bytes = n_bytes.saturating_add(packed.saturating_mul(1 + feature_bytes as u64));
        }
        let for_training =
            training_memory(n_features, classes.len(), m).map_err(DataError::Estimate)? as u64;
        Ok(n_bytes.saturating_add(for_training) <= limit)
    }

    /// Returns the first of these splits that a path has, as a stream of its file or of the cache.
    fn streamed(
        &self,
        path: &Path,
        options: &Options,
        change: ContractChange,
        splits: &[SplitName],
    ) -> Result<Option<Stream>, DataError> {
        let hdf5_options = hdf5::Options::default();
        let open = |path: &Path, names: Option<&Names>| -> Result<Option<Stream>, DataError> {
            if let Some(names) = names {
                return Stream::open(path, names, options.scale, &hdf5_options).map(Some);
            }
            for split in splits {
                let names = hdf5::of_course(split.word());
                match Stream::open(path, &names, options.scale, &hdf5_options) {
                    Err(DataError::Hdf5(Hdf5Error::Missing { .. })) => {}
                    stream => return stream.map(Some),
                }
            }
            Ok(None)
        };
        // Images in one HDF5 file that are already prepared need not be written again.
        if Source::of(path, options)?.is_hdf5_file() {
            let Some(stream) = open(path, options.names.as_ref())? else { return Ok(None) };
            let contract = stream.contract()?;
            if change.apply(contract.clone()) == contract {
                return Ok(Some(stream));
            }
        }
        let entry = self.as_hdf5(path, options, change, false)?;
        let whole = |stream: Option<Stream>| {
            let read = stream.as_ref().map(|stream| each_of_all(stream, &mut |_, _| ()));
            read.transpose().map(|_| stream)
        };
        // The entry is damaged: it is written again.
        open(&entry, None)
            .and_then(whole)
            .or_else(|_| open(&self.as_hdf5(path, options, change, true)?, None))
    }

    /// Returns the HDF5 file of the cache with the prepared images of a path; it is written when it is
    /// missing or `anew` is true.
    fn as_hdf5(
        &self,
        path: &Path,
        options: &Options,
        change: ContractChange,
        anew: bool,
    ) -> Result<PathBuf, DataError> {
        let Some(folder) = self.config.cache.folder() else {
            return Err(DataError::Config(format!(
                "{}: with a memory limit its images are kept prepared in a cache: --cache DIR",
                path.shown()
            )));
        };
        let cache = Cache::new(&folder);
        let asked = self.asked(options, change);
        let mut found = cache.entry(path, &asked)?;
        if anew && found.is_old {
            std::fs::remove_file(&found.path).map_err(crate::file::io(&found.path, "delete"))?;
            found = cache.entry(path, &asked)?;
        }
        let Entry { path: entry, is_old } = found;
        for rejected in Cache::rejected(path, &entry, options)? {
            self.warn(format!("left out: {}: {}", rejected.path.shown(), rejected.reason));
        }
        if !is_old {
            self.note(format!("Prepared images are kept in {}", folder.shown()));
        }
        Ok(entry)
    }
}

/// Returns the contract of the training images with the features and views of the configuration.
fn with_features(input: &InputConfig, train: &dyn Images) -> Result<InputContract, DataError> {
    let contract = train.contract()?;
    let InputConfig { features, views, standardize, .. } = *input;
    let mut contract = InputContract { features, views, ..contract };
    contract.check().map_err(ImageError::from)?;
    if standardize || features != FeatureKind::Pixels {
        contract.standardization = Some(standardization(train, &contract)?);
    }
    Ok(contract)
}

fn check_exists(path: &Path) -> Result<(), DataError> {
    // A dangling link counts as existing: opening it gives the better error.
    if path.exists() || path.is_symlink() {
        return Ok(());
    }
    Err(DataError::NoSource {
        path: path.into(),
        found: "no such file or folder".into(),
        looked_for: format!("a folder or a file of labelled images or numbers, or `{DRAWN}`"),
    })
}

/// Returns whether the examples differ from epoch to epoch.
fn is_drawn_anew(contract: &InputContract, augment: Option<AugmentConfig>) -> bool {
    contract.views > 1 || augment.is_some_and(|augment| !augment.is_off())
}

fn augmented<F: Real, I: Images + 'static>(
    images: I,
    contract: &InputContract,
    augment: Option<AugmentConfig>,
    seed: u64,
) -> Result<Box<dyn Examples<F>>, DataError> {
    if contract.height == 1 && augment.is_some_and(|augment| !augment.is_off()) {
        return Err(DataError::Mismatch {
            what: "augmentation (augment)".into(),
            expected: "images".into(),
            got: "rows of numbers".into(),
        });
    }
    let examples = FeatureExamples::<F, I>::new(images, contract)?;
    Ok(Box::new(examples.augmented(augment.unwrap_or_default(), seed)?))
}

/// Returns images in memory as training examples: augmented where that is asked for or the contract
/// has several views, else unchanged. Views that fit are computed once, not in each epoch.
///
/// # Errors
/// When the images do not fit the contract, or data other than images of bytes are to be augmented.
pub fn examples_to_train_on<F: Real>(
    images: ImageSet,
    contract: &InputContract,
    augment: Option<AugmentConfig>,
    seed: u64,
) -> Result<Box<dyn Examples<F>>, DataError> {
    if !is_drawn_anew(contract, augment) {
        return examples_to_judge_by(images, contract);
    }
    let examples = augmented(images, contract, augment, seed)?;
    let (m, n_views) = (examples.n_examples(), examples.n_views());
    let is_viewed_only = augment.is_none_or(|augment| augment.is_off());
    if is_viewed_only && views_fit::<F>(m, n_views, examples.n_features()) {
        return Ok(Box::new(ViewedExamples::read(&*examples, seed)?));
    }
    Ok(examples)
}

/// Returns images in memory as evaluation examples, with all views.
///
/// # Errors
/// When the images do not fit the contract.
pub fn examples_to_judge_by<F: Real>(
    images: ImageSet,
    contract: &InputContract,
) -> Result<Box<dyn Examples<F>>, DataError> {
    Ok(match contract.views {
        1 => Box::new(images.to_dataset::<F>(contract)?),
        _ => Box::new(FeatureExamples::new(images, contract)?),
    })
}

fn none_in(path: &Path) -> DataError {
    DataError::File {
        path: path.into(),
        what: "data".into(),
        expected: "images".into(),
        got: "none".into(),
    }
}

/// Returns the bytes of all files together; a file that cannot be read counts as empty.
fn n_bytes(files: &[PathBuf]) -> u64 {
    files.iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Resizes images to a contract; images that have its size are returned unchanged.
///
/// # Errors
/// When they cannot be resized, or would take more than 4 GiB.
pub fn prepare(set: &mut ImageSet, contract: InputContract) -> Result<(), DataError> {
    contract.check().map_err(ImageError::from)?;
    let bytes = (set.len() as u64).saturating_mul(contract.n_values() as u64);
    let limit = crate::Limits::default().max_bytes;
    if set.shape() != ImageShape::of(&contract) && bytes > limit {
        return Err(DataError::Mismatch {
            what: format!("{} images of {}", set.len(), ImageShape::of(&contract)),
            expected: format!(
                "{limit} bytes in memory at most (--memory-limit keeps them in a file)"
            ),
            got: format!("{bytes} bytes"),
        });
    }
    if let Cow::Owned(prepared) = set.prepared(&contract)? {
        *set = prepared;
    }
    set.set_contract(contract);
    Ok(())
}

/// The set without the examples of these numbers.
fn without(set: &ImageSet, exclude: &[usize]) -> Result<ImageSet, DataError> {
    if let Some(&i) = exclude.iter().find(|&&i| i >= set.len()) {
        return Err(DataError::Mismatch {
            what: "a training example to exclude".into(),
            expected: format!("a number from 0 to {}", set.len().saturating_sub(1)),
            got: i.to_string(),
        });
    }
    Ok(set.without(exclude))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_left_out_by_their_numbers() {
        let draw = || DrawOptions { n_train: 6, n_test: 2, ..DrawOptions::default() };
        let config = |exclude| DataConfig { drawn: Some(draw()), exclude, ..DataConfig::of(DRAWN) };
        let splits = |exclude| Loader::new(&config(exclude), Hooks::default()).splits();
        let all = splits(vec![]).expect("drawn images");
        let rest = splits(vec![4, 1]).expect("some of them");
        let train = all.train().expect("training images");
        assert_eq!(
            rest.train().expect("training images").pixels(),
            train.select(&[0, 2, 3, 5]).pixels()
        );
        let kept = rest.train().expect("training images");
        assert_eq!((0..4).map(|i| kept.number(i)).collect::<Vec<_>>(), [0, 2, 3, 5]);
        assert_eq!((kept.index_of(3), kept.index_of(4), train.index_of(6)), (Some(2), None, None));
        assert_eq!(rest.test().expect("test images").len(), 2);
        let error = splits(vec![6]).expect_err("no such image").to_string();
        assert!(error.contains("expected a number from 0 to 5"), "{error}");
        let file =
            DataConfig { exclude: vec![1], memory_limit: Some(ByteSize(1)), ..DataConfig::of("x") };
        assert!(file.check().is_err());
    }
}
