//! Every function of the course against the numbers of `golden/` (see its README).
#![allow(clippy::unwrap_used)] // tests

use dnn_core::activation::{relu, sigmoid};
use dnn_core::layer::{Cache, Dense};
use dnn_core::linear::{Gradients, linear, linear_backward};
use dnn_core::network::Workspace;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Dataset, Init, Network, OutputActivation};
use dnn_train::{CrossEntropy, TrainConfig, mean_cost, textbook, train};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

fn golden(function: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("golden/course_functions.json")).unwrap();
    all[function].clone()
}

fn matrix(value: &Value) -> DMatrix<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    DMatrix::from_row_iterator(rows.len(), rows[0].len(), rows.into_iter().flatten())
}

fn vector(value: &Value) -> DVector<f64> {
    let column = matrix(value);
    assert_eq!(column.ncols(), 1);
    column.column(0).into_owned()
}

/// 1e-12 relative, element by element.
#[track_caller]
fn assert_close(got: &DMatrix<f64>, expected: &Value) {
    let expected = matrix(expected);
    assert_eq!(got.shape(), expected.shape());
    for (got, expected) in got.iter().zip(expected.iter()) {
        let gap = (got - expected).abs();
        assert!(gap <= 1e-12 * expected.abs().max(1e-300), "{got} instead of {expected}");
    }
}

#[track_caller]
fn assert_gradients(got: &Gradients<f64>, dw: &Value, db: &Value) {
    assert_close(&got.dw, dw);
    assert_close(&DMatrix::from_column_slice(got.db.len(), 1, got.db.as_slice()), db);
}

fn layer(g: &Value, number: &str, activation: Activation) -> Dense<f64> {
    let (w, b) = (&g[format!("W{number}")], &g[format!("b{number}")]);
    Dense::new(matrix(w), vector(b), activation).unwrap()
}

#[test]
fn linear_forward() {
    let g = golden("linear_forward");
    assert_close(&linear(&matrix(&g["W"]), &vector(&g["b"]), &matrix(&g["A"])), &g["Z"]);
}

#[test]
fn linear_activation_forward() {
    let g = golden("linear_activation_forward");
    for (activation, name) in [(Activation::Sigmoid, "sigmoid"), (Activation::Relu, "relu")] {
        let (a, cache) = layer(&g, "", activation).forward(matrix(&g["A_prev"]));
        assert_close(&a, &g[name]);
        assert_close(&cache.a_prev, &g["A_prev"]);
    }
}

#[test]
fn model_forward() {
    let g = golden("model_forward");
    let layers = vec![
        layer(&g, "1", Activation::Relu),
        layer(&g, "2", Activation::Relu),
        layer(&g, "3", Activation::Identity),
    ];
    let network = Network::new(layers, OutputActivation::Sigmoid).unwrap();
    let (al, caches) = textbook::model_forward(&network, &matrix(&g["X"]));
    assert_close(&al, &g["AL"]);
    assert_eq!(caches.len(), 3);
    assert_close(&caches[1].a_prev, &g["A1"]);
    assert_close(&caches[2].a_prev, &g["A2"]);

    // The network's own forward pass gives the same.
    let x = matrix(&g["X"]);
    let mut workspace = Workspace::new(&network, x.ncols());
    network.forward(&x, &mut workspace);
    assert_close(workspace.activations(0), &g["A1"]);
    assert_close(workspace.activations(1), &g["A2"]);
    assert_close(&workspace.logits().map(sigmoid), &g["AL"]);
}

#[test]
fn cost() {
    let g = golden("cost");
    let (al, y) = (matrix(&g["AL"]), matrix(&g["Y"]));
    let expected = g["cost"].as_f64().unwrap();
    assert!((textbook::cost(&al, &y) - expected).abs() <= 1e-12 * expected);
    let logits = al.map(|a| (a / (1.0 - a)).ln());
    let labels: Vec<u32> = y.iter().map(|&y| y as u32).collect();
    let stable = mean_cost(&CrossEntropy::new(OutputActivation::Sigmoid), &logits, &labels);
    assert!((stable - expected).abs() <= 1e-12 * expected);
}

#[test]
fn linear_backward_of_the_course() {
    let g = golden("linear_backward");
    let (da_prev, gradients) =
        linear_backward(&matrix(&g["dZ"]), &matrix(&g["A_prev"]), &matrix(&g["W"]));
    assert_close(&da_prev, &g["dA_prev"]);
    assert_gradients(&gradients, &g["dW"], &g["db"]);
}

#[test]
fn linear_activation_backward() {
    let g = golden("linear_activation_backward");
    let cache = Cache { a_prev: matrix(&g["A_prev"]), z: matrix(&g["Z"]) };
    for (activation, name) in [(Activation::Sigmoid, "sigmoid"), (Activation::Relu, "relu")] {
        let (da_prev, gradients) = layer(&g, "", activation).backward(matrix(&g["dA"]), &cache);
        assert_close(&da_prev, &g[name]["dA_prev"]);
        assert_gradients(&gradients, &g[name]["dW"], &g[name]["db"]);
    }
}

#[test]
fn model_backward() {
    let g = golden("model_backward");
    let layers = vec![
        layer(&g["layer1"], "", Activation::Relu),
        layer(&g["layer2"], "", Activation::Identity),
    ];
    let network = Network::new(layers, OutputActivation::Sigmoid).unwrap();
    let cache = |g: &Value| Cache { a_prev: matrix(&g["A_prev"]), z: matrix(&g["Z"]) };
    let caches = [cache(&g["layer1"]), cache(&g["layer2"])];
    let (al, y) = (matrix(&g["AL"]), matrix(&g["Y"]));
    let dal = textbook::cost_gradient(&al, &y);
    assert_close(&dal, &g["dAL"]);
    let gradients = textbook::model_backward(&network, &al, &y, &caches);
    assert_gradients(&gradients[0], &g["dW1"], &g["db1"]);
    assert_gradients(&gradients[1], &g["dW2"], &g["db2"]);
    let last = layer(&g["layer2"], "", Activation::Sigmoid);
    assert_close(&last.backward(dal, &caches[1]).0, &g["dA1"]);
}

#[test]
fn update_parameters() {
    let g = golden("update_parameters");
    let layers = vec![layer(&g, "1", Activation::Relu), layer(&g, "2", Activation::Identity)];
    let mut network = Network::new(layers, OutputActivation::Sigmoid).unwrap();
    let gradients = ["1", "2"]
        .map(|l| Gradients::new(matrix(&g[format!("dW{l}")]), vector(&g[format!("db{l}")])));
    textbook::update_parameters(&mut network, &gradients, g["lr"].as_f64().unwrap());
    for (l, layer) in network.layers().iter().enumerate() {
        assert_close(layer.weights(), &g[format!("new_W{}", l + 1)]);
        let b = DMatrix::from_column_slice(layer.n(), 1, layer.bias().as_slice());
        assert_close(&b, &g[format!("new_b{}", l + 1)]);
    }
}

#[test]
fn initialisations() {
    for (name, dims, init) in [
        ("initialize_two_layer_3_2_1", vec![3, 2, 1], Init::SmallNormal),
        ("initialize_deep_5_4_3", vec![5, 4, 3], Init::StandardNormal),
        ("initialize_deep_5_4_3_sqrt", vec![5, 4, 3], Init::Lecun),
    ] {
        let g = golden(name);
        let output =
            if dims[2] == 1 { OutputActivation::Sigmoid } else { OutputActivation::Softmax };
        let shape = Architecture::new(dims, Activation::Relu, output);
        let mut rng = Generator::new(RngKind::Numpy, g["seed"].as_u64().unwrap()).unwrap();
        let network = Network::<f64>::initialize(&shape, init, &mut rng).unwrap();
        for (l, layer) in network.layers().iter().enumerate() {
            assert_close(layer.weights(), &g[format!("W{}", l + 1)]);
            assert!(layer.bias().iter().all(|&b| b == 0.0));
        }
    }
}

#[test]
fn the_textbook_cost_breaks_where_the_stable_one_does_not() {
    let al = DMatrix::<f64>::from_row_slice(1, 2, &[1.0, 0.5]);
    let y = DMatrix::from_row_slice(1, 2, &[1.0, 1.0]);
    // ln 0 times 0: what NumPy prints as nan with a warning.
    assert!(textbook::cost(&al, &y).is_nan());
    let logits = DMatrix::from_row_slice(1, 2, &[800.0, 0.0]);
    let cost = mean_cost(&CrossEntropy::new(OutputActivation::Sigmoid), &logits, &[1, 1]);
    assert!((cost - std::f64::consts::LN_2 / 2.0).abs() < 1e-15);
    assert_eq!(relu(-1.0), 0.0);
}

/// What the course calls initialisation leads to a network that has its sigmoid, wherever it is used.
#[test]
fn the_courses_parameters_are_those_of_its_golden_numbers_and_give_probabilities() {
    let g = golden("initialize_two_layer_3_2_1");
    let two = textbook::initialize_parameters(3, 2, g["seed"].as_u64().unwrap()).unwrap();
    for (l, layer) in two.layers().iter().enumerate() {
        assert_close(layer.weights(), &g[format!("W{}", l + 1)]);
    }
    let deep = textbook::initialize_parameters_deep(&[5, 4, 3, 1], 3).unwrap();
    let x = Generator::new(RngKind::Numpy, 1).unwrap().normal_matrix::<f64>(5, 40);
    let (al, _) = textbook::model_forward(&deep, &x);
    assert!(al.iter().all(|a| (0.0..=1.0).contains(a)));
    let y = x.row(0).map(|x| f64::from(u8::from(x > 0.0)));
    let y = DMatrix::from_row_slice(1, 40, y.as_slice());
    assert!(textbook::cost(&al, &y).is_finite());
    assert!(textbook::initialize_parameters_deep(&[5, 4, 3], 3).is_err(), "no single output");
    assert!(textbook::initialize_parameters_deep(&[5, 1], u64::MAX).is_err(), "no seed of NumPy's");
}

/// The model and the loop of the textbook, and the engines' training from the same seed.
#[test]
fn the_textbooks_model_is_what_training_makes() {
    let mut rng = Generator::new(RngKind::Modern, 7).unwrap();
    let x = rng.normal_matrix::<f64>(6, 50);
    let labels: Vec<u32> = x.column_iter().map(|c| u32::from(c[0] * c[1] > 0.2)).collect();
    let y = DMatrix::from_iterator(1, 50, labels.iter().map(|&label| f64::from(label)));
    let data = Dataset::new(x.clone(), labels, vec!["a".into(), "b".into()]).unwrap();
    let deep = TrainConfig::course_deep().with(|c| c.hidden = vec![5, 4]).unwrap();
    let two = TrainConfig::course_two_layer();
    for config in [deep, two] {
        let config = config.with(|c| (c.iterations, c.learning_rate) = (60, 0.3)).unwrap();
        let mut costs = Vec::new();
        let each = |_: usize, cost: f64| costs.push(cost);
        let network = match config.hidden[..] {
            [n_h] => textbook::two_layer_model(&x, &y, n_h, 0.3, 60, 1, each),
            _ => textbook::l_layer_model(&x, &y, &[6, 5, 4, 1], 0.3, 60, 1, each),
        };
        let network = network.unwrap();
        let trained = train(&config, &data, &mut []).unwrap();
        assert!((costs[0] - trained.costs[0].cost).abs() < 1e-14);
        assert!(costs[59] < costs[0]);
        for (got, expected) in network.layers().iter().zip(trained.network.layers()) {
            assert!((got.weights() - expected.weights()).amax() < 1e-12);
            assert!((got.bias() - expected.bias()).amax() < 1e-12);
        }
        let right = textbook::predict(&network, &x).iter().zip(&y).filter(|(p, y)| p == y).count();
        assert_eq!(right, dnn_train::evaluate(&trained.network, &data).unwrap().score.correct);
    }
}
