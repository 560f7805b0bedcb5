//! Durations as people write them: `90d`, `12h`, `30m`, `5s`, `250ms`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    pub const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(60 * minutes))
    }

    pub const fn seconds_of(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub fn duration(self) -> Duration {
        self.0
    }

    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a duration; write for example \"90d\", \"12h\", \"30m\", \"5s\" or \"250ms\"");
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let milliseconds = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
        number
            .checked_mul(milliseconds)
            .map(|total| Self(Duration::from_millis(total)))
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_millis() as u64;
        let (unit, milliseconds) = UNITS
            .iter()
            .find(|(_, size)| total.is_multiple_of(*size))
            .unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", total / milliseconds)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Largest first.
const UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_the_same() {
        for text in ["90d", "12h", "30m", "5s", "250ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for wrong in ["", "d", "5", "5 d", "-5s", "1.5h", "99999999999999999999d"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
