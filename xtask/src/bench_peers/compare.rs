//! Whether two sides did the same work, and by how much one was faster.

/// One logged cost.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
pub(super) struct CostPoint {
    pub iteration: usize,
    pub cost: f64,
}

/// What one side's training has come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Curve {
    pub costs: Vec<CostPoint>,
    /// Over the whole training set; absent when this side made fewer iterations than the other.
    pub final_cost: Option<f64>,
}

/// How equal is equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Equality {
    /// f64: every common point within 1e-9.
    Exact,
    /// f32: a ReLU that flips by rounding parts the curves for good (near iteration 87 on the
    /// course's data), so points up to iteration 50 within 1e-4, and the last cost within 0.05.
    Single,
    /// Batches in another order: the last cost over the whole training set within a tenth.
    OtherOrder,
}

/// What says that both sides did the same work.
///
/// # Errors
/// The first difference, or that there is nothing to compare.
pub(super) fn equal(ours: &Curve, theirs: &Curve, equality: Equality) -> Result<String, String> {
    let (up_to, points_within, final_within) = match equality {
        Equality::Exact => (usize::MAX, 1e-9, 1e-9),
        Equality::Single => (50, 1e-4, 0.05),
        Equality::OtherOrder => (0, f64::INFINITY, f64::INFINITY),
    };
    let mut n_points = 0;
    let mut largest = 0.0_f64;
    for our in ours.costs.iter().filter(|our| our.iteration <= up_to) {
        let Some(their) = theirs.costs.iter().find(|their| their.iteration == our.iteration) else {
            continue;
        };
        let gap = (our.cost - their.cost).abs();
        if differs(gap, points_within) && equality != Equality::OtherOrder {
            return Err(format!(
                "cost at iteration {}: ours {}, theirs {}, {gap:.1e} apart",
                our.iteration, our.cost, their.cost
            ));
        }
        largest = largest.max(gap);
        n_points += 1;
    }
    let finals = ours.final_cost.zip(theirs.final_cost);
    if let Some((ours, theirs)) = finals {
        let within = if equality == Equality::OtherOrder { 0.1 * theirs } else { final_within };
        if differs(ours - theirs, within) {
            return Err(format!("last cost: ours {ours}, theirs {theirs}"));
        }
    }
    match (equality, finals) {
        (Equality::OtherOrder, None) => Err("no last cost to compare".into()),
        (Equality::OtherOrder, Some((ours, theirs))) => {
            Ok(format!("last cost: ours {ours:.4}, theirs {theirs:.4}"))
        }
        _ if n_points == 0 => Err("no cost of the same iteration to compare".into()),
        _ => Ok(format!("{n_points} costs, at most {largest:.1e} apart")),
    }
}

/// Whether a gap is too wide; NaN is.
pub(super) fn differs(gap: f64, within: f64) -> bool {
    gap.is_nan() || gap.abs() > within
}

/// The middle value.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => sorted[n / 2],
        _ => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Pairs of runs, one of each side right after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs {
    pub ours: Vec<f64>,
    pub theirs: Vec<f64>,
}

impl Pairs {
    pub(super) fn push(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }

    /// Theirs over ours: the median over pairs, which other work on the machine disturbs less than
    /// it does either median.
    pub(super) fn ratio(&self) -> f64 {
        median(&self.ratios())
    }

    fn ratios(&self) -> Vec<f64> {
        self.theirs.iter().zip(&self.ours).map(|(theirs, ours)| theirs / ours).collect()
    }

    /// The ratio, with its range over pairs when there are several.
    pub(super) fn shown(&self) -> String {
        let ratios = self.ratios();
        if ratios.len() < 2 {
            return times(self.ratio());
        }
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} ({} to {})", times(self.ratio()), digits(low), digits(high))
    }
}

/// `166×`, `1.53×`.
pub(super) fn times(ratio: f64) -> String {
    format!("{}×", digits(ratio))
}

/// Three digits.
pub(super) fn digits(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

/// What the table says about a target.
pub(super) fn verdict(ratio: f64, target: Option<f64>) -> String {
    match target {
        None => String::new(),
        Some(target) if ratio >= target => "met".into(),
        Some(_) => "not met".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(costs: &[(usize, f64)], final_cost: Option<f64>) -> Curve {
        let point = |&(iteration, cost): &(usize, f64)| CostPoint { iteration, cost };
        Curve { costs: costs.iter().map(point).collect(), final_cost }
    }

    #[test]
    fn f64_is_equal_to_nine_digits_at_every_common_point() {
        let ours = curve(&[(0, 0.7), (50, 0.6), (2450, 0.1)], Some(0.09));
        let same = curve(&[(0, 0.7), (50, 0.6 + 5e-10)], None);
        assert!(equal(&ours, &same, Equality::Exact).is_ok());
        let other = curve(&[(0, 0.7), (50, 0.6 + 2e-9)], None);
        let error = equal(&ours, &other, Equality::Exact).expect_err("2e-9 apart");
        assert!(error.starts_with("cost at iteration 50: ours 0.6, theirs 0.600000002"), "{error}");
        let nan = curve(&[(0, f64::NAN)], None);
        assert!(equal(&ours, &nan, Equality::Exact).is_err());
        let last = curve(&[(0, 0.7)], Some(0.08));
        assert!(equal(&ours, &last, Equality::Exact).is_err());
    }

    #[test]
    fn nothing_in_common_is_not_equal() {
        let ours = curve(&[(0, 0.7)], None);
        for equality in [Equality::Exact, Equality::Single, Equality::OtherOrder] {
            assert!(equal(&ours, &curve(&[(3, 0.7)], Some(0.1)), equality).is_err());
        }
    }

    #[test]
    fn f32_curves_may_part_after_iteration_50() {
        let ours = curve(&[(0, 0.7), (50, 0.6), (900, 0.3)], Some(0.09));
        let parted = curve(&[(0, 0.7), (50, 0.60001), (900, 0.4)], Some(0.1));
        assert!(equal(&ours, &parted, Equality::Single).is_ok());
        let early = curve(&[(0, 0.7), (50, 0.61)], Some(0.09));
        assert!(equal(&ours, &early, Equality::Single).is_err());
        let elsewhere = curve(&[(0, 0.7), (50, 0.6)], Some(0.2));
        assert!(equal(&ours, &elsewhere, Equality::Single).is_err());
    }

    #[test]
    fn batches_in_another_order_end_at_about_the_same_cost() {
        let ours = curve(&[(0, 2.3)], Some(1.0));
        assert!(equal(&ours, &curve(&[(0, 2.5)], Some(1.05)), Equality::OtherOrder).is_ok());
        assert!(equal(&ours, &curve(&[(0, 2.3)], Some(1.5)), Equality::OtherOrder).is_err());
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let mut pairs = Pairs::default();
        // The machine was twice as slow for the second pair: its ratio is the same.
        for (ours, theirs) in [(1.0, 150.0), (2.0, 300.0), (1.0, 149.0)] {
            pairs.push(ours, theirs);
        }
        assert_eq!(pairs.ratio(), 150.0);
        assert_eq!(pairs.shown(), "150× (149 to 150)");
        assert_eq!(median(&[3.0, 1.0, 2.0, 4.0]), 2.5);
    }

    #[test]
    fn targets_are_floors() {
        assert_eq!(verdict(150.0, Some(150.0)), "met");
        assert_eq!(verdict(149.9, Some(150.0)), "not met");
        assert_eq!(verdict(f64::NAN, Some(1.0)), "not met");
        assert_eq!(verdict(3.0, None), "");
        assert_eq!([times(166.4), times(16.64), times(1.526)], ["166×", "16.6×", "1.53×"]);
    }
}
