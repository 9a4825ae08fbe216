//! The growth as an SVG: seconds of an iteration against its operations, both logarithmic.

use std::fmt::Write;

use super::growth::extremes;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 480.0;
/// Left, top, right, bottom of the axes.
const AXES: [f64; 4] = [80.0, 24.0, 724.0, 424.0];
/// Told apart by people who see colours differently, too.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

/// Points of (operations, seconds). Filled points get their line of proportionality.
pub(super) struct Series<'a> {
    pub name: &'a str,
    pub hollow: bool,
    pub points: Vec<(f64, f64)>,
}

/// Powers of ten around the values.
struct Scale {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Scale {
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .map(f64::log10)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = (low.floor() as i32, high.ceil() as i32);
        Self { low, high: high.max(low + 1), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + part * (self.to - self.from)
    }
}

/// The picture.
pub(super) fn svg(series: &[Series<'_>]) -> String {
    let [left, top, right, bottom] = AXES;
    let points = || series.iter().flat_map(|series| &series.points);
    let x = Scale::around(points().map(|point| point.0), left, right);
    let y = Scale::around(points().map(|point| point.1), bottom, top);
    let mut names: Vec<&str> = series.iter().map(|series| series.name).collect();
    names.dedup();

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Seconds of an iteration against its counted operations</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    grid(&mut out, &x, &y);
    for series in series {
        let colour = COLOURS[names.iter().position(|&n| n == series.name).unwrap_or(0) % 3];
        if !series.hollow {
            proportional(&mut out, &x, &y, series, colour);
        }
        let (fill, radius) = if series.hollow { ("none", 6.5) } else { (colour, 4.0) };
        for &(operations, seconds) in &series.points {
            let (cx, cy) = (x.place(operations), y.place(seconds));
            let _ = writeln!(
                out,
                "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"{radius}\" fill=\"{fill}\" \
                 stroke=\"{colour}\" stroke-width=\"1.5\"/>"
            );
        }
    }
    let mut row = top + 22.0;
    let mut legend = |out: &mut String, colour: &str, text: &str| {
        let text_x = left + 34.0;
        let (cx, cy) = (left + 20.0, row - 4.5);
        if colour == "none" {
            let _ = write!(
                out,
                "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"6.5\" fill=\"none\" stroke=\"#333\" stroke-width=\"1.5\"/>"
            );
        } else {
            let _ = write!(out, "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"4\" fill=\"{colour}\"/>");
        }
        let _ = writeln!(out, "<text x=\"{text_x}\" y=\"{row}\" fill=\"#333\">{text}</text>");
        row += 20.0;
    };
    for (name, colour) in names.iter().zip(COLOURS) {
        legend(&mut out, colour, name);
    }
    legend(&mut out, "none", "the same with the engine that auto takes");
    out.push_str("</svg>\n");
    out
}

fn grid(out: &mut String, x: &Scale, y: &Scale) {
    let [left, top, right, bottom] = AXES;
    for power in x.low..=x.high {
        let at = x.place(10_f64.powi(power));
        let below = bottom + 20.0;
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\" fill=\"#333\">10\
             <tspan dy=\"-5\" font-size=\"10\">{power}</tspan></text>"
        );
    }
    for power in y.low..=y.high {
        let at = y.place(10_f64.powi(power));
        let beside = left - 8.0;
        let middle = at + 4.0;
        let label = match power {
            ..=-4 => format!("{} µs", 10_f64.powi(power + 6).round()),
            -3..=-1 => format!("{} ms", 10_f64.powi(power + 3).round()),
            _ => format!("{} s", 10_f64.powi(power)),
        };
        let _ = writeln!(
            out,
            "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{beside}\" y=\"{middle:.1}\" text-anchor=\"end\" fill=\"#333\">{label}</text>"
        );
    }
    let (middle, below) = (f64::midpoint(left, right), HEIGHT - 12.0);
    let _ = writeln!(
        out,
        "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\" fill=\"#333\">operations an \
         iteration (lines: proportional)</text>"
    );
}

/// The line seconds = c·operations that lies in the middle of the points.
fn proportional(out: &mut String, x: &Scale, y: &Scale, series: &Series<'_>, colour: &str) {
    let (least, most) = extremes(&series.points);
    let cost = (least * most).sqrt();
    let ends = |pick: fn(f64, f64) -> f64, start: f64| {
        series.points.iter().map(|point| point.0).fold(start, pick)
    };
    let (from, to) = (ends(f64::min, f64::INFINITY), ends(f64::max, f64::NEG_INFINITY));
    let _ = writeln!(
        out,
        "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{colour}\" stroke-dasharray=\"5 4\"/>",
        x.place(from),
        y.place(from * cost),
        x.place(to),
        y.place(to * cost)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_spread_evenly() {
        let scale = Scale::around([2e3, 5e5].into_iter(), 0.0, 300.0);
        assert_eq!((scale.low, scale.high), (3, 6));
        assert!((scale.place(1e4) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn every_point_is_drawn_within_the_axes() {
        let points = vec![(1e6, 1e-4), (3e7, 2e-3), (1e9, 0.2)];
        let series = |hollow| Series { name: "examples", hollow, points: points.clone() };
        let picture = svg(&[series(false), series(true)]);
        // Three of each, and two in the legend.
        assert_eq!(picture.matches("<circle").count(), 8);
        assert_eq!(picture.matches("dasharray").count(), 1);
        let [left, _, right, _] = AXES;
        for place in picture.split("cx=\"").skip(1) {
            let cx: f64 = place.split('"').next().expect("a value").parse().expect("a number");
            assert!((left..=right).contains(&cx), "{cx}");
        }
    }
}
