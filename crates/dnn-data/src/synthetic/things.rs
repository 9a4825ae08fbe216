//! Things people made. Each fills [−1, 1]².

use super::canvas::Painter;
use super::dice::Dice;
use super::geometry::pt;
use super::palette::Palette;
use super::palette::{BLACK, WHITE, hex};
use super::shape::Shape;

fn ground_shadow(painter: &mut Painter<'_>, y: f64, half_width: f64) {
    painter.soft(&Shape::ellipse(0.05, y, half_width, 0.12), BLACK, 0.45, 0.22);
}

/// A house with gable, door and windows, often a chimney.
pub(super) fn house(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    let (half, eaves) = (dice.range(0.62, 0.8), dice.range(-0.2, 0.0));
    ground_shadow(painter, 0.92, half + 0.25);
    if dice.chance(0.6) {
        painter.volume(&Shape::block(0.3, -0.95, 0.5, -0.3, 0.0), accent.times(0.75));
    }
    painter.volume(&Shape::block(-half, eaves - 0.05, half, 0.92, 0.0), main);
    let roof = [(-half - 0.2, eaves), (0.0, -0.98), (half + 0.2, eaves)];
    painter.volume(&Shape::polygon(&roof, 0.02), accent);
    let (door, glass, frame) = (hex(0x6A4630), hex(0x90B8D0), hex(0xF4F0E8));
    let at = dice.range(-0.12, 0.12);
    painter.volume(&Shape::block(at - 0.15, 0.38, at + 0.15, 0.92, 0.0), door);
    for x in [-0.45, 0.45] {
        painter.flat(&Shape::block(x - 0.18, 0.12, x + 0.18, 0.5, 0.0), frame);
        painter.flat(&Shape::block(x - 0.13, 0.17, x + 0.13, 0.45, 0.0), glass);
        painter.flat(&Shape::line(pt(x, 0.15), pt(x, 0.48), 0.02), frame);
    }
    if dice.chance(0.5) {
        painter.flat(&Shape::circle(pt(0.0, -0.42), 0.13), frame);
        painter.flat(&Shape::circle(pt(0.0, -0.42), 0.09), glass);
    }
}

/// A car from the side.
pub(super) fn car(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    ground_shadow(painter, 0.6, 1.05);
    let (front, back) = (dice.range(-0.55, -0.4), dice.range(0.45, 0.75));
    let cabin =
        [(front - 0.15, 0.05), (front + 0.12, -0.4), (back - 0.15, -0.4), (back + 0.1, 0.05)];
    painter.volume(&Shape::polygon(&cabin, 0.08), main);
    painter.volume(&Shape::block(-1.0, -0.05, 1.0, 0.48, 0.16), main);
    let middle = f64::midpoint(front, back);
    let left = [
        (front - 0.02, 0.02),
        (front + 0.17, -0.34),
        (middle - 0.05, -0.34),
        (middle - 0.05, 0.02),
    ];
    let right = [(middle + 0.05, 0.02), (middle + 0.05, -0.34), (back - 0.18, -0.34), (back, 0.02)];
    painter.flat(&Shape::polygon(&left, 0.02), accent);
    painter.flat(&Shape::polygon(&right, 0.02), accent);
    painter.glaze(&Shape::line(pt(middle, 0.05), pt(middle, 0.4), 0.015), BLACK, 0.5);
    painter.flat(&Shape::ellipse(-0.93, 0.14, 0.08, 0.07), hex(0xFFF4C0));
    painter.flat(&Shape::ellipse(0.95, 0.14, 0.06, 0.07), hex(0xD83030));
    for x in [-0.55, 0.55] {
        painter.flat(&Shape::circle(pt(x, 0.46), 0.25), hex(0x242426));
        painter.volume(&Shape::circle(pt(x, 0.46), 0.12), hex(0xC4C8CC));
    }
}

/// A sailing boat, with some water at its hull.
pub(super) fn boat(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    let mast = dice.range(-0.1, 0.1);
    painter.flat(&Shape::line(pt(mast, -0.98), pt(mast, 0.5), 0.035), hex(0x604830));
    let reach = dice.range(0.6, 0.8);
    let main_sail = [(mast + 0.07, -0.92), (mast + 0.07, 0.3), (mast + reach, 0.3)];
    let jib = [(mast - 0.07, -0.75), (mast - 0.07, 0.3), (mast - 0.6, 0.3)];
    painter.volume(&Shape::polygon(&main_sail, 0.02), accent);
    painter.volume(&Shape::polygon(&jib, 0.02), accent.mix(main, 0.35));
    let hull = [(-0.88, 0.42), (0.95, 0.42), (0.65, 0.8), (-0.6, 0.8)];
    painter.volume(&Shape::polygon(&hull, 0.05), main);
    painter.flat(&Shape::line(pt(-0.86, 0.5), pt(0.88, 0.5), 0.035), WHITE.mix(main, 0.2));
    let (sea, foam) = (hex(0x3C78A8), hex(0xD8E8F0));
    for i in 0..5 {
        let (x, y) = (-1.2 + 0.5 * f64::from(i), 0.84 + 0.05 * f64::from(i % 2));
        painter.glaze(&Shape::ellipse(x + 0.2, y + 0.14, 0.5, 0.13), sea, 0.85);
        painter.glaze(&Shape::line(pt(x, y), pt(x + 0.35, y), 0.025), foam, 0.8);
    }
}

/// A traffic sign: round, triangular, octagonal or square, with bars, a dot or an arrow.
pub(super) fn sign(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    painter.volume(&Shape::line(pt(0.0, 0.2), pt(0.0, 1.5), 0.06), hex(0x94989C));
    let center = pt(0.0, -0.25);
    let plate = |r: f64, shape: usize| match shape {
        0 => Shape::circle(center, r),
        1 => Shape::Polygon(
            (0..3).map(|i| center.around(r * 1.1, 120.0 * f64::from(i) - 90.0)).collect(),
            0.06,
        ),
        2 => Shape::Polygon(
            (0..8).map(|i| center.around(r, 45.0 * f64::from(i) + 22.5)).collect(),
            0.02,
        ),
        3 => Shape::Polygon((0..4).map(|i| center.around(r, 90.0 * f64::from(i))).collect(), 0.04),
        _ => Shape::block(-r, center.y - r, r, center.y + r, 0.1),
    };
    let form = dice.below(5);
    let r = if form == 4 { 0.62 } else { 0.72 };
    painter.volume(&plate(r, form), accent.mix(WHITE, 0.3));
    painter.volume(&plate(r * 0.92, form), main);
    let ring = dice.chance(0.5);
    if ring {
        painter.flat(&plate(r * 0.66, form), accent);
    }
    let ink = if ring { BLACK.mix(main, 0.25) } else { accent };
    match dice.below(4) {
        0 => painter.flat(&Shape::block(-0.36, -0.34, 0.36, -0.16, 0.02), ink),
        1 => {
            painter.flat(&Shape::limb(pt(0.0, -0.52), pt(0.0, -0.2), 0.09, 0.06), ink);
            painter.flat(&Shape::circle(pt(0.0, -0.02), 0.08), ink);
        }
        2 => {
            painter.flat(&Shape::line(pt(0.0, 0.05), pt(0.0, -0.4), 0.06), ink);
            painter.flat(&Shape::polygon(&[(-0.2, -0.38), (0.0, -0.6), (0.2, -0.38)], 0.02), ink);
        }
        _ => {
            for y in [-0.45, -0.25, -0.05] {
                painter.flat(&Shape::line(pt(-0.25, y), pt(0.25, y), 0.045), ink);
            }
        }
    }
}

/// A mug with a handle, a band and steam.
pub(super) fn mug(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    ground_shadow(painter, 0.82, 0.85);
    let side = dice.sign();
    let handle =
        Shape::curve(pt(0.5 * side, -0.2), pt(1.35 * side, 0.15), pt(0.48 * side, 0.5), 0.1, 0.1);
    painter.volume(&handle, main.times(0.85));
    let lower = dice.range(0.46, 0.58);
    let wall = [(-0.6, -0.42), (0.6, -0.42), (lower, 0.76), (-lower, 0.76)];
    let wall = Shape::polygon(&wall, 0.05);
    painter.volume(&wall, main);
    if dice.chance(0.7) {
        let height = dice.range(0.08, 0.2);
        let band = Shape::block(-0.8, 0.12 - height, 0.8, 0.12 + height, 0.0);
        painter.flat(&band.clipped(&wall), accent);
    }
    painter.glaze(&Shape::line(pt(-0.42, -0.25), pt(-0.38, 0.6), 0.05), WHITE, 0.35);
    painter.flat(&Shape::ellipse(0.0, -0.42, 0.64, 0.17), main.times(1.08));
    painter.flat(&Shape::ellipse(0.0, -0.41, 0.55, 0.12), hex(0x583A28));
    for x in [-0.2, 0.15] {
        let steam = Shape::curve(pt(x, -0.6), pt(x + 0.25, -0.8), pt(x, -1.05), 0.06, 0.02);
        painter.soft(&steam, WHITE, 0.55, 0.08);
    }
}

/// A ball: striped, quartered or spotted.
pub(super) fn ball(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    ground_shadow(painter, 0.8, 0.7);
    let center = pt(0.0, 0.05);
    let whole = Shape::circle(center, 0.75);
    painter.volume(&whole, main);
    let turn = dice.range(0.0, 180.0);
    match dice.below(3) {
        0 => {
            for bend in [-0.9, 0.0, 0.9] {
                let (from, to) = (center.around(0.85, turn), center.around(0.85, turn + 180.0));
                let over = center.around(bend, turn + 90.0);
                painter.flat(&Shape::curve(from, over, to, 0.09, 0.09).clipped(&whole), accent);
            }
        }
        1 => {
            for i in 0..3 {
                let at = turn + 120.0 * f64::from(i);
                let rim = [center, center.around(1.2, at), center.around(1.2, at + 60.0)];
                painter.flat(&Shape::Polygon(rim.to_vec(), 0.0).clipped(&whole), accent);
            }
        }
        _ => {
            for i in 0..6 {
                let r = if i == 0 { 0.0 } else { 0.56 };
                let at = center.around(r, turn + 72.0 * f64::from(i));
                painter.flat(&Shape::circle(at, 0.18).clipped(&whole), accent);
            }
        }
    }
    painter.soft(&Shape::ellipse(0.2, 0.5, 0.65, 0.4).clipped(&whole), BLACK, 0.22, 0.4);
    painter.soft(&Shape::leaf(pt(-0.28, -0.28), 0.2, 0.13, -45.0), WHITE, 0.6, 0.15);
}
