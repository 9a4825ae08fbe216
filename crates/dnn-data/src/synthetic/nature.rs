//! Flower, tree, landscape and fruit. Each fills [−1, 1]², the landscape more than the picture.

use super::canvas::Painter;
use super::dice::{Dice, noise};
use super::geometry::{Point, pt, smoothstep};
use super::palette::Palette;
use super::palette::{BLACK, Rgb, WHITE, hex};
use super::shape::Shape;

/// One blossom on its stem, with two leaves.
pub(super) fn flower(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    let green = hex(0x4E8A3A);
    let heart = pt(0.0, -0.28);
    let bend = dice.range(-0.3, 0.3);
    painter.volume(&Shape::curve(heart, pt(bend, 0.5), pt(0.1, 1.5), 0.07, 0.09), green);
    for side in [-1.0, 1.0] {
        let degrees = if side > 0.0 { -30.0 } else { 210.0 };
        let leaf = Shape::leaf(pt(0.4 * side, 0.78), 0.42, 0.15, degrees);
        painter.volume(&leaf, green.times(1.1));
    }
    let n_petals = 5 + dice.below(8);
    let step = 360.0 / n_petals as f64;
    let (start, width) = (dice.range(0.0, 90.0), 1.35 / n_petals as f64 + 0.07);
    for i in 0..n_petals {
        let degrees = start + step * i as f64;
        let petal = Shape::leaf(heart.around(0.44, degrees), 0.36, width, degrees);
        painter.volume(&petal, main.times(if i % 2 == 0 { 1.0 } else { 0.9 }));
    }
    painter.volume(&Shape::circle(heart, dice.range(0.18, 0.28)), accent);
}

/// A tree: a round crown of many leaves, or a conifer in tiers.
pub(super) fn tree(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    painter.soft(&Shape::ellipse(0.1, 1.02, 0.7, 0.12), BLACK, 0.4, 0.2);
    let leaves = dice.bits();
    let foliage = move |p: Point| main.times(0.72 + 0.6 * noise(leaves, p * 6.0));
    painter.volume(&Shape::limb(pt(0.0, 0.0), pt(0.0, 0.98), 0.1, 0.15), accent);
    if dice.chance(0.4) {
        for (top, bottom, half) in [(0.05, 0.75, 0.7), (-0.4, 0.3, 0.58), (-1.0, -0.15, 0.44)] {
            let tier = Shape::polygon(&[(0.0, top - 0.15), (half, bottom), (-half, bottom)], 0.04);
            painter.textured(&tier, foliage);
        }
    } else {
        let crown = (0..7).map(|i| {
            let at = pt(0.0, -0.3).around(dice.range(0.25, 0.48), f64::from(i) * 51.4);
            Shape::circle(at, dice.range(0.3, 0.44))
        });
        painter.textured(&Shape::Union(crown.collect(), 0.1), foliage);
    }
}

/// Sky, sun, two ranges of mountains, and water or meadow in front.
pub(super) fn landscape(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    let (high, low) = dice.pick(&[
        (hex(0x68A0D8), hex(0xD8E8F0)),
        (hex(0x505C90), hex(0xF0A868)),
        (hex(0x98A8B8), hex(0xDCDEDC)),
    ]);
    let horizon = dice.range(0.15, 0.45);
    painter.paint(&Shape::Plane, 0.0, |p, _| (high.mix(low, smoothstep(-1.2, horizon, p.y)), 1.0));
    let sun = pt(dice.range(-0.7, 0.7), dice.range(-0.75, -0.35));
    painter.soft(&Shape::circle(sun, 0.3), hex(0xFFF0C0), 0.5, 0.4);
    painter.flat(&Shape::circle(sun, 0.14), hex(0xFFF4D0));
    for (height, haze) in [(0.75, 0.45), (0.45, 0.1)] {
        let color = main.mix(low, haze);
        let mut points = vec![pt(4.0, horizon + 0.1), pt(-4.0, horizon + 0.1)];
        for i in 0..12 {
            let x = -3.3 + 0.6 * f64::from(i) + dice.range(-0.15, 0.15);
            let rise = if i % 2 == 0 { dice.range(0.5, 1.1) } else { dice.range(0.0, 0.35) };
            points.push(pt(x, horizon - height * rise));
        }
        let snow = horizon - height * 0.72;
        painter.paint(&Shape::Polygon(points, 0.0), 0.0, |p, _| {
            (color.mix(WHITE, 0.7 * smoothstep(snow, snow - 0.12, p.y)), 1.0)
        });
    }
    let seed = dice.bits();
    let ground = Shape::block(-6.0, horizon, 6.0, 6.0, 0.0);
    painter.paint(&ground, 0.0, |p, _| {
        let depth = (p.y - horizon).max(0.0);
        let wave = noise(seed, pt(p.x * 2.0, depth * 16.0));
        (accent.mix(low, 0.5 * smoothstep(0.4, 0.0, depth)).times(0.78 + 0.4 * wave), 1.0)
    });
}

/// An apple, a pear or an orange.
pub(super) fn fruit(painter: &mut Painter<'_>, palette: Palette, dice: &mut Dice) {
    let Palette { main, accent } = palette;
    painter.soft(&Shape::ellipse(0.08, 0.82, 0.8, 0.16), BLACK, 0.45, 0.25);
    let skin = dice.bits();
    let peel = |p: Point| main.times(0.93 + 0.14 * noise(skin, p * 8.0));
    let stalk = hex(0x584028);
    match dice.below(3) {
        0 => {
            let lobes =
                vec![Shape::ellipse(-0.3, 0.1, 0.5, 0.72), Shape::ellipse(0.3, 0.1, 0.5, 0.72)];
            painter.textured(&Shape::Union(lobes, 0.3), peel);
            painter.soft(&Shape::ellipse(0.0, -0.5, 0.2, 0.08), BLACK, 0.45, 0.15);
            painter.flat(
                &Shape::curve(pt(0.0, -0.48), pt(0.0, -0.75), pt(0.14, -0.92), 0.05, 0.04),
                stalk,
            );
            painter.volume(&Shape::leaf(pt(0.38, -0.8), 0.28, 0.12, -15.0), accent);
        }
        1 => {
            let parts =
                vec![Shape::circle(pt(0.0, 0.25), 0.58), Shape::ellipse(0.0, -0.4, 0.3, 0.42)];
            painter.textured(&Shape::Union(parts, 0.5), peel);
            painter.flat(
                &Shape::curve(pt(0.0, -0.78), pt(0.0, -0.95), pt(0.1, -1.05), 0.045, 0.04),
                stalk,
            );
            painter.volume(&Shape::leaf(pt(0.3, -0.92), 0.25, 0.1, -10.0), accent);
        }
        _ => {
            painter.textured(&Shape::circle(pt(0.0, 0.1), 0.72), peel);
            painter.flat(&Shape::circle(pt(0.05, -0.52), 0.06), accent.times(0.7));
            painter.volume(&Shape::leaf(pt(0.3, -0.62), 0.25, 0.11, -20.0), accent);
        }
    }
    painter.soft(&Shape::leaf(pt(-0.32, -0.18), 0.2, 0.12, -50.0), WHITE, 0.55, 0.15);
}

/// A meadow's blades of grass: how light it is at `p`.
pub(super) fn grass(seed: u64, p: Point) -> f64 {
    0.75 + 0.3 * noise(seed, pt(p.x * 14.0, p.y * 5.0)) + 0.2 * noise(seed ^ 1, p * 2.5)
}

/// White clouds over `sky` at `p`.
pub(super) fn clouds(seed: u64, p: Point, sky: Rgb) -> Rgb {
    let thick = 0.65 * noise(seed, pt(p.x * 1.6, p.y * 2.6))
        + 0.35 * noise(seed ^ 1, pt(p.x * 4.0, p.y * 6.0));
    sky.mix(WHITE, 0.85 * smoothstep(0.5, 0.72, thick))
}
