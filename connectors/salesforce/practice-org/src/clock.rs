//! The org's clock: real time until a test sets it, and the text forms Salesforce gives to moments.
//!
//! The only place of this crate that reads the machine's clock. All times are milliseconds since 1970, UTC.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
const REAL: i64 = i64::MIN;

/// A settable clock. Set, it stands still.
#[derive(Debug)]
pub(crate) struct Clock(AtomicI64);

impl Clone for Clock {
    fn clone(&self) -> Self {
        Self(AtomicI64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Clock {
    pub(crate) fn real() -> Self {
        Self(AtomicI64::new(REAL))
    }

    pub(crate) fn now_ms(&self) -> i64 {
        match self.0.load(Ordering::Relaxed) {
            REAL => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as i64),
            set => set,
        }
    }

    /// Stops the clock at `now_ms`, or lets it follow real time again.
    pub(crate) fn set(&self, now_ms: Option<i64>) {
        self.0.store(now_ms.unwrap_or(REAL), Ordering::Relaxed);
    }
}

/// Days since 1970 to year, month, day (Howard Hinnant's algorithm).
pub(crate) fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// Year, month, day to days since 1970.
pub(crate) fn days(year: i64, month: u32, day: u32) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

fn two(out: &mut Vec<u8>, n: u32) {
    out.push(b'0' + (n / 10 % 10) as u8);
    out.push(b'0' + (n % 10) as u8);
}

/// Appends `2023-07-23T16:18:23.000+0000`: the offset without a colon, as the REST API writes it.
pub(crate) fn write_datetime(out: &mut Vec<u8>, ms: i64) {
    write_moment(out, ms);
    out.extend_from_slice(b"+0000");
}

/// Appends `2023-07-23T16:18:23.000Z`, as Bulk results have it.
pub(crate) fn write_datetime_z(out: &mut Vec<u8>, ms: i64) {
    write_moment(out, ms);
    out.push(b'Z');
}

fn write_moment(out: &mut Vec<u8>, ms: i64) {
    write_date(out, ms.div_euclid(DAY_MS));
    let of_day = ms.rem_euclid(DAY_MS);
    let seconds = (of_day / 1000) as u32;
    let millis = (of_day % 1000) as u32;
    out.push(b'T');
    two(out, seconds / 3600);
    out.push(b':');
    two(out, seconds / 60 % 60);
    out.push(b':');
    two(out, seconds % 60);
    out.push(b'.');
    out.push(b'0' + (millis / 100) as u8);
    two(out, millis % 100);
}

/// Appends `2023-07-23`.
pub(crate) fn write_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil(days);
    let year = year.clamp(0, 9999) as u32;
    two(out, year / 100);
    two(out, year % 100);
    out.push(b'-');
    two(out, month);
    out.push(b'-');
    two(out, day);
}

/// Reads a SOQL date-time literal (`2026-11-20T00:00:00Z`, with optional fraction and `±hh:mm` or `±hhmm`).
pub(crate) fn parse_datetime(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let day = parse_date(date)?;
    let split = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(split);
    let (hms, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = hms.split(':').map(|part| {
        if part.len() == 2 {
            part.parse::<i64>().ok()
        } else {
            None
        }
    });
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || fraction.len() > 9 {
        return None;
    }
    let millis = if fraction.is_empty() {
        0
    } else {
        format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?
    };
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
            if digits.len() != 4 {
                return None;
            }
            let minutes =
                digits[..2].parse::<i64>().ok()? * 60 + digits[2..].parse::<i64>().ok()?;
            if zone.starts_with('-') {
                -minutes
            } else {
                minutes
            }
        }
    };
    Some(day * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + millis - offset * 60_000)
}

/// Reads `2026-11-20` as days since 1970.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (
        text[..4].parse().ok()?,
        text[5..7].parse().ok()?,
        text[8..].parse().ok()?,
    );
    let days = days(year, month, day);
    (civil(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_are_written_with_millis_and_an_offset_without_colon() {
        let mut out = Vec::new();
        write_datetime(&mut out, 1_690_129_103_007);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "2023-07-23T16:18:23.007+0000"
        );
    }

    #[test]
    fn datetime_literals_read_with_z_offset_and_fraction() {
        assert_eq!(
            parse_datetime("2023-07-23T16:18:23Z"),
            Some(1_690_129_103_000)
        );
        assert_eq!(
            parse_datetime("2023-07-23T18:18:23.007+02:00"),
            Some(1_690_129_103_007)
        );
        assert_eq!(parse_datetime("2023-07-23T18:18:23"), None);
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(parse_date("2024-02-29").map(civil), Some((2024, 2, 29)));
    }
}
