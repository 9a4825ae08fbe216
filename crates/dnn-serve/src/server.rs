//! The server: connections, routes, and how it ends.

use crate::app::{App, Load, Options, ServeError};
use crate::metrics;
use crate::models::Models;
use crate::problem::Problem;
use crate::{body, inference, predict};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, sleep_until};

/// How a server that was asked to end did so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every request was answered.
    Drained,
    /// Some were not, when their time was up or the server was asked a second time.
    CutOff,
}

/// What a running server can be asked, from any thread.
#[derive(Debug, Clone)]
pub struct Control(mpsc::UnboundedSender<Ask>);

#[derive(Debug)]
enum Ask {
    Stop,
    Reload,
}

impl Control {
    /// Takes no more connections, answers what was asked, and ends; the second time it ends at once.
    pub fn stop(&self) {
        // A server that has ended has nothing left to do.
        let _ = self.0.send(Ask::Stop);
    }

    /// Reads the models again; when that fails, the old ones stay.
    pub fn reload(&self) {
        let _ = self.0.send(Ask::Reload);
    }
}

/// A server that listens, and answers once it is [run](Self::run).
pub struct Server {
    listener: std::net::TcpListener,
    app: Arc<App>,
    control: Control,
    asks: mpsc::UnboundedReceiver<Ask>,
}

impl Server {
    /// Reads the models and begins to listen: connections wait until the server is run.
    ///
    /// # Errors
    /// When the models cannot be read or served together, or the address cannot be listened on.
    pub fn bind(
        address: SocketAddr,
        options: Options,
        load: Load,
        log: impl Write + Send + 'static,
    ) -> Result<Self, ServeError> {
        let models = Models::new(load().map_err(ServeError::Load)?)?;
        let bind = |source| ServeError::Bind { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let (control, asks) = mpsc::unbounded_channel();
        let app = Arc::new(App::new(options, models, load, log));
        Ok(Self { listener, app, control: Control(control), asks })
    }

    /// Returns the address that is listened on: with its port, when any was asked for.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns what the running server can be asked through.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Runs the server until it is asked to end.
    ///
    /// # Errors
    /// [`ServeError::Start`].
    pub fn run(self) -> Result<Ending, ServeError> {
        let Self { listener, app, control: _control, asks } = self;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(app.options.n_threads)
            .max_blocking_threads(app.options.n_threads)
            .thread_name("dnn-serve")
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServeError::Start)?;
        let ending = runtime.block_on(async {
            let listener = TcpListener::from_std(listener).map_err(ServeError::Start)?;
            Ok(serve(listener, &app, asks).await)
        });
        // What is computed for requests that were cut off is not waited for.
        runtime.shutdown_background();
        app.log.end();
        ending
    }
}

/// Takes connections until the server is asked to end, then waits for what was asked.
async fn serve(
    listener: TcpListener,
    app: &Arc<App>,
    mut asks: mpsc::UnboundedReceiver<Ask>,
) -> Ending {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(app.options.header_time)
        // Bounds what is read ahead for a connection, headers included.
        .max_buf_size(64 << 10);
    let service = TowerToHyperService::new(router(Arc::clone(app)));
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(app.options.max_connections));
    loop {
        // No place: who comes waits in the system's queue.
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (stream, place) = tokio::select! {
            ask = asks.recv() => match ask {
                Some(Ask::Reload) => {
                    let app = Arc::clone(app);
                    tokio::task::spawn_blocking(move || app.reload());
                    continue;
                }
                Some(Ask::Stop) | None => break,
            },
            next = next => match next {
                (Ok((stream, _)), place) => (stream, place),
                (Err(error), _) => {
                    // Such as too many open files: it passes when connections are closed.
                    app.log.warn("accept failed", json!({ "error": error.to_string() }));
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        // Answers are small: they are sent as they are. Some systems refuse that for dead connections.
        let _ = stream.set_nodelay(true);
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
        let connection = graceful.watch(connection);
        let app = Arc::clone(app);
        tokio::spawn(async move {
            let _place = place;
            let _open = app.metrics.connected();
            // What clients do to their connections is no event of the server's.
            let _ = connection.await;
        });
    }
    drop(listener);
    app.is_stopping.store(true, Ordering::Relaxed);
    app.log.info("stopping", json!({ "in_flight": app.n_in_flight.load(Ordering::Relaxed) }));
    let until = tokio::time::Instant::now() + app.options.drain_time;
    let drained = async {
        // Who has sent half of a request's headers is not waited for longer than this.
        const GRACE: Duration = Duration::from_secs(1);
        tokio::pin! { let closed = graceful.shutdown(); }
        let mut idle_since = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = &mut closed => return,
                () = sleep(Duration::from_millis(20)) => {}
            }
            if app.n_in_flight.load(Ordering::Relaxed) > 0 {
                idle_since = tokio::time::Instant::now();
            } else if idle_since.elapsed() > GRACE {
                return;
            }
        }
    };
    let asked_again = async { while !matches!(asks.recv().await, Some(Ask::Stop) | None) {} };
    let ending = tokio::select! {
        () = drained => Ending::Drained,
        () = sleep_until(until) => Ending::CutOff,
        () = asked_again => Ending::CutOff,
    };
    app.log.info("stopped", json!({ "drained": ending == Ending::Drained }));
    ending
}

/// Addresses that need no token.
const OPEN: [&str; 4] = ["/", "/openapi.json", "/v2/health/live", "/v2/health/ready"];

/// The OpenAPI document.
const OPENAPI: &str = include_str!("openapi.json");

fn router(app: Arc<App>) -> Router {
    let page = app.options.page.clone();
    let router = Router::new()
        .route(
            "/openapi.json",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }),
        )
        .route(
            "/metrics",
            get(|State(app): State<Arc<App>>| async move {
                let text = app.metrics.text(app.log.n_dropped(), app.queue.in_use_bytes());
                ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
            }),
        )
        .route("/v1/models", get(predict::models))
        .route("/v1/predict", post(predict::predict))
        .route("/v1/explain", post(predict::explain))
        .route("/v2", get(inference::server))
        .route("/v2/health/live", get(inference::live))
        .route("/v2/health/ready", get(inference::ready));
    let router = match page.map(Bytes::from) {
        Some(page) => router.route("/", get(|| async { Html(page) })),
        None => router,
    };
    let model = |router: Router<_>, path: &str| {
        router
            .route(path, get(inference::model))
            .route(&format!("{path}/ready"), get(inference::model_ready))
            .route(&format!("{path}/infer"), post(inference::infer))
    };
    let router = model(router, "/v2/models/{model}");
    model(router, "/v2/models/{model}/versions/{version}")
        .fallback(|| async { Problem::not_found("nothing here; /openapi.json says what there is") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        // The server's own limit holds, before anything is taken apart.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// What the log says of a request.
#[derive(Serialize)]
struct RequestLine<'a> {
    method: &'static str,
    route: &'a str,
    status: u16,
    took_us: u64,
}

/// A request that is being answered; it is counted and logged when this is dropped, also when its client leaves.
struct Watched {
    app: Arc<App>,
    method: &'static str,
    path: Option<MatchedPath>,
    start: Instant,
    /// Of the answer; 499 until there is one.
    status: u16,
}

impl Watched {
    fn route(&self) -> &str {
        self.path.as_ref().map_or("other", MatchedPath::as_str)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        let (method, route, status) = (self.method, self.route(), self.status);
        self.app.metrics.answered(route, status, took);
        let took_us = took.as_micros() as u64;
        self.app.log.info("request", RequestLine { method, route, status, took_us });
        self.app.metrics.in_flight.dec();
        self.app.n_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Checks that a request may be answered, and records what became of it.
async fn observe(
    State(app): State<Arc<App>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    app.n_in_flight.fetch_add(1, Ordering::Relaxed);
    app.metrics.in_flight.inc();
    let known = [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS, Method::PUT];
    let names = ["GET", "POST", "HEAD", "OPTIONS", "PUT"];
    let method = known.iter().zip(names).find(|(method, _)| **method == request.method());
    let mut watched = Watched {
        app: Arc::clone(&app),
        method: method.map_or("other", |(_, name)| name),
        path,
        start: Instant::now(),
        status: 499,
    };
    let source = app.guard.check_source(request.uri(), request.headers());
    let allowed = source.and_then(|()| {
        if OPEN.contains(&watched.route()) {
            Ok(())
        } else {
            app.guard.check_token(request.headers())
        }
    });
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(problem) => body::refuse(request.into_body(), problem).into_response(),
    };
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    watched.status = response.status().as_u16();
    response
}
