//! Random choices by a seeded generator, and noise that is a function of the place.

use super::geometry::Point;
pub(super) use crate::chance::Dice;
use crate::chance::unit;
pub(super) use dnn_core::rng::hash;
use dnn_core::rng::scramble;

/// Returns a number for each cell of an integer grid, uniform in [0, 1).
pub(super) fn grain(seed: u64, x: i64, y: i64) -> f64 {
    let (x, y) = (x as u64, y as u64);
    let cell = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ y.wrapping_mul(0xd134_2543_de82_ef95);
    unit(scramble(seed ^ cell))
}

/// Returns value noise in [0, 1), smooth in `p`: the values of the grid, interpolated by cubics.
pub(super) fn noise(seed: u64, p: Point) -> f64 {
    let (x, y) = (p.x.floor(), p.y.floor());
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let (u, v) = (smooth(p.x - x), smooth(p.y - y));
    let (x, y) = (x as i64, y as i64);
    let row = |y: i64| {
        let (left, right) = (grain(seed, x, y), grain(seed, x + 1, y));
        left + (right - left) * u
    };
    let (above, below) = (row(y), row(y + 1));
    above + (below - above) * v
}

#[cfg(test)]
mod tests {
    use super::super::geometry::pt;
    use super::*;

    #[test]
    fn noise_is_continuous_and_fills_its_range() {
        let at = |i: i32| noise(3, pt(f64::from(i) * 0.01, 0.37));
        let values: Vec<f64> = (-5000..5000).map(at).collect();
        assert!(values.windows(2).all(|w| (w[1] - w[0]).abs() < 0.02));
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        let spread = values.iter().fold(0.0, |a: f64, &v| a.max(v))
            - values.iter().fold(1.0, |a: f64, &v| a.min(v));
        assert!(spread > 0.7, "{spread}");
    }
}
