//! Laws that hold for every network: an example has one answer.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::rng::{Generator, RngKind};
use dnn_core::{
    Activation, Architecture, HiddenNormalization, Init, Network, OutputActivation, Real,
};
use proptest::prelude::*;

/// Whether every example, alone or beside others, has the same probabilities to the last bit.
fn alone_as_in_company<F: Real>(
    dims: &[usize],
    (hidden, normalization): (Activation, HiddenNormalization),
    m: usize,
    seed: u64,
) -> bool {
    let output = if dims[dims.len() - 1] == 1 {
        OutputActivation::Sigmoid
    } else {
        OutputActivation::Softmax
    };
    let architecture =
        Architecture { normalization, ..Architecture::new(dims.to_vec(), hidden, output) };
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
        normalized in any::<bool>(),
        m in 1..70_usize,
        seed in any::<u64>(),
    ) {
        let dims = [&[inputs], &hidden[..], &[outputs]].concat();
        let normalization =
            if normalized { HiddenNormalization::Layer } else { HiddenNormalization::None };
        let layer = (activation, normalization);
        prop_assert!(alone_as_in_company::<f64>(&dims, layer, m, seed));
        prop_assert!(alone_as_in_company::<f32>(&dims, layer, m, seed));
    }
}
