//! The counters and times of `/metrics`, in the OpenMetrics text format that Prometheus reads.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the histograms' buckets, in seconds.
const BOUNDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// A request by its route, which is one of the server's own: what clients make up is no label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    status: u16,
}

/// A request by its route alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// A label for how something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counts and times of a server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    computing: Histogram,
    examples: Family<Outcome, Counter>,
    reloads: Family<Outcome, Counter>,
    log_lines_dropped: Gauge,
    memory_in_use: Gauge,
    /// Connections that are open.
    connections: Gauge,
    /// Requests that wait for their answer.
    pub(crate) in_flight: Gauge,
}

/// An open connection, which is counted.
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BOUNDS);
        let mut registry = Registry::with_prefix("dnn");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let durations = Family::new_with_constructor(histogram);
        let help = "Time from a request's headers to its answer";
        registry.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            durations.clone(),
        );
        let computing = histogram();
        let help = "Time of decoding, preparing and computing, without waiting";
        registry.register_with_unit("inference_duration", help, Unit::Seconds, computing.clone());
        let examples = Family::default();
        registry.register("examples", "Images and rows, by how they ended", examples.clone());
        let reloads = Family::default();
        registry.register("reloads", "Attempts to read the models again", reloads.clone());
        let mut gauge = |name, help| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let log_lines_dropped =
            gauge("log_lines_dropped", "Lines of the log that were dropped since the start");
        let memory_in_use = gauge("memory_reserved_bytes", "Memory that requests have reserved");
        let connections = gauge("connections", "Open connections");
        let in_flight = gauge("requests_in_flight", "Requests that wait for their answer");
        Self {
            registry,
            requests,
            durations,
            computing,
            examples,
            reloads,
            log_lines_dropped,
            memory_in_use,
            connections,
            in_flight,
        }
    }

    /// Counts a connection as open until the value is dropped, which it also is when answering panics.
    pub(crate) fn connected(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// Counts a request that was answered.
    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.durations.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Request { route, status }).inc();
    }

    /// Counts what was computed in this time.
    pub(crate) fn computed(&self, n_good: u64, n_bad: u64, took: Duration) {
        for (outcome, n) in [("answered", n_good), ("refused", n_bad)] {
            if n > 0 {
                self.examples.get_or_create(&Outcome { outcome }).inc_by(n);
            }
        }
        self.computing.observe(took.as_secs_f64());
    }

    /// Counts an attempt to read the models again.
    pub(crate) fn reloaded(&self, outcome: &'static str) {
        self.reloads.get_or_create(&Outcome { outcome }).inc();
    }

    /// Returns everything as text.
    pub(crate) fn text(&self, n_log_lines_dropped: u64, memory_in_use_bytes: u64) -> String {
        self.log_lines_dropped.set(n_log_lines_dropped as i64);
        self.memory_in_use.set(memory_in_use_bytes as i64);
        let mut text = String::new();
        // A String takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
