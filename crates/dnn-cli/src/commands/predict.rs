//! `dnn predict`.

use crate::args::ModelArg;
use crate::console::{Console, causes, warn};
use crate::run;
use dnn_core::metrics::predictions;
use dnn_core::{Network, Real};
use dnn_data::Shown;
use dnn_data::image::{DecodeLimits, ImageError, load_features};
use dnn_data::{AnyNetwork, InputContract};
use nalgebra::DMatrix;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Say what is on images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArg,
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
    let (model, file) = run::read_model(&args.model.model)?;
    let mut answers = Vec::new();
    let mut bad = 0;
    for image in &args.images {
        let result = match model.network() {
            AnyNetwork::F32(network) => probabilities(network, image, model.input()),
            AnyNetwork::F64(network) => probabilities(network, image, model.input()),
        };
        let result = match result {
            Ok(probabilities) if probabilities.iter().any(|p| !p.is_finite()) => {
                bad += 1;
                let error = "the model gives an answer that is no number (NaN)".to_owned();
                warn(format!("error: {}: {error}", image.shown()));
                Outcome::Error { error }
            }
            Ok(probabilities) => {
                let best = predictions(&probabilities)[0];
                let class = model.classes()[best.class as usize].as_str();
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
                    probabilities: probabilities.as_slice().to_vec(),
                }
            }
            Err(error) => {
                bad += 1;
                let error = causes(&error).join(": ");
                warn(format!("error: {error}"));
                Outcome::Error { error }
            }
        };
        answers.push(Answer { image, result });
    }
    console.json(&PredictReport {
        model: &file,
        classes: model.classes(),
        predictions: answers,
    })?;
    if bad > 0 && args.images.len() > 1 {
        warn(format!("{bad} of {} images could not be read", args.images.len()));
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(crate::ERROR) })
}

/// The probability of each class, (n_classes, 1).
fn probabilities<F: Real>(
    network: &Network<F>,
    image: &Path,
    contract: &InputContract,
) -> Result<DMatrix<f64>, ImageError> {
    let x = load_features::<F>(image, contract, &DecodeLimits::default())?;
    let x = DMatrix::from_column_slice(x.len(), 1, x.as_slice());
    Ok(network.probabilities(&x).map(Real::as_f64))
}
