//! Central differences: does backward compute the gradient of the cost?

use crate::Real;
use crate::network::{Network, Workspace};
use nalgebra::{DMatrix, DVector};

/// Analytic and numeric gradient of one layer's W or b, W column by column.
#[derive(Debug, Clone)]
pub struct Pair {
    /// "W1", "b1", "W2" …
    pub name: String,
    /// From backward.
    pub analytic: DVector<f64>,
    /// From central differences.
    pub numeric: DVector<f64>,
}

impl Pair {
    /// ‖analytic − numeric‖ / max(‖analytic‖ + ‖numeric‖, floor).
    ///
    /// The floor keeps a gradient that is zero but for rounding (a layer of dead units) from
    /// counting as wrong.
    #[doc(alias = "gradient_check")]
    pub fn relative_gap(&self, floor: f64) -> f64 {
        let scale = (self.analytic.norm() + self.numeric.norm()).max(floor);
        (&self.analytic - &self.numeric).norm() / scale
    }
}

/// Both gradients of every W and b of the network, at its present weights.
///
/// Numeric: (J(θ + h) − J(θ − h)) / 2h for each parameter θ, h = `step`. Where the step changes the
/// side of a ReLU's or leaky ReLU's kink for some example, the difference is not a derivative;
/// such parameters are taken out of both vectors.
///
/// # Shapes
/// `x` (n₀, m), `labels` (m).
/// # Panics
/// On mismatch.
pub fn both<F: Real>(network: &Network<F>, x: &DMatrix<F>, labels: &[u32], step: f64) -> Vec<Pair> {
    let mut workspace = Workspace::new(network, x.ncols());
    let mut gradients = network.zero_gradients();
    network.cost_and_gradients(x, labels, &mut workspace, &mut gradients);
    let mut probe = network.clone();
    let mut pairs = Vec::new();
    for (l, gradient) in gradients.iter().enumerate() {
        for (name, analytic) in [("W", gradient.dw.as_slice()), ("b", gradient.db.as_slice())] {
            let is_bias = name == "b";
            let (mut kept, mut numeric) = (Vec::new(), Vec::new());
            for (i, &slope) in analytic.iter().enumerate() {
                let mut at = |delta: f64| {
                    let value = parameter(&mut probe, l, is_bias, i);
                    let start = *value;
                    *value = start + F::of(delta);
                    probe.forward(x, &mut workspace);
                    let cost = network.loss().cost(workspace.logits(), labels);
                    let sides = sides(&probe, &workspace);
                    *parameter(&mut probe, l, is_bias, i) = start;
                    (cost, sides)
                };
                let (above, sides_above) = at(step);
                let (below, sides_below) = at(-step);
                if sides_above == sides_below {
                    kept.push(slope.as_f64());
                    numeric.push((above - below) / (2.0 * step));
                }
            }
            pairs.push(Pair {
                name: format!("{name}{}", l + 1),
                analytic: DVector::from_vec(kept),
                numeric: DVector::from_vec(numeric),
            });
        }
    }
    pairs
}

fn parameter<F: Real>(network: &mut Network<F>, layer: usize, is_bias: bool, i: usize) -> &mut F {
    let (w, b) = network.parameters_mut().nth(layer).expect("a layer of this network");
    if is_bias { &mut b[i] } else { &mut w[i] }
}

/// On which side of zero every unit with a kink is, for every example.
fn sides<F: Real>(network: &Network<F>, workspace: &Workspace<F>) -> Vec<bool> {
    use crate::activation::Activation::{LeakyRelu, Relu};
    let kinked = |l: &usize| matches!(network.layers()[*l].activation(), Relu | LeakyRelu);
    let layers = (0..network.layers().len()).filter(kinked);
    layers.flat_map(|l| workspace.activations(l).iter().map(|&a| a > F::zero())).collect()
}
