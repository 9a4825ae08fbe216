//! What the tasks of an iteration do: the four steps of [`layered`](super::layered), each for some
//! examples, a block of a layer, or a piece of its parameters.

use super::batch::Batch;
use super::dropout::Dropout;
use super::first_layer::FirstLayer;
use super::parameters::{Parameters, Scratch};
use super::shared::{Part, SharedMatrix};
use super::tasks::Blocks;
use crate::cost::Cost;
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use dnn_core::gemm::{FactorPrecision, gemm, plain, transposed};
use dnn_core::layer::PARAMETER_NAMES;
use dnn_core::layer_norm::{self, Normalized};
use dnn_core::{Activation, Bias, Real};
use nalgebra::{DMatrix, DMatrixViewMut};
use std::ops::Range;

/// One layer with all that training keeps with it.
pub(super) struct Layer<F> {
    /// Wᵀ (n_prev, n); none in the first layer, which keeps its weights itself.
    pub(super) w: Option<Parameters<F>>,
    /// b (n, 1).
    pub(super) b: Parameters<F>,
    pub(super) norm: Option<Norm<F>>,
    pub(super) activation: Activation,
    /// What the activation is applied to, (m, n), where its slope needs it.
    pub(super) z: Option<SharedMatrix<F>>,
    /// Aᵀ (m, n); of the output layer Zᵀ.
    pub(super) a: SharedMatrix<F>,
    /// dZᵀ (m, n).
    pub(super) dz: SharedMatrix<F>,
    pub(super) dropout: Option<Dropout<F>>,
}

/// The normalisation of a layer, and what its backward pass needs.
pub(super) struct Norm<F> {
    /// γ (n, 1).
    pub(super) gamma: Parameters<F>,
    /// β (n, 1).
    pub(super) beta: Parameters<F>,
    /// Ẑᵀ (m, n).
    pub(super) values: SharedMatrix<F>,
    /// 1/√(σ² + ε) of each example, (m, 1).
    pub(super) inverse_deviations: SharedMatrix<F>,
    /// dYᵀ (m, n): the gradient behind the normalisation, where the layer's dZ is that before it.
    pub(super) dy: SharedMatrix<F>,
}

impl<F: Real> Layer<F> {
    /// All parameters that the layer keeps, with their names.
    pub(super) fn parameters(
        &mut self,
    ) -> impl Iterator<Item = (&'static str, &mut Parameters<F>)> {
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

/// The parameters that one task of the update changes.
pub(super) struct Piece {
    pub(super) layer: usize,
    pub(super) part: PieceWeights,
    /// Whether the layer's bias goes with it.
    pub(super) has_bias: bool,
}

pub(super) enum PieceWeights {
    /// The first layer's part of this number.
    FirstLayer(usize),
    /// A part of Wᵀ.
    Weights(Part),
}

/// What the tasks of an iteration share: all of them read it, and each writes its own part.
pub(super) struct Work<'e, F: Real, L> {
    pub(super) layers: &'e [Layer<F>],
    pub(super) first: &'e L,
    pub(super) batch: &'e Batch<F>,
    pub(super) cost: &'e dyn Cost<F>,
    pub(super) factors: FactorPrecision,
    pub(super) costs: &'e SharedMatrix<f64>,
    pub(super) pieces: &'e [Piece],
    pub(super) ones: &'e DMatrix<F>,
    pub(super) scratch: &'e [Scratch<F>],
}

/// Returns the examples `examples` of all units of a layer.
pub(super) fn all_units<F: Real>(matrix: &SharedMatrix<F>, examples: &Range<usize>) -> Part {
    Part { rows: examples.clone(), cols: 0..matrix.cols() }
}

impl<F: Real, L: FirstLayer<F>> Work<'_, F, L> {
    /// Steps 1 to 3, a task for some examples.
    pub(super) fn example_by_example(&self, iteration: usize, pool: &mut Pool) {
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
    pub(super) fn layer_by_layer(&self, iteration: usize, pool: &mut Pool) {
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

    pub(super) fn backward_layer_by_layer(&self, pool: &mut Pool) {
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
        let blocks =
            |shard: usize| Blocks::of::<F>(self.batch.examples(shard).len(), n, self.factors);
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
    pub(super) fn pieces_of(&self, l: usize) -> &[Piece] {
        let start = self.pieces.partition_point(|piece| piece.layer < l);
        let end = self.pieces.partition_point(|piece| piece.layer <= l);
        &self.pieces[start..end]
    }

    /// Step 4 for some pieces: their gradients, each followed at once by the optimizer's step with it,
    /// if there is one.
    pub(super) fn gradients_and_steps(
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
    pub(super) fn steps(
        &self,
        pieces: &[Piece],
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        pool: &mut Pool,
    ) {
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
            let mut z = self.layers[l].a.part_mut(part);
            sums(&self.layers[l], part, self.factors, a_prev, first, &mut z);
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
            self.factors.multiply(plain(&dz_next), transposed(&w), &mut da);
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
                    self.factors.multiply(transposed(&a_prev), plain(&dz), dw);
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
pub(super) unsafe fn sums<F: Real>(
    layer: &Layer<F>,
    part: &Part,
    factors: FactorPrecision,
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
                factors.multiply(plain(&a_prev), plain(&w), z);
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
pub(super) unsafe fn activate<'l, F: Real>(
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
