//! `dnn train --folds K`: cross-validation.

use super::train::Place;
use crate::console::{Console, interval, of_how_many};
use crate::interrupt::{self, Interrupted};
use crate::run::{self, RunConfig};
use anyhow::{Context, bail};
use dnn_core::{Examples, Precision};
use dnn_data::augment::AugmentedExamples;
use dnn_data::{ImageSet, Splits};
use dnn_train::{Fold, FoldSummary, Observer, Trainable, cross_validate};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// `folds.json`, which is also what `--json` prints.
#[derive(Serialize)]
struct Report {
    run: PathBuf,
    data: PathBuf,
    folds: Vec<Fold>,
    summary: FoldSummary,
    /// 95 % interval of the pooled accuracy.
    interval: (f64, f64),
}

pub(super) fn run(
    config: &RunConfig,
    place: &Place<'_>,
    k: usize,
    console: Console,
) -> anyhow::Result<ExitCode> {
    let source = config.source.as_ref().context("no data given")?;
    let Splits { train: Some(train), .. } = source.load(console)? else {
        bail!("{}: no training images, only test images", source.data.display());
    };
    dnn_train::check_folds(k, train.len())?;
    config.training.architecture(train.contract()?.n_features(), train.classes().len())?;
    // Before hours of training: the folder may be taken.
    let folder = place.open()?;
    folder.write(run::CONFIG, config.to_toml()?.as_bytes())?;
    interrupt::listen()?;
    let folds = match config.training.precision {
        Precision::F32 => train_folds::<f32>(config, &train, k, console),
        Precision::F64 => train_folds::<f64>(config, &train, k, console),
    }?;
    if folds.is_empty() {
        bail!(Interrupted("before the first fold was done"));
    }
    let summary = FoldSummary::of(&folds);
    let report = Report {
        run: folder.path().into(),
        data: source.data.clone(),
        folds,
        summary,
        interval: summary.pooled.wilson_interval(),
    };
    let mut json = serde_json::to_vec_pretty(&report).context("cannot write JSON")?;
    json.push(b'\n');
    folder.write(run::FOLDS, &json)?;
    console.json(&report)?;
    let FoldSummary { mean, deviation, pooled } = summary;
    console.text(format!(
        "\n{} of {k} folds: accuracy {:.2} % on average, standard deviation {:.2} points",
        report.folds.len(),
        100.0 * mean,
        100.0 * deviation
    ))?;
    console.text(format!("All together: {}, {}", of_how_many(pooled), interval(pooled)))?;
    console.text(format!(
        "One image is {:.2} points. Each image was judged by the network that had not seen it.",
        100.0 / pooled.total as f64
    ))?;
    console.text(format!("Run folder: {}", folder.path().display()))?;
    Ok(if report.folds.len() < k { interrupt::exit_code() } else { ExitCode::SUCCESS })
}

fn train_folds<F: Trainable>(
    config: &RunConfig,
    train: &ImageSet,
    k: usize,
    console: Console,
) -> anyhow::Result<Vec<Fold>> {
    let contract = train.contract()?;
    let examples: Box<dyn Examples<F>> = match config.augment.filter(|a| !a.is_off()) {
        Some(augment) => {
            let seed = config.training.seed;
            Box::new(AugmentedExamples::new(train.clone(), &contract, augment, seed)?)
        }
        None => Box::new(train.to_dataset::<F>(&contract)?),
    };
    let observers: &mut [&mut dyn Observer] = &mut [&mut interrupt::ends_training];
    let mut heard = Ok(());
    let folds = cross_validate(&config.training, &*examples, k, observers, |fold| {
        let Fold { fold: number, train, validation, validation_cost, .. } = fold;
        let line = format!(
            "Fold {number} of {k}: validation {}, cost {validation_cost:.6}; training {}",
            of_how_many(*validation),
            of_how_many(*train)
        );
        // Training does not end because its reader has gone.
        if heard.is_ok() {
            heard = console.say(line);
        }
    });
    folds.context("cross-validation came to no end")
}
