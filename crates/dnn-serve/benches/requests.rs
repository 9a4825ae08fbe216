//! Requests a second: `cargo bench -p dnn-serve`, with `-- --soak 600` for ten minutes in between.
//!
//! `wrk` runs on the same machine, on a thread of its own, and posts a PNG of 64×64 pixels: to a bare
//! axum handler that gives the body's length back, which is what HTTP alone costs here, then to the
//! server. `other_status` counts answers that are not 200, `lost` requests without one.
#![allow(clippy::unwrap_used)] // whoever runs it sees what failed

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use dnn_core::init::Init;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Network, OutputActivation};
use dnn_data::image::{PngContent, encode_png};
use dnn_data::{FeatureKind, ImageShape, InputContract, Model};
use dnn_serve::{Options, Server};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

const SIDE: u32 = 64;

/// What `wrk` runs: the request, and its findings as JSON.
const SCRIPT: &str = r#"
local file = assert(io.open(os.getenv("DNN_BENCH_IMAGE"), "rb"))
wrk.method, wrk.body = "POST", file:read("*a")
done = function(summary, latency)
  io.write(string.format(
    '\n{"per_s": %.0f, "p50_ms": %.2f, "p99_ms": %.2f, "max_ms": %.2f, "other_status": %d, "lost": %d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"#;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let soak_s = args.iter().position(|arg| arg == "--soak").map(|i| args[i + 1].parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (script, image) = (folder.path().join("wrk.lua"), folder.path().join("image.png"));
    std::fs::write(&script, SCRIPT).unwrap();
    std::fs::write(&image, png()).unwrap();
    println!("image: {} bytes", std::fs::metadata(&image).unwrap().len());
    let wrk = Wrk { script, image };

    wrk.run("echo, 8 connections", echo(), 8, 10);
    let pixels = InputContract::rgb(SIDE, SIDE).unwrap();
    let described =
        InputContract { features: FeatureKind::ColourTexture, views: 2, ..pixels.clone() };
    for (name, contract) in [("pixels", pixels), ("colour and texture, 2 views", described)] {
        let address = serve(&contract);
        wrk.run(&format!("{name}, 8 connections"), address, 8, 10);
        wrk.run(&format!("{name}, 256 connections"), address, 256, 10);
        let soak_s: u64 = soak_s.filter(|_| contract.views == 1).unwrap_or(0);
        for minute in 1..=soak_s / 60 {
            wrk.run(&format!("{name}, 8 connections, minute {minute}"), address, 8, 60);
        }
    }
}

struct Wrk {
    script: PathBuf,
    image: PathBuf,
}

impl Wrk {
    /// Asks for so many seconds, and prints what came of it.
    fn run(&self, name: &str, address: SocketAddr, n_connections: usize, seconds: u64) {
        let before_s = cpu_s();
        let output = Command::new("wrk")
            .args(["-t1", &format!("-c{n_connections}"), &format!("-d{seconds}s"), "-s"])
            .arg(&self.script)
            .arg(format!("http://{address}/v1/predict"))
            .env("DNN_BENCH_IMAGE", &self.image)
            .output()
            .expect("wrk is installed");
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let found = found.unwrap_or_else(|| panic!("{text}"));
        let per_request_us =
            (cpu_s() - before_s) / (found["per_s"].as_f64().unwrap() * seconds as f64) * 1e6;
        println!(
            "{name}: {found}, processor {per_request_us:.0} µs a request, memory {}",
            memory()
        );
    }
}

/// The process's memory now and at most, where the system says.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
    format!("{}, at most {}", of("VmRSS:"), of("VmHWM:"))
}

/// What the process has taken of the processors, in seconds, where the system says.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in parentheses: the 12th and 13th are ticks of 10 ms.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// A picture that takes as many bytes as a photo.
fn png() -> Vec<u8> {
    let mut rng = Generator::new(RngKind::Modern, 1).unwrap();
    let mut pixels = Vec::new();
    for (y, x, channel) in (0..SIDE * SIDE * 3).map(|i| (i / 3 / SIDE, i / 3 % SIDE, i % 3)) {
        let wave = (f64::from(x) / 9.0).sin() * 60.0 + (f64::from(y + channel) / 13.0).cos() * 50.0;
        pixels.push((128.0 + wave + 8.0 * rng.uniform()) as u8);
    }
    let mut png = Vec::new();
    let shape = ImageShape { height: SIDE as usize, width: SIDE as usize, channels: 3 };
    encode_png(&mut png, &pixels, shape, PngContent::Photos).unwrap();
    png
}

/// A server of a network with the course's hidden layers.
fn serve(contract: &InputContract) -> SocketAddr {
    let dims = vec![contract.n_features(), 20, 7, 5, 1];
    let architecture = Architecture::new(dims, Activation::Relu, OutputActivation::Sigmoid);
    let mut rng = Generator::new(RngKind::Modern, 1).unwrap();
    let network = Network::<f32>::initialize(&architecture, Init::He, &mut rng).unwrap();
    let classes = vec!["non-cat".into(), "cat".into()];
    let model = Model::new(network, classes, contract.clone()).unwrap();
    let load = Box::new(move || Ok(vec![("cat".into(), model.clone())]));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any, Options::default(), load, std::io::sink()).unwrap();
    let address = server.address().unwrap();
    std::thread::spawn(move || server.run().unwrap());
    address
}

/// A handler that does nothing but take the body.
fn echo() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let handler = post(|body: Bytes| async move { format!("{{\"n\":{}}}", body.len()) });
    let service =
        TowerToHyperService::new(Router::new().route("/v1/predict", handler).into_service());
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_io().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let io = TokioIo::new(stream);
                tokio::spawn(http1::Builder::new().serve_connection(io, service.clone()));
            }
        });
    });
    address
}
