//! Damaged and foreign model files are refused with the reason, never trusted.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::metrics::ConformalScores;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, HiddenNormalization, Init, Network, OutputActivation};
use dnn_data::{AnyNetwork, InputContract, Model, ModelError};
use proptest::prelude::*;

fn model() -> Model {
    let input = InputContract::rgb(2, 2).unwrap();
    let shape = Architecture::new(vec![12, 3, 1], Activation::Relu, OutputActivation::Sigmoid);
    let mut rng = Generator::new(RngKind::Numpy, 1).unwrap();
    let network = Network::<f64>::initialize(&shape, Init::Lecun, &mut rng).unwrap();
    Model::new(network, vec!["non-cat".into(), "cat".into()], input).unwrap()
}

fn bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    model().write(&mut bytes).unwrap();
    bytes
}

/// The file with a piece of its JSON header replaced by one of the same length.
fn with(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes();
    let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    Model::read(bytes).unwrap_err().to_string()
}

#[test]
fn other_libraries_find_their_usual_tensors() {
    let bytes = bytes();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["layers.0.bias", "layers.0.weight", "layers.1.bias", "layers.1.weight"]);
    let w = file.tensor("layers.0.weight").unwrap();
    assert_eq!(w.shape(), [3, 12]);
    // Row-major: the second number is W[0][1]. np.random.seed(1); np.random.randn(3,12)/np.sqrt(12)
    let second = f64::from_le_bytes(w.data()[8..16].try_into().unwrap());
    assert!((second - -0.611_756_413_650_075_4 / 12_f64.sqrt()).abs() < 1e-15);
}

#[test]
fn normalised_layers_are_four_tensors_and_a_key_that_older_versions_refuse() {
    let shape = Architecture::new(vec![12, 3, 1], Activation::Relu, OutputActivation::Sigmoid);
    let shape = Architecture { normalization: HiddenNormalization::Layer, ..shape };
    let mut rng = Generator::new(RngKind::Numpy, 1).unwrap();
    let network = Network::<f64>::initialize(&shape, Init::Lecun, &mut rng).unwrap();
    let classes = vec!["no".into(), "yes".into()];
    let model = Model::new(network, classes, InputContract::rgb(2, 2).unwrap()).unwrap();
    let mut written = Vec::new();
    model.write(&mut written).unwrap();
    let file = safetensors::SafeTensors::deserialize(&written).unwrap();
    assert_eq!((file.len(), file.tensor("layers.0.norm.weight").unwrap().shape()), (6, &[3][..]));
    assert_eq!(file.tensor("layers.0.norm.bias").unwrap().data(), [0; 24]);
    let key = br#",\"normalization\":\"layer\""#;
    let at = |bytes: &[u8]| bytes.windows(key.len()).position(|window| window == key);
    assert_eq!(at(&bytes()), None, "a file without it is as it was");
    let (at, mut without) = (at(&written).unwrap(), written);
    without[at..at + key.len()].fill(b' ');
    assert_eq!(refusal(&without), "tensor `(all)`: expected 4 tensors for 2 layers, got 6 tensors");
}

#[test]
fn every_truncation_is_refused() {
    let bytes = bytes();
    for n in 0..bytes.len() {
        assert!(Model::read(&bytes[..n]).is_err(), "{n} of {} bytes", bytes.len());
    }
}

#[test]
fn refusals_say_what_was_expected_and_what_came() {
    assert_eq!(
        refusal(&with("\\\"format_version\\\":1", "\\\"format_version\\\":7")),
        "model format version 7: this program reads version 1"
    );
    assert_eq!(
        refusal(&with("[12,3,1]", "[12,4,1]")),
        "tensor `layers.0.weight`: expected F64 of shape [4, 12], got F64 of shape [3, 12]"
    );
    assert_eq!(
        refusal(&with("\\\"width\\\":2", "\\\"width\\\":3")),
        "the input contract gives 18 features, but the network takes 12"
    );
    assert_eq!(
        refusal(&with("\"dnn\"", "\"ddn\"")),
        "safetensors without the metadata entry `dnn`: no model of dnn (a checkpoint?)"
    );
    assert!(matches!(Model::read(&b"<!DOCTYPE html><html>"[..]), Err(ModelError::Format(_))));

    let mut not_finite = bytes();
    let n = not_finite.len();
    not_finite[n - 8..].copy_from_slice(&f64::NAN.to_le_bytes());
    assert!(matches!(Model::read(&not_finite[..]), Err(ModelError::NotFinite)));
}

#[test]
fn damage_anywhere_never_panics() {
    let bytes = bytes();
    let mut rng = Generator::new(RngKind::Modern, 1).unwrap();
    let mut below = |n: usize| (rng.uniform() * n as f64) as usize;
    for _ in 0..2_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=below(4) {
            // Most of the structure is in the header, so most of the damage is too.
            let at = if below(4) == 0 { below(bytes.len()) } else { below(600) };
            damaged[at] = below(256) as u8;
        }
        let _ = Model::read(&damaged[..]);
    }
}

fn hidden() -> impl Strategy<Value = Vec<(usize, Activation)>> {
    prop::collection::vec((1..7_usize, prop::sample::select(&Activation::ALL[..])), 0..4)
}

proptest! {
    #[test]
    fn a_model_survives_its_file(
        (height, width) in (1..4_u32, 1..4_u32), hidden in hidden(), seed in any::<u64>(), single in any::<bool>(),
        normalized in any::<bool>(),
    ) {
        let input = InputContract::rgb(width, height).unwrap();
        let architecture = Architecture {
            layer_dims: std::iter::once(input.n_features())
                .chain(hidden.iter().map(|(n, _)| *n))
                .chain([3])
                .collect(),
            activations: hidden.iter().map(|(_, activation)| *activation).collect(),
            normalization: if normalized && !hidden.is_empty() {
                HiddenNormalization::Layer
            } else {
                HiddenNormalization::None
            },
            output: OutputActivation::Softmax,
        };
        let classes = vec!["a".to_owned(), "ü".into(), " ".into()];
        let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
        let mut network = Network::<f64>::initialize(&architecture, Init::He, &mut rng).unwrap();
        // Each number another one: that they come back in their places shows.
        for value in network.parameters_mut().flatten().flatten() {
            *value += rng.normal();
        }
        let model = if single {
            Model::new(network.cast::<f32>(), classes, input).unwrap()
        } else {
            Model::new(network, classes, input).unwrap()
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        model.write(&mut first).unwrap();
        model.write(&mut second).unwrap();
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(Model::read(&first[..]).unwrap(), model);
    }
}

#[test]
fn classes_that_cannot_be_told_apart_are_refused() {
    let named = |names: [&str; 2]| {
        let network = match model().network() {
            AnyNetwork::F64(network) => network.clone(),
            AnyNetwork::F32(_) => unreachable!("made in double precision"),
        };
        let input = InputContract::rgb(2, 2).unwrap();
        Model::new(network, names.map(String::from).to_vec(), input).map(|_| ())
    };
    assert!(named(["cat", "dog"]).is_ok());
    assert!(matches!(named(["cat", "cat"]), Err(ModelError::ClassName { index: 1, .. })));
    assert!(matches!(named(["", "cat"]), Err(ModelError::ClassName { index: 0, .. })));
}

/// What `docs/model-file.md` tells a third party is all that there is to tell.
#[test]
fn the_document_has_every_key_of_a_header_and_its_example_can_be_read() {
    let document = include_str!("../../../docs/model-file.md");
    let example = document.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let header: dnn_data::model_file::Header = serde_json::from_str(example).unwrap();
    header.input.check().unwrap();
    assert_eq!(header.architecture.layer_dims[0], header.input.n_features());
    let serde_json::Value::Object(written) = serde_json::to_value(&header.input).unwrap() else {
        panic!("a contract is an object");
    };
    assert!(written.contains_key("standardization"), "the example has every key");
    for key in written.keys() {
        let is_explained = |line: &str| {
            let cell = line.strip_prefix("| ").and_then(|line| line.split(" |").next());
            cell.is_some_and(|cell| cell.split(", ").any(|name| name == format!("`{key}`")))
        };
        assert!(document.lines().any(is_explained), "no row for `{key}`");
    }
    // What may be left out is what the document says.
    let least = "{\"width\": 64, \"height\": 64, \"channels\": 3, \"resize\": \"lanczos3\",
                  \"normalization\": \"divide-by-255\"}";
    assert_eq!(serde_json::from_str::<InputContract>(least).unwrap(), InputContract::default());
}

/// The steps of `docs/images.md`, computed by hand from its text, give the features of the library.
#[cfg(feature = "image")]
#[test]
fn the_documents_steps_give_the_features() {
    use dnn_data::image::RgbImage;
    use dnn_data::preprocess::{Features, prepare};
    use dnn_data::{Aspect, Standardization};
    // 4×2 into 2×2, fitted: 2 × round(2·2/4) = 2×1, no row above, one of the background below;
    // nearest, so that nothing is mixed; the means and deviations of the channels.
    let pixels: Vec<u8> = (0..24).map(|i| i * 10).collect();
    let image = RgbImage::new(4, 2, pixels.clone()).unwrap();
    let contract = InputContract {
        resize: dnn_data::ResizeFilter::Nearest,
        aspect: Aspect::Fit,
        background: [9, 8, 7],
        standardization: Some(Standardization {
            mean: vec![0.1, 0.2, 0.3],
            std: vec![0.5, 1.0, 2.0],
            clip: None,
        }),
        ..InputContract::rgb(2, 2).unwrap()
    };
    let bytes = prepare(image, &contract).unwrap();
    assert_eq!(bytes[6..], [9, 8, 7, 9, 8, 7], "⌊(2 − 1) / 2⌋ = 0 rows above the picture");
    assert!(bytes[..6].chunks(3).all(|pixel| pixels.chunks(3).any(|own| own == pixel)));
    let mut x = [0.0; 12];
    Features::<f64>::new(&contract).unwrap().of_bytes(&bytes, &mut x);
    let feature = |byte: u8, mean: f64, std: f64| (f64::from(byte) / 255.0 - mean) / std;
    assert_eq!(x[9..], [feature(9, 0.1, 0.5), feature(8, 0.2, 1.0), feature(7, 0.3, 2.0)]);
}

#[test]
fn temperature_and_scores_are_kept_and_checked() {
    let plain = model();
    let AnyNetwork::F64(network) = plain.network().clone() else { panic!("f64") };
    let network = network.with_temperature(1.1 + 0.2).unwrap();
    let scores = ConformalScores::from_scores(vec![0.25, 0.1 + 0.2, 0.0]);
    let (classes, input) = (plain.classes().to_vec(), plain.input().clone());
    let model = Model::new(network, classes, input).unwrap().with_conformal(scores);
    let mut bytes = Vec::new();
    model.write(&mut bytes).unwrap();
    let read = Model::read(&bytes[..]).unwrap();
    assert_eq!((read.network().temperature(), &read), (1.1 + 0.2, &model));
    assert_eq!(read.conformal().unwrap().as_slice(), [0.0, 0.25, 0.1 + 0.2]);
    let patched = |from: &[u8], to: &[u8]| {
        let mut bytes = bytes.clone();
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        refusal(&bytes)
    };
    let refused = patched(&0.25_f64.to_le_bytes(), &1.25_f64.to_le_bytes());
    assert!(
        refused.starts_with("tensor `conformal.scores`: expected F64 of shape [n]"),
        "{refused}"
    );
    let refused = patched(b"\\\"temperature\\\":1.", b"\\\"temperature\\\":-1");
    assert_eq!(refused, "the network in the model is not one");
}
