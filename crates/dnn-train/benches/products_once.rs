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
/// The engine's cut of a batch of 128 in phase 1.
const EXAMPLES: usize = 64;
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
    let mut products = Products::new();
    let (mut most, mut made) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        most.push(rate(|| {
            pool.run(n_threads, &|_, _| Arch::new().dispatch(Chains));
            (n_threads * Chains::flops()) as f64
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

    fn flops() -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        2 * Arch::new().dispatch(Lanes) * Self::SUMS * Self::STEPS
    }
}

impl WithSimd for Chains {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = [simd.splat_f32s(black_box(1.0)); Self::SUMS];
        let (a, b) = (simd.splat_f32s(black_box(0.999)), simd.splat_f32s(black_box(0.001)));
        for _ in 0..Self::STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, a, b);
            }
        }
        black_box(sums);
    }
}

/// A matrix whose columns lie an odd number of cache lines apart, as the engine's do.
fn matrix(rows: usize, cols: usize) -> DMatrix<f32> {
    let stride = (rows.div_ceil(16) | 1) * 16;
    DMatrix::from_fn(stride, cols, |i, j| ((i * 31 + j * 17) % 23) as f32 / 23.0 - 0.5)
}

/// The factors of all products, and room for what each task makes.
struct Products {
    /// A⁰ is X (features, examples); Aˡᵀ and dZˡᵀ (examples, units).
    x: DMatrix<f32>,
    a: Vec<DMatrix<f32>>,
    dz: Vec<DMatrix<f32>>,
    /// Wᵀ (n_prev, n).
    w: Vec<DMatrix<f32>>,
    /// Of phase 1 a row of layers for each task; of phase 2 a part.
    forward: Vec<Mutex<Vec<DMatrix<f32>>>>,
    parts: Vec<(usize, Range<usize>, Mutex<DMatrix<f32>>)>,
}

impl Products {
    fn new() -> Self {
        let of_units = |rows| DIMS[1..].iter().map(|&n| matrix(rows, n)).collect::<Vec<_>>();
        let parts = PARTS.iter().enumerate().flat_map(|(l, &n)| {
            let at = move |i: usize| i * DIMS[l + 1] / 8 / n * 8;
            (0..n).map(move |i| {
                let cols = at(i)..if i + 1 == n { DIMS[l + 1] } else { at(i + 1) };
                let room = matrix(DIMS[l], cols.len());
                (l, cols, Mutex::new(room))
            })
        });
        Self {
            x: matrix(DIMS[0], BATCH),
            a: of_units(BATCH),
            dz: of_units(BATCH),
            w: DIMS.windows(2).map(|d| matrix(d[0], d[1])).collect(),
            forward: (0..BATCH / EXAMPLES).map(|_| Mutex::new(of_units(EXAMPLES))).collect(),
            parts: parts.collect(),
        }
    }

    /// Forward, dW, and dA of all layers but the first.
    fn flops() -> usize {
        let layers = DIMS.windows(2).enumerate();
        layers.map(|(l, d)| d[0] * d[1] * BATCH * if l == 0 { 4 } else { 6 }).sum()
    }

    fn run(&mut self, pool: &mut Pool) {
        let this = &*self;
        let w = |l: usize| this.w[l].rows(0, DIMS[l]);
        pool.run(this.forward.len(), &|task, _| {
            let mut room = this.forward[task].lock().expect("no task panics");
            let rows = task * EXAMPLES;
            for l in 0..3 {
                let mut z = room[l].rows_mut(0, EXAMPLES);
                if l == 0 {
                    let x = this.x.view((0, rows), (DIMS[0], EXAMPLES));
                    gemm(1.0, transposed(&x), plain(&w(l)), 0.0, &mut z);
                } else {
                    let a: DMatrixView<'_, f32> = this.a[l - 1].rows(rows, EXAMPLES);
                    gemm(1.0, plain(&a), plain(&w(l)), 0.0, &mut z);
                }
            }
            for l in [2, 1] {
                let dz: DMatrixView<'_, f32> = this.dz[l].rows(rows, EXAMPLES);
                let mut da = room[l - 1].rows_mut(0, EXAMPLES);
                gemm(1.0, plain(&dz), transposed(&w(l)), 0.0, &mut da);
            }
        });
        pool.run(this.parts.len(), &|task, _| {
            let (l, cols, room) = &this.parts[task];
            let mut room = room.lock().expect("no task panics");
            let mut dw = room.rows_mut(0, DIMS[*l]);
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
