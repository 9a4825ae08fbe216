//! The model file: a network, its classes and its input contract, in safetensors.
//!
//! Weights are tensors `layers.N.weight` (n, n_prev) and `layers.N.bias` (n), N from 0, row-major,
//! as other libraries name and lay them out; of a normalised layer also `layers.N.norm.weight`, its gain γ
//! (n), and `layers.N.norm.bias`, its shift β (n). One metadata entry, `dnn`, holds the rest as JSON
//! ([`Header`]); one, because the order of several would differ from run to run.

use crate::contract::{ContractError, InputContract};
use crate::values;
use dnn_core::layer::Dense;
use dnn_core::layer_norm::LayerNorm;
use dnn_core::metrics::ConformalScores;
use dnn_core::{Activation, Architecture, Network, NetworkError, Precision, Real};
use nalgebra::{DMatrix, DVector};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, Read, Write};

const METADATA_KEY: &str = "dnn";
/// What the tensors of a layer's parameters are called, in the order of
/// [`PARAMETER_NAMES`](dnn_core::layer::PARAMETER_NAMES).
const TENSOR_NAMES: [&str; 4] = ["weight", "bias", "norm.weight", "norm.bias"];
/// The tensor of the scores that answers with a promised coverage are made from.
const SCORES: &str = "conformal.scores";
const FORMAT_VERSION: u32 = 1;

/// Largest model file that is read, in bytes (4 GiB).
pub const MAX_FILE_BYTES: u64 = 4 << 30;

/// A network in one of the two precisions.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyNetwork {
    /// Single precision.
    F32(Network<f32>),
    /// Double precision.
    F64(Network<f64>),
}

impl AnyNetwork {
    /// Returns the architecture of the network.
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::F32(network) => network.architecture(),
            Self::F64(network) => network.architecture(),
        }
    }

    /// Returns the temperature that its logits are divided by before they become probabilities.
    pub fn temperature(&self) -> f64 {
        match self {
            Self::F32(network) => network.temperature(),
            Self::F64(network) => network.temperature(),
        }
    }

    /// Returns the precision of the network's parameters.
    pub fn precision(&self) -> Precision {
        match self {
            Self::F32(_) => Precision::F32,
            Self::F64(_) => Precision::F64,
        }
    }
}

impl From<Network<f32>> for AnyNetwork {
    fn from(network: Network<f32>) -> Self {
        Self::F32(network)
    }
}

impl From<Network<f64>> for AnyNetwork {
    fn from(network: Network<f64>) -> Self {
        Self::F64(network)
    }
}

/// The contents of a model file: everything needed to classify an image as the network was trained
/// to.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    network: AnyNetwork,
    classes: Vec<String>,
    input: InputContract,
    conformal: Option<ConformalScores>,
}

/// The metadata entry `dnn` of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the format, 1.
    pub format_version: u32,
    /// What wrote the file.
    pub producer: String,
    /// Shape of the network.
    pub architecture: Architecture,
    /// The names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// The input contract: how an image becomes the network's input.
    pub input: InputContract,
    /// What logits are divided by before they become probabilities.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub temperature: f64,
}

fn one() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it with a reference
fn is_one(temperature: &f64) -> bool {
    *temperature == 1.0
}

/// Why a file is not a model, or a model cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Reading or writing failed.
    #[error("reading or writing the model failed")]
    Io(#[from] io::Error),
    /// The file is larger than any model this can hold.
    #[error("more than {MAX_FILE_BYTES} bytes: not a model file")]
    TooLarge,
    /// The file is not a sound safetensors file: truncated, damaged or something else.
    #[error("not a sound safetensors file (truncated, damaged or of another kind)")]
    Format(#[from] SafeTensorError),
    /// The safetensors file was written by another program.
    #[error(
        "safetensors without the metadata entry `{METADATA_KEY}`: no model of dnn (a checkpoint?)"
    )]
    NoHeader,
    /// The metadata cannot be understood.
    #[error("the metadata entry `{METADATA_KEY}` cannot be read")]
    Header(#[source] serde_json::Error),
    /// The file was written by a newer version.
    #[error("model format version {got}: this program reads version {FORMAT_VERSION}")]
    Version {
        /// The file's version.
        got: u32,
    },
    /// The network's shape is impossible.
    #[error("the network in the model is not one")]
    Network(#[from] NetworkError),
    /// The input contract is impossible.
    #[error("the input contract in the model is not one")]
    Contract(#[from] ContractError),
    /// A tensor has the wrong shape or type, or is missing.
    #[error("tensor `{name}`: expected {expected}, got {got}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What the architecture asks for.
        expected: String,
        /// What is there.
        got: String,
    },
    /// Class names and outputs differ in number.
    #[error("{n_names} class names for a network of {n_classes} classes")]
    Classes {
        /// Names given.
        n_names: usize,
        /// Classes of the network.
        n_classes: usize,
    },
    /// A class has no name, or the name of another: answers could not be told apart.
    #[error("class {index} is called {name:?}: each class needs a name of its own")]
    ClassName {
        /// Index of the offending class.
        index: usize,
        /// Its name.
        name: String,
    },
    /// The input contract and the network's input differ in size.
    #[error("the input contract gives {contract} features, but the network takes {network}")]
    Input {
        /// Features by the contract.
        contract: usize,
        /// n₀ of the network.
        network: usize,
    },
    /// A parameter is NaN or infinite.
    #[error("a weight or bias of the network is not a finite number")]
    NotFinite,
}

impl Model {
    /// Makes a model of its parts, after checking that they fit together.
    ///
    /// # Errors
    /// [`ModelError::Classes`], [`ModelError::ClassName`], [`ModelError::Input`],
    /// [`ModelError::Contract`] when they do not fit each other, [`ModelError::NotFinite`] when a weight is not a number.
    pub fn new(
        network: impl Into<AnyNetwork>,
        classes: Vec<String>,
        input: InputContract,
    ) -> Result<Self, ModelError> {
        let network = network.into();
        input.check()?;
        let (n_features, n_classes, finite) = match &network {
            AnyNetwork::F32(n) => (n.n_features(), n.n_classes(), n.is_finite()),
            AnyNetwork::F64(n) => (n.n_features(), n.n_classes(), n.is_finite()),
        };
        if classes.len() != n_classes {
            return Err(ModelError::Classes { n_names: classes.len(), n_classes });
        }
        for (index, name) in classes.iter().enumerate() {
            if name.is_empty() || classes[..index].contains(name) {
                return Err(ModelError::ClassName { index, name: name.clone() });
            }
        }
        if input.n_features() != n_features {
            let contract = input.n_features();
            return Err(ModelError::Input { contract, network: n_features });
        }
        if !finite {
            return Err(ModelError::NotFinite);
        }
        Ok(Self { network, classes, input, conformal: None })
    }

    /// Returns the same model with what its answers with a promised coverage are made from.
    #[must_use]
    pub fn with_conformal(self, conformal: Option<ConformalScores>) -> Self {
        Self { conformal, ..self }
    }

    /// Returns the same model with its temperature in the weights of its output layer, for what knows no
    /// temperature; `None` when that is not the same, because the answers of several views are averaged
    /// before the temperature counts.
    pub fn with_temperature_in_weights(self) -> Option<Self> {
        if self.network.temperature() != 1.0 && self.input.views > 1 {
            return None;
        }
        let network = match self.network {
            AnyNetwork::F32(network) => network.with_temperature_in_weights().into(),
            AnyNetwork::F64(network) => network.with_temperature_in_weights().into(),
        };
        Some(Self { network, ..self })
    }

    /// Returns what answers with a promised coverage are made from, when the model was calibrated.
    pub fn conformal(&self) -> Option<&ConformalScores> {
        self.conformal.as_ref()
    }

    /// Returns whether a file begins as a model file does: with the length of a JSON header in 8
    /// bytes, and the brace that opens the header.
    pub fn is_start(head: &[u8]) -> bool {
        head.get(8) == Some(&b'{')
    }

    /// Returns the network.
    pub fn network(&self) -> &AnyNetwork {
        &self.network
    }

    /// Returns the names of the classes, in the order of the outputs.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Returns the input contract: how an image becomes the network's input.
    pub fn input(&self) -> &InputContract {
        &self.input
    }

    /// Writes the model; the same model gives the same bytes.
    ///
    /// # Errors
    /// [`ModelError::Io`].
    pub fn write(&self, mut to: impl Write) -> Result<(), ModelError> {
        let header = Header {
            format_version: FORMAT_VERSION,
            producer: concat!("dnn ", env!("CARGO_PKG_VERSION")).into(),
            architecture: self.network.architecture(),
            classes: self.classes.clone(),
            input: self.input.clone(),
            temperature: self.network.temperature(),
        };
        let header = serde_json::to_string(&header).map_err(ModelError::Header)?;
        let tensors = match &self.network {
            AnyNetwork::F32(network) => tensors(network, f32::to_le_bytes),
            AnyNetwork::F64(network) => tensors(network, f64::to_le_bytes),
        };
        let dtype = dtype(self.network.precision());
        let mut views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(dtype, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()?;
        let scores = self.conformal.as_ref().map_or(&[][..], ConformalScores::as_slice);
        let bytes: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
        if !scores.is_empty() {
            views.push((SCORES, TensorView::new(Dtype::F64, vec![scores.len()], &bytes)?));
        }
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), header)]);
        to.write_all(&safetensors::serialize(views, Some(metadata))?)?;
        Ok(())
    }

    /// Reads a model and checks all of it; nothing is trusted.
    ///
    /// # Errors
    /// Each variant of [`ModelError`].
    pub fn read(from: impl Read) -> Result<Self, ModelError> {
        // Room for most models: what is not touched of it takes no memory, and growing would take time.
        let mut bytes = Vec::with_capacity(1 << 20);
        from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ModelError::TooLarge);
        }
        let (_, metadata) = SafeTensors::read_metadata(&bytes)?;
        let entry = metadata.metadata().as_ref().and_then(|entries| entries.get(METADATA_KEY));
        let header = parse_header(entry.ok_or(ModelError::NoHeader)?)?;
        let file = SafeTensors::deserialize(&bytes)?;
        let first = file.tensor("layers.0.weight").map(|tensor| tensor.dtype());
        let network = match first {
            Ok(Dtype::F32) => AnyNetwork::F32(network(&file, &header, |bytes| {
                f32::from_le_bytes(bytes.try_into().expect("4 bytes each"))
            })?),
            // Anything else is refused, tensor by tensor, by its type.
            _ => AnyNetwork::F64(network(&file, &header, |bytes| {
                f64::from_le_bytes(bytes.try_into().expect("8 bytes each"))
            })?),
        };
        let conformal = scores(&file)?;
        Ok(Self::new(network, header.classes, header.input)?.with_conformal(conformal))
    }
}

fn parse_header(json: &str) -> Result<Header, ModelError> {
    /// A newer format may have other fields, so its version is looked at first.
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let version: Version = serde_json::from_str(json).map_err(ModelError::Header)?;
    if version.format_version != FORMAT_VERSION {
        return Err(ModelError::Version { got: version.format_version });
    }
    serde_json::from_str(json).map_err(ModelError::Header)
}

fn dtype(precision: Precision) -> Dtype {
    match precision {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    }
}

/// Name, shape and row-major little-endian bytes of every tensor.
fn tensors<F: Real, const N: usize>(
    network: &Network<F>,
    bytes_of: impl Fn(F) -> [u8; N],
) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let mut tensors = Vec::new();
    for (l, layer) in network.layers().iter().enumerate() {
        for (name, values) in TENSOR_NAMES.into_iter().zip(layer.parameters()) {
            // A vector is a column; W is written row by row.
            let (n, n_columns) = (layer.n(), values.len() / layer.n());
            let mut bytes = vec![0; size_of_val(values)];
            let places = bytes.as_chunks_mut::<N>().0;
            for (j, column) in values.chunks_exact(n).enumerate() {
                for (i, &value) in column.iter().enumerate() {
                    places[i * n_columns + j] = bytes_of(value);
                }
            }
            let shape = if name == TENSOR_NAMES[0] { vec![n, n_columns] } else { vec![n] };
            if !values.is_empty() {
                tensors.push((format!("layers.{l}.{name}"), shape, bytes));
            }
        }
    }
    tensors
}

/// The scores that answers with a promised coverage are made from, if there are any.
fn scores(file: &SafeTensors<'_>) -> Result<Option<ConformalScores>, ModelError> {
    let Ok(tensor) = file.tensor(SCORES) else { return Ok(None) };
    let refuse = || ModelError::Tensor {
        name: SCORES.into(),
        expected: "F64 of shape [n], each 0 to 1".into(),
        got: format!("{:?} of shape {:?}, or other numbers", tensor.dtype(), tensor.shape()),
    };
    if tensor.dtype() != Dtype::F64 || tensor.shape().len() != 1 {
        return Err(refuse());
    }
    let value = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("8 bytes each"));
    let values = tensor.data().chunks_exact(size_of::<f64>()).map(value).collect();
    ConformalScores::from_scores(values).map(Some).ok_or_else(refuse)
}

/// Returns the matrix of this shape, which lies column by column, from numbers that lie row by row.
fn from_rows<F: Real>(
    bytes: &[u8],
    (n, n_prev): (usize, usize),
    value: impl Fn(&[u8]) -> F,
) -> DMatrix<F> {
    /// Columns that are filled at a time: cache lines are read once, and stay until they are written.
    const COLUMNS: usize = 16;
    let size = size_of::<F>();
    let mut w = values::zeros(n * n_prev);
    for (block, columns) in w.chunks_mut(n * COLUMNS).enumerate() {
        for (i, row) in bytes.chunks_exact(n_prev * size).enumerate() {
            let row = row[block * COLUMNS * size..].chunks_exact(size);
            columns[i..].iter_mut().step_by(n).zip(row).for_each(|(w, bytes)| *w = value(bytes));
        }
    }
    DMatrix::from_vec(n, n_prev, w)
}

/// The network of this shape from the file's tensors, which must be exactly its own, and the scores.
fn network<F: Real>(
    file: &SafeTensors<'_>,
    header: &Header,
    value: impl Fn(&[u8]) -> F,
) -> Result<Network<F>, ModelError> {
    let Header { architecture, temperature, .. } = header;
    architecture.check()?;
    let tensor = |name: &str, shape: &[usize]| {
        let want = dtype(F::PRECISION);
        let refuse = |got: String| ModelError::Tensor {
            name: name.to_owned(),
            expected: format!("{want:?} of shape {shape:?}"),
            got,
        };
        let tensor = file.tensor(name).map_err(|_| refuse("no such tensor".into()))?;
        if tensor.dtype() != want || tensor.shape() != shape {
            return Err(refuse(format!("{:?} of shape {:?}", tensor.dtype(), tensor.shape())));
        }
        Ok(tensor.data())
    };
    let hidden = architecture.activations.iter().copied();
    let (mut layers, mut n_tensors) = (Vec::new(), 0);
    for (l, (pair, activation)) in
        architecture.layer_dims.windows(2).zip(hidden.chain([Activation::Identity])).enumerate()
    {
        let (n_prev, n) = (pair[0], pair[1]);
        let [weight, bias, gamma, beta] = TENSOR_NAMES.map(|name| format!("layers.{l}.{name}"));
        let vector = |name: &str| {
            tensor(name, &[n]).map(|bytes| {
                DVector::from_iterator(n, bytes.chunks_exact(size_of::<F>()).map(&value))
            })
        };
        let w = from_rows(tensor(&weight, &[n, n_prev])?, (n, n_prev), &value);
        let is_normalized = architecture.normalizes(l);
        let norm = is_normalized
            .then(|| Ok::<_, ModelError>(LayerNorm::new(vector(&gamma)?, vector(&beta)?)));
        let layer = Dense::new(w, vector(&bias)?, activation)?;
        layers.push(layer.with_layer_norm(norm.transpose()?)?);
        n_tensors += if is_normalized { 4 } else { 2 };
    }
    if file.len() - usize::from(file.tensor(SCORES).is_ok()) != n_tensors {
        return Err(ModelError::Tensor {
            name: "(all)".into(),
            expected: format!("{n_tensors} tensors for {} layers", layers.len()),
            got: format!("{} tensors", file.len()),
        });
    }
    Ok(Network::new(layers, architecture.output)?.with_temperature(*temperature)?)
}
