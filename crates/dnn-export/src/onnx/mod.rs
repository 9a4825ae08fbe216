//! A model as one ONNX graph.

mod describe;
mod graph;
mod network;
mod prepare;
mod proto;

use crate::{ExportError, check_one_view};
use dnn_core::{Network, Real};
use dnn_data::{AnyNetwork, FeatureKind, InputContract, Model, Normalization};
use graph::{Element, Graph, value_info};
use prost::Message;
use proto::{
    Dimension, EXTERNAL, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto,
};
use serde::{Deserialize, Serialize};

/// Version of the format, and of the set of operators.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 17;
/// A protocol buffer holds less than 2 GiB; the graph itself takes far less than what is left here.
const MAX_INLINE_BYTES: usize = (1 << 31) - (1 << 24);
/// Tensors of fewer bytes stay in the graph when the weights go to a file of their own.
const MIN_EXTERNAL_BYTES: usize = 1024;
/// Where tensors begin in a file of their own: runtimes map pages of it.
const ALIGNMENT_BYTES: usize = 4096;

/// What the graph takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnnxInput {
    /// `images`, bytes of shape (N, H, W, 3), RGB, of any height and width: the graph prepares them as
    /// the model's input contract says.
    #[default]
    Images,
    /// `features`, numbers of shape (N, n₀): what the contract makes of an image, or a row of a table,
    /// before it is standardised.
    Features,
}

impl OnnxInput {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Images, Self::Features];
}

/// How a model is written as ONNX.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnnxOptions {
    /// What the graph takes.
    pub input: OnnxInput,
    /// The name of the file, in the folder of the graph, that the weights are to stand in; `None` puts
    /// them into the graph, which then has a limit of 2 GiB.
    pub external_data: Option<String>,
    /// What identifies the data the model was trained on, for the graph's metadata.
    pub data_hash: Option<String>,
}

/// A graph, and its weights where they are apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxFiles {
    /// The bytes of the `.onnx` file.
    pub graph: Vec<u8>,
    /// The bytes of the file that [`OnnxOptions::external_data`] names.
    pub data: Option<Vec<u8>>,
}

/// Writes a model as a graph of ONNX from `images` or `features` to `probabilities` (N, classes), which
/// is `float` for a network in f32 and `double` for one in f64.
///
/// The graph's metadata have `classes` (a list in JSON), `input_contract` (JSON), `architecture`,
/// and `data_hash` where it is known.
///
/// # Errors
/// [`ExportError`]: what of the model no graph can do, or weights that no graph can hold.
pub fn onnx(model: &Model, options: &OnnxOptions) -> Result<OnnxFiles, ExportError> {
    let mut graph = match model.network() {
        AnyNetwork::F32(network) => graph(network, model.input(), options.input)?,
        AnyNetwork::F64(network) => graph(network, model.input(), options.input)?,
    };
    let data = if let Some(name) = &options.external_data {
        Some(move_tensors(&mut graph, name))
    } else {
        let n_bytes: usize = graph.initializer.iter().map(|t| t.raw_data.len()).sum();
        if n_bytes > MAX_INLINE_BYTES {
            return Err(ExportError::TooLarge { n_bytes });
        }
        None
    };
    let mut metadata = vec![
        ("classes", serde_json::to_string(model.classes())?),
        ("input_contract", serde_json::to_string(model.input())?),
        ("architecture", serde_json::to_string(&model.network().architecture())?),
    ];
    metadata.extend(options.data_hash.clone().map(|hash| ("data_hash", hash)));
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "dnn".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { version: OPERATOR_SET, ..Default::default() }],
        metadata_props: metadata.into_iter().map(|(key, value)| entry(key, value)).collect(),
    };
    Ok(OnnxFiles { graph: model.encode_to_vec(), data })
}

/// Returns bytes that make `pixels`, the prepared images of shape (N, height, width, channels), an
/// output of the graph as well, when they are appended to the bytes of a graph that takes images.
pub(crate) fn pixels_output(contract: &InputContract) -> Vec<u8> {
    let output = vec![value_info(PIXELS, Element::U8, &pixels_shape(contract))];
    let graph = GraphProto { output, ..GraphProto::default() };
    ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
}

const PIXELS: &str = "pixels";

fn pixels_shape(contract: &InputContract) -> [Dimension; 4] {
    let [height, width, channels] =
        [contract.height, contract.width, contract.channels].map(|n| Dimension::Fixed(n.into()));
    [Dimension::Any("N".into()), height, width, channels]
}

fn graph<F: Real>(
    network: &Network<F>,
    contract: &InputContract,
    input: OnnxInput,
) -> Result<GraphProto, ExportError> {
    let graph = Graph::default();
    let element = Element::of(F::PRECISION);
    let any = |name: &str| Dimension::Any(name.into());
    let features = match input {
        OnnxInput::Features => {
            check_one_view(contract)?;
            let n_features = Dimension::Fixed(network.n_features() as i64);
            graph.input("features", element, &[any("N"), n_features])
        }
        OnnxInput::Images if contract.normalization == Normalization::AsIs => {
            return Err(ExportError::NoImages);
        }
        OnnxInput::Images => {
            let shape = [any("N"), any("H"), any("W"), Dimension::Fixed(3)];
            let images = graph.input("images", Element::U8, &shape);
            let pixels = prepare::prepare(images, contract).named(PIXELS);
            let views = describe::views(pixels, contract);
            match contract.features {
                FeatureKind::Pixels => views.cast(element).reshape(&[0, -1]) / 255.0,
                _ => describe::describe(views, contract),
            }
        }
    };
    let x = network::standardize(features, contract).cast(element);
    let probabilities = network::probabilities(network, x, contract.views);
    let n_classes = network.n_classes() as i64;
    graph.output(probabilities, "probabilities", &[any("N"), Dimension::Fixed(n_classes)]);
    Ok(graph.into_proto())
}

/// Moves the numbers of large tensors out of the graph. Returns the bytes of the file `name`.
fn move_tensors(graph: &mut GraphProto, name: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for tensor in &mut graph.initializer {
        if tensor.raw_data.len() < MIN_EXTERNAL_BYTES {
            continue;
        }
        data.resize(data.len().next_multiple_of(ALIGNMENT_BYTES), 0);
        tensor.data_location = EXTERNAL;
        tensor.external_data = vec![
            entry("location", name.into()),
            entry("offset", data.len().to_string()),
            entry("length", tensor.raw_data.len().to_string()),
        ];
        data.append(&mut tensor.raw_data);
    }
    data
}

fn entry(key: &str, value: String) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value }
}
