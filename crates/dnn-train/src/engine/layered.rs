//! The loop over the layers, on several cores.
//!
//! An iteration is four steps, each of them a method of [`Work`]:
//!
//! 1. **forward**: A_l = g(W_l·A_{l−1} + b_l), from the first layer to the last, whose Z are the
//!    logits; with [layer normalisation](dnn_core::layer_norm) between the sums and g;
//! 2. **cost**: the sum of the losses, and dZ_L;
//! 3. **backward**: dZ_l = (W_{l+1}ᵀ·dZ_{l+1}) ⊙ g′(Z_l), from the last hidden layer to the first;
//! 4. **update**: dW_l = dZ_l·A_{l−1}ᵀ and db_l, and at once, while they are in the cache, the
//!    optimizer's step with them.
//!
//! Steps 1 to 3 are cut by examples, which never meet there: a task takes some of them through all
//! layers and back. Where layers have many weights, all tasks are on the same layer instead, and cut
//! by units as well, so that each weight is read by few. Step 4 is cut by parts of W.
//!
//! Matrices are kept transposed: a column is a unit, its rows the examples (A, dZ) or the units
//! before (W). The examples of a unit are contiguous then, and the small layers of the course's
//! network fill vector registers. The cuts do not depend on the number of threads, so neither do
//! the results. Everything is allocated once.

use super::dropout::Dropout;
use super::first_layer::{FirstLayer, Selection};
use super::interface::{Engine, EngineOptions, Pass};
use super::mixup::Mixup;
use super::parameters::{Parameters, Scratch};
use super::shared::{Part, SharedMatrix};
use super::tasks::{Blocks, Trial, example_tasks, layer_by_layer, weight_parts};
use crate::communicator::{Communicator, MicroShards, TreeSum, depth, share, sum_in_tree};
use crate::cost::Cost;
use crate::diagnosis::LayerHealth;
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use dnn_core::gemm::{gemm, plain, transposed};
use dnn_core::layer::{Dense, PARAMETER_NAMES};
use dnn_core::layer_norm::{self, LayerNorm, Normalized};
use dnn_core::linear::Gradients;
use dnn_core::metrics::Score;
use dnn_core::{Activation, Bias, Network, NetworkError, OutputActivation, Real};
use nalgebra::{DMatrix, DMatrixViewMut, DVector};
use std::ops::Range;

/// Below this many floating-point operations an iteration, a second thread costs more than it
/// brings.
const MIN_PARALLEL_FLOPS: usize = 1_000_000;
/// Below this many, whether it helps depends on what else the machine does: it is tried.
const MIN_SURELY_PARALLEL_FLOPS: usize = 20_000_000;

/// A network in training; see the module's text.
pub(super) struct LayeredEngine<'d, F: Real, L: FirstLayer<F>> {
    first: L,
    layers: Vec<Layer<F>>,
    /// Whether all tasks are on the same layer at a time.
    layer_by_layer: bool,
    output: OutputActivation,
    cost: &'d dyn Cost<F>,
    labels: &'d [u32],
    class_weights: Option<Vec<F>>,
    batch: Batch<F>,
    pieces: Vec<Piece>,
    /// Sum of the losses of each example task, (tasks, 1), and of each micro-shard.
    costs: SharedMatrix<f64>,
    shard_costs: Vec<f64>,
    communicator: &'d dyn Communicator,
    /// The sums over the ranks of each layer's gradients; none with one rank.
    sums: Vec<TreeSum>,
    /// For sums over the examples, (m, 1).
    ones: DMatrix<F>,
    held_out: Vec<HeldOutSet<F, L::Input>>,
    /// One for each thread.
    scratch: Vec<Scratch<F>>,
    pool: Pool,
    trial: Option<Trial>,
}

/// One layer with all that training keeps with it.
struct Layer<F> {
    /// Wᵀ (n_prev, n); none in the first layer, which keeps its weights itself.
    w: Option<Parameters<F>>,
    /// b (n, 1).
    b: Parameters<F>,
    norm: Option<Norm<F>>,
    activation: Activation,
    /// What the activation is applied to, (m, n), where its slope needs it.
    z: Option<SharedMatrix<F>>,
    /// Aᵀ (m, n); of the output layer Zᵀ.
    a: SharedMatrix<F>,
    /// dZᵀ (m, n).
    dz: SharedMatrix<F>,
    dropout: Option<Dropout<F>>,
}

/// The normalisation of a layer, and what its backward pass needs.
struct Norm<F> {
    /// γ (n, 1).
    gamma: Parameters<F>,
    /// β (n, 1).
    beta: Parameters<F>,
    /// Ẑᵀ (m, n).
    values: SharedMatrix<F>,
    /// 1/√(σ² + ε) of each example, (m, 1).
    inverse_deviations: SharedMatrix<F>,
    /// dYᵀ (m, n): the gradient behind the normalisation, where the layer's dZ is that before it.
    dy: SharedMatrix<F>,
}

impl<F: Real> Layer<F> {
    /// All parameters that the layer keeps, with their names.
    fn parameters(&mut self) -> impl Iterator<Item = (&'static str, &mut Parameters<F>)> {
        let (gamma, beta) = match &mut self.norm {
            Some(norm) => (Some(&mut norm.gamma), Some(&mut norm.beta)),
            None => (None, None),
        };
        let all = [self.w.as_mut(), Some(&mut self.b), gamma, beta];
        PARAMETER_NAMES.into_iter().zip(all).filter_map(|(name, of)| Some((name, of?)))
    }

    /// Where the backward pass puts the product with the activation's slope: dY, or dZ at once.
    fn behind_norm(&self) -> &SharedMatrix<F> {
        self.norm.as_ref().map_or(&self.dz, |norm| &norm.dy)
    }
}

/// The examples of the present iteration.
struct Batch<F> {
    /// None: the whole training set.
    indices: Option<Vec<usize>>,
    labels: Vec<u32>,
    /// Weight of each example in the cost.
    weights: Vec<F>,
    /// How the examples are mixed, where they are.
    mixup: Option<Mixture<F>>,
    shards: MicroShards,
    /// The subtrees of micro-shards that are this rank's.
    trees: Vec<Range<usize>>,
    /// The examples of each task, all of the rank's micro-shards, and the shard they are of.
    tasks: Vec<Range<usize>>,
    shard_of_task: Vec<usize>,
}

/// The mixture of a batch's examples, and what the cost needs of the partners.
struct Mixture<F> {
    drawn: Mixup,
    /// The partners' labels, and their weights in the cost.
    labels: Vec<u32>,
    weights: Vec<F>,
    /// Zᵀ and then dZᵀ of the output layer for the partners' labels, (m, n_L).
    dz: SharedMatrix<F>,
}

impl<F: Real> Mixture<F> {
    /// Mixes the batch anew, and shares the weights in the cost between examples and partners.
    fn draw(&mut self, iteration: usize, labels: &[u32], weights: &mut [F]) {
        let Self { drawn, labels: partner_labels, weights: partner_weights, .. } = self;
        drawn.draw(iteration, labels.len());
        let (share, rest) = drawn.shares::<F>();
        partner_labels.clear();
        partner_labels.extend(drawn.partners.iter().map(|&place| labels[place]));
        partner_weights.clear();
        partner_weights.extend(drawn.partners.iter().map(|&place| rest * weights[place]));
        for weight in weights {
            *weight *= share;
        }
    }
}

impl<F: Real> Batch<F> {
    /// The examples that the first layer is to gather; `None` when they are the training set as it is.
    fn selection(&self) -> Option<Selection<'_>> {
        let mixup = self.mixup.as_ref().map(|mixture| &mixture.drawn);
        self.indices.as_ref().map(|indices| Selection { indices, mixup })
    }

    /// Returns the examples of a micro-shard.
    fn examples(&self, shard: usize) -> Range<usize> {
        self.shards.examples(self.labels.len(), shard)
    }

    /// Cuts the examples of this rank's micro-shards into tasks.
    fn cut_into_tasks(&mut self) {
        self.tasks.clear();
        self.shard_of_task.clear();
        for shard in self.shards.own() {
            let examples = self.examples(shard);
            if !examples.is_empty() {
                let tasks = example_tasks::<F>(examples.len());
                self.tasks.extend(tasks.map(|t| examples.start + t.start..examples.start + t.end));
                self.shard_of_task.resize(self.tasks.len(), shard);
            }
        }
    }
}

/// The parameters that one task of the update changes.
struct Piece {
    layer: usize,
    part: PieceWeights,
    /// Whether the layer's bias goes with it.
    has_bias: bool,
}

enum PieceWeights {
    /// The first layer's part of this number.
    FirstLayer(usize),
    /// A part of Wᵀ.
    Weights(Part),
}

/// Examples that are not trained on, and the activations of the network on them.
struct HeldOutSet<F, S> {
    input: S,
    /// Aᵀ of each layer (m, n).
    a: Vec<SharedMatrix<F>>,
    tasks: Vec<Range<usize>>,
}

impl<'d, F: Real, L: FirstLayer<F>> LayeredEngine<'d, F, L> {
    /// Takes the network to train, with its first layer in `first`.
    ///
    /// # Panics
    /// When a label is not one of the network's classes, or class weights are not one for each class.
    pub(super) fn new(
        first: L,
        network: &Network<F>,
        cost: &'d dyn Cost<F>,
        optimizer: &dyn Optimizer<F>,
        labels: &'d [u32],
        options: EngineOptions<'d>,
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
        let shards = MicroShards::new(options.micro_shards, options.communicator);
        let trees = shards.subtrees(shards.rank);
        let last = network.layers().len() - 1;
        let vector = |values: &DVector<F>| {
            let values = DMatrix::from_column_slice(values.len(), 1, values.as_slice());
            let mut vector = Parameters::new(&values, n_moments, options.ema_decay);
            vector.keep_gradients(trees.len());
            vector
        };
        let layers = network.layers().iter().enumerate();
        let layers: Vec<_> = layers
            .map(|(l, layer)| Layer {
                dropout: (options.dropout > 0.0 && l < last)
                    .then(|| Dropout::new(options.dropout, options.seed, l, max_batch, layer.n())),
                w: (l > 0).then(|| {
                    Parameters::new(&layer.weights().transpose(), n_moments, options.ema_decay)
                }),
                b: vector(layer.bias()),
                norm: layer.layer_norm().map(|norm| Norm {
                    gamma: vector(norm.gamma()),
                    beta: vector(norm.beta()),
                    values: SharedMatrix::zeros(max_batch, layer.n()),
                    inverse_deviations: SharedMatrix::zeros(max_batch, 1),
                    dy: SharedMatrix::zeros(max_batch, layer.n()),
                }),
                activation: layer.activation(),
                z: (layer.activation().needs_z())
                    .then(|| SharedMatrix::zeros(max_batch, layer.n())),
                a: SharedMatrix::zeros(max_batch, layer.n()),
                dz: SharedMatrix::zeros(max_batch, layer.n()),
            })
            .collect();
        let weights = layers.iter().filter_map(|layer| layer.w.as_ref()).map(|w| &w.values);
        // Forward, dW and dA_prev: a multiplication and an addition each, a weight and an example.
        let flops = first.flops(max_batch)
            + 6 * max_batch * weights.clone().map(|w| w.rows() * w.cols()).sum::<usize>();
        let n_threads = if flops < MIN_PARALLEL_FLOPS { 1 } else { options.n_threads };
        // The first layer's inputs are features, or the coordinates that stand for them.
        let n_inputs = first.parts().iter().map(|part| part.rows.end).max().unwrap_or(0);
        let sizes = network.layers().iter().enumerate();
        let sizes =
            sizes.map(|(l, layer)| (if l == 0 { n_inputs } else { layer.n_prev() }, layer.n()));
        let of_first = (0..first.parts().len()).map(|task| Piece {
            layer: 0,
            part: PieceWeights::FirstLayer(task),
            has_bias: task == 0,
        });
        let of_others = weights.enumerate().flat_map(|(l, w)| {
            weight_parts::<F>(w.rows(), w.cols()).map(move |part| Piece {
                layer: l + 1,
                has_bias: part.rows.start == 0 && part.cols.start == 0,
                part: PieceWeights::Weights(part),
            })
        });
        let pieces: Vec<_> = of_first.chain(of_others).collect();
        let n_tasks = shards.own().len() * example_tasks::<F>(max_batch.div_ceil(shards.n)).count();
        let pool = Pool::new(n_threads.min(n_tasks.max(pieces.len())));
        let biases: Vec<_> = layers.iter().map(|layer| layer.b.values.whole()).collect();
        let parts = || {
            let weights = pieces.iter().map(|piece| match &piece.part {
                PieceWeights::FirstLayer(task) => &first.parts()[*task],
                PieceWeights::Weights(part) => part,
            });
            weights.chain(&biases)
        };
        let depth = depth(shards.n);
        let mut engine = Self {
            costs: SharedMatrix::zeros(n_tasks, 1),
            shard_costs: vec![0.0; shards.n],
            communicator: options.communicator,
            sums: Vec::new(),
            scratch: (0..pool.n_threads()).map(|_| Scratch::for_parts(parts(), depth)).collect(),
            pool,
            layer_by_layer: layer_by_layer(sizes),
            output: network.output(),
            cost,
            ones: DMatrix::from_element(max_batch, 1, F::one()),
            batch: Batch {
                indices: None,
                labels: Vec::with_capacity(max_batch),
                weights: Vec::with_capacity(max_batch),
                mixup: Mixup::new(options.mixup, options.seed, max_batch).map(|drawn| Mixture {
                    drawn,
                    labels: Vec::with_capacity(max_batch),
                    weights: Vec::with_capacity(max_batch),
                    dz: SharedMatrix::zeros(max_batch, network.layers()[last].n()),
                }),
                shards,
                trees,
                tasks: Vec::with_capacity(n_tasks),
                shard_of_task: Vec::with_capacity(n_tasks),
            },
            first,
            layers,
            labels,
            class_weights,
            pieces,
            held_out: Vec::new(),
            trial: (n_threads > 1 && flops < MIN_SURELY_PARALLEL_FLOPS).then(Trial::new),
        };
        if shards.size > 1 {
            engine.keep_gradients();
            let lengths = (0..engine.layers.len()).map(|l| {
                let summed = summed_parameters(&mut engine.first, &mut engine.layers, l);
                summed.iter().map(|p| p.values.rows() * p.values.cols()).sum::<usize>()
            });
            engine.sums = lengths.map(|n| TreeSum::new::<F>(shards, n)).collect();
        }
        engine
    }

    /// Makes the examples of `pass` those of the present iteration.
    fn select(&mut self, pass: Pass<'_>) {
        let all = self.batch.indices.is_none() && !self.batch.labels.is_empty();
        if all && pass.batch.is_none() {
            return;
        }
        let Self { batch: at_hand, labels, class_weights, .. } = self;
        let m_before = at_hand.labels.len();
        at_hand.labels.clear();
        if let Some(batch) = pass.batch {
            assert!(!batch.is_empty(), "a batch of at least one example");
            at_hand.labels.extend(batch.iter().map(|&i| labels[i]));
        } else {
            at_hand.labels.extend_from_slice(labels);
        }
        // Mixed examples are gathered, also when they are all.
        if pass.batch.is_none() && at_hand.mixup.is_none() {
            at_hand.indices = None;
        } else {
            let indices =
                at_hand.indices.get_or_insert_with(|| Vec::with_capacity(self.ones.nrows()));
            indices.clear();
            match pass.batch {
                Some(batch) => indices.extend_from_slice(batch),
                None => indices.extend(0..labels.len()),
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
        if let Some(mixture) = &mut at_hand.mixup {
            mixture.draw(pass.iteration, &at_hand.labels, &mut at_hand.weights);
        }
        if m != m_before {
            at_hand.cut_into_tasks();
        }
    }

    /// What the tasks of an iteration share, and the pool that does them.
    fn work(&mut self) -> (Work<'_, F, L>, &mut Pool) {
        let Self { layers, first, batch, cost, costs, pieces, ones, scratch, pool, .. } = self;
        (Work { layers, first, batch, cost: *cost, costs, pieces, ones, scratch }, pool)
    }

    /// For what needs all gradients before the first step.
    fn keep_gradients(&mut self) {
        let n_trees = self.batch.trees.len();
        let n_of_first = if self.first.gradient_is_a_sum() { n_trees } else { 1 };
        self.first.parameters_mut().keep_gradients(n_of_first);
        for w in self.layers.iter_mut().filter_map(|layer| layer.w.as_mut()) {
            w.keep_gradients(n_trees);
        }
    }

    /// Step 4: the gradients, and the optimizer's step with them, if there is one.
    fn gradients_and_steps(&mut self, step: Option<(&dyn Optimizer<F>, &Step)>) {
        if self.sums.is_empty() {
            let (work, pool) = self.work();
            work.gradients_and_steps(work.pieces, step, pool);
        } else {
            self.sum_gradients(step);
        }
    }

    /// Step 4 on several ranks, layer by layer from the last one: while the ranks exchange the gradients of a layer, this
    /// one computes those of the layer before. `step` follows when a layer's sums are there.
    fn sum_gradients(&mut self, step: Option<(&dyn Optimizer<F>, &Step)>) {
        let (n_layers, communicator) = (self.layers.len(), self.communicator);
        if !self.first.gradient_is_a_sum() {
            let (shards, m) = (self.batch.shards, self.batch.labels.len());
            let dz = &mut self.layers[0].dz;
            dz.gather_rows(communicator, |rank| shards.examples_of(m, rank));
        }
        for stage in 0..n_layers + 2 {
            let layer = |late: usize| {
                stage.checked_sub(late).and_then(|done| (n_layers - 1).checked_sub(done))
            };
            if let Some(l) = layer(0) {
                let (work, pool) = self.work();
                work.gradients_and_steps(work.pieces_of(l), None, pool);
                let Self { first, layers, sums, .. } = self;
                let summed = summed_parameters(first, layers, l);
                sums[l].start(communicator, |tree, mut range, message| {
                    for parameters in &summed {
                        parameters.put_gradient(tree, &mut range, message);
                    }
                });
            }
            // In the order in which the exchanges were started.
            if let Some(l) = layer(1) {
                self.sums[l].add_up::<F>(communicator);
            }
            if let Some(l) = layer(2) {
                let Self { first, layers, sums, .. } = self;
                let mut summed = summed_parameters(first, layers, l);
                sums[l].finish(communicator, |mut range, mut sum| {
                    for parameters in &mut summed {
                        parameters.take_gradient(&mut range, &mut sum);
                    }
                });
                if let Some((optimizer, step)) = step {
                    let (work, pool) = self.work();
                    work.steps(work.pieces_of(l), optimizer, step, pool);
                }
            }
        }
    }

    /// Has every rank know the activations and dZ of the whole batch, to look at them.
    fn gather_values(&mut self) {
        let (communicator, shards, m) =
            (self.communicator, self.batch.shards, self.batch.labels.len());
        for layer in &mut self.layers {
            for values in [&mut layer.a, &mut layer.dz] {
                values.gather_rows(communicator, |rank| shards.examples_of(m, rank));
            }
        }
    }

    fn squared_gradient(&mut self, l2: f64) -> f64 {
        let first = self.first.squared_gradient(l2);
        let later = self.layers.iter_mut().map(|layer| {
            let all = layer.parameters();
            all.map(|(name, of)| of.squared_gradient(if name == "W" { l2 } else { 0.0 }))
                .sum::<f64>()
        });
        first + later.sum::<f64>()
    }
}

/// The parameters of a layer whose gradients are sums over the ranks, as one vector: side by side, each
/// column by column.
fn summed_parameters<'p, F: Real, L: FirstLayer<F>>(
    first: &'p mut L,
    layers: &'p mut [Layer<F>],
    l: usize,
) -> Vec<&'p mut Parameters<F>> {
    let has_w1 = l == 0 && first.gradient_is_a_sum();
    let w1 = has_w1.then(|| first.parameters_mut());
    w1.into_iter().chain(layers[l].parameters().map(|(_, parameters)| parameters)).collect()
}

/// What the tasks of an iteration share: all of them read it, and each writes its own part.
struct Work<'e, F: Real, L> {
    layers: &'e [Layer<F>],
    first: &'e L,
    batch: &'e Batch<F>,
    cost: &'e dyn Cost<F>,
    costs: &'e SharedMatrix<f64>,
    pieces: &'e [Piece],
    ones: &'e DMatrix<F>,
    scratch: &'e [Scratch<F>],
}

/// Returns the examples `examples` of all units of a layer.
fn all_units<F: Real>(matrix: &SharedMatrix<F>, examples: &Range<usize>) -> Part {
    Part { rows: examples.clone(), cols: 0..matrix.cols() }
}

impl<F: Real, L: FirstLayer<F>> Work<'_, F, L> {
    /// Steps 1 to 3, a task for some examples.
    fn example_by_example(&self, iteration: usize, pool: &mut Pool) {
        let Self { layers, batch, .. } = self;
        pool.run(batch.tasks.len(), &|task, _| {
            let examples = &batch.tasks[task];
            // SAFETY: the promise: a task has its own examples, in every layer.
            unsafe {
                self.gather(examples);
                for (l, layer) in layers.iter().enumerate() {
                    let part = all_units(&layer.a, examples);
                    self.sums(l, &part);
                    self.activate(l, &part, iteration);
                }
                self.cost(task);
                for (l, layer) in layers[..layers.len() - 1].iter().enumerate().rev() {
                    self.backward(l, &all_units(&layer.a, examples));
                    self.backward_norm(l, examples);
                }
            }
        });
    }

    /// Steps 1 to 3, all tasks on the same layer.
    fn layer_by_layer(&self, iteration: usize, pool: &mut Pool) {
        let Self { layers, batch, .. } = self;
        let tasks = &batch.tasks;
        // SAFETY, of all runs here: the promise: tasks have different examples, or different blocks
        // of one layer, of which they read other layers.
        if batch.indices.is_some() {
            // SAFETY: as above.
            pool.run(tasks.len(), &|task, _| unsafe { self.gather(&tasks[task]) });
        }
        for (l, layer) in layers.iter().enumerate() {
            // SAFETY: as above.
            self.for_blocks(l, pool, &|block| unsafe {
                self.sums(l, block);
                if layer.norm.is_none() {
                    self.activate(l, block, iteration);
                }
            });
            // To be normalised, an example needs the sums of all units.
            if layer.norm.is_some() {
                pool.run(tasks.len(), &|task, _| {
                    // SAFETY: as above.
                    unsafe { self.activate(l, &all_units(&layer.a, &tasks[task]), iteration) }
                });
            }
        }
        // SAFETY: as above.
        pool.run(tasks.len(), &|task, _| unsafe { self.cost(task) });
        self.backward_layer_by_layer(pool);
    }

    fn backward_layer_by_layer(&self, pool: &mut Pool) {
        for l in (0..self.layers.len() - 1).rev() {
            // SAFETY: the promise: tasks have different blocks of the layer.
            self.for_blocks(l, pool, &|block| unsafe { self.backward(l, block) });
            if self.layers[l].norm.is_some() {
                let tasks = &self.batch.tasks;
                // SAFETY: the promise: tasks have different examples.
                pool.run(tasks.len(), &|task, _| unsafe { self.backward_norm(l, &tasks[task]) });
            }
        }
    }

    /// Does `task` for each block of a layer's values, of the rank's micro-shards one after the other.
    fn for_blocks(&self, l: usize, pool: &mut Pool, task: &(dyn Fn(&Part) + Sync)) {
        let (own, n) = (self.batch.shards.own(), self.layers[l].a.cols());
        let blocks = |shard: usize| Blocks::of::<F>(self.batch.examples(shard).len(), n);
        let most = own.clone().map(|shard| blocks(shard).len()).max().unwrap_or(0);
        pool.run(own.len() * most, &|i, _| {
            let (shard, i) = (own.start + i / most, i % most);
            let (examples, blocks) = (self.batch.examples(shard), blocks(shard));
            if i < blocks.len() && !examples.is_empty() {
                let Part { rows, cols } = blocks.get(i);
                task(&Part { rows: examples.start + rows.start..examples.start + rows.end, cols });
            }
        });
    }

    /// Returns the pieces of a layer, which follow each other.
    fn pieces_of(&self, l: usize) -> &[Piece] {
        let start = self.pieces.partition_point(|piece| piece.layer < l);
        let end = self.pieces.partition_point(|piece| piece.layer <= l);
        &self.pieces[start..end]
    }

    /// Step 4 for some pieces: their gradients, each followed at once by the optimizer's step with it,
    /// if there is one.
    fn gradients_and_steps(
        &self,
        pieces: &[Piece],
        step: Option<(&dyn Optimizer<F>, &Step)>,
        pool: &mut Pool,
    ) {
        pool.run(pieces.len(), &|task, thread| {
            let (piece, scratch) = (&pieces[task], &self.scratch[thread]);
            // SAFETY: the promise: tasks have different pieces, threads different scratch.
            unsafe {
                self.gradient(piece, scratch);
                if let Some((optimizer, step)) = step {
                    self.step(piece, optimizer, step, scratch);
                }
            }
        });
    }

    /// The optimizer's step on some pieces, with gradients that are kept.
    fn steps(&self, pieces: &[Piece], optimizer: &dyn Optimizer<F>, step: &Step, pool: &mut Pool) {
        pool.run(pieces.len(), &|task, thread| {
            // SAFETY: as above.
            unsafe { self.step(&pieces[task], optimizer, step, &self.scratch[thread]) }
        });
    }

    /// Puts the examples of a batch side by side.
    ///
    /// # Safety
    /// The promise, for these examples.
    unsafe fn gather(&self, examples: &Range<usize>) {
        if let Some(selection) = self.batch.selection() {
            // SAFETY: the promise.
            unsafe { self.first.gather(selection, examples.clone()) }
        }
    }

    /// **Forward**: part of layer `l`'s sums A_prev·W, in the place of its A, from all of the layer
    /// before.
    ///
    /// # Safety
    /// The promise, for this part of the layer.
    unsafe fn sums(&self, l: usize, part: &Part) {
        let all = self.batch.indices.is_none();
        let first = |part: &Part, z: &mut DMatrixViewMut<'_, F>| {
            self.first.forward(None, all, part, z);
        };
        let a_prev = l.checked_sub(1).map(|prev| &self.layers[prev].a);
        // SAFETY: the promise.
        unsafe {
            sums(&self.layers[l], part, a_prev, first, &mut self.layers[l].a.part_mut(part));
        }
    }

    /// **Forward**: part of layer `l`'s A from its sums; of all units where the layer is normalised.
    ///
    /// # Safety
    /// The promise, for this part of the layer.
    unsafe fn activate(&self, l: usize, part: &Part, iteration: usize) {
        let layer = &self.layers[l];
        // SAFETY: the promise.
        unsafe {
            let mut a = layer.a.part_mut(part);
            let mut z = layer.z.as_ref().map(|z| z.part_mut(part));
            let norm = layer.norm.as_ref().map(|norm| Normalized {
                values: norm.values.part_mut(part),
                inverse_deviations: norm.inverse_deviations.slice_mut(part.rows.clone(), 0),
            });
            activate(layer, part, &mut a, z.as_mut(), norm);
            if let Some(dropout) = &layer.dropout {
                dropout.forward(iteration, part, &mut a);
            }
        }
    }

    /// **Cost**: the losses of the task's examples, and their dZ in the output layer.
    ///
    /// # Safety
    /// The promise, for these examples of the output layer.
    unsafe fn cost(&self, task: usize) {
        let (batch, layer) = (self.batch, &self.layers[self.layers.len() - 1]);
        let examples = batch.tasks[task].clone();
        let part = all_units(&layer.a, &examples);
        let (labels, weights) = (&batch.labels[examples.clone()], &batch.weights[examples.clone()]);
        // SAFETY: the promise.
        unsafe {
            let (z, mut dz) = (layer.a.part(&part), layer.dz.part_mut(&part));
            dz.copy_from(&z);
            let mut sum = self.cost.value_and_gradient(&mut dz, labels, weights);
            if let Some(mixture) = &batch.mixup {
                let (labels, weights) =
                    (&mixture.labels[examples.clone()], &mixture.weights[examples]);
                let mut of_partners = mixture.dz.part_mut(&part);
                of_partners.copy_from(&z);
                sum += self.cost.value_and_gradient(&mut of_partners, labels, weights);
                dz += of_partners;
            }
            self.costs.slice_mut(task..task + 1, 0)[0] = sum;
        }
    }

    /// **Backward**: part of layer `l`'s dZ, or dY where it is normalised, from all of the next
    /// layer's dZ.
    ///
    /// # Safety
    /// The promise, for this part of the layer.
    unsafe fn backward(&self, l: usize, part: &Part) {
        let (layer, next) = (&self.layers[l], &self.layers[l + 1]);
        let Some(w) = next.w.as_ref().map(|w| &w.values) else { return };
        // SAFETY: the promise.
        unsafe {
            let w = w.part(&Part { rows: part.cols.clone(), cols: 0..w.cols() });
            let dz_next = next.dz.part(&all_units(&next.dz, &part.rows));
            let mut da = layer.behind_norm().part_mut(part);
            gemm(F::one(), plain(&dz_next), transposed(&w), F::zero(), &mut da);
            let a = layer.a.part(part);
            let z = layer.z.as_ref().map_or(a, |z| z.part(part));
            match &layer.dropout {
                Some(dropout) => dropout.backward(layer.activation, part, &mut da, &z, &a),
                None => layer.activation.backward(&mut da, &z, &a),
            }
        }
    }

    /// **Backward**: dZ of some examples of layer `l` from their dY, if it is normalised.
    ///
    /// # Safety
    /// The promise, for these examples of the layer.
    unsafe fn backward_norm(&self, l: usize, examples: &Range<usize>) {
        let layer = &self.layers[l];
        let Some(norm) = &layer.norm else { return };
        let part = all_units(&layer.dz, examples);
        // SAFETY: the promise.
        unsafe {
            layer_norm::backward(
                norm.gamma.values.slice(part.cols.clone(), 0),
                &norm.dy.part(&part),
                &norm.values.part(&part),
                norm.inverse_deviations.slice(examples.clone(), 0),
                &mut layer.dz.part_mut(&part),
            );
        }
    }

    /// The gradients of a piece: dW = dZ·A_prevᵀ, db = Σ dZ, dγ = Σ dY ⊙ Ẑ, dβ = Σ dY, each summed up
    /// over the micro-shards of the rank's subtrees.
    ///
    /// # Safety
    /// The promise, for the piece's gradients and `scratch`.
    unsafe fn gradient(&self, piece: &Piece, scratch: &Scratch<F>) {
        let (layer, batch) = (&self.layers[piece.layer], self.batch);
        let parameters = layer.w.as_ref().unwrap_or_else(|| self.first.parameters());
        let (part, is_sum) = match &piece.part {
            PieceWeights::FirstLayer(task) => {
                (&self.first.parts()[*task], self.first.gradient_is_a_sum())
            }
            PieceWeights::Weights(part) => (part, true),
        };
        // SAFETY: the promise.
        unsafe {
            if !is_sum {
                let mut dw = parameters.gradient_mut(0, part, scratch);
                self.weight_gradient(piece, &(0..batch.labels.len()), &mut dw);
            }
            for (number, tree) in batch.trees.iter().enumerate() {
                if is_sum {
                    let mut dw = parameters.gradient_mut(number, part, scratch);
                    scratch.sum_in_tree(tree.clone(), &mut dw, &|shard, dw| {
                        self.weight_gradient(piece, &batch.examples(shard), dw);
                    });
                }
                if piece.has_bias {
                    let sum = |vector: &Parameters<F>,
                               of: &dyn Fn(Range<usize>, &mut DMatrixViewMut<'_, F>)| {
                        let mut to = vector.gradient_mut(number, &vector.values.whole(), scratch);
                        let of = |shard, to: &mut DMatrixViewMut<'_, F>| of(batch.examples(shard), to);
                        scratch.sum_in_tree(tree.clone(), &mut to, &of);
                    };
                    sum(&layer.b, &|examples, db| {
                        let dz = layer.dz.part(&all_units(&layer.dz, &examples));
                        let ones = self.ones.rows(0, examples.len());
                        gemm(F::one(), transposed(&dz), plain(&ones), F::zero(), db);
                    });
                    if let Some(Norm { gamma, beta, values, dy, .. }) = &layer.norm {
                        sum(gamma, &|examples, dgamma| {
                            let part = all_units(dy, &examples);
                            let mut to = dgamma.column_mut(0);
                            let (dy, values) = (dy.part(&part), values.part(&part));
                            layer_norm::gamma_gradient(&dy, &values, to.as_mut_slice());
                        });
                        sum(beta, &|examples, dbeta| {
                            let dy = dy.part(&all_units(dy, &examples));
                            layer_norm::beta_gradient(&dy, dbeta.column_mut(0).as_mut_slice());
                        });
                    }
                }
            }
        }
    }

    /// dW = dZ·A_prevᵀ of a piece, from these examples alone.
    ///
    /// # Safety
    /// The promise: nobody writes values of these examples.
    unsafe fn weight_gradient(
        &self,
        piece: &Piece,
        examples: &Range<usize>,
        dw: &mut DMatrixViewMut<'_, F>,
    ) {
        let layer = &self.layers[piece.layer];
        // SAFETY: the promise.
        unsafe {
            let dz = layer.dz.part(&all_units(&layer.dz, examples));
            match &piece.part {
                PieceWeights::Weights(part) => {
                    let a_prev = &self.layers[piece.layer - 1].a;
                    let inputs = Part { rows: examples.clone(), cols: part.rows.clone() };
                    let dz = dz.columns(part.cols.start, part.cols.len());
                    let a_prev = a_prev.part(&inputs);
                    gemm(F::one(), transposed(&a_prev), plain(&dz), F::zero(), dw);
                }
                PieceWeights::FirstLayer(task) => {
                    self.first.gradient(*task, self.batch.selection(), examples, &dz, dw);
                }
            }
        }
    }

    /// **Update**: the optimizer's step on a piece, and what the next iteration can have of it at
    /// once.
    ///
    /// # Safety
    /// The promise, for the piece and `scratch`.
    unsafe fn step(
        &self,
        piece: &Piece,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        scratch: &Scratch<F>,
    ) {
        let layer = &self.layers[piece.layer];
        // SAFETY: the promise.
        unsafe {
            match (&piece.part, &layer.w) {
                (PieceWeights::Weights(part), Some(w)) => w.step(optimizer, step, part, scratch),
                (PieceWeights::FirstLayer(task), _) => {
                    self.first.step(*task, optimizer, step, scratch);
                    self.first.look_ahead(*task);
                }
                (PieceWeights::Weights(_), None) => {
                    unreachable!("the first layer has its own pieces")
                }
            }
            if piece.has_bias {
                let step = Step { l2: 0.0, ..*step };
                layer.b.step(optimizer, &step, &layer.b.values.whole(), scratch);
                // A decay would pull the gain to 0, which is no neutral value.
                let step = Step { decays: false, ..step };
                for vector in layer.norm.iter().flat_map(|norm| [&norm.gamma, &norm.beta]) {
                    vector.step(optimizer, &step, &vector.values.whole(), scratch);
                }
            }
        }
    }
}

/// Part of A_prev·W, all transposed. `first` computes the first layer's, which has no A_prev.
///
/// # Safety
/// The promise, for `z`.
unsafe fn sums<F: Real>(
    layer: &Layer<F>,
    part: &Part,
    a_prev: Option<&SharedMatrix<F>>,
    first: impl FnOnce(&Part, &mut DMatrixViewMut<'_, F>),
    z: &mut DMatrixViewMut<'_, F>,
) {
    // SAFETY: the promise.
    unsafe {
        match (&layer.w, a_prev) {
            (Some(w), Some(a_prev)) => {
                let a_prev = a_prev.part(&all_units(a_prev, &part.rows));
                let w = &w.values;
                let w = w.part(&Part { rows: 0..w.rows(), cols: part.cols.clone() });
                gemm(F::one(), plain(&a_prev), plain(&w), F::zero(), z);
            }
            _ => first(part, z),
        }
    }
}

/// The sums of a part become A, through the bias, the normalisation and the activation; what the
/// backward pass needs is kept in `z` and `norm`, if they are given.
///
/// # Safety
/// The promise: nobody writes the layer's parameters meanwhile.
unsafe fn activate<'l, F: Real>(
    layer: &'l Layer<F>,
    part: &Part,
    a: &mut DMatrixViewMut<'_, F>,
    z: Option<&mut DMatrixViewMut<'_, F>>,
    norm: Option<Normalized<'_, F>>,
) {
    let of_units = |vector: &'l Parameters<F>| {
        // SAFETY: the promise.
        unsafe { vector.values.slice(part.cols.clone(), 0) }
    };
    let mut bias = Bias::Columns(of_units(&layer.b));
    if let Some(Norm { gamma, beta, .. }) = &layer.norm {
        Activation::Identity.forward(bias, a, None);
        layer_norm::forward(of_units(gamma), of_units(beta), a, norm);
        bias = Bias::None;
    }
    layer.activation.forward(bias, a, z);
}

impl<F: Real, L: FirstLayer<F>> Engine<F> for LayeredEngine<'_, F, L> {
    fn name(&self) -> &'static str {
        self.first.name()
    }

    fn feed(&mut self, x: &mut DMatrix<F>, from: usize) {
        self.first.feed(x, from);
    }

    fn cost(&mut self, pass: Pass<'_>) -> f64 {
        if let Some(trial) = &mut self.trial {
            trial.tick(&mut self.pool);
        }
        self.select(pass);
        if self.batch.indices.is_none() {
            self.first.catch_up(&mut self.pool);
        }
        let layer_by_layer = self.layer_by_layer;
        let (work, pool) = self.work();
        if layer_by_layer {
            work.layer_by_layer(pass.iteration, pool);
        } else {
            work.example_by_example(pass.iteration, pool);
        }
        let Self { costs, shard_costs, batch, communicator, .. } = self;
        shard_costs.fill(0.0);
        for (&shard, cost) in batch.shard_of_task.iter().zip(costs.all_mut().iter()) {
            shard_costs[shard] += cost;
        }
        communicator.gather(shard_costs, |rank| batch.shards.of(rank));
        sum_in_tree(shard_costs)
    }

    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step, clip_norm: Option<f64>) {
        let step = optimizer.prepare(&step);
        let Some(limit) = clip_norm else {
            self.gradients_and_steps(Some((optimizer, &step)));
            return;
        };
        self.keep_gradients();
        self.gradients_and_steps(None);
        let norm = self.squared_gradient(step.l2).sqrt();
        let scale = if norm > limit { step.scale * limit / norm } else { step.scale };
        let (work, pool) = self.work();
        work.steps(work.pieces, optimizer, &Step { scale, ..step }, pool);
    }

    fn gradients(&mut self) -> Vec<Gradients<F>> {
        self.keep_gradients();
        self.gradients_and_steps(None);
        let Self { layers, first, .. } = self;
        let of = |vector: &mut Parameters<F>| vector.gradient().column(0).clone_owned();
        let gradients = layers.iter_mut().map(|layer| {
            let dw = match &mut layer.w {
                Some(w) => w.gradient().transpose(),
                None => first.weight_gradient(),
            };
            let gradients = Gradients::new(dw, of(&mut layer.b));
            match &mut layer.norm {
                Some(Norm { gamma, beta, .. }) => {
                    Gradients { dgamma: of(gamma), dbeta: of(beta), ..gradients }
                }
                None => gradients,
            }
        });
        gradients.collect()
    }

    fn squared_weights(&mut self) -> f64 {
        let later = self.layers.iter_mut().filter_map(|layer| layer.w.as_mut());
        later.map(Parameters::squared_values).sum::<f64>() + self.first.squared_weights()
    }

    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)> {
        let mut state = self.first.state();
        for (l, layer) in self.layers.iter_mut().enumerate() {
            for (name, of) in layer.parameters() {
                state.extend(of.state(&format!("{name}{}", l + 1)));
            }
        }
        state
    }

    fn score(&mut self) -> Score {
        let Self { layers, batch, output, communicator, .. } = self;
        let labels = match &batch.mixup {
            Some(mixture) if mixture.drawn.shares::<f64>().0 < 0.5 => &mixture.labels,
            _ => &batch.labels,
        };
        // The output layer's A is its Z.
        let z = layers.last_mut().expect("a network has layers").a.all_mut();
        let is_right = |j: usize, label: usize| match output {
            OutputActivation::Sigmoid => (z[(j, 0)] > F::zero()) == (label == 1),
            // As `predictions` has it, the first of equally probable classes is the answer.
            OutputActivation::Softmax => {
                let own = z[(j, label)];
                (0..label).all(|k| z[(j, k)] < own)
                    && (label + 1..z.ncols()).all(|k| z[(j, k)] <= own)
            }
        };
        let MicroShards { rank, size, .. } = batch.shards;
        let own = batch.shards.examples_of(labels.len(), rank);
        let mut right = vec![0; size];
        right[rank] = own.filter(|&j| is_right(j, labels[j] as usize)).count();
        communicator.gather(&mut right, |rank| rank..rank + 1);
        Score { correct: right.iter().sum(), total: labels.len() }
    }

    fn health(&mut self) -> Vec<LayerHealth> {
        self.gather_values();
        let m = self.batch.labels.len();
        let partners = self.batch.mixup.iter().flat_map(|mixture| &mixture.weights);
        let weights = self.batch.weights.iter().chain(partners);
        let total: F = weights.fold(F::zero(), |sum, &w| sum + w);
        // dZ is multiplied by the examples' weights.
        let mean_weight = total.as_f64() / m as f64;
        let hidden = self.layers.len() - 1;
        let health = self.layers[..hidden].iter_mut().map(|layer| {
            let (a, dz) = (layer.a.all_mut(), layer.dz.all_mut());
            let squares: f64 = dz.rows(0, m).iter().map(|dz| dz.as_f64().powi(2)).sum();
            let gradient_rms = (squares / (m * dz.ncols()) as f64).sqrt() / mean_weight;
            let a = a.rows(0, m);
            let units = a.column_iter().map(|unit| unit.as_slice().to_vec());
            LayerHealth::of(units, layer.activation, gradient_rms)
        });
        health.collect()
    }

    fn first_not_finite(&mut self) -> Option<usize> {
        self.gather_values();
        let m = self.batch.labels.len();
        self.layers
            .iter_mut()
            .position(|layer| {
                let finite = |x: &F| nalgebra::ComplexField::is_finite(x);
                let a_is_finite = layer.a.all_mut().rows(0, m).iter().all(finite);
                let mut all = layer.parameters().map(|(_, of)| of.values.all_mut());
                !(a_is_finite && all.all(|values| values.iter().all(finite)))
            })
            .map(|l| l + 1)
    }

    fn exchange_average(&mut self) {
        self.first.exchange_average();
        for layer in &mut self.layers {
            layer.parameters().for_each(|(_, of)| of.exchange_average());
        }
    }

    fn network(&mut self) -> Network<F> {
        let Self { layers, first, pool, .. } = self;
        let layers = layers.iter_mut().map(|layer| {
            let w = match &mut layer.w {
                Some(w) => w.values.all_mut().transpose(),
                None => first.weights(pool),
            };
            let of = |vector: &mut Parameters<F>| vector.values.all_mut().column(0).clone_owned();
            let norm = layer.norm.as_mut();
            let norm = norm.map(|norm| LayerNorm::new(of(&mut norm.gamma), of(&mut norm.beta)));
            Dense::new(w, of(&mut layer.b), layer.activation)?.with_layer_norm(norm)
        });
        let layers = layers.collect::<Result<_, NetworkError>>().expect("layers of a network");
        Network::new(layers, self.output).expect("the network this engine was made from")
    }

    fn hold_out(&mut self, x: &DMatrix<F>) -> usize {
        let input = self.first.held_out(x, &mut self.pool);
        let m = x.ncols();
        let a = self.layers.iter().map(|layer| SharedMatrix::zeros(m, layer.a.cols())).collect();
        self.held_out.push(HeldOutSet { input, a, tasks: example_tasks::<F>(m).collect() });
        self.held_out.len() - 1
    }

    fn held_out_logits(&mut self, set: usize) -> DMatrix<F> {
        let Self { layers, pool, first, held_out, communicator, .. } = self;
        let HeldOutSet { input, a, tasks } = &mut held_out[set];
        let values = &*a;
        let of = |rank: usize| share(tasks.len(), rank, communicator.size());
        let own = of(communicator.rank());
        pool.run(own.len(), &|task, _| {
            let task = own.start + task;
            let first = |part: &Part, z: &mut DMatrixViewMut<'_, F>| {
                first.forward(Some(input), false, part, z);
            };
            for (l, layer) in layers.iter().enumerate() {
                let part = all_units(&values[l], &tasks[task]);
                let a_prev = l.checked_sub(1).map(|prev| &values[prev]);
                // SAFETY: the promise: tasks have different examples.
                unsafe {
                    let mut a = values[l].part_mut(&part);
                    sums(layer, &part, a_prev, first, &mut a);
                    activate(layer, &part, &mut a, None, None);
                }
            }
        });
        let logits = a.last_mut().expect("a network has layers");
        logits.gather_rows(*communicator, |rank| {
            let tasks = &tasks[of(rank)];
            tasks.first().map_or(0..0, |first| first.start..tasks[tasks.len() - 1].end)
        });
        logits.all_mut().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::dense::DenseLayer;
    use super::super::gram::GramLayer;
    use super::*;
    use crate::cost::CrossEntropy;
    use crate::engine::EngineKind;
    use crate::gradcheck::{EngineGradients, Options, Outcome, compare};
    use crate::optimizer::GradientDescent;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_core::{Architecture, Init};

    const COST: CrossEntropy = CrossEntropy::new(OutputActivation::Softmax);
    const HIDDEN: Activation = Activation::Gelu;

    /// Which gradients differ from central differences when the engine goes back through layer
    /// `spoiled` with the slopes of another activation.
    fn wrong<L: FirstLayer<f64>>(
        mut engine: LayeredEngine<'_, f64, L>,
        (network, x, labels): (&Network<f64>, &DMatrix<f64>, &[u32]),
        spoiled: Option<usize>,
    ) -> Vec<String> {
        let cost = engine.cost(Pass::all(0));
        if let Some(l) = spoiled {
            engine.layers[l].activation = Activation::Silu;
        }
        let (work, pool) = engine.work();
        work.backward_layer_by_layer(pool);
        let layers = engine.gradients();
        let of = EngineGradients { engine: EngineKind::Auto, cost, layers };
        let checks = compare(network, x, labels, &COST, &[of], &Options::default());
        let wrong = checks.into_iter().filter(|c| c.outcome(2e-7) == Outcome::Differs);
        wrong.map(|check| check.name).collect()
    }

    #[test]
    fn the_score_of_a_batch_is_that_of_the_networks_predictions() {
        for (output, n_outputs) in [(OutputActivation::Sigmoid, 1), (OutputActivation::Softmax, 3)]
        {
            let shape = Architecture::new(vec![6, 5, n_outputs], HIDDEN, output);
            let mut rng = Generator::new(RngKind::Modern, 4).unwrap();
            let network = Network::<f64>::initialize(&shape, Init::He, &mut rng).unwrap();
            let x = rng.normal_matrix(6, 70);
            let labels: Vec<u32> = (0..70).map(|j| j % network.n_classes() as u32).collect();
            let cost = CrossEntropy::new(output);
            let options = EngineOptions { max_batch: 70, ..EngineOptions::default() };
            let first = DenseLayer::new(&network, &GradientDescent, Some(&x), options);
            let mut engine =
                LayeredEngine::new(first, &network, &cost, &GradientDescent, &labels, options);
            for batch in [None, Some((3..40).collect::<Vec<_>>())] {
                engine.cost(Pass { batch: batch.as_deref(), iteration: 0 });
                let indices = batch.unwrap_or_else(|| (0..70).collect());
                let labels: Vec<u32> = indices.iter().map(|&j| labels[j]).collect();
                let probabilities = network.probabilities(&x.select_columns(&indices));
                let expected = Score::of(&dnn_core::metrics::predictions(&probabilities), &labels);
                assert_eq!(engine.score(), expected);
                assert!(expected.correct > 0 && expected.correct < expected.total);
            }
        }
    }

    #[test]
    fn the_gradient_check_finds_a_spoiled_slope_in_either_engine() {
        let shape = Architecture::new(vec![6, 5, 4, 3], HIDDEN, OutputActivation::Softmax);
        let mut rng = Generator::new(RngKind::Modern, 3).unwrap();
        let network = Network::initialize(&shape, Init::He, &mut rng).unwrap();
        let (x, labels) = (rng.normal_matrix(6, 9), [0, 1, 2, 0, 2, 1, 1, 0, 2]);
        let (options, step) = (EngineOptions::default(), &GradientDescent);
        let case = (&network, &x, &labels[..]);
        // A slope counts for the gradients of its layer and of those before.
        for (spoiled, expected) in
            [(None, &[][..]), (Some(0), &["W1", "b1"]), (Some(1), &["W1", "b1", "W2", "b2"])]
        {
            let dense = DenseLayer::new(&network, step, Some(&x), options);
            let dense = LayeredEngine::new(dense, &network, &COST, step, &labels, options);
            assert_eq!(wrong(dense, case, spoiled), expected, "dense");
            let gram = GramLayer::new(&network, step, &x, options);
            let gram = LayeredEngine::new(gram, &network, &COST, step, &labels, options);
            assert_eq!(wrong(gram, case, spoiled), expected, "gram");
        }
    }
}
