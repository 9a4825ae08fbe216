//! Whether a confidence of 80 % is right 80 times of 100.

use super::score::Prediction;
use serde::Serialize;

/// The examples whose confidence is in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Lower limit of the bin, exclusive; the first bin includes 0.
    pub low: f64,
    /// Upper limit of the bin, inclusive.
    pub high: f64,
    /// Number of examples in the bin.
    pub count: usize,
    /// Mean confidence of the bin's examples; `None` if it has none.
    pub confidence: Option<f64>,
    /// Share of the bin's examples that is predicted right; `None` if it has none.
    pub accuracy: Option<f64>,
}

/// How confidence compares with accuracy, in bins of equal width (the reliability diagram).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    bins: Vec<ReliabilityBin>,
    expected_error: f64,
}

impl Calibration {
    /// Sorts confidences from 0 to 1 into `n_bins` bins, ((i − 1)/n, i/n]. Returns `None` if there
    /// are no confidences or if a confidence is no number from 0 to 1.
    ///
    /// With the probabilities of one class and whether the examples are of it, the bins are those of
    /// scikit-learn's `calibration_curve`.
    ///
    /// ```
    /// use dnn_core::metrics::Calibration;
    /// // Three times 90 % sure, and right twice: 90 % − 67 % too sure.
    /// let found = Calibration::of(&[0.9, 0.9, 0.9], &[true, true, false], 10).expect("examples");
    /// assert!((found.expected_error() - (0.9 - 2.0 / 3.0)).abs() < 1e-15);
    /// ```
    ///
    /// # Panics
    /// When the two differ in number or `n_bins` is 0.
    #[doc(alias = "calibration_curve")]
    pub fn of(confidences: &[f64], right: &[bool], n_bins: usize) -> Option<Self> {
        assert_eq!(confidences.len(), right.len(), "confidences and outcomes");
        assert!(n_bins > 0, "no bins");
        if confidences.is_empty() || !confidences.iter().all(|p| (0.0..=1.0).contains(p)) {
            return None;
        }
        let bound = |i: usize| i as f64 / n_bins as f64;
        let inner: Vec<f64> = (1..n_bins).map(bound).collect();
        let mut counted = vec![(0_usize, 0.0, 0_usize); n_bins];
        for (&confidence, &right) in confidences.iter().zip(right) {
            let (count, sum, n_right) = &mut counted[inner.partition_point(|b| *b < confidence)];
            *count += 1;
            *sum += confidence;
            *n_right += usize::from(right);
        }
        let gaps = counted.iter().map(|(_, sum, n_right)| (*n_right as f64 - sum).abs());
        let expected_error = gaps.sum::<f64>() / confidences.len() as f64;
        let bins = counted.iter().enumerate().map(|(i, &(count, sum, n_right))| {
            let mean = |total: f64| (count > 0).then(|| total / count as f64);
            ReliabilityBin {
                low: bound(i),
                high: bound(i + 1),
                count,
                confidence: mean(sum),
                accuracy: mean(n_right as f64),
            }
        });
        Some(Self { bins: bins.collect(), expected_error })
    }

    /// Compares the probability of each example's most probable class with how often that class is
    /// the label. With K classes no confidence is below 1/K.
    ///
    /// # Panics
    /// When the two differ in number or `n_bins` is 0.
    pub fn of_predictions(
        predictions: &[Prediction],
        labels: &[u32],
        n_bins: usize,
    ) -> Option<Self> {
        assert_eq!(predictions.len(), labels.len(), "predictions and labels");
        let confidences: Vec<_> = predictions.iter().map(|p| p.probability).collect();
        let right: Vec<_> = predictions.iter().zip(labels).map(|(p, l)| p.class == *l).collect();
        Self::of(&confidences, &right, n_bins)
    }

    /// Returns the bins, from 0 to 1, empty ones too.
    pub fn bins(&self) -> &[ReliabilityBin] {
        &self.bins
    }

    /// Returns the expected calibration error, Σ (n_b/m)·|accuracy_b − confidence_b| over the bins
    /// (Naeini and others 2015; Guo and others 2017). It depends on the number of bins, and few
    /// examples make it large by chance alone.
    #[doc(alias = "ece")]
    pub fn expected_error(&self) -> f64 {
        self.expected_error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_has_its_upper_edge_and_the_first_has_both() {
        let found = Calibration::of(&[0.0, 0.5, 0.500_001, 1.0], &[true; 4], 2).unwrap();
        let counts: Vec<_> = found.bins().iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [2, 2]);
        assert_eq!((found.bins()[0].low, found.bins()[0].high), (0.0, 0.5));
        // Every tenth is the upper edge of its own bin, however it is rounded.
        let tenths: Vec<_> = (1..=10).map(|i| f64::from(i) / 10.0).collect();
        let found = Calibration::of(&tenths, &[false; 10], 10).unwrap();
        assert!(found.bins().iter().all(|bin| bin.count == 1));
        assert!((found.expected_error() - 0.55).abs() < 1e-15);
    }

    #[test]
    fn an_empty_bin_has_no_mean_and_nonsense_no_bins() {
        let found = Calibration::of(&[0.9], &[true], 3).unwrap();
        assert_eq!((found.bins()[0].confidence, found.bins()[0].accuracy), (None, None));
        assert_eq!((found.bins()[2].confidence, found.bins()[2].accuracy), (Some(0.9), Some(1.0)));
        for nonsense in [f64::NAN, -0.1, 1.1] {
            assert_eq!(Calibration::of(&[nonsense], &[true], 3), None);
        }
        assert_eq!(Calibration::of(&[], &[], 3), None);
    }
}
