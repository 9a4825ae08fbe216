//! Shapes by their signed distance: negative inside, positive outside, in units of the plane.

use super::geometry::{Point, pt, sin_cos};

/// A region of the plane.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Axis-parallel ellipse: centre, half axes.
    Ellipse(Point, Point),
    /// Ellipse turned clockwise: centre, half axes, sine and cosine of the turn.
    Leaf(Point, Point, (f64, f64)),
    /// A line through the points whose radius goes from the first to the second number.
    Stroke(Vec<Point>, f64, f64),
    /// A polygon whose outline is moved outwards, and so rounded, by a radius.
    Polygon(Vec<Point>, f64),
    /// All of them together; joints are filled over the given width.
    Union(Vec<Shape>, f64),
    /// What lies in both.
    Clip(Box<Shape>, Box<Shape>),
    /// Everything.
    Plane,
}

/// Pieces a curve is broken into: at 64 pixels no corner shows.
const CURVE_PIECES: usize = 8;

impl Shape {
    pub(super) fn circle(center: Point, radius: f64) -> Self {
        Self::Ellipse(center, pt(radius, radius))
    }

    pub(super) fn ellipse(x: f64, y: f64, half_width: f64, half_height: f64) -> Self {
        Self::Ellipse(pt(x, y), pt(half_width, half_height))
    }

    /// Ellipse whose long axis is turned clockwise from the right.
    pub(super) fn leaf(center: Point, half_length: f64, half_width: f64, degrees: f64) -> Self {
        Self::Leaf(center, pt(half_length, half_width), sin_cos(degrees))
    }

    /// Straight line of constant radius.
    pub(super) fn line(from: Point, to: Point, radius: f64) -> Self {
        Self::Stroke(vec![from, to], radius, radius)
    }

    /// Straight limb from one radius to another.
    pub(super) fn limb(from: Point, to: Point, start: f64, end: f64) -> Self {
        Self::Stroke(vec![from, to], start, end)
    }

    /// Quadratic Bézier curve, drawn with a radius that goes from `start` to `end`.
    pub(super) fn curve(from: Point, toward: Point, to: Point, start: f64, end: f64) -> Self {
        let points = (0..=CURVE_PIECES).map(|i| {
            let t = i as f64 / CURVE_PIECES as f64;
            let (a, b) = (from + (toward - from) * t, toward + (to - toward) * t);
            a + (b - a) * t
        });
        Self::Stroke(points.collect(), start, end)
    }

    /// Axis-parallel box with rounded corners.
    pub(super) fn block(left: f64, top: f64, right: f64, bottom: f64, round: f64) -> Self {
        let (l, t, r, b) = (left + round, top + round, right - round, bottom - round);
        Self::Polygon(vec![pt(l, t), pt(r, t), pt(r, b), pt(l, b)], round)
    }

    /// Polygon through the points, rounded outwards.
    pub(super) fn polygon(points: &[(f64, f64)], round: f64) -> Self {
        Self::Polygon(points.iter().map(|&(x, y)| pt(x, y)).collect(), round)
    }

    pub(super) fn clipped(self, to: &Self) -> Self {
        Self::Clip(Box::new(self), Box::new(to.clone()))
    }

    /// Signed distance of `p`, exact for strokes and polygons, near the outline for the others.
    pub(super) fn distance(&self, p: Point) -> f64 {
        match self {
            Self::Ellipse(center, half) => ellipse(p - *center, *half),
            Self::Leaf(center, half, (sin, cos)) => {
                let to = p - *center;
                ellipse(pt(to.x * cos + to.y * sin, to.y * cos - to.x * sin), *half)
            }
            Self::Stroke(points, start, end) => stroke(p, points, *start, *end),
            Self::Polygon(points, round) => polygon(p, points) - round,
            Self::Union(parts, width) => {
                parts.iter().map(|s| s.distance(p)).fold(f64::INFINITY, |a, b| {
                    let overlap = (width - (a - b).abs()).max(0.0);
                    let fill = if overlap > 0.0 { overlap * overlap / (4.0 * width) } else { 0.0 };
                    a.min(b) - fill
                })
            }
            Self::Clip(a, b) => a.distance(p).max(b.distance(p)),
            Self::Plane => f64::NEG_INFINITY,
        }
    }

    /// Two corners between which the shape lies.
    pub(super) fn bounds(&self) -> (Point, Point) {
        match self {
            Self::Ellipse(center, half) => (*center - *half, *center + *half),
            Self::Leaf(center, half, (sin, cos)) => {
                let reach = |a: f64, b: f64| pt(half.x * a, half.y * b).length();
                let reach = pt(reach(*cos, *sin), reach(*sin, *cos));
                (*center - reach, *center + reach)
            }
            Self::Stroke(points, start, end) => box_around(points, start.max(*end)),
            Self::Polygon(points, round) => box_around(points, *round),
            Self::Union(parts, width) => {
                let corners: Vec<Point> =
                    parts.iter().map(Self::bounds).flat_map(|(a, b)| [a, b]).collect();
                box_around(&corners, width / 4.0)
            }
            Self::Clip(a, b) => {
                let ((a0, a1), (b0, b1)) = (a.bounds(), b.bounds());
                (pt(a0.x.max(b0.x), a0.y.max(b0.y)), pt(a1.x.min(b1.x), a1.y.min(b1.y)))
            }
            Self::Plane => {
                (pt(f64::NEG_INFINITY, f64::NEG_INFINITY), pt(f64::INFINITY, f64::INFINITY))
            }
        }
    }

    /// Half the width of a line, so that one thinner than a pixel can be drawn fainter instead.
    pub(super) fn half_width(&self) -> f64 {
        match self {
            Self::Stroke(_, start, end) => start.max(*end),
            Self::Clip(a, _) => a.half_width(),
            _ => f64::INFINITY,
        }
    }
}

fn box_around(points: &[Point], margin: f64) -> (Point, Point) {
    let least = |of: fn(&Point) -> f64| points.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    (
        pt(least(|p| p.x) - margin, least(|p| p.y) - margin),
        pt(most(|p| p.x) + margin, most(|p| p.y) + margin),
    )
}

/// First-order distance: the implicit function over its gradient.
fn ellipse(p: Point, half: Point) -> f64 {
    let scaled = pt(p.x / half.x, p.y / half.y);
    let gradient = pt(scaled.x / half.x, scaled.y / half.y).length();
    let level = scaled.length();
    if gradient == 0.0 { -half.x.min(half.y) } else { level * (level - 1.0) / gradient }
}

fn stroke(p: Point, points: &[Point], start: f64, end: f64) -> f64 {
    let n_pieces = (points.len() - 1) as f64;
    points.windows(2).enumerate().fold(f64::INFINITY, |least, (i, ends)| {
        let (along, to) = (ends[1] - ends[0], p - ends[0]);
        let t = (to.dot(along) / along.dot(along)).clamp(0.0, 1.0);
        let radius = start + (end - start) * (i as f64 + t) / n_pieces;
        least.min((to - along * t).length() - radius)
    })
}

fn polygon(p: Point, points: &[Point]) -> f64 {
    let mut nearest = f64::INFINITY;
    let mut inside = false;
    let mut a = points[points.len() - 1];
    for &b in points {
        let (edge, to) = (b - a, p - a);
        let t = (to.dot(edge) / edge.dot(edge)).clamp(0.0, 1.0);
        let off = to - edge * t;
        nearest = nearest.min(off.dot(off));
        // A ray to the right crosses the outline an odd number of times from inside.
        if (a.y > p.y) != (b.y > p.y) && p.x < a.x + edge.x * (p.y - a.y) / edge.y {
            inside = !inside;
        }
        a = b;
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_simple_cases() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(Shape::circle(pt(1.0, 0.0), 2.0).distance(pt(4.0, 4.0)), 3.0);
        near(Shape::line(pt(0.0, 0.0), pt(4.0, 0.0), 0.5).distance(pt(7.0, 4.0)), 4.5);
        near(Shape::block(-1.0, -1.0, 1.0, 1.0, 0.0).distance(pt(0.25, 0.0)), -0.75);
        near(Shape::block(-1.0, -1.0, 1.0, 1.0, 0.5).distance(pt(2.0, 0.0)), 1.0);
        near(Shape::limb(pt(0.0, 0.0), pt(2.0, 0.0), 1.0, 0.0).distance(pt(1.0, 2.0)), 1.5);
    }

    #[test]
    fn no_shape_leaves_its_bounds() {
        let parts = vec![Shape::circle(pt(-0.4, 0.0), 0.5), Shape::circle(pt(0.4, 0.1), 0.5)];
        let shapes = [
            Shape::ellipse(0.1, -0.2, 0.8, 0.3),
            Shape::curve(pt(-1.0, 0.0), pt(0.0, 1.5), pt(1.0, -0.5), 0.2, 0.05),
            Shape::leaf(pt(0.2, 0.2), 0.9, 0.3, 35.0),
            Shape::polygon(&[(-0.5, 0.5), (0.0, -0.8), (0.6, 0.4)], 0.1),
            Shape::Union(parts, 0.4),
        ];
        for shape in shapes {
            let (low, high) = shape.bounds();
            for i in -40..40 {
                for j in -40..40 {
                    let p = pt(f64::from(i) * 0.05, f64::from(j) * 0.05);
                    let outside = p.x < low.x || p.y < low.y || p.x > high.x || p.y > high.y;
                    assert!(!(outside && shape.distance(p) < 0.0), "{shape:?} at {p:?}");
                }
            }
        }
    }
}
