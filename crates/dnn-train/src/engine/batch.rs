//! The examples of an iteration: which they are, what they weigh, and how they are cut into tasks.

use super::first_layer::Selection;
use super::interface::{EngineOptions, Pass};
use super::mixup::Mixup;
use super::shared::SharedMatrix;
use super::tasks::example_tasks;
use crate::communicator::MicroShards;
use dnn_core::Real;
use std::ops::Range;

/// The examples of the present iteration.
pub(super) struct Batch<F> {
    /// The largest number of examples.
    most: usize,
    /// None: the whole training set.
    pub(super) indices: Option<Vec<usize>>,
    pub(super) labels: Vec<u32>,
    /// Weight of each example in the cost.
    pub(super) weights: Vec<F>,
    /// How the examples are mixed, where they are.
    pub(super) mixup: Option<Mixture<F>>,
    pub(super) shards: MicroShards,
    /// The subtrees of micro-shards that are this rank's.
    pub(super) trees: Vec<Range<usize>>,
    /// The examples of each task, all of the rank's micro-shards, and the shard they are of.
    pub(super) tasks: Vec<Range<usize>>,
    pub(super) shard_of_task: Vec<usize>,
}

/// The mixture of a batch's examples, and what the cost needs of the partners.
pub(super) struct Mixture<F> {
    pub(super) drawn: Mixup,
    /// The partners' labels, and their weights in the cost.
    pub(super) labels: Vec<u32>,
    pub(super) weights: Vec<F>,
    /// Zᵀ and then dZᵀ of the output layer for the partners' labels, (m, n_L).
    pub(super) dz: SharedMatrix<F>,
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
    /// Makes an empty batch, with room for `most` examples and this many logits of each.
    pub(super) fn new(options: EngineOptions<'_>, most: usize, n_logits: usize) -> Self {
        let shards = MicroShards::new(options.micro_shards, options.communicator);
        let mut batch = Self {
            most,
            indices: None,
            labels: Vec::with_capacity(most),
            weights: Vec::with_capacity(most),
            mixup: Mixup::new(options.mixup, options.seed, most).map(|drawn| Mixture {
                drawn,
                labels: Vec::with_capacity(most),
                weights: Vec::with_capacity(most),
                dz: SharedMatrix::zeros(most, n_logits),
            }),
            shards,
            trees: shards.subtrees(shards.rank),
            tasks: Vec::new(),
            shard_of_task: Vec::new(),
        };
        batch.tasks.reserve(batch.most_tasks());
        batch.shard_of_task.reserve(batch.most_tasks());
        batch
    }

    /// Returns the largest number of tasks.
    pub(super) fn most_tasks(&self) -> usize {
        let most = self.most.div_ceil(self.shards.n);
        self.shards.own().len() * example_tasks::<F>(most).count()
    }

    /// Takes the examples of `pass`, of the training set with these labels.
    ///
    /// # Panics
    /// When there is none, or more than there is room for.
    pub(super) fn select(&mut self, pass: Pass<'_>, labels: &[u32], class_weights: Option<&[F]>) {
        let all = self.indices.is_none() && !self.labels.is_empty();
        if all && pass.batch.is_none() {
            return;
        }
        let m_before = self.labels.len();
        self.labels.clear();
        if let Some(batch) = pass.batch {
            assert!(!batch.is_empty(), "a batch of at least one example");
            self.labels.extend(batch.iter().map(|&i| labels[i]));
        } else {
            self.labels.extend_from_slice(labels);
        }
        // Mixed examples are gathered, also when they are all.
        if pass.batch.is_none() && self.mixup.is_none() {
            self.indices = None;
        } else {
            let indices = self.indices.get_or_insert_with(|| Vec::with_capacity(self.most));
            indices.clear();
            match pass.batch {
                Some(batch) => indices.extend_from_slice(batch),
                None => indices.extend(0..labels.len()),
            }
        }
        let m = self.labels.len();
        assert!(m <= self.most, "a batch of at most {} examples", self.most);
        let share = F::of(1.0 / m as f64);
        self.weights.clear();
        self.weights.extend(self.labels.iter().map(|&label| match class_weights {
            Some(weights) => share * weights[label as usize],
            None => share,
        }));
        if let Some(mixture) = &mut self.mixup {
            mixture.draw(pass.iteration, &self.labels, &mut self.weights);
        }
        if m != m_before {
            self.cut_into_tasks();
        }
    }

    /// The examples that the first layer is to gather; `None` when they are the training set as it is.
    pub(super) fn selection(&self) -> Option<Selection<'_>> {
        let mixup = self.mixup.as_ref().map(|mixture| &mixture.drawn);
        self.indices.as_ref().map(|indices| Selection { indices, mixup })
    }

    /// Returns the examples of a micro-shard.
    pub(super) fn examples(&self, shard: usize) -> Range<usize> {
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
