//! When a profile runs next: a cron expression in a zone. Pure.

use std::str::FromStr as _;

use croner::Cron;

use crate::aliases::model::Schedule;
use crate::kernel::{IntoProblem, Problem};

/// A schedule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not a cron expression of five fields.
    #[error("`{0}` is not a schedule of five cron fields")]
    Cron(String),
    /// Not an IANA zone.
    #[error("`{0}` is not a time zone")]
    Zone(String),
    /// Not a time of day.
    #[error("`{0}` is not a time of day")]
    Time(String),
    /// Not a day that the choice takes.
    #[error("`{0}` is not a day that fits")]
    Day(String),
    /// Not a calendar day.
    #[error("`{0}` is not a calendar day")]
    FreezeDay(String),
    /// The freeze days leave no day to run on.
    #[error("the freeze days leave no day on which it would run")]
    Frozen,
}

impl IntoProblem for ScheduleError {
    fn problem(&self) -> Problem {
        match self {
            Self::Cron(_) => Problem::new(
                "schedule.cron",
                422,
                self.to_string(),
                "Enter minute, hour, day, month, weekday, such as `0 3 * * *` for daily at three",
            )
            .at("schedule"),
            Self::Zone(_) => Problem::new(
                "schedule.zone",
                422,
                self.to_string(),
                "Enter an IANA name such as Europe/Berlin",
            )
            .at("zone"),
            Self::Time(_) => Problem::new(
                "schedule.time",
                422,
                self.to_string(),
                "Enter hour and minute, such as 03:00",
            )
            .at("at"),
            Self::Day(_) => Problem::new(
                "schedule.day",
                422,
                self.to_string(),
                "Enter a weekday such as Monday for every week, or a day from 1 to 28 for every month",
            )
            .at("on"),
            Self::FreezeDay(_) => Problem::new(
                "schedule.freeze_day",
                422,
                self.to_string(),
                "Enter days as YYYY-MM-DD with commas between, at most 400 of them",
            )
            .at("freeze_days"),
            Self::Frozen => Problem::new(
                "schedule.frozen",
                422,
                self.to_string(),
                "Take some freeze days away",
            )
            .at("freeze_days"),
        }
    }
}

/// The next moment after `now_ms`, milliseconds UTC. A local time that a clock change skips happens when the clock is there again;
/// one that happens twice happens once.
///
/// # Errors
/// [`ScheduleError`].
pub fn next_run(cron: &str, zone: &str, now_ms: i64) -> Result<i64, ScheduleError> {
    let wrong_cron = || ScheduleError::Cron(cron.chars().take(60).collect());
    let schedule = Cron::from_str(cron).map_err(|_| wrong_cron())?;
    let zone = jiff::tz::TimeZone::get(zone)
        .map_err(|_| ScheduleError::Zone(zone.chars().take(60).collect()))?;
    let now = jiff::Timestamp::from_millisecond(now_ms)
        .map_err(|_| wrong_cron())?
        .to_zoned(zone);
    let next = schedule
        .find_next_occurrence(&now, false)
        .map_err(|_| wrong_cron())?;
    Ok(next.timestamp().as_millisecond())
}

/// Most freeze days of a schedule.
const MOST_FREEZE_DAYS: usize = 400;

/// Freeze days as typed, with commas or blanks between, sorted and once each.
///
/// # Errors
/// [`ScheduleError::FreezeDay`].
pub fn freeze_days(text: &str) -> Result<Vec<String>, ScheduleError> {
    let mut days = Vec::new();
    for word in text
        .split(|c: char| c == ',' || c == ';' || c.is_whitespace())
        .filter(|word| !word.is_empty())
    {
        let wrong = || ScheduleError::FreezeDay(word.chars().take(20).collect());
        let day: jiff::civil::Date = word.parse().map_err(|_| wrong())?;
        if days.len() >= MOST_FREEZE_DAYS {
            return Err(wrong());
        }
        days.push(day.to_string());
    }
    days.sort();
    days.dedup();
    Ok(days)
}

/// The next moment after `now_ms` that is on no freeze day of the schedule's zone.
///
/// # Errors
/// [`ScheduleError`].
pub fn next_free_run(schedule: &Schedule, now_ms: i64) -> Result<i64, ScheduleError> {
    let zone = jiff::tz::TimeZone::get(&schedule.zone)
        .map_err(|_| ScheduleError::Zone(schedule.zone.chars().take(60).collect()))?;
    let mut after = now_ms;
    for _ in 0..=MOST_FREEZE_DAYS {
        let next = next_run(&schedule.cron, &schedule.zone, after)?;
        let day = jiff::Timestamp::from_millisecond(next)
            .map_err(|_| ScheduleError::Frozen)?
            .to_zoned(zone.clone())
            .date();
        if !schedule.freeze_days.contains(&day.to_string()) {
            return Ok(next);
        }
        // From the last moment of the frozen day on.
        let tomorrow = day
            .tomorrow()
            .and_then(|day| day.to_zoned(zone.clone()))
            .map_err(|_| ScheduleError::Frozen)?;
        after = tomorrow.timestamp().as_millisecond() - 1;
    }
    Err(ScheduleError::Frozen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aliases::model::DEFAULT_CRON;

    #[test]
    fn a_freeze_day_of_the_zone_is_left_out() {
        let schedule = Schedule {
            cron: "0 0 * * *".to_owned(),
            zone: "Europe/Berlin".to_owned(),
            freeze_days: freeze_days("2026-12-25, 2026-12-24 2026-12-24").unwrap(),
        };
        assert_eq!(schedule.freeze_days, ["2026-12-24", "2026-12-25"]);
        // Midnight of the 24th in Berlin is 23:00 of the 23rd in UTC.
        assert_eq!(
            next_free_run(&schedule, ms("2026-12-23T12:00:00Z")),
            Ok(ms("2026-12-25T23:00:00Z"))
        );
        let wrong = freeze_days("24.12.2026").unwrap_err();
        assert_eq!(wrong.problem().fix.field.as_deref(), Some("freeze_days"));
    }

    fn ms(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn daily_means_the_next_day_in_its_own_zone() {
        assert_eq!(
            next_run(DEFAULT_CRON, "UTC", ms("2026-03-31T03:00:00Z")),
            Ok(ms("2026-04-01T03:00:00Z"))
        );
        assert_eq!(
            next_run(DEFAULT_CRON, "Europe/Berlin", ms("2026-07-01T00:00:00Z")),
            Ok(ms("2026-07-01T01:00:00Z"))
        );
        assert_eq!(
            next_run(DEFAULT_CRON, "Europe/Berlin", ms("2026-12-01T00:00:00Z")),
            Ok(ms("2026-12-01T02:00:00Z"))
        );
    }

    #[test]
    fn a_skipped_hour_still_runs_that_day() {
        let next = next_run("30 2 * * *", "Europe/Berlin", ms("2026-03-28T12:00:00Z")).unwrap();
        assert!(
            (ms("2026-03-29T00:30:00Z")..=ms("2026-03-29T02:00:00Z")).contains(&next),
            "{next}"
        );
    }

    #[test]
    fn nonsense_names_its_field() {
        assert_eq!(
            next_run("every day", "UTC", 0)
                .unwrap_err()
                .problem()
                .fix
                .field
                .as_deref(),
            Some("schedule")
        );
        assert_eq!(
            next_run(DEFAULT_CRON, "Mars/Olympus", 0)
                .unwrap_err()
                .problem()
                .fix
                .field
                .as_deref(),
            Some("zone")
        );
    }
}
