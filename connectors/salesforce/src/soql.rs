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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_cannot_end_the_literal() {
        assert_eq!(quote("' OR Name != '"), r"'\' OR Name != \''");
        assert_eq!(quote(r"\"), r"'\\'");
        assert_eq!(quote(r"\' OR Id != null --"), r"'\\\' OR Id != null --'");
        assert_eq!(quote("a\r\n\t\"\u{0}b"), r#"'a\r\n\t\"b'"#);
    }

    /// Reads a literal back as Salesforce does; fails where text follows its end.
    fn unquote(literal: &str) -> Option<String> {
        let mut chars = literal.strip_prefix('\'')?.chars();
        let mut out = String::new();
        loop {
            match chars.next()? {
                '\'' => return chars.next().is_none().then_some(out),
                '\\' => out.push(match chars.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    c @ ('\\' | '\'' | '"') => c,
                    _ => return None,
                }),
                c => out.push(c),
            }
        }
    }

    #[test]
    fn every_text_of_awkward_characters_is_read_back_whole() {
        let awkward = ['\'', '\\', '"', '\n', 'a', ' ', '\u{e9}'];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            texts = texts
                .iter()
                .flat_map(|text| awkward.map(|c| format!("{text}{c}")))
                .collect();
            for text in &texts {
                assert_eq!(unquote(&quote(text)).as_ref(), Some(text));
            }
        }
    }

    #[test]
    fn a_query_is_percent_encoded() {
        assert_eq!(
            path("62.0", "SELECT Id FROM User WHERE Id > '1'"),
            "/services/data/v62.0/query?q=SELECT%20Id%20FROM%20User%20WHERE%20Id%20%3E%20%271%27"
        );
    }
}
