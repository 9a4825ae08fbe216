//! A pixel surface that plotters draws on, smoother than its own.
//!
//! plotters' bitmap backend puts points and letters on whole pixels: curves become steps with
//! notches, letters stand unevenly and labels above their ticks. Here the unit of the coordinates
//! is a fraction of a pixel, a stroke covers each pixel by its distance to the line, and text is
//! placed as an SVG viewer places it, so that both kinds of file show the same picture.

use super::{blend, fill, text};
use image::{Rgb, RgbImage};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    rasterizer,
};
use std::convert::Infallible;

/// plotters' text sizes are line heights, of 1.24 em.
pub(super) const LINE_PER_EM: f64 = 1.24;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Draws into an image, in coordinates of which `units_per_pixel` make a pixel.
pub(super) struct Canvas<'a> {
    image: &'a mut RgbImage,
    units_per_pixel: u32,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(image: &'a mut RgbImage, units_per_pixel: u32) -> Self {
        Self { image, units_per_pixel }
    }

    fn pixels(&self, units: f64) -> f32 {
        (units / f64::from(self.units_per_pixel)) as f32
    }

    fn place(&self, (x, y): BackendCoord) -> (f32, f32) {
        (self.pixels(f64::from(x)), self.pixels(f64::from(y)))
    }

    /// Strokes the line through `points` with round joins and ends; one point gives a disc.
    ///
    /// A pixel's coverage is its largest over all segments, so that a line that crosses itself is
    /// not darker there, whatever its alpha.
    fn stroke(&mut self, points: &[(f32, f32)], radius: f32, colour: BackendColor) {
        // Beyond this distance from the line a pixel is not touched.
        let reach = radius + 0.5;
        let (width, height) = self.image.dimensions();
        let clip = |low: f32, high: f32, end: u32| {
            let last = (high + reach).ceil().clamp(0.0, end as f32) as usize;
            let first = (low - reach).floor().clamp(0.0, end as f32) as usize;
            first..last
        };
        let low = points.iter().fold((f32::MAX, f32::MAX), |a, p| (a.0.min(p.0), a.1.min(p.1)));
        let high = points.iter().fold((f32::MIN, f32::MIN), |a, p| (a.0.max(p.0), a.1.max(p.1)));
        let (columns, rows) = (clip(low.0, high.0, width), clip(low.1, high.1, height));
        let mut mask = vec![0.0_f32; columns.len() * rows.len()];
        let mut cover = |a: (f32, f32), b: (f32, f32)| {
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let length_squared = dx * dx + dy * dy;
            for y in clip(a.1.min(b.1), a.1.max(b.1), height) {
                for x in clip(a.0.min(b.0), a.0.max(b.0), width) {
                    let (px, py) = (x as f32 + 0.5 - a.0, y as f32 + 0.5 - a.1);
                    let along = px * dx + py * dy;
                    let t = if along > 0.0 { (along / length_squared).min(1.0) } else { 0.0 };
                    let distance = (px - t * dx).hypot(py - t * dy);
                    let pixel = (y - rows.start) * columns.len() + x - columns.start;
                    mask[pixel] = mask[pixel].max((reach - distance).clamp(0.0, 1.0));
                }
            }
        };
        match points {
            [] => {}
            [point] => cover(*point, *point),
            _ => points.windows(2).for_each(|ends| cover(ends[0], ends[1])),
        }
        for (row, y) in mask.chunks_exact(columns.len().max(1)).zip(rows) {
            for (coverage, x) in row.iter().zip(columns.clone()) {
                if *coverage > 0.0 {
                    let alpha = coverage * colour.alpha as f32;
                    blend(self.image, (x as i32, y as i32), rgb(colour), alpha);
                }
            }
        }
    }
}

fn rgb(colour: BackendColor) -> Rgb<u8> {
    let (r, g, b) = colour.rgb;
    Rgb([r, g, b])
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let (width, height) = self.image.dimensions();
        (width * self.units_per_pixel, height * self.units_per_pixel)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    /// A unit covers only its share of a pixel.
    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Drawn {
        let (x, y) = self.place(point);
        let share = self.pixels(1.0).powi(2);
        let place = (x.floor() as i32, y.floor() as i32);
        blend(self.image, place, rgb(colour), colour.alpha as f32 * share);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if style.color().alpha > 0.0 && style.stroke_width() > 0 {
            let points: Vec<_> = path.into_iter().map(|point| self.place(point)).collect();
            let radius = self.pixels(f64::from(style.stroke_width()) / 2.0);
            self.stroke(&points, radius, style.color());
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        filled: bool,
    ) -> Drawn {
        if filled {
            let radius = self.pixels(f64::from(radius));
            self.stroke(&[self.place(center)], radius, style.color());
            return Ok(());
        }
        rasterizer::draw_circle(self, center, radius, style, filled)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        filled: bool,
    ) -> Drawn {
        if filled {
            let (x0, y0) = self.place(upper_left);
            // plotters names the last unit inside.
            let (x1, y1) = self.place((bottom_right.0 + 1, bottom_right.1 + 1));
            let corners = [(x0, y0), (x1, y1)].map(|(x, y)| (x.round() as i32, y.round() as i32));
            let colour = style.color();
            fill(self.image, corners[0], corners[1], rgb(colour), colour.alpha as f32);
            return Ok(());
        }
        let (upper_right, lower_left) =
            ((bottom_right.0, upper_left.1), (upper_left.0, bottom_right.1));
        self.draw_path([upper_left, upper_right, bottom_right, lower_left, upper_left], style)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        line: &str,
        style: &S,
        position: BackendCoord,
    ) -> Drawn {
        let em = self.pixels(style.size() / LINE_PER_EM);
        let x = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -text::width(line, em) / 2.0,
            HPos::Right => -text::width(line, em),
        };
        // As plotters' SVG files say it.
        let y = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.5 * text::X_HEIGHT * em,
            VPos::Bottom => -0.5 * text::X_HEIGHT * em,
        };
        let colour = style.color();
        let ink = (rgb(colour), colour.alpha as f32);
        text::draw_turned(
            self.image,
            line,
            em,
            (self.place(position), (x, y)),
            &style.transform(),
            ink,
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::colour::PAPER;
    use super::*;
    use plotters::prelude::{BLACK, Color, ShapeStyle};

    /// How much ink there is, in fully black pixels.
    fn ink(image: &RgbImage) -> f32 {
        image.pixels().map(|pixel| 1.0 - f32::from(pixel.0[0]) / 255.0).sum()
    }

    fn draw(path: &[BackendCoord], width: u32) -> RgbImage {
        let mut image = RgbImage::from_pixel(60, 40, PAPER);
        let style = ShapeStyle::from(BLACK).stroke_width(width);
        // Not through a drawing area, which moves points from outside to its edge.
        Canvas::new(&mut image, 4).draw_path(path.iter().copied(), &style).expect("drawn");
        image
    }

    #[test]
    fn a_stroke_has_the_area_of_its_line_at_every_slope() {
        // 40 px long, 3 px wide, with round ends.
        let expected = 40.0 * 3.0 + std::f32::consts::PI * 1.5 * 1.5;
        for degrees in 0..90 {
            let angle = f64::from(degrees).to_radians();
            let (x, y) = ((160.0 * angle.cos()) as i32, (160.0 * angle.sin()) as i32);
            let mut image = RgbImage::from_pixel(80, 80, PAPER);
            let path = [(80, 80), (80 + x, 80 + y)];
            let style = ShapeStyle::from(BLACK).stroke_width(12);
            Canvas::new(&mut image, 4).draw_path(path, &style).expect("drawn");
            let got = ink(&image);
            assert!((got - expected).abs() < 0.03 * expected, "{degrees}°: {got}, not {expected}");
        }
    }

    #[test]
    fn a_whole_pixel_line_is_sharp_and_a_crossing_not_darker() {
        let image = draw(&[(40, 80), (200, 80)], 8);
        let column: Vec<u8> = (17..23).map(|y| image.get_pixel(30, y).0[0]).collect();
        assert_eq!(column, [255, 255, 0, 0, 255, 255]);
        let mut image = RgbImage::from_pixel(60, 40, PAPER);
        let cross = [(120, 0), (120, 156), (40, 80), (200, 80)];
        let style = ShapeStyle::from(BLACK.mix(0.5)).stroke_width(8);
        Canvas::new(&mut image, 4).draw_path(cross, &style).expect("drawn");
        assert_eq!(image.get_pixel(30, 20), image.get_pixel(45, 20));
    }

    #[test]
    fn what_lies_outside_is_clipped() {
        assert_eq!(ink(&draw(&[(-4000, -4000), (-100, 9000)], 8)), 0.0);
        assert!(ink(&draw(&[(-4000, 80), (90_000, 80)], 4)) > 59.0);
        assert_eq!(ink(&draw(&[], 4)), 0.0);
    }
}
