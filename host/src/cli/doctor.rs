//! `seatwise doctor`: every line with a fix; a failed one is a failed command.
use serde_json::{Value, json};

use super::client::{CliError, Client};
use super::output::{self, As, Column};

const FINDINGS: &[Column] = &[
    ("Verdict", "/verdict", As::Words),
    ("What", "/area", As::Text),
    ("Of", "/of", As::Text),
    ("Found", "/says", As::Text),
    ("Fix", "/fix", As::Text),
];

pub async fn doctor(client: &Client) -> Result<(), CliError> {
    let found = client.post("/doctor", &json!({})).await?;
    output::list(client, &found, FINDINGS);
    match failed(&found) {
        0 => Ok(()),
        n => Err(CliError::own(format!("{n} of its lines did not pass"))),
    }
}

fn failed(found: &Value) -> usize {
    let lines = found.get("items").and_then(Value::as_array);
    lines.map_or(0, |lines| {
        lines
            .iter()
            .filter(|line| line.get("verdict").and_then(Value::as_str) == Some("fail"))
            .count()
    })
}
