//! SOQL text: escaping, id lists, and the path of a query. Every value that is not a constant of this crate goes through
//! here.

use seatwise_connector_sdk::percent_encode;

/// A string literal, quotes included. Backslash and quote are escaped, control characters written by their escape; what
/// is left cannot end the literal.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Has no escape in SOQL and no meaning in a value.
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// `'a','b'`, for an IN list.
pub fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    values.into_iter().map(quote).collect::<Vec<_>>().join(",")
}

/// Path and query of a SOQL query.
pub fn path(version: &str, soql: &str) -> String {
    format!("/services/data/v{version}/query?q={}", percent_encode(soql))
}
