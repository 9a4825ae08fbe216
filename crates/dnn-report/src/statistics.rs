//! How sure a difference between two shares is: intervals, tests, and a joint model of several
//! factors.

use dnn_core::metrics::{PairedScore, Score};
use dnn_core::nalgebra::{DMatrix, DVector};
use dnn_core::rng::{Generator, RngKind};

/// Returns Newcombe's 95 % interval of the difference of two shares of unpaired examples, p₁ − p₂,
/// from the Wilson intervals (lᵢ, uᵢ) of both (Newcombe 1998, method 10):
/// d − √((p₁ − l₁)² + (u₂ − p₂)²) to d + √((u₁ − p₁)² + (p₂ − l₂)²).
///
/// ```
/// use dnn_core::metrics::Score;
/// let with = Score { correct: 12, total: 40 };
/// let without = Score { correct: 9, total: 120 };
/// let (low, high) = dnn_report::statistics::newcombe(with, without);
/// assert!((low - 0.0909).abs() < 1e-4 && (high - 0.3832).abs() < 1e-4);
/// ```
pub fn newcombe(first: Score, second: Score) -> (f64, f64) {
    let ((l1, u1), (l2, u2)) = (first.wilson_interval(), second.wilson_interval());
    let (p1, p2) = (first.accuracy(), second.accuracy());
    let d = p1 - p2;
    (d - (p1 - l1).hypot(u2 - p2), d + (u1 - p1).hypot(p2 - l2))
}

/// Returns Holm's adjusted p-values (1979): with m tests, the i-th smallest p becomes the greatest of
/// (m − k)·p₍ₖ₊₁₎ for k < i, at most 1. Rejecting those below 5 % errs in one family of six or
/// any number at most once in twenty. Tests that were not made are `None` and do not count.
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&i| p_values[i].is_some()).collect();
    order.sort_by(|&a, &b| {
        p_values[a].partial_cmp(&p_values[b]).unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut adjusted = vec![None; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        let Some(p) = p_values[i] else { continue };
        largest = largest.max(((order.len() - rank) as f64 * p).min(1.0));
        adjusted[i] = Some(largest);
    }
    adjusted
}

/// Returns the two-sided p-value of Fisher's exact test of two shares: the probability, with all
/// margins fixed, of tables that are no more probable than this one.
pub fn fisher_exact(first: Score, second: Score) -> f64 {
    let (n1, n2) = (first.total, second.total);
    let successes = first.correct + second.correct;
    let ln_factorials: Vec<f64> = (0..=n1 + n2)
        .scan(0.0, |sum, i| {
            *sum += if i > 0 { (i as f64).ln() } else { 0.0 };
            Some(*sum)
        })
        .collect();
    let ln_choose = |n: usize, k: usize| ln_factorials[n] - ln_factorials[k] - ln_factorials[n - k];
    let ln_p = |k: usize| ln_choose(n1, k) + ln_choose(n2, successes - k);
    let (own, total) = (ln_p(first.correct), ln_choose(n1 + n2, successes));
    let tables = successes.saturating_sub(n2)..=successes.min(n1);
    // A table of the same probability differs by rounding only.
    let extreme = tables.map(ln_p).filter(|ln_p| *ln_p <= own + 1e-7);
    extreme.map(|ln_p| (ln_p - total).exp()).sum::<f64>().min(1.0)
}

/// Returns the 95 % interval of the difference of two shares of errors on the same examples, the
/// second's less the first's, by the bootstrap over examples: percentiles of 2000 samples with
/// replacement, of a fixed seed (Efron 1979). To the examples come two more, one that only the first gets
/// right and one that only the second does (Bonett and Price 2012): by the bootstrap alone, examples of
/// which none is answered otherwise would prove that none ever is.
///
/// ```
/// use dnn_core::metrics::PairedScore;
/// let none_changes = PairedScore { both_right: 40, only_first: 0, only_second: 0, both_wrong: 10 };
/// let (low, high) = dnn_report::statistics::bootstrap_difference(none_changes);
/// assert!(low < -0.05 && high > 0.05);
/// ```
pub fn bootstrap_difference(pairs: PairedScore) -> (f64, f64) {
    const SAMPLES: usize = 2000;
    let n = pairs.total() + 2;
    let (worse, better) = (pairs.only_first + 1, pairs.only_second + 1);
    let mut rng = Generator::new(RngKind::Modern, 1).expect("takes every seed");
    let mut differences: Vec<i64> = (0..SAMPLES)
        .map(|_| {
            let drawn = (0..n).map(|_| match (rng.uniform() * n as f64) as usize {
                i if i < worse => 1,
                i if i < worse + better => -1,
                _ => 0,
            });
            drawn.sum()
        })
        .collect();
    differences.sort_unstable();
    let at = |share: f64| differences[(share * (SAMPLES - 1) as f64).round() as usize];
    (at(0.025) as f64 / n as f64, at(0.975) as f64 / n as f64)
}

/// What a logistic model says of one factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// ln of the odds ratio: β.
    pub log_odds_ratio: f64,
    /// Its standard error, from the information matrix.
    pub standard_error: f64,
    /// p-value of the likelihood-ratio test that β is 0, by χ² of one degree of freedom.
    pub p_value: f64,
}

/// A logistic regression: ln(p / (1 − p)) = β₀ + Σ βⱼ·xⱼ.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticModel {
    /// β₀.
    pub intercept: f64,
    /// The effect of each factor.
    pub effects: Vec<Effect>,
    /// Whether Firth's penalised likelihood was used, because the factors separate the outcomes, so
    /// that the likelihood has no maximum.
    pub is_penalised: bool,
}

impl LogisticModel {
    /// Fits outcomes to factors by maximum likelihood (iteratively reweighted least squares), or by
    /// Firth's penalised likelihood (1993) where that has no maximum. `None` when factors are linearly
    /// dependent, or there is only one outcome.
    ///
    /// # Shapes
    /// `factors` m rows of n values, `outcomes` m.
    /// # Panics
    /// When rows and outcomes differ in number, or the rows in length.
    #[doc(alias = "logit")]
    pub fn fit(factors: &[Vec<f64>], outcomes: &[bool]) -> Option<Self> {
        assert_eq!(factors.len(), outcomes.len(), "a row of factors for each outcome");
        if outcomes.iter().all(|y| *y) || !outcomes.contains(&true) {
            return None;
        }
        let n = factors[0].len();
        let x =
            DMatrix::from_fn(
                factors.len(),
                n + 1,
                |i, j| {
                    if j == 0 { 1.0 } else { factors[i][j - 1] }
                },
            );
        let y: Vec<f64> = outcomes.iter().map(|y| f64::from(u8::from(*y))).collect();
        let plain = Fit::of(&x, &y, None, false);
        let is_penalised = plain.as_ref().is_none_or(|fit| fit.is_separated);
        let full = if is_penalised { Fit::of(&x, &y, None, true)? } else { plain? };
        let variances = full.information.clone().cholesky()?.inverse();
        let effects = (1..=n)
            .map(|j| {
                let reduced = Fit::of(&x, &y, Some(j), is_penalised)?;
                let statistic = (2.0 * (full.log_likelihood - reduced.log_likelihood)).max(0.0);
                Some(Effect {
                    log_odds_ratio: full.beta[j],
                    standard_error: variances[(j, j)].sqrt(),
                    p_value: chi_square_tail(statistic),
                })
            })
            .collect::<Option<_>>()?;
        Some(Self { intercept: full.beta[0], effects, is_penalised })
    }
}

/// Returns the probability that χ² of one degree of freedom is above `x`.
fn chi_square_tail(x: f64) -> f64 {
    libm::erfc((x / 2.0).sqrt())
}

/// The maximum of a likelihood, with one coefficient held at 0 or none.
struct Fit {
    beta: DVector<f64>,
    log_likelihood: f64,
    /// XᵀWX.
    information: DMatrix<f64>,
    /// Whether some outcomes are predicted for certain: the likelihood grows without end.
    is_separated: bool,
}

impl Fit {
    fn of(x: &DMatrix<f64>, y: &[f64], zero: Option<usize>, is_penalised: bool) -> Option<Self> {
        const MAX_STEPS: usize = 200;
        /// |ln odds| from which on an outcome counts as certain.
        const CERTAIN: f64 = 15.0;
        let free: Vec<usize> = (0..x.ncols()).filter(|j| Some(*j) != zero).collect();
        let mut beta = DVector::zeros(x.ncols());
        let mut now = State::at(x, y, &beta, is_penalised)?;
        for _ in 0..MAX_STEPS {
            let information = now.information.select_rows(&free).select_columns(&free);
            let step = information.cholesky()?.solve(&now.score.select_rows(&free));
            let mut scale = 1.0;
            let (next_beta, next) = loop {
                let mut next_beta = beta.clone();
                for (&j, step) in free.iter().zip(step.iter()) {
                    next_beta[j] += scale * step;
                }
                match State::at(x, y, &next_beta, is_penalised) {
                    Some(next) if next.log_likelihood >= now.log_likelihood - 1e-12 => {
                        break (next_beta, next);
                    }
                    _ if scale < 1e-6 => break (beta.clone(), now.clone()),
                    _ => scale /= 2.0,
                }
            };
            let moved = (&next_beta - &beta).amax();
            (beta, now) = (next_beta, next);
            if moved < 1e-10 || (!is_penalised && now.largest > CERTAIN) {
                break;
            }
        }
        Some(Self {
            beta,
            log_likelihood: now.log_likelihood,
            information: now.information,
            is_separated: now.largest > CERTAIN,
        })
    }
}

/// The likelihood and its derivatives at one β.
#[derive(Clone)]
struct State {
    log_likelihood: f64,
    score: DVector<f64>,
    information: DMatrix<f64>,
    /// The largest |ln odds| of an outcome.
    largest: f64,
}

impl State {
    fn at(x: &DMatrix<f64>, y: &[f64], beta: &DVector<f64>, is_penalised: bool) -> Option<Self> {
        let n = x.ncols();
        let rows = || (0..x.nrows()).map(|i| x.row(i).transpose());
        let etas: Vec<f64> = rows().map(|row| row.dot(beta)).collect();
        let p: Vec<f64> = etas.iter().map(|eta| dnn_core::activation::sigmoid(*eta)).collect();
        let mut information = DMatrix::zeros(n, n);
        for (row, p) in rows().zip(&p) {
            information.ger(p * (1.0 - p), &row, &row, 1.0);
        }
        // ln p = −ln(1 + e^−η) without overflow.
        let ln = |eta: f64, y: f64| {
            let signed = if y == 1.0 { eta } else { -eta };
            signed.min(0.0) - (-signed.abs()).exp().ln_1p()
        };
        let mut log_likelihood: f64 = etas.iter().zip(y).map(|(eta, y)| ln(*eta, *y)).sum();
        let inverse = information.clone().cholesky();
        let mut score = DVector::zeros(n);
        if is_penalised {
            let cholesky = inverse?;
            log_likelihood += 0.5 * cholesky.determinant().ln();
            let inverse = cholesky.inverse();
            for ((row, p), y) in rows().zip(&p).zip(y) {
                let leverage = p * (1.0 - p) * (&inverse * &row).dot(&row);
                score.axpy(y - p + leverage * (0.5 - p), &row, 1.0);
            }
        } else {
            for ((row, p), y) in rows().zip(&p).zip(y) {
                score.axpy(y - p, &row, 1.0);
            }
        }
        let largest = etas.iter().fold(0.0_f64, |most, eta| most.max(eta.abs()));
        log_likelihood.is_finite().then_some(Self { log_likelihood, score, information, largest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(correct: usize, total: usize) -> Score {
        Score { correct, total }
    }

    fn assert_close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9 * expected.abs().max(1.0), "{got} of {expected}");
    }

    #[test]
    fn intervals_and_tests_are_those_of_statsmodels_and_scipy() {
        // statsmodels.stats.proportion.confint_proportions_2indep(*a, method="newcomb")
        for ([k1, n1, k2, n2], (low, high)) in [
            ([12, 40, 9, 120], (0.090_865_669_816_372_76, 0.383_229_427_838_827_63)),
            ([0, 10, 3, 50], (-0.162_170_916_888_381_73, 0.220_313_459_470_548_3)),
            ([5, 5, 1, 60], (0.542_944_400_318_562, 0.997_051_840_202_135_6)),
        ] {
            let found = newcombe(score(k1, n1), score(k2, n2));
            assert_close(found.0, low);
            assert_close(found.1, high);
        }
        // statsmodels.stats.multitest.multipletests([0.01, 0.04, 0.03, 0.005, 0.5], method="holm")
        let adjusted = holm(&[Some(0.01), None, Some(0.04), Some(0.03), Some(0.005), Some(0.5)]);
        for (got, expected) in
            adjusted.iter().zip([Some(0.04), None, Some(0.09), Some(0.09), Some(0.025), Some(0.5)])
        {
            assert_eq!(got.is_some(), expected.is_some());
            assert_close(got.unwrap_or(0.0), expected.unwrap_or(0.0));
        }
        // scipy.stats.fisher_exact([[k1, n1 - k1], [k2, n2 - k2]])
        for ([k1, n1, k2, n2], p) in [
            ([3, 10, 1, 30], 0.041_689_462_742_094_334),
            ([0, 5, 10, 30], 0.291_505_458_488_380_7),
            ([8, 10, 1, 6], 0.034_965_034_965_034_975),
        ] {
            assert_close(fisher_exact(score(k1, n1), score(k2, n2)), p);
        }
    }

    /// Every third and every fifth example has a factor.
    fn factors() -> Vec<Vec<f64>> {
        let has = |i: usize, n: usize| f64::from(u8::from(i.is_multiple_of(n)));
        (0..60).map(|i| vec![has(i, 3), has(i, 5)]).collect()
    }

    #[test]
    fn a_logistic_model_is_that_of_statsmodels() {
        let outcomes: Vec<bool> =
            (0..60).map(|i: usize| i * 7 % 11 < 3 + 4 * usize::from(i.is_multiple_of(3))).collect();
        let model = LogisticModel::fit(&factors(), &outcomes).expect("fitted");
        // statsmodels.api.Logit(y, x).fit(): params, bse; 2·(llf − llf without the column)
        assert!(!model.is_penalised);
        assert_close(model.intercept, -0.866_427_327_835_535_1);
        let [first, second] = &model.effects[..] else { panic!("two effects") };
        assert_close(first.log_odds_ratio, 1.253_191_558_720_490_3);
        assert_close(first.standard_error, 0.572_299_312_096_257_2);
        assert!((first.p_value - 0.025_740_551_186_060_223).abs() < 1e-8);
        assert_close(second.log_odds_ratio, 0.094_244_117_515_045_23);
        assert!((second.p_value - 0.890_717_345_479_239).abs() < 1e-8);
    }

    #[test]
    fn a_separated_one_is_penalised_as_firth_has_it() {
        // The first factor is never without the outcome.
        let outcomes: Vec<bool> =
            (0..60).map(|i: usize| i.is_multiple_of(3) || i * 7 % 11 < 3).collect();
        let model = LogisticModel::fit(&factors(), &outcomes).expect("fitted");
        // firthmodels 0.8.2: FirthLogisticRegression(xtol=1e-7, gtol=1e-7).fit(x, y).lrt()
        assert!(model.is_penalised);
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-6, "{got}");
        close(model.intercept, -0.760_426_107);
        close(model.effects[0].log_odds_ratio, 4.460_021_416);
        close(model.effects[1].log_odds_ratio, -0.209_569_453);
        close(model.effects[1].p_value, 0.800_550_922);
        assert!(model.effects[0].p_value < 1e-6);
    }

    #[test]
    fn one_outcome_or_the_same_factor_twice_has_no_model() {
        assert_eq!(LogisticModel::fit(&factors(), &[true; 60]), None);
        let twice: Vec<_> = factors().iter().map(|row| vec![row[0], row[0]]).collect();
        let outcomes: Vec<bool> = (0..60).map(|i: usize| i.is_multiple_of(2)).collect();
        assert_eq!(LogisticModel::fit(&twice, &outcomes), None);
    }

    #[test]
    fn of_a_hundred_bootstrap_intervals_ninety_five_hold_the_difference() {
        // A share that gets worse, one that gets better; rare changes in one direction are the hard ones.
        for (n, worse, better) in [
            (20, 0.05, 0.0),
            (50, 0.02, 0.0),
            (50, 0.3, 0.05),
            (100, 0.02, 0.02),
            (100, 0.9, 0.02),
            (400, 0.1, 0.1),
        ] {
            const SETS: u64 = 100;
            let holds = |seed: &u64| {
                let mut rng = Generator::new(RngKind::Modern, *seed).expect("takes every seed");
                let mut pairs =
                    PairedScore { both_right: 0, only_first: 0, only_second: 0, both_wrong: 0 };
                for _ in 0..n {
                    *match rng.uniform() {
                        u if u < worse => &mut pairs.only_first,
                        u if u < worse + better => &mut pairs.only_second,
                        _ => &mut pairs.both_right,
                    } += 1;
                }
                let (low, high) = bootstrap_difference(pairs);
                // As wide as the normal distribution has it.
                let width = 2.0 * 1.96 * ((worse + better) / f64::from(n)).sqrt();
                assert!(
                    high - low < 2.0 * width + 4.0 / f64::from(n),
                    "{pairs:?}: {low} to {high}"
                );
                (low..=high).contains(&(worse - better))
            };
            let n_held = (0..SETS).filter(holds).count();
            // At 95 %, less than 89 of 100 would be a chance of 0.4 %.
            assert!(n_held >= 89, "{n} examples, {worse}, {better}: {n_held} of {SETS}");
        }
    }
}
