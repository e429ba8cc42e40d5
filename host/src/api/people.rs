//! People over the API.
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::{OrgId, PersonId};
use crate::people::matching::Transform;
use crate::people::model::{ImportReport, ResolutionRuleView};
use crate::people::{PersonView, UnresolvedView, service};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// Rows of a page unless said otherwise.
const PAGE: i64 = 100;
/// A directory export of about half a million people. The text is held while it is read; the rows go to the store in slices.
const IMPORT_BYTES: usize = 64 * 1024 * 1024;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const PAGED: &[(&str, &str)] = &[
        ("after", "`next` of the page before"),
        ("limit", "At most 500; 100 unless said"),
    ];
    vec![
        Route::api(
            Method::GET,
            "/api/v1/people",
            Permission::Read,
            "People of the directory",
            list,
        )
        .asking(PAGED),
        Route::api(
            Method::GET,
            "/api/v1/people/unmatched",
            Permission::Read,
            "Accounts with active seats that match nobody",
            unmatched,
        )
        .asking(PAGED),
        Route::api(
            Method::POST,
            "/api/v1/people/import",
            Permission::ManageSam,
            "Imports people from CSV",
            import,
        )
        .taking::<Import>()
        .up_to(IMPORT_BYTES),
        Route::api(
            Method::POST,
            "/api/v1/people/match",
            Permission::ManageSam,
            "Says whose account it is",
            by_hand,
        )
        .taking::<ByHand>(),
        Route::api(
            Method::GET,
            "/api/v1/resolution-rules",
            Permission::Read,
            "User resolution rules",
            rules,
        ),
        Route::api(
            Method::POST,
            "/api/v1/resolution-rules",
            Permission::ManageSam,
            "Adds a user resolution rule and applies it",
            add_rule,
        )
        .taking::<NewRule>(),
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
) -> Result<Json<List<PersonView>>, Error> {
    let limit = asked.limit.unwrap_or(PAGE);
    let after = asked.after.map(PersonId::from);
    let people = service::list_people(&host, &actor, after.as_ref(), limit).await?;
    Ok(List::page(people, limit, |last| last.id.to_string()))
}

async fn unmatched(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<Paged>,
) -> Result<Json<List<UnresolvedView>>, Error> {
    let limit = asked.limit.unwrap_or(PAGE);
    let after = asked.after.as_deref().and_then(|key| key.split_once('/'));
    let accounts = service::list_unresolved(&host, &actor, after, limit).await?;
    Ok(List::page(accounts, limit, |last| {
        format!("{}/{}", last.organization_id, last.account_id)
    }))
}

/// A directory export.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Import {
    /// The file's text, with its heading line.
    csv: String,
}

async fn import(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Import>,
) -> Result<Json<ImportReport>, Error> {
    Ok(Json(service::import_csv(&host, &actor, &body.csv).await?))
}

/// An account and its person.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ByHand {
    /// Id of the organization.
    organization: String,
    /// The vendor's id of the account.
    account: String,
    /// Id of the person.
    person: String,
}

async fn by_hand(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<ByHand>,
) -> Result<Json<ByHand>, Error> {
    let (organization, person) = (
        OrgId::from(body.organization.as_str()),
        PersonId::from(body.person.as_str()),
    );
    service::match_by_hand(&host, &actor, &organization, &body.account, &person).await?;
    Ok(Json(body))
}

async fn rules(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<ResolutionRuleView>>, Error> {
    Ok(List::all(
        service::list_resolution_rules(&host, &actor).await?,
    ))
}

/// A user resolution rule: with both domains it replaces one by the other, with neither it removes the domain.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRule {
    /// Unique.
    name: String,
    /// Domain at the vendor.
    from: Option<String>,
    /// Domain in the directory.
    to: Option<String>,
}

#[derive(Serialize)]
struct Applied {
    /// Accounts that belong to somebody now and did not before.
    matched: i64,
}

async fn add_rule(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<NewRule>,
) -> Result<Json<Applied>, Error> {
    let transform = match (body.from, body.to) {
        (None, None) => Transform::RemoveDomain,
        (from, to) => Transform::ReplaceDomain {
            from: from.unwrap_or_default(),
            to: to.unwrap_or_default(),
        },
    };
    let matched = service::add_resolution_rule(&host, &actor, &body.name, transform).await?;
    Ok(Json(Applied { matched }))
}
