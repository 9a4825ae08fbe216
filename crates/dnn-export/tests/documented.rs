//! What docs/export.md shows, run by Python where it has NumPy, Pillow and onnxruntime (`DNN_PYTHON`,
//! `python3` by default); else these tests skip, unless `DNN_REQUIRE_ONNXRUNTIME` is set.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{hidden_activations, model, probabilities, python, rows, standardization, table};
use dnn_core::{Activation, OutputActivation, Precision};
use dnn_data::image::{DecodeLimits, Rendering, decode_file};
use dnn_data::{Aspect, InputContract, ResizeFilter};
use dnn_export::{OnnxOptions, npz, onnx};
use std::path::Path;
use std::process::Command;

/// Runs a part of `documented.py`; `None` where Python lacks what it imports.
fn documented(part: &str, folder: &Path) -> Option<()> {
    python()?;
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("DNN_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .arg(crate_folder.join("tests/documented.py"))
        .arg(crate_folder.join("../../docs/export.md"))
        .arg(part)
        .arg(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named") && std::env::var_os("DNN_REQUIRE_ONNXRUNTIME").is_none() {
        eprintln!("skipped: {said}");
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(())
}

#[test]
fn the_documented_reader_gives_the_probabilities_of_every_kind_of_network() {
    const N_FEATURES: u32 = 30;
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(25, N_FEATURES);
    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(folder.path().join("rows.bin"), bytes).unwrap();
    let mut models = Vec::new();
    for (i, activation) in hidden_activations().into_iter().enumerate() {
        for precision in [Precision::F32, Precision::F64] {
            let output = [OutputActivation::Sigmoid, OutputActivation::Softmax][i % 2];
            let contract = match i % 3 {
                0 => InputContract { standardization: None, ..table(N_FEATURES) },
                1 => table(N_FEATURES),
                // Of the channels of an image.
                _ => InputContract {
                    standardization: Some(standardization(3)),
                    ..InputContract::rgb(5, 2).unwrap()
                },
            };
            let model = model(contract, activation, output, precision);
            std::fs::write(
                folder.path().join(format!("{}.npz", models.len())),
                npz(&model).unwrap(),
            )
            .unwrap();
            models.push(model);
        }
    }
    if documented("npz", folder.path()).is_none() {
        return;
    }
    for (i, model) in models.iter().enumerate() {
        let got = std::fs::read(folder.path().join(format!("{i}.bin"))).unwrap();
        let expected = probabilities(model, &rows);
        assert_eq!(got.len(), 8 * expected.len());
        let tolerance = if model.network().precision() == Precision::F32 { 5e-7 } else { 1e-12 };
        for (got, expected) in got.as_chunks().0.iter().zip(expected) {
            let gap = (f64::from_ne_bytes(*got) - expected).abs();
            assert!(gap <= tolerance, "{:?}: {gap:e}", model.network().architecture());
        }
    }
}

#[test]
fn files_of_every_mode_are_loaded_as_documented_and_answered_by_the_graph_as_by_the_model() {
    let folder = tempfile::tempdir().unwrap();
    if documented("images", folder.path()).is_none() {
        return;
    }
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "rgb") {
            let bytes = std::fs::read(&path).unwrap();
            let file = path.with_extension("");
            let image = decode_file(&file, &DecodeLimits::default(), Rendering::default()).unwrap();
            let size = [image.height(), image.width()].map(u32::to_ne_bytes).concat();
            assert_eq!(bytes[..8], size, "{}", file.display());
            assert!(bytes[8..] == *image.pixels(), "{}: other pixels", file.display());
            images.push(image);
        }
    }
    assert_eq!(images.len(), 6 * 11 + 8);
    let checker = python().unwrap();
    for (i, aspect) in [Aspect::Stretch, Aspect::Fit, Aspect::Crop].into_iter().enumerate() {
        let contract = InputContract {
            aspect,
            resize: [ResizeFilter::Lanczos3, ResizeFilter::Bicubic, ResizeFilter::Bilinear][i],
            ..InputContract::default()
        };
        let model = model(contract, Activation::Relu, OutputActivation::Sigmoid, Precision::F32);
        let graph = folder.path().join("model.onnx");
        std::fs::write(&graph, onnx(&model, &OnnxOptions::default()).unwrap().graph).unwrap();
        let report = checker.images(&graph, &model, &images).unwrap();
        assert!(report.agrees(), "{aspect:?}: {report:?}");
    }
}
