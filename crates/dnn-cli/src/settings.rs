//! Settings as flags and in files. Names, meanings, defaults and ranges are taken from the fields
//! (`dnn_core::settings`): a new field becomes a flag, is checked and is explained without a change
//! here.

use crate::console::argument;
use anyhow::anyhow;
use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use dnn_core::settings::{self, SettingError, properties, tag, tag_name, type_of};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::marker::PhantomData;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// A group of settings that become flags together.
pub(crate) trait FlagGroup: Clone + Send + Sync + 'static {
    /// The settings, whose schema makes the flags.
    type Settings: JsonSchema + Serialize + DeserializeOwned + 'static;
    /// The heading of the flags in the help.
    const HEADING: &'static str;

    /// The group of these settings among all of them; `None`: those of no group.
    const GROUP: Option<&'static str> = None;

    /// The keys of the settings; empty: all of the group.
    const KEYS: &'static [&'static str] = &[];

    /// The keys of settings of the group that have no flag here.
    const EXCEPT: &'static [&'static str] = &[];
}

/// The values that the flags of a group were given.
#[derive(Debug, Clone)]
pub(crate) struct Flags<G> {
    given: Table,
    group: PhantomData<G>,
}

impl<G> Default for Flags<G> {
    fn default() -> Self {
        Self { given: Table::new(), group: PhantomData }
    }
}

impl<G: FlagGroup> Flags<G> {
    /// Makes flags that were given these values.
    #[cfg(test)]
    pub(crate) fn of(given: Table) -> Self {
        Self { given, group: PhantomData }
    }

    /// Returns whether any flag was given.
    pub(crate) fn any(&self) -> bool {
        !self.given.is_empty()
    }

    /// Returns whether the flag of this key was given.
    pub(crate) fn gives(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// Returns the value that the flag of this key was given.
    ///
    /// # Errors
    /// When it is no value of this type.
    pub(crate) fn value<T: DeserializeOwned>(&self, key: &str) -> anyhow::Result<Option<T>> {
        let value = self.given.get(key).cloned().map(T::deserialize);
        value.transpose().map_err(|error| anyhow!("{}", error.message()))
    }

    /// Returns `base`, or what is usual where there is none, with the values given; `base` itself when
    /// none were.
    ///
    /// # Errors
    /// Values that do not go together.
    pub(crate) fn change(&self, base: Option<G::Settings>) -> anyhow::Result<Option<G::Settings>> {
        if !self.any() {
            return Ok(base);
        }
        let table = match base {
            Some(base) => self.on(&base)?,
            None => self.given.clone(),
        };
        Ok(Some(G::Settings::deserialize(table).map_err(|error| anyhow!("{}", error.message()))?))
    }

    /// Returns the flags that ask for these settings, except for those that have their defaults.
    pub(crate) fn arguments(settings: &G::Settings) -> Vec<String>
    where
        G::Settings: Default,
    {
        let schema = settings::schema::<G::Settings>();
        let changed = settings::changed(settings);
        // In the order of the fields, as the help has them.
        let flag = |(key, setting): (&String, &Json)| {
            let value =
                changed.iter().find_map(|text| text.strip_prefix(key)?.strip_prefix('='))?;
            let flag = flag_of(key, setting)?;
            let is_on_off = type_of(setting) == "boolean";
            Some(if is_on_off {
                format!("--{flag}")
            } else {
                format!("--{flag} {}", argument(value.as_ref()))
            })
        };
        settings_in::<G>(schema).filter_map(flag).collect()
    }

    /// Returns `base` with the values given, unchecked.
    ///
    /// # Errors
    /// When `base` cannot be written as TOML.
    pub(crate) fn on<T: Serialize>(&self, base: &T) -> anyhow::Result<Table> {
        let mut table = Table::try_from(base)?;
        change(&mut table, &self.given, settings::schema::<G::Settings>());
        Ok(table)
    }
}

/// Returns the settings of a group, by name.
fn settings_in<G: FlagGroup>(
    schema: &'static Json,
) -> impl Iterator<Item = (&'static String, &'static Json)> {
    let group = |setting: &Json| setting.get("x-group").and_then(Json::as_str).map(str::to_owned);
    let all = properties(schema).into_iter().flatten();
    all.filter(move |(key, setting)| match G::KEYS {
        [] => group(setting).as_deref() == G::GROUP && !G::EXCEPT.contains(&key.as_str()),
        keys => keys.contains(&key.as_str()),
    })
}

/// Puts values into a table of settings.
pub(crate) fn change(table: &mut Table, given: &Table, schema: &Json) {
    for (key, value) in given {
        let clears = properties(schema).and_then(|p| p.get(key)?.get("x-clears")?.as_str());
        if let Some(other) = clears.filter(|other| !given.contains_key(*other)) {
            table.remove(other);
        }
        table.insert(key.clone(), value.clone());
    }
}

/// Returns the schema of the value of an optional setting.
pub(crate) fn present(schema: &Json) -> &Json {
    match settings::variants(schema) {
        Some([some, null]) if type_of(null) == "null" => some,
        _ => schema,
    }
}

/// Returns the flag of a setting, if it has one, without its hyphens.
pub(crate) fn flag_of(key: &str, schema: &Json) -> Option<String> {
    match schema.get("x-flag") {
        None => Some(key.replace('_', "-")),
        Some(flag) => flag.as_str().map(str::to_owned),
    }
}

impl<G: FlagGroup> clap::Args for Flags<G> {
    fn augment_args(command: Command) -> Command {
        let schema = settings::schema::<G::Settings>();
        let all = settings_in::<G>(schema);
        let flag_named = |key: &str| flag_of(key, properties(schema)?.get(key)?);
        let args = all.filter_map(|(key, setting)| {
            let word = |name: &str| setting.get(name).and_then(Json::as_str);
            let flag = flag_of(key, setting)?;
            let arg = Arg::new(flag.clone()).long(flag).help(help(setting));
            let arg = arg.help_heading(G::HEADING).aliases(word("x-alias").map(str::to_owned));
            let conflict = word("x-clears").and_then(flag_named);
            let arg = arg.conflicts_with_all(conflict);
            let arg = match word("x-requires").and_then(flag_named) {
                Some(other) => arg.requires(other),
                None => arg,
            };
            if type_of(setting) == "boolean" {
                return Some(arg.action(ArgAction::SetTrue));
            }
            let usual = match type_of(setting) {
                "integer" => "N",
                "number" => "F",
                _ if is_tagged(present(setting)) => "NAME[:KEY=F,…]",
                _ => "NAME",
            };
            let arg = arg.value_name(word("x-value").unwrap_or(usual).to_owned());
            let arg = arg.allow_negative_numbers(matches!(type_of(setting), "integer" | "number"));
            let list = word("x-list").and_then(|list| properties(schema)?.get(list));
            Some(arg.value_parser(parser::<G::Settings>(key, setting, list)))
        });
        command.args(args.collect::<Vec<_>>())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: FlagGroup> FromArgMatches for Flags<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let schema = settings::schema::<G::Settings>();
        for (key, setting) in settings_in::<G>(schema) {
            let Some(flag) = flag_of(key, setting) else { continue };
            if type_of(setting) == "boolean" {
                if matches.get_flag(&flag) {
                    let usual = setting.get("default").and_then(Json::as_bool).unwrap_or(false);
                    self.given.insert(key.clone(), (!usual).into());
                }
            } else if let Some(value) = matches.get_one::<Value>(&flag) {
                let list = setting.get("x-list").and_then(Json::as_str);
                let is_list = value.is_array() && type_of(setting) != "array";
                let key = list.filter(|_| is_list).unwrap_or(key);
                self.given.insert(key.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}

/// Returns whether a value is a name with settings of its own.
fn is_tagged(schema: &Json) -> bool {
    let variants = settings::variants(schema).unwrap_or_default();
    variants.iter().any(|variant| type_of(variant) == "object")
}

/// Returns the parser of a flag's value; for an invalid name, the error suggests the most similar
/// one.
fn parser<S: DeserializeOwned>(
    key: &'static str,
    schema: &'static Json,
    list: Option<&'static Json>,
) -> ValueParser {
    let names = settings::choices(schema);
    let others = settings::variants(schema).into_iter().flatten();
    let mut others = others.filter(|v| settings::choices(v).is_empty() && type_of(v) != "null");
    if !names.is_empty() && others.next().is_none() && list.is_none() {
        let names: Vec<String> = names.iter().map(|(name, _)| (*name).to_owned()).collect();
        return PossibleValuesParser::new(names).map(Value::String).into();
    }
    ValueParser::new(move |text: &str| match list {
        Some(list) if text.contains(',') => read(key, text, list),
        _ => {
            let value = read(key, text, schema)?;
            // What a type's own reading asks of a text.
            if value.is_str() {
                let alone = Table::from_iter([(key.to_owned(), value.clone())]);
                match S::deserialize(alone) {
                    // What else there must be is not the flag's concern.
                    Err(error) if !error.message().starts_with("missing field") => {
                        return Err(error.message().to_owned());
                    }
                    _ => {}
                }
            }
            Ok(value)
        }
    })
}

/// Returns the help of a flag: what the setting means, what it may be, and its default.
fn help(schema: &Json) -> String {
    let mut help = meaning(schema);
    let names = settings::choices(schema);
    let variants = settings::variants(schema).unwrap_or_default();
    if schema.get("x-list").is_some() || variants.iter().any(|v| type_of(v) == "array") {
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        help = format!("{help}: {}", names.join(", "));
    } else if is_tagged(present(schema)) {
        let names = variants.iter().map(signature).collect::<Vec<_>>();
        help = format!("{help}: {}", names.join(", "));
    }
    match schema.get("default").and_then(|value| text_of(value, schema)) {
        Some(default) => format!("{help} [default: {default}]"),
        None => help,
    }
}

/// Returns the meaning of a setting, without the full stop at its end.
fn meaning(schema: &Json) -> String {
    let word = |name: &str| schema.get(name).and_then(Json::as_str);
    let text = word("x-help").or(word("description")).unwrap_or_default();
    let text = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    text.trim_end_matches('.').to_owned()
}

/// Returns a variant's name with its settings and their defaults: "adam (beta1=0.9, epsilon=1e-8)".
pub(crate) fn signature(variant: &Json) -> String {
    let Some(inside) = properties(variant) else {
        return settings::choices(variant).first().map_or("", |(name, _)| name).to_owned();
    };
    let (name, inside) = match tag(std::slice::from_ref(variant)) {
        Some(tag) => (tag_name(variant, tag).unwrap_or_default(), Some(inside)),
        None => match inside.iter().next() {
            Some((name, inside)) => (name.as_str(), properties(inside)),
            None => ("", None),
        },
    };
    let keys = inside.into_iter().flatten().filter(|(_, schema)| schema.get("const").is_none());
    let keys: Vec<_> = keys
        .map(|(key, schema)| {
            let usual = if type_of(schema) == "integer" { "N" } else { "F" };
            let default = schema.get("default").and_then(|value| text_of(value, schema));
            format!("{key}={}", default.as_deref().unwrap_or(usual))
        })
        .collect();
    if keys.is_empty() { name.to_owned() } else { format!("{name} ({})", keys.join(", ")) }
}

/// Returns a value as a flag takes it; `None` for an empty one.
pub(crate) fn text_of(value: &Json, schema: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) => Value::try_from(value).ok().map(|value| settings::shown(&value)),
        Json::Array(values) if !values.is_empty() => {
            let values: Vec<_> = values.iter().filter_map(|v| text_of(v, schema)).collect();
            Some(values.join(","))
        }
        Json::Object(table) => {
            let variants = settings::variants(schema)?;
            table.get(tag(variants)?)?.as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// Reads the value of a setting from a flag: a number, a name, a list with commas between, or a
/// name with settings of its own, NAME:KEY=VALUE,….
///
/// # Errors
/// What is wrong, with the most similar valid name.
pub(crate) fn read(key: &str, text: &str, schema: &Json) -> Result<Value, String> {
    let value = from_text(text, schema)?;
    settings::check_value(key, &value, schema).map_err(|error| in_words(&error))?;
    Ok(value)
}

/// Returns the value that a text stands for, unchecked.
fn from_text(text: &str, schema: &Json) -> Result<Value, String> {
    let text = text.trim();
    if let Some(variants) = settings::variants(schema) {
        let (name, inside) = text.split_once(':').unwrap_or((text, ""));
        if let Some(tag) = tag(variants) {
            let variant = variants.iter().find(|v| tag_name(v, tag) == Some(name));
            let mut table = settings_of(inside, variant.unwrap_or(&Json::Null))?;
            table.insert(tag.into(), name.into());
            return Ok(table.into());
        }
        let outside = variants.iter().find_map(|v| properties(v)?.get(name));
        if let Some(variant) = outside {
            let table = settings_of(inside, variant)?;
            return Ok(Table::from_iter([(name.to_owned(), table.into())]).into());
        }
        if settings::choices(schema).iter().all(|(choice, _)| *choice != text) {
            for variant in variants {
                let Ok(value) = from_text(text, variant) else { continue };
                if settings::check_value("", &value, variant).is_ok() {
                    return Ok(value);
                }
            }
            // Which of its parts is wrong is said of a list.
            let list = variants.iter().find(|v| type_of(v) == "array" && text.contains(','));
            if let Some(list) = list {
                return from_text(text, list);
            }
        }
        return Ok(text.into());
    }
    Ok(match type_of(schema) {
        "object" => {
            let (first, rest) = text.split_once(',').unwrap_or((text, ""));
            let presets = schema.get("x-presets").and_then(Json::as_object);
            match presets.and_then(|presets| presets.get(first.trim())) {
                Some(preset) => {
                    let mut table = Table::try_from(preset).map_err(|error| error.to_string())?;
                    table.extend(settings_of(rest, schema)?);
                    table.into()
                }
                None if presets.is_none() || first.contains('=') => {
                    settings_of(text, schema)?.into()
                }
                None => return Err(no_preset(first, presets.into_iter().flat_map(|p| p.keys()))),
            }
        }
        "array" if text == "none" => Value::Array(Vec::new()),
        "array" => {
            let items = schema.get("items").unwrap_or(&Json::Null);
            let values = text.split(',').map(|part| from_text(part, items));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        "integer" | "number" => number(text).unwrap_or_else(|| text.into()),
        "boolean" => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    })
}

/// Says that a text is neither the name of a preset nor a setting.
fn no_preset<'a>(text: &str, names: impl Iterator<Item = &'a String> + Clone) -> String {
    let names = names.map(String::as_str);
    let hint = settings::nearest(text, names.clone());
    let hint = hint.map_or_else(String::new, |near| format!("\ndid you mean `{near}`?"));
    let names = names.collect::<Vec<_>>().join(", ");
    format!("`{text}`: expected one of {names}, or KEY=VALUE,…{hint}")
}

/// Reads KEY=VALUE,….
///
/// # Errors
/// When there is no `=`.
pub(crate) fn settings_of(text: &str, schema: &Json) -> Result<Table, String> {
    let mut table = Table::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) =
            part.split_once('=').ok_or_else(|| format!("`{part}`: expected KEY=VALUE"))?;
        let key = key.trim();
        let setting = properties(schema).and_then(|p| p.get(key)).unwrap_or(&Json::Null);
        table.insert(key.to_owned(), from_text(value, setting)?);
    }
    Ok(table)
}

fn number(text: &str) -> Option<Value> {
    let whole = text.parse::<i64>().map(Value::from);
    whole.or_else(|_| text.parse::<f64>().map(Value::from)).ok()
}

/// Returns the message of an error, with the most similar valid name where there is one.
pub(crate) fn in_words(error: &SettingError) -> String {
    let (got, names) = match error {
        SettingError::Unknown { key, names } => (key.rsplit('.').next().unwrap_or(key), names),
        SettingError::Value { got, names, .. } => (got.trim_matches('"'), names),
        _ => return error.to_string(),
    };
    match settings::nearest(got, names.iter().map(String::as_str)) {
        Some(name) => format!("{error}\ndid you mean `{name}`?"),
        None => error.to_string(),
    }
}

/// Checks the text of a file of settings by their schema.
///
/// # Errors
/// What is wrong, with its line and the most similar valid name.
pub(crate) fn check_text(text: &str, schema: &Json) -> anyhow::Result<Table> {
    let table: Table = toml::from_str(text).map_err(|e| anyhow!("{}", e.to_string().trim_end()))?;
    settings::check_value("", &Value::Table(table.clone()), schema)
        .map_err(|error| anyhow!("{}", at_line(text, error.key(), &in_words(&error))))?;
    Ok(table)
}

/// Returns an error about a key of a TOML text with the line that is wrong.
pub(crate) fn at_line(text: &str, key: &str, error: &str) -> String {
    let Some(offset) = place(text, key) else { return error.to_owned() };
    let number = text[..offset].matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default().trim();
    format!("line {number}, `{line}`: {error}")
}

/// Returns where a key stands in a TOML text, or the innermost table it should be in.
fn place(text: &str, key: &str) -> Option<usize> {
    let key = key.rsplit(" of ").next()?;
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut place = None;
    for part in key.split('.') {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == part) else { break };
        place = Some(Spanned::span(key).start);
        match value.get_ref() {
            DeValue::Table(inside) => table = inside,
            _ => break,
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunConfig;
    use clap::Args;
    use dnn_data::augment::{AugmentConfig, Strength};
    use dnn_train::config::RawTrainConfig;

    #[derive(Debug, Clone)]
    struct Training;

    impl FlagGroup for Training {
        type Settings = RawTrainConfig;
        const HEADING: &'static str = "Training";
    }

    fn given(args: &[&str]) -> Result<Table, clap::Error> {
        let command = Flags::<Training>::augment_args(Command::new("x").no_binary_name(true));
        let matches = command.try_get_matches_from(args)?;
        Flags::<Training>::from_arg_matches(&matches).map(|flags| flags.given)
    }

    fn table(text: &str) -> Table {
        toml::from_str(text).expect("toml")
    }

    #[test]
    fn flags_are_read_as_a_file_has_them() {
        for (args, file) in [
            (&["--layers", "20,7,5"][..], "hidden = [20, 7, 5]"),
            (&["--layers", "none"], "hidden = []"),
            (&["--learning-rate", "1e-3"], "learning_rate = 1e-3"),
            (&["--activation", "tanh"], "activation = \"tanh\""),
            (&["--activation", "tanh,relu"], "activations = [\"tanh\", \"relu\"]"),
            (&["--class-weights", "balanced"], "class_weights = \"balanced\""),
            (&["--class-weights", "1,2.5"], "class_weights = [1, 2.5]"),
            (&["--optimizer", "adam"], "optimizer = { name = \"adam\" }"),
            (
                &["--optimizer", "momentum:momentum=0.8"],
                "optimizer = { name = \"momentum\", momentum = 0.8 }",
            ),
            (
                &["--schedule", "step:every=10,factor=0.5"],
                "schedule = { name = \"step\", every = 10, factor = 0.5 }",
            ),
            (&["--init", "he"], "init = \"he\""),
            (&["--init", "normal:scale=10"], "init = { normal = { scale = 10 } }"),
            (&["--restore-best"], "restore_best = true"),
            (&["--seed", "3", "--shuffle-seed=4"], "seed = 3\nshuffle_seed = 4"),
        ] {
            let given = given(args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
            assert_eq!(given, table(file), "{args:?}");
        }
    }

    #[test]
    fn mistakes_are_answered_with_what_is_expected_and_the_nearest() {
        for (args, says) in [
            (["--lr", "-1"], "learning_rate is -1: expected a finite number above 0"),
            (["--lr", "fast"], "learning_rate is \"fast\": expected a finite number above 0"),
            (["--layers", "20;7"], "number 1 of hidden is \"20;7\": expected a whole number, 1 to"),
            (["--optimizer", "adma"], "did you mean `adam`?"),
            (["--optimizer", "momentum:momentun=1"], "did you mean `momentum`?"),
            (["--optimizer", "momentum:momentum"], "`momentum`: expected KEY=VALUE"),
            (["--schedule", "step:every=2"], "schedule.factor is missing: expected a finite"),
            (["--class-weights", "1,x"], "number 2 of class_weights is \"x\": expected"),
            (["--class-weights", "blanced"], "did you mean `balanced`?"),
            (["--activation", "rely"], "did you mean `relu`?"),
            (
                ["--init", "normal"],
                "init.normal.scale is missing: expected a finite number above 0",
            ),
            (["--rng", "nunpy"], "'numpy'"),
        ] {
            let error = given(&args).expect_err(says).to_string();
            assert!(error.contains(says), "{args:?}: {error}");
        }
        let error = given(&["--iterations", "1", "--epochs", "2"]).expect_err("a conflict");
        assert!(error.to_string().contains("cannot be used with"), "{error}");
    }

    fn augmentation(text: &str) -> Result<AugmentConfig, String> {
        let value =
            read("augment", text, &settings::schema::<RunConfig>()["properties"]["augment"])?;
        AugmentConfig::deserialize(value).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn augmentation_is_a_strength_settings_or_both() {
        let strong = AugmentConfig::preset(Strength::Strong);
        assert_eq!(augmentation("strong"), Ok(strong));
        assert_eq!(augmentation("none"), Ok(AugmentConfig::default()));
        let no_erasing = strong.with(|c| c.erasing = 0.0).unwrap();
        assert_eq!(augmentation("strong, erasing=0"), Ok(no_erasing));
        let config = augmentation("flip=0.5,rotation=15,padding=edge").unwrap();
        assert_eq!((config.flip, config.rotation, config.zoom), (0.5, 15.0, 0.0));
        // What is printed can be typed.
        for config in [config, strong, no_erasing, AugmentConfig::default()] {
            assert_eq!(augmentation(&config.to_string()), Ok(config));
        }
    }

    #[test]
    fn wrong_augmentation_is_answered_with_the_nearest() {
        for (text, messages) in [
            ("stong", ["`stong`: expected one of light", "did you mean `strong`?"]),
            ("blue", ["`blue`: expected one of light, medium, strong, none", "KEY=VALUE"]),
            ("", ["expected one of light, medium, strong, none", "KEY=VALUE"]),
            ("flip=0.5,rotatoin=3", ["unknown key `augment.rotatoin`", "did you mean `rotation`?"]),
            ("padding=mirror", ["padding is \"mirror\"", "one of reflect, edge or constant"]),
            ("flip=x", ["flip is \"x\"", "expected a probability"]),
            ("flip=2", ["flip is 2", "expected a probability, 0 to 1"]),
            ("light,medium", ["`medium`", "expected KEY=VALUE"]),
        ] {
            let error = augmentation(text).unwrap_err();
            assert!(messages.iter().all(|message| error.contains(message)), "{text}: {error}");
        }
    }

    #[test]
    fn a_flag_clears_what_it_stands_in_place_of() {
        let schema = settings::schema::<RawTrainConfig>();
        let mut base = table("epochs = 3\niterations = 5");
        change(&mut base, &table("iterations = 7"), schema);
        assert_eq!(base, table("iterations = 7"));
        change(&mut base, &table("iterations = 7\nepochs = 2"), schema);
        assert_eq!(base, table("epochs = 2\niterations = 7"));
    }

    #[test]
    fn an_error_in_a_file_has_its_line() {
        let schema = settings::schema::<RawTrainConfig>();
        for (text, says) in [
            ("hidden = [3,\n 0]", "line 1, `hidden = [3,`: number 2 of hidden is 0: expected a"),
            (
                "seed = 1\n[optimizer]\nname = \"adam\"\nbeta1 = 2",
                "line 4, `beta1 = 2`: optimizer.beta1 is 2: expected a finite number, at least 0",
            ),
            ("# a\nsede = 1", "line 2, `sede = 1`: unknown key `sede`\ndid you mean `seed`?"),
            ("\nseed = 'a'", "line 2, `seed = 'a'`: seed is \"a\": expected a whole number"),
            (
                "schedule.name = 'step'",
                "line 1, `schedule.name = 'step'`: schedule.every is missing",
            ),
            ("seed 1", "line 1"),
        ] {
            let error = check_text(text, schema).expect_err(says);
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
