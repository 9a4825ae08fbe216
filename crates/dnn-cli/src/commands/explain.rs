//! `dnn explain`.

use crate::console::Console;
use crate::judge::{Answers, Labelled, LabelledArgs, PredictorArgs};
use crate::output::write_charts;
use crate::run::PREDICTIONS;
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::{MajorityBaseline, PairedScore, Score};
use dnn_core::rng::{Generator, RngKind};
use dnn_core::saliency::{Grid, Saliency};
use dnn_data::augment::perturbation;
use dnn_data::predictions::{predictions_of, read_predictions};
use dnn_data::synthetic::{Cause, DrawnSet, Plan};
use dnn_data::{
    AnyNetwork, FeatureKind, ImageSet, ImageShape, InputContract, Predictor, Shown, SplitName,
};
use dnn_report::causes::{self, CauseFinding, Intervention, Judged, Observations, Simplified};
use dnn_report::factors::FactorTable;
use dnn_report::figures::{causes_plot, simplified_plot, strengths_plot};
use dnn_report::suspects::{Suspect, suspects};
use dnn_report::words::{Findings, LIMITS_OF_PHOTOS, p_text, sentences};
use dnn_report::{Arrangement, Chart, Tile, image_sheet, occlusion, overlay};
use nalgebra::DMatrix;
use serde::Serialize;
use std::fmt::Write;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The table of causes that is looked for beside the data.
const CAT_CAUSES: &str = "cat_causes.csv";
/// Errors that are shown with where the network looked.
pub(crate) const MAX_MAPS: usize = 24;
/// Images that the mean image is taken from, which stands in for what is occluded.
const MEAN_OF: usize = 500;
/// Suspects that are listed.
pub(crate) const MAX_SUSPECTS: usize = 20;

/// Say why a model fails: which causes of error it does not stand, where it looks, which labels are suspect
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

/// What the causes of error are told by.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct CauseArgs {
    /// Which causes each image has: a table with the columns set and index, or file, and one for each
    /// cause (0, 1, or 0.5 for unsure) [default: cat_causes.csv beside the data]
    #[arg(long, value_name = "FILE.csv")]
    factors: Option<PathBuf>,
    /// Predictions of the training images by networks that have not seen them: predictions.csv of `dnn
    /// train --folds` [default: the one beside the model]
    #[arg(long, value_name = "FILE.csv")]
    predictions: Option<PathBuf>,
    /// Change at most this many images, chosen at random
    #[arg(long, value_name = "N", default_value_t = 400,
          value_parser = clap::value_parser!(u64).range(1..))]
    images: u64,
}

/// What was found.
pub(crate) struct Explained<'a> {
    pub(crate) answers: &'a Answers,
    /// The images as the network takes them.
    pub(crate) set: &'a ImageSet,
    pub(crate) interventions: Vec<Intervention>,
    pub(crate) observations: Option<Observations>,
    /// The causes of each image, where they are known.
    known: Vec<Option<Vec<String>>>,
    factors: Option<PathBuf>,
    /// How many images have no row in the table of causes.
    n_without_row: usize,
    pub(crate) simplified: Vec<Simplified>,
    /// Of the training images, when there are out-of-sample predictions.
    pub(crate) suspects: Option<Vec<Suspect>>,
    /// Images that are got wrong, the surest first, with where the network looked.
    pub(crate) maps: Vec<(usize, Option<Vec<f64>>)>,
    /// Mean advantage of the maps over random order in deleting pixels.
    pub(crate) deletion_advantage: Option<f64>,
    pub(crate) words: Vec<String>,
    pub(crate) limits: Vec<String>,
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
    occlusion: Vec<Looked>,
    deletion_advantage: Option<f64>,
    suspects: Option<&'a [Suspect]>,
}

#[derive(Serialize)]
struct InterventionRow<'a> {
    cause: &'static str,
    change: &'static str,
    n: usize,
    original: causes::Step,
    steps: &'a [causes::Step],
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

/// Where the network looked in an image that it gets wrong.
#[derive(Serialize)]
struct Looked {
    index: usize,
    /// Row and column of the pixel that speaks most for the answer.
    peak: [usize; 2],
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let (predictor, model_path) = args.predictor.read()?;
    let labelled = args.labelled.load(predictor.model(), &model_path, console)?;
    let set = args
        .labelled
        .prepared(&labelled.images, predictor.model(), &model_path, console)?
        .into_owned();
    let answers = Answers::of(&predictor, &set)?;
    let judged = (&set, &answers);
    let found = explain(&predictor, &model_path, &labelled, judged, &args.causes, console)?;
    if !console.json {
        console.text(describe(&found, &labelled)?.trim_end())?;
    }
    if let Some(folder) = &args.out {
        for path in write_pictures(folder, &found, &predictor)? {
            console.text(format!("Written: {}", path.shown()))?;
        }
    }
    let score = found.answers.score;
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
        observations: found.observations.as_ref().map(|all| found.observed(all)),
        simplified: found.simplified.iter().map(simplified_row).collect(),
        occlusion: found.looked(),
        deletion_advantage: found.deletion_advantage,
        suspects: found.suspects.as_deref(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Finds out all there is about a model and its answers on the labelled images, as it takes them.
///
/// # Errors
/// When the images are no pictures, a table does not fit, or the model gives no answer.
pub(crate) fn explain<'a>(
    predictor: &Predictor,
    model_path: &Path,
    labelled: &Labelled,
    (set, answers): (&'a ImageSet, &'a Answers),
    args: &CauseArgs,
    console: Console,
) -> anyhow::Result<Explained<'a>> {
    let Labelled { images, data, split, source, others } = labelled;
    let contract = predictor.model().input();
    let shape = ImageShape::of(contract);
    ensure!(
        shape.height > 1 && images.is_bytes(),
        "{}: numbers, not pictures; causes such as pose and brightness are of pictures, whose values are \
         bytes",
        data.shown()
    );
    ensure!(
        [1, 3].contains(&images.shape().channels),
        "{}: images of {} channels; expected 1 (grey) or 3 (colours)",
        data.shown(),
        images.shape().channels
    );
    let ask = |images: &ImageSet| -> anyhow::Result<DMatrix<f64>> {
        let prepared = images.prepared(contract)?;
        Ok(Answers::of(predictor, &prepared)?.probabilities)
    };

    // Drawn images are drawn again; others are put through perturbations.
    let plans: Option<Vec<Plan>> = source.drawn.as_ref().map(|drawn| {
        let which = if *split == SplitName::Test { DrawnSet::Test } else { DrawnSet::Train };
        (0..images.len()).map(|index| Plan::new(drawn.seed, which, index)).collect()
    });
    let chosen = chosen(images.len(), args.images as usize)?;
    let some = images.select(&chosen);
    let some_plans: Option<Vec<Plan>> =
        plans.as_ref().map(|plans| chosen.iter().map(|&i| plans[i].clone()).collect());
    let original = answers.probabilities.select_columns(&chosen);
    let interventions = causes::intervene(&some, some_plans.as_deref(), &original, ask)?;
    let simplified = causes::simplify(&some, &original, ask)?;

    let out_of_fold = out_of_fold(predictor, model_path, labelled, args)?;
    let suspects = out_of_fold.as_ref().and_then(|(p, train)| {
        let predictions = dnn_core::metrics::predictions(p);
        let baseline = MajorityBaseline::of(&predictions, train.labels(), train.labels());
        let PairedScore { only_first, only_second, .. } = baseline.pair;
        let is_better = only_second > only_first && baseline.p_value() < causes::LEVEL;
        if !is_better {
            console.note(
                "The networks of the folds are not surely better than always giving the commonest class, so \
                 they cannot say which labels are suspect",
            );
        }
        is_better.then(|| suspects(p, train.labels()))
    });
    let table = factor_table(args, labelled)?;
    let mut judged = Vec::new();
    let (mut known, mut n_without_row) = (vec![None; images.len()], 0);
    let mut names: Vec<String> = Cause::ALL.iter().map(|cause| cause.key().into()).collect();
    if let Some((path, table)) = &table {
        let all: Vec<_> = std::iter::once((*split, images))
            .chain(others.iter().map(|other| (other.name, &other.images)))
            .collect();
        let rows = table.of_images(&all, *split).with_context(|| path.shown().to_string())?;
        names = table.names().to_vec();
        for ((name, images), rows) in all.iter().zip(&rows) {
            let probabilities = match (&out_of_fold, name == split) {
                (_, true) => &answers.probabilities,
                (Some((p, _)), false) if *name == SplitName::Train => p,
                _ => continue,
            };
            let predictions = dnn_core::metrics::predictions(probabilities);
            for (i, row) in rows.iter().enumerate() {
                let Some(row) = row else {
                    n_without_row += 1;
                    continue;
                };
                let label = images.labels()[i];
                let is_wrong = predictions[i].class != label;
                judged.push(Judged { label, is_wrong, causes: row.to_vec() });
                if name == split {
                    known[i] = Some(present(&names, row));
                }
            }
        }
        let n_training = rows.iter().zip(&all).filter(|(_, (name, _))| *name == SplitName::Train);
        let n_training: usize = n_training.map(|(rows, _)| rows.iter().flatten().count()).sum();
        if out_of_fold.is_none() && *split != SplitName::Train && n_training > 0 {
            console.note(format!(
                "{n_training} training images have known causes too; they count with predictions of \
                 networks that have not seen them: train with --folds 10, and name its folder's \
                 {PREDICTIONS} with --predictions"
            ));
        }
    } else if let Some(plans) = &plans {
        for (i, plan) in plans.iter().enumerate() {
            let has = |cause: &Cause| Some(plan.factors.strength(*cause) >= causes::PRESENT);
            let causes: Vec<_> = Cause::ALL.iter().map(has).collect();
            known[i] = Some(present(&names, &causes));
            let label = images.labels()[i];
            let is_wrong = answers.predictions[i].class != label;
            judged.push(Judged { label, is_wrong, causes });
        }
    }
    let observations = (!judged.is_empty()).then(|| causes::observe(&names, &judged));

    let (maps, deletion_advantage) = maps(predictor, set, answers, ask)?;
    let (majority, n_majority) = majority(images);
    let words = sentences(&Findings {
        images: split_words(*split),
        score: answers.score,
        majority: (majority, n_majority),
        are_drawn: plans.is_some(),
        interventions: &interventions,
        observations: observations.as_ref(),
        simplified: &simplified,
        n_suspects: suspects.as_ref().map(Vec::len),
    });
    let mut limits = Vec::new();
    if plans.is_none() {
        limits.push(LIMITS_OF_PHOTOS.to_owned());
    }
    if let (Some(all), false) = (&observations, plans.is_some()) {
        let with: Vec<_> = all.causes.iter().map(|one| one.with.total).collect();
        let (least, most) = (with.iter().min().unwrap_or(&0), with.iter().max().unwrap_or(&0));
        limits.push(format!(
            "{} images of known causes hold {least} to {most} of each: differences below some 20 points \
             cannot be told from chance by them.",
            all.n
        ));
    }
    Ok(Explained {
        answers,
        set,
        interventions,
        observations,
        known,
        factors: table.map(|(path, _)| path),
        n_without_row,
        simplified,
        suspects,
        maps,
        deletion_advantage,
        words,
        limits,
    })
}

/// "test images".
pub(crate) fn split_words(split: SplitName) -> &'static str {
    match split {
        SplitName::Train => "training images",
        SplitName::Validation => "validation images",
        SplitName::Test => "test images",
        SplitName::Unsplit => "images",
    }
}

/// The commonest class, and how many images it has.
pub(crate) fn majority(images: &ImageSet) -> (&str, usize) {
    let counts = images.class_counts();
    let class = (0..counts.len()).max_by_key(|&class| counts[class]).unwrap_or(0);
    (&images.classes()[class], counts[class])
}

/// At most `n` of `m` images, in their order.
fn chosen(m: usize, n: usize) -> anyhow::Result<Vec<usize>> {
    let mut chosen = Generator::new(RngKind::Modern, 1)?.permutation(m);
    chosen.truncate(n);
    chosen.sort_unstable();
    Ok(chosen)
}

/// The names of the causes that are there.
fn present(names: &[String], causes: &[Option<bool>]) -> Vec<String> {
    let there = names.iter().zip(causes).filter(|(_, cause)| **cause == Some(true));
    there.map(|(name, _)| name.clone()).collect()
}

/// The predictions of the training images, with these.
fn out_of_fold<'a>(
    predictor: &Predictor,
    model_path: &Path,
    labelled: &'a Labelled,
    args: &CauseArgs,
) -> anyhow::Result<Option<(DMatrix<f64>, &'a ImageSet)>> {
    let own = model_path.parent().unwrap_or(Path::new("")).join(PREDICTIONS);
    let path = match &args.predictions {
        Some(path) => path,
        None if own.is_file() => &own,
        None => return Ok(None),
    };
    let train = if labelled.split == SplitName::Train {
        Some(&labelled.images)
    } else {
        labelled.others.train()
    };
    let Some(train) = train else {
        bail!("{}: the data have no training images that it could be of", path.shown());
    };
    let read = || -> anyhow::Result<_> {
        let rows = read_predictions(BufReader::new(File::open(path)?), predictor.classes())?;
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
    Ok(Some((read().with_context(|| format!("cannot use {}", path.shown()))?, train)))
}

/// The table that was named, or the one beside the data.
fn factor_table(
    args: &CauseArgs,
    labelled: &Labelled,
) -> anyhow::Result<Option<(PathBuf, FactorTable)>> {
    let data = &labelled.data;
    let folder = if data.is_dir() { Some(data.as_path()) } else { data.parent() };
    let beside = folder.map(|folder| folder.join(CAT_CAUSES)).filter(|path| path.is_file());
    let path = match (&args.factors, beside) {
        (Some(path), _) => path.clone(),
        (None, Some(path)) if !labelled.source.is_drawn() => path,
        _ => return Ok(None),
    };
    let read = || -> anyhow::Result<_> { Ok(FactorTable::read(File::open(&path)?)?) };
    let table = read().with_context(|| format!("cannot use {}", path.shown()))?;
    Ok(Some((path, table)))
}

/// Where the network looked in the images that it gets wrong, and how much better than chance its maps
/// find what counts.
type Maps = (Vec<(usize, Option<Vec<f64>>)>, Option<f64>);

fn maps(
    predictor: &Predictor,
    set: &ImageSet,
    answers: &Answers,
    ask: impl Fn(&ImageSet) -> anyhow::Result<DMatrix<f64>>,
) -> anyhow::Result<Maps> {
    let wrong = |i: &usize| answers.predictions[*i].class != set.labels()[*i];
    let mut errors: Vec<usize> = (0..set.len()).filter(wrong).collect();
    let surest = |a: &usize, b: &usize| {
        answers.predictions[*b].probability.total_cmp(&answers.predictions[*a].probability)
    };
    errors.sort_by(surest);
    let ImageShape { height, width, channels } = set.shape();
    let side = (height.min(width) / 8).max(1);
    let squares = (2 * side, side);
    let some = chosen(set.len(), MEAN_OF)?;
    let contract = InputContract { views: 1, ..predictor.model().input().clone() };
    let mut found = Vec::new();
    let mut advantages = Vec::new();
    if contract.features == FeatureKind::Pixels {
        let saliency = match predictor.model().network() {
            AnyNetwork::F32(network) => Saliency::new(network),
            AnyNetwork::F64(network) => Saliency::new(network),
        };
        let features = |indices: &[usize]| -> anyhow::Result<DMatrix<f64>> {
            Ok(set.select(indices).to_dataset::<f64>(&contract)?.x().clone())
        };
        let mean = features(&some)?.column_mean();
        let grid = Grid { width, height, channels };
        for &i in errors.iter().take(MAX_MAPS) {
            let x = features(&[i])?;
            let (x, mean) = (x.as_slice(), mean.as_slice());
            let class = answers.predictions[i].class as usize;
            let map = saliency.occlusion(x, mean, class, grid, squares);
            let curve = saliency.deletion_curve(x, mean, class, grid, &map, 20, 10);
            advantages.push(curve.advantage());
            found.push((i, Some(map)));
        }
    } else {
        let mut sums = vec![0_u64; set.shape().n_bytes()];
        for &i in &some {
            sums.iter_mut().zip(set.image(i)).for_each(|(sum, v)| *sum += u64::from(*v));
        }
        let mean: Vec<u8> = sums.iter().map(|sum| (sum / some.len() as u64) as u8).collect();
        for &i in errors.iter().take(MAX_MAPS) {
            let class = answers.predictions[i].class as usize;
            found.push((i, Some(occlusion(set, i, class, &mean, squares, &ask)?)));
        }
    }
    found.extend(errors.iter().skip(MAX_MAPS).map(|&i| (i, None)));
    let n = advantages.len() as f64;
    Ok((found, (n > 0.0).then(|| advantages.iter().sum::<f64>() / n)))
}

impl Explained<'_> {
    /// What an image is called.
    pub(crate) fn name(&self, index: usize) -> String {
        match self.set.files().get(index).and_then(|file| file.file_name()) {
            Some(file) => file.to_string_lossy().into_owned(),
            None => format!("image {index}"),
        }
    }

    /// The causes that an image is known to have.
    pub(crate) fn causes_of(&self, index: usize) -> &[String] {
        self.known[index].as_deref().unwrap_or_default()
    }

    /// The figures of the causes, each with the name of its file.
    pub(crate) fn charts(&self) -> Vec<(&'static str, Chart)> {
        let mut charts = Vec::new();
        if !self.interventions.is_empty() {
            charts.push(("causes", causes_plot(&self.interventions, self.observations.as_ref())));
            charts.push(("strengths", strengths_plot(&self.interventions)));
        }
        if !self.simplified.is_empty() {
            let (_, n) = majority(self.set);
            let share = n as f64 / self.set.len() as f64;
            charts.push(("simplified", simplified_plot(&self.simplified, share)));
        }
        charts
    }

    fn observed<'a>(&'a self, all: &'a Observations) -> ObservationReport<'a> {
        ObservationReport {
            factors: self.factors.as_deref(),
            n: all.n,
            n_errors: all.n_errors,
            n_without_row: self.n_without_row,
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

    fn looked(&self) -> Vec<Looked> {
        let width = self.set.shape().width;
        let maps = self.maps.iter().filter_map(|(index, map)| Some((*index, map.as_ref()?)));
        maps.map(|(index, map)| {
            let peak = (0..map.len()).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap_or(0);
            Looked { index, peak: [peak / width, peak % width] }
        })
        .collect()
    }
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

fn describe(found: &Explained<'_>, labelled: &Labelled) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
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
            "\n{} images whose causes are known, {} of them got wrong{}:",
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
        let model = match all.model {
            causes::JointModel::Logistic => "p by a logistic model of all causes together",
            causes::JointModel::Firth => {
                "p by a logistic model of all causes together, with Firth's penalty: a cause is always or \
                 never with an error"
            }
            causes::JointModel::TooFewErrors => {
                "p by Fisher's exact test; under ten errors have no joint model"
            }
            causes::JointModel::NotIdentified => {
                "p by Fisher's exact test; these images do not tell the causes apart"
            }
        };
        writeln!(out, "{model}")?;
    }
    if !found.simplified.is_empty() {
        let n = found.simplified.first().map_or(0, |one| one.pairs.total());
        writeln!(out, "\nAccuracy with less in the images ({n} of {}):", found.set.len())?;
        let width = 20;
        if let Some(one) = found.simplified.first() {
            writeln!(out, "{:<width$}  {}", "as they are", percent(one.pairs.first().accuracy()))?;
        }
        for one in &found.simplified {
            let accuracy = percent(one.pairs.second().accuracy());
            writeln!(out, "{:<width$}  {accuracy}", one.left.name())?;
        }
    }
    if let Some(advantage) = found.deletion_advantage {
        let verdict =
            if advantage > 0.0 { "so they show what counts" } else { "so they show little" };
        writeln!(
            out,
            "\nWhere it looked: replacing pixels in the order of the maps lowers the probability {} points \
             more than random order does, {verdict}",
            change(advantage)
        )?;
    }
    if let Some(all) = &found.suspects {
        writeln!(out, "\nSuspect labels of training images: {}", all.len())?;
        for one in all.iter().take(MAX_SUSPECTS) {
            let name = |class: u32| labelled.images.classes()[class as usize].shown().to_string();
            writeln!(
                out,
                "  image {}: labelled {}, looks like {} (by {})",
                one.index,
                name(one.label),
                name(one.likely),
                percent(one.margin)
            )?;
        }
    }
    for sentence in &found.limits {
        writeln!(out, "\n{sentence}")?;
    }
    Ok(out)
}

/// Writes the figures, where the network looked, and the worst images of each cause.
fn write_pictures(
    folder: &Path,
    found: &Explained<'_>,
    predictor: &Predictor,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut charts: Vec<(String, Chart)> = Vec::new();
    charts.extend(found.charts().into_iter().map(|(name, chart)| (name.to_owned(), chart)));
    let set = found.set;
    let rgb = ImageShape { channels: 3, ..set.shape() };
    let caption = |index: usize| {
        let p = found.answers.predictions[index];
        let name = |class: u32| predictor.classes()[class as usize].shown().to_string();
        let mut lines = vec![
            found.name(index),
            format!("true: {}", name(set.labels()[index])),
            format!("answer: {} {:.2}", name(p.class), p.probability),
        ];
        lines.extend(Some(found.causes_of(index).join(", ")).filter(|causes| !causes.is_empty()));
        lines
    };
    let shown: Vec<_> =
        found.maps.iter().filter_map(|(index, map)| Some((*index, map.as_ref()?))).collect();
    let overlays: Vec<_> = shown
        .iter()
        .map(|(index, map)| overlay(set.image(*index), set.shape(), map))
        .collect::<Result<_, _>>()?;
    let captions: Vec<_> = shown.iter().map(|(index, _)| caption(*index)).collect();
    let tiles: Vec<_> = (shown.iter().zip(&captions).zip(&overlays))
        .flat_map(|(((index, _), caption), overlay)| {
            let image = Tile { pixels: set.image(*index), shape: set.shape(), caption };
            [image, Tile { pixels: overlay, shape: rgb, caption: &[] }]
        })
        .collect();
    let title = "Where it looked: orange speaks for its answer, blue against it";
    charts.push(("where-it-looked".into(), image_sheet(title, &tiles, Arrangement::Pairs)?));
    // The worst of each cause: errors that have it, the surest first.
    let causes = found.observations.iter().flat_map(|all| &all.causes);
    for cause in causes.map(|one| &one.cause) {
        let with = found.maps.iter().map(|(index, _)| *index);
        let with: Vec<_> = with.filter(|&i| found.causes_of(i).contains(cause)).take(12).collect();
        if with.is_empty() {
            continue;
        }
        let captions: Vec<_> = with.iter().map(|&index| caption(index)).collect();
        let tiles: Vec<_> = (with.iter().zip(&captions))
            .map(|(&i, caption)| Tile { pixels: set.image(i), shape: set.shape(), caption })
            .collect();
        let name: String =
            cause.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let title = format!("Errors with the cause {cause}");
        charts.push((format!("errors-{name}"), image_sheet(&title, &tiles, Arrangement::Grid)?));
    }
    write_charts(folder, &charts)
}
