//! The answers of a model on labelled images: the part that the subcommands which judge models
//! share.

use crate::args::{DataArgs, ModelArg, choice};
use crate::console::{Console, warn};
use crate::input::{CacheArgs, FileFlags};
use crate::ranks;
use crate::run::{self, RunConfig};
use crate::settings::Flags;
use crate::source::{self, split_of};
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::{Confusion, Prediction, Quality, Score};
use dnn_core::{Network, Real};
use dnn_data::Shown;
use dnn_data::classes::match_classes;
use dnn_data::loader::DataConfig;
use dnn_data::{AnyNetwork, ImageSet, Model, Predictor, Split, SplitName, Splits};
use dnn_train::{Evaluation, Trainable};
use nalgebra::DMatrix;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The arguments of a model and of its prediction.
#[derive(Debug, clap::Args)]
pub(crate) struct PredictorArgs {
    #[command(flatten)]
    model: ModelArg,
    /// Views of each image (2 adds its mirror image, 12 five crops as well) whose probabilities are
    /// averaged [default: as the model was trained]
    #[arg(long, value_name = "N")]
    views: Option<u32>,
}

impl PredictorArgs {
    /// Reads the model; returns it with the path of its file.
    ///
    /// # Errors
    /// When the file cannot be used, or the model's inputs do not have so many views.
    pub(crate) fn read(&self) -> anyhow::Result<(Predictor, PathBuf)> {
        let (model, path) = run::read_model(&self.model.model)?;
        let predictor = Predictor::new(model)?;
        let predictor = match self.views {
            Some(views) => predictor.with_views(views).context("--views")?,
            None => predictor,
        };
        Ok((predictor, path))
    }
}

/// The arguments that say which labelled images a model is judged by.
#[derive(Debug, clap::Args)]
pub(crate) struct LabelledArgs {
    /// A folder or file of labelled images or numbers, or `drawn` [default: the data of the run]
    data: Option<PathBuf>,
    /// Which images of the data
    #[arg(long, value_name = "SPLIT", value_parser = choice(&SplitName::ALL), default_value = "test")]
    pub(crate) split: SplitName,
    #[command(flatten)]
    of_data: DataArgs,
    /// Judge images of another size or colour than the model's input although its classes are
    /// numbers, which do not say what the images should show
    #[arg(long)]
    any_size: bool,
    #[command(flatten)]
    files: Flags<FileFlags>,
    #[command(flatten)]
    cache: CacheArgs,
}

/// Labelled images with the place they come from.
pub(crate) struct Labelled {
    pub(crate) data: PathBuf,
    /// The path that was read, or "drawn".
    pub(crate) source: DataConfig,
    /// All splits of the data, with the classes of the model.
    pub(crate) splits: Splits,
    /// The split that was asked for, which is one of them.
    pub(crate) split: SplitName,
}

impl Labelled {
    /// Returns the images of the split that was asked for.
    pub(crate) fn images(&self) -> &ImageSet {
        self.splits.get(self.split).expect("what was loaded has the split that was asked for")
    }

    /// Returns the images of the split that was asked for, and where they come from; drops the others.
    pub(crate) fn into_images(mut self) -> (ImageSet, PathBuf) {
        let images = self.splits.take(self.split);
        (images.expect("what was loaded has the split that was asked for"), self.data)
    }
}

impl LabelledArgs {
    /// Returns the images of the split that was asked for, with the classes of the model; image
    /// files are prepared by its contract.
    ///
    /// The data are read as in the run of the model, unless flags say otherwise, so that images
    /// which it was trained on are not taken for test images.
    ///
    /// # Errors
    /// When the data cannot be read, have no such split, or have other classes.
    pub(crate) fn load(
        &self,
        model: &Model,
        model_path: &Path,
        console: Console,
    ) -> anyhow::Result<Labelled> {
        let of_run = data_of_run(model_path)?;
        let mut source = self.source(of_run.as_ref(), model_path)?;
        self.files.check(&source)?;
        source.input = self.files.change(source.input.take())?;
        source.cache = self.cache.caching(&source)?;
        source.check()?;
        let mut splits = match source::load_for(&source, model.input(), console) {
            Err(error) if self.data.is_none() => Err(error.context(format!(
                "{}: cannot read the data of its run; when they are elsewhere now, name them after the model",
                model_path.shown()
            ))),
            loaded => loaded,
        }?;
        // Datasets that were named are what is meant, whatever the split is called.
        let is_named = self.of_data.names.any();
        let split = if is_named { SplitName::Train } else { self.split };
        let data = source.data.clone();
        let path = splits.path(split).map(Path::to_owned);
        let images = split_of(split, &mut splits, &data)?;
        // Data without splits are the training set, where that was asked for.
        splits.insert(Split { name: split, images, path });
        let misfit = || format!("{} does not fit the model {}", data.shown(), model_path.shown());
        let matched = |images| match_classes(images, model.classes());
        let splits = splits.try_map(matched).with_context(misfit)?;
        if let Some(run) = of_run {
            if run.is_drawn() && !source.is_drawn() {
                console.note("The model was trained on drawn images; these are others");
            }
            let drawn_apart = |data: &DataConfig| {
                let input = data.input.clone().unwrap_or_default();
                (input.test_share, input.split_seed)
            };
            if run.data == std::path::absolute(&data).unwrap_or_default()
                && drawn_apart(&run) != drawn_apart(&source)
            {
                warn(format!(
                    "warning: {} was trained on another division of these images: some that are \
                     judged here may be among those it has seen",
                    model_path.shown()
                ));
            }
        }
        Ok(Labelled { data, source, splits, split })
    }

    /// Returns the images prepared for a model; a note says when they were resized.
    ///
    /// # Errors
    /// When they cannot be prepared. Also when the model's classes are numbers, which other data have as well,
    /// the images have another size or colour, are not the data of its run, and neither `--any-size` nor
    /// `--class-map` is given.
    pub(crate) fn prepared<'a>(
        &self,
        set: &'a ImageSet,
        model: &Model,
        path: &Path,
        console: Console,
    ) -> anyhow::Result<Cow<'a, ImageSet>> {
        let prepared = set.prepared(model.input())?;
        if let Cow::Owned(resized) = &prepared {
            let is_number = |class: &String| class.bytes().all(|byte| byte.is_ascii_digit());
            let own = data_of_run(path)?;
            let data = self.data.as_deref().map(std::path::absolute).transpose()?;
            let is_own = data.is_none_or(|data| own.is_some_and(|own| own.data == data));
            ensure!(
                is_own
                    || self.any_size
                    || !self.of_data.class_map.is_empty()
                    || !model.classes().iter().all(is_number),
                "the images are {}, the input of the model is {}, and its classes are numbers, which \
                 do not say what the images should show: these may be other data; if they are not, \
                 --any-size judges them",
                set.shape(),
                resized.shape()
            );
            console.note(format!(
                "The images are {}; for {} they are made {}, as `dnn predict` does",
                set.shape(),
                path.shown(),
                resized.shape()
            ));
        }
        Ok(prepared)
    }

    fn source(&self, of_run: Option<&DataConfig>, model: &Path) -> anyhow::Result<DataConfig> {
        let Some(data) = &self.data else {
            let Some(run) = of_run else {
                bail!("{}: not of a run, so its data are not known: name DATA", model.shown());
            };
            return source::changed(run.clone(), &self.of_data);
        };
        let mut source = source::named(data, &self.of_data)?;
        let Some(run) = of_run else { return Ok(source) };
        if !source.is_drawn() {
            source.input.clone_from(&run.input);
        }
        let is_same = std::path::absolute(data).is_ok_and(|data| data == run.data);
        if is_same && !self.of_data.names.any() {
            let mut same = run.clone();
            same.data.clone_from(data);
            return source::changed(same, &self.of_data);
        }
        Ok(source)
    }
}

/// Returns the data that the run of a model was trained on; `None` when the model is not in the
/// folder of a run.
pub(crate) fn data_of_run(model: &Path) -> anyhow::Result<Option<DataConfig>> {
    let config = model.parent().unwrap_or(Path::new("")).join(run::CONFIG);
    if !config.is_file() {
        return Ok(None);
    }
    let mut source = RunConfig::read(&config)?.source;
    if let Some(source) = &mut source {
        // What is judged is in memory.
        source.memory_limit = None;
    }
    Ok(source)
}

/// The answers of a model on labelled images.
#[derive(Debug)]
pub(crate) struct Answers {
    /// (n_classes, m).
    pub(crate) probabilities: DMatrix<f64>,
    pub(crate) predictions: Vec<Prediction>,
    /// By the probabilities in the network's own precision, as is the cost.
    pub(crate) score: Score,
    pub(crate) cost: f64,
}

impl Answers {
    /// Applies a model to images, prepared by its contract.
    ///
    /// # Errors
    /// When they cannot be prepared, or have other classes.
    pub(crate) fn of(predictor: &Predictor, set: &ImageSet) -> anyhow::Result<Self> {
        Ok(match predictor.model().network() {
            AnyNetwork::F32(network) => evaluation(network, predictor, set)?.into(),
            AnyNetwork::F64(network) => evaluation(network, predictor, set)?.into(),
        })
    }
}

impl<F: Real> From<Evaluation<F>> for Answers {
    fn from(evaluation: Evaluation<F>) -> Self {
        let Evaluation { probabilities, score, predictions, cost } = evaluation;
        Self { probabilities: probabilities.map(Real::as_f64), predictions, score, cost }
    }
}

/// The answers of a model on labelled images, with all that is measured of them.
#[derive(Debug)]
pub(crate) struct MeasuredAnswers {
    pub(crate) answers: Answers,
    pub(crate) confusion: Confusion,
    /// By the probabilities in the network's own precision.
    pub(crate) quality: Quality,
}

impl MeasuredAnswers {
    /// Applies a model to images, prepared by its contract, and measures its answers.
    ///
    /// # Errors
    /// When they cannot be prepared, or have other classes.
    pub(crate) fn of(predictor: &Predictor, set: &ImageSet) -> anyhow::Result<Self> {
        match predictor.model().network() {
            AnyNetwork::F32(network) => Self::of_network(network, predictor, set),
            AnyNetwork::F64(network) => Self::of_network(network, predictor, set),
        }
    }

    fn of_network<F: Trainable>(
        network: &Network<F>,
        predictor: &Predictor,
        set: &ImageSet,
    ) -> anyhow::Result<Self> {
        let evaluation = evaluation(network, predictor, set)?;
        let classes = predictor.classes();
        Ok(Self {
            confusion: Confusion::of(&evaluation.predictions, set.labels(), classes.len()),
            quality: Quality::of(&evaluation.probabilities, set.labels(), classes),
            answers: evaluation.into(),
        })
    }
}

fn evaluation<F: Trainable>(
    network: &Network<F>,
    predictor: &Predictor,
    set: &ImageSet,
) -> anyhow::Result<Evaluation<F>> {
    let data = predictor.examples::<F, _>(set)?;
    let evaluation = dnn_train::evaluate_on_ranks(network, &data, ranks::communicator())?;
    ensure!(
        evaluation.probabilities.iter().all(|p| p.as_f64().is_finite()),
        "the model gives answers that are no numbers (NaN): it cannot be judged"
    );
    Ok(evaluation)
}

/// Lists the first names of the classes.
pub(crate) fn list(classes: &[String]) -> String {
    const SHOWN: usize = 8;
    let names: Vec<_> = classes.iter().take(SHOWN).map(|name| name.shown()).collect();
    let more = if classes.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
