//! Following a run: a bar on a terminal, a line every ten seconds otherwise.
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::client::{CliError, Client};

/// How often a run is asked after.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// So long an action is waited for.
const ACTION_WITHIN: Duration = Duration::from_secs(60);
/// How often a line is written where there is no terminal.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Follows a run until it ends or waits for a person, and gives its last view.
///
/// # Errors
/// The host's problem, or ours in reaching it.
pub async fn follow(client: &Client, number: &str) -> Result<Value, CliError> {
    let is_terminal = std::io::stderr().is_terminal();
    let bar = if is_terminal {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let mut said: Option<Instant> = None;
    loop {
        let run = client.get(&format!("/runs/{number}"), &[]).await?;
        let count = |field: &str| run.get(field).and_then(Value::as_u64).unwrap_or(0);
        let word = |field: &str| {
            run.get(field)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let (state, stage) = (word("state"), word("stage"));
        let line = format!(
            "{number} {state}, {stage}: {} accounts, {} pages",
            count("accounts"),
            count("pages")
        );
        if let Some(expected) = run.get("expected_accounts").and_then(Value::as_u64) {
            bar.set_style(bar_style());
            bar.set_length(expected);
            bar.set_position(count("accounts").min(expected));
        }
        bar.set_message(line.clone());
        bar.tick();
        if !is_terminal && said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            eprintln!("{line}");
            said = Some(Instant::now());
        }
        let is_waiting = state == "queued" && run.get("problem").is_some_and(Value::is_object);
        if is_waiting
            || matches!(
                state.as_str(),
                "complete" | "failed" | "cancelled" | "held" | "paused_quota"
            )
        {
            bar.finish_and_clear();
            eprintln!("{line}");
            return Ok(run);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
        .expect("the template is fixed and well-formed")
}

/// Waits until an action has ended, and answers it. What needs a person, or waits for the vendor, is not waited for longer than
/// [`ACTION_WITHIN`].
pub async fn follow_action(client: &Client, view: &Value) -> Result<Value, CliError> {
    let number = view.get("number").and_then(Value::as_str).unwrap_or("");
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let began = Instant::now();
    loop {
        let now = client.get(&format!("/actions/{number}"), &[]).await?;
        let state = now.get("state").and_then(Value::as_str).unwrap_or("");
        bar.set_message(format!("{number} {state}"));
        bar.tick();
        if matches!(state, "done" | "refused" | "abandoned" | "undone")
            || began.elapsed() >= ACTION_WITHIN
        {
            bar.finish_and_clear();
            eprintln!("{number} {state}");
            return Ok(now);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
