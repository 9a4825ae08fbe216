//! The activation of the output layer, which makes probabilities of logits.

use crate::{Activation, Real};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// What a network applies to the logits Z of its output layer.
///
/// Files name it by the cost that a network with this output is trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutputActivation {
    /// The sigmoid of one output, the probability of class 1; two classes.
    #[serde(rename = "binary-cross-entropy")]
    Sigmoid,
    /// The softmax e^zₖ / Σⱼ e^zⱼ over one output for each class.
    #[serde(rename = "softmax-cross-entropy")]
    Softmax,
}

impl OutputActivation {
    /// Returns the number of units that the output layer needs for `n_classes` classes.
    pub fn n_outputs(self, n_classes: usize) -> usize {
        match self {
            Self::Sigmoid => 1,
            Self::Softmax => n_classes,
        }
    }

    /// Returns the number of classes that an output layer of `n_outputs` units tells apart.
    pub fn n_classes(self, n_outputs: usize) -> usize {
        match self {
            Self::Sigmoid => 2,
            Self::Softmax => n_outputs,
        }
    }

    /// Computes the output A of the network in place: `logits` becomes the sigmoid or the softmax
    /// of each column.
    ///
    /// # Shapes
    /// `logits` Z (1, m) or (n_classes, m).
    pub fn forward<F: Real>(self, logits: &mut DMatrix<F>) {
        let n_outputs = logits.nrows();
        match self {
            Self::Sigmoid => {
                Activation::Sigmoid.forward(crate::Bias::None, &mut logits.as_view_mut(), None);
            }
            Self::Softmax => {
                for z in logits.as_mut_slice().chunks_exact_mut(n_outputs) {
                    // NaN is passed over here, and shows in the sum.
                    let top = z.iter().skip(1).fold(z[0], |top, &z| if z > top { z } else { top });
                    let mut sum = F::zero();
                    for z in z.iter_mut() {
                        *z = (*z - top).exp();
                        sum += *z;
                    }
                    for z in z {
                        *z /= sum;
                    }
                }
            }
        }
    }
}

/// "sigmoid", "softmax".
impl std::fmt::Display for OutputActivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
        })
    }
}
