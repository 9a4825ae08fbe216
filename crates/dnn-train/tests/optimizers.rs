//! Every optimizer against five steps of PyTorch's (see `golden/README.md`).
#![allow(clippy::unwrap_used)] // tests

use dnn_core::layer::Dense;
use dnn_core::{Activation, Network, OutputActivation};
use dnn_train::optimizer::{
    Adam, AdamW, GradientDescent, MAX_MOMENTS, Momentum, Nesterov, Optimizer, RmsProp, Step,
};
use dnn_train::textbook;
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

const TOLERANCE: f64 = 1e-10;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/optimizers.json")).unwrap()
}

fn vector(value: &Value) -> DVector<f64> {
    let numbers: Vec<f64> = serde_json::from_value(value.clone()).unwrap();
    DVector::from_vec(numbers)
}

fn matrix(value: &Value) -> DMatrix<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    DMatrix::from_row_iterator(rows.len(), rows[0].len(), rows.iter().flatten().copied())
}

fn close(what: &str, got: &[f64], golden: &[f64]) {
    assert_eq!(got.len(), golden.len());
    for (got, golden) in got.iter().zip(golden) {
        assert!((got - golden).abs() < TOLERANCE, "{what}: {got} is not {golden}");
    }
}

/// Five steps, then the weights; the costs before each step on the way.
fn check(name: &str, optimizer: &dyn Optimizer<f64>, learning_rate: f64, l2: f64) {
    let golden = golden();
    let layer = |w: &str, b: &str, activation| {
        Dense::new(matrix(&golden[w]), vector(&golden[b]), activation).unwrap()
    };
    let layers = vec![layer("W1", "b1", Activation::Tanh), layer("W2", "b2", Activation::Identity)];
    let mut network = Network::new(layers, OutputActivation::Softmax).unwrap();
    let x = matrix(&golden["X"]);
    let labels: Vec<u32> = serde_json::from_value(golden["labels"].clone()).unwrap();
    let after = &golden["after_5_steps"][name];

    let y = DMatrix::from_fn(network.n_classes(), x.ncols(), |i, j| {
        f64::from(u8::from(labels[j] as usize == i))
    });
    let zeros = |n: usize| vec![vec![0.0; n]; MAX_MOMENTS];
    let mut moments: Vec<_> =
        network.parameters_mut().map(|[w, b, ..]| (zeros(w.len()), zeros(b.len()))).collect();
    for (i, loss) in vector(&after["losses"]).iter().enumerate() {
        let (al, caches) = textbook::model_forward(&network, &x);
        let cost = textbook::cost(&al, &y);
        let gradients = textbook::model_backward(&network, &al, &y, &caches);
        close(&format!("{name}: cost before step {}", i + 1), &[cost], &[*loss]);
        let step = Step { l2, ..Step::new(i as u64 + 1, learning_rate) };
        let update = |p: &mut [f64], g: &[f64], m: &mut Vec<Vec<f64>>| {
            let mut m: Vec<&mut [f64]> = m.iter_mut().map(|m| &mut m[..]).collect();
            optimizer.update(&step, p, g, &mut m[..optimizer.n_moments()]);
        };
        for (([w, b, ..], g), (mw, mb)) in
            network.parameters_mut().zip(&gradients).zip(&mut moments)
        {
            update(w, g.dw.as_slice(), mw);
            update(b, g.db.as_slice(), mb);
        }
    }
    for (l, (w, b)) in [("W1", "b1"), ("W2", "b2")].into_iter().enumerate() {
        let layer = &network.layers()[l];
        close(&format!("{name}: {w}"), layer.weights().as_slice(), matrix(&after[w]).as_slice());
        close(&format!("{name}: {b}"), layer.bias().as_slice(), vector(&after[b]).as_slice());
    }
}

const ADAM: Adam = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

#[test]
fn gradient_descent_with_and_without_l2() {
    check("sgd", &GradientDescent, 0.1, 0.0);
    check("sgd_l2", &GradientDescent, 0.1, 0.05);
}

#[test]
fn momentum_and_nesterov() {
    check("momentum", &Momentum { momentum: 0.9 }, 0.1, 0.0);
    check("nesterov", &Nesterov { momentum: 0.9 }, 0.1, 0.0);
}

#[test]
fn rmsprop() {
    check("rmsprop", &RmsProp { decay: 0.99, epsilon: 1e-8 }, 0.01, 0.0);
}

#[test]
fn adam_and_adamw() {
    check("adam", &ADAM, 0.01, 0.0);
    check("adamw", &AdamW { weight_decay: 0.1, ..AdamW::default() }, 0.01, 0.0);
}
