//! One iteration of each engine: the course's network on its training set, and a wide one in batches.
//!
//! Sizes are in the ids, layers × examples; throughput is in the floating-point operations of the
//! products that the dense engine makes. Data are made outside the loops, from a fixed seed.

#![allow(missing_docs)] // Criterion's macro makes a public function.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dnn_core::gemm::FactorPrecision;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Init, Network, OutputActivation};
use dnn_train::config::OptimizerConfig;
use dnn_train::engine::{Engine, EngineInput, EngineOptions, GramMatrix, Pass};
use dnn_train::optimizer::{Adam, GradientDescent, Optimizer, Step};
use dnn_train::{CrossEntropy, Trainable, TrainingPrecision, build_engine};
use nalgebra::DMatrix;

/// Layers, examples, and how many of them a batch has; 0 for all.
const SIZES: [(&[usize], usize, usize); 2] =
    [(&[12_288, 20, 7, 5, 1], 209, 0), (&[768, 512, 512, 10], 2_048, 128)];

fn iterate<F: Trainable>(
    c: &mut Criterion,
    (precision, what, size, flops): (TrainingPrecision, &str, &str, usize),
    engine: &mut dyn Engine<F>,
    optimizer: &dyn Optimizer<F>,
    batches: &[Vec<usize>],
) {
    let name = format!("iteration/{precision}/{}", engine.name());
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(flops as u64));
    let mut iteration = 0;
    group.bench_function(BenchmarkId::new(what, size), |bench| {
        bench.iter(|| {
            let batch = (!batches.is_empty()).then(|| &batches[iteration % batches.len()][..]);
            let cost = engine.cost(Pass { batch, iteration });
            iteration += 1;
            engine.update(optimizer, Step::new(iteration as u64, 1e-3), None);
            cost
        });
    });
}

fn engines<F: Trainable>(c: &mut Criterion) {
    let mut rng = Generator::new(RngKind::Modern, 1).expect("a seed it takes");
    for (dims, m, batch) in SIZES {
        let output = match dims[dims.len() - 1] {
            1 => OutputActivation::Sigmoid,
            _ => OutputActivation::Softmax,
        };
        let cost = CrossEntropy::new(output);
        let architecture = Architecture::new(dims.to_vec(), Activation::Relu, output);
        let network = Network::<F>::initialize(&architecture, Init::Lecun, &mut rng)
            .expect("a sound network");
        let x = DMatrix::from_fn(dims[0], m, |_, _| F::of(rng.uniform()));
        let labels: Vec<u32> = (0..m as u32).map(|i| i % network.n_classes() as u32).collect();
        let order: Vec<usize> = (0..m).map(|i| i * 577 % m).collect();
        let batches: Vec<Vec<usize>> =
            order.chunks_exact(batch.max(1)).map(<[usize]>::to_vec).take(batch).collect();
        let at_once = if batch == 0 { m } else { batch };
        // Forward and dW, and dA of all layers but the first.
        let layers = dims.windows(2).enumerate();
        let flops = layers.map(|(l, d)| d[0] * d[1] * at_once * if l == 0 { 4 } else { 6 }).sum();
        let shape: Vec<String> = dims.iter().map(usize::to_string).collect();
        let size = format!("{}x{at_once}", shape.join("-"));
        let optimizers = [OptimizerConfig::from(GradientDescent), Adam::default().into()];
        let precisions = TrainingPrecision::ALL.into_iter().filter(|p| p.numbers() == F::PRECISION);
        for (precision, named) in precisions.flat_map(|p| optimizers.map(|named| (p, named))) {
            let factors = precision.factors();
            let options = EngineOptions {
                n_threads: 2,
                max_batch: batch,
                factors,
                ..EngineOptions::default()
            };
            let optimizer = named.build();
            let id = (precision, named.name(), &*size, flops);
            let has_gram = optimizer.is_linear() && batch == 0 && factors == FactorPrecision::Full;
            let gram = has_gram.then(|| GramMatrix::new(&x));
            let gram = gram.as_ref().map(EngineInput::Gram);
            for input in [EngineInput::Dense(&x)].into_iter().chain(gram) {
                let mut engine =
                    build_engine(&network, &cost, &*optimizer, input, &labels, options);
                iterate(c, id, &mut *engine, &*optimizer, &batches);
            }
        }
    }
}

criterion_group!(benches, engines::<f64>, engines::<f32>);
criterion_main!(benches);
