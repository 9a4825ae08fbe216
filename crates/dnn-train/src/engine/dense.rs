//! The first layer in full, as the textbook has it: Z₁ = W₁·X, dW₁ = dZ₁·Xᵀ.
//!
//! The textbook's dA₀ = W₁ᵀ·dZ₁, which nobody uses, is not computed. With few units and the whole
//! training set at a time, both products wait for X to come from memory: then the next iteration's Z₁
//! is summed up part by part, each when its weights have just been stepped and its X is at hand.

use super::first_layer::{FirstLayer, Selection};
use super::interface::EngineOptions;
use super::parameters::{Parameters, Scratch};
use super::shared::{Part, SharedMatrix};
use super::tasks::{narrow_parts, weight_parts};
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use dnn_core::gemm::{FactorPrecision, NARROW, gemm, plain, terms_at_once, transposed};
use dnn_core::{Network, Real};
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use std::ops::Range;

/// The first layer of the dense engine.
pub(super) struct DenseLayer<'d, F: Real> {
    /// All examples; none where every batch is fed.
    x: Option<&'d DMatrix<F>>,
    /// The features of the batch that was fed, from the example `fed_from` on: (n₀, at most batch).
    fed: DMatrix<F>,
    fed_from: usize,
    /// The features of the batch that was gathered, (n₀, at most the largest batch); none where it is
    /// fed and not mixed.
    gathered: SharedMatrix<F>,
    /// W₁ᵀ (n₀, n₁).
    w: Parameters<F>,
    tasks: Vec<Part>,
    factors: FactorPrecision,
    /// For a narrow layer, whose products are quick and wait for X: Z₁ᵀ of each task's features alone,
    /// (m, n₁). They are made when the step has been made on these, so that X comes from memory once
    /// an iteration, not twice.
    ahead: Vec<SharedMatrix<F>>,
    /// Whether they are those of the present weights.
    is_ahead: bool,
}

impl<'d, F: Real> DenseLayer<'d, F> {
    /// Returns the first layer of `network`, to train on `x` or on examples that are fed batch by
    /// batch.
    ///
    /// # Panics
    /// When `x` does not have n₀ rows.
    pub(super) fn new(
        network: &Network<F>,
        optimizer: &dyn Optimizer<F>,
        x: Option<&'d DMatrix<F>>,
        options: EngineOptions<'_>,
    ) -> Self {
        if let Some(x) = x {
            assert_eq!(x.nrows(), network.n_features(), "features of the network");
        }
        let layer = &network.layers()[0];
        let n_gathered = match x {
            Some(x) => options.max_batch.min(x.ncols()),
            None if options.mixup > 0.0 => options.max_batch,
            None => 0,
        };
        let is_narrow = layer.n() <= NARROW;
        let tasks: Vec<_> = if is_narrow {
            // As many features as the product itself sums up at a time: then sums of parts have its
            // very bits, whether they are made ahead or not.
            narrow_parts(layer.n_prev(), layer.n(), terms_at_once::<F>()).collect()
        } else {
            weight_parts::<F>(layer.n_prev(), layer.n()).collect()
        };
        let ahead = match x {
            // Not where the examples are summed up in pieces.
            Some(x)
                if options.max_batch == 0
                    && options.micro_shards == 1
                    && options.factors == FactorPrecision::Full
                    && is_narrow
                    && tasks.len() > 1 =>
            {
                tasks.iter().map(|_| SharedMatrix::zeros(x.ncols(), layer.n())).collect()
            }
            _ => Vec::new(),
        };
        Self {
            x,
            fed: DMatrix::zeros(layer.n_prev(), 0),
            fed_from: 0,
            gathered: SharedMatrix::zeros(layer.n_prev(), n_gathered),
            w: Parameters::new(
                &layer.weights().transpose(),
                optimizer.n_moments(),
                options.ema_decay,
            ),
            tasks,
            factors: options.factors,
            ahead,
            is_ahead: false,
        }
    }
}

impl<F: Real> DenseLayer<'_, F> {
    /// Part of the features of the whole training set, or of the batch.
    ///
    /// # Safety
    /// The promise: nobody gathers these examples meanwhile.
    unsafe fn features(&self, all: bool, part: &Part) -> DMatrixView<'_, F> {
        let (x, from) = match self.x {
            Some(x) if all => (x, 0),
            None if self.gathered.cols() == 0 => (&self.fed, self.fed_from),
            // SAFETY: the promise.
            _ => return unsafe { self.gathered.part(part) },
        };
        x.view((part.rows.start, part.cols.start - from), (part.rows.len(), part.cols.len()))
    }
}

impl<F: Real> FirstLayer<F> for DenseLayer<'_, F> {
    type Input = DMatrix<F>;

    fn name(&self) -> &'static str {
        "dense"
    }

    fn held_out(&self, x: &DMatrix<F>, _: &mut Pool) -> DMatrix<F> {
        assert_eq!(x.nrows(), self.w.values.rows(), "features of the held-out examples");
        x.clone()
    }

    fn feed(&mut self, x: &mut DMatrix<F>, from: usize) {
        assert!(self.x.is_none(), "the examples are in memory");
        assert_eq!(x.nrows(), self.w.values.rows(), "features of the batch");
        std::mem::swap(&mut self.fed, x);
        self.fed_from = from;
    }

    unsafe fn gather(&self, batch: Selection<'_>, examples: Range<usize>) {
        if self.x.is_none() {
            let fed = self.fed_from..self.fed_from + self.fed.ncols();
            assert!(
                fed.start <= examples.start && examples.end <= fed.end,
                "the features of this batch were fed"
            );
            if batch.mixup.is_none() {
                return;
            }
        }
        let n = self.w.values.rows();
        let features = |place: usize| match self.x {
            Some(x) => &x.as_slice()[n * batch.indices[place]..][..n],
            None => &self.fed.as_slice()[n * (place - self.fed_from)..][..n],
        };
        for place in examples {
            // SAFETY: the promise.
            let example = unsafe { self.gathered.slice_mut(0..n, place) };
            batch.put_together(place, example, features);
        }
    }

    fn forward(
        &self,
        input: Option<&DMatrix<F>>,
        all: bool,
        part: &Part,
        z: &mut DMatrixViewMut<'_, F>,
    ) {
        if input.is_none() && all && self.is_ahead {
            z.fill(F::zero());
            for ahead in &self.ahead {
                // SAFETY: the promise: only `look_ahead` writes it, in other runs.
                *z += unsafe { ahead.part(part) };
            }
            return;
        }
        let features = 0..self.w.values.rows();
        let examples = Part { rows: features.clone(), cols: part.rows.clone() };
        // SAFETY: the promise: only `step` writes W, in other runs, and only `gather` the batch.
        let (w, (x, factors)) = unsafe {
            let x = match input {
                Some(input) => {
                    (input.columns(part.rows.start, part.rows.len()), FactorPrecision::Full)
                }
                None => (self.features(all, &examples), self.factors),
            };
            (self.w.values.part(&Part { rows: features, cols: part.cols.clone() }), x)
        };
        factors.multiply(transposed(&x), plain(&w), z);
    }

    fn parts(&self) -> &[Part] {
        &self.tasks
    }

    fn parameters(&self) -> &Parameters<F> {
        &self.w
    }

    fn parameters_mut(&mut self) -> &mut Parameters<F> {
        &mut self.w
    }

    fn gradient_is_a_sum(&self) -> bool {
        true
    }

    unsafe fn gradient(
        &self,
        task: usize,
        batch: Option<Selection<'_>>,
        examples: &Range<usize>,
        dz: &DMatrixView<'_, F>,
        to: &mut DMatrixViewMut<'_, F>,
    ) {
        let part = &self.tasks[task];
        let dz = dz.columns(part.cols.start, part.cols.len());
        let features = Part { rows: part.rows.clone(), cols: examples.clone() };
        // SAFETY: the promise.
        let x = unsafe { self.features(batch.is_none(), &features) };
        self.factors.multiply(plain(&x), plain(&dz), to);
    }

    unsafe fn step(
        &self,
        task: usize,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        scratch: &Scratch<F>,
    ) {
        // SAFETY: the promise.
        unsafe { self.w.step(optimizer, step, &self.tasks[task], scratch) }
    }

    fn catch_up(&mut self, pool: &mut Pool) {
        if !self.is_ahead && !self.ahead.is_empty() {
            let first = &*self;
            // SAFETY: the promise: tasks have different parts.
            pool.run(self.tasks.len(), &|task, _| unsafe { first.look_ahead(task) });
            self.is_ahead = true;
        }
    }

    unsafe fn look_ahead(&self, task: usize) {
        let (Some(ahead), Some(x)) = (self.ahead.get(task), self.x) else { return };
        let part = &self.tasks[task];
        let x = x.rows(part.rows.start, part.rows.len());
        // SAFETY: the promise.
        let (w, mut z) = unsafe { (self.w.values.part(part), ahead.part_mut(&ahead.whole())) };
        gemm(F::one(), transposed(&x), plain(&w), F::zero(), &mut z);
    }

    fn weight_gradient(&mut self) -> DMatrix<F> {
        self.w.gradient().transpose()
    }

    fn squared_gradient(&mut self, l2: f64) -> f64 {
        self.w.squared_gradient(l2)
    }

    fn squared_weights(&mut self) -> f64 {
        self.w.squared_values()
    }

    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)> {
        // They may be written.
        self.is_ahead = false;
        self.w.state("W1").collect()
    }

    fn exchange_average(&mut self) {
        self.w.exchange_average();
    }

    fn weights(&mut self, _: &mut Pool) -> DMatrix<F> {
        self.w.values.all_mut().transpose()
    }

    fn flops(&self, m: usize) -> usize {
        4 * m * self.w.values.rows() * self.w.values.cols()
    }
}
