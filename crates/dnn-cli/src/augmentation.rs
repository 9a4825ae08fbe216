//! The flag `--augment`: `medium`, `flip=0.5,rotation=15`, `strong,erasing=0`.

use crate::settings::{in_words, settings_of};
use dnn_core::settings;
use dnn_data::augment::{AugmentConfig, RawAugmentConfig, Strength};
use serde::Deserialize;
use toml::{Table, Value};

/// Reads what is done to images: a strength or none, then KEY=VALUE,…, as a configuration file has
/// them; or settings alone.
///
/// # Errors
/// What is wrong, with the nearest valid name.
pub(crate) fn augmentation(text: &str) -> Result<AugmentConfig, String> {
    let (first, rest) = text.split_once(',').unwrap_or((text, ""));
    let (start, rest) = match first.trim() {
        "none" => (AugmentConfig::default(), rest),
        name if name.contains('=') => (AugmentConfig::default(), text),
        name => (AugmentConfig::preset(strength(name)?), rest),
    };
    let schema = settings::schema::<RawAugmentConfig>();
    let mut table = Table::try_from(start).map_err(|error| error.to_string())?;
    table.extend(settings_of(rest, &schema)?);
    let value = Value::Table(table);
    settings::check_value("", &value, &schema).map_err(|error| in_words(&error))?;
    AugmentConfig::deserialize(value).map_err(|error| error.message().to_owned())
}

fn strength(name: &str) -> Result<Strength, String> {
    let strength = Strength::ALL.into_iter().find(|strength| strength.name() == name);
    strength.ok_or_else(|| {
        let names = Strength::ALL.map(Strength::name).into_iter().chain(["none"]);
        let hint = settings::nearest(name, names);
        let hint = hint.map_or(String::new(), |best| format!("\ndid you mean `{best}`?"));
        format!("`{name}`: expected light, medium, strong, none or KEY=VALUE,…{hint}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("stong", ["`stong`: expected light", "did you mean `strong`?"]),
            ("blue", ["`blue`: expected light, medium, strong, none", "KEY=VALUE"]),
            ("", ["expected light, medium, strong, none", "KEY=VALUE"]),
            ("flip=0.5,rotatoin=3", ["unknown key `rotatoin`", "did you mean `rotation`?"]),
            ("padding=mirror", ["padding is \"mirror\"", "one of reflect, edge or constant"]),
            ("flip=x", ["flip is \"x\"", "expected a probability"]),
            ("flip=2", ["flip is 2", "expected a probability, 0 to 1"]),
            ("light,medium", ["`medium`", "expected KEY=VALUE"]),
        ] {
            let error = augmentation(text).unwrap_err();
            assert!(messages.iter().all(|message| error.contains(message)), "{text}: {error}");
        }
    }
}
