//! The loop over the layers, on several cores.
//!
//! An iteration is four steps, each of them a method of [`Work`], on the examples of a [`Batch`]:
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

use super::batch::Batch;
use super::dropout::Dropout;
use super::first_layer::FirstLayer;
use super::interface::{Engine, EngineOptions, Pass};
use super::parameters::{Parameters, Scratch};
use super::shared::{Part, SharedMatrix};
use super::steps::{Layer, Norm, Piece, PieceWeights, Work, activate, all_units, sums};
use super::tasks::{Trial, example_tasks, layer_by_layer, weight_parts};
use crate::communicator::{Communicator, TreeSum, depth, share, sum_in_tree};
use crate::cost::Cost;
use crate::diagnosis::LayerHealth;
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use dnn_core::gemm::FactorPrecision;
use dnn_core::layer::Dense;
use dnn_core::layer_norm::LayerNorm;
use dnn_core::linear::Gradients;
use dnn_core::metrics::Score;
use dnn_core::{Network, NetworkError, OutputActivation, Real};
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
    factors: FactorPrecision,
    labels: &'d [u32],
    class_weights: Option<Vec<F>>,
    batch: Batch<F>,
    pieces: Vec<Piece>,
    /// Sum of the losses of each example task, (tasks, 1), and of each micro-shard.
    costs: SharedMatrix<f64>,
    shard_costs: Vec<f64>,
    /// Examples of each rank's micro-shards that are answered right.
    n_right: Vec<usize>,
    communicator: &'d dyn Communicator,
    /// The sums over the ranks of each layer's gradients; none with one rank.
    sums: Vec<TreeSum<F>>,
    /// For sums over the examples, (m, 1).
    ones: DMatrix<F>,
    held_out: Vec<HeldOutSet<F, L::Input>>,
    /// One for each thread.
    scratch: Vec<Scratch<F>>,
    pool: Pool,
    trial: Option<Trial>,
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
        let last = network.layers().len() - 1;
        let batch = Batch::new(options, max_batch, network.layers()[last].n());
        let (shards, n_tasks) = (batch.shards, batch.most_tasks());
        let vector = |values: &DVector<F>| {
            let values = DMatrix::from_column_slice(values.len(), 1, values.as_slice());
            let mut vector = Parameters::new(&values, n_moments, options.ema_decay);
            vector.keep_gradients(batch.trees.len());
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
            n_right: vec![0; shards.size],
            communicator: options.communicator,
            sums: Vec::new(),
            scratch: (0..pool.n_threads()).map(|_| Scratch::for_parts(parts(), depth)).collect(),
            pool,
            layer_by_layer: layer_by_layer(sizes),
            output: network.output(),
            cost,
            factors: options.factors,
            ones: DMatrix::from_element(max_batch, 1, F::one()),
            batch,
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
                summed.iter().map(|p| p.gradient_bytes()).collect::<Vec<_>>()
            });
            engine.sums = lengths.map(|lengths| TreeSum::new(shards, &lengths)).collect();
        }
        engine
    }

    /// What the tasks of an iteration share, and the pool that does them.
    fn work(&mut self) -> (Work<'_, F, L>, &mut Pool) {
        let Self {
            layers, first, batch, cost, factors, costs, pieces, ones, scratch, pool, ..
        } = self;
        let (cost, factors) = (*cost, *factors);
        (Work { layers, first, batch, cost, factors, costs, pieces, ones, scratch }, pool)
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
                let summed = summed_parameters(first, layers, l).into_iter();
                sums[l].start(communicator, summed.flat_map(Parameters::lend_gradients));
            }
            // In the order in which the exchanges were started.
            if let Some(l) = layer(1) {
                self.sums[l].add_up(communicator);
            }
            if let Some(l) = layer(2) {
                let Self { first, layers, sums, .. } = self;
                let mut buffers = sums[l].finish(communicator);
                for parameters in summed_parameters(first, layers, l) {
                    parameters.take_back_gradients(&mut buffers);
                }
                drop(buffers);
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

/// The parameters of a layer whose gradients are sums over the ranks.
fn summed_parameters<'p, F: Real, L: FirstLayer<F>>(
    first: &'p mut L,
    layers: &'p mut [Layer<F>],
    l: usize,
) -> Vec<&'p mut Parameters<F>> {
    let has_w1 = l == 0 && first.gradient_is_a_sum();
    let w1 = has_w1.then(|| first.parameters_mut());
    w1.into_iter().chain(layers[l].parameters().map(|(_, parameters)| parameters)).collect()
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
        self.batch.select(pass, self.labels, self.class_weights.as_deref());
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
        let Self { layers, batch, output, communicator, n_right, .. } = self;
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
        let rank = batch.shards.rank;
        let own = batch.shards.examples_of(labels.len(), rank);
        n_right[rank] = own.filter(|&j| is_right(j, labels[j] as usize)).count();
        communicator.gather(n_right, |rank| rank..rank + 1);
        Score { correct: n_right.iter().sum(), total: labels.len() }
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
                    sums(layer, &part, FactorPrecision::Full, a_prev, first, &mut a);
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
    use super::super::gram::{GramLayer, GramMatrix};
    use super::*;
    use crate::cost::CrossEntropy;
    use crate::engine::EngineKind;
    use crate::gradcheck::{EngineGradients, Options, Outcome, compare};
    use crate::optimizer::GradientDescent;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_core::{Activation, Architecture, HiddenNormalization, Init};

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

    /// Iterations of either engine in every way that they are cut; tasks that meet panic.
    #[test]
    fn no_task_meets_another() {
        let mut rng = Generator::new(RngKind::Modern, 5).unwrap();
        let (m, optimizer) = (200, crate::optimizer::Momentum { momentum: 0.9 });
        let labels: Vec<u32> = (0..m as u32).map(|j| j % 3).collect();
        for dims in [vec![70, 20, 7, 3], vec![40, 300, 500, 3]] {
            let x = rng.normal_matrix::<f32>(dims[0], m);
            let gram_matrix = GramMatrix::new(&x);
            for normalization in [HiddenNormalization::None, HiddenNormalization::Layer] {
                let shape = Architecture::new(dims.clone(), HIDDEN, OutputActivation::Softmax);
                let shape = Architecture { normalization, ..shape };
                let network = Network::initialize(&shape, Init::He, &mut rng).unwrap();
                for (max_batch, micro_shards) in [(0, 1), (0, 3), (140, 1), (140, 4)] {
                    let in_batches = max_batch > 0;
                    let options = EngineOptions {
                        n_threads: 3,
                        max_batch,
                        micro_shards,
                        mixup: if in_batches { 0.8 } else { 0.0 },
                        dropout: 0.2,
                        ema_decay: 0.9,
                        ..EngineOptions::default()
                    };
                    let batch: Vec<usize> = (0..max_batch).map(|j| j * 7 % m).collect();
                    let iterate = |engine: &mut dyn Engine<f32>| {
                        let held_out = engine.hold_out(&x);
                        for iteration in 0..2 {
                            let batch = in_batches.then_some(&batch[..]);
                            engine.cost(Pass { batch, iteration });
                            let clip_norm = (iteration % 2 == 1).then_some(0.1);
                            let step = Step { l2: 0.1, ..Step::new(iteration as u64 + 1, 0.01) };
                            engine.update(&optimizer, step, clip_norm);
                            assert!(engine.held_out_logits(held_out).iter().all(|z| z.is_finite()));
                        }
                        engine.gradients();
                    };
                    let first = DenseLayer::new(&network, &optimizer, Some(&x), options);
                    iterate(&mut LayeredEngine::new(
                        first, &network, &COST, &optimizer, &labels, options,
                    ));
                    let first = GramLayer::new(&network, &optimizer, &gram_matrix, options);
                    iterate(&mut LayeredEngine::new(
                        first, &network, &COST, &optimizer, &labels, options,
                    ));
                }
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
        let gram_matrix = GramMatrix::new(&x);
        let case = (&network, &x, &labels[..]);
        // A slope counts for the gradients of its layer and of those before.
        for (spoiled, expected) in
            [(None, &[][..]), (Some(0), &["W1", "b1"]), (Some(1), &["W1", "b1", "W2", "b2"])]
        {
            let dense = DenseLayer::new(&network, step, Some(&x), options);
            let dense = LayeredEngine::new(dense, &network, &COST, step, &labels, options);
            assert_eq!(wrong(dense, case, spoiled), expected, "dense");
            let gram = GramLayer::new(&network, step, &gram_matrix, options);
            let gram = LayeredEngine::new(gram, &network, &COST, step, &labels, options);
            assert_eq!(wrong(gram, case, spoiled), expected, "gram");
        }
    }
}
