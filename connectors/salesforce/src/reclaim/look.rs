//! Look-ups that a plan can do without: what the rights or the edition hide is told apart from what failed for now.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{Failure, FailureKind, json};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{api::Api, ids};

/// Most characters of a vendor's name in a sentence.
const NAME_CHARS: usize = 80;
/// Most names of a list in a sentence.
const MOST_NAMES: usize = 5;

/// Whether a failure will stay: a right or a feature is missing, or this org does not take the question. Anything else may
/// pass, and a plan made without it would be another one tomorrow.
fn stays(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Permission
            | FailureKind::NotFound
            | FailureKind::Unsupported
            | FailureKind::Refused
    ) || failure.code == "MALFORMED_QUERY"
}

/// Whether a failure closes the whole API rather than one object.
fn closes_everything(failure: &Failure) -> bool {
    matches!(
        failure.code.as_str(),
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" | "FUNCTIONALITY_NOT_ENABLED"
    )
}

/// All rows of a small query; `None` where they cannot be looked at.
///
/// # Errors
/// What may pass by itself.
pub fn rows<T: DeserializeOwned>(api: &Api<'_>, soql: &str) -> Result<Option<Vec<T>>, Failure> {
    readable(api.rows(soql))
}

/// `None` for a failure that will stay.
///
/// # Errors
/// What may pass by itself.
pub fn readable<T>(read: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(failure) if stays(&failure) && !closes_everything(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Rows per person, of a query `SELECT column, COUNT(Id) … GROUP BY column`; `None` where they cannot be looked at. At most
/// 200 people, so one page holds every group.
///
/// # Errors
/// What may pass by itself.
pub fn counts(
    api: &Api<'_>,
    column: &str,
    soql: &str,
) -> Result<Option<BTreeMap<String, u64>>, Failure> {
    #[derive(Deserialize)]
    struct Grouped {
        records: Vec<serde_json::Map<String, serde_json::Value>>,
    }
    let Some(answer) = readable(api.query(soql))? else {
        return Ok(None);
    };
    let grouped: Grouped = json::parse(answer.body())?;
    let mut counts = BTreeMap::new();
    for row in grouped.records {
        let person = row.get(column).and_then(serde_json::Value::as_str);
        let count = row.get("expr0").and_then(serde_json::Value::as_u64);
        if let (Some(person), Some(count)) = (person.and_then(ids::widen), count) {
            *counts.entry(person.into_owned()).or_insert(0) += count;
        }
    }
    Ok(Some(counts))
}

/// A count for a sentence that is to stay the same while the number moves a little: exact below ten, then *at least* the
/// next round number. An approval of a plan ends when its words change.
pub fn about(count: u64) -> String {
    if count < 10 {
        return count.to_string();
    }
    let mut power = 10_u64;
    while let Some(next) = power.checked_mul(10).filter(|next| *next <= count) {
        power = next;
    }
    let round = match count / power {
        5.. => power * 5,
        2.. => power * 2,
        _ => power,
    };
    format!("at least {round}")
}

/// A vendor's name for a sentence: cut, and without control characters.
pub fn shown(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(NAME_CHARS)
        .collect()
}

/// `a, b and 3 more`; sorted, so that the same names give the same words.
pub fn names(names: impl IntoIterator<Item = String>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| shown(&name)).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    let named = names.join(", ");
    if more == 0 {
        named
    } else {
        format!("{named} and {more} more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_exact_below_ten_and_round_above() {
        for (count, word) in [
            (0, "0"),
            (9, "9"),
            (10, "at least 10"),
            (19, "at least 10"),
            (20, "at least 20"),
            (49, "at least 20"),
            (50, "at least 50"),
            (99, "at least 50"),
            (100, "at least 100"),
            (1234, "at least 1000"),
            (u64::MAX, "at least 10000000000000000000"),
        ] {
            assert_eq!(about(count), word, "{count}");
        }
    }

    #[test]
    fn names_are_sorted_cut_and_counted() {
        let many = ["b", "a", "a", "f", "e", "d", "c", "g"];
        assert_eq!(names(many.map(str::to_owned)), "a, b, c, d, e and 2 more");
        assert_eq!(shown("x\u{0}\ny"), "xy");
    }
}
