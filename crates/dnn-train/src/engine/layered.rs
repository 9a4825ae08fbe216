//! The loop over the layers, on several cores.
//!
//! An iteration has two phases, each cut into tasks that do not depend on each other:
//!
//! 1. by examples: gathering the batch, forward through all layers, the loss, and dZ back through
//!    all layers; the examples of a batch never meet here. Where layers have many weights, all tasks
//!    are on the same layer instead, and cut by units as well, so that each weight is read by few;
//! 2. by parts of W: dW = dZ·A_prevᵀ, and at once, while it is in the cache, the optimizer's step
//!    with it.
//!
//! Matrices are kept transposed: a column is a unit, its rows the examples (A, dZ) or the units
//! before (W). The examples of a unit are contiguous then, and the small layers of the course's
//! network fill vector registers. The cuts do not depend on the number of threads, so neither do
//! the results. Everything is allocated once.

use super::dropout::Dropout;
use super::input::{EngineOptions, Input};
use super::layer::{Layer, Piece, layer_health};
use super::parameters::{Parameters, Scratch};
use super::tasks::{Blocks, example_tasks, layer_by_layer, weight_parts};
use super::trial::Trial;
use super::{Engine, LayerHealth, Pass};
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use crate::shared::{Part, SharedMatrix};
use dnn_core::gemm::{gemm, plain, transposed};
use dnn_core::layer::Dense;
use dnn_core::{Loss, Network, Real};
use nalgebra::{DMatrix, DMatrixViewMut, DVector};
use std::ops::Range;

/// Below this many floating-point operations an iteration, a second thread costs more than it
/// brings.
const MIN_PARALLEL_FLOPS: usize = 1_000_000;
/// Below this many, whether it helps depends on what else the machine does: it is tried.
const MIN_SURELY_PARALLEL_FLOPS: usize = 20_000_000;

/// A network in training; see the module's text.
pub struct LayeredEngine<'d, F: Real, I: Input<F>> {
    input: I,
    layers: Vec<Layer<F>>,
    /// Whether phase 1 goes through the layers one after the other.
    layer_by_layer: bool,
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
    /// Of each thread.
    scratch: Vec<Scratch<F>>,
    pool: Pool,
    trial: Option<Trial>,
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
        let last = network.layers().len() - 1;
        let drops = |l: usize| options.dropout > 0.0 && l < last;
        let state = |(l, layer): (usize, &Dense<F>)| Layer {
            dropout: drops(l)
                .then(|| Dropout::new(options.dropout, options.seed, l, max_batch, layer.n())),
            w: (l > 0).then(|| Parameters::new(&layer.weights().transpose(), n_moments)),
            b: Parameters::with_gradient(
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
        // The first layer's inputs are features, or the coordinates that stand for them.
        let n_inputs = input.parts().iter().map(|part| part.rows.end).max().unwrap_or(0);
        let sizes = network.layers().iter().enumerate();
        let sizes =
            sizes.map(|(l, layer)| (if l == 0 { n_inputs } else { layer.n_prev() }, layer.n()));
        let weight_tasks = weights
            .enumerate()
            .flat_map(|(l, w)| weight_parts::<F>(w.rows(), w.cols()).map(move |part| (l + 1, part)))
            .collect::<Vec<_>>();
        let tasks: Vec<_> = example_tasks::<F>(max_batch).collect();
        let n_tasks = tasks.len();
        let n_parallel = n_tasks.max(weight_tasks.len() + input.parts().len());
        let pool = Pool::new(n_threads.min(n_parallel));
        let parts = || input.parts().iter().chain(weight_tasks.iter().map(|(_, part)| part));
        Self {
            costs: SharedMatrix::zeros(n_tasks, 1),
            scratch: (0..pool.n_threads()).map(|_| Scratch::for_parts(parts())).collect(),
            pool,
            layer_by_layer: layer_by_layer(sizes),
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
            trial: (n_threads > 1 && flops < MIN_SURELY_PARALLEL_FLOPS).then(Trial::new),
        }
    }

    /// Makes `batch` the examples at hand.
    fn select(&mut self, batch: Option<&[usize]>) {
        let all = self.batch.indices.is_none() && !self.batch.labels.is_empty();
        if all && batch.is_none() {
            return;
        }
        let Self { batch: at_hand, labels, class_weights, .. } = self;
        at_hand.labels.clear();
        match batch {
            None => {
                at_hand.indices = None;
                at_hand.labels.extend_from_slice(labels);
            }
            Some(batch) => {
                assert!(!batch.is_empty(), "a batch of at least one example");
                let indices =
                    at_hand.indices.get_or_insert_with(|| Vec::with_capacity(self.ones.nrows()));
                indices.clear();
                indices.extend_from_slice(batch);
                at_hand.labels.extend(batch.iter().map(|&i| labels[i]));
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
            at_hand.tasks.clear();
            at_hand.tasks.extend(example_tasks::<F>(m));
        }
    }
}

/// Part of layer `l`'s A, from all of the layer before, whose examples are the same; with the dropout
/// masks of iteration `dropout`, or without. `first` is the first layer's linear part.
///
/// # Safety
/// Nobody else may use this part of A, or write the parameters or the layer before, meanwhile.
unsafe fn forward<'a, F: Real>(
    layers: &[Layer<F>],
    a: impl Fn(usize) -> &'a SharedMatrix<F>,
    l: usize,
    part: &Part,
    dropout: Option<usize>,
    first: impl FnOnce(&Part, &mut DMatrixViewMut<'_, F>),
) {
    let layer = &layers[l];
    // SAFETY: the caller's promise.
    unsafe {
        let mut z = a(l).part_mut(part);
        match &layer.w {
            None => first(part, &mut z),
            Some(w) => {
                let a_prev = a(l - 1);
                let a_prev = a_prev.part(&Part { rows: part.rows.clone(), cols: 0..a_prev.cols() });
                let w = &w.values;
                let w = w.part(&Part { rows: 0..w.rows(), cols: part.cols.clone() });
                gemm(F::one(), plain(&a_prev), plain(&w), F::zero(), &mut z);
            }
        }
        let b = layer.b.values.slice(part.cols.clone(), 0);
        layer.activation.add_bias_and_activate_units(b, &mut z);
        if let (Some(masks), Some(iteration)) = (&layer.dropout, dropout) {
            masks.forward(iteration, part, &mut z);
        }
    }
}

/// Part of layer `l`'s dZ, from all of the next layer's, of the same examples.
///
/// # Safety
/// Nobody else may use this part of dZ, or write the parameters, A or the next layer, meanwhile.
unsafe fn backward<F: Real>(layers: &[Layer<F>], l: usize, part: &Part) {
    let (layer, next) = (&layers[l], &layers[l + 1]);
    let Some(w) = next.w.as_ref().map(|w| &w.values) else { return };
    // SAFETY: the caller's promise.
    unsafe {
        let w = w.part(&Part { rows: part.cols.clone(), cols: 0..w.cols() });
        let dz_next = Part { rows: part.rows.clone(), cols: 0..next.dz.cols() };
        let dz_next = next.dz.part(&dz_next);
        let mut da = layer.dz.part_mut(part);
        gemm(F::one(), plain(&dz_next), transposed(&w), F::zero(), &mut da);
        let a = layer.a.part(part);
        match &layer.dropout {
            Some(masks) => masks.backward(layer.activation, part, &mut da, &a),
            None => layer.activation.backward_units_in_place(&mut da, &a),
        }
    }
}

/// The examples `examples` of all of the layer's units.
fn all_units<F: Real>(matrix: &SharedMatrix<F>, examples: &Range<usize>) -> Part {
    Part { rows: examples.clone(), cols: 0..matrix.cols() }
}

impl<F: Real, I: Input<F>> Engine<F> for LayeredEngine<'_, F, I> {
    fn name(&self) -> &'static str {
        self.input.name()
    }

    fn feed(&mut self, x: &mut DMatrix<F>) {
        self.input.feed(x);
    }

    fn cost(&mut self, pass: Pass<'_>) -> f64 {
        if let Some(trial) = &mut self.trial {
            trial.tick(&mut self.pool);
        }
        self.select(pass.batch);
        let Self { layers, loss, batch, costs, pool, input, layer_by_layer, .. } = self;
        if batch.indices.is_none() {
            input.catch_up(pool);
        }
        let last = layers.len() - 1;
        let (layers, input, indices) = (&*layers, &*input, batch.indices.as_deref());
        // In all of these a task writes its own part of the batch, A, dZ and costs only, and reads the
        // parameters and what was written before: by itself, or in an earlier run.
        let gather = |examples: &Range<usize>| {
            if let Some(indices) = indices {
                // SAFETY: as said.
                unsafe { input.gather(indices, examples.clone()) };
            }
        };
        let forward = |l: usize, part: &Part| {
            let first = |part: &Part, z: &mut DMatrixViewMut<'_, F>| {
                input.forward(None, indices.is_none(), part, z);
            };
            // SAFETY: as said.
            unsafe { forward(layers, |l| &layers[l].a, l, part, Some(pass.iteration), first) };
        };
        let judge = |task: usize, examples: &Range<usize>| {
            let layer = &layers[last];
            let part = all_units(&layer.a, examples);
            let (labels, weights) =
                (&batch.labels[part.rows.clone()], &batch.weights[part.rows.clone()]);
            // SAFETY: as said.
            unsafe {
                let mut dz = layer.dz.part_mut(&part);
                dz.copy_from(&layer.a.part(&part));
                costs.slice_mut(task..task + 1, 0)[0] =
                    loss.weighted_units_in_place(&mut dz, labels, weights);
            }
        };
        let backward = |l: usize, part: &Part| {
            // SAFETY: as said.
            unsafe { backward(layers, l, part) };
        };
        let (tasks, m) = (&batch.tasks, batch.labels.len());
        if *layer_by_layer {
            if indices.is_some() {
                pool.run(tasks.len(), &|task, _| gather(&tasks[task]));
            }
            for (l, layer) in layers.iter().enumerate() {
                let blocks = Blocks::of::<F>(m, layer.a.cols());
                pool.run(blocks.len(), &|task, _| forward(l, &blocks.get(task)));
            }
            pool.run(tasks.len(), &|task, _| judge(task, &tasks[task]));
            for (l, layer) in layers[..last].iter().enumerate().rev() {
                let blocks = Blocks::of::<F>(m, layer.a.cols());
                pool.run(blocks.len(), &|task, _| backward(l, &blocks.get(task)));
            }
        } else {
            pool.run(tasks.len(), &|task, _| {
                let examples = &tasks[task];
                gather(examples);
                for (l, layer) in layers.iter().enumerate() {
                    forward(l, &all_units(&layer.a, examples));
                }
                judge(task, examples);
                for (l, layer) in layers[..last].iter().enumerate().rev() {
                    backward(l, &all_units(&layer.a, examples));
                }
            });
        }
        costs.all_mut().iter().take(batch.tasks.len()).sum()
    }

    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step, clip_norm: Option<f64>) {
        let step = optimizer.prepare(&step);
        let Some(limit) = clip_norm else {
            self.gradients(Some((optimizer, &step)));
            return;
        };
        self.keep_gradients();
        self.gradients(None);
        let norm = self.squared_gradient(step.l2).sqrt();
        let scale = if norm > limit { step.scale * limit / norm } else { step.scale };
        let step = Step { scale, ..step };
        let Self { layers, weight_tasks, pool, input, scratch, .. } = self;
        let (layers, input, n_first) = (&*layers, &*input, input.parts().len());
        pool.run(n_first + weight_tasks.len(), &|task, thread| {
            let piece = Piece::of(task, n_first, weight_tasks, layers, input);
            // SAFETY: tasks have different pieces, threads different scratch, and nothing else runs.
            unsafe { piece.step(optimizer, &step, &scratch[thread]) }
        });
    }

    fn squared_weights(&mut self) -> f64 {
        let later = self.layers.iter_mut().filter_map(|layer| layer.w.as_mut());
        later.map(Parameters::squared_values).sum::<f64>() + self.input.squared_weights()
    }

    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)> {
        let mut state = self.input.state();
        for (l, layer) in self.layers.iter_mut().enumerate() {
            if let Some(w) = &mut layer.w {
                state.extend(w.state(&format!("W{}", l + 1)));
            }
            state.extend(layer.b.state(&format!("b{}", l + 1)));
        }
        state
    }

    fn health(&mut self) -> Vec<LayerHealth> {
        let m = self.batch.labels.len();
        let total: F = self.batch.weights.iter().fold(F::zero(), |sum, &w| sum + w);
        let hidden = self.layers.len() - 1;
        let layers = self.layers[..hidden].iter_mut();
        layers.map(|layer| layer_health(layer, m, total.as_f64() / m as f64)).collect()
    }

    fn first_not_finite(&mut self) -> Option<usize> {
        let m = self.batch.labels.len();
        self.layers
            .iter_mut()
            .position(|layer| {
                let a = layer.a.all_mut();
                let b = layer.b.values.all_mut();
                let w = layer.w.as_mut().map(|w| w.values.all_mut());
                let finite = |x: &F| nalgebra::ComplexField::is_finite(x);
                !(a.rows(0, m).iter().all(finite)
                    && b.iter().all(finite)
                    && w.is_none_or(|w| w.iter().all(finite)))
            })
            .map(|l| l + 1)
    }

    fn network(&mut self) -> Network<F> {
        let Self { layers, input, pool, .. } = self;
        let layers = layers.iter_mut().map(|layer| {
            let w = match &mut layer.w {
                Some(w) => w.values.all_mut().transpose(),
                None => input.weights(pool),
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
        self.held_out.push(HeldOut { source, a, tasks: example_tasks::<F>(m).collect() });
        self.held_out.len() - 1
    }

    fn held_out_logits(&mut self, set: usize) -> DMatrix<F> {
        let Self { layers, pool, input, held_out, .. } = self;
        let set = &mut held_out[set];
        let (a, source, tasks) = (&set.a, &set.source, &set.tasks);
        pool.run(tasks.len(), &|task, _| {
            let first = |part: &Part, z: &mut DMatrixViewMut<'_, F>| {
                input.forward(Some(source), false, part, z);
            };
            for (l, layer) in layers.iter().enumerate() {
                let part = all_units(&layer.a, &tasks[task]);
                // SAFETY: a task writes its own rows of A, and nobody writes parameters.
                unsafe { forward(layers, |l| &a[l], l, &part, None, first) };
            }
        });
        let logits = set.a.last_mut().expect("a network has layers");
        logits.all_mut().transpose()
    }
}

impl<F: Real, I: Input<F>> LayeredEngine<'_, F, I> {
    /// Every gradient, each piece followed at once by the optimizer's step with it, if there is one.
    fn gradients(&mut self, step: Option<(&dyn Optimizer<F>, &Step)>) {
        let Self { layers, batch, weight_tasks, pool, input, ones, scratch, .. } = self;
        let m = batch.labels.len();
        let (layers, input) = (&*layers, &*input);
        let ones = ones.rows(0, m);
        let n_first = input.parts().len();
        pool.run(n_first + weight_tasks.len(), &|task, thread| {
            let scratch = &scratch[thread];
            let piece = Piece::of(task, n_first, weight_tasks, layers, input);
            let layer = &layers[piece.layer];
            // SAFETY: a task writes its own piece of gradients and parameters, and its thread's
            // scratch, and reads A and dZ, which nobody writes now.
            unsafe {
                let dz = layer.dz.part(&Part { rows: 0..m, cols: 0..layer.dz.cols() });
                match (piece.part, &layer.w) {
                    (Some(part), Some(w)) => {
                        let before = &layers[piece.layer - 1].a;
                        let a_prev = before.part(&Part { rows: 0..m, cols: part.rows.clone() });
                        let dz = dz.columns(part.cols.start, part.cols.len());
                        let mut dw = w.gradient_mut(part, scratch);
                        gemm(F::one(), transposed(&a_prev), plain(&dz), F::zero(), &mut dw);
                    }
                    _ => input.gradient(task, batch.indices.as_deref(), &dz, scratch),
                }
                if piece.has_bias {
                    let mut db = layer.b.gradient_mut(&layer.b.values.whole(), scratch);
                    gemm(F::one(), transposed(&dz), plain(&ones), F::zero(), &mut db);
                }
                if let Some((optimizer, step)) = step {
                    piece.step(optimizer, step, scratch);
                }
            }
        });
    }

    /// For what needs all gradients before the first step.
    fn keep_gradients(&mut self) {
        self.input.keep_gradient();
        for w in self.layers.iter_mut().filter_map(|layer| layer.w.as_mut()) {
            w.keep_gradient();
        }
    }

    fn squared_gradient(&mut self, l2: f64) -> f64 {
        let first = self.input.squared_gradient(l2);
        let later = self.layers.iter().map(|layer| {
            // SAFETY: `&mut self`: nobody writes.
            unsafe {
                layer.b.squared_gradient(0.0)
                    + layer.w.as_ref().map_or(0.0, |w| w.squared_gradient(l2))
            }
        });
        first + later.sum::<f64>()
    }
}
