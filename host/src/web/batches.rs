//! Batches: everybody with the literal requests, and approval B.
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
use crate::reclamation::ReclamationError;
use crate::reclamation::batches as service;
use crate::reclamation::model::{BatchView, Difference, RuleView};
use crate::reclamation::rules;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/batches",
            Permission::Read,
            "Batches put up for approval",
            list,
        ),
        Route::page(
            Method::POST,
            "/batches",
            Permission::WorkCandidates,
            "Puts a batch together; nothing happens before it is approved",
            make,
        ),
        Route::page(
            Method::GET,
            "/batches/{number}",
            Permission::Read,
            "One batch with the literal requests",
            show,
        ),
        Route::page(
            Method::POST,
            "/batches/{number}/approve",
            Permission::Approve,
            "Approves exactly the batch that was seen",
            approve,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct BatchesPage {
    pub batches: Vec<BatchView>,
    /// Rules with a version in force.
    pub rules: Vec<RuleView>,
}

async fn list_page(host: &Host, visitor: &Visitor, frame: Chrome) -> Result<Response, Error> {
    let batches = service::list_batches(host, &visitor.actor).await?;
    let rules = rules::list_rules(host, &visitor.actor)
        .await?
        .into_iter()
        .filter(|rule| rule.in_force_no.is_some())
        .collect();
    chrome::page(
        "pages/batches",
        &frame.titled("Batches"),
        &BatchesPage { batches, rules },
    )
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    list_page(&host, &visitor, frame).await
}

#[derive(Deserialize)]
struct New {
    #[serde(default)]
    rule: String,
    /// Numbers, apart by spaces, commas or lines; empty: all that are ready.
    #[serde(default)]
    candidates: String,
}

async fn make(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<New>,
) -> Result<Response, Error> {
    let listed: Vec<String> = form
        .candidates
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|number| !number.is_empty())
        .map(str::to_owned)
        .collect();
    match service::create_batch(&host, &visitor.actor, &form.rule, &listed).await {
        Ok(batch) => Ok(chrome::done(
            &format!("/batches/{}", batch.number),
            "batch-made",
        )),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            list_page(&host, &visitor, frame).await
        }
    }
}

#[derive(Serialize)]
pub(super) struct BatchPage {
    pub batch: BatchView,
    pub is_proposed: bool,
    /// More than one person must approve.
    pub takes_two: bool,
    /// What changed since it was seen, after an approval that came too late.
    pub stale: Option<Difference>,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
    stale: Option<Difference>,
) -> Result<Response, Error> {
    let batch = service::get_batch(host, &visitor.actor, number).await?;
    let title = format!("{} - {}", batch.number, batch.rule_name);
    chrome::page(
        "pages/batch",
        &frame.titled(&title),
        &BatchPage {
            is_proposed: batch.state == "proposed",
            takes_two: batch.approvers_needed > 1,
            batch,
            stale,
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
    page(&host, &visitor, &number, frame, None).await
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    seen: String,
}

async fn approve(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Seen>,
) -> Result<Response, Error> {
    match service::approve_batch(&host, &visitor.actor, &number, &form.seen).await {
        Ok(_) => Ok(chrome::done(
            &format!("/batches/{number}"),
            "batch-approved",
        )),
        Err(error) => {
            let problem = told(&error);
            if problem.status == 404 {
                return Err(problem.into());
            }
            let stale = match error {
                ReclamationError::Stale { difference, .. } => Some(difference),
                _ => None,
            };
            let frame = Chrome::of(&host, &visitor).troubled(Some(problem));
            page(&host, &visitor, &number, frame, stale).await
        }
    }
}
