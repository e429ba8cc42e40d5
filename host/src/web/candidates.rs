//! Candidates: who stands where, and what may be done about it.
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
use crate::reclamation::candidate::State as Standing;
use crate::reclamation::candidates::{self as service, Answer, CandidateFilter};
use crate::reclamation::model::{CandidateView, RuleView};
use crate::reclamation::rules;

/// Rows of a page.
const PAGE: i64 = 100;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/candidates",
            Permission::Read,
            "Removal candidates",
            list,
        ),
        Route::page(
            Method::GET,
            "/candidates/{number}",
            Permission::Read,
            "One candidate with everything that happened to it",
            show,
        ),
        Route::page(
            Method::POST,
            "/candidates/{number}/answer",
            Permission::WorkCandidates,
            "Records what the holder said",
            answer,
        ),
        Route::page(
            Method::POST,
            "/candidates/{number}/decide",
            Permission::Approve,
            "Decides a wish to keep",
            decide,
        ),
        Route::page(
            Method::POST,
            "/candidates/{number}/release",
            Permission::WorkCandidates,
            "Lets a held candidate go on",
            release,
        ),
        Route::page(
            Method::POST,
            "/candidates/{number}/repair",
            Permission::WorkCandidates,
            "Ends what needed attention",
            repair,
        ),
        Route::page(
            Method::POST,
            "/candidates/{number}/close",
            Permission::WorkCandidates,
            "Closes a candidate whose seat was taken back by hand",
            close,
        ),
    ]
}

#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    search: String,
    after: Option<String>,
    done: Option<String>,
}

#[derive(Serialize)]
pub(super) struct StateCount {
    pub state: Standing,
    pub count: i64,
    pub is_here: bool,
}

#[derive(Serialize)]
pub(super) struct CandidatesPage {
    pub candidates: Vec<CandidateView>,
    pub counts: Vec<StateCount>,
    pub state: String,
    pub search: String,
    /// Rules with a version in force, to put a batch together from.
    pub rules: Vec<RuleView>,
    /// Somebody who may make lists looks at candidates that can be listed.
    pub can_pick: bool,
    pub next: Option<String>,
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let done: Done = Done::of(asked.done.clone());
    let frame = Chrome::of(&host, &visitor).done(&done);
    list_page(&host, &visitor, frame, asked).await
}

/// The list, below whatever the frame has to say.
pub(super) async fn list_page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    asked: Asked,
) -> Result<Response, Error> {
    let filter = CandidateFilter {
        state: Standing::parse(&asked.state),
        search: Some(asked.search.clone()).filter(|text| !text.is_empty()),
        after: asked.after,
        ..CandidateFilter::default()
    };
    let candidates = service::list_candidates(host, &visitor.actor, &filter, PAGE).await?;
    let is_full = i64::try_from(candidates.len()).is_ok_and(|rows| rows >= PAGE);
    let next = candidates.last().filter(|_| is_full).map(|last| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("state", &asked.state)
            .append_pair("search", &asked.search)
            .append_pair("after", &last.number)
            .finish();
        format!("/candidates?{query}")
    });
    let counts = service::count_candidates(host, &visitor.actor)
        .await?
        .into_iter()
        .map(|(state, count)| StateCount {
            state,
            count,
            is_here: filter.state == Some(state),
        })
        .collect();
    let rules = rules::list_rules(host, &visitor.actor)
        .await?
        .into_iter()
        .filter(|rule| rule.in_force_no.is_some())
        .collect();
    let can_pick = visitor
        .actor
        .may_everywhere(Permission::WorkCandidates)
        .is_ok()
        && candidates.iter().any(|it| it.state == Standing::Ready);
    chrome::page(
        "pages/candidates",
        &frame.titled("Candidates"),
        &CandidatesPage {
            candidates,
            counts,
            state: asked.state,
            search: asked.search,
            rules,
            can_pick,
            next,
        },
    )
}

#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one question of the template each"
)]
pub(super) struct CandidatePage {
    pub candidate: CandidateView,
    pub is_asked: bool,
    pub is_wished: bool,
    pub is_held: bool,
    pub is_attention: bool,
    pub is_waiting: bool,
    pub can_undo: bool,
    pub typed_reason: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
    typed_reason: String,
) -> Result<Response, Error> {
    let candidate = service::get_candidate(host, &visitor.actor, number).await?;
    let title = format!("{} - {}", candidate.number, candidate.principal);
    let state = candidate.state;
    chrome::page(
        "pages/candidate",
        &frame.titled(&title),
        &CandidatePage {
            is_asked: state == Standing::AwaitingUser,
            is_wished: state == Standing::AwaitingApproval,
            is_held: state == Standing::Held,
            is_attention: state == Standing::AttentionRequired,
            is_waiting: state == Standing::AwaitingRevocation,
            can_undo: matches!(
                state,
                Standing::ClosedComplete | Standing::Reclaimed | Standing::Frozen
            ) && candidate.action_number.is_some(),
            candidate,
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
    page(&host, &visitor, &number, frame, String::new()).await
}

async fn back(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    done: Result<CandidateView, ReclamationError>,
    key: &str,
    typed_reason: String,
) -> Result<Response, Error> {
    match done {
        Ok(_) => Ok(chrome::done(&format!("/candidates/{number}"), key)),
        Err(error) => {
            let problem = told(&error);
            if problem.status == 404 {
                return Err(problem.into());
            }
            let frame = Chrome::of(host, visitor).troubled(Some(problem));
            page(host, visitor, number, frame, typed_reason).await
        }
    }
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    answer: String,
    #[serde(default)]
    reason: String,
}

async fn answer(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let said = if form.answer == "keep" {
        Answer::Keep
    } else {
        Answer::NotNeeded
    };
    let done = service::answer(&host, &visitor.actor, &number, said, &form.reason).await;
    back(&host, &visitor, &number, done, "answered", form.reason).await
}

async fn decide(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let is_granted = form.answer == "grant";
    let done = service::decide_keep(&host, &visitor.actor, &number, is_granted, &form.reason).await;
    back(&host, &visitor, &number, done, "decided", form.reason).await
}

async fn release(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let done = service::release(&host, &visitor.actor, &number, &form.reason).await;
    back(&host, &visitor, &number, done, "released", form.reason).await
}

async fn repair(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let done = service::repair(&host, &visitor.actor, &number, &form.reason).await;
    back(&host, &visitor, &number, done, "repaired", form.reason).await
}

async fn close(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let done = service::close_by_hand(&host, &visitor.actor, &number, &form.reason).await;
    back(&host, &visitor, &number, done, "closed", form.reason).await
}
