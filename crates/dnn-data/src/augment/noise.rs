//! Gaussian noise, cheap enough for every byte of every image: each number is a cell of a table of
//! quantiles, and a draw of the generator picks those of a pixel.

use crate::chance::Dice;

const BITS: u32 = 12;
const N: usize = 1 << BITS;

/// The normal distribution's quantiles at the middles of 4096 equal shares, times a standard
/// deviation. The largest is 3.7 standard deviations.
#[derive(Debug, Clone)]
pub(super) struct Quantiles(Box<[f32]>);

impl Quantiles {
    pub(super) fn new(deviation: f64) -> Self {
        // From the middle outwards: the area under the bell grows, and where it passes a share's
        // middle its quantile is.
        const STEP: f64 = 1.0 / 1024.0;
        let density = |x: f64| libm::exp(-x * x / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
        let mut table = vec![0.0; N];
        let (mut x, mut area) = (0.0, 0.0);
        for i in 0..N / 2 {
            let wanted = (i as f64 + 0.5) / N as f64;
            let mut next = density(x + STEP / 2.0) * STEP;
            while area + next < wanted {
                area += next;
                x += STEP;
                next = density(x + STEP / 2.0) * STEP;
            }
            let quantile = x + STEP * (wanted - area) / next;
            table[N / 2 + i] = quantile;
            table[N / 2 - 1 - i] = -quantile;
        }
        // What the shares' middles lose of the spread is put back.
        let spread = (table.iter().map(|q| q * q).sum::<f64>() / N as f64).sqrt();
        Self(table.iter().map(|q| (q * deviation / spread) as f32).collect())
    }

    /// A stream of noise.
    pub(super) fn noise(&self, dice: Dice) -> Noise<'_> {
        Noise { quantiles: &self.0, dice }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Noise<'a> {
    quantiles: &'a [f32],
    dice: Dice,
}

impl Noise<'_> {
    /// The noise of a pixel; at most five channels.
    pub(super) fn pixel<const CHANNELS: usize>(&mut self) -> [f32; CHANNELS] {
        let bits = self.dice.bits();
        std::array::from_fn(|i| self.quantiles[(bits >> (BITS * i as u32)) as usize % N])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_normal_distribution() {
        let table = Quantiles::new(1.0).0;
        assert!(table.is_sorted());
        let mean = table.iter().sum::<f32>() / N as f32;
        assert!(mean.abs() < 1e-6, "{mean}");
        // Python's statistics.NormalDist().inv_cdf((i + 0.5) / 4096); the table is spread by 1/4000.
        for (i, expected) in [(0, -3.668_33), (93, -1.998_58), (650, -0.999_35), (2048, 0.000_306)]
        {
            assert!((table[i] / expected - 1.0).abs() < 5e-4, "{i}: {}", table[i]);
        }
    }

    #[test]
    fn draws_have_the_mean_and_the_deviation() {
        let quantiles = Quantiles::new(5.0);
        let mut noise = quantiles.noise(Dice::new(1));
        let draws: Vec<f64> = (0..50_000).flat_map(|_| noise.pixel::<2>().map(f64::from)).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e5;
        // Five standard errors of each.
        assert!(mean.abs() < 5.0 * 5.0 / 1e5_f64.sqrt(), "{mean}");
        assert!((variance / 25.0 - 1.0).abs() < 5.0 * (2.0 / 1e5_f64).sqrt(), "{variance}");
    }
}
