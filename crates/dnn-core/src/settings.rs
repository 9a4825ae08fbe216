//! Settings that describe themselves: one place for the name, meaning, default and range of each.
//!
//! This has nothing to do with mathematics. It is here because the crates `dnn-data` and `dnn-train`
//! both have settings, do not import each other, and have only this crate in common.
//!
//! A struct of settings derives [`JsonSchema`]: name, meaning (the doc comment), default and range
//! of a setting stand at its field, once, and everything else asks the [`schema`] for them. Besides
//! JSON Schema's own words a field may carry, with `#[schemars(extend("x-…" = …))]`:
//!
//! | word | meaning |
//! |---|---|
//! | `x-what` | what the value is, in words, in place of "a finite number" and the like |
//! | `x-flag` | name of its flag, where it is not the key's; `false`: it has none |
//! | `x-alias` | another name of the flag |
//! | `x-value` | what stands for the value in the flag's help |
//! | `x-help` | help of the flag, where the key's meaning does not do |
//! | `x-clears` | another key that is as by default once the flag is given |
//! | `x-list` | key that takes the flag's values when there are several |
//! | `x-presets` | values of a table by name: the flag takes NAME, KEY=VALUE,… or both |
//! | `x-requires` | another key whose flag must be given as well |
//! | `x-group` | which flags it goes with, where not all commands have all of a table |
//! | `x-resume` | `true`: may be changed when a run goes on |
//! | `x-example` | a value to show where there is none |

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use toml::Value;

/// Why a value cannot be that of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The value is of another type, out of range, or none of the names to choose from.
    #[error("{key} is {got}: expected {expected}")]
    Value {
        /// The setting, with the tables it is in and dots between.
        key: String,
        /// The value that came.
        got: String,
        /// What the value may be, in words.
        expected: String,
        /// The names to choose from, when the value is one of some.
        names: Vec<String>,
    },
    /// No setting has this name.
    #[error("unknown key `{key}`")]
    Unknown {
        /// The name that came, with the tables it is in and dots between.
        key: String,
        /// The names that there are in its place.
        names: Vec<String>,
    },
    /// A setting without a default is not there.
    #[error("{key} is missing: expected {expected}")]
    Missing {
        /// The setting, with the tables it is in and dots between.
        key: String,
        /// What its value may be, in words.
        expected: String,
    },
}

impl SettingError {
    /// Returns the setting at fault, with the tables it is in and dots between.
    pub fn key(&self) -> &str {
        match self {
            Self::Value { key, .. } | Self::Unknown { key, .. } | Self::Missing { key, .. } => key,
        }
    }
}

/// Returns the name that is most similar to one that came, when any is similar: what a message can
/// ask for with "did you mean".
pub fn nearest<'a>(got: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let similarity = |name: &str| strsim::jaro_winkler(got, name);
    let most = names.into_iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    most.filter(|name| similarity(name) > 0.75)
}

/// Returns the JSON Schema of settings, all of it in one piece, which is made once.
pub fn schema<T: JsonSchema + 'static>() -> &'static Json {
    static SCHEMAS: Mutex<BTreeMap<TypeId, &'static Json>> = Mutex::new(BTreeMap::new());
    let schemas = || SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = schemas().get(&TypeId::of::<T>()) {
        return made;
    }
    // Not under the lock: making one may ask for another.
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let made = settings.into_generator().into_root_schema_for::<T>().to_value();
    schemas().entry(TypeId::of::<T>()).or_insert_with(|| Box::leak(Box::new(made)))
}

/// Checks that every setting is one that its `schema`, which [`schema`] makes of its type, allows.
///
/// # Errors
/// [`SettingError`], naming the first setting at fault.
pub fn check<T: Serialize>(settings: &T, schema: &Json) -> Result<(), SettingError> {
    let value = Value::try_from(settings).map_err(|error| SettingError::Value {
        key: "a setting".into(),
        got: "a value that no file can hold".into(),
        expected: format!("another one ({error})"),
        names: Vec::new(),
    })?;
    check_value("", &value, schema)
}

/// Checks a value against a schema; `key` is the setting's name in errors, empty for the whole.
///
/// # Errors
/// [`SettingError`], naming the first setting at fault.
pub fn check_value(key: &str, value: &Value, schema: &Json) -> Result<(), SettingError> {
    let fault = || SettingError::Value {
        key: key.into(),
        got: shown(value),
        expected: expected(schema),
        names: choices(schema).into_iter().map(|(name, _)| name.to_owned()).collect(),
    };
    if let Some(variants) = variants(schema) {
        return check_variants(key, value, variants).unwrap_or_else(|| Err(fault()));
    }
    if let Some(names) = schema.get("enum").and_then(Json::as_array) {
        let known = value.as_str().is_some_and(|name| names.iter().any(|n| n == name));
        return if known { Ok(()) } else { Err(fault()) };
    }
    if let Some(name) = schema.get("const") {
        return if value.as_str() == name.as_str() { Ok(()) } else { Err(fault()) };
    }
    match (type_of(schema), value) {
        ("object", Value::Table(table)) => check_table(key, table, schema),
        ("array", Value::Array(values)) => {
            let items = schema.get("items").unwrap_or(&Json::Null);
            values.iter().enumerate().try_for_each(|(i, value)| {
                check_value(&format!("number {} of {key}", i + 1), value, items)
            })
        }
        ("integer", Value::Integer(n)) if in_range(*n as f64, schema) => Ok(()),
        ("number", Value::Integer(n)) if in_range(*n as f64, schema) => Ok(()),
        ("number", Value::Float(x)) if x.is_finite() && in_range(*x, schema) => Ok(()),
        ("string", Value::String(_)) | ("boolean", Value::Boolean(_)) | ("", _) => Ok(()),
        _ => Err(fault()),
    }
}

/// `None` when the value is of none of the variants, and near none.
fn check_variants(key: &str, value: &Value, variants: &[Json]) -> Option<Result<(), SettingError>> {
    if let (Some(tag), Value::Table(table)) = (tag(variants), value) {
        let name = table.get(tag);
        let variant = variants.iter().find(|v| tag_name(v, tag) == name.and_then(Value::as_str));
        let names = variants.iter().filter_map(|v| tag_name(v, tag)).map(str::to_owned);
        let names: Vec<_> = names.collect();
        let (key_of_tag, expected) = (inside(key, tag), one_of(names.clone()));
        return Some(match (variant, name) {
            (Some(variant), Some(_)) => check_table(key, table, variant),
            (_, None) => Err(SettingError::Missing { key: key_of_tag, expected }),
            (None, Some(name)) => {
                Err(SettingError::Value { key: key_of_tag, got: shown(name), expected, names })
            }
        });
    }
    let results: Vec<_> = variants.iter().map(|v| (v, check_value(key, value, v))).collect();
    if results.iter().any(|(_, result)| result.is_ok()) {
        return Some(Ok(()));
    }
    let near = |variant: &Json| match value {
        Value::Table(table) => {
            properties(variant).is_some_and(|p| table.keys().any(|key| p.contains_key(key)))
        }
        Value::Array(_) => type_of(variant) == "array",
        Value::Integer(_) | Value::Float(_) => matches!(type_of(variant), "integer" | "number"),
        _ => false,
    };
    results.into_iter().find(|(variant, _)| near(variant)).map(|(_, result)| result)
}

fn check_table(key: &str, table: &toml::Table, schema: &Json) -> Result<(), SettingError> {
    let empty = Map::new();
    let properties = properties(schema).unwrap_or(&empty);
    for (name, value) in table {
        let key = inside(key, name);
        // A table with names of the user's own has one schema for all of its values.
        let own = schema.get("additionalProperties").filter(|own| own.is_object());
        let Some(schema) = properties.get(name).or(own) else {
            let names = properties.keys().cloned().collect();
            return Err(SettingError::Unknown { key, names });
        };
        check_value(&key, value, schema)?;
    }
    let required = schema.get("required").and_then(Json::as_array);
    for name in required.into_iter().flatten().filter_map(Json::as_str) {
        if !table.contains_key(name) {
            let expected = properties.get(name).map_or_else(String::new, expected);
            return Err(SettingError::Missing { key: inside(key, name), expected });
        }
    }
    Ok(())
}

fn inside(key: &str, name: &str) -> String {
    if key.is_empty() { name.into() } else { format!("{key}.{name}") }
}

fn in_range(x: f64, schema: &Json) -> bool {
    let bound = |name| schema.get(name).and_then(Json::as_f64);
    bound("minimum").is_none_or(|min| x >= min)
        && bound("exclusiveMinimum").is_none_or(|min| x > min)
        && bound("maximum").is_none_or(|max| x <= max)
        && bound("exclusiveMaximum").is_none_or(|max| x < max)
}

/// Returns the settings of a table by name, in the order of their fields.
pub fn properties(schema: &Json) -> Option<&Map<String, Json>> {
    schema.get("properties").and_then(Json::as_object)
}

/// Returns what a value may be one of: names, tables, types.
pub fn variants(schema: &Json) -> Option<&[Json]> {
    schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array().map(Vec::as_slice)
}

/// Returns the key that tells the variants of a table apart, if they are such.
pub fn tag(variants: &[Json]) -> Option<&str> {
    let first = properties(variants.first()?)?;
    first.iter().find(|(_, schema)| schema.get("const").is_some()).map(|(name, _)| name.as_str())
}

/// Returns the name of a variant whose tables are told apart by `tag`.
pub fn tag_name<'a>(variant: &'a Json, tag: &str) -> Option<&'a str> {
    properties(variant)?.get(tag)?.get("const")?.as_str()
}

/// Returns the type of a value in the words of JSON Schema, empty when it may be any.
pub fn type_of(schema: &Json) -> &str {
    match schema.get("type") {
        Some(Json::String(name)) => name,
        // An optional one: it or null.
        Some(Json::Array(names)) => names.first().and_then(Json::as_str).unwrap_or(""),
        _ => "",
    }
}

/// Returns the names to choose from, each with its meaning; none where a value is no name.
pub fn choices(schema: &Json) -> Vec<(&str, &str)> {
    if let Some(names) = schema.get("enum").and_then(Json::as_array) {
        return names.iter().filter_map(Json::as_str).map(|name| (name, "")).collect();
    }
    if let Some(name) = schema.get("const").and_then(Json::as_str) {
        return vec![(name, schema.get("description").and_then(Json::as_str).unwrap_or(""))];
    }
    variants(schema).into_iter().flatten().flat_map(choices).collect()
}

/// Returns in words what a value may be: "a finite number, at least 0".
pub fn expected(schema: &Json) -> String {
    if let Some(variants) = variants(schema) {
        if let Some(tag) = tag(variants) {
            let names = variants.iter().filter_map(|v| tag_name(v, tag)).map(str::to_owned);
            return format!("a table with `{tag}`, {}", one_of(names.collect()));
        }
        let mut parts: Vec<_> =
            choices(schema).iter().map(|(name, _)| (*name).to_owned()).collect();
        let others = variants.iter().filter(|v| choices(v).is_empty() && type_of(v) != "null");
        parts.extend(others.map(expected));
        return one_of(parts);
    }
    let names = choices(schema);
    if !names.is_empty() {
        return one_of(names.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
    let what = schema.get("x-what").and_then(Json::as_str);
    match type_of(schema) {
        "integer" => format!("{}{}", what.unwrap_or("a whole number"), range(schema)),
        "number" => format!("{}{}", what.unwrap_or("a finite number"), range(schema)),
        "boolean" => what.unwrap_or("true or false").into(),
        "string" => what.unwrap_or("a text in quotes").into(),
        "array" => {
            let each = expected(schema.get("items").unwrap_or(&Json::Null));
            what.map_or_else(|| format!("a list, each {each}"), str::to_owned)
        }
        "object" => match properties(schema).map(|p| p.keys().cloned().collect::<Vec<_>>()) {
            Some(keys) => format!("a table with {}", keys.join(", ")),
            None => "a table".into(),
        },
        _ => what.unwrap_or("another value").into(),
    }
}

/// Returns the range of a number in words, to stand behind what it is; empty when it has none.
pub fn range(schema: &Json) -> String {
    let bound = |name| schema.get(name).and_then(Json::as_f64);
    let low = match (bound("minimum"), bound("exclusiveMinimum")) {
        (_, Some(min)) => Some((min, true)),
        (Some(min), _) => Some((min, false)),
        _ => None,
    };
    let high = match (bound("maximum"), bound("exclusiveMaximum")) {
        (_, Some(max)) => Some((max, true)),
        (Some(max), _) => Some((max, false)),
        _ => None,
    };
    match (low, high) {
        (Some((min, false)), Some((max, false))) => format!(", {min} to {max}"),
        (Some((min, true)), Some((max, true))) => format!(" between {min} and {max}"),
        (Some((min, true)), None) => format!(" above {min}"),
        (Some((min, true)), Some((max, false))) => format!(" above {min}, at most {max}"),
        (Some((min, false)), None) => format!(", at least {min}"),
        (Some((min, false)), Some((max, true))) => format!(", at least {min} and below {max}"),
        (None, Some((max, true))) => format!(" below {max}"),
        (None, Some((max, false))) => format!(", at most {max}"),
        (None, None) => String::new(),
    }
}

/// "one of a, b or c".
fn one_of(mut names: Vec<String>) -> String {
    match (names.pop(), names.len()) {
        (Some(last), 0) => last,
        (Some(last), 1) => format!("{} or {last}", names[0]),
        (Some(last), _) => format!("one of {} or {last}", names.join(", ")),
        (None, _) => "nothing".into(),
    }
}

/// Returns the settings that are not as by default, as `key=value`.
pub fn changed<T: Serialize + Default>(settings: &T) -> Vec<String> {
    let table = |settings: &T| match Value::try_from(settings) {
        Ok(Value::Table(table)) => table,
        _ => toml::Table::new(),
    };
    let default = table(&T::default());
    let changed =
        table(settings).into_iter().filter(|(key, value)| default.get(key) != Some(value));
    let text = |value: Value| value.as_str().map_or_else(|| shown(&value), str::to_owned);
    changed.map(|(key, value)| format!("{key}={}", text(value))).collect()
}

/// Returns a value as people write it: 1e-8 rather than 0.00000001, and 0 rather than 0.0.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Float(x) if x.is_nan() => "NaN".into(),
        Value::Float(x) if *x != 0.0 && !(1e-3..1e15).contains(&x.abs()) => format!("{x:e}"),
        Value::Float(x) => x.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Table(_) => "a table".into(),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Value::Integer(n) => n.to_string(),
        Value::Boolean(on) => on.to_string(),
        Value::Datetime(time) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
    enum Step {
        Plain,
        Long {
            #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
            factor: f64,
        },
    }

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        #[schemars(inner(range(min = 1, max = 9)))]
        units: Vec<usize>,
        #[schemars(extend("exclusiveMinimum" = 0))]
        rate: f64,
        #[schemars(range(max = 1.0), extend("minimum" = 0, "x-what" = "a probability"))]
        flip: f64,
        on: bool,
        seed: Option<u64>,
        step: Step,
        names: BTreeMap<String, u8>,
    }

    impl Default for Settings {
        fn default() -> Self {
            let step = Step::Plain;
            let names = BTreeMap::new();
            Self { units: vec![3], rate: 0.5, flip: 0.0, on: false, seed: None, step, names }
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let said = |text: &str| {
            let value: Value = toml::from_str(text).expect("toml");
            check_value("", &value, schema::<Settings>()).map_err(|error| error.to_string())
        };
        assert_eq!(said("names = { any = 1 }"), Ok(()));
        assert_eq!(said("units = [1, 9]\nrate = 1\nseed = 3\nstep = { name = \"plain\" }"), Ok(()));
        for (text, error) in [
            ("rate = -1", "rate is -1: expected a finite number above 0"),
            ("rate = nan", "rate is NaN: expected a finite number above 0"),
            ("rate = 'a'", "rate is \"a\": expected a finite number above 0"),
            ("flip = 2", "flip is 2: expected a probability, 0 to 1"),
            ("units = [3, 0]", "number 2 of units is 0: expected a whole number, 1 to 9"),
            ("units = 3", "units is 3: expected a list, each a whole number, 1 to 9"),
            ("on = 1", "on is 1: expected true or false"),
            ("seed = -1", "seed is -1: expected a whole number, at least 0"),
            ("sede = 1", "unknown key `sede`"),
            ("names = { any = 'a' }", "names.any is \"a\": expected a whole number, 0 to 255"),
            ("step = { nam = 1 }", "step.name is missing: expected plain or long"),
            ("step = { name = \"lon\" }", "step.name is \"lon\": expected plain or long"),
            (
                "step = { name = \"long\" }",
                "step.factor is missing: expected a finite number between 0 and 1",
            ),
            (
                "step = { name = \"long\", factor = 1.0 }",
                "step.factor is 1: expected a finite number between 0 and 1",
            ),
            ("step = { name = \"plain\", factor = 1.0 }", "unknown key `step.factor`"),
            ("step = 1", "step is 1: expected a table with `name`, plain or long"),
        ] {
            assert_eq!(said(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn values_are_checked_as_texts_are() {
        let schema = schema::<Settings>();
        assert_eq!(check(&Settings::default(), schema), Ok(()));
        let error = check(&Settings { rate: f64::INFINITY, ..Settings::default() }, schema);
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err("rate is inf: expected a finite number above 0".into())
        );
    }
}
