//! A reclaim or an undo right before it is sent, and what must be true after it, however the way there was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::profiles::service as profiles;
use seatwise::reclamation::{actions, batches};
use sqlx::Row as _;

use crate::company::{Company, Contract, Remembered};
use crate::database::{Database, Engine};

/// Steps tried at the same time.
const LANES: usize = 4;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// One who goes through in each org, and one whom the vendor refuses.
    TakeBack,
    /// One seat is given back.
    GiveBack,
}

/// The company right before the deed: approved, live, and time to act; as often as it is asked for.
///
/// # Panics
/// When a step of the way there is refused.
pub async fn ready(engine: Engine, deed: Deed) -> Remembered {
    let company = Company::new(&Database::new(engine), Contract::Shared, Arc::new(NoFaults)).await;
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
    company.remembered().await
}

/// Tries each step from 1 to `steps`, several at a time: each of the lanes has orgs of its own, the first those of `before`.
///
/// # Panics
/// As `attempt` does.
pub async fn at_every_step(
    before: Remembered,
    (engine, deed): (Engine, Deed),
    steps: u32,
    attempt: impl AsyncFn(&Remembered, u32),
) {
    let next = AtomicU32::new(1);
    let lane = async |before: &Remembered| {
        loop {
            let step = next.fetch_add(1, Ordering::Relaxed);
            if step > steps {
                return;
            }
            attempt(before, step).await;
        }
    };
    let others = (1..LANES).map(|_| async { lane(&ready(engine, deed).await).await });
    tokio::join!(lane(&before), join_all(others));
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
