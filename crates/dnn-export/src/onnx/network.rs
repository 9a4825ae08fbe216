//! From features to probabilities: what `dnn_core::Network` computes, as operators.

use super::graph::{Element, Value};
use dnn_core::layer_norm::EPSILON;
use dnn_core::{Activation, Network, OutputActivation, Real};
use dnn_data::InputContract;

/// Standardises features by the contract.
///
/// # Shapes
/// `features` (N, n₀) → the same.
pub(super) fn standardize<'g>(features: Value<'g>, contract: &InputContract) -> Value<'g> {
    let Some(standardization) = &contract.standardization else { return features };
    let n = standardization.mean.len();
    let numbers =
        |values: &[f64]| features.graph().numbers(values, &[values.len()], features.element);
    let (mean, std) = (numbers(&standardization.mean), numbers(&standardization.std));
    let standardized = if n == contract.n_features() {
        (features - mean) / std
    } else {
        ((features.reshape(&[0, -1, n as i64]) - mean) / std).reshape(&[0, -1])
    };
    standardization.clip.map_or(standardized, |clip| standardized.clamp(-clip, clip))
}

/// Applies the layers, and makes probabilities of the logits as [`Network::probabilities_of_logits`]
/// does: with several views of those of the mean over the views.
///
/// # Shapes
/// `x` (views·N, n₀), a view after the other → (N, n_classes), each row sums to 1.
pub(super) fn probabilities<'g, F: Real>(
    network: &Network<F>,
    x: Value<'g>,
    views: u32,
) -> Value<'g> {
    let graph = x.graph();
    let mut a = x;
    for (l, layer) in network.layers().iter().enumerate() {
        // Columns of W are rows of Wᵀ. The bias apart, since the Gemm of tract takes none in f64.
        let (weights, shape) = (layer.weights().as_slice(), [layer.n_prev(), layer.n()]);
        let w_transposed = graph.reals(weights, &shape, &format!("layers.{l}.weight"));
        let vector = |values: &[F], name: &str| {
            graph.reals(values, &[layer.n()], &format!("layers.{l}.{name}"))
        };
        let mut z = a.gemm(w_transposed) + vector(layer.bias().as_slice(), "bias");
        if let Some(norm) = layer.layer_norm() {
            let gamma = vector(norm.gamma().as_slice(), "norm.weight");
            z = layer_norm(z, layer.n()) * gamma + vector(norm.beta().as_slice(), "norm.bias");
        }
        a = activation(z, layer.activation());
    }
    let mut logits = if views == 1 { a } else { logits_of_mean(network, a, views) };
    if network.temperature() != 1.0 {
        logits = logits / network.temperature();
    }
    match network.output() {
        OutputActivation::Softmax => logits.softmax(),
        OutputActivation::Sigmoid => {
            let second = logits.sigmoid();
            Value::concat(&[1.0 - second, second], 1)
        }
    }
}

/// Ẑ: mean 0 and variance 1 over the `n` units of each row. Not ONNX's LayerNormalization, whose ε is an
/// f32.
fn layer_norm<'g>(z: Value<'g>, n: usize) -> Value<'g> {
    let mean = |values: Value<'g>| values.sum(&[1]) / n as f64;
    let centred = z - mean(z);
    centred / (mean(centred * centred) + EPSILON).sqrt()
}

/// The logits of the mean of the probabilities over the views, as [`OutputActivation::logits_of_mean`]:
/// from logarithms, in f64; with a softmax all are greater by the logarithm of the number of views, which
/// changes no probability.
///
/// # Shapes
/// `logits` (views·N, n_L) → (N, n_L).
fn logits_of_mean<'g, F: Real>(network: &Network<F>, logits: Value<'g>, views: u32) -> Value<'g> {
    fn log_sigmoid(z: Value<'_>) -> Value<'_> {
        z.min(z.number(0.0)) - ((0.0 - z.abs()).exp() + 1.0).ln()
    }
    let n_outputs = network.output().n_outputs(network.n_classes()) as i64;
    let z = logits.cast(Element::F64).reshape(&[views.into(), -1, n_outputs]);
    let mean = match network.output() {
        OutputActivation::Softmax => (z - z.log_sum_exp(2)).log_sum_exp(0),
        OutputActivation::Sigmoid => {
            log_sigmoid(z).log_sum_exp(0) - log_sigmoid(0.0 - z).log_sum_exp(0)
        }
    };
    mean.reshape(&[-1, n_outputs]).cast(logits.element)
}

fn activation(z: Value<'_>, activation: Activation) -> Value<'_> {
    match activation {
        Activation::Identity => z,
        Activation::Relu => z.relu(),
        Activation::Sigmoid => z.sigmoid(),
        Activation::Tanh => z.tanh(),
        // Not ONNX's LeakyRelu, whose slope is an f32.
        Activation::LeakyRelu => z.max(z * 0.01),
        Activation::Elu => z.relu() + (z.min(z.number(0.0)).exp() - 1.0),
        // Not z·σ(z), which onnxruntime-web makes an operator of that it has for f32 only.
        Activation::Silu => z / ((0.0 - z).exp() + 1.0),
        Activation::Gelu => z * normal_cdf(z),
    }
}

/// Φ(z), the cumulative distribution of N(0, 1). ONNX has the error function, which runtimes compute
/// for f32 only.
fn normal_cdf(z: Value<'_>) -> Value<'_> {
    if z.element == Element::F32 {
        return (1.0 + (z * std::f64::consts::FRAC_1_SQRT_2).erf()) * 0.5;
    }
    let a = z.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let t = 2.0 / (a + 2.0);
    let y = t * 2.0 - 1.0;
    let series = LN_ERFC.iter().rev().skip(1).fold(y.number(LN_ERFC[27]), |sum, &c| sum * y + c);
    let tail = t * (series - a * a).exp() * 0.5;
    z.less(z.number(0.0)).select(tail, 1.0 - tail)
}

/// ln(erfc(x)/t) + x² as a polynomial in 2t − 1, t = 2 / (2 + x), for x ≥ 0: its Chebyshev series up to
/// degree 27 in powers of the argument. erfc from it is off by 4.5e-16 at most.
///
/// Made with mpmath 1.4, 60 digits: coefficients by the cosine sum over the 200 nodes of T₂₀₀, from
/// `log(hyperu(1/2, 1/2, x*x) / sqrt(pi) / t)`, which is the function with erfc scaled.
const LN_ERFC: [f64; 28] = [
    -0.671_794_084_056_692_3,
    0.672_643_223_977_656_7,
    0.047_343_306_841_904_43,
    -0.046_895_610_231_175_3,
    -0.009_872_689_366_389_959,
    0.008_824_938_557_060_623,
    0.001_758_933_557_799_016,
    -0.002_345_812_500_482_853,
    -0.000_146_246_863_378_003_36,
    0.000_673_678_795_580_235,
    -9.373_503_117_098_17e-5,
    -0.000_174_302_947_203_076_2,
    7.140_101_412_757_03e-5,
    3.174_517_974_943_74e-5,
    -3.018_788_455_139_424_3e-5,
    1.377_266_413_446_441_7e-7,
    8.562_623_420_121_286e-6,
    -2.947_986_876_998_259e-6,
    -1.272_311_904_868_87e-6,
    1.250_027_661_256_975_4e-6,
    -1.684_980_072_065_329_7e-7,
    -2.495_832_761_719_667e-7,
    1.533_434_592_090_817_7e-7,
    1.444_865_804_625_267_6e-9,
    -3.917_182_051_027_185_5e-8,
    1.117_235_226_362_375_9e-8,
    4.060_882_146_969_72e-9,
    -1.890_230_600_894_453_7e-9,
];
