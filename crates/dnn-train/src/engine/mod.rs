//! How cost and gradients of a batch are computed, and how the parameters they belong to change.
//!
//! One loop over the layers (`layered.rs`) does it; how the first layer is computed, which is nearly
//! all of the work, is a choice behind it: in full, or in the coordinates of the training set.
//! [`build_engine`](crate::build_engine()) makes engines.

mod batch;
mod dense;
mod dropout;
mod first_layer;
mod gram;
mod interface;
mod layered;
mod mixup;
mod parameters;
mod shared;
mod steps;
mod tasks;

pub use crate::diagnosis::LayerHealth;
pub use gram::GramMatrix;
pub use interface::{Engine, EngineKind, EngineOptions, Pass};

use crate::cost::Cost;
use crate::optimizer::Optimizer;
use dense::DenseLayer;
use dnn_core::gemm::FactorPrecision;
use dnn_core::{Network, Precision, Real};
use gram::GramLayer;
use layered::LayeredEngine;
use nalgebra::DMatrix;

/// Where the features of an engine's examples are, and how its first layer is computed with them.
#[derive(Clone, Copy)]
pub enum EngineInput<'d, F: Real> {
    /// X (n₀, m) in memory; every product is computed in full, as the course does.
    Dense(&'d DMatrix<F>),
    /// Examples that are read batch by batch: [`feed`](Engine::feed) is called before every
    /// [`cost`](Engine::cost). Every product is computed in full.
    Fed,
    /// X (n₀, m) in memory, and the first layer in the coordinates of the training set
    /// ([`dnn_core::gram`] has the algebra): the work of an iteration does not depend on the number
    /// of features. For optimizers whose steps are linear in the gradients. The engine computes
    /// P = W₁·X first, and G = XᵀX where no engine has done so, on all threads.
    Gram(&'d GramMatrix<'d, F>),
}

/// Makes an engine, as [`build_engine`](crate::build_engine()) says.
pub(crate) fn build<'d, F: Real>(
    network: &Network<F>,
    cost: &'d dyn Cost<F>,
    optimizer: &dyn Optimizer<F>,
    input: EngineInput<'d, F>,
    labels: &'d [u32],
    mut options: EngineOptions<'d>,
) -> Box<dyn Engine<F> + 'd> {
    if options.factors == FactorPrecision::Bf16 {
        assert_eq!(F::PRECISION, Precision::F32, "numbers whose factors are rounded to bf16");
        let in_full = !matches!(input, EngineInput::Gram(_));
        assert!(in_full, "factors in bf16 with the first layer in full");
    }
    if options.mixup > 0.0 && options.max_batch == 0 {
        // The whole set is gathered to be mixed.
        options.max_batch = labels.len();
    }
    let x = match input {
        EngineInput::Dense(x) => Some(x),
        EngineInput::Gram(gram) => Some(gram.x()),
        EngineInput::Fed => None,
    };
    if let Some(x) = x {
        assert_eq!(x.ncols(), labels.len(), "a label for each example");
    }
    if let EngineInput::Gram(gram) = input {
        let first = GramLayer::new(network, optimizer, gram, options);
        Box::new(LayeredEngine::new(first, network, cost, optimizer, labels, options))
    } else {
        let first = DenseLayer::new(network, optimizer, x, options);
        Box::new(LayeredEngine::new(first, network, cost, optimizer, labels, options))
    }
}

/// The size of a training run: what the operations of its first layer are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Workload {
    /// n₀.
    pub(crate) n_features: usize,
    /// n₁.
    pub(crate) n_units: usize,
    /// Training examples.
    pub(crate) m: usize,
    /// Examples of an iteration.
    pub(crate) batch: usize,
    pub(crate) iterations: usize,
    /// Examples that are judged during training.
    pub(crate) held_out: usize,
}

impl Workload {
    /// Operations of the first layer in full: forward, dW, and a step on every weight.
    pub(crate) fn dense_flops(&self) -> f64 {
        let weights = self.n_features as f64 * self.n_units as f64;
        self.iterations as f64 * weights * (4 * self.batch + 4) as f64
    }

    /// And in coordinates: G by symmetry, P and the weights at the end once; then forward, and a
    /// step on every coordinate.
    pub(crate) fn gram_flops(&self) -> f64 {
        let (n0, n1, m) = (self.n_features as f64, self.n_units as f64, self.m as f64);
        let once = n0 * m * m + 4.0 * n0 * n1 * m + 2.0 * n0 * (m + n1) * self.held_out as f64;
        once + self.iterations as f64 * n1 * m * (2 * self.batch + 4) as f64
    }

    pub(crate) fn gram_is_cheaper(&self) -> bool {
        self.gram_flops() < self.dense_flops()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_examples_of_many_features_are_cheaper_in_coordinates() {
        let course = Workload {
            n_features: 12_288,
            n_units: 20,
            m: 209,
            batch: 209,
            iterations: 2500,
            held_out: 0,
        };
        assert!(course.gram_is_cheaper());
        assert!(!Workload { iterations: 1, ..course }.gram_is_cheaper(), "G would not pay");
        assert!(!Workload { n_features: 784, m: 60_000, batch: 128, ..course }.gram_is_cheaper());
    }
}
