//! The cat's head.

use super::body::{Face, fur, mouth};
use super::canvas::Painter;
use super::coat::{BodyPart, Coat, Pattern};
use super::dice::Dice;
use super::geometry::pt;
use super::palette::{BLACK, WHITE, hex};
use super::shape::Shape;

/// Draws the head at the origin with radius 1.
pub(super) fn head(painter: &mut Painter<'_>, coat: &Coat, face: Face, dice: &mut Dice) {
    ears(painter, coat, face, dice);
    let skull = Shape::Union(
        vec![Shape::ellipse(0.0, -0.05, 0.92, 0.82), Shape::ellipse(0.0, 0.26, 1.02, 0.6)],
        0.3,
    );
    fur(painter, coat, BodyPart::Head, &skull);
    if coat.pattern == Pattern::Tabby {
        stripes(painter, coat, face, &skull);
    }
    if coat.pattern == Pattern::Tuxedo && dice.chance(0.6) {
        let blaze = [(-0.07, -0.6), (0.07, -0.6), (0.22, 0.3), (-0.22, 0.3)];
        let blaze = blaze.map(|(x, y)| face.at(x, y));
        painter.flat(&Shape::Polygon(blaze.to_vec(), 0.03).clipped(&skull), coat.light);
    }
    for side in [-0.2, 0.2] {
        fur(painter, coat, BodyPart::Muzzle, &face.spot(side, 0.46, 0.29, 0.24));
    }
    fur(painter, coat, BodyPart::Muzzle, &face.spot(0.0, 0.66, 0.2, 0.15));
    eyes(painter, coat, face, dice);
    let nose = [(-0.15, 0.22), (0.15, 0.22), (0.0, 0.36)].map(|(x, y)| face.at(x, y));
    painter.flat(&Shape::Polygon(nose.to_vec(), 0.04), coat.nose);
    mouth(painter, face, 0.5, 0.26, hex(0x4A3236));
    whiskers(painter, coat, face);
}

fn ears(painter: &mut Painter<'_>, coat: &Coat, face: Face, dice: &mut Dice) {
    let (height, spread) = (dice.range(1.2, 1.42), dice.range(0.68, 0.84));
    for side in [-1.0, 1.0] {
        let at = |x: f64, y: f64| face.behind(x * side, y);
        let outer = vec![at(0.92, -0.2), at(spread, -height), at(0.14, -0.68)];
        let inner = vec![at(0.78, -0.5), at(spread - 0.03, -height + 0.24), at(0.36, -0.72)];
        fur(painter, coat, BodyPart::Ear, &Shape::Polygon(outer, 0.05));
        painter.flat(&Shape::Polygon(inner, 0.02), coat.inner_ear());
    }
}

fn stripes(painter: &mut Painter<'_>, coat: &Coat, face: Face, skull: &Shape) {
    let mut stripe = |from: (f64, f64), to: (f64, f64), width: f64| {
        let shape = Shape::limb(face.at(from.0, from.1), face.at(to.0, to.1), width, width * 0.4);
        painter.glaze(&shape.clipped(skull), coat.marks, 0.85);
    };
    stripe((0.0, -0.9), (0.0, -0.38), 0.08);
    for side in [-1.0, 1.0] {
        stripe((0.26 * side, -0.88), (0.2 * side, -0.42), 0.075);
        stripe((0.52 * side, -0.74), (0.42 * side, -0.42), 0.06);
        stripe((1.0 * side, 0.12), (0.68 * side, 0.16), 0.06);
        stripe((0.98 * side, 0.36), (0.66 * side, 0.33), 0.06);
    }
}

fn eyes(painter: &mut Painter<'_>, coat: &Coat, face: Face, dice: &mut Dice) {
    let open = dice.range(0.17, 0.23);
    let pupil = dice.range(0.055, 0.13);
    let rim = if coat.is_dark() { coat.light.mix(WHITE, 0.2) } else { hex(0x332A28) };
    for side in [-0.42, 0.42] {
        painter.flat(&face.spot(side, -0.06, 0.27, open + 0.06), rim);
        painter.flat(&face.spot(side, -0.06, 0.23, open), coat.eyes);
        painter.flat(&face.spot(side, -0.06, pupil, open - 0.01), BLACK);
        painter.flat(&face.spot(side - 0.08, -0.14, 0.06, 0.06), WHITE);
    }
}

fn whiskers(painter: &mut Painter<'_>, coat: &Coat, face: Face) {
    let color = if coat.is_dark() { WHITE } else { hex(0xFFFFFF).mix(BLACK, 0.05) };
    for side in [-1.0, 1.0] {
        for (start, end) in [(0.4, 0.24), (0.48, 0.5), (0.56, 0.76)] {
            let from = face.at(0.36 * side, start);
            let reach = 1.38 * face.width(side);
            let (bend, to) = (pt(0.9 * side, start - 0.02), pt(reach * side, end));
            painter.glaze(&Shape::curve(from, bend, to, 0.026, 0.012), color, 0.9);
        }
    }
}
