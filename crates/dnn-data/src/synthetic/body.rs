//! Bodies and faces that the animals with fur share; head radius 1, head at the origin.

use super::canvas::Painter;
use super::coat::{BodyPart, Coat};
use super::factors::Posture;
use super::geometry::{Point, Transform, pt, sin_cos};
use super::palette::{BLACK, Rgb, WHITE};
use super::shape::Shape;

/// What the end of an animal looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    Long,
    Upright,
    Puff,
}

/// Where a posture's middle lies and how large its head radius is in a picture of [−1, 1]².
pub(super) fn frame(posture: Posture) -> Transform {
    let (center, unit) = match posture {
        Posture::Portrait => (pt(0.0, 0.12), 0.56),
        Posture::Sitting => (pt(0.0, 0.95), 0.38),
        Posture::Lying => (pt(0.85, 0.3), 0.43),
    };
    Transform::scale(unit, unit).after(Transform::shift(-center.x, -center.y))
}

/// Fur on a shape.
pub(super) fn fur(painter: &mut Painter<'_>, coat: &Coat, part: BodyPart, shape: &Shape) {
    painter.textured(shape, |p| coat.at(part, p));
}

/// Everything below and behind the head.
pub(super) fn body(painter: &mut Painter<'_>, coat: &Coat, posture: Posture, tail: Tail) {
    match posture {
        Posture::Portrait => {
            fur(painter, coat, BodyPart::Body, &Shape::ellipse(0.0, 1.75, 1.15, 1.25));
            fur(painter, coat, BodyPart::Chest, &Shape::ellipse(0.0, 1.6, 0.48, 0.85));
        }
        Posture::Sitting => sitting(painter, coat, tail),
        Posture::Lying => lying(painter, coat, tail),
    }
    // The head's shadow on what is below it.
    painter.soft(&Shape::ellipse(0.0, 0.75, 0.75, 0.32), BLACK, 0.3, 0.35);
}

fn sitting(painter: &mut Painter<'_>, coat: &Coat, tail: Tail) {
    painter.soft(&Shape::ellipse(0.1, 3.2, 1.6, 0.3), BLACK, 0.4, 0.4);
    match tail {
        Tail::Long => {
            let lower = Shape::curve(pt(0.9, 2.95), pt(2.2, 3.0), pt(1.75, 1.9), 0.26, 0.22);
            let upper = Shape::curve(pt(1.75, 1.9), pt(1.45, 1.2), pt(1.95, 0.95), 0.22, 0.17);
            fur(painter, coat, BodyPart::Tail, &Shape::Union(vec![lower, upper], 0.0));
        }
        Tail::Upright => {
            let shape = Shape::curve(pt(0.9, 2.8), pt(1.7, 2.5), pt(1.75, 1.7), 0.22, 0.1);
            fur(painter, coat, BodyPart::Tail, &shape);
        }
        Tail::Puff => fur(painter, coat, BodyPart::Tail, &Shape::circle(pt(1.15, 2.75), 0.3)),
    }
    let trunk = vec![Shape::ellipse(0.0, 1.5, 0.78, 1.0), Shape::ellipse(0.0, 2.4, 1.08, 0.9)];
    fur(painter, coat, BodyPart::Body, &Shape::Union(trunk, 0.5));
    for side in [-1.0, 1.0] {
        fur(painter, coat, BodyPart::Body, &Shape::ellipse(0.78 * side, 2.65, 0.42, 0.58));
        fur(painter, coat, BodyPart::Leg, &Shape::ellipse(0.85 * side, 3.12, 0.4, 0.19));
    }
    fur(painter, coat, BodyPart::Chest, &Shape::ellipse(0.0, 1.55, 0.42, 0.65));
    for side in [-1.0, 1.0] {
        let (shoulder, paw) = (pt(0.3 * side, 1.8), pt(0.32 * side, 3.0));
        fur(painter, coat, BodyPart::Leg, &Shape::limb(shoulder, paw, 0.26, 0.22));
        fur(painter, coat, BodyPart::Leg, &Shape::ellipse(0.34 * side, 3.12, 0.28, 0.19));
    }
}

fn lying(painter: &mut Painter<'_>, coat: &Coat, tail: Tail) {
    painter.soft(&Shape::ellipse(0.9, 1.65, 2.1, 0.3), BLACK, 0.4, 0.4);
    match tail {
        Tail::Puff => fur(painter, coat, BodyPart::Tail, &Shape::circle(pt(2.65, 0.9), 0.3)),
        Tail::Upright => {
            let shape = Shape::curve(pt(2.5, 0.9), pt(3.1, 0.6), pt(2.95, -0.1), 0.2, 0.1);
            fur(painter, coat, BodyPart::Tail, &shape);
        }
        Tail::Long => {}
    }
    let trunk = vec![Shape::ellipse(0.75, 0.85, 1.0, 0.8), Shape::ellipse(1.75, 0.8, 1.0, 0.9)];
    fur(painter, coat, BodyPart::Body, &Shape::Union(trunk, 0.6));
    fur(painter, coat, BodyPart::Leg, &Shape::ellipse(1.7, 1.15, 0.62, 0.5));
    for x in [-0.5, 0.35] {
        fur(painter, coat, BodyPart::Leg, &Shape::ellipse(x, 1.45, 0.42, 0.23));
    }
    if tail == Tail::Long {
        let shape = Shape::curve(pt(2.6, 1.0), pt(2.5, 1.75), pt(0.95, 1.5), 0.26, 0.18);
        fur(painter, coat, BodyPart::Tail, &shape);
    }
}

/// The front of a head that can turn to its side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    sin: f64,
    cos: f64,
}

impl Face {
    pub(super) fn turned(degrees: f64) -> Self {
        let (sin, cos) = sin_cos(degrees);
        Self { sin, cos }
    }

    /// Where a point of the rounded front lands.
    pub(super) fn at(self, x: f64, y: f64) -> Point {
        let depth = (1.1 - x * x - y * y).max(0.05).sqrt();
        pt(x * self.cos + 0.7 * depth * self.sin, y)
    }

    /// Where a point of the plane through the ears lands.
    pub(super) fn behind(self, x: f64, y: f64) -> Point {
        pt(x * self.cos - 0.12 * self.sin, y)
    }

    /// How wide a feature at `x` still is.
    pub(super) fn width(self, x: f64) -> f64 {
        (self.cos - 0.6 * x * self.sin).clamp(0.3, 1.1)
    }

    /// Ellipse on the front.
    pub(super) fn spot(self, x: f64, y: f64, half_width: f64, half_height: f64) -> Shape {
        Shape::Ellipse(self.at(x, y), pt(half_width * self.width(x), half_height))
    }
}

/// Two round dark eyes with a spot of light.
pub(super) fn button_eyes(
    painter: &mut Painter<'_>,
    face: Face,
    x: f64,
    y: f64,
    r: f64,
    iris: Rgb,
) {
    for side in [-x, x] {
        painter.flat(&face.spot(side, y, r * 1.15, r * 1.15), BLACK.mix(iris, 0.12));
        painter.flat(&face.spot(side, y, r * 0.9, r * 0.9), iris);
        painter.flat(&face.spot(side, y, r * 0.6, r * 0.6), BLACK);
        painter.flat(&face.spot(side - 0.3 * r, y - 0.35 * r, r * 0.3, r * 0.3), WHITE);
    }
}

/// Mouth like a rounded W below (`x` = 0, `y`).
pub(super) fn mouth(painter: &mut Painter<'_>, face: Face, y: f64, width: f64, color: Rgb) {
    painter.flat(&Shape::line(face.at(0.0, y - 0.14), face.at(0.0, y), 0.025), color);
    for side in [-1.0, 1.0] {
        let (from, to) = (face.at(0.0, y), face.at(width * side, y - 0.02));
        let low = face.at(width * 0.55 * side, y + 0.16);
        painter.flat(&Shape::curve(from, low, to, 0.028, 0.02), color);
    }
}
