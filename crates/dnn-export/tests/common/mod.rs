//! Models to export.

#![allow(clippy::unwrap_used, dead_code)] // tests; each file uses a part

use dnn_core::init::Init;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{
    Activation, Architecture, HiddenNormalization, Network, OutputActivation, Precision, Real,
};
use dnn_data::{AnyNetwork, InputContract, Model, Normalization, Predictor, Standardization};
use dnn_export::{CheckError, Checker};

/// The checker, or `None` where there is none and none is required.
pub(crate) fn found(checker: Result<Checker, CheckError>) -> Option<Checker> {
    match checker {
        Ok(checker) => Some(checker),
        Err(error) if std::env::var_os("DNN_REQUIRE_ONNXRUNTIME").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Python's onnxruntime, or `None`.
pub(crate) fn python() -> Option<Checker> {
    found(Checker::python(std::env::var_os("DNN_PYTHON").unwrap_or_else(|| "python3".into())))
}

/// The activations that hidden layers have.
pub(crate) fn hidden_activations() -> Vec<Activation> {
    Activation::ALL.into_iter().filter(|a| *a != Activation::Identity).collect()
}

/// A model with parameters that matter, of two classes for a sigmoid and five for a softmax. Every other
/// activation has normalised layers.
pub(crate) fn model(
    contract: InputContract,
    activation: Activation,
    output: OutputActivation,
    precision: Precision,
) -> Model {
    let n_classes = if output == OutputActivation::Sigmoid { 2 } else { 5 };
    let dims = vec![contract.n_features(), 9, 6, output.n_outputs(n_classes)];
    let normalization =
        [HiddenNormalization::None, HiddenNormalization::Layer][activation as usize % 2];
    let architecture =
        Architecture { normalization, ..Architecture::new(dims, activation, output) };
    let network: AnyNetwork = match precision {
        Precision::F32 => network::<f32>(&architecture).into(),
        Precision::F64 => network::<f64>(&architecture).into(),
    };
    let classes = (0..n_classes).map(|i| format!("class \"{i}\"??/ 猫")).collect();
    Model::new(network, classes, contract).unwrap()
}

/// The model at a temperature that moves its probabilities.
pub(crate) fn warm(model: &Model) -> Model {
    let network: AnyNetwork = match model.network().clone() {
        AnyNetwork::F32(network) => network.with_temperature(1.7).unwrap().into(),
        AnyNetwork::F64(network) => network.with_temperature(1.7).unwrap().into(),
    };
    Model::new(network, model.classes().to_vec(), model.input().clone()).unwrap()
}

fn network<F: Real>(architecture: &Architecture) -> Network<F> {
    let mut rng = Generator::new(RngKind::Modern, 4).unwrap();
    let mut network = Network::<F>::initialize(architecture, Init::He, &mut rng).unwrap();
    for (i, [_, b, gamma, beta]) in network.parameters_mut().enumerate() {
        for (values, neutral) in [(b, 0.0), (gamma, 1.0), (beta, 0.0)] {
            for (j, value) in values.iter_mut().enumerate() {
                *value = F::of(neutral + (i + 3 * j) as f64 % 7.0 / 10.0 - 0.3);
            }
        }
    }
    network
}

/// Means and deviations of `n` features that a feature of a pixel may have.
pub(crate) fn standardization(n: usize) -> Standardization {
    Standardization {
        mean: (0..n).map(|i| 0.4 + (i % 5) as f64 / 50.0).collect(),
        std: (0..n).map(|i| 0.2 + (i % 3) as f64 / 30.0).collect(),
        clip: n.is_multiple_of(2).then_some(1.5),
    }
}

/// The contract of a table of `n` columns, standardised.
pub(crate) fn table(n: u32) -> InputContract {
    InputContract {
        width: n,
        height: 1,
        channels: 1,
        normalization: Normalization::AsIs,
        standardization: Some(standardization(n as usize)),
        ..InputContract::default()
    }
}

/// Rows of a table, a few deviations around the means.
pub(crate) fn rows(n_rows: usize, n: u32) -> Vec<f64> {
    (0..n_rows * n as usize).map(|i| (i * 37 % 401) as f64 / 400.0).collect()
}

/// The model's own probabilities of rows that are not standardised yet, row by row.
pub(crate) fn probabilities(model: &Model, rows: &[f64]) -> Vec<f64> {
    let predictor = Predictor::new(model.clone()).unwrap();
    let rows = rows.chunks_exact(model.input().n_features());
    rows.flat_map(|row| predictor.features(row).unwrap()).collect()
}
