//! Progress of training: a bar on a terminal, lines elsewhere.

use crate::console::{self, Console, of_how_many};
use dnn_train::{Flow, IterationEvent, Observer, ValidationPoint};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Instant;

/// The bar is updated once in this many iterations, which is often enough for the eye.
const BAR_EVERY: usize = 8;
/// Steps of a [`Part`] of a bar.
const STEPS: u64 = 1000;
/// Epochs that get a line of their own; of more, every so many.
const EPOCH_LINES: usize = 50;

/// Prints the cost at each logged iteration, as the course does, or a line for each epoch of
/// mini-batches, above a bar.
pub(crate) struct Progress {
    bar: ProgressBar,
    console: Console,
    /// The line that says what is trained on, until it has been printed above the first cost.
    heading: Option<String>,
    /// Whether standard output can still be written to.
    heard: bool,
    epochs: Option<Epochs>,
}

/// The epoch that is being made.
struct Epochs {
    batch_size: usize,
    n: usize,
    /// Epochs that are complete.
    done: usize,
    /// Sum and number of the costs of its batches, and the rate of the last.
    costs: (f64, usize),
    learning_rate: f64,
    began: Instant,
    validation: Option<(ValidationPoint, bool)>,
}

/// Makes a bar of `n` steps, which is hidden when standard error is no terminal.
pub(crate) fn bar(console: Console, n: usize, template: &str) -> ProgressBar {
    let target = if console.quiet {
        ProgressDrawTarget::hidden()
    } else {
        // Hidden by itself where standard error is no terminal.
        ProgressDrawTarget::stderr()
    };
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::with_draw_target(Some(n as u64), target).with_style(style)
}

/// Makes a bar of images that are read.
pub(crate) fn image_bar(console: Console) -> ProgressBar {
    bar(console, 0, "{bar:25} {pos}/{len} images  {per_sec}  {eta} left")
}

/// Makes a bar of `n` trainings, which moves within each: see [`Part`].
pub(crate) fn series_bar(console: Console, n: usize) -> ProgressBar {
    bar(console, n * STEPS as usize, "{bar:25} {percent} %  {msg}  {eta} left")
}

/// A training as a part of a [`series_bar`].
pub(crate) struct Part<'a> {
    bar: &'a ProgressBar,
    made: u64,
}

impl<'a> Part<'a> {
    /// Makes the next part of this bar.
    pub(crate) fn of(bar: &'a ProgressBar) -> Self {
        Self { bar, made: 0 }
    }

    /// Says that the training has come to its end, early or not.
    pub(crate) fn finish(self) {
        self.bar.inc(STEPS - self.made);
    }
}

impl Observer for Part<'_> {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        let now = event.iteration as u64 * STEPS / (event.n_iterations as u64).max(1);
        if now > self.made {
            self.bar.inc(now - self.made);
            self.made = now;
        }
        Flow::Continue
    }
}

impl Progress {
    /// Makes the progress of a training of this many iterations on this many examples, in batches of
    /// a size, 0 for all; `heading` says in a line what is trained on.
    pub(crate) fn new(
        console: Console,
        (n_iterations, n_examples): (usize, usize),
        batch_size: usize,
        heading: String,
    ) -> Self {
        let template = "{bar:12} {pos}/{len}  {wide_msg} {eta} left";
        let bar = bar(console, n_iterations, template);
        let has_batches = (1..n_examples).contains(&batch_size);
        let epochs = has_batches.then(|| Epochs {
            batch_size,
            n: n_iterations.div_ceil(n_examples.div_ceil(batch_size)),
            done: 0,
            costs: (0.0, 0),
            learning_rate: 0.0,
            began: Instant::now(),
            validation: None,
        });
        Self { bar, console, heading: Some(heading), heard: true, epochs }
    }

    /// Prints the line of the last epoch, and removes the bar.
    pub(crate) fn finish(mut self) {
        if let Some(line) = self.epochs.as_mut().and_then(Epochs::last_line) {
            self.print(&line);
        }
        self.bar.finish_and_clear();
    }

    fn print(&mut self, line: &str) {
        if self.heard {
            let heading = self.heading.take().map_or_else(String::new, |heading| heading + "\n");
            let text = format!("{heading}{line}");
            // Training does not end because its reader has gone: `dnn | head -3`.
            self.heard = self.bar.suspend(|| self.console.say(text)).is_ok();
        }
    }
}

impl Epochs {
    /// Counts a batch; returns the line of the epoch before it, when it begins another.
    fn add(&mut self, event: &IterationEvent<'_>) -> Option<String> {
        let mut line = None;
        if self.costs.1 == 0 {
            self.done = event.epoch;
            self.began = Instant::now();
        } else if event.epoch > self.done {
            line = self.line();
            self.done = event.epoch;
            self.costs = (0.0, 0);
            self.began = Instant::now();
        }
        self.costs.0 += event.cost;
        self.costs.1 += 1;
        self.learning_rate = event.learning_rate;
        line
    }

    fn line(&mut self) -> Option<String> {
        let number = self.done + 1;
        let every = self.n.div_ceil(EPOCH_LINES).max(1);
        (number.is_multiple_of(every)).then(|| self.text(number))
    }

    fn last_line(&mut self) -> Option<String> {
        (self.costs.1 > 0).then(|| self.text(self.done + 1))
    }

    /// "Epoch 3 of 20: cost 0.2134, validation 0.2513 91.20 %, lr 1.00e-3, 5,120/s".
    fn text(&mut self, number: usize) -> String {
        let (sum, n) = self.costs;
        let validation = self.validation.take().map_or_else(String::new, |(point, improved)| {
            let best = if improved { " (best)" } else { "" };
            let share = 100.0 * point.score.accuracy();
            format!(", validation {:.4} {share:.2} %{best}", point.cost)
        });
        let seconds = self.began.elapsed().as_secs_f64().max(1e-9);
        format!(
            "Epoch {number} of {}: cost {:.4}{validation}, lr {:.2e}, {:.0} images/s",
            self.n,
            sum / n as f64,
            self.learning_rate,
            (n * self.batch_size) as f64 / seconds
        )
    }
}

impl Observer for Progress {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        if event.iteration.is_multiple_of(BAR_EVERY) && !self.bar.is_hidden() {
            self.bar.set_position(event.iteration as u64);
            let validation = event.validation.map_or_else(String::new, |point| {
                format!("  validation {:.2} %", 100.0 * point.score.accuracy())
            });
            let (cost, rate) = (console::cost(event.cost), event.learning_rate);
            self.bar.set_message(format!("cost {cost}{validation}  lr {rate:.3e}"));
        }
        match &mut self.epochs {
            Some(epochs) => {
                if let Some(line) = epochs.add(event) {
                    self.print(&line);
                }
            }
            None if event.log => {
                let cost = console::cost(event.cost);
                self.print(&format!("Cost after iteration {}: {cost}", event.iteration));
            }
            None => {}
        }
        Flow::Continue
    }
    fn on_validation(&mut self, point: &ValidationPoint, improved: bool) {
        if let Some(epochs) = &mut self.epochs {
            epochs.validation = Some((*point, improved));
            return;
        }
        let ValidationPoint { iteration, cost, score } = *point;
        let best = if improved { ", the best so far" } else { "" };
        let cost = console::cost(cost);
        let accuracy = of_how_many(score);
        self.print(&format!(
            "Validation after iteration {iteration}: cost {cost}, accuracy {accuracy}{best}"
        ));
    }
}
