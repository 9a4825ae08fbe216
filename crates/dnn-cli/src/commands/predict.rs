//! `dnn predict`.

use crate::console::{Console, causes, warn};
use crate::judge::PredictorArgs;
use dnn_core::metrics::predictions;
use dnn_data::image::DecodeLimits;
use dnn_data::{PredictError, Shown};
use nalgebra::DMatrix;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Say what is on images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    predictor: PredictorArgs,
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
    Class { class: &'a str, index: u32, probability: f64, probabilities: Vec<f64> },
    Error { error: String },
}

#[derive(Serialize)]
struct PredictReport<'a> {
    model: &'a Path,
    classes: &'a [String],
    predictions: Vec<Answer<'a>>,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let (predictor, file) = args.predictor.read()?;
    let classes = predictor.classes();
    let mut answers = Vec::new();
    let mut bad = 0;
    for image in &args.images {
        let result = match predictor.image_file(image, &DecodeLimits::default()) {
            Ok(probabilities) => {
                let column = DMatrix::from_column_slice(classes.len(), 1, &probabilities);
                let best = predictions(&column)[0];
                let class = classes[best.class as usize].as_str();
                console.text(format!(
                    "{}: {} {:.4}",
                    image.shown(),
                    class.shown(),
                    best.probability
                ))?;
                Outcome::Class {
                    class,
                    index: best.class,
                    probability: best.probability,
                    probabilities,
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
    console.json(&PredictReport { model: &file, classes, predictions: answers })?;
    if bad > 0 && args.images.len() > 1 {
        warn(format!("{bad} of {} images could not be read", args.images.len()));
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(crate::ERROR) })
}
