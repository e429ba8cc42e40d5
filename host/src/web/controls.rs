//! Exemptions, the stop switch and freeze days.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::api::actions::end_of;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::{Day, Problem};
use crate::reclamation::controls::{self as service, NewExemption};
use crate::reclamation::model::{ControlsView, ExemptionView};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/exemptions",
            Permission::Read,
            "Who is never named by a rule",
            exemptions,
        ),
        Route::page(
            Method::POST,
            "/exemptions",
            Permission::EditRules,
            "Exempts an account from every rule",
            exempt,
        ),
        Route::page(
            Method::POST,
            "/exemptions/{id}/end",
            Permission::EditRules,
            "Ends an exemption",
            end,
        ),
        Route::page(
            Method::GET,
            "/reclaim",
            Permission::Read,
            "The stop switch and the freeze days",
            controls,
        ),
        Route::page(
            Method::POST,
            "/reclaim/stop",
            Permission::StopReclaim,
            "Stops every request to every vendor",
            stop,
        ),
        Route::page(
            Method::POST,
            "/reclaim/start",
            Permission::StopReclaim,
            "Lets requests go on",
            start,
        ),
        Route::page(
            Method::POST,
            "/reclaim/freeze-days",
            Permission::EditRules,
            "Sets the days on which nothing is taken back",
            freeze,
        ),
    ]
}

/// The form as it was typed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    principal: String,
    kind: String,
    reason: String,
    until: String,
}

#[derive(Serialize)]
pub(super) struct ExemptionsPage {
    pub exemptions: Vec<ExemptionView>,
    pub kinds: &'static [&'static str],
    pub typed: Typed,
}

async fn exemptions_page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Typed,
) -> Result<Response, Error> {
    let exemptions = service::list_exemptions(host, &visitor.actor).await?;
    chrome::page(
        "pages/exemptions",
        &frame.titled("Exemptions"),
        &ExemptionsPage {
            exemptions,
            kinds: &service::KINDS,
            typed,
        },
    )
}

async fn exemptions(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    exemptions_page(&host, &visitor, frame, Typed::default()).await
}

async fn exempt(
    State(host): State<Host>,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response, Error> {
    let until = match typed.until.trim() {
        "" => Ok(None),
        text => text
            .parse::<Day>()
            .map(|day| Some(end_of(day)))
            .map_err(|error| {
                Problem::new(
                    "page.malformed_field",
                    422,
                    error.to_string(),
                    "Write the day as YYYY-MM-DD",
                )
                .at("until")
            }),
    };
    let added = match until {
        Ok(until) => {
            let new = NewExemption {
                organization: None,
                principal: typed.principal.clone(),
                kind: typed.kind.clone(),
                reason: typed.reason.clone(),
                until,
            };
            service::add_exemption(&host, &visitor.actor, new)
                .await
                .map_err(|error| told(&error))
        }
        Err(problem) => Err(problem),
    };
    match added {
        Ok(_) => Ok(chrome::done("/exemptions", "exempted")),
        Err(problem) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(problem));
            exemptions_page(&host, &visitor, frame, typed).await
        }
    }
}

#[derive(Deserialize)]
struct Why {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    days: String,
}

async fn end(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<Why>,
) -> Result<Response, Error> {
    match service::end_exemption(&host, &visitor.actor, &id, &form.reason).await {
        Ok(_) => Ok(chrome::done("/exemptions", "exemption-ended")),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            exemptions_page(&host, &visitor, frame, Typed::default()).await
        }
    }
}

#[derive(Serialize)]
pub(super) struct ControlsPage {
    pub controls: ControlsView,
    /// One day a line.
    pub days: String,
    pub typed_reason: String,
}

async fn controls_page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Option<Why>,
) -> Result<Response, Error> {
    let controls = service::get_controls(host, &visitor.actor).await?;
    let (days, typed_reason) = match typed {
        Some(typed) => (typed.days, typed.reason),
        None => (controls.freeze_days.join("\n"), String::new()),
    };
    chrome::page(
        "pages/controls",
        &frame.titled("Stop switch"),
        &ControlsPage {
            controls,
            days,
            typed_reason,
        },
    )
}

async fn controls(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    controls_page(&host, &visitor, frame, None).await
}

async fn stop(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Why>,
) -> Result<Response, Error> {
    let done = service::stop_reclaims(&host, &visitor.actor, &form.reason).await;
    back(
        &host,
        &visitor,
        done.map_err(|error| told(&error)),
        "stopped",
        form,
    )
    .await
}

async fn start(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Why>,
) -> Result<Response, Error> {
    let done = service::start_reclaims(&host, &visitor.actor, &form.reason).await;
    back(
        &host,
        &visitor,
        done.map_err(|error| told(&error)),
        "started",
        form,
    )
    .await
}

async fn freeze(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Why>,
) -> Result<Response, Error> {
    let days: Vec<String> = form.days.split_whitespace().map(str::to_owned).collect();
    let done = service::set_freeze_days(&host, &visitor.actor, &days, &form.reason).await;
    back(
        &host,
        &visitor,
        done.map_err(|error| told(&error)),
        "freeze-days",
        form,
    )
    .await
}

async fn back(
    host: &Host,
    visitor: &Visitor,
    done: Result<ControlsView, Problem>,
    key: &str,
    typed: Why,
) -> Result<Response, Error> {
    match done {
        Ok(_) => Ok(chrome::done("/reclaim", key)),
        Err(problem) => {
            let frame = Chrome::of(host, visitor).troubled(Some(problem));
            controls_page(host, visitor, frame, Some(typed)).await
        }
    }
}
