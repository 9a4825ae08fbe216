//! The figures of a report: each takes plain numbers and returns a chart.

use crate::axis::Axis;
use crate::causes::{Intervention, Observations, Simplified};
use crate::chart::{Anchor, Chart, Drawing, colour};
use crate::fonts;
use crate::line_plot::{Line, LinePlot, MIDDLE};
use dnn_core::metrics::{Calibration, PrecisionRecallCurve, Quality, RocCurve, Score};

/// Width and height of the plots of a report, in pixels.
const PLOT: (f32, f32) = (460.0, 380.0);
const MARGIN: f32 = 20.0;
const TITLE_EM: f32 = 17.0;
const TEXT_EM: f32 = 13.0;
const TICK_EM: f32 = 12.0;
/// Curves of more classes are not told apart.
const MAX_CURVES: usize = 6;

/// A row of an [`interval_plot`].
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalRow {
    /// The name at the left of the row.
    pub name: String,
    /// The value; `None` where there is none to show.
    pub value: Option<f64>,
    /// The interval around the value.
    pub interval: Option<(f64, f64)>,
    /// The text at the right of the row.
    pub note: String,
    /// The index of its colour, from 0.
    pub series: usize,
}

/// Draws values with their intervals, a row each: shares from 0 to 1 as percentages, or differences of
/// shares as percentage points.
pub fn interval_plot(
    title: &str,
    label: &str,
    are_differences: bool,
    rows: &[IntervalRow],
) -> Chart {
    const ROW: f32 = 26.0;
    const WIDTH: f32 = 540.0;
    let widest = |texts: &mut dyn Iterator<Item = &str>| {
        texts.map(|text| fonts::width(text, TEXT_EM)).fold(0.0, f32::max)
    };
    let names = widest(&mut rows.iter().map(|row| row.name.as_str())).min(0.42 * WIDTH);
    let notes = widest(&mut rows.iter().map(|row| row.note.as_str())).min(WIDTH / 3.0);
    let top = MARGIN + if title.is_empty() { 0.0 } else { 1.8 * TITLE_EM };
    let bottom = top + ROW * rows.len().max(1) as f32;
    let height = bottom + TICK_EM * 1.6 + TEXT_EM * 1.8 + MARGIN / 2.0;
    let (left, right) = (MARGIN + names + 12.0, WIDTH - MARGIN - notes - 12.0);
    let ends = rows.iter().flat_map(|row| {
        let (low, high) = row.interval.unzip();
        [row.value, low, high].into_iter().flatten()
    });
    let max_ticks = ((right - left) / 48.0) as usize;
    let axis = if are_differences {
        Axis::of_differences(ends.filter(|end| end.is_finite()), max_ticks)
    } else {
        Axis::of_shares(max_ticks)
    };
    let mut drawing = Drawing::new(WIDTH as u32, height.ceil() as u32);
    let heading = fonts::shorten(title, TITLE_EM, WIDTH - 2.0 * MARGIN);
    drawing.text(
        &heading,
        (WIDTH / 2.0, MARGIN + TITLE_EM * 0.8),
        Anchor::Middle,
        TITLE_EM,
        colour::INK,
    );
    for tick in &axis.ticks {
        let at = axis.place(*tick, left, right).floor() + 0.5;
        let ink = if are_differences && *tick == 0.0 { colour::SOFT } else { colour::GRID };
        drawing.line(&[(at, top), (at, bottom)], ink, 1.0);
        let place = (at, bottom + 1.3 * TICK_EM);
        drawing.text(&axis.label(*tick), place, Anchor::Middle, TICK_EM, colour::SOFT);
    }
    for (i, row) in rows.iter().enumerate() {
        let middle = top + ROW * (i as f32 + 0.5);
        let baseline = middle + MIDDLE * TEXT_EM;
        let name = fonts::shorten(&row.name, TEXT_EM, names);
        drawing.text(&name, (left - 12.0, baseline), Anchor::End, TEXT_EM, colour::INK);
        let note = fonts::shorten(&row.note, TEXT_EM, notes);
        drawing.text(&note, (right + 12.0, baseline), Anchor::Start, TEXT_EM, colour::SOFT);
        let ink = colour::SERIES[row.series % colour::SERIES.len()];
        if let Some((low, high)) = row.interval {
            let ends = [low, high].map(|end| (axis.place(end, left, right), middle));
            drawing.line(&ends, ink, 2.0);
        }
        if let Some(value) = row.value {
            drawing.disc((axis.place(value, left, right), middle), 4.5, ink);
        }
    }
    let place = (f32::midpoint(left, right), height - MARGIN / 2.0 - 2.0);
    drawing.text(label, place, Anchor::Middle, TEXT_EM, colour::INK);
    let unit = if are_differences { "percentage points" } else { "%" };
    let said = rows.iter().map(|row| {
        let value = row.value.map_or("not known".into(), |v| format!("{:.1} {unit}", 100.0 * v));
        let interval = row.interval.map_or(String::new(), |(low, high)| {
            format!(", 95 % interval {:.1} to {:.1}", 100.0 * low, 100.0 * high)
        });
        format!("{}: {value}{interval}", row.name)
    });
    drawing.finish(title, &format!("{label}. {}.", said.collect::<Vec<_>>().join("; ")))
}

/// Draws by how much each cause of error raises the share of errors: changed images and images that
/// have the cause by themselves.
pub fn causes_plot(interventions: &[Intervention], observations: Option<&Observations>) -> Chart {
    let mut rows = Vec::new();
    for one in interventions {
        rows.push(IntervalRow {
            name: one.cause.name().into(),
            value: Some(one.difference),
            interval: Some(one.interval),
            note: format!("changed, {}", one.n),
            series: 0,
        });
    }
    for one in observations.iter().flat_map(|all| &all.causes) {
        rows.push(IntervalRow {
            name: one.cause.clone(),
            value: one.difference,
            interval: one.interval,
            note: format!("seen, {}", one.with.total),
            series: 1,
        });
    }
    let label = "errors with the cause less without, percentage points";
    interval_plot("What each cause adds to the errors", label, true, &rows)
}

/// Draws the share of errors against the strength of each cause that images are given.
pub fn strengths_plot(interventions: &[Intervention]) -> Chart {
    let lines = interventions.iter().map(|one| {
        let steps = std::iter::once(&one.original).chain(&one.steps);
        Line::solid(one.cause.name(), steps.map(|step| (step.strength, step.error)).collect())
    });
    let said = interventions.iter().map(|one| {
        let last = one.steps.last().map_or(one.original.error, |step| step.error);
        let name = one.cause.name();
        format!("{name}: from {:.1} % to {:.1} %", 100.0 * one.original.error, 100.0 * last)
    });
    shares_plot(
        ("Errors as a cause grows", ""),
        ("strength of the cause", "share of errors"),
        lines.collect(),
        &format!("Share of errors. {}.", said.collect::<Vec<_>>().join("; ")),
    )
}

/// Draws accuracy on images with less in them beside that on the images themselves.
pub fn simplified_plot(simplified: &[Simplified], majority: f64) -> Chart {
    let row = |name: &str, score: Score, series| IntervalRow {
        name: name.into(),
        value: Some(score.accuracy()),
        interval: Some(score.wilson_interval()),
        note: format!("{} of {}", score.correct, score.total),
        series,
    };
    let mut rows = Vec::new();
    rows.extend(simplified.first().map(|one| row("as they are", one.pairs.first(), 0)));
    rows.extend(simplified.iter().map(|one| row(one.left.name(), one.pairs.second(), 1)));
    rows.push(IntervalRow {
        name: "commonest class".into(),
        value: Some(majority),
        interval: None,
        note: String::new(),
        series: 2,
    });
    interval_plot("Accuracy with less in the images", "accuracy", false, &rows)
}

/// Draws what is measured of a classifier: the curves over all thresholds, the calibration and which class is
/// taken for which (`counts[truth][prediction]`), each with a name for its file.
pub fn quality_plots(
    quality: &Quality,
    classes: &[String],
    counts: &[Vec<usize>],
) -> Vec<(&'static str, Chart)> {
    let (mut roc, mut precision_recall) = (Vec::new(), Vec::new());
    for curves in &quality.curves {
        roc.extend(curves.roc.as_ref().map(|curve| (curves.class.as_str(), curve)));
        precision_recall
            .extend(curves.precision_recall.as_ref().map(|curve| (curves.class.as_str(), curve)));
    }
    let mut charts = vec![
        ("roc", roc_plot(&roc)),
        ("precision-recall", precision_recall_plot(&precision_recall)),
    ];
    charts.extend(quality.calibration.as_ref().map(|c| ("calibration", calibration_plot(c))));
    charts.push(("confusion", confusion_plot(classes, counts)));
    charts
}

/// Draws the receiver operating characteristic of each class, with its area; of many classes, of those with
/// the smallest areas.
pub fn roc_plot(curves: &[(&str, &RocCurve)]) -> Chart {
    let (subtitle, shown) = lowest(curves, RocCurve::area);
    let names: Vec<_> =
        shown.iter().map(|(name, curve)| format!("area {:.3}: {name}", curve.area())).collect();
    let mut lines = vec![Line::guide(vec![(0.0, 0.0), (1.0, 1.0)])];
    lines.extend(shown.iter().zip(&names).map(|((_, curve), name)| {
        let points = curve.points().iter();
        Line::solid(name, points.map(|p| (p.false_positive_rate, p.true_positive_rate)).collect())
    }));
    shares_plot(
        ("Receiver operating characteristic", &subtitle),
        ("false positive rate", "true positive rate"),
        lines,
        &format!("True against false positive rate. {}.", names.join("; ")),
    )
}

/// Draws precision against recall of each class, with the average precision (AP); of many classes, of those
/// with the smallest.
pub fn precision_recall_plot(curves: &[(&str, &PrecisionRecallCurve)]) -> Chart {
    let (subtitle, shown) = lowest(curves, PrecisionRecallCurve::average_precision);
    let names: Vec<_> = (shown.iter())
        .map(|(name, curve)| format!("AP {:.3}: {name}", curve.average_precision()))
        .collect();
    let lines = shown.iter().zip(&names).map(|((_, curve), name)| {
        Line::solid(name, curve.points().iter().map(|p| (p.recall, p.precision)).collect())
    });
    shares_plot(
        ("Precision and recall", &subtitle),
        ("recall", "precision"),
        lines.collect(),
        &format!("Precision against recall. {}.", names.join("; ")),
    )
}

/// Returns at most [`MAX_CURVES`] curves, those with the lowest `value`, the lowest first; in words, when
/// some are left out.
fn lowest<'a, T>(
    curves: &[(&'a str, &'a T)],
    value: impl Fn(&T) -> f64,
) -> (String, Vec<(&'a str, &'a T)>) {
    let n = curves.len();
    if n <= MAX_CURVES {
        return (String::new(), curves.to_vec());
    }
    let mut all = curves.to_vec();
    all.sort_by(|a, b| value(a.1).total_cmp(&value(b.1)));
    all.truncate(MAX_CURVES);
    (format!("the {MAX_CURVES} lowest of {n} classes"), all)
}

/// Draws how often answers of a confidence are right, with Wilson's interval of each bin.
pub fn calibration_plot(calibration: &Calibration) -> Chart {
    let (mut points, mut intervals) = (Vec::new(), Vec::new());
    for bin in calibration.bins() {
        if let (Some(confidence), Some(accuracy)) = (bin.confidence, bin.accuracy) {
            let correct = (accuracy * bin.count as f64).round() as usize;
            points.push((confidence, accuracy));
            intervals.push(Score { correct, total: bin.count }.wilson_interval());
        }
    }
    let said = points.iter().map(|(p, a)| format!("{:.0} %: {:.0} %", 100.0 * p, 100.0 * a));
    let said = said.collect::<Vec<_>>().join("; ");
    shares_plot(
        ("Calibration", ""),
        ("confidence", "share that is right"),
        vec![
            Line::guide(vec![(0.0, 0.0), (1.0, 1.0)]),
            Line::solid("", points).with_intervals(intervals),
        ],
        &format!("How often answers of a confidence are right. {said}."),
    )
}

/// Draws accuracies over the epochs (or iterations).
pub fn accuracy_plot(label: &str, series: &[(&str, Vec<(f64, f64)>)]) -> Chart {
    let unit = label.trim_end_matches('s');
    let said = series.iter().filter_map(|(name, points)| {
        points.last().map(|(at, share)| format!("{name}: {:.1} % at {unit} {at}", 100.0 * share))
    });
    let said = said.collect::<Vec<_>>().join("; ");
    let x = Axis::of_iterations(series.iter().flat_map(|(_, p)| p).map(|(at, _)| *at), 6);
    let lines = series.iter().map(|(name, points)| Line::solid(name, points.clone()));
    LinePlot {
        title: "Accuracy",
        subtitle: "",
        labels: (label, "accuracy"),
        size: PLOT,
        x,
        y: Axis::of_shares(5),
        lines: lines.collect(),
        if_empty: "nothing was recorded",
    }
    .draw(&format!("Accuracy. {said}."))
}

/// A plot of shares over shares.
fn shares_plot(
    (title, subtitle): (&str, &str),
    labels: (&str, &str),
    lines: Vec<Line<'_>>,
    said: &str,
) -> Chart {
    LinePlot {
        title,
        subtitle,
        labels,
        size: PLOT,
        x: Axis::of_shares(5),
        y: Axis::of_shares(5),
        lines,
        if_empty: "not defined for these images",
    }
    .draw(said)
}

/// Returns which class is taken for which how often, as (truth, answer, count), the commonest first, of the
/// counts of a confusion matrix, `counts[truth][answer]`.
pub fn commonest_confusions(counts: &[Vec<usize>]) -> Vec<(usize, usize, usize)> {
    let all = counts.iter().enumerate().flat_map(|(truth, row)| {
        row.iter().enumerate().map(move |(answer, &count)| (truth, answer, count))
    });
    let mut confused: Vec<_> =
        all.filter(|&(truth, answer, count)| truth != answer && count > 0).collect();
    confused.sort_by_key(|&(truth, answer, count)| (std::cmp::Reverse(count), truth, answer));
    confused
}

/// Draws which class was taken for which: a row a true class, a column an answer, the darker the
/// larger the share of the row. Of more than 30 classes without the numbers.
pub fn confusion_plot(classes: &[String], counts: &[Vec<usize>]) -> Chart {
    const MAX_NUMBERED: usize = 30;
    let n = classes.len().max(1);
    let cell = (560.0 / n as f32).clamp(6.0, 64.0);
    let numbered = n <= MAX_NUMBERED;
    let em = TEXT_EM.min(cell * 0.45);
    let widest = classes.iter().map(|name| fonts::width(name, TEXT_EM)).fold(0.0, f32::max);
    let names = if cell >= 12.0 { widest.min(180.0) } else { 0.0 };
    let (left, top) = (MARGIN + TEXT_EM * 1.6 + names + 8.0, MARGIN + 2.0 * TITLE_EM);
    let side = cell * n as f32;
    let upright = names > cell - 4.0;
    let under = if names == 0.0 {
        4.0
    } else if upright {
        names + 10.0
    } else {
        TEXT_EM * 1.6
    };
    let width = (left + side + MARGIN).max(320.0);
    let height = top + side + under + TEXT_EM * 2.0;
    let mut drawing = Drawing::new(width.ceil() as u32, height.ceil() as u32);
    let title = "Confusion matrix";
    drawing.text(
        title,
        (width / 2.0, MARGIN + TITLE_EM * 0.7),
        Anchor::Middle,
        TITLE_EM,
        colour::INK,
    );
    for (i, (name, row)) in classes.iter().zip(counts).enumerate() {
        let y = top + cell * i as f32;
        let total: usize = row.iter().sum();
        if names > 0.0 {
            let name = fonts::shorten(name, TEXT_EM, names);
            let place = (left - 8.0, y + cell / 2.0 + MIDDLE * TEXT_EM);
            drawing.text(&name, place, Anchor::End, TEXT_EM, colour::INK);
            let middle = left + cell * (i as f32 + 0.5);
            if upright {
                drawing.text_upwards(
                    &name,
                    (middle + MIDDLE * TEXT_EM, top + side + 6.0 + names / 2.0),
                    TEXT_EM,
                    colour::INK,
                );
            } else {
                let place = (middle, top + side + TEXT_EM * 1.3);
                drawing.text(&name, place, Anchor::Middle, TEXT_EM, colour::INK);
            }
        }
        for (j, &count) in row.iter().enumerate() {
            let share = if total > 0 { count as f32 / total as f32 } else { 0.0 };
            let x = left + cell * j as f32;
            let fill = if i == j { colour::SERIES[0] } else { colour::SERIES[1] };
            drawing.rect((x, y), (cell - 1.0, cell - 1.0), colour::GRID);
            if count > 0 {
                // Never so pale that one of many does not show.
                drawing.shade((x, y), (cell - 1.0, cell - 1.0), fill, 0.12 + 0.88 * share);
            }
            if numbered {
                let ink = if share > 0.55 { colour::PAPER } else { colour::INK };
                let place = (x + cell / 2.0, y + cell / 2.0 + MIDDLE * em);
                drawing.text(&count.to_string(), place, Anchor::Middle, em, ink);
            }
        }
    }
    let place = (left + side / 2.0, height - 8.0);
    drawing.text("predicted class", place, Anchor::Middle, TEXT_EM, colour::INK);
    drawing.text_upwards("true class", (MARGIN, top + side / 2.0), TEXT_EM, colour::INK);
    let said: Vec<_> = (commonest_confusions(counts).into_iter().take(10))
        .map(|(i, j, count)| format!("{} taken for {}: {count}", classes[i], classes[j]))
        .collect();
    let said =
        if said.is_empty() { "No class is taken for another".into() } else { said.join("; ") };
    drawing.finish(title, &format!("Rows are true classes, columns answers. {said}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_confusion_is_first() {
        let counts = [vec![9, 0, 2], vec![5, 0, 1], vec![2, 0, 8]];
        let confused = commonest_confusions(&counts);
        assert_eq!(confused, [(1, 0, 5), (0, 2, 2), (2, 0, 2), (1, 2, 1)]);
    }

    #[test]
    fn of_many_classes_the_lowest_curves_are_shown() {
        let scores = [0.1, 0.4, 0.6, 0.9];
        let perfect = RocCurve::of(&scores, &[false, false, true, true]).expect("both kinds");
        let poor = RocCurve::of(&scores, &[false, true, false, true]).expect("both kinds");
        let mut curves = vec![("good", &perfect); 7];
        let few = roc_plot(&curves[..2]).svg().to_owned();
        assert!(few.contains("area 1.000: good") && !few.contains("lowest of"), "{few}");
        curves.push(("poor", &poor));
        let svg = roc_plot(&curves).svg().to_owned();
        assert!(
            svg.contains("area 0.750: poor") && svg.contains("the 6 lowest of 8 classes"),
            "{svg}"
        );
    }
}
