//! A configuration file that explains itself: what `dnn config init` writes.

use super::RunConfig;
use crate::console::program;
use crate::settings::{present, signature};
use dnn_core::settings::{self, properties, tag, tag_name, type_of, variants};
use serde_json::Value as Json;
use std::fmt::Write;
use toml::{Table, Value};

/// Columns of a comment's text.
const WIDTH: usize = 78;

/// The text of a commented configuration, which loads as `config`. Keys that it leaves out stand
/// there too, behind a `#`.
///
/// # Errors
/// When a path is not Unicode.
pub(crate) fn commented(config: &RunConfig) -> anyhow::Result<String> {
    let given = Table::try_from(config)?;
    let mut out = String::new();
    let version = env!("CARGO_PKG_VERSION");
    comment(
        &mut out,
        "",
        &format!(
            "A configuration of dnn {version}, complete. To train with it: {} train --config \
             THIS_FILE; flags change single values. A # right before a key or table leaves it out.",
            program()
        ),
    )?;
    table(&[], RunConfig::schema(), Some(&given), &mut out)?;
    Ok(out)
}

/// Writes the keys of a table, then the tables in it.
fn table(
    path: &[&str],
    schema: &Json,
    given: Option<&Table>,
    out: &mut String,
) -> std::fmt::Result {
    let schema = present(schema);
    if let Some(variants) = variants(schema) {
        return tagged(variants, given, out);
    }
    let mut tables = Vec::new();
    for (key, setting) in properties(schema).into_iter().flatten() {
        if is_table(setting) {
            tables.push((key, setting));
        } else {
            let needed = is_required(schema, key);
            write_key(key, &explanation(setting, needed), setting, given, out)?;
        }
    }
    // What must be there comes before what may be left out.
    let inside = |key: &str| given.and_then(|table| table.get(key)?.as_table());
    tables.sort_by_key(|(key, _)| inside(key).is_none());
    for (key, setting) in tables {
        let path = [path, &[key.as_str()]].concat();
        let inside = inside(key);
        let off = if inside.is_some() { "" } else { "#" };
        writeln!(out)?;
        comment(out, "", description(setting))?;
        writeln!(out, "{off}[{}]", path.join("."))?;
        table(&path, setting, inside, out)?;
    }
    Ok(())
}

/// Writes the tag of a table, and the keys of every name it can have.
fn tagged(variants: &[Json], given: Option<&Table>, out: &mut String) -> std::fmt::Result {
    let tag = tag(variants).unwrap_or_default();
    let names: Vec<_> = variants.iter().filter_map(|v| tag_name(v, tag)).collect();
    comment(out, "", &format!("One of {}.", names.join(", ")))?;
    for variant in variants {
        let name = tag_name(variant, tag).unwrap_or_default();
        comment(out, "  ", &format!("{name}: {}", description(variant)))?;
    }
    let on = given.and_then(|table| table.get(tag)).is_some();
    let name = given.and_then(|table| table.get(tag)?.as_str()).or(names.first().copied());
    writeln!(out, "{}{tag} = {:?}", if on { "" } else { "#" }, name.unwrap_or_default())?;
    let keys = |variant| properties(variant).into_iter().flatten();
    let mut done = vec![tag];
    for (key, setting) in variants.iter().flat_map(keys) {
        if done.contains(&key.as_str()) {
            continue;
        }
        done.push(key);
        let has = |variant: &&Json| properties(variant).is_some_and(|p| p.contains_key(key));
        let of: Vec<_> = variants.iter().filter(has).collect();
        let names: Vec<_> = of.iter().filter_map(|variant| tag_name(variant, tag)).collect();
        let needed = of.iter().any(|variant| is_required(variant, key));
        let text = format!("For {}: {}", names.join(", "), explanation(setting, needed));
        write_key(key, &text, setting, given, out)?;
    }
    Ok(())
}

/// Writes a comment and the key that it is about, with the value it has, or one that it may have.
fn write_key(
    key: &str,
    text: &str,
    schema: &Json,
    given: Option<&Table>,
    out: &mut String,
) -> std::fmt::Result {
    comment(out, "", text)?;
    for variant in variants(schema).unwrap_or_default() {
        if type_of(variant) != "null" && !description(variant).is_empty() && is_named(variant) {
            comment(out, "  ", &format!("{}: {}", signature(variant), description(variant)))?;
        }
    }
    let value = given.and_then(|table| table.get(key));
    let off = if value.is_some() { "" } else { "#" };
    let example = schema.get("x-example").or(schema.get("default")).map(shown_json);
    // A default that is not written has no place in the schema: the first name stands for it.
    let first = || settings::choices(schema).first().map(|(name, _)| format!("{name:?}"));
    let value = value.map(shown).or(example).or_else(first);
    writeln!(out, "{off}{key} = {}", value.unwrap_or_else(|| "?".into()))
}

/// Whether a variant is a name, or a name with settings of its own.
pub(super) fn is_named(variant: &Json) -> bool {
    variant.get("const").is_some() || type_of(variant) == "object"
}

/// Returns what a setting means, what it may be, and what it is when it is left out.
pub(super) fn explanation(schema: &Json, needed: bool) -> String {
    let meaning = description(schema).replace('\n', " ");
    let choices = settings::choices(schema);
    let named = variants(schema).into_iter().flatten().filter(|v| is_named(v));
    let mut names: Vec<_> = named.map(signature).collect();
    if names.is_empty() {
        names = choices.iter().map(|(name, _)| (*name).to_owned()).collect();
    }
    let range = if !names.is_empty() {
        format!(" One of {}.", names.join(", "))
    } else if matches!(type_of(schema), "integer" | "number") {
        let expected = settings::expected(schema);
        format!(" {}{}.", expected[..1].to_uppercase(), &expected[1..])
    } else {
        String::new()
    };
    let default = match schema.get("default").filter(|value| !value.is_null()) {
        _ if needed => " Needed.".into(),
        // Nothing stands for a text, only for the lack of one.
        Some(Json::String(none)) if none.is_empty() => " Needed.".into(),
        Some(Json::Array(none)) if none.is_empty() => String::new(),
        Some(value) => format!(" Default: {}.", shown_json(value)),
        None => String::new(),
    };
    meaning + &range + &default
}

pub(super) fn description(schema: &Json) -> &str {
    schema.get("description").and_then(Json::as_str).unwrap_or_default()
}

pub(super) fn is_required(schema: &Json, key: &str) -> bool {
    let required = schema.get("required").and_then(Json::as_array);
    required.is_some_and(|keys| keys.iter().any(|k| k == key))
}

pub(super) fn is_table(schema: &Json) -> bool {
    let schema = present(schema);
    type_of(schema) == "object" || variants(schema).is_some_and(|variants| tag(variants).is_some())
}

/// A value as people write it: 1e-8 rather than 0.00000001.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(x) if *x != 0.0 && x.abs() < 1e-3 => format!("{x:e}"),
        value => value.to_string(),
    }
}

pub(super) fn shown_json(value: &Json) -> String {
    Value::try_from(value).map_or_else(|_| value.to_string(), |value| shown(&value))
}

/// Text behind `# `, in as many lines as it takes.
fn comment(out: &mut String, indent: &str, text: &str) -> std::fmt::Result {
    let mut line = indent.to_owned();
    for word in text.split_whitespace() {
        if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "# {line}")?;
            line.truncate(0);
            line.push_str(indent);
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.trim().is_empty() { Ok(()) } else { writeln!(out, "# {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;
    use dnn_train::{Preset, TrainConfig};

    fn preset(preset: Preset) -> RunConfig {
        RunConfig::new(TrainConfig::preset(preset))
    }

    /// Every place where something is read, with its schema.
    fn places<'a>(schema: &'a Json, path: &str, found: &mut Vec<(String, &'a Json)>) {
        let schema = present(schema);
        let tables = match variants(schema) {
            Some(variants) if tag(variants).is_some() => variants,
            _ => std::slice::from_ref(schema),
        };
        for (key, setting) in tables.iter().flat_map(|t| properties(t).into_iter().flatten()) {
            if setting.get("const").is_none() {
                let path = format!("{path}.{key}");
                found.push((path.trim_start_matches('.').to_owned(), setting));
                if is_table(setting) {
                    places(setting, &path, found);
                }
            }
        }
    }

    #[test]
    fn it_loads_as_the_preset() {
        for name in Preset::ALL {
            let config = preset(name);
            let text = commented(&config).unwrap();
            assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
        }
        let config = RunConfig { source: Some(source::drawn()), ..preset(Preset::CourseDeep) };
        let text = commented(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
    }

    #[test]
    fn every_key_is_explained() {
        let config = RunConfig { source: Some(source::drawn()), ..preset(Preset::CourseDeep) };
        let (schema, mut found) = (RunConfig::schema(), Vec::new());
        places(schema, "", &mut found);
        let text = commented(&config).unwrap();
        assert!(!text.contains("= ?"), "a key without a value to show:\n{text}");
        // What is written is among what was found.
        for (table, keys) in &toml::Table::try_from(&config).unwrap() {
            for key in keys.as_table().unwrap().keys() {
                let place = format!("{table}.{key}");
                assert!(found.iter().any(|(path, _)| *path == place), "{place} was not found");
            }
        }
        for (path, setting) in found {
            assert!(!description(setting).is_empty(), "{path} has no doc comment");
            let name = path.rsplit('.').next().unwrap();
            let shown = |line: &str| {
                let line = line.trim_start_matches('#');
                line.starts_with(&format!("{name} = ")) || line == format!("[{path}]")
            };
            assert!(text.lines().any(shown), "{path} is not in\n{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_right_once_it_is_not() {
        let text = commented(&preset(Preset::CourseDeep)).unwrap();
        // `#key` is a key, `# text` a comment; keys of another variant do not go with this one.
        let (mut lines, mut tagged) = (Vec::new(), false);
        for line in text.lines() {
            if line.starts_with("# For ") {
                tagged = true;
            }
            let on = line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#']) && !tagged);
            if !line.starts_with("# ") {
                tagged = false;
            }
            lines.push(on.unwrap_or(line));
        }
        let all = lines.join("\n");
        let config: RunConfig = toml::from_str(&all).unwrap_or_else(|e| panic!("{e}\n{all}"));
        let source = config.source.unwrap();
        assert!(source.test.is_some() && source.names.is_some() && source.drawn.is_some());
    }

    #[test]
    fn the_examples_of_every_variant_load() {
        let schema = RunConfig::schema();
        let training = &schema["properties"]["training"];
        for (key, setting) in properties(training).unwrap() {
            let Some(variants) = variants(setting) else { continue };
            let Some(tag) = tag(variants) else { continue };
            for variant in variants {
                let mut text = format!("[training.{key}]\n{tag} = {:?}\n", tag_name(variant, tag));
                text = text.replace("Some(", "").replace(')', "");
                for (key, setting) in properties(variant).unwrap() {
                    if let Some(example) = setting.get("x-example") {
                        writeln!(text, "{key} = {}", shown_json(example)).unwrap();
                    }
                }
                assert!(toml::from_str::<RunConfig>(&text).is_ok(), "{text}");
            }
        }
    }
}
