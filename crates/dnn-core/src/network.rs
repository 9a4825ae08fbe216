//! The network: dense layers in a chain, and the output activation.

use crate::Real;
use crate::activation::{Activation, Bias};
use crate::error::NetworkError;
use crate::gemm::{Factor, PackedForVector, gemm, plain};
use crate::init::Init;
use crate::layer::Dense;
use crate::layer_norm::LayerNorm;
use crate::output::OutputActivation;
use crate::rng::Generator;
use nalgebra::{DMatrix, DVector, Dyn, Matrix, RawStorage};
use serde::{Deserialize, Serialize};

/// What the hidden layers do to their sums Z before the activation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum HiddenNormalization {
    /// The activation is applied to the sums as they are.
    #[default]
    None,
    /// Layer normalisation: mean 0 and variance 1 over the units of each example,
    /// then a gain γ and a shift β that are learnt (Ba et al. 2016).
    Layer,
}

impl HiddenNormalization {
    /// Returns whether there is none.
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it with a reference
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// The shape of a network, without its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// n₀, n₁, …, n_L: inputs, then the units of each layer.
    #[doc(alias = "layers_dims")]
    pub layer_dims: Vec<usize>,
    /// The activation of each hidden layer: L − 1 of them.
    pub activations: Vec<Activation>,
    /// What the hidden layers do to Z before the activation; left out of files when nothing.
    #[serde(default, skip_serializing_if = "HiddenNormalization::is_none")]
    pub normalization: HiddenNormalization,
    /// What is applied to the logits of the output layer; `loss` in files.
    #[serde(rename = "loss")]
    pub output: OutputActivation,
}

impl Architecture {
    /// Makes the shape of a network with layers of these sizes, all hidden ones with the same
    /// activation and none normalised.
    pub fn new(layer_dims: Vec<usize>, activation: Activation, output: OutputActivation) -> Self {
        let n_hidden = layer_dims.len().saturating_sub(2);
        Self {
            layer_dims,
            activations: vec![activation; n_hidden],
            normalization: HiddenNormalization::None,
            output,
        }
    }

    /// Checks that a network can have this shape.
    ///
    /// # Errors
    /// [`NetworkError`], naming the first fault.
    pub fn check(&self) -> Result<(), NetworkError> {
        if self.layer_dims.len() < 2 {
            return Err(NetworkError::NoLayers);
        }
        if let Some(pair) = self.layer_dims.windows(2).find(|pair| pair.contains(&0)) {
            return Err(NetworkError::EmptyLayer { n: pair[1], n_prev: pair[0] });
        }
        let n_hidden = self.layer_dims.len() - 2;
        if self.activations.len() != n_hidden {
            let got = self.activations.len();
            return Err(NetworkError::Activations { expected: n_hidden, got });
        }
        check_outputs(self.output, self.layer_dims[self.layer_dims.len() - 1])
    }

    /// Returns the number of parameters: weights, biases, and γ and β where layers are normalised.
    pub fn n_parameters(&self) -> usize {
        (0..self.layer_dims.len().saturating_sub(1)).map(|l| self.n_parameters_of(l)).sum()
    }

    /// Returns the number of parameters of the layer with this index, from 0.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn n_parameters_of(&self, layer: usize) -> usize {
        let (n_prev, n) = (self.layer_dims[layer], self.layer_dims[layer + 1]);
        (n_prev + 1) * n + if self.normalizes(layer) { 2 * n } else { 0 }
    }

    /// Returns whether the layer with this index, from 0, is normalised: hidden layers are, if any.
    pub fn normalizes(&self, layer: usize) -> bool {
        layer + 2 < self.layer_dims.len() && !self.normalization.is_none()
    }
}

/// "12288-20-7-5-1", the input counted.
impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, n) in self.layer_dims.iter().enumerate() {
            write!(f, "{}{n}", if i > 0 { "-" } else { "" })?;
        }
        Ok(())
    }
}

fn check_outputs(output: OutputActivation, got: usize) -> Result<(), NetworkError> {
    match output {
        OutputActivation::Sigmoid if got != 1 => {
            Err(NetworkError::Outputs { output, expected: "1", got })
        }
        OutputActivation::Softmax if got < 2 => {
            Err(NetworkError::Outputs { output, expected: "one for each class, at least 2", got })
        }
        _ => Ok(()),
    }
}

/// [LINEAR → activation] × (L−1) → LINEAR → sigmoid or softmax.
#[derive(Debug, Clone, PartialEq)]
pub struct Network<F: Real> {
    layers: Vec<Dense<F>>,
    output: OutputActivation,
    temperature: f64,
}

/// Divides the logits of a network with these layers by its temperature, once for all.
pub(crate) fn divide_logits<F: Real>(layers: &mut [Dense<F>], temperature: f64) {
    let t = F::of(temperature);
    if let Some(last) = layers.last_mut() {
        for parameters in [last.w.as_mut_slice(), last.b.as_mut_slice()] {
            for parameter in parameters {
                *parameter /= t;
            }
        }
    }
}

/// The activations of every layer for batches of one size, to be used again and again.
#[derive(Debug, Clone)]
pub struct Workspace<F: Real> {
    /// A of each layer (n, m); the last one is Z, the logits.
    a: Vec<DMatrix<F>>,
}

impl<F: Real> Workspace<F> {
    /// Makes a workspace for batches of `m` examples.
    pub fn new(network: &Network<F>, m: usize) -> Self {
        Self { a: network.layers.iter().map(|layer| DMatrix::zeros(layer.n(), m)).collect() }
    }

    /// Returns the logits Z of the output layer (n_L, m), after a forward pass.
    pub fn logits(&self) -> &DMatrix<F> {
        self.a.last().expect("a network has layers")
    }

    /// Returns A (n, m) of the layer with this index, from 0, after a forward pass; for the last
    /// layer the logits.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn activations(&self, layer: usize) -> &DMatrix<F> {
        &self.a[layer]
    }
}

impl<F: Real> Network<F> {
    /// Makes a network of these layers, after checking that their shapes fit each other.
    ///
    /// # Errors
    /// Each variant of [`NetworkError`], naming the first layer at fault.
    pub fn new(layers: Vec<Dense<F>>, output: OutputActivation) -> Result<Self, NetworkError> {
        let Some(last) = layers.last() else { return Err(NetworkError::NoLayers) };
        for (i, pair) in layers.windows(2).enumerate() {
            if pair[1].n_prev() != pair[0].n() {
                let (n_prev, n_before) = (pair[1].n_prev(), pair[0].n());
                return Err(NetworkError::Chain { layer: i + 2, n_prev, n_before });
            }
        }
        if last.activation != Activation::Identity {
            return Err(NetworkError::HiddenOutput { got: last.activation });
        }
        let is_normalized = |layer: &Dense<F>| layer.layer_norm.is_some();
        for (i, layer) in layers.iter().enumerate() {
            let expected = i + 1 < layers.len() && is_normalized(&layers[0]);
            if is_normalized(layer) != expected {
                let got = if expected { "not normalised" } else { "normalised" };
                return Err(NetworkError::Normalization { layer: i + 1, got });
            }
        }
        check_outputs(output, last.n())?;
        Ok(Self { layers, output, temperature: 1.0 })
    }

    /// Makes a network of this shape: its weights are drawn layer by layer, its biases are zero, and
    /// where it is normalised γ = 1 and β = 0.
    ///
    /// # Errors
    /// When no network has this shape.
    #[doc(alias = "initialize_parameters_deep")]
    pub fn initialize(
        architecture: &Architecture,
        init: Init,
        rng: &mut Generator,
    ) -> Result<Self, NetworkError> {
        architecture.check()?;
        let hidden = architecture.activations.iter().copied();
        let layers = architecture
            .layer_dims
            .windows(2)
            .zip(hidden.chain([Activation::Identity]))
            .enumerate()
            .map(|(l, (pair, activation))| {
                let w = init.of_layer(activation).weights(pair[1], pair[0], rng);
                let norm = architecture.normalizes(l).then(|| LayerNorm::identity(pair[1]));
                Dense::new(w, DVector::zeros(pair[1]), activation)?.with_layer_norm(norm)
            })
            .collect::<Result<_, _>>()?;
        Self::new(layers, architecture.output)
    }

    /// Returns the layers, first one first.
    pub fn layers(&self) -> &[Dense<F>] {
        &self.layers
    }

    /// Returns the parameters of each layer as mutable slices, in the order of
    /// [`PARAMETER_NAMES`](crate::layer::PARAMETER_NAMES), W column by column, γ and β empty where a
    /// layer is not normalised: for optimizers, which change values and cannot change shapes.
    pub fn parameters_mut(&mut self) -> impl ExactSizeIterator<Item = [&mut [F]; 4]> {
        self.layers.iter_mut().map(Dense::parameters_mut)
    }

    /// Returns what the network applies to its logits.
    pub fn output(&self) -> OutputActivation {
        self.output
    }

    /// Returns the same network with probabilities at another temperature T: those of Z/T (Guo et al.
    /// 2017). Above 1 it is less sure, below 1 surer, and its predictions stay the same.
    ///
    /// # Errors
    /// [`NetworkError::Temperature`] unless T is a finite number above 0.
    pub fn with_temperature(self, temperature: f64) -> Result<Self, NetworkError> {
        if !temperature.is_finite() || temperature <= 0.0 {
            return Err(NetworkError::Temperature { got: temperature.to_string() });
        }
        Ok(Self { temperature, ..self })
    }

    /// Returns the temperature T that logits are divided by before they become probabilities; 1
    /// unless one was set.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// Returns the network with the same probabilities at temperature 1: the weights and the bias of its
    /// output layer are divided by its temperature.
    #[must_use]
    pub fn with_temperature_in_weights(mut self) -> Self {
        divide_logits(&mut self.layers, self.temperature);
        Self { temperature: 1.0, ..self }
    }

    /// Returns the same network in another precision.
    pub fn cast<G: Real>(&self) -> Network<G> {
        let layers = self.layers.iter().map(Dense::cast).collect();
        Network { layers, output: self.output, temperature: self.temperature }
    }

    /// Returns the number of features the network takes, n₀.
    pub fn n_features(&self) -> usize {
        self.layers[0].n_prev()
    }

    /// Returns the number of classes it tells apart.
    pub fn n_classes(&self) -> usize {
        self.output.n_classes(self.layers[self.layers.len() - 1].n())
    }

    /// Returns the shape of the network.
    pub fn architecture(&self) -> Architecture {
        let hidden = &self.layers[..self.layers.len() - 1];
        let sizes = self.layers.iter().map(Dense::n);
        Architecture {
            layer_dims: std::iter::once(self.n_features()).chain(sizes).collect(),
            activations: hidden.iter().map(Dense::activation).collect(),
            normalization: match hidden.first() {
                Some(layer) if layer.layer_norm.is_some() => HiddenNormalization::Layer,
                _ => HiddenNormalization::None,
            },
            output: self.output,
        }
    }

    /// Returns whether every parameter is a finite number.
    pub fn is_finite(&self) -> bool {
        let mut all = self.layers.iter().flat_map(Dense::parameters);
        // Without a branch a number, several are looked at at a time.
        all.all(|values| values.iter().fold(true, |finite, value| finite & value.is_finite()))
    }

    /// Computes the forward pass through all layers; the logits are then in `workspace`.
    ///
    /// # Shapes
    /// `x` (n₀, m), `workspace` for batches of m.
    /// # Panics
    /// On mismatch.
    pub fn forward(&self, x: &DMatrix<F>, workspace: &mut Workspace<F>) {
        self.forward_of(plain(x), workspace);
    }

    fn forward_of(&self, x: Factor<'_, F>, workspace: &mut Workspace<F>) {
        let first = |z: &mut DMatrix<F>| {
            gemm(F::one(), plain(&self.layers[0].w), x, F::zero(), z);
        };
        self.forward_from(first, workspace);
    }

    /// The forward pass, in which `first` makes W₁·X.
    fn forward_from(&self, first: impl Fn(&mut DMatrix<F>), workspace: &mut Workspace<F>) {
        for (l, layer) in self.layers.iter().enumerate() {
            let (before, rest) = workspace.a.split_at_mut(l);
            match before.last() {
                Some(a_prev) => {
                    gemm(F::one(), plain(&layer.w), plain(a_prev), F::zero(), &mut rest[0]);
                }
                None => first(&mut rest[0]),
            }
            let (z, mut bias) = (&mut rest[0], Bias::Rows(layer.b.as_slice()));
            if let Some(norm) = &layer.layer_norm {
                Activation::Identity.forward(bias, &mut z.as_view_mut(), None);
                norm.forward(z);
                bias = Bias::None;
            }
            layer.activation.forward(bias, &mut z.as_view_mut(), None);
        }
    }

    /// Returns the logits Z of the output layer, not divided by the temperature.
    ///
    /// An example has the same logits to the last bit whatever other examples X has: they are
    /// taken a few at a time, with the same order of sums for one as for many.
    ///
    /// # Shapes
    /// `x` (n₀, m) → (n_L, m).
    /// # Panics
    /// When `x` does not have n₀ rows.
    pub fn logits<S: RawStorage<F, Dyn, Dyn>>(&self, x: &Matrix<F, Dyn, Dyn, S>) -> DMatrix<F> {
        let n_outputs = self.layers.last().map_or(0, Dense::n);
        let mut logits = DMatrix::zeros(n_outputs, x.ncols());
        self.forward_in_parts(x, |from, workspace| {
            let part = workspace.logits();
            logits.columns_mut(from, part.ncols()).copy_from(part);
        });
        logits
    }

    /// Computes the forward pass for a few examples at a time, in the order of sums that
    /// [`logits`](Self::logits) promises; `take` gets the index of the first of them, and the workspace with
    /// their activations and logits.
    ///
    /// # Shapes
    /// `x` (n₀, m).
    /// # Panics
    /// When `x` does not have n₀ rows.
    pub fn forward_in_parts<S: RawStorage<F, Dyn, Dyn>>(
        &self,
        x: &Matrix<F, Dyn, Dyn, S>,
        mut take: impl FnMut(usize, &Workspace<F>),
    ) {
        const AT_ONCE: usize = crate::gemm::NARROW;
        let mut workspace = Workspace::new(self, AT_ONCE.min(x.ncols()));
        for from in (0..x.ncols()).step_by(AT_ONCE) {
            let m = AT_ONCE.min(x.ncols() - from);
            if m < workspace.logits().ncols() {
                workspace = Workspace::new(self, m);
            }
            self.forward_of(plain(&x.columns(from, m)), &mut workspace);
            take(from, &workspace);
        }
    }

    /// Returns the weights of the first layer packed for [`logits_of_one`](Self::logits_of_one), or
    /// `None` where its number of units has no such form on this machine.
    pub fn pack_first_layer(&self) -> Option<PackedForVector<F>> {
        PackedForVector::new(&self.layers[0].w)
    }

    /// Returns the logits of one example, to the last bit those of [`logits`](Self::logits), with the
    /// packed weights of the first layer: in two thirds of the time for the course's network.
    ///
    /// # Shapes
    /// `x` n₀ features → (n_L, 1).
    /// # Panics
    /// When `x` does not have n₀ features, or the weights are those of another shape.
    pub fn logits_of_one(&self, first: &PackedForVector<F>, x: &[F]) -> DMatrix<F> {
        let mut workspace = Workspace::new(self, 1);
        self.forward_from(|z| first.multiply(x, z.as_mut_slice()), &mut workspace);
        workspace.a.pop().expect("a network has layers")
    }

    /// Returns the probability of every class for every example.
    ///
    /// # Shapes
    /// `x` (n₀, m) → (n_classes, m); each column sums to 1.
    /// # Panics
    /// When `x` does not have n₀ rows.
    #[doc(alias = "predict")]
    pub fn probabilities(&self, x: &DMatrix<F>) -> DMatrix<F> {
        self.probabilities_of_logits(self.logits(x))
    }

    /// Returns the [`probabilities`](Self::probabilities) for given logits.
    ///
    /// # Shapes
    /// `logits` (n_L, m) → (n_classes, m).
    pub fn probabilities_of_logits(&self, logits: DMatrix<F>) -> DMatrix<F> {
        self.output.probabilities(self.tempered(logits))
    }

    /// Returns Z/T for given logits Z: what probabilities and cross-entropy are computed from.
    ///
    /// # Shapes
    /// `logits` (n_L, m) → (n_L, m).
    pub fn tempered(&self, logits: DMatrix<F>) -> DMatrix<F> {
        // A division by 1 would change no bit, and take its time.
        if self.temperature == 1.0 { logits } else { logits / F::of(self.temperature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::RngKind;

    fn course(dims: &[usize]) -> Architecture {
        Architecture::new(dims.to_vec(), Activation::Relu, OutputActivation::Sigmoid)
    }

    fn layer(n: usize, n_prev: usize, activation: Activation) -> Dense<f64> {
        Dense::new(DMatrix::zeros(n, n_prev), DVector::zeros(n), activation).unwrap()
    }

    #[test]
    fn architecture_is_what_it_was_initialised_from() {
        let mut rng = Generator::new(RngKind::Modern, 7).unwrap();
        let architecture = course(&[12, 5, 4, 1]);
        let network = Network::<f32>::initialize(&architecture, Init::He, &mut rng).unwrap();
        assert_eq!(network.architecture(), architecture);
        assert_eq!(architecture.to_string(), "12-5-4-1");
        assert_eq!(architecture.n_parameters(), 65 + 24 + 5);
        assert!(network.layers().iter().all(|l| l.bias().iter().all(|&b| b == 0.0)));
    }

    #[test]
    fn names_the_layer_at_fault() {
        use Activation::{Identity, Relu};
        let message =
            |layers| Network::new(layers, OutputActivation::Sigmoid).unwrap_err().to_string();
        assert_eq!(
            message(vec![layer(3, 5, Relu), layer(1, 4, Identity)]),
            "layer 2 takes 4 inputs, but the layer before it has 3 units"
        );
        assert_eq!(
            message(vec![layer(1, 5, Relu)]),
            "the output layer has activation ReLU: expected identity, since the network applies its sigmoid or softmax itself"
        );
        assert_eq!(
            message(vec![layer(2, 5, Identity)]),
            "an output layer of 2 units for a sigmoid: expected 1"
        );
        assert_eq!(
            Dense::<f64>::new(DMatrix::zeros(2, 3), DVector::zeros(3), Relu).unwrap_err(),
            NetworkError::Bias { n: 2, bias: 3 }
        );
        assert_eq!(course(&[5]).check(), Err(NetworkError::NoLayers));
        assert_eq!(course(&[5, 0, 1]).check(), Err(NetworkError::EmptyLayer { n: 0, n_prev: 5 }));
    }

    #[test]
    fn a_temperature_divides_the_logits_and_moves_no_prediction() {
        let mut rng = Generator::new(RngKind::Modern, 7).unwrap();
        for (n_outputs, output) in [(1, OutputActivation::Sigmoid), (3, OutputActivation::Softmax)]
        {
            let shape = Architecture::new(vec![4, 5, n_outputs], Activation::Tanh, output);
            let network = Network::<f64>::initialize(&shape, Init::He, &mut rng).unwrap();
            let x = rng.normal_matrix(4, 20);
            let warm = network.clone().with_temperature(2.0).unwrap();
            let (cold, p) = (network.probabilities(&x), warm.probabilities(&x));
            assert_eq!(warm.logits(&x), network.logits(&x));
            assert_eq!(p, output.probabilities(network.logits(&x) / 2.0));
            for (cold, p) in cold.column_iter().zip(p.column_iter()) {
                assert_eq!(cold.imax(), p.imax());
                assert!(p.max() < cold.max(), "less sure");
            }
            assert_eq!(warm.cast::<f64>(), warm);
            let folded = warm.clone().with_temperature_in_weights();
            assert_eq!((folded.temperature(), folded.logits(&x)), (1.0, warm.logits(&x) / 2.0));
            assert_eq!(warm.cast::<f32>().temperature(), 2.0);
            for t in [0.0, -1.0, f64::NAN, f64::INFINITY] {
                let error = network.clone().with_temperature(t).unwrap_err().to_string();
                assert!(error.ends_with("expected a finite number above 0"), "{error}");
            }
        }
    }

    #[test]
    fn with_packed_weights_one_example_has_the_same_logits() {
        let mut rng = Generator::new(RngKind::Modern, 7).unwrap();
        for normalization in [HiddenNormalization::None, HiddenNormalization::Layer] {
            let shape = Architecture { normalization, ..course(&[2500, 32, 7, 1]) };
            let network = Network::<f32>::initialize(&shape, Init::He, &mut rng).unwrap();
            let x = rng.normal_matrix(2500, 1);
            if let Some(first) = network.pack_first_layer() {
                assert_eq!(network.logits_of_one(&first, x.as_slice()), network.logits(&x));
            }
        }
    }

    #[test]
    fn probabilities_sum_to_one_and_a_tie_is_class_zero() {
        let network =
            Network::new(vec![layer(1, 2, Activation::Identity)], OutputActivation::Sigmoid)
                .unwrap();
        let p = network.probabilities(&DMatrix::from_element(2, 3, 1.0));
        assert_eq!(p, DMatrix::from_element(2, 3, 0.5));
        assert_eq!(crate::metrics::predictions(&p)[0].class, 0);
    }
}
