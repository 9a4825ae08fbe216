//! Nothing is allocated per iteration, apart from the buffer that the `gemm` crate takes for each
//! product of many rows and gives back.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::gemm::FactorPrecision;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{
    Activation, Architecture, HiddenNormalization, Init, Network, OutputActivation, Real,
};
use dnn_train::config::OptimizerConfig;
use dnn_train::engine::{Engine, EngineInput, EngineOptions, GramMatrix, Pass};
use dnn_train::optimizer::{GradientDescent, Optimizer, Step};
use dnn_train::{CrossEntropy, build_engine};
use nalgebra::DMatrix;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what every thread asks for.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const M: usize = 300;

fn count<F: Real>(
    engine: &mut dyn Engine<F>,
    optimizer: &dyn Optimizer<F>,
    batch: usize,
    clip_norm: Option<f64>,
) -> usize {
    let order: Vec<_> = (0..M).rev().collect();
    let mut iterate = |i: usize| {
        let start = i * batch % (M - batch);
        let batch = (batch > 0).then_some(&order[start..start + batch]);
        assert!(engine.cost(Pass { batch, iteration: i }).is_finite());
        assert!(engine.squared_weights().is_finite());
        engine.update(optimizer, Step::new(i as u64 + 1, 1e-3), clip_norm);
    };
    // The matrix crate and the threads make their workspaces at first use; threads may be tried only after
    // a few iterations, and on a busy machine one may have its first task late.
    (0..20).for_each(&mut iterate);
    let mut of_a_hundred = |from: usize| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (from..from + 100).for_each(&mut iterate);
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    (0..4).map(|i| of_a_hundred(20 + 100 * i)).find(|&n| n == 0).unwrap_or(1)
}

/// One test, so that no other thread's allocations are counted.
#[test]
fn a_hundred_iterations_allocate_nothing() {
    let mut rng = Generator::new(RngKind::Modern, 1).unwrap();
    let x: DMatrix<f64> = rng.normal_matrix(500, M);
    let labels: Vec<u32> = (0..M as u32).map(|i| i % 3).collect();
    let cost = CrossEntropy::new(OutputActivation::Softmax).with_smoothing(0.1);
    let (none, layer) = (HiddenNormalization::None, HiddenNormalization::Layer);
    for (hidden, activation, normalization, n_threads) in [
        (vec![20, 7, 5], Activation::Gelu, none, 1),
        (vec![32, 32], Activation::Tanh, none, 2),
        (vec![20, 9], Activation::Gelu, layer, 2),
    ] {
        let dims = [vec![500], hidden.clone(), vec![3]].concat();
        let softmax = OutputActivation::Softmax;
        let shape = Architecture { normalization, ..Architecture::new(dims, activation, softmax) };
        let network = Network::initialize(&shape, Init::Glorot, &mut rng).unwrap();
        for named in OptimizerConfig::all() {
            let (name, optimizer) = (named.name(), named.build());
            let clip = Some(0.1);
            for (batch, dropout, clip) in
                [(0, 0.0, None), (64, 0.0, None), (64, 0.2, None), (64, 0.2, clip)]
            {
                let options = EngineOptions {
                    n_threads,
                    max_batch: batch,
                    dropout,
                    mixup: 2.0 * dropout,
                    ema_decay: 2.0 * dropout,
                    ..EngineOptions::default()
                };
                let gram = optimizer.is_linear().then(|| GramMatrix::new(&x));
                let gram = gram.as_ref().map(EngineInput::Gram);
                for input in [EngineInput::Dense(&x)].into_iter().chain(gram) {
                    let mut engine =
                        build_engine(&network, &cost, &*optimizer, input, &labels, options);
                    let n = count(&mut *engine, &*optimizer, batch, clip);
                    let engine = engine.name();
                    assert_eq!(
                        n, 0,
                        "{engine}, {hidden:?}, {name}, batch {batch}, {n_threads} threads"
                    );
                }
            }
        }
    }
    in_bf16(&x.cast(), &labels);
}

fn in_bf16(x: &DMatrix<f32>, labels: &[u32]) {
    let cost = CrossEntropy::new(OutputActivation::Softmax);
    let shape = Architecture::new(vec![500, 70, 3], Activation::Relu, OutputActivation::Softmax);
    let mut rng = Generator::new(RngKind::Modern, 2).unwrap();
    let network = Network::initialize(&shape, Init::He, &mut rng).unwrap();
    for n_threads in [1, 2] {
        let options = EngineOptions {
            n_threads,
            max_batch: 64,
            factors: FactorPrecision::Bf16,
            ..EngineOptions::default()
        };
        let input = EngineInput::Dense(x);
        let mut engine = build_engine(&network, &cost, &GradientDescent, input, labels, options);
        assert_eq!(count(&mut *engine, &GradientDescent, 64, None), 0, "{n_threads} threads");
    }
}
