//! Laws that hold for every network: what the engines compute is the gradient of the cost, and the
//! textbook's way gives the same.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, HiddenNormalization, Init, Network, OutputActivation};
use dnn_train::gradcheck::{EngineGradients, Options, Outcome, check, engine_gradients};
use dnn_train::{CrossEntropy, mean_cost, textbook};
use nalgebra::{DMatrix, DVectorView};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Case {
    network: Network<f64>,
    x: DMatrix<f64>,
    labels: Vec<u32>,
}

fn hidden() -> impl Strategy<Value = Vec<(usize, Activation)>> {
    prop::collection::vec((1..7_usize, prop::sample::select(&Activation::ALL[..])), 0..4)
}

fn case() -> impl Strategy<Value = Case> {
    let normalization =
        prop::sample::select(vec![HiddenNormalization::None, HiddenNormalization::Layer]);
    let classes = (2..5_usize, any::<bool>());
    (hidden(), normalization, 1..8_usize, classes, 1..7_usize, any::<u64>()).prop_map(
        |(hidden, normalization, n_features, (n_classes, sigmoid), m, seed)| {
            let (output, n_classes) = if sigmoid {
                (OutputActivation::Sigmoid, 2)
            } else {
                (OutputActivation::Softmax, n_classes)
            };
            let sizes = hidden.iter().map(|(n, _)| *n);
            let architecture = Architecture {
                layer_dims: std::iter::once(n_features)
                    .chain(sizes)
                    .chain([output.n_outputs(n_classes)])
                    .collect(),
                activations: hidden.iter().map(|(_, activation)| *activation).collect(),
                normalization,
                output,
            };
            let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
            let mut network = Network::initialize(&architecture, Init::Glorot, &mut rng).unwrap();
            // Biases away from zero, and γ and β from their first values, or their part would go untested.
            for [_, b, gamma, beta] in network.parameters_mut() {
                for value in [b, gamma, beta].into_iter().flatten() {
                    *value += 0.3 * rng.normal();
                }
            }
            let x = rng.normal_matrix(n_features, m);
            let labels = (0..m).map(|_| (rng.uniform() * n_classes as f64) as u32).collect();
            Case { network, x, labels }
        },
    )
}

proptest! {
    #[test]
    fn gradients_of_both_engines_equal_central_differences(
        case in case(), smoothing in prop_oneof![Just(0.0), 0.0..0.5],
    ) {
        let cost = CrossEntropy::new(case.network.output()).with_smoothing(smoothing);
        let Case { network, x, labels } = &case;
        for check in check(network, x, labels, &cost, &Options::default()) {
            let (gap, engine) = (check.relative_gap(), check.engine);
            prop_assert!(check.outcome(2e-7) != Outcome::Differs, "{} {engine}: {gap:e}", check.name);
        }
    }

    #[test]
    fn the_textbook_gives_the_same_gradients(case in case()) {
        let Case { network, x, labels } = &case;
        let n_outputs = network.output().n_outputs(network.n_classes());
        let y = DMatrix::from_fn(n_outputs, labels.len(), |i, j| {
            f64::from(if n_outputs == 1 { labels[j] == 1 } else { labels[j] as usize == i })
        });
        let (al, caches) = textbook::model_forward(network, x);
        let textbook_cost = textbook::cost(&al, &y);
        let expected = textbook::model_backward(network, &al, &y, &caches);
        let cost = CrossEntropy::new(network.output());
        for EngineGradients { engine, cost, layers } in engine_gradients(network, x, labels, &cost) {
            prop_assert!((cost - textbook_cost).abs() <= 1e-9 * cost.max(1.0), "{engine}");
            for (got, expected) in layers.iter().zip(&expected) {
                for (got, expected) in got.slices().into_iter().zip(expected.slices()) {
                    let [got, expected] = [got, expected].map(|values| DVectorView::from_slice(values, values.len()));
                    let gap = (got - expected).norm();
                    prop_assert!(gap <= 1e-9 * (1.0 + expected.norm()), "{engine}: {gap:e}");
                }
            }
        }
    }

    #[test]
    fn a_step_against_the_gradient_lowers_the_cost(case in case()) {
        let Case { mut network, x, labels } = case;
        let cost = CrossEntropy::new(network.output());
        let [EngineGradients { cost: before, layers, .. }, _] =
            engine_gradients(&network, &x, &labels, &cost);
        let all = layers.iter().flat_map(dnn_core::linear::Gradients::slices).flatten();
        let squares: f64 = all.map(|g| g * g).sum();
        prop_assume!(squares > 1e-6);
        textbook::update_parameters(&mut network, &layers, 1e-5);
        prop_assert!(mean_cost(&cost, &network.logits(&x), &labels) < before);
    }
}
