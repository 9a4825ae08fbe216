//! Progress of training: a bar on a terminal, lines elsewhere.

use crate::console::Console;
use dnn_train::{Flow, IterationEvent, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar is told of every so manieth iteration: it is looked at by people.
const BAR_EVERY: usize = 8;

/// Prints the cost at each logged iteration, as the course does, above a bar.
pub(crate) struct Progress {
    bar: ProgressBar,
    console: Console,
    /// Whether somebody still reads the costs.
    heard: bool,
}

impl Progress {
    pub(crate) fn new(console: Console, n_iterations: usize) -> Self {
        let target = if console.quiet {
            ProgressDrawTarget::hidden()
        } else {
            // Hidden by itself where standard error is no terminal.
            ProgressDrawTarget::stderr()
        };
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len}  cost {msg}  {per_sec}  {eta} left")
                .expect("a valid template");
        let bar = ProgressBar::with_draw_target(Some(n_iterations as u64), target);
        Self { bar: bar.with_style(style), console, heard: true }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn on_iteration(&mut self, event: &IterationEvent) -> Flow {
        if event.iteration.is_multiple_of(BAR_EVERY) && !self.bar.is_hidden() {
            self.bar.set_position(event.iteration as u64);
            self.bar.set_message(format!("{:.6}", event.cost));
        }
        if event.log && self.heard {
            let line = format!("Cost after iteration {}: {:.6}", event.iteration, event.cost);
            // Training does not end because its reader has gone: `dnn | head -3`.
            self.heard = self.bar.suspend(|| self.console.say(line)).is_ok();
        }
        Flow::Continue
    }
}
