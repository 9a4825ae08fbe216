//! Animals without fur: bird, fish, butterfly. Each fills [−1, 1]².

use super::canvas::Painter;
use super::dice::Dice;
use super::geometry::pt;
use super::palette::Palette;
use super::palette::{BLACK, WHITE, hex};
use super::shape::Shape;

/// A songbird on a branch, from the side.
pub(super) fn bird(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    let bark = hex(0x644A38);
    painter.volume(&Shape::limb(pt(-1.6, 0.78), pt(1.6, 0.6), 0.09, 0.07), bark);
    for x in [-0.05, 0.2] {
        painter.flat(&Shape::line(pt(x, 0.4), pt(x - 0.03, 0.7), 0.035), hex(0xC08050));
    }
    let droop = dice.range(0.3, 0.6);
    let tail = Shape::limb(pt(0.45, 0.2), pt(1.12, droop), 0.2, 0.12);
    painter.volume(&tail, main.times(0.75));
    let trunk = Shape::Union(
        vec![Shape::leaf(pt(0.05, 0.05), 0.68, 0.45, 25.0), Shape::circle(pt(-0.42, -0.42), 0.36)],
        0.35,
    );
    painter.volume(&trunk, main);
    let belly = Shape::leaf(pt(-0.15, 0.2), 0.45, 0.27, 35.0).clipped(&trunk);
    painter.soft(&belly, accent, 0.9, 0.12);
    painter.volume(&Shape::leaf(pt(0.28, 0.05), 0.52, 0.25, 28.0), main.times(0.7));
    for shift in [0.0, 0.13] {
        let (from, to) = (pt(0.1, 0.0 + shift), pt(0.7, 0.2 + shift));
        painter.glaze(&Shape::line(from, to, 0.025), main.times(0.45), 0.8);
    }
    let beak = dice.pick(&[hex(0xE8A030), hex(0x504844)]);
    painter.flat(&Shape::polygon(&[(-0.74, -0.5), (-0.72, -0.32), (-1.02, -0.36)], 0.02), beak);
    painter.flat(&Shape::circle(pt(-0.52, -0.48), 0.085), BLACK);
    painter.flat(&Shape::circle(pt(-0.545, -0.51), 0.03), WHITE);
}

/// A fish from the side, with bubbles.
pub(super) fn fish(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    let fin = main.mix(accent, 0.35).times(0.85);
    let fork = dice.range(0.4, 0.62);
    painter.volume(
        &Shape::polygon(&[(0.5, 0.0), (1.02, -fork), (0.88, 0.0), (1.02, fork)], 0.04),
        fin,
    );
    let back = Shape::polygon(&[(-0.35, -0.35), (0.05, -0.78), (0.42, -0.68), (0.45, -0.2)], 0.04);
    painter.volume(&back, fin);
    painter.volume(&Shape::polygon(&[(-0.1, 0.35), (0.1, 0.7), (0.35, 0.25)], 0.04), fin);
    let trunk = Shape::ellipse(-0.15, 0.0, 0.82, dice.range(0.42, 0.55));
    painter.volume(&trunk, main);
    for i in 0..dice.below(4) {
        let x = -0.28 + 0.3 * i as f64;
        let stripe =
            Shape::curve(pt(x, -0.6), pt(x + 0.16, 0.0), pt(x, 0.6), 0.07, 0.07).clipped(&trunk);
        painter.flat(&stripe, accent);
    }
    let gill = Shape::curve(pt(-0.5, -0.3), pt(-0.34, 0.0), pt(-0.5, 0.3), 0.025, 0.025);
    painter.glaze(&gill, main.times(0.55), 0.8);
    painter.volume(&Shape::leaf(pt(-0.12, 0.12), 0.22, 0.12, 20.0), fin);
    painter.flat(&Shape::circle(pt(-0.66, -0.1), 0.13), WHITE);
    painter.flat(&Shape::circle(pt(-0.68, -0.1), 0.075), BLACK);
    painter.flat(&Shape::line(pt(-0.95, 0.12), pt(-0.82, 0.14), 0.025), main.times(0.5));
    for _ in 0..3 {
        let at = pt(dice.range(-1.2, -0.9), dice.range(-0.9, -0.2));
        let r = dice.range(0.05, 0.1);
        painter.glaze(&Shape::circle(at, r), WHITE, 0.45);
    }
}

/// A butterfly from above with open wings.
pub(super) fn butterfly(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    let edge = hex(0x362A26);
    let (lift, spread) = (dice.range(28.0, 48.0), dice.range(0.85, 1.0));
    let n_spots = 1 + dice.below(3);
    for side in [-1.0, 1.0] {
        let turn = |degrees: f64| if side > 0.0 { degrees } else { 180.0 - degrees };
        let wings = [
            (pt(0.5 * spread * side, 0.4), 0.5, 0.36, turn(50.0), 0.8),
            (pt(0.58 * spread * side, -0.34), 0.66, 0.4, turn(-lift), 1.0),
        ];
        for (center, length, width, degrees, tone) in wings {
            painter.volume(&Shape::leaf(center, length, width, degrees), edge);
            let inner = Shape::leaf(center, length * 0.86, width * 0.78, degrees);
            painter.volume(&inner, main.times(tone));
            for i in 0..n_spots {
                let at = center + pt(0.0, 0.0).around(0.26 * (i as f64 - 0.6), degrees);
                painter.flat(&Shape::circle(at, 0.1 - 0.015 * i as f64), accent);
            }
        }
        let feeler =
            Shape::curve(pt(0.0, -0.45), pt(0.1 * side, -0.8), pt(0.32 * side, -0.98), 0.03, 0.03);
        painter.flat(&feeler, edge);
        painter.flat(&Shape::circle(pt(0.32 * side, -0.98), 0.05), edge);
    }
    painter.volume(&Shape::limb(pt(0.0, -0.4), pt(0.0, 0.6), 0.11, 0.06), edge);
    painter.volume(&Shape::circle(pt(0.0, -0.46), 0.13), edge);
}
