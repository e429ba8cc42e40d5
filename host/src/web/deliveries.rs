//! What was delivered, what waits, what failed.
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::notify::desk::{self as service, BacklogView, DeliveryView};

/// Messages on one page.
const PAGE: i64 = 50;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/deliveries",
            Permission::Administer,
            "Messages and what became of them",
            show,
        ),
        Route::page(
            Method::POST,
            "/deliveries/{id}/retry",
            Permission::Administer,
            "Tries a message again, now",
            retry,
        ),
        Route::page(
            Method::POST,
            "/deliveries/{id}/withdraw",
            Permission::Administer,
            "Withdraws a message",
            withdraw,
        ),
    ]
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    state: String,
    before: Option<String>,
    done: Option<String>,
}

#[derive(Serialize)]
pub(super) struct DeliveriesPage {
    pub deliveries: Vec<DeliveryView>,
    pub backlog: BacklogView,
    pub states: &'static [&'static str],
    pub state: String,
    pub next: Option<String>,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    asked: Asked,
) -> Result<Response, Error> {
    let state = Some(asked.state.as_str()).filter(|state| !state.is_empty());
    let deliveries = service::list_deliveries(
        host,
        &visitor.actor,
        state,
        None,
        asked.before.as_deref(),
        PAGE,
    )
    .await?;
    let is_full = i64::try_from(deliveries.len()).is_ok_and(|n| n == PAGE);
    let next = deliveries
        .last()
        .filter(|_| is_full)
        .map(|last| format!("/deliveries?state={}&before={}", asked.state, last.id));
    let body = DeliveriesPage {
        deliveries,
        backlog: service::get_backlog(host, &visitor.actor).await?,
        states: &service::STATES,
        state: asked.state,
        next,
    };
    chrome::page("pages/deliveries", &frame.titled("Deliveries"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let done = Done::of(asked.done.clone());
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame, asked).await
}

async fn back(
    host: &Host,
    visitor: &Visitor,
    done: Result<(), Problem>,
    key: &str,
) -> Result<Response, Error> {
    match done {
        Ok(()) => Ok(chrome::done("/deliveries", key)),
        Err(problem) => {
            let frame = Chrome::of(host, visitor).troubled(Some(problem));
            page(host, visitor, frame, Asked::default()).await
        }
    }
}

async fn retry(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let done = service::retry_message(&host, &visitor.actor, &id).await;
    let done = done.map_err(|error| super::error::told(&error));
    back(&host, &visitor, done, "message-retried").await
}

async fn withdraw(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let done = service::withdraw_message(&host, &visitor.actor, &id).await;
    let done = done.map_err(|error| super::error::told(&error));
    back(&host, &visitor, done, "message-withdrawn").await
}
