//! `dnn report`.

use super::explain::{self, CauseArgs};
use crate::console::{Console, argument, program};
use crate::file::read_text;
use crate::judge::{Labelled, LabelledArgs, MeasuredAnswers, PredictorArgs};
use crate::output::OutputKind;
use crate::run::{self, RunFolder, Summary};
use anyhow::{Context, bail};
use dnn_data::{ImageSet, ImageShape, Predictor, Shown};
use dnn_report::explanation::audit_of;
use dnn_report::page::page;
use dnn_report::report::{Report, ReportInput, Training};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
    /// Returns what the report says, and the model card that goes with it.
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
        let MeasuredAnswers { answers, confusion, quality } = MeasuredAnswers::of(predictor, set)?;
        let explanation = if is_picture {
            let judged = (set, &answers);
            Some(explain::explain(predictor, model_path, labelled, judged, args, console)?)
        } else {
            None
        };
        let configuration = if self.is_run {
            let path = self.folder.join(run::CONFIG);
            read_text(&path).with_context(|| format!("cannot read {}", path.shown()))?
        } else {
            String::new()
        };
        let data = labelled.data.file_name().unwrap_or(labelled.data.as_os_str());
        let input = ReportInput {
            name: &self.name(model_path),
            model,
            splits: &labelled.splits,
            split: labelled.split,
            data: &data.to_string_lossy(),
            prepared: set,
            predictions: &answers.predictions,
            confusion: &confusion,
            quality: &quality,
            explanation: explanation.as_ref(),
            audit: &audit_of(&labelled.splits)?,
            training: self.summary.as_ref().map(training),
            configuration,
            repeat: self.repeat(),
            producer: format!("dnn {}", env!("CARGO_PKG_VERSION")),
        };
        let report = input.report()?;
        let card = input.model_card(&report);
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

/// How the network was trained, as a report shows it.
fn training(summary: &Summary) -> Training {
    Training {
        score: summary.train,
        history: std::iter::once(summary.cost_plot("Cost"))
            .chain(summary.accuracy_plot())
            .collect(),
        layer_health: summary.layers.iter().map(ToString::to_string).collect(),
        findings: summary.findings.clone(),
    }
}
