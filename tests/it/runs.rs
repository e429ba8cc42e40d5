//! Runs on a scripted vendor: what is stored, what is believed, where a run goes on. On both databases.

use std::time::Duration;

use seatwise::kernel::clock::{DAY_MS, HOUR_MS};
use seatwise::sync::source::Class;
use seatwise::sync::{RunKind, RunState, SyncError, service};
use seatwise_runtime::contract::subscriptions::LastActivity;
use seatwise_tests::database::on_both;

use crate::scripted::{Desk, ana, at, crowd, frozen, page, person, seats, trouble};

const DAY: &str = "2026-03-31";

async fn desk(database: &seatwise_tests::database::Database) -> Desk {
    let desk = Desk::new(database, DAY).await;
    desk.source.set(|s| {
        s.chains = vec![crowd(10, 3)];
        s.expected = Some(10);
        s.pools = Some(vec![seats("SFDC", 12, 10)]);
    });
    desk
}

const ROWS: &str = "select (select count(*) from accounts) + (select count(*) from subscriptions) \
     + (select count(*) from pools) + (select count(*) from activity_days)";

#[tokio::test]
async fn a_quiet_day_writes_no_row_of_history() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        let first = desk.collect().await;
        assert_eq!(first.state, RunState::Complete, "{:?}", first.problem);
        assert_eq!(
            (first.accounts, first.pages),
            (10, 5),
            "four pages and one of pools"
        );
        assert_eq!(first.changes["accounts"]["new"], 10);
        let rows = desk.count(ROWS).await;
        assert_eq!(rows, 21);
        desk.clock.advance(DAY_MS);
        let second = desk.collect().await;
        assert_eq!(second.state, RunState::Complete);
        assert_eq!(desk.count(ROWS).await, rows);
        assert_eq!(second.changes["accounts"]["changed"], 0);
        for table in [
            "staged_accounts",
            "staged_subscriptions",
            "staged_facts",
            "staged_pools",
            "run_chains",
        ] {
            assert_eq!(
                desk.count(&format!("select count(*) from {table}")).await,
                0,
                "{table}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn changes_become_intervals_and_what_is_gone_stays_ended() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        desk.clock.advance(DAY_MS);
        desk.source.set(|s| {
            // u0 deactivated, u1 renamed, u9 gone.
            s.chains[0][0].accounts[0].active = false;
            s.chains[0][0].accounts[1].name = Some("New Name".to_owned());
            s.chains[0].pop();
            s.expected = Some(9);
        });
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!(run.changes["accounts"]["changed"], 2);
        assert_eq!(run.changes["accounts"]["gone"], 1);
        assert_eq!(run.changes["subscriptions"]["changed"], 1);
        assert_eq!(run.changes["subscriptions"]["ended"], 1);
        let current = "select count(*) from subscriptions where valid_to is null and account_id = 'u000000' and is_active = 0";
        assert_eq!(desk.count(current).await, 1, "a deactivated user's subscription stays, inactive");
        let ended = "select count(*) from subscriptions where ended_at is not null and valid_to = ended_at and account_id = 'u000009'";
        assert_eq!(desk.count(ended).await, 1);
        let gone = "select count(*) from accounts where valid_to is null and is_gone = 1 and is_active = 0 and vendor_id = 'u000009'";
        assert_eq!(desk.count(gone).await, 1);
        // The state of yesterday can still be asked.
        let then = format!(
            "select count(*) from accounts where valid_from <= {0} and (valid_to is null or valid_to > {0}) and is_active = 1 and is_gone = 0",
            at(DAY) + HOUR_MS
        );
        assert_eq!(desk.count(&then).await, 10);
        // Who comes back is there again.
        desk.clock.advance(DAY_MS);
        desk.source.set(|s| {
            s.chains = vec![crowd(10, 3)];
            s.expected = Some(10);
        });
        let run = desk.collect().await;
        assert_eq!(run.changes["subscriptions"]["new"], 1);
        assert_eq!(desk.count("select count(*) from current_subscriptions where is_active = 1").await, 10);
    })
    .await;
}

#[tokio::test]
async fn last_activity_never_moves_back_and_its_days_are_kept_on_change_only() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        let set = |last: LastActivity| {
            desk.source
                .set(|s| s.chains[0][0].accounts[0].last_activity = last)
        };
        let known =
            "select activity_at from accounts where vendor_id = 'u000000' and valid_to is null";
        let days = "select count(*) from activity_days";
        assert_eq!(desk.count(days).await, 0, "a first sight is no change");
        set(LastActivity::At(at("2026-03-30")));
        desk.clock.advance(DAY_MS);
        desk.collect().await;
        assert_eq!(desk.count(known).await, at("2026-03-30"));
        assert_eq!(desk.count(days).await, 2, "the old day and the new one");
        for stale in [LastActivity::At(at("2025-01-01")), LastActivity::Never] {
            set(stale);
            desk.clock.advance(DAY_MS);
            desk.collect().await;
            assert_eq!(desk.count(known).await, at("2026-03-30"));
            assert_eq!(desk.count(days).await, 2);
        }
    })
    .await;
}

#[tokio::test]
async fn b13_no_data_is_not_never_and_nobody_is_judged_by_a_stale_date() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source
            .set(|s| s.chains[0][0].accounts[1].last_activity = LastActivity::Never);
        desk.collect().await;
        let judged = "select count(*) from current_subscriptions where baseline_at is not null";
        assert_eq!(
            desk.count(judged).await,
            10,
            "never used is judged from its creation"
        );
        desk.source.set(|s| {
            for page in &mut s.chains[0] {
                for account in &mut page.accounts {
                    account.last_activity = LastActivity::Unknown;
                }
            }
        });
        desk.clock.advance(DAY_MS);
        desk.collect().await;
        assert_eq!(
            desk.count(judged).await,
            0,
            "the permission to see it is gone"
        );
        desk.source.set(|s| s.chains = vec![crowd(10, 3)]);
        desk.clock.advance(DAY_MS);
        desk.collect().await;
        assert_eq!(desk.count(judged).await, 10);
    })
    .await;
}

#[tokio::test]
async fn frozen_is_told_by_its_own_chain_and_learning_it_is_no_change() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        let unknown = "select count(*) from accounts where valid_to is null and frozen = 'unknown'";
        assert_eq!(desk.count(unknown).await, 10);
        desk.source.set(|s| {
            let mut chain = page(vec![], "SFDC");
            chain.facts = vec![frozen("u000004")];
            s.chains.push(vec![chain]);
        });
        desk.clock.advance(DAY_MS);
        let run = desk.collect().await;
        assert_eq!(run.changes["accounts"]["changed"], 1, "only the frozen one");
        assert_eq!(desk.count(unknown).await, 0);
        assert_eq!(
            desk.count("select count(*) from accounts where valid_to is null and frozen = 'yes'")
                .await,
            1
        );
        assert_eq!(
            desk.count("select count(*) from current_subscriptions where is_active = 1")
                .await,
            10,
            "a frozen user uses a seat"
        );
    })
    .await;
}

#[tokio::test]
async fn zero_rows_change_nothing_until_somebody_accepts_them() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        let before = desk.count(ROWS).await;
        desk.source.set(|s| {
            s.chains = vec![vec![page(vec![], "SFDC")]];
            s.expected = Some(0);
        });
        desk.clock.advance(DAY_MS);
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Held);
        assert_eq!(run.problem.as_ref().unwrap().code, "sync.no_accounts");
        assert_eq!(desk.count(ROWS).await, before);
        assert_eq!(
            desk.count("select count(*) from jobs where kind = 'after_run'")
                .await,
            1,
            "nothing follows a held run"
        );
        let refused = service::accept_run(&desk.host, &ana(), &run.number, "  ").await;
        assert!(matches!(refused, Err(SyncError::Reason(_))));
        service::accept_run(
            &desk.host,
            &ana(),
            &run.number,
            "the org was emptied on purpose",
        )
        .await
        .unwrap();
        desk.work().await;
        let run = desk.view(&run.id).await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!(
            run.accepted_reason.as_deref(),
            Some("the org was emptied on purpose")
        );
        assert_eq!(run.changes["accounts"]["gone"], 10);
        let again = service::accept_run(&desk.host, &ana(), &run.number, "again").await;
        assert!(matches!(
            again,
            Err(SyncError::WrongState(RunState::Complete))
        ));
    })
    .await;
}

#[tokio::test]
async fn a23_a_third_fewer_accounts_wait_for_a_person_and_a_good_run_overtakes() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        desk.source.set(|s| {
            s.chains = vec![crowd(7, 3)];
            s.expected = Some(7);
        });
        desk.clock.advance(DAY_MS);
        let held = desk.collect().await;
        assert_eq!(held.state, RunState::Held);
        assert_eq!(held.problem.as_ref().unwrap().code, "sync.fewer_accounts");
        assert_eq!(
            desk.count("select count(*) from accounts where is_gone = 1")
                .await,
            0
        );
        desk.source.set(|s| {
            s.chains = vec![crowd(10, 3)];
            s.expected = Some(10);
        });
        desk.clock.advance(DAY_MS);
        assert_eq!(desk.collect().await.state, RunState::Complete);
        assert_eq!(desk.view(&held.id).await.state, RunState::Cancelled);
        assert_eq!(desk.count("select count(*) from staged_accounts").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_edited_scope_has_nothing_to_compare_with() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        desk.execute("update profiles set settings = '{\"only\":\"some\"}'")
            .await;
        desk.source.set(|s| {
            s.chains = vec![crowd(2, 3)];
            s.chains[0][0].out_of_scope = 8;
        });
        desk.clock.advance(DAY_MS);
        assert_eq!(desk.collect().await.state, RunState::Complete);
    })
    .await;
}

#[tokio::test]
async fn a21_one_account_fewer_than_the_vendor_counts_is_not_complete() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source.set(|s| s.expected = Some(11));
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Held);
        assert_eq!(run.problem.unwrap().code, "sync.accounts_missing");
        assert_eq!(desk.count(ROWS).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a19_a_chain_that_goes_in_circles_ends_the_run_with_bounded_rows() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source.set(|s| s.is_circle = true);
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(run.problem.unwrap().code, "sync.endless_chain");
        assert_eq!(desk.count("select count(*) from staged_accounts").await, 10);
        assert_eq!(desk.count(ROWS).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_failed_run_goes_on_at_the_page_where_it_stopped() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source
            .set(|s| s.failing = vec![("0:2".to_owned(), trouble(Class::Final), true)]);
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(
            (run.accounts, run.problem.unwrap().code.as_str()),
            (6, "vendor.scripted")
        );
        assert_eq!(desk.count(ROWS).await, 0, "nothing of it is seen");
        desk.source.asked();
        service::resume_run(&desk.host, &ana(), &run.number)
            .await
            .unwrap();
        desk.work().await;
        let run = desk.view(&run.id).await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!(desk.source.asked(), ["0:2", "0:3"]);
        assert_eq!(run.accounts, 10);
    })
    .await;
}

#[tokio::test]
async fn a_page_that_fails_in_passing_is_read_again_and_the_run_notes_it() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source
            .set(|s| s.failing = vec![("0:1".to_owned(), trouble(Class::Passing(Some(1))), true)]);
        let run = desk.collect().await;
        assert_eq!((run.state, run.retries), (RunState::Complete, 1));
    })
    .await;
}

#[tokio::test]
async fn a_vendor_that_asks_for_patience_gets_the_run_back_later() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source.set(|s| {
            s.failing = vec![(
                "0:1".to_owned(),
                trouble(Class::Passing(Some(90_000))),
                true,
            )]
        });
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Running);
        desk.clock.advance(89_000);
        desk.work().await;
        assert_eq!(desk.view(&run.id).await.state, RunState::Running);
        desk.clock.advance(1_000);
        desk.work().await;
        assert_eq!(desk.view(&run.id).await.state, RunState::Complete);
    })
    .await;
}

#[tokio::test]
async fn a16_a_spent_budget_pauses_at_once_and_goes_on_at_the_page_five_points_lower() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source
            .set(|s| s.failing = vec![("0:2".to_owned(), trouble(Class::Quota), true)]);
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::PausedQuota);
        let asked = desk.source.asked();
        assert_eq!(asked.iter().filter(|a| *a == "0:2").count(), 1, "no retry");
        desk.work().await;
        assert!(desk.source.asked().is_empty(), "not before the hour");
        desk.source.set(|s| s.used = 70);
        desk.clock.advance(HOUR_MS);
        desk.work().await;
        assert_eq!(desk.view(&run.id).await.state, RunState::PausedQuota);
        assert_eq!(desk.source.asked(), ["begin None"]);
        desk.source.set(|s| s.used = 69);
        desk.clock.advance(HOUR_MS);
        desk.work().await;
        let run = desk.view(&run.id).await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!(desk.source.asked(), ["begin None", "0:2", "0:3"]);
        assert_eq!(
            desk.count("select count(*) from organizations where quota_paused_since is not null")
                .await,
            0
        );
    })
    .await;
}

#[tokio::test]
async fn a_paused_run_changes_no_row_that_others_see() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        let rows = desk.count(ROWS).await;
        desk.source.set(|s| {
            s.chains = vec![crowd(20, 3)];
            s.used = 75;
        });
        desk.clock.advance(DAY_MS);
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::PausedQuota);
        assert_eq!(run.problem.unwrap().code, "sync.paused_quota");
        assert_eq!(desk.count(ROWS).await, rows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a9_a_vendor_that_never_answers_does_not_keep_a_run_from_being_cancelled() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source.set(|s| s.hangs = true);
        let run = desk.start(RunKind::Full).await;
        let stop = async {
            while !desk
                .source
                .0
                .lock()
                .unwrap()
                .asked
                .iter()
                .any(|a| a == "0:0")
            {
                tokio::task::yield_now().await;
            }
            service::cancel_run(&desk.host, &ana(), run.as_str())
                .await
                .unwrap();
        };
        let both = async { tokio::join!(desk.work(), stop) };
        tokio::time::timeout(Duration::from_secs(5), both)
            .await
            .expect("the work ends");
        assert_eq!(desk.view(&run).await.state, RunState::Cancelled);
        assert_eq!(desk.count(ROWS).await, 0);
    })
    .await;
}

#[tokio::test]
async fn collecting_twice_at_once_is_one_run() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        let first = desk.start(RunKind::Full).await;
        assert_eq!(desk.start(RunKind::Full).await, first);
        desk.work().await;
        assert_ne!(desk.start(RunKind::Full).await, first);
    })
    .await;
}

#[tokio::test]
async fn an_incremental_run_adds_and_updates_and_ends_nothing() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        let first = desk.start(RunKind::Incremental).await;
        desk.work().await;
        assert_eq!(
            desk.view(&first).await.kind,
            RunKind::Full,
            "nothing to build on yet"
        );
        desk.source.asked();
        desk.clock.advance(DAY_MS);
        desk.source.set(|s| {
            s.chains = vec![vec![page(
                vec![
                    person("u000000", LastActivity::At(at(DAY))),
                    person("u000099", LastActivity::Never),
                ],
                "SFDC",
            )]];
        });
        let run = desk.start(RunKind::Incremental).await;
        desk.work().await;
        let run = desk.view(&run).await;
        assert_eq!(
            (run.kind, run.state),
            (RunKind::Incremental, RunState::Complete)
        );
        assert_ne!(desk.source.asked()[0], "begin None");
        assert_eq!(run.changes["accounts"]["new"], 1);
        assert_eq!(
            desk.count("select count(*) from current_subscriptions where is_active = 1")
                .await,
            11
        );
    })
    .await;
}

#[tokio::test]
async fn counts_that_cannot_be_read_cost_only_themselves() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        desk.source.set(|s| s.pools = None);
        desk.clock.advance(DAY_MS);
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Complete);
        assert_eq!(run.notes.len(), 1);
        assert_eq!(
            desk.count("select count(*) from pools where valid_to is null")
                .await,
            1,
            "the last ones stand"
        );
    })
    .await;
}

#[tokio::test]
async fn a_schedule_sweeps_once_a_day_and_reads_only_changes_between() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        let mut kinds = Vec::new();
        for _ in 0..6 {
            let mut tx = desk.host.store.read_everything().await.unwrap();
            let kind = service::kind_due(&desk.host, &mut tx, &desk.profile)
                .await
                .unwrap();
            drop(tx);
            desk.start(kind).await;
            desk.work().await;
            let runs = service::list_runs(&desk.host, &ana(), None, None, 1)
                .await
                .unwrap();
            assert_eq!(runs[0].state, RunState::Complete);
            kinds.push(runs[0].kind);
            desk.clock.advance(6 * HOUR_MS);
        }
        use RunKind::{Full, Incremental};
        assert_eq!(
            kinds,
            [
                Full,
                Incremental,
                Incremental,
                Incremental,
                Full,
                Incremental
            ]
        );
        let begins: Vec<String> = desk
            .source
            .asked()
            .into_iter()
            .filter(|call| call.starts_with("begin Some"))
            .collect();
        let distinct: std::collections::BTreeSet<_> = begins.iter().collect();
        assert_eq!(
            distinct.len(),
            4,
            "each builds on the run before it: {begins:?}"
        );
    })
    .await;
}
