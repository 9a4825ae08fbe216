//! The loop itself: a training run under way.

use crate::batches::Batches;
use crate::checkpoint::{Checkpoint, CheckpointError, EpochSums, Progress};
use crate::communicator::{Communicator, MicroShards, SingleProcess};
use crate::config::{Monitor, TrainConfig};
use crate::cost::{Cost, mean_cost};
use crate::engine::{Engine, Pass};
use crate::error::TrainError;
use crate::feed::Feed;
use crate::history::{CostPoint, End, EpochPoint, Trained, ValidationPoint};
use crate::observer::{Flow, IterationEvent, Moment, Observer};
use crate::optimizer::{Optimizer, Step};
use crate::schedule::{Position, Schedule};

use dnn_core::layer::PARAMETER_NAMES;
use dnn_core::metrics::{Score, predictions};
use dnn_core::{Examples, Network, Real};
use std::thread::Scope;
use std::time::Instant;

/// The examples that are judged during training, and by what.
pub(crate) struct ValidationSet<'a, F: Real> {
    /// Number of the engine's held-out set.
    pub(crate) set: usize,
    pub(crate) labels: &'a [u32],
    pub(crate) cost: &'a dyn Cost<F>,
}

/// A training run under way.
pub(crate) struct Run<'a, F: Real> {
    config: &'a TrainConfig,
    engine: &'a mut dyn Engine<F>,
    optimizer: &'a dyn Optimizer<F>,
    batches: Batches,
    n_iterations: usize,
    validate_every: usize,
    held_out: Option<ValidationSet<'a, F>>,
    progress: Progress,
    /// The iteration of the last validation.
    judged_at: Option<usize>,
    best_network: Option<Network<F>>,
    /// The network as it was drawn: the shape of what a checkpoint keeps.
    drawn: Network<F>,
    pub(crate) communicator: &'a dyn Communicator,
}

impl<'a, F: Real> Run<'a, F> {
    /// Before its first iteration: `engine` trains the network `drawn` on `m` examples.
    pub(crate) fn new(
        config: &'a TrainConfig,
        drawn: Network<F>,
        engine: &'a mut dyn Engine<F>,
        optimizer: &'a dyn Optimizer<F>,
        m: usize,
        held_out: Option<ValidationSet<'a, F>>,
        progress: Progress,
    ) -> Self {
        Self {
            config,
            engine,
            optimizer,
            batches: Batches::new(
                m,
                config.batch_size,
                config.rng,
                config.shuffle_seed.unwrap_or(config.seed),
            ),
            n_iterations: config.n_iterations(m),
            validate_every: config.validation_interval(m),
            held_out,
            progress,
            judged_at: None,
            best_network: None,
            drawn,
            communicator: &SingleProcess,
        }
    }

    /// Returns the reader of batches that are not in memory, on a thread of the scope, from the
    /// present iteration on.
    pub(crate) fn feed<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        examples: &'scope dyn Examples<F>,
    ) -> Feed<F> {
        let iterations = self.progress.iteration..self.n_iterations;
        let n_shards = self.config.micro_shards.unwrap_or(1);
        self.batches = self.batches.clone().by_blocks(examples.blocks(), n_shards);
        let shards = MicroShards::new(n_shards, self.communicator);
        // Partners may be anywhere in the batch.
        let shards = if self.config.mixup > 0.0 { MicroShards::WHOLE } else { shards };
        Feed::start(scope, examples, self.batches.clone(), iterations, shards)
    }

    /// Iterations, validations and checkpoints until the end. `feed` is its own: the reader, which
    /// waits for somebody to take its batches, ends with it, also when an observer panics.
    pub(crate) fn train(
        &mut self,
        mut feed: Option<Feed<F>>,
        observers: &mut [&mut dyn Observer],
    ) -> Result<End, TrainError> {
        let stop = observers.iter_mut().any(|observer| observer.on_start() == Flow::Stop);
        if self.communicator.said_by_first(stop) {
            return Ok(End::Asked);
        }
        let start = self.progress.iteration;
        let over = self.config.time.and_then(|time| Instant::now().checked_add(time.duration()));
        loop {
            let iteration = self.progress.iteration;
            let mut end = (iteration >= self.n_iterations).then_some(End::Completed);
            let mut improved = false;
            let ends_epoch = iteration.is_multiple_of(self.batches.per_epoch());
            if iteration.is_multiple_of(self.validate_every) && self.is_unjudged() {
                improved = self.judge(observers)?;
            }
            if ends_epoch {
                self.end_epoch(observers);
            }
            // Also when going on from a checkpoint that was made here.
            let patience = self.config.patience;
            if patience > 0 && self.progress.waited >= patience {
                end = end.or(Some(End::Early));
            }
            if iteration > start
                && let Some(over) = over
                && self.communicator.said_by_first(Instant::now() >= over)
            {
                end = end.or(Some(End::Time));
            }
            if iteration > start || end.is_some() {
                self.offer_checkpoint(observers, improved, end.is_some());
            }
            if let Some(end) = end {
                // A validation that is made only because training ends is not part of the
                // checkpoint, nor is an epoch that is cut short: a run that is given more iterations
                // later does not have them.
                if self.is_unjudged() {
                    self.judge(observers)?;
                }
                self.end_epoch(observers);
                return Ok(end);
            }
            if self.iterate(feed.as_mut(), observers)? == Flow::Stop {
                // For whoever wants to go on later: the state before this iteration.
                self.offer_checkpoint(observers, false, true);
                self.end_epoch(observers);
                return Ok(End::Asked);
            }
        }
    }

    /// One iteration: cost, log, update.
    fn iterate(
        &mut self,
        mut feed: Option<&mut Feed<F>>,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Flow, TrainError> {
        let Self { config, engine, batches, progress, communicator, .. } = self;
        let iteration = progress.iteration;
        let epoch = iteration / batches.per_epoch();
        let n_iterations = self.n_iterations;
        let at = Position { iteration, n_iterations, epoch, plateaus: progress.plateaus };
        let learning_rate = config.schedule.learning_rate(config.learning_rate, &at);
        let m = batches.m();
        let mut fed = feed.as_mut().map(|feed| feed.next()).transpose()?;
        let in_memory = if fed.is_some() { None } else { batches.at(iteration)? };
        let n_batch = fed.as_ref().map(|fed| fed.batch.len()).or(in_memory.map(<[usize]>::len));
        let n_batch = n_batch.unwrap_or(m);
        // λ/2m·Σ‖W‖² with the m of this batch, as the gradient has it.
        let l2 = config.l2 / n_batch as f64;
        let cost = if let Some(fed) = &mut fed {
            engine.feed(&mut fed.x, fed.from);
            engine.cost(Pass { batch: Some(&fed.batch), iteration })
        } else {
            engine.cost(Pass { batch: in_memory, iteration })
        };
        if let (Some(feed), Some(fed)) = (feed, fed) {
            feed.give_back(fed);
        }
        let log = iteration.is_multiple_of(config.log_every);
        let before = (progress.since_log, progress.since_epoch, progress.costs.len());
        let has_batches = n_batch < m;
        if has_batches {
            progress.since_epoch.add(cost, engine.score(), learning_rate);
        }
        // The sums as well: a checkpoint keeps them, and JSON has no infinity.
        if ![cost, progress.since_log.0 + cost, progress.since_epoch.cost]
            .iter()
            .all(|c| c.is_finite())
        {
            return Err(self.diverged(cost, learning_rate));
        }
        let score = (log && !has_batches).then(|| engine.score());
        let mut reported = cost;
        let (sum, n) = &mut progress.since_log;
        (*sum, *n) = (*sum + cost, *n + 1);
        if log {
            if has_batches {
                reported = *sum / *n as f64;
            }
            (*sum, *n) = (0.0, 0);
            if l2 > 0.0 {
                reported += 0.5 * l2 * engine.squared_weights();
            }
            if !reported.is_finite() {
                return Err(self.diverged(reported, learning_rate));
            }
            progress.costs.push(CostPoint { iteration, cost: reported, score });
            progress.health = engine.health();
        }
        let event = IterationEvent {
            iteration,
            n_iterations,
            epoch,
            cost: reported,
            score,
            learning_rate,
            log,
            health: if log { &progress.health } else { &[] },
            validation: progress.validations.last().copied(),
        };
        let mut stop = false;
        for observer in observers.iter_mut() {
            stop |= observer.on_iteration(&event) == Flow::Stop;
        }
        if communicator.said_by_first(stop) {
            // Nothing of this iteration has happened, for whoever goes on from here.
            (progress.since_log, progress.since_epoch) = (before.0, before.1);
            progress.costs.truncate(before.2);
            return Ok(Flow::Stop);
        }
        progress.iteration += 1;
        let step = Step { l2, ..Step::new(progress.iteration as u64, learning_rate) };
        let clip = (config.clip_norm > 0.0).then_some(config.clip_norm);
        engine.update(self.optimizer, step, clip);
        Ok(Flow::Continue)
    }

    /// Records the pass over the training set that has come to its end, if there is one.
    fn end_epoch(&mut self, observers: &mut [&mut dyn Observer]) {
        let EpochSums { cost, correct, total, learning_rate } =
            std::mem::take(&mut self.progress.since_epoch);
        if total == 0 {
            return;
        }
        let iteration = self.progress.iteration;
        let epoch = iteration.div_ceil(self.batches.per_epoch());
        let (cost, score) = (cost / total as f64, Score { correct, total });
        let point = EpochPoint { epoch, iteration, cost, score, learning_rate };
        self.progress.epochs.push(point);
        for observer in observers.iter_mut() {
            observer.on_epoch(&point);
        }
    }

    /// The first layer, from 1, in which a number is not finite; the last one if only the cost is
    /// not.
    fn first_not_finite(&mut self) -> usize {
        self.engine.first_not_finite().unwrap_or(self.config.hidden.len() + 1)
    }

    fn diverged(&mut self, cost: f64, learning_rate: f64) -> TrainError {
        let (iteration, layer) = (self.progress.iteration, self.first_not_finite());
        TrainError::Diverged { iteration, cost, layer, learning_rate }
    }

    /// Returns whether there is a validation set that has not been judged since the last update.
    fn is_unjudged(&self) -> bool {
        let iteration = self.progress.iteration;
        self.held_out.is_some() && self.judged_at != Some(iteration) && iteration > 0
    }

    /// Asks the engine for something of the network that training is to end with: the average of the
    /// parameters, where one is kept.
    fn averaged<T>(&mut self, ask: impl FnOnce(&mut dyn Engine<F>) -> T) -> T {
        self.engine.exchange_average();
        let answer = ask(self.engine);
        self.engine.exchange_average();
        answer
    }

    /// Judges the network by the validation set. Returns whether it is the best so far.
    fn judge(&mut self, observers: &mut [&mut dyn Observer]) -> Result<bool, TrainError> {
        let Some(&ValidationSet { set, labels, cost }) = self.held_out.as_ref() else {
            return Ok(false);
        };
        let logits = self.averaged(|engine| engine.held_out_logits(set));
        let iteration = self.progress.iteration;
        let cost = mean_cost(cost, &logits, labels);
        if !cost.is_finite() {
            let layer = self.first_not_finite();
            return Err(TrainError::ValidationDiverged { iteration, cost, layer });
        }
        let probabilities = self.drawn.probabilities_of_logits(logits);
        let score = Score::of(&predictions(&probabilities), labels);
        let point = ValidationPoint { iteration, cost, score };
        let progress = &mut self.progress;
        let best = progress.best.map(|best| progress.validations[best]);
        let improved = best.is_none_or(|best| match self.config.monitor {
            Monitor::ValidationCost => cost < best.cost,
            Monitor::ValidationAccuracy => score.correct > best.score.correct,
        });
        progress.validations.push(point);
        if improved {
            progress.best = Some(progress.validations.len() - 1);
            progress.waited = 0;
        } else {
            progress.waited += 1;
        }
        if let Schedule::Plateau { patience, .. } = self.config.schedule {
            let (lowest, waited) = &mut progress.plateau;
            if lowest.is_none_or(|lowest| cost < lowest) {
                (*lowest, *waited) = (Some(cost), 0);
            } else {
                *waited += 1;
                if *waited >= patience {
                    *waited = 0;
                    progress.plateaus += 1;
                }
            }
        }
        self.judged_at = Some(iteration);
        if improved && self.config.restore_best {
            self.best_network = Some(self.averaged(|engine| engine.network()));
        }
        for observer in observers.iter_mut() {
            observer.on_validation(&point, improved);
        }
        Ok(improved)
    }

    fn offer_checkpoint(
        &mut self,
        observers: &mut [&mut dyn Observer],
        improved: bool,
        last: bool,
    ) {
        let iteration = self.progress.iteration;
        let per_epoch = self.batches.per_epoch();
        let moment = Moment {
            iteration,
            epoch: iteration / per_epoch,
            ends_epoch: iteration.is_multiple_of(per_epoch),
            improved,
            last,
        };
        let mut checkpoint = None;
        for observer in observers.iter_mut() {
            if observer.wants_checkpoint(&moment) {
                if checkpoint.is_none() {
                    checkpoint = self.checkpoint();
                }
                let Some(checkpoint) = &checkpoint else { return };
                observer.on_checkpoint(checkpoint, &moment);
            }
        }
    }

    /// Returns where training stands; `None` when a parameter is not finite, from which nothing can
    /// go on: the older checkpoint is better then.
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.progress.clone());
        for (name, tensor) in self.engine.state() {
            let is_moment = name.contains("moment");
            if !is_moment && !tensor.iter().all(nalgebra::ComplexField::is_finite) {
                return None;
            }
            let shape = [tensor.nrows(), tensor.ncols()];
            checkpoint.put(name, tensor.iter(), shape);
        }
        if let Some(best) = &self.best_network {
            for (l, layer) in best.layers().iter().enumerate() {
                for (name, values) in PARAMETER_NAMES.into_iter().zip(layer.parameters()) {
                    if let Some(n_columns) = values.len().checked_div(layer.n()).filter(|&n| n > 0)
                    {
                        let shape = [layer.n(), n_columns];
                        checkpoint.put(format!("best.{name}{}", l + 1), values.iter(), shape);
                    }
                }
            }
        }
        Some(checkpoint)
    }

    /// Restores the state that a checkpoint holds.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let then = checkpoint.progress();
        let same = |what, then: &str, now: &str| {
            if then == now {
                return Ok(());
            }
            let (then, now) = (then.to_owned(), now.to_owned());
            Err(CheckpointError::Mismatch { what, then, now })
        };
        same("the data", &then.data, &self.progress.data)?;
        same("the engine", &then.engine, &self.progress.engine)?;
        let precision = |config: &TrainConfig| config.precision.to_string();
        same("the precision", &precision(&then.config), &precision(self.config))?;
        let network = |name: &Option<String>| name.clone().unwrap_or_else(|| "a drawn one".into());
        same(
            "the network it started from",
            &network(&then.started_from),
            &network(&self.progress.started_from),
        )?;
        for (name, mut tensor) in self.engine.state() {
            checkpoint.get(&name, &mut tensor)?;
        }
        if checkpoint.has("best.W1") {
            let layers = self.drawn.layers().iter().enumerate().map(|(l, layer)| {
                layer.with_parameters(|index, shape| {
                    let name = format!("best.{}{}", PARAMETER_NAMES[index], l + 1);
                    Ok::<_, TrainError>(checkpoint.matrix::<F>(&name, shape)?)
                })
            });
            let layers = layers.collect::<Result<Vec<_>, TrainError>>()?;
            self.best_network = Some(Network::new(layers, self.drawn.output())?);
        }
        self.progress = Progress { config: self.config.clone(), ..then.clone() };
        self.judged_at = then.validations.last().map(|last| last.iteration);
        Ok(())
    }

    /// Returns the result of the run: its last network, or the best one where that was asked for.
    pub(crate) fn finish(mut self, end: End) -> Result<Trained<F>, TrainError> {
        let network = self.averaged(|engine| engine.network());
        if !network.is_finite() {
            return Err(self.diverged(f64::NAN, self.config.learning_rate));
        }
        let Self { engine, best_network, progress, .. } = self;
        Ok(Trained {
            network: best_network.unwrap_or(network),
            conformal: None,
            best: progress.best.map(|best| progress.validations[best]),
            costs: progress.costs,
            epochs: progress.epochs,
            validations: progress.validations,
            split: None,
            iterations: progress.iteration,
            end,
            engine: engine.name(),
            health: progress.health,
        })
    }
}
