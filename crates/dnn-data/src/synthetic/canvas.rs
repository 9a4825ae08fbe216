//! Pixels, and a painter that covers them with shapes through a view.

use super::geometry::{Point, Transform, pt, smoothstep};
use super::palette::{BLACK, Rgb};
use super::shape::Shape;
use std::ops::Range;

/// A square picture that is being drawn.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    size: usize,
    pixels: Vec<Rgb>,
}

impl Canvas {
    pub(super) fn new(size: usize) -> Self {
        Self { size, pixels: vec![BLACK; size * size] }
    }

    /// Returns the number of pixels a side.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns the colour of the pixel in column `x` and row `y`.
    pub(super) fn at(&self, x: usize, y: usize) -> Rgb {
        self.pixels[y * self.size + x]
    }

    /// Returns a painter whose plane shows [−1, 1]² as the whole picture before `view` is applied.
    pub(super) fn painter(&mut self, view: Transform) -> Painter<'_> {
        let half = self.size as f64 / 2.0;
        let to_pixel = Transform::scale(half, half).after(Transform::shift(1.0, 1.0)).after(view);
        Painter { canvas: self, view: View::new(to_pixel) }
    }

    /// Replaces every pixel by a function of its column, row and colour.
    pub(super) fn map(&mut self, change: impl Fn(usize, usize, Rgb) -> Rgb) {
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            *pixel = change(i % self.size, i / self.size, *pixel);
        }
    }

    /// Appends the picture to `bytes`, row by row, rounded to the nearest of 256 levels.
    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        let level = |v: &f64| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        bytes.extend(self.pixels.iter().flat_map(|pixel| pixel.0.iter().map(level)));
    }
}

/// How the plane of a painter lies on the pixels.
#[derive(Debug, Clone, Copy)]
struct View {
    to_pixel: Transform,
    to_plane: Transform,
    determinant: f64,
}

impl View {
    fn new(to_pixel: Transform) -> Self {
        let to_plane = to_pixel.inverse();
        Self { to_pixel, to_plane, determinant: to_plane.determinant().abs() }
    }

    /// Side of the pixel at `p`, in units of the plane: √|det J| of the projective map.
    fn pixel_side(&self, p: Point) -> f64 {
        let w = self.to_plane.weight(p).abs();
        (self.determinant / (w * w * w)).sqrt()
    }
}

/// Paints shapes, given in the units of its own plane.
pub(super) struct Painter<'a> {
    canvas: &'a mut Canvas,
    view: View,
}

impl Painter<'_> {
    /// Returns a painter of a part, whose plane `place` maps into this one.
    pub(super) fn inside(&mut self, place: Transform) -> Painter<'_> {
        let view = View::new(self.view.to_pixel.after(place));
        Painter { canvas: self.canvas, view }
    }

    /// Covers the shape with the colours and opacities of `ink`, a function of the point and of its
    /// signed distance; the edge is spread over `blur` in addition to one pixel.
    pub(super) fn paint(
        &mut self,
        shape: &Shape,
        blur: f64,
        ink: impl Fn(Point, f64) -> (Rgb, f64),
    ) {
        let half_width = shape.half_width();
        let (columns, rows) = self.reach(shape, blur);
        // Beyond half of this from the edge, a pixel is all outside or all inside.
        let widest = self.largest_side(&columns, &rows) + blur;
        for y in rows {
            for x in columns.clone() {
                let pixel = pt(x as f64 + 0.5, y as f64 + 0.5);
                let p = self.view.to_plane.apply(pixel);
                let distance = shape.distance(p);
                if distance >= widest / 2.0 {
                    continue;
                }
                let cover = if distance <= -widest / 2.0 && half_width.is_infinite() {
                    1.0
                } else {
                    let side = self.view.pixel_side(pixel);
                    cover(distance, side, blur) * (2.0 * half_width / side).min(1.0)
                };
                let (color, opacity) = ink(p, distance);
                let under = &mut self.canvas.pixels[y * self.canvas.size + x];
                *under = under.mix(color, cover * opacity);
            }
        }
    }

    /// One colour.
    pub(super) fn flat(&mut self, shape: &Shape, color: Rgb) {
        self.paint(shape, 0.0, |_, _| (color, 1.0));
    }

    /// One colour that lets through what is below.
    pub(super) fn glaze(&mut self, shape: &Shape, color: Rgb, opacity: f64) {
        self.paint(shape, 0.0, |_, _| (color, opacity));
    }

    /// One colour with a soft edge: shadows, spots of light, blush.
    pub(super) fn soft(&mut self, shape: &Shape, color: Rgb, opacity: f64, blur: f64) {
        self.paint(shape, blur, |_, _| (color, opacity));
    }

    /// One colour, rounded by light from above left and a darker rim.
    pub(super) fn volume(&mut self, shape: &Shape, color: Rgb) {
        self.textured(shape, |_| color);
    }

    /// Colours by the place, rounded as [`volume`](Self::volume) does.
    pub(super) fn textured(&mut self, shape: &Shape, color: impl Fn(Point) -> Rgb) {
        let (low, high) = shape.bounds();
        let (center, half) = ((low + high) * 0.5, (high - low) * 0.5);
        let depth = half.x.min(half.y);
        self.paint(shape, 0.0, |p, distance| {
            let to = p - center;
            let light = -0.4 * to.x / half.x - 0.8 * to.y / half.y;
            let rim = smoothstep(-0.5 * depth, 0.0, distance);
            (color(p).times((1.0 + 0.13 * light) * (1.0 - 0.2 * rim)), 1.0)
        });
    }

    /// Side of the largest pixel of a block; √|det J| is monotonous in the weight, so at a corner.
    fn largest_side(&self, columns: &Range<usize>, rows: &Range<usize>) -> f64 {
        let corner = |x: usize, y: usize| self.view.pixel_side(pt(x as f64, y as f64));
        corner(columns.start, rows.start)
            .max(corner(columns.end, rows.start))
            .max(corner(columns.start, rows.end))
            .max(corner(columns.end, rows.end))
    }

    /// The pixels that the shape can touch.
    fn reach(&self, shape: &Shape, blur: f64) -> (Range<usize>, Range<usize>) {
        let size = self.canvas.size;
        let (low, high) = shape.bounds();
        if !(low.x.is_finite() && high.x.is_finite()) {
            return (0..size, 0..size);
        }
        if low.x > high.x || low.y > high.y {
            return (0..0, 0..0);
        }
        let margin = pt(blur, blur);
        let (low, high) = (low - margin, high + margin);
        let corners =
            [low, high, pt(low.x, high.y), pt(high.x, low.y)].map(|p| self.view.to_pixel.apply(p));
        let clip = |v: f64| v.clamp(0.0, size as f64) as usize;
        let span = |of: fn(&Point) -> f64| {
            let least = corners.iter().map(of).fold(f64::INFINITY, f64::min);
            let most = corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            clip((least - 1.0).floor())..clip((most + 2.0).floor())
        };
        (span(|p| p.x), span(|p| p.y))
    }
}

/// How much of a pixel lies inside an edge at a signed distance.
fn cover(distance: f64, side: f64, blur: f64) -> f64 {
    let at = distance / (side + blur);
    if blur > 0.0 { smoothstep(0.5, -0.5, at) } else { (0.5 - at).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::super::palette::WHITE;
    use super::*;

    fn mean(canvas: &Canvas) -> f64 {
        canvas.pixels.iter().map(|p| p.0[0]).sum::<f64>() / canvas.pixels.len() as f64
    }

    #[test]
    fn a_circle_covers_its_area_through_any_view() {
        let circle = Shape::circle(pt(0.0, 0.0), 0.5);
        let area = std::f64::consts::PI * 0.25 / 4.0;
        for (view, ratio) in [
            (Transform::rotate(30.0), 1.0),
            (Transform::scale(0.8, 1.5), 1.2),
            (Transform::shift(0.13, -0.21), 1.0),
        ] {
            let mut canvas = Canvas::new(64);
            canvas.painter(view).flat(&circle, WHITE);
            assert!((mean(&canvas) - area * ratio).abs() < 1e-3, "{}", mean(&canvas));
        }
    }

    #[test]
    fn a_line_thinner_than_a_pixel_gets_fainter() {
        let ink = |radius: f64| {
            let mut canvas = Canvas::new(32);
            let line = Shape::line(pt(-0.8, 0.013), pt(0.8, 0.013), radius);
            canvas.painter(Transform::rotate(0.0)).flat(&line, WHITE);
            mean(&canvas)
        };
        assert!(ink(0.005) < 0.4 * ink(0.02), "{} {}", ink(0.005), ink(0.02));
    }
}
