//! Profiles over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Error;
use super::body::{Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::profiles::model::{ProfileEvent, WriteMode};
use crate::profiles::service::AliasLine;
use crate::profiles::{CheckView, NewProfile, PlaybookView, ProfileView, service};
use crate::sync::{self, RunView};
use crate::web::gate::Caller;
use crate::web::profiles::unknown_mode;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::api(
            Method::GET,
            "/api/v1/profiles",
            Permission::Read,
            "Integration profiles",
            list,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles",
            MANAGE,
            "Makes a draft profile",
            create,
        )
        .taking::<New>(),
        Route::api(
            Method::GET,
            "/api/v1/profiles/{number}",
            Permission::Read,
            "One profile, by number, name or id",
            show,
        ),
        Route::api(
            Method::GET,
            "/api/v1/profiles/{number}/playbook",
            Permission::Read,
            "The tasks of a profile's playbook with their state, what was answered and what the org said",
            playbook,
        ),
        Route::api(
            Method::GET,
            "/api/v1/aliases",
            Permission::Read,
            "Connection and credential aliases, with what a child takes over and where each value comes from",
            aliases,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/check",
            MANAGE,
            "Runs the checks",
            check,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/publish",
            MANAGE,
            "Publishes, and gives the first run",
            publish,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/run",
            MANAGE,
            "Collects now, and gives the run",
            run,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/pause",
            MANAGE,
            "Pauses",
            pause,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/resume",
            MANAGE,
            "Resumes",
            resume,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/archive",
            MANAGE,
            "Ends the profile; its history stays",
            archive,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/write-mode",
            MANAGE,
            "Sets what may be written to the vendor",
            write_mode,
        )
        .taking::<Mode>(),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/schedule",
            MANAGE,
            "Sets when it collects by itself",
            schedule,
        )
        .taking::<Schedule>(),
    ]
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<ProfileView>>, Error> {
    Ok(List::all(service::list(&host, &actor).await?))
}

/// A profile to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// Id of the connector.
    connector: String,
    /// Display name.
    name: String,
    /// Parent alias by name or id; absent: the connector's first alias, or this one becomes it.
    parent: Option<String>,
    /// The vendor's login address.
    login_url: String,
    /// A grant of the connector's manifest.
    grant: String,
    /// Client id of the registered app.
    client_id: String,
    /// Its secret; sealed at rest and never given back.
    client_secret: String,
    /// For the grant `refresh-token`.
    refresh_token: Option<String>,
    /// Settings of the connector, by name, as text.
    #[serde(default)]
    settings: std::collections::BTreeMap<String, String>,
}

async fn create(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<New>,
) -> Result<Json<ProfileView>, Error> {
    let new = NewProfile {
        connector: body.connector,
        name: body.name,
        parent: body.parent,
        login_url: body.login_url,
        grant: body.grant,
        client_id: body.client_id,
        client_secret: Zeroizing::new(body.client_secret),
        refresh_token: body.refresh_token.map(Zeroizing::new),
        settings: body.settings.into_iter().collect(),
    };
    Ok(Json(service::create(&host, &actor, new).await?))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<ProfileView>, Error> {
    Ok(Json(service::get(&host, &actor, &number).await?))
}

async fn playbook(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<PlaybookView>, Error> {
    Ok(Json(
        crate::profiles::playbook::service::view(&host, &actor, &number).await?,
    ))
}

async fn aliases(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<AliasLine>>, Error> {
    Ok(List::all(service::list_aliases(&host, &actor).await?))
}

async fn check(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<List<CheckView>>, Error> {
    Ok(List::all(service::check(&host, &actor, &number).await?))
}

async fn publish(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<RunView>, Error> {
    let profile = service::publish(&host, &actor, &number).await?;
    let newest = sync::service::list_runs(&host, &actor, Some(&profile.id), None, 1).await?;
    let run = newest
        .into_iter()
        .next()
        .ok_or_else(super::error::not_found)?;
    Ok(Json(run))
}

async fn run(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<RunView>, Error> {
    let run = service::collect_now(&host, &actor, &number).await?;
    Ok(Json(
        sync::service::get_run(&host, &actor, run.as_str()).await?,
    ))
}

async fn pause(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<ProfileView>, Error> {
    Ok(Json(
        service::change_state(&host, &actor, &number, ProfileEvent::Pause).await?,
    ))
}

async fn resume(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<ProfileView>, Error> {
    Ok(Json(
        service::change_state(&host, &actor, &number, ProfileEvent::Resume).await?,
    ))
}

async fn archive(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<ProfileView>, Error> {
    Ok(Json(
        service::change_state(&host, &actor, &number, ProfileEvent::Archive).await?,
    ))
}

/// What may be written to the vendor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Mode {
    /// off, dry_run or live.
    mode: String,
}

async fn write_mode(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Mode>,
) -> Result<Json<ProfileView>, Error> {
    let mode = WriteMode::parse(&body.mode).ok_or_else(|| unknown_mode(&body.mode))?;
    Ok(Json(
        service::set_write_mode(&host, &actor, &number, mode).await?,
    ))
}

/// When it collects by itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Schedule {
    /// Five cron fields.
    cron: String,
    /// IANA time zone.
    zone: String,
}

async fn schedule(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Schedule>,
) -> Result<Json<ProfileView>, Error> {
    Ok(Json(
        service::set_schedule(&host, &actor, &number, &body.cron, &body.zone).await?,
    ))
}
