//! Flags whose values are the libraries' own enums, spelled as in a configuration file.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

/// Takes the names of these values; another one is answered with the nearest.
///
/// # Panics
/// When a value has no name, or its name does not lead back to it.
pub(crate) fn choice<T>(values: &[T]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    let name = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => panic!("a value without a name"),
    };
    let names: Vec<String> = values.iter().map(name).collect();
    PossibleValuesParser::new(names).map(|text| {
        let text = StrDeserializer::<Error>::new(&text);
        T::deserialize(text).expect("a name from the list above")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};
    use dnn_core::Activation;
    use dnn_core::rng::RngKind;

    #[test]
    fn every_name_is_understood_and_a_wrong_one_gets_the_nearest() {
        let command = || {
            let rng = Arg::new("rng").long("rng").value_parser(choice(&RngKind::ALL));
            Command::new("x").no_binary_name(true).arg(rng)
        };
        for rng in RngKind::ALL {
            let matches = command().try_get_matches_from(["--rng", &rng.to_string()]);
            assert_eq!(matches.expect("its own name").get_one::<RngKind>("rng"), Some(&rng));
        }
        let error = command().try_get_matches_from(["--rng", "nunpy"]).expect_err("no such one");
        assert!(error.to_string().contains("'numpy'"), "{error}");
    }

    #[test]
    fn activations_too() {
        let parser = choice(&Activation::ALL);
        let names = parser.possible_values().expect("names").count();
        assert_eq!(names, Activation::ALL.len());
    }
}
