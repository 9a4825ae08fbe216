//! The dense engine: every product in full, as the textbook has it, on several cores.
//!
//! An iteration has two phases, each cut into tasks that do not depend on each other:
//!
//! 1. by examples: forward through all layers, the loss, and dZ back through all layers; columns
//!    of a batch never meet here;
//! 2. by columns of W: dW = dZ·A_prevᵀ/m, and at once, while it is in the cache, the optimizer's
//!    step with it.
//!
//! The textbook's dA₀ = W₁ᵀ·dZ₁, which nobody uses, is not computed. The cuts do not depend on the
//! number of threads, so neither do the results. Everything is allocated once.

use super::Engine;
use crate::optimizer::{MAX_MOMENTS, Optimizer, Step};
use crate::pool::Pool;
use crate::shared::SharedMatrix;
use dnn_core::gemm::{gemm, plain, transposed};
use dnn_core::layer::Dense;
use dnn_core::{Activation, Loss, Network, Real};
use nalgebra::{DMatrix, DVector};
use std::ops::Range;

/// Below this many floating-point operations an iteration, a second thread costs more than it
/// brings.
const MIN_PARALLEL_FLOPS: usize = 2_000_000;
/// Examples of one task of phase 1, about.
const EXAMPLES_PER_TASK: usize = 64;
/// Weights of one task of phase 2, about: they and their gradients fit the second-level cache.
const WEIGHTS_PER_TASK: usize = 16_384;

/// Every product in full, as the textbook has it, on several cores. Trains on all examples at once.
///
/// The textbook's dA₀ = W₁ᵀ·dZ₁, which nobody uses, is not computed. Everything is allocated once.
pub struct DenseEngine<'d, F: Real> {
    layers: Vec<LayerState<F>>,
    loss: Loss,
    x: &'d DMatrix<F>,
    labels: &'d [u32],
    example_tasks: Vec<Range<usize>>,
    /// Layer and columns of its W.
    weight_tasks: Vec<(usize, Range<usize>)>,
    /// Sum of the losses of each example task, (1, tasks).
    costs: SharedMatrix<f64>,
    pool: Pool,
}

/// One layer with all that training keeps beside it.
struct LayerState<F> {
    /// W (n, n_prev).
    w: Parameters<F>,
    /// b (n, 1).
    b: Parameters<F>,
    activation: Activation,
    /// A (n, m); of the output layer Z, then dZ.
    a: SharedMatrix<F>,
    /// dZ (n, m).
    dz: SharedMatrix<F>,
}

/// Values, their gradient, and what the optimizer remembers of them.
struct Parameters<F> {
    values: SharedMatrix<F>,
    gradient: SharedMatrix<F>,
    moments: [SharedMatrix<F>; MAX_MOMENTS],
}

impl<F: Real> Parameters<F> {
    fn new(values: &[F], rows: usize, n_moments: usize) -> Self {
        let values = SharedMatrix::from_slice(values, rows);
        let cols = values.cols();
        let moment = |i| SharedMatrix::zeros(rows, if i < n_moments { cols } else { 0 });
        let gradient = SharedMatrix::zeros(rows, cols);
        Self { values, gradient, moments: std::array::from_fn(moment) }
    }

    /// The optimizer's step on the columns `range`.
    ///
    /// # Safety
    /// Nobody else may use these columns of any of the matrices meanwhile.
    unsafe fn step(&self, optimizer: &dyn Optimizer<F>, step: Step, range: Range<usize>) {
        let n_moments = optimizer.n_moments();
        let part = |i: usize| if i < n_moments { range.clone() } else { 0..0 };
        // SAFETY: the caller's promise.
        unsafe {
            let mut moments: [&mut [F]; MAX_MOMENTS] =
                std::array::from_fn(|i| self.moments[i].slice_mut(part(i)));
            let gradient = self.gradient.slice_mut(range.clone());
            let values = self.values.slice_mut(range);
            optimizer.update(&step, values, gradient, &mut moments[..n_moments]);
        }
    }
}

impl<'d, F: Real> DenseEngine<'d, F> {
    /// Takes the network to train on all of `x`; `n_threads` is an upper limit.
    ///
    /// # Shapes
    /// `x` (n₀, m), `labels` (m).
    /// # Panics
    /// When `x` or `labels` do not fit the network, or the optimizer has more than two moments.
    pub fn new(
        network: &Network<F>,
        optimizer: &dyn Optimizer<F>,
        x: &'d DMatrix<F>,
        labels: &'d [u32],
        n_threads: usize,
    ) -> Self {
        let m = x.ncols();
        assert_eq!(x.shape(), (network.n_features(), labels.len()), "features and labels");
        let n_classes = network.n_classes();
        assert!(
            labels.iter().all(|&l| (l as usize) < n_classes),
            "labels of the network's classes"
        );
        let n_moments = optimizer.n_moments();
        assert!(n_moments <= MAX_MOMENTS, "an optimizer of at most {MAX_MOMENTS} moments");
        let state = |layer: &Dense<F>| LayerState {
            w: Parameters::new(layer.weights().as_slice(), layer.n(), n_moments),
            b: Parameters::new(layer.bias().as_slice(), layer.n(), n_moments),
            activation: layer.activation(),
            a: SharedMatrix::zeros(layer.n(), m),
            dz: SharedMatrix::zeros(layer.n(), m),
        };
        let layers: Vec<_> = network.layers().iter().map(state).collect();
        let n_weights = |layer: &LayerState<F>| layer.w.values.rows() * layer.w.values.cols();
        let weight_tasks = layers
            .iter()
            .enumerate()
            .flat_map(|(l, layer)| {
                let cols = layer.w.values.cols();
                let pieces = n_weights(layer).div_ceil(WEIGHTS_PER_TASK).min(cols);
                cut(cols, pieces).map(move |range| (l, range))
            })
            .collect();
        // Forward, dW and dA_prev: a multiplication and an addition each, a weight and an example.
        let flops = 6 * m * layers.iter().map(n_weights).sum::<usize>();
        let n_threads = if flops < MIN_PARALLEL_FLOPS { 1 } else { n_threads };
        let example_tasks = example_tasks(m);
        Self {
            costs: SharedMatrix::zeros(1, example_tasks.len()),
            pool: Pool::new(n_threads.min(example_tasks.len())),
            loss: network.loss(),
            layers,
            x,
            labels,
            example_tasks,
            weight_tasks,
        }
    }
}

/// `0..n` in `pieces` parts that differ by one at most.
fn cut(n: usize, pieces: usize) -> impl Iterator<Item = Range<usize>> {
    (0..pieces).map(move |i| i * n / pieces..(i + 1) * n / pieces)
}

/// Few examples in one piece, many in a multiple of four, so that cores have equal shares.
fn example_tasks(m: usize) -> Vec<Range<usize>> {
    let pieces =
        if m < EXAMPLES_PER_TASK { 1 } else { m.div_ceil(EXAMPLES_PER_TASK).next_multiple_of(4) };
    cut(m, pieces).collect()
}

impl<F: Real> Engine<F> for DenseEngine<'_, F> {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cost(&mut self) -> f64 {
        let Self { layers, loss, x, labels, example_tasks, costs, pool, .. } = self;
        let last = layers.len() - 1;
        pool.run(example_tasks.len(), &|task| {
            let range = || example_tasks[task].clone();
            // SAFETY: a task writes its own columns of A, dZ and costs only, and reads those and
            // the parameters, which nobody writes in this phase.
            unsafe {
                for (l, layer) in layers.iter().enumerate() {
                    let a_prev = match l {
                        0 => x.columns(range().start, range().len()),
                        _ => layers[l - 1].a.columns(range()),
                    };
                    let mut a = layer.a.columns_mut(range());
                    gemm(F::one(), plain(&layer.w.values.all()), plain(&a_prev), F::zero(), &mut a);
                    layer.activation.add_bias_and_activate(layer.b.values.slice(0..1), &mut a);
                }
                let dz = layers[last].dz.slice_mut(range());
                dz.copy_from_slice(layers[last].a.slice(range()));
                let sum = loss.sum_and_gradient_in_place(dz, &labels[range()]);
                costs.slice_mut(task..task + 1)[0] = sum;
                for l in (0..last).rev() {
                    let (layer, next) = (&layers[l], &layers[l + 1]);
                    let (w, dz_next) = (next.w.values.all(), next.dz.columns(range()));
                    let mut da = layer.dz.columns_mut(range());
                    gemm(F::one(), transposed(&w), plain(&dz_next), F::zero(), &mut da);
                    layer.activation.backward_in_place(&mut da, &layer.a.columns(range()));
                }
            }
        });
        costs.as_mut_slice().iter().sum::<f64>() / labels.len() as f64
    }

    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step) {
        let Self { layers, x, labels, weight_tasks, pool, .. } = self;
        let per_example = F::one() / F::of(labels.len() as f64);
        pool.run(weight_tasks.len(), &|task| {
            let (l, ref range) = weight_tasks[task];
            let layer = &layers[l];
            // SAFETY: a task writes its own columns of W, dW and moments, the first of a layer also
            // its b and db; it reads A and dZ, which nobody writes in this phase.
            unsafe {
                let dz = layer.dz.all();
                let a_prev = match l {
                    0 => x.as_view(),
                    _ => layers[l - 1].a.all(),
                };
                let a_prev = a_prev.rows(range.start, range.len());
                let mut dw = layer.w.gradient.columns_mut(range.clone());
                gemm(per_example, plain(&dz), transposed(&a_prev), F::zero(), &mut dw);
                layer.w.step(optimizer, step, range.clone());
                if range.start == 0 {
                    let db = layer.b.gradient.slice_mut(0..1);
                    db.fill(F::zero());
                    for column in dz.column_iter() {
                        for (db, &dz) in db.iter_mut().zip(column.iter()) {
                            *db += dz;
                        }
                    }
                    for db in db {
                        *db *= per_example;
                    }
                    layer.b.step(optimizer, step, 0..1);
                }
            }
        });
    }

    fn network(&mut self) -> Network<F> {
        let layers = self.layers.iter_mut().map(|layer| {
            let b = DVector::from_column_slice(layer.b.values.as_mut_slice());
            Dense::new(layer.w.values.copied(), b, layer.activation)
        });
        let layers = layers.collect::<Result<_, _>>().expect("layers of a network");
        Network::new(layers, self.loss).expect("the network this engine was made from")
    }
}
