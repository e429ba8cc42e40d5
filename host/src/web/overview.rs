//! The overview: the money, what waits for a person, where the seats stand, and what happened last.
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::{Actor, Permission};
use crate::profiles::service::{self as profiles, ProfileView};
use crate::reclamation::candidate::State as Standing;
use crate::reclamation::model::{BatchView, RuleView};
use crate::reclamation::{batches, candidates, rules};
use crate::reconciliation::model::{Amounts, Basis, Savings};
use crate::reconciliation::{PositionView, ReconciliationError, service as reconciliation};
use crate::sync::{RunState, RunView, service};

/// Runs looked at.
const RECENT: i64 = 50;
/// Runs shown.
const SHOWN: usize = 5;
/// Products shown; the position has them all.
const PRODUCTS: usize = 8;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/",
        Permission::Read,
        "Overview: the money, what waits for you, and what happened last",
        show,
    )]
}

/// One product where it is counted, as numbers and as the parts of one bar.
#[derive(Serialize)]
pub(super) struct Seats {
    pub product: String,
    /// The org, where seats are counted by org.
    pub org: Option<String>,
    pub owned: Option<i64>,
    pub is_unlimited: bool,
    pub active: i64,
    pub candidates: i64,
    pub potential_minor: Option<i64>,
    pub currency: Option<String>,
    /// What the bar's whole length stands for.
    pub whole: i64,
    /// Of the active ones, those that no rule names and that are covered.
    pub in_use: i64,
    /// Of the active ones, those beyond what is owned.
    pub over: i64,
}

impl Seats {
    fn of(position: &PositionView) -> Self {
        let over = position.owned.map_or(0, |owned| position.active - owned);
        let over = over.max(0);
        Self {
            product: position.product.clone(),
            org: (position.scope != "contract").then(|| position.scope_name.clone()),
            owned: position.owned,
            is_unlimited: position.detail["is_unlimited"] == true,
            active: position.active,
            candidates: position.candidates,
            potential_minor: position.potential_minor,
            currency: position.currency.clone(),
            whole: position.owned.unwrap_or(0).max(position.active),
            in_use: (position.active - over - position.candidates).max(0),
            over,
        }
    }
}

/// The newest reconciliation, as far as the overview tells it.
#[derive(Default, Serialize)]
pub(super) struct Standings {
    pub number: Option<String>,
    pub ran_at: Option<i64>,
    pub amounts: Vec<Amounts>,
    pub savings: Vec<Savings>,
    pub basis: Vec<Basis>,
    pub seats: Vec<Seats>,
    /// Seats that a rule names, of all products.
    pub candidates: i64,
}

#[derive(Serialize)]
pub(super) struct OverviewPage {
    /// Nothing was ever downloaded and nothing waits: the page says how to begin.
    pub is_new: bool,
    /// Profiles that need a person.
    pub waiting_profiles: Vec<ProfileView>,
    /// Runs that a person must accept or repair.
    pub waiting_runs: Vec<RunView>,
    pub runs: Vec<RunView>,
    /// Rule versions that wait for approval A.
    pub waiting_rules: Vec<RuleView>,
    /// Lists that wait for approval B.
    pub waiting_batches: Vec<BatchView>,
    /// Candidates that are open, by state.
    pub open: Vec<(Standing, i64)>,
    pub position: Standings,
    pub is_calm: bool,
}

/// What the newest reconciliation says; empty before the first one.
async fn standings(host: &Host, actor: &Actor) -> Result<Standings, Error> {
    let view = match reconciliation::get_reconciliation(host, actor, None).await {
        Ok(view) => view,
        Err(ReconciliationError::NotFound(_)) => return Ok(Standings::default()),
        Err(error) => return Err(error.into()),
    };
    let candidates = view.positions.iter().map(|one| one.candidates).sum();
    let mut positions = view.positions;
    positions.retain(|position| position.metric == "seats" && position.active > 0);
    positions
        .sort_by_key(|one| std::cmp::Reverse((one.potential_minor, one.true_up_minor, one.active)));
    Ok(Standings {
        number: Some(view.number),
        ran_at: Some(view.ran_at),
        amounts: view.totals.amounts,
        savings: view.savings,
        basis: view.basis,
        seats: positions.iter().take(PRODUCTS).map(Seats::of).collect(),
        candidates,
    })
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
    let mut waiting_profiles = profiles::list(&host, actor).await?;
    waiting_profiles.retain(|profile| !profile.attention.is_empty());
    let body = OverviewPage {
        is_new: runs.is_empty() && waiting_profiles.is_empty(),
        is_calm: waiting_profiles.is_empty()
            && waiting_runs.is_empty()
            && waiting_rules.is_empty()
            && waiting_batches.is_empty(),
        waiting_profiles,
        waiting_rules,
        waiting_batches,
        open,
        position: standings(&host, actor).await?,
        waiting_runs,
        runs,
    };
    chrome::page(
        "pages/overview",
        &Chrome::of(&host, &visitor).titled("Overview"),
        &body,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(owned: Option<i64>, active: i64, candidates: i64) -> (i64, i64, i64, i64) {
        let position: PositionView = serde_json::from_value(serde_json::json!({
            "product_id": "prod_01a1fe07edb4733bafbd6a5e256680ff", "product": "P", "scope": "contract", "scope_name": "contract",
            "metric": "seats", "owned": owned, "active": active, "used": active, "available": null, "needed": 0,
            "vendor_owned": null, "vendor_used": null, "typed_owned": owned, "status": "compliant", "currency": null,
            "unit_price_micros": null, "true_up_minor": null, "over_licensed_minor": null, "spend_minor": null,
            "candidates": candidates, "potential_minor": null, "percent_unused_tenths": 0, "detail": {},
        }))
        .unwrap();
        let seats = Seats::of(&position);
        (seats.whole, seats.in_use, seats.candidates, seats.over)
    }

    #[test]
    fn the_parts_of_a_bar_are_the_active_seats_and_its_whole_what_is_owned_or_more() {
        assert_eq!(seats(Some(20), 12, 5), (20, 7, 5, 0));
        assert_eq!(seats(Some(10), 13, 6), (13, 4, 6, 3));
        assert_eq!(seats(None, 9, 0), (9, 9, 0, 0));
        assert_eq!(seats(Some(2), 9, 9), (9, 0, 9, 7));
    }
}
