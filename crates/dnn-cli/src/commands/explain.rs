//! `dnn explain`.

use crate::console::{Console, argument, program};
use crate::judge::{Answers, Labelled, LabelledArgs, PredictorArgs};
use crate::output::write_charts;
use crate::run::{CONFIG, PREDICTIONS};
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::Score;
use dnn_data::audit::{Audit, ImageRef, Leak, Listed};
use dnn_data::augment::perturbation;
use dnn_data::predictions::{predictions_of, read_predictions};
use dnn_data::{ImageSet, Predictor, Shown, SplitName, open_file};
use dnn_report::causes::{self, CauseFinding, Intervention, Observations, Simplified};
use dnn_report::explanation::{
    self, Explanation, MapChecks, SaliencyMaps, Subject, audit_of, image_name,
};
use dnn_report::factors::{FactorTable, FactorsError};
use dnn_report::suspects::{MAX_LISTED, Suspect};
use dnn_report::words::p_text;
use nalgebra::DMatrix;
use serde::Serialize;
use std::fmt::Write;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The table of causes that is looked for beside the data.
const CAT_CAUSES: &str = "cat_causes.csv";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    predictor: PredictorArgs,
    #[command(flatten)]
    labelled: LabelledArgs,
    #[command(flatten)]
    causes: CauseArgs,
    /// Write the pictures into this folder, as SVG and PNG
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The flags that say where the causes of error are known from.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct CauseArgs {
    /// Which causes each image has: a table with the columns set and index, or file, and one for each
    /// cause (0, 1, or 0.5 for unsure) [default: cat_causes.csv beside the data]
    #[arg(long, value_name = "FILE.csv")]
    factors: Option<PathBuf>,
    /// Predictions of the training images by networks that have not seen them: predictions.csv of `dnn
    /// train --folds` [default: the one beside the model, or in RUN-folds beside the run]
    #[arg(long, value_name = "FILE.csv")]
    predictions: Option<PathBuf>,
    /// Change at most this many images, chosen at random
    #[arg(long, value_name = "N", default_value_t = 400,
          value_parser = clap::value_parser!(u64).range(1..))]
    images: u64,
}

#[derive(Serialize)]
struct ExplainReport<'a> {
    model: &'a Path,
    data: &'a Path,
    split: SplitName,
    words: &'a [String],
    limits: &'a [String],
    correct: usize,
    total: usize,
    accuracy: f64,
    causes: Vec<CauseFinding>,
    interventions: Vec<InterventionRow<'a>>,
    observations: Option<ObservationReport<'a>>,
    simplified: Vec<SimplifiedRow>,
    occlusion: Vec<MapPeak>,
    integrated_gradients: Vec<MapPeak>,
    deletion_advantage: Option<f64>,
    map_checks: Option<MapChecks>,
    suspects: Option<&'a [Suspect]>,
    /// Test images that are, or nearly are, training images.
    near_duplicates: &'a Listed<Leak>,
}

#[derive(Serialize)]
struct InterventionRow<'a> {
    cause: &'static str,
    change: &'static str,
    n: usize,
    original: causes::StrengthPoint,
    steps: &'a [causes::StrengthPoint],
    pairs: dnn_core::metrics::PairedScore,
    p_value: Option<f64>,
}

#[derive(Serialize)]
struct ObservationReport<'a> {
    factors: Option<&'a Path>,
    n: usize,
    n_errors: usize,
    n_without_row: usize,
    model: causes::JointModel,
    causes: Vec<ObservationRow<'a>>,
}

#[derive(Serialize)]
struct ObservationRow<'a> {
    cause: &'a str,
    n_with: usize,
    errors_with: usize,
    n_without: usize,
    errors_without: usize,
    /// Of the joint model, with its 95 % interval.
    odds_ratio: Option<[f64; 3]>,
    p_value: Option<f64>,
}

#[derive(Serialize)]
struct SimplifiedRow {
    left: causes::Simplification,
    correct: usize,
    total: usize,
    accuracy: f64,
    p_value: f64,
}

/// The peak of the saliency map of a misclassified image.
#[derive(Serialize)]
struct MapPeak {
    index: usize,
    /// Row and column of the pixel that speaks most for the answer.
    peak: [usize; 2],
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(out) = &args.out {
        ensure!(
            !out.exists() || out.is_dir(),
            "cannot make the folder {}: a file has that name",
            out.shown()
        );
    }
    let (predictor, model_path) = args.predictor.read()?;
    let labelled = args.labelled.load(predictor.model(), &model_path, console)?;
    let set = args
        .labelled
        .prepared(labelled.images(), predictor.model(), &model_path, console)?
        .into_owned();
    let answers = Answers::of(&predictor, &set)?;
    let judged = (&set, &answers);
    let found = explain(&predictor, &model_path, &labelled, judged, &args.causes, console)?;
    let audit = audit_of(&labelled.splits)?;
    if !console.json {
        console.text(describe(&found, &audit, &labelled)?.trim_end())?;
    }
    if let Some(folder) = &args.out {
        for path in write_charts(folder, &found.pictures(&set)?)? {
            console.text(format!("Written: {}", path.shown()))?;
        }
    }
    let score = answers.score;
    let factors = factor_file(&args.causes, &labelled);
    let width = set.shape().width;
    console.json(&ExplainReport {
        model: &model_path,
        data: &labelled.data,
        split: labelled.split,
        words: &found.words,
        limits: &found.limits,
        correct: score.correct,
        total: score.total,
        accuracy: score.accuracy(),
        causes: CauseFinding::list(&found.interventions, found.observations.as_ref()),
        interventions: found
            .interventions
            .iter()
            .map(|one| intervention_row(one, &labelled))
            .collect(),
        observations: (found.observations.as_ref())
            .map(|all| observation_report(&found, all, factors.as_deref())),
        simplified: found.simplified.iter().map(simplified_row).collect(),
        occlusion: map_peaks(&found, width, |maps| Some(&maps.occlusion)),
        integrated_gradients: map_peaks(&found, width, |maps| maps.gradients.as_ref()),
        deletion_advantage: found.map_checks.map(|checks| checks.occlusion_advantage),
        map_checks: found.map_checks,
        suspects: found.suspects.as_deref(),
        near_duplicates: &audit.leaks,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Finds out why a model fails on the labelled images, given as it takes them with its answers.
///
/// # Errors
/// When the images are no pictures, a table does not fit, or the model gives no answer.
pub(crate) fn explain(
    predictor: &Predictor,
    model_path: &Path,
    labelled: &Labelled,
    (set, answers): (&ImageSet, &Answers),
    args: &CauseArgs,
    console: Console,
) -> anyhow::Result<Explanation> {
    let Labelled { data, source, splits, split } = labelled;
    let contract = predictor.model().input();
    let out_of_fold = out_of_fold(predictor, model_path, labelled, args)?;
    let factors = factor_file(args, labelled).map(|path| factor_table(&path)).transpose()?;
    let subject = Subject {
        splits,
        split: *split,
        prepared: set,
        drawn_seed: source.drawn.as_ref().map(|drawn| drawn.seed),
        probabilities: &answers.probabilities,
        out_of_fold: out_of_fold.as_ref(),
        factors: factors.as_ref(),
        max_changed: args.images as usize,
    };
    let ask = |images: &ImageSet| -> anyhow::Result<DMatrix<f64>> {
        let prepared = images.prepared(contract)?;
        Ok(Answers::of(predictor, &prepared)?.probabilities)
    };
    let found =
        explanation::explain(predictor, &subject, ask).map_err(|error| {
            match factor_file(args, labelled).filter(|_| error.is::<FactorsError>()) {
                Some(path) => error.context(path.shown().to_string()),
                None => error.context(data.shown().to_string()),
            }
        })?;
    if let Some(why) = found.no_suspects {
        console.note(why);
    }
    if found.n_unjudged > 0 {
        let folds = folds_of(model_path);
        let config = folds.config.is_file();
        console.note(format!(
            "{} training images have known causes, too: they are counted when there are predictions by \
             networks that were not trained on them, which {} writes",
            found.n_unjudged,
            if config {
                format!(
                    "`{} train --config {} --folds 10 --out {}`",
                    program(),
                    argument(&folds.config),
                    argument(&folds.folder)
                )
            } else {
                "`dnn train --folds`".into()
            }
        ));
    }
    Ok(found)
}

/// The files that out-of-sample predictions of a run's model are made from, and where they are looked for.
struct FoldsOfRun {
    config: PathBuf,
    /// RUN-folds, beside the run.
    folder: PathBuf,
}

fn folds_of(model_path: &Path) -> FoldsOfRun {
    let run = model_path.parent().unwrap_or(Path::new(""));
    let mut folder = run.as_os_str().to_owned();
    folder.push("-folds");
    FoldsOfRun { config: run.join(CONFIG), folder: folder.into() }
}

/// The out-of-sample predictions of the training images: those that were named, or are where `dnn
/// explain` says that they are to be put.
fn out_of_fold(
    predictor: &Predictor,
    model_path: &Path,
    labelled: &Labelled,
    args: &CauseArgs,
) -> anyhow::Result<Option<DMatrix<f64>>> {
    let beside = model_path.with_file_name(PREDICTIONS);
    let own = [beside, folds_of(model_path).folder.join(PREDICTIONS)];
    let found = args.predictions.as_ref().or_else(|| own.iter().find(|path| path.is_file()));
    let Some(path) = found else { return Ok(None) };
    let Some(train) = labelled.splits.train() else {
        bail!("{}: the data have no training images that it could be of", path.shown());
    };
    let read = || -> anyhow::Result<_> {
        let rows = read_predictions(BufReader::new(open_file(path)?), predictor.classes())?;
        let probabilities = predictions_of(rows, train)?;
        let missing = probabilities.iter().filter(|p| p.is_none()).count();
        ensure!(
            missing == 0,
            "{missing} of {} training images have no prediction: these are of other data, or of folds \
             that are not finished",
            train.len()
        );
        let all: Vec<f64> = probabilities.into_iter().flatten().flatten().collect();
        Ok(DMatrix::from_vec(predictor.classes().len(), train.len(), all))
    };
    Ok(Some(read().with_context(|| format!("cannot use {}", path.shown()))?))
}

/// The table of causes that was named, or the one beside the data.
fn factor_file(args: &CauseArgs, labelled: &Labelled) -> Option<PathBuf> {
    let data = &labelled.data;
    let folder = if data.is_dir() { Some(data.as_path()) } else { data.parent() };
    let beside = folder.map(|folder| folder.join(CAT_CAUSES)).filter(|path| path.is_file());
    args.factors.clone().or(beside.filter(|_| !labelled.source.is_drawn()))
}

fn factor_table(path: &Path) -> anyhow::Result<FactorTable> {
    let read = || -> anyhow::Result<_> { Ok(FactorTable::read(open_file(path)?)?) };
    read().with_context(|| format!("cannot use {}", path.shown()))
}

fn observation_report<'a>(
    found: &'a Explanation,
    all: &'a Observations,
    factors: Option<&'a Path>,
) -> ObservationReport<'a> {
    ObservationReport {
        factors,
        n: all.n,
        n_errors: all.n_errors,
        n_without_row: found.n_without_row,
        model: all.model,
        causes: (all.causes.iter())
            .map(|one| ObservationRow {
                cause: &one.cause,
                n_with: one.with.total,
                errors_with: one.with.correct,
                n_without: one.without.total,
                errors_without: one.without.correct,
                odds_ratio: one.odds_ratio.map(|(ratio, low, high)| [ratio, low, high]),
                p_value: one.p_value,
            })
            .collect(),
    }
}

/// Returns the pixel of each map that speaks most for the answer.
fn map_peaks(
    found: &Explanation,
    width: usize,
    map: impl Fn(&SaliencyMaps) -> Option<&Vec<f64>>,
) -> Vec<MapPeak> {
    let maps = found.maps.iter().filter_map(|one| Some((one.index, map(one)?)));
    maps.map(|(index, map)| {
        let peak = (0..map.len()).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap_or(0);
        MapPeak { index, peak: [peak / width, peak % width] }
    })
    .collect()
}

fn intervention_row<'a>(one: &'a Intervention, labelled: &Labelled) -> InterventionRow<'a> {
    let change = if labelled.source.is_drawn() { "drawn again" } else { perturbation(one.cause) };
    InterventionRow {
        cause: one.cause.key(),
        change,
        n: one.n,
        original: one.original,
        steps: &one.steps,
        pairs: one.pairs,
        p_value: one.p_value,
    }
}

fn simplified_row(one: &Simplified) -> SimplifiedRow {
    let Score { correct, total } = one.pairs.second();
    SimplifiedRow {
        left: one.left,
        correct,
        total,
        accuracy: one.pairs.second().accuracy(),
        p_value: one.pairs.mcnemar().p_value,
    }
}

fn describe(
    found: &Explanation,
    audit: &Audit,
    labelled: &Labelled,
) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let class = |class: u32| labelled.images().classes()[class as usize].shown().to_string();
    for sentence in &found.words {
        writeln!(out, "{sentence}")?;
    }
    let change = |v: f64| format!("{:+.1}", 100.0 * v);
    let interval = |(low, high): (f64, f64)| format!("{} to {}", change(low), change(high));
    let p = |p: Option<f64>| p.map_or("too few images".into(), p_text);
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    if !found.interventions.is_empty() {
        let how = if labelled.source.is_drawn() {
            "The same images, drawn again with one thing changed as far as it goes"
        } else {
            "The same images with one thing changed"
        };
        writeln!(out, "\n{how}:")?;
        writeln!(
            out,
            "{:<13} {:>6}  {:>7}  {:>7}  {:>7}  {:>16}  p by Holm",
            "cause", "images", "errors", "changed", "points", "95 % interval"
        )?;
        for one in &found.interventions {
            let last = one.steps.last().map_or(f64::NAN, |step| step.error);
            writeln!(
                out,
                "{:<13} {:>6}  {:>7}  {:>7}  {:>7}  {:>16}  {}",
                one.cause.name(),
                one.n,
                percent(one.original.error),
                percent(last),
                change(one.difference),
                interval(one.interval),
                p(one.p_holm)
            )?;
        }
        if !labelled.source.is_drawn() {
            for one in &found.interventions {
                writeln!(out, "  {}: {}", one.cause.name(), perturbation(one.cause))?;
            }
        }
    }
    if let Some(all) = &found.observations {
        writeln!(
            out,
            "\n{} images whose causes are known, {} of them misclassified{}:",
            all.n,
            all.n_errors,
            if found.n_without_row > 0 {
                format!(" ({} without a row are left out)", found.n_without_row)
            } else {
                String::new()
            }
        )?;
        let width =
            all.causes.iter().map(|one| one.cause.chars().count()).max().unwrap_or(0).max(5);
        writeln!(
            out,
            "{:<width$}  {:>11}  {:>11}  {:>7}  {:>16}  p by Holm",
            "cause", "wrong with", "without", "points", "95 % interval"
        )?;
        for one in &all.causes {
            let of = |score: Score| format!("{} of {}", score.correct, score.total);
            writeln!(
                out,
                "{:<width$}  {:>11}  {:>11}  {:>7}  {:>16}  {}",
                one.cause.shown(),
                of(one.with),
                of(one.without),
                one.difference.map_or("-".into(), change),
                one.interval.map_or("-".into(), interval),
                p(one.p_holm)
            )?;
        }
        writeln!(out, "p by {}", all.tested_by())?;
    }
    if !found.simplified.is_empty() {
        let n = found.simplified.first().map_or(0, |one| one.pairs.total());
        writeln!(out, "\nAccuracy with less in the images ({n} of {}):", labelled.images().len())?;
        let width = 20;
        if let Some(one) = found.simplified.first() {
            writeln!(out, "{:<width$}  {}", "as they are", percent(one.pairs.first().accuracy()))?;
        }
        for one in &found.simplified {
            let accuracy = percent(one.pairs.second().accuracy());
            writeln!(out, "{:<width$}  {accuracy}", one.left.name())?;
        }
    }
    if let Some(checks) = &found.map_checks {
        writeln!(out, "\nWhere it looked: {checks}")?;
    }
    if let Some(all) = &found.suspects {
        writeln!(out, "\nSuspect labels of training images: {}", all.len())?;
        for one in all.iter().take(MAX_LISTED) {
            writeln!(
                out,
                "  {}: labelled {}, looks like {} (by {})",
                image_name(&labelled.splits, SplitName::Train, one.index),
                class(one.label),
                class(one.likely),
                percent(one.margin)
            )?;
        }
    }
    if audit.leaks.total > 0 {
        writeln!(
            out,
            "\nTest images that are, or nearly are, training images: {}",
            audit.leaks.total
        )?;
        for Leak { test, train, .. } in &audit.leaks.listed {
            let name = |one: &ImageRef| {
                let image = image_name(&labelled.splits, one.split, one.index);
                format!("{} {image}", one.split)
            };
            let labels = if test.label == train.label {
                format!("both {}", class(test.label))
            } else {
                format!("labelled {} and {}: one is wrong", class(test.label), class(train.label))
            };
            writeln!(out, "  {} and {}, {labels}", name(test), name(train))?;
        }
    }
    for sentence in &found.limits {
        writeln!(out, "\n{sentence}")?;
    }
    Ok(out)
}
