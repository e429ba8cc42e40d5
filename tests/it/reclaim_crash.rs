//! The fail-at-step-n loop over taking back and giving back: a fault at every effect point, a restart, and the end state of an
//! undisturbed reclaim, with exactly one write a seat at the vendor.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use seatwise::audit;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::reclamation::{actions, batches};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::faults::{FaultAt, Mode};
use sqlx::Row as _;

/// Steps tried at the same time, each on a database of its own.
const AT_ONCE: usize = 6;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// One who goes through in each org, and one whom the vendor refuses.
    TakeBack,
    /// One seat is given back.
    GiveBack,
}

/// The company right before the deed: approved, live, and time to act.
async fn ready(database: &Database, faults: Arc<FaultAt>, deed: Deed) -> Company {
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
        .unwrap();
    batches::approve_batch(&company.host, &company.ben, &batch.number, &batch.digest)
        .await
        .unwrap();
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
            .unwrap();
    }
    company
}

/// Lets everything that waits for a moment have its moment, downloads, and reconciles.
async fn finish(company: &Company) {
    for _ in 0..8 {
        company.work().await;
        company.advance(5 * MINUTE_MS);
    }
    company.collect().await;
    company.collect().await;
}

/// What must be the same, however the way there was.
async fn end_state(company: &Company) -> Vec<String> {
    let mut tx = company.host.store.read().await.unwrap();
    let mut facts = Vec::new();
    for statement in [
        "select 'candidate ' || number || ' ' || state || ' ' || coalesce(reason_code, '-') as fact from candidates",
        "select 'action ' || account_id || ' ' || kind || ' ' || state || ' receipt ' \
           || case when receipt is null then 'none' else 'one' end as fact from actions where intended_at is not null",
        "select 'saving ' || kind || ' ' || cast(seats as text) || ' ' || coalesce(cast(amount_minor as text), '-') as fact \
         from savings_events",
        "select 'seat ' || account_id || ' ' || cast(is_active as text) as fact from subscriptions where valid_to is null",
    ] {
        let rows = sqlx::query(statement).fetch_all(tx.conn()).await.unwrap();
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

async fn loop_over_every_step(mode: Mode, deed: Deed) {
    on_both(|database| async move {
        let counted = Arc::new(FaultAt::new(0, mode));
        let undisturbed = ready(&Database::new(database.engine), counted.clone(), deed).await;
        counted.arm();
        undisturbed.work().await;
        counted.disarm();
        finish(&undisturbed).await;
        let expected = end_state(&undisturbed).await;
        let writes = expected
            .iter()
            .filter(|fact| fact.starts_with("write"))
            .count();
        // dee and lou once each; the undo of lou is one more.
        assert_eq!(
            writes,
            if deed == Deed::TakeBack { 2 } else { 3 },
            "{expected:#?}"
        );
        let steps = counted.count();
        assert!(steps > 15, "{steps} effect points");

        let each = |n| {
            let expected = &expected;
            async move {
                let faults = Arc::new(FaultAt::new(n, mode));
                let company = ready(&Database::new(database.engine), faults.clone(), deed).await;
                faults.arm();
                tokio::select! {
                    () = company.work() => {}
                    () = faults.wait(), if mode == Mode::Dies => {}
                }
                let point = faults.struck_at();
                assert!(point.is_some(), "step {n} of {steps} was not met");
                let company = company.restarted(Arc::new(NoFaults)).await;
                finish(&company).await;
                assert_eq!(
                    end_state(&company).await,
                    *expected,
                    "step {n} of {steps} ({point:?})"
                );
                let trail = audit::verify(
                    &company.host.store,
                    &seatwise::identity::roles::Actor::system(),
                    &company.host.signer,
                )
                .await
                .unwrap();
                assert!(trail.is_intact, "step {n}: {:?}", trail.broken_at);
            }
        };
        stream::iter(1..=steps)
            .for_each_concurrent(AT_ONCE, each)
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b1_b2_a_host_that_dies_at_any_step_of_a_reclaim_sends_each_request_once() {
    loop_over_every_step(Mode::Dies, Deed::TakeBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_step_of_a_reclaim_is_survived() {
    loop_over_every_step(Mode::Fails, Deed::TakeBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_dies_at_any_step_of_an_undo_sends_it_once() {
    loop_over_every_step(Mode::Dies, Deed::GiveBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_step_of_an_undo_is_survived() {
    loop_over_every_step(Mode::Fails, Deed::GiveBack).await;
}
