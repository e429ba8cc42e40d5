//! The overview: what waits for a person, and what happened last.
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::sync::{RunState, RunView, service};

/// Runs looked at.
const RECENT: i64 = 50;
/// Runs shown.
const SHOWN: usize = 5;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/",
        Permission::Read,
        "Overview: what waits for you, and what happened last",
        show,
    )]
}

#[derive(Serialize)]
pub(super) struct OverviewPage {
    /// Runs that a person must accept or repair.
    pub waiting_runs: Vec<RunView>,
    pub runs: Vec<RunView>,
    pub is_calm: bool,
}

async fn show(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let mut runs = service::list_runs(&host, &visitor.actor, None, None, RECENT).await?;
    let waiting_runs: Vec<RunView> = runs
        .iter()
        .filter(|run| run.state == RunState::Held)
        .cloned()
        .collect();
    runs.truncate(SHOWN);
    let body = OverviewPage {
        is_calm: waiting_runs.is_empty(),
        waiting_runs,
        runs,
    };
    chrome::page(
        "pages/overview",
        &Chrome::of(&host, &visitor).titled("Overview"),
        &body,
    )
}
