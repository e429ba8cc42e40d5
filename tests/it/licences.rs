//! Other things than a whole user: a permission-set licence taken back by an action of its own, in several requests, and given back.
//! And a rule with two actions, freeze first.

use std::sync::Arc;

use seatwise::catalog::service::{self as catalog, AssignTo};
use seatwise::identity::roles::Role;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::people::service as people;
use seatwise::profiles::model::WriteMode;
use seatwise::profiles::service as profiles;
use seatwise::reclamation::candidate::State;
use seatwise::reclamation::candidates::{self, CandidateFilter};
use seatwise::reclamation::model::CandidateView;
use seatwise::reclamation::rule::{Edit, Limits, Silence};
use seatwise::reclamation::{actions, batches, rules};
use seatwise_practice_org_salesforce::{Faults, PermissionSet, showcase};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::world::{T0_MS, World, person};

const LICENCE: &str = "psl:AnalyticsQueryPsl";

/// The showcase org, in which `idle` holds a permission-set licence with two sets that need it; a person has said what it is, the rule
/// for it is in force and everything is live and approved.
async fn analyst(database: &Database) -> World {
    let mut spec = showcase::showcase(T0_MS);
    for name in ["Analyst", "Analyst_Lead"] {
        spec.permission_sets
            .push(PermissionSet::new(name, name, Some("AnalyticsQueryPsl")));
    }
    for idle in &mut spec.people {
        if idle.username == "idle@example.com" {
            idle.permission_set_licences = vec!["AnalyticsQueryPsl".to_owned()];
            idle.permission_sets = vec!["Analyst".to_owned(), "Analyst_Lead".to_owned()];
        }
    }
    let world = World::new(database, spec, Arc::new(NoFaults)).await;
    let host = &world.host;
    let sam = person(host, "Sam", Role::SamAdmin).await;
    people::import_csv(host, &sam, "name,email\nIda Idle,idle@example.com\n")
        .await
        .unwrap();
    world.run_due_jobs().await;
    let to = AssignTo::New {
        publisher: "Salesforce".to_owned(),
        name: "CRM Analytics".to_owned(),
        is_free: false,
    };
    catalog::assign_identifier(host, &sam, "salesforce", LICENCE, to)
        .await
        .unwrap();
    world.clock.advance(HOUR_MS);
    world.collect().await;
    let all = rules::list_rules(host, &world.ben).await.unwrap();
    let rule = all
        .iter()
        .find(|rule| rule.product == "CRM Analytics")
        .unwrap();
    assert_eq!(rule.deciding.actions, ["remove-permission-set-licence"]);
    // What does not take this licence back cannot be made its action.
    let wrong = Edit {
        actions: Some(vec!["deactivate".to_owned()]),
        ..Edit::default()
    };
    let refused = rules::edit_rule(host, &world.ana, &rule.number, &wrong).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("remove-permission-set-licence")
    );
    let edit = Edit {
        silence: Some(Silence::Reclaim),
        limits: Some(Limits {
            per_run: 10,
            per_day: 10,
            percent_of_org: 100,
        }),
        ..Edit::default()
    };
    let rule = rules::edit_rule(host, &world.ana, &rule.number, &edit)
        .await
        .unwrap();
    rules::approve_rule(host, &world.ben, &rule.number, &rule.digest)
        .await
        .unwrap();
    profiles::set_write_mode(host, &world.ana, &world.profile, WriteMode::Live)
        .await
        .unwrap();
    world.run_due_jobs().await;
    let batch = batches::create_batch(host, &world.ben, &rule.number, &[])
        .await
        .unwrap();
    assert_eq!(batch.items.len(), 1, "{:?}", batch.items);
    assert_eq!(batch.items[0].plan.steps.len(), 3);
    // The only seat of its kind is more than half of them: that takes two.
    for approver in [&world.ben, &person(host, "Bea", Role::Approver).await] {
        batches::approve_batch(host, approver, &batch.number, &batch.digest)
            .await
            .unwrap();
    }
    world.run_due_jobs().await;
    world
}

async fn idle(world: &World) -> CandidateView {
    let filter = CandidateFilter {
        search: Some("idle@".to_owned()),
        ..CandidateFilter::default()
    };
    let found = candidates::list_candidates(&world.host, &world.ben, &filter, 10).await;
    let mut found = found.unwrap();
    // The same person's user licence has a candidate of its own, which nobody has listed.
    found.retain(|candidate| candidate.product == "CRM Analytics");
    found.remove(0)
}

/// Verb and object of each write, oldest first.
fn writes(world: &World) -> Vec<String> {
    let made = world.org.control().writes();
    made.iter()
        .map(|write| format!("{} {}", write.verb, write.record.split('/').next().unwrap()))
        .collect()
}

async fn holds_it(world: &World) -> i64 {
    world
        .count("select count(*) from subscriptions where identifier = 'psl:AnalyticsQueryPsl' and valid_to is null and is_active = 1")
        .await
}

const TAKEN: [&str; 3] = [
    "delete PermissionSetAssignment",
    "delete PermissionSetAssignment",
    "delete PermissionSetLicenseAssign",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_set_licence_is_taken_back_by_its_own_action_and_given_back_whole() {
    on_both(|database| async move {
        let world = analyst(&database).await;
        assert_eq!(holds_it(&world).await, 1);
        world.advance(15 * DAY_MS);
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Reclaimed);
        let taken = writes(&world);
        // The vendor may have taken the licence itself with its last set.
        assert!(taken == TAKEN || taken == TAKEN[..2], "{taken:?}");
        world.advance(HOUR_MS);
        world.collect().await;
        assert_eq!(idle(&world).await.state, State::ClosedComplete);
        assert_eq!(holds_it(&world).await, 0);
        let number = idle(&world).await.number;
        actions::undo(&world.host, &world.ana, &number, "needed after all")
            .await
            .unwrap();
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Undone);
        let given = writes(&world).split_off(taken.len());
        assert_eq!(
            given
                .iter()
                .filter(|it| it.as_str() == "create PermissionSetAssignment")
                .count(),
            2,
            "{given:?}"
        );
        world.advance(HOUR_MS);
        world.collect().await;
        assert_eq!(holds_it(&world).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_licence_that_the_vendor_took_with_its_last_set_is_known_as_taken_by_us() {
    on_both(|database| async move {
        let world = analyst(&database).await;
        // Both sets go, the licence with them; the request for the licence itself finds a lock.
        world
            .org
            .control()
            .set_faults(Faults::parse("patch_fail_every=3").unwrap());
        world.advance(15 * DAY_MS);
        world.run_due_jobs().await;
        world.org.control().set_faults(Faults::default());
        world.advance(HOUR_MS);
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Reclaimed);
        let number = idle(&world).await.number;
        actions::undo(&world.host, &world.ana, &number, "needed after all")
            .await
            .unwrap();
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Undone);
        world.advance(HOUR_MS);
        world.collect().await;
        assert_eq!(holds_it(&world).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_came_to_a_stop_in_the_middle_goes_on_without_a_new_approval_and_undo_gives_all_back()
 {
    on_both(|database| async move {
        let world = analyst(&database).await;
        // The second request finds its row locked.
        world
            .org
            .control()
            .set_faults(Faults::parse("patch_fail_every=2").unwrap());
        world.advance(15 * DAY_MS);
        world.run_due_jobs().await;
        let stopped = idle(&world).await;
        assert_eq!(
            (stopped.state, stopped.reason_code.as_deref()),
            (State::AwaitingRevocation, Some("retry_later"))
        );
        assert_eq!(writes(&world), TAKEN[..1]);
        world.org.control().set_faults(Faults::default());
        world.advance(HOUR_MS);
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Reclaimed);
        let number = idle(&world).await.number;
        actions::undo(&world.host, &world.ana, &number, "needed after all")
            .await
            .unwrap();
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Undone);
        // Both sets, the one that went in the first attempt, too.
        let given = writes(&world);
        let sets = given
            .iter()
            .filter(|it| it.as_str() == "create PermissionSetAssignment");
        assert_eq!(sets.count(), 2, "{given:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_before_a_refusal_can_be_given_back() {
    on_both(|database| async move {
        let world = analyst(&database).await;
        let control = world.org.control();
        control.set_faults(Faults::parse("patch_fail_every=2").unwrap());
        world.advance(15 * DAY_MS);
        world.run_due_jobs().await;
        assert_eq!(writes(&world), TAKEN[..1]);
        control.set_faults(Faults::parse("write_error=INSUFFICIENT_ACCESS_OR_READONLY").unwrap());
        world.advance(HOUR_MS);
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::AttentionRequired);
        control.set_faults(Faults::default());
        let number = idle(&world).await.number;
        actions::undo(&world.host, &world.ana, &number, "it goes no further")
            .await
            .unwrap();
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Undone);
        assert_eq!(writes(&world), [TAKEN[0], "create PermissionSetAssignment"]);
        // Nothing was saved, so nothing is taken out of the books.
        assert_eq!(world.count("select count(*) from savings_events").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_that_came_to_a_stop_in_the_middle_goes_on() {
    on_both(|database| async move {
        let world = analyst(&database).await;
        world.advance(15 * DAY_MS);
        world.run_due_jobs().await;
        let taken = writes(&world).len();
        let number = idle(&world).await.number;
        world
            .org
            .control()
            .set_faults(Faults::parse("patch_fail_every=3").unwrap());
        actions::undo(&world.host, &world.ana, &number, "needed after all")
            .await
            .unwrap();
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Reclaimed);
        assert!(writes(&world).len() > taken);
        world.org.control().set_faults(Faults::default());
        world.advance(HOUR_MS);
        world.run_due_jobs().await;
        assert_eq!(idle(&world).await.state, State::Undone);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_whose_answers_are_all_lost_ends_with_everything_given_back_once() {
    on_both(|database| async move {
        let world = analyst(&database).await;
        world.advance(15 * DAY_MS);
        world.run_due_jobs().await;
        let taken = writes(&world).len();
        let number = idle(&world).await.number;
        world
            .org
            .control()
            .set_faults(Faults::parse("lose_write_reply_every=1").unwrap());
        actions::undo(&world.host, &world.ana, &number, "needed after all")
            .await
            .unwrap();
        for _ in 0..4 {
            world.run_due_jobs().await;
            world.advance(HOUR_MS);
        }
        assert_eq!(idle(&world).await.state, State::Undone);
        let given = writes(&world).split_off(taken);
        let sets = given
            .iter()
            .filter(|it| it.as_str() == "create PermissionSetAssignment");
        assert_eq!(sets.count(), 2, "{given:?}");
    })
    .await;
}

/// Freeze, fourteen days of grace, deactivate: approved, live, and every holder's silence is over.
async fn in_two_steps(database: &Database) -> Company {
    let company = Company::new(database, Contract::Shared, Arc::new(NoFaults)).await;
    let edit = Edit {
        actions: Some(vec!["freeze".to_owned(), "deactivate".to_owned()]),
        grace_days: Some(14),
        ..Edit::default()
    };
    let rule = company.rule().await.number;
    rules::edit_rule(&company.host, &company.ana, &rule, &edit)
        .await
        .unwrap();
    company.approve_rule().await;
    company.go_live().await;
    company.approve_all().await;
    company
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_with_two_actions_freezes_first_and_deactivates_after_the_grace() {
    on_both(|database| async move {
        let company = in_two_steps(&database).await;
        company.silence().await;
        assert_eq!(company.states(&["dee", "lou"]).await, [State::Frozen; 2]);
        // A frozen seat is not free, and nothing is saved by it.
        assert_eq!(
            company.count("select count(*) from savings_events").await,
            0
        );
        company.collect().await;
        assert_eq!(company.states(&["dee", "lou"]).await, [State::Frozen; 2]);
        company.advance(14 * DAY_MS);
        company.work().await;
        assert_eq!(company.states(&["dee", "lou"]).await, [State::Reclaimed; 2]);
        company.advance(HOUR_MS);
        company.collect().await;
        assert_eq!(
            company.states(&["dee", "lou"]).await,
            [State::ClosedComplete; 2]
        );
        let made = company.orgs[1].control().writes();
        let records: Vec<&str> = made
            .iter()
            .map(|w| w.record.split('/').next().unwrap())
            .collect();
        assert_eq!(records, ["UserLogin", "User"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_whose_answer_was_lost_is_seen_and_the_grace_begins() {
    on_both(|database| async move {
        let company = in_two_steps(&database).await;
        company.orgs[1]
            .control()
            .set_faults(Faults::parse("lose_write_reply_every=1").unwrap());
        company.silence().await;
        company.orgs[1].control().set_faults(Faults::default());
        assert_eq!(company.states(&["lou"]).await, [State::Frozen]);
        company.advance(14 * DAY_MS);
        company.work().await;
        assert_eq!(company.states(&["lou"]).await, [State::Reclaimed]);
        assert_eq!(company.orgs[1].control().writes().len(), 2);
    })
    .await;
}
