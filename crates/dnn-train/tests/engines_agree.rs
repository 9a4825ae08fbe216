//! The Gram engine makes the dense engine's steps: any shape, any linear optimizer, any batches.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::layer::PARAMETER_NAMES;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, HiddenNormalization, Init, Network, OutputActivation};
use dnn_train::engine::{EngineInput, EngineOptions, GramMatrix, Pass};
use dnn_train::optimizer::{GradientDescent, Momentum, Nesterov, Optimizer, Step};
use dnn_train::{CrossEntropy, Trainable, build_engine};
use nalgebra::{DMatrix, DVectorView};
use proptest::prelude::*;

/// What the engines are compared on.
#[derive(Debug, Clone)]
struct Case {
    dims: Vec<usize>,
    activation: Activation,
    smoothing: f64,
    n_classes: usize,
    m: usize,
    /// 0: the whole training set.
    batch: usize,
    momentum: Option<(f64, bool)>,
    l2: f64,
    clip_norm: Option<f64>,
    dropout: f64,
    mixup: f64,
    ema_decay: f64,
    normalization: HiddenNormalization,
    weighted: bool,
    seed: u64,
    n_threads: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (1..200_usize, prop::collection::vec(1..80_usize, 0..4), 2..5_usize, 1..150_usize);
    let optimizer = (
        prop::option::of((0.0..0.95, any::<bool>())),
        0.0..0.1,
        prop::option::of(0.01..2.0),
        (
            prop_oneof![Just(0.0), 0.0..0.6],
            prop_oneof![Just(0.0), 0.1..1.0],
            prop_oneof![Just(0.0), 0.0..0.95],
        ),
    );
    (
        shape,
        prop::sample::select(&Activation::ALL[..]),
        0..60_usize,
        optimizer,
        (any::<bool>(), prop_oneof![Just(0.0), 0.0..0.5]),
        prop::sample::select(vec![HiddenNormalization::None, HiddenNormalization::Layer]),
        any::<u64>(),
        1..4_usize,
    )
        .prop_map(
            |(
                (n0, hidden, n_classes, m),
                activation,
                batch,
                (momentum, l2, clip_norm, (dropout, mixup, ema_decay)),
                (weighted, smoothing),
                normalization,
                seed,
                n_threads,
            )| {
                let outputs = if n_classes == 2 { 1 } else { n_classes };
                // Over two units the normalised values are almost a sign: where the two nearly
                // agree, rounding is divided by √ε, and no tolerance would tell it from an error.
                let narrowest = if normalization == HiddenNormalization::Layer { 8 } else { 1 };
                let hidden = hidden.into_iter().map(|width| width.max(narrowest));
                let dims = std::iter::once(n0).chain(hidden).chain([outputs]).collect();
                let batch = batch.min(m);
                Case {
                    dims,
                    activation,
                    smoothing,
                    n_classes,
                    m,
                    batch,
                    momentum,
                    l2,
                    clip_norm,
                    dropout,
                    mixup,
                    ema_decay,
                    normalization,
                    weighted,
                    seed,
                    n_threads,
                }
            },
        )
}

/// Costs, weights, and logits of held-out examples after some steps of both engines.
fn run<F: Trainable>(case: &Case, steps: usize) -> [(Vec<f64>, Network<F>, DMatrix<F>); 2] {
    let output =
        if case.n_classes == 2 { OutputActivation::Sigmoid } else { OutputActivation::Softmax };
    let cost = CrossEntropy::new(output).with_smoothing(case.smoothing);
    let mut rng = Generator::new(RngKind::Modern, case.seed).unwrap();
    let mut shape = Architecture::new(case.dims.clone(), case.activation, output);
    if case.dims.len() > 2 {
        shape.normalization = case.normalization;
    }
    let network = Network::<F>::initialize(&shape, Init::Glorot, &mut rng).unwrap();
    let x = rng.normal_matrix::<F>(case.dims[0], case.m);
    let held_out = rng.normal_matrix::<F>(case.dims[0], 9);
    let labels: Vec<u32> =
        (0..case.m).map(|_| (rng.uniform() * case.n_classes as f64) as u32).collect();
    let optimizer: Box<dyn Optimizer<F>> = match case.momentum {
        None => Box::new(GradientDescent),
        Some((momentum, false)) => Box::new(Momentum { momentum }),
        Some((momentum, true)) => Box::new(Nesterov { momentum }),
    };
    let weights: Vec<f64> = (0..case.n_classes).map(|c| 0.5 + c as f64).collect();
    let options = EngineOptions {
        n_threads: case.n_threads,
        max_batch: case.batch,
        class_weights: case.weighted.then_some(&weights),
        dropout: case.dropout,
        seed: case.seed,
        mixup: case.mixup,
        ema_decay: case.ema_decay,
        ..EngineOptions::default()
    };
    let gram = GramMatrix::new(&x);
    [
        build_engine(&network, &cost, &*optimizer, EngineInput::Dense(&x), &labels, options),
        build_engine(&network, &cost, &*optimizer, EngineInput::Gram(&gram), &labels, options),
    ]
    .map(|mut engine| {
        let set = engine.hold_out(&held_out);
        let costs = (0..steps)
            .map(|i| {
                // Batches of changing size, wandering through the examples.
                let size = if i % 3 == 2 { case.batch.div_ceil(2) } else { case.batch };
                let batch: Vec<_> = (0..size).map(|j| (i * 7 + j) % case.m).collect();
                let batch = (size > 0).then_some(&batch[..]);
                let cost = engine.cost(Pass { batch, iteration: i });
                let step = Step { l2: case.l2, ..Step::new(i as u64 + 1, 0.05) };
                engine.update(&*optimizer, step, case.clip_norm);
                cost + engine.squared_weights()
                    + engine.health().iter().map(|h| h.gradient_rms).sum::<f64>()
            })
            .collect();
        // What training ends with.
        engine.exchange_average();
        let logits = engine.held_out_logits(set);
        let network = engine.network();
        let difference = (network.logits(&held_out) - &logits).amax().as_f64();
        let tolerance = 1e4 * F::default_epsilon().as_f64() * (1.0 + logits.amax().as_f64());
        // Training may diverge.
        assert!(difference <= tolerance || !is_finite(&logits), "{difference} above {tolerance}");
        (costs, network, logits)
    })
}

fn is_finite<F: Trainable>(values: &DMatrix<F>) -> bool {
    values.iter().all(|value| value.as_f64().is_finite())
}

fn compare<F: Trainable>(case: &Case, steps: usize, tolerance: f64) -> Result<(), TestCaseError> {
    let [(dense_costs, dense, dense_logits), (costs, gram, logits)] = run::<F>(case, steps);
    prop_assume!(is_finite(&dense_logits));
    for (i, (a, b)) in dense_costs.iter().zip(&costs).enumerate() {
        prop_assert!((a - b).abs() <= tolerance * (1.0 + a.abs()), "cost {i}: {a} {b}");
    }
    for (l, (a, b)) in dense.layers().iter().zip(gram.layers()).enumerate() {
        let parameters = a.parameters().into_iter().zip(b.parameters());
        for (name, (a, b)) in PARAMETER_NAMES.into_iter().zip(parameters) {
            let [a, b] = [a, b].map(|values| DVectorView::from_slice(values, values.len()));
            let difference = (a - b).norm().as_f64();
            prop_assert!(
                difference <= tolerance * (1.0 + a.norm().as_f64()),
                "{name}{}: {difference}",
                l + 1
            );
        }
    }
    let difference = (&dense_logits - &logits).amax().as_f64();
    prop_assert!(difference <= tolerance * (1.0 + dense_logits.amax().as_f64()), "{difference}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_double_precision(case in cases()) {
        compare::<f64>(&case, 8, 1e-10)?;
    }

    /// Smooth activations and few steps: in f32 a ReLU's flip would part the curves.
    #[test]
    fn in_single_precision(mut case in cases()) {
        case.activation = Activation::Tanh;
        compare::<f32>(&case, 4, 2e-3)?;
    }
}
