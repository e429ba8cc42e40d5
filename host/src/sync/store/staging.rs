//! SQL of staging: the rows of a page, many a statement.

use seatwise_runtime::contract::consumption::{Metric, Pool};
use seatwise_runtime::contract::subscriptions::{Account, AccountKind, Fact, LastActivity, Page};
use seatwise_runtime::contract::types::Attribute;
use sqlx::Row as _;

use crate::kernel::RunId;
use crate::store::{Dialect, StoreError, Tx, bulk};

/// Attributes as one JSON object; PostgreSQL takes no NUL in text.
fn object(attributes: &[Attribute]) -> String {
    let map: serde_json::Map<String, serde_json::Value> = attributes
        .iter()
        .map(|a| (plain(&a.name), serde_json::Value::String(plain(&a.value))))
        .collect();
    serde_json::Value::Object(map).to_string()
}

pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "")
}

fn kind(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Person => "person",
        AccountKind::Service => "service",
        AccountKind::External => "external",
        AccountKind::Unknown => "unknown",
    }
}

fn activity(activity: &LastActivity) -> (&'static str, Option<i64>) {
    match activity {
        LastActivity::Unknown => ("unknown", None),
        LastActivity::Never => ("never", None),
        LastActivity::At(at) => ("at", Some(*at)),
    }
}

/// Whether any of these accounts is new to the run: the first and the last of a page are enough to see a circle.
pub(in crate::sync) async fn brings_new(
    tx: &mut Tx,
    run: &RunId,
    page: &Page,
) -> Result<bool, StoreError> {
    let (Some(first), Some(last)) = (page.accounts.first(), page.accounts.last()) else {
        return Ok(true);
    };
    let row = sqlx::query(
        "select count(*) as n from staged_accounts where run_id = $1 and vendor_id in ($2, $3)",
    )
    .bind(run.as_str())
    .bind(&first.id)
    .bind(&last.id)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get::<i64, _>("n")? < if first.id == last.id { 1 } else { 2 })
}

/// Stores a page. The same row twice in one page, or again from a page that moved, is one: the later word stands.
pub(in crate::sync) async fn put_page(
    tx: &mut Tx,
    run: &RunId,
    page: &Page,
) -> Result<(), StoreError> {
    let accounts: Vec<&Account> = last_of(&page.accounts, |a| a.id.clone());
    bulk::insert(
        tx,
        "insert into staged_accounts (run_id, vendor_id, principal, email, name, kind, is_active, created_on_vendor_at, \
           activity_state, activity_at, frozen, attributes) ",
        "on conflict (run_id, vendor_id) do update set principal = excluded.principal, email = excluded.email, \
           name = excluded.name, kind = excluded.kind, is_active = excluded.is_active, \
           created_on_vendor_at = excluded.created_on_vendor_at, activity_state = excluded.activity_state, \
           activity_at = excluded.activity_at, attributes = excluded.attributes",
        12,
        &accounts,
        |row, account| {
            let (state, at) = activity(&account.last_activity);
            row.push_bind(run.as_str().to_owned())
                .push_bind(plain(&account.id))
                .push_bind(plain(&account.principal))
                .push_bind(account.email.as_deref().map(plain))
                .push_bind(account.name.as_deref().map(plain))
                .push_bind(kind(account.kind))
                .push_bind(i64::from(account.active))
                .push_bind(account.created)
                .push_bind(state)
                .push_bind(at)
                .push_bind("unknown")
                .push_bind(object(&account.attributes));
        },
    )
    .await?;
    let assignments = last_of(&page.assignments, |a| {
        (a.account.clone(), a.identifier.clone())
    });
    bulk::insert(
        tx,
        "insert into staged_subscriptions (run_id, account_id, identifier, assignment_id, assigned_at, evidence) ",
        "on conflict (run_id, account_id, identifier) do update set assignment_id = excluded.assignment_id, \
           assigned_at = excluded.assigned_at, evidence = excluded.evidence",
        6,
        &assignments,
        |row, assignment| {
            row.push_bind(run.as_str().to_owned())
                .push_bind(plain(&assignment.account))
                .push_bind(plain(&assignment.identifier))
                .push_bind(assignment.id.as_deref().map(plain))
                .push_bind(assignment.assigned)
                .push_bind(object(&assignment.evidence));
        },
    )
    .await?;
    let facts: Vec<(String, String, Option<String>, Option<i64>)> = page
        .facts
        .iter()
        .map(|fact| {
            let account = plain(&fact.account);
            match &fact.fact {
                Fact::Frozen(frozen) => (
                    account,
                    "frozen".to_owned(),
                    Some(if *frozen { "yes" } else { "no" }.to_owned()),
                    None,
                ),
                Fact::LastActivity(last) => {
                    let (state, at) = activity(last);
                    (account, "activity".to_owned(), Some(state.to_owned()), at)
                }
                Fact::Attribute(attribute) => (
                    account,
                    format!("attribute:{}", plain(&attribute.name)),
                    Some(plain(&attribute.value)),
                    None,
                ),
            }
        })
        .collect();
    let facts = last_of(&facts, |(account, fact, _, _)| {
        (account.clone(), fact.clone())
    });
    bulk::insert(
        tx,
        "insert into staged_facts (run_id, account_id, fact, value, at) ",
        "on conflict (run_id, account_id, fact) do update set value = excluded.value, at = excluded.at",
        5,
        &facts,
        |row, (account, fact, value, at)| {
            row.push_bind(run.as_str().to_owned())
                .push_bind(account.clone())
                .push_bind(fact.clone())
                .push_bind(value.clone())
                .push_bind(*at);
        },
    )
    .await?;
    Ok(())
}

/// Stores a page of pools.
pub(in crate::sync) async fn put_pools(
    tx: &mut Tx,
    run: &RunId,
    pools: &[Pool],
) -> Result<(), StoreError> {
    let metric = |metric: Metric| match metric {
        Metric::Seats => "seats",
        Metric::Logins => "logins",
        Metric::Units => "units",
    };
    let count = |n: Option<u64>| n.and_then(|n| i64::try_from(n).ok());
    let pools = last_of(pools, |p| (p.identifier.clone(), metric(p.metric)));
    bulk::insert(
        tx,
        "insert into staged_pools (run_id, identifier, metric, label, owned, used, period_from, period_to, expires, is_active, attributes) ",
        "on conflict (run_id, identifier, metric) do update set label = excluded.label, owned = excluded.owned, \
           used = excluded.used, period_from = excluded.period_from, period_to = excluded.period_to, \
           expires = excluded.expires, is_active = excluded.is_active, attributes = excluded.attributes",
        11,
        &pools,
        |row, pool| {
            row.push_bind(run.as_str().to_owned())
                .push_bind(plain(&pool.identifier))
                .push_bind(metric(pool.metric))
                .push_bind(plain(&pool.label))
                .push_bind(count(pool.owned))
                .push_bind(count(pool.used))
                .push_bind(pool.period.as_ref().map(|(from, _)| from.clone()))
                .push_bind(pool.period.as_ref().map(|(_, to)| to.clone()))
                .push_bind(pool.expires.clone())
                .push_bind(i64::from(pool.active))
                .push_bind(object(&pool.attributes));
        },
    )
    .await?;
    Ok(())
}

/// One statement may touch a row once: of equal keys the last is kept, in order.
fn last_of<T, K: std::hash::Hash + Eq>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<&T> {
    let mut seen = std::collections::HashSet::with_capacity(rows.len());
    let mut kept: Vec<&T> = rows
        .iter()
        .rev()
        .filter(|row| seen.insert(key(row)))
        .collect();
    kept.reverse();
    kept
}

/// Forgets what a run had staged.
pub(in crate::sync) async fn clear(tx: &mut Tx, run: &RunId) -> Result<(), StoreError> {
    for statement in [
        "delete from staged_accounts where run_id = $1",
        "delete from staged_subscriptions where run_id = $1",
        "delete from staged_facts where run_id = $1",
        "delete from staged_pools where run_id = $1",
        "delete from staged_activity where run_id = $1",
        "delete from run_chains where run_id = $1",
    ] {
        sqlx::query(statement)
            .bind(run.as_str())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Makes PostgreSQL join what was just staged as sets: without statistics of these tables it takes them for empty and compares
/// every row with every row. SQLite follows the primary keys by itself.
pub(in crate::sync) async fn prepare(tx: &mut Tx) -> Result<(), StoreError> {
    if tx.dialect() == Dialect::Postgres {
        for statement in [
            "set local enable_nestloop = off",
            "analyze staged_accounts",
            "analyze staged_subscriptions",
        ] {
            sqlx::query(statement).execute(tx.conn()).await?;
        }
    }
    Ok(())
}

/// Distinct accounts, and distinct subscriptions of active accounts, that the run brought.
pub(in crate::sync) async fn count(tx: &mut Tx, run: &RunId) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query(
        "select (select count(*) from staged_accounts where run_id = $1) as accounts, \
           (select count(*) from staged_subscriptions s join staged_accounts a on a.run_id = s.run_id and a.vendor_id = s.account_id \
            where s.run_id = $1 and a.is_active = 1) as subscriptions",
    )
    .bind(run.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok((row.try_get("accounts")?, row.try_get("subscriptions")?))
}
