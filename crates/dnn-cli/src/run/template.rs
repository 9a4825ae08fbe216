//! A configuration file that explains itself: what `dnn config init` writes.
//!
//! Which keys there are, what they may be and what they are when left out is asked of the code
//! that reads the file ([`super::shape`]); what they mean is in [`super::keys`].

use super::RunConfig;
use super::keys;
use super::shape::{Base, Shape, Variant};
use crate::console::program;
use crate::source::Source;
use dnn_data::loader::InputConfig;
use std::fmt::Write;
use toml::Value;

/// Columns of a comment's text.
const WIDTH: usize = 96;

/// The text of a commented configuration, which loads as `config`. Keys that it leaves out stand
/// there too, behind a `#`.
///
/// # Errors
/// When a path is not Unicode.
pub(crate) fn commented(config: &RunConfig) -> anyhow::Result<String> {
    let mut shown = config.clone();
    let source = shown.source.get_or_insert_with(Source::drawn);
    source.input.get_or_insert_with(InputConfig::default);
    shown.augment.get_or_insert_default();
    let writer = Writer { given: Base::new(config)?, base: Base::new(&shown)? };
    let mut out = String::new();
    let version = env!("CARGO_PKG_VERSION");
    comment(
        &mut out,
        &format!(
            "A configuration of dnn {version}, complete. To train with it: {} train --config \
             THIS_FILE; flags change single values. A # right before a key or table leaves it out.",
            program()
        ),
    )?;
    writer.table(&[], &mut out)?;
    Ok(out)
}

struct Writer {
    /// What is to be written.
    given: Base,
    /// The same, with an example of what may be left out as a whole.
    base: Base,
}

impl Writer {
    /// The keys of a table, then the tables in it.
    fn table(&self, path: &[&str], out: &mut String) -> Result<(), std::fmt::Error> {
        let mut tables = Vec::new();
        match self.base.shape(path) {
            Shape::Table(keys) => {
                for key in keys {
                    let place = [path, &[key.as_str()]].concat();
                    match self.base.shape(&place) {
                        Shape::Table(_) | Shape::Tagged { .. } => tables.push(key),
                        shape => self.key(&place, &shape, out)?,
                    }
                }
            }
            Shape::Tagged { tag, variants } => self.variants(path, &tag, &variants, out)?,
            Shape::Choice(_) | Shape::Plain => {}
        }
        // What must be there comes before what may be left out.
        tables.sort_by_key(|key| self.given.get(&[path, &[key.as_str()]].concat()).is_none());
        for key in &tables {
            let place = [path, &[key.as_str()]].concat();
            writeln!(out)?;
            comment(out, keys::find(&place).map_or("", |key| key.text))?;
            writeln!(out, "{}[{}]", self.off(&place), place.join("."))?;
            self.table(&place, out)?;
        }
        Ok(())
    }

    fn key(&self, place: &[&str], shape: &Shape, out: &mut String) -> std::fmt::Result {
        let doc = keys::find(place);
        let mut choices = String::new();
        if let Shape::Choice(names) = shape {
            let sound =
                |name: &&String| self.base.with(place, Some(name.as_str().into())).load().is_ok();
            let names: Vec<_> = names.iter().filter(sound).map(String::as_str).collect();
            choices = format!(" One of {}.", names.join(", "));
        }
        let text = doc.map_or("", |key| key.text);
        let text = format!("{text}{choices}{}", self.when_left_out(place));
        let example = || doc.and_then(|key| key.example).map(str::to_owned);
        let value = self.base.get(place).map(shown).or_else(example);
        setting(out, &text, self.off(place), place, value)
    }

    /// The tag of a table, and the keys of every name it can have.
    fn variants(
        &self,
        path: &[&str],
        tag: &str,
        variants: &[Variant],
        out: &mut String,
    ) -> std::fmt::Result {
        let place = [path, &[tag]].concat();
        let text = keys::find(&place).map_or("", |key| key.text);
        let names: Vec<_> = variants.iter().map(|variant| variant.name.as_str()).collect();
        let text = format!("{text} One of {}.", names.join(", "));
        let value = self.base.get(&place).map(shown);
        setting(out, &text, self.off(&place), &place, value)?;
        let mut done: Vec<&str> = Vec::new();
        for key in variants.iter().flat_map(|variant| &variant.keys) {
            if done.contains(&key.as_str()) {
                continue;
            }
            done.push(key);
            let place = [path, &[key.as_str()]].concat();
            let doc = keys::find(&place);
            let of: Vec<_> = variants.iter().filter(|variant| variant.keys.contains(key)).collect();
            let names: Vec<_> = of.iter().map(|variant| variant.name.as_str()).collect();
            let default = of.iter().find_map(|variant| {
                let alone = [(tag.to_owned(), Value::from(variant.name.as_str()))];
                let alone = Value::Table(alone.into_iter().collect());
                self.base.with(path, Some(alone)).load().ok()?.get(&place).cloned()
            });
            let needed = if default.is_none() { " Needed." } else { "" };
            let text =
                format!("For {}: {}{needed}", names.join(", "), doc.map_or("", |key| key.text));
            let example = || doc.and_then(|key| key.example).map(str::to_owned);
            let value = self.base.get(&place).or(default.as_ref()).map(shown);
            setting(out, &text, self.off(&place), &place, value.or_else(example))?;
        }
        Ok(())
    }

    /// What a key is when it is not there.
    fn when_left_out(&self, place: &[&str]) -> String {
        if self.base.get(place).is_none() {
            return String::new();
        }
        match self.base.with(place, None).load() {
            Err(_) => " Needed.".into(),
            Ok(loaded) => match loaded.get(place) {
                // Nothing stands for a text, only for the lack of one.
                Some(Value::String(text)) if text.is_empty() => " Needed.".into(),
                Some(value) => format!(" Default: {}.", shown(value)),
                None => String::new(),
            },
        }
    }

    /// What stands before a key that is not given.
    fn off(&self, place: &[&str]) -> &'static str {
        if self.given.get(place).is_some() { "" } else { "#" }
    }
}

/// A value as people write it: 1e-8 rather than 0.00000001.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(x) if *x != 0.0 && x.abs() < 1e-3 => format!("{x:e}"),
        value => value.to_string(),
    }
}

/// A comment and the key that it is about.
fn setting(
    out: &mut String,
    text: &str,
    off: &str,
    place: &[&str],
    value: Option<String>,
) -> std::fmt::Result {
    comment(out, text)?;
    let key = place.last().unwrap_or(&"");
    writeln!(out, "{off}{key} = {}", value.unwrap_or_else(|| "?".into()))
}

/// Text behind `# `, in as many lines as it takes.
fn comment(out: &mut String, text: &str) -> std::fmt::Result {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "# {line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.is_empty() { Ok(()) } else { writeln!(out, "# {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_train::{Preset, TrainConfig};

    fn preset(preset: Preset) -> RunConfig {
        RunConfig::new(TrainConfig::preset(preset))
    }

    /// Every place where something is read, with what.
    fn places(base: &Base, path: &[&str], found: &mut Vec<String>) {
        let keys = match base.shape(path) {
            Shape::Table(keys) => keys,
            Shape::Tagged { tag, variants } => {
                let keys = variants.into_iter().flat_map(|variant| variant.keys);
                std::iter::once(tag).chain(keys).collect()
            }
            Shape::Choice(_) | Shape::Plain => Vec::new(),
        };
        for key in keys {
            let place = [path, &[key.as_str()]].concat();
            found.push(place.join("."));
            places(base, &place, found);
        }
    }

    #[test]
    fn it_loads_as_the_preset() {
        for name in Preset::ALL {
            let config = preset(name);
            let text = commented(&config).unwrap();
            assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
        }
        let config = RunConfig { source: Some(Source::drawn()), ..preset(Preset::CourseDeep) };
        let text = commented(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
    }

    #[test]
    fn every_key_is_explained_and_nothing_else() {
        let config = RunConfig { source: Some(Source::drawn()), ..preset(Preset::CourseDeep) };
        let mut found = Vec::new();
        places(&Base::new(&config).unwrap(), &[], &mut found);
        found.sort();
        found.dedup();
        // A table that could not be asked for its keys would hide them.
        let written = toml::Table::try_from(&config).unwrap();
        for (table, keys) in &written {
            for key in keys.as_table().unwrap().keys() {
                assert!(found.contains(&format!("{table}.{key}")), "{table}.{key} was not found");
            }
        }
        let mut explained: Vec<_> = keys::KEYS.iter().map(|key| key.path.to_owned()).collect();
        explained.sort();
        assert_eq!(found, explained, "the keys that are read, and those in keys.rs");
        let text = commented(&config).unwrap();
        assert!(!text.contains("= ?"), "a key without a value to show:\n{text}");
        for key in keys::KEYS {
            let name = key.path.rsplit('.').next().unwrap();
            let shown = |line: &str| {
                let line = line.trim_start_matches('#');
                line.starts_with(&format!("{name} = ")) || line == format!("[{}]", key.path)
            };
            assert!(text.lines().any(shown), "{} is not in\n{text}", key.path);
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
        let base = Base::new(&preset(Preset::CourseDeep)).unwrap();
        let Shape::Table(keys) = base.shape(&["training"]) else { panic!("a table") };
        for key in keys {
            let path = ["training", &key];
            let Shape::Tagged { tag, variants } = base.shape(&path) else { continue };
            for Variant { name, keys } in variants {
                let mut text = format!("[training.{key}]\n{tag} = \"{name}\"\n");
                for setting in keys {
                    let doc = keys::find(&[&path[..], &[&setting]].concat()).unwrap();
                    if let Some(example) = doc.example {
                        writeln!(text, "{setting} = {example}").unwrap();
                    }
                }
                let table: toml::Table = toml::from_str(&text).unwrap();
                let value = table["training"][&key].clone();
                assert!(base.with(&path, Some(value)).load().is_ok(), "{text}");
            }
        }
    }
}
