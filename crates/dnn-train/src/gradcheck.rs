//! Central differences: do the engines compute the gradient of the cost?
//!
//! ```
//! use dnn_core::rng::{Generator, RngKind};
//! use dnn_core::{Activation, Architecture, Init, Network, OutputActivation};
//! use dnn_train::CrossEntropy;
//! use dnn_train::gradcheck::{self, Options, Outcome};
//!
//! let mut rng = Generator::new(RngKind::Numpy, 1)?;
//! let shape = Architecture::new(vec![3, 4, 1], Activation::Tanh, OutputActivation::Sigmoid);
//! let network = Network::initialize(&shape, Init::Glorot, &mut rng)?;
//! let (x, labels) = (rng.normal_matrix(3, 5), [0, 1, 1, 0, 1]);
//! let cost = CrossEntropy::new(network.output());
//! for check in gradcheck::check(&network, &x, &labels, &cost, &Options::default()) {
//!     assert_eq!(check.outcome(2e-7), Outcome::Agrees, "{} of {}", check.name, check.engine);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::cost::{Cost, mean_cost};
use crate::engine::{Engine, EngineInput, EngineKind, EngineOptions, GramMatrix, Pass};
use crate::optimizer::GradientDescent;
use crate::trainable::build_engine;
use dnn_core::Network;
use dnn_core::layer::{Dense, PARAMETER_NAMES};
use dnn_core::linear::Gradients;
use dnn_core::network::Workspace;
use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::index;

/// How a gradient is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// ε, the step to either side.
    pub epsilon: f64,
    /// Entries of each parameter to check at most; of larger ones a random sample.
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

/// The result of comparing two gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The relative gap is within the tolerance.
    Agrees,
    /// It is not, and rounding does not explain it: the engine's gradient is wrong.
    Differs,
    /// The gradient is so small that differences are mostly rounding, or no entry could be checked.
    Undecided,
}

/// The gradient of one parameter, such as W1: an engine's and that by central differences, at the entries checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterCheck {
    /// The engine whose gradient is checked.
    pub engine: EngineKind,
    /// "W1", "b1", "gamma1", "beta1", "W2" …
    pub name: String,
    /// Rows and columns of the parameter: (n, n_prev) or (n, 1).
    pub shape: (usize, usize),
    /// Which entries were checked, counted column by column.
    pub entries: Vec<usize>,
    /// Entries left out because the step moves a unit across its activation's kink, or because the cost of
    /// a normalised network bends too much within it.
    pub n_kinks: usize,
    /// g at these entries, from the engine.
    pub analytic: DVector<f64>,
    /// ĝ at these entries, from differences.
    pub numeric: DVector<f64>,
    /// ‖g − ĝ‖ that rounding in the cost can explain.
    pub rounding: f64,
}

impl ParameterCheck {
    /// Returns ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), or 0 if both are zero.
    #[doc(alias = "gradient_check")]
    pub fn relative_gap(&self) -> f64 {
        let gap = (&self.analytic - &self.numeric).norm();
        if gap == 0.0 { 0.0 } else { gap / (self.analytic.norm() + self.numeric.norm()) }
    }

    /// Returns whether the two gradients agree, as far as differences can tell.
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

    /// Returns the index in `entries` at which the two gradients differ most.
    pub fn worst(&self) -> Option<usize> {
        let gap = |i: &usize| (self.analytic[*i] - self.numeric[*i]).abs();
        (0..self.entries.len()).max_by(|a, b| gap(a).total_cmp(&gap(b)))
    }

    /// Returns the number of entries the parameter has.
    pub fn n_entries(&self) -> usize {
        self.shape.0 * self.shape.1
    }
}

/// The cost and the gradients that an engine computes for all examples at once.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineGradients {
    /// The engine that computed them.
    pub engine: EngineKind,
    /// The cost J.
    pub cost: f64,
    /// The gradients of each layer, first one first.
    pub layers: Vec<Gradients<f64>>,
}

/// Returns the cost and the gradients that each of the engines computes at the network's present
/// weights: the dense one, then the one in the coordinates of the examples.
///
/// # Shapes
/// `x` (n₀, m), `labels` (m).
/// # Panics
/// On mismatch.
pub fn engine_gradients(
    network: &Network<f64>,
    x: &DMatrix<f64>,
    labels: &[u32],
    cost: &dyn Cost<f64>,
) -> [EngineGradients; 2] {
    let (optimizer, options) = (&GradientDescent, EngineOptions::default());
    let gram = GramMatrix::new(x);
    let of = |engine, mut of: Box<dyn Engine<f64> + '_>| EngineGradients {
        engine,
        cost: of.cost(Pass::all(0)),
        layers: of.gradients(),
    };
    [
        of(
            EngineKind::Dense,
            build_engine(network, cost, optimizer, EngineInput::Dense(x), labels, options),
        ),
        of(
            EngineKind::Gram,
            build_engine(network, cost, optimizer, EngineInput::Gram(&gram), labels, options),
        ),
    ]
}

/// Checks what the engines compute, at the network's present weights.
///
/// # Shapes
/// `x` (n₀, m), `labels` (m) → for W1, b1, gamma1 and beta1 where the layer is normalised, W2 … in turn one check for each engine.
/// # Panics
/// On mismatch.
#[doc(alias = "gradient_check_n")]
pub fn check(
    network: &Network<f64>,
    x: &DMatrix<f64>,
    labels: &[u32],
    cost: &dyn Cost<f64>,
    options: &Options,
) -> Vec<ParameterCheck> {
    let gradients = engine_gradients(network, x, labels, cost);
    compare(network, x, labels, cost, &gradients, options)
}

/// Checks gradients, wherever they come from, against ĝ = (J(θ + ε) − J(θ − ε)) / 2ε for each
/// parameter θ.
///
/// Where a step takes a ReLU's or leaky ReLU's Z to the other side of zero for some example, J has a
/// kink between the two costs and their difference is no derivative; such entries are left out. In
/// networks with layer normalisation ĝ is extrapolated from ε and ε/2.
///
/// # Shapes
/// `x` (n₀, m), `labels` (m), `gradients` of each layer → for W1, b1, gamma1 and beta1 where the layer is
/// normalised, W2 … in turn one check for each of the `gradients`.
/// # Panics
/// On mismatch.
pub fn compare(
    network: &Network<f64>,
    x: &DMatrix<f64>,
    labels: &[u32],
    cost: &dyn Cost<f64>,
    gradients: &[EngineGradients],
    options: &Options,
) -> Vec<ParameterCheck> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(options.seed);
    let mut workspace = Workspace::new(network, x.ncols());
    network.forward(x, &mut workspace);
    // The last bits of J move with those of the logits.
    let scale = workspace.logits().iter().fold(1.0_f64, |max, z| max.max(z.abs()));
    let roundings = if is_normalized(network) { EXTRAPOLATED * ROUNDINGS } else { ROUNDINGS };
    let rounding = roundings * f64::EPSILON * scale / options.epsilon;
    let mut checks = Vec::new();
    for l in 0..network.layers().len() {
        let a_prev = if l == 0 { x } else { workspace.activations(l - 1) };
        let mut tail = Tail::new(network, l, a_prev, labels, cost);
        let n_units = network.layers()[l].n();
        for (kind, name) in PARAMETER_NAMES.into_iter().enumerate() {
            let n = tail.parameter(kind).len();
            if n == 0 {
                continue;
            }
            let mut chosen = index::sample(&mut rng, n, options.sample.min(n)).into_vec();
            chosen.sort_unstable();
            let n_chosen = chosen.len();
            let slopes =
                chosen.into_iter().filter_map(|i| Some((i, tail.slope(kind, i, options.epsilon)?)));
            let (entries, numeric): (Vec<_>, Vec<_>) = slopes.unzip();
            let numeric = DVector::from_vec(numeric);
            checks.extend(gradients.iter().map(|of| {
                let g = of.layers[l].slices()[kind];
                assert_eq!(g.len(), n, "gradients of layer {}", l + 1);
                ParameterCheck {
                    engine: of.engine,
                    name: format!("{name}{}", l + 1),
                    shape: (n_units, n / n_units),
                    n_kinks: n_chosen - entries.len(),
                    analytic: DVector::from_iterator(entries.len(), entries.iter().map(|&i| g[i])),
                    numeric: numeric.clone(),
                    rounding: rounding * (entries.len() as f64).sqrt(),
                    entries: entries.clone(),
                }
            }));
        }
    }
    checks
}

/// Units in the last place by which the rounding of two costs may move their difference.
const ROUNDINGS: f64 = 8.0;
/// How many times more an extrapolation from ε and ε/2 moves: 4/3 · 2 + 1/3.
const EXTRAPOLATED: f64 = 3.0;

fn is_normalized(network: &Network<f64>) -> bool {
    network.layers().iter().any(|layer| layer.layer_norm().is_some())
}

/// The network from one layer on: what is before it does not depend on its parameters.
struct Tail<'a> {
    network: Network<f64>,
    a_prev: &'a DMatrix<f64>,
    labels: &'a [u32],
    cost: &'a dyn Cost<f64>,
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
        cost: &'a dyn Cost<f64>,
    ) -> Self {
        let network = Network::new(whole.layers()[layer..].to_vec(), whole.output())
            .expect("the end of a network is one");
        let workspace = Workspace::new(&network, a_prev.ncols());
        let mut home = workspace.clone();
        network.forward(a_prev, &mut home);
        Self { network, a_prev, labels, cost, workspace, home }
    }

    /// ĝ of entry `i` of a parameter of the first layer; `None` at a kink, and where J bends too much.
    ///
    /// The normalised sums of an example change over a distance of √(σ² + ε), so that with units of nearly
    /// equal sums J bends within the step. Where there are such layers, the error in ε² is extrapolated
    /// away from two steps, and entries whose differences are not near each other are left out.
    fn slope(&mut self, kind: usize, i: usize, epsilon: f64) -> Option<f64> {
        const MAX_RELATIVE_BEND: f64 = 1e-4;
        const LEAST: f64 = 1e-6;
        let wide = self.difference(kind, i, epsilon)?;
        if !is_normalized(&self.network) {
            return Some(wide);
        }
        let narrow = self.difference(kind, i, epsilon / 2.0)?;
        let bend = (narrow - wide).abs();
        (bend <= MAX_RELATIVE_BEND * narrow.abs().max(LEAST))
            .then(|| narrow + (narrow - wide) / 3.0)
    }

    /// (J(θ + ε) − J(θ − ε)) / 2ε of entry `i`; `None` at a kink.
    fn difference(&mut self, kind: usize, i: usize, epsilon: f64) -> Option<f64> {
        let theta = self.parameter(kind)[i];
        // θ ± ε is rounded: what lies between the two is not quite 2ε.
        let (above, below) = (theta + epsilon, theta - epsilon);
        let mut cost_at = |value: f64| {
            self.parameter(kind)[i] = value;
            self.network.forward(self.a_prev, &mut self.workspace);
            let cost = mean_cost(self.cost, self.workspace.logits(), self.labels);
            (!self.crosses_a_kink()).then_some(cost)
        };
        let costs = (cost_at(above), cost_at(below));
        self.parameter(kind)[i] = theta;
        Some((costs.0? - costs.1?) / (above - below))
    }

    /// Returns a parameter of the first layer by its index in [`PARAMETER_NAMES`].
    fn parameter(&mut self, kind: usize) -> &mut [f64] {
        let mut parameters = self.network.parameters_mut().next().expect("a layer");
        std::mem::take(&mut parameters[kind])
    }

    /// Returns whether a unit with a kink is on another side of it than at home, for any example.
    fn crosses_a_kink(&self) -> bool {
        let kinked = |layer: &Dense<f64>| layer.activation().has_kink();
        self.network.layers().iter().enumerate().filter(|(_, layer)| kinked(layer)).any(|(l, _)| {
            let (here, home) = (self.workspace.activations(l), self.home.activations(l));
            here.iter().zip(home).any(|(a, b)| (*a > 0.0) != (*b > 0.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::CrossEntropy;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_core::{Activation, Architecture, Init, OutputActivation};

    const COST: &dyn Cost<f64> = &CrossEntropy::new(OutputActivation::Sigmoid);

    fn case(dims: &[usize], activation: Activation) -> (Network<f64>, DMatrix<f64>, Vec<u32>) {
        let shape = Architecture::new(dims.to_vec(), activation, OutputActivation::Sigmoid);
        let mut rng = Generator::new(RngKind::Modern, 3).unwrap();
        let network = Network::initialize(&shape, Init::Auto, &mut rng).unwrap();
        (network, rng.normal_matrix(dims[0], 6), vec![0, 1, 1, 0, 1, 0])
    }

    #[test]
    fn one_wrong_entry_is_found_and_named() {
        use Outcome::{Agrees, Differs};
        let (network, x, labels) = case(&[4, 3, 1], Activation::Tanh);
        for (spoiled, expected) in [
            (0, [Differs, Agrees, Agrees, Agrees, Agrees, Agrees, Agrees, Agrees]),
            (1, [Agrees, Differs, Agrees, Agrees, Agrees, Agrees, Agrees, Agrees]),
        ] {
            let mut gradients = engine_gradients(&network, &x, &labels, COST);
            gradients[spoiled].layers[0].dw[(1, 2)] *= 1.001;
            let checks = compare(&network, &x, &labels, COST, &gradients, &Options::default());
            let outcomes: Vec<_> = checks.iter().map(|c| c.outcome(2e-7)).collect();
            assert_eq!(outcomes, expected);
            let wrong = &checks[spoiled];
            assert_eq!((wrong.engine, &wrong.name[..]), (gradients[spoiled].engine, "W1"));
            // Column by column: row 1 of column 2 in three rows.
            assert_eq!(wrong.entries[wrong.worst().unwrap()], 2 * 3 + 1);
        }
    }

    #[test]
    fn entries_at_a_kink_are_left_out_and_counted() {
        // All biases are 0: where the input is 0, every unit of layer 1 is right at its kink.
        let (network, mut x, labels) = case(&[4, 3, 1], Activation::Relu);
        x.column_mut(0).fill(0.0);
        for checks in check(&network, &x, &labels, COST, &Options::default()).chunks(4) {
            let [w, _, b, _] = checks else { panic!("two engines") };
            if b.name == "b1" {
                assert_eq!((b.n_kinks, b.outcome(2e-7)), (3, Outcome::Undecided));
                // A weight does not move a unit whose input is 0.
                assert_eq!((w.n_kinks, w.outcome(2e-7)), (0, Outcome::Agrees));
            }
        }
    }

    #[test]
    fn samples_are_seeded_and_as_large_as_asked() {
        let (network, x, labels) = case(&[40, 5, 1], Activation::Tanh);
        let entries = |seed| {
            let options = Options { sample: 20, seed, ..Options::default() };
            let checks = check(&network, &x, &labels, COST, &options);
            assert!(checks.iter().all(|c| c.outcome(2e-7) == Outcome::Agrees));
            checks.into_iter().step_by(2).map(|c| c.entries).collect::<Vec<_>>()
        };
        let first = entries(1);
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [20, 5, 5, 1]);
        assert_eq!(first, entries(1));
        assert_ne!(first, entries(2));
    }

    #[test]
    fn rounding_is_not_taken_for_a_fault_nor_nan_for_rounding() {
        let small = |analytic: f64, numeric: f64| ParameterCheck {
            engine: EngineKind::Dense,
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
