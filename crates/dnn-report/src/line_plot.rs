//! Lines over two axes: the cost over the iterations, as the course draws it, and all other curves.

use crate::axis::{Axis, drawable};
use crate::chart::{Anchor, Chart, Drawing, colour};
use crate::fonts;

const MARGIN: f32 = 20.0;
const TITLE_EM: f32 = 17.0;
const TEXT_EM: f32 = 13.0;
const TICK_EM: f32 = 12.0;
const LINE_WIDTH: f32 = 2.0;
const TICK_LENGTH: f32 = 4.0;
/// From the middle of a line of text to its baseline, in em.
pub(crate) const MIDDLE: f32 = 0.36;

/// A cost over the iterations or epochs.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// The name of the curve, shown in the legend of a plot of several.
    pub name: &'a str,
    /// Iteration (or epoch) and cost, by rising iteration. A cost that is not finite leaves a gap.
    pub points: &'a [(f64, f64)],
}

/// Draws one or more costs over the same iterations or epochs, 800 by 500 pixels; `label` says which.
///
/// The title is the course's, "Learning rate = 0.0075"; the subtitle is a second, smaller line, the
/// layer sizes for example. Either may be empty.
pub fn cost_plot(title: &str, subtitle: &str, label: &str, series: &[Series<'_>]) -> Chart {
    const SIZE: (f32, f32) = (800.0, 500.0);
    let all = || series.iter().flat_map(|series| series.points);
    let costs = all().filter_map(|(_, cost)| drawable(*cost));
    let lines = series.iter().map(|Series { name, points }| Line::solid(name, points.to_vec()));
    LinePlot {
        title,
        subtitle,
        labels: (label, "cost"),
        size: SIZE,
        y: Axis::of_costs(costs, (SIZE.1 / 70.0) as usize),
        x: Axis::of_iterations(all().map(|(at, _)| *at), (SIZE.0 / 100.0) as usize),
        lines: lines.collect(),
        if_empty: "no finite cost",
    }
    .draw(&description(label, series))
}

/// Draws the costs of a learning-rate range test over the learning rate, on a logarithmic axis, as they
/// came and smoothed; the suggested rate is marked. 800 by 500 pixels. Costs above what the smoothed one
/// reaches are cut off.
pub fn rate_plot(
    title: &str,
    costs: &[(f64, f64)],
    smoothed: &[(f64, f64)],
    suggestion: Option<f64>,
) -> Chart {
    const SIZE: (f32, f32) = (800.0, 500.0);
    let drawn =
        |costs: &[(f64, f64)]| costs.iter().filter_map(|(_, cost)| drawable(*cost)).collect();
    let (mut shown, costs_drawn): (Vec<f64>, Vec<f64>) = (drawn(smoothed), drawn(costs));
    let most = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    shown.extend(costs_drawn.into_iter().filter(|cost| *cost <= most));
    let y = Axis::of_costs(shown.into_iter(), (SIZE.1 / 70.0) as usize);
    let top = y.range.end;
    let line = |points: &[(f64, f64)]| {
        let cut = |cost: f64| if cost <= top { cost } else { f64::NAN };
        points.iter().map(|(rate, cost)| (rate.log10(), cut(*cost))).collect()
    };
    let mut lines = vec![Line::solid("smoothed", line(smoothed)), Line::solid("cost", line(costs))];
    if let Some(rate) = suggestion {
        let at = rate.log10();
        lines.push(Line::guide(vec![(at, y.range.start), (at, y.range.end)]));
    }
    LinePlot {
        title,
        subtitle: "",
        labels: ("learning rate", "cost"),
        size: SIZE,
        x: Axis::of_powers(smoothed.iter().map(|(rate, _)| *rate), (SIZE.0 / 80.0) as usize),
        y,
        lines,
        if_empty: "no finite cost",
    }
    .draw(&format!("The cost over the learning rate, {} learning rates. {title}.", smoothed.len()))
}

/// Lines over two axes, with a legend where there are several.
pub(crate) struct LinePlot<'a> {
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    /// What the axes show, across and up.
    pub(crate) labels: (&'a str, &'a str),
    /// In pixels.
    pub(crate) size: (f32, f32),
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line<'a>>,
    /// What is written where there is nothing to draw.
    pub(crate) if_empty: &'a str,
}

/// A line of a plot.
pub(crate) struct Line<'a> {
    name: &'a str,
    /// By rising x; a y that is not finite leaves a gap.
    points: Vec<(f64, f64)>,
    /// The interval of each point, where there are some.
    intervals: Vec<(f64, f64)>,
    /// Whether it is there to compare with only: thin, grey, and not in the legend.
    is_guide: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn solid(name: &'a str, points: Vec<(f64, f64)>) -> Self {
        Self { name, points, intervals: Vec::new(), is_guide: false }
    }

    pub(crate) fn guide(points: Vec<(f64, f64)>) -> Self {
        Self { is_guide: true, ..Self::solid("", points) }
    }

    pub(crate) fn with_intervals(self, intervals: Vec<(f64, f64)>) -> Self {
        Self { intervals, ..self }
    }
}

impl LinePlot<'_> {
    pub(crate) fn draw(self, description: &str) -> Chart {
        let Self { title, subtitle, labels, size: (width, height), x, y, lines, if_empty } = self;
        let mut drawing = Drawing::new(width as u32, height as u32);
        let mut top = MARGIN - 6.0;
        for (line, em, ink) in [(title, TITLE_EM, colour::INK), (subtitle, TEXT_EM, colour::SOFT)] {
            let line = fonts::shorten(line, em, width - 2.0 * MARGIN);
            if !line.trim().is_empty() {
                let baseline = top + em * (0.7 + MIDDLE);
                drawing.text(&line, (width / 2.0, baseline), Anchor::Middle, em, ink);
                top += em * 1.45;
            }
        }
        let named: Vec<_> = lines.iter().filter(|line| !line.is_guide).collect();
        if named.len() > 1 {
            top += 4.0;
            top = draw_legend(&mut drawing, &named, width, top + TEXT_EM * 0.7) + TEXT_EM * 0.7;
        }
        top += 12.0;

        let ticks: Vec<_> = y.ticks.iter().map(|tick| (*tick, y.label(*tick))).collect();
        let widest =
            ticks.iter().map(|(_, label)| fonts::width(label, TICK_EM)).fold(0.0, f32::max);
        let left = (MARGIN + TEXT_EM + 10.0 + widest + TICK_LENGTH + 4.0).round();
        let (right, bottom) = (width - MARGIN - 4.0, height - MARGIN - 2.2 * TEXT_EM - TICK_EM);
        let bottom = bottom.round();
        for (tick, label) in ticks {
            // On the middle of a pixel a thin line is sharp.
            let at = y.place(tick, bottom, top).floor() + 0.5;
            drawing.line(&[(left, at), (right, at)], colour::GRID, 1.0);
            drawing.line(&[(left - TICK_LENGTH, at), (left, at)], colour::AXIS, 1.0);
            let place = (left - TICK_LENGTH - 4.0, at + MIDDLE * TICK_EM);
            drawing.text(&label, place, Anchor::End, TICK_EM, colour::SOFT);
        }
        for tick in &x.ticks {
            let at = x.place(*tick, left, right).floor() + 0.5;
            drawing.line(&[(at, bottom), (at, bottom + TICK_LENGTH)], colour::AXIS, 1.0);
            let place = (at, bottom + TICK_LENGTH + 1.2 * TICK_EM);
            drawing.text(&x.label(*tick), place, Anchor::Middle, TICK_EM, colour::SOFT);
        }
        let corner = (left + 0.5, bottom + 0.5);
        drawing.line(&[(corner.0, top), corner, (right, corner.1)], colour::AXIS, 1.0);
        let middle = (f32::midpoint(left, right), f32::midpoint(top, bottom));
        drawing.text(labels.0, (middle.0, height - MARGIN), Anchor::Middle, TEXT_EM, colour::INK);
        drawing.text_upwards(labels.1, (MARGIN + 0.8 * TEXT_EM, middle.1), TEXT_EM, colour::INK);

        let place =
            |(at, value): (f64, f64)| (x.place(at, left, right), y.place(value, bottom, top));
        let mut inks = colour::SERIES.iter().cycle();
        for line in &lines {
            let (ink, stroke) = if line.is_guide {
                (&colour::AXIS, 1.0)
            } else {
                (inks.next().unwrap_or(&colour::INK), LINE_WIDTH)
            };
            for (&(at, _), &(low, high)) in line.points.iter().zip(&line.intervals) {
                drawing.line(&[place((at, low)), place((at, high))], ink, 1.0);
            }
            // Two columns a pixel are all that a picture can show.
            for run in runs(&line.points, 2 * width as usize) {
                match &run.into_iter().map(place).collect::<Vec<_>>()[..] {
                    [alone] => drawing.disc(*alone, 3.0, ink),
                    run => drawing.line(run, ink, stroke),
                }
            }
            if !line.intervals.is_empty() {
                line.points.iter().for_each(|point| drawing.disc(place(*point), 3.0, ink));
            }
        }
        let mut all = lines.iter().filter(|line| !line.is_guide).flat_map(|line| &line.points);
        if !all.any(|(_, value)| drawable(*value).is_some()) {
            drawing.text(if_empty, middle, Anchor::Middle, TEXT_EM, colour::SOFT);
        }
        drawing.finish(title, description)
    }
}

/// What a screen reader says of the curves.
fn description(label: &str, series: &[Series<'_>]) -> String {
    let unit = label.trim_end_matches('s');
    let curves = series.iter().map(|Series { name, points }| match points {
        [] => format!("{name}: no points"),
        [first, .., last] => format!(
            "{name}: from {:.4e} at {unit} {} to {:.4e} at {unit} {}",
            first.1, first.0, last.1, last.0
        ),
        [(at, cost)] => format!("{name}: {cost:.4e} at {unit} {at}"),
    });
    format!("The cost over the {label}. {}.", curves.collect::<Vec<_>>().join("; "))
}

/// Rows of samples and names, centred, from `middle` down; returns the middle of the last.
fn draw_legend(drawing: &mut Drawing, lines: &[&Line<'_>], width: f32, mut middle: f32) -> f32 {
    const SAMPLE: f32 = 22.0;
    const GAP: f32 = 7.0;
    const BETWEEN: f32 = 22.0;
    /// Narrower columns make more rows.
    const NARROWEST: f32 = 110.0;
    let most = ((width - 2.0 * MARGIN + BETWEEN) / (NARROWEST + BETWEEN)).max(1.0) as usize;
    // As many in each row, as far as that goes.
    let in_row = lines.len().div_ceil(lines.len().div_ceil(most));
    let room = (width - 2.0 * MARGIN + BETWEEN) / in_row as f32 - BETWEEN - SAMPLE - GAP;
    let mut inks = colour::SERIES.iter().cycle();
    for (i, row) in lines.chunks(in_row).enumerate() {
        middle += if i > 0 { TEXT_EM * 1.4 } else { 0.0 };
        let names: Vec<_> =
            row.iter().map(|line| fonts::shorten(line.name, TEXT_EM, room)).collect();
        let widths: Vec<f32> = names.iter().map(|name| fonts::width(name, TEXT_EM)).collect();
        let n = row.len() as f32;
        let total = widths.iter().sum::<f32>() + n * (SAMPLE + GAP) + (n - 1.0) * BETWEEN;
        let mut left = (width - total) / 2.0;
        for ((name, width), ink) in names.iter().zip(widths).zip(&mut inks) {
            drawing.line(&[(left, middle), (left + SAMPLE, middle)], ink, LINE_WIDTH);
            left += SAMPLE + GAP;
            let place = (left, middle + MIDDLE * TEXT_EM);
            drawing.text(name, place, Anchor::Start, TEXT_EM, colour::INK);
            left += width + BETWEEN;
        }
    }
    middle
}

/// The points as lines without gaps, each thinned to what `n_columns` columns can show: the first,
/// lowest, highest and last point of a column keep every spike.
fn runs(points: &[(f64, f64)], n_columns: usize) -> Vec<Vec<(f64, f64)>> {
    let shown = |(at, value): &(f64, f64)| drawable(*value).map(|value| (*at, value));
    let whole = points.split(|(_, cost)| drawable(*cost).is_none());
    let whole = whole.map(|run| run.iter().filter_map(shown).collect::<Vec<_>>());
    let (first, last) = match points {
        [first, .., last] => (first.0, last.0),
        _ => (0.0, 0.0),
    };
    let per_column = ((last - first) / n_columns.max(1) as f64).max(f64::MIN_POSITIVE);
    let column = |point: &(f64, f64)| ((point.0 - first) / per_column) as usize;
    let thin = |line: Vec<(f64, f64)>| {
        if line.len() <= 4 * n_columns {
            return line;
        }
        let mut kept = Vec::new();
        for part in line.chunk_by(|a, b| column(a) == column(b)) {
            let by_cost = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
            let lowest = (0..part.len()).min_by(by_cost).unwrap_or(0);
            let highest = (0..part.len()).max_by(by_cost).unwrap_or(0);
            let mut marks = [0, lowest.min(highest), lowest.max(highest), part.len() - 1].to_vec();
            marks.dedup();
            kept.extend(marks.into_iter().map(|i| part[i]));
        }
        kept
    };
    whole.filter(|line| !line.is_empty()).map(thin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::decoded;
    use roxmltree::Document;

    /// Every fifth of the costs of the course's deep network, to three digits.
    const COSTS: [(f64, f64); 5] =
        [(0.0, 0.772), (500.0, 0.540), (1000.0, 0.315), (1500.0, 0.161), (2000.0, 0.114)];

    fn texts(svg: &str) -> Vec<String> {
        let document = Document::parse(svg).expect("XML");
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        texts.filter_map(|node| node.text().map(str::to_owned)).collect()
    }

    /// The points of the first line in the colour.
    fn line_in(svg: &str, colour: &str) -> Vec<(f64, f64)> {
        let document = Document::parse(svg).expect("XML");
        let line = document
            .descendants()
            .find(|node| node.has_tag_name("polyline") && node.attribute("stroke") == Some(colour));
        let points = line.and_then(|line| line.attribute("points")).expect("a line");
        let number = |text: &str| text.parse::<f64>().expect("a number");
        let pair = |text: &str| text.split_once(',').map(|(x, y)| (number(x), number(y)));
        points.split(' ').map(|text| pair(text).expect("x,y")).collect()
    }

    #[test]
    fn the_svg_says_what_the_course_says() {
        let series = [Series { name: "train", points: &COSTS }];
        let chart = cost_plot("Learning rate = 0.0075", "12288-20-7-5-1", "iterations", &series);
        assert_eq!(chart.size(), (800, 500));
        let said = texts(chart.svg());
        let expected =
            ["Learning rate = 0.0075", "12288-20-7-5-1", "iterations", "cost", "1500", "0.8"];
        for line in expected {
            assert!(said.iter().any(|text| text == line), "{line} is not in {said:?}");
        }
        assert!(!said.contains(&"train".into()), "one series needs no legend");
        let described = "train: from 7.7200e-1 at iteration 0 to 1.1400e-1 at iteration 2000.";
        assert!(chart.svg().contains(described), "{}", chart.svg());
    }

    #[test]
    fn png_and_svg_show_the_same_curve_in_the_right_place() {
        let series = [Series { name: "train", points: &COSTS }];
        let chart = cost_plot("Learning rate = 0.0075", "12288-20-7-5-1", "iterations", &series);
        let image = decoded(&chart, 2);
        assert_eq!(image.dimensions(), (1600, 1000));
        assert_eq!(image.get_pixel(0, 0).0, [255; 3]);
        let points = line_in(chart.svg(), colour::SERIES[0]);
        assert_eq!(points.len(), COSTS.len());
        for (x, y) in &points {
            let pixel = image.get_pixel((2.0 * x) as u32, (2.0 * y) as u32);
            assert_eq!(pixel.0, [0x00, 0x72, 0xb2], "at {x}, {y}");
        }
        // The points keep the proportions of the numbers.
        let (first, last) = (points[0], points[4]);
        for ((x, y), (iteration, cost)) in points.iter().zip(COSTS) {
            let across = (x - first.0) / (last.0 - first.0);
            let down = (y - first.1) / (last.1 - first.1);
            assert!((across - iteration / 2000.0).abs() < 1e-3);
            assert!((down - (0.772 - cost) / (0.772 - 0.114)).abs() < 1e-3);
        }
    }

    #[test]
    fn every_series_has_its_colour_and_its_name() {
        let lower = COSTS.map(|(iteration, cost)| (iteration, cost / 2.0));
        let series =
            [Series { name: "deep", points: &COSTS }, Series { name: "two-layer", points: &lower }];
        let chart = cost_plot("costs", "", "iterations", &series);
        let said = texts(chart.svg());
        for (series, ink) in series.iter().zip(colour::SERIES) {
            assert!(said.iter().any(|text| text == series.name), "{said:?}");
            // The sample of the legend, then the curve.
            assert_eq!(chart.svg().matches(&format!("stroke=\"{ink}\"")).count(), 2);
        }
    }

    #[test]
    fn long_names_stay_inside_the_picture() {
        let name = "猫 a very long name ".repeat(30);
        let series = [Series { name: &name, points: &COSTS }; 4];
        let chart = cost_plot(&name, &name, "iterations", &series);
        let document = Document::parse(chart.svg()).expect("XML");
        let mut shortened = 0;
        for node in document.descendants().filter(|node| node.has_tag_name("text")) {
            let em = node.attribute("font-size").and_then(|em| em.parse().ok()).expect("a size");
            let text = node.text().unwrap_or_default();
            shortened += usize::from(text.ends_with('…'));
            assert!(fonts::width(text, em) <= 800.0 - 2.0 * MARGIN, "{text}");
        }
        assert_eq!(shortened, 6, "title, subtitle and four names");
    }

    #[test]
    fn every_series_can_be_drawn() {
        let (nan, infinite) = (f64::NAN, f64::INFINITY);
        let cases: [&[(f64, f64)]; 8] = [
            &[],
            &[(0.0, 0.7)],
            &[(0.0, 0.0)],
            &[(0.0, nan), (100.0, infinite)],
            &[(0.0, 0.7), (100.0, 0.7), (200.0, 0.7)],
            &[(0.0, nan), (100.0, 0.5), (200.0, nan), (300.0, 0.4), (400.0, 0.3)],
            &[(7.0, -1e300), (7.0, 1e300)],
            &[(0.0, 1e-320), (1.8e19, 1e308)],
        ];
        for points in cases {
            let chart = cost_plot("title", "", "iterations", &[Series { name: "train", points }]);
            let finite = points.iter().any(|(_, cost)| drawable(*cost).is_some());
            let said = texts(chart.svg());
            assert_eq!(said.contains(&"no finite cost".into()), !finite, "{points:?}");
            assert_eq!(chart.svg().contains(colour::SERIES[0]), finite, "{points:?}");
            let numbers = chart.svg().split("points=\"").skip(1);
            let mut numbers = numbers.filter_map(|rest| rest.split('"').next());
            assert!(numbers.all(|line| !line.contains(char::is_alphabetic)), "{points:?}");
            let blue = decoded(&chart, 1).pixels().any(|pixel| pixel.0 == [0x00, 0x72, 0xb2]);
            assert_eq!(blue, finite, "{points:?}");
        }
    }

    #[test]
    fn gaps_split_a_line_and_thinning_keeps_spikes() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 4.0), (4.0, f64::INFINITY)];
        assert_eq!(runs(&points, 100), [vec![(0.0, 1.0)], vec![(2.0, 3.0), (3.0, 4.0)]]);
        let mut many: Vec<_> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        (many[31_415].1, many[31_416].1) = (9.0, -9.0);
        let thinned = runs(&many, 100);
        assert_eq!(thinned.len(), 1);
        assert!(thinned[0].len() <= 4 * 101, "{}", thinned[0].len());
        assert!(thinned[0].is_sorted_by(|a, b| a.0 < b.0));
        for kept in [(0.0, 1.0), (31_415.0, 9.0), (31_416.0, -9.0), (99_999.0, 1.0)] {
            assert!(thinned[0].contains(&kept), "{kept:?}");
        }
    }

    #[test]
    fn a_range_test_is_drawn_on_a_logarithmic_axis_with_its_suggestion() {
        let rates = || (0..=40).map(|i| 10_f64.powf(-6.0 + f64::from(i) * 0.2));
        let smoothed: Vec<_> = rates().map(|rate| (rate, 1.0 / (1.0 + rate))).collect();
        let costs: Vec<_> = rates().map(|rate| (rate, 1.0 + 1e6 * rate)).collect();
        let chart = rate_plot("Suggested learning rate = 1.00e-1", &costs, &smoothed, Some(0.1));
        let (with, without) = (chart.svg(), rate_plot("none", &costs, &smoothed, None));
        for text in ["learning rate", "1e-6", "1e2", "smoothed", "cost", "41 learning rates"] {
            assert!(with.contains(text), "{text}");
        }
        let lines = |svg: &str| svg.matches("<polyline").count() + svg.matches("<path").count();
        assert_eq!(lines(with), lines(without.svg()) + 1, "the mark");
        assert!(rate_plot("", &[], &[], None).svg().contains("no finite cost"));
    }
}
