//! What can be wrong with the layers of a network.

use crate::activation::Activation;
use crate::output::OutputActivation;

/// Why layers do not make a network. Layers are counted from 1, as in W1, b1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A network without layers.
    #[error("a network needs at least one layer, and layer sizes that start with the input's")]
    NoLayers,
    /// A layer without units or inputs.
    #[error("a layer of {n} units over {n_prev} inputs: both must be at least 1")]
    EmptyLayer {
        /// Number of units of the layer.
        n: usize,
        /// Inputs.
        n_prev: usize,
    },
    /// The bias does not fit the weights.
    #[error("a bias of {bias} values for a layer of {n} units")]
    Bias {
        /// Number of units of the layer.
        n: usize,
        /// Values in the bias.
        bias: usize,
    },
    /// The gain and the shift of a normalisation do not fit the weights.
    #[error("a normalisation with {gamma} values of γ and {beta} of β for a layer of {n} units")]
    LayerNorm {
        /// Number of units of the layer.
        n: usize,
        /// Values of γ.
        gamma: usize,
        /// Values of β.
        beta: usize,
    },
    /// Some hidden layers are normalised and others are not, or the output layer is.
    #[error(
        "layer {layer} is {got}: expected all hidden layers alike, and an output layer that is not \
         normalised"
    )]
    Normalization {
        /// Which layer differs.
        layer: usize,
        /// "normalised" or "not normalised".
        got: &'static str,
    },
    /// A layer does not take what the one before it gives.
    #[error("layer {layer} takes {n_prev} inputs, but the layer before it has {n_before} units")]
    Chain {
        /// Which layer.
        layer: usize,
        /// Its inputs.
        n_prev: usize,
        /// Units of the layer before.
        n_before: usize,
    },
    /// The number of hidden activations is not the number of hidden layers.
    #[error("{got} activations for {expected} hidden layers")]
    Activations {
        /// Hidden layers.
        expected: usize,
        /// Activations given.
        got: usize,
    },
    /// The output layer has an activation of its own.
    #[error(
        "the output layer has activation {got}: expected identity, since the network applies its \
         sigmoid or softmax itself"
    )]
    HiddenOutput {
        /// The activation found.
        got: Activation,
    },
    /// The number of output units does not fit the output activation.
    #[error("an output layer of {got} units for a {output}: expected {expected}")]
    Outputs {
        /// The network's output activation.
        output: OutputActivation,
        /// What it needs, in words.
        expected: &'static str,
        /// Units of the output layer.
        got: usize,
    },
    /// A temperature that cannot divide logits.
    #[error("a temperature of {got}: expected a finite number above 0")]
    Temperature {
        /// The number given, in words.
        got: String,
    },
}
