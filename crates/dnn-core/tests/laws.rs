//! Laws that hold for every network: a model survives its file, and an example has one answer.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::rng::{Generator, RngKind};
use dnn_core::{
    Activation, Architecture, Init, InputContract, Model, Network, OutputActivation, Real,
};
use proptest::prelude::*;

fn hidden() -> impl Strategy<Value = Vec<(usize, Activation)>> {
    prop::collection::vec((1..7_usize, prop::sample::select(&Activation::ALL[..])), 0..4)
}

proptest! {
    #[test]
    fn a_model_survives_its_file(
        (height, width) in (1..4_u32, 1..4_u32), hidden in hidden(), seed in any::<u64>(), single in any::<bool>(),
    ) {
        let input = InputContract::rgb(width, height).unwrap();
        let architecture = Architecture {
            layer_dims: std::iter::once(input.n_features())
                .chain(hidden.iter().map(|(n, _)| *n))
                .chain([3])
                .collect(),
            activations: hidden.iter().map(|(_, activation)| *activation).collect(),
            output: OutputActivation::Softmax,
        };
        let classes = vec!["a".to_owned(), "ü".into(), String::new()];
        let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
        let model = if single {
            let network = Network::<f32>::initialize(&architecture, Init::He, &mut rng).unwrap();
            Model::new(network, classes, input).unwrap()
        } else {
            let network = Network::<f64>::initialize(&architecture, Init::He, &mut rng).unwrap();
            Model::new(network, classes, input).unwrap()
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        model.write(&mut first).unwrap();
        model.write(&mut second).unwrap();
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(Model::read(&first[..]).unwrap(), model);
    }
}

/// Whether every example, alone or beside others, has the same probabilities to the last bit.
fn alone_as_in_company<F: Real>(dims: &[usize], hidden: Activation, m: usize, seed: u64) -> bool {
    let output = if dims[dims.len() - 1] == 1 {
        OutputActivation::Sigmoid
    } else {
        OutputActivation::Softmax
    };
    let architecture = Architecture::new(dims.to_vec(), hidden, output);
    let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
    let network = Network::<F>::initialize(&architecture, Init::Glorot, &mut rng).unwrap();
    let x = rng.normal_matrix::<F>(dims[0], m);
    let all = network.probabilities(&x);
    (0..m).all(|j| network.probabilities(&x.columns(j, 1).into_owned()).column(0) == all.column(j))
}

proptest! {
    #[test]
    fn an_example_has_one_answer_whatever_stands_beside_it(
        inputs in prop_oneof![1..40_usize, 200..900_usize],
        hidden in proptest::collection::vec(prop_oneof![1..40_usize, 60..140_usize], 0..3),
        outputs in 1..12_usize,
        activation in proptest::sample::select(Activation::ALL.to_vec()),
        m in 1..70_usize,
        seed in any::<u64>(),
    ) {
        let dims = [&[inputs], &hidden[..], &[outputs]].concat();
        prop_assert!(alone_as_in_company::<f64>(&dims, activation, m, seed));
        prop_assert!(alone_as_in_company::<f32>(&dims, activation, m, seed));
    }
}
