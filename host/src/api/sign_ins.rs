//! Sign-ins of identity providers over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::imports::service::MOST_BYTES;
use crate::imports::sign_ins::service::{
    self, Brought, CountingView, IdentitySourceView, SignInEvent, SignInFile, StrangerView,
};
use crate::kernel::{OrgId, Problem};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// Logins of a page unless said otherwise.
const PAGE: i64 = 200;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::api(
            Method::GET,
            "/api/v1/identity-sources",
            Permission::Read,
            "Identity providers with their applications",
            list,
        ),
        Route::api(
            Method::POST,
            "/api/v1/identity-sources",
            MANAGE,
            "Names an identity provider",
            create,
        )
        .taking::<NewProvider>(),
        Route::api(
            Method::POST,
            "/api/v1/identity-sources/{id}/events",
            MANAGE,
            "Brings sign-ins, one by one or as the provider's CSV",
            bring,
        )
        .taking::<NewEvents>()
        .up_to(MOST_BYTES),
        Route::api(
            Method::POST,
            "/api/v1/identity-applications/{id}",
            MANAGE,
            "Says which organization an application stands for",
            map,
        )
        .taking::<StandsFor>(),
        Route::api(
            Method::GET,
            "/api/v1/identity-applications/{id}/unmatched",
            Permission::Read,
            "Logins of an application that match no account",
            strangers,
        )
        .asking(&[
            ("after", "`next` of the page before"),
            ("limit", "At most 1000; 200 unless said"),
        ]),
        Route::api(
            Method::GET,
            "/api/v1/profiles/{number}/sign-ins",
            Permission::Read,
            "Whether sign-ins count for a profile's rules, and what that changes",
            counting,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/sign-ins",
            MANAGE,
            "Lets the later of the vendor's activity and the last sign-in count, or the vendor's alone",
            set_counting,
        )
        .taking::<Counts>(),
    ]
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<IdentitySourceView>>, Error> {
    Ok(List::all(service::list_sources(&host, &actor).await?))
}

/// An identity provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewProvider {
    /// Unique.
    name: String,
}

async fn create(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<NewProvider>,
) -> Result<Json<IdentitySourceView>, Error> {
    Ok(Json(
        service::create_source(&host, &actor, &body.name).await?,
    ))
}

/// One sign-in that succeeded.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Event {
    /// User name or mail address.
    login: String,
    /// As the provider calls it.
    application: String,
    /// ISO 8601 with its offset, such as `2026-03-31T09:00:00Z`.
    at: String,
}

/// Sign-ins, as exactly one of `events` and `csv`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct NewEvents {
    /// One by one.
    events: Option<Vec<Event>>,
    /// The provider's export, with its heading line.
    csv: Option<String>,
    /// How times are written in the CSV: `iso`, `day_month_year`, `month_day_year`, `unix_seconds` or `unix_milliseconds`.
    dates: Option<String>,
    /// Leave out what cannot be used; otherwise it stops everything and is named.
    leave_out: bool,
}

fn wrong(message: impl Into<String>) -> Problem {
    Problem::new(
        "sign_ins.form",
        422,
        message,
        "Send a list of events, each with login, application and at (ISO 8601 with its offset), or the provider's export as csv",
    )
    .at("events")
}

async fn bring(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(body): Body<NewEvents>,
) -> Result<Json<Brought>, Error> {
    let brought = match (body.events, body.csv) {
        (Some(events), None) => {
            let mut list = Vec::with_capacity(events.len());
            for (place, event) in (1..).zip(events) {
                let at: Timestamp = event.at.parse().map_err(|_| {
                    wrong(format!(
                        "the time of event {place} is not ISO 8601 with its offset"
                    ))
                })?;
                list.push(SignInEvent {
                    login: event.login,
                    application: event.application,
                    at: at.as_millisecond(),
                });
            }
            service::bring_events(&host, &actor, &id, &list, body.leave_out).await?
        }
        (None, Some(csv)) => {
            let file = SignInFile {
                bytes: csv.as_bytes(),
                encoding: "",
                dates: body.dates.as_deref().unwrap_or_default(),
                leaves_out: body.leave_out,
            };
            service::bring_file(&host, &actor, &id, file).await?
        }
        _ => return Err(wrong("sign-ins are given by exactly one of events and csv").into()),
    };
    Ok(Json(brought))
}

/// What an application stands for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct StandsFor {
    /// Id of the organization; absent: none.
    organization: Option<String>,
}

async fn map(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(body): Body<StandsFor>,
) -> Result<Json<List<IdentitySourceView>>, Error> {
    let organization = body.organization.map(OrgId::from);
    service::map_application(&host, &actor, &id, organization.as_ref()).await?;
    Ok(List::all(service::list_sources(&host, &actor).await?))
}

#[derive(Deserialize)]
struct Paged {
    after: Option<String>,
    limit: Option<i64>,
}

async fn strangers(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Asked(asked): Asked<Paged>,
) -> Result<Json<List<StrangerView>>, Error> {
    let limit = asked.limit.unwrap_or(PAGE);
    let after = asked.after.unwrap_or_default();
    let strangers = service::list_strangers(&host, &actor, &id, &after, limit).await?;
    Ok(List::page(strangers, limit, |last| last.login.clone()))
}

async fn counting(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<CountingView>, Error> {
    Ok(Json(service::counting(&host, &actor, &number).await?))
}

/// Whether sign-ins count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Counts {
    /// True: the later of both counts.
    counts: bool,
}

async fn set_counting(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Counts>,
) -> Result<Json<CountingView>, Error> {
    let view = service::set_counting(&host, &actor, &number, body.counts).await?;
    Ok(Json(view))
}
