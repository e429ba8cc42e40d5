//! Actions, exemptions and what stops reclaims, over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use super::rules::Why;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::clock::DAY_MS;
use crate::kernel::{Day, OrgId};
use crate::reclamation::actions;
use crate::reclamation::controls::{self, NewExemption};
use crate::reclamation::model::{ActionView, ControlsView, ExemptionView, PlanView};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// Rows of a page unless said otherwise.
const PAGE: i64 = 100;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/actions",
            Permission::Read,
            "Actions that were begun, newest first",
            list,
        )
        .asking(&[
            ("after", "`next` of the page before"),
            ("limit", "At most 500; 100 unless said"),
        ]),
        Route::api(
            Method::GET,
            "/api/v1/actions/{number}",
            Permission::Read,
            "One action: requests, answers, receipt",
            show,
        ),
        Route::api(
            Method::GET,
            "/api/v1/actions/{number}/undo",
            Permission::WorkCandidates,
            "The requests that would give its seats back; nothing is sent",
            plan_undo,
        ),
        Route::api(
            Method::POST,
            "/api/v1/actions/{number}/undo",
            Permission::WorkCandidates,
            "Undoes an action; answers the restore, which a worker sends",
            undo,
        )
        .taking::<Why>(),
        Route::api(
            Method::GET,
            "/api/v1/exemptions",
            Permission::Read,
            "Who is never named by a rule",
            exemptions,
        ),
        Route::api(
            Method::POST,
            "/api/v1/exemptions",
            Permission::EditRules,
            "Exempts an account from every rule",
            exempt,
        )
        .taking::<Exempt>(),
        Route::api(
            Method::POST,
            "/api/v1/exemptions/{id}/end",
            Permission::EditRules,
            "Ends an exemption",
            end_exemption,
        )
        .taking::<Why>(),
        Route::api(
            Method::GET,
            "/api/v1/reclaim",
            Permission::Read,
            "What stops reclaims: the switch and the freeze days",
            controls_now,
        ),
        Route::api(
            Method::POST,
            "/api/v1/reclaim/stop",
            Permission::StopReclaim,
            "Stops every request to every vendor, undo too",
            stop,
        )
        .taking::<Why>(),
        Route::api(
            Method::POST,
            "/api/v1/reclaim/start",
            Permission::StopReclaim,
            "Lets requests go on",
            start,
        )
        .taking::<Why>(),
        Route::api(
            Method::POST,
            "/api/v1/reclaim/freeze-days",
            Permission::EditRules,
            "Sets the UTC days on which nothing is taken back",
            freeze,
        )
        .taking::<Freeze>(),
    ]
}

#[derive(Deserialize)]
struct Paged {
    after: Option<String>,
    limit: Option<i64>,
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<Paged>,
) -> Result<Json<List<ActionView>>, Error> {
    let limit = asked.limit.unwrap_or(PAGE);
    let rows = actions::list_actions(&host, &actor, asked.after.as_deref(), limit).await?;
    Ok(List::page(rows, limit, |row| row.number.clone()))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<ActionView>, Error> {
    Ok(Json(actions::get_action(&host, &actor, &number).await?))
}

async fn plan_undo(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<PlanView>, Error> {
    Ok(Json(actions::plan_undo(&host, &actor, &number).await?))
}

async fn undo(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<ActionView>, Error> {
    Ok(Json(
        actions::undo(&host, &actor, &number, &body.reason).await?,
    ))
}

async fn exemptions(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<ExemptionView>>, Error> {
    Ok(List::all(controls::list_exemptions(&host, &actor).await?))
}

/// Somebody who is never named by a rule.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Exempt {
    /// Id of the only organization; absent: everywhere.
    organization: Option<String>,
    /// User principal name.
    principal: String,
    /// vip, service_account, leave or other.
    kind: String,
    /// Why.
    reason: String,
    /// Last day, YYYY-MM-DD; absent: until ended.
    #[schema(value_type = Option<String>)]
    until: Option<Day>,
}

async fn exempt(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Exempt>,
) -> Result<Json<ExemptionView>, Error> {
    let new = NewExemption {
        organization: body.organization.map(OrgId::from),
        principal: body.principal,
        kind: body.kind,
        reason: body.reason,
        until: body.until.map(end_of),
    };
    Ok(Json(controls::add_exemption(&host, &actor, new).await?))
}

/// The moment at which a last day is over.
pub(crate) fn end_of(day: Day) -> i64 {
    day.start_ms() + DAY_MS
}

async fn end_exemption(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<ExemptionView>, Error> {
    Ok(Json(
        controls::end_exemption(&host, &actor, &id, &body.reason).await?,
    ))
}

async fn controls_now(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<ControlsView>, Error> {
    Ok(Json(controls::get_controls(&host, &actor).await?))
}

async fn stop(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Why>,
) -> Result<Json<ControlsView>, Error> {
    Ok(Json(
        controls::stop_reclaims(&host, &actor, &body.reason).await?,
    ))
}

async fn start(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Why>,
) -> Result<Json<ControlsView>, Error> {
    Ok(Json(
        controls::start_reclaims(&host, &actor, &body.reason).await?,
    ))
}

/// UTC days.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Freeze {
    /// All of them, YYYY-MM-DD; they replace the ones before.
    days: Vec<String>,
    /// Why.
    reason: String,
}

async fn freeze(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Freeze>,
) -> Result<Json<ControlsView>, Error> {
    Ok(Json(
        controls::set_freeze_days(&host, &actor, &body.days, &body.reason).await?,
    ))
}
