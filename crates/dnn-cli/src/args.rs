//! Flags that several subcommands have.

use crate::settings::{FlagGroup, Flags};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use dnn_core::Activation;
use dnn_data::Scale;
use dnn_data::synthetic::DrawOptions;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};
use std::path::PathBuf;

/// What is read of the data, or drawn: names of its parts, where they are not the usual ones, and the
/// settings of drawn images.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DataArgs {
    /// Dataset (HDF5) or array (.npz) of the images, when it does not have a usual name such as
    /// train_set_x or x_train
    #[arg(long, value_name = "NAME", requires = "y")]
    pub(crate) x: Option<String>,
    /// Dataset or array of the labels
    #[arg(long, value_name = "NAME", requires = "x")]
    pub(crate) y: Option<String>,
    /// Dataset or array of the class names, when it is not called list_classes
    #[arg(long, value_name = "NAME", requires = "x")]
    pub(crate) class_names: Option<String>,
    /// Column of the labels in a table (CSV), by its name or its number from 1 [default: label,
    /// class, target, y or species, else the last]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// What numbers that are no bytes become: auto divides whole ones from 0 to 255 by 255
    #[arg(long, value_name = "NAME",
          value_parser = choice(&[Scale::Auto, Scale::DivideBy255, Scale::AsIs]))]
    pub(crate) scale: Option<Scale>,
    /// Other names for the classes of the data, for example cats=cat,dogs=non-cat
    #[arg(long, value_name = "OWN=NAME,…", value_parser = class_pair, value_delimiter = ',')]
    pub(crate) class_map: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) draw: Flags<Drawing>,
}

/// Which images are drawn when the data is `drawn`.
#[derive(Debug, Clone)]
pub(crate) struct Drawing;

impl FlagGroup for Drawing {
    type Settings = DrawOptions;
    const HEADING: &'static str = "Drawn images";
}

/// Where a model is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArg {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
}

/// Units of the hidden layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers(pub(crate) Vec<usize>);

/// "20,7,5", or "none".
///
/// # Errors
/// Which part is not a number.
pub(crate) fn layers(text: &str) -> Result<Layers, String> {
    if text == "none" {
        return Ok(Layers(Vec::new()));
    }
    let unit = |part: &str| {
        part.trim().parse::<usize>().map_err(|_| {
            format!("`{part}` is not a number of units; expected for example 20,7,5, or none")
        })
    };
    text.split(',').map(unit).collect::<Result<_, _>>().map(Layers)
}

/// A class of the data and what it is called.
fn class_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(own, name)| !own.is_empty() && !name.is_empty());
    let pair = pair.map(|(own, name)| (own.to_owned(), name.to_owned()));
    pair.ok_or_else(|| format!("`{text}`: expected OWN=NAME"))
}

/// Those a hidden layer can have.
pub(crate) fn hidden_activations() -> Vec<Activation> {
    Activation::ALL.into_iter().filter(|a| *a != Activation::Identity).collect()
}

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

    #[test]
    fn layers_are_numbers() {
        assert_eq!(layers("20,7,5"), Ok(Layers(vec![20, 7, 5])));
        assert_eq!(layers("none"), Ok(Layers(vec![])));
        assert!(layers("20;7").unwrap_err().contains("`20;7` is not a number of units"));
    }
}
