//! Choosing among recipes by nested cross-validation.
//!
//! Each recipe is judged on folds that its network has not seen. Whoever picks the best of several by
//! these figures and reports its figure flatters it, so each fold also picks among the recipes anew, by
//! folds of its own training examples, and what is picked is judged on the fold: that figure is unbiased
//! for "search, then train" (Varma and Simon 2006).

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::history::End;
use crate::observer::{Flow, IterationEvent};
use crate::trainable::{Trainable, evaluate};
use crate::trainer::Training;
use dnn_core::metrics::Score;
use dnn_core::rng::RngKind;
use dnn_core::split::Shard;
use dnn_core::{Examples, Real, ViewedExamples, split};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A way to train that is tried.
#[derive(Debug, Clone)]
pub struct Recipe<'a, F: Real> {
    /// What it is called.
    pub name: String,
    /// How is trained.
    pub config: TrainConfig,
    /// The examples as the recipe sees them.
    pub examples: &'a ViewedExamples<F>,
    /// Whether each feature is brought to mean 0 and deviation 1 by the training examples of each fold.
    pub standardize: bool,
    /// The magnitude at which standardised features are cut.
    pub clip: Option<f64>,
}

/// How recipes are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How often the whole is done, with other folds each time.
    pub repeats: usize,
    /// Folds by which the recipes are judged.
    pub folds: usize,
    /// Folds of the training examples of each of these, by which it chooses; 0 when the recipes are only
    /// [compared](Search::compared).
    pub inner_folds: usize,
    /// Decides the folds and the networks.
    pub seed: u64,
}

/// One network that is trained and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number of the repeat, from 0.
    pub repeat: usize,
    /// Number of the fold, from 0.
    pub fold: usize,
    /// Number of the inner fold, from 0; none when it is judged on the fold itself.
    pub inner: Option<usize>,
    /// Number of the recipe, from 0.
    pub recipe: usize,
    /// −ln p of the true class of each example judged, in ascending order of the examples.
    pub losses: Vec<f64>,
    /// Whether each of them was right.
    pub right: Vec<bool>,
}

impl Trial {
    /// Returns what a trial is known by among those of a search: its repeat, fold, recipe and inner fold. In
    /// ascending order these are the trials as they are begun; that of a fold itself comes after those of
    /// its inner folds.
    pub fn place(&self) -> (usize, usize, usize, usize) {
        place((self.repeat, self.fold, self.recipe, self.inner))
    }
}

fn place(
    (repeat, fold, recipe, inner): (usize, usize, usize, Option<usize>),
) -> (usize, usize, usize, usize) {
    (repeat, fold, recipe, inner.unwrap_or(usize::MAX))
}

/// Cross-validated figures of a recipe or a baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// What it is called.
    pub name: String,
    /// Share of the examples that are right, each judged by a network that has not seen it; the mean over
    /// the repeats.
    pub accuracy: f64,
    /// Wilson's 95 % interval of it, for as many examples as there are.
    pub interval: [f64; 2],
    /// Mean of −ln p; none of a baseline without probabilities.
    pub log_loss: Option<f64>,
    /// Standard error of the log loss, by the spread over the examples.
    pub log_loss_error: Option<f64>,
}

impl Figures {
    fn loss(&self) -> f64 {
        self.log_loss.unwrap_or(f64::INFINITY)
    }
}

/// The outcome of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Every recipe, in their order.
    pub recipes: Vec<Figures>,
    /// The majority class and the best threshold on one feature.
    pub baselines: Vec<Figures>,
    /// Of "search, then train": each fold judged with the recipe that its training examples chose.
    pub nested: Figures,
    /// How often each recipe was chosen so, in their order.
    pub chosen_in_folds: Vec<usize>,
    /// The recipe of the lowest log loss.
    pub best: usize,
    /// The first recipe whose log loss is within one standard error of the lowest: the simplest, when
    /// they come in order of simplicity.
    pub simplest: usize,
}

/// A search: recipes, simplest first, and how they are judged.
#[derive(Debug, Clone)]
pub struct Search<'a, F: Real> {
    recipes: Vec<Recipe<'a, F>>,
    plan: Plan,
    labels: &'a [u32],
    n_classes: usize,
    /// Of each repeat and fold the examples kept apart.
    kept: Vec<Vec<Vec<usize>>>,
}

impl<'a, F: Trainable> Search<'a, F> {
    /// Draws the folds.
    ///
    /// # Errors
    /// When there are too few examples for them.
    /// # Panics
    /// When there is no recipe, or recipes have other examples.
    pub fn new(recipes: Vec<Recipe<'a, F>>, plan: Plan) -> Result<Self, TrainError> {
        let examples = recipes.first().expect("a recipe at least").examples;
        assert!(
            recipes.iter().all(|r| r.examples.labels() == examples.labels()),
            "the same examples"
        );
        let labels = examples.labels();
        let m = labels.len();
        crate::check_folds(plan.folds, m)?;
        if plan.inner_folds > 0 {
            crate::check_folds(plan.inner_folds, m - m.div_ceil(plan.folds))?;
        }
        let seeds = (0..plan.repeats as u64).map(|repeat| plan.seed.wrapping_add(repeat));
        let folds = seeds.map(|seed| split::folds(labels, plan.folds, RngKind::Modern, seed));
        let kept = folds.collect::<Result<_, _>>()?;
        Ok(Self { recipes, plan, labels, n_classes: examples.classes().len(), kept })
    }

    /// Returns the number of networks that are trained in all.
    pub fn n_trials(&self) -> usize {
        let Plan { repeats, folds, inner_folds, .. } = self.plan;
        repeats * folds * (inner_folds + 1) * self.recipes.len()
    }

    /// Trains and judges what of the trials that [are dealt](Shard::is_dealt) to the shard is not among
    /// `done` on so many threads, and gives each trial to `report` as it comes; what a trial says does not
    /// depend on the others. Ends early when `stop` says so.
    ///
    /// # Errors
    /// The first trial that fails.
    pub fn run(
        &self,
        done: Vec<Trial>,
        shard: Shard,
        n_threads: usize,
        stop: &(dyn Fn() -> bool + Sync),
        report: &(dyn Fn(&Trial) + Sync),
    ) -> Result<Vec<Trial>, TrainError> {
        let Plan { repeats, folds, inner_folds, .. } = self.plan;
        let places = (0..repeats).flat_map(|repeat| (0..folds).map(move |fold| (repeat, fold)));
        let inner = || (0..inner_folds).map(Some).chain([None]);
        let recipes = 0..self.recipes.len();
        let all = places.flat_map(|(repeat, fold)| {
            let recipes = recipes.clone();
            recipes.flat_map(move |r| inner().map(move |inner| (repeat, fold, r, inner)))
        });
        let known: Vec<_> = done.iter().map(Trial::place).collect();
        let own = all.enumerate().filter(|(i, _)| shard.is_dealt(*i)).map(|(_, trial)| trial);
        let missing: Vec<_> = own.filter(|&trial| !known.contains(&place(trial))).collect();
        let next = AtomicUsize::new(0);
        let trials = Mutex::new(Ok(done));
        let work = || {
            while let Some(&place) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                let trial = self.trial(place, stop);
                let mut trials = trials.lock().unwrap_or_else(PoisonError::into_inner);
                match (trial, &mut *trials) {
                    (Ok(Some(trial)), Ok(trials)) => {
                        report(&trial);
                        trials.push(trial);
                    }
                    (Err(error), trials @ Ok(_)) => *trials = Err(error),
                    _ => return,
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..n_threads.min(missing.len()) {
                scope.spawn(work);
            }
            work();
        });
        trials.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when it was stopped.
    fn trial(
        &self,
        (repeat, fold, recipe, inner): (usize, usize, usize, Option<usize>),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Trial>, TrainError> {
        let kept = &self.kept[repeat][fold];
        let rest = self.without(kept);
        let (train, kept) = match inner {
            None => (rest, kept.clone()),
            Some(number) => {
                let labels: Vec<u32> = rest.iter().map(|&i| self.labels[i]).collect();
                let seed =
                    self.plan.seed.wrapping_add((1 + repeat * self.plan.folds + fold) as u64);
                let folds = split::folds(&labels, self.plan.inner_folds, RngKind::Modern, !seed)?;
                let kept: Vec<usize> = folds[number].iter().map(|&i| rest[i]).collect();
                (rest.into_iter().filter(|i| kept.binary_search(i).is_err()).collect(), kept)
            }
        };
        let Recipe { config, examples, standardize, clip, .. } = &self.recipes[recipe];
        let (mut train, mut kept) = (examples.select(&train), examples.select(&kept));
        if *standardize {
            train.standardize(&mut kept, *clip);
        }
        let config = config.clone().with(|config| {
            config.threads = 1;
            config.seed = config.seed.wrapping_add(repeat as u64);
        });
        let config = config.map_err(crate::config::ShapeError::from)?;
        let mut stops = |_: &IterationEvent<'_>| if stop() { Flow::Stop } else { Flow::Continue };
        let trained = Training::new(&config, &train).run(&mut [&mut stops])?;
        if trained.end == End::Asked {
            return Ok(None);
        }
        let judged = evaluate(&trained.network, &kept)?;
        let loss = |(j, &label): (usize, &u32)| {
            -judged.probabilities[(label as usize, j)].as_f64().max(f64::from(f32::EPSILON)).ln()
        };
        let right =
            judged.predictions.iter().zip(kept.labels()).map(|(p, &label)| p.class == label);
        let losses = kept.labels().iter().enumerate().map(loss).collect();
        Ok(Some(Trial { repeat, fold, inner, recipe, losses, right: right.collect() }))
    }

    fn without(&self, kept: &[usize]) -> Vec<usize> {
        (0..self.labels.len()).filter(|i| kept.binary_search(i).is_err()).collect()
    }

    fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<F> {
        let Plan { repeats, folds, .. } = self.plan;
        (0..repeats).flat_map(move |repeat| (0..folds).map(move |fold| (repeat, fold)))
    }

    /// What a trial on a fold itself says: the fold, what was right, and the losses.
    fn on_fold(&self, trials: &[Trial], place: (usize, usize), recipe: usize) -> Judged<'_> {
        let (repeat, fold) = place;
        let mut trials = trials.iter();
        let is_it = |t: &&Trial| {
            (t.repeat, t.fold, t.recipe) == (repeat, fold, recipe) && t.inner.is_none()
        };
        let trial = trials.find(is_it).expect("a trial");
        (&self.kept[repeat][fold][..], trial.right.clone(), trial.losses.clone())
    }

    /// Returns the cross-validated figures of every recipe, in their order, and the place of the lowest log
    /// loss among them.
    ///
    /// # Panics
    /// When a trial is missing.
    pub fn compared(&self, trials: &[Trial]) -> (Vec<Figures>, usize) {
        let figures = |(recipe, named): (usize, &Recipe<'_, F>)| {
            let folds = self.places().map(|place| self.on_fold(trials, place, recipe));
            self.figures(&named.name, folds)
        };
        let recipes: Vec<Figures> = self.recipes.iter().enumerate().map(figures).collect();
        let best = lowest(recipes.iter().map(Figures::loss));
        (recipes, best)
    }

    /// Returns what the trials of a search that is done come to; the threshold of the baseline is sought
    /// in the features of `described`.
    ///
    /// # Panics
    /// When a trial is missing.
    pub fn found(&self, trials: &[Trial], described: &ViewedExamples<F>) -> Found {
        let (recipes, best) = self.compared(trials);
        let mut chosen_in_folds = vec![0; self.recipes.len()];
        let nested = self.figures(
            "search, then train",
            self.places().map(|(repeat, fold)| {
                let inner_loss = |recipe| {
                    let of = |t: &&Trial| {
                        (t.repeat, t.fold, t.recipe) == (repeat, fold, recipe) && t.inner.is_some()
                    };
                    let losses = trials.iter().filter(of).flat_map(|trial| &trial.losses);
                    let (sum, n) = losses.fold((0.0, 0), |(sum, n), loss| (sum + loss, n + 1));
                    sum / f64::from(n)
                };
                let recipe = lowest((0..self.recipes.len()).map(inner_loss));
                chosen_in_folds[recipe] += 1;
                self.on_fold(trials, (repeat, fold), recipe)
            }),
        );
        let baseline = |name: &str, answers: Answers<'_>| {
            self.figures(
                name,
                self.places().map(|(repeat, fold)| {
                    let kept = &self.kept[repeat][fold][..];
                    let answers = answers(&self.without(kept), kept);
                    let right =
                        kept.iter().zip(answers).map(|(&i, answer)| self.labels[i] == answer);
                    (kept, right.collect(), Vec::new())
                }),
            )
        };
        let majority = |train: &[usize], kept: &[usize]| {
            vec![most_common(self.counts(train.iter())).0; kept.len()]
        };
        let threshold = |train: &[usize], kept: &[usize]| {
            let stump = self.stump(described, train);
            kept.iter().map(|&i| stump.answer(described, i)).collect()
        };
        let baselines = vec![
            baseline("majority class", &majority),
            baseline("one feature, one threshold", &threshold),
        ];
        let bound = recipes[best].loss() + recipes[best].log_loss_error.unwrap_or(0.0);
        let simplest = recipes.iter().position(|of| of.loss() <= bound).unwrap_or(best);
        Found { recipes, baselines, nested, chosen_in_folds, best, simplest }
    }

    /// Figures of what is right and the losses of the examples of each fold.
    fn figures<'k>(&self, name: &str, folds: impl Iterator<Item = Judged<'k>>) -> Figures {
        let m = self.labels.len();
        let repeats = self.plan.repeats as f64;
        let (mut right, mut losses, mut has_losses) = (0, vec![0.0; m], false);
        for (kept, is_right, loss) in folds {
            right += is_right.iter().filter(|right| **right).count();
            has_losses |= !loss.is_empty();
            kept.iter().zip(loss).for_each(|(&i, loss)| losses[i] += loss / repeats);
        }
        let accuracy = right as f64 / (m as f64 * repeats);
        let correct = (accuracy * m as f64).round() as usize;
        let interval = Score { correct, total: m }.wilson_interval().into();
        let mean = losses.iter().sum::<f64>() / m as f64;
        let square: f64 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        let error = (square / (m as f64 - 1.0) / m as f64).sqrt();
        let (log_loss, log_loss_error) = (has_losses.then_some(mean), has_losses.then_some(error));
        Figures { name: name.into(), accuracy, interval, log_loss, log_loss_error }
    }

    fn counts<'i>(&self, of: impl Iterator<Item = &'i usize>) -> Vec<usize> {
        let mut counts = vec![0; self.n_classes];
        of.for_each(|&i| counts[self.labels[i] as usize] += 1);
        counts
    }

    /// The threshold on one feature that is right most often on these examples.
    fn stump(&self, described: &ViewedExamples<F>, train: &[usize]) -> Stump {
        let all = self.counts(train.iter());
        let (class, n_right) = most_common(all.clone());
        let constant = Stump { feature: 0, threshold: f64::INFINITY, below: class, above: class };
        let mut best = (n_right, constant);
        for feature in 0..described.n_features() {
            let value = |i: usize| described.x()[(feature, i * described.n_views())].as_f64();
            let mut order = train.to_vec();
            order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
            let mut below = vec![0; self.n_classes];
            for pair in order.windows(2) {
                below[self.labels[pair[0]] as usize] += 1;
                let (low, high) = (value(pair[0]), value(pair[1]));
                if low == high {
                    continue;
                }
                let above = all.iter().zip(&below).map(|(all, below)| all - below).collect();
                let (of_below, of_above) = (most_common(below.clone()), most_common(above));
                if of_below.1 + of_above.1 > best.0 {
                    let threshold = f64::midpoint(low, high);
                    let (below, above) = (of_below.0, of_above.0);
                    best = (of_below.1 + of_above.1, Stump { feature, threshold, below, above });
                }
            }
        }
        best.1
    }
}

/// The examples of a fold, whether each was right, and the loss of each.
type Judged<'k> = (&'k [usize], Vec<bool>, Vec<f64>);

/// A class below a threshold on one feature, and another above it.
struct Stump {
    feature: usize,
    threshold: f64,
    below: u32,
    above: u32,
}

impl Stump {
    fn answer<F: Real>(&self, described: &ViewedExamples<F>, i: usize) -> u32 {
        let value = described.x()[(self.feature, i * described.n_views())].as_f64();
        if value <= self.threshold { self.below } else { self.above }
    }
}

/// The class of the most examples, the first of several, and their number.
fn most_common(counts: Vec<usize>) -> (u32, usize) {
    let first = |best: (u32, usize), (class, n)| if n > best.1 { (class, n) } else { best };
    (0..).zip(counts).fold((0, 0), first)
}

/// The place of the lowest, the first of several.
fn lowest(values: impl Iterator<Item = f64>) -> usize {
    let lower = |best: (usize, f64), (i, value)| if value < best.1 { (i, value) } else { best };
    values.enumerate().fold((0, f64::INFINITY), lower).0
}

/// Answers for examples, the second, by what was learnt from others, the first.
type Answers<'a> = &'a dyn Fn(&[usize], &[usize]) -> Vec<u32>;

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_core::Dataset;
    use nalgebra::DMatrix;

    /// Two features: one that tells the classes apart but for every tenth example, and noise.
    fn examples(informative: bool) -> ViewedExamples<f64> {
        let noise = |i: usize| ((i * 7919) % 101) as f64 / 50.0 - 1.0;
        let labels: Vec<u32> = (0..60).map(|i| u32::from(i % 3 == 0)).collect();
        let x = DMatrix::from_fn(2, 60, |row, i| match row {
            0 if informative => f64::from(labels[i] ^ u32::from(i % 10 == 0)) + 0.1 * noise(i),
            _ => noise(i + 31 * row),
        });
        let data = Dataset::new(x, labels, vec!["a".into(), "b".into()]).expect("sound");
        ViewedExamples::read(&data, 1).expect("in memory")
    }

    fn recipe<'a>(name: &str, examples: &'a ViewedExamples<f64>) -> Recipe<'a, f64> {
        let config = TrainConfig::table().with(|config| {
            config.hidden = vec![];
            config.epochs = 30;
            config.learning_rate = 0.05;
            config.precision = crate::config::TrainingPrecision::F64;
        });
        Recipe {
            name: name.into(),
            config: config.expect("sound"),
            examples,
            standardize: true,
            clip: Some(5.0),
        }
    }

    const PLAN: Plan = Plan { repeats: 2, folds: 3, inner_folds: 2, seed: 4 };

    #[test]
    fn the_recipe_that_sees_more_is_found_and_goes_on_where_it_stopped() {
        let (blind, seeing) = (examples(false), examples(true));
        let recipes = || vec![recipe("blind", &blind), recipe("seeing", &seeing)];
        let search = Search::new(recipes(), PLAN).expect("folds");
        assert_eq!(search.n_trials(), 2 * 3 * 3 * 2);
        let never = || false;
        let trials = search.run(Vec::new(), Shard::WHOLE, 2, &never, &|_| ()).expect("trained");
        assert_eq!(trials.len(), search.n_trials());
        let found = search.found(&trials, &seeing);
        assert_eq!((found.best, found.simplest), (1, 1), "{found:?}");
        assert_eq!(found.chosen_in_folds, [0, 6]);
        assert_eq!(found.nested.accuracy, found.recipes[1].accuracy);
        assert!((found.baselines[0].accuracy - 40.0 / 60.0).abs() < 1e-12);
        // 0.9 but for folds whose threshold lies in the noise.
        assert!((0.85..=0.9).contains(&found.baselines[1].accuracy), "{:?}", found.baselines[1]);
        assert!(found.recipes[1].accuracy > 0.85 && found.recipes[0].accuracy < 0.8);

        // Stopped after five, and gone on with: the same, whatever the threads.
        let (compared, best) = search.compared(&trials);
        assert_eq!((compared, best), (found.recipes.clone(), 1));
        let only = Search::new(recipes(), Plan { inner_folds: 0, ..PLAN }).expect("folds");
        let trials_of_it = only.run(Vec::new(), Shard::WHOLE, 2, &never, &|_| ()).expect("trained");
        assert_eq!(trials_of_it.len(), 2 * 3 * 2, "without inner folds");
        assert_eq!(only.compared(&trials_of_it), search.compared(&trials));
        let some = trials[..5].to_vec();
        let again = search.run(some, Shard::WHOLE, 1, &never, &|_| ()).expect("trained");
        assert_eq!(search.found(&again, &seeing), found);
        // In shards, put together in the order of the trials: the same trials.
        let mut of_shards = Vec::new();
        for shard in (0..3).filter_map(|i| Shard::new(i, 3)) {
            let own = search.run(Vec::new(), shard, 1, &never, &|_| ()).expect("trained");
            assert_eq!(own.len(), shard.n_dealt(search.n_trials()));
            of_shards.extend(own);
        }
        of_shards.sort_by_key(Trial::place);
        let whole = search.run(Vec::new(), Shard::WHOLE, 1, &never, &|_| ()).expect("trained");
        assert_eq!(of_shards, whole);
        assert!(
            search.run(Vec::new(), Shard::WHOLE, 1, &|| true, &|_| ()).expect("stopped").is_empty()
        );
    }

    #[test]
    fn no_example_is_judged_by_a_network_that_has_seen_it() {
        let examples = examples(true);
        let search = Search::new(vec![recipe("only", &examples)], PLAN).expect("folds");
        for repeat in &search.kept {
            let mut all: Vec<usize> = repeat.concat();
            all.sort_unstable();
            assert_eq!(all, (0..60).collect::<Vec<_>>(), "each is judged once");
        }
        assert_ne!(search.kept[0], search.kept[1], "repeats have folds of their own");
        let error = Search::new(vec![recipe("only", &examples)], Plan { folds: 61, ..PLAN });
        assert!(error.is_err());
    }
}
