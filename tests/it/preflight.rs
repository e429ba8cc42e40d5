//! The checks before each run and each reclaim: a right that went away waits for its repair, is told, and is found again by itself.

use std::sync::Arc;

use seatwise::app::doctor::{self, Finding, Verdict};
use seatwise::identity::roles::Role;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::profiles::playbook::checks;
use seatwise::profiles::service::{self as profiles, ProfileView};
use seatwise::reclamation::candidate::State;
use seatwise::sync::RunState;
use seatwise_practice_org_salesforce::{Rights, worked_example};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;
use seatwise_tests::faults::{FaultAt, Mode};
use seatwise_tests::world::{T0_MS, World, person};
use sqlx::Row as _;

async fn profile(world: &World) -> ProfileView {
    profiles::get(&world.host, &world.ana, &world.profile)
        .await
        .unwrap()
}

async fn mails(host: &seatwise::app::host::Host, kind: &str) -> Vec<String> {
    let mut tx = host.store.read_everything().await.unwrap();
    sqlx::query("select recipient || ' ' || subject as mail from outbox where kind = $1 order by created_at, recipient")
        .bind(kind)
        .fetch_all(tx.conn())
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("mail"))
        .collect()
}

/// A person who answers for the profile and whose role alone would tell them nothing.
async fn owned(world: &World) {
    let olga = person(&world.host, "Olga", Role::SamUser).await;
    let mut tx = world.host.store.begin().await.unwrap();
    sqlx::query("update profiles set scope = $1")
        .bind(serde_json::json!({ "owner": olga.id }).to_string())
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_went_away_holds_the_run_is_told_once_and_found_again_by_itself() {
    on_both(|database| async move {
        let world = World::new(&database, worked_example::org1(T0_MS), Arc::new(NoFaults)).await;
        owned(&world).await;
        let control = world.org.control();
        assert_eq!(world.collect().await.state, RunState::Complete);
        // Settings and answers were changed, so this is the base that counts.
        world.advance(DAY_MS);
        control.set_api_used(0);
        assert_eq!(world.collect().await.state, RunState::Complete);
        let with_checks = control.api_used();
        control.set_api_used(0);
        assert_eq!(world.collect().await.state, RunState::Complete);
        assert!(
            control.api_used() < with_checks,
            "a moment later the checks still count"
        );
        let facts = world.facts().await;

        control.set_rights(Rights {
            view_setup: false,
            ..Rights::all()
        });
        world.advance(DAY_MS);
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Queued, "{:?}", run.problem);
        assert!(run.is_waiting() && run.started_at.is_none());
        let problem = run.problem.unwrap();
        assert_eq!(problem.code, "profile.check_failed");
        assert!(problem.fix.contains("View Setup and Configuration"));
        let needing = profile(&world).await;
        assert_eq!(needing.attention, ["check_failed"]);
        assert_eq!(needing.needs[0].fix.as_ref(), Some(&problem.fix));
        assert_eq!(needing.state, "published");

        // Asked for again and again it is the same run, and nobody hears it twice.
        for _ in 0..2 {
            world.advance(HOUR_MS);
            let again = world.collect().await;
            assert_eq!((again.id, again.state), (run.id.clone(), RunState::Queued));
        }
        let told = "needs attention";
        assert_eq!(
            mails(&world.host, "attention").await,
            [
                format!("ana@company.example Org {told}"),
                format!("olga@company.example Org {told}")
            ]
        );
        assert!(mails(&world.host, "run_failed").await.is_empty());
        assert_eq!(world.facts().await, facts, "nothing is lost");

        control.set_rights(Rights {
            manage_users: false,
            ..Rights::all()
        });
        world.advance(HOUR_MS);
        world.run_due_jobs().await;
        let run = world.run(&run.id).await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert!(run.problem.is_none());
        // What is optional says what is off, and the run goes on.
        assert!(
            run.notes.iter().any(|note| note.contains("Frozen users")
                && note.contains("subscriptions, reclaim")
                && note.contains("Manage Users")),
            "{:?}",
            run.notes
        );
        assert!(profile(&world).await.attention.is_empty());
        assert_eq!(mails(&world.host, "attention_over").await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_repairs_a_right_and_runs_the_checks_lets_the_waiting_run_go_on_at_once() {
    on_both(|database| async move {
        let world = World::new(&database, worked_example::org1(T0_MS), Arc::new(NoFaults)).await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        world.advance(DAY_MS);
        let control = world.org.control();
        control.set_rights(Rights {
            view_setup: false,
            ..Rights::all()
        });
        let waiting = world.collect().await;
        assert!(waiting.is_waiting(), "{:?}", waiting.state);
        control.set_rights(Rights::all());
        profiles::check(&world.host, &world.ana, &world.profile)
            .await
            .unwrap();
        assert!(profile(&world).await.attention.is_empty());
        world.run_due_jobs().await;
        assert_eq!(world.run(&waiting.id).await.state, RunState::Complete);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reclaim_without_its_right_sends_nothing_stays_approved_and_goes_on_when_it_is_back() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.pause_schedules().await;
        for org in &company.orgs {
            org.control().set_rights(Rights {
                manage_users: false,
                ..Rights::all()
            });
        }
        company.silence().await;
        let names = ["cy", "dee", "ivy", "lou"];
        for name in names {
            let held = company.candidate(name).await;
            assert_eq!(held.state, State::Held, "{name}");
            assert_eq!(held.reason_code.as_deref(), Some("check_failed"), "{name}");
        }
        assert_eq!(company.writes(), 0);
        assert_eq!(company.count("select count(*) from action_steps").await, 0);
        let one = profiles::get(&company.host, &company.ana, &company.profiles[0])
            .await
            .unwrap();
        assert_eq!(one.attention, ["check_failed"]);
        assert!(
            one.needs[0]
                .fix
                .as_deref()
                .unwrap()
                .contains("Manage Users")
        );
        assert_eq!(
            mails(&company.host, "attention").await.len(),
            1,
            "both orgs in one mail"
        );

        for org in &company.orgs {
            org.control().set_rights(Rights::all());
        }
        company.advance(15 * MINUTE_MS);
        company.work().await;
        assert_eq!(company.states(&names).await, [State::Reclaimed; 4]);
        assert_eq!(company.writes(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_of_each_part_whether_it_works_and_what_to_do() {
    on_both(|database| async move {
        let world = World::new(&database, worked_example::org1(T0_MS), Arc::new(NoFaults)).await;
        let ada = person(&world.host, "Ada", Role::Admin).await;
        assert!(doctor::examine(&world.host, &world.ana).await.is_err());
        let found = doctor::examine(&world.host, &ada).await.unwrap();
        let verdicts = |area: &str, found: &[Finding]| -> Vec<Verdict> {
            let of = found.iter().filter(|line| line.area == area);
            of.map(|line| line.verdict).collect()
        };
        for area in [
            "database",
            "migrations",
            "key",
            "connectors",
            "work",
            "outbox",
            "webhooks",
        ] {
            let all = verdicts(area, &found);
            assert!(
                !all.is_empty() && all.iter().all(|verdict| *verdict == Verdict::Pass),
                "{area}: {found:?}"
            );
        }
        // The world stands on another day than the database, has no mail server, and reaches loopback.
        for (area, verdict) in [
            ("clock", Verdict::Fail),
            ("mail", Verdict::Warn),
            ("egress", Verdict::Warn),
        ] {
            assert_eq!(verdicts(area, &found), [verdict], "{area}");
        }
        assert!(
            !verdicts("profiles", &found).contains(&Verdict::Fail),
            "{found:?}"
        );
        for line in &found {
            let has_fix = line.fix.as_ref().is_some_and(|fix| fix.len() > 10);
            assert_eq!(has_fix, line.verdict != Verdict::Pass, "{line:?}");
        }

        world.org.control().set_rights(Rights {
            view_setup: false,
            ..Rights::all()
        });
        let found = doctor::examine(&world.host, &ada).await.unwrap();
        let failed = found
            .iter()
            .find(|line| line.area == "profiles" && line.verdict == Verdict::Fail)
            .expect("a mandatory check failed");
        assert_eq!(failed.of, format!("{} Org", world.profile));
        assert!(failed.fix.as_deref().unwrap().contains("View Setup"));
        // What it found is what the profile's own page says.
        assert_eq!(profile(&world).await.attention, ["check_failed"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_whose_host_ended_are_taken_up_again() {
    on_both(|database| async move {
        let faults = Arc::new(FaultAt::new(12, Mode::Dies));
        let spec = worked_example::org1(T0_MS);
        let world = World::unpublished(&database, spec, faults.clone(), "client-credentials").await;
        faults.arm();
        checks::start(&world.host, &world.ana, &world.profile)
            .await
            .unwrap();
        faults.wait().await;
        let world = world.restarted(Arc::new(NoFaults)).await;
        let open = "select count(*) from profile_checks where verdict in ('waiting', 'running')";
        assert!(world.count(open).await > 0);
        world.run_due_jobs().await;
        assert!(world.count(open).await > 0, "another host may be at it");
        world.advance(checks::ABANDONED_MS);
        world.run_due_jobs().await;
        assert_eq!(world.count(open).await, 0);
        let failed = "select count(*) from profile_checks where verdict = 'fail'";
        assert_eq!(world.count(failed).await, 0);
    })
    .await;
}
