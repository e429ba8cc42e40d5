//! Reclamation rules over the API.
use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::reclamation::model::{Preview, RuleView};
use crate::reclamation::rule::{Conditions, Edit, Limits, Scope, Silence};
use crate::reclamation::rules;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// Rows of a preview unless said otherwise.
const ROWS: i64 = 200;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/rules",
            Permission::Read,
            "Reclamation rules",
            list,
        ),
        Route::api(
            Method::GET,
            "/api/v1/rules/{number}",
            Permission::Read,
            "One rule with its newest version",
            show,
        ),
        Route::api(
            Method::GET,
            "/api/v1/rules/{number}/preview",
            Permission::Read,
            "Who the newest version would name today, who not, and why",
            preview,
        )
        .asking(&[("limit", "Rows at most; 200 unless said, 1000 at most")]),
        Route::api(
            Method::POST,
            "/api/v1/rules/{number}/edit",
            Permission::EditRules,
            "Changes fields; a deciding change is a new version that waits for approval",
            edit,
        )
        .taking::<Change>(),
        Route::api(
            Method::POST,
            "/api/v1/rules/{number}/approve",
            Permission::Approve,
            "Approves the newest version, if it is the one that was seen",
            approve,
        )
        .taking::<Seen>(),
        Route::api(
            Method::POST,
            "/api/v1/rules/{number}/refuse",
            Permission::Approve,
            "Refuses the newest version",
            refuse,
        )
        .taking::<Refused>(),
        Route::api(
            Method::POST,
            "/api/v1/rules/{number}/off",
            Permission::EditRules,
            "Switches a rule off; its open candidates are closed",
            off,
        )
        .taking::<Why>(),
    ]
}

/// What an approver has seen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    /// The digest that was shown.
    pub seen: String,
}

/// A refusal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The digest that was shown.
    seen: String,
    /// Why.
    reason: String,
}

/// A reason.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// Kept with the record and in the audit trail.
    pub reason: String,
}

/// Fields to change; absent ones stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Whole UTC days without use.
    threshold_days: Option<i64>,
    /// `"all_organizations"`, or `{"organizations": [ids]}`.
    #[schema(value_type = Option<Object>)]
    scope: Option<Scope>,
    /// User principal names that are never named.
    exclusions: Option<BTreeSet<String>>,
    /// Actions of the connector, one or two.
    actions: Option<Vec<String>>,
    /// Days between the first and the second action.
    grace_days: Option<i64>,
    /// Whether the holder is asked first.
    notice: Option<bool>,
    /// Days the holder has.
    days: Option<i64>,
    /// What no answer means: `hold` or `reclaim`.
    #[schema(value_type = Option<String>)]
    silence: Option<Silence>,
    /// `{"per_run": n, "per_day": n, "percent_of_org": n}`.
    #[schema(value_type = Option<Object>)]
    limits: Option<Limits>,
    /// `{"account_kinds": [words], "include_never_active": bool}`.
    #[schema(value_type = Option<Object>)]
    conditions: Option<Conditions>,
    /// What people call the rule.
    name: Option<String>,
    /// A note for reviewers.
    note: Option<String>,
}

impl From<Change> for Edit {
    fn from(it: Change) -> Self {
        Self {
            threshold_days: it.threshold_days,
            scope: it.scope,
            exclusions: it.exclusions,
            actions: it.actions,
            grace_days: it.grace_days,
            notice: it.notice,
            days: it.days,
            silence: it.silence,
            limits: it.limits,
            conditions: it.conditions,
            name: it.name,
            note: it.note,
        }
    }
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<RuleView>>, Error> {
    Ok(List::all(rules::list_rules(&host, &actor).await?))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<RuleView>, Error> {
    Ok(Json(rules::get_rule(&host, &actor, &number).await?))
}

#[derive(Deserialize)]
struct Limited {
    limit: Option<i64>,
}

async fn preview(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Asked(asked): Asked<Limited>,
) -> Result<Json<Preview>, Error> {
    let limit = asked.limit.unwrap_or(ROWS);
    Ok(Json(
        rules::preview_rule(&host, &actor, &number, limit).await?,
    ))
}

async fn edit(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<RuleView>, Error> {
    Ok(Json(
        rules::edit_rule(&host, &actor, &number, &change.into()).await?,
    ))
}

async fn approve(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Seen>,
) -> Result<Json<RuleView>, Error> {
    Ok(Json(
        rules::approve_rule(&host, &actor, &number, &body.seen).await?,
    ))
}

async fn refuse(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Refused>,
) -> Result<Json<RuleView>, Error> {
    Ok(Json(
        rules::refuse_rule(&host, &actor, &number, &body.seen, &body.reason).await?,
    ))
}

async fn off(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<RuleView>, Error> {
    Ok(Json(
        rules::switch_off_rule(&host, &actor, &number, &body.reason).await?,
    ))
}
