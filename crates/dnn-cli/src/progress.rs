//! Progress of training: a bar on a terminal, lines elsewhere.

use crate::console::{self, Console, of_how_many};
use dnn_train::{Flow, IterationEvent, Observer, ValidationPoint};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar is updated once in this many iterations, which is often enough for the eye.
const BAR_EVERY: usize = 8;

/// Prints the cost at each logged iteration, as the course does, above a bar.
pub(crate) struct Progress {
    bar: ProgressBar,
    console: Console,
    /// The line that says what is trained on, until it has been printed above the first cost.
    heading: Option<String>,
    /// Whether standard output can still be written to.
    heard: bool,
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

impl Progress {
    /// Makes the progress of a training of this many iterations; `heading` says in a line what is
    /// trained on.
    pub(crate) fn new(console: Console, n_iterations: usize, heading: String) -> Self {
        let template = "{bar:12} {pos}/{len}  {wide_msg} {eta} left";
        let bar = bar(console, n_iterations, template);
        Self { bar, console, heading: Some(heading), heard: true }
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
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
        if event.log && self.heard {
            let cost = console::cost(event.cost);
            let heading = self.heading.take().map_or_else(String::new, |heading| heading + "\n");
            let line = format!("{heading}Cost after iteration {}: {cost}", event.iteration);
            // Training does not end because its reader has gone: `dnn | head -3`.
            self.heard = self.bar.suspend(|| self.console.say(line)).is_ok();
        }
        Flow::Continue
    }
    fn on_validation(&mut self, point: &ValidationPoint, improved: bool) {
        if self.heard {
            let ValidationPoint { iteration, cost, score } = *point;
            let best = if improved { ", the best so far" } else { "" };
            let line = format!(
                "Validation after iteration {iteration}: cost {}, accuracy {}{best}",
                console::cost(cost),
                of_how_many(score)
            );
            self.heard = self.bar.suspend(|| self.console.say(line)).is_ok();
        }
    }
}
