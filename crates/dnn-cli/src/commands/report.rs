//! `dnn report`.

use super::evaluate;
use super::explain::{self, CauseArgs, MAX_SUSPECTS, audited};
use crate::console::{Console, argument, program};
use crate::file::read_text;
use crate::judge::{Answers, Labelled, LabelledArgs, PredictorArgs};
use crate::output::OutputKind;
use crate::quality::Quality;
use crate::run::{self, RunFolder, Summary};
use anyhow::{Context, bail};
use dnn_core::Architecture;
use dnn_core::metrics::{Confusion, MajorityBaseline, Score};
use dnn_data::audit::{Audit, ImageRef, Likeness, Near};
use dnn_data::{ImageSet, ImageShape, Predictor, Shown, SplitName};
use dnn_report::causes::CauseFinding;
use dnn_report::explanation::{MapChecks, image_name, split_words};
use dnn_report::page::{LayerRow, LeakRow, Report, SuspectRow, page};
use dnn_report::words::{Findings, p_text, sentences};
use dnn_report::{Chart, ModelCard, model_card};
use dnn_train::engine::LayerHealth;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Errors in the gallery; more would make the page heavy.
const MAX_ERRORS: usize = 48;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    predictor: PredictorArgs,
    #[command(flatten)]
    labelled: LabelledArgs,
    #[command(flatten)]
    causes: CauseArgs,
    /// The page, one file of HTML [default: report.html in the run's folder, with a model card,
    /// README.md, beside it]
    #[arg(long, value_name = "FILE.html", value_parser = page_name)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Written<'a> {
    report: &'a Path,
    bytes: usize,
    model_card: Option<PathBuf>,
    words: &'a [String],
}

/// Takes a name that ends in `.html`.
fn page_name(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("html")) {
        Ok(path)
    } else {
        Err("expected a name that ends in .html".into())
    }
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let (predictor, model_path) = args.predictor.read()?;
    let folder = model_path.parent().unwrap_or(Path::new(""));
    let is_run = folder.join(run::CONFIG).is_file();
    if args.out.is_none() && !is_run {
        bail!("{}: not in the folder of a run; name the page with --out", model_path.shown());
    }
    if let Some(out) = &args.out {
        OutputKind::Page.check(out)?;
    } else {
        OutputKind::Page.check(&folder.join(run::REPORT))?;
        OutputKind::ModelCard.check(&folder.join(run::MODEL_CARD))?;
    }
    let summary = if is_run { Summary::read(folder)? } else { None };
    let labelled = args.labelled.load(predictor.model(), &model_path, console)?;
    let set = args
        .labelled
        .prepared(labelled.images(), predictor.model(), &model_path, console)?
        .into_owned();
    let about = About { predictor: &predictor, summary, labelled, folder, is_run };
    let (report, card) = about.report(&model_path, &set, &args.causes, console)?;
    let html = page(&report)?;
    let mut written = Written {
        report: args.out.as_deref().unwrap_or(Path::new("")),
        bytes: html.len(),
        model_card: None,
        words: &report.words,
    };
    let path;
    if let Some(out) = &args.out {
        OutputKind::Page.write(out, html.as_bytes(), true)?;
    } else {
        let folder = RunFolder::open(folder)?;
        folder.write(run::REPORT, html.as_bytes())?;
        folder.write(run::MODEL_CARD, card.as_bytes())?;
        path = folder.file(run::REPORT);
        written.report = &path;
        written.model_card = Some(folder.file(run::MODEL_CARD));
    }
    console.text(report.words.join("\n"))?;
    let card = written.model_card.iter().map(|card| format!(" and {}", card.shown()));
    let card: String = card.collect();
    console.text(format!("\nWritten: {}{card}", written.report.shown()))?;
    console.json(&written)?;
    Ok(ExitCode::SUCCESS)
}

/// What a report is about.
struct About<'a> {
    predictor: &'a Predictor,
    /// What came of the run, when there is one.
    summary: Option<Summary>,
    labelled: Labelled,
    folder: &'a Path,
    is_run: bool,
}

impl About<'_> {
    fn report(
        &self,
        model_path: &Path,
        set: &ImageSet,
        args: &CauseArgs,
        console: Console,
    ) -> anyhow::Result<(Report, String)> {
        let Self { predictor, labelled, .. } = self;
        let model = predictor.model();
        let is_picture = ImageShape::of(model.input()).height > 1 && labelled.images().is_bytes();
        let answers = Answers::of(predictor, set)?;
        let explained = if is_picture {
            let judged = (set, &answers);
            Some(explain::explain(predictor, model_path, labelled, judged, args, console)?)
        } else {
            None
        };
        let classes = model.classes();
        let confusion = Confusion::of(&answers.predictions, set.labels(), classes.len());
        let quality = Quality::of(&answers, &confusion, set.labels(), classes);
        let baseline = MajorityBaseline::of(&answers.predictions, set.labels(), set.labels());
        let name = self.name(model_path);
        let words = match &explained {
            Some(found) => found.words.clone(),
            None => sentences(&Findings {
                images: "rows",
                baseline: (&classes[baseline.class as usize], baseline),
                are_drawn: false,
                interventions: &[],
                observations: None,
                simplified: &[],
                confusion: Some((&confusion, classes)),
                n_suspects: None,
            }),
        };
        let configuration = if self.is_run {
            let path = self.folder.join(run::CONFIG);
            read_text(&path).with_context(|| format!("cannot read {}", path.shown()))?
        } else {
            String::new()
        };
        let repeat = self.repeat();
        let architecture = model.network().architecture();
        let mut report = Report {
            title: name.clone(),
            words,
            limits: explained.iter().flat_map(|found| found.limits.clone()).collect(),
            figures: figures(&answers, &quality, (&classes[baseline.class as usize], &baseline)),
            layers: layers(&architecture, self.summary.as_ref()),
            history: self.summary.iter().flat_map(history).collect(),
            classes: classes.to_vec(),
            confusion: confusion.counts().to_vec(),
            class_reports: (0..classes.len()).map(|class| confusion.class_report(class)).collect(),
            curves: (evaluate::figures(&quality, &confusion, classes).into_iter())
                .filter(|(name, _)| *name != "confusion")
                .map(|(_, chart)| chart)
                .collect(),
            // Of two classes there is one curve for both.
            class_roc_auc: if classes.len() == 2 {
                Vec::new()
            } else {
                quality.curves.iter().map(|one| Some(one.roc.as_ref()?.area())).collect()
            },
            n_errors: answers.score.total - answers.score.correct,
            health: self.summary.iter().flat_map(|summary| summary.findings.clone()).collect(),
            configuration,
            repeat: repeat.clone(),
            producer: format!("dnn {}", env!("CARGO_PKG_VERSION")),
            ..Report::default()
        };
        if let Some(summary) = self.summary.as_ref().filter(|_| labelled.split != SplitName::Train)
        {
            report.figures.insert(1, trained_on(summary.train, answers.score));
        }
        if let Some(found) = &explained {
            report.errors = found.gallery(set, MAX_ERRORS)?;
            report.map_checks = found.map_checks.map_or_else(String::new, capitalised);
            report.causes = CauseFinding::list(&found.interventions, found.observations.as_ref());
            report.observations.clone_from(&found.observations);
            report.cause_charts = found.charts().into_iter().map(|(_, chart)| chart).collect();
            let class = |class: u32| classes[class as usize].clone();
            report.suspects = (found.suspects.iter().flatten().take(MAX_SUSPECTS))
                .map(|one| SuspectRow {
                    name: image_name(&labelled.splits, SplitName::Train, one.index),
                    label: class(one.label),
                    likely: class(one.likely),
                    margin: one.margin,
                })
                .collect();
        }
        let data = labelled.data.file_name().unwrap_or(labelled.data.as_os_str());
        let data = data.to_string_lossy().into_owned();
        let card = model_card(&ModelCard {
            name: &name,
            architecture: &architecture.to_string(),
            classes,
            input: &model.input().to_string(),
            takes_images: is_picture,
            judged_on: (&data, split_words(labelled.split)),
            score: answers.score,
            words: &report.words,
            repeat: &repeat,
            producer: &report.producer,
        });
        let audit = audited(labelled)?;
        report.audit = audit_lines(&audit);
        (report.leaks, report.n_leaks) = (leaks(&audit, labelled), audit.leaks.total);
        Ok((report, card))
    }

    fn name(&self, model_path: &Path) -> String {
        let path = if self.is_run { self.folder } else { model_path };
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let name = absolute.file_stem().unwrap_or(path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// The commands that make the same model again.
    fn repeat(&self) -> String {
        let Some(summary) = &self.summary else { return String::new() };
        let config = self.folder.join(run::CONFIG);
        let revision = summary.machine.git_revision.as_deref();
        format!(
            "{} train --config {} --out ANOTHER_FOLDER\n# dnn {}{}, {}, {} engine, {}\n# data: {}, SHA-256 {}\n",
            program(),
            argument(&config),
            summary.version,
            revision.map_or(String::new(), |revision| format!(" ({revision})")),
            summary.machine.arch,
            summary.engine,
            summary.precision,
            summary.data.shown(),
            summary.data_hash
        )
    }
}

/// A sentence of what was checked.
fn capitalised(checks: MapChecks) -> String {
    let said = checks.to_string();
    let mut letters = said.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// The accuracy on what the network was trained on, beside that on what is judged.
fn trained_on(train: Score, judged: Score) -> (String, String, String) {
    let (train, judged) = (train.accuracy(), judged.accuracy());
    let gap = 100.0 * (train - judged);
    let meaning = format!("{gap:+.1} points beside the accuracy above; a large gap is overfitting");
    ("training accuracy".into(), format!("{:.1} %", 100.0 * train), meaning)
}

/// Key figures, with what they mean.
fn figures(
    answers: &Answers,
    quality: &Quality<'_>,
    (class, baseline): (&str, &MajorityBaseline),
) -> Vec<(String, String, String)> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let (low, high) = answers.score.wilson_interval();
    let mut all = vec![
        (
            "accuracy",
            percent(answers.score.accuracy()),
            format!("95 % interval {} to {} (Wilson)", percent(low), percent(high)),
        ),
        (
            "majority baseline",
            percent(baseline.score().accuracy()),
            format!(
                "always answering {}; {} by McNemar",
                class.shown(),
                p_text(baseline.p_value())
            ),
        ),
    ];
    let number = |value: f64| format!("{value:.4}");
    let calibration =
        quality.calibration.as_ref().map(dnn_core::metrics::Calibration::expected_error);
    for (name, value, meaning) in [
        ("balanced accuracy", quality.balanced_accuracy.map(percent), "mean recall of the classes"),
        ("macro F1", quality.macro_average.map(|m| number(m.f1)), "mean over the classes"),
        ("ROC AUC", quality.roc_auc.map(number), "0.5 knows nothing, 1 is a perfect order"),
        (
            "average precision",
            quality.average_precision.map(number),
            "area under precision and recall",
        ),
        ("log loss", quality.log_loss.map(number), "mean of −ln p of the true class"),
        ("Brier score", quality.brier_score.map(number), "mean squared error of the probabilities"),
        ("calibration error", calibration.map(percent), "confidence against accuracy, ten bins"),
    ] {
        all.extend(value.map(|value| (name, value, meaning.to_owned())));
    }
    all.into_iter().map(|(name, value, meaning)| (name.to_owned(), value, meaning)).collect()
}

fn layers(architecture: &Architecture, summary: Option<&Summary>) -> Vec<LayerRow> {
    let health: &[LayerHealth] = summary.map_or(&[], |summary| &summary.layers);
    let n_hidden = architecture.activations.len();
    (architecture.layer_dims.windows(2).enumerate())
        .map(|(i, pair)| LayerRow {
            name: if i < n_hidden { (i + 1).to_string() } else { "output".into() },
            shape: (pair[1], pair[0]),
            n_parameters: architecture.n_parameters_of(i),
            activation: match architecture.activations.get(i) {
                Some(activation) if architecture.normalizes(i) => {
                    format!("{activation} of normalised sums")
                }
                Some(activation) => activation.to_string(),
                None => architecture.output.to_string(),
            },
            health: match health.get(i) {
                Some(layer) if layer.dead > 0 => format!("{} of {} dead", layer.dead, layer.units),
                Some(layer) if layer.saturated > 0.0 => {
                    format!("{:.0} % of the values saturated", 100.0 * layer.saturated)
                }
                Some(_) => "all alive".into(),
                None => String::new(),
            },
        })
        .collect()
}

/// How training went: cost and accuracy.
fn history(summary: &Summary) -> Vec<Chart> {
    std::iter::once(summary.cost_plot("Cost")).chain(summary.accuracy_plot()).collect()
}

/// What an audit of all the data says, in sentences.
fn audit_lines(found: &Audit) -> Vec<String> {
    let mut lines: Vec<String> = found
        .splits
        .iter()
        .map(|split| {
            let counts: Vec<_> = (found.classes.iter().zip(&split.class_counts))
                .take(12)
                .map(|(class, n)| format!("{n} {}", class.shown()))
                .collect();
            format!("{}: {} images: {}", split.split, split.n_images, counts.join(", "))
        })
        .collect();
    lines.push(format!("{} test images are in the training set", found.leaks.total));
    lines.push(format!("{} pictures have more than one label", found.contradictions.total));
    lines.push(format!("{} images have the same pixels as another", found.exact.n_images));
    if let Near::Searched(near) = &found.near {
        lines.push(format!("{} images are nearly the same as another", near.duplicates.n_images));
    }
    lines
}

/// The test images that are in the training set.
fn leaks(found: &Audit, labelled: &Labelled) -> Vec<LeakRow> {
    let side = |image: &ImageRef| {
        let name = image_name(&labelled.splits, image.split, image.index);
        (name, found.classes[image.label as usize].clone())
    };
    (found.leaks.listed.iter())
        .map(|leak| LeakRow {
            test: side(&leak.test),
            train: side(&leak.train),
            same_pixels: leak.likeness == Likeness::Same,
        })
        .collect()
}
