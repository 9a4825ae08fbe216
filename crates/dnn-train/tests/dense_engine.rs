//! The dense engine makes the steps of the textbook, on any number of threads.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::rng::{Generator, RngKind};
use dnn_core::{
    Activation, Architecture, Dataset, Examples, HiddenNormalization, Init, Network,
    OutputActivation,
};
use dnn_train::engine::{EngineInput, EngineOptions, Pass};
use dnn_train::optimizer::{GradientDescent, Step};
use dnn_train::{
    CrossEntropy, End, Flow, IterationEvent, TrainConfig, TrainError, Trainable, build_engine,
    textbook, train,
};
use nalgebra::{DMatrix, DVectorView};
use proptest::prelude::*;

const STEP: Step = Step::new(1, 0.05);

fn case<F: Trainable>(
    n_features: usize,
    hidden: &[usize],
    n_classes: usize,
    m: usize,
    (activation, normalization): (Activation, HiddenNormalization),
    seed: u64,
) -> (Network<F>, DMatrix<F>, Vec<u32>) {
    let output = if n_classes == 2 { OutputActivation::Sigmoid } else { OutputActivation::Softmax };
    let mut dims = vec![n_features];
    dims.extend(hidden);
    dims.push(output.n_outputs(n_classes));
    let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
    let shape = Architecture { normalization, ..Architecture::new(dims, activation, output) };
    let network = Network::initialize(&shape, Init::Glorot, &mut rng).unwrap();
    let x = rng.normal_matrix(n_features, m);
    let labels = (0..m).map(|_| (rng.uniform() * n_classes as f64) as u32).collect();
    (network, x, labels)
}

fn trained<F: Trainable>(
    network: &Network<F>,
    x: &DMatrix<F>,
    labels: &[u32],
    n_threads: usize,
) -> (Vec<f64>, Network<F>) {
    let cost = CrossEntropy::new(network.output());
    let options = EngineOptions { n_threads, ..EngineOptions::default() };
    let mut engine =
        build_engine(network, &cost, &GradientDescent, EngineInput::Dense(x), labels, options);
    let costs = (0..5)
        .map(|_| {
            let cost = engine.cost(Pass::all(0));
            engine.update(&GradientDescent, STEP, None);
            cost
        })
        .collect();
    (costs, engine.network())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn equals_the_textbook(
        // With many features of few units the engine makes part of the next iteration beforehand.
        n_features in prop_oneof![3 => Just(40_usize), 1 => 800..1_600_usize],
        hidden in prop_oneof![
            3 => prop::collection::vec(1..30_usize, 0..4),
            // So many weights that the engine goes through the layers one after the other.
            1 => (300..400_usize, 440..600_usize).prop_map(|(n1, n2)| vec![n1, n2]),
        ],
        n_classes in 2..5_usize,
        m in 1..300_usize,
        activation in prop::sample::select(vec![
            Activation::Tanh, Activation::Sigmoid, Activation::Gelu, Activation::Silu, Activation::Elu,
        ]),
        normalization in prop::sample::select(vec![HiddenNormalization::None, HiddenNormalization::Layer]),
        seed in any::<u64>(),
    ) {
        let layer = (activation, if hidden.is_empty() { HiddenNormalization::None } else { normalization });
        // Normalising amplifies rounding where all units of an example have nearly equal sums, as a few have.
        let least = if layer.1 == HiddenNormalization::Layer { 8 } else { 1 };
        let hidden: Vec<_> = hidden.into_iter().map(|n| n.max(least)).collect();
        let (mut network, x, labels) = case::<f64>(n_features, &hidden, n_classes, m, layer, seed);
        let (costs, got) = trained(&network, &x, &labels, 2);
        let y = DMatrix::from_fn(network.output().n_outputs(n_classes), m, |i, j| {
            f64::from(if n_classes == 2 { labels[j] == 1 } else { labels[j] as usize == i })
        });
        for cost in costs {
            let (al, caches) = textbook::model_forward(&network, &x);
            let expected = textbook::cost(&al, &y);
            // The textbook's −ln(a) cannot tell a cost below the rounding of a from 0.
            let gap = (cost - expected).abs();
            prop_assert!(gap <= 1e-12 * expected + 16.0 * f64::EPSILON, "{cost} {expected}");
            let gradients = textbook::model_backward(&network, &al, &y, &caches);
            textbook::update_parameters(&mut network, &gradients, STEP.learning_rate);
        }
        for (got, expected) in got.layers().iter().zip(network.layers()) {
            for (got, expected) in got.parameters().into_iter().zip(expected.parameters()) {
                let [got, expected] = [got, expected].map(|values| DVectorView::from_slice(values, values.len()));
                prop_assert!((got - expected).norm() <= 1e-12 * (1.0 + expected.norm()));
            }
        }
    }
}

/// Large enough that threads are used.
fn same_on_any_number_of_threads<F: Trainable>(
    n_features: usize,
    hidden: &[usize],
    normalization: HiddenNormalization,
) {
    let (network, x, labels) =
        case::<F>(n_features, hidden, 3, 500, (Activation::Tanh, normalization), 3);
    let (costs, first) = trained(&network, &x, &labels, 1);
    for n_threads in [2, 3, 8] {
        let (other_costs, other) = trained(&network, &x, &labels, n_threads);
        assert_eq!(costs, other_costs, "{n_threads} threads");
        assert!(first == other, "weights differ with {n_threads} threads");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for (n_features, hidden) in [(40, [300, 70]), (40, [300, 450]), (2_000, [20, 7])] {
        for normalization in [HiddenNormalization::None, HiddenNormalization::Layer] {
            same_on_any_number_of_threads::<f32>(n_features, &hidden, normalization);
            same_on_any_number_of_threads::<f64>(n_features, &hidden, normalization);
        }
    }
}

#[test]
fn parameters_that_are_written_count_at_once() {
    let layer = (Activation::Tanh, HiddenNormalization::None);
    let (network, x, labels) = case::<f64>(2_000, &[20, 7], 3, 100, layer, 3);
    let options = EngineOptions::default();
    let cost = CrossEntropy::new(network.output());
    let mut engine =
        build_engine(&network, &cost, &GradientDescent, EngineInput::Dense(&x), &labels, options);
    let first = engine.cost(Pass::all(0));
    engine.update(&GradientDescent, STEP, None);
    assert!(engine.cost(Pass::all(1)) < first);
    let layers = network.layers().iter().enumerate();
    let before: Vec<_> = layers
        .flat_map(|(l, layer)| {
            let b = DMatrix::from_column_slice(layer.n(), 1, layer.bias().as_slice());
            [(format!("W{}", l + 1), layer.weights().transpose()), (format!("b{}", l + 1), b)]
        })
        .collect();
    for (name, mut values) in engine.state() {
        let (_, before) = before.iter().find(|(other, _)| *other == name).unwrap();
        values.copy_from(before);
    }
    assert_eq!(engine.cost(Pass::all(0)), first);
}

fn two_blobs() -> Dataset<f64> {
    let mut rng = Generator::new(RngKind::Modern, 5).unwrap();
    let labels: Vec<u32> = (0..60).map(|j| j % 2).collect();
    let x = DMatrix::from_fn(3, 60, |_, j| rng.normal() + if labels[j] == 1 { 2.0 } else { -2.0 });
    Dataset::new(x, labels, vec!["a".into(), "b".into()]).unwrap()
}

fn config() -> TrainConfig {
    TrainConfig::course_deep()
        .with(|c| {
            c.hidden = vec![5];
            c.iterations = 250;
            c.learning_rate = 0.1;
        })
        .unwrap()
}

#[test]
fn logs_from_iteration_zero_and_stops_when_an_observer_says_so() {
    let data = two_blobs();
    let all = train(&config(), &data, &mut []).unwrap();
    assert_eq!((all.iterations, all.end), (250, End::Completed));
    assert_eq!(all.costs.iter().map(|c| c.iteration).collect::<Vec<_>>(), [0, 100, 200]);
    assert!(all.costs[2].cost < all.costs[0].cost);

    let mut stop_at_150 = |event: &IterationEvent| {
        if event.iteration == 150 { Flow::Stop } else { Flow::Continue }
    };
    let some = train(&config(), &data, &mut [&mut stop_at_150]).unwrap();
    assert_eq!((some.iterations, some.end), (150, End::Asked));
    // The network is the one after 150 updates, not one more.
    let short = train(&config().with(|c| c.iterations = 150).unwrap(), &data, &mut []).unwrap();
    assert!(some.network == short.network);
}

#[test]
fn a_diverging_run_is_an_error_that_names_the_iteration() {
    let x = two_blobs().x() * 1e200;
    let data =
        Dataset::new(x, two_blobs().labels().to_vec(), vec!["a".into(), "b".into()]).unwrap();
    let error = train(&config(), &data, &mut []).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("iteration"), "{error}");
}
