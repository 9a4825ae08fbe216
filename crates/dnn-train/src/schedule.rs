//! How the learning rate changes during training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A learning-rate schedule. α₀ is the configured learning rate, e the number of epochs done, a
/// whole number; with whole-set training an epoch is an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// α = α₀.
    #[default]
    Constant,
    /// α = α₀·factor^⌊e / every⌋.
    Step {
        /// Epochs between two changes.
        #[schemars(range(min = 1), extend("x-example" = 10))]
        every: usize,
        /// What α is multiplied by.
        #[schemars(extend("exclusiveMinimum" = 0, "x-example" = 0.5))]
        factor: f64,
    },
    /// α = α₀·factor^e.
    Exponential {
        /// What α is multiplied by.
        #[schemars(extend("exclusiveMinimum" = 0, "x-example" = 0.5))]
        factor: f64,
    },
    /// α = α₀ / (1 + decay·e): the course's decay.
    #[doc(alias = "decay_rate")]
    #[doc(alias = "update_lr")]
    InverseTime {
        /// The decay rate.
        #[schemars(extend("minimum" = 0, "x-example" = 1.0))]
        decay: f64,
    },
    /// α = α₀ / (1 + decay·⌊e / every⌋): the course's decay at fixed intervals.
    #[doc(alias = "schedule_lr_decay")]
    #[doc(alias = "time_interval")]
    InverseTimeSteps {
        /// Epochs between two changes.
        #[schemars(range(min = 1), extend("x-example" = 1000))]
        every: usize,
        /// The decay rate.
        #[schemars(extend("minimum" = 0, "x-example" = 1.0))]
        decay: f64,
    },
    /// α rises in a straight line to α₀, then falls to `minimum` on half a cosine, iteration by
    /// iteration, until the last one (Loshchilov and Hutter 2017, without restarts).
    Cosine {
        /// Iterations of the rise.
        #[serde(default)]
        warmup: usize,
        /// The lowest α.
        #[schemars(extend("minimum" = 0))]
        #[serde(default)]
        minimum: f64,
    },
    /// α rises from α₀/25 to α₀ on half a cosine in the first `rise` of the iterations, then falls to
    /// α₀/250000 on another (Smith and Topin 2018; PyTorch's OneCycleLR).
    OneCycle {
        /// Share of the iterations in which α rises.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        #[serde(default = "usual_rise")]
        rise: f64,
    },
    /// α is multiplied by `factor` whenever the validation cost has not fallen in `patience`
    /// validations, down to `minimum`.
    Plateau {
        /// What α is multiplied by.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1, "x-example" = 0.5))]
        factor: f64,
        /// Validations to wait.
        #[schemars(range(min = 1), extend("x-example" = 10))]
        patience: usize,
        /// The lowest α.
        #[schemars(extend("minimum" = 0))]
        #[serde(default)]
        minimum: f64,
    },
}

fn usual_rise() -> f64 {
    0.3
}

/// The progress of training that the learning rate depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Number of parameter updates made.
    pub iteration: usize,
    /// Number of parameter updates that the whole run makes.
    pub n_iterations: usize,
    /// Number of completed epochs.
    pub epoch: usize,
    /// Number of plateaus that have been met.
    pub plateaus: u32,
}

impl Schedule {
    /// Returns the learning rate α for the next update.
    ///
    /// ```
    /// use dnn_train::schedule::{Position, Schedule};
    /// let at = |epoch| Position { iteration: epoch, n_iterations: 100, epoch, plateaus: 0 };
    /// assert_eq!(Schedule::InverseTime { decay: 1.0 }.learning_rate(0.2, &at(3)), 0.05);
    /// ```
    pub fn learning_rate(&self, base: f64, at: &Position) -> f64 {
        let epoch = at.epoch as f64;
        match *self {
            Self::Constant => base,
            Self::Step { every, factor } => base * factor.powf((at.epoch / every.max(1)) as f64),
            Self::Exponential { factor } => base * factor.powf(epoch),
            Self::InverseTime { decay } => base / (1.0 + decay * epoch),
            Self::InverseTimeSteps { every, decay } => {
                base / (1.0 + decay * (at.epoch / every.max(1)) as f64)
            }
            Self::Cosine { warmup, .. } if at.iteration < warmup => {
                base * (at.iteration + 1) as f64 / warmup as f64
            }
            Self::Cosine { warmup, minimum } => {
                let n = at.n_iterations.saturating_sub(warmup).max(1) as f64;
                let share = ((at.iteration - warmup) as f64 / n).min(1.0);
                minimum + (base - minimum) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
            Self::OneCycle { rise } => {
                let last = at.n_iterations.saturating_sub(1) as f64;
                // PyTorch counts the iterations of the rise from 1.
                let top = (rise * at.n_iterations as f64 - 1.0).max(0.0);
                let i = (at.iteration as f64).min(last);
                let (from, to, share) = if i <= top && top > 0.0 {
                    (base / 25.0, base, i / top)
                } else {
                    (base, base / 250_000.0, (i - top) / (last - top).max(f64::MIN_POSITIVE))
                };
                to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
            Self::Plateau { factor, minimum, .. } => {
                (base * factor.powi(at.plateaus as i32)).max(minimum)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(iteration: usize, epoch: usize) -> Position {
        Position { iteration, n_iterations: 110, epoch, plateaus: 0 }
    }

    #[test]
    fn by_hand() {
        let step = Schedule::Step { every: 10, factor: 0.5 };
        assert_eq!([9, 10, 25].map(|e| step.learning_rate(0.8, &at(0, e))), [0.8, 0.4, 0.2]);
        let exponential = Schedule::Exponential { factor: 0.9 };
        assert!((exponential.learning_rate(1.0, &at(0, 2)) - 0.81).abs() < 1e-15);
        let inverse = Schedule::InverseTime { decay: 0.5 };
        assert_eq!(inverse.learning_rate(0.2, &at(0, 2)), 0.1);
        // The course's schedule_lr_decay(0.5, e, decay_rate = 0.3, time_interval = 100), which
        // prints 0.5, 0.3846153846153846 and 0.3125 for e = 0, 100 and 200.
        let steps = Schedule::InverseTimeSteps { every: 100, decay: 0.3 };
        let rates = [0, 99, 100, 200].map(|e| steps.learning_rate(0.5, &at(0, e)));
        assert_eq!(rates, [0.5, 0.5, 0.384_615_384_615_384_6, 0.3125]);
        assert_eq!(Schedule::Constant.learning_rate(0.3, &at(7, 7)), 0.3);
    }

    #[test]
    fn the_cosine_rises_falls_and_ends_at_its_minimum() {
        let cosine = Schedule::Cosine { warmup: 10, minimum: 0.1 };
        let rate = |i| cosine.learning_rate(1.0, &at(i, 0));
        assert!((rate(0) - 0.1).abs() < 1e-15 && (rate(9) - 1.0).abs() < 1e-15);
        assert!((rate(10) - 1.0).abs() < 1e-15);
        assert!((rate(60) - 0.55).abs() < 1e-15, "half way down");
        assert!((rate(110) - 0.1).abs() < 1e-15 && (rate(500) - 0.1).abs() < 1e-15);
    }

    /// PyTorch 2.15: `OneCycleLR(Adam(p, lr=1.0), max_lr=1.0, total_steps=110)`, `get_last_lr()` before
    /// each step.
    #[test]
    fn one_cycle_is_pytorchs() {
        let cycle = Schedule::OneCycle { rise: 0.3 };
        for (i, expected) in [
            (0, 0.040_000_000_000_000_036),
            (1, 0.042_311_331_197_345_536),
            (20, 0.703_688_047_535_243),
            (32, 1.0),
            (33, 0.999_583_901_336_692_7),
            (60, 0.707_708_675_670_917_2),
            (108, 0.000_420_098_663_307_246_63),
            (109, 4e-6),
        ] {
            let got = cycle.learning_rate(1.0, &at(i, 0));
            assert!((got - expected).abs() < 1e-14, "{i}: {got} {expected}");
        }
        for n_iterations in 0..4 {
            let one = Position { n_iterations, ..at(0, 0) };
            assert!(cycle.learning_rate(1.0, &one) > 0.0, "of {n_iterations}");
        }
    }

    #[test]
    fn plateaus_count_down_to_the_minimum() {
        let plateau = Schedule::Plateau { factor: 0.1, patience: 2, minimum: 0.005 };
        let rate = |plateaus| plateau.learning_rate(1.0, &Position { plateaus, ..at(0, 0) });
        assert!((rate(1) - 0.1).abs() < 1e-15);
        assert_eq!(rate(5), 0.005);
    }
}
