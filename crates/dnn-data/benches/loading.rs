//! From files to pixels in memory: photos decoded and resized to 64×64, rows of HDF5, idx and CSV.
//!
//! Throughput is in images; sizes, and for photos the cores, are in the ids. The files are made
//! first, in a temporary folder, and are read from the system's cache.

#![allow(missing_docs)] // Criterion's macro makes a public function.

mod made;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dnn_data::format::Options;
use dnn_data::{Decode, Images as _};
use made::{BATCH, Format, PHOTOS, Storage};
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::Duration;

/// Rows of the files of arrays, 49 MB of pixels.
const ROWS: usize = 4000;

fn photos(c: &mut Criterion) {
    let root = tempfile::tempdir().expect("a temporary folder");
    for photos in &PHOTOS {
        made::write_photos(root.path(), photos, &Format::ALL);
    }
    for format in Format::ALL {
        let mut group = c.benchmark_group(format!("photos/{}", format.name()));
        group.sample_size(10).measurement_time(Duration::from_secs(5));
        for photos in &PHOTOS {
            let folder = made::folder(root.path(), photos, format);
            group.throughput(Throughput::Elements(photos.n as u64));
            let (exact, fast) = (Decode::Exact, Decode::Fast);
            let ways =
                [("one core", 1, exact), ("all cores", 0, exact), ("one core, fast", 1, fast)];
            for (way, n_threads, decode) in ways {
                if decode == Decode::Fast && format == Format::Png {
                    continue;
                }
                let options = made::folder_options(n_threads, decode);
                let id = BenchmarkId::new(way, format!("{} to 64x64", photos.size()));
                group.bench_function(id, |bench| {
                    bench.iter(|| made::photos_in(&folder, &options));
                });
            }
        }
    }
}

fn rows(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let set = made::images(ROWS);
    let size = format!("{ROWS}x64x64x3");
    let mut group = c.benchmark_group("rows");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(ROWS as u64));
    let options = Options::default();
    for storage in Storage::ALL {
        let path = folder.path().join(format!("{}.h5", storage.name()));
        made::write_hdf5(&path, &set, storage);
        let id = |what| BenchmarkId::new(format!("hdf5 {} {what}", storage.name()), &size);
        group.bench_function(id("whole"), |bench| {
            bench.iter(|| made::opened("HDF5", &path, &options));
        });
        let order = made::streamed_order(&path);
        let mut pixels = vec![0; BATCH * set.shape().n_bytes()];
        group.bench_function(id("streamed"), |bench| {
            bench.iter(|| {
                let stream = made::stream(&path);
                for batch in order.chunks(BATCH) {
                    let pixels = &mut pixels[..batch.len() * set.shape().n_bytes()];
                    let n = set.shape().n_bytes();
                    let copied = stream.each(batch, &mut |at, image| {
                        let bytes = image.bytes().expect("bytes of pixels");
                        pixels[at * n..(at + 1) * n].copy_from_slice(bytes);
                    });
                    copied.expect("rows");
                    black_box(pixels);
                }
            });
        });
    }

    let images = folder.path().join("train-images-idx3-ubyte");
    fs::write(&images, [&[0, 0, 8, 3][..], &sizes(&[60_000, 28, 28]), &digits()].concat())
        .expect("a file");
    let labels: Vec<u8> = (0..60_000).map(|i| (i % 10) as u8).collect();
    let labels = [&[0, 0, 8, 1][..], &sizes(&[60_000]), &labels].concat();
    fs::write(folder.path().join("train-labels-idx1-ubyte"), labels).expect("a file");
    group.throughput(Throughput::Elements(60_000));
    group.bench_function(BenchmarkId::new("idx", "60000x28x28"), |bench| {
        bench.iter(|| made::opened("idx", &images, &options));
    });

    let path = folder.path().join("table.csv");
    fs::write(&path, table()).expect("a file");
    group.throughput(Throughput::Elements(20_000));
    group.bench_function(BenchmarkId::new("csv", "20000x30"), |bench| {
        bench.iter(|| made::opened("a table (CSV)", &path, &options));
    });
}

/// Extents as idx has them.
fn sizes(extents: &[u32]) -> Vec<u8> {
    extents.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// Bytes of MNIST's extent.
fn digits() -> Vec<u8> {
    (0..60_000 * 28 * 28).map(|i: usize| (i * 37 % 251) as u8).collect()
}

/// 20,000 rows of 30 numbers and a class.
fn table() -> String {
    let mut text = String::new();
    for column in 0..30 {
        let _ = write!(text, "x{column},");
    }
    text.push_str("class\n");
    for row in 0..20_000 {
        for column in 0..30 {
            let value = (row * 31 + column * 17) % 9973;
            let _ = write!(text, "{},", f64::from(value) / 997.0);
        }
        let _ = writeln!(text, "{}", ["no", "yes"][row as usize % 2]);
    }
    text
}

criterion_group!(benches, photos, rows);
criterion_main!(benches);
