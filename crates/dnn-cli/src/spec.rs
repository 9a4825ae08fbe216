//! Flags that name a thing and its settings: `adam`, `momentum:momentum=0.8`, `cosine:warmup=100`;
//! and how images are augmented: `medium`, `flip=0.5,rotation=15`, `strong,erasing=0`.

use dnn_data::augment::{AugmentConfig, Strength};
use serde::de::DeserializeOwned;

/// Reads NAME or NAME:KEY=VALUE,…, as a configuration file has them.
///
/// # Errors
/// What is wrong, with the nearest valid name.
pub(crate) fn spec<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let (name, settings) = text.split_once(':').unwrap_or((text, ""));
    let mut table = toml::Table::new();
    table.insert("name".into(), name.into());
    for setting in settings.split(',').filter(|s| !s.is_empty()) {
        let (key, value) =
            setting.split_once('=').ok_or_else(|| format!("`{setting}`: expected KEY=VALUE"))?;
        let value = value.trim();
        let number = number(value).ok_or_else(|| format!("`{value}` is not a number"))?;
        table.insert(key.trim().into(), number);
    }
    checked(table)
}

fn number(text: &str) -> Option<toml::Value> {
    let whole = text.parse::<i64>().map(toml::Value::from);
    whole.or_else(|_| text.parse::<f64>().map(toml::Value::from)).ok()
}

fn checked<T: DeserializeOwned>(table: toml::Table) -> Result<T, String> {
    T::deserialize(table).map_err(|error: toml::de::Error| {
        crate::run::with_hint(error.message(), &error).to_string()
    })
}

/// Reads what is done to images: a strength or none, then KEY=VALUE,…, as a configuration file has
/// them; or settings alone.
///
/// # Errors
/// What is wrong, with the nearest valid name.
pub(crate) fn augmentation(text: &str) -> Result<AugmentConfig, String> {
    let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty()).peekable();
    let start = match parts.next_if(|part| !part.contains('=')) {
        Some("none") => AugmentConfig::default(),
        Some(name) => AugmentConfig::preset(strength(name)?),
        None if parts.peek().is_some() => AugmentConfig::default(),
        None => return Err("expected light, medium, strong, none or KEY=VALUE,…".into()),
    };
    let mut table = toml::Table::try_from(start).map_err(|error| error.to_string())?;
    for part in parts {
        let (key, value) =
            part.split_once('=').ok_or_else(|| format!("`{part}`: expected KEY=VALUE"))?;
        let (key, value) = (key.trim(), value.trim());
        let value = match table.get(key) {
            Some(toml::Value::Float(_)) => {
                number(value).ok_or_else(|| format!("`{value}` is not a number"))?
            }
            _ => value.into(),
        };
        table.insert(key.into(), value);
    }
    checked(table)
}

fn strength(name: &str) -> Result<Strength, String> {
    let strength = Strength::ALL.into_iter().find(|strength| strength.name() == name);
    strength.ok_or_else(|| {
        let names = Strength::ALL.map(Strength::name).into_iter().chain(["none"]);
        let like = |other: &str| strsim::jaro_winkler(name, other);
        let best = names.max_by(|a, b| like(a).total_cmp(&like(b)));
        let hint = best.filter(|best| like(best) > 0.7);
        let hint = hint.map_or(String::new(), |best| format!("\ndid you mean `{best}`?"));
        format!("`{name}`: expected light, medium, strong, none or KEY=VALUE,…{hint}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_train::config::{OptimizerConfig, OptimizerName};
    use dnn_train::schedule::Schedule;

    #[test]
    fn names_and_settings_are_understood() {
        assert_eq!(spec("adam"), Ok(OptimizerName::Adam.usual()));
        assert_eq!(spec("momentum:momentum=0.8"), Ok(OptimizerConfig::Momentum { momentum: 0.8 }));
        let cosine = Schedule::Cosine { warmup: 100, minimum: 0.0 };
        assert_eq!(spec("cosine:warmup=100"), Ok(cosine));
        assert_eq!(spec("inverse-time:decay=1"), Ok(Schedule::InverseTime { decay: 1.0 }));
    }

    #[test]
    fn mistakes_are_answered_with_the_nearest() {
        let error = spec::<OptimizerConfig>("adma").unwrap_err();
        assert!(error.contains("did you mean `adam`?"), "{error}");
        let error = spec::<OptimizerConfig>("momentum:momentun=1").unwrap_err();
        assert!(error.contains("did you mean `momentum`?"), "{error}");
        let error = spec::<Schedule>("step:every=2").unwrap_err();
        assert!(error.contains("factor"), "{error}");
        assert!(spec::<Schedule>("step:every=x").unwrap_err().contains("`x` is not a number"));
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
            ("stong", ["`stong`: expected light", "did you mean `strong`?"]),
            ("blue", ["`blue`: expected light, medium, strong, none", "KEY=VALUE"]),
            ("", ["expected light, medium, strong, none", "KEY=VALUE"]),
            ("flip=0.5,rotatoin=3", ["unknown field `rotatoin`", "did you mean `rotation`?"]),
            ("padding=mirror", ["unknown variant `mirror`", "`reflect`"]),
            ("flip=x", ["`x` is", "not a number"]),
            ("flip=2", ["flip is 2", "expected a probability, 0 to 1"]),
            ("light,medium", ["`medium`", "expected KEY=VALUE"]),
        ] {
            let error = augmentation(text).unwrap_err();
            assert!(messages.iter().all(|message| error.contains(message)), "{text}: {error}");
        }
    }
}
