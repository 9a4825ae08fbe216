//! k-fold cross-validation: every example is judged once, by a network that has not seen it.

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::evaluation::{Evaluation, selected};
use crate::feed::Subset;
use crate::history::End;
use crate::observer::Observer;
use crate::trainable::{Trainable, evaluate};
use crate::trainer::Training;
use dnn_core::metrics::Score;
use dnn_core::{Dataset, Examples, split};
use serde::{Deserialize, Serialize};

/// The result of one fold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Number of the fold, from 1.
    pub fold: usize,
    /// How many of the training examples are predicted right.
    pub train: Score,
    /// How many of the examples kept apart are predicted right.
    pub validation: Score,
    /// The cost on the examples kept apart.
    pub validation_cost: f64,
    /// Number of parameter updates made.
    pub iterations: usize,
    /// Why training ended.
    pub end: End,
}

/// Mean and deviation over the folds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoldSummary {
    /// Mean of the folds' accuracies.
    pub mean: f64,
    /// Their standard deviation, √(Σ(a − ā)²/(k − 1)).
    pub deviation: f64,
    /// How many of all examples are predicted right, each by the network that has not seen it.
    pub pooled: Score,
}

/// Checks that `m` examples can be split into `k` folds.
///
/// # Errors
/// When there are fewer examples than folds, or fewer than two folds.
pub fn check_folds(k: usize, m: usize) -> Result<(), TrainError> {
    if (2..=m).contains(&k) { Ok(()) } else { Err(TrainError::Folds { k, m }) }
}

/// The folds of a training set, to be trained one by one.
pub struct Folds<'a, F: Trainable> {
    config: &'a TrainConfig,
    examples: &'a dyn Examples<F>,
    /// The examples that each fold keeps apart, in ascending order.
    kept: Vec<Vec<usize>>,
}

impl<'a, F: Trainable> Folds<'a, F> {
    /// Draws `k` folds with the configured seed, each with its share of every class.
    ///
    /// # Errors
    /// When there are fewer examples than folds, or fewer than two folds.
    pub fn new(
        config: &'a TrainConfig,
        examples: &'a dyn Examples<F>,
        k: usize,
    ) -> Result<Self, TrainError> {
        check_folds(k, examples.n_examples())?;
        if config.calibrate {
            return Err(TrainError::NothingToJudge(
                "calibrate: a fold is judged by the examples that would calibrate its network",
            ));
        }
        let kept = split::folds(examples.labels(), k, config.rng, config.seed)?;
        Ok(Self { config, examples, kept })
    }

    /// Trains on all examples but those of fold `number`, counted from 1, and judges on these.
    /// `None` when an observer asked to end.
    ///
    /// # Errors
    /// [`TrainError`]; the other folds can be trained all the same.
    /// # Panics
    /// When there is no such fold.
    pub fn train(
        &self,
        number: usize,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Option<Fold>, TrainError> {
        Ok(self.train_and_predict(number, observers)?.map(|(fold, _)| fold))
    }

    /// Returns the examples that fold `number`, counted from 1, keeps apart, in ascending order.
    ///
    /// # Panics
    /// When there is no such fold.
    pub fn kept(&self, number: usize) -> &[usize] {
        &self.kept[number - 1]
    }

    /// Trains as [`train`](Self::train) does. Returns as well what the network says of the examples that
    /// are [`kept`](Self::kept) apart, in their order.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    /// # Panics
    /// When there is no such fold.
    pub fn train_and_predict(
        &self,
        number: usize,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Option<(Fold, Evaluation<F>)>, TrainError> {
        let Self { config, examples, kept } = self;
        let kept = &kept[number - 1];
        let rest: Vec<_> =
            (0..examples.n_examples()).filter(|i| kept.binary_search(i).is_err()).collect();
        let train: Box<dyn Examples<F> + '_> = if examples.is_streamed() {
            Box::new(Subset::new(*examples, rest))
        } else {
            Box::new(copied(*examples, &rest)?)
        };
        let validation = copied(*examples, kept)?;
        // With all views.
        let to_judge = Subset::new(*examples, kept.clone());
        let training = Training::new(config, &*train).validate_on(Some(&validation));
        let trained = training.run(observers)?;
        if trained.end == End::Asked {
            return Ok(None);
        }
        let judged = evaluate(&trained.network, &to_judge)?;
        let fold = Fold {
            fold: number,
            train: evaluate(&trained.network, &*train)?.score,
            validation: judged.score,
            validation_cost: judged.cost,
            iterations: trained.iterations,
            end: trained.end,
        };
        Ok(Some((fold, judged)))
    }
}

/// Trains `k` networks, each on all examples but its fold's, and judges each on its fold. To go on
/// after a fold that fails, or with some of them: [`Folds`].
///
/// Ends early, with the folds that were finished, when an observer asks for it.
///
/// # Errors
/// Those of [`Folds`].
pub fn cross_validate<F: Trainable>(
    config: &TrainConfig,
    examples: &dyn Examples<F>,
    k: usize,
    observers: &mut [&mut dyn Observer],
) -> Result<Vec<Fold>, TrainError> {
    let folds = Folds::new(config, examples, k)?;
    let mut done = Vec::with_capacity(k);
    for number in 1..=k {
        let Some(fold) = folds.train(number, observers)? else { break };
        done.push(fold);
    }
    Ok(done)
}

/// Copies the examples `indices` into a dataset in memory.
fn copied<F: Trainable>(
    examples: &dyn Examples<F>,
    indices: &[usize],
) -> Result<Dataset<F>, TrainError> {
    let (x, labels) = selected(examples, indices)?;
    Ok(Dataset::new(x, labels, examples.classes().to_vec())?)
}

impl FoldSummary {
    /// Summarises these folds.
    pub fn of(folds: &[Fold]) -> Self {
        let accuracies = || folds.iter().map(|fold| fold.validation.accuracy());
        let n = folds.len() as f64;
        let mean = accuracies().sum::<f64>() / n;
        let squares: f64 = accuracies().map(|a| (a - mean).powi(2)).sum();
        let sum = |count: fn(&Score) -> usize| folds.iter().map(|f| count(&f.validation)).sum();
        Self {
            mean,
            deviation: if folds.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 },
            pooled: Score { correct: sum(|s| s.correct), total: sum(|s| s.total) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn every_example_is_judged_once() {
        let x = DMatrix::from_fn(2, 40, |i, j| if i == 0 { j as f64 / 20.0 - 1.0 } else { 0.5 });
        let labels = (0..40).map(|j| u32::from(j >= 20)).collect();
        let data = Dataset::new(x, labels, vec!["a".into(), "b".into()]).unwrap();
        let config = TrainConfig::course_deep().with(|c| {
            c.hidden = vec![4];
            c.learning_rate = 0.5;
            c.iterations = 300;
        });
        let config = config.unwrap();
        let folds = cross_validate(&config, &data, 4, &mut []).unwrap();
        assert_eq!(folds.iter().map(|fold| fold.fold).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let one = Folds::new(&config, &data, 4).unwrap().train(3, &mut []).unwrap();
        assert_eq!(one, Some(folds[2]), "a fold does not depend on those before it");
        let summary = FoldSummary::of(&folds);
        assert_eq!(summary.pooled.total, 40);
        assert!(summary.mean > 0.85 && summary.deviation < 0.2, "{summary:?}");
        for k in [0, 1, 41] {
            let error = cross_validate(&config, &data, k, &mut []).unwrap_err();
            assert!(error.to_string().contains("expected 2 to 40"), "{error}");
        }
    }
}
