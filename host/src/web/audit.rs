//! The audit trail: entries newest first, and whether the chain holds.
use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::audit::{self, EntryView, Verification};
use crate::identity::roles::Permission;
use crate::identity::service;

/// Entries on one page.
const PAGE: i64 = 100;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/audit",
        Permission::ReadAudit,
        "The audit trail",
        show,
    )]
}

#[derive(Deserialize)]
struct Asked {
    before: Option<i64>,
    verify: Option<String>,
}

#[derive(Serialize)]
pub(super) struct AuditPage {
    pub entries: Vec<Told>,
    pub next: Option<String>,
    /// Reading the whole chain takes time, so it is done when asked for.
    pub verification: Option<Verification>,
}

/// An entry, with the name behind its actor.
#[derive(Serialize)]
pub(super) struct Told {
    #[serde(flatten)]
    pub entry: EntryView,
    pub actor_name: String,
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let entries = audit::list(&host.store, &visitor.actor, asked.before, PAGE).await?;
    let is_full = i64::try_from(entries.len()).is_ok_and(|n| n == PAGE);
    let next = entries
        .last()
        .filter(|_| is_full)
        .map(|last| format!("/audit?before={}", last.seq));
    let names: BTreeMap<String, String> = service::list_principals(&host, &visitor.actor)
        .await?
        .into_iter()
        .map(|p| (p.id.to_string(), p.name))
        .collect();
    let entries = entries
        .into_iter()
        .map(|entry| Told {
            actor_name: names
                .get(&entry.actor_id)
                .unwrap_or(&entry.actor_id)
                .clone(),
            entry,
        })
        .collect();
    let verification = match asked.verify {
        Some(_) => Some(audit::verify(&host.store, &visitor.actor, &host.signer).await?),
        None => None,
    };
    chrome::page(
        "pages/audit",
        &Chrome::of(&host, &visitor).titled("Audit trail"),
        &AuditPage {
            entries,
            next,
            verification,
        },
    )
}
