//! Positions over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Serialize;

use super::Error;
use super::body::List;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::reconciliation::model::{Reconciled, ReconciliationView};
use crate::reconciliation::service;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/position",
            Permission::Read,
            "The newest reconciliation, with positions and savings",
            newest,
        ),
        Route::api(
            Method::GET,
            "/api/v1/reconciliations",
            Permission::Read,
            "Results, newest first",
            list,
        ),
        Route::api(
            Method::GET,
            "/api/v1/reconciliations/{number}",
            Permission::Read,
            "One result",
            show,
        ),
        Route::api(
            Method::POST,
            "/api/v1/reconciliations",
            Permission::ManageSam,
            "Reconciles now; the same inputs on the same day write nothing",
            reconcile,
        ),
    ]
}

async fn newest(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<ReconciliationView>, Error> {
    Ok(Json(
        service::get_reconciliation(&host, &actor, None).await?,
    ))
}

#[derive(Serialize)]
struct Listed {
    number: String,
    trigger: String,
    ran_at: i64,
    as_of_day: String,
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<Listed>>, Error> {
    let results = service::list_reconciliations(&host, &actor, 200).await?;
    let items = results
        .into_iter()
        .map(|(number, trigger, ran_at, as_of_day)| Listed {
            number,
            trigger,
            ran_at,
            as_of_day,
        });
    Ok(List::all(items.collect()))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<ReconciliationView>, Error> {
    Ok(Json(
        service::get_reconciliation(&host, &actor, Some(&number)).await?,
    ))
}

async fn reconcile(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<Reconciled>, Error> {
    Ok(Json(service::reconcile(&host, &actor, "demand").await?))
}
