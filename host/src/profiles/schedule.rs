//! When a profile runs next: a cron expression in a zone. Pure.

use std::str::FromStr as _;

use croner::Cron;

use crate::kernel::{IntoProblem, Problem};

/// Daily at 03:00 in the profile's zone, until someone chooses otherwise.
pub const DEFAULT_CRON: &str = "0 3 * * *";
/// The zone of a new profile.
pub const DEFAULT_ZONE: &str = "UTC";

/// A schedule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not a cron expression of five fields.
    #[error("`{0}` is not a schedule of five cron fields")]
    Cron(String),
    /// Not an IANA zone.
    #[error("`{0}` is not a time zone")]
    Zone(String),
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

#[cfg(test)]
mod tests {
    use super::*;

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
