//! A predictor answers alike whatever way the same image comes to it, and says why when it cannot.

#![cfg(feature = "image")]

use dnn_core::init::Init;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Examples, Network, OutputActivation, Real};
use dnn_data::image::{DecodeLimits, PngContent, RgbImage, encode_png};
use dnn_data::preprocess::Features;
use dnn_data::{
    AnyNetwork, ContractError, FeatureKind, ImageSet, ImageShape, InputContract, Model,
    Normalization, PredictError, Predictor, Standardization, Values,
};
use nalgebra::DMatrix;

fn model<F: Real>(input: InputContract, output: OutputActivation) -> Model
where
    Network<F>: Into<AnyNetwork>,
{
    let n_outputs = output.n_outputs(3);
    let dims = vec![input.n_features(), 16, n_outputs];
    let mut rng = Generator::new(RngKind::Modern, 4).expect("a seed");
    let architecture = Architecture::new(dims, Activation::Tanh, output);
    let network = Network::<F>::initialize(&architecture, Init::He, &mut rng).expect("a shape");
    let classes = ["a", "b", "c"].map(String::from)[..output.n_classes(n_outputs)].to_vec();
    Model::new(network, classes, input).expect("fits")
}

fn bytes(shape: ImageShape) -> Vec<u8> {
    (0..shape.n_bytes()).map(|i| (i * i * 7 % 253) as u8).collect()
}

fn described(features: FeatureKind, views: u32) -> InputContract {
    let contract = InputContract { features, views, ..InputContract::rgb(9, 8).expect("a size") };
    let (mean, std) = (vec![0.2; contract.n_features()], vec![0.01; contract.n_features()]);
    let standardization = Some(Standardization { mean, std, clip: Some(5.0) });
    InputContract { standardization, ..contract }
}

/// The mean over the views of what the network says of each.
fn by_hand<F: Real>(network: &Network<F>, input: &InputContract, image: &[u8]) -> Vec<f64> {
    let features = Features::<F>::new(input).expect("sound");
    let mut mean = vec![0.0; network.n_classes()];
    for view in 0..input.views {
        let mut x = DMatrix::zeros(features.n_features(), 1);
        features.of_view(Values::Bytes(image), view, x.as_mut_slice());
        for (mean, p) in mean.iter_mut().zip(network.probabilities(&x).iter()) {
            *mean += p.as_f64() / f64::from(input.views);
        }
    }
    mean
}

#[track_caller]
fn check(input: &InputContract, output: OutputActivation) {
    let shape = ImageShape::of(input);
    let image = bytes(shape);
    for model in [model::<f64>(input.clone(), output), model::<f32>(input.clone(), output)] {
        let (expected, tolerance) = match model.network() {
            AnyNetwork::F64(network) => (by_hand(network, input, &image), 1e-14),
            AnyNetwork::F32(network) => (by_hand(network, input, &image), 1e-6),
        };
        let predictor = Predictor::new(model).expect("sound");
        let answer = predictor.prepared(&image).expect("an answer");
        assert_eq!(answer.len(), predictor.classes().len());
        assert_eq!(predictor.clone().packed().prepared(&image).expect("an answer"), answer);
        for (got, expected) in answer.iter().zip(&expected) {
            assert!((got - expected).abs() < tolerance, "{got} {expected}");
        }
        let rgb = RgbImage::new(input.width, input.height, image.clone()).expect("its size");
        assert_eq!(predictor.rgb(rgb).expect("an answer"), answer);
        let mut png = Vec::new();
        encode_png(&mut png, &image, shape, PngContent::Photos).expect("encoded");
        let limits = DecodeLimits::default();
        assert_eq!(predictor.image_bytes(&png, &limits).expect("an answer"), answer);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("image");
        std::fs::write(&path, png).expect("written");
        assert_eq!(predictor.image_file(&path, &limits).expect("an answer"), answer);
        let shares: Vec<f64> = image.iter().map(|&byte| f64::from(byte) / 255.0).collect();
        for (got, expected) in predictor.features(&shares).expect("an answer").iter().zip(&answer) {
            assert!((got - expected).abs() < tolerance, "numbers are the bytes that they are of");
        }
    }
}

#[test]
fn every_way_to_the_answer_is_the_same() {
    for output in [OutputActivation::Sigmoid, OutputActivation::Softmax] {
        check(&InputContract::rgb(9, 8).expect("a size"), output);
        check(&InputContract { views: 12, ..InputContract::rgb(9, 8).expect("a size") }, output);
        check(&described(FeatureKind::ColourTexture, 1), output);
        check(&described(FeatureKind::Texture, 5), output);
    }
}

#[test]
fn another_number_of_views_is_another_answer_and_checked() {
    let input = described(FeatureKind::Colour, 1);
    let image = bytes(ImageShape::of(&input));
    let predictor = Predictor::new(model::<f64>(input, OutputActivation::Sigmoid)).expect("sound");
    let one = predictor.prepared(&image).expect("an answer");
    let twelve = predictor.clone().with_views(12).expect("an image");
    assert_eq!((twelve.input().views, twelve.model().input().views), (12, 1));
    assert_ne!(twelve.prepared(&image).expect("an answer"), one);
    let back = twelve.with_views(1).expect("an image");
    assert_eq!(back.prepared(&image).expect("an answer"), one);
    assert!(matches!(predictor.with_views(13), Err(ContractError::Features { .. })));
}

#[test]
fn examples_have_the_views_side_by_side() {
    let input = described(FeatureKind::ColourTexture, 12);
    let shape = ImageShape::of(&input);
    let two = [bytes(shape), vec![9; shape.n_bytes()]];
    let classes = vec!["a".into(), "b".into()];
    let set = ImageSet::new(two.concat(), shape, vec![0, 1], classes).expect("sound");
    let predictor =
        Predictor::new(model::<f64>(input.clone(), OutputActivation::Sigmoid)).expect("sound");
    let examples = predictor.examples::<f64, _>(&set).expect("of its size");
    assert_eq!((examples.n_examples(), examples.n_views()), (2, 12));
    let features = Features::<f64>::new(&input).expect("sound");
    let n = features.n_features();
    let (mut views, mut plain) = (DMatrix::zeros(n, 24), DMatrix::zeros(n, 2));
    examples.read_views(&[1, 0], &mut views).expect("read");
    examples.read(&[1, 0], &mut plain).expect("read");
    for (at, image) in [&two[1], &two[0]].into_iter().enumerate() {
        for view in 0..12 {
            let mut x = vec![0.0; n];
            features.of_view(Values::Bytes(image), view, &mut x);
            assert_eq!(views.column(12 * at + view as usize).as_slice(), x);
        }
        assert_eq!(plain.column(at), views.column(12 * at));
    }
}

#[test]
fn what_has_no_answer_says_why() {
    let rgb = InputContract::rgb(9, 8).expect("a size");
    let table = InputContract {
        width: 4,
        height: 1,
        channels: 1,
        normalization: Normalization::AsIs,
        ..InputContract::default()
    };
    let of = |input| Predictor::new(model::<f64>(input, OutputActivation::Sigmoid)).expect("sound");
    let (images, numbers) = (of(rgb.clone()), of(table));
    assert!(numbers.features(&[1.5, -3.0, 0.0, 1e3]).is_ok());
    let picture = RgbImage::new(1, 1, vec![0; 3]).expect("1×1");
    let limits = DecodeLimits::default();
    for (answer, says) in [
        (numbers.features(&[1.0; 5]), "the model takes 4 numbers (a row of 4 numbers)"),
        (numbers.features(&[1.0, f64::NAN, 1.0, 1.0]), "number 1 of the input is NaN"),
        (numbers.rgb(picture), "no image can be its input"),
        (numbers.image_bytes(b"", &limits), "no image can be its input"),
        (numbers.image_file("nowhere".as_ref(), &limits), "no image can be its input"),
        (images.features(&[1.5; 216]), "number 0 of the input is 1.5: expected 0 to 1"),
        (images.prepared(&[0; 3]), "got 3"),
        (images.image_bytes(b"GIF89a", &limits), "got a GIF image"),
        (images.image_file("nowhere".as_ref(), &limits), "nowhere"),
    ] {
        let error = answer.expect_err(says);
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let text = format!("{error} {}", source.unwrap_or_default());
        assert!(text.contains(says), "{text}");
    }
    let AnyNetwork::F64(network) = images.model().network() else { unreachable!("f64") };
    let mut huge = network.clone();
    huge.parameters_mut().for_each(|[w, ..]| w.fill(f64::MAX));
    let classes = images.classes().to_vec();
    let huge = Predictor::new(Model::new(huge, classes, rgb).expect("finite")).expect("sound");
    let mut mixed = vec![255; 216];
    mixed[0] = 0;
    let answer = huge.prepared(&mixed);
    assert!(answer.is_ok() || matches!(answer, Err(PredictError::NoAnswer)), "{answer:?}");
}
