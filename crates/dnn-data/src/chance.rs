//! Random choices that are the same on every platform: a seeded generator, seeds made of other
//! seeds, and the sine and cosine of angles.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng as _};

/// A stream of choices. Numbers are made from the generator's 64 bits here, not by `rand`'s
/// distributions, whose values may change from release to release.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a number uniformly from [0, 1), with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Draws a number uniformly from [from, to).
    pub(crate) fn range(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Draws a whole number uniformly from 0..n; `n` is small, so the bias of the product is below
    /// 2⁻⁵⁰.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

impl Dice {
    /// Draws −1 or 1.
    pub(crate) fn sign(&mut self) -> f64 {
        if self.chance(0.5) { -1.0 } else { 1.0 }
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Shuffles by the algorithm of Fisher and Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }
}

/// Returns the upper 53 bits as a number in [0, 1).
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Returns the sine and cosine of an angle in degrees, by the Taylor series within 45° of the
/// nearest quarter turn.
pub(crate) fn sin_cos(degrees: f64) -> (f64, f64) {
    let quarter = (degrees / 90.0 + 0.5).floor();
    let r = (degrees - 90.0 * quarter) * (std::f64::consts::PI / 180.0);
    let q = r * r;
    let (mut sin, mut cos) = (1.0, 1.0);
    for n in (1..8).rev() {
        let n = f64::from(2 * n);
        sin = 1.0 - q / (n * (n + 1.0)) * sin;
        cos = 1.0 - q / (n * (n - 1.0)) * cos;
    }
    sin *= r;
    match quarter.rem_euclid(4.0) as u8 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
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
    fn sine_and_cosine_are_the_libraries_to_rounding() {
        for i in -800..800 {
            let degrees = f64::from(i) * 0.731;
            let (sin, cos) = sin_cos(degrees);
            let (s, c) = degrees.to_radians().sin_cos();
            assert!((sin - s).abs() < 4e-15 && (cos - c).abs() < 4e-15, "at {degrees}°");
        }
    }
}
