//! Where output goes: results to standard output, everything else to standard error.

use anyhow::Context;
use dnn_core::metrics::Score;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

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
        let json = serde_json::to_string_pretty(result).context("cannot write JSON")?;
        // Outside of texts JSON has no such characters, and in them this is how it writes them.
        print(escaped(&json, |c| steers(c) && c != '\n', |c| format!("\\u{:04x}", u32::from(c))))
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
    let text = text.to_string();
    let mut out = io::stdout().lock();
    writeln!(out, "{}", harmless(&text))
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// Something that must be seen whatever was asked for, to standard error.
pub(crate) fn warn(text: impl std::fmt::Display) {
    let text = text.to_string();
    // Nothing is left to be done when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&text));
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

/// Whether a character would steer the terminal or turn the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(
    text: &str,
    is_escaped: impl Fn(char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let each = |c: char| if is_escaped(c) { escape(c) } else { c.to_string() };
    text.chars().map(each).collect::<String>().into()
}

/// Text as it may be printed: it breaks lines, and does nothing else to the terminal. Everything that
/// is printed passes here.
fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && c != '\n' && c != '\t', |c| c.escape_unicode().to_string())
}

/// A name from a file in one line, without what would steer the terminal.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    escaped(name, steers, |c| c.escape_default().to_string())
}

/// A path as [`printable`] text.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// A path as an argument that can be pasted into a shell.
pub(crate) fn argument(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if text.contains(steers) {
        let quoted = text.replace('\\', r"\\").replace('\'', r"\'");
        let bytes = |c: char| c.to_string().bytes().map(|byte| format!(r"\x{byte:02x}")).collect();
        format!("$'{}'", escaped(&quoted, steers, bytes))
    } else if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A cost to six digits after the point, as the course prints it; a huge one in scientific notation.
pub(crate) fn cost(cost: f64) -> String {
    if cost.abs() < 1e9 { format!("{cost:.6}") } else { format!("{cost:.6e}") }
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
        assert_eq!(printable("Katze, süß, 猫"), "Katze, süß, 猫");
        assert_eq!(printable("a\nb\u{202e}gnp.exe"), "a\\nb\\u{202e}gnp.exe");
        assert_eq!(shown("\u{9b}x".as_ref()), "\\u{9b}x");
        assert_eq!(harmless("line\n\tline\u{1b}\r"), "line\n\tline\\u{1b}\\u{d}");
    }

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(argument("runs/course-deep".as_ref()), "runs/course-deep");
        assert_eq!(argument("my run's".as_ref()), r"'my run'\''s'");
        assert_eq!(argument("it's\u{1b}\u{202e}".as_ref()), r"$'it\'s\x1b\xe2\x80\xae'");
    }

    #[test]
    fn a_cost_has_six_digits_and_never_three_hundred() {
        let costs = [0.088_741, 0.0, 1e300, -1e9].map(cost);
        assert_eq!(costs, ["0.088741", "0.000000", "1.000000e300", "-1.000000e9"]);
    }
}
