//! Accuracy and its interval.

use super::Prediction;
use serde::{Deserialize, Serialize};

/// A count of successes among trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// How many are right.
    pub correct: usize,
    /// Of how many.
    pub total: usize,
}

impl Score {
    /// How many predictions are the labels.
    ///
    /// # Panics
    /// When the two differ in number.
    pub fn of(predictions: &[Prediction], labels: &[u32]) -> Self {
        assert_eq!(predictions.len(), labels.len(), "predictions and labels");
        let right = |(prediction, label): &(&Prediction, &u32)| prediction.class == **label;
        let correct = predictions.iter().zip(labels).filter(right).count();
        Self { correct, total: labels.len() }
    }

    /// correct / total; NaN of nothing.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.total as f64
    }

    /// The 95 % Wilson score interval of the accuracy (Wilson 1927): the shares p that are
    /// compatible with what was counted, (p̂ + z²/2n ± z·√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n) with
    /// z = 1.96. (0, 1) of nothing.
    ///
    /// ```
    /// use dnn_core::metrics::Score;
    /// let (low, high) = Score { correct: 40, total: 50 }.wilson_interval();
    /// assert!((low - 0.6696).abs() < 1e-4 && (high - 0.8876).abs() < 1e-4);
    /// ```
    pub fn wilson_interval(&self) -> (f64, f64) {
        /// 97.5 % quantile of N(0, 1).
        const Z: f64 = 1.959_963_984_540_054;
        if self.total == 0 {
            return (0.0, 1.0);
        }
        let n = self.total as f64;
        let p = self.accuracy();
        let centre = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_interval_at_the_edges() {
        // statsmodels.stats.proportion.proportion_confint(k, n, method="wilson")
        let close = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() + (a.1 - b.1).abs() < 1e-14;
        let interval = |correct, total| Score { correct, total }.wilson_interval();
        assert!(close(interval(0, 10), (0.0, 0.277_532_799_862_889_26)), "{:?}", interval(0, 10));
        assert!(close(interval(10, 10), (0.722_467_200_137_110_6, 1.0)), "{:?}", interval(10, 10));
        assert!(close(interval(40, 50), (0.669_628_940_677_745_8, 0.887_562_499_842_238_9)));
        assert_eq!(interval(0, 0), (0.0, 1.0));
    }
}
