//! The dense products of an iteration alone, against the multiply-adds that all cores make when they
//! need nothing from memory.

use anyhow::Context;

use super::Outcome;
use super::compare::{Pairs, median, verdict};
use super::side::Bench;
use super::table::Row;

/// Share of the ceiling.
const TARGET: f64 = 0.7;

/// Runs our program, which measures both in alternation.
///
/// # Errors
/// When it does not build or run.
pub(super) fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let program = bench.bench_program("dnn-train", "products_once")?;
    bench.runs();
    let mut pairs = Pairs::default();
    for _ in 0..bench.repeat {
        let (json, _) = bench.program(&program, &[bench.threads.to_string()])?;
        let rate = |key: &str| json[key].as_f64().with_context(|| format!("no {key} in {json}"));
        // Seconds of an operation, as `Pairs` takes them.
        pairs.push(1.0 / rate("products")?, 1.0 / rate("ceiling")?);
    }
    let show = |seconds: f64| format!("{:.0} GFLOP/s", 1e-9 / seconds);
    let row = Row {
        against: format!("measured ceiling of {} threads, f32", bench.threads),
        theirs: show(median(&pairs.theirs)),
        ours: show(median(&pairs.ours)),
        ratio: pairs.shown(),
        target: format!("≥ {TARGET}×"),
        verdict: verdict(pairs.ratio(), Some(TARGET)),
        runs: bench.runs(),
        ..Row::default()
    };
    Ok(Outcome { rows: vec![row], disagreements: Vec::new() })
}
