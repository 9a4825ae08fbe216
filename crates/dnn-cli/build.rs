//! Notes the revision that the program is built from, when there is one.

use std::process::Command;

fn main() {
    // A commit moves HEAD's log; without a repository the file does not exist and nothing is noted.
    for file in ["../../.git/HEAD", "../../.git/logs/HEAD"] {
        if std::path::Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    if let Some(output) = output.ok().filter(|output| output.status.success()) {
        let revision = String::from_utf8_lossy(&output.stdout);
        println!("cargo::rustc-env=DNN_GIT_REVISION={}", revision.trim());
    }
}
