//! The body of a request, read within the limits of size, memory and time.

use crate::problem::Problem;
use crate::queue::{Queue, Room};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How much of a refused body is still taken in, so that its sender hears why: a connection that is
/// closed while it sends is reset, and the answer lost.
const MAX_DRAINED_BYTES: u64 = 256 << 20;
const MAX_DRAINING: Duration = Duration::from_secs(5);

/// Reads the whole body. Memory is reserved as it comes, so that a sender holds no more than it has
/// sent.
///
/// # Errors
/// 413 when it is too long, 408 when it comes too slowly, 415 when it is compressed, 503 when there is
/// no memory for it, 400 when it breaks off. What is still to come is then taken in and thrown away.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    queue: &Queue,
    max_bytes: u64,
    time: Duration,
) -> Result<(Bytes, Room), Problem> {
    let read = collect(headers, &mut body, queue, max_bytes, Instant::now() + time).await;
    read.map_err(|problem| refuse(body, problem))
}

async fn drain(mut body: Body) {
    let mut n_bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        n_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if n_bytes > MAX_DRAINED_BYTES {
            return;
        }
    }
}

async fn collect(
    headers: &HeaderMap,
    body: &mut Body,
    queue: &Queue,
    max_bytes: u64,
    until: Instant,
) -> Result<(Bytes, Room), Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::unsupported("the body is compressed: send it as it is"));
    }
    let too_large = || Problem::too_large(format!("expected a body of at most {max_bytes} bytes"));
    if body.size_hint().lower() > max_bytes {
        return Err(too_large());
    }
    let mut whole = Bytes::new();
    let mut parts = Vec::new();
    let mut room = Room::default();
    loop {
        let frame = timeout_at(until, body.frame()).await;
        let Some(frame) = frame.map_err(|_| Problem::timeout("the body came too slowly"))? else {
            break;
        };
        let frame = frame.map_err(|_| Problem::bad_request("the body breaks off"))?;
        let Ok(data) = frame.into_data() else { continue };
        room.add(queue.reserve(data.len() as u64)?);
        if (whole.len().max(parts.len()) + data.len()) as u64 > max_bytes {
            return Err(too_large());
        }
        if whole.is_empty() {
            whole = data;
            continue;
        }
        if parts.is_empty() {
            // What is not written to yet takes no memory.
            parts.reserve(usize::try_from(body.size_hint().lower()).unwrap_or(0) + whole.len());
            parts.extend_from_slice(&whole);
        }
        parts.extend_from_slice(&data);
    }
    Ok((if parts.is_empty() { whole } else { parts.into() }, room))
}

/// Has the rest of a refused request's body read and dropped in the background.
pub(crate) fn refuse(body: Body, problem: Problem) -> Problem {
    if !body.is_end_stream() {
        tokio::spawn(timeout(MAX_DRAINING, drain(body)));
    }
    problem
}
