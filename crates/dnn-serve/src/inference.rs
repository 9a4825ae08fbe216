//! The Open Inference Protocol (KServe's V2), with its extension for tensors as bytes.
//!
//! Inputs: `images`, UINT8 (N, H, W, 3) or (N, H, W, 1) of any size, or BYTES (N), files such as PNG
//! and JPEG; or `features`, FP32 or FP64 (N, n), numbers as the data have them. Outputs:
//! `probabilities`, FP64 (N, classes), and `class`, BYTES (N).

use crate::app::App;
use crate::body;
use crate::models::{MAX_EXAMPLES, Models, Served};
use crate::problem::Problem;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dnn_core::metrics::predictions;
use dnn_data::image::{DecodeLimits, RgbImage, decoding_memory};
use dnn_data::{Details, PredictError, Predictor};
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Length of the JSON that tensors follow as bytes, in requests and answers.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// The version that every model has.
const VERSION: &str = "1";

#[derive(Deserialize)]
struct Inference {
    id: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    inputs: Vec<Input>,
    outputs: Option<Vec<Output>>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// The data of a tensor, nested as its shape or flat: row by row in either case.
#[derive(Default)]
struct Data {
    numbers: Vec<f64>,
    texts: Vec<String>,
    /// Numbers that came as bytes.
    bytes: Vec<u8>,
}

/// The examples of a request.
enum Examples {
    /// Pixels of images of one size, red, green and blue.
    Pixels { width: u32, height: u32, images: Vec<Vec<u8>> },
    /// Image files.
    Files(Vec<Vec<u8>>),
    /// Rows of numbers.
    Rows(Vec<Vec<f64>>),
}

pub(crate) async fn live() -> Response {
    Json(json!({ "live": true })).into_response()
}

/// Answers whether requests are taken, which they are until the server is asked to end.
pub(crate) async fn ready(app: State<Arc<App>>) -> Result<Response, Problem> {
    if app.is_stopping.load(Ordering::Relaxed) {
        return Err(Problem::busy("the server is ending"));
    }
    Ok(Json(json!({ "ready": true })).into_response())
}

pub(crate) async fn server() -> Response {
    Json(json!({
        "name": "dnn",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data"],
    }))
    .into_response()
}

/// Returns the model that an address names.
fn named<'a>(models: &'a Models, path: &HashMap<String, String>) -> Result<&'a Served, Problem> {
    if path.get("version").is_some_and(|version| version != VERSION) {
        return Err(Problem::not_found("models have version 1 only"));
    }
    models.get(Some(path.get("model").map_or("", String::as_str)))
}

pub(crate) async fn model(
    app: State<Arc<App>>,
    path: Path<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let models = app.models();
    let served = named(&models, &path)?;
    let predictor = &served.predictor;
    let input = if served.takes_images() {
        json!({ "name": "images", "datatype": "UINT8", "shape": [-1, -1, -1, 3] })
    } else {
        let n = predictor.input().n_values();
        json!({ "name": "features", "datatype": "FP64", "shape": [-1, n] })
    };
    let n_classes = predictor.classes().len();
    Ok(Json(json!({
        "name": served.name,
        "versions": [VERSION],
        "platform": "dnn",
        "inputs": [input],
        "outputs": [
            { "name": "probabilities", "datatype": "FP64", "shape": [-1, n_classes] },
            { "name": "class", "datatype": "BYTES", "shape": [-1] },
        ],
        "parameters": { "classes": predictor.classes() },
    }))
    .into_response())
}

pub(crate) async fn model_ready(
    app: State<Arc<App>>,
    path: Path<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let models = app.models();
    let served = named(&models, &path)?;
    ready(app.clone()).await?;
    Ok(Json(json!({ "name": served.name, "ready": true })).into_response())
}

pub(crate) async fn infer(
    app: State<Arc<App>>,
    path: Path<HashMap<String, String>>,
    request: Request,
) -> Result<Response, Problem> {
    let app = app.0;
    let models = app.models();
    let (parts, body) = request.into_parts();
    let served = match named(&models, &path) {
        Ok(served) => served,
        Err(problem) => return Err(body::refuse(body, problem)),
    };
    let (bytes, mut room) = app.body(&parts.headers, body).await?;
    // A number takes eight bytes and its text two at least.
    room.add(app.queue.reserve(4 * bytes.len() as u64)?);
    let (mut inference, tensors) = tokio::task::block_in_place(|| parse(&parts.headers, &bytes))?;
    let outputs = inference.outputs.take().unwrap_or_default();
    let known = |output: &Output| ["probabilities", "class"].contains(&output.name.as_str());
    if !outputs.iter().all(known) {
        return Err(Problem::bad_request("expected the outputs `probabilities` and `class`"));
    }
    let examples = examples(std::mem::take(&mut inference.inputs), tensors)?;
    let decoding = match &examples {
        Examples::Files(files) => {
            let sizes = files.iter().map(|file| decoding_memory(file));
            let most = sizes.max_by_key(|size| *size.as_ref().unwrap_or(&u64::MAX));
            most.unwrap_or(Ok(0)).map_err(|error| Problem::unprocessable(error.to_string()))?
        }
        _ => 0,
    };
    let computing = Details::default().memory_bytes(&served.predictor);
    room.add(app.queue.reserve(decoding.saturating_add(computing))?);
    let limits = DecodeLimits { max_memory_bytes: decoding, ..DecodeLimits::default() };
    let (working, computing, name) = (Arc::clone(&app), Arc::clone(&models), served.name.clone());
    let work = move || {
        let start = Instant::now();
        let predictor = &computing.get(Some(&name))?.predictor;
        let computed = compute(predictor, examples, &limits);
        let n_bad = u64::from(computed.is_err());
        let n_good = computed.as_ref().map_or(0, |rows| rows.len() as u64);
        working.metrics.computed(n_good, n_bad, start.elapsed());
        computed
    };
    let probabilities = app.queue.run(room, false, work).await??;
    Ok(answer(served, &inference, &outputs, &probabilities))
}

/// Returns the JSON of a request, and the tensors that follow it as bytes.
fn parse<'a>(headers: &HeaderMap, bytes: &'a Bytes) -> Result<(Inference, &'a [u8]), Problem> {
    let (json, tensors) = match headers.get(JSON_LENGTH) {
        None => (&bytes[..], &[][..]),
        Some(length) => {
            let length = length.to_str().ok().and_then(|text| text.parse().ok());
            length.and_then(|length| bytes.split_at_checked(length)).ok_or_else(|| {
                Problem::bad_request("Inference-Header-Content-Length is no length within the body")
            })?
        }
    };
    let inference = serde_json::from_slice(json)
        .map_err(|error| Problem::bad_request(format!("no inference request: {error}")))?;
    Ok((inference, tensors))
}

/// Returns the examples that the only input of a request holds.
fn examples(mut inputs: Vec<Input>, tensors: &[u8]) -> Result<Examples, Problem> {
    let [input] = inputs.as_mut_slice() else {
        return Err(Problem::bad_request("expected one input, `images` or `features`"));
    };
    let Input { name, shape, datatype, parameters, data } = input;
    let bad = |expected: &str| Problem::bad_request(format!("input `{name}`: expected {expected}"));
    let n = shape.first().copied().unwrap_or(0);
    if !(1..=MAX_EXAMPLES).contains(&n) {
        return Err(bad(&format!("1 to {MAX_EXAMPLES} examples")));
    }
    let n_values = shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
    let n_values = n_values.ok_or_else(|| bad("a shape that is possible"))?;
    if let Some(size) = parameters.get("binary_data_size") {
        if size.as_u64() != Some(tensors.len() as u64) {
            return Err(bad("binary_data_size to be the number of bytes after the JSON"));
        }
        *data = Data::of_bytes(datatype, tensors).ok_or_else(|| bad("whole values as bytes"))?;
    } else if !tensors.is_empty() {
        return Err(bad("binary_data_size, since bytes follow the JSON"));
    } else if datatype == "BYTES" {
        data.numbers.clear();
    }
    let numbers = std::mem::take(&mut data.numbers);
    let is_whole = |n: usize| n == n_values;
    match (name.as_str(), datatype.as_str(), &shape[1..]) {
        ("images", "UINT8", &[height, width, channels @ (1 | 3)])
            if is_whole(numbers.len() + data.bytes.len()) =>
        {
            let byte = |number: f64| {
                let byte = number as u8;
                (f64::from(byte) == number).then_some(byte)
            };
            let mut bytes = std::mem::take(&mut data.bytes);
            for number in numbers {
                bytes.push(byte(number).ok_or_else(|| bad("whole numbers from 0 to 255"))?);
            }
            let side =
                |n: usize| u32::try_from(n).ok().filter(|n| (1..=RgbImage::MAX_SIDE).contains(n));
            let (Some(width), Some(height)) = (side(width), side(height)) else {
                return Err(bad("sides of 1 to 65535 pixels"));
            };
            let images = bytes.chunks_exact(n_values / n).map(|image| match channels {
                1 => image.iter().flat_map(|&grey| [grey; 3]).collect(),
                _ => image.to_vec(),
            });
            Ok(Examples::Pixels { width, height, images: images.collect() })
        }
        ("images", "BYTES", &[]) => {
            let files: Vec<Vec<u8>> = match data {
                Data { texts, .. } if texts.len() == n => {
                    let decoded = texts.iter().map(|text| STANDARD.decode(text));
                    decoded.collect::<Result<_, _>>().map_err(|_| bad("files in base64"))?
                }
                _ => return Err(bad("as many files as the shape says")),
            };
            Ok(Examples::Files(files))
        }
        ("features", "FP32" | "FP64", &[width]) if width > 0 && is_whole(numbers.len()) => {
            let rows = numbers.chunks_exact(n_values / n).map(<[f64]>::to_vec);
            Ok(Examples::Rows(rows.collect()))
        }
        _ => Err(bad(
            "`images` as UINT8 (N, H, W, 3) or BYTES (N), or `features` as FP32 or FP64 (N, n), with as \
             many values as the shape says",
        )),
    }
}

/// Computes the probability of each class for each example.
fn compute(
    predictor: &Predictor,
    examples: Examples,
    limits: &DecodeLimits,
) -> Result<Vec<Vec<f64>>, Problem> {
    let at = |index: usize, error: PredictError| Problem::from(error).of_example(index);
    match examples {
        Examples::Pixels { width, height, images } => {
            let answer = |(index, pixels)| {
                let image = RgbImage::new(width, height, pixels)
                    .ok_or_else(|| Problem::internal("an image of another size"))?;
                predictor.rgb(image).map_err(|error| at(index, error))
            };
            images.into_iter().enumerate().map(answer).collect()
        }
        Examples::Files(files) => {
            let answer = |(index, file): (usize, &Vec<u8>)| {
                predictor.image_bytes(file, limits).map_err(|error| at(index, error))
            };
            files.iter().enumerate().map(answer).collect()
        }
        Examples::Rows(rows) => {
            let answer = |(index, row): (usize, &Vec<f64>)| {
                predictor.features(row).map_err(|error| at(index, error))
            };
            rows.iter().enumerate().map(answer).collect()
        }
    }
}

fn answer(
    served: &Served,
    inference: &Inference,
    outputs: &[Output],
    probabilities: &[Vec<f64>],
) -> Response {
    #[derive(Serialize)]
    struct Tensor {
        name: &'static str,
        datatype: &'static str,
        shape: Vec<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        parameters: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
    }
    let is_true = |map: &Map<String, Value>, key| map.get(key).and_then(Value::as_bool);
    let by_default = is_true(&inference.parameters, "binary_data_output").unwrap_or(false);
    let (n, classes) = (probabilities.len(), served.predictor.classes());
    let names = || {
        probabilities.iter().map(|row| {
            let column = nalgebra::DMatrix::from_column_slice(row.len(), 1, row);
            &classes[predictions(&column)[0].class as usize]
        })
    };
    let mut bytes = Vec::new();
    let mut tensors = Vec::new();
    for name in ["probabilities", "class"] {
        let asked = outputs.iter().find(|output| output.name == name);
        if asked.is_none() && !outputs.is_empty() {
            continue;
        }
        let own = asked.and_then(|output| is_true(&output.parameters, "binary_data"));
        let from = bytes.len();
        let mut data = None;
        match (name, own.unwrap_or(by_default)) {
            ("class", true) => names().for_each(|name| {
                bytes.extend((name.len() as u32).to_le_bytes());
                bytes.extend(name.bytes());
            }),
            ("class", false) => data = Some(json!(names().collect::<Vec<_>>())),
            (_, true) => bytes.extend(probabilities.iter().flatten().flat_map(|p| p.to_le_bytes())),
            (_, false) => data = Some(json!(probabilities.concat())),
        }
        let size = data.is_none().then(|| json!({ "binary_data_size": bytes.len() - from }));
        let is_class = name == "class";
        tensors.push(Tensor {
            name,
            datatype: if is_class { "BYTES" } else { "FP64" },
            shape: if is_class { vec![n] } else { vec![n, classes.len()] },
            parameters: size,
            data,
        });
    }
    let mut answer = json!({
        "model_name": served.name,
        "model_version": VERSION,
        "outputs": tensors,
    });
    if let Some(id) = &inference.id {
        answer["id"] = json!(id);
    }
    if bytes.is_empty() {
        return Json(answer).into_response();
    }
    let json = answer.to_string();
    let headers = [
        (JSON_LENGTH, json.len().to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    (headers, Body::from([json.as_bytes(), &bytes].concat())).into_response()
}

impl Data {
    /// The values of a tensor as bytes, little-endian; nothing when there is no whole number of them.
    fn of_bytes(datatype: &str, bytes: &[u8]) -> Option<Self> {
        let mut data = Self::default();
        match datatype {
            "UINT8" => data.bytes = bytes.to_vec(),
            "FP32" => {
                let (values, rest) = bytes.as_chunks::<4>();
                let value = |&value: &[u8; 4]| f32::from_le_bytes(value).into();
                data.numbers = rest.is_empty().then(|| values.iter().map(value).collect())?;
            }
            "FP64" => {
                let (values, rest) = bytes.as_chunks::<8>();
                let value = |&value: &[u8; 8]| f64::from_le_bytes(value);
                data.numbers = rest.is_empty().then(|| values.iter().map(value).collect())?;
            }
            "BYTES" => {
                let mut rest = bytes;
                while let Some((length, after)) = rest.split_first_chunk::<4>() {
                    let length = u32::from_le_bytes(*length) as usize;
                    let (text, after) = after.split_at_checked(length)?;
                    // As JSON has it, so that there is one way from here.
                    data.texts.push(STANDARD.encode(text));
                    rest = after;
                }
                rest.is_empty().then_some(())?;
            }
            _ => return None,
        }
        Some(data)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut data = Self::default();
        Flat { data: &mut data, depth: 0 }.deserialize(deserializer)?;
        Ok(data)
    }
}

/// Flattens nested lists of numbers, as deep as a tensor can be.
struct Flat<'a> {
    data: &'a mut Data,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Flat<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flat<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers or texts, nested four deep at most")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.data.numbers.push(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.data.texts.push(value.to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth == 4 {
            return Err(A::Error::custom("data nested more than four deep"));
        }
        let depth = self.depth + 1;
        while seq.next_element_seed(Flat { data: &mut *self.data, depth })?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(input: &str, tensors: &[u8]) -> Result<Examples, String> {
        let input = serde_json::from_str(input).map_err(|error| error.to_string())?;
        examples(vec![input], tensors).map_err(|problem| problem.detail)
    }

    #[test]
    fn nested_and_flat_data_and_bytes_are_the_same() {
        let start = r#"{"name":"features","datatype":"FP64","shape":[2,2],"#;
        for (rest, tensors) in [
            (r#""data":[1,2.5,-3,4e0]}"#, vec![]),
            (r#""data":[[1,2.5],[-3,4]]}"#, vec![]),
            (
                r#""parameters":{"binary_data_size":32}}"#,
                [1.0, 2.5, -3.0, 4.0_f64].iter().flat_map(|v| v.to_le_bytes()).collect(),
            ),
        ] {
            let Ok(Examples::Rows(rows)) = parsed(&format!("{start}{rest}"), &tensors) else {
                panic!("rows of {rest}");
            };
            assert_eq!(rows, [[1.0, 2.5], [-3.0, 4.0]], "{rest}");
        }
    }

    #[test]
    fn grey_pixels_and_files_are_images() {
        let pixels = r#"{"name":"images","datatype":"UINT8","shape":[2,1,1,1],"data":[7,9]}"#;
        let Ok(Examples::Pixels { width: 1, height: 1, images }) = parsed(pixels, &[]) else {
            panic!("pixels");
        };
        assert_eq!(images, [[7; 3], [9; 3]]);
        let file = r#"{"name":"images","datatype":"BYTES","shape":[1],"data":["aGk="]}"#;
        assert!(matches!(parsed(file, &[]), Ok(Examples::Files(files)) if files == [b"hi"]));
        let raw = r#"{"name":"images","datatype":"BYTES","shape":[1],
                     "parameters":{"binary_data_size":6}}"#;
        let bytes = [2, 0, 0, 0, b'h', b'i'];
        assert!(matches!(parsed(raw, &bytes), Ok(Examples::Files(files)) if files == [b"hi"]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (shape, data, says) in [
            ("[1,1,1,3]", "[1,2]", "as many values as the shape says"),
            ("[1,1,1,3]", "[1,2,256]", "whole numbers from 0 to 255"),
            ("[1,1,1,3]", "[1,2,0.5]", "whole numbers from 0 to 255"),
            ("[1,1,1,2]", "[1,2]", "UINT8 (N, H, W, 3)"),
            ("[0,1,1,3]", "[]", "1 to 1024 examples"),
            ("[1,0,1,3]", "[]", "sides of 1 to 65535"),
            ("[]", "[]", "1 to 1024 examples"),
            ("[2,9223372036854775807,4,3]", "[]", "a shape that is possible"),
            ("[1,1,1,3]", "[[[[[1]]]]]", "nested more than four deep"),
            ("[1,1,1,3]", "{}", "numbers or texts"),
        ] {
            let input =
                format!(r#"{{"name":"images","datatype":"UINT8","shape":{shape},"data":{data}}}"#);
            let error = parsed(&input, &[]).err().expect(says);
            assert!(error.contains(says), "{shape} {data}: {error}");
        }
    }
}
