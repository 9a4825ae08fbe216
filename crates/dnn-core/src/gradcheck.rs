//! Central differences: does backward compute the gradient of the cost?
//!
//! ```
//! use dnn_core::gradcheck::{self, Options, Outcome};
//! use dnn_core::rng::{Generator, RngKind};
//! use dnn_core::{Activation, Architecture, Init, Loss, Network};
//!
//! let mut rng = Generator::new(RngKind::Numpy, 1)?;
//! let shape = Architecture::new(vec![3, 4, 1], Activation::Tanh, Loss::BinaryCrossEntropy);
//! let network = Network::initialize(&shape, Init::Glorot, &mut rng)?;
//! let x = rng.normal_matrix(3, 5);
//! for check in gradcheck::check(&network, &x, &[0, 1, 1, 0, 1], &Options::default()) {
//!     assert_eq!(check.outcome(2e-7), Outcome::Agrees, "{}", check.name);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::Real;
use crate::activation::Activation;
use crate::layer::Dense;
use crate::linear::Gradients;
use crate::network::{Network, Workspace};
use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::index;

/// How a gradient is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// ε, the step to either side.
    pub epsilon: f64,
    /// Entries of each W and b to check at most; of larger ones a random sample.
    pub sample: usize,
    /// Seed of the samples.
    pub seed: u64,
}

/// ε = 10⁻⁵, where truncation (ε²) and rounding (10⁻¹⁶/ε) are both small; every entry.
impl Default for Options {
    fn default() -> Self {
        Self { epsilon: 1e-5, sample: usize::MAX, seed: 1 }
    }
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The relative gap is within the tolerance.
    Agrees,
    /// It is not, and rounding does not explain it: backward is wrong.
    Differs,
    /// The gradient is so small that differences are mostly rounding, or no entry could be checked.
    Undecided,
}

/// The gradient of one W or b: backward beside central differences, at the entries checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterCheck {
    /// "W1", "b1", "W2" …
    pub name: String,
    /// Rows and columns of the parameter: (n, n_prev) or (n, 1).
    pub shape: (usize, usize),
    /// Which entries were checked, counted column by column.
    pub entries: Vec<usize>,
    /// Entries left out because the step moves a unit across its activation's kink.
    pub n_kinks: usize,
    /// g at these entries, from backward.
    pub analytic: DVector<f64>,
    /// ĝ at these entries, from differences.
    pub numeric: DVector<f64>,
    /// ‖g − ĝ‖ that rounding in the cost can explain.
    pub rounding: f64,
}

impl ParameterCheck {
    /// ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), 0 when both are zero.
    #[doc(alias = "gradient_check")]
    pub fn relative_gap(&self) -> f64 {
        let gap = (&self.analytic - &self.numeric).norm();
        if gap == 0.0 { 0.0 } else { gap / (self.analytic.norm() + self.numeric.norm()) }
    }

    /// Whether the two agree, as far as differences can tell.
    pub fn outcome(&self, tolerance: f64) -> Outcome {
        // NaN is neither within the tolerance nor rounding: it differs.
        if self.entries.is_empty() {
            Outcome::Undecided
        } else if self.relative_gap() <= tolerance {
            Outcome::Agrees
        } else if (&self.analytic - &self.numeric).norm() <= self.rounding {
            Outcome::Undecided
        } else {
            Outcome::Differs
        }
    }

    /// Where the two are farthest apart, as an index into `entries`.
    pub fn worst(&self) -> Option<usize> {
        let gap = |i: &usize| (self.analytic[*i] - self.numeric[*i]).abs();
        (0..self.entries.len()).max_by(|a, b| gap(a).total_cmp(&gap(b)))
    }

    /// Number of entries the parameter has.
    pub fn n_entries(&self) -> usize {
        self.shape.0 * self.shape.1
    }
}

/// Checks what backward computes, at the network's present weights: W1, b1, W2 …
///
/// # Shapes
/// `x` (n₀, m), `labels` (m).
/// # Panics
/// On mismatch.
pub fn check(
    network: &Network<f64>,
    x: &DMatrix<f64>,
    labels: &[u32],
    options: &Options,
) -> Vec<ParameterCheck> {
    let mut workspace = Workspace::new(network, x.ncols());
    let mut gradients = network.zero_gradients();
    network.cost_and_gradients(x, labels, &mut workspace, &mut gradients);
    compare(network, x, labels, &gradients, options)
}

/// Checks gradients, wherever they come from, against ĝ = (J(θ + ε) − J(θ − ε)) / 2ε for each
/// parameter θ.
///
/// Where a step takes a ReLU's or leaky ReLU's Z to the other side of zero for some example, J has a
/// kink between the two costs and their difference is no derivative; such entries are left out.
///
/// # Shapes
/// `x` (n₀, m), `labels` (m), `gradients` of each layer.
/// # Panics
/// On mismatch.
pub fn compare(
    network: &Network<f64>,
    x: &DMatrix<f64>,
    labels: &[u32],
    gradients: &[Gradients<f64>],
    options: &Options,
) -> Vec<ParameterCheck> {
    assert_eq!(gradients.len(), network.layers().len(), "gradients of each layer");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(options.seed);
    let mut workspace = Workspace::new(network, x.ncols());
    network.forward(x, &mut workspace);
    // The last bits of J move with those of the logits.
    let scale = workspace.logits().iter().fold(1.0_f64, |max, z| max.max(z.abs()));
    let rounding = ROUNDINGS * f64::EPSILON * scale / options.epsilon;
    let mut checks = Vec::new();
    for (l, gradient) in gradients.iter().enumerate() {
        let a_prev = if l == 0 { x } else { workspace.activations(l - 1) };
        let mut tail = Tail::new(network, l, a_prev, labels);
        for (kind, g, shape) in [
            (Kind::W, gradient.dw.as_slice(), gradient.dw.shape()),
            (Kind::B, gradient.db.as_slice(), gradient.db.shape()),
        ] {
            assert_eq!(g.len(), tail.parameter(kind).len(), "gradients of layer {}", l + 1);
            let mut chosen =
                index::sample(&mut rng, g.len(), options.sample.min(g.len())).into_vec();
            chosen.sort_unstable();
            let n_chosen = chosen.len();
            let slopes =
                chosen.into_iter().filter_map(|i| Some((i, tail.slope(kind, i, options.epsilon)?)));
            let (entries, numeric): (Vec<_>, Vec<_>) = slopes.unzip();
            checks.push(ParameterCheck {
                name: format!("{}{}", kind.letter(), l + 1),
                shape,
                n_kinks: n_chosen - entries.len(),
                analytic: DVector::from_iterator(entries.len(), entries.iter().map(|&i| g[i])),
                numeric: DVector::from_vec(numeric),
                rounding: rounding * (entries.len() as f64).sqrt(),
                entries,
            });
        }
    }
    checks
}

/// The same network in double precision, in which differences are worth taking.
pub fn in_double<F: Real>(network: &Network<F>) -> Network<f64> {
    let double = |layer: &Dense<F>| {
        let (w, b) = (layer.weights().map(Real::as_f64), layer.bias().map(Real::as_f64));
        Dense::new(w, b, layer.activation()).expect("the shapes of a layer")
    };
    Network::new(network.layers().iter().map(double).collect(), network.loss())
        .expect("the layers of a network")
}

/// Units in the last place by which the rounding of two costs may move their difference.
const ROUNDINGS: f64 = 8.0;

#[derive(Clone, Copy)]
enum Kind {
    W,
    B,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::W => 'W',
            Self::B => 'b',
        }
    }
}

/// The network from one layer on: what is before it does not depend on its parameters.
struct Tail<'a> {
    network: Network<f64>,
    a_prev: &'a DMatrix<f64>,
    labels: &'a [u32],
    workspace: Workspace<f64>,
    /// Activations at the unchanged parameters.
    home: Workspace<f64>,
}

impl<'a> Tail<'a> {
    fn new(
        whole: &Network<f64>,
        layer: usize,
        a_prev: &'a DMatrix<f64>,
        labels: &'a [u32],
    ) -> Self {
        let network = Network::new(whole.layers()[layer..].to_vec(), whole.loss())
            .expect("the end of a network is one");
        let workspace = Workspace::new(&network, a_prev.ncols());
        let mut home = workspace.clone();
        network.forward(a_prev, &mut home);
        Self { network, a_prev, labels, workspace, home }
    }

    /// ĝ of entry `i` of the first layer's W or b; `None` at a kink.
    fn slope(&mut self, kind: Kind, i: usize, epsilon: f64) -> Option<f64> {
        let theta = self.parameter(kind)[i];
        // θ ± ε is rounded: what lies between the two is not quite 2ε.
        let (above, below) = (theta + epsilon, theta - epsilon);
        let mut cost_at = |value: f64| {
            self.parameter(kind)[i] = value;
            self.network.forward(self.a_prev, &mut self.workspace);
            let cost = self.network.loss().cost(self.workspace.logits(), self.labels);
            (!self.crosses_a_kink()).then_some(cost)
        };
        let costs = (cost_at(above), cost_at(below));
        self.parameter(kind)[i] = theta;
        Some((costs.0? - costs.1?) / (above - below))
    }

    fn parameter(&mut self, kind: Kind) -> &mut [f64] {
        let (w, b) = self.network.parameters_mut().next().expect("a layer");
        match kind {
            Kind::W => w,
            Kind::B => b,
        }
    }

    /// Whether a unit with a kink is on another side of it than at home, for any example.
    fn crosses_a_kink(&self) -> bool {
        let kinked = |layer: &Dense<f64>| {
            matches!(layer.activation(), Activation::Relu | Activation::LeakyRelu)
        };
        self.network.layers().iter().enumerate().filter(|(_, layer)| kinked(layer)).any(|(l, _)| {
            let (here, home) = (self.workspace.activations(l), self.home.activations(l));
            here.iter().zip(home).any(|(a, b)| (*a > 0.0) != (*b > 0.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Generator, RngKind};
    use crate::{Architecture, Init, Loss};

    fn case(dims: &[usize], activation: Activation) -> (Network<f64>, DMatrix<f64>, Vec<u32>) {
        let shape = Architecture::new(dims.to_vec(), activation, Loss::BinaryCrossEntropy);
        let mut rng = Generator::new(RngKind::Modern, 3).unwrap();
        let network = Network::initialize(&shape, Init::Auto, &mut rng).unwrap();
        (network, rng.normal_matrix(dims[0], 6), vec![0, 1, 1, 0, 1, 0])
    }

    #[test]
    fn one_wrong_entry_is_found_and_named() {
        use Outcome::{Agrees, Differs};
        let (network, x, labels) = case(&[4, 3, 1], Activation::Tanh);
        let mut workspace = Workspace::new(&network, 6);
        let mut gradients = network.zero_gradients();
        network.cost_and_gradients(&x, &labels, &mut workspace, &mut gradients);
        gradients[0].dw[(1, 2)] *= 1.001;
        let checks = compare(&network, &x, &labels, &gradients, &Options::default());
        let outcomes: Vec<_> = checks.iter().map(|c| c.outcome(2e-7)).collect();
        assert_eq!(outcomes, [Differs, Agrees, Agrees, Agrees]);
        // Column by column: row 1 of column 2 in three rows.
        assert_eq!(checks[0].entries[checks[0].worst().unwrap()], 2 * 3 + 1);
    }

    #[test]
    fn entries_at_a_kink_are_left_out_and_counted() {
        // All biases are 0: where the input is 0, every unit of layer 1 is right at its kink.
        let (network, mut x, labels) = case(&[4, 3, 1], Activation::Relu);
        x.column_mut(0).fill(0.0);
        let checks = check(&network, &x, &labels, &Options::default());
        assert_eq!((checks[1].n_kinks, checks[1].outcome(2e-7)), (3, Outcome::Undecided));
        // A weight does not move a unit whose input is 0.
        assert_eq!((checks[0].n_kinks, checks[0].outcome(2e-7)), (0, Outcome::Agrees));
    }

    #[test]
    fn samples_are_seeded_and_as_large_as_asked() {
        let (network, x, labels) = case(&[40, 5, 1], Activation::Tanh);
        let entries = |seed| {
            let options = Options { sample: 20, seed, ..Options::default() };
            let checks = check(&network, &x, &labels, &options);
            assert!(checks.iter().all(|c| c.outcome(2e-7) == Outcome::Agrees));
            checks.into_iter().map(|c| c.entries).collect::<Vec<_>>()
        };
        let first = entries(1);
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [20, 5, 5, 1]);
        assert_eq!(first, entries(1));
        assert_ne!(first, entries(2));
    }

    #[test]
    fn rounding_is_not_taken_for_a_fault_nor_nan_for_rounding() {
        let small = |analytic: f64, numeric: f64| ParameterCheck {
            name: "W1".into(),
            shape: (1, 1),
            entries: vec![0],
            n_kinks: 0,
            analytic: DVector::from_element(1, analytic),
            numeric: DVector::from_element(1, numeric),
            rounding: 1e-10,
        };
        assert_eq!(small(0.0, 0.0).outcome(1e-7), Outcome::Agrees);
        assert_eq!(small(0.0, 5e-11).outcome(1e-7), Outcome::Undecided);
        assert_eq!(small(0.0, 5e-10).outcome(1e-7), Outcome::Differs);
        assert_eq!(small(f64::NAN, 0.0).outcome(1e-7), Outcome::Differs);
        assert_eq!(small(f64::INFINITY, 0.0).outcome(1e-7), Outcome::Differs);
    }
}
