//! Tables as text, aligned by what a terminal shows.

use dnn_report::figures::commonest_confusions;
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a terminal that a table keeps to, where it can.
pub(crate) const COLUMNS: usize = 80;
/// A first column is shortened to this.
const MAX_NAME: usize = 36;

/// Returns the columns of a terminal that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Returns the text, ended by "…" where it takes more columns than `most`.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < most
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Returns the text with spaces behind it (or, of a number, before it) up to `columns`.
fn padded(text: &str, columns: usize, is_first: bool) -> String {
    let spaces = " ".repeat(columns.saturating_sub(width(text)));
    if is_first { format!("{text}{spaces}") } else { format!("{spaces}{text}") }
}

/// Returns the lines of a table: names in the first column, at its left edge and shortened where they are
/// long, all others at the right edge of theirs. Columns without a cell are left out.
pub(crate) fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let names: Vec<String> = rows.iter().map(|row| shorten(&row[0], MAX_NAME)).collect();
    let cell = |row: usize, column: usize| match column {
        0 => names[row].as_str(),
        _ => rows[row][column].as_str(),
    };
    let used: Vec<(usize, usize)> = (0..header.len())
        .filter_map(|column| {
            let widest = (0..rows.len()).map(|row| width(cell(row, column))).max().unwrap_or(0);
            (column == 0 || widest > 0).then(|| (column, widest.max(width(header[column]))))
        })
        .collect();
    let line = |cell: &dyn Fn(usize) -> String| {
        let cells: Vec<_> = used
            .iter()
            .map(|&(column, columns)| padded(&cell(column), columns, column == 0))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&|column| header[column].to_owned())];
    lines.extend((0..rows.len()).map(|row| line(&|column| cell(row, column).to_owned())));
    lines.join("\n")
}

/// Returns which class was taken for which, within [`COLUMNS`]: with the names above the columns where they
/// are short, with numbers there where not, and as the commonest confusions where there are too many
/// classes for a matrix.
pub(crate) fn confusion(names: &[String], counts: &[Vec<usize>]) -> String {
    const COMMONEST: usize = 20;
    /// A name that is cut shorter says nothing.
    const LEAST_NAME: usize = 12;
    let n = names.len();
    let digits = counts.iter().flatten().max().map_or(1, |most| most.to_string().len());
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let named = widest.max(digits);
    let numbered = digits.max(n.to_string().len());
    // What numbered columns leave for the names of the rows.
    let room = COLUMNS.saturating_sub(5 + n * (numbered + 1));
    let short = widest.min(MAX_NAME).min(room);
    let mut out = String::from("Confusion matrix");
    // Writing to a string does not fail.
    if 11 + widest + n * (named + 2) <= COLUMNS {
        let _ = write!(out, "\n{}predicted\n{}", " ".repeat(13 + widest), " ".repeat(11 + widest));
        for name in names {
            let _ = write!(out, "  {}", padded(name, named, false));
        }
        for (i, (name, row)) in names.iter().zip(counts).enumerate() {
            let side = if i == 0 { "true" } else { "" };
            let _ = write!(out, "\n  {side:<9}{}", padded(name, widest, true));
            for count in row {
                let _ = write!(out, "  {count:>named$}");
            }
        }
    } else if room >= widest.min(LEAST_NAME) {
        let _ = write!(
            out,
            ": rows are true classes, columns predicted ones\n{}",
            " ".repeat(5 + short)
        );
        for i in 1..=n {
            let _ = write!(out, " {i:>numbered$}");
        }
        for (i, (name, row)) in names.iter().zip(counts).enumerate() {
            let _ = write!(out, "\n{:>3}  {}", i + 1, padded(&shorten(name, short), short, true));
            for count in row {
                let _ = write!(out, " {count:>numbered$}");
            }
        }
    } else {
        let pairs = commonest_confusions(counts);
        let _ = write!(out, " of {n} classes: see --json; ");
        let _ = match pairs.len() {
            0 => write!(out, "no class is taken for another"),
            pairs => write!(out, "of {pairs} confusions the commonest:"),
        };
        for &(i, j, count) in pairs.iter().take(COMMONEST) {
            let [truth, answer] =
                [i, j].map(|class| shorten(&names[class], (COLUMNS - 15 - digits) / 2));
            let _ = write!(out, "\n  {count:>digits$}  {truth} taken for {answer}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widest(text: &str) -> usize {
        text.lines().map(width).max().unwrap_or(0)
    }

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let rows = [["猫", "5", ""], ["dog", "12", ""]].map(|row| row.map(String::from).to_vec());
        let text = aligned(&["class", "images", "empty"], &rows);
        assert_eq!(text, "class  images\n猫          5\ndog        12");
        assert_eq!(shorten("猫猫猫猫", 5), "猫猫…");
    }

    #[test]
    fn a_confusion_matrix_keeps_to_the_terminal_whatever_its_names() {
        let two = ["non-cat", "cat"].map(String::from);
        let text = confusion(&two, &[vec![10, 7], vec![3, 30]]);
        assert!(text.contains("\n  true     non-cat       10        7\n"), "{text}");
        for (n, length, part) in [
            (2, 70, "900"),
            (10, 70, "900"),
            (11, 3, "900"),
            (100, 70, "taken for"),
            (100, 2, "taken for"),
        ] {
            let names: Vec<_> = (0..n).map(|i| format!("{}{i}", "x".repeat(length - 2))).collect();
            let counts: Vec<Vec<_>> = (0..n)
                .map(|i| (0..n).map(|j| if i == j { 900 } else { i * j % 7 }).collect())
                .collect();
            let text = confusion(&names, &counts);
            assert!(widest(&text) <= COLUMNS, "{n}, {length}:\n{text}");
            assert!(text.contains(part), "{text}");
        }
    }
}
