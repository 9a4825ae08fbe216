//! The pages in a real browser: Chromium, driven through chromedriver.
//!
//! Without chromedriver, or without the page's WebAssembly, these tests say so and pass;
//! `DNN_REQUIRE_BROWSER=1` makes that a failure. `DNN_AXE`, a path of axe-core's `axe.min.js`, has the
//! page judged for accessibility as well. Screenshots stay under `target/page/`.
#![cfg(all(unix, feature = "serve"))]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Place, quick, stderr};
use dnn_data::ImageShape;
use dnn_data::image::write_png;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A command of Chromium's driver that WebDriver does not have.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

/// A process that is killed at the end.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A browser with one window.
struct Browser {
    client: Client,
    _driver: Killed,
}

/// Whether what is missing may be missing.
fn skips(what: &str) -> bool {
    assert!(std::env::var_os("DNN_REQUIRE_BROWSER").is_none(), "{what}");
    eprintln!("skipped: {what}");
    true
}

impl Browser {
    async fn start() -> Option<Self> {
        let mut driver = Command::new("chromedriver");
        driver.args(["--port=0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut driver) = driver.spawn() else {
            skips("no chromedriver");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let driver = Killed(driver);
        let port = lines.find_map(|line| {
            let line = line.expect("UTF-8");
            let port = line.split("started successfully on port ").nth(1)?;
            Some(port.trim_end_matches('.').to_owned())
        });
        // Its pipe must stay open.
        std::thread::spawn(move || lines.count());
        let mut capabilities = Capabilities::new();
        let args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        capabilities.insert("goog:chromeOptions".into(), json!({ "args": args }));
        capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
        let url = format!("http://127.0.0.1:{}", port.expect("a port"));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&url).await.expect("a session");
        Some(Self { client, _driver: driver })
    }

    async fn resize(&self, width: u32, height: u32) {
        let params = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": params });
        self.client.issue_cmd(Own("goog/cdp/execute", command)).await.expect("another size");
    }

    async fn colours(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let command =
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.client.issue_cmd(Own("goog/cdp/execute", command)).await.expect("other colours");
    }

    async fn run(&self, script: &str, args: Vec<Value>) -> Value {
        self.client.execute(script, args).await.expect("a script")
    }

    /// Waits until the script says something else than null or false.
    async fn until(&self, script: &str) -> Value {
        for _ in 0..1200 {
            let value = self.run(script, vec![]).await;
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{script} {}", self.run("return document.body.innerText", vec![]).await);
    }

    async fn choose(&self, file: &Path) {
        self.run("document.getElementById('result').hidden = true", vec![]).await;
        let input = self.client.find(Locator::Id("file")).await.expect("an input");
        input.send_keys(file.to_str().expect("Unicode")).await.expect("a file");
    }

    /// What the page says of the picture it was given.
    async fn answer(&self) -> Value {
        let said = "const r = document.getElementById('result');
                    return r.hidden ? null : { ...r.dataset, verdict: r.innerText }";
        self.until(said).await
    }

    async fn error(&self) -> String {
        let said = self.until(
            "const e = document.getElementById('error');
                               return e.hidden ? null : e.textContent",
        );
        said.await.as_str().expect("a text").to_owned()
    }

    /// Looks at the page as a phone and as a desk shows it, in both colours.
    async fn looked_at(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/page");
        fs::create_dir_all(&folder).expect("a folder");
        for (width, height) in [(400, 800), (1400, 900)] {
            for scheme in ["light", "dark"] {
                self.resize(width, height).await;
                self.colours(scheme).await;
                let wide = "return document.documentElement.scrollWidth <= innerWidth";
                assert_eq!(self.run(wide, vec![]).await, true, "{width} pixels: it overflows");
                // All of it.
                let whole = self.run("return document.documentElement.scrollHeight", vec![]).await;
                let whole = whole.as_u64().expect("pixels").min(16_000) as u32;
                self.resize(width, height.max(whole)).await;
                let picture = self.client.screenshot().await.expect("a screenshot");
                let file = folder.join(format!("{name}-{width}-{scheme}.png"));
                fs::write(file, picture).expect("written");
                self.judged_for_accessibility().await;
            }
        }
    }

    async fn judged_for_accessibility(&self) {
        let Some(axe) = std::env::var_os("DNN_AXE") else { return };
        let axe = fs::read_to_string(axe).expect("axe-core");
        self.run(&axe, vec![]).await;
        let run = "const done = arguments[arguments.length - 1];
                   axe.run().then((found) => done(found.violations))";
        let violations = self.client.execute_async(run, vec![]).await.expect("a judgement");
        assert_eq!(violations, json!([]), "{violations:#}");
    }

    /// What the browser complained of.
    async fn complaints(&self) -> Value {
        let log = Own("se/log", json!({ "type": "browser" }));
        self.client.issue_cmd(log).await.expect("a log")
    }
}

/// A run, a picture, and what `dnn predict` says of it.
fn trained(place: &Place) -> (PathBuf, Value) {
    place.ok(&[&quick()[..], &["--out", "r"]].concat());
    let (file, shape) = (place.path("p.png"), ImageShape { height: 90, width: 120, channels: 3 });
    let pixels: Vec<u8> =
        (0..shape.n_bytes()).map(|i| (i / 3 % 120 * 2 + i % 3 * 7) as u8).collect();
    write_png(&file, &pixels, shape).expect("written");
    let said = place.json(&["predict", "r", "p.png"]);
    (file, said["predictions"][0].clone())
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_io().enable_time().build().expect("threads")
}

#[test]
fn one_file_answers_without_a_network_what_predict_answers() {
    let place = Place::new();
    let (picture, expected) = trained(&place);
    let made = place.run(&["export", "r", "--format", "html", "--out", "page.html"]);
    if !made.status.success() {
        assert!(stderr(&made).contains("cargo xtask wasm"), "{}", stderr(&made));
        skips("the page's WebAssembly was not built: cargo xtask wasm");
        return;
    }
    let page = place.path("page.html");
    runtime().block_on(async {
        let Some(browser) = Browser::start().await else { return };
        let url = format!("file://{}", page.display());
        browser.client.goto(&url).await.expect("the page");
        browser.looked_at("empty").await;

        browser.choose(&picture).await;
        let said = browser.answer().await;
        let probability: f64 =
            said["probability"].as_str().expect("one").parse().expect("a number");
        let difference = (probability - expected["probability"].as_f64().expect("one")).abs();
        eprintln!("the page and dnn predict differ by {difference:e}");
        assert!(difference <= 1e-15, "{said} {expected}");
        let class = expected["class"].as_str().expect("a class");
        assert!(said["verdict"].as_str().expect("a text").starts_with(class), "{said}");
        let seen = "const p = document.getElementById('prepared');
                    return p.complete && p.naturalWidth";
        assert_eq!(browser.until(seen).await, 24);
        let looked = "return !document.getElementById('looked').hidden";
        assert_eq!(browser.run(looked, vec![]).await, true);
        browser.looked_at("answer").await;

        // Dropped, and told apart from the one before.
        let bytes = STANDARD.encode(fs::read(&picture).expect("a picture"));
        let drop = "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
                    const dataTransfer = new DataTransfer();
                    dataTransfer.items.add(new File([bytes], arguments[1]));
                    document.getElementById('result').hidden = true;
                    const options = { dataTransfer, bubbles: true, cancelable: true };
                    document.body.dispatchEvent(new DragEvent('drop', options))";
        browser.run(drop, vec![bytes.into(), "x.png".into()]).await;
        assert_eq!(browser.answer().await["probability"], said["probability"]);
        browser.run(drop, vec![STANDARD.encode("GIF89a").into(), "é.gif".into()]).await;
        let error = browser.error().await;
        assert!(error.contains("a GIF image; convert it to PNG or JPEG first"), "{error}");
        browser.looked_at("error").await;

        // The page itself keeps what it was given from leaving.
        let send = "const done = arguments[arguments.length - 1];
                    fetch('http://127.0.0.1:9/').then(() => done('sent'), () => done('kept'))";
        assert_eq!(browser.complaints().await, json!([]));
        assert_eq!(browser.client.execute_async(send, vec![]).await.expect("an end"), "kept");
        let complaints = browser.complaints().await.to_string();
        assert!(complaints.contains("Content Security Policy"), "{complaints}");
        browser.client.close().await.expect("closed");
    });
}

#[test]
fn a_servers_page_asks_for_the_token_and_then_the_server() {
    let place = Place::new();
    let (picture, expected) = trained(&place);
    let mut serve = place.dnn(&["serve", "r", "--port", "0"]);
    serve.env("DNN_TOKEN", "s3cret").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Killed(serve.spawn().expect("the program starts"));
    let mut line = String::new();
    let mut out = BufReader::new(server.0.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("UTF-8");
    let url = line.trim().rsplit(' ').next().expect("a URL").to_owned();
    runtime().block_on(async {
        let Some(browser) = Browser::start().await else { return };
        browser.client.goto(&url).await.expect("the page");
        browser.choose(&picture).await;
        assert!(browser.error().await.contains("Authorization: Bearer"));
        browser.looked_at("token").await;
        let field = browser.client.find(Locator::Id("token")).await.expect("a field");
        field.send_keys("s3cret\n").await.expect("typed");
        let ready = "return document.getElementById('token-form').hidden";
        assert_eq!(browser.until(ready).await, true);
        browser.choose(&picture).await;
        let said = browser.answer().await;
        let probability: f64 =
            said["probability"].as_str().expect("one").parse().expect("a number");
        assert_eq!(Some(probability), expected["probability"].as_f64());
        // The one complaint is the answer without a token.
        let complaints = browser.complaints().await;
        assert_eq!(complaints.as_array().map(Vec::len), Some(1), "{complaints:#}");
        browser.client.close().await.expect("closed");
    });
}

#[test]
fn a_report_is_shown_without_a_word_and_without_overflow() {
    let place = Place::new();
    let long = "a-very-long-class-name-without-any-space-in-it-of-seventy-letters-or-so";
    let map = format!("cat=猫猫猫,non-cat={long}");
    place.ok(&[&quick()[..], &["--class-map", &map, "--out", "r", "--quiet"]].concat());
    place.ok(&["report", "r", "--out", "page.html"]);
    let page = place.path("page.html");
    runtime().block_on(async {
        let Some(browser) = Browser::start().await else { return };
        let url = format!("file://{}", page.display());
        browser.client.goto(&url).await.expect("the page");
        browser.looked_at("report").await;
        assert_eq!(browser.complaints().await, json!([]));
        browser.client.close().await.expect("closed");
    });
}
