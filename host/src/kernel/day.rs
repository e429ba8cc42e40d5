//! UTC calendar days, `YYYY-MM-DD`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A UTC calendar day. Orders by time; prints and parses as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// What was wrong with a day's text.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a calendar day of the form YYYY-MM-DD")]
pub struct DayError(String);

impl Day {
    /// The UTC day that holds this moment. Moments outside years -9999..9999 fall on the nearest day that exists.
    #[must_use]
    pub fn of_ms(ms: i64) -> Self {
        let timestamp = Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        Self(timestamp.to_zoned(TimeZone::UTC).date())
    }

    /// The first millisecond of the day.
    #[must_use]
    pub fn start_ms(self) -> i64 {
        self.0
            .to_zoned(TimeZone::UTC)
            .map_or(0, |z| z.timestamp().as_millisecond())
    }

    /// Whole days from `self` to `later`; negative when `later` is earlier.
    #[must_use]
    pub fn days_until(self, later: Self) -> i64 {
        (later.start_ms() - self.start_ms()).div_euclid(super::clock::DAY_MS)
    }

    /// The day `days` after (or before) this one, held at the calendar's ends.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        Self(
            self.0
                .saturating_add(jiff::Span::new().days(days.clamp(-3_000_000, 3_000_000))),
        )
    }

    /// The civil date underneath.
    #[must_use]
    pub fn date(self) -> Date {
        self.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wellformed = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if !wellformed {
            return Err(DayError(text.chars().take(40).collect()));
        }
        text.parse::<Date>()
            .map(Self)
            .map_err(|_| DayError(text.to_owned()))
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_cut_at_utc_midnight() {
        assert_eq!(Day::of_ms(1_774_915_199_999).to_string(), "2026-03-30");
        assert_eq!(Day::of_ms(1_774_915_200_000).to_string(), "2026-03-31");
    }

    #[test]
    fn days_between_count_whole_calendar_days() {
        let from: Day = "2026-01-30".parse().unwrap();
        let to: Day = "2026-03-31".parse().unwrap();
        assert_eq!(from.days_until(to), 60);
        assert_eq!(to.plus_days(-60), from);
    }

    #[test]
    fn only_the_plain_form_is_a_day() {
        for wrong in [
            "2026-3-1",
            "2026-02-30",
            "20260301",
            "",
            "2026-03-01T00:00:00Z",
        ] {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
    }
}
