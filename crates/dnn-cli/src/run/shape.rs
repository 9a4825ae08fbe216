//! What a configuration file may hold at each place, as the code that reads it has it.
//!
//! There is no second list of keys: a key that cannot be one is put at the place in question, and
//! serde's error names those that it would have taken.

use super::RunConfig;
use super::config::quoted;
use toml::{Table, Value};

/// A key that no table has, and a name that no choice has.
const PROBE: &str = "__probe";

/// What is read at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A table with these keys, in the order of the code.
    Table(Vec<String>),
    /// A table whose key `tag` decides which others it has.
    Tagged { tag: String, variants: Vec<Variant> },
    /// One of these names.
    Choice(Vec<String>),
    /// Anything else: a number, a list, a path.
    Plain,
}

/// One name of a [`Shape::Tagged`], and the keys that come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) keys: Vec<String>,
}

/// A sound configuration, in which one place at a time is tried.
#[derive(Debug, Clone)]
pub(crate) struct Base(Table);

impl Base {
    /// # Errors
    /// When the configuration cannot be written as TOML.
    pub(crate) fn new(config: &RunConfig) -> anyhow::Result<Self> {
        Ok(Self(Table::try_from(config)?))
    }

    /// What stands at a place.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Value> {
        let (last, tables) = path.split_last()?;
        tables.iter().try_fold(&self.0, |table, key| table.get(*key)?.as_table())?.get(*last)
    }

    /// The configuration with another value at a place, or none.
    pub(crate) fn with(&self, path: &[&str], value: Option<Value>) -> Self {
        let mut root = self.0.clone();
        if let Some((last, tables)) = path.split_last() {
            let mut table = Some(&mut root);
            for key in tables {
                table = table.and_then(|table| {
                    let empty = || Value::Table(Table::new());
                    table.entry(*key).or_insert_with(empty).as_table_mut()
                });
            }
            if let Some(table) = table {
                match value {
                    Some(value) => table.insert((*last).to_owned(), value),
                    None => table.remove(*last),
                };
            }
        } else if let Some(Value::Table(table)) = value {
            root = table;
        }
        Self(root)
    }

    /// What the configuration means, with everything left out filled in; an error when it means
    /// nothing.
    ///
    /// # Errors
    /// What serde says.
    pub(crate) fn load(&self) -> Result<Self, String> {
        let config: RunConfig = self.0.clone().try_into().map_err(|e| e.message().to_owned())?;
        Table::try_from(config).map(Self).map_err(|e| e.to_string())
    }

    /// What is read at a place; the root's path is empty.
    pub(crate) fn shape(&self, path: &[&str]) -> Shape {
        if let Some(keys) = self.refused(path, table(&[(PROBE, 0.into())]), "unknown field ") {
            return Shape::Table(keys);
        }
        if let Some(names) = self.refused(path, PROBE.into(), "unknown variant ") {
            return Shape::Choice(names);
        }
        let tag = self
            .refused(path, table(&[]), "missing field ")
            .and_then(|keys| keys.into_iter().next());
        let Some(tag) = tag else { return Shape::Plain };
        let tagged = table(&[(&tag, PROBE.into())]);
        let Some(names) = self.refused(path, tagged, "unknown variant ") else {
            return Shape::Plain;
        };
        let variant = |name: String| {
            let probe = table(&[(PROBE, 0.into()), (&tag, name.clone().into())]);
            let keys = self.refused(path, probe, "unknown field ").unwrap_or_default();
            Variant { name, keys }
        };
        Shape::Tagged { variants: names.into_iter().map(variant).collect(), tag }
    }

    /// The names in the error that a value at a place gives, when it starts with `says`: of
    /// unknown ones, what would have been taken.
    fn refused(&self, path: &[&str], value: Value, says: &str) -> Option<Vec<String>> {
        let error = self.with(path, Some(value)).load().err()?;
        let names = quoted(error.strip_prefix(says)?).map(str::to_owned);
        Some(names.filter(|name| name != PROBE).collect())
    }
}

fn table(entries: &[(&str, Value)]) -> Value {
    Value::Table(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use dnn_train::TrainConfig;

    #[test]
    fn the_shapes_are_those_of_the_code() {
        let training = TrainConfig::course_deep();
        let base =
            Base::new(&RunConfig { source: Some(Source::drawn()), ..RunConfig::new(training) })
                .unwrap();
        assert_eq!(
            base.shape(&[]),
            Shape::Table(
                ["checkpoint_every", "source", "augment", "training"].map(String::from).to_vec()
            )
        );
        let Shape::Table(keys) = base.shape(&["training"]) else { panic!("a table") };
        assert_eq!(keys[0], "hidden");
        let Shape::Table(keys) = base.shape(&["source", "names"]) else { panic!("a table") };
        assert_eq!(keys, ["x", "y", "classes"]);
        let choice = Shape::Choice(vec!["numpy".into(), "modern".into()]);
        assert_eq!(base.shape(&["training", "rng"]), choice);
        for plain in ["hidden", "seed", "learning_rate"] {
            assert_eq!(base.shape(&["training", plain]), Shape::Plain, "{plain}");
        }
    }
}
