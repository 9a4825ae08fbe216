//! What a training run records, and what it ends with.

use crate::diagnosis::LayerHealth;
use crate::feed::Subset;
use dnn_core::metrics::{ConformalScores, Score};
use dnn_core::{Examples, Network, Real};
use serde::{Deserialize, Serialize};

/// The cost at one iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostPoint {
    /// Number of parameter updates made before.
    pub iteration: usize,
    /// The cost at that iteration.
    pub cost: f64,
    /// How many training examples are right at that iteration, as they are trained on: with dropout
    /// and augmentation. `None` with mini-batches, whose [`EpochPoint`]s count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
}

/// The result of a pass over the training set in mini-batches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochPoint {
    /// Number of the pass, from 1.
    pub epoch: usize,
    /// Number of parameter updates made at its end.
    pub iteration: usize,
    /// Mean cost of its examples, each at the parameters that its batch was computed with; without
    /// the L2 penalty.
    pub cost: f64,
    /// How many of its examples were right, each before the update by its batch, with dropout and
    /// augmentation.
    pub score: Score,
    /// The learning rate of its last update.
    pub learning_rate: f64,
}

/// The result of the network on the validation set at one iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ValidationPoint {
    /// Number of parameter updates made before.
    pub iteration: usize,
    /// The cost on the validation set.
    pub cost: f64,
    /// How many of its examples are right.
    pub score: Score,
}

impl ValidationSplit {
    /// Returns the two parts of `examples`, the set that was divided: what was trained on, and what
    /// was kept apart.
    ///
    /// # Panics
    /// When it is a set of fewer examples.
    pub fn of<'a, F: Real>(&self, examples: &'a dyn Examples<F>) -> (Subset<'a, F>, Subset<'a, F>) {
        let part = |indices: &Vec<usize>| Subset::new(examples, indices.clone());
        (part(&self.train), part(&self.validation))
    }
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All iterations were made.
    Completed,
    /// An observer stopped it.
    Asked,
    /// The validation set showed no improvement for as long as was configured.
    Early,
    /// The time that was configured was over.
    Time,
}

/// How the training set was divided: what was trained on, and what was kept apart to judge by. Both
/// are indices in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationSplit {
    /// The examples that were trained on.
    pub train: Vec<usize>,
    /// The examples that were kept apart.
    pub validation: Vec<usize>,
}

/// The result of a training run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trained<F: Real> {
    /// The network after the last update, or the best one where that was asked for; with the
    /// temperature that was fitted where that was asked for.
    pub network: Network<F>,
    /// How the network's answers fit the validation set, when
    /// [`TrainConfig::calibrate`](crate::config::RawTrainConfig::calibrate) asked for it.
    pub conformal: Option<ConformalScores>,
    /// The cost at every logged iteration.
    pub costs: Vec<CostPoint>,
    /// The results of the passes over the training set in mini-batches, the last one perhaps not
    /// complete; none when every update takes all examples.
    pub epochs: Vec<EpochPoint>,
    /// The results on the validation set, in the order of the iterations.
    pub validations: Vec<ValidationPoint>,
    /// The best result on the validation set.
    pub best: Option<ValidationPoint>,
    /// How the training set was divided, when [`TrainConfig::validation`](crate::TrainConfig) kept a
    /// share of it apart; `None` when all of it was trained on.
    pub split: Option<ValidationSplit>,
    /// Number of parameter updates made.
    pub iterations: usize,
    /// Why training ended.
    pub end: End,
    /// Name of the engine that did the work.
    pub engine: &'static str,
    /// How the hidden layers fared at the last logged iteration.
    pub health: Vec<LayerHealth>,
}

/// How cost and accuracy changed during training, as curves to draw: each point is a time and a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// The unit of the times: "epochs" with mini-batches, otherwise "iterations".
    pub unit: &'static str,
    /// The cost on the training set.
    pub training_cost: Vec<(f64, f64)>,
    /// The cost on the validation set; empty without one.
    pub validation_cost: Vec<(f64, f64)>,
    /// The accuracy on the training set; empty when it was not counted.
    pub training_accuracy: Vec<(f64, f64)>,
    /// The accuracy on the validation set; empty without one.
    pub validation_accuracy: Vec<(f64, f64)>,
}

impl Curves {
    /// Makes the curves of what was recorded: those of the training set are of its epochs where there were
    /// mini-batches, otherwise of the logged costs. `end` is the number of updates made and the cost after them.
    pub fn of(
        costs: &[CostPoint],
        epochs: &[EpochPoint],
        validations: &[ValidationPoint],
        end: (usize, f64),
    ) -> Self {
        let (unit, iterations) = match epochs.first() {
            Some(first) => ("epochs", first.iteration as f64 / first.epoch as f64),
            None => ("iterations", 1.0),
        };
        let time = |iteration: usize| iteration as f64 / iterations;
        let (mut training_cost, mut training_accuracy): (Vec<_>, Vec<_>) = (epochs.iter())
            .map(|p| ((time(p.iteration), p.cost), (time(p.iteration), p.score.accuracy())))
            .unzip();
        if epochs.is_empty() {
            training_cost.extend(costs.iter().map(|p| (time(p.iteration), p.cost)));
            let scores = costs.iter().filter_map(|p| Some((time(p.iteration), p.score?)));
            training_accuracy.extend(scores.map(|(time, score)| (time, score.accuracy())));
        }
        if let [only] = &mut training_cost[..] {
            // One point is no curve; the cost after training is the next there is. The mean of the one epoch
            // stands at its middle.
            only.0 /= 2.0;
            training_cost.push((time(end.0), end.1));
        }
        Self {
            unit,
            training_cost,
            validation_cost: validations.iter().map(|p| (time(p.iteration), p.cost)).collect(),
            training_accuracy,
            validation_accuracy: (validations.iter())
                .map(|p| (time(p.iteration), p.score.accuracy()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_of_epochs_where_there_are_any() {
        let score = Score { correct: 3, total: 4 };
        let cost = |iteration, cost| CostPoint { iteration, cost, score: Some(score) };
        let (costs, end) = ([cost(0, 0.7), cost(10, 0.5)], (10, 0.4));
        let validations = [ValidationPoint { iteration: 5, cost: 0.6, score }];
        let by_iterations = Curves::of(&costs, &[], &validations, end);
        assert_eq!(by_iterations.unit, "iterations");
        assert_eq!(by_iterations.training_cost, [(0.0, 0.7), (10.0, 0.5)]);
        assert_eq!(by_iterations.training_accuracy, [(0.0, 0.75), (10.0, 0.75)]);
        assert_eq!(by_iterations.validation_cost, [(5.0, 0.6)]);
        let epoch = |epoch, cost| EpochPoint {
            epoch,
            iteration: 5 * epoch,
            cost,
            score,
            learning_rate: 0.1,
        };
        let two = Curves::of(&costs, &[epoch(1, 0.6), epoch(2, 0.5)], &validations, end);
        assert_eq!((two.unit, &two.training_cost[..]), ("epochs", &[(1.0, 0.6), (2.0, 0.5)][..]));
        assert_eq!(two.validation_accuracy, [(1.0, 0.75)]);
        // The mean cost of a single epoch is followed by the cost at its end.
        let one = Curves::of(&costs, &[epoch(1, 0.6)], &[], (5, 0.4));
        assert_eq!(one.training_cost, [(0.5, 0.6), (1.0, 0.4)]);
        assert_eq!(one.training_accuracy, [(1.0, 0.75)]);
    }
}
