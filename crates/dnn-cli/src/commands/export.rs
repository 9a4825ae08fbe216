//! `dnn export`.

use crate::args::{ModelArg, choice};
use crate::console::{Console, warn};
use crate::output::{OutputKind, write_filled};
use crate::run::{self, Summary};
use anyhow::{Context, ensure};
use dnn_data::{Model, Shown};
use dnn_export::{CheckReport, Checker, OnnxInput, OnnxOptions};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code when what was written does not agree with the model.
const DISAGREES: u8 = 1;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// onnx: a graph from pixels of any size to probabilities; npz: the weights, for NumPy; c: one file of
    /// C99, from features to probabilities; html: one page that says what is in a picture, without a
    /// network
    #[arg(long, value_name = "NAME", value_parser = choice(&Format::ALL))]
    format: Format,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What a graph of ONNX takes: images, bytes of any height and width; or features, the numbers that
    /// an image or a row of a table becomes, before they are standardised
    #[arg(long, value_name = "NAME", value_parser = choice(&OnnxInput::ALL), default_value = "images")]
    input: OnnxInput,
    /// Put the weights of a graph of ONNX into a file of their own, FILE.data: for 2 GiB and more
    #[arg(long)]
    external_data: bool,
    /// Run the graph with onnxruntime, which PYTHON must have, on images that are made up, and compare
    /// the probabilities with the model's
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, require_equals = true,
          default_missing_value = "python3")]
    check: Option<PathBuf>,
    /// Replace a file of that name
    #[arg(long)]
    force: bool,
}

/// What a model is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Onnx,
    Npz,
    C,
    Html,
}

impl Format {
    const ALL: [Self; 4] = [Self::Onnx, Self::Npz, Self::C, Self::Html];

    fn output_kind(self) -> OutputKind {
        match self {
            Self::Onnx => OutputKind::Onnx,
            Self::Npz => OutputKind::Npz,
            Self::C => OutputKind::C,
            Self::Html => OutputKind::Page,
        }
    }
}

#[derive(Serialize)]
struct ExportReport<'a> {
    model: &'a Path,
    format: Format,
    out: &'a Path,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<&'a CheckReport>,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let Args { format, out, .. } = args;
    let of_onnx = args.check.is_some() || args.external_data || args.input != OnnxInput::Images;
    ensure!(
        *format == Format::Onnx || !of_onnx,
        "--input, --external-data and --check are for --format onnx"
    );
    // Before anything is written.
    let kind = format.output_kind();
    if args.force {
        kind.check(out)?;
    }
    let write = |bytes: &[u8]| kind.write(out, bytes, args.force);
    let checker = args.check.as_ref().map(Checker::python).transpose()?;
    let (model, model_path) = run::read_model(&args.model.model)?;
    let failed = || format!("cannot export {}", model_path.shown());
    let mut data = None;
    match format {
        Format::Onnx => {
            let options = OnnxOptions {
                input: args.input,
                external_data: args.external_data.then(|| data_file(out)).transpose()?,
                data_hash: data_hash(&model_path),
            };
            let files = dnn_export::onnx(&model, &options).with_context(failed)?;
            data = options.external_data.as_ref().map(|name| out.with_file_name(name));
            write_filled(kind, out, args.force, |file| {
                let failed = || format!("cannot write {}", out.shown());
                file.write_all(&files.graph).with_context(failed)?;
                // The graph is written by now and gets its name next: when either cannot be written, no
                // older graph stands beside weights that are not its own.
                match (&data, &files.data) {
                    (Some(path), Some(bytes)) => {
                        OutputKind::OnnxWeights.write(path, bytes, args.force)
                    }
                    _ => Ok(()),
                }
            })?;
        }
        Format::Npz => write(&dnn_export::npz(&model).with_context(failed)?)?,
        Format::C => write(dnn_export::c(&model).with_context(failed)?.as_bytes())?,
        Format::Html => {
            let page = dnn_page::offline(&model, &run::model_name(&model_path));
            write(page.with_context(failed)?.as_bytes())?;
        }
    }
    let bytes = std::fs::metadata(out).map_or(0, |metadata| metadata.len());
    console.text(format!("Written: {} ({:.1} MB)", out.shown(), bytes as f64 / 1e6))?;
    if let Some(data) = &data {
        console.text(format!("Written: {}, which must stay beside it", data.shown()))?;
    }
    let check = match &checker {
        Some(checker) => Some(checked(checker, args, &model, console)?),
        None => None,
    };
    console.json(&ExportReport {
        model: &model_path,
        format: *format,
        out,
        bytes,
        data: data.as_deref(),
        check: check.as_ref(),
    })?;
    let agrees = check.as_ref().is_none_or(CheckReport::agrees);
    if !agrees {
        warn(format!("{} does not give the answers of {}", out.shown(), model_path.shown()));
    }
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::from(DISAGREES) })
}

fn checked(
    checker: &Checker,
    args: &Args,
    model: &Model,
    console: Console,
) -> anyhow::Result<CheckReport> {
    let report = checker
        .made_up(&args.out, model, args.input)
        .with_context(|| format!("{} is written, but not checked", args.out.shown()))?;
    let CheckReport { onnxruntime, n_examples, greatest_difference, tolerance, n_pixels_off } =
        &report;
    let pixels = match (args.input, n_pixels_off) {
        (OnnxInput::Features, _) => String::new(),
        (OnnxInput::Images, 0) => ", prepared pixels are the same".into(),
        (OnnxInput::Images, n) => format!(", {n} values of prepared pixels differ"),
    };
    console.text(format!(
        "Checked: onnxruntime {onnxruntime} on {n_examples} examples: probabilities differ by \
         {greatest_difference:.1e} at most (allowed {tolerance:.0e}){pixels}"
    ))?;
    Ok(report)
}

/// The name of the file that the weights of a graph stand in.
fn data_file(graph: &Path) -> anyhow::Result<String> {
    let name = graph.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("--out {}: expected a file's name", graph.shown()))?;
    Ok(format!("{name}.data"))
}

/// What identifies the data of the run that a model is of; `None` when it is of none.
fn data_hash(model: &Path) -> Option<String> {
    let run = model.parent().unwrap_or(Path::new(""));
    Some(Summary::read(run).ok()??.data_hash)
}
