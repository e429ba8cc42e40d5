//! Typed, borrowed JSON. Untyped values are eight times slower on pages and are not offered.

use serde::Deserialize;

use crate::{Failure, failure};

/// Parses a whole body into a type that may borrow from it. Give strings as `Cow<'a, str>` with `#[serde(borrow)]`: a
/// plain `&str` refuses any string with an escape in it.
///
/// # Errors
/// `malformed` with code `malformed_json` and the byte offset. The message never quotes the body, which may hold personal
/// data.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "ends in the middle",
            serde_json::error::Category::Data => "has another shape than documented",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "is not JSON",
        };
        let offset = byte_offset(body, error.line(), error.column());
        failure::malformed(
            "malformed_json",
            format!("The answer of {} bytes {what} at byte {offset}", body.len()),
        )
    })
}

/// Line (from 1) and column (from 0 or 1, bytes) as the parser counts them, to an offset from the start.
fn byte_offset(body: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match body[start..].iter().position(|byte| *byte == b'\n') {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    (start + column.saturating_sub(1)).min(body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureKind;
    use std::borrow::Cow;

    #[derive(Debug, Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }

    #[test]
    fn strings_are_borrowed_unless_they_have_escapes() {
        let plain: Row<'_> = parse(br#"{"name":"Ana"}"#).unwrap();
        assert!(matches!(plain.name, Cow::Borrowed("Ana")));
        let escaped: Row<'_> = parse(br#"{"name":"A\u006ea"}"#).unwrap();
        assert_eq!(escaped.name, "Ana");
    }

    #[test]
    fn malformed_json_names_the_byte_and_quotes_nothing() {
        let failure = parse::<Row<'_>>(b"{\"name\":\n \"secret\" oops").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Malformed);
        assert_eq!(failure.code, "malformed_json");
        assert_eq!(
            failure.message,
            "The answer of 23 bytes is not JSON at byte 19"
        );
        let failure = parse::<Row<'_>>(b"{\"name\":\"sec").unwrap_err();
        assert_eq!(
            failure.message,
            "The answer of 12 bytes ends in the middle at byte 11"
        );
        let failure = parse::<Row<'_>>(b"{\"name\":[\"secret\"]}").unwrap_err();
        assert!(
            failure.message.contains("another shape"),
            "{}",
            failure.message
        );
        assert!(!failure.message.contains("secret"));
    }

    #[test]
    fn nesting_ten_thousand_deep_is_a_failure_and_no_overflow() {
        let body = vec![b'['; 10_000];
        assert_eq!(
            parse::<serde::de::IgnoredAny>(&body).unwrap_err().kind,
            FailureKind::Malformed
        );
    }
}
