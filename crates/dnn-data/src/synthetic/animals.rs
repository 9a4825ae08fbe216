//! Heads of the other animals with fur: the cat's near relatives, to a network.

use super::body::{Face, button_eyes, fur, mouth};
use super::canvas::Painter;
use super::coat::{BodyPart, Coat};
use super::dice::Dice;
use super::geometry::pt;
use super::palette::{BLACK, WHITE, hex};
use super::shape::Shape;

/// A dog's head: hanging ears, long muzzle, often the tongue.
pub(super) fn dog(painter: &mut Painter<'_>, coat: &Coat, face: Face, dice: &mut Dice) {
    let skull = Shape::Union(
        vec![Shape::ellipse(0.0, -0.12, 0.82, 0.82), Shape::ellipse(0.0, 0.4, 0.6, 0.62)],
        0.4,
    );
    fur(painter, coat, BodyPart::Head, &skull);
    let (length, out) = (dice.range(0.45, 0.75), dice.range(0.95, 1.12));
    for side in [-1.0, 1.0] {
        let at = |x: f64, y: f64| face.behind(x * side, y);
        let ear = Shape::curve(at(0.62, -0.62), at(out + 0.12, -0.5), at(out, length), 0.2, 0.27);
        painter.textured(&ear, |p| coat.at(BodyPart::Ear, p).mix(coat.marks, 0.55));
    }
    fur(painter, coat, BodyPart::Muzzle, &face.spot(0.0, 0.46, 0.44, 0.42));
    button_eyes(painter, face, 0.36, -0.14, 0.15, hex(0x6B4526));
    if dice.chance(0.6) {
        let tongue = face.at(0.0, 0.82);
        painter.volume(&Shape::Ellipse(tongue, pt(0.15, 0.26)), hex(0xE27482));
    }
    mouth(painter, face, 0.58, 0.3, hex(0x3A2A2A));
    painter.volume(&face.spot(0.0, 0.26, 0.2, 0.15), coat.nose);
    painter.flat(&face.spot(-0.06, 0.21, 0.05, 0.03), WHITE.mix(BLACK, 0.3));
}

/// A rabbit's head: two long ears, split lip, large eyes at the sides.
pub(super) fn rabbit(painter: &mut Painter<'_>, coat: &Coat, face: Face, dice: &mut Dice) {
    let (lean, height) = (dice.range(0.1, 0.4), dice.range(1.65, 1.95));
    for side in [-1.0, 1.0] {
        let at = |x: f64, y: f64| face.behind(x * side, y);
        let (root, tip) = (at(0.32, -0.5), at(0.32 + lean, -height));
        fur(painter, coat, BodyPart::Ear, &Shape::limb(root, tip, 0.27, 0.17));
        painter.flat(&Shape::limb(root, tip + (root - tip) * 0.08, 0.14, 0.07), coat.inner_ear());
    }
    let skull = Shape::Union(
        vec![Shape::ellipse(0.0, -0.05, 0.76, 0.74), Shape::ellipse(0.0, 0.3, 0.86, 0.55)],
        0.4,
    );
    fur(painter, coat, BodyPart::Head, &skull);
    for side in [-0.16, 0.16] {
        fur(painter, coat, BodyPart::Muzzle, &face.spot(side, 0.46, 0.24, 0.22));
    }
    painter.flat(&face.spot(0.0, 0.68, 0.1, 0.12), hex(0xF8F6F0));
    button_eyes(painter, face, 0.48, -0.08, 0.17, hex(0x503028));
    painter.flat(&face.spot(0.0, 0.3, 0.11, 0.075), coat.nose);
    mouth(painter, face, 0.5, 0.2, hex(0x604448));
}

/// A bear's head: round ears, small eyes close together, broad light muzzle.
pub(super) fn bear(painter: &mut Painter<'_>, coat: &Coat, face: Face, dice: &mut Dice) {
    let size = dice.range(0.3, 0.37);
    for side in [-1.0, 1.0] {
        let ear = face.behind(0.7 * side, -0.68);
        fur(painter, coat, BodyPart::Ear, &Shape::circle(ear, size));
        painter.flat(&Shape::circle(ear + pt(0.0, 0.05), size * 0.55), coat.light.times(0.85));
    }
    fur(painter, coat, BodyPart::Head, &Shape::ellipse(0.0, 0.0, 1.0, 0.92));
    painter.textured(&face.spot(0.0, 0.42, 0.48, 0.38), |p| coat.at(BodyPart::Muzzle, p));
    button_eyes(painter, face, 0.34, -0.1, 0.1, hex(0x302018));
    mouth(painter, face, 0.56, 0.24, hex(0x332424));
    painter.volume(&face.spot(0.0, 0.25, 0.2, 0.13), coat.nose);
    painter.flat(&face.spot(-0.06, 0.21, 0.05, 0.03), WHITE.mix(BLACK, 0.4));
}
