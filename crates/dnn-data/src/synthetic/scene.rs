//! The background that a subject stands before, and the light of the finished picture.

use super::canvas::{Canvas, Painter};
use super::dice::{Dice, grain, noise};
use super::geometry::{pt, smoothstep};
use super::nature::{clouds, grass};
use super::palette::{Rgb, WHITE, hex};
use super::shape::Shape;

/// Paints one of four places behind the subject: a room, a garden, the sky or a plain wall.
pub(super) fn backdrop(painter: &mut Painter<'_>, dice: &mut Dice) {
    match dice.below(4) {
        0 => room(painter, dice),
        1 => garden(painter, dice),
        2 => sky(painter, dice),
        _ => plain(painter, dice),
    }
}

/// Makes the background darker and richer in colour, so that the subject stands out.
pub(super) fn recede(canvas: &mut Canvas) {
    canvas.map(|_, _, color| {
        let gray = color.luma();
        Rgb(color.0.map(|v| (gray + 1.6 * (v - gray)).max(0.0) * 0.66))
    });
}

/// Moves every pixel towards the subject's two colours, as far as `similarity` (0 to 1) says.
///
/// They lie in patches as large as the subject's own parts, in dappled light: where a cat's outline
/// is lost against the one, its markings are repeated by the other.
pub(super) fn blend_in(canvas: &mut Canvas, colors: (Rgb, Rgb), similarity: f64, dice: &mut Dice) {
    let (main, second) = colors;
    let (patches, dapples) = (dice.bits(), dice.bits());
    let scale = 5.0 / canvas.size() as f64;
    canvas.map(|x, y, color| {
        let p = pt(x as f64, y as f64) * scale;
        let hide = main.mix(second, smoothstep(0.5, 0.66, noise(patches, p)));
        let hide = hide.times(0.5 + 0.8 * noise(dapples, p));
        // The background keeps a little of its own light, so that it stays a place.
        let target = hide.times(0.85 + 0.25 * color.luma());
        color.mix(target, similarity * 11.0 / 12.0)
    });
}

/// Lets the background show through the subject, half of it at a `similarity` of 1.
pub(super) fn dissolve(canvas: &mut Canvas, before: &Canvas, similarity: f64) {
    let share = 0.5 * similarity * similarity;
    canvas.map(|x, y, color| color.mix(before.at(x, y), share));
}

const WALLS: &[u32] =
    &[0xD8C8B0, 0xA8B8B0, 0xC8B0A0, 0x889AA8, 0xE0DCD4, 0xB0A888, 0x788C80, 0xC49C8C];

fn room(painter: &mut Painter<'_>, dice: &mut Dice) {
    let wall = hex(dice.pick(WALLS));
    let floor = hex(dice.pick(&[0x986C48, 0xB89468, 0x785844, 0xA09890, 0x605C60]));
    let corner = dice.range(0.3, 0.65);
    let (boards, paper) = (dice.bits(), dice.chance(0.35));
    painter.paint(&Shape::Plane, 0.0, |p, _| {
        let color = if p.y > corner {
            let board = ((p.x / (0.6 + p.y)) * 5.0).floor();
            floor.times(0.9 + 0.2 * grain(boards, board as i64, 0))
        } else {
            let stripe = paper && (p.x * 3.0 - (p.x * 3.0).floor()) < 0.5;
            wall.times(if stripe { 0.92 } else { 1.0 } - 0.12 * p.x)
        };
        (color, 1.0)
    });
    painter.flat(&Shape::block(-9.0, corner - 0.07, 9.0, corner, 0.0), wall.mix(WHITE, 0.5));
    if dice.chance(0.65) {
        let (x, y) = (dice.sign() * dice.range(0.45, 0.8), dice.range(-0.75, -0.4));
        let (w, h) = (dice.range(0.2, 0.38), dice.range(0.22, 0.38));
        let inside = hex(dice.pick(&[0xB8DCF0, 0x6C8CA8, 0xC89858, 0x708C60]));
        painter.flat(&Shape::block(x - w, y - h, x + w, y + h, 0.0), hex(0xEEE8DC));
        painter.flat(
            &Shape::block(x - w + 0.06, y - h + 0.06, x + w - 0.06, y + h - 0.06, 0.0),
            inside,
        );
        painter.flat(&Shape::line(pt(x, y - h), pt(x, y + h), 0.02), hex(0xEEE8DC));
    }
    if dice.chance(0.4) {
        let rug = hex(dice.pick(&[0xA04840, 0x486888, 0xC8A860, 0x708058]));
        painter.flat(&Shape::ellipse(dice.range(-0.3, 0.3), 0.95, 1.1, 0.22), rug);
    }
}

fn garden(painter: &mut Painter<'_>, dice: &mut Dice) {
    let sky = hex(dice.pick(&[0x98C4E8, 0xC8DCE8, 0xE8D8C0, 0x7098B8]));
    let green = hex(dice.pick(&[0x70A048, 0x588840, 0x90A850, 0xA89858]));
    let bush = green.times(0.62).mix(hex(0x305040), 0.4);
    let (horizon, seed) = (dice.range(-0.15, 0.5), dice.bits());
    let hedge = dice.range(0.15, 0.7);
    painter.paint(&Shape::Plane, 0.0, |p, _| {
        let top = horizon - hedge * (0.35 + 0.9 * noise(seed, pt(p.x * 2.2, 0.5)));
        let color = if p.y > horizon {
            green.times(grass(seed ^ 2, p))
        } else if p.y > top {
            bush.times(0.7 + 0.6 * noise(seed ^ 3, p * 7.0))
        } else {
            sky.mix(WHITE, smoothstep(-1.0, horizon, p.y) * 0.4)
        };
        (color, 1.0)
    });
    for _ in 0..dice.below(7) {
        let at = pt(dice.range(-1.0, 1.0), dice.range(horizon + 0.1, 1.0));
        let color = hex(dice.pick(&[0xF4E060, 0xF4F4F0, 0xE06070, 0xB080D0]));
        painter.flat(&Shape::circle(at, 0.05), color);
    }
}

fn sky(painter: &mut Painter<'_>, dice: &mut Dice) {
    let (high, low) = dice.pick(&[
        (hex(0x4888D0), hex(0xB8DCF4)),
        (hex(0x606CA8), hex(0xF0B088)),
        (hex(0x283458), hex(0x6880A8)),
        (hex(0x90A0B0), hex(0xD8DCE0)),
    ]);
    let seed = dice.bits();
    painter.paint(&Shape::Plane, 0.0, |p, _| {
        (clouds(seed, p, high.mix(low, smoothstep(-1.1, 1.1, p.y))), 1.0)
    });
}

fn plain(painter: &mut Painter<'_>, dice: &mut Dice) {
    let color = hex(dice
        .pick(&[0xE8E4DC, 0x90A8B8, 0xD8B8A0, 0x607068, 0xB8A0B0, 0xD8D090, 0x484C58, 0xA8C0A0]));
    let other = color.mix(hex(dice.pick(WALLS)), 0.4).times(0.8);
    let seed = dice.bits();
    painter.paint(&Shape::Plane, 0.0, |p, _| {
        let tint = smoothstep(-1.3, 1.3, p.y + 0.3 * p.x);
        (color.mix(other, tint).times(0.97 + 0.06 * noise(seed, p * 2.5)), 1.0)
    });
}

/// Exposure of a picture of brightness 1. With the mean pixel near 0.38, as in the course's photos,
/// its learning rate of 0.0075 is stable; at 0.54 the cost jumps.
const EXPOSURE: f64 = 0.9;

/// Warm or cool light from one side, darker corners, the camera's noise, and the brightness.
pub(super) fn light(canvas: &mut Canvas, size: usize, brightness: f64, dice: &mut Dice) {
    let warmth = dice.range(-0.07, 0.07);
    let tint = [1.0 + warmth, 1.0, 1.0 - warmth];
    let from = pt(0.0, 0.0).around(dice.range(0.0, 0.14), dice.range(0.0, 360.0));
    let (seed, grains) = (dice.bits(), dice.range(0.004, 0.02));
    canvas.map(|x, y, color| {
        let to = |i: usize| (i as f64 + 0.5) * 2.0 / size as f64 - 1.0;
        let p = pt(to(x), to(y));
        let corners = 1.0 - 0.2 * p.dot(p);
        let lit = color.times(EXPOSURE * brightness * corners * (1.0 + p.dot(from)));
        let speck = (grain(seed, x as i64, y as i64) - 0.5) * 2.0 * grains;
        Rgb(std::array::from_fn(|c| lit.0[c] * tint[c] + speck))
    });
}
