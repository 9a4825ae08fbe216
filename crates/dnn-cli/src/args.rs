//! Flags that several subcommands have.

use crate::run::RunConfig;
use crate::settings::{FlagGroup, Flags};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use dnn_data::Names;
use dnn_data::loader::DataConfig;
use dnn_data::synthetic::DrawOptions;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};
use std::path::PathBuf;

/// The flags that say what is read of the data, or drawn.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DataArgs {
    #[command(flatten)]
    pub(crate) names: Flags<ArrayNames>,
    #[command(flatten)]
    pub(crate) values: Flags<DataValues>,
    /// Other names for the classes of the data, for example cats=cat,dogs=non-cat
    #[arg(long, value_name = "OWN=NAME,…", value_parser = class_pair, value_delimiter = ',',
          help_heading = "Data")]
    pub(crate) class_map: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) draw: Flags<DrawingFlags>,
}

impl DataArgs {
    /// Returns whether one of them is given.
    pub(crate) fn any(&self) -> bool {
        let Self { names, values, class_map, draw } = self;
        names.any() || values.any() || !class_map.is_empty() || draw.any()
    }
}

/// The flags of the arrays of images, labels and class names, where they do not have their usual
/// names.
#[derive(Debug, Clone)]
pub(crate) struct ArrayNames;

impl FlagGroup for ArrayNames {
    type Settings = Names;
    const HEADING: &'static str = "Data";
}

/// The flags of the column that holds the labels of a table, and of what numbers become.
#[derive(Debug, Clone)]
pub(crate) struct DataValues;

impl FlagGroup for DataValues {
    type Settings = DataConfig;
    const HEADING: &'static str = "Data";
    const GROUP: Option<&'static str> = Some("values");
}

/// The flag of the random changes to images while a network is trained on them.
#[derive(Debug, Clone)]
pub(crate) struct Augmentation;

impl FlagGroup for Augmentation {
    type Settings = RunConfig;
    const HEADING: &'static str = "Training";
    const GROUP: Option<&'static str> = Some("augment");
}

/// The flags of the images that are drawn when the data is `drawn`.
#[derive(Debug, Clone)]
pub(crate) struct DrawingFlags;

impl FlagGroup for DrawingFlags {
    type Settings = DrawOptions;
    const HEADING: &'static str = "Drawn images";
}

/// The argument that names a model.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArg {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
}

/// Reads a class of the data and its new name.
fn class_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(own, name)| !own.is_empty() && !name.is_empty());
    let pair = pair.map(|(own, name)| (own.to_owned(), name.to_owned()));
    pair.ok_or_else(|| format!("`{text}`: expected OWN=NAME"))
}

/// Returns a parser of the names of these values; for another name, the error suggests the most
/// similar one.
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
