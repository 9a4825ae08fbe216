//! `cargo run --release --manifest-path benches/matrix_crates/Cargo.toml`: GFLOP/s of one thread on
//! the products of this project's networks, in each crate that could make them and through
//! `dnn_core::gemm`, as a table. Rounds alternate between the crates; medians are shown.
//!
//! nalgebra has no product with a transposed second factor: it is copied there, which is counted.
//! Matrices lie as the training engines keep them: columns an odd number of cache lines apart.

use dnn_core::Real;
use nalgebra::DMatrix;
use std::hint::black_box;
use std::time::Instant;

/// What it is, (m, n, k), whether A and B are transposed.
type Product = (&'static str, (usize, usize, usize), (bool, bool));

const PRODUCTS: [Product; 11] = [
    ("768-512, 128 examples: forward of 128 units", (128, 128, 768), (true, false)),
    ("512-512, 128 examples: forward of 128 units", (128, 128, 512), (false, false)),
    ("512-512, 128 examples: dA of 128 units", (128, 128, 512), (false, true)),
    ("768-512, 128 examples: dW of 88 units", (768, 88, 128), (false, false)),
    ("512-512, 128 examples: dW of 128 units", (512, 128, 128), (true, false)),
    ("12288-20, 209 examples: forward", (209, 20, 12_288), (true, false)),
    ("12288-20, 209 examples: dW", (12_288, 20, 209), (false, false)),
    ("C·G of 20 units, 209 examples", (209, 20, 209), (false, false)),
    ("20-7, 209 examples: forward", (209, 7, 20), (false, false)),
    ("20-7, 209 examples: dA", (209, 20, 7), (false, true)),
    ("20-7, 209 examples: dW", (20, 7, 209), (true, false)),
];
const ROUNDS: usize = 9;
const FLOPS_OF_A_ROUND: f64 = 1e8;

fn main() {
    println!("| product | | gemm | faer | matrixmultiply | nalgebra | dnn_core |");
    println!("|---|---|---|---|---|---|---|");
    for product in PRODUCTS {
        row("f32", product, matrixmultiply::sgemm);
        row("f64", product, matrixmultiply::dgemm);
    }
}

/// `matrixmultiply`'s functions: m, k, n, α, A with strides, B with strides, β, C with strides.
type Multiply<F> = unsafe fn(
    usize,
    usize,
    usize,
    F,
    *const F,
    isize,
    isize,
    *const F,
    isize,
    isize,
    F,
    *mut F,
    isize,
    isize,
);

fn row<F: Real + faer::traits::ComplexField>(
    precision: &str,
    (name, (m, n, k), (ta, tb)): Product,
    multiply: Multiply<F>,
) {
    let padded = |rows: usize, cols: usize| {
        let line = 64 / size_of::<F>();
        let stride = (rows.div_ceil(line) | 1) * line;
        DMatrix::from_fn(stride, cols, |i, j| F::of(((i * 31 + j * 17) % 23) as f64 / 23.0 - 0.5))
    };
    let stored = |rows, cols, t: bool| if t { padded(cols, rows) } else { padded(rows, cols) };
    let (a, b, mut c) = (stored(m, k, ta), stored(k, n, tb), padded(m, n));
    let strides = |matrix: &DMatrix<F>, t: bool| {
        let stride = matrix.nrows() as isize;
        if t { (stride, 1) } else { (1, stride) }
    };
    let ((a_rs, a_cs), (b_rs, b_cs), c_cs) = (strides(&a, ta), strides(&b, tb), c.nrows() as isize);
    let (ap, bp, cp) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    let (one, zero) = (F::one(), F::zero());
    let av = if ta { a.rows(0, k) } else { a.rows(0, m) };
    let bv = if tb { b.rows(0, n) } else { b.rows(0, k) };
    let mut cv = c.rows_mut(0, m);

    let mut rates = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        // SAFETY of the calls below: pointers, extents and strides are those of a, b and c.
        rates[0].push(rate(m * n * k, || unsafe {
            gemm::gemm(
                m,
                n,
                k,
                cp,
                c_cs,
                1,
                false,
                black_box(ap),
                a_cs,
                a_rs,
                bp,
                b_cs,
                b_rs,
                zero,
                one,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }));
        rates[1].push(rate(m * n * k, || unsafe {
            let a = faer::MatRef::from_raw_parts(black_box(ap), m, k, a_rs, a_cs);
            let b = faer::MatRef::from_raw_parts(bp, k, n, b_rs, b_cs);
            let c = faer::MatMut::from_raw_parts_mut(cp, m, n, 1, c_cs);
            faer::linalg::matmul::matmul(c, faer::Accum::Replace, a, b, one, faer::Par::Seq);
        }));
        rates[2].push(rate(m * n * k, || unsafe {
            multiply(m, k, n, one, black_box(ap), a_rs, a_cs, bp, b_rs, b_cs, zero, cp, 1, c_cs);
        }));
        rates[3].push(rate(m * n * k, || match (ta, tb) {
            (true, _) => cv.gemm_tr(one, black_box(&av), &bv, zero),
            (_, true) => cv.gemm(one, black_box(&av), &bv.transpose(), zero),
            _ => cv.gemm(one, black_box(&av), &bv, zero),
        }));
        rates[4].push(rate(m * n * k, || {
            use dnn_core::gemm::{gemm, plain, transposed};
            let a = if ta { transposed(black_box(&av)) } else { plain(black_box(&av)) };
            let b = if tb { transposed(&bv) } else { plain(&bv) };
            gemm(one, a, b, zero, &mut cv);
        }));
    }
    let cells = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        format!("{:.1}", rates[ROUNDS / 2])
    });
    println!("| {name} | {precision} | {} |", cells.join(" | "));
}

/// GFLOP/s of so many multiply-adds.
fn rate(n: usize, mut product: impl FnMut()) -> f64 {
    product();
    let flops = 2.0 * n as f64;
    let times = (FLOPS_OF_A_ROUND / flops).ceil();
    let start = Instant::now();
    for _ in 0..times as usize {
        product();
    }
    times * flops / start.elapsed().as_secs_f64() / 1e9
}
