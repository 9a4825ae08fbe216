//! How training is judged while it goes on, and what its examples weigh.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number that early stopping goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// The cost on the validation set: the smaller, the better.
    #[default]
    ValidationCost,
    /// The accuracy on the validation set: the larger, the better.
    ValidationAccuracy,
}

/// How much the examples of each class count in the cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected \"none\", \"balanced\" or a list of numbers")]
pub enum ClassWeights {
    /// All the same, or each class as much as any other.
    Named(NamedWeights),
    /// A weight for each class, in their order.
    Given(#[schemars(inner(range(min = 0)))] Vec<f64>),
}

impl Default for ClassWeights {
    fn default() -> Self {
        Self::Named(NamedWeights::None)
    }
}

impl ClassWeights {
    /// Returns the weight of each class for these labels, or `None` when all count 1. A class
    /// without examples weighs 1.
    pub fn of(&self, labels: &[u32], n_classes: usize) -> Option<Vec<f64>> {
        match self {
            Self::Named(NamedWeights::None) => None,
            Self::Given(weights) => Some(weights.clone()),
            Self::Named(NamedWeights::Balanced) => {
                let mut counts = vec![0_usize; n_classes];
                for &label in labels {
                    counts[label as usize] += 1;
                }
                let fair = labels.len() as f64 / n_classes as f64;
                let weight = |&n: &usize| if n == 0 { 1.0 } else { fair / n as f64 };
                Some(counts.iter().map(weight).collect())
            }
        }
    }
}

/// Class weights that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NamedWeights {
    /// Every example counts 1.
    None,
    /// Examples of a class count m / (classes · examples of the class).
    Balanced,
}

/// The output layer and its loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossChoice {
    /// The sigmoid for two classes, the softmax for more.
    #[default]
    Auto,
    /// One sigmoid output; two classes.
    Sigmoid,
    /// A softmax over one output a class.
    Softmax,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_make_the_classes_equal() {
        let balanced = ClassWeights::Named(NamedWeights::Balanced);
        assert_eq!(balanced.of(&[0, 0, 0, 1], 2), Some(vec![4.0 / 6.0, 2.0]));
        assert_eq!(balanced.of(&[0, 0], 2), Some(vec![0.5, 1.0]), "an absent class");
        assert_eq!(ClassWeights::default().of(&[0, 1], 2), None);
    }
}
