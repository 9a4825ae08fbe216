//! Where output goes: results to standard output, everything else to standard error.

use anyhow::Context;
use dnn_core::metrics::Score;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// What the flags that every subcommand has ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// One JSON object instead of text.
    pub(crate) json: bool,
    /// Nothing but the result.
    pub(crate) quiet: bool,
}

impl Console {
    /// Prints a result as text; with `--json`, nothing.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub(crate) fn text(self, text: impl std::fmt::Display) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { print(text) }
    }

    /// With `--json`, prints the result; otherwise nothing.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub(crate) fn json(self, result: &impl Serialize) -> anyhow::Result<()> {
        if !self.json {
            return Ok(());
        }
        print(serde_json::to_string_pretty(result).context("cannot write JSON")?)
    }

    /// Prints what belongs to the story but is not the result: with `--json` to standard error, with
    /// `--quiet` not at all.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub(crate) fn say(self, text: impl std::fmt::Display) -> anyhow::Result<()> {
        match self {
            Self { quiet: true, .. } => Ok(()),
            Self { json: true, .. } => {
                warn(text);
                Ok(())
            }
            _ => print(text),
        }
    }

    /// Something beside the result, to standard error.
    pub(crate) fn note(self, text: impl std::fmt::Display) {
        if !self.quiet {
            warn(text);
        }
    }
}

fn print(text: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Something that must be seen whatever was asked for, to standard error.
pub(crate) fn warn(text: impl std::fmt::Display) {
    // Nothing is left to be done when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error and its causes, outermost first, without those that the one before has said already.
pub(crate) fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut said = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        cause = error.source();
    }
    said
}

/// How the program is called, for hints that can be pasted: through cargo, or by its own name.
pub(crate) fn program() -> &'static str {
    if std::env::var_os("CARGO_PKG_NAME").is_some() { "cargo run -p dnn-cli --" } else { "dnn" }
}

/// A name from a file, without what would steer the terminal.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    if name.chars().any(char::is_control) {
        Cow::Owned(
            name.chars()
                .flat_map(|c| {
                    let shown: Box<dyn Iterator<Item = char>> = if c.is_control() {
                        Box::new(c.escape_default())
                    } else {
                        Box::new([c].into_iter())
                    };
                    shown
                })
                .collect(),
        )
    } else {
        Cow::Borrowed(name)
    }
}

/// A path as an argument that can be pasted into a shell.
pub(crate) fn argument(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A score as a percentage and as how many of how many.
pub(crate) fn of_how_many(score: Score) -> String {
    format!("{} ({} of {})", percent(score.accuracy()), score.correct, score.total)
}

/// The accuracies that a score is compatible with.
pub(crate) fn interval(score: Score) -> String {
    let (low, high) = score.wilson_interval();
    format!("95 % interval {} to {}", percent(low), percent(high))
}

/// A share as a percentage.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_files_cannot_steer_the_terminal() {
        assert_eq!(printable("cat\u{1b}[2J"), "cat\\u{1b}[2J");
        assert_eq!(printable("Katze, süß"), "Katze, süß");
    }

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(argument("runs/course-deep".as_ref()), "runs/course-deep");
        assert_eq!(argument("my run's".as_ref()), r"'my run'\''s'");
    }
}
