//! Facts on standard output: the API's JSON as it came, or a table of chosen columns.
use jiff::Timestamp;
use serde_json::Value;

use super::client::Client;
use crate::kernel::money::Money;
use crate::web::words;

/// How a column's value reads.
#[derive(Clone, Copy)]
pub enum As {
    /// Text as it is.
    Text,
    /// One of our words.
    Words,
    /// A number, grouped.
    Count,
    /// Milliseconds UTC.
    Time,
    /// Minor units; the row's `currency` says of what.
    Minor,
    /// A unit price with its currency.
    Price,
    /// True or false.
    YesNo,
    /// Tenths of a percent.
    Tenths,
}

/// A column: heading, JSON pointer into the row, reading.
pub type Column = (&'static str, &'static str, As);

fn cell(row: &Value, pointer: &str, read: As) -> String {
    let value = row.pointer(pointer).unwrap_or(&Value::Null);
    let absent = || "-".to_owned();
    let currency = value.get("currency").and_then(Value::as_str).unwrap_or("");
    let amount = |unit: &str| value.get(unit).and_then(Value::as_i64);
    match (read, value) {
        (_, Value::Null) => absent(),
        (As::YesNo, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (As::Words, Value::String(word)) => words::spoken(word),
        (As::Count, Value::Number(_)) => value
            .as_i64()
            .map_or_else(|| value.to_string(), words::grouped),
        (As::Time, Value::Number(_)) => value
            .as_i64()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .map_or_else(absent, |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()),
        (As::Minor, Value::Number(_)) => {
            let code = row
                .get("currency")
                .and_then(Value::as_str)
                .and_then(|code| code.parse().ok());
            match (value.as_i64(), code) {
                (Some(minor), Some(currency)) => Money { minor, currency }.to_string(),
                _ => absent(),
            }
        }
        (As::Price, Value::Object(_)) => amount("micros").map_or_else(absent, |micros| {
            format!("{} {currency}", words::micros(micros))
        }),
        (As::Tenths, Value::Number(_)) => value
            .as_i64()
            .map_or_else(absent, |n| format!("{}.{} %", n / 10, n % 10)),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(items)) => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), str::to_owned)
            })
            .collect::<Vec<_>>()
            .join(", "),
        (_, other) => other.to_string(),
    }
}

/// The rows of an answer: the answer itself, or its `items`.
fn rows(answer: &Value) -> &[Value] {
    answer
        .as_array()
        .or_else(|| answer.get("items").and_then(Value::as_array))
        .map_or(&[], Vec::as_slice)
}

/// A table as text, columns as wide as their widest cell.
#[must_use]
pub fn table(rows: &[Value], columns: &[Column]) -> String {
    let mut lines: Vec<Vec<String>> = vec![
        columns
            .iter()
            .map(|(name, ..)| (*name).to_owned())
            .collect(),
    ];
    lines.extend(rows.iter().map(|row| {
        columns
            .iter()
            .map(|&(_, pointer, read)| cell(row, pointer, read))
            .collect()
    }));
    let width = |at: usize| {
        lines
            .iter()
            .map(|line| line[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for (at, cell) in line.iter().enumerate() {
            let pad = widths[at].saturating_sub(cell.chars().count());
            let right = matches!(
                columns[at].2,
                As::Count | As::Minor | As::Price | As::Tenths
            );
            let filled = if right {
                format!("{}{cell}", " ".repeat(pad))
            } else {
                format!("{cell}{}", " ".repeat(pad))
            };
            row.push_str(&filled);
            row.push_str("  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Prints a list.
pub fn list(client: &Client, answer: &Value, columns: &[Column]) {
    if client.json {
        return json(answer);
    }
    let rows = rows(answer);
    if rows.is_empty() {
        eprintln!("nothing to list");
        return;
    }
    out!("{}", table(rows, columns));
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        eprintln!("more: --after {next}");
    }
}

/// Prints one thing, a fact a line.
pub fn one(client: &Client, answer: &Value, columns: &[Column]) {
    if client.json {
        return json(answer);
    }
    let width = columns
        .iter()
        .map(|(name, ..)| name.chars().count())
        .max()
        .unwrap_or(0);
    for &(name, pointer, read) in columns {
        outln!("{name:width$}  {}", cell(answer, pointer, read));
    }
}

/// Prints the API's JSON.
pub fn json(answer: &Value) {
    outln!(
        "{}",
        serde_json::to_string_pretty(answer).unwrap_or_else(|_| answer.to_string())
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_stand_right_and_absent_values_are_dashes() {
        let rows = [
            json!({"n": "PRF1", "seats": 1200, "at": null}),
            json!({"n": "PRF1000002", "seats": 7, "at": 0}),
        ];
        let text = table(
            &rows,
            &[
                ("Number", "/n", As::Text),
                ("Seats", "/seats", As::Count),
                ("At", "/at", As::Time),
            ],
        );
        assert_eq!(
            text,
            "Number      Seats  At\nPRF1        1,200  -\nPRF1000002      7  1970-01-01 00:00:00Z\n"
        );
    }

    #[test]
    fn money_reads_with_its_currency() {
        let rows = [json!({"m": 1_080_000, "currency": "USD"})];
        assert!(table(&rows, &[("Savings", "/m", As::Minor)]).contains("10,800.00 USD"));
    }
}
