//! How cost and gradients of a batch are computed, and how the parameters they belong to change.

mod dense;

pub use dense::DenseEngine;

use crate::optimizer::{Optimizer, Step};
use dnn_core::{Network, Real};

/// A network in training, in whatever form makes its iterations cheap.
///
/// An iteration is `cost`, then `update`; between the two, training may decide to stop.
pub trait Engine<F: Real> {
    /// Name, as the command line and the summary have it.
    fn name(&self) -> &'static str;

    /// Forward, cost, and dZ of every layer, at the present parameters.
    fn cost(&mut self) -> f64;

    /// Gradients from the last [`cost`](Engine::cost), and the optimizer's step with them.
    fn update(&mut self, optimizer: &dyn Optimizer<F>, step: Step);

    /// The network at the present parameters.
    fn network(&mut self) -> Network<F>;
}
