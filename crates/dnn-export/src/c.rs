//! A model as one file of C99.

use crate::{ExportError, check_one_view};
use dnn_core::layer_norm::EPSILON;
use dnn_core::{Activation, Network, OutputActivation, Real};
use dnn_data::{AnyNetwork, Model};
use std::fmt::Write;

/// Writes a model as one file of C99 without allocations: `dnn_probabilities` computes the probability
/// of each class from features, `dnn_class_names` names the classes.
///
/// The features are what the input contract makes of an image, or a row of a table, before it is
/// standardised; the numbers are `float` for a network in f32, `double` for one in f64. Sums are taken
/// in `double`. The file needs `math.h` alone.
///
/// # Errors
/// [`ExportError`]: what of the model is not computed from features alone.
pub fn c(model: &Model) -> Result<String, ExportError> {
    check_one_view(model.input())?;
    let model = &crate::without_temperature(model)?;
    match model.network() {
        AnyNetwork::F32(network) => code(network, model, "float", "f"),
        AnyNetwork::F64(network) => code(network, model, "double", ""),
    }
}

fn code<F: Real>(
    network: &Network<F>,
    model: &Model,
    real: &str,
    suffix: &str,
) -> Result<String, ExportError> {
    let mut out = String::new();
    let (n_features, n_classes) = (network.n_features(), network.n_classes());
    let input = serde_json::to_string(model.input())?.replace("*/", "* /");
    write!(
        out,
        "/* {} of dnn {}, from features to the probability of each class.\n\
         \x20  dnn_probabilities takes {n_features} features before they are standardised: what this input\n\
         \x20  contract makes of an image (row by row, the channels of a pixel side by side, each byte / 255),\n\
         \x20  or a row of a table.\n\
         \x20  {input} */\n\
         #include <math.h>\n\n\
         #define DNN_N_FEATURES {n_features}\n\
         #define DNN_N_CLASSES {n_classes}\n\
         typedef {real} dnn_real;\n\n\
         const char *const dnn_class_names[DNN_N_CLASSES] = {{",
        network.architecture(),
        env!("CARGO_PKG_VERSION"),
    )?;
    for (i, class) in model.classes().iter().enumerate() {
        write!(out, "{}\"{}\"", if i > 0 { ", " } else { "" }, escaped(class))?;
    }
    writeln!(out, "}};\n")?;
    let mut functions = Vec::new();
    let mut body = String::new();
    let mut x = "features".to_owned();
    if let Some(standardization) = &model.input().standardization {
        let n = standardization.mean.len();
        let values = |values: &[f64]| values.iter().map(|&v| F::of(v)).collect::<Vec<_>>();
        array(&mut out, "mean", &values(&standardization.mean), suffix)?;
        array(&mut out, "deviation", &values(&standardization.std), suffix)?;
        writeln!(body, "    dnn_real x[DNN_N_FEATURES];")?;
        writeln!(
            body,
            "    for (int i = 0; i < DNN_N_FEATURES; i++)\n        \
             x[i] = (features[i] - mean[i % {n}]) / deviation[i % {n}];"
        )?;
        if let Some(clip) = standardization.clip {
            writeln!(
                body,
                "    for (int i = 0; i < DNN_N_FEATURES; i++)\n        \
                 x[i] = x[i] < -{clip:e}{suffix} ? -{clip:e}{suffix} : x[i] > {clip:e}{suffix} ? {clip:e}{suffix} : x[i];"
            )?;
        }
        x = "x".into();
    }
    for (l, layer) in network.layers().iter().enumerate() {
        let (n, n_prev, name) = (layer.n(), layer.n_prev(), l + 1);
        array(&mut out, &format!("w{name}"), layer.weights().transpose().as_slice(), suffix)?;
        array(&mut out, &format!("b{name}"), layer.bias().as_slice(), suffix)?;
        let is_last = name == network.layers().len();
        let a = if is_last { "z".into() } else { format!("a{name}") };
        writeln!(body, "    dnn_real {a}[{n}];")?;
        writeln!(body, "    linear(w{name}, b{name}, {x}, {a}, {n_prev}, {n});")?;
        if let Some(norm) = layer.layer_norm() {
            array(&mut out, &format!("gamma{name}"), norm.gamma().as_slice(), suffix)?;
            array(&mut out, &format!("beta{name}"), norm.beta().as_slice(), suffix)?;
            writeln!(body, "    layer_norm(gamma{name}, beta{name}, {a}, {n});")?;
        }
        if let Some((function, _)) = function(layer.activation(), suffix) {
            functions.push(layer.activation());
            writeln!(body, "    for (int i = 0; i < {n}; i++) {a}[i] = {function}({a}[i]);")?;
        }
        x = a;
    }
    match network.output() {
        OutputActivation::Sigmoid => {
            functions.push(Activation::Sigmoid);
            writeln!(body, "    probabilities[1] = sigmoid(z[0]);")?;
            writeln!(body, "    probabilities[0] = 1 - probabilities[1];")?;
        }
        OutputActivation::Softmax => write!(
            body,
            "    dnn_real top = z[0];\n    \
             double sum = 0;\n    \
             for (int i = 1; i < DNN_N_CLASSES; i++) if (z[i] > top) top = z[i];\n    \
             for (int i = 0; i < DNN_N_CLASSES; i++) sum += probabilities[i] = exp{suffix}(z[i] - top);\n    \
             for (int i = 0; i < DNN_N_CLASSES; i++) probabilities[i] /= (dnn_real)sum;\n"
        )?,
    }
    // SiLU is written with the sigmoid.
    if functions.contains(&Activation::Silu) {
        functions.insert(0, Activation::Sigmoid);
    }
    for (i, activation) in functions.iter().enumerate() {
        if let (false, Some((name, value))) =
            (functions[..i].contains(activation), function(*activation, suffix))
        {
            writeln!(out, "static dnn_real {name}(dnn_real z) {{ return {value}; }}\n")?;
        }
    }
    write!(
        out,
        "/* y = W x + b: W (n, n_prev) row by row. */\n\
         static void linear(const dnn_real *w, const dnn_real *b, const dnn_real *x, dnn_real *y,\n                   \
         int n_prev, int n) {{\n    \
         for (int i = 0; i < n; i++) {{\n        \
         double sum = b[i];\n        \
         for (int j = 0; j < n_prev; j++) sum += (double)w[(long)i * n_prev + j] * x[j];\n        \
         y[i] = (dnn_real)sum;\n    \
         }}\n}}\n\n"
    )?;
    if !network.architecture().normalization.is_none() {
        write!(
            out,
            "/* z = gamma (z - mean) / sqrt(variance + {EPSILON:e}) + beta. */\n\
             static void layer_norm(const dnn_real *gamma, const dnn_real *beta, dnn_real *z, int n) {{\n    \
             double mean = 0, variance = 0;\n    \
             for (int i = 0; i < n; i++) mean += z[i] / (double)n;\n    \
             for (int i = 0; i < n; i++) variance += (z[i] - mean) * (z[i] - mean) / n;\n    \
             for (int i = 0; i < n; i++)\n        \
             z[i] = (dnn_real)(gamma[i] * ((z[i] - mean) / sqrt(variance + {EPSILON:e})) + beta[i]);\n}}\n\n"
        )?;
    }
    write!(
        out,
        "void dnn_probabilities(const dnn_real features[DNN_N_FEATURES],\n                       \
         dnn_real probabilities[DNN_N_CLASSES]) {{\n{body}}}\n"
    )?;
    Ok(out)
}

/// The name of an activation in C, and its value for `z`; `None` for the identity.
fn function(activation: Activation, f: &str) -> Option<(&'static str, String)> {
    Some(match activation {
        Activation::Identity => return None,
        Activation::Relu => ("relu", "z < 0 ? 0 : z".into()),
        Activation::Sigmoid => ("sigmoid", format!("1 / (1 + exp{f}(-z))")),
        Activation::Tanh => ("hyperbolic_tangent", format!("tanh{f}(z)")),
        Activation::LeakyRelu => ("leaky_relu", format!("z > 0 ? z : 0.01{f} * z")),
        Activation::Elu => ("elu", format!("z > 0 ? z : expm1{f}(z)")),
        Activation::Silu => ("silu", "z * sigmoid(z)".into()),
        Activation::Gelu => {
            ("gelu", format!("z * 0.5{f} * erfc{f}(-z * 0.70710678118654752440{f})"))
        }
    })
}

/// A constant array, each number in the fewest digits that are read as it.
fn array<F: Real>(out: &mut String, name: &str, values: &[F], suffix: &str) -> std::fmt::Result {
    write!(out, "static const dnn_real {name}[{}] = {{", values.len())?;
    for (i, value) in values.iter().enumerate() {
        out.push_str(if i % 8 == 0 { "\n    " } else { " " });
        if suffix.is_empty() {
            write!(out, "{:e},", value.as_f64())?;
        } else {
            write!(out, "{:e}{suffix},", value.as_f64() as f32)?;
        }
    }
    writeln!(out, "\n}};\n")
}

/// Text within quotes of C: everything but plain characters as octal bytes, which end by themselves.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _-.,:;()+=&#/".contains(&byte);
    let each = |byte: u8| {
        if is_plain(byte) { char::from(byte).to_string() } else { format!("\\{byte:03o}") }
    };
    text.bytes().map(each).collect()
}
