//! Time against counted operations, while examples, features or units grow.

use std::fmt::Write;

use anyhow::Context;

use super::Outcome;
use super::compare::{median, times};
use super::job::show_seconds;
use super::plot::{self, Series};
use super::side::{Bench, Images};
use super::table::Row;

/// A sweep's times may leave its line of proportionality by this factor.
const TARGET: f64 = 1.5;
const PLOT: &str = "docs/growth.svg";

/// One training: examples, pixels a side, hidden units.
#[derive(Debug, Clone, Copy)]
struct Point {
    m: usize,
    side: usize,
    hidden: [usize; 3],
}

const fn point(m: usize, side: usize, n1: usize) -> Point {
    Point { m, side, hidden: [n1, 7, 5] }
}

/// What grows, and the points.
const SWEEPS: &[(&str, &[Point])] = &[
    (
        "examples 209 to 20,000 of 3072 features",
        &[point(209, 32, 20), point(1000, 32, 20), point(5000, 32, 20), point(20_000, 32, 20)],
    ),
    (
        "features 768 to 49,152",
        &[point(209, 16, 20), point(209, 32, 20), point(209, 64, 20), point(209, 128, 20)],
    ),
    (
        "first layer 20 to 1024 units",
        &[point(209, 64, 20), point(209, 64, 64), point(209, 64, 256), point(209, 64, 1024)],
    ),
];

impl Point {
    fn n0(&self) -> usize {
        self.side * self.side * 3
    }

    /// Multiplications and additions of the products that each example takes after the first
    /// layer: forward, dW and dA.
    fn after_first(&self) -> f64 {
        let [n1, n2, n3] = self.hidden;
        (6 * (n1 * n2 + n2 * n3 + n3)) as f64
    }

    /// Of one iteration on X itself: W·X and dZ·Xᵀ; nobody needs dA₀.
    fn dense(&self) -> f64 {
        self.m as f64 * ((4 * self.n0() * self.hidden[0]) as f64 + self.after_first())
    }

    /// Of one iteration on G = XᵀX: C·G.
    fn gram(&self) -> f64 {
        self.m as f64 * ((2 * self.m * self.hidden[0]) as f64 + self.after_first())
    }

    /// Once: half of G, as it is symmetric, P = W·X, and the weights at the end.
    fn gram_once(&self) -> f64 {
        let (m, n0) = (self.m as f64, self.n0() as f64);
        m * (m + 1.0) * n0 + 4.0 * m * n0 * self.hidden[0] as f64
    }

    fn operations(&self, engine: &str, iterations: usize) -> f64 {
        match engine {
            "gram" => self.gram_once() + self.gram() * iterations as f64,
            _ => self.dense() * iterations as f64,
        }
    }
}

/// Measures every sweep with the dense engine and with the one that `auto` takes.
///
/// # Errors
/// When our side cannot be run.
pub(super) fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut series = Vec::new();
    for &(what, points) in SWEEPS {
        for engine in ["dense", "auto"] {
            let sweep = sweep(bench, what, points, engine)?;
            let deviation = deviation(&sweep.points);
            let (first, last) = (sweep.points.first(), sweep.points.last());
            let per_second = |point: Option<&(f64, f64)>| {
                point.map_or(f64::NAN, |(operations, seconds)| operations / seconds * 1e-9)
            };
            outcome.rows.push(Row {
                against: format!("operations counted, {what}; {}", sweep.engines),
                ours: format!("{:.1} to {:.1} GFLOP/s", per_second(first), per_second(last)),
                ratio: format!("within {}", times(deviation)),
                target: format!("≤ {TARGET}×"),
                verdict: if deviation <= TARGET { "met" } else { "not met" }.into(),
                runs: bench.runs(),
                ..Row::default()
            });
            series.push(Series { name: what, hollow: engine == "auto", points: sweep.points });
        }
    }
    super::write(&bench.root.join(PLOT), &plot::svg(&series)).context(PLOT)?;
    Ok(outcome)
}

struct Sweep {
    /// Operations and seconds of an iteration, what is done once shared out.
    points: Vec<(f64, f64)>,
    /// The engines that ran, `gram, gram, dense`.
    engines: String,
}

fn sweep(bench: &Bench, what: &str, points: &[Point], engine: &str) -> anyhow::Result<Sweep> {
    let mut sweep = Sweep { points: Vec::new(), engines: String::new() };
    let budget = if bench.quick { 1e10 } else { 4e10 };
    for point in points {
        let drawn = bench.drawn(point.m, point.side)?;
        let images = Images { train: drawn.clone(), test: drawn };
        let iterations = ((budget / point.dense()) as usize).clamp(20, 500);
        let layers = point.hidden.map(|n| n.to_string()).join(",");
        let n = iterations.to_string();
        let flags = [
            "--preset",
            "course-deep",
            "--precision",
            "f32",
            "--engine",
            engine,
            "--layers",
            &layers,
            "--iterations",
            &n,
            "--log-every",
            "500",
        ];
        let mut seconds = Vec::new();
        let mut ran = String::new();
        for _ in 0..bench.repeat {
            let run = bench.train(&images, &flags)?;
            seconds.push(run.train_s);
            ran = run.name;
        }
        let n = iterations as f64;
        let (operations, seconds) = (point.operations(&ran, iterations) / n, median(&seconds) / n);
        eprintln!(
            "{what}: {} examples, {} features, {} units, {ran}: {operations:.2e} operations in {} \
             an iteration, {:.1} GFLOP/s",
            point.m,
            point.n0(),
            point.hidden[0],
            show_seconds(seconds),
            operations / seconds * 1e-9
        );
        sweep.points.push((operations, seconds));
        let comma = if sweep.engines.is_empty() { "" } else { ", " };
        if engine == "auto" {
            let _ = write!(sweep.engines, "{comma}{ran}");
        } else {
            sweep.engines = ran;
        }
    }
    if engine == "auto" {
        sweep.engines.insert_str(0, "auto: ");
    }
    Ok(sweep)
}

/// The least factor by which every point is within of one line seconds = c·operations.
fn deviation(points: &[(f64, f64)]) -> f64 {
    let (least, most) = extremes(points);
    (most / least).sqrt()
}

/// The least and the most seconds an operation.
pub(super) fn extremes(points: &[(f64, f64)]) -> (f64, f64) {
    points
        .iter()
        .map(|(operations, seconds)| seconds / operations)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), cost| {
            (least.min(cost), most.max(cost))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_of_the_course() {
        let course = point(209, 64, 20);
        // 4·12288·20·209 for W·X and dZ·Xᵀ, 6·(140 + 35 + 5)·209 for the rest.
        assert_eq!(course.dense(), 205_455_360.0 + 225_720.0);
        assert_eq!(course.gram(), 2.0 * 209.0 * 209.0 * 20.0 + 225_720.0);
        assert_eq!(course.operations("dense", 10), 10.0 * course.dense());
        assert!(course.operations("gram", 2500) < course.operations("dense", 2500) / 50.0);
    }

    #[test]
    fn deviation_is_from_the_best_line() {
        assert_eq!(deviation(&[(1.0, 2.0), (10.0, 20.0)]), 1.0);
        // Four times the cost an operation at one end: 2 either way from the line between.
        assert_eq!(deviation(&[(1.0, 4.0), (10.0, 10.0), (100.0, 200.0)]), 2.0);
    }
}
