//! `/v1/predict`, `/v1/explain`, `/v1/models`.

use crate::app::App;
use crate::body;
use crate::models::MAX_EXAMPLES;
use crate::problem::Problem;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dnn_data::image::{DecodeLimits, decoding_memory};
use dnn_data::{Answer, Details};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

/// An image of a request.
struct Image {
    /// The name that the client gave it, if any.
    name: Option<String>,
    /// The file's bytes.
    bytes: Bytes,
}

/// The answer, as `dnn predict --json` has it.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the answer's JSON")]
struct Predictions<'a> {
    model: &'a str,
    classes: &'a [String],
    predictions: Vec<Prediction>,
}

/// The answer for one image of several.
#[derive(Serialize)]
struct Prediction {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Answer(Answer),
    Problem(Problem),
}

/// The query of an address: names of models need no escapes, so there are none to undo.
struct Query<'a> {
    model: Option<&'a str>,
    prepared: bool,
}

impl<'a> Query<'a> {
    fn parse(query: Option<&'a str>) -> Result<Self, Problem> {
        let mut parsed = Self { model: None, prepared: false };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("model", name)) => parsed.model = Some(name),
                Some(("prepared", "true")) => parsed.prepared = true,
                Some(("prepared", "false")) => parsed.prepared = false,
                _ => {
                    let expected = "expected the query to have model=NAME or prepared=true";
                    return Err(Problem::bad_request(expected));
                }
            }
        }
        Ok(parsed)
    }
}

pub(crate) async fn predict(app: State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    answer(&app.0, request, false).await
}

pub(crate) async fn explain(app: State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    answer(&app.0, request, true).await
}

/// Answers with what `dnn predict --json` has of each image.
async fn answer(app: &Arc<App>, request: Request, saliency: bool) -> Result<Response, Problem> {
    let models = app.models();
    let (parts, body) = request.into_parts();
    let asked = Query::parse(parts.uri.query())
        .and_then(|query| models.get(query.model).map(|served| (query, served)));
    let (query, served) = match asked {
        Ok(asked) => asked,
        Err(problem) => return Err(body::refuse(body, problem)),
    };
    let details = Details { prepared: query.prepared, saliency };
    let (bytes, mut room) = app.body(&parts.headers, body).await?;
    let kind = media_type(&parts.headers);
    let images = match kind.as_str() {
        "multipart/form-data" => parts_of(&parts.headers, bytes).await?,
        "application/json" => {
            // Texts are a third longer than what they stand for.
            room.add(app.queue.reserve(bytes.len() as u64 * 3 / 4)?);
            tokio::task::block_in_place(|| images_of_json(&bytes))?
        }
        _ => vec![Image { name: None, bytes }],
    };
    let is_single = !matches!(kind.as_str(), "multipart/form-data" | "application/json");
    // They are decoded one after the other, so there must be room for the largest.
    let sizes = images
        .iter()
        .map(|image| decoding_memory(&image.bytes).map_err(|error| unprocessable(&error)));
    let sizes: Vec<_> = sizes.collect();
    let decoding = sizes.iter().filter_map(|size| size.as_ref().ok()).max().copied();
    if let (true, Err(problem)) = (is_single, &sizes[0]) {
        return Err(problem.clone());
    }
    let computing = details.memory_bytes(&served.predictor);
    room.add(app.queue.reserve(decoding.unwrap_or(0).saturating_add(computing))?);
    let is_quick = is_single && !details.saliency && served.is_quick(decoding.unwrap_or(u64::MAX));
    let limits =
        DecodeLimits { max_memory_bytes: decoding.unwrap_or(0), ..DecodeLimits::default() };
    let name = served.name.clone();
    let (working, computing) = (Arc::clone(app), Arc::clone(&models));
    let work = move || {
        let start = Instant::now();
        let predictor = &computing.get(Some(&name))?.predictor;
        let outcomes = images.into_iter().zip(sizes).map(|(image, size)| {
            let answer = size.and_then(|_| {
                Answer::new(predictor, &image.bytes, &limits, details).map_err(Problem::from)
            });
            let outcome = answer.map_or_else(Outcome::Problem, Outcome::Answer);
            Prediction { image: image.name, outcome }
        });
        let predictions: Vec<_> = outcomes.collect();
        let is_good = |prediction: &&Prediction| matches!(prediction.outcome, Outcome::Answer(_));
        let n_good = predictions.iter().filter(is_good).count() as u64;
        let n_bad = predictions.len() as u64 - n_good;
        working.metrics.computed(n_good, n_bad, start.elapsed());
        Ok::<_, Problem>(predictions)
    };
    let mut predictions = app.queue.run(room, is_quick, work).await??;
    if let (true, Some(Prediction { outcome: Outcome::Problem(problem), .. })) =
        (is_single, predictions.first_mut())
    {
        return Err(problem.clone());
    }
    let classes = served.predictor.classes();
    Ok(Json(Predictions { model: &served.name, classes, predictions }).into_response())
}

fn unprocessable(error: &dnn_data::image::DecodeError) -> Problem {
    Problem::unprocessable(error.to_string())
}

/// The media type without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Every part of a form is an image, whatever it is called.
async fn parts_of(headers: &HeaderMap, bytes: Bytes) -> Result<Vec<Image>, Problem> {
    let malformed =
        |error: &dyn std::fmt::Display| Problem::bad_request(format!("the form: {error}"));
    let mut request = Request::new(Body::from(bytes));
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    let mut form =
        Multipart::from_request(request, &()).await.map_err(|error| malformed(&error))?;
    let mut images = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| malformed(&error))? {
        let name = file_name(field.headers()).or_else(|| field.name().map(str::to_owned));
        let bytes = field.bytes().await.map_err(|error| malformed(&error))?;
        images.push(Image { name, bytes });
        check_number(images.len())?;
    }
    check_number(images.len()).map(|()| images)
}

/// The name of a part's file: `filename*` (RFC 5987), or else `filename` as it stands, in UTF-8 or Latin-1.
/// Percent signs in it are its own: clients differ in what they escape.
fn file_name(headers: &HeaderMap) -> Option<String> {
    let disposition = headers.get(header::CONTENT_DISPOSITION)?.as_bytes();
    let latin_1 = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
    let disposition = match std::str::from_utf8(disposition) {
        Ok(text) => text.to_owned(),
        Err(_) => latin_1(disposition),
    };
    let extended = parameter(&disposition, "filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let bytes: Vec<u8> = percent_decode_str(rest.split_once('\'')?.1).collect();
        match charset.to_ascii_lowercase().as_str() {
            "utf-8" => String::from_utf8(bytes).ok(),
            "iso-8859-1" => Some(latin_1(&bytes)),
            _ => None,
        }
    });
    extended.or_else(|| parameter(&disposition, "filename"))
}

/// A parameter of a header's value, `; name=value` or `; name="value"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (found, value) = rest.split_once('=')?;
        let mut chars = value.char_indices();
        let (mut text, mut is_quoted) = (String::new(), false);
        rest = loop {
            match chars.next() {
                None => break "",
                Some((end, ';')) if !is_quoted => break &value[end + 1..],
                Some((_, '"')) => is_quoted = !is_quoted,
                Some((_, '\\')) if is_quoted => {
                    text.extend(chars.next().map(|(_, escaped)| escaped));
                }
                Some((_, other)) => text.push(other),
            }
        };
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(if value.trim_start().starts_with('"') {
                text
            } else {
                text.trim().into()
            });
        }
    }
}

/// `{"images": ["base64 of a file", …]}`; a data URL is understood as well.
fn images_of_json(bytes: &[u8]) -> Result<Vec<Image>, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Several<'a> {
        #[serde(borrow)]
        images: Vec<Cow<'a, str>>,
    }
    let several: Several<'_> = serde_json::from_slice(bytes).map_err(|error| {
        Problem::bad_request(format!("expected {{\"images\": [BASE64, …]}}: {error}"))
    })?;
    check_number(several.images.len())?;
    let image = |(index, text): (usize, &Cow<'_, str>)| {
        let base64 = text.strip_prefix("data:").and_then(|url| url.split_once(";base64,"));
        let base64 = base64.map_or(text.as_ref(), |(_, base64)| base64);
        let bytes = STANDARD.decode(base64).map_err(|error| {
            Problem::bad_request(format!("images[{index}] is no base64: {error}"))
        })?;
        Ok(Image { name: None, bytes: bytes.into() })
    };
    several.images.iter().enumerate().map(image).collect()
}

fn check_number(n: usize) -> Result<(), Problem> {
    if (1..=MAX_EXAMPLES).contains(&n) {
        return Ok(());
    }
    Err(Problem::bad_request(format!("expected 1 to {MAX_EXAMPLES} images, got {n}")))
}

/// The names of the models, and what they tell apart.
pub(crate) async fn models(app: State<Arc<App>>) -> Response {
    let models = app.0.models();
    let models: Vec<_> = models
        .iter()
        .map(|served| {
            let predictor = &served.predictor;
            json!({
                "name": served.name,
                "classes": predictor.classes(),
                "input": predictor.input().to_string(),
                "takes_images": served.takes_images(),
            })
        })
        .collect();
    Json(json!({ "models": models })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_read_in_every_encoding() {
        let name = |disposition: &[u8]| {
            let value = header::HeaderValue::from_bytes(disposition).expect("a header");
            file_name(&HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)]))
        };
        for (disposition, expected) in [
            ("form-data; name=\"f\"; filename=\"Kätzchen 猫.png\"", "Kätzchen 猫.png"),
            ("form-data; name=f; FileName=cat.png ", "cat.png"),
            ("form-data; filename=\"a\\\"; b=\\\\.png\"; name=\"f\"", "a\"; b=\\.png"),
            ("form-data; filename=\"100%25.png\"", "100%25.png"),
            ("form-data; filename=\"x.png\"; filename*=UTF-8''%E7%8C%AB.png", "猫.png"),
            ("form-data; filename*=iso-8859-1'de'K%E4tzchen.png", "Kätzchen.png"),
            ("form-data; filename*=UTF-8''%E4.png; filename=\"x.png\"", "x.png"),
            ("form-data; filename*=broken; filename=\"x.png\"", "x.png"),
        ] {
            assert_eq!(name(disposition.as_bytes()).as_deref(), Some(expected), "{disposition}");
        }
        assert_eq!(name(b"form-data; filename=\"K\xe4tzchen\"").as_deref(), Some("Kätzchen"));
        for none in ["form-data", "form-data; name=\"filename=x\"", "form-data; filename", ";;=\""]
        {
            assert_eq!(name(none.as_bytes()), None, "{none}");
        }
    }
}
