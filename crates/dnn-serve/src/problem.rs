//! Errors as clients see them: RFC 9457, with the member `error` that the Open Inference Protocol asks
//! for.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dnn_data::PredictError;
use serde::Serialize;

/// Why a request is not answered as asked, `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    /// The detail again, under the name that the Open Inference Protocol has for it.
    error: String,
    /// Seconds until another attempt makes sense.
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn as_number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            error: detail.clone(),
            detail,
            retry_after_s: None,
        }
    }

    /// Says which example of several it is about.
    pub(crate) fn of_example(self, index: usize) -> Self {
        let detail = format!("example {index}: {}", self.detail);
        Self { error: detail.clone(), detail, ..self }
    }

    /// 400: the request itself is malformed.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: no token, or another one.
    pub(crate) fn unauthorized() -> Self {
        let detail = "expected the header `Authorization: Bearer TOKEN` with this server's token";
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// 403: a web page of another origin asks.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is nothing under this address, or no model of this name.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 405: another method is needed.
    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this address takes another method; /openapi.json says which";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    /// 408: the client is too slow.
    pub(crate) fn timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 413: larger than this server takes.
    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415: a kind of content that is not read.
    pub(crate) fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 421: the name that the client asked is none of this server's.
    pub(crate) fn misdirected(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, detail)
    }

    /// 422: understood, but it is no input that the model takes.
    pub(crate) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 500: the fault is the server's.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// 503 with Retry-After: there is no room at the moment.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }
}

impl From<PredictError> for Problem {
    fn from(error: PredictError) -> Self {
        match error {
            PredictError::NoAnswer => Self::internal(error.to_string()),
            _ => Self::unprocessable(error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_string(&self).unwrap_or_default();
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (self.status, [kind], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
