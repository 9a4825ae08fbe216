//! `cargo xtask wasm`: builds the WebAssembly that computes the answers in a page of one file.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::command;

/// Where `dnn-page` takes it from when it is built.
const PLACE: &str = "crates/dnn-page/wasm/dnn_page.wasm";

/// It travels in every page; compressed it is a third of that.
const MAX_BYTES: usize = 1_100_000;

/// Builds the page's WebAssembly and puts it where the page is built with it.
///
/// # Errors
/// When it cannot be built or written, or is too large.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let wasm = build(root, &root.join("target"))?;
    let place = root.join(PLACE);
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot make the folder", folder.display()))?;
    }
    std::fs::write(&place, &wasm).with_context(|| format!("{}: write failed", place.display()))?;
    eprintln!("{PLACE}: {} bytes", wasm.len());
    ensure!(wasm.len() < MAX_BYTES, "expected less than {MAX_BYTES} bytes");
    Ok(())
}

/// Builds it from the sources at `root`, the same bytes wherever they lie.
///
/// # Errors
/// When cargo fails.
pub(crate) fn build(root: &Path, target: &Path) -> anyhow::Result<Vec<u8>> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let remapped = [(Some(root.to_owned()), "."), (cargo_home, "cargo")];
    let flags = remapped.iter().filter_map(|(from, to)| {
        from.as_ref().map(|from| format!("--remap-path-prefix={}={to}", from.display()))
    });
    let flags: Vec<String> = flags.collect();
    let mut cargo = command(root, "cargo");
    cargo
        .args(["rustc", "--package", "dnn-page", "--lib", "--crate-type", "cdylib"])
        .args(["--target", "wasm32-unknown-unknown", "--profile", "wasm", "--target-dir"])
        .arg(target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    let status = cargo.status().context("cargo did not start")?;
    ensure!(
        status.success(),
        "cargo ended with {status}; where the target is missing: rustup target add \
         wasm32-unknown-unknown"
    );
    let built = target.join("wasm32-unknown-unknown/wasm/dnn_page.wasm");
    std::fs::read(&built).with_context(|| format!("{}: read failed", built.display()))
}
