//! How many images a core describes in a second, and makes features of views of.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dnn_data::preprocess::Features;
use dnn_data::synthetic::{DrawOptions, draw};
use dnn_data::{FeatureKind, InputContract, Values};
use std::hint::black_box;

fn describing(c: &mut Criterion) {
    let drawn = draw(&DrawOptions::default()).expect("drawn").train;
    let shape = drawn.shape();
    let mut group = c.benchmark_group("describe");
    for features in [FeatureKind::Colour, FeatureKind::Texture, FeatureKind::ColourTexture] {
        let contract = InputContract { features, ..drawn.contract().expect("a size") };
        let maker = Features::<f32>::new(&contract).expect("sound");
        let mut x = vec![0.0; maker.n_features() * drawn.len()];
        group.throughput(Throughput::Elements(drawn.len() as u64));
        group.bench_function(BenchmarkId::new(features.name(), shape), |bench| {
            bench.iter(|| maker.of_bytes(black_box(drawn.pixels()), &mut x));
        });
    }
    group.finish();
    let contract = InputContract { views: 12, ..drawn.contract().expect("a size") };
    let maker = Features::<f32>::new(&contract).expect("sound");
    let mut x = vec![0.0; maker.n_features()];
    let mut group = c.benchmark_group("view");
    group.throughput(Throughput::Elements(1));
    for (name, view) in [("mirrored", 1), ("crop", 2)] {
        group.bench_function(BenchmarkId::new(name, shape), |bench| {
            bench.iter(|| maker.of_view(Values::Bytes(black_box(drawn.image(0))), view, &mut x));
        });
    }
    group.finish();
}

criterion_group!(benches, describing);
criterion_main!(benches);
