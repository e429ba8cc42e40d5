//! Integration profiles: the list, one profile, and what moves it.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::{Problem, ProfileId};
use crate::profiles::model::{ProfileEvent, WriteMode};
use crate::profiles::{ProfileError, ProfileView, service};
use crate::sync::{self, RunView};

/// Runs shown with a profile.
const RUNS: i64 = 5;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::page(
            Method::GET,
            "/profiles",
            Permission::Read,
            "Integration profiles",
            list,
        ),
        Route::page(
            Method::GET,
            "/profiles/{number}",
            Permission::Read,
            "One profile",
            show,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/check",
            MANAGE,
            "Runs the checks",
            check,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/publish",
            MANAGE,
            "Publishes and starts the first run",
            publish,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/run",
            MANAGE,
            "Collects now",
            collect,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/pause",
            MANAGE,
            "Pauses",
            pause,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/resume",
            MANAGE,
            "Resumes",
            resume,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/archive",
            MANAGE,
            "Ends the profile; its history stays",
            archive,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/write-mode",
            MANAGE,
            "Sets what may be written to the vendor",
            write_mode,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/schedule",
            MANAGE,
            "Sets when it collects by itself",
            schedule,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct ProfilesPage {
    pub profiles: Vec<ProfileView>,
}

async fn list(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let profiles = service::list(&host, &visitor.actor).await?;
    chrome::page(
        "pages/profiles",
        &Chrome::of(&host, &visitor).titled("Integration profiles"),
        &ProfilesPage { profiles },
    )
}

#[derive(Serialize)]
pub(super) struct ProfilePage {
    pub profile: ProfileView,
    pub runs: Vec<RunView>,
    pub is_draft: bool,
    pub is_published: bool,
    pub is_paused: bool,
    pub is_live: bool,
    /// Percent of the vendor's API budget that is used, where told.
    pub quota_percent_used: Option<i64>,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
) -> Result<Response, Error> {
    let profile = service::get(host, &visitor.actor, number).await?;
    // A source without a connector has a page of its own.
    if profile.is_imported {
        if let Some(problem) = frame.problem {
            return Err(problem.into());
        }
        let to = format!("/imports/{}", profile.number);
        return Ok(Redirect::to(&to).into_response());
    }
    let runs =
        sync::service::list_runs(host, &visitor.actor, Some(&profile.id), None, RUNS).await?;
    let title = format!("{} - {}", profile.number, profile.name);
    let quota_percent_used = match (profile.quota_used, profile.quota_limit) {
        (Some(used), Some(limit)) if limit > 0 => Some(used * 100 / limit),
        _ => None,
    };
    let body = ProfilePage {
        is_draft: profile.state == "draft",
        is_published: profile.state == "published",
        is_paused: profile.state == "paused",
        is_live: profile.write_mode == "live",
        quota_percent_used,
        profile,
        runs,
    };
    chrome::page("pages/profile", &frame.titled(&title), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    page(
        &host,
        &visitor,
        &number,
        Chrome::of(&host, &visitor).done(&done),
    )
    .await
}

/// Back to the profile, saying what was done or what stood in the way.
async fn answer(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    result: Result<&str, ProfileError>,
) -> Result<Response, Error> {
    let problem: Problem = match result {
        Ok(done) => return Ok(chrome::done(&format!("/profiles/{number}"), done)),
        Err(error) => told(&error),
    };
    if problem.code == "profile.not_found" {
        return Err(problem.into());
    }
    page(
        host,
        visitor,
        number,
        Chrome::of(host, visitor).troubled(Some(problem)),
    )
    .await
}

async fn check(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let result = service::check(&host, &visitor.actor, &number)
        .await
        .map(|_| "checked");
    answer(&host, &visitor, &number, result).await
}

/// The run that was just started is where to look next.
async fn to_newest_run(
    host: &Host,
    visitor: &Visitor,
    profile: &ProfileId,
    number: &str,
    done: &str,
) -> Result<Response, Error> {
    let newest = sync::service::list_runs(host, &visitor.actor, Some(profile), None, 1).await?;
    let path = newest.first().map_or_else(
        || format!("/profiles/{number}"),
        |run| format!("/runs/{}", run.number),
    );
    Ok(Redirect::to(&format!("{path}?done={done}")).into_response())
}

async fn publish(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    match service::publish(&host, &visitor.actor, &number).await {
        Ok(profile) => to_newest_run(&host, &visitor, &profile.id, &number, "published").await,
        Err(error) => answer(&host, &visitor, &number, Err(error)).await,
    }
}

async fn collect(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    match service::collect_now(&host, &visitor.actor, &number).await {
        Ok(run) => {
            let run = sync::service::get_run(&host, &visitor.actor, run.as_str()).await?;
            Ok(chrome::done(&format!("/runs/{}", run.number), "collecting"))
        }
        Err(error) => answer(&host, &visitor, &number, Err(error)).await,
    }
}

async fn pause(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let result = service::change_state(&host, &visitor.actor, &number, ProfileEvent::Pause)
        .await
        .map(|_| "paused");
    answer(&host, &visitor, &number, result).await
}

async fn resume(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let result = service::change_state(&host, &visitor.actor, &number, ProfileEvent::Resume)
        .await
        .map(|_| "resumed");
    answer(&host, &visitor, &number, result).await
}

async fn archive(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let result = service::change_state(&host, &visitor.actor, &number, ProfileEvent::Archive)
        .await
        .map(|_| "archived");
    answer(&host, &visitor, &number, result).await
}

#[derive(Deserialize)]
struct Mode {
    #[serde(default)]
    mode: String,
}

async fn write_mode(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Mode>,
) -> Result<Response, Error> {
    let Some(mode) = WriteMode::parse(&form.mode) else {
        return Err(unknown_mode(&form.mode).into());
    };
    let result = service::set_write_mode(&host, &visitor.actor, &number, mode)
        .await
        .map(|_| "write-mode");
    answer(&host, &visitor, &number, result).await
}

/// A word that is no write mode.
#[must_use]
pub fn unknown_mode(word: &str) -> Problem {
    let word: String = word.chars().take(40).collect();
    Problem::new(
        "profile.write_mode",
        422,
        format!("`{word}` is not a write mode"),
        "Choose off, dry_run or live",
    )
    .at("mode")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Schedule {
    cron: String,
    zone: String,
}

async fn schedule(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Schedule>,
) -> Result<Response, Error> {
    let result = service::set_schedule(
        &host,
        &visitor.actor,
        &number,
        form.cron.trim(),
        form.zone.trim(),
    )
    .await
    .map(|_| "scheduled");
    answer(&host, &visitor, &number, result).await
}
