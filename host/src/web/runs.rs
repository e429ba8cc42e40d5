//! Runs: the list, and one run live.
//!
//! A live run is the same partial whether the page was loaded, refreshed by hand or by a server-sent event, and each reading
//! comes from the database, so that any host can serve it.
use std::convert::Infallible;
use std::time::Duration;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use super::{Error, templates, words};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::{IntoProblem, Problem};
use crate::sync::{RunState, RunView, SyncError, service};

/// Runs on one page.
const PAGE: i64 = 50;
/// How often a live page reads its run.
const READ_EVERY: Duration = Duration::from_millis(500);
/// A stream ends after this many readings; the browser comes back with its session checked anew.
const READINGS: u32 = 1_200;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/runs",
            Permission::Read,
            "Runs, newest first",
            list,
        ),
        Route::page(
            Method::GET,
            "/runs/{number}",
            Permission::Read,
            "One run",
            show,
        ),
        Route::page(
            Method::GET,
            "/runs/{number}/events",
            Permission::Read,
            "One run live, as server-sent events",
            events,
        ),
        Route::page(
            Method::POST,
            "/runs/{number}/accept",
            Permission::AcceptRuns,
            "Accepts a held run with a reason",
            accept,
        ),
        Route::page(
            Method::POST,
            "/runs/{number}/resume",
            Permission::ManageProfiles,
            "Continues a failed run at its page",
            resume,
        ),
        Route::page(
            Method::POST,
            "/runs/{number}/cancel",
            Permission::ManageProfiles,
            "Stops a run",
            cancel,
        ),
    ]
}

#[derive(Deserialize)]
struct Asked {
    before: Option<String>,
}

#[derive(Serialize)]
pub(super) struct RunsPage {
    pub runs: Vec<RunView>,
    pub next: Option<String>,
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let runs =
        service::list_runs(&host, &visitor.actor, None, asked.before.as_deref(), PAGE).await?;
    let is_full = i64::try_from(runs.len()).is_ok_and(|n| n == PAGE);
    let next = runs
        .last()
        .filter(|_| is_full)
        .map(|last| format!("/runs?before={}", last.number));
    chrome::page(
        "pages/runs",
        &Chrome::of(&host, &visitor).titled("Runs"),
        &RunsPage { runs, next },
    )
}

/// A run with what is worked out from it.
#[derive(Serialize)]
pub(super) struct RunPage {
    pub run: RunView,
    /// Share of the accounts that has arrived, where the vendor's own count is known.
    pub percent: Option<i64>,
    /// Accounts, or days of activity, a second since it began.
    pub rate: Option<i64>,
    /// Still moving by itself.
    pub is_moving: bool,
    pub is_held: bool,
    pub is_failed: bool,
    /// What it changed, kind by kind: `accounts`, `214 new, 3 gone`.
    pub changed: Vec<(String, String)>,
    /// A reason typed into a form that was refused.
    pub typed_reason: String,
    pub now_ms: i64,
}

/// The counts of a run in words. `basis` is what the next run is compared with, not a change.
fn changed(changes: &Value) -> Vec<(String, String)> {
    let said = |counts: &Map<String, Value>| {
        let parts: Vec<String> = counts
            .iter()
            .filter_map(|(word, n)| Some((word, n.as_i64().filter(|n| *n != 0)?)))
            .map(|(word, n)| format!("{} {}", words::grouped(n), word.replace('_', " ")))
            .collect();
        if parts.is_empty() {
            "no change".to_owned()
        } else {
            parts.join(", ")
        }
    };
    changes
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(kind, _)| *kind != "basis")
        .filter_map(|(kind, counts)| {
            let text = match counts {
                Value::Object(counts) => said(counts),
                counts => words::grouped(counts.as_i64()?),
            };
            Some((kind.clone(), text))
        })
        .collect()
}

impl RunPage {
    pub(super) fn of(run: RunView, now_ms: i64, typed_reason: String) -> Self {
        let until = run.ended_at.unwrap_or(now_ms);
        let took_ms = run.started_at.map_or(0, |from| until - from);
        Self {
            percent: run.percent(),
            rate: (took_ms > 0)
                .then(|| (run.accounts + run.activity).saturating_mul(1_000) / took_ms),
            is_moving: matches!(run.state, RunState::Queued | RunState::Running),
            is_held: run.state == RunState::Held,
            is_failed: run.state == RunState::Failed,
            changed: changed(&run.changes),
            run,
            typed_reason,
            now_ms,
        }
    }
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
    typed: String,
) -> Result<Response, Error> {
    let run = service::get_run(host, &visitor.actor, number).await?;
    let title = format!("{} - {}", run.number, run.profile_name);
    chrome::page(
        "pages/run",
        &frame.titled(&title),
        &RunPage::of(run, host.now_ms(), typed),
    )
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    page(
        &host,
        &visitor,
        &number,
        Chrome::of(&host, &visitor).done(&done),
        String::new(),
    )
    .await
}

/// One reading of a live run: the partial's HTML, and whether the run still moves.
async fn reading(host: &Host, visitor: &Visitor, number: &str) -> Result<(String, bool), Error> {
    let run = service::get_run(host, &visitor.actor, number).await?;
    let page = RunPage::of(run, host.now_ms(), String::new());
    Ok((
        templates::render("partials/run_live", &page)?,
        page.is_moving,
    ))
}

/// What a stream remembers between two readings.
struct Watch {
    host: Host,
    visitor: Visitor,
    number: String,
    last: String,
    readings: u32,
    is_over: bool,
}

async fn events(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    // A run that does not exist is told before the stream begins.
    service::get_run(&host, &visitor.actor, &number).await?;
    let watch = Watch {
        host,
        visitor,
        number,
        last: String::new(),
        readings: 0,
        is_over: false,
    };
    let events = stream::unfold(watch, |mut watch| async move {
        loop {
            if watch.is_over || watch.readings >= READINGS {
                return None;
            }
            if watch.readings > 0 {
                tokio::time::sleep(READ_EVERY).await;
            }
            watch.readings += 1;
            // A reading that fails ends the stream; the browser reconnects and is told why by the page's own status.
            let (html, is_moving) = reading(&watch.host, &watch.visitor, &watch.number)
                .await
                .ok()?;
            if !is_moving {
                watch.is_over = true;
                return Some((
                    Ok::<_, Infallible>(Event::default().event("done").data("over")),
                    watch,
                ));
            }
            if html != watch.last {
                watch.last.clone_from(&html);
                return Some((Ok(Event::default().event("fragment").data(html)), watch));
            }
        }
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

async fn accept(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Reason>,
) -> Result<Response, Error> {
    match service::accept_run(&host, &visitor.actor, &number, &form.reason).await {
        Ok(_) => Ok(chrome::done(&format!("/runs/{number}"), "accepted")),
        Err(error) => refused(&host, &visitor, &number, &error, form.reason).await,
    }
}

async fn resume(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    match service::resume_run(&host, &visitor.actor, &number).await {
        Ok(_) => Ok(chrome::done(&format!("/runs/{number}"), "run-resumed")),
        Err(error) => refused(&host, &visitor, &number, &error, String::new()).await,
    }
}

async fn cancel(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    match service::cancel_run(&host, &visitor.actor, &number).await {
        Ok(_) => Ok(chrome::done(&format!("/runs/{number}"), "run-cancelled")),
        Err(error) => refused(&host, &visitor, &number, &error, String::new()).await,
    }
}

async fn refused(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    error: &SyncError,
    typed: String,
) -> Result<Response, Error> {
    let problem: Problem = told(error as &dyn IntoProblem);
    if problem.status == 404 {
        return Err(problem.into());
    }
    page(
        host,
        visitor,
        number,
        Chrome::of(host, visitor).troubled(Some(problem)),
        typed,
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_changed_is_told_in_words_and_never_as_unknown() {
        let changes = serde_json::json!({
            "accounts": { "new": 1_214, "changed": 0, "gone": 3 },
            "activity_days": 0,
            "basis": { "accounts": 214 },
            "subscriptions": { "new": 0, "without_account": 0 },
        });
        let told = changed(&changes);
        let told: Vec<(&str, &str)> = told.iter().map(|(kind, n)| (&**kind, &**n)).collect();
        assert_eq!(
            told,
            [
                ("accounts", "3 gone, 1,214 new"),
                ("activity_days", "0"),
                ("subscriptions", "no change"),
            ]
        );
        assert!(changed(&Value::Null).is_empty());
    }

    #[test]
    fn a_filter_that_leaves_accounts_out_says_that_people_and_seats_differ() {
        let shown = |out_of_scope: i64| {
            let run = serde_json::json!({
                "state": "complete", "stage": "done", "process": "subscriptions", "accounts": 40, "expected_accounts": 70,
                "assignments": 40, "pools": 3, "pages": 2, "retries": 0, "started_at": 1, "out_of_scope": out_of_scope,
            });
            let page =
                serde_json::json!({ "run": run, "rate": 5, "now_ms": 60_000, "percent": 100 });
            templates::render("partials/run_live", &page).expect("the partial renders")
        };
        assert!(shown(30).contains("30 accounts are left out by the profile"));
        assert!(shown(1).contains("1 account is left out"));
        assert!(!shown(0).contains("left out"));
    }
}
