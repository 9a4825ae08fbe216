//! The settings of a server, and the state that all its requests share.

use crate::body;
use crate::guard::Guard;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::models::{Models, ModelsError};
use crate::problem::Problem;
use crate::queue::{Queue, Room};
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use dnn_data::Model;
use serde_json::json;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The limits and other settings of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names that clients may know the server by, besides `localhost` and addresses in numbers.
    pub allowed_hosts: Vec<String>,
    /// The token that clients must show, for everything but health, page and OpenAPI document.
    pub token: Option<String>,
    /// The longest body, in bytes.
    pub max_body_bytes: u64,
    /// Memory for the bodies and the decoded images of all requests together, in bytes.
    pub memory_bytes: u64,
    /// Requests that may wait for a thread or have one.
    pub n_places: usize,
    /// Connections that may be open.
    pub max_connections: usize,
    /// Threads that compute.
    pub n_threads: usize,
    /// The longest that a client may take for a request's headers, the first byte included.
    pub header_time: Duration,
    /// The longest that a client may take for a body.
    pub body_time: Duration,
    /// The longest that a request waits for a thread and is computed.
    pub answer_time: Duration,
    /// The longest that requests are waited for when the server is asked to end.
    pub drain_time: Duration,
    /// The page at `/`, as HTML.
    pub page: Option<String>,
}

impl Default for Options {
    /// Limits that suit a small machine: bodies of 16 MiB, 240 MiB of memory, 128 places.
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            token: None,
            max_body_bytes: 16 << 20,
            memory_bytes: 240 << 20,
            n_places: 128,
            max_connections: 16_384,
            n_threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(10),
            page: None,
        }
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The models cannot be served.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// The models cannot be read.
    #[error("cannot read the models")]
    Load(#[source] LoadError),
    /// The threads of the server cannot be started.
    #[error("cannot start the server's threads")]
    Start(#[source] io::Error),
}

/// Why models cannot be read: whatever the program that serves them finds.
pub type LoadError = Box<dyn std::error::Error + Send + Sync>;

/// Reads the models with their names, at the start and whenever the server is asked to read them again.
pub type Load = Box<dyn Fn() -> Result<Vec<(String, Model)>, LoadError> + Send + Sync>;

/// The state that all requests share.
pub(crate) struct App {
    pub(crate) options: Options,
    models: RwLock<Arc<Models>>,
    load: Load,
    pub(crate) guard: Guard,
    pub(crate) log: Log,
    pub(crate) queue: Queue,
    pub(crate) metrics: Metrics,
    pub(crate) is_stopping: AtomicBool,
    pub(crate) n_in_flight: AtomicUsize,
}

impl App {
    /// Makes the shared state of a server that serves these models at first.
    pub(crate) fn new(
        options: Options,
        models: Models,
        load: Load,
        log: impl Write + Send + 'static,
    ) -> Self {
        Self {
            models: RwLock::new(Arc::new(models)),
            load,
            guard: Guard::new(&options.allowed_hosts, options.token.as_deref()),
            log: Log::start(log),
            queue: Queue::new(options.memory_bytes, options.n_places, options.answer_time),
            metrics: Metrics::new(),
            is_stopping: AtomicBool::new(false),
            n_in_flight: AtomicUsize::new(0),
            options,
        }
    }

    /// Returns the models as they are now; a request keeps them while they are replaced.
    pub(crate) fn models(&self) -> Arc<Models> {
        Arc::clone(&self.models.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a body within the server's limits.
    pub(crate) async fn body(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Bytes, Room), Problem> {
        let Options { max_body_bytes, body_time, .. } = self.options;
        body::read(headers, body, &self.queue, max_body_bytes, body_time).await
    }

    /// Reads the models again; when that fails, the old ones stay.
    pub(crate) fn reload(&self) {
        let read = (self.load)().map_err(ServeError::Load);
        match read.and_then(|models| Ok(Models::new(models)?)) {
            Ok(models) => {
                *self.models.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(models);
                self.metrics.reloaded("done");
                self.log.info("reloaded", ());
            }
            Err(error) => {
                self.metrics.reloaded("failed");
                self.log.warn("reload failed", json!({ "error": in_words(&error) }));
            }
        }
    }
}

/// Returns the messages of an error and its causes.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
