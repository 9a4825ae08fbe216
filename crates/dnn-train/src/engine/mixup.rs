//! Mixup (Zhang et al. 2018): training on mixtures of two examples, x̃ = λ·xᵢ + (1 − λ)·xⱼ, with the
//! same mixture of their losses, λ·loss(z̃, yᵢ) + (1 − λ)·loss(z̃, yⱼ).
//!
//! As in the authors' code one λ ~ Beta(α, α) is drawn for a batch, and j is i's place in a permutation
//! of the batch. Both are functions of seed and iteration, so they depend neither on the number of
//! threads nor on where a run was resumed.

use super::dropout::mix;
use dnn_core::Real;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};

/// How the examples of the present batch are mixed.
pub(super) struct Mixup {
    distribution: Beta<f64>,
    seed: u64,
    /// For each example's place in the batch the place of the one it is mixed with.
    pub(super) partners: Vec<usize>,
    /// λ.
    share: f64,
}

impl Mixup {
    /// For batches of at most `m` examples; `None` when α is 0, and nothing is mixed.
    ///
    /// # Panics
    /// When α is below 0 or no number.
    pub(super) fn new(alpha: f64, seed: u64, m: usize) -> Option<Self> {
        if alpha == 0.0 {
            return None;
        }
        Some(Self {
            distribution: Beta::new(alpha, alpha).expect("α above 0"),
            seed: mix(seed ^ mix(u64::MAX)),
            partners: Vec::with_capacity(m),
            share: 1.0,
        })
    }

    /// λ and 1 − λ: the share of the example itself, and of its partner.
    pub(super) fn shares<F: Real>(&self) -> (F, F) {
        (F::of(self.share), F::of(1.0 - self.share))
    }

    /// Draws λ and the partners for a batch of `m` examples.
    pub(super) fn draw(&mut self, iteration: usize, m: usize) {
        let seed = mix(self.seed.wrapping_add(mix(iteration as u64)));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        self.share = self.distribution.sample(&mut rng);
        self.partners.clear();
        self.partners.extend(0..m);
        self.partners.shuffle(&mut rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the golden numbers of `tests/against_pytorch.rs` start from.
    #[test]
    fn draws_are_repeated_by_any_version() {
        let mut mixup = Mixup::new(0.8, 1, 4).unwrap();
        mixup.draw(1, 4);
        assert_eq!(
            (mixup.share, &mixup.partners[..]),
            (0.665_576_055_866_547_2, &[2, 3, 1, 0][..])
        );
    }

    #[test]
    fn shares_are_betas_and_a_function_of_seed_and_iteration() {
        let mut mixup = Mixup::new(0.2, 1, 5).unwrap();
        let mut draw = |iteration| {
            mixup.draw(iteration, 5);
            (mixup.share, mixup.partners.clone())
        };
        let (third, fourth) = (draw(3), draw(4));
        assert!(third == draw(3) && third != fourth);
        let shares: Vec<_> = (0..4000).map(|iteration| draw(iteration).0).collect();
        let mean = shares.iter().sum::<f64>() / 4000.0;
        let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / 4000.0;
        // Of Beta(α, α): 1/2 and 1/(4·(2α + 1)).
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        assert!((variance - 0.25 / 1.4).abs() < 0.01, "{variance}");
        assert!(Mixup::new(0.0, 1, 5).is_none());
    }
}
