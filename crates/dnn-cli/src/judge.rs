//! A model's answers on labelled images: what the subcommands that judge models share.

use crate::args::{DrawArgs, NameArgs};
use crate::choice::choice;
use crate::console::{Console, printable};
use crate::input::{CacheArgs, FilesArgs};
use crate::source::{Source, Split};
use anyhow::ensure;
use dnn_core::metrics::{Prediction, Score, brier_score, log_loss};
use dnn_core::{Network, Real};
use dnn_data::ImageSet;
use dnn_data::{AnyNetwork, InputContract, Model};
use dnn_train::{Evaluation, Trainable};
use nalgebra::DMatrix;
use std::path::PathBuf;

/// Which labelled images.
#[derive(Debug, clap::Args)]
pub(crate) struct LabelledArgs {
    /// A folder or file of labelled images or numbers, or `drawn`
    pub(crate) data: PathBuf,
    /// Which images of the data
    #[arg(long, value_name = "SPLIT", value_parser = choice(&Split::ALL), default_value = "test")]
    pub(crate) split: Split,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    draw: DrawArgs,
    #[command(flatten)]
    files: FilesArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

impl LabelledArgs {
    /// The images of the split that was asked for; image files are prepared by the contract.
    ///
    /// # Errors
    /// What is wrong with the data, or that it has no such images.
    pub(crate) fn load(
        &self,
        contract: &InputContract,
        console: Console,
    ) -> anyhow::Result<ImageSet> {
        let mut source = Source::new(&self.data, &self.names, &self.draw)?;
        source.input = self.files.change(None);
        source.caching = self.cache.caching();
        let splits = source.load_for(Some(contract), console)?;
        // Datasets that were named are what is meant, whatever the split is called.
        let split = if self.names.x.is_some() { Split::Train } else { self.split };
        split.of(splits, &self.data)
    }
}

/// What a model says of labelled images.
#[derive(Debug)]
pub(crate) struct Answers {
    /// (n_classes, m).
    pub(crate) probabilities: DMatrix<f64>,
    pub(crate) predictions: Vec<Prediction>,
    pub(crate) score: Score,
    pub(crate) cost: f64,
    /// Of the probabilities in the network's own precision, as are those below.
    pub(crate) log_loss: Option<f64>,
    pub(crate) brier_score: Option<f64>,
}

impl Answers {
    /// Applies a model to images, prepared by its contract.
    ///
    /// # Errors
    /// When they cannot be, or have other classes.
    pub(crate) fn of(model: &Model, set: &ImageSet) -> anyhow::Result<Self> {
        check_classes(model, set)?;
        match model.network() {
            AnyNetwork::F32(network) => answers(network, model.input(), set),
            AnyNetwork::F64(network) => answers(network, model.input(), set),
        }
    }
}

fn answers<F: Trainable>(
    network: &Network<F>,
    contract: &InputContract,
    set: &ImageSet,
) -> anyhow::Result<Answers> {
    let data = set.prepared(contract)?.to_dataset::<F>(contract)?;
    let Evaluation { probabilities, score, predictions, cost } =
        dnn_train::evaluate(network, &data)?;
    Ok(Answers {
        score,
        predictions,
        cost,
        log_loss: log_loss(&probabilities, set.labels()),
        brier_score: brier_score(&probabilities, set.labels()),
        probabilities: probabilities.map(Real::as_f64),
    })
}

/// Labels are only worth comparing when both sides mean the same by them.
fn check_classes(model: &Model, set: &ImageSet) -> anyhow::Result<()> {
    let (ours, theirs) = (model.classes(), set.classes());
    ensure!(
        may_be_same(ours, theirs) && theirs.len() <= ours.len(),
        "the images have the classes {}, the model {}: it was trained for something else",
        list(theirs),
        list(ours)
    );
    Ok(())
}

/// Whether the names are the same, or one side has none.
pub(crate) fn may_be_same(a: &[String], b: &[String]) -> bool {
    let unnamed = |names: &[String]| names.iter().enumerate().all(|(i, n)| *n == i.to_string());
    a == b || unnamed(a) || unnamed(b)
}

/// The first names of the classes.
pub(crate) fn list(classes: &[String]) -> String {
    const SHOWN: usize = 8;
    let names: Vec<_> = classes.iter().take(SHOWN).map(|name| printable(name)).collect();
    let more = if classes.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
