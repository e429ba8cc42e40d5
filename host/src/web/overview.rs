//! The overview: what waits for a person, and what happened last.
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::reclamation::candidate::State as Standing;
use crate::reclamation::model::{BatchView, RuleView};
use crate::reclamation::{batches, candidates, rules};
use crate::reconciliation::model::Savings;
use crate::reconciliation::{PositionView, ReconciliationError, service as reconciliation};
use crate::sync::{RunState, RunView, service};

/// Runs looked at.
const RECENT: i64 = 50;
/// Runs shown.
const SHOWN: usize = 5;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/",
        Permission::Read,
        "Overview: what waits for you, and what happened last",
        show,
    )]
}

#[derive(Serialize)]
pub(super) struct OverviewPage {
    /// Runs that a person must accept or repair.
    pub waiting_runs: Vec<RunView>,
    pub runs: Vec<RunView>,
    /// Rule versions that wait for approval A.
    pub waiting_rules: Vec<RuleView>,
    /// Lists that wait for approval B.
    pub waiting_batches: Vec<BatchView>,
    /// Candidates that are open, by state.
    pub open: Vec<(Standing, i64)>,
    pub savings: Vec<Savings>,
    /// Products with seats that a rule names today.
    pub potential: Vec<PositionView>,
    pub is_calm: bool,
}

async fn show(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let mut runs = service::list_runs(&host, &visitor.actor, None, None, RECENT).await?;
    let waiting_runs: Vec<RunView> = runs
        .iter()
        .filter(|run| run.state == RunState::Held)
        .cloned()
        .collect();
    runs.truncate(SHOWN);
    let actor = &visitor.actor;
    let waiting_rules: Vec<RuleView> = rules::list_rules(&host, actor)
        .await?
        .into_iter()
        .filter(|rule| rule.is_waiting)
        .collect();
    let waiting_batches: Vec<BatchView> = batches::list_batches(&host, actor)
        .await?
        .into_iter()
        .filter(|batch| batch.state == "proposed")
        .collect();
    let open = candidates::count_candidates(&host, actor)
        .await?
        .into_iter()
        .filter(|(state, _)| state.is_open())
        .collect();
    let (savings, potential) = match reconciliation::get_reconciliation(&host, actor, None).await {
        Ok(view) => {
            let mut named = view.positions;
            named.retain(|position| position.candidates > 0);
            named.sort_by_key(|position| std::cmp::Reverse(position.potential_minor));
            (view.savings, named)
        }
        Err(ReconciliationError::NotFound(_)) => (Vec::new(), Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let body = OverviewPage {
        is_calm: waiting_runs.is_empty() && waiting_rules.is_empty() && waiting_batches.is_empty(),
        waiting_rules,
        waiting_batches,
        open,
        savings,
        potential,
        waiting_runs,
        runs,
    };
    chrome::page(
        "pages/overview",
        &Chrome::of(&host, &visitor).titled("Overview"),
        &body,
    )
}
