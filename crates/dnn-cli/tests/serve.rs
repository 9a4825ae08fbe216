//! `dnn serve` as a process, asked through bare sockets.
#![cfg(all(unix, feature = "serve"))]

mod common;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::Place;
use dnn_core::layer::Dense;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Init, Network, OutputActivation};
use dnn_data::image::{PngContent, encode_png};
use dnn_data::{ImageShape, InputContract, Model};
use flate2::Crc;
use nalgebra::{DMatrix, DVector};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that is killed when the test ends.
struct Server {
    child: Child,
    address: String,
    log: Option<std::thread::JoinHandle<String>>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Reads one answer.
fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.split("\r\ncontent-length: ").nth(1)?.split("\r\n").next()?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: lower, body })
}

impl Server {
    fn start(place: &Place, args: &[&str]) -> Self {
        Self::start_with(place, args, &[])
    }

    fn start_with(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let args = [&["serve"], args, &["--port", "0", "--json"]].concat();
        let mut command = place.dnn(&args);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut err = child.stderr.take().expect("piped");
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            err.read_to_string(&mut log).map(|_| log).expect("UTF-8")
        });
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut text = String::new();
        while !text.ends_with("}\n") {
            assert!(out.read_line(&mut text).expect("UTF-8") > 0, "{text} {:?}", log.join());
        }
        let said: Value = serde_json::from_str(&text).expect("JSON");
        let url = said["url"].as_str().expect("a URL");
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { child, address, log: Some(log) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time");
        stream
    }

    /// Sends bytes as they are.
    fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("sent");
        read_answer(&mut stream).expect("an answer")
    }

    fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        self.send(&request(method, path, headers, body))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.ask("POST", path, &[], body)
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the end: its exit code and what it wrote.
    fn ended(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("a child").code();
        (status, self.log.take().expect("not asked yet").join().expect("read"))
    }

    /// Waits until the metrics have this text.
    fn until(&self, text: &str) {
        let start = Instant::now();
        while !String::from_utf8_lossy(&self.get("/metrics").body).contains(text) {
            assert!(start.elapsed() < Duration::from_secs(20), "{text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        head += "Host: localhost\r\n";
    }
    for header in headers {
        head += header;
        head += "\r\n";
    }
    if !body.is_empty() {
        head = format!("{head}Content-Length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A model of 8×8 pixels and two classes, with weights of this seed.
fn model(seed: u64) -> Model {
    let shape = Architecture::new(vec![192, 3, 1], Activation::Tanh, OutputActivation::Sigmoid);
    let mut rng = Generator::new(RngKind::Modern, seed).expect("takes every seed");
    let network = Network::<f64>::initialize(&shape, Init::He, &mut rng).expect("a shape");
    let classes = vec!["non-cat".into(), "cat".into()];
    Model::new(network, classes, InputContract::rgb(8, 8).expect("a size")).expect("a model")
}

fn write_model(place: &Place, name: &str, model: &Model) {
    model.write(File::create(place.path(name)).expect("a file")).expect("written");
}

fn png(width: usize, height: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
    let shape = ImageShape { height, width, channels: 3 };
    encode_png(&mut bytes, &pixels, shape, PngContent::Photos).expect("written");
    bytes
}

/// A server of one model, `m`, and what `dnn predict` says of a picture.
fn usual(args: &[&str]) -> (Place, Server, Vec<u8>, f64) {
    let place = Place::new();
    write_model(&place, "m.safetensors", &model(1));
    let picture = png(20, 12);
    std::fs::write(place.path("p.png"), &picture).expect("written");
    let said = place.json(&["predict", "m.safetensors", "p.png"]);
    let probability = said["predictions"][0]["probability"].as_f64().expect("a number");
    let server = Server::start(&place, &[&["m.safetensors"], args].concat());
    (place, server, picture, probability)
}

#[test]
fn every_way_of_asking_gives_what_predict_gives() {
    let (_place, server, picture, probability) = usual(&[]);
    let said = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["predictions"][0]["probability"].as_f64()
    };
    assert_eq!(said(&server.post("/v1/predict", &picture)), Some(probability));
    assert_eq!(said(&server.post("/v1/predict?model=m", &picture)), Some(probability));

    let form = [
        b"--xyz\r\nContent-Disposition: form-data; name=\"a\"; filename=\"p\xc3\xa9.png\"\r\n\r\n",
        &picture[..],
        b"\r\n--xyz\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nno picture\r\n--xyz--\r\n",
    ];
    let kind = ["Content-Type: multipart/form-data; boundary=xyz"];
    let answer = server.ask("POST", "/v1/predict", &kind, &form.concat());
    assert_eq!(said(&answer), Some(probability));
    assert_eq!(answer.json()["predictions"][0]["image"], "pé.png");
    assert_eq!(answer.json()["predictions"][1]["status"], 422);

    let data_url = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(&picture));
    let several = json!({ "images": [BASE64_STANDARD.encode(&picture), data_url] }).to_string();
    let kind = ["Content-Type: application/json; charset=utf-8"];
    let answer = server.ask("POST", "/v1/predict", &kind, several.as_bytes());
    assert_eq!(said(&answer), Some(probability));
    assert_eq!(answer.json()["predictions"][1]["probability"].as_f64(), Some(probability));
    for bad in ["{\"images\": []}", "{\"images\": [\"é\"]}", "[]", "{\"images\": 1}", "{"] {
        assert_eq!(server.ask("POST", "/v1/predict", &kind, bad.as_bytes()).status, 400, "{bad}");
    }

    let answer = server.post("/v1/explain?prepared=true", &picture);
    assert_eq!(said(&answer), Some(probability));
    let explained = &answer.json()["predictions"][0];
    assert_eq!(explained["saliency"]["values"].as_array().map(Vec::len), Some(64));
    assert!(explained["prepared"].as_str().expect("a PNG").starts_with("iVBORw0KGgo"));

    // In pieces, as a chunked body.
    let mut chunked = request("POST", "/v1/predict", &["Transfer-Encoding: chunked"], b"");
    for piece in picture.chunks(100) {
        chunked.extend(format!("{:x}\r\n", piece.len()).bytes());
        chunked.extend(piece);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    assert_eq!(said(&server.send(&chunked)), Some(probability));
}

#[test]
fn the_open_inference_protocol_is_spoken() {
    let (_place, server, picture, probability) = usual(&[]);
    assert_eq!(server.get("/v2/health/live").json(), json!({ "live": true }));
    assert_eq!(server.get("/v2/health/ready").json(), json!({ "ready": true }));
    assert_eq!(server.get("/v2").json()["name"], "dnn");
    assert_eq!(server.get("/v2/models/m/ready").json(), json!({ "name": "m", "ready": true }));
    let metadata = server.get("/v2/models/m/versions/1").json();
    assert_eq!(metadata["inputs"][0]["shape"], json!([-1, -1, -1, 3]));
    assert_eq!(metadata["outputs"][0]["shape"], json!([-1, 2]));
    assert_eq!(server.get("/v2/models/m/versions/2").status, 404);
    for unknown in ["x", "%6d%00", "%256d", "..%2fm", "m%20"] {
        let answer = server.post(&format!("/v2/models/{unknown}/infer"), b"{}");
        assert_eq!(
            (answer.status, answer.json()["status"].as_u64()),
            (404, Some(404)),
            "{unknown}"
        );
        assert_eq!(answer.json()["error"], answer.json()["detail"]);
    }

    let pixels: Vec<u8> = (0..20 * 12 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let infer = |input: Value| {
        let asked = json!({ "id": "7", "inputs": [input] }).to_string();
        server.post("/v2/models/m/infer", asked.as_bytes())
    };
    let images =
        json!({ "name": "images", "datatype": "UINT8", "shape": [1, 12, 20, 3], "data": pixels });
    let answer = infer(images.clone());
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let said = answer.json();
    let most = |said: &Value| {
        let all = said["outputs"][0]["data"].as_array().expect("numbers");
        all.iter().filter_map(Value::as_f64).fold(0.0, f64::max)
    };
    assert_eq!(
        (most(&said), &said["id"], &said["model_name"]),
        (probability, &json!("7"), &json!("m"))
    );
    let file = json!({ "name": "images", "datatype": "BYTES", "shape": [1], "data": [BASE64_STANDARD.encode(&picture)] });
    assert_eq!(most(&infer(file).json()), probability);
    let row = json!({ "name": "features", "datatype": "FP64", "shape": [2, 192], "data": vec![0.5; 384] });
    let said = infer(row).json();
    assert_eq!(said["outputs"][0]["data"][0], said["outputs"][0]["data"][2]);

    // Tensors as bytes, in both directions.
    let start = json!({
        "inputs": [{ "name": "images", "datatype": "UINT8", "shape": [1, 12, 20, 3],
                     "parameters": { "binary_data_size": 720 } }],
        "outputs": [{ "name": "probabilities", "parameters": { "binary_data": true } }],
    })
    .to_string();
    let length = format!("Inference-Header-Content-Length: {}", start.len());
    let body = [start.as_bytes(), &pixels].concat();
    let answer = server.ask("POST", "/v2/models/m/infer", &[&length], &body);
    let numbers = answer.body[answer.body.len() - 16..].as_chunks::<8>().0;
    let numbers: Vec<f64> = numbers.iter().map(|&n| f64::from_le_bytes(n)).collect();
    assert_eq!(numbers[0].max(numbers[1]), probability);
    assert!(answer.head.contains("inference-header-content-length: "), "{}", answer.head);

    for (bad, says) in [
        (
            json!({ "name": "images", "datatype": "UINT8", "shape": [1, 12, 20, 3], "data": [1] }),
            "as many",
        ),
        (
            json!({ "name": "x", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 3] }),
            "`images`",
        ),
        (
            json!({ "name": "features", "datatype": "FP64", "shape": [1, 2], "data": [0.1, 0.2] }),
            "192",
        ),
        (
            json!({ "name": "features", "datatype": "FP64", "shape": [1, 0], "data": [] }),
            "`features` as FP32",
        ),
    ] {
        let answer = infer(bad);
        let detail = answer.json()["detail"].as_str().expect("words").to_owned();
        assert!((400..500).contains(&answer.status) && detail.contains(says), "{detail}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused_in_words() {
    let place = Place::new();
    write_model(&place, "m.safetensors", &model(1));
    let layers = vec![
        Dense::new(DMatrix::from_element(2, 192, f32::MAX), DVector::zeros(2), Activation::Relu),
        Dense::new(
            DMatrix::from_row_slice(1, 2, &[1.0, -1.0]),
            DVector::zeros(1),
            Activation::Identity,
        ),
    ];
    let layers = layers.into_iter().collect::<Result<_, _>>().expect("layers");
    let network = Network::new(layers, OutputActivation::Sigmoid).expect("a network");
    let overflowing = Model::new(
        network,
        vec!["a".into(), "b".into()],
        InputContract::rgb(8, 8).expect("a size"),
    );
    write_model(&place, "o.safetensors", &overflowing.expect("finite"));
    let models = ["m.safetensors", "nan=o.safetensors"];
    let server =
        Server::start(&place, &[&models[..], &["--memory", "8", "--max-body", "2"]].concat());
    let picture = png(20, 12);
    let bomb = {
        let mut bomb = png(1, 1);
        // Width and height of the header, and its checksum.
        bomb[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
        let mut checksum = Crc::new();
        checksum.update(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
        bomb
    };
    for (path, body, status, says) in [
        ("/v1/predict", &b"GIF89a\x01\0"[..], 422, "a GIF image"),
        ("/v1/predict", b"", 422, "an empty file"),
        ("/v1/predict", &picture[..picture.len() - 9], 422, "cut off"),
        ("/v1/predict", &bomb, 413, "MiB of memory"),
        ("/v1/predict", &vec![0; (2 << 20) + 1], 413, "at most 2097152 bytes"),
        ("/v1/predict?model=nan", &picture, 500, "no number (NaN)"),
        ("/v1/predict?model=x", &picture, 404, "no model of this name"),
        ("/v1/predict?colour=x", &picture, 400, "model=NAME"),
        ("/v1/nothing", &picture, 404, "/openapi.json"),
        ("/v1/models", &picture, 405, "another method"),
    ] {
        let answer = server.post(path, body);
        let said = answer.json();
        assert_eq!(answer.status, status, "{path}: {said}");
        assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
        assert!(said["detail"].as_str().expect("words").contains(says), "{path}: {said}");
        assert_eq!(said["status"], status);
    }
    let compressed = server.ask("POST", "/v1/predict", &["Content-Encoding: gzip"], &picture);
    assert_eq!(compressed.status, 415);
    let form = server.ask("POST", "/v1/predict", &["Content-Type: multipart/form-data"], &picture);
    assert_eq!(form.status, 400);
    // No HTTP at all, and nothing after the headers: the server goes on.
    for junk in
        [&b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..], b"GET\r\n\r\n", &vec![b'x'; 100_000]]
    {
        let mut stream = server.connect();
        let _ = stream.write_all(junk);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(server.post("/v1/predict", &picture).status, 200);
    let metrics = String::from_utf8(server.get("/metrics").body).expect("text");
    for line in [
        "dnn_http_requests_total{route=\"/v1/predict\",status=\"413\"} 2",
        "dnn_http_requests_total{route=\"other\",status=\"404\"} 1",
        "dnn_examples_total{outcome=\"answered\"} 1",
        "dnn_http_request_duration_seconds_count{route=\"/v1/models\"} 1",
        "dnn_memory_reserved_bytes 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    server.signal("TERM");
    let (code, log) = server.ended();
    assert_eq!(code, Some(0));
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("a JSON object a line");
        assert!(line["ts"].is_number() && line["level"].is_string() && line["event"].is_string());
    }
    assert!(!log.contains("GIF") && log.contains("\"route\":\"other\""), "{log}");
}

#[test]
fn other_servers_names_other_sites_pages_and_who_has_no_token_are_refused() {
    let place = Place::new();
    write_model(&place, "m.safetensors", &model(1));
    std::fs::write(place.path("token"), "s3cret\n").expect("written");
    let args = ["m.safetensors", "--token-file", "token", "--allow-host", "models.example"];
    let server = Server::start(&place, &args);
    let token = "Authorization: Bearer s3cret";
    let status = |path: &str, headers: &[&str]| server.ask("GET", path, headers, b"").status;
    assert_eq!(status("/v1/models", &[token]), 200);
    assert_eq!(status("/v1/models", &[]), 401);
    assert_eq!(status("/v1/models", &["Authorization: Bearer s3creT"]), 401);
    for open in ["/", "/openapi.json", "/v2/health/live", "/v2/health/ready"] {
        assert_eq!(status(open, &[]), 200, "{open}");
    }
    for (header, expected) in [
        ("Host: evil.example", 421),
        ("Host: models.example:80", 200),
        ("Host: 127.0.0.1", 200),
        ("Host: [::1]:1", 200),
        ("Origin: http://evil.example", 403),
        ("Origin: null", 403),
        ("Origin: http://localhost", 200),
    ] {
        assert_eq!(status("/v1/models", &[token, header]), expected, "{header}");
    }
    assert_eq!(server.send(b"GET / HTTP/1.1\r\n\r\n").status, 400);
    let post = server.ask("POST", "/v1/predict", &["Origin: http://evil.example"], &png(20, 12));
    assert_eq!(post.status, 403);

    let server = Server::start_with(&place, &["m.safetensors"], &[("DNN_TOKEN", "other")]);
    assert_eq!(server.get("/v1/models").status, 401);
    assert_eq!(server.ask("GET", "/v1/models", &["Authorization: Bearer other"], b"").status, 200);
}

#[test]
fn what_it_says_of_itself_is_true() {
    let (_place, server, ..) = usual(&[]);
    let page = server.get("/");
    assert!(page.head.contains("content-type: text/html"), "{}", page.head);
    assert!(page.head.contains("x-content-type-options: nosniff"));
    assert!(String::from_utf8_lossy(&page.body).contains("What is in this picture?"));
    assert_eq!(server.get("/v1/models").json()["models"][0]["classes"], json!(["non-cat", "cat"]));
    // Every path and method of the document is there, and no other method.
    let document = server.get("/openapi.json").json();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{model}", "m").replace("{version}", "1");
        for method in ["get", "post"] {
            let answer = server.ask(&method.to_uppercase(), &path, &[], b"");
            let is_there = answer.status != 405 && answer.status != 404;
            assert_eq!(
                is_there,
                methods.get(method).is_some(),
                "{method} {path}: {}",
                answer.status
            );
        }
    }
}

#[test]
fn who_sends_slowly_is_cut_off_and_holds_up_nobody() {
    let (_place, server, picture, _) = usual(&["--body-time", "1", "--header-time", "2"]);
    let whole = request("POST", "/v1/predict", &[], &picture);
    let mut slow = server.connect();
    slow.write_all(&whole[..whole.len() - 5]).expect("sent");
    let idle: Vec<_> = (0..500).map(|_| server.connect()).collect();
    assert_eq!(server.post("/v1/predict", &picture).status, 200);
    let answer = read_answer(&mut slow).expect("an answer");
    assert_eq!(answer.status, 408);
    // Gone in the middle: its memory is given back.
    let mut gone = server.connect();
    gone.write_all(&whole[..whole.len() - 5]).expect("sent");
    drop(gone);
    server.until("dnn_memory_reserved_bytes 0");
    server.until("dnn_requests_in_flight 1");
    drop(idle);
    // Half of a request's headers.
    let mut slow = server.connect();
    slow.write_all(b"POST /v1/predict HTTP/1.1\r\nHos").expect("sent");
    let start = Instant::now();
    assert!(read_answer(&mut slow).is_none_or(|answer| answer.status == 408));
    assert!(start.elapsed() < Duration::from_secs(9), "the usual time is longer");
}

#[test]
fn a_full_queue_refuses_at_once() {
    let (_place, server, ..) = usual(&["--queue", "1", "--threads", "1"]);
    let large = png(2500, 1600);
    let asked = request("POST", "/v1/predict", &[], &large);
    let ask = || {
        let mut stream = server.connect();
        stream.write_all(&asked).expect("sent");
        read_answer(&mut stream).expect("an answer")
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|asking| asking.join().expect("asked")).collect()
    });
    let n = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert!(n(200) >= 1 && n(503) >= 1 && n(200) + n(503) == 6, "{answers:?}");
    let busy = answers.iter().find(|answer| answer.status == 503).expect("counted");
    assert!(busy.head.contains("retry-after: 1"), "{}", busy.head);
}

#[test]
fn it_ends_when_all_is_answered_or_its_time_is_up() {
    let (_place, server, picture, _) = usual(&[]);
    let whole = request("POST", "/v1/predict", &[], &picture);
    let _idle = server.connect();
    let mut open = server.connect();
    open.write_all(&whole[..whole.len() - 5]).expect("sent");
    server.until("dnn_requests_in_flight 2");
    server.signal("TERM");
    let start = Instant::now();
    while TcpStream::connect(&server.address).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "it still takes connections");
        std::thread::sleep(Duration::from_millis(20));
    }
    open.write_all(&whole[whole.len() - 5..]).expect("sent");
    assert_eq!(read_answer(&mut open).expect("an answer").status, 200);
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("\"event\":\"stopped\"") && log.contains("\"drained\":true"), "{log}");

    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let (_place, server, ..) = usual(&["--drain-time", "1"]);
        let mut open = server.connect();
        open.write_all(&whole[..whole.len() - 5]).expect("sent");
        server.until("dnn_requests_in_flight 2");
        server.signal(signal);
        assert_eq!(server.ended().0, Some(expected));
    }
}

#[test]
fn models_are_read_again_and_bad_ones_are_not_taken() {
    let (place, server, picture, probability) = usual(&[]);
    let said =
        || server.post("/v1/predict", &picture).json()["predictions"][0]["probability"].as_f64();
    assert_eq!(said(), Some(probability));
    std::fs::write(place.path("m.safetensors"), "no model").expect("written");
    server.signal("HUP");
    server.until("dnn_reloads_total{outcome=\"failed\"} 1");
    assert_eq!(said(), Some(probability));
    write_model(&place, "m.safetensors", &model(2));
    server.signal("HUP");
    server.until("dnn_reloads_total{outcome=\"done\"} 1");
    assert_ne!(said(), Some(probability));
}

#[test]
fn what_it_cannot_start_with_is_named() {
    let (place, server, ..) = usual(&[]);
    let port = server.address.rsplit(':').next().expect("a port");
    let error = place.refused(&["serve", "m.safetensors", "--port", port]);
    assert!(error.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{error}");
    std::fs::write(place.path("bad"), "no model").expect("written");
    for (args, says) in [
        (&["bad"][..], "cannot use the model bad"),
        (&["m.safetensors", "m=m.safetensors"], "two models are called \"m\""),
        (&["a b=m.safetensors"], "letters, digits"),
        (&["m.safetensors", "--token-file", "none"], "cannot read the token"),
        (&["m.safetensors", "--host", "nowhere"], "--host"),
    ] {
        let error = place.refused(&[&["serve"], args, &["--port", "0"]].concat());
        assert!(error.contains(says), "{error}");
    }
}
