//! A model's weights as arrays for NumPy.

use crate::ExportError;
use dnn_core::layer::PARAMETER_NAMES;
use dnn_core::{Network, OutputActivation, Real};
use dnn_data::{AnyNetwork, Model};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes a model's parameters as `.npz`, which `numpy.load` reads without pickles.
///
/// The arrays are W1 (n₁, n₀), b1 (n₁), where hidden layers are normalised gamma1 and beta1 (n₁), W2,
/// b2, …, in the network's precision; `activations`, a name for
/// each hidden layer; `output`, `sigmoid` or `softmax`; `classes`; `input_contract`, in JSON; and, where
/// features are standardised, `mean`, `std` and, with a limit, `clip`.
///
/// # Errors
/// [`ExportError::Npz`] when the archive cannot be made.
pub fn npz(model: &Model) -> Result<Vec<u8>, ExportError> {
    let model = &crate::without_temperature(model)?;
    let mut archive = Archive(ZipWriter::new(Cursor::new(Vec::new())));
    match model.network() {
        AnyNetwork::F32(network) => parameters(&mut archive, network)?,
        AnyNetwork::F64(network) => parameters(&mut archive, network)?,
    }
    let architecture = serde_json::to_value(model.network().architecture())?;
    let activations = architecture["activations"].as_array().into_iter().flatten();
    let activations: Vec<_> = activations.filter_map(|name| name.as_str()).collect();
    archive.texts("activations", &activations, &[activations.len()])?;
    let output = match model.network().architecture().output {
        OutputActivation::Sigmoid => "sigmoid",
        OutputActivation::Softmax => "softmax",
    };
    archive.texts("output", &[output], &[])?;
    let classes: Vec<_> = model.classes().iter().map(String::as_str).collect();
    archive.texts("classes", &classes, &[classes.len()])?;
    archive.texts("input_contract", &[&serde_json::to_string(model.input())?], &[])?;
    if let Some(standardization) = &model.input().standardization {
        for (name, values) in [("mean", &standardization.mean), ("std", &standardization.std)] {
            archive.numbers(name, values, &[values.len()])?;
        }
        if let Some(clip) = standardization.clip {
            archive.numbers("clip", &[clip], &[])?;
        }
    }
    Ok(archive.0.finish()?.into_inner())
}

fn parameters<F: Real>(archive: &mut Archive, network: &Network<F>) -> Result<(), ExportError> {
    for (l, layer) in network.layers().iter().enumerate() {
        for (name, values) in PARAMETER_NAMES.into_iter().zip(layer.parameters()) {
            let shape = [layer.n(), layer.n_prev()];
            let shape = if name == "W" { &shape[..] } else { &shape[..1] };
            if !values.is_empty() {
                archive.numbers(&format!("{name}{}", l + 1), values, shape)?;
            }
        }
    }
    Ok(())
}

struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    /// Adds an array of numbers, the first index fastest.
    fn numbers<F: Real>(
        &mut self,
        name: &str,
        values: &[F],
        shape: &[usize],
    ) -> Result<(), ExportError> {
        let mut bytes = Vec::with_capacity(size_of_val(values));
        if size_of::<F>() == 4 {
            for v in values {
                bytes.extend((v.as_f64() as f32).to_le_bytes());
            }
        } else {
            for v in values {
                bytes.extend(v.as_f64().to_le_bytes());
            }
        }
        self.array(name, &format!("<f{}", size_of::<F>()), shape, &bytes)
    }

    /// Adds an array of texts, all in as many characters as the longest.
    fn texts(&mut self, name: &str, texts: &[&str], shape: &[usize]) -> Result<(), ExportError> {
        let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
        let padded = |text: &&str| -> Vec<char> {
            text.chars().chain(std::iter::repeat('\0')).take(longest).collect()
        };
        let bytes: Vec<u8> =
            texts.iter().flat_map(padded).flat_map(|c| u32::from(c).to_le_bytes()).collect();
        self.array(name, &format!("<U{longest}"), shape, &bytes)
    }

    /// Adds an `.npy`: version 1.0 of the format, whose header is a dictionary of Python, padded so that
    /// the numbers begin at a multiple of 64.
    fn array(
        &mut self,
        name: &str,
        descr: &str,
        shape: &[usize],
        bytes: &[u8],
    ) -> Result<(), ExportError> {
        const START: &[u8] = b"\x93NUMPY\x01\x00";
        let shape = shape.iter().fold(String::new(), |text, n| text + &format!("{n},"));
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': ({shape}), }}");
        let before = START.len() + 2;
        let length = (before + header.len() + 1).next_multiple_of(64) - before;
        header += &" ".repeat(length - 1 - header.len());
        header.push('\n');
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() >= 1 << 31);
        self.0.start_file(format!("{name}.npy"), options)?;
        self.0.write_all(START)?;
        self.0.write_all(&(length as u16).to_le_bytes())?;
        self.0.write_all(header.as_bytes())?;
        self.0.write_all(bytes)?;
        Ok(())
    }
}
