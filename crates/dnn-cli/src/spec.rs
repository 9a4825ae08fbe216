//! Flags that name a thing and its settings: `adam`, `momentum:momentum=0.8`, `cosine:warmup=100`.

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
        let number = value.trim();
        let value = number
            .parse::<i64>()
            .map(toml::Value::from)
            .or_else(|_| number.parse::<f64>().map(toml::Value::from))
            .map_err(|_| format!("`{number}` is not a number"))?;
        table.insert(key.trim().into(), value);
    }
    T::deserialize(table).map_err(|error: toml::de::Error| {
        crate::run::with_hint(error.message(), &error).to_string()
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
}
