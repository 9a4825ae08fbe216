//! Compares an exported graph with the model it was made from, on the same examples.

use crate::onnx::{OnnxInput, pixels_output};
use dnn_core::Precision;
use dnn_data::image::RgbImage;
use dnn_data::preprocess::prepare;
use dnn_data::{
    AnyNetwork, ContractError, InputContract, Model, ModelError, Normalization, PredictError,
    Predictor, Shown, Standardization,
};
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs examples through a graph with a runtime that is installed on this machine.
#[derive(Debug, Clone)]
pub struct Checker {
    program: PathBuf,
    /// The name of the script's file, and the script.
    script: (&'static str, &'static str),
    /// The folder of a package, and the variable that the script has it from.
    package: Option<(&'static str, PathBuf)>,
}

/// Why a graph could not be compared with its model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Python or Node, or its onnxruntime, is not there.
    #[error("{program} has no onnxruntime ({reason}); to install it: {cure}")]
    NoRuntime {
        /// The program that was asked.
        program: String,
        /// What it said.
        reason: String,
        /// The command that installs it.
        cure: String,
    },
    /// onnxruntime refuses the graph, or fails in it.
    #[error("onnxruntime cannot run {graph}: {reason}")]
    Run {
        /// The file of the graph.
        graph: String,
        /// What it said, the last line.
        reason: String,
    },
    /// A file of the check cannot be written or read.
    #[error("the files of the check cannot be written or read")]
    Io(#[from] io::Error),
    /// The model's contract is not one.
    #[error("the input contract of the model is not one")]
    Contract(#[from] ContractError),
    /// The model does not take its features as a table.
    #[error("the model cannot take its features as a table")]
    Model(#[from] ModelError),
    /// The model does not answer for the examples.
    #[error("the model does not answer")]
    Predict(#[from] PredictError),
}

/// How a graph's answers differ from the model's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Version of onnxruntime.
    pub onnxruntime: String,
    /// Examples that were compared.
    pub n_examples: usize,
    /// The greatest difference between two probabilities of one class.
    pub greatest_difference: f64,
    /// How much that may be for networks of this precision.
    pub tolerance: f64,
    /// Values of prepared pixels that differ, where the graph prepares images.
    pub n_pixels_off: usize,
}

impl CheckReport {
    /// Returns whether the graph gives the same pixels, and the same probabilities within the
    /// tolerance.
    pub fn agrees(&self) -> bool {
        // Not the other way round: a difference that is no number agrees with nothing.
        self.n_pixels_off == 0 && self.greatest_difference <= self.tolerance
    }
}

/// How far probabilities may differ: sums are taken in another order, and a temperature below 1 magnifies
/// what comes of it.
fn tolerance(network: &AnyNetwork) -> f64 {
    let of_logits = match network.precision() {
        Precision::F32 => 5e-7,
        Precision::F64 => 1e-12,
    };
    of_logits / network.temperature().min(1.0)
}

#[derive(Serialize)]
struct Examples {
    dtype: &'static str,
    shapes: Vec<Vec<usize>>,
}

impl Checker {
    /// Takes a Python, by its path or a name to be looked for, that has onnxruntime.
    ///
    /// # Errors
    /// [`CheckError::NoRuntime`].
    pub fn python(program: impl Into<PathBuf>) -> Result<Self, CheckError> {
        let program = program.into();
        let cure = format!("{} -m pip install onnxruntime", program.shown());
        check_runtime(Command::new(&program).args(["-c", "import numpy, onnxruntime"]), cure)?;
        Ok(Self { program, script: ("check.py", include_str!("check.py")), package: None })
    }

    /// Takes Node, by its path or a name to be looked for, and the folder of the package
    /// onnxruntime-web, which is what browsers run.
    ///
    /// # Errors
    /// [`CheckError::NoRuntime`].
    pub fn node(program: impl Into<PathBuf>, package: &Path) -> Result<Self, CheckError> {
        let (program, package) = (program.into(), std::path::absolute(package)?);
        let require = "require(process.argv[1])";
        check_runtime(
            Command::new(&program).args(["-e", require]).arg(&package),
            "npm install onnxruntime-web".into(),
        )?;
        let script = ("check.mjs", include_str!("check.mjs"));
        Ok(Self { program, script, package: Some(("ONNXRUNTIME_WEB", package)) })
    }

    /// Compares a graph that takes images with its model, on images of any size.
    ///
    /// # Errors
    /// Each variant of [`CheckError`] but the first.
    pub fn images(
        &self,
        graph: &Path,
        model: &Model,
        images: &[RgbImage],
    ) -> Result<CheckReport, CheckError> {
        let predictor = Predictor::new(model.clone())?;
        let (mut pixels, mut probabilities) = (Vec::new(), Vec::new());
        for image in images {
            let prepared = prepare(image.clone(), model.input())?;
            probabilities.extend(predictor.prepared(&prepared)?);
            pixels.extend(prepared);
        }
        let numbers: Vec<u8> =
            images.iter().flat_map(dnn_data::image::RgbImage::pixels).copied().collect();
        let shape = |image: &RgbImage| vec![image.height() as usize, image.width() as usize, 3];
        let examples = Examples { dtype: "u1", shapes: images.iter().map(shape).collect() };
        let output = pixels_output(model.input());
        self.compare(graph, model, &examples, &numbers, &output, (&probabilities, &pixels))
    }

    /// Compares a graph that takes features with its model.
    ///
    /// # Shapes
    /// `features` (N, n₀), example by example.
    /// # Errors
    /// Each variant of [`CheckError`] but the first.
    pub fn features(
        &self,
        graph: &Path,
        model: &Model,
        features: &[f64],
    ) -> Result<CheckReport, CheckError> {
        let table = Predictor::new(of_features(model)?)?;
        let n_features = table.input().n_features();
        let mut probabilities = Vec::new();
        for features in features.chunks_exact(n_features) {
            probabilities.extend(table.features(features)?);
        }
        let (dtype, numbers): (_, Vec<u8>) = match model.network().precision() {
            Precision::F32 => {
                ("<f4", features.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect())
            }
            Precision::F64 => ("<f8", features.iter().flat_map(|v| v.to_le_bytes()).collect()),
        };
        let n = features.len() / n_features;
        let examples = Examples { dtype, shapes: vec![vec![n_features]; n] };
        self.compare(graph, model, &examples, &numbers, &[], (&probabilities, &[]))
    }

    /// Compares a graph with its model on examples that are made up: images of noise, larger and smaller
    /// than what the network takes, or features around their means.
    ///
    /// # Errors
    /// Each variant of [`CheckError`] but the first.
    pub fn made_up(
        &self,
        graph: &Path,
        model: &Model,
        input: OnnxInput,
    ) -> Result<CheckReport, CheckError> {
        const N_ROWS: usize = 64;
        let contract = model.input();
        if input == OnnxInput::Images {
            let (width, height) = (contract.width, contract.height);
            let sizes = [
                (width, height),
                (width, height),
                (2 * width, 2 * height),
                (width.div_ceil(2), height.div_ceil(3)),
                (1, 1),
                (1, 300),
                (301, 2),
                (480, 640),
                (1023, 767),
            ];
            let images = sizes.iter().zip(0..).map(|(&(w, h), seed)| noise(w, h, seed));
            return self.images(graph, model, &images.collect::<Vec<_>>());
        }
        let n = contract.n_features();
        let standardization = contract.standardization.as_ref();
        let value = |i: usize| {
            // 0 to 1, as pixels, or −2 to 2 deviations around the mean.
            let share = (i * 7919 % 1009) as f64 / 1008.0;
            standardization.map_or(share, |Standardization { mean, std, .. }| {
                let at = i % n % mean.len();
                mean[at] + (4.0 * share - 2.0) * std[at]
            })
        };
        self.features(graph, model, &(0..N_ROWS * n).map(value).collect::<Vec<_>>())
    }

    fn compare(
        &self,
        graph: &Path,
        model: &Model,
        examples: &Examples,
        numbers: &[u8],
        pixels_output: &[u8],
        (probabilities, pixels): (&[f64], &[u8]),
    ) -> Result<CheckReport, CheckError> {
        let folder = tempfile::tempdir()?;
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
        write("examples.json", &serde_json::to_vec(examples).map_err(io::Error::from)?)?;
        write("examples.bin", numbers)?;
        write("pixels_output.bin", pixels_output)?;
        let (script, text) = self.script;
        write(script, text.as_bytes())?;
        let output = Command::new(&self.program)
            .args([&folder.path().join(script), &std::path::absolute(graph)?, folder.path()])
            .envs(self.package.clone())
            .output()?;
        if !output.status.success() {
            let graph = graph.shown().to_string();
            return Err(CheckError::Run { graph, reason: last_line(&output.stderr) });
        }
        let got = std::fs::read(folder.path().join("probabilities.bin"))?;
        let got: Vec<f64> =
            got.as_chunks::<8>().0.iter().map(|bytes| f64::from_ne_bytes(*bytes)).collect();
        let got_pixels = std::fs::read(folder.path().join("pixels.bin"))?;
        let greatest_difference = if got.len() == probabilities.len() {
            let differences = got.iter().zip(probabilities).map(|(a, b)| (a - b).abs());
            differences.fold(0.0, |most, d| if d <= most { most } else { d })
        } else {
            f64::NAN
        };
        let n_pixels_off = got_pixels.iter().zip(pixels).filter(|(a, b)| a != b).count()
            + got_pixels.len().abs_diff(pixels.len());
        Ok(CheckReport {
            onnxruntime: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            n_examples: examples.shapes.len(),
            greatest_difference,
            tolerance: tolerance(model.network()),
            n_pixels_off,
        })
    }
}

/// Runs a command that fails where onnxruntime is not installed.
fn check_runtime(command: &mut Command, cure: String) -> Result<(), CheckError> {
    let reason = match command.output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => last_line(&output.stderr),
        Err(error) => error.to_string(),
    };
    let program = command.get_program().to_string_lossy().into_owned();
    Err(CheckError::NoRuntime { program, reason, cure })
}

/// The model as one that takes its own features, as rows of a table, before they are standardised.
fn of_features(model: &Model) -> Result<Model, ModelError> {
    let input = model.input();
    let n = input.n_features();
    let every = |values: &[f64]| values.iter().copied().cycle().take(n).collect();
    let standardization = input.standardization.as_ref().map(|s| Standardization {
        mean: every(&s.mean),
        std: every(&s.std),
        clip: s.clip,
    });
    let table = InputContract {
        width: n as u32,
        height: 1,
        channels: 1,
        normalization: Normalization::AsIs,
        standardization,
        ..InputContract::default()
    };
    Model::new(model.network().clone(), model.classes().to_vec(), table)
}

/// Makes an image of noise on a slope, which shows where each pixel goes: one to check graphs with. The
/// same seed gives the same image.
///
/// # Panics
/// When a side is 0 or above [`RgbImage::MAX_SIDE`].
pub fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
    let mut state = seed;
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                // Knuth's linear congruential generator.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let slope = u64::from(x) * 200 / u64::from(width) + u64::from(y + channel);
                // All of it in every third image: the filters overshoot most then.
                let share = if seed.is_multiple_of(3) { 1 } else { 4 };
                pixels.push(((state >> 56) / share + slope) as u8);
            }
        }
    }
    RgbImage::new(width, height, pixels).expect("sides in range")
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    // Node ends with its version.
    let mut lines =
        text.trim().lines().filter(|line| !line.is_empty() && !line.starts_with("Node.js v"));
    lines.next_back().unwrap_or("it says nothing").chars().take(400).collect()
}
