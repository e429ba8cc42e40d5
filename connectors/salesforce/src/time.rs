//! Salesforce date-times, `2023-07-23T16:18:23.000+0000`: the offset has no colon, so RFC 3339 parsers refuse them.

use jiff::Timestamp;

/// Milliseconds since 1970 of a Salesforce date-time. `None` for anything that is not of that shape (`Z` and an offset
/// with a colon are accepted too, as other parts of Salesforce write them) or not a real moment.
pub fn parse(text: &str) -> Option<i64> {
    // The shape is checked first: the library also reads forms that Salesforce never writes.
    let bytes = text.as_bytes();
    let shape = b"0000-00-00T00:00:00";
    let (date, rest) = bytes.split_at_checked(shape.len())?;
    let fits = date.iter().zip(shape).all(|(byte, want)| {
        if *want == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == want
        }
    });
    if !fits {
        return None;
    }
    let offset = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            &fraction[digits..]
        }
        other => other,
    };
    let offset_fits = match offset {
        [b'Z'] => true,
        [b'+' | b'-', digits @ ..] => match digits {
            [a, b, c, d] | [a, b, b':', c, d] => {
                [a, b, c, d].iter().all(|byte| byte.is_ascii_digit())
            }
            _ => false,
        },
        _ => false,
    };
    if !offset_fits {
        return None;
    }
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// A moment as a SOQL literal, `2026-11-20T00:00:00Z`, cut to the second. `None` outside the years a calendar has.
pub fn literal(ms: i64) -> Option<String> {
    let moment = Timestamp::from_second(ms.div_euclid(1000)).ok()?;
    Some(moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Milliseconds of one UTC day; Salesforce knows no leap seconds.
pub const DAY_MS: i64 = 86_400_000;

/// The UTC day that holds a moment, `YYYY-MM-DD`.
pub fn day(ms: i64) -> Option<String> {
    let moment = Timestamp::from_millisecond(ms).ok()?;
    Some(moment.strftime("%Y-%m-%d").to_string())
}

/// First and last day of the UTC month that holds a moment, `YYYY-MM-DD`.
pub fn month(ms: i64) -> Option<(String, String)> {
    let day = Timestamp::from_millisecond(ms)
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    Some((
        day.first_of_month().to_string(),
        day.last_of_month().to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_without_colon_is_read() {
        assert_eq!(
            parse("2023-07-23T16:18:23.000+0000"),
            Some(1_690_129_103_000)
        );
        assert_eq!(
            parse("2023-07-23T16:18:23.123+0000"),
            Some(1_690_129_103_123)
        );
        assert_eq!(
            parse("2023-07-23T18:18:23.000+0200"),
            Some(1_690_129_103_000)
        );
        assert_eq!(parse("2023-07-23T16:18:23Z"), Some(1_690_129_103_000));
        assert_eq!(
            parse("2023-07-23T16:18:23.000+00:00"),
            Some(1_690_129_103_000)
        );
        assert_eq!(parse("1969-12-31T23:59:59.000+0000"), Some(-1000));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2023-07-23",
            "2023-07-23 16:18:23.000+0000",
            "2023-07-23T16:18:23.000",
            "2023-07-23T16:18:23.000+00",
            "2023-07-23T16:18:23.+0000",
            "2023-07-23T16:18:23.000+0000[UTC]",
            "2023-02-30T16:18:23.000+0000",
            "2023-07-23T25:18:23.000+0000",
            "+002023-07-23T16:18:23.000+0000",
            "2023-07-23T16:18:23.000+00\u{e9}0",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_literal_has_no_plus_and_is_cut_to_the_second() {
        assert_eq!(literal(1_774_915_200_999).unwrap(), "2026-03-31T00:00:00Z");
        assert_eq!(literal(-1).unwrap(), "1969-12-31T23:59:59Z");
        assert_eq!(literal(i64::MAX), None);
    }

    #[test]
    fn a_day_is_the_utc_one() {
        assert_eq!(day(1_774_915_200_000).unwrap(), "2026-03-31");
        assert_eq!(day(1_774_915_199_999).unwrap(), "2026-03-30");
        assert_eq!(day(-1).unwrap(), "1969-12-31");
    }

    #[test]
    fn a_month_ends_on_its_last_day() {
        assert_eq!(
            month(1_709_164_800_000).unwrap(),
            ("2024-02-01".to_owned(), "2024-02-29".to_owned())
        );
    }
}
