//! Runs over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::sync::{RunView, service};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/runs",
            Permission::Read,
            "Runs, newest first",
            list,
        )
        .asking(&[
            ("profile", "Number of a profile"),
            ("after", "`next` of the page before"),
            ("limit", "At most 200; 50 unless said"),
        ]),
        Route::api(
            Method::GET,
            "/api/v1/runs/{number}",
            Permission::Read,
            "One run",
            show,
        ),
        Route::api(
            Method::POST,
            "/api/v1/runs/{number}/accept",
            Permission::AcceptRuns,
            "Accepts a held run with a reason",
            accept,
        )
        .taking::<Reason>(),
        Route::api(
            Method::POST,
            "/api/v1/runs/{number}/resume",
            Permission::ManageProfiles,
            "Continues a failed run at its page",
            resume,
        ),
        Route::api(
            Method::POST,
            "/api/v1/runs/{number}/cancel",
            Permission::ManageProfiles,
            "Stops a run",
            cancel,
        ),
    ]
}

#[derive(Deserialize)]
struct RunsAsked {
    /// Number of a profile.
    profile: Option<String>,
    after: Option<String>,
    limit: Option<i64>,
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<RunsAsked>,
) -> Result<Json<List<RunView>>, Error> {
    let limit = asked.limit.unwrap_or(50);
    let profile = match &asked.profile {
        Some(number) => Some(
            crate::profiles::service::get(&host, &actor, number)
                .await?
                .id,
        ),
        None => None,
    };
    let runs = service::list_runs(
        &host,
        &actor,
        profile.as_ref(),
        asked.after.as_deref(),
        limit,
    )
    .await?;
    Ok(List::page(runs, limit, |last| last.number.clone()))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<RunView>, Error> {
    Ok(Json(service::get_run(&host, &actor, &number).await?))
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Kept with what was decided.
    pub reason: String,
}

async fn accept(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Reason>,
) -> Result<Json<RunView>, Error> {
    Ok(Json(
        service::accept_run(&host, &actor, &number, &body.reason).await?,
    ))
}

async fn resume(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<RunView>, Error> {
    Ok(Json(service::resume_run(&host, &actor, &number).await?))
}

async fn cancel(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<RunView>, Error> {
    Ok(Json(service::cancel_run(&host, &actor, &number).await?))
}
