//! Says whether the page's WebAssembly was built, by `cargo xtask wasm`, from what is here now.
//!
//! It is not built from here: `cargo build` needs no toolchain for WebAssembly.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// What the WebAssembly is built from; a packed crate has the first two alone.
const SOURCES: [&str; 5] =
    ["src/lib.rs", "src/wasm.rs", "../dnn-core/src", "../dnn-data/src", "../../Cargo.lock"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(wasm_built)");
    println!("cargo::rerun-if-changed=wasm");
    let newest = SOURCES.iter().filter_map(|source| {
        println!("cargo::rerun-if-changed={source}");
        newest(source.as_ref()).ok()
    });
    let newest = newest.max();
    let built = fs::metadata("wasm/dnn_page.wasm").and_then(|file| file.modified());
    let state = match built {
        Err(_) => "missing",
        Ok(built) if newest.is_some_and(|newest| newest > built) => "stale",
        Ok(_) => "built",
    };
    println!("cargo::rustc-env=DNN_PAGE_WASM={state}");
    // Not into itself.
    let is_wasm = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32");
    if state == "built" && !is_wasm {
        println!("cargo::rustc-cfg=wasm_built");
    }
}

/// When the file, or the last of those in the folder, was changed.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return metadata.modified();
    }
    let mut last = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(path)? {
        last = last.max(newest(&entry?.path())?);
    }
    Ok(last)
}
