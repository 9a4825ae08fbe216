//! Chance: one seeded generator for choices, and noise that is a function of the place.

use super::geometry::Point;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng as _};

/// A stream of choices. Numbers are made from the generator's 64 bits here, not by `rand`'s
/// distributions, whose values may change from release to release.
#[derive(Debug, Clone)]
pub(super) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), 53 bits.
    pub(super) fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Uniform in [from, to).
    pub(super) fn range(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// −1 or 1.
    pub(super) fn sign(&mut self) -> f64 {
        if self.chance(0.5) { -1.0 } else { 1.0 }
    }

    /// Uniform in 0..n; `n` is small, so the bias of the product is below 2⁻⁵⁰.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Fisher–Yates.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }
}

/// The upper 53 bits as a number in [0, 1).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// SplitMix64's finaliser: every bit of the result depends on every bit of `z`.
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed made of two others.
pub(super) fn hash(a: u64, b: u64) -> u64 {
    scramble(
        scramble(a.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ b.wrapping_mul(0xd134_2543_de82_ef95),
    )
}

/// Uniform in [0, 1) for each cell of an integer grid.
pub(super) fn grain(seed: u64, x: i64, y: i64) -> f64 {
    let (x, y) = (x as u64, y as u64);
    let cell = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ y.wrapping_mul(0xd134_2543_de82_ef95);
    unit(scramble(seed ^ cell))
}

/// Value noise, smooth in `p`, in [0, 1): the grid's values, joined by cubics.
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
    fn the_stream_is_xoshiro256plusplus_seeded_by_splitmix64() {
        // The first words for the seed 0, by the reference C of both generators.
        let mut dice = Dice::new(0);
        assert_eq!([dice.bits(), dice.bits()], [0x5317_5d61_490b_23df, 0x61da_6f3d_c380_d507]);
    }

    #[test]
    fn choices_are_even() {
        let mut dice = Dice::new(7);
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            counts[dice.below(5)] += 1;
        }
        // Six standard deviations of a count are 240.
        assert!(counts.iter().all(|n| (1760..2240).contains(n)), "{counts:?}");
    }

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
