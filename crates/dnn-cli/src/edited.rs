//! Configurations with something changed, for the tests of what reads them: they are in this
//! program, where the fuzz targets cannot reach.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What may come to stand where a value stood.
const VALUES: [&str; 24] = [
    "0",
    "1",
    "-1",
    "1.5",
    "1e308",
    "-nan",
    "nan",
    "inf",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "true",
    "\"\"",
    "\"drawn\"",
    "\"64×48\"",
    "\"2epochs\"",
    "\"auto\"",
    "\"é\\u0000`\"",
    "[]",
    "[1, 2]",
    "[[1], [2.5, \"a\"]]",
    "{}",
    "{ name = \"adam\" }",
    "1979-05-27",
];

/// One of these texts after up to three edits: a value or a line is another, a line is not there, or
/// is a comment no more, or any character stands anywhere.
pub(crate) fn edited(texts: Vec<String>) -> impl Strategy<Value = String> {
    let edit = (0..6_u8, any::<Index>(), any::<Index>(), any::<char>());
    let edits = prop::collection::vec(edit, 0..4);
    (select(texts), edits).prop_map(|(mut text, edits)| {
        for (kind, at, other, character) in edits {
            if kind == 0 {
                let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
                text.insert(
                    places.get(at.index(places.len() + 1)).copied().unwrap_or(0),
                    character,
                );
                continue;
            }
            let mut lines: Vec<String> = text.lines().map(String::from).collect();
            if lines.is_empty() {
                continue;
            }
            let at = at.index(lines.len());
            match kind {
                1 => drop(lines.remove(at)),
                2 => lines[at] = lines[other.index(lines.len())].clone(),
                3 => lines[at] = lines[at].trim_start_matches(['#', ' ']).to_owned(),
                _ => {
                    let value = VALUES[other.index(VALUES.len())];
                    if let Some((key, _)) = lines[at].split_once('=') {
                        lines[at] = format!("{key}= {value}");
                    }
                }
            }
            text = lines.join("\n");
        }
        text
    })
}
