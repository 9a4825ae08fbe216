//! The reference of all settings in docs/training.md, made from their fields.

use super::RunConfig;
use super::template::{description, explanation, is_named, is_table};
use crate::settings::{flag_of, present, signature};
use dnn_core::settings::{properties, tag, variants};
use serde_json::Value as Json;
use std::fmt::Write;
use std::fs;

const BEGIN: &str = "<!-- The settings, from their fields; `UPDATE_DOCS=1 cargo test -p dnn-cli` writes them. -->\n";
const END: &str = "<!-- The end of the settings. -->\n";

/// A table of settings as Markdown, then the tables in it.
fn reference(path: &str, schema: &Json, out: &mut String) -> std::fmt::Result {
    let of_training = path == "training";
    let head =
        |path: &str| if path.is_empty() { String::new() } else { format!("### [{path}]\n\n") };
    write!(out, "{}| key | flag | meaning |\n|---|---|---|\n", head(path))?;
    let all: Vec<_> = properties(present(schema)).into_iter().flatten().collect();
    for (key, setting) in &all {
        let flag = flag_of(key, setting).filter(|_| of_training);
        let flag = flag.map_or(String::new(), |flag| format!("`--{flag}`"));
        writeln!(out, "| `{key}` | {flag} | {} |", cell(&explanation(setting, false)))?;
    }
    writeln!(out)?;
    for (key, setting) in all {
        let path = format!("{path}.{key}");
        let path = path.trim_start_matches('.');
        let inside = present(setting);
        let named = variants(inside).into_iter().flatten().filter(|v| is_named(v));
        let named: Vec<_> = named.filter(|v| !description(v).is_empty()).collect();
        if !named.is_empty() {
            write!(out, "`{path}` is one of:\n\n| name | meaning |\n|---|---|\n")?;
            for variant in named {
                let meaning = cell(description(variant));
                writeln!(out, "| `{}` | {meaning} |", signature(variant))?;
            }
            writeln!(out)?;
        }
        if is_table(setting) && variants(inside).and_then(tag).is_none() {
            reference(path, setting, out)?;
        }
    }
    Ok(())
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[test]
fn the_documentation_has_every_setting_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/training.md");
    let text = fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("where the settings begin");
    let (_, after) = rest.split_once(END).expect("where the settings end");
    let mut settings = String::new();
    reference("", RunConfig::schema(), &mut settings).unwrap();
    let expected = format!("{before}{BEGIN}\n{}\n\n{END}{after}", settings.trim());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &expected).unwrap();
    }
    assert!(
        fs::read_to_string(path).unwrap() == expected,
        "docs/training.md is not as the settings are: UPDATE_DOCS=1 cargo test -p dnn-cli"
    );
}
