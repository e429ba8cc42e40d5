//! What date literals mean: a stretch of whole days in the user's zone, and parts of a moment.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::{self, DAY_MS};
use crate::soql::{DatePart, DateSpan, DateWord};
use crate::value::Value;

/// Days since 1970-01-01: the first that belongs and the first that does not any more.
pub(super) type Days = (i64, i64);

/// Today and the zone that days begin in.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    zone: TimeZone,
    today: i64,
}

impl Calendar {
    /// `zone` is an IANA name; an unknown one is UTC.
    pub(super) fn new(zone: &str, now_ms: i64) -> Self {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let offset = jiff::Timestamp::from_millisecond(now_ms)
            .map_or(0, |now| i64::from(zone.to_offset(now).seconds()));
        Self {
            today: (now_ms + offset * 1000).div_euclid(DAY_MS),
            zone,
        }
    }

    /// Milliseconds UTC at which a day begins in the zone.
    pub(super) fn start_ms(&self, day: i64) -> i64 {
        let (year, month, of_month) = clock::civil(day);
        let date = i16::try_from(year).ok().and_then(|year| {
            Date::new(
                year,
                i8::try_from(month).ok()?,
                i8::try_from(of_month).ok()?,
            )
            .ok()
        });
        date.and_then(|date| self.zone.to_zoned(date.into()).ok())
            .map_or(day * DAY_MS, |zoned| zoned.timestamp().as_millisecond())
    }

    pub(super) fn word(&self, word: DateWord) -> Days {
        let today = self.today;
        let month = |from: i64, to: i64| (self.month_start(from), self.month_start(to));
        let quarter = |from: i64, to: i64| (self.quarter_start(from), self.quarter_start(to));
        let year = |from: i64, to: i64| (self.year_start(from), self.year_start(to));
        let week = |from: i64, to: i64| (self.week_start() + from * 7, self.week_start() + to * 7);
        match word {
            DateWord::Yesterday => (today - 1, today),
            DateWord::Today => (today, today + 1),
            DateWord::Tomorrow => (today + 1, today + 2),
            DateWord::LastWeek => week(-1, 0),
            DateWord::ThisWeek => week(0, 1),
            DateWord::NextWeek => week(1, 2),
            DateWord::LastMonth => month(-1, 0),
            DateWord::ThisMonth => month(0, 1),
            DateWord::NextMonth => month(1, 2),
            DateWord::LastQuarter => quarter(-1, 0),
            DateWord::ThisQuarter => quarter(0, 1),
            DateWord::NextQuarter => quarter(1, 2),
            DateWord::LastYear => year(-1, 0),
            DateWord::ThisYear => year(0, 1),
            DateWord::NextYear => year(1, 2),
            DateWord::Last90Days => (today - 90, today + 1),
            DateWord::Next90Days => (today + 1, today + 91),
        }
    }

    /// `LAST_N_DAYS` holds today; the other `LAST_N_…` end before the current week, month, quarter or year.
    pub(super) fn span(&self, span: DateSpan, n: i64) -> Days {
        let today = self.today;
        let week = |from: i64, to: i64| (self.week_start() + from * 7, self.week_start() + to * 7);
        let month = |from: i64, to: i64| (self.month_start(from), self.month_start(to));
        let quarter = |from: i64, to: i64| (self.quarter_start(from), self.quarter_start(to));
        let year = |from: i64, to: i64| (self.year_start(from), self.year_start(to));
        match span {
            DateSpan::LastDays => (today - n, today + 1),
            DateSpan::NextDays => (today + 1, today + 1 + n),
            DateSpan::DaysAgo => (today - n, today - n + 1),
            DateSpan::LastWeeks => week(-n, 0),
            DateSpan::NextWeeks => week(1, n + 1),
            DateSpan::WeeksAgo => week(-n, 1 - n),
            DateSpan::LastMonths => month(-n, 0),
            DateSpan::NextMonths => month(1, n + 1),
            DateSpan::MonthsAgo => month(-n, 1 - n),
            DateSpan::LastQuarters => quarter(-n, 0),
            DateSpan::NextQuarters => quarter(1, n + 1),
            DateSpan::QuartersAgo => quarter(-n, 1 - n),
            DateSpan::LastYears => year(-n, 0),
            DateSpan::NextYears => year(1, n + 1),
            DateSpan::YearsAgo => year(-n, 1 - n),
        }
    }

    /// The Sunday on or before today.
    fn week_start(&self) -> i64 {
        // 1970-01-01 was a Thursday.
        self.today - (self.today + 4).rem_euclid(7)
    }

    fn month_start(&self, from_now: i64) -> i64 {
        let (year, month, _) = clock::civil(self.today);
        start_of_month(year * 12 + i64::from(month) - 1 + from_now)
    }

    fn quarter_start(&self, from_now: i64) -> i64 {
        let (year, month, _) = clock::civil(self.today);
        start_of_month((year * 4 + i64::from(month - 1) / 3 + from_now) * 3)
    }

    fn year_start(&self, from_now: i64) -> i64 {
        clock::days(clock::civil(self.today).0 + from_now, 1, 1)
    }
}

/// First day of a month counted from year 0.
fn start_of_month(months: i64) -> i64 {
    let month = u32::try_from(months.rem_euclid(12)).unwrap_or(0) + 1;
    clock::days(months.div_euclid(12), month, 1)
}

/// A part of a date or a moment, in UTC; null of null.
pub(super) fn part(part: DatePart, value: &Value<'_>) -> Value<'static> {
    let (day, of_day) = match value {
        Value::Moment(ms) => (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS)),
        Value::Day(day) => (*day, 0),
        _ => return Value::Null,
    };
    let (year, month, of_month) = clock::civil(day);
    Value::Int(match part {
        DatePart::DayOnly => return Value::Day(day),
        DatePart::CalendarYear => year,
        DatePart::CalendarQuarter => i64::from(month - 1) / 3 + 1,
        DatePart::CalendarMonth => i64::from(month),
        DatePart::DayInMonth => i64::from(of_month),
        DatePart::DayInWeek => (day + 4).rem_euclid(7) + 1,
        DatePart::DayInYear => day - clock::days(year, 1, 1) + 1,
        DatePart::HourInDay => of_day / 3_600_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-31T23:30:00Z, a Tuesday; in Berlin it is the first of April already.
    const LATE: i64 = 1_775_000_000_000 - 1_775_000_000_000 % DAY_MS + 84_600_000;

    fn day(text: &str) -> i64 {
        clock::parse_date(text).unwrap()
    }

    #[test]
    fn days_begin_in_the_users_zone() {
        let utc = Calendar::new("UTC", LATE);
        let berlin = Calendar::new("Europe/Berlin", LATE);
        let today = LATE.div_euclid(DAY_MS);
        assert_eq!(utc.word(DateWord::Today), (today, today + 1));
        assert_eq!(berlin.word(DateWord::Today), (today + 1, today + 2));
        assert_eq!(berlin.start_ms(today + 1), LATE - 84_600_000 + 79_200_000);
        // Clocks go forward on 2026-03-29: that day has 23 hours.
        let spring = day("2026-03-29");
        assert_eq!(
            berlin.start_ms(spring + 1) - berlin.start_ms(spring),
            23 * 3_600_000
        );
    }

    #[test]
    fn words_and_spans_are_the_stretches_of_the_reference() {
        let at = Calendar::new("UTC", day("2026-03-31") * DAY_MS + 5);
        for (days, from, to) in [
            (at.word(DateWord::ThisWeek), "2026-03-29", "2026-04-05"),
            (at.word(DateWord::LastMonth), "2026-02-01", "2026-03-01"),
            (at.word(DateWord::ThisQuarter), "2026-01-01", "2026-04-01"),
            (at.word(DateWord::NextYear), "2027-01-01", "2028-01-01"),
            (at.word(DateWord::Last90Days), "2025-12-31", "2026-04-01"),
            (at.span(DateSpan::LastDays, 30), "2026-03-01", "2026-04-01"),
            (at.span(DateSpan::DaysAgo, 1), "2026-03-30", "2026-03-31"),
            (at.span(DateSpan::LastMonths, 3), "2025-12-01", "2026-03-01"),
            (
                at.span(DateSpan::NextQuarters, 2),
                "2026-04-01",
                "2026-10-01",
            ),
            (at.span(DateSpan::YearsAgo, 2), "2024-01-01", "2025-01-01"),
        ] {
            assert_eq!(days, (day(from), day(to)), "{from}");
        }
    }

    #[test]
    fn parts_of_a_moment() {
        let at = Value::Moment(day("2026-11-21") * DAY_MS + 8 * 3_600_000);
        for (of, wanted) in [
            (DatePart::CalendarYear, 2026),
            (DatePart::CalendarQuarter, 4),
            (DatePart::CalendarMonth, 11),
            (DatePart::DayInMonth, 21),
            (DatePart::DayInWeek, 7),
            (DatePart::DayInYear, 325),
            (DatePart::HourInDay, 8),
        ] {
            assert_eq!(part(of, &at), Value::Int(wanted), "{of:?}");
        }
        assert_eq!(part(DatePart::DayOnly, &at), Value::Day(day("2026-11-21")));
        assert_eq!(part(DatePart::DayOnly, &Value::Null), Value::Null);
    }
}
