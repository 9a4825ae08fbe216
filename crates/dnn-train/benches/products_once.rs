//! Our side of `cargo xtask bench-peers --job products`: the dense products of one iteration of
//! 768-512-512-10 on batches of 128 in f32, cut and spread over the pool as the dense engine does
//! it, and what the cores can do at most. Prints both in floating-point operations a second, as JSON.
//!
//! ```text
//! products_once THREADS
//! ```

use dnn_core::gemm::{gemm, plain, transposed};
use dnn_train::pool::Pool;
use nalgebra::{DMatrix, DMatrixView};
use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Instant;

const DIMS: [usize; 4] = [768, 512, 512, 10];
const BATCH: usize = 128;
/// The engine's cut of each layer's values in phase 1: pieces by examples, and by units.
const BLOCKS: [(usize, usize); 3] = [(1, 4), (1, 4), (2, 1)];
/// And of the layers' weights in phase 2: columns of Wᵀ, of all inputs.
const PARTS: [usize; 3] = [6, 4, 1];
/// Rounds of each, in alternation, and their length.
const ROUNDS: usize = 15;
const SECONDS: f64 = 0.1;

fn main() {
    let Some(n_threads) = std::env::args().nth(1).and_then(|n| n.parse().ok()) else {
        eprintln!("run by `cargo xtask bench-peers --job products`");
        return;
    };
    let mut pool = Pool::new(n_threads);
    let mut products = Products::new(n_threads);
    let (mut most, mut made) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        most.push(std::thread::scope(|scope| {
            let chains = || rate(|| Arch::new().dispatch(Chains));
            let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(chains)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<f64>()
        }));
        made.push(rate(|| {
            products.run(&mut pool);
            Products::flops() as f64
        }));
    }
    println!("{{\"ceiling\": {}, \"products\": {}}}", median(&mut most), median(&mut made));
}

/// Operations a second: `f` gives how many it has made.
fn rate(mut f: impl FnMut() -> f64) -> f64 {
    let (start, mut flops) = (Instant::now(), 0.0);
    while start.elapsed().as_secs_f64() < SECONDS {
        flops += f();
    }
    flops / start.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Multiply-adds in registers: what no product can exceed.
struct Chains;

impl Chains {
    /// Sums that do not wait for each other, enough to fill two units of four cycles.
    const SUMS: usize = 12;
    const STEPS: usize = 20_000;
}

impl WithSimd for Chains {
    /// Operations made.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        // Each its own, or the compiler might make one of all.
        let mut sums: [_; Self::SUMS] = std::array::from_fn(|_| simd.splat_f32s(black_box(1.0)));
        let (a, b) = (simd.splat_f32s(black_box(0.999)), simd.splat_f32s(black_box(0.001)));
        for _ in 0..Self::STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, a, b);
            }
        }
        black_box(sums);
        (2 * S::F32_LANES * Self::SUMS * Self::STEPS) as f64
    }
}

/// A matrix whose columns lie an odd number of cache lines apart, as the engine's do.
fn matrix(rows: usize, cols: usize) -> DMatrix<f32> {
    let stride = (rows.div_ceil(16) | 1) * 16;
    DMatrix::from_fn(stride, cols, |i, j| ((i * 31 + j * 17) % 23) as f32 / 23.0 - 0.5)
}

/// Examples, units, and what a task writes.
type Block = (Range<usize>, Range<usize>, Mutex<DMatrix<f32>>);

/// `0..n` in equal pieces of whole vectors.
fn cut(n: usize, pieces: usize) -> impl Iterator<Item = Range<usize>> {
    let at = move |i: usize| if i == pieces { n } else { i * n / 8 / pieces * 8 };
    (0..pieces).map(move |i| at(i)..at(i + 1))
}

/// The factors of all products, and room for what each task makes.
struct Products {
    /// A⁰ is X (features, examples); Aˡᵀ and dZˡᵀ (examples, units).
    x: DMatrix<f32>,
    a: Vec<DMatrix<f32>>,
    dz: Vec<DMatrix<f32>>,
    /// Wᵀ (n_prev, n).
    w: Vec<DMatrix<f32>>,
    /// Of each layer in phase 1: examples, units.
    blocks: Vec<Vec<Block>>,
    /// Of phase 2: the layer, units.
    parts: Vec<(usize, Range<usize>)>,
    /// Where each thread puts a part of dW.
    rooms: Vec<Mutex<DMatrix<f32>>>,
}

impl Products {
    fn new(n_threads: usize) -> Self {
        let of_units = |rows| DIMS[1..].iter().map(|&n| matrix(rows, n)).collect::<Vec<_>>();
        let parts = PARTS
            .iter()
            .enumerate()
            .flat_map(|(l, &n)| cut(DIMS[l + 1], n).map(move |cols| (l, cols)));
        let blocks = BLOCKS.iter().enumerate().map(|(l, &(by_examples, by_units))| {
            let units = cut(DIMS[l + 1], by_units);
            let blocks = units.flat_map(|cols| {
                cut(BATCH, by_examples).map(move |rows| {
                    let room = matrix(rows.len(), cols.len());
                    (rows, cols.clone(), Mutex::new(room))
                })
            });
            blocks.collect()
        });
        Self {
            x: matrix(DIMS[0], BATCH),
            a: of_units(BATCH),
            dz: of_units(BATCH),
            w: DIMS.windows(2).map(|d| matrix(d[0], d[1])).collect(),
            blocks: blocks.collect(),
            parts: parts.collect(),
            rooms: (0..n_threads).map(|_| Mutex::new(matrix(DIMS[0], 128))).collect(),
        }
    }

    /// Forward, dW, and dA of all layers but the first.
    fn flops() -> usize {
        let layers = DIMS.windows(2).enumerate();
        layers.map(|(l, d)| d[0] * d[1] * BATCH * if l == 0 { 4 } else { 6 }).sum()
    }

    fn run(&mut self, pool: &mut Pool) {
        let this = &*self;
        for (l, blocks) in this.blocks.iter().enumerate() {
            pool.run(blocks.len(), &|task, _| {
                let (rows, cols, room) = &blocks[task];
                let mut room = room.lock().expect("no task panics");
                let mut z = room.rows_mut(0, rows.len());
                let w = this.w[l].view((0, cols.start), (DIMS[l], cols.len()));
                if l == 0 {
                    let x = this.x.view((0, rows.start), (DIMS[0], rows.len()));
                    gemm(1.0, transposed(&x), plain(&w), 0.0, &mut z);
                } else {
                    let a: DMatrixView<'_, f32> = this.a[l - 1].rows(rows.start, rows.len());
                    gemm(1.0, plain(&a), plain(&w), 0.0, &mut z);
                }
            });
        }
        for l in [1, 0] {
            let blocks = &this.blocks[l];
            pool.run(blocks.len(), &|task, _| {
                let (rows, cols, room) = &blocks[task];
                let mut room = room.lock().expect("no task panics");
                let mut da = room.rows_mut(0, rows.len());
                let w = this.w[l + 1].rows(cols.start, cols.len());
                let dz: DMatrixView<'_, f32> = this.dz[l + 1].rows(rows.start, rows.len());
                gemm(1.0, plain(&dz), transposed(&w), 0.0, &mut da);
            });
        }
        pool.run(this.parts.len(), &|task, thread| {
            let (l, cols) = &this.parts[task];
            let mut room = this.rooms[thread].lock().expect("no task panics");
            let mut dw = room.view_mut((0, 0), (DIMS[*l], cols.len()));
            let dz = this.dz[*l].view((0, cols.start), (BATCH, cols.len()));
            if *l == 0 {
                gemm(1.0, plain(&this.x.rows(0, DIMS[0])), plain(&dz), 0.0, &mut dw);
            } else {
                let a: DMatrixView<'_, f32> = this.a[l - 1].rows(0, BATCH);
                gemm(1.0, transposed(&a), plain(&dz), 0.0, &mut dw);
            }
        });
    }
}
