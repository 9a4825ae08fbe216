//! `dnn evaluate`.

use crate::console::{Console, interval, of_how_many, warn};
use crate::judge::{Answers, LabelledArgs, MeasuredAnswers, PredictorArgs};
use crate::output::{
    OutputKind, Rows, picture_name, rows_name, write_chart, write_charts, write_filled,
};
use crate::quality::{self, Majority};
use crate::ranks;
use crate::table;
use anyhow::{Context, ensure};
use dnn_core::metrics::{ClassReport, Confusion, Prediction, Quality};
use dnn_data::Shown;
use dnn_data::predictions::{PredictionRow, RowColumns, example_name};
use dnn_data::{ImageSet, SplitName};
use dnn_report::figures::quality_plots;
use dnn_report::{Arrangement, Tile, image_sheet};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code when the accuracy is below --require.
const NOT_MET: u8 = 1;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    predictor: PredictorArgs,
    #[command(flatten)]
    labelled: LabelledArgs,
    /// Write a picture of every misclassified image
    #[arg(long, value_name = "FILE.png", value_parser = picture_name)]
    mislabeled: Option<PathBuf>,
    /// Write a row an example to this file, .csv or .jsonl, as `dnn predict --out` does
    #[arg(long, value_name = "FILE", value_parser = rows_name)]
    predictions: Option<PathBuf>,
    /// Write the curves, the calibration and the confusion matrix into this folder, as SVG and PNG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Exit with 1 when the accuracy is below this share, for example 0.75
    #[arg(long, value_name = "F")]
    require: Option<f64>,
}

#[derive(Serialize)]
struct EvaluateReport<'a> {
    model: &'a Path,
    data: &'a Path,
    split: SplitName,
    correct: usize,
    total: usize,
    accuracy: f64,
    /// Wilson, 95 %.
    interval: [f64; 2],
    majority: Majority,
    cost: f64,
    #[serde(flatten)]
    quality: Quality,
    confusion: ConfusionTable<'a>,
    classes: Vec<ClassRow<'a>>,
    mislabeled: &'a [usize],
    mislabeled_details: Vec<Mislabeled<'a>>,
}

#[derive(Serialize)]
struct ConfusionTable<'a> {
    labels: &'a [String],
    rows: &'static str,
    columns: &'static str,
    counts: &'a [Vec<usize>],
}

#[derive(Serialize)]
struct ClassRow<'a> {
    class: &'a str,
    #[serde(flatten)]
    report: ClassReport,
}

#[derive(Serialize)]
struct Mislabeled<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(rename = "true")]
    truth: &'a str,
    predicted: &'a str,
    probability: f64,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(floor) = args.require {
        ensure!((0.0..=1.0).contains(&floor), "--require {floor}: expected a share from 0 to 1");
    }
    let (predictor, model_path) = args.predictor.read()?;
    let model = predictor.model();
    let split = args.labelled.split;
    let (images, data) = args.labelled.load(model, &model_path, console)?.into_images();
    let misfit = || format!("{} does not fit the model {}", data.shown(), model_path.shown());
    let set = args.labelled.prepared(&images, model, &model_path, console).with_context(misfit)?;
    let MeasuredAnswers { answers, confusion, quality } =
        MeasuredAnswers::of(&predictor, &set).with_context(misfit)?;
    let Answers { score, predictions, .. } = &answers;

    let classes = model.classes();
    let mislabeled: Vec<usize> =
        (0..set.len()).filter(|&i| predictions[i].class != set.labels()[i]).collect();
    let name = |class: u32| classes[class as usize].as_str();
    let (low, high) = score.wilson_interval();
    let rows: Vec<_> = (0..classes.len())
        .map(|i| ClassRow { class: &classes[i], report: confusion.class_report(i) })
        .collect();
    let met = args.require.is_none_or(|floor| score.accuracy() >= floor);
    let majority = Majority::of(predictions, set.labels(), classes);
    if !console.json {
        console.text(describe(&data, split, &answers, &majority, &quality, &confusion, &rows)?)?;
        console.text(list_mislabeled(&mislabeled))?;
    }
    let plots = (args.plots.as_ref())
        .map(|folder| (folder, quality_plots(&quality, classes, confusion.counts())));
    console.json(&EvaluateReport {
        model: &model_path,
        data: &data,
        split,
        correct: score.correct,
        total: score.total,
        accuracy: score.accuracy(),
        interval: [low, high],
        majority,
        cost: answers.cost,
        quality,
        confusion: ConfusionTable {
            labels: classes,
            rows: "true",
            columns: "predicted",
            counts: confusion.counts(),
        },
        classes: rows,
        mislabeled_details: mislabeled
            .iter()
            .map(|&index| Mislabeled {
                index: set.number(index),
                file: set.files().get(index).map(|file| file.display().to_string()),
                truth: name(set.labels()[index]),
                predicted: name(predictions[index].class),
                probability: predictions[index].probability,
            })
            .collect(),
        mislabeled: &mislabeled,
    })?;
    if let (false, Some(floor)) = (met, args.require) {
        warn(format!("the accuracy {:.4} is below the required {floor}", score.accuracy()));
    }
    if !ranks::is_first() {
        return Ok(ExitCode::SUCCESS);
    }
    // Last, because the judgement stands whatever becomes of its files.
    if let Some(path) = &args.predictions {
        let columns = answers.probabilities.as_slice().chunks_exact(classes.len());
        write_filled(OutputKind::Rows, path, true, |file| {
            Rows::write((path, file), RowColumns::of(classes), |rows| {
                for (i, probabilities) in columns.enumerate() {
                    let (example, true_class) = (example_name(&set, i), Some(set.labels()[i]));
                    let (set, fold) = (None, None);
                    rows.add(&PredictionRow { example, true_class, probabilities, set, fold })?;
                }
                Ok(())
            })
        })
        .context("the evaluation is complete, but not its predictions")?;
        console.text(format!("Written: {}", path.shown()))?;
    }
    if let Some(path) = &args.mislabeled {
        draw_mislabeled(path, &set, classes, predictions, &mislabeled, split)
            .context("the evaluation is complete, but not its picture")?;
        console.text(format!("Written: {}", path.shown()))?;
    }
    if let Some((folder, charts)) = plots {
        for path in write_charts(folder, &charts)
            .context("the evaluation is complete, but not its plots")?
        {
            console.text(format!("Written: {}", path.shown()))?;
        }
    }
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::from(NOT_MET) })
}

/// Returns the result as text.
fn describe(
    data: &Path,
    split: SplitName,
    answers: &Answers,
    majority: &Majority,
    quality: &Quality,
    confusion: &Confusion,
    rows: &[ClassRow<'_>],
) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let (data, score) = (data.shown(), answers.score);
    writeln!(out, "Data:      {data} ({split})")?;
    writeln!(out, "Accuracy:  {}, {}", of_how_many(score), interval(score))?;
    writeln!(out, "Majority:  {majority}")?;
    writeln!(out, "Cost:      {:.6}", answers.cost)?;
    writeln!(out, "{}", quality::lines(quality))?;
    let names: Vec<String> = rows.iter().map(|row| row.class.shown().to_string()).collect();
    writeln!(out, "{}", table::confusion(&names, confusion.counts()))?;
    writeln!(out)?;
    let share = |share: Option<f64>| share.map_or("-".into(), |s| format!("{s:.4}"));
    let rows: Vec<_> = (names.into_iter().zip(rows))
        .map(|(name, ClassRow { report, .. })| {
            let shares = [report.precision, report.recall, report.f1].map(share);
            [vec![name], shares.to_vec(), vec![report.support.to_string()]].concat()
        })
        .collect();
    writeln!(out, "{}", table::aligned(&["class", "precision", "recall", "F1", "images"], &rows))?;
    Ok(out)
}

fn list_mislabeled(indices: &[usize]) -> String {
    const SHOWN: usize = 50;
    if indices.is_empty() {
        return "Mislabeled images: none".into();
    }
    let shown: Vec<_> = indices.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if indices.len() > SHOWN { " …" } else { "" };
    format!("Mislabeled images ({}): {}{more}", indices.len(), shown.join(" "))
}

/// The course's print_mislabeled_images.
fn draw_mislabeled(
    path: &Path,
    set: &ImageSet,
    classes: &[String],
    predictions: &[Prediction],
    mislabeled: &[usize],
    split: SplitName,
) -> anyhow::Result<()> {
    let name = |class: u32| classes[class as usize].shown();
    let captions: Vec<Vec<String>> = mislabeled
        .iter()
        .map(|&i| {
            let Prediction { class, probability } = predictions[i];
            vec![
                match set.files().get(i).and_then(|file| file.file_name()) {
                    Some(file) => file.to_string_lossy().into_owned(),
                    None => format!("image {i}"),
                },
                format!("true: {}", name(set.labels()[i])),
                format!("predicted: {} {probability:.2}", name(class)),
            ]
        })
        .collect();
    let tiles: Vec<_> = mislabeled
        .iter()
        .zip(&captions)
        .map(|(&i, caption)| Tile { pixels: set.image(i), shape: set.shape(), caption })
        .collect();
    let title = format!(
        "{} of {} {} images are misclassified",
        mislabeled.len(),
        set.len(),
        match split {
            SplitName::Train | SplitName::Unsplit => "training",
            SplitName::Validation => "validation",
            SplitName::Test => "test",
        }
    );
    write_chart(path, &image_sheet(&title, &tiles, Arrangement::Grid)?, 1)
}
