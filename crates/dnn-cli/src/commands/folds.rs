//! `dnn train --folds K`: cross-validation.

use crate::console::{Console, argument, causes, interval, of_how_many, program, warn};
use crate::interrupt::{self, Interrupted};
use crate::progress::{self, Part};
use crate::run::{self, Destination, RunConfig, RunFolder};
use crate::source;
use crate::table;
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::Score;
use dnn_core::{Precision, Real};
use dnn_data::Shown;
use dnn_data::classes::check_classes;
use dnn_data::loader::examples_to_train_on;
use dnn_data::predictions::{
    PredictionRow, PredictionWriter, RowColumns, RowFormat, example_name, predictions_of,
    read_predictions,
};
use dnn_data::{ImageSet, SplitName, identity};
use dnn_report::Chart;
use dnn_report::figures::{IntervalRow, interval_plot};
use dnn_train::{Fold, FoldSummary, Folds, Observer, Trainable};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `folds.json`, which is also what `--json` prints. It is written anew after each fold.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FoldsReport {
    run: PathBuf,
    data: PathBuf,
    /// SHA-256 of the training images with their labels.
    data_hash: String,
    /// Folds asked for.
    pub(super) k: usize,
    /// The folds that were trained.
    pub(super) folds: Vec<Fold>,
    /// The folds whose training failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) failed: Vec<FailedFold>,
    /// The summary of the folds that were trained, when there are any.
    pub(super) summary: Option<FoldSummary>,
    /// 95 % interval of the pooled accuracy.
    interval: Option<(f64, f64)>,
    /// The configuration of the training of each fold.
    config: dnn_train::TrainConfig,
}

/// A fold whose training failed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FailedFold {
    /// Number of the fold, from 1.
    pub(super) fold: usize,
    pub(super) error: String,
}

impl FoldsReport {
    /// Reads the report in the folder `run`.
    pub(super) fn read(run: &Path) -> anyhow::Result<Self> {
        let file = run.join(run::FOLDS);
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.shown()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {}", file.shown()))
    }

    /// Returns whether there is a result of this fold.
    fn has(&self, number: usize) -> bool {
        self.folds.iter().any(|fold| fold.fold == number)
            || self.failed.iter().any(|fold| fold.fold == number)
    }

    /// Returns whether every fold was trained, or failed.
    pub(super) fn is_complete(&self) -> bool {
        (1..=self.k).all(|number| self.has(number))
    }

    /// The folds and all of them together, a line each.
    fn table(&self) -> String {
        let share = |score: Score| format!("{:.2} %", 100.0 * score.accuracy());
        let range = |score: Score| {
            let (low, high) = score.wilson_interval();
            format!("{:.2} to {:.2} %", 100.0 * low, 100.0 * high)
        };
        let row = |name: String, train: Option<Score>, validation: Score, cost: Option<f64>| {
            vec![
                name,
                train.map_or_else(String::new, share),
                share(validation),
                range(validation),
                cost.map_or_else(String::new, |cost| format!("{cost:.4}")),
            ]
        };
        let mut rows: Vec<_> = (self.folds.iter())
            .map(|fold| {
                let name = fold.fold.to_string();
                row(name, Some(fold.train), fold.validation, Some(fold.validation_cost))
            })
            .collect();
        rows.extend(self.summary.map(|summary| row("all".into(), None, summary.pooled, None)));
        table::aligned(&["fold", "training", "validation", "95 % interval", "cost"], &rows)
    }

    /// The validation accuracies with their intervals.
    fn picture(&self) -> Chart {
        let row = |name: String, score: Score, series| IntervalRow {
            name,
            value: Some(score.accuracy()),
            interval: Some(score.wilson_interval()),
            note: format!("{} of {}", score.correct, score.total),
            series,
        };
        let folds = self.folds.iter();
        let mut rows: Vec<_> =
            folds.map(|fold| row(format!("fold {}", fold.fold), fold.validation, 0)).collect();
        rows.extend(self.summary.map(|summary| row("all together".into(), summary.pooled, 1)));
        interval_plot("Accuracy of each fold", "validation accuracy", false, &rows)
    }

    fn write(&mut self, folder: &RunFolder) -> anyhow::Result<()> {
        if !self.folds.is_empty() {
            let summary = FoldSummary::of(&self.folds);
            self.interval = Some(summary.pooled.wilson_interval());
            self.summary = Some(summary);
        }
        let mut json = serde_json::to_vec_pretty(self).context("cannot write JSON")?;
        json.push(b'\n');
        folder.write(run::FOLDS, &json)
    }
}

/// Trains `k` folds as configured, in a new folder.
pub(super) fn run(
    config: &RunConfig,
    destination: Destination<'_>,
    k: usize,
    console: Console,
) -> anyhow::Result<ExitCode> {
    ensure!(config.from.is_none(), "from: folds start from drawn weights");
    ensure!(config.seeds.is_none(), "seeds: folds are of one seed; `dnn sweep` trains several");
    let train = load(config, console)?;
    dnn_train::check_folds(k, train.len())?;
    config.training.architecture(train.contract()?.n_features(), train.classes().len())?;
    // Before hours of training: the folder may be taken.
    let (folder, _) = destination.open()?;
    let folder = folder.context("folds are trained in one process")?;
    let source = config.source.as_ref().context("no data given")?;
    let report = FoldsReport {
        run: folder.path().into(),
        data: source.data.clone(),
        data_hash: identity(&train.contract()?, [&train as _])?,
        k,
        folds: Vec::new(),
        failed: Vec::new(),
        summary: None,
        interval: None,
        config: config.training.clone(),
    };
    train_missing(config, &folder, &train, report, console)
}

/// Trains the folds that are missing in a folder, whose configuration is `recorded`.
pub(super) fn resume(
    recorded: RunConfig,
    config: &RunConfig,
    folder: &RunFolder,
    console: Console,
) -> anyhow::Result<ExitCode> {
    let report = FoldsReport::read(folder.path())?;
    let begun = RunConfig { training: report.config.clone(), ..recorded };
    run::refuse_changes_of_series(&begun, config, folder.path())?;
    let train = load(config, console)?;
    let (then, now) = (&report.data_hash, identity(&train.contract()?, [&train as _])?);
    ensure!(
        *then == now,
        "{}: the folds are of other data: their hash was {then}, and is {now}",
        folder.path().shown()
    );
    train_missing(config, folder, &train, report, console)
}

fn load(config: &RunConfig, console: Console) -> anyhow::Result<ImageSet> {
    let source = config.source.as_ref().context("no data given")?;
    source::check_memory(source, &config.training)?;
    let Some(train) = source::load(source, console)?.take(SplitName::Train) else {
        bail!("{}: no training images, only test images", source.data.shown());
    };
    check_classes(&source.data, train.classes())?;
    Ok(train)
}

fn train_missing(
    config: &RunConfig,
    folder: &RunFolder,
    train: &ImageSet,
    mut report: FoldsReport,
    console: Console,
) -> anyhow::Result<ExitCode> {
    interrupt::listen()?;
    // In this order: killed between the two, the folder is not taken for a training in one go.
    report.write(folder)?;
    folder.write(run::CONFIG, config.to_toml()?.as_bytes())?;
    match config.training.precision.numbers() {
        Precision::F32 => train_folds::<f32>(config, folder, train, &mut report, console),
        Precision::F64 => train_folds::<f64>(config, folder, train, &mut report, console),
    }?;
    console.json(&report)?;
    let k = report.k;
    if let Some(FoldSummary { mean, deviation, pooled }) = report.summary {
        folder.write_chart([run::SERIES_SVG, run::SERIES_PNG], &report.picture(), || Ok(()))?;
        console.text(format!("\n{}", report.table()))?;
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
    }
    console.text(format!("Run folder: {}", folder.path().shown()))?;
    ensure!(
        report.failed.is_empty(),
        "{} of {k} folds came to no end; {} has the others",
        report.failed.len(),
        folder.file(run::FOLDS).shown()
    );
    if report.folds.is_empty() {
        bail!(Interrupted("before the first fold was done"));
    }
    if report.folds.len() == k {
        return Ok(ExitCode::SUCCESS);
    }
    warn(format!(
        "interrupted after {} of {k} folds; to go on: {} train --resume {}",
        report.folds.len(),
        program(),
        argument(folder.path())
    ));
    Ok(interrupt::exit_code())
}

fn train_folds<F: Trainable>(
    config: &RunConfig,
    folder: &RunFolder,
    train: &ImageSet,
    report: &mut FoldsReport,
    console: Console,
) -> anyhow::Result<()> {
    let contract = train.contract()?;
    let seed = config.training.seed;
    let examples = examples_to_train_on::<F>(train.clone(), &contract, config.augment, seed)?;
    let k = report.k;
    let folds = Folds::new(&config.training, &*examples, k)?;
    let mut fold_of = vec![0; train.len()];
    for number in 1..=k {
        folds.kept(number).iter().for_each(|&i| fold_of[i] = number);
    }
    let mut predictions = Predictions::read(folder, train, fold_of)?;
    let mut heard = Ok(());
    let missing = (1..=k).filter(|number| !report.has(*number)).count();
    let bar = progress::series_bar(console, missing);
    for number in 1..=k {
        if report.has(number) {
            continue;
        }
        bar.set_message(format!("fold {number} of {k}"));
        let mut part = Part::of(&bar);
        let observers: &mut [&mut dyn Observer] = &mut [&mut part, &mut interrupt::ends_training];
        let line = match folds.train_and_predict(number, observers) {
            Ok(Some((fold, judged))) => {
                let answers = judged.probabilities.map(Real::as_f64);
                predictions.add(folds.kept(number), answers.as_slice());
                predictions.write(folder, train)?;
                report.folds.push(fold);
                report.folds.sort_by_key(|fold| fold.fold);
                format!(
                    "Fold {number} of {k}: validation {}, training {:.2} %",
                    of_how_many(fold.validation),
                    100.0 * fold.train.accuracy()
                )
            }
            Ok(None) => break,
            Err(error) => {
                let error = causes(&error).join(": ");
                let line = format!("Fold {number} of {k} came to no end: {error}");
                report.failed.push(FailedFold { fold: number, error });
                line
            }
        };
        part.finish();
        report.write(folder)?;
        // Training does not end because its reader has gone.
        if heard.is_ok() {
            heard = bar.suspend(|| console.say(line));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The out-of-sample predictions of the networks that have been trained so far.
struct Predictions {
    n_classes: usize,
    /// The probabilities of each example.
    probabilities: Vec<Option<Vec<f64>>>,
    /// The number of the fold of each example, from 1.
    fold_of: Vec<usize>,
}

impl Predictions {
    /// Reads the predictions that are in the folder.
    fn read(folder: &RunFolder, train: &ImageSet, fold_of: Vec<usize>) -> anyhow::Result<Self> {
        let path = folder.file(run::PREDICTIONS);
        let mut probabilities = vec![None; train.len()];
        if path.is_file() {
            let failed = || format!("cannot read {}", path.shown());
            let rows = BufReader::new(File::open(&path).with_context(failed)?);
            let rows = read_predictions(rows, train.classes()).with_context(failed)?;
            probabilities = predictions_of(rows, train).with_context(failed)?;
        }
        Ok(Self { n_classes: train.classes().len(), probabilities, fold_of })
    }

    /// Adds the probabilities of these examples, those of one after those of another.
    fn add(&mut self, examples: &[usize], probabilities: &[f64]) {
        for (&example, p) in examples.iter().zip(probabilities.chunks_exact(self.n_classes)) {
            self.probabilities[example] = Some(p.to_vec());
        }
    }

    fn write(&self, folder: &RunFolder, train: &ImageSet) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        let columns = RowColumns { folds: true, ..RowColumns::of(train.classes()) };
        let mut rows = PredictionWriter::new(&mut bytes, RowFormat::Csv, columns)?;
        for (i, probabilities) in self.probabilities.iter().enumerate() {
            if let Some(probabilities) = probabilities {
                let (example, true_class) = (example_name(train, i), Some(train.labels()[i]));
                let (set, fold) = (None, Some(self.fold_of[i]));
                rows.write(&PredictionRow { example, true_class, probabilities, set, fold })?;
            }
        }
        rows.finish()?;
        folder.write(run::PREDICTIONS, &bytes)
    }
}
