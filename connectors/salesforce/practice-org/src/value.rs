//! A value of a field, how it is written and how two compare.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::clock;
use crate::crowd;
use crate::ids::Id;

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Id(Id),
    Text(Cow<'a, str>),
    /// Milliseconds UTC.
    Moment(i64),
    /// Days since 1970-01-01.
    Day(i64),
}

impl Value<'_> {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Int(n) => Value::Int(n),
            Self::Double(n) => Value::Double(n),
            Self::Id(id) => Value::Id(id),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Moment(ms) => Value::Moment(ms),
            Self::Day(days) => Value::Day(days),
        }
    }

    pub(crate) fn id(&self) -> Option<Id> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Text(text) => Id::parse(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(*n as f64),
            Self::Double(n) => Some(*n),
            _ => None,
        }
    }

    /// Ids compare by their bytes, other texts without regard to case. `None` for null and for kinds that do not compare.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b))
            | (Self::Moment(a), Self::Moment(b))
            | (Self::Day(a), Self::Day(b)) => Some(a.cmp(b)),
            (Self::Id(a), Self::Id(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(fold_order(a, b)),
            (Self::Int(_) | Self::Double(_), Self::Int(_) | Self::Double(_)) => {
                self.number()?.partial_cmp(&other.number()?)
            }
            _ => None,
        }
    }

    /// Appends the JSON form of the REST API.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Text(text) => write_string(text, out),
            Self::Bool(_) | Self::Int(_) | Self::Double(_) => self.write_bare(out, false),
            Self::Id(_) | Self::Moment(_) | Self::Day(_) => {
                out.push(b'"');
                self.write_bare(out, false);
                out.push(b'"');
            }
        }
    }

    /// Appends the text without quotes, as a CSV cell before quoting: nothing for null, date-times with `Z` as Bulk writes them.
    pub(crate) fn write_plain(&self, out: &mut Vec<u8>) {
        self.write_bare(out, true);
    }

    fn write_bare(&self, out: &mut Vec<u8>, is_bulk: bool) {
        match self {
            Self::Null => {}
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(n) => {
                let mut text = String::new();
                if *n < 0 {
                    text.push('-');
                }
                crowd::push_number(&mut text, n.unsigned_abs());
                out.extend_from_slice(text.as_bytes());
            }
            Self::Double(n) => out.extend_from_slice(format!("{n:?}").as_bytes()),
            Self::Id(id) => out.extend_from_slice(id.as_str().as_bytes()),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Moment(ms) => {
                if is_bulk {
                    clock::write_datetime_z(out, *ms);
                } else {
                    clock::write_datetime(out, *ms);
                }
            }
            Self::Day(days) => clock::write_date(out, *days),
        }
    }
}

/// A text that is null when empty, as in Salesforce.
pub(crate) fn text(text: &str) -> Value<'_> {
    if text.is_empty() {
        Value::Null
    } else {
        Value::Text(Cow::Borrowed(text))
    }
}

/// An owned text that is null when empty.
pub(crate) fn owned(text: String) -> Value<'static> {
    if text.is_empty() {
        Value::Null
    } else {
        Value::Text(Cow::Owned(text))
    }
}

/// Order of two texts whatever their case.
fn fold_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        return a.bytes().map(lower).cmp(b.bytes().map(lower));
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

/// Appends a JSON string.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else if let Ok(quoted) = serde_json::to_vec(text) {
        out.extend_from_slice(&quoted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_offset_in_json_and_z_in_csv() {
        let value = Value::Moment(1_690_129_103_007);
        let (mut json, mut csv) = (Vec::new(), Vec::new());
        value.write_json(&mut json);
        value.write_plain(&mut csv);
        assert_eq!(json, br#""2023-07-23T16:18:23.007+0000""#);
        assert_eq!(csv, b"2023-07-23T16:18:23.007Z");
    }

    #[test]
    fn texts_compare_without_case_and_numbers_across_kinds() {
        assert_eq!(text("Ana").order(&text("aNA")), Some(Ordering::Equal));
        assert_eq!(text("ÉCOLE").order(&text("école")), Some(Ordering::Equal));
        assert_eq!(
            Value::Int(2).order(&Value::Double(1.5)),
            Some(Ordering::Greater)
        );
        assert_eq!(Value::Null.order(&Value::Null), None);
    }
}
