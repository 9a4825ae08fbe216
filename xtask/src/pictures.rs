//! `cargo xtask pictures`: makes the pictures of README.md and docs/ with the program.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Where they are kept.
const PICTURES: &str = "docs/pictures";
/// All of them together, in bytes.
const MOST_BYTES: u64 = 300_000;
/// What is drawn for them: enough that each cause of error shows.
const DRAWN: [&str; 7] =
    ["drawn", "--draw-train", "2000", "--draw-test", "400", "--draw-seed", "1"];

/// Makes all pictures anew; returns what is wrong with them.
///
/// # Errors
/// When the program fails, or there is no Chromium for the picture of the page.
pub(crate) fn run(root: &Path) -> anyhow::Result<Vec<String>> {
    let work = root.join("target/pictures");
    let pictures = root.join(PICTURES);
    fs::create_dir_all(&pictures).with_context(|| format!("cannot make {PICTURES}"))?;
    let dnn = |args: &[&str]| -> anyhow::Result<()> {
        let mut command = crate::command(root, "cargo");
        command.args(["run", "--quiet", "--package", "dnn-cli", "--"]).args(args);
        let status = command.args(["--quiet"]).status().context("cargo did not start")?;
        ensure!(status.success(), "dnn {} failed", args.join(" "));
        Ok(())
    };
    let run = "target/pictures/run";
    let length = ["--layers", "64,32", "--iterations", "300", "--log-every", "10"];
    dnn(&[&["train"], &DRAWN[..], &length, &["--out", run, "--force"]].concat())?;
    let few = ["drawn", "--draw-train", "2000", "--draw-test", "50"];
    let sheet = format!("{PICTURES}/mislabeled.png");
    dnn(&[&["evaluate", run], &few[..], &["--mislabeled", &sheet]].concat())?;
    dnn(&["explain", run, "--out", "target/pictures/explain"])?;
    dnn(&["report", run])?;
    for (from, name) in [("run/cost.svg", "cost.svg"), ("explain/causes.svg", "causes.svg")] {
        fs::copy(work.join(from), pictures.join(name))
            .with_context(|| format!("cannot copy {from}"))?;
    }
    screenshot(&work.join("run/report.html"), &pictures.join("report.png"))?;
    let mut total = 0;
    for entry in fs::read_dir(&pictures)? {
        total += entry?.metadata()?.len();
    }
    let too_large = total > MOST_BYTES;
    let finding = format!("error: {PICTURES} has {total} bytes; at most {MOST_BYTES} are kept");
    Ok(too_large.then_some(finding).into_iter().collect())
}

/// The upper part of the page, as a browser shows it.
fn screenshot(page: &Path, picture: &Path) -> anyhow::Result<()> {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&&str| {
        Command::new(**name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let browser = browsers.iter().find(is_there).context("no Chromium here to open the page")?;
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .arg("--window-size=860,910")
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .context("Chromium did not start")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
