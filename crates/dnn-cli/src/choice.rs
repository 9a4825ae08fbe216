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
        // Leaked once per flag and process: clap keeps names for as long as the program runs.
        Ok(serde_json::Value::String(name)) => &*name.leak(),
        _ => panic!("a value without a name"),
    };
    let names: Vec<&'static str> = values.iter().map(name).collect();
    PossibleValuesParser::new(names).map(|text| {
        let text = StrDeserializer::<Error>::new(&text);
        T::deserialize(text).expect("a name from the list above")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};
    use dnn_core::{Activation, Init};

    #[test]
    fn every_name_is_understood_and_a_wrong_one_gets_the_nearest() {
        let command = || {
            let init = Arg::new("init").long("init").value_parser(choice(&Init::ALL));
            Command::new("x").no_binary_name(true).arg(init)
        };
        for init in Init::ALL {
            let matches = command().try_get_matches_from(["--init", &init.to_string()]);
            assert_eq!(matches.expect("its own name").get_one::<Init>("init"), Some(&init));
        }
        let error = command().try_get_matches_from(["--init", "glorott"]).expect_err("no such one");
        assert!(error.to_string().contains("'glorot'"), "{error}");
    }

    #[test]
    fn activations_too() {
        let parser = choice(&Activation::ALL);
        let names = parser.possible_values().expect("names").count();
        assert_eq!(names, Activation::ALL.len());
    }
}
