//! Batches: everybody with the literal requests, and approval B.
use axum::Form;
use axum::extract::{Path, Query, RawForm, State};
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
use crate::kernel::Problem;
use crate::reclamation::ReclamationError;
use crate::reclamation::batches as service;
use crate::reclamation::model::{BatchView, Difference, RuleView};
use crate::reclamation::{candidates, rules};

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

/// A new list: of a rule, its candidates by number (in a text, apart by spaces, commas or lines, or as many ticks); none: all that are
/// ready. Ticks alone name their rule themselves.
#[derive(Default)]
struct New {
    rule: Option<String>,
    listed: Vec<String>,
    /// Sent by the list of candidates, where a list of everything is not what is meant.
    is_picked: bool,
}

impl New {
    fn read(form: &[u8]) -> Self {
        let mut new = Self {
            is_picked: true,
            ..Self::default()
        };
        for (name, value) in url::form_urlencoded::parse(form) {
            match &*name {
                "rule" => {
                    new.rule = Some(value.into_owned());
                    new.is_picked = false;
                }
                "candidate" | "candidates" => new.listed.extend(
                    value
                        .split(|c: char| c.is_whitespace() || c == ',')
                        .filter(|number| !number.is_empty())
                        .map(str::to_owned),
                ),
                _ => {}
            }
        }
        new
    }
}

async fn create(host: &Host, visitor: &Visitor, new: New) -> Result<BatchView, Problem> {
    let rule = match (new.rule, new.listed.first()) {
        (Some(rule), _) => rule,
        (None, Some(first)) => {
            candidates::get_candidate(host, &visitor.actor, first)
                .await
                .map_err(|error| told(&error))?
                .rule_number
        }
        (None, None) => {
            return Err(Problem::new(
                "page.nothing_ticked",
                422,
                "no candidate is ticked",
                "Tick the candidates to list, or list all ready ones of a product",
            ));
        }
    };
    service::create_batch(host, &visitor.actor, &rule, &new.listed)
        .await
        .map_err(|error| told(&error))
}

async fn make(
    State(host): State<Host>,
    visitor: Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Error> {
    let new = New::read(&form);
    let came_from_candidates = new.is_picked;
    match create(&host, &visitor, new).await {
        Ok(batch) => Ok(chrome::done(
            &format!("/batches/{}", batch.number),
            "batch-made",
        )),
        Err(problem) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(problem));
            if came_from_candidates {
                super::candidates::list_page(
                    &host,
                    &visitor,
                    frame,
                    super::candidates::Asked::default(),
                )
                .await
            } else {
                list_page(&host, &visitor, frame).await
            }
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
