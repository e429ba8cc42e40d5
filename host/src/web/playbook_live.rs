//! A task that goes on by itself, followed by the page: the checks as they come, a hand-over until it is answered.
//!
//! Each reading comes from the database, so that any host can serve it, and is the same partial that the page itself shows.
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;

use super::gate::Visitor;
use super::playbook::find;
use super::playbook_parts::Checks;
use super::{Error, templates};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::profiles::playbook::{Task, TaskState, service};

/// How often a live page reads its task.
const READ_EVERY: Duration = Duration::from_millis(400);
/// A stream ends after this many readings; the browser comes back with its session checked anew.
const READINGS: u32 = 1_200;

#[derive(Serialize)]
struct LiveChecks {
    page: Csrf,
    checks: Checks,
    number: String,
    may_save: bool,
}

#[derive(Serialize)]
struct Csrf {
    csrf: String,
}

/// One reading: what to show, if anything, and whether it goes on.
async fn reading(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    task: &str,
) -> Result<(Option<String>, bool), Error> {
    let view = service::view(host, &visitor.actor, number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let which = find(&manifest, task)?;
    if which == Task::Checks {
        let checks = Checks::of(&view, &manifest);
        let goes_on = checks.is_running;
        let live = LiveChecks {
            checks,
            number: number.to_owned(),
            may_save: visitor.actor.may(Permission::ManageProfiles).is_ok(),
            page: Csrf {
                csrf: visitor.csrf.clone(),
            },
        };
        return Ok((
            Some(templates::render("partials/checks_live", &live)?),
            goes_on,
        ));
    }
    let waits = view
        .task(task)
        .is_some_and(|task| task.state == TaskState::Waiting);
    Ok((None, waits))
}

struct Watch {
    host: Host,
    visitor: Visitor,
    number: String,
    task: String,
    last: Option<String>,
    readings: u32,
    is_over: bool,
}

pub(super) async fn events(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, task)): Path<(String, String)>,
) -> Result<Response, Error> {
    // A task that does not exist is told before the stream begins.
    reading(&host, &visitor, &number, &task).await?;
    let watch = Watch {
        host,
        visitor,
        number,
        task,
        last: None,
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
            let (html, goes_on) = reading(&watch.host, &watch.visitor, &watch.number, &watch.task)
                .await
                .ok()?;
            if !goes_on {
                watch.is_over = true;
                return Some((
                    Ok::<_, Infallible>(Event::default().event("done").data("over")),
                    watch,
                ));
            }
            if let Some(html) = html.filter(|html| watch.last.as_ref() != Some(html)) {
                watch.last = Some(html.clone());
                return Some((Ok(Event::default().event("fragment").data(html)), watch));
            }
        }
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}
