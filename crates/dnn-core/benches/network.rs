//! The course's sizes: products, activations, forward, one image.
//!
//! Sizes are in the ids, n × n_prev × m; throughput is in floating-point operations for products
//! and networks, in elements for activations. Data is made outside the loops, from a fixed seed.

#![allow(missing_docs)] // Criterion's macro makes a public function.
#![allow(clippy::disallowed_methods)] // nalgebra's products are measured beside ours.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dnn_core::gemm::{gemm, plain, transposed};
use dnn_core::network::Workspace;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Bias, Init, Network, OutputActivation, Real};
use nalgebra::DMatrix;
use std::hint::black_box;

/// The layers of the course's deep network on its training set, and the first of a wider one.
const PRODUCTS: [(usize, usize, usize); 4] =
    [(20, 12_288, 209), (7, 20, 209), (5, 7, 209), (512, 784, 128)];

fn generator() -> Generator {
    Generator::new(RngKind::Modern, 1).expect("a seed it takes")
}

fn products<F: Real>(c: &mut Criterion) {
    let mut rng = generator();
    for (n, n_prev, m) in PRODUCTS {
        let w = rng.normal_matrix::<F>(n, n_prev);
        let a = rng.normal_matrix::<F>(n_prev, m);
        let size = format!("{n}x{n_prev}x{m}");
        let mut z = DMatrix::zeros(n, m);
        let mut dw = DMatrix::zeros(n, n_prev);
        let mut da = DMatrix::zeros(n_prev, m);
        let mut group = c.benchmark_group(format!("product/{}", F::PRECISION));
        group.throughput(Throughput::Elements((2 * n * n_prev * m) as u64));
        group.bench_function(BenchmarkId::new("W·A", &size), |bench| {
            bench.iter(|| gemm(F::one(), plain(&w), plain(black_box(&a)), F::zero(), &mut z));
        });
        group.bench_function(BenchmarkId::new("dZ·Aᵀ", &size), |bench| {
            bench.iter(|| gemm(F::one(), plain(&z), transposed(black_box(&a)), F::zero(), &mut dw));
        });
        group.bench_function(BenchmarkId::new("Wᵀ·dZ", &size), |bench| {
            bench.iter(|| gemm(F::one(), transposed(&w), plain(black_box(&z)), F::zero(), &mut da));
        });
        // nalgebra's own products of the same matrices, to compare with.
        group.bench_function(BenchmarkId::new("nalgebra W·A", &size), |bench| {
            bench.iter(|| z.gemm(F::one(), &w, black_box(&a), F::zero()));
        });
        group.bench_function(BenchmarkId::new("nalgebra Wᵀ·dZ", &size), |bench| {
            bench.iter(|| da.gemm_tr(F::one(), &w, black_box(&z), F::zero()));
        });
    }
}

fn activations<F: Real>(c: &mut Criterion) {
    let z = generator().normal_matrix::<F>(20, 209);
    let mut group = c.benchmark_group(format!("activation/{}", F::PRECISION));
    group.throughput(Throughput::Elements(z.len() as u64));
    for activation in Activation::ALL {
        let mut a = z.clone();
        group.bench_function(BenchmarkId::new(activation.to_string(), "20x209"), |bench| {
            bench.iter(|| {
                a.copy_from(black_box(&z));
                activation.forward(Bias::None, &mut a.as_view_mut(), None);
            });
        });
    }
}

fn networks<F: Real>(c: &mut Criterion) {
    let architecture =
        Architecture::new(vec![12_288, 20, 7, 5, 1], Activation::Relu, OutputActivation::Sigmoid);
    let m = 209;
    let mut rng = generator();
    let network = Network::<F>::initialize(&architecture, Init::Lecun, &mut rng)
        .expect("the course's network");
    let x = DMatrix::from_fn(12_288, m, |_, _| F::of(rng.uniform()));
    let mut workspace = Workspace::new(&network, m);
    let n_weights: usize = architecture.layer_dims.windows(2).map(|d| d[0] * d[1]).sum();

    let mut group = c.benchmark_group(format!("network/{}", F::PRECISION));
    group.throughput(Throughput::Elements((2 * n_weights * m) as u64));
    group.bench_function(BenchmarkId::new("forward", "12288-20-7-5-1x209"), |bench| {
        bench.iter(|| network.forward(black_box(&x), &mut workspace));
    });
    let image = x.columns(0, 1).into_owned();
    group.throughput(Throughput::Elements(2 * n_weights as u64));
    // As a server answers, and as a program does that answers once.
    let first = network.pack_first_layer();
    group.bench_function(BenchmarkId::new("one image", "12288-20-7-5-1x1"), |bench| {
        bench.iter(|| match &first {
            Some(first) => network
                .probabilities_of_logits(network.logits_of_one(first, black_box(image.as_slice()))),
            None => network.probabilities(black_box(&image)),
        });
    });
    group.bench_function(BenchmarkId::new("one image, not packed", "12288-20-7-5-1x1"), |bench| {
        bench.iter(|| network.probabilities(black_box(&image)));
    });
}

criterion_group!(
    benches,
    products::<f64>,
    products::<f32>,
    activations::<f64>,
    activations::<f32>,
    networks::<f64>,
    networks::<f32>
);
criterion_main!(benches);
