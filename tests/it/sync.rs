//! Downloads through the real component and the egress guard, against a practice org that misbehaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use seatwise::kernel::clock::{DAY_MS, HOUR_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::sync::{RunState, RunView, service};
use seatwise_practice_org_salesforce::{Crowd, Faults, OrgSpec};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::world::World;
use serde_json::Value;

/// Four thousand people and the integration user: three pages.
const CROWD: u64 = 4_100;

fn crowded(users: u64) -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Org", "org.my.salesforce.com");
    spec.crowd = Some(Crowd {
        as_of_ms: Some(seatwise_tests::world::T0_MS),
        ..Crowd::new(users, 7)
    });
    spec
}

async fn world(database: &Database) -> World {
    World::new(database, crowded(CROWD), Arc::new(NoFaults)).await
}

fn faults(spec: &str) -> Faults {
    Faults::parse(spec).expect("the fault is known")
}

#[track_caller]
fn assert_whole(run: &RunView) {
    assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
    assert_eq!(run.accounts, i64::try_from(CROWD).unwrap() + 1);
}

#[track_caller]
fn code(run: &RunView) -> &str {
    &run.problem.as_ref().expect("the run says why").code
}

async fn accounts(world: &World) -> i64 {
    world
        .count("select count(*) from accounts where valid_to is null and is_gone = 0")
        .await
}

/// What an undisturbed run leaves.
async fn undisturbed(database: &Database) -> Vec<String> {
    let world = world(&Database::new(database.engine)).await;
    assert_whole(&world.collect().await);
    world.facts().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_503_is_retried_until_the_run_is_complete() {
    on_both(|database| async move {
        let world = world(&database).await;
        // Often enough that some meet the first request of a call, which is the host's to try again.
        world
            .org
            .control()
            .set_faults(faults("rate_503=200,seed=10"));
        let run = world.collect().await;
        assert_whole(&run);
        assert!(run.retries > 0, "the run notes its retries");
        assert_eq!(world.facts().await, undisturbed(&database).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_429_is_waited_out_as_told_until_the_run_is_complete() {
    on_both(|database| async move {
        let world = world(&database).await;
        world
            .org
            .control()
            .set_faults(faults("rate_429=150,seed=5"));
        let run = world.collect().await;
        assert_whole(&run);
        assert!(run.retries > 0, "the run notes its retries");
        assert_eq!(world.facts().await, undisturbed(&database).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_for_the_vendors_job_ends_when_the_job_does() {
    on_both(|database| async move {
        let settings = [("read_users_by", "bulk")];
        let (spec, no_faults) = (crowded(CROWD), Arc::new(NoFaults));
        let mut world =
            World::set_up(&database, spec, no_faults, "client-credentials", &settings).await;
        world.publish().await.expect("the profile is published");
        // Two looks at the job, and time passes between them.
        world.org.control().set_faults(faults("bulk_polls=2"));
        let run = world.collect_now().await.unwrap();
        let host = world.host.clone();
        let reading = tokio::spawn(async move { seatwise::app::worker::run_due(&host).await });
        while !reading.is_finished() {
            world.advance(1_000);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        reading.await.unwrap().unwrap();
        assert_whole(&world.run(&run).await);
        assert_eq!(accounts(&world).await, i64::try_from(CROWD).unwrap() + 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a3_a_lasting_500_ends_the_run_after_five_tries_and_the_old_snapshot_stays() {
    on_both(|database| async move {
        let world = world(&database).await;
        assert_whole(&world.collect().await);
        let before = world.facts().await;

        world.org.control().set_faults(faults("rate_500=1000"));
        let calls = world.org.control().requests("GET query");
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(code(&run), "salesforce.unknown_exception");
        assert!(
            world.org.control().requests("GET query") - calls <= 5,
            "at most five tries"
        );
        assert_eq!(world.facts().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a4_a_dropped_connection_is_tried_again() {
    on_both(|database| async move {
        let world = world(&database).await;
        world.org.control().set_faults(faults("drop_every=20"));
        let run = world.collect().await;
        assert_whole(&run);
        assert_eq!(world.facts().await, undisturbed(&database).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a5_a_cut_body_is_found_and_the_page_read_again_whole() {
    on_both(|database| async move {
        let world = world(&database).await;
        world.org.control().set_faults(faults("truncate_every=20"));
        let run = world.collect().await;
        assert_whole(&run);
        assert_eq!(world.facts().await, undisturbed(&database).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_malformed_page_is_refused_and_a_lasting_one_ends_the_run() {
    on_both(|database| async move {
        let world = world(&database).await;
        world.org.control().set_faults(faults("malformed_every=20"));
        assert_whole(&world.collect().await);
        let before = world.facts().await;
        assert_eq!(before, undisturbed(&database).await);

        world.org.control().set_faults(faults("malformed_every=1"));
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(code(&run), "salesforce.malformed");
        assert_eq!(world.facts().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_a_maintenance_page_with_status_200_removes_nobody() {
    on_both(|database| async move {
        let world = world(&database).await;
        assert_whole(&world.collect().await);
        let before = world.facts().await;
        world.org.control().set_faults(faults("html_every=1"));
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(code(&run), "salesforce.maintenance");
        assert_eq!(world.facts().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a8_a_slow_vendor_is_waited_for_and_the_progress_is_seen_meanwhile() {
    on_both(|database| async move {
        let world = world(&database).await;
        world
            .org
            .control()
            .set_faults(faults("slow_every=1,slow_ms=300"));
        let run = world.collect_now().await.unwrap();
        let watch = async {
            let mut seen = BTreeSet::new();
            loop {
                // Accounts first: whoever sees them must then find the run over.
                let visible = accounts(&world).await;
                let now = world.run(&run).await;
                if now.state.is_over() {
                    break;
                }
                assert_eq!(visible, 0, "nothing of a run at work is seen");
                if now.state == RunState::Running {
                    seen.extend(now.percent());
                }
                tokio::task::yield_now().await;
            }
            seen
        };
        let ((), seen) = tokio::join!(world.run_due_jobs(), watch);
        assert_whole(&world.run(&run).await);
        assert!(seen.len() >= 3, "shares of the accounts seen: {seen:?}");
        assert_eq!(world.facts().await, undisturbed(&database).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_token_that_dies_in_mid_run_is_renewed_once_for_all_that_wait() {
    on_both(|database| async move {
        let expected = undisturbed(&database).await;
        let counted = counted_calls(&world(&Database::new(database.engine)).await).await;
        // Dead while the org is looked at, where several chains read, and between two pages.
        for calls in [6, 11, 14, 17] {
            let world = world(&Database::new(database.engine)).await;
            let control = world.org.control();
            let _ended = control.call("POST", "tokens/expire", &Value::Null);
            control.set_faults(faults(&format!("expire_after={calls}")));
            let asked = control.requests("POST token");
            let run = world.collect().await;
            assert_whole(&run);
            assert_eq!(run.retries, 0, "the guard renews, the run does not notice");
            assert_eq!(world.facts().await, expected);
            let renewed = control.requests("POST token") - asked;
            // Userinfo needs a token, too, without being counted.
            let sessions = (counted + 1).div_ceil(calls);
            assert_eq!(
                renewed, sessions,
                "sessions of {calls} calls of {counted} and one"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_a_spent_budget_pauses_the_run_which_goes_on_at_its_cursor() {
    on_both(|database| async move {
        let world = world(&database).await;
        world.org.control().set_faults(faults("limit_after=7"));
        let run = world.collect_now().await.unwrap();
        world.run_due_jobs().await;
        let paused = world.run(&run).await;
        assert_eq!(paused.state, RunState::PausedQuota, "{:?}", paused.problem);
        assert_eq!(code(&paused), "salesforce.daily_limit");
        assert_eq!(accounts(&world).await, 0, "nothing of it is seen");

        // An hour later the window is still closed: one look, no storm.
        let control = world.org.control();
        let before = control.requests("GET query");
        world.advance(HOUR_MS);
        world.run_due_jobs().await;
        assert_eq!(world.run(&run).await.state, RunState::PausedQuota);
        assert!(control.requests("GET query") - before <= 2);

        control.set_faults(Faults::default());
        world.advance(HOUR_MS);
        world.run_due_jobs().await;
        assert_whole(&world.run(&run).await);
        assert_eq!(world.facts().await, undisturbed(&database).await);
    })
    .await;
}

async fn undisturbed_off(database: &Database) -> i64 {
    let world = world(&Database::new(database.engine)).await;
    assert_whole(&world.collect().await);
    world
        .count("select count(*) from accounts where valid_to is null and is_active = 0")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_who_joins_or_changes_during_the_read_is_there_once_and_whole_the_next_time() {
    on_both(|database| async move {
        let world = world(&database).await;
        let control = world.org.control();
        // Slow enough that people are renamed and switched off between its pages.
        control.set_faults(faults("slow_every=1,slow_ms=60"));
        let run = world.collect_now().await.unwrap();
        let host = world.host.clone();
        let reading = tokio::spawn(async move { seatwise::app::worker::run_due(&host).await });
        let mut switched = 0;
        while !reading.is_finished() {
            switched += 1;
            let path = format!("users/{}/active", crowded(CROWD).user_id(switched * 37));
            let (status, told) =
                control.call("POST", &path, &serde_json::json!({ "is_active": false }));
            assert_eq!(status, 200, "{told}");
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        }
        reading.await.unwrap().unwrap();
        assert!(switched > 3, "{switched} changes during the read");
        control.set_faults(Faults::default());
        assert_whole(&world.run(&run).await);
        let doubled = "select count(*) from (select vendor_id from accounts where valid_to is null group by vendor_id having count(*) > 1) d";
        assert_eq!(world.count(doubled).await, 0);
        let total = accounts(&world).await;
        world.advance(HOUR_MS);
        assert_whole(&world.collect().await);
        assert_eq!(accounts(&world).await, total);
        let off = "select count(*) from accounts where valid_to is null and is_active = 0";
        let known_off = world.count(off).await;
        let before = undisturbed_off(&database).await;
        assert!(known_off > before, "{known_off} switched off, {before} before");
        // What a third look finds was found by the second.
        world.advance(HOUR_MS);
        assert_whole(&world.collect().await);
        assert_eq!(world.count(off).await, known_off);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a31_an_org_without_licences_in_use_and_users_without_profile_is_read_and_shown() {
    on_both(|database| async move {
        let mut spec = OrgSpec::new("00D7i0000000031", "Empty", "empty.my.salesforce.com");
        for licence in &mut spec.licences {
            licence.total = 0;
        }
        let world = World::new(&database, spec, Arc::new(NoFaults)).await;
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        let position =
            seatwise::reconciliation::service::get_reconciliation(&world.host, &world.ben, None)
                .await
                .unwrap();
        for row in &position.positions {
            assert_eq!(row.percent_unused_tenths, 0, "{}", row.product);
            assert_eq!(row.candidates, 0, "{}", row.product);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a18_an_expired_cursor_continues_by_key_without_doubles() {
    on_both(|database| async move {
        let world = world(&database).await;
        world
            .org
            .control()
            .set_faults(faults("cursor_expire_after=1"));
        let run = world.collect().await;
        assert_whole(&run);
        assert_eq!(world.facts().await, undisturbed(&database).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a19_a_page_that_points_to_itself_ends_the_run_within_bounds() {
    on_both(|database| async move {
        let world = world(&database).await;
        world.org.control().set_faults(faults("loop_next=1"));
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(code(&run), "salesforce.repeated_locator");
        assert!(run.pages <= 10, "{} pages", run.pages);
        assert_eq!(accounts(&world).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a20_a_next_page_elsewhere_is_refused() {
    on_both(|database| async move {
        let world = world(&database).await;
        world
            .org
            .control()
            .set_faults(faults("evil_next=http://169.254.169.254/latest/meta-data"));
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(code(&run), "salesforce.foreign_locator");
        assert_eq!(accounts(&world).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a21_fewer_rows_than_the_vendor_counts_never_complete_a_run() {
    on_both(|database| async move {
        let world = world(&database).await;
        assert_whole(&world.collect().await);
        let before = world.facts().await;
        world.org.control().set_faults(faults("lie_total=1"));
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(code(&run), "salesforce.rows_missing");
        assert_eq!(world.facts().await, before, "nothing of it is applied");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a23_a_fall_of_thirty_percent_waits_for_a_person() {
    on_both(|database| async move {
        let world = world(&database).await;
        assert_whole(&world.collect().await);
        let before = world.facts().await;

        world.advance(DAY_MS);
        world.org.control().set_faults(faults("hide_percent=30"));
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Held);
        assert_eq!(code(&run), "sync.fewer_accounts");
        assert_eq!(world.facts().await, before, "nothing is closed");

        let key = run.number.as_str();
        let refused = service::accept_run(&world.host, &world.ana, key, "  ").await;
        assert!(refused.is_err(), "accepting needs a reason");
        service::accept_run(&world.host, &world.ana, key, "a business unit was sold")
            .await
            .unwrap();
        world.run_due_jobs().await;
        assert_eq!(world.run(&run.id).await.state, RunState::Complete);
        assert!(accounts(&world).await < 3_200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_download_is_held_and_closes_nothing() {
    on_both(|database| async move {
        let world = world(&database).await;
        assert_whole(&world.collect().await);
        let before = world.facts().await;
        let mut rights = seatwise_practice_org_salesforce::Rights::all();
        rights.view_all_users = false;
        world.org.control().set_rights(rights);
        world.advance(DAY_MS);
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Held, "{:?}", run.problem);
        assert_eq!(world.facts().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_on_the_same_day_changes_nothing() {
    on_both(|database| async move {
        let world = world(&database).await;
        assert_whole(&world.collect().await);
        let before = world.facts().await;
        let rows = world.count("select count(*) from accounts").await
            + world.count("select count(*) from subscriptions").await
            + world.count("select count(*) from pools").await;
        world.advance(HOUR_MS);
        assert_whole(&world.collect().await);
        assert_eq!(world.facts().await, before);
        let after = world.count("select count(*) from accounts").await
            + world.count("select count(*) from subscriptions").await
            + world.count("select count(*) from pools").await;
        assert_eq!(after, rows, "no interval is opened or closed");
        assert_eq!(
            world.count("select count(*) from staged_accounts").await,
            0,
            "nothing stays staged"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_never_writes_to_the_vendor() {
    on_both(|database| async move {
        let world = world(&database).await;
        assert_whole(&world.collect().await);
        assert!(world.org.control().writes().is_empty());
        assert_eq!(world.org.control().requests("PATCH record"), 0);
    })
    .await;
}

/// Calls of an undisturbed run that count against the vendor's limit: all but the versions and userinfo.
async fn counted_calls(world: &World) -> u64 {
    let control = world.org.control();
    control.set_api_used(0);
    assert_whole(&world.collect().await);
    control.api_used()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a15_at_74_999_of_100_000_calls_a_run_goes_on_and_at_75_000_it_pauses() {
    on_both(|database| async move {
        let expected = undisturbed(&database).await;
        let world = world(&database).await;
        let counted = counted_calls(&world).await;
        let control = world.org.control();
        control.set_api_used(74_999 - counted);
        let run = world.collect().await;
        assert_whole(&run);
        control.set_api_used(75_000 - counted);
        let run = world.collect().await;
        assert_eq!(run.state, RunState::PausedQuota);
        assert_eq!(code(&run), "sync.paused_quota");
        assert!(
            run.problem
                .unwrap()
                .message
                .contains("75000 of the vendor's 100000")
        );
        assert_eq!(world.facts().await, expected);

        // It goes on five points lower, by one cheap look an hour.
        for (used, state) in [
            (70_000, RunState::PausedQuota),
            (69_999, RunState::Complete),
        ] {
            control.set_api_used(used - 1);
            world.advance(HOUR_MS);
            world.run_due_jobs().await;
            assert_eq!(world.run(&run.id).await.state, state, "at {used}");
        }
        assert_eq!(world.facts().await, expected);
    })
    .await;
}
