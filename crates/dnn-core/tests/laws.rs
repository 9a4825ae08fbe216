//! Laws that hold for every network: backward is the gradient of the cost, and the textbook's way
//! and the stable one agree.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::gradcheck::{Options, Outcome};
use dnn_core::layer::Dense;
use dnn_core::network::Workspace;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Init, Loss, Network, Real};
use dnn_core::{gradcheck, textbook};
use nalgebra::DMatrix;
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
    (hidden(), 1..8_usize, 2..5_usize, any::<bool>(), 1..7_usize, any::<u64>()).prop_map(
        |(hidden, n_features, n_classes, sigmoid, m, seed)| {
            let (loss, n_classes) = if sigmoid {
                (Loss::BinaryCrossEntropy, 2)
            } else {
                (Loss::SoftmaxCrossEntropy, n_classes)
            };
            let sizes = hidden.iter().map(|(n, _)| *n);
            let architecture = Architecture {
                layer_dims: std::iter::once(n_features)
                    .chain(sizes)
                    .chain([loss.n_outputs(n_classes)])
                    .collect(),
                activations: hidden.iter().map(|(_, activation)| *activation).collect(),
                loss,
            };
            let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
            let mut network = Network::initialize(&architecture, Init::Glorot, &mut rng).unwrap();
            // Biases away from zero, or their part in Z would go untested.
            for (_, b) in network.parameters_mut() {
                b.fill_with(|| 0.3 * rng.normal());
            }
            let x = rng.normal_matrix(n_features, m);
            let labels = (0..m).map(|_| (rng.uniform() * n_classes as f64) as u32).collect();
            Case { network, x, labels }
        },
    )
}

proptest! {
    #[test]
    fn backward_equals_central_differences(case in case()) {
        for check in gradcheck::check(&case.network, &case.x, &case.labels, &Options::default()) {
            let gap = check.relative_gap();
            prop_assert!(check.outcome(2e-7) != Outcome::Differs, "{}: {gap:e}", check.name);
        }
    }

    #[test]
    fn the_textbook_way_gives_the_same_gradients(case in case()) {
        prop_assume!(case.network.loss() == Loss::BinaryCrossEntropy);
        let mut layers: Vec<Dense<f64>> = case.network.layers().to_vec();
        let output = layers.pop().unwrap();
        layers.push(
            Dense::new(output.weights().clone(), output.bias().clone(), Activation::Sigmoid)
                .unwrap(),
        );
        let y = DMatrix::from_iterator(1, case.labels.len(), case.labels.iter().map(|&l| l as f64));
        let (al, caches) = textbook::model_forward(&layers, &case.x);
        let expected = textbook::model_backward(&layers, &al, &y, &caches);
        let mut gradients = case.network.zero_gradients();
        let mut workspace = Workspace::new(&case.network, case.x.ncols());
        let cost = case.network.cost_and_gradients(
            &case.x, &case.labels, &mut workspace, &mut gradients,
        );
        let textbook_cost = textbook::cost(&al, &y);
        prop_assert!((cost - textbook_cost).abs() <= 1e-9 * cost.max(1.0));
        for (got, expected) in gradients.iter().zip(&expected) {
            let gap = (&got.dw - &expected.dw).norm() + (&got.db - &expected.db).norm();
            prop_assert!(gap <= 1e-9 * (1.0 + expected.dw.norm() + expected.db.norm()));
        }
    }

    #[test]
    fn a_step_against_the_gradient_lowers_the_cost(case in case()) {
        let Case { mut network, x, labels } = case;
        let mut gradients = network.zero_gradients();
        let mut workspace = Workspace::new(&network, x.ncols());
        let before = network.cost_and_gradients(&x, &labels, &mut workspace, &mut gradients);
        let squares: f64 = gradients.iter().map(|g| g.dw.norm_squared() + g.db.norm_squared()).sum();
        prop_assume!(squares > 1e-6);
        network.update(&gradients, 1e-5);
        prop_assert!(network.cost(&x, &labels) < before);
    }
}

/// Whether every example, alone or beside others, has the same probabilities to the last bit.
fn alone_as_in_company<F: Real>(dims: &[usize], hidden: Activation, m: usize, seed: u64) -> bool {
    let loss = if dims[dims.len() - 1] == 1 {
        Loss::BinaryCrossEntropy
    } else {
        Loss::SoftmaxCrossEntropy
    };
    let architecture = Architecture::new(dims.to_vec(), hidden, loss);
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
