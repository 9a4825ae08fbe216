//! Progress of training: a bar on a terminal, lines elsewhere.

use crate::console::{self, Console, of_how_many};
use ::console::Term;
use dnn_core::metrics::Score;
use dnn_train::{EpochPoint, Flow, IterationEvent, Observer, ValidationPoint};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use std::fmt::Write as _;
use std::io;
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
    is_output_open: bool,
    epochs: Option<Epochs>,
    /// The training accuracy of the last epoch.
    accuracy: Option<f64>,
}

/// What a line of an epoch takes from the iterations and validations before it.
struct Epochs {
    n: usize,
    has_validation: bool,
    /// Whether the columns' names have been printed.
    has_names: bool,
    /// The line of the last epoch, when it was left out.
    left_out: Option<String>,
    began: Instant,
    /// When the last iteration began.
    last: Instant,
    validation: Option<(ValidationPoint, bool)>,
}

/// A terminal whose last columns stay free. What it shows of Ctrl-C, "^C", would break a line that takes
/// all of them, and of a line that is broken only the end is cleared: half a bar would stay.
#[derive(Debug)]
struct NarrowTerm(Term);

impl TermLike for NarrowTerm {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(3)
    }
    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }
    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }
    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }
    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Makes a bar of `n` steps, which is hidden when standard error is no terminal.
pub(crate) fn bar(console: Console, n: usize, template: &str) -> ProgressBar {
    let terminal = Term::buffered_stderr();
    let target = if console.quiet || !terminal.is_term() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::term_like_with_hz(Box::new(NarrowTerm(terminal)), 20)
    };
    let style = ProgressStyle::with_template(template).expect("a valid template").with_key(
        "rate",
        |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        },
    );
    ProgressBar::with_draw_target(Some(n as u64), target).with_style(style)
}

/// Makes a bar of examples that are read: images or rows of a table.
pub(crate) fn example_bar(console: Console) -> ProgressBar {
    bar(console, 0, "{bar:25} {pos}/{len} examples  {rate}  {eta} left")
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
    /// a size, 0 for all, with or without validation; `heading` says in a line what is trained on.
    pub(crate) fn new(
        console: Console,
        (n_iterations, n_examples): (usize, usize),
        (batch_size, has_validation): (usize, bool),
        heading: String,
    ) -> Self {
        let template = "{bar:8} {percent} %  {wide_msg} {eta} left";
        let bar = bar(console, n_iterations, template);
        let has_batches = (1..n_examples).contains(&batch_size);
        let epochs = has_batches.then(|| Epochs {
            n: n_iterations.div_ceil(n_examples.div_ceil(batch_size)),
            has_validation,
            has_names: false,
            left_out: None,
            began: Instant::now(),
            last: Instant::now(),
            validation: None,
        });
        Self { bar, console, heading: Some(heading), is_output_open: true, epochs, accuracy: None }
    }

    /// Prints the line of the last epoch, when it was left out, and removes the bar.
    pub(crate) fn finish(mut self) {
        if let Some(line) = self.epochs.as_mut().and_then(|epochs| epochs.left_out.take()) {
            self.print(&line);
        }
        self.bar.finish_and_clear();
    }

    fn print(&mut self, line: &str) {
        if self.is_output_open {
            let heading = self.heading.take().map_or_else(String::new, |heading| heading + "\n");
            let text = format!("{heading}{line}");
            // Training does not end because its reader has gone: `dnn | head -3`.
            self.is_output_open = self.bar.suspend(|| self.console.say(text)).is_ok();
        }
    }
}

impl Epochs {
    /// Returns the line of an epoch, below the columns' names before the first; 80 columns at most.
    fn line(&mut self, point: &EpochPoint) -> Option<String> {
        let seconds = self.last.duration_since(self.began).as_secs_f64().max(1e-9);
        self.began = Instant::now();
        let share = |score: Score| format!("{:.2} %", 100.0 * score.accuracy());
        let (cost, accuracy, mark) = match self.validation.take() {
            Some((judged, improved)) => {
                let mark = if improved { "*" } else { "" };
                (console::cost(judged.cost), share(judged.score), mark)
            }
            None => Default::default(),
        };
        let training =
            [format!("{}/{}", point.epoch, self.n), console::cost(point.cost), share(point.score)];
        let speed = [
            format!("{:.2e}", point.learning_rate),
            format!("{:.0}", point.score.total as f64 / seconds),
        ];
        let mut line = self.row(&training, [&cost, &accuracy], &speed, mark);
        if !std::mem::replace(&mut self.has_names, true) {
            let names = ["epoch", "cost", "accuracy", "rate", "examples/s"].map(String::from);
            let mark = if self.has_validation { "* best" } else { "" };
            let names = self.row(&names[..3], ["validation", "accuracy"], &names[3..], mark);
            line = format!("{names}\n{line}");
        }
        let every = self.n.div_ceil(EPOCH_LINES).max(1);
        if point.epoch.is_multiple_of(every) {
            self.left_out = None;
            return Some(line);
        }
        self.left_out = Some(line);
        None
    }

    fn row(
        &self,
        training: &[String],
        validation: [&str; 2],
        speed: &[String],
        mark: &str,
    ) -> String {
        let [epoch, cost, accuracy] = training else { unreachable!("three columns") };
        let mut row = format!("{epoch:>9} {cost:>9} {accuracy:>9}");
        if self.has_validation {
            let _ = write!(row, " {:>10} {:>9}", validation[0], validation[1]);
        }
        for one in speed {
            let _ = write!(row, " {one:>10}");
        }
        format!("{row} {mark}").trim_end().into()
    }
}

impl Observer for Progress {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        if event.iteration.is_multiple_of(BAR_EVERY) && !self.bar.is_hidden() {
            self.bar.set_position(event.iteration as u64);
            // Within 80 columns.
            let accuracy = self
                .accuracy
                .map_or_else(String::new, |accuracy| format!(" {:.1} %", 100.0 * accuracy));
            let validation = event.validation.map_or_else(String::new, |point| {
                format!("  validation {:.1} %", 100.0 * point.score.accuracy())
            });
            let (cost, rate) = (event.cost, event.learning_rate);
            let cost = if cost < 1e4 { format!("{cost:.4}") } else { format!("{cost:.1e}") };
            self.bar.set_message(format!("cost {cost}{accuracy}{validation}  lr {rate:.1e}"));
        }
        match &mut self.epochs {
            Some(epochs) => epochs.last = Instant::now(),
            None if event.log => {
                let cost = console::cost(event.cost);
                self.print(&format!("Cost after iteration {}: {cost}", event.iteration));
            }
            None => {}
        }
        Flow::Continue
    }
    fn on_epoch(&mut self, point: &EpochPoint) {
        self.accuracy = Some(point.score.accuracy());
        if let Some(line) = self.epochs.as_mut().and_then(|epochs| epochs.line(point)) {
            self.print(&line);
        }
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
