//! A length of time as a setting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::time::Duration;

/// A length of time above 0, written as "90s", "10m" or "1h 30m".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TimeLimit(Duration);

impl TimeLimit {
    /// Returns the length of time.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err(format!("`{text}`: expected a time above 0, for example 90s, 10m or 1h30m")),
        }
    }
}

impl TryFrom<String> for TimeLimit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeLimit> for String {
    fn from(limit: TimeLimit) -> Self {
        humantime::format_duration(limit.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds, written) in
            [("90s", 90, "1m 30s"), ("10m", 600, "10m"), ("1h30m", 5400, "1h 30m")]
        {
            let limit: TimeLimit = text.parse().unwrap();
            assert_eq!(limit.duration(), Duration::from_secs(seconds));
            assert_eq!(String::from(limit), written);
            assert_eq!(written.parse(), Ok(limit));
        }
        for wrong in ["", "10", "0s", "-1m", "ten minutes", "99999999999999999999h"] {
            let error = wrong.parse::<TimeLimit>().unwrap_err();
            assert!(error.ends_with("for example 90s, 10m or 1h30m"), "{error}");
        }
    }
}
