//! Sources over the API: which there are, and one counting instead of another.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::OrgId;
use crate::sources::{Preview, SourceView, Supersession, service};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/sources",
            Permission::Read,
            "Where rows come from, what counts of each, and what was superseded",
            list,
        ),
        Route::api(
            Method::GET,
            "/api/v1/sources/{id}/supersession",
            Permission::Read,
            "What superseding a source by another one would do",
            preview,
        )
        .asking(&[("by", "Id of the source that would count instead")]),
        Route::api(
            Method::POST,
            "/api/v1/sources/{id}/supersede",
            Permission::ManageSam,
            "Retires what a source brought, in favour of another one",
            supersede,
        )
        .taking::<Supersede>(),
        Route::api(
            Method::POST,
            "/api/v1/sources/{id}/take-back",
            Permission::ManageSam,
            "Lets the retired rows of a source count again",
            take_back,
        )
        .taking::<TakeBack>(),
    ]
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<SourceView>>, Error> {
    Ok(List::all(service::list_sources(&host, &actor).await?))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct By {
    by: String,
}

async fn preview(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Asked(asked): Asked<By>,
) -> Result<Json<Preview>, Error> {
    let (older, newer) = (OrgId::from(id), OrgId::from(asked.by));
    Ok(Json(service::preview(&host, &actor, &older, &newer).await?))
}

/// One source instead of another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Supersede {
    /// Id of the source that counts instead.
    by: String,
    /// Why; kept with the record.
    reason: String,
}

async fn supersede(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(asked): Body<Supersede>,
) -> Result<Json<Supersession>, Error> {
    let (older, newer) = (OrgId::from(id), OrgId::from(asked.by));
    let made = service::supersede(&host, &actor, &older, &newer, &asked.reason).await?;
    Ok(Json(made))
}

/// Why a supersession is taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TakeBack {
    /// Kept in the audit trail.
    reason: String,
}

async fn take_back(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(asked): Body<TakeBack>,
) -> Result<Json<Supersession>, Error> {
    let older = OrgId::from(id);
    Ok(Json(
        service::take_back(&host, &actor, &older, &asked.reason).await?,
    ))
}
