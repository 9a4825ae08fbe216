//! Where output goes: results to standard output, everything else to standard error.

use crate::ranks;
use anyhow::Context;
use dnn_core::metrics::Score;
use dnn_data::steers_terminal;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// How a command prints, as the flags of every subcommand ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// Print one JSON object instead of text.
    pub(crate) json: bool,
    /// Print nothing but the result.
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
        print(escaped(
            &json,
            |c| steers_terminal(c) && c != '\n',
            |c| format!("\\u{:04x}", u32::from(c)),
        ))
    }

    /// Prints what accompanies the result: with `--json` to standard error, with `--quiet` not at
    /// all.
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

    /// Prints a note to standard error, unless `--quiet` was given.
    pub(crate) fn note(self, text: impl std::fmt::Display) {
        if !self.quiet {
            warn(text);
        }
    }
}

fn print(text: impl std::fmt::Display) -> anyhow::Result<()> {
    if !ranks::is_first() {
        return Ok(());
    }
    let text = text.to_string();
    let mut out = io::stdout().lock();
    let text = wrapped(harmless(&text), out.is_terminal());
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Who reads our output has seen enough: the work goes on, and the exit code is the work's.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Prints a warning to standard error, whatever flags were given. Of several ranks the first one does.
pub(crate) fn warn(text: impl std::fmt::Display) {
    if ranks::is_first() {
        warn_on_any_rank(text);
    }
}

/// Prints a warning to standard error, on any rank.
pub(crate) fn warn_on_any_rank(text: impl std::fmt::Display) {
    let text = text.to_string();
    let mut out = io::stderr().lock();
    // Nothing is left to be done when standard error is closed.
    let _ = writeln!(out, "{}", wrapped(harmless(&text), out.is_terminal()));
}

/// Returns the messages of an error and its causes, outermost first, without those that the one
/// before contains already.
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

/// Returns how the program was called, for commands that can be pasted: through cargo, or by its
/// own name.
pub(crate) fn program() -> &'static str {
    if std::env::var_os("CARGO_PKG_NAME").is_some() { "cargo run -p dnn-cli --" } else { "dnn" }
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

/// Returns text with every control character escaped except line breaks, so that it cannot steer
/// the terminal. Everything that is printed passes through here.
fn harmless(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| steers_terminal(c) && c != '\n' && c != '\t',
        |c| c.escape_unicode().to_string(),
    )
}

/// Returns text for a terminal, in which lines longer than the terminal is wide are broken between
/// words.
fn wrapped(text: Cow<'_, str>, is_terminal: bool) -> Cow<'_, str> {
    match terminal_size::terminal_size() {
        Some((terminal_size::Width(width), _)) if is_terminal => wrap(&text, width.into()).into(),
        _ => text,
    }
}

/// Breaks long lines: sentences between words, and commands, which end a line and follow a colon or
/// stand alone, so that a shell takes them as they were. Tables, which begin with a space, stay in one
/// piece.
fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.into();
    }
    if line.starts_with("# ") {
        // A comment of a file that is shown.
        return fill("", &words(line, false), width, "# ", "");
    }
    let program = format!("{} ", program());
    let indent = &line[..line.len() - line.trim_start_matches(' ').len()];
    let command = |indent: &str, command: &str| {
        fill(indent, &words(command, true), width, &format!("{indent}  "), " \\")
    };
    if line[indent.len()..].starts_with(&program) {
        command(indent, &line[indent.len()..])
    } else if let Some(colon) = line.find(&format!(": {program}")) {
        let (before, after) = line.split_at(colon + 1);
        format!("{}\n{}", wrap_line(before, width), command("  ", after.trim_start()))
    } else if indent.is_empty() {
        fill("", &words(line, false), width, "  ", "")
    } else {
        line.into()
    }
}

/// Lines of words, each with the spaces that follow it: the first line begins with `first`, the others
/// with `then`, and all but the last end with `ending`.
fn fill(first: &str, words: &[&str], width: usize, then: &str, ending: &str) -> String {
    let (mut out, mut used) = (first.to_owned(), first.len());
    for (i, word) in words.iter().enumerate() {
        let reserved = if i + 1 < words.len() { ending.len() } else { 0 };
        if i > 0 && used + word.trim_end().chars().count() + reserved > width {
            out.truncate(out.trim_end().len());
            out.push_str(ending);
            out.push('\n');
            out.push_str(then);
            used = then.len();
        }
        out.push_str(word);
        used += word.chars().count();
    }
    out
}

/// The words of a line with the spaces after them; those of a command are the shell's, with quoted
/// spaces in them.
fn words(line: &str, is_command: bool) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), 0);
    // What ends the quotes, and whether a backslash takes the next character from its meaning.
    let (mut is_quoted, mut escapes) = (false, true);
    let mut chars = line.char_indices();
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if is_command && escapes => {
                chars.next();
            }
            '\'' if is_command => {
                is_quoted = !is_quoted;
                escapes = !is_quoted || before == '$';
            }
            ' ' if !is_quoted && !line[at + 1..].starts_with(' ') => {
                words.push(&line[start..=at]);
                start = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    words.push(&line[start..]);
    words
}

/// Returns a path or word as an argument that can be pasted into a shell.
pub(crate) fn argument(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if text.contains(steers_terminal) {
        let quoted = text.replace('\\', r"\\").replace('\'', r"\'");
        let hex = |c: char| {
            c.to_string().bytes().map(|byte| format!(r"\x{byte:02x}")).collect::<Vec<_>>()
        };
        format!("$'{}'", escaped(&quoted, steers_terminal, |c| hex(c).concat()))
    } else if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Returns a cost with six digits after the point, as the course prints it; a huge one in
/// scientific notation.
pub(crate) fn cost(cost: f64) -> String {
    if cost.abs() < 1e9 { format!("{cost:.6}") } else { format!("{cost:.6e}") }
}

/// Returns a number as people write it: 0.0075, 0, 1e-9, 1e300.
pub(crate) fn number(number: f64) -> String {
    if number == 0.0 || (1e-5..1e9).contains(&number.abs()) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

/// Returns a score as a percentage, and as how many are right of how many.
pub(crate) fn of_how_many(score: Score) -> String {
    format!("{} ({} of {})", percent(score.accuracy()), score.correct, score.total)
}

/// Returns the confidence interval of an accuracy as text.
pub(crate) fn interval(score: Score) -> String {
    let (low, high) = score.wilson_interval();
    format!("95 % interval {} to {}", percent(low), percent(high))
}

/// Returns a share as a percentage.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_files_cannot_steer_the_terminal() {
        assert_eq!(harmless("line\n\tline\u{1b}\r"), "line\n\tline\\u{1b}\\u{d}");
    }

    #[test]
    fn sentences_are_broken_between_words_and_tables_are_not() {
        let long = "one two three four";
        assert_eq!(wrap(long, 18), long);
        assert_eq!(wrap(long, 17), "one two three\n  four");
        assert_eq!(wrap("one two three four five", 10), "one two\n  three\n  four\n  five");
        assert_eq!(wrap("abcdefghijklmnop\n\nq ", 5), "abcdefghijklmnop\n\nq ");
        assert_eq!(wrap("# one two three", 10), "# one two\n# three");
        let table = format!("  {long}");
        assert_eq!(wrap(&table, 5), table);
    }

    #[test]
    fn commands_are_broken_as_a_shell_takes_them() {
        let dnn = program();
        let command = format!("{dnn} evaluate 'my run' d --x y");
        let width = dnn.len() + 11;
        for (line, wrapped) in [
            (format!("  {command}"), format!("  {dnn} evaluate \\\n    'my run' d --x \\\n    y")),
            (
                format!("It is finished. Next: {command}"),
                format!(
                    "It is finished.\n  Next:\n  {dnn} evaluate \\\n    'my run' d --x \\\n    y"
                ),
            ),
        ] {
            // Of this program's own name: through cargo the width is another.
            if dnn == "dnn" {
                assert_eq!(wrap(&line, width + 2), wrapped);
            }
            assert_eq!(wrap(&line, 200), line);
        }
        // Whatever the width, the words stay the same.
        for path in ["my run's", "it's\u{1b} a"] {
            let line = format!("{dnn} train {} --out r", argument(path.as_ref()));
            for width in 1..=line.len() {
                assert_eq!(wrap(&line, width).replace(" \\\n  ", " "), line);
            }
        }
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
        assert_eq!(
            [0.0075, 0.0, 1.0, 1e-9, 1e300].map(number),
            ["0.0075", "0", "1", "1e-9", "1e300"]
        );
        assert_eq!(costs, ["0.088741", "0.000000", "1.000000e300", "-1.000000e9"]);
    }
}
