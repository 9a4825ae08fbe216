//! The loop over the layers, on several cores.
//!
//! An iteration has two phases, each cut into tasks that do not depend on each other:
//!
//! 1. by examples: forward through all layers, the loss, and dZ back through all layers; the
//!    examples of a batch never meet here;
//! 2. by parts of W: dW = dZ·A_prevᵀ, and at once, while it is in the cache, the optimizer's step
//!    with it.
//!
//! Matrices are kept transposed: a column is a unit, its rows the examples (A, dZ) or the units
//! before (W). The examples of a unit are contiguous then, and the small layers of the course's
//! network fill vector registers. The cuts do not depend on the number of threads, so neither do
//! the results. Everything is allocated once.

use super::Engine;
use super::parameters::Parameters;
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use crate::shared::{Part, SharedMatrix, line};
use dnn_core::gemm::{gemm, plain, transposed};
use dnn_core::layer::Dense;
use dnn_core::{Activation, Loss, Network, Real};
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut, DVector};
use std::ops::Range;

/// Below this many floating-point operations an iteration, a second thread costs more than it
/// brings.
const MIN_PARALLEL_FLOPS: usize = 1_000_000;
/// Examples of one task of phase 1, about.
const EXAMPLES_PER_TASK: usize = 64;
/// Weights of one task of phase 2, about: they and their gradients fit the second-level cache.
const WEIGHTS_PER_TASK: usize = 16_384;
/// A layer of at least so many units is cut by units, a narrower one by its inputs.
const WIDE: usize = 64;

/// How the first layer is computed and changed. Its parameters live here, in whatever coordinates.
pub trait Input<F: Real>: Send + Sync {
    /// Examples in the form in which the first layer takes them.
    type Source: Send + Sync;

    /// Name of the engine.
    fn name(&self) -> &'static str;

    /// Examples that are not trained on.
    ///
    /// # Shapes
    /// `x` (n₀, m).
    fn held_out(&self, x: &DMatrix<F>, pool: &mut Pool) -> Self::Source;

    /// Puts the examples `batch` in the place that [`forward`](Input::forward) reads without a
    /// source.
    fn select(&mut self, batch: &[usize]);

    /// Z₁ᵀ without bias, of the examples `examples` of `source`, or of the batch: the selected
    /// one, or with `all` the whole training set.
    ///
    /// # Shapes
    /// `z` (examples.len(), n₁).
    fn forward(
        &self,
        source: Option<&Self::Source>,
        all: bool,
        examples: Range<usize>,
        z: &mut DMatrixViewMut<'_, F>,
    );

    /// Independent pieces of [`update`](Input::update).
    fn n_tasks(&self) -> usize;

    /// The gradient's piece `task` and the optimizer's step with it. `batch` is `None` for the
    /// whole training set.
    ///
    /// # Safety
    /// No other call for the same task, and no `forward`, may run meanwhile.
    unsafe fn update(
        &self,
        task: usize,
        batch: Option<&[usize]>,
        dz: &DMatrixView<'_, F>,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
    );

    /// W₁ (n₁, n₀).
    fn weights(&mut self) -> DMatrix<F>;

    /// Floating-point operations of an iteration on `m` examples.
    fn flops(&self, m: usize) -> usize;
}

/// What an engine is built with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineOptions<'a> {
    /// Threads at most; fewer are used where more do not help. Results do not depend on it.
    pub n_threads: usize,
    /// The largest batch that will be asked for; 0: only whole training sets.
    pub max_batch: usize,
    /// Weight of each class in the cost, or 1 for all.
    pub class_weights: Option<&'a [f64]>,
}

impl Default for EngineOptions<'_> {
    /// One thread, whole training sets, all classes alike.
    fn default() -> Self {
        Self { n_threads: 1, max_batch: 0, class_weights: None }
    }
}

/// A network in training; see the module's text.
pub struct LayeredEngine<'d, F: Real, I: Input<F>> {
    input: I,
    layers: Vec<Layer<F>>,
    loss: Loss,
    labels: &'d [u32],
    class_weights: Option<Vec<F>>,
    batch: Batch<F>,
    /// Number and part of Wᵀ, of all layers but the first.
    weight_tasks: Vec<(usize, Part)>,
    /// Sum of the losses of each example task, (tasks, 1).
    costs: SharedMatrix<f64>,
    /// For sums over the examples, (m, 1).
    ones: DMatrix<F>,
    held_out: Vec<HeldOut<F, I::Source>>,
    pool: Pool,
}

/// The examples at hand.
struct Batch<F> {
    /// None: the whole training set.
    indices: Option<Vec<usize>>,
    labels: Vec<u32>,
    /// Weight of each example in the cost.
    weights: Vec<F>,
    tasks: Vec<Range<usize>>,
}

/// One layer with all that training keeps beside it; the first one's weights are the input's.
struct Layer<F> {
    /// Wᵀ (n_prev, n).
    w: Option<Parameters<F>>,
    /// b (n, 1).
    b: Parameters<F>,
    activation: Activation,
    /// Aᵀ (m, n); of the output layer Zᵀ.
    a: SharedMatrix<F>,
    /// dZᵀ (m, n).
    dz: SharedMatrix<F>,
}

/// Examples that are not trained on, and the activations of the network on them.
struct HeldOut<F, S> {
    source: S,
    /// Aᵀ of each layer (m, n).
    a: Vec<SharedMatrix<F>>,
    tasks: Vec<Range<usize>>,
}

impl<'d, F: Real, I: Input<F>> LayeredEngine<'d, F, I> {
    /// Takes the network to train, with its first layer in `input`.
    ///
    /// # Panics
    /// When a label is not one of the network's classes, or class weights are not one a class.
    pub(super) fn with_input(
        input: I,
        network: &Network<F>,
        optimizer: &dyn Optimizer<F>,
        labels: &'d [u32],
        options: EngineOptions<'_>,
    ) -> Self {
        let n_classes = network.n_classes();
        assert!(
            labels.iter().all(|&l| (l as usize) < n_classes),
            "labels of the network's classes"
        );
        let class_weights = options.class_weights.map(|weights| {
            assert_eq!(weights.len(), n_classes, "a weight for each class");
            weights.iter().map(|&w| F::of(w)).collect::<Vec<_>>()
        });
        let m = labels.len();
        let max_batch = if options.max_batch == 0 { m } else { options.max_batch.min(m) };
        let n_moments = optimizer.n_moments();
        let state = |(l, layer): (usize, &Dense<F>)| Layer {
            w: (l > 0).then(|| Parameters::new(&layer.weights().transpose(), n_moments)),
            b: Parameters::new(
                &DMatrix::from_column_slice(layer.n(), 1, layer.bias().as_slice()),
                n_moments,
            ),
            activation: layer.activation(),
            a: SharedMatrix::zeros(max_batch, layer.n()),
            dz: SharedMatrix::zeros(max_batch, layer.n()),
        };
        let layers: Vec<_> = network.layers().iter().enumerate().map(state).collect();
        let weights = layers.iter().filter_map(|layer| layer.w.as_ref()).map(|w| &w.values);
        // Forward, dW and dA_prev: a multiplication and an addition each, a weight and an example.
        let flops = input.flops(max_batch)
            + 6 * max_batch * weights.clone().map(|w| w.rows() * w.cols()).sum::<usize>();
        let n_threads = if flops < MIN_PARALLEL_FLOPS { 1 } else { options.n_threads };
        let weight_tasks = weights
            .enumerate()
            .flat_map(|(l, w)| weight_parts::<F>(w.rows(), w.cols()).map(move |part| (l + 1, part)))
            .collect::<Vec<_>>();
        let tasks = example_tasks::<F>(max_batch);
        let n_tasks = tasks.len();
        let n_parallel = n_tasks.max(weight_tasks.len() + input.n_tasks());
        Self {
            costs: SharedMatrix::zeros(n_tasks, 1),
            pool: Pool::new(n_threads.min(n_parallel)),
            loss: network.loss(),
            ones: DMatrix::from_element(max_batch, 1, F::one()),
            batch: Batch {
                indices: None,
                labels: Vec::with_capacity(max_batch),
                weights: Vec::with_capacity(max_batch),
                tasks,
            },
            input,
            layers,
            labels,
            class_weights,
            weight_tasks,
            held_out: Vec::new(),
        }
    }

    /// Makes `batch` the examples at hand.
    fn select(&mut self, batch: Option<&[usize]>) {
        let all = self.batch.indices.is_none() && !self.batch.labels.is_empty();
        if all && batch.is_none() {
            return;
        }
        let Self { batch: at_hand, labels, class_weights, input, .. } = self;
        at_hand.labels.clear();
        match batch {
            None => {
                at_hand.indices = None;
                at_hand.labels.extend_from_slice(labels);
            }
            Some(batch) => {
                assert!(!batch.is_empty(), "a batch of at least one example");
                let indices =
                    at_hand.indices.get_or_insert_with(|| Vec::with_capacity(batch.len()));
                indices.clear();
                indices.extend_from_slice(batch);
                at_hand.labels.extend(batch.iter().map(|&i| labels[i]));
                input.select(batch);
            }
        }
        let m = at_hand.labels.len();
        assert!(m <= self.ones.nrows(), "a batch of at most {} examples", self.ones.nrows());
        let share = F::of(1.0 / m as f64);
        at_hand.weights.clear();
        at_hand.weights.extend(at_hand.labels.iter().map(|&label| match class_weights {
            Some(weights) => share * weights[label as usize],
            None => share,
        }));
        if at_hand.tasks.last().is_none_or(|last| last.end != m) {
            at_hand.tasks = example_tasks::<F>(m);
        }
    }
}

/// Forward through all layers but the first one's linear part, for the rows `examples` of each A.
///
/// # Safety
/// Nobody else may use these rows of the matrices in `a` meanwhile, or write parameters.
unsafe fn forward<'a, F: Real>(
    layers: &[Layer<F>],
    a: impl Fn(usize) -> &'a SharedMatrix<F>,
    examples: &Range<usize>,
    first: impl FnOnce(&mut DMatrixViewMut<'_, F>),
) {
    let rows = |matrix: &SharedMatrix<F>| Part { rows: examples.clone(), cols: 0..matrix.cols() };
    // SAFETY: the caller's promise.
    unsafe {
        let mut z = a(0).part_mut(&rows(a(0)));
        first(&mut z);
        for (l, layer) in layers.iter().enumerate() {
            let mut z = a(l).part_mut(&rows(a(l)));
            if let Some(w) = &layer.w {
                let a_prev = a(l - 1).part(&rows(a(l - 1)));
                let w = w.values.part(&w.values.whole());
                gemm(F::one(), plain(&a_prev), plain(&w), F::zero(), &mut z);
            }
            let b = layer.b.values.slice(0..layer.b.values.rows(), 0);
            layer.activation.add_bias_and_activate_units(b, &mut z);
        }
    }
}

impl<F: Real, I: Input<F>> Engine<F> for LayeredEngine<'_, F, I> {
    fn name(&self) -> &'static str {
        self.input.name()
    }

    fn cost(&mut self, batch: Option<&[usize]>) -> f64 {
        self.select(batch);
        let Self { layers, loss, batch, costs, pool, input, .. } = self;
        let last = layers.len() - 1;
        let (layers, input, all) = (&*layers, &*input, batch.indices.is_none());
        pool.run(batch.tasks.len(), &|task| {
            let examples = &batch.tasks[task];
            let rows =
                |matrix: &SharedMatrix<F>| Part { rows: examples.clone(), cols: 0..matrix.cols() };
            // SAFETY: a task writes its own rows of A, dZ and costs only, and reads those and the
            // parameters, which nobody writes in this phase.
            unsafe {
                forward(
                    layers,
                    |l| &layers[l].a,
                    examples,
                    |z| {
                        input.forward(None, all, examples.clone(), z);
                    },
                );
                let mut dz = layers[last].dz.part_mut(&rows(&layers[last].dz));
                dz.copy_from(&layers[last].a.part(&rows(&layers[last].a)));
                let labels = &batch.labels[examples.clone()];
                let weights = &batch.weights[examples.clone()];
                costs.slice_mut(task..task + 1, 0)[0] =
                    loss.weighted_units_in_place(&mut dz, labels, weights);
                for l in (0..last).rev() {
                    let (layer, next) = (&layers[l], &layers[l + 1]);
                    let Some(w) = next.w.as_ref().map(|w| &w.values) else { continue };
                    let (w, dz_next) = (w.part(&w.whole()), next.dz.part(&rows(&next.dz)));
                    let mut da = layer.dz.part_mut(&rows(&layer.dz));
                    gemm(F::one(), plain(&dz_next), transposed(&w), F::zero(), &mut da);
                    layer
                        .activation
                        .backward_units_in_place(&mut da, &layer.a.part(&rows(&layer.a)));
                }
            }
        });
        costs.all_mut().iter().take(batch.tasks.len()).sum()
    }

    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step) {
        let Self { layers, batch, weight_tasks, pool, input, ones, .. } = self;
        let m = batch.labels.len();
        let (layers, input) = (&*layers, &*input);
        let ones = ones.rows(0, m);
        let examples = |matrix: &SharedMatrix<F>, cols: Range<usize>| {
            debug_assert!(cols.end <= matrix.cols(), "units of the layer");
            Part { rows: 0..m, cols }
        };
        let (n_first, n_later) = (input.n_tasks(), weight_tasks.len());
        pool.run(n_first + n_later, &|task| {
            // SAFETY: a task writes its own part of the parameters, gradients and moments; the
            // first one of a layer also has its b. It reads A and dZ, which nobody writes now.
            unsafe {
                let (l, first) = if task < n_first {
                    let dz = layers[0].dz.part(&examples(&layers[0].dz, 0..layers[0].dz.cols()));
                    input.update(task, batch.indices.as_deref(), &dz, optimizer, &step);
                    (0, task == 0)
                } else {
                    let (l, ref part) = weight_tasks[task - n_first];
                    let (layer, before) = (&layers[l], &layers[l - 1]);
                    if let Some(w) = &layer.w {
                        let dz = layer.dz.part(&examples(&layer.dz, part.cols.clone()));
                        let a_prev = before.a.part(&examples(&before.a, part.rows.clone()));
                        let mut dw = w.gradient.part_mut(part);
                        gemm(F::one(), transposed(&a_prev), plain(&dz), F::zero(), &mut dw);
                        w.step(optimizer, &step, part);
                    }
                    (l, part.rows.start == 0 && part.cols.start == 0)
                };
                if first {
                    let layer = &layers[l];
                    let dz = layer.dz.part(&examples(&layer.dz, 0..layer.dz.cols()));
                    let mut db = layer.b.gradient.part_mut(&layer.b.gradient.whole());
                    gemm(F::one(), transposed(&dz), plain(&ones), F::zero(), &mut db);
                    let step = Step { l2: 0.0, ..step };
                    layer.b.step(optimizer, &step, &layer.b.values.whole());
                }
            }
        });
    }

    fn network(&mut self) -> Network<F> {
        let Self { layers, input, .. } = self;
        let layers = layers.iter_mut().map(|layer| {
            let w = match &mut layer.w {
                Some(w) => w.values.all_mut().transpose(),
                None => input.weights(),
            };
            let b = DVector::from_column_slice(layer.b.values.copied().as_slice());
            Dense::new(w, b, layer.activation)
        });
        let layers = layers.collect::<Result<_, _>>().expect("layers of a network");
        Network::new(layers, self.loss).expect("the network this engine was made from")
    }

    fn hold_out(&mut self, x: &DMatrix<F>) -> usize {
        let source = self.input.held_out(x, &mut self.pool);
        let m = x.ncols();
        let a = self.layers.iter().map(|layer| SharedMatrix::zeros(m, layer.a.cols())).collect();
        self.held_out.push(HeldOut { source, a, tasks: example_tasks::<F>(m) });
        self.held_out.len() - 1
    }

    fn held_out_logits(&mut self, set: usize) -> DMatrix<F> {
        let Self { layers, pool, input, held_out, .. } = self;
        let set = &mut held_out[set];
        let (a, source, tasks) = (&set.a, &set.source, &set.tasks);
        pool.run(tasks.len(), &|task| {
            let examples = &tasks[task];
            // SAFETY: a task writes its own rows of A, and nobody writes parameters.
            unsafe {
                forward(
                    layers,
                    |l| &a[l],
                    examples,
                    |z| {
                        input.forward(Some(source), false, examples.clone(), z);
                    },
                );
            }
        });
        let logits = set.a.last_mut().expect("a network has layers");
        logits.all_mut().transpose()
    }
}

/// `0..n` in `pieces` parts of whole multiples of `unit`, about equal.
pub(super) fn cut(n: usize, pieces: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let units = n.div_ceil(unit);
    let pieces = pieces.clamp(1, units.max(1));
    let at = move |i: usize| (i * units / pieces * unit).min(n);
    (0..pieces).map(move |i| at(i)..at(i + 1))
}

/// Few examples in one piece, more in an even number of them, so that cores have equal shares.
fn example_tasks<F>(m: usize) -> Vec<Range<usize>> {
    let pieces =
        if m < 2 * EXAMPLES_PER_TASK { 1 } else { (m / EXAMPLES_PER_TASK).next_multiple_of(2) };
    cut(m, pieces, line::<F>()).collect()
}

/// The parts of Wᵀ (n_prev, n) that are tasks of their own.
pub(super) fn weight_parts<F>(n_prev: usize, n: usize) -> impl Iterator<Item = Part> {
    let pieces = (n_prev * n).div_ceil(WEIGHTS_PER_TASK);
    let by_units = n >= WIDE;
    let ranges: Vec<_> = if by_units {
        cut(n, pieces, 8).collect()
    } else {
        cut(n_prev, pieces, line::<F>()).collect()
    };
    ranges.into_iter().map(move |range| {
        if by_units {
            Part { rows: 0..n_prev, cols: range }
        } else {
            Part { rows: range, cols: 0..n }
        }
    })
}
