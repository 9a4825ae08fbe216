//! Names from outside in a form that is safe to print.

use std::borrow::Cow;
use std::path::Path;

/// Returns whether a character would break the line, steer a terminal, or turn the direction of what
/// follows.
pub fn steers_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How names are written in messages: in one line, and harmless to a terminal. Names of files and
/// datasets come from outside, and [`Path::display`] passes on every character of them.
pub trait Shown {
    /// Returns the name as text, in which what [steers a terminal](steers_terminal) is escaped.
    fn shown(&self) -> Cow<'_, str>;
}

impl Shown for str {
    fn shown(&self) -> Cow<'_, str> {
        if !self.contains(steers_terminal) {
            return Cow::Borrowed(self);
        }
        let each =
            |c: char| if steers_terminal(c) { c.escape_default().to_string() } else { c.into() };
        self.chars().map(each).collect::<String>().into()
    }
}

impl Shown for Path {
    fn shown(&self) -> Cow<'_, str> {
        match self.to_string_lossy() {
            Cow::Borrowed(text) => text.shown(),
            Cow::Owned(text) => Cow::Owned(text.shown().into_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_one_line_and_steers_nothing() {
        assert_eq!("Katze, süß, 猫".shown(), "Katze, süß, 猫");
        assert_eq!("cat\u{1b}[2J".shown(), "cat\\u{1b}[2J");
        assert_eq!("a\nb\u{202e}gnp.exe".shown(), "a\\nb\\u{202e}gnp.exe");
        assert_eq!(Path::new("\u{9b}x/a\nerror: b").shown(), "\\u{9b}x/a\\nerror: b");
    }
}
