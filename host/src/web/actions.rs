//! Actions: what was sent, what came back, and the way back.
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
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::reclamation::actions as service;
use crate::reclamation::model::{ActionView, PlanView};

/// Rows of a page.
const PAGE: i64 = 100;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/actions",
            Permission::Read,
            "Actions at vendors",
            list,
        ),
        Route::page(
            Method::GET,
            "/actions/{number}",
            Permission::Read,
            "One action: requests, answers, receipt",
            show,
        ),
        Route::page(
            Method::GET,
            "/actions/{number}/undo",
            Permission::WorkCandidates,
            "The requests that would give its seats back",
            plan,
        ),
        Route::page(
            Method::POST,
            "/actions/{number}/undo",
            Permission::WorkCandidates,
            "Undoes an action",
            undo,
        ),
    ]
}

#[derive(Deserialize)]
struct Asked {
    after: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ActionsPage {
    pub actions: Vec<ActionView>,
    pub next: Option<String>,
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let actions =
        service::list_actions(&host, &visitor.actor, asked.after.as_deref(), PAGE).await?;
    let is_full = i64::try_from(actions.len()).is_ok_and(|rows| rows >= PAGE);
    let next = actions
        .last()
        .filter(|_| is_full)
        .map(|last| format!("/actions?after={}", last.number));
    let frame = Chrome::of(&host, &visitor).titled("Actions");
    chrome::page("pages/actions", &frame, &ActionsPage { actions, next })
}

#[derive(Serialize)]
pub(super) struct ActionPage {
    pub action: ActionView,
    /// The undo window is open.
    pub can_undo: bool,
    pub is_moving: bool,
    /// The plan of the way back, when it was asked for.
    pub undo: Option<PlanView>,
    pub typed_reason: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
    undo: Option<PlanView>,
    typed_reason: String,
) -> Result<Response, Error> {
    let action = service::get_action(host, &visitor.actor, number).await?;
    let title = format!("{} - {}", action.number, action.principal);
    let now_ms = host.now_ms();
    chrome::page(
        "pages/action",
        &frame.titled(&title),
        &ActionPage {
            can_undo: action.undo_until.is_some_and(|until| until > now_ms),
            is_moving: matches!(action.state.as_str(), "planned" | "intended" | "unverified"),
            action,
            undo,
            typed_reason,
        },
    )
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, &number, frame, None, String::new()).await
}

async fn plan(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor);
    match service::plan_undo(&host, &visitor.actor, &number).await {
        Ok(plan) => page(&host, &visitor, &number, frame, Some(plan), String::new()).await,
        Err(error) => {
            let problem = told(&error);
            if problem.status == 404 {
                return Err(problem.into());
            }
            let frame = frame.troubled(Some(problem));
            page(&host, &visitor, &number, frame, None, String::new()).await
        }
    }
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    reason: String,
}

async fn undo(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    match service::undo(&host, &visitor.actor, &number, &form.reason).await {
        Ok(restore) => Ok(chrome::done(
            &format!("/actions/{}", restore.number),
            "undo",
        )),
        Err(error) => {
            let problem = told(&error);
            if problem.status == 404 {
                return Err(problem.into());
            }
            let frame = Chrome::of(&host, &visitor).troubled(Some(problem));
            page(&host, &visitor, &number, frame, None, form.reason).await
        }
    }
}
