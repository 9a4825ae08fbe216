//! Which engine, by counted operations.

use serde::{Deserialize, Serialize};

/// Which engine trains.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// The one that needs fewer operations, by count.
    #[default]
    Auto,
    /// The first layer in the coordinates of the training set.
    Gram,
    /// Every product in full.
    Dense,
}

/// What the counts depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
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

impl Job {
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
        let course = Job {
            n_features: 12_288,
            n_units: 20,
            m: 209,
            batch: 209,
            iterations: 2500,
            held_out: 0,
        };
        assert!(course.gram_is_cheaper());
        assert!(!Job { iterations: 1, ..course }.gram_is_cheaper(), "G would not pay");
        assert!(!Job { n_features: 784, m: 60_000, batch: 128, ..course }.gram_is_cheaper());
    }
}
