//! Comparing what is owned with what is used, and keeping the result.

use std::collections::BTreeMap;

use serde_json::json;

use super::gap::SeatGap;
use super::model::{Amounts, PositionView, Reconciled, ReconciliationView};
use super::position::{self, Allocations, Facts, Metric, Position};
use super::store::{self, NewResult};
use crate::app::host::Host;
use crate::entitlements::service as entitlements;
use crate::entitlements::terms::Right;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::jobs::{self, Claimed, JobError, JobKind, JobOutcome, NewJob};
use crate::kernel::clock::DAY_MS;
use crate::kernel::digest::sha256_hex;
use crate::kernel::money::MoneyError;
use crate::kernel::{Day, IntoProblem, Problem, ProductId, ReconciliationId};
use crate::reclamation::naming;
use crate::store::numbers::{self, Series};
use crate::store::{StoreError, Tx};

/// The key of the daily job.
const DAILY: &str = "reconcile:daily";
/// Terms expire at midnight UTC; the daily reconciliation follows so much later.
const AFTER_MIDNIGHT_MS: i64 = 5 * 60_000;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ReconciliationError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such result, or none yet.
    #[error("there is no reconciliation {0}")]
    NotFound(String),
    /// An amount beyond bounds.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Another worker has the job.
    #[error("another worker has taken over")]
    Lost,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for ReconciliationError {
    fn problem(&self) -> Problem {
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
            Self::NotFound(_) => Problem::new(
                "reconciliation.not_found",
                404,
                self.to_string(),
                "Run a download or reconcile on demand, then look again",
            ),
            Self::Money(_) => Problem::new(
                "reconciliation.money",
                422,
                self.to_string(),
                "Correct the prices of the entitlements",
            ),
            Self::Lost => Problem::internal(),
        }
    }
}

/// Reconciles now. The same inputs on the same day write nothing.
///
/// # Errors
/// [`ReconciliationError::Denied`], [`ReconciliationError::Money`].
pub async fn reconcile(
    host: &Host,
    actor: &Actor,
    trigger: &str,
) -> Result<Reconciled, ReconciliationError> {
    actor.may(Permission::ManageSam)?;
    let mut tx = host.store.begin().await?;
    let done = reconcile_in(host, &mut tx, trigger).await?;
    tx.commit().await?;
    Ok(done)
}

/// The same in the caller's transaction.
///
/// # Errors
/// [`ReconciliationError::Money`].
pub async fn reconcile_in(
    host: &Host,
    tx: &mut Tx,
    trigger: &str,
) -> Result<Reconciled, ReconciliationError> {
    let ran_at = host.now_ms();
    let day = Day::of_ms(ran_at);
    let basis = store::basis(tx).await?;
    let rights = entitlements::active_rights(tx, day, None).await?;
    let mut by_product: BTreeMap<ProductId, Vec<Right>> = BTreeMap::new();
    for (product, right) in rights {
        by_product.entry(product).or_default().push(right);
    }
    let mut reserved: BTreeMap<ProductId, Allocations> = BTreeMap::new();
    for (product, allocated, in_use) in entitlements::allocations(tx, day).await? {
        reserved.insert(product, Allocations { allocated, in_use });
    }
    let named = naming::named_today(host, tx).await?;
    let mut views = Vec::new();
    for mut held in store::held(tx).await? {
        for org in &mut held.organizations {
            let key = (held.product.clone(), org.organization.clone());
            let it = named.get(&key).copied().unwrap_or_default();
            org.stale = it.count;
            // Before a version is in force there are no candidates: what they would be is what is shown.
            if !it.is_in_force && org.candidates == 0 {
                org.candidates = it.count;
            }
        }
        let facts = Facts {
            metric: held.metric,
            rights: by_product.remove(&held.product).unwrap_or_default(),
            allocations: reserved.remove(&held.product).unwrap_or_default(),
            product: held.product,
            organizations: held.organizations,
        };
        for position in position::positions(&facts, day)? {
            views.push(view(&position, &held.name));
        }
    }
    let mut totals = store::totals(tx).await?;
    totals.amounts = amounts(&views);
    let digest = sha256_hex(json!([day, views, totals]).to_string());
    if let Some((number, of_day, had)) = store::newest(tx).await?
        && of_day == day.to_string()
        && had == digest
    {
        return Ok(Reconciled {
            number,
            changed_nothing: true,
        });
    }
    let id = ReconciliationId::mint(ran_at, &*host.chance);
    let number = numbers::next(tx, Series::Reconciliation).await?;
    let result = NewResult {
        id: &id,
        number: &number,
        trigger,
        ran_at,
        day,
        basis: &basis,
        totals: &totals,
        digest: &digest,
    };
    store::insert(tx, &result, &views).await?;
    Ok(Reconciled {
        number,
        changed_nothing: false,
    })
}

fn view(p: &Position, product: &str) -> PositionView {
    let minor = |money: &Option<crate::kernel::money::Money>| money.map(|m| m.minor);
    PositionView {
        product_id: p.product.clone(),
        product: product.to_owned(),
        scope: p.scope.as_str().to_owned(),
        scope_name: p.scope.as_str().to_owned(),
        metric: match p.metric {
            Metric::Seats => "seats",
            Metric::Logins => "logins",
            Metric::Units => "units",
        }
        .to_owned(),
        owned: p.owned,
        active: p.active,
        used: p.used,
        available: p.available,
        needed: p.needed,
        vendor_owned: p.vendor_owned,
        vendor_used: p.vendor_used,
        gap: None,
        typed_owned: p.typed_owned,
        status: p.status.as_str().to_owned(),
        currency: p.price.map(|price| price.currency.code().to_owned()),
        unit_price_micros: p.price.map(|price| price.micros),
        true_up_minor: minor(&p.true_up),
        over_licensed_minor: minor(&p.over_licensed),
        spend_minor: minor(&p.spend),
        candidates: p.candidates,
        potential_minor: minor(&p.potential),
        percent_unused_tenths: p.percent_unused_tenths,
        detail: json!({
            "true_up_co_termed_minor": minor(&p.true_up_co_termed),
            "avoidable_minor": minor(&p.avoidable),
            "at_renewal_minor": minor(&p.at_renewal),
            "allocated": p.allocations.allocated,
            "allocated_in_use": p.allocations.in_use,
            "allocated_not_in_use": p.allocations.allocated - p.allocations.in_use,
            "records_differ": p.records_differ,
            "is_unlimited": p.is_unlimited,
            "has_mixed_currencies": p.has_mixed_currencies,
            "ends_on": p.ends_on,
        }),
    }
}

fn amounts(views: &[PositionView]) -> Vec<Amounts> {
    let mut by_currency: BTreeMap<&str, Amounts> = BTreeMap::new();
    for view in views {
        let Some(currency) = view.currency.as_deref() else {
            continue;
        };
        let it = by_currency.entry(currency).or_default();
        currency.clone_into(&mut it.currency);
        it.spend_minor += view.spend_minor.unwrap_or(0);
        it.true_up_minor += view.true_up_minor.unwrap_or(0);
        it.over_licensed_minor += view.over_licensed_minor.unwrap_or(0);
        it.potential_minor += view.potential_minor.unwrap_or(0);
    }
    by_currency.into_values().collect()
}

/// The newest result, or the one of a number, with what has been saved so far.
///
/// # Errors
/// [`ReconciliationError::NotFound`], [`ReconciliationError::Denied`].
pub async fn get_reconciliation(
    host: &Host,
    actor: &Actor,
    key: Option<&str>,
) -> Result<ReconciliationView, ReconciliationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let mut found = store::find(&mut tx, key)
        .await?
        .ok_or_else(|| ReconciliationError::NotFound(key.unwrap_or("yet").to_owned()))?;
    let day = Day::of_ms(host.now_ms());
    let year: Day = format!("{}-01-01", day.date().year())
        .parse()
        .unwrap_or(day);
    if !actor.sight.is_whole() {
        // What is stored of the company as a whole is not theirs; this is counted over what they see.
        found.totals = store::totals(&mut tx).await?;
        found.totals.amounts = amounts(&found.positions);
    }
    found.savings = store::savings(&mut tx, year.start_ms()).await?;
    for position in &mut found.positions {
        position.gap = SeatGap::of(position, &found.basis);
    }
    Ok(found)
}

/// Results, newest first, at most `limit` (1 to 200): number, trigger, when, day.
///
/// # Errors
/// [`ReconciliationError::Denied`].
pub async fn list_reconciliations(
    host: &Host,
    actor: &Actor,
    limit: i64,
) -> Result<Vec<(String, String, i64, String)>, ReconciliationError> {
    actor.may(Permission::Read)?;
    Ok(store::list(
        &mut host.store.read(&actor.sight).await?,
        limit.clamp(1, 200),
    )
    .await?)
}

/// Makes sure that the daily reconciliation exists; call at start.
///
/// # Errors
/// The database's own.
pub async fn ensure_daily(host: &Host, tx: &mut Tx) -> Result<(), StoreError> {
    host.enqueue(
        tx,
        &NewJob {
            kind: JobKind::Reconcile,
            organization: None,
            key: DAILY.to_owned(),
            subject: "clock".to_owned(),
            due_at: next_after(host.now_ms()),
            payload: json!({}),
        },
    )
    .await?;
    Ok(())
}

fn next_after(now_ms: i64) -> i64 {
    Day::of_ms(now_ms).start_ms() + DAY_MS + AFTER_MIDNIGHT_MS
}

/// The job of kind `Reconcile`: once, or every day by the clock.
pub async fn handle(host: &Host, job: &Claimed) -> JobOutcome {
    let work = async {
        let mut tx = host.store.begin().await?;
        jobs::hold(&mut tx, job)
            .await
            .map_err(|error| match error {
                JobError::Lost => ReconciliationError::Lost,
                JobError::Store(error) => error.into(),
            })?;
        reconcile_in(host, &mut tx, &job.subject).await?;
        tx.commit().await?;
        Ok::<_, ReconciliationError>(())
    };
    match work.await {
        Ok(()) if job.subject == "clock" => JobOutcome::Again(next_after(host.now_ms())),
        Ok(()) | Err(ReconciliationError::Lost) => JobOutcome::Done,
        Err(ReconciliationError::Store(error)) => {
            JobOutcome::RetryAt(host.now_ms() + 1_000, error.to_string())
        }
        Err(error) if job.subject == "clock" => {
            JobOutcome::RetryAt(next_after(host.now_ms()), error.to_string())
        }
        Err(error) => JobOutcome::Failed(error.to_string()),
    }
}
