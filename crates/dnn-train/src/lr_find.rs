//! The learning-rate range test: which learning rate to begin with.

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::observer::{Flow, IterationEvent};
use crate::optimizer::{Optimizer, Step};
use crate::schedule::Schedule;
use crate::trainable::Trainable;
use crate::trainer::Training;
use dnn_core::{Examples, Real};
use serde::Serialize;

/// How a learning rate is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRateRange {
    /// The learning rate of the first update.
    pub lowest: f64,
    /// The learning rate of the last one.
    pub highest: f64,
    /// Updates to make, at least [`MIN_ITERATIONS`](Self::MIN_ITERATIONS).
    pub iterations: usize,
}

impl LearningRateRange {
    /// The fewest updates from which something can be suggested.
    pub const MIN_ITERATIONS: usize = 20;

    /// Returns the learning rate of update number `i`, from 0: from update to update it grows by the
    /// same factor.
    pub fn at(&self, i: usize) -> f64 {
        let share = i as f64 / (self.iterations - 1) as f64;
        self.lowest * (self.highest / self.lowest).powf(share)
    }
}

impl Default for LearningRateRange {
    /// 100 updates from 1e-7 to 10.
    fn default() -> Self {
        Self { lowest: 1e-7, highest: 10.0, iterations: 100 }
    }
}

/// A learning rate of the range test, and the cost there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LearningRatePoint {
    /// The learning rate of the update.
    pub learning_rate: f64,
    /// The cost of the batch before the update.
    pub cost: f64,
    /// The running mean of the costs, of which 0.98 is kept, without its bias to 0.
    pub smoothed: f64,
}

/// The result of a range test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearningRateSearch {
    /// The learning rates in ascending order, up to where the smoothed cost was four times its lowest
    /// value or no number any more.
    pub points: Vec<LearningRatePoint>,
    /// The learning rate where the smoothed cost falls most; `None` when it falls nowhere, or the test
    /// ended too soon.
    pub suggestion: Option<f64>,
}

/// Trains for some iterations with a learning rate that grows from update to update, and suggests the
/// one at which the cost falls most (the range test of Smith 2017, with the smoothing, the end and the
/// suggestion of PyTorch Lightning's `lr_find`).
///
/// The network starts as configured and is dropped; batches, optimizer and all that training does to
/// the gradients are as configured, the schedule and what judges by a validation set are not used.
///
/// # Errors
/// [`TrainError`], also when the range is none.
pub fn find_learning_rate<F: Trainable>(
    config: &TrainConfig,
    examples: &dyn Examples<F>,
    range: LearningRateRange,
) -> Result<LearningRateSearch, TrainError> {
    let LearningRateRange { lowest, highest, iterations } = range;
    let is_range = lowest > 0.0 && lowest < highest && highest.is_finite();
    let min_iterations = LearningRateRange::MIN_ITERATIONS;
    if !is_range || iterations < min_iterations {
        return Err(TrainError::LearningRateRange { lowest, highest, iterations, min_iterations });
    }
    // The penalty goes into the steps, and not into some of the costs.
    let l2 = config.l2;
    let config = config.clone().with(|config| {
        config.l2 = 0.0;
        (config.iterations, config.epochs, config.time) = (iterations, 0, None);
        // Costs of single batches, not means since the last logged one.
        config.log_every = iterations;
        config.schedule = Schedule::Constant;
        (config.validation, config.patience, config.validate_every) = (0.0, 0, 0);
        (config.restore_best, config.calibrate) = (false, false);
    });
    let config = config.map_err(|error| TrainError::Shape(error.into()))?;
    let mut points = Vec::with_capacity(iterations);
    let mut smoothing = Smoothing::default();
    let mut watch = |event: &IterationEvent<'_>| {
        let (smoothed, is_over) = smoothing.add(event.cost);
        let learning_rate = range.at(event.iteration);
        points.push(LearningRatePoint { learning_rate, cost: event.cost, smoothed });
        if is_over { Flow::Stop } else { Flow::Continue }
    };
    let optimizer = Rising { optimizer: config.optimizer.build(), range, l2 };
    match Training::new(&config, examples).optimizer(&optimizer).run(&mut [&mut watch]) {
        // That it diverges in the end is what the test is for.
        Ok(_) | Err(TrainError::Diverged { .. }) => {}
        Err(error) => return Err(error),
    }
    let smoothed: Vec<_> = points.iter().map(|point| point.smoothed).collect();
    let suggestion = steepest(&smoothed).map(|i| points[i].learning_rate);
    Ok(LearningRateSearch { points, suggestion })
}

/// An optimizer whose learning rate rises over the range, whatever it is told.
struct Rising<F: Real> {
    optimizer: Box<dyn Optimizer<F>>,
    range: LearningRateRange,
    l2: f64,
}

impl<F: Real> Optimizer<F> for Rising<F> {
    fn n_moments(&self) -> usize {
        self.optimizer.n_moments()
    }

    fn is_linear(&self) -> bool {
        self.optimizer.is_linear()
    }

    fn prepare(&self, step: &Step) -> Step {
        let learning_rate = self.range.at(step.number as usize - 1);
        self.optimizer.prepare(&Step { learning_rate, l2: self.l2, ..*step })
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        self.optimizer.update(step, parameters, gradients, moments);
    }
}

/// The running mean of costs.
#[derive(Default)]
struct Smoothing {
    mean: f64,
    n: i32,
    lowest: f64,
}

impl Smoothing {
    const KEPT: f64 = 0.98;
    /// How far above its lowest value the mean may rise.
    const LIMIT: f64 = 4.0;

    /// Returns the mean with one more cost, and whether it has risen so far that the test is over.
    fn add(&mut self, cost: f64) -> (f64, bool) {
        self.n += 1;
        self.mean = Self::KEPT * self.mean + (1.0 - Self::KEPT) * cost;
        let smoothed = self.mean / (1.0 - Self::KEPT.powi(self.n));
        let is_over = self.n > 1 && smoothed > Self::LIMIT * self.lowest;
        if self.n == 1 || smoothed < self.lowest {
            self.lowest = smoothed;
        }
        (smoothed, is_over)
    }
}

/// The place where a curve falls most, by central differences, its first ten values and its last one
/// left out: those are noise and divergence.
fn steepest(curve: &[f64]) -> Option<usize> {
    const SKIPPED: usize = 10;
    let curve = &curve[..curve.len().saturating_sub(1)];
    let curve = curve.get(SKIPPED..).filter(|curve| curve.len() > 1)?;
    let last = curve.len() - 1;
    // As numpy.gradient has it at the ends: one-sided.
    let slope = |i: usize| {
        let (from, to) = (i.saturating_sub(1), last.min(i + 1));
        (curve[to] - curve[from]) / (to - from) as f64
    };
    let falling = (0..=last).map(|i| (i, slope(i))).filter(|(_, slope)| *slope < 0.0);
    falling.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i + SKIPPED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_core::Dataset;
    use dnn_core::rng::{Generator, RngKind};

    /// ```python
    /// import numpy as np
    /// loss = [.7 - .5 / (1 + np.exp(-(i - 40) / 3)) + .02 * np.sin(3 * i) for i in range(60)]
    /// loss += [.2 * 1.6 ** i for i in range(30)]
    /// smoothed, mean, best = [], 0, 0
    /// for i, l in enumerate(loss):  # lightning/pytorch/tuner/lr_finder.py, _LRCallback
    ///     mean = .98 * mean + .02 * l
    ///     smoothed.append(mean / (1 - .98 ** (i + 1)))
    ///     if i and smoothed[-1] > 4 * best: break
    ///     if smoothed[-1] < best or i == 0: best = smoothed[-1]
    /// # _LRFinder.suggestion
    /// print(len(smoothed), smoothed[-1], np.gradient(smoothed[10:-1]).argmin() + 10)
    /// ```
    #[test]
    fn the_suggestion_is_lightnings() {
        let falling = (0..60)
            .map(f64::from)
            .map(|i| 0.7 - 0.5 / (1.0 + (-(i - 40.0) / 3.0).exp()) + 0.02 * (3.0 * i).sin());
        let rising = (0..30).map(|i| 0.2 * 1.6_f64.powi(i));
        let (mut smoothing, mut smoothed) = (Smoothing::default(), Vec::new());
        for loss in falling.chain(rising) {
            let (value, is_over) = smoothing.add(loss);
            smoothed.push(value);
            if is_over {
                break;
            }
        }
        assert_eq!(smoothed.len(), 72);
        assert!((smoothed[71] - 2.701_498_352_701_195_8).abs() < 1e-12);
        assert_eq!(steepest(&smoothed), Some(45));
    }

    #[test]
    fn a_rate_is_found_that_trains_and_a_range_that_is_none_is_refused() {
        let mut rng = Generator::new(RngKind::Modern, 3).unwrap();
        let x = rng.normal_matrix::<f64>(8, 200);
        let labels = (0..200).map(|j| u32::from(x[(0, j)] + x[(1, j)] > 0.0)).collect();
        let data = Dataset::new(x, labels, vec!["a".into(), "b".into()]).unwrap();
        for (batch_size, patience) in [(0, 3), (16, 0)] {
            let config = TrainConfig::course_deep()
                .with(|c| (c.hidden, c.batch_size, c.patience) = (vec![6], batch_size, patience));
            let config = config.unwrap();
            let range = LearningRateRange { lowest: 1e-4, highest: 1e3, iterations: 80 };
            let found = find_learning_rate(&config, &data, range).unwrap();
            let rates: Vec<_> = found.points.iter().map(|point| point.learning_rate).collect();
            assert!(rates.is_sorted() && rates[0] == 1e-4 && rates.len() <= 80);
            let suggestion = found.suggestion.expect("a fall");
            let begin = found.points[0].cost;
            // What is plotted is the cost of the batch, with a penalty in the steps or none.
            let penalised = config.clone().with(|c| c.l2 = 0.5).unwrap();
            let penalised = find_learning_rate(&penalised, &data, range).unwrap();
            assert_eq!(penalised.points[0].cost, begin);
            assert_ne!(penalised.points[9].cost, found.points[9].cost);
            let config = config.with(|c| (c.learning_rate, c.patience) = (suggestion, 0)).unwrap();
            let config = config.with(|c| c.iterations = 60).unwrap();
            let trained = crate::train(&config, &data, &mut []).unwrap();
            let end = crate::evaluate(&trained.network, &data).unwrap().cost;
            assert!(end < 0.9 * begin, "α = {suggestion}: the cost went from {begin} to {end}");
        }
        let config = TrainConfig::course_deep();
        for (lowest, highest, iterations) in [(0.0, 1.0, 50), (1.0, 0.1, 50), (0.1, 1.0, 5)] {
            let range = LearningRateRange { lowest, highest, iterations };
            let error = find_learning_rate(&config, &data, range).unwrap_err().to_string();
            assert!(error.contains("expected 0 < lowest < highest and at least 20"), "{error}");
        }
    }
}
