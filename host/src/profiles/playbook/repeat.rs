//! A schedule as a person chooses it, the five cron fields it stands for, and how it is said.

use std::fmt;

use serde::Serialize;

use crate::profiles::schedule::ScheduleError;

/// Weekdays as cron numbers them.
pub const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// How often, in the words of the form.
pub const CHOICES: [(&str, &str); 7] = [
    ("minutes-15", "Every 15 minutes"),
    ("minutes-30", "Every 30 minutes"),
    ("hourly", "Every hour"),
    ("daily", "Every day"),
    ("weekly", "Every week"),
    ("monthly", "Every month"),
    ("cron", "Other, as five cron fields"),
];

/// What the form asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repeat {
    /// One of [`CHOICES`].
    pub every: String,
    /// `03:00`; for `hourly` only its minute counts, for `cron` the five fields.
    pub at: String,
    /// A weekday's name for `weekly`, a day from 1 to 28 for `monthly`.
    pub on: String,
}

impl Repeat {
    /// The five fields.
    ///
    /// # Errors
    /// [`ScheduleError::Time`], [`ScheduleError::Day`], [`ScheduleError::Cron`].
    pub fn cron(&self) -> Result<String, ScheduleError> {
        let time = || {
            clock(&self.at)
                .ok_or_else(|| ScheduleError::Time(self.at.chars().take(20).collect::<String>()))
        };
        let day = || ScheduleError::Day(self.on.chars().take(20).collect::<String>());
        Ok(match self.every.as_str() {
            "minutes-15" => "*/15 * * * *".to_owned(),
            "minutes-30" => "*/30 * * * *".to_owned(),
            "hourly" => format!("{} * * * *", time()?.1),
            "daily" => {
                let (hour, minute) = time()?;
                format!("{minute} {hour} * * *")
            }
            "weekly" => {
                let (hour, minute) = time()?;
                let on = WEEKDAYS
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(self.on.trim()))
                    .ok_or_else(day)?;
                format!("{minute} {hour} * * {on}")
            }
            "monthly" => {
                let (hour, minute) = time()?;
                let on: u8 = self
                    .on
                    .trim()
                    .parse()
                    .ok()
                    .filter(|n| (1..=28).contains(n))
                    .ok_or_else(day)?;
                format!("{minute} {hour} {on} * *")
            }
            _ => self.at.trim().to_owned(),
        })
    }

    /// The form's words for five fields; what they cannot say is shown as cron.
    #[must_use]
    pub fn of(cron: &str) -> Self {
        let plain = |every: &str, at: String, on: String| Self {
            every: every.to_owned(),
            at,
            on,
        };
        let fields: Vec<&str> = cron.split_whitespace().collect();
        let number = |text: &str| text.parse::<u8>().ok();
        let said = match fields[..] {
            ["*/15", "*", "*", "*", "*"] => Some(plain("minutes-15", String::new(), String::new())),
            ["*/30", "*", "*", "*", "*"] => Some(plain("minutes-30", String::new(), String::new())),
            [minute, "*", "*", "*", "*"] => {
                number(minute).map(|m| plain("hourly", format!("00:{m:02}"), String::new()))
            }
            [minute, hour, day, "*", weekday] => {
                number(minute).zip(number(hour)).and_then(|(minute, hour)| {
                    let at = format!("{hour:02}:{minute:02}");
                    match (day, weekday) {
                        ("*", "*") => Some(plain("daily", at, String::new())),
                        ("*", on) => WEEKDAYS
                            .get(usize::from(number(on)?))
                            .map(|name| plain("weekly", at, (*name).to_owned())),
                        (on, "*") => number(on)
                            .filter(|n| (1..=28).contains(n))
                            .map(|n| plain("monthly", at, n.to_string())),
                        _ => None,
                    }
                })
            }
            _ => None,
        };
        said.unwrap_or_else(|| plain("cron", cron.to_owned(), String::new()))
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, on) = (&self.at, &self.on);
        match self.every.as_str() {
            "minutes-15" => f.write_str("every 15 minutes"),
            "minutes-30" => f.write_str("every 30 minutes"),
            "hourly" => write!(f, "every hour at {}", at.trim_start_matches("00")),
            "daily" => write!(f, "every day at {at}"),
            "weekly" => write!(f, "every {on} at {at}"),
            "monthly" => write!(f, "on day {on} of every month at {at}"),
            _ => write!(f, "by the cron fields {at}"),
        }
    }
}

/// A schedule in words, wherever one is shown: `every day at 03:00, Europe/Berlin`.
#[must_use]
pub fn in_words(cron: &str, zone: &str) -> String {
    format!("{}, {zone}", Repeat::of(cron))
}

/// Hour and minute of `03:00` or `3:00`.
fn clock(text: &str) -> Option<(u8, u8)> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some((hour, minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_form_says_becomes_cron_and_reads_back() {
        for (every, at, on, cron, said) in [
            ("minutes-15", "", "", "*/15 * * * *", "every 15 minutes"),
            ("minutes-30", "", "", "*/30 * * * *", "every 30 minutes"),
            ("hourly", "00:20", "", "20 * * * *", "every hour at :20"),
            ("daily", "03:00", "", "0 3 * * *", "every day at 03:00"),
            (
                "weekly",
                "22:15",
                "Sunday",
                "15 22 * * 0",
                "every Sunday at 22:15",
            ),
            (
                "monthly",
                "06:05",
                "28",
                "5 6 28 * *",
                "on day 28 of every month at 06:05",
            ),
            (
                "cron",
                "0 3 1 1 *",
                "",
                "0 3 1 1 *",
                "by the cron fields 0 3 1 1 *",
            ),
        ] {
            let repeat = Repeat {
                every: every.to_owned(),
                at: at.to_owned(),
                on: on.to_owned(),
            };
            assert_eq!(repeat.cron().unwrap(), cron);
            assert_eq!(Repeat::of(cron), repeat);
            assert_eq!(in_words(cron, "UTC"), format!("{said}, UTC"));
        }
    }

    #[test]
    fn a_wrong_time_or_day_names_its_field() {
        let wrong = |every: &str, at: &str, on: &str| {
            Repeat {
                every: every.to_owned(),
                at: at.to_owned(),
                on: on.to_owned(),
            }
            .cron()
            .unwrap_err()
        };
        assert!(matches!(
            wrong("daily", "25:00", ""),
            ScheduleError::Time(_)
        ));
        assert!(matches!(
            wrong("weekly", "03:00", "Someday"),
            ScheduleError::Day(_)
        ));
        assert!(matches!(
            wrong("monthly", "03:00", "31"),
            ScheduleError::Day(_)
        ));
    }
}
