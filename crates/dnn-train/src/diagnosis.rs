//! How the hidden layers of a network fare, and what is wrong there, in words.

use crate::evaluation::{examples_at_once, selected};
use dnn_core::metrics::Prediction;
use dnn_core::network::Workspace;
use dnn_core::{Activation, DatasetError, Examples, Network, Real};
use nalgebra::DMatrix;
use std::ops::Range;

/// How a hidden layer fares: what tells whether it still learns.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LayerHealth {
    /// Number of units of the layer.
    pub units: usize,
    /// Number of dead units, which give the same answer to every example and learn nothing any
    /// more: ReLUs that are above zero for no example.
    pub dead: usize,
    /// Share of the values of a sigmoid or tanh that are within 1 % of its limits.
    pub saturated: f64,
    /// Root mean square of dZ, not divided by the number of examples. Not finite when the squares
    /// overflow; JSON has null for it then.
    #[serde(deserialize_with = "null_is_nan")]
    pub gradient_rms: f64,
}

/// serde_json writes numbers that are not finite as null, and does not read them back.
fn null_is_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(<Option<f64> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// "2 of 20 dead", "12 % of the values saturated" or "all alive".
impl std::fmt::Display for LayerHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self { dead: 1.., .. } => write!(f, "{} of {} dead", self.dead, self.units),
            Self { saturated, .. } if *saturated > 0.0 => {
                write!(f, "{:.0} % of the values saturated", 100.0 * saturated)
            }
            _ => f.write_str("all alive"),
        }
    }
}

impl LayerHealth {
    /// Measures a layer by the values of each unit and the size of its gradients.
    pub(crate) fn of<F: Real>(
        units: impl Iterator<Item = impl AsRef<[F]>>,
        activation: Activation,
        gradient_rms: f64,
    ) -> Self {
        let (mut n_units, mut dead, mut saturated, mut n_values) = (0, 0, 0, 0);
        for unit in units {
            let unit = unit.as_ref();
            n_units += 1;
            n_values += unit.len();
            let silent = activation.can_die() && unit.iter().all(|&a| a == F::zero());
            dead += usize::from(silent);
            saturated += unit.iter().filter(|a| activation.is_saturated(a.as_f64())).count();
        }
        let saturated = if n_values == 0 { 0.0 } else { saturated as f64 / n_values as f64 };
        Self { units: n_units, dead, saturated, gradient_rms }
    }
}

/// Finds dead and saturated units in each hidden layer of `network` on these examples. The size of
/// the gradients is not known from the network alone: it is taken from `trained`, the health at the
/// last logged iteration of training.
///
/// # Errors
/// When the examples cannot be read.
/// # Panics
/// When they do not have the network's number of features.
pub fn diagnose<F: Real>(
    network: &Network<F>,
    examples: &dyn Examples<F>,
    trained: &[LayerHealth],
) -> Result<Vec<LayerHealth>, DatasetError> {
    /// So many examples are enough.
    const SOME: usize = 4096;
    let hidden = &network.layers()[..network.layers().len() - 1];
    let some = evenly(examples.n_examples(), SOME, examples_at_once(examples));
    let m = some.iter().map(ExactSizeIterator::len).sum();
    let mut activations: Vec<DMatrix<F>> =
        hidden.iter().map(|layer| DMatrix::zeros(layer.n(), m)).collect();
    let mut from = 0;
    for range in some {
        let (start, n) = (range.start, range.len());
        let mut take = |at: usize, workspace: &Workspace<F>| {
            for (l, all) in activations.iter_mut().enumerate() {
                let part = workspace.activations(l);
                all.columns_mut(from + at, part.ncols()).copy_from(part);
            }
        };
        if let Some(all) = examples.matrix() {
            network.forward_in_parts(&all.columns(start, n), &mut take);
        } else {
            let (x, _) = selected(examples, &range.collect::<Vec<_>>())?;
            network.forward_in_parts(&x, &mut take);
        }
        from += n;
    }
    let health = hidden.iter().zip(&activations).enumerate().map(|(l, (layer, a))| {
        let gradient_rms = trained.get(l).map_or(f64::NAN, |layer| layer.gradient_rms);
        // Units are rows here.
        LayerHealth::of(
            a.row_iter().map(|unit| unit.iter().copied().collect::<Vec<_>>()),
            layer.activation(),
            gradient_rms,
        )
    });
    Ok(health.collect())
}

/// All of `m`, or `n` of them and a few: in pieces of neighbours, from the first to the last.
fn evenly(m: usize, n: usize, at_once: usize) -> Vec<Range<usize>> {
    if m <= n {
        return (0..m).step_by(at_once).map(|from| from..m.min(from + at_once)).collect();
    }
    let n_pieces = n.div_ceil(at_once);
    let start = |i: usize| i * (m - at_once) / (n_pieces - 1).max(1);
    (0..n_pieces).map(|i| start(i)..start(i) + at_once).collect()
}

/// A larger ratio between the gradients of the first and the last hidden layer is reported.
const GRADIENT_RATIO: f64 = 1e4;
/// A larger share of saturated values is reported.
const SATURATED: f64 = 0.5;

/// Returns what a user should know about these layers, a sentence for each finding; empty if there
/// is none.
pub fn findings(health: &[LayerHealth], activations: &[Activation]) -> Vec<String> {
    let mut findings = Vec::new();
    for (l, layer) in health.iter().enumerate() {
        let (name, units) = (format!("hidden layer {}", l + 1), layer.units);
        if layer.dead == units && units > 0 {
            findings.push(format!(
                "all {units} units of {name} are dead: every image gets the same answer"
            ));
        } else if layer.dead > 0 {
            let (are, they) = if layer.dead == 1 { ("is", "it") } else { ("are", "they") };
            findings.push(format!(
                "{} of {units} units of {name} {are} dead, never above 0 on the training images: \
                 what only {they} could tell apart gets the same answer; a smaller learning rate, \
                 init he, or leaky-relu may prevent that",
                layer.dead
            ));
        }
        if layer.saturated > SATURATED {
            let activation = activations.get(l).map_or_else(String::new, |a| format!(" ({a})"));
            findings.push(format!(
                "{:.0} % of the values of {name}{activation} are at its limits, where gradients \
                 vanish; smaller initial weights or init glorot may help",
                100.0 * layer.saturated
            ));
        }
    }
    let known = |l: &LayerHealth| l.gradient_rms.is_finite() && l.gradient_rms > 0.0;
    if let (Some(first), Some(last)) = (health.first(), health.last())
        && known(first)
        && known(last)
    {
        let ratio = last.gradient_rms / first.gradient_rms;
        if ratio > GRADIENT_RATIO {
            findings.push(format!(
                "the gradients vanish: dZ of the first layer is {ratio:.0} times smaller than that \
                 of the last hidden one"
            ));
        } else if ratio < 1.0 / GRADIENT_RATIO {
            findings.push(format!(
                "the gradients explode: dZ of the first layer is {:.0} times larger than that of \
                 the last hidden one; clip_norm may help",
                1.0 / ratio
            ));
        }
    }
    findings
}

/// A final cost so many times that of the start is called divergence.
const DIVERGED: f64 = 1e6;

/// Returns what a user should know of a network's answers on the training examples, a sentence each:
/// that all examples got the same answer although they are of several classes, or that `cost`, the
/// cost at the end, is a million times `start`, the cost before the first update.
pub fn findings_of_answers(
    predictions: &[Prediction],
    labels: &[u32],
    classes: &[String],
    start: Option<f64>,
    cost: f64,
) -> Vec<String> {
    let mut findings = Vec::new();
    let are_of_several_classes = labels.windows(2).any(|pair| pair[0] != pair[1]);
    if let Some(first) = predictions.first()
        && are_of_several_classes
        && predictions.iter().all(|prediction| prediction.class == first.class)
    {
        let class = classes.get(first.class as usize).map_or("", String::as_str);
        findings.push(format!(
            "the network gives every training image the same answer, {class}: it tells nothing \
             apart; more iterations, another learning rate or another init may help"
        ));
    }
    if let Some(start) = start
        && start > 0.0
        && cost > DIVERGED * start
    {
        findings.push(format!(
            "the training diverged: the cost is {:.0e} times that of the start; a smaller learning \
             rate or clip_norm may help",
            cost / start
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(units: usize, dead: usize, saturated: f64, gradient_rms: f64) -> LayerHealth {
        LayerHealth { units, dead, saturated, gradient_rms }
    }

    #[test]
    fn some_examples_are_from_everywhere() {
        assert_eq!(evenly(5, 8, 2), [0..2, 2..4, 4..5]);
        assert_eq!(evenly(100, 8, 4), [0..4, 96..100]);
        assert_eq!(evenly(100, 12, 4), [0..4, 48..52, 96..100]);
    }

    #[test]
    fn dead_units_and_saturation_are_found() {
        let relu =
            LayerHealth::of([vec![0.0, 0.0], vec![0.0, 1.0]].into_iter(), Activation::Relu, 0.1);
        assert_eq!(relu, layer(2, 1, 0.0, 0.1));
        let tanh =
            LayerHealth::of([vec![0.0, 0.99], vec![-0.99, 1.0]].into_iter(), Activation::Tanh, 0.1);
        assert_eq!(tanh, layer(2, 0, 0.75, 0.1));
    }

    #[test]
    fn the_same_answer_for_all_and_divergence_are_said() {
        let classes = ["non-cat".to_owned(), "cat".to_owned()];
        let answers = |all: &[u32]| -> Vec<_> {
            all.iter().map(|&class| Prediction { class, probability: 0.7 }).collect()
        };
        let found = |predicted: &[u32], labels: &[u32], cost| {
            findings_of_answers(&answers(predicted), labels, &classes, Some(0.7), cost)
        };
        let same = found(&[1, 1, 1], &[0, 1, 0], 0.6);
        assert_eq!(same.len(), 1, "{same:?}");
        assert!(same[0].contains("every training image the same answer, cat:"), "{same:?}");
        let diverged = found(&[0, 1, 1], &[0, 1, 0], 0.8e6);
        assert_eq!(diverged.len(), 1, "{diverged:?}");
        assert!(diverged[0].starts_with("the training diverged"), "{diverged:?}");
        // Some are told apart, all are of one class, and a cost below the limit.
        assert!(found(&[0, 1, 1], &[0, 1, 0], 0.6e6).is_empty());
        assert!(found(&[1, 1], &[1, 1], 0.6).is_empty());
        assert!(found(&[], &[], 0.6).is_empty());
    }

    #[test]
    fn they_are_said_in_words() {
        let relu = [Activation::Relu; 2];
        assert!(findings(&[layer(20, 0, 0.0, 1.0), layer(7, 0, 0.0, 1.0)], &relu).is_empty());
        let found = findings(&[layer(20, 0, 0.0, 1.0), layer(7, 2, 0.0, 1.0)], &relu);
        assert!(found[0].starts_with("2 of 7 units of hidden layer 2 are dead"), "{found:?}");
        let found = findings(&[layer(5, 0, 0.9, 1.0)], &[Activation::Tanh]);
        assert!(found[0].starts_with("90 % of the values of hidden layer 1 (tanh)"), "{found:?}");
        let found = findings(&[layer(5, 0, 0.0, 1e-9), layer(5, 0, 0.0, 1.0)], &relu);
        assert!(found[0].starts_with("the gradients vanish"), "{found:?}");
        let found = findings(&[layer(5, 0, 0.0, 1e9), layer(5, 0, 0.0, 1.0)], &relu);
        assert!(found[0].starts_with("the gradients explode"), "{found:?}");
    }
}
