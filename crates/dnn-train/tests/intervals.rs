//! Whether the 95 % intervals that are printed hold the truth as often as they say, over 200 simulated data
//! sets of two overlapping normal distributions, of which the accuracy of a network is known in closed
//! form. (The sets of conformal prediction are simulated beside their code.)
#![allow(clippy::unwrap_used)] // tests

use dnn_core::rng::{Generator, RngKind};
use dnn_core::split::Shard;
use dnn_core::{Activation, Dataset, Network, ViewedExamples};
use dnn_train::tune::{Plan, Recipe, Search};
use dnn_train::{FoldSummary, Folds, TrainConfig, evaluate, train};

const SIMULATIONS: u64 = 200;

/// `m` examples of two features: the first is N(−1, 1) in the first class and N(1, 1) in the second, the other
/// one noise.
fn drawn(m: usize, seed: u64) -> Dataset<f64> {
    let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
    let labels: Vec<u32> = (0..m).map(|i| (i % 2) as u32).collect();
    let mut x = rng.normal_matrix::<f64>(2, m);
    for (j, &label) in labels.iter().enumerate() {
        x[(0, j)] += if label == 1 { 1.0 } else { -1.0 };
    }
    Dataset::new(x, labels, vec!["left".into(), "right".into()]).unwrap()
}

/// The share of all examples that there can be that a network without hidden layers gets right.
fn true_accuracy(network: &Network<f64>) -> f64 {
    // Φ(z) from GELU, z·Φ(z).
    let cdf = |z: f64| if z == 0.0 { 0.5 } else { Activation::Gelu.value(z) / z };
    let layer = &network.layers()[0];
    let (w, b) = (layer.weights(), layer.bias()[0]);
    f64::midpoint(cdf((w[0] + b) / w.norm()), cdf((w[0] - b) / w.norm()))
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let config = TrainConfig::course_deep().with(|config| {
        (config.hidden, config.iterations, config.learning_rate) = (vec![], 40, 0.5);
        config.threads = 1;
    });
    let config = config.unwrap();
    let plan = Plan { repeats: 1, folds: 4, inner_folds: 2, seed: 1 };
    let mut held = [0; 3];
    for seed in 0..SIMULATIONS {
        let data = drawn(80, 2 * seed);
        let network = train(&config, &data, &mut []).unwrap().network;
        let truth = true_accuracy(&network);
        let judged = evaluate(&network, &drawn(50, 2 * seed + 1)).unwrap().score.wilson_interval();
        let folds = Folds::new(&config, &data, 5).unwrap();
        let folds: Vec<_> = (1..=5).filter_map(|k| folds.train(k, &mut []).unwrap()).collect();
        let folds = FoldSummary::of(&folds).pooled.wilson_interval();
        let examples = ViewedExamples::read(&data, 1).unwrap();
        let recipe = |name: &str, iterations| Recipe {
            name: name.into(),
            config: config.clone().with(|config| config.iterations = iterations).unwrap(),
            examples: &examples,
            standardize: true,
            clip: None,
        };
        let search = Search::new(vec![recipe("short", 2), recipe("long", 40)], plan).unwrap();
        let trials = search.run(Vec::new(), Shard::WHOLE, 1, &|| false, &|_| ()).unwrap();
        let [low, high] = search.found(&trials, &examples).nested.interval;
        for (held, (low, high)) in held.iter_mut().zip([judged, folds, (low, high)]) {
            *held += usize::from((low..=high).contains(&truth));
        }
    }
    // 190 are expected, and 180 or fewer of exact intervals once in a thousand times.
    println!("of {SIMULATIONS}: test set {}, folds {}, nested {}", held[0], held[1], held[2]);
    assert!(held.iter().all(|held| (180..200).contains(held)), "{held:?}");
}
