//! The cost over the iterations, as the course draws it, as SVG and as PNG.

use super::axis::{Axis, drawable};
use super::canvas::{Canvas, LINE_PER_EM};
use super::{colour, text};
use anyhow::ensure;
use image::{Rgb, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

/// Coordinates of plotters are whole numbers: this many to a point make curves smooth.
const UNITS: i32 = 8;
/// Pixels of a PNG to a point, for sharp print and dense screens.
const PIXELS: u32 = 2;
/// DejaVu Sans first, which the PNG is set in; Verdana has its widths.
const FONTS: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

const TITLE_EM: f32 = 17.0;
const TEXT_EM: f32 = 13.0;
const TICK_EM: f32 = 12.0;
const MARGIN: i32 = 16;
const LINE_WIDTH: u32 = 2;
const COLOURS: [Rgb<u8>; 4] = [colour::BLUE, colour::ORANGE, colour::GREEN, colour::RED];

/// A cost over the iterations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Series<'a> {
    /// Shown in the legend of a plot of several series.
    pub(crate) name: &'a str,
    /// Iteration and cost, by rising iteration. A cost that is not finite leaves a gap.
    pub(crate) points: &'a [(usize, f64)],
}

/// A plot of one or more costs over the same iterations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CostPlot<'a> {
    /// The course's: "Learning rate = 0.0075".
    pub(crate) title: &'a str,
    /// A second, smaller line: the layer sizes, say. Empty for none.
    pub(crate) subtitle: &'a str,
    /// What is drawn, each in its own colour.
    pub(crate) series: &'a [Series<'a>],
    /// Width and height in points (a pixel of the SVG, two of the PNG); held to what is drawable.
    pub(crate) size: (u32, u32),
}

/// The usual width and height of a plot.
pub(crate) const SIZE: (u32, u32) = (800, 500);

impl CostPlot<'_> {
    /// Draws the plot into an SVG file.
    ///
    /// # Errors
    /// When the file cannot be written; an older one is then as it was.
    pub(crate) fn write_svg(&self, path: &Path) -> anyhow::Result<()> {
        crate::file::write_whole(path, self.svg()?.as_bytes())
    }

    /// Draws the plot into a PNG file.
    ///
    /// # Errors
    /// When the file cannot be written; an older one is then as it was.
    pub(crate) fn write_png(&self, path: &Path) -> anyhow::Result<()> {
        crate::file::write_png(path, &self.image()?)
    }

    /// The plot as an SVG document.
    fn svg(&self) -> anyhow::Result<String> {
        let (width, height) = self.points();
        let (full_width, full_height) = (width * UNITS as u32, height * UNITS as u32);
        let mut svg = String::new();
        let backend = SVGBackend::with_string(&mut svg, (full_width, full_height));
        self.draw(&backend.into_drawing_area())?;
        // Drawn in fine units, shown in points; strokes join as on the canvas.
        let head = format!("<svg width=\"{full_width}\" height=\"{full_height}\" ");
        ensure!(svg.starts_with(&head), "the SVG starts in an unexpected way: {svg:.100}");
        let shown = format!(
            "<svg width=\"{width}\" height=\"{height}\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\" "
        );
        Ok(svg.replacen(&head, &shown, 1))
    }

    /// The plot as pixels.
    fn image(&self) -> anyhow::Result<RgbImage> {
        let (width, height) = self.points();
        let mut image = RgbImage::new(width * PIXELS, height * PIXELS);
        let canvas = Canvas::new(&mut image, UNITS as u32 / PIXELS);
        self.draw(&canvas.into_drawing_area())?;
        Ok(image)
    }

    /// Width and height in points.
    fn points(&self) -> (u32, u32) {
        (self.size.0.clamp(320, 4000), self.size.1.clamp(240, 4000))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: Error + Send + Sync + 'static,
    {
        let (width, height) = self.points();
        let (width, height) = (width as i32, height as i32);
        area.fill(&rgb(colour::PAPER))?;

        // Heading: title, subtitle, legend, each a centred line.
        let mut top = MARGIN - 4;
        let room = (width - 2 * MARGIN) as f32;
        let mut heading = |line: &str, em: f32, ink: Rgb<u8>| {
            let line = text::shorten(line, em, room);
            if line.is_empty() {
                return Ok(());
            }
            let middle = top + (em * 0.7) as i32;
            top += (em * 1.4) as i32;
            let style = style(em, ink, HPos::Center, VPos::Center);
            area.draw_text(&line, &style, (width / 2 * UNITS, middle * UNITS))
        };
        heading(self.title, TITLE_EM, colour::INK)?;
        heading(self.subtitle, TEXT_EM, colour::SOFT)?;
        if self.series.len() > 1 {
            top += 4;
            self.draw_legend(area, (width, top + (TEXT_EM * 0.7) as i32))?;
            top += (TEXT_EM * 1.4) as i32;
        }
        top += 10;

        let costs = self.series.iter().flat_map(|series| series.points);
        let costs = costs.filter_map(|(_, cost)| drawable(*cost));
        let nothing = costs.clone().next().is_none();
        let y = Axis::of_costs(costs, (height / 70) as usize);
        let iterations = self.series.iter().flat_map(|series| series.points);
        let x = Axis::of_iterations(iterations.map(|(i, _)| *i), (width / 100) as usize);
        let widest = y.ticks.iter().map(|tick| text::width(&y.label(*tick), TICK_EM));
        let widest = widest.fold(0.0, f32::max).ceil() as i32;

        let mut chart = ChartBuilder::on(area)
            .margin_top(top * UNITS)
            .margin_right((MARGIN + 4) * UNITS)
            .margin_bottom(MARGIN * UNITS)
            .margin_left(MARGIN * UNITS)
            .x_label_area_size(44 * UNITS)
            .y_label_area_size((widest + 34) * UNITS)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(rgb(colour::GRID).stroke_width(UNITS as u32))
            .light_line_style(TRANSPARENT)
            .axis_style(rgb(colour::AXIS).stroke_width(UNITS as u32))
            .set_all_tick_mark_size(4 * UNITS)
            .label_style(style(TICK_EM, colour::SOFT, HPos::Center, VPos::Center))
            .axis_desc_style(style(TEXT_EM, colour::INK, HPos::Center, VPos::Center))
            .x_desc("iterations")
            .y_desc("cost")
            .draw()?;

        for (series, ink) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let ink = rgb(*ink).filled().stroke_width(LINE_WIDTH * UNITS as u32);
            // Two columns a point are all that a picture can show.
            for line in lines(series.points, 2 * width as usize) {
                match line[..] {
                    [alone] => chart.draw_series([Circle::new(alone, 3 * UNITS, ink)])?,
                    _ => chart.draw_series([PathElement::new(line, ink)])?,
                };
            }
        }
        if nothing {
            let plot = chart.plotting_area();
            let (across, down) = (plot.get_x_axis_pixel_range(), plot.get_y_axis_pixel_range());
            let middle =
                (i32::midpoint(across.start, across.end), i32::midpoint(down.start, down.end));
            let note = style(TEXT_EM, colour::SOFT, HPos::Center, VPos::Center);
            area.draw_text("no finite cost", &note, middle)?;
        }
        area.present()?;
        Ok(())
    }

    /// A centred line of a sample and the name of each series.
    fn draw_legend<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        (width, middle): (i32, i32),
    ) -> anyhow::Result<()>
    where
        B::ErrorType: Error + Send + Sync + 'static,
    {
        const SAMPLE: f32 = 22.0;
        const GAP: f32 = 7.0;
        const BETWEEN: f32 = 26.0;
        let n = self.series.len() as f32;
        let room = ((width - 2 * MARGIN) as f32 - BETWEEN * (n - 1.0)) / n - SAMPLE - GAP;
        let names: Vec<String> =
            self.series.iter().map(|series| text::shorten(series.name, TEXT_EM, room)).collect();
        let widths: Vec<f32> = names.iter().map(|name| text::width(name, TEXT_EM)).collect();
        let total = widths.iter().sum::<f32>() + n * (SAMPLE + GAP) + (n - 1.0) * BETWEEN;
        let mut left = (width as f32 - total) / 2.0;
        let units = |points: f32| (points * UNITS as f32).round() as i32;
        for ((name, name_width), ink) in names.iter().zip(widths).zip(COLOURS.iter().cycle()) {
            let ink = rgb(*ink).stroke_width(LINE_WIDTH * UNITS as u32);
            let ends = [left, left + SAMPLE].map(|x| (units(x), middle * UNITS));
            area.draw(&PathElement::new(ends, ink))?;
            left += SAMPLE + GAP;
            let style = style(TEXT_EM, colour::INK, HPos::Left, VPos::Center);
            area.draw_text(name, &style, (units(left), middle * UNITS))?;
            left += name_width + BETWEEN;
        }
        Ok(())
    }
}

fn rgb(colour: Rgb<u8>) -> RGBColor {
    let [r, g, b] = colour.0;
    RGBColor(r, g, b)
}

fn style(em: f32, ink: Rgb<u8>, across: HPos, down: VPos) -> TextStyle<'static> {
    let size = f64::from(em) * LINE_PER_EM * f64::from(UNITS);
    (FONTS, size).into_font().color(&rgb(ink)).pos(Pos::new(across, down))
}

/// The points as lines without gaps, each thinned to what `n_columns` columns can show: the first,
/// lowest, highest and last point of a column keep every spike.
fn lines(points: &[(usize, f64)], n_columns: usize) -> Vec<Vec<(f64, f64)>> {
    let shown =
        |(iteration, cost): &(usize, f64)| drawable(*cost).map(|cost| (*iteration as f64, cost));
    let whole = points.split(|(_, cost)| drawable(*cost).is_none());
    let whole = whole.map(|run| run.iter().filter_map(shown).collect::<Vec<_>>());
    let (first, last) = match points {
        [first, .., last] => (first.0 as f64, last.0 as f64),
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

    /// Every fifth of the costs of the course's deep network, to three digits.
    const COSTS: [(usize, f64); 5] =
        [(0, 0.772), (500, 0.540), (1000, 0.315), (1500, 0.161), (2000, 0.114)];

    fn plot<'a>(title: &'a str, series: &'a [Series<'a>]) -> CostPlot<'a> {
        CostPlot { title, subtitle: "12288-20-7-5-1", series, size: SIZE }
    }

    /// Follows the tags of a document without comments, declarations and CDATA, as ours are.
    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        let mut rest = svg;
        while let Some((text, after)) = rest.split_once('<') {
            assert!(!text.contains('>'), "a bare > in {text:?}");
            let (tag, after) = after.split_once('>').expect("every tag ends");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "a tag that was not open is closed");
            } else {
                let quotes = tag.matches('"').count();
                assert!(quotes > 0 && quotes.is_multiple_of(2), "{tag}");
                if !tag.ends_with('/') {
                    open.push(tag.split(' ').next().unwrap_or_default());
                }
            }
            rest = after;
        }
        assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} are still open");
        for entity in svg.split('&').skip(1) {
            let known = ["lt;", "gt;", "amp;", "quot;", "apos;", "#39;"];
            assert!(known.iter().any(|name| entity.starts_with(name)), "&{entity:.20}");
        }
        let may_stand = |c| c == '\n' || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
        assert!(svg.chars().all(may_stand), "a character that XML forbids");
    }

    #[test]
    fn any_name_is_escaped() {
        let title = "</svg><script>&\"'\0\u{b}\u{ffff}";
        let series = [title, "b"].map(|name| Series { name, points: &COSTS });
        let svg = plot(title, &series).svg().expect("drawn");
        assert_well_formed(&svg);
        assert!(svg.contains("&lt;/svg&gt;&lt;script&gt;&amp;&quot;"), "{svg}");
    }

    #[test]
    fn the_svg_says_what_the_course_says() {
        let series = [Series { name: "train", points: &COSTS }];
        let svg = plot("Learning rate = 0.0075", &series).svg().expect("drawn");
        assert_well_formed(&svg);
        assert!(svg.starts_with("<svg width=\"800\" height=\"500\" "), "{svg:.100}");
        let said: Vec<&str> = svg.lines().filter(|line| !line.contains(['<', '>'])).collect();
        let expected =
            ["Learning rate = 0.0075", "12288-20-7-5-1", "iterations", "cost", "1500", "0.8"];
        for line in expected {
            assert!(said.contains(&line), "{line} is not in {said:?}");
        }
        assert!(!said.contains(&"train"), "one series needs no legend");
    }

    /// The points of the first line in the colour, in points of the picture.
    fn svg_line(svg: &str, colour: &str) -> Vec<(f64, f64)> {
        let line = svg.lines().find(|line| line.contains("<polyline") && line.contains(colour));
        let (_, points) = line.and_then(|line| line.split_once("points=\"")).expect("a polyline");
        let (points, _) = points.split_once('"').expect("the attribute ends");
        let number = |text: &str| text.parse::<f64>().expect("a number") / f64::from(UNITS);
        let pair = |text: &str| text.split_once(',').map(|(x, y)| (number(x), number(y)));
        points.split_whitespace().map(|text| pair(text).expect("x,y")).collect()
    }

    #[test]
    fn png_and_svg_show_the_same_curve_in_the_right_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cost.png");
        let series = [Series { name: "train", points: &COSTS }];
        let plot = plot("Learning rate = 0.0075", &series);
        plot.write_png(&path).expect("written");
        let image = image::open(&path).expect("a PNG").into_rgb8();
        assert_eq!(image.dimensions(), (2 * SIZE.0, 2 * SIZE.1));
        assert_eq!(*image.get_pixel(0, 0), colour::PAPER);
        let points = svg_line(&plot.svg().expect("drawn"), "#1F77B4");
        assert_eq!(points.len(), COSTS.len());
        for (x, y) in &points {
            let pixel = image.get_pixel((2.0 * x) as u32, (2.0 * y) as u32);
            assert_eq!(*pixel, colour::BLUE, "at {x}, {y}");
        }
        // The points keep the proportions of the numbers.
        let (first, last) = (points[0], points[4]);
        for ((x, y), (iteration, cost)) in points.iter().zip(COSTS) {
            let across = (x - first.0) / (last.0 - first.0);
            let down = (y - first.1) / (last.1 - first.1);
            assert!((across - iteration as f64 / 2000.0).abs() < 1e-3);
            assert!((down - (0.772 - cost) / (0.772 - 0.114)).abs() < 1e-3);
        }
    }

    #[test]
    fn every_series_has_its_colour_and_its_name() {
        let lower = COSTS.map(|(iteration, cost)| (iteration, cost / 2.0));
        let series =
            [Series { name: "deep", points: &COSTS }, Series { name: "two-layer", points: &lower }];
        let svg = plot("costs", &series).svg().expect("drawn");
        assert_well_formed(&svg);
        for part in ["\ndeep\n", "\ntwo-layer\n", "#1F77B4", "#FF7F0E"] {
            assert!(svg.contains(part), "{part:?}");
        }
    }

    #[test]
    fn every_series_can_be_drawn_in_every_size() {
        let (nan, infinite) = (f64::NAN, f64::INFINITY);
        let cases: [&[(usize, f64)]; 8] = [
            &[],
            &[(0, 0.7)],
            &[(0, 0.0)],
            &[(0, nan), (100, infinite)],
            &[(0, 0.7), (100, 0.7), (200, 0.7)],
            &[(0, nan), (100, 0.5), (200, nan), (300, 0.4), (400, 0.3)],
            &[(7, -1e300), (7, 1e300)],
            &[(0, 1e-320), (usize::MAX, 1e308)],
        ];
        for points in cases {
            for size in [(0, 0), (640, 400)] {
                let series = [Series { name: "train", points }];
                let plot = CostPlot { size, ..plot("title", &series) };
                let svg = plot.svg().expect("drawn");
                assert_well_formed(&svg);
                let finite = points.iter().any(|(_, cost)| drawable(*cost).is_some());
                assert_eq!(svg.contains("no finite cost"), !finite, "{points:?}");
                assert_eq!(svg.contains("#1F77B4"), finite, "{points:?}");
                let image = plot.image().expect("drawn");
                let blue = image.pixels().any(|pixel| *pixel == colour::BLUE);
                assert_eq!(blue, finite, "{points:?}");
            }
        }
    }

    #[test]
    fn gaps_split_a_line_and_thinning_keeps_spikes() {
        let points = [(0, 1.0), (1, f64::NAN), (2, 3.0), (3, 4.0), (4, f64::INFINITY)];
        assert_eq!(lines(&points, 100), [vec![(0.0, 1.0)], vec![(2.0, 3.0), (3.0, 4.0)]]);
        let mut many: Vec<_> = (0..100_000).map(|i| (i, 1.0)).collect();
        (many[31_415].1, many[31_416].1) = (9.0, -9.0);
        let thinned = lines(&many, 100);
        assert_eq!(thinned.len(), 1);
        assert!(thinned[0].len() <= 4 * 101, "{}", thinned[0].len());
        assert!(thinned[0].is_sorted_by(|a, b| a.0 < b.0));
        for kept in [(0.0, 1.0), (31_415.0, 9.0), (31_416.0, -9.0), (99_999.0, 1.0)] {
            assert!(thinned[0].contains(&kept), "{kept:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let series = [Series { name: "train", points: &COSTS }];
        let plot = plot("title", &series);
        std::fs::create_dir_all(folder.path().join("cost.svg/full")).expect("a folder");
        for name in ["cost.svg", "missing/cost.svg"] {
            let error = plot.write_svg(&folder.path().join(name)).expect_err("not a file's place");
            assert!(format!("{error:#}").contains("cost.svg"), "{error:#}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
        let path = folder.path().join("plot.svg");
        plot.write_svg(&path).expect("written");
        assert_eq!(std::fs::read_to_string(path).expect("text"), plot.svg().expect("drawn"));
    }
}
