//! Two models on the same examples: is one better, or was it luck?

use super::score::{Prediction, Score};
use serde::Serialize;

/// How often two models are right and wrong on the same examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PairedScore {
    /// Examples that both get right.
    pub both_right: usize,
    /// Examples that only the first gets right.
    pub only_first: usize,
    /// Examples that only the second gets right.
    pub only_second: usize,
    /// Examples that both get wrong.
    pub both_wrong: usize,
}

/// How a p-value was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum McNemarMethod {
    /// The binomial distribution itself.
    Exact,
    /// χ² of one degree of freedom with continuity correction, its approximation.
    ChiSquare,
}

/// The outcome of McNemar's test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Probability that two equally good models differ at least as much as these.
    pub p_value: f64,
    /// How the p-value was computed.
    pub method: McNemarMethod,
    /// The statistic χ², if the p-value comes from it.
    pub statistic: Option<f64>,
}

impl PairedScore {
    /// The largest number of examples that only one model gets right for which the test is exact.
    ///
    /// Books switch to χ² at 25, for the sake of tables. Computed, the binomial costs nothing; up to
    /// here its smallest term, 2⁻¹⁰⁰⁰, is a normal f64.
    pub const MAX_EXACT: usize = 1000;

    /// Counts the predictions of two models for the same examples.
    ///
    /// # Panics
    /// When the three differ in number.
    pub fn of(first: &[Prediction], second: &[Prediction], labels: &[u32]) -> Self {
        assert_eq!(first.len(), labels.len(), "predictions of the first model and labels");
        assert_eq!(second.len(), labels.len(), "predictions of the second model and labels");
        let mut found = Self { both_right: 0, only_first: 0, only_second: 0, both_wrong: 0 };
        for ((a, b), label) in first.iter().zip(second).zip(labels) {
            *match (a.class == *label, b.class == *label) {
                (true, true) => &mut found.both_right,
                (true, false) => &mut found.only_first,
                (false, true) => &mut found.only_second,
                (false, false) => &mut found.both_wrong,
            } += 1;
        }
        found
    }

    /// Returns the score of the first model.
    pub fn first(&self) -> Score {
        Score { correct: self.both_right + self.only_first, total: self.total() }
    }

    /// Returns the score of the second model.
    pub fn second(&self) -> Score {
        Score { correct: self.both_right + self.only_second, total: self.total() }
    }

    /// Returns the number of examples.
    pub fn total(&self) -> usize {
        self.both_right + self.only_first + self.only_second + self.both_wrong
    }

    /// Returns the number of examples of which one model alone is right: all that speaks of a
    /// difference.
    pub fn n_discordant(&self) -> usize {
        self.only_first + self.only_second
    }

    /// McNemar's test (1947), two-sided: if neither model is better, each of the n discordant
    /// examples is a fair coin. With k the rarer side,
    ///
    /// - exact, for n up to [`MAX_EXACT`](Self::MAX_EXACT): p = min(1, 2·Σ_{i ≤ k} C(n, i)/2ⁿ);
    /// - χ² = max(0, n − 2k − 1)²/n with one degree of freedom (Edwards 1948) for more:
    ///   p = erfc(√(χ²/2)).
    ///
    /// ```
    /// use dnn_core::metrics::PairedScore;
    /// let pair = PairedScore { both_right: 35, only_first: 5, only_second: 3, both_wrong: 7 };
    /// // Eight coins, at most three on one side: 2·(1 + 8 + 28 + 56)/256.
    /// assert_eq!(pair.mcnemar().p_value, 186.0 / 256.0);
    /// ```
    pub fn mcnemar(&self) -> McNemar {
        let n = self.n_discordant();
        let k = self.only_first.min(self.only_second);
        if n <= Self::MAX_EXACT {
            let p_value = (2.0 * binomial_tail(n, k)).min(1.0);
            return McNemar { p_value, method: McNemarMethod::Exact, statistic: None };
        }
        let apart = (n - 2 * k).saturating_sub(1) as f64;
        let statistic = apart * apart / n as f64;
        McNemar {
            p_value: libm::erfc((statistic / 2.0).sqrt()),
            method: McNemarMethod::ChiSquare,
            statistic: Some(statistic),
        }
    }
}

/// Returns the chance of at most k heads of n fair coins, Σ_{i ≤ k} C(n, i)/2ⁿ.
fn binomial_tail(n: usize, k: usize) -> f64 {
    let mut term = 0.5_f64.powi(n as i32);
    let mut sum = term;
    for i in 0..k {
        term *= (n - i) as f64 / (i + 1) as f64;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discordant(only_first: usize, only_second: usize) -> PairedScore {
        PairedScore { both_right: 10, only_first, only_second, both_wrong: 4 }
    }

    #[test]
    fn counts_by_hand() {
        let predicted = |classes: [u32; 5]| {
            classes.map(|class| Prediction { class, probability: 1.0 }).to_vec()
        };
        let (a, b) = (predicted([0, 1, 2, 0, 0]), predicted([0, 0, 2, 1, 2]));
        let pair = PairedScore::of(&a, &b, &[0, 1, 2, 1, 1]);
        let expected = PairedScore { both_right: 2, only_first: 1, only_second: 1, both_wrong: 1 };
        assert_eq!(pair, expected);
        assert_eq!(pair.first(), Score::of(&a, &[0, 1, 2, 1, 1]));
        assert_eq!(pair.second(), Score::of(&b, &[0, 1, 2, 1, 1]));
    }

    #[test]
    fn no_difference_is_no_evidence() {
        for n in [0, 1, 7, 500, 501, 5000] {
            assert_eq!(discordant(n, n).mcnemar().p_value, 1.0, "{n}");
        }
        let nothing = PairedScore { both_right: 0, only_first: 0, only_second: 0, both_wrong: 0 };
        assert_eq!(nothing.mcnemar().p_value, 1.0);
    }

    #[test]
    fn six_against_none_is_the_least_that_counts_at_5_percent() {
        assert_eq!(discordant(5, 0).mcnemar().p_value, 0.0625);
        assert_eq!(discordant(0, 6).mcnemar().p_value, 0.03125);
    }

    #[test]
    fn both_ways_meet_where_one_takes_over() {
        for first in [500, 480, 450, 420] {
            let exact = discordant(first, 1000 - first).mcnemar();
            let chi = discordant(first, 1001 - first).mcnemar();
            assert_eq!(exact.method, McNemarMethod::Exact);
            assert_eq!(chi.method, McNemarMethod::ChiSquare);
            assert!((exact.p_value - chi.p_value).abs() < 0.05, "{exact:?} {chi:?}");
        }
        assert!(discordant(0, 1000).mcnemar().p_value > 0.0);
    }
}
