//! Exported graphs in onnxruntime: the same pixels to the bit, the same probabilities.
//!
//! `DNN_PYTHON` is a Python that has it, `python3` by default, and `DNN_ONNXRUNTIME_WEB` the folder of the
//! package onnxruntime-web, which Node runs; what is not there is skipped, unless
//! `DNN_REQUIRE_ONNXRUNTIME` is set.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{found, hidden_activations, model, python, rows, standardization, table, warm};
use dnn_core::{Activation, OutputActivation, Precision};
use dnn_data::image::RgbImage;
use dnn_data::{Aspect, FeatureKind, InputContract, Model, ResizeFilter};
use dnn_export::{
    CheckError, CheckReport, Checker, ExportError, OnnxInput, OnnxOptions, noise, onnx,
};
use std::path::Path;

/// Writes a model as a graph and compares the two.
fn compare(checker: &Checker, model: &Model, images: &[RgbImage], folder: &Path) -> CheckReport {
    let graph = folder.join("model.onnx");
    std::fs::write(&graph, onnx(model, &OnnxOptions::default()).unwrap().graph).unwrap();
    checker.images(&graph, model, images).unwrap()
}

const FILTERS: [ResizeFilter; 4] =
    [ResizeFilter::Nearest, ResizeFilter::Bilinear, ResizeFilter::Bicubic, ResizeFilter::Lanczos3];

#[test]
fn every_filter_aspect_activation_and_output_gives_the_same_pixels_and_probabilities() {
    let Some(checker) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let hidden = hidden_activations();
    let sizes = [(64, 64), (28, 28), (1, 1), (5, 90), (120, 33), (32, 16), (7, 7)];
    let (mut i, mut n_images, mut worst) = (0, 0, [0.0_f64; 2]);
    for filter in FILTERS {
        for aspect in [Aspect::Stretch, Aspect::Fit, Aspect::Crop] {
            for channels in [3, 1] {
                for precision in [Precision::F32, Precision::F64] {
                    let (width, height) = sizes[i % sizes.len()];
                    let mut contract = InputContract {
                        resize: filter,
                        aspect,
                        channels,
                        background: [250, 3, 128],
                        ..InputContract::rgb(width, height).unwrap()
                    };
                    let n = [0, channels as usize, contract.n_features()][i / 2 % 3];
                    contract.standardization = (n > 0).then(|| standardization(n));
                    let output = [OutputActivation::Sigmoid, OutputActivation::Softmax][i / 3 % 2];
                    let model = model(contract, hidden[i % hidden.len()], output, precision);
                    let side = |k: usize| (1 + (i * 37 + k * 101) % 400) as u32;
                    let images = [
                        noise(side(1), side(2), i as u64),
                        noise(side(3), side(4), i as u64 + 1),
                        // Of the contract's size, and a batch.
                        noise(width, height, 5),
                        noise(width, height, 6),
                    ];
                    let report = compare(&checker, &model, &images, folder.path());
                    assert!(report.agrees(), "{}: {report:?}", model.input());
                    n_images += report.n_examples;
                    let worst = &mut worst[usize::from(precision == Precision::F64)];
                    *worst = worst.max(report.greatest_difference);
                    i += 1;
                }
            }
        }
    }
    println!(
        "{n_images} images: probabilities off by {:.1e} (f32), {:.1e} (f64)",
        worst[0], worst[1]
    );
}

#[test]
fn descriptions_and_views_give_the_same_probabilities() {
    let Some(checker) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut i = 0;
    for features in FeatureKind::ALL {
        for views in [1, 2, 12] {
            let (width, height) = [(64, 64), (13, 22), (32, 5)][i % 3];
            let mut contract = InputContract {
                features,
                views,
                channels: if features == FeatureKind::Texture { 1 + 2 * (i as u32 % 2) } else { 3 },
                ..InputContract::rgb(width, height).unwrap()
            };
            contract.standardization = Some(standardization(contract.n_features()));
            let (precision, output) = match i % 2 {
                0 => (Precision::F64, OutputActivation::Sigmoid),
                _ => (Precision::F32, OutputActivation::Softmax),
            };
            let model = model(contract, Activation::Silu, output, precision);
            let mut images: Vec<_> =
                (0..9).map(|k| noise(width + 7 * k, height, k.into())).collect();
            // Flat and primary colours: hues that are none, and bins at their edges.
            for colour in [[0; 3], [255; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255], [153, 0, 77]] {
                let pixels = colour.repeat(width as usize * height as usize);
                images.push(RgbImage::new(width, height, pixels).unwrap());
            }
            for model in [&model, &warm(&model)] {
                let report = compare(&checker, model, &images, folder.path());
                assert!(report.agrees(), "{features:?}, {views} views: {report:?}");
            }
            if views > 1 {
                let options = OnnxOptions { input: OnnxInput::Features, ..OnnxOptions::default() };
                let refused = onnx(&model, &options).unwrap_err();
                assert!(matches!(refused, ExportError::Views { n } if n == views), "{refused}");
                assert!(matches!(dnn_export::c(&model), Err(ExportError::Views { .. })));
                let refused = dnn_export::npz(&warm(&model)).unwrap_err();
                assert!(matches!(refused, ExportError::Temperature), "{refused}");
            }
            i += 1;
        }
    }
}

#[test]
fn images_of_every_size_from_1_to_4000_are_prepared_to_the_same_bytes() {
    let Some(checker) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for filter in FILTERS {
        let contract = InputContract { resize: filter, ..InputContract::default() };
        let model = model(contract, Activation::Relu, OutputActivation::Sigmoid, Precision::F32);
        let mut images: Vec<_> = [
            (1, 1),
            (1, 4000),
            (4000, 1),
            (3, 2),
            (63, 65),
            (65, 63),
            (64, 100),
            (100, 64),
            (128, 128),
            (127, 129),
            (32, 32),
            (16, 4),
            (1000, 750),
            (4000, 37),
            (37, 4000),
            (1920, 1080),
        ]
        .into_iter()
        .enumerate()
        .map(|(i, (width, height))| noise(width, height, i as u64))
        .collect();
        images.extend((1..27).map(|k| noise(k * k * 5 + 1, 4001 - k * 150, k.into())));
        let report = compare(&checker, &model, &images, folder.path());
        assert!(report.agrees(), "{filter:?}: {report:?}");
    }
}

#[test]
fn features_and_weights_in_a_file_of_their_own_give_the_same_probabilities() {
    let Some(checker) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("model.onnx");
    for (i, activation) in hidden_activations().into_iter().enumerate() {
        for precision in [Precision::F32, Precision::F64] {
            let output = [OutputActivation::Sigmoid, OutputActivation::Softmax][i % 2];
            let mut model = model(table(150), activation, output, precision);
            if i / 2 % 2 == 0 {
                model = warm(&model);
            }
            let options = OnnxOptions {
                input: OnnxInput::Features,
                external_data: (i % 2 == 0).then(|| "model.data".into()),
                data_hash: Some("5e".into()),
            };
            let files = onnx(&model, &options).unwrap();
            std::fs::write(&graph, &files.graph).unwrap();
            let data = folder.path().join("model.data");
            if let Some(bytes) = &files.data {
                std::fs::write(&data, bytes).unwrap();
                assert!(files.graph.len() < 16_000, "{} bytes of graph", files.graph.len());
            }
            let report = checker.features(&graph, &model, &rows(30, 150)).unwrap();
            assert!(report.agrees(), "{activation} {precision}: {report:?}");
            if files.data.is_some() {
                std::fs::remove_file(&data).unwrap();
                let error = checker.features(&graph, &model, &rows(30, 150)).unwrap_err();
                assert!(matches!(&error, CheckError::Run { .. }), "{error}");
            }
        }
    }
}

/// What browsers run.
#[test]
fn onnxruntime_web_gives_the_same_pixels_and_probabilities() {
    let package = std::env::var_os("DNN_ONNXRUNTIME_WEB").unwrap_or_default();
    let Some(checker) = found(Checker::node("node", package.as_ref())) else { return };
    let folder = tempfile::tempdir().unwrap();
    for (i, activation) in hidden_activations().into_iter().enumerate() {
        let contract = InputContract {
            resize: FILTERS[i % 4],
            aspect: [Aspect::Stretch, Aspect::Fit, Aspect::Crop][i % 3],
            channels: [3, 1][i % 2],
            ..InputContract::default()
        };
        let output = [OutputActivation::Softmax, OutputActivation::Sigmoid][i % 2];
        // Runtimes have some operators for f32 only, or make such of others.
        let precision = match activation {
            Activation::Relu | Activation::Tanh => Precision::F32,
            _ => Precision::F64,
        };
        let model = model(contract, activation, output, precision);
        let images = [noise(64, 64, 1), noise(1, 1, 2), noise(301, 77, 3), noise(50, 640, 4)];
        let report = compare(&checker, &model, &images, folder.path());
        assert!(report.agrees(), "{}: {report:?}", model.input());
    }
}

/// The comparison can fail: another model's answers are not this one's.
#[test]
fn a_graph_of_another_model_does_not_agree() {
    let Some(checker) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let of = |filter| {
        let contract = InputContract { resize: filter, ..InputContract::default() };
        model(contract, Activation::Tanh, OutputActivation::Sigmoid, Precision::F64)
    };
    let graph = folder.path().join("model.onnx");
    let exported = of(ResizeFilter::Bicubic);
    std::fs::write(&graph, onnx(&exported, &OnnxOptions::default()).unwrap().graph).unwrap();
    let images = [noise(90, 40, 1)];
    assert!(checker.images(&graph, &exported, &images).unwrap().agrees());
    let report = checker.images(&graph, &of(ResizeFilter::Bilinear), &images).unwrap();
    assert!(!report.agrees() && report.n_pixels_off > 0 && report.greatest_difference > 1e-9);
}

#[test]
fn a_python_without_it_is_named_with_the_cure() {
    let error = Checker::python("/no/such/python").unwrap_err().to_string();
    assert!(error.contains("/no/such/python -m pip install onnxruntime"), "{error}");
}

#[test]
fn a_network_of_numbers_takes_no_images() {
    let model = model(table(3), Activation::Relu, OutputActivation::Sigmoid, Precision::F32);
    let error = onnx(&model, &OnnxOptions::default()).unwrap_err();
    assert!(matches!(error, ExportError::NoImages), "{error}");
}
