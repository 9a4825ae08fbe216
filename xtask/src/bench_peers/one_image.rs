//! Latency of one image: Criterion's estimate of ours against the peers' own clocks.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Outcome;
use super::compare::{Pairs, differs, median, verdict};
use super::job::show_seconds;
use super::side::Bench;
use super::table::Row;

const BENCH: &str = "network/f32/one image/12288-20-7-5-1x1";
const BACKENDS: &[(&str, &str)] =
    &[("onnxruntime", "onnxruntime"), ("torch", "PyTorch"), ("numpy", "NumPy")];
/// Against the fastest of them.
const TARGET: f64 = 2.0;

/// Trains a model, holds everybody's probability of one image equal, then measures.
///
/// # Errors
/// When our side cannot be run.
pub(super) fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let images = bench.images()?;
    bench.train(&images, &["--preset", "course-deep", "--precision", "f32"])?;
    let model = bench.run_folder().join("model.safetensors");
    let png = bench.work.join("one-image.png");
    let args = |backend: &str| {
        let seconds = if bench.quick { "1" } else { "3" };
        [
            ("--model", model.to_string_lossy().into_owned()),
            ("--data", images.test.to_string_lossy().into_owned()),
            ("--png", png.to_string_lossy().into_owned()),
            ("--backend", backend.to_owned()),
            ("--threads", bench.threads.to_string()),
            ("--seconds", seconds.to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect::<Vec<_>>()
    };

    let mut outcome = Outcome::default();
    let mut fastest: Option<(usize, f64, f64)> = None;
    let mut our_probability = None;
    for &(backend, name) in BACKENDS {
        bench.runs();
        let (mut pairs, mut probability) = (Pairs::default(), f64::NAN);
        let mut failure = None;
        for _ in 0..bench.repeat {
            let ours = our_latency(bench)?;
            match bench.python("one_image.py", &args(backend)) {
                Ok((json, _)) => {
                    let value = |key: &str| json[key].as_f64().unwrap_or(f64::NAN);
                    probability = value("probability");
                    pairs.push(ours, value("latency_seconds"));
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            eprintln!("{name}: {error:#}");
            outcome.rows.push(Row::without_ratio(name, "could not be run"));
            continue;
        }
        // The first peer has written the picture.
        let ours = match our_probability {
            Some(p) => p,
            None => *our_probability.insert(predict(bench, &model, &png)?),
        };
        if differs(ours - probability, 1e-4) {
            let difference = format!("{name}: probability: ours {ours}, theirs {probability}");
            outcome.disagreements.push(difference);
            outcome.rows.push(Row::without_ratio(name, "results differ"));
            continue;
        }
        eprintln!("{name}: equal: probability {ours:.6} and {probability:.6}");
        let theirs = median(&pairs.theirs);
        if fastest.is_none_or(|(_, least, _)| theirs < least) {
            fastest = Some((outcome.rows.len(), theirs, pairs.ratio()));
        }
        outcome.rows.push(Row {
            against: name.into(),
            theirs: show_seconds(theirs),
            ours: show_seconds(median(&pairs.ours)),
            ratio: pairs.shown(),
            runs: bench.runs(),
            ..Row::default()
        });
    }
    if let Some((i, _, ratio)) = fastest {
        outcome.rows[i].target = format!("≥ {TARGET}× (the best)");
        outcome.rows[i].verdict = verdict(ratio, Some(TARGET));
    }
    Ok(outcome)
}

/// `dnn predict`'s probability of class 1.
fn predict(bench: &Bench, model: &Path, png: &Path) -> anyhow::Result<f64> {
    let (model, png) = (model.to_string_lossy(), png.to_string_lossy());
    let (json, _) = bench.dnn(&["predict", &model, &png])?;
    let probability = json.pointer("/predictions/0/probabilities/1").and_then(Value::as_f64);
    probability.with_context(|| format!("`dnn predict` printed no probability: {json}"))
}

/// Runs the Criterion bench and reads its estimate.
fn our_latency(bench: &Bench) -> anyhow::Result<f64> {
    bench.cargo(&["bench", "--quiet", "--package", "dnn-core", "--", BENCH])?;
    let found = estimate(&bench.target.join("criterion"), BENCH)?;
    found.with_context(|| format!("`cargo bench -p dnn-core` has no bench `{BENCH}`"))
}

/// The median in seconds that Criterion keeps for the bench of this id, wherever its folder is.
fn estimate(folder: &Path, id: &str) -> anyhow::Result<Option<f64>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let read = |name: &str| -> anyhow::Result<Value> {
            let path = path.join("new").join(name);
            let text =
                fs::read(&path).with_context(|| format!("{}: read failed", path.display()))?;
            serde_json::from_slice(&text).with_context(|| format!("{}: no JSON", path.display()))
        };
        if path.join("new").join("benchmark.json").exists() {
            if read("benchmark.json")?["full_id"] == id {
                let nanoseconds = read("estimates.json")?["median"]["point_estimate"].as_f64();
                ensure!(nanoseconds.is_some(), "{}: no median", path.display());
                return Ok(nanoseconds.map(|ns| ns * 1e-9));
            }
        } else if path.is_dir()
            && let Some(found) = estimate(&path, id)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterions_estimate_is_found_by_its_id() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (place, id, median) in [("a/b_c", "b/c", 5.0), ("d", BENCH, 7500.0)] {
            let new = folder.path().join(place).join("new");
            fs::create_dir_all(&new).expect("folders");
            let benchmark = serde_json::json!({ "full_id": id });
            let estimates = serde_json::json!({ "median": { "point_estimate": median } });
            fs::write(new.join("benchmark.json"), benchmark.to_string()).expect("write");
            fs::write(new.join("estimates.json"), estimates.to_string()).expect("write");
        }
        assert_eq!(estimate(folder.path(), BENCH).expect("readable"), Some(7500.0 * 1e-9));
        assert_eq!(estimate(folder.path(), "other").expect("readable"), None);
        assert_eq!(estimate(&folder.path().join("none"), BENCH).expect("no folder"), None);
    }
}
