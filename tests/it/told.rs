//! What people and machines are told: each cause once, in the transaction of what happened.

use std::sync::Arc;

use seatwise::identity::roles::Role;
use seatwise::kernel::clock::{DAY_MS, MINUTE_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::sync::RunState;
use seatwise_practice_org_salesforce::{Crowd, Faults, OrgSpec, worked_example};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;
use seatwise_tests::faults::{FaultAt, Mode};
use seatwise_tests::world::{T0_MS, World, person};
use serde_json::Value;
use sqlx::Row as _;

fn spec() -> OrgSpec {
    worked_example::org1(T0_MS)
}

/// `kind recipient subject`, by kind and recipient, of every mail so far; of one kind where named.
async fn mails(world: &World, kind: &str) -> Vec<String> {
    let mut tx = world.host.store.read_everything().await.unwrap();
    sqlx::query("select kind || ' ' || recipient || ' ' || subject as mail from outbox where $1 = '' or kind = $1 order by created_at, kind, recipient")
        .bind(kind)
        .fetch_all(tx.conn())
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("mail"))
        .collect()
}

/// The text of the newest mail of a kind.
async fn text(world: &World, kind: &str) -> String {
    let mut tx = world.host.store.read_everything().await.unwrap();
    sqlx::query("select body from outbox where kind = $1 order by created_at desc limit 1")
        .bind(kind)
        .fetch_one(tx.conn())
        .await
        .unwrap()
        .get("body")
}

fn faults(world: &World, text: &str) {
    world
        .org
        .control()
        .set_faults(Faults::parse(text).expect("the fault is known"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_download_is_told_with_what_was_found_and_only_the_first() {
    on_both(|database| async move {
        let world = World::new(&database, spec(), Arc::new(NoFaults)).await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        assert_eq!(
            mails(&world, "first_run").await,
            ["first_run ana@company.example Org: the first download is done"]
        );
        let said = text(&world, "first_run").await;
        for part in [
            "accounts: ",
            "subscriptions: ",
            "rules proposed: ",
            "http://127.0.0.1/profiles/PRF0001001",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("accounts: 0"), "{said}");
        world.advance(DAY_MS);
        assert_eq!(world.collect().await.state, RunState::Complete);
        assert_eq!(mails(&world, "first_run").await.len(), 1);
        assert!(mails(&world, "run_recovered").await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_after_success_and_the_recovery_are_told_once_each() {
    on_both(|database| async move {
        let world = World::new(&database, spec(), Arc::new(NoFaults)).await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        faults(&world, "rate_500=1000");
        for _ in 0..3 {
            world.advance(DAY_MS);
            assert_eq!(world.collect().await.state, RunState::Failed);
        }
        assert_eq!(
            mails(&world, "run_failed").await,
            ["run_failed ana@company.example Org: the download failed"]
        );
        let said = text(&world, "run_failed").await;
        assert!(said.contains("What to do: "), "{said}");
        faults(&world, "");
        for _ in 0..2 {
            world.advance(DAY_MS);
            assert_eq!(world.collect().await.state, RunState::Complete);
        }
        assert_eq!(
            mails(&world, "run_recovered").await,
            ["run_recovered ana@company.example Org: downloads work again"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_waits_for_a_person_says_so() {
    on_both(|database| async move {
        let mut crowded = OrgSpec::new("00D5g0000000001EAA", "Org", "org.my.salesforce.com");
        crowded.crowd = Some(Crowd {
            as_of_ms: Some(T0_MS),
            ..Crowd::new(1_000, 7)
        });
        let world = World::new(&database, crowded, Arc::new(NoFaults)).await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        world.advance(DAY_MS);
        faults(&world, "hide_percent=30");
        assert_eq!(world.collect().await.state, RunState::Held);
        assert_eq!(
            mails(&world, "attention").await,
            ["attention ana@company.example Org needs attention"]
        );
        assert!(
            text(&world, "attention")
                .await
                .contains("were expected from the last complete run")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_died_is_told_once_however_often_it_is_tried() {
    on_both(|database| async move {
        let world = World::connected(&database, spec(), Arc::new(NoFaults), "refresh-token").await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        let _nothing = world
            .org
            .control()
            .call("POST", "tokens/revoke", &Value::Null);
        for _ in 0..2 {
            world.advance(DAY_MS);
            assert_eq!(world.collect().await.state, RunState::Failed);
        }
        assert_eq!(
            mails(&world, "token_died").await,
            ["token_died ana@company.example Org: somebody must sign in again"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approvers_are_told_of_rules_and_batches_that_wait_in_one_mail_with_links() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let mut tx = company.host.store.read_everything().await.unwrap();
        let rows =
            sqlx::query("select recipient, body from outbox where kind = 'approval_waiting'")
                .fetch_all(tx.conn())
                .await
                .unwrap();
        assert_eq!(rows.len(), 1, "all of it is one mail");
        assert_eq!(rows[0].get::<String, _>("recipient"), "ben@company.example");
        let said: String = rows[0].get("body");
        assert!(said.contains("http://127.0.0.1/rules/RUL0001001"), "{said}");
        assert!(
            said.contains("Nothing can be decided from this mail"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_dies_at_any_step_tells_of_a_first_download_once() {
    on_both(|database| async move {
        let engine = database.engine;
        let run = |n: u32| async move {
            let database = seatwise_tests::database::Database::new(engine);
            let faults = Arc::new(FaultAt::new(n, Mode::Dies));
            let world = World::new(&database, spec(), faults.clone()).await;
            faults.arm();
            tokio::select! {
                () = world.run_due_jobs() => {}
                () = faults.wait() => {}
            }
            let (steps, point) = (faults.count(), faults.struck_at());
            let world = world.restarted(Arc::new(NoFaults)).await;
            for _ in 0..3 {
                world.run_due_jobs().await;
                world.advance(MINUTE_MS);
            }
            assert_eq!(
                mails(&world, "first_run").await.len(),
                1,
                "step {n} ({point:?})"
            );
            assert!(
                mails(&world, "run_failed").await.is_empty(),
                "step {n} ({point:?})"
            );
            steps
        };
        let steps = run(0).await;
        assert!(steps > 20, "{steps} effect points");
        // The last dozen steps are those of the merge and of what follows it.
        for n in steps - 12..=steps {
            run(n).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_address_or_no_part_in_it_is_told_nothing() {
    on_both(|database| async move {
        let world = World::new(&database, spec(), Arc::new(NoFaults)).await;
        for (name, role) in [
            ("Una", Role::SamUser),
            ("Otto", Role::Auditor),
            ("Ada", Role::Admin),
        ] {
            person(&world.host, name, role).await;
        }
        assert_eq!(world.collect().await.state, RunState::Complete);
        let told = mails(&world, "").await;
        assert!(
            told.iter()
                .all(|mail| mail.contains("ana@company.example")
                    || mail.contains("ben@company.example")),
            "{told:?}"
        );
    })
    .await;
}
