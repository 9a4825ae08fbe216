//! `dnn predict`.

use crate::console::{Console, causes, warn};
use crate::judge::PredictorArgs;
use anyhow::{Context, ensure};
use dnn_core::metrics::{ConformalScores, predictions};
use dnn_data::image::DecodeLimits;
use dnn_data::{PredictError, Predictor, Shown};
use nalgebra::DMatrix;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Say what is on images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    predictor: PredictorArgs,
    /// Answer with all classes that it takes to hold the right one with this probability, 0.9 for
    /// example; for models that were trained with --calibrate
    #[arg(long, value_name = "F")]
    coverage: Option<f64>,
    /// PNG or JPEG files, of any size
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Answer<'a> {
    image: &'a Path,
    #[serde(flatten)]
    result: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Class {
        class: &'a str,
        index: u32,
        probability: f64,
        probabilities: Vec<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        set: Option<Vec<&'a str>>,
    },
    Error {
        error: String,
    },
}

#[derive(Serialize)]
struct PredictReport<'a> {
    model: &'a Path,
    classes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
    predictions: Vec<Answer<'a>>,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let (predictor, file) = args.predictor.read()?;
    let classes = predictor.classes();
    let conformal =
        args.coverage.map(|coverage| scores(&predictor, &file, coverage)).transpose()?;
    let mut answers = Vec::new();
    let mut bad = 0;
    for image in &args.images {
        let result = match predictor.image_file(image, &DecodeLimits::default()) {
            Ok(probabilities) => {
                let column = DMatrix::from_column_slice(classes.len(), 1, &probabilities);
                let best = predictions(&column)[0];
                let class = classes[best.class as usize].as_str();
                let set = conformal.zip(args.coverage).map(|(scores, coverage)| {
                    let set = scores.sets(&column, coverage).into_iter().flatten();
                    set.map(|class| classes[class as usize].as_str()).collect::<Vec<_>>()
                });
                let shown = set.iter().flatten().map(|class| class.shown()).collect::<Vec<_>>();
                console.text(format!(
                    "{}: {} {:.4}{}",
                    image.shown(),
                    class.shown(),
                    best.probability,
                    match &set {
                        Some(_) => format!(", one of {{{}}}", shown.join(", ")),
                        None => String::new(),
                    }
                ))?;
                Outcome::Class {
                    class,
                    index: best.class,
                    probability: best.probability,
                    probabilities,
                    set,
                }
            }
            Err(error) => {
                bad += 1;
                // What is wrong with a file names it.
                let place = match error {
                    PredictError::Image(_) => String::new(),
                    _ => format!("{}: ", image.shown()),
                };
                let error = causes(&error).join(": ");
                warn(format!("error: {place}{error}"));
                Outcome::Error { error }
            }
        };
        answers.push(Answer { image, result });
    }
    console.json(&PredictReport {
        model: &file,
        classes,
        coverage: args.coverage,
        predictions: answers,
    })?;
    if bad > 0 && args.images.len() > 1 {
        warn(format!("{bad} of {} images could not be read", args.images.len()));
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(crate::ERROR) })
}

/// What sets of classes with this coverage are made from.
///
/// # Errors
/// When there is no such coverage, or the model was not calibrated.
fn scores<'p>(
    predictor: &'p Predictor,
    file: &Path,
    coverage: f64,
) -> anyhow::Result<&'p ConformalScores> {
    ensure!(
        coverage > 0.0 && coverage < 1.0,
        "--coverage {coverage}: expected a probability between 0 and 1"
    );
    let scores = predictor.model().conformal().with_context(|| {
        format!(
            "--coverage: {} was not calibrated; train it with --calibrate and validation images",
            file.shown()
        )
    })?;
    let (n, needed) = (scores.as_slice().len(), ConformalScores::needed(coverage));
    if n < needed {
        warn(format!(
            "the model was calibrated with {n} images; a coverage of {coverage} needs {needed}, and with \
             fewer every class is in every answer"
        ));
    }
    Ok(scores)
}
