//! Ranges and ticks of the axes of a plot.

use crate::chart::thousands;
use std::ops::Range;

/// Costs beyond this are drawn like infinite ones, costs below its inverse like 0: the arithmetic
/// of ranges then stays finite.
const HUGE: f64 = 1e300;

/// The range of an axis, its ticks and how they are written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) range: Range<f64>,
    pub(crate) ticks: Vec<f64>,
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    Whole,
    /// The power of ten.
    Power,
    /// Digits after the point.
    Fixed(usize),
    /// Digits after the point of the mantissa.
    Scientific(usize),
    /// As percentages; with a sign or without.
    Percent {
        signed: bool,
    },
}

/// Returns the cost as it can be drawn; nothing for what has no place on an axis.
pub(crate) fn drawable(cost: f64) -> Option<f64> {
    match cost.abs() {
        size if size < 1.0 / HUGE => Some(0.0),
        size if size <= HUGE => Some(cost),
        _ => None,
    }
}

impl Axis {
    /// An axis of whole numbers, from 0 unless all lie far from it.
    pub(crate) fn of_iterations(iterations: impl Iterator<Item = f64>, max_ticks: usize) -> Self {
        let (low, high) = bounds(iterations).unwrap_or((0.0, 1.0));
        let low = if low > 0.0 && low >= high / 2.0 && low < high { low } else { 0.0 };
        let span = (high - low).max(1.0);
        let step = nice_at_least(span / max_ticks.max(1) as f64).max(1.0);
        // A little room, so that the last point does not lie on the edge.
        let range = low..low + span * 1.02;
        Self { ticks: multiples(&range, step), range, style: Style::Whole }
    }

    /// An axis of [`drawable`] costs: with 0 where that does not squeeze the curve, otherwise
    /// with a little room on both sides.
    pub(crate) fn of_costs(costs: impl Iterator<Item = f64>, max_ticks: usize) -> Self {
        let (low, high) = bounds(costs).unwrap_or((0.0, 1.0));
        let (span, size) = (high - low, low.abs().max(high.abs()));
        let room = 0.05 * span;
        let range = if size == 0.0 {
            0.0..1.0
        } else if span <= 1e-9 * size {
            low - 0.1 * size..high + 0.1 * size
        } else if low >= 0.0 && low <= 0.5 * high {
            0.0..high + room
        } else {
            low - room..high + room
        };
        let step = nice_at_least((range.end - range.start) / max_ticks.max(1) as f64);
        let size = range.start.abs().max(range.end.abs());
        let step_power = step.log10().round_down();
        let style = if (1e-3..1e6).contains(&size) {
            Style::Fixed(usize::try_from(-step_power).unwrap_or(0))
        } else {
            Style::Scientific(usize::try_from(size.log10().round_down() - step_power).unwrap_or(0))
        };
        Self { ticks: multiples(&range, step), range, style }
    }

    /// An axis of shares, from 0 to 100 %.
    pub(crate) fn of_shares(max_ticks: usize) -> Self {
        let step = nice_at_least(1.0 / max_ticks.max(1) as f64);
        let range = 0.0..1.0;
        Self { ticks: multiples(&range, step), range, style: Style::Percent { signed: false } }
    }

    /// An axis of differences between shares, with 0 and a little room on both sides.
    pub(crate) fn of_differences(values: impl Iterator<Item = f64>, max_ticks: usize) -> Self {
        let (low, high) = bounds(values.chain([0.0])).unwrap_or((0.0, 0.0));
        let room = (0.05 * (high - low)).max(0.01);
        let range = low - room..high + room;
        let step = nice_at_least((range.end - range.start) / max_ticks.max(1) as f64).max(0.01);
        Self { ticks: multiples(&range, step), range, style: Style::Percent { signed: true } }
    }

    /// An axis of the powers of ten of these numbers, with a tick at each whole power.
    pub(crate) fn of_powers(numbers: impl Iterator<Item = f64>, max_ticks: usize) -> Self {
        let powers = numbers.filter(|x| x.is_finite() && *x > 0.0).map(f64::log10);
        let (low, high) = bounds(powers).unwrap_or((0.0, 1.0));
        let range = low..high.max(low + 1e-3);
        let step = nice_at_least((range.end - range.start) / max_ticks.max(1) as f64).max(1.0);
        Self { ticks: multiples(&range, step.round()), range, style: Style::Power }
    }

    /// Returns a tick as it is written.
    pub(crate) fn label(&self, tick: f64) -> String {
        match self.style {
            // "2500" as the course writes it; from five digits on, groups are easier to read.
            Style::Whole if tick >= 10_000.0 => thousands(tick as u64),
            Style::Whole => format!("{tick:.0}"),
            Style::Power => format!("1e{tick:.0}"),
            _ if tick == 0.0 => "0".into(),
            Style::Fixed(digits) => format!("{tick:.digits$}"),
            Style::Scientific(digits) => format!("{tick:.digits$e}"),
            Style::Percent { signed: true } => format!("{:+.0}", 100.0 * tick),
            Style::Percent { signed: false } => format!("{:.0} %", 100.0 * tick),
        }
    }

    /// Returns where between `first` and `last`, the ends of the axis in the picture, a value lies.
    pub(crate) fn place(&self, value: f64, first: f32, last: f32) -> f32 {
        let along = (value - self.range.start) / (self.range.end - self.range.start);
        first + along as f32 * (last - first)
    }
}

trait RoundDown {
    fn round_down(self) -> i32;
}

impl RoundDown for f64 {
    /// The floor of a logarithm, which for a power of ten may come out a rounding error below.
    fn round_down(self) -> i32 {
        (self + 1e-9).floor() as i32
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `step`, which is positive.
fn nice_at_least(step: f64) -> f64 {
    let power = step.log10().round_down();
    // Written out and read back, a power of ten is the nearest float.
    let scaled = |digit: u32| format!("{digit}e{power}").parse::<f64>().unwrap_or(step);
    [1, 2, 5]
        .map(scaled)
        .into_iter()
        .find(|nice| *nice >= step * (1.0 - 1e-9))
        .unwrap_or_else(|| scaled(10))
}

/// The multiples of `step` in the range, 0 exactly.
fn multiples(range: &Range<f64>, step: f64) -> Vec<f64> {
    let (first, last) = ((range.start / step - 1e-9).ceil(), (range.end / step + 1e-9).floor());
    (first as i64..=last as i64).map(|i| i as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|tick| axis.label(*tick)).collect()
    }

    fn costs(costs: &[f64]) -> Axis {
        Axis::of_costs(costs.iter().copied(), 6)
    }

    #[test]
    fn the_course_has_round_ticks() {
        let axis = Axis::of_iterations((0..25).map(|i| 100.0 * f64::from(i)), 6);
        assert_eq!(labels(&axis), ["0", "500", "1000", "1500", "2000"]);
        assert_eq!(labels(&costs(&[0.771_749, 0.2, 0.088_741])), ["0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(
            labels(&costs(&[0.6951, 0.6949])),
            ["0.69490", "0.69495", "0.69500", "0.69505", "0.69510"]
        );
        assert_eq!(labels(&costs(&[3e7, 0.0])), ["0", "1e7", "2e7", "3e7"]);
        assert_eq!(
            labels(&costs(&[2.5e-7, 1e-8])),
            ["0", "5e-8", "1.0e-7", "1.5e-7", "2.0e-7", "2.5e-7"].map(|l| if l == "5e-8" {
                "5.0e-8"
            } else {
                l
            })
        );
        assert_eq!(
            labels(&Axis::of_iterations([0.0, 1e5].into_iter(), 5)),
            ["0", "20,000", "40,000", "60,000", "80,000", "100,000"]
        );
    }

    #[test]
    fn every_range_holds_its_values_and_few_distinct_ticks() {
        let powers = (-320..=300).step_by(7).map(|power| 10f64.powi(power));
        let sizes: Vec<f64> =
            powers.chain([0.0, 0.771_749, 1.0, HUGE]).filter_map(drawable).collect();
        for a in &sizes {
            for b in sizes.iter().flat_map(|b| [*b, -*b, a * (1.0 + 1e-8), a * (1.0 + 1e-15)]) {
                let Some(b) = drawable(b) else { continue };
                for max_ticks in [1, 3, 8] {
                    let axis = Axis::of_costs([*a, b].into_iter(), max_ticks);
                    let case = format!("{a:e}, {b:e}, {max_ticks}: {axis:?}");
                    assert!(axis.range.start < axis.range.end, "{case}");
                    assert!(axis.range.contains(a) && axis.range.contains(&b), "{case}");
                    assert!(axis.ticks.len() <= max_ticks + 1, "{case}");
                    let mut labels = labels(&axis);
                    assert!(labels.iter().all(|label| label.len() < 20), "{case}: {labels:?}");
                    labels.dedup();
                    assert_eq!(labels.len(), axis.ticks.len(), "{case}: {labels:?}");
                }
            }
        }
    }

    #[test]
    fn iterations_are_whole_and_inside() {
        for (first, last) in [
            (0.0, 0.0),
            (0.0, 1.0),
            (0.0, 3.0),
            (7.0, 7.0),
            (900.0, 1e3),
            (3.0, 1.8e19),
            (0.0, 99_999.0),
        ] {
            let axis = Axis::of_iterations([first, last].into_iter(), 6);
            assert!(axis.range.contains(&first) && axis.range.contains(&last), "{axis:?}");
            assert!((1..=7).contains(&axis.ticks.len()), "{axis:?}");
            assert!(axis.ticks.iter().all(|tick| tick.fract() == 0.0), "{axis:?}");
        }
    }

    #[test]
    fn what_is_not_finite_is_not_drawable() {
        let shown = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e305, -1e305].map(drawable);
        assert_eq!(shown, [None; 5]);
        assert_eq!([0.5, -3.0, 1e-310].map(drawable), [Some(0.5), Some(-3.0), Some(0.0)]);
    }
}
