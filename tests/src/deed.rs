//! A reclaim or an undo right before it is sent, and what must be true after it, however the way there was.

use std::sync::Arc;

use seatwise::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use seatwise::kernel::faults::Faults;
use seatwise::profiles::service as profiles;
use seatwise::reclamation::{actions, batches};
use sqlx::Row as _;

use crate::company::{Company, Contract};
use crate::database::Database;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// One who goes through in each org, and one whom the vendor refuses.
    TakeBack,
    /// One seat is given back.
    GiveBack,
}

/// The company right before the deed: approved, live, and time to act.
///
/// # Panics
/// When a step of the way there is refused.
pub async fn ready(database: &Database, faults: Arc<dyn Faults>, deed: Deed) -> Company {
    let company = Company::new(database, Contract::Shared, faults).await;
    company.approve_rule().await;
    company.go_live().await;
    let rule = company.rule().await;
    let mut listed = Vec::new();
    for name in ["dee", "fay", "lou"] {
        listed.push(company.candidate(name).await.number);
    }
    let batch = batches::create_batch(&company.host, &company.ben, &rule.number, &listed)
        .await
        .expect("the company obeys");
    batches::approve_batch(&company.host, &company.ben, &batch.number, &batch.digest)
        .await
        .expect("the company obeys");
    company.work().await;
    company.pause_schedules().await;
    company.advance(15 * DAY_MS);
    if deed == Deed::GiveBack {
        company.work().await;
        company.advance(HOUR_MS);
        company.collect().await;
        let lou = company.candidate("lou").await;
        actions::undo(&company.host, &company.ana, &lou.number, "needed after all")
            .await
            .expect("the company obeys");
    }
    // A moment ago every right was there, so the steps are those of the deed.
    for profile in &company.profiles {
        profiles::check(&company.host, &company.ana, profile)
            .await
            .expect("the company obeys");
    }
    company
}

/// Lets everything that waits for a moment have its moment, downloads, and reconciles.
pub async fn finish(company: &Company) {
    for _ in 0..8 {
        company.work().await;
        company.advance(5 * MINUTE_MS);
    }
    company.collect().await;
    company.collect().await;
}

/// What must be the same, however the way there was: candidates, actions with their receipts, savings, seats, and every write that
/// reached the vendors.
///
/// # Panics
/// When the database cannot be read.
pub async fn end_state(company: &Company) -> Vec<String> {
    let mut tx = company
        .host
        .store
        .read_everything()
        .await
        .expect("the company obeys");
    let mut facts = Vec::new();
    for statement in [
        "select 'candidate ' || number || ' ' || state || ' ' || coalesce(reason_code, '-') as fact from candidates",
        "select 'action ' || account_id || ' ' || kind || ' ' || state || ' receipt ' \
           || case when receipt is null then 'none' else 'one' end as fact from actions where intended_at is not null",
        "select 'saving ' || kind || ' ' || cast(seats as text) || ' ' || coalesce(cast(amount_minor as text), '-') as fact \
         from savings_events",
        "select 'seat ' || account_id || ' ' || cast(is_active as text) as fact from subscriptions where valid_to is null",
    ] {
        let rows = sqlx::query(statement)
            .fetch_all(tx.conn())
            .await
            .expect("the company obeys");
        facts.extend(rows.iter().map(|row| row.get::<String, _>("fact")));
    }
    for (org, running) in company.orgs.iter().enumerate() {
        facts.extend(
            running
                .control()
                .writes()
                .iter()
                .map(|write| format!("write {org} {} {}", write.record, write.change)),
        );
    }
    facts.sort();
    facts
}
