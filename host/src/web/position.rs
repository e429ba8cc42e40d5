//! The position: rights owned against rights used, by contract and by org, with the age of what each number stands on.
use axum::extract::{Query, State};
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
use crate::kernel::{Day, Problem};
use crate::reconciliation::model::{PositionView, ReconciliationView};
use crate::reconciliation::service::{self, ReconciliationError};

/// Past results offered.
const PAST: i64 = 30;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/position",
            Permission::Read,
            "Rights owned against rights used",
            show,
        ),
        Route::page(
            Method::POST,
            "/position/reconcile",
            Permission::ManageSam,
            "Reconciles now",
            reconcile,
        ),
    ]
}

#[derive(Deserialize)]
struct Asked {
    /// A past result by its number.
    number: Option<String>,
}

/// A result as it is listed for looking back.
#[derive(Serialize)]
pub(super) struct Past {
    pub number: String,
    pub trigger: String,
    pub ran_at: i64,
    pub as_of_day: String,
}

/// A position with its org's name in place of its id.
#[derive(Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub position: PositionView,
    pub where_it_holds: String,
}

#[derive(Serialize)]
pub(super) struct PositionPage {
    /// None before the first reconciliation.
    pub result: Option<ReconciliationView>,
    pub contract: Vec<Row>,
    pub organizations: Vec<Row>,
    pub past: Vec<Past>,
    pub year: String,
}

fn rows(result: &ReconciliationView, is_contract: bool) -> Vec<Row> {
    let name = |id: &str| {
        result
            .basis
            .iter()
            .find(|basis| basis.organization_id == id)
            .map(|basis| basis.organization.clone())
    };
    result
        .positions
        .iter()
        .filter(|position| (position.scope == "contract") == is_contract)
        .map(|position| Row {
            where_it_holds: name(&position.scope).unwrap_or_else(|| position.scope_name.clone()),
            position: position.clone(),
        })
        .collect()
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    number: Option<&str>,
) -> Result<Response, Error> {
    let result = match service::get_reconciliation(host, &visitor.actor, number).await {
        Ok(result) => Some(result),
        Err(ReconciliationError::NotFound(_)) if number.is_none() => None,
        Err(error) => return Err(error.into()),
    };
    let past = service::list_reconciliations(host, &visitor.actor, PAST).await?;
    let body = PositionPage {
        contract: result
            .as_ref()
            .map_or_else(Vec::new, |result| rows(result, true)),
        organizations: result
            .as_ref()
            .map_or_else(Vec::new, |result| rows(result, false)),
        result,
        past: past
            .into_iter()
            .map(|(number, trigger, ran_at, as_of_day)| Past {
                number,
                trigger,
                ran_at,
                as_of_day,
            })
            .collect(),
        year: Day::of_ms(host.now_ms()).date().year().to_string(),
    };
    chrome::page("pages/position", &frame.titled("Position"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    page(
        &host,
        &visitor,
        Chrome::of(&host, &visitor).done(&done),
        asked.number.as_deref(),
    )
    .await
}

async fn reconcile(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    match service::reconcile(&host, &visitor.actor, "demand").await {
        Ok(done) if done.changed_nothing => Ok(chrome::done("/position", "reconciled-same")),
        Ok(_) => Ok(chrome::done("/position", "reconciled")),
        Err(error) => {
            let problem: Problem = told(&error);
            page(
                &host,
                &visitor,
                Chrome::of(&host, &visitor).troubled(Some(problem)),
                None,
            )
            .await
        }
    }
}
