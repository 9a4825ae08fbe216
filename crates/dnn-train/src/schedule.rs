//! How the learning rate changes during training.

use serde::{Deserialize, Serialize};

/// A learning-rate schedule. α₀ is the configured learning rate, e the number of epochs done, a
/// whole number; with whole-set training an epoch is an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// α = α₀.
    #[default]
    Constant,
    /// α = α₀·factor^⌊e / every⌋.
    Step {
        /// Epochs between two changes.
        every: usize,
        /// What α is multiplied by, above 0.
        factor: f64,
    },
    /// α = α₀·factor^e.
    Exponential {
        /// What α is multiplied by in each epoch, above 0.
        factor: f64,
    },
    /// α = α₀ / (1 + decay·e): the course's decay.
    #[doc(alias = "decay_rate")]
    InverseTime {
        /// The decay rate, at least 0.
        decay: f64,
    },
    /// α rises in a straight line to α₀, then falls to `minimum` on half a cosine, iteration by
    /// iteration, until the last one (Loshchilov and Hutter 2017, without restarts).
    Cosine {
        /// Iterations of the rise.
        #[serde(default)]
        warmup: usize,
        /// α at the end, at least 0.
        #[serde(default)]
        minimum: f64,
    },
    /// α is multiplied by `factor` whenever the validation cost has not fallen in `patience`
    /// validations, down to `minimum`.
    Plateau {
        /// What α is multiplied by, between 0 and 1.
        factor: f64,
        /// Validations to wait.
        patience: usize,
        /// α at the least, at least 0.
        #[serde(default)]
        minimum: f64,
    },
}

/// Where training is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Updates made.
    pub iteration: usize,
    /// Updates there will be.
    pub n_iterations: usize,
    /// Epochs done.
    pub epoch: usize,
    /// How often a plateau has been met.
    pub plateaus: u32,
}

impl Schedule {
    /// α for the next update.
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
            Self::Cosine { warmup, .. } if at.iteration < warmup => {
                base * (at.iteration + 1) as f64 / warmup as f64
            }
            Self::Cosine { warmup, minimum } => {
                let n = at.n_iterations.saturating_sub(warmup).max(1) as f64;
                let share = ((at.iteration - warmup) as f64 / n).min(1.0);
                minimum + (base - minimum) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
            Self::Plateau { factor, minimum, .. } => {
                (base * factor.powi(at.plateaus as i32)).max(minimum)
            }
        }
    }

    /// What is wrong with its numbers.
    pub(crate) fn fault(&self) -> Option<String> {
        let above_0 = |name: &str, x: f64| {
            (!(x.is_finite() && x > 0.0))
                .then(|| format!("{name} is {x}: expected a finite number above 0"))
        };
        let at_least_0 = |name: &str, x: f64| {
            (!(x.is_finite() && x >= 0.0))
                .then(|| format!("{name} is {x}: expected a finite number, at least 0"))
        };
        match *self {
            Self::Constant => None,
            Self::Step { every: 0, .. } => Some("every is 0: expected at least 1 epoch".into()),
            Self::Step { factor, .. } | Self::Exponential { factor } => above_0("factor", factor),
            Self::InverseTime { decay } => at_least_0("decay", decay),
            Self::Plateau { factor, .. } if !(factor > 0.0 && factor < 1.0) => {
                Some(format!("factor is {factor}: expected a number between 0 and 1"))
            }
            Self::Plateau { patience: 0, .. } => {
                Some("patience is 0: expected at least 1 validation".into())
            }
            Self::Cosine { minimum, .. } | Self::Plateau { minimum, .. } => {
                at_least_0("minimum", minimum)
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

    #[test]
    fn plateaus_count_down_to_the_minimum() {
        let plateau = Schedule::Plateau { factor: 0.1, patience: 2, minimum: 0.005 };
        let rate = |plateaus| plateau.learning_rate(1.0, &Position { plateaus, ..at(0, 0) });
        assert!((rate(1) - 0.1).abs() < 1e-15);
        assert_eq!(rate(5), 0.005);
    }
}
