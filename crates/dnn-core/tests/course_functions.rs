//! Every function of the course against the numbers of `golden/` (see its README).
#![allow(clippy::unwrap_used)] // tests

use dnn_core::activation::{relu, sigmoid};
use dnn_core::layer::{Cache, Dense};
use dnn_core::linear::{Gradients, linear, linear_backward};
use dnn_core::network::Workspace;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Init, Loss, Network, textbook};
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
    let layers = [
        layer(&g, "1", Activation::Relu),
        layer(&g, "2", Activation::Relu),
        layer(&g, "3", Activation::Sigmoid),
    ];
    let (al, caches) = textbook::model_forward(&layers, &matrix(&g["X"]));
    assert_close(&al, &g["AL"]);
    assert_eq!(caches.len(), 3);
    assert_close(&caches[1].a_prev, &g["A1"]);
    assert_close(&caches[2].a_prev, &g["A2"]);

    // The network's own forward pass, whose loss owns the sigmoid, gives the same.
    let mut layers = layers.to_vec();
    layers[2] = layer(&g, "3", Activation::Identity);
    let network = Network::new(layers, Loss::BinaryCrossEntropy).unwrap();
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
    assert!((Loss::BinaryCrossEntropy.cost(&logits, &labels) - expected).abs() <= 1e-12 * expected);
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
    let layers =
        [layer(&g["layer1"], "", Activation::Relu), layer(&g["layer2"], "", Activation::Sigmoid)];
    let cache = |g: &Value| Cache { a_prev: matrix(&g["A_prev"]), z: matrix(&g["Z"]) };
    let caches = [cache(&g["layer1"]), cache(&g["layer2"])];
    let (al, y) = (matrix(&g["AL"]), matrix(&g["Y"]));
    let dal = textbook::cost_gradient(&al, &y);
    assert_close(&dal, &g["dAL"]);
    let gradients = textbook::model_backward(&layers, &al, &y, &caches);
    assert_gradients(&gradients[0], &g["dW1"], &g["db1"]);
    assert_gradients(&gradients[1], &g["dW2"], &g["db2"]);
    assert_close(&layers[1].backward(dal, &caches[1]).0, &g["dA1"]);
}

#[test]
fn update_parameters() {
    let g = golden("update_parameters");
    let mut layers = [layer(&g, "1", Activation::Relu), layer(&g, "2", Activation::Sigmoid)];
    let gradients = ["1", "2"]
        .map(|l| Gradients { dw: matrix(&g[format!("dW{l}")]), db: vector(&g[format!("db{l}")]) });
    textbook::update_parameters(&mut layers, &gradients, g["lr"].as_f64().unwrap());
    for (l, layer) in layers.iter().enumerate() {
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
        let loss = if dims[2] == 1 { Loss::BinaryCrossEntropy } else { Loss::SoftmaxCrossEntropy };
        let shape = Architecture::new(dims, Activation::Relu, loss);
        let mut rng = Generator::new(RngKind::Numpy, g["seed"].as_u64().unwrap()).unwrap();
        let network = Network::<f64>::initialize(&shape, init, &mut rng).unwrap();
        for (l, layer) in network.layers().iter().enumerate() {
            assert_close(layer.weights(), &g[format!("W{}", l + 1)]);
            assert!(layer.bias().iter().all(|&b| b == 0.0));
        }
    }
}

#[test]
fn numpy_stream_bit_for_bit() {
    let all: Value = serde_json::from_str(include_str!("golden/numpy_rng.json")).unwrap();
    for g in all.as_array().unwrap() {
        let seed = g["seed"].as_u64().unwrap();
        let fresh = || Generator::new(RngKind::Numpy, seed).unwrap();
        let floats = |v: &Value| serde_json::from_value::<Vec<f64>>(v.clone()).unwrap();
        let mut rng = fresh();
        for expected in floats(&g["randn"]) {
            assert_eq!(rng.normal().to_bits(), expected.to_bits(), "randn, seed {seed}");
        }
        let mut rng = fresh();
        for expected in floats(&g["random_sample"]) {
            assert_eq!(rng.uniform().to_bits(), expected.to_bits(), "random_sample, seed {seed}");
        }
        let order = fresh().permutation(10);
        assert_eq!(serde_json::to_value(order).unwrap(), g["permutation"], "seed {seed}");
        let mut rng = fresh();
        let two = &g["randn_3_then_2x2_row_major"];
        assert_eq!(rng.normal_matrix::<f64>(1, 3).as_slice(), floats(&two[0]), "seed {seed}");
        assert_eq!(rng.normal_matrix::<f64>(2, 2), matrix(&two[1]), "seed {seed}");
    }
    assert!(Generator::new(RngKind::Numpy, 1 << 32).is_err());
    assert!(Generator::new(RngKind::Modern, u64::MAX).is_ok());
}

#[test]
fn the_textbook_cost_breaks_where_the_stable_one_does_not() {
    let al = DMatrix::<f64>::from_row_slice(1, 2, &[1.0, 0.5]);
    let y = DMatrix::from_row_slice(1, 2, &[1.0, 1.0]);
    // ln 0 times 0: what NumPy prints as nan with a warning.
    assert!(textbook::cost(&al, &y).is_nan());
    let logits = DMatrix::from_row_slice(1, 2, &[800.0, 0.0]);
    let cost = Loss::BinaryCrossEntropy.cost(&logits, &[1, 1]);
    assert!((cost - std::f64::consts::LN_2 / 2.0).abs() < 1e-15);
    assert_eq!(relu(-1.0), 0.0);
}
