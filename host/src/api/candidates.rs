//! Removal candidates and batches over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use super::rules::{Seen, Why};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::reclamation::batches;
use crate::reclamation::candidate::State as Standing;
use crate::reclamation::candidates::{self, Answer, CandidateFilter};
use crate::reclamation::model::{BatchView, CandidateView};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// Rows of a page unless said otherwise.
const PAGE: i64 = 100;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/candidates",
            Permission::Read,
            "Removal candidates, newest first",
            list,
        )
        .asking(&[
            ("state", "Only those that stand here"),
            ("rule", "Number of their rule"),
            ("open", "true or false"),
            ("search", "Part of principal or name"),
            ("after", "`next` of the page before"),
            ("limit", "At most 500; 100 unless said"),
        ]),
        Route::api(
            Method::GET,
            "/api/v1/candidates/counts",
            Permission::Read,
            "How many candidates stand where",
            counts,
        ),
        Route::api(
            Method::GET,
            "/api/v1/candidates/{number}",
            Permission::Read,
            "One candidate with everything that happened to it",
            show,
        ),
        Route::api(
            Method::POST,
            "/api/v1/candidates/{number}/answer",
            Permission::WorkCandidates,
            "Records what the holder said",
            answer,
        )
        .taking::<Said>(),
        Route::api(
            Method::POST,
            "/api/v1/candidates/{number}/decide",
            Permission::Approve,
            "Decides a wish to keep",
            decide,
        )
        .taking::<Decided>(),
        Route::api(
            Method::POST,
            "/api/v1/candidates/{number}/release",
            Permission::WorkCandidates,
            "Lets a held candidate go on",
            release,
        )
        .taking::<Why>(),
        Route::api(
            Method::POST,
            "/api/v1/candidates/{number}/repair",
            Permission::WorkCandidates,
            "Ends what needed attention; it takes another approval",
            repair,
        )
        .taking::<Why>(),
        Route::api(
            Method::POST,
            "/api/v1/candidates/{number}/close",
            Permission::WorkCandidates,
            "Closes a candidate whose seat was taken back by hand",
            close,
        )
        .taking::<Why>(),
        Route::api(
            Method::GET,
            "/api/v1/batches",
            Permission::Read,
            "Batches, newest first",
            list_batches,
        ),
        Route::api(
            Method::POST,
            "/api/v1/batches",
            Permission::WorkCandidates,
            "Puts a batch together; nothing happens before it is approved",
            make_batch,
        )
        .taking::<NewBatch>(),
        Route::api(
            Method::GET,
            "/api/v1/batches/{number}",
            Permission::Read,
            "One batch: everybody with the literal requests",
            show_batch,
        ),
        Route::api(
            Method::POST,
            "/api/v1/batches/{number}/approve",
            Permission::Approve,
            "Approves exactly the batch that was seen",
            approve_batch,
        )
        .taking::<Seen>(),
    ]
}

#[derive(Deserialize)]
struct Listed {
    state: Option<String>,
    rule: Option<String>,
    open: Option<bool>,
    search: Option<String>,
    after: Option<String>,
    limit: Option<i64>,
}

/// A state by its word.
pub(crate) fn standing(word: &str) -> Result<Standing, Problem> {
    Standing::parse(word).ok_or_else(|| {
        let known: Vec<_> = Standing::ALL.iter().map(|s| s.as_str()).collect();
        Problem::new(
            "candidate.unknown_state",
            422,
            format!(
                "`{}` is no state of a candidate",
                word.chars().take(40).collect::<String>()
            ),
            format!("Use one of {}", known.join(", ")),
        )
        .at("state")
    })
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<Listed>,
) -> Result<Json<List<CandidateView>>, Error> {
    let limit = asked.limit.unwrap_or(PAGE);
    let filter = CandidateFilter {
        state: asked.state.as_deref().map(standing).transpose()?,
        rule: asked.rule,
        is_open: asked.open,
        search: asked.search,
        after: asked.after,
    };
    let rows = candidates::list_candidates(&host, &actor, &filter, limit).await?;
    Ok(List::page(rows, limit, |row| row.number.clone()))
}

/// How many stand in one state.
#[derive(Serialize)]
struct Count {
    state: Standing,
    count: i64,
}

async fn counts(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<Count>>, Error> {
    let counts = candidates::count_candidates(&host, &actor).await?;
    Ok(List::all(
        counts
            .into_iter()
            .map(|(state, count)| Count { state, count })
            .collect(),
    ))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<CandidateView>, Error> {
    Ok(Json(
        candidates::get_candidate(&host, &actor, &number).await?,
    ))
}

/// What the holder said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// `keep` or `not_needed`.
    answer: Word,
    /// Needed for `keep`.
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    Keep,
    NotNeeded,
}

async fn answer(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Said>,
) -> Result<Json<CandidateView>, Error> {
    let answer = match body.answer {
        Word::Keep => Answer::Keep,
        Word::NotNeeded => Answer::NotNeeded,
    };
    Ok(Json(
        candidates::answer(&host, &actor, &number, answer, &body.reason).await?,
    ))
}

/// A decision about a wish to keep.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decided {
    /// It is kept; otherwise it is taken back.
    is_granted: bool,
    /// Needed to refuse.
    #[serde(default)]
    reason: String,
}

async fn decide(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Decided>,
) -> Result<Json<CandidateView>, Error> {
    Ok(Json(
        candidates::decide_keep(&host, &actor, &number, body.is_granted, &body.reason).await?,
    ))
}

async fn release(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<CandidateView>, Error> {
    Ok(Json(
        candidates::release(&host, &actor, &number, &body.reason).await?,
    ))
}

async fn repair(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<CandidateView>, Error> {
    Ok(Json(
        candidates::repair(&host, &actor, &number, &body.reason).await?,
    ))
}

async fn close(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<CandidateView>, Error> {
    Ok(Json(
        candidates::close_by_hand(&host, &actor, &number, &body.reason).await?,
    ))
}

async fn list_batches(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<BatchView>>, Error> {
    Ok(List::all(batches::list_batches(&host, &actor).await?))
}

/// Whom to list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBatch {
    /// Number of the rule.
    rule: String,
    /// Numbers of candidates; none: all that are ready.
    #[serde(default)]
    candidates: Vec<String>,
}

async fn make_batch(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<NewBatch>,
) -> Result<Json<BatchView>, Error> {
    Ok(Json(
        batches::create_batch(&host, &actor, &body.rule, &body.candidates).await?,
    ))
}

async fn show_batch(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<BatchView>, Error> {
    Ok(Json(batches::get_batch(&host, &actor, &number).await?))
}

async fn approve_batch(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Seen>,
) -> Result<Json<BatchView>, Error> {
    Ok(Json(
        batches::approve_batch(&host, &actor, &number, &body.seen).await?,
    ))
}
