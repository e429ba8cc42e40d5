//! Sources: where rows come from, and one counting instead of another, seen before it is done.
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
use crate::kernel::{OrgId, Problem};
use crate::sources::{Preview, SourceView, Supersession, service};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/sources",
            Permission::Read,
            "Sources: where rows come from",
            show,
        ),
        Route::page(
            Method::GET,
            "/sources/{id}/supersede",
            Permission::ManageSam,
            "What superseding a source would do",
            preview,
        ),
        Route::page(
            Method::POST,
            "/sources/{id}/supersede",
            Permission::ManageSam,
            "Retires what a source brought, in favour of another one",
            supersede,
        ),
        Route::page(
            Method::POST,
            "/sources/{id}/take-back",
            Permission::ManageSam,
            "Lets the retired rows of a source count again",
            take_back,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct SourcesPage {
    pub sources: Vec<SourceView>,
    /// Supersessions that were taken back.
    pub over: Vec<Supersession>,
    pub may_manage: bool,
    pub typed_reason: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed_reason: String,
) -> Result<Response, Error> {
    let mut over = service::list_supersessions(host, &visitor.actor).await?;
    over.retain(|one| one.ended_at.is_some());
    let body = SourcesPage {
        sources: service::list_sources(host, &visitor.actor).await?,
        over,
        may_manage: visitor.actor.may(Permission::ManageSam).is_ok(),
        typed_reason,
    };
    chrome::page("pages/sources", &frame.titled("Sources"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame, String::new()).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    by: String,
    reason: String,
}

#[derive(Serialize)]
pub(super) struct SupersedePage {
    pub older: SourceView,
    /// Sources that could count instead.
    pub others: Vec<SourceView>,
    pub by: String,
    pub preview: Option<Preview>,
    pub typed_reason: String,
}

async fn look(
    host: &Host,
    visitor: &Visitor,
    id: &str,
    asked: Asked,
    problem: Option<Problem>,
) -> Result<Response, Error> {
    let sources = service::list_sources(host, &visitor.actor).await?;
    let older = sources
        .iter()
        .find(|source| source.id.as_str() == id)
        .cloned()
        .ok_or_else(|| service::SourceError::NotFound(id.chars().take(80).collect()))?;
    let others = sources
        .into_iter()
        .filter(|source| source.id != older.id && source.superseded.is_none())
        .collect();
    let preview = if asked.by.is_empty() {
        None
    } else {
        let by = OrgId::from(asked.by.as_str());
        Some(service::preview(host, &visitor.actor, &older.id, &by).await?)
    };
    let title = format!("Supersede {}", older.name);
    let body = SupersedePage {
        older,
        others,
        by: asked.by,
        preview,
        typed_reason: asked.reason,
    };
    let frame = Chrome::of(host, visitor).titled(&title).troubled(problem);
    chrome::page("pages/supersede", &frame, &body)
}

async fn preview(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    look(&host, &visitor, &id, asked, None).await
}

async fn supersede(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(asked): Form<Asked>,
) -> Result<Response, Error> {
    let (older, newer) = (OrgId::from(id.as_str()), OrgId::from(asked.by.as_str()));
    match service::supersede(&host, &visitor.actor, &older, &newer, &asked.reason).await {
        Ok(_) => Ok(chrome::done("/sources", "superseded")),
        Err(error) => look(&host, &visitor, &id, asked, Some(told(&error))).await,
    }
}

async fn take_back(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(asked): Form<Asked>,
) -> Result<Response, Error> {
    let older = OrgId::from(id.as_str());
    match service::take_back(&host, &visitor.actor, &older, &asked.reason).await {
        Ok(_) => Ok(chrome::done("/sources", "taken-back")),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame, asked.reason).await
        }
    }
}
