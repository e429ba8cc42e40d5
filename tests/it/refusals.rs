//! What a person is told when the vendor says no: each cause its own code, its own sentence, its own fix, and nothing stored is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::{IntoProblem as _, Problem};
use seatwise::profiles::service::{self as profiles, ProfileError};
use seatwise::sync::{RunState, RunView};
use seatwise_practice_org_salesforce::{Faults, OrgSpec, Rights, worked_example};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::faults::{FaultAt, Mode};
use seatwise_tests::world::World;
use serde_json::{Value, json};

const ROWS: &str = "select (select count(*) from accounts) + (select count(*) from subscriptions) \
     + (select count(*) from pools) + (select count(*) from activity_days)";

fn spec() -> OrgSpec {
    worked_example::org1(worked_example::T0_MS)
}

fn faults(world: &World, spec: &str) {
    world
        .org
        .control()
        .set_faults(Faults::parse(spec).expect("the fault is known"));
}

fn expire_tokens(world: &World) {
    let _nothing = world
        .org
        .control()
        .call("POST", "tokens/expire", &Value::Null);
}

fn set_active(world: &World, username: &str, is_active: bool) {
    let path = format!("users/{username}/active");
    let (status, _) = world
        .org
        .control()
        .call("POST", &path, &json!({ "is_active": is_active }));
    assert_eq!(status, 200);
}

fn right(world: &World, change: impl FnOnce(&mut Rights)) {
    let mut rights = Rights::all();
    change(&mut rights);
    world.org.control().set_rights(rights);
}

fn absent(world: &World, object: &str, is_absent: bool) {
    let path = format!("objects/{object}");
    let sent = json!({ "is_absent": is_absent });
    let (status, _) = world.org.control().call("POST", &path, &sent);
    assert_eq!(status, 200);
}

/// A cause, and what the run then says.
struct Cause {
    says: &'static str,
    code: &'static str,
    fix: &'static str,
    bring_about: fn(&World),
    repair: fn(&World),
}

fn causes() -> Vec<Cause> {
    fn all_rights(world: &World) {
        right(world, |_| {});
    }
    fn no_faults(world: &World) {
        faults(world, "");
    }
    vec![
        Cause {
            says: "does not accept the consumer secret",
            code: "salesforce.wrong_secret",
            fix: "secret",
            bring_about: |world| {
                world.org.control().change_secret("another secret");
                expire_tokens(world);
            },
            repair: |world| {
                let app = spec().apps.remove(0);
                world.org.control().change_secret(&app.client_secret);
            },
        },
        Cause {
            says: "The connecting user is inactive",
            code: "salesforce.inactive_user",
            fix: "administrator",
            bring_about: |world| {
                let user = spec().apps.remove(0).run_as.expect("the app has a user");
                set_active(world, &user, false);
                expire_tokens(world);
            },
            repair: |world| {
                let user = spec().apps.remove(0).run_as.expect("the app has a user");
                set_active(world, &user, true);
            },
        },
        Cause {
            says: "The refresh token is no longer valid",
            code: "salesforce.refresh_token_dead",
            fix: "onnect",
            bring_about: |world| {
                faults(world, "token_invalid_grant=1");
                expire_tokens(world);
            },
            repair: no_faults,
        },
        Cause {
            says: "Salesforce's token service has a fault",
            code: "salesforce.token_server_error",
            fix: "again by itself",
            bring_about: |world| {
                faults(world, "token_503=1");
                expire_tokens(world);
            },
            repair: no_faults,
        },
        // 403, four times with another meaning, and the 401 that no refresh cures.
        Cause {
            says: "The connecting user may not use the API",
            code: "salesforce.user_without_api",
            fix: "API Enabled",
            bring_about: |world| right(world, |rights| rights.api_enabled = false),
            repair: all_rights,
        },
        Cause {
            says: "The org has no API",
            code: "salesforce.org_without_api",
            fix: "Salesforce account team",
            bring_about: |world| right(world, |rights| rights.api_in_edition = false),
            repair: all_rights,
        },
        Cause {
            says: "The session may not use the API",
            code: "salesforce.session_not_for_api",
            fix: "administrator",
            bring_about: |world| right(world, |rights| rights.session_valid_for_rest = false),
            repair: all_rights,
        },
        // What could be read before and is hidden now was not given back.
        Cause {
            says: "A kind of licence is hidden now",
            code: "salesforce.licence_kind_hidden",
            fix: "View Setup and Configuration",
            bring_about: |world| absent(world, "PermissionSetLicenseAssign", true),
            repair: |world| absent(world, "PermissionSetLicenseAssign", false),
        },
        // Answers that cannot be used.
        Cause {
            says: "The connection was cut",
            code: "salesforce.cut",
            fix: "network team",
            bring_about: |world| faults(world, "truncate_every=1"),
            repair: no_faults,
        },
        Cause {
            says: "The answer is damaged",
            code: "salesforce.malformed",
            fix: "Collect again",
            bring_about: |world| faults(world, "malformed_every=1"),
            repair: no_faults,
        },
        Cause {
            says: "Salesforce answers with a web page",
            code: "salesforce.maintenance",
            fix: "status.salesforce.com",
            bring_about: |world| faults(world, "html_every=1"),
            repair: no_faults,
        },
        Cause {
            says: "Salesforce is busy",
            code: "salesforce.unavailable",
            fix: "again by itself",
            bring_about: |world| faults(world, "rate_503=1000"),
            repair: no_faults,
        },
        Cause {
            says: "Salesforce has an internal fault",
            code: "salesforce.unknown_exception",
            fix: "again by itself",
            bring_about: |world| faults(world, "rate_500=1000"),
            repair: no_faults,
        },
    ]
}

#[track_caller]
fn assert_told(run: &RunView, cause: &Cause) {
    let problem = run.problem.as_ref().expect("the run says why");
    assert_eq!(problem.code, cause.code, "{problem:?}");
    assert!(problem.message.contains(cause.says), "{problem:?}");
    assert!(problem.fix.contains(cause.fix), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_of_a_run_has_its_own_words_and_loses_nothing() {
    on_both(|database| async move {
        let world = World::new(&database, spec(), Arc::new(NoFaults)).await;
        let first = world.collect().await;
        assert_eq!(first.state, RunState::Complete, "{:?}", first.problem);
        let (facts, rows) = (world.facts().await, world.count(ROWS).await);
        let mut told = BTreeSet::new();
        for cause in causes() {
            (cause.bring_about)(&world);
            let run = world.collect().await;
            assert_eq!(run.state, RunState::Failed, "{}", cause.says);
            assert_told(&run, &cause);
            assert!(told.insert(cause.code), "{} was told before", cause.code);
            assert_eq!(world.facts().await, facts, "{}", cause.says);
            assert_eq!(world.count(ROWS).await, rows, "{}", cause.says);
            (cause.repair)(&world);
            let run = world.collect().await;
            assert_eq!(
                run.state,
                RunState::Complete,
                "{}: {:?}",
                cause.says,
                run.problem
            );
            assert_eq!(world.facts().await, facts, "{}", cause.says);
        }
        assert!(world.org.control().writes().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_view_setup_no_subscription_can_be_known_and_none_ends() {
    on_both(|database| async move {
        let settings = [("licence_kinds", r#"["features"]"#)];
        let faults = Arc::new(NoFaults);
        let mut world =
            World::set_up(&database, spec(), faults, "client-credentials", &settings).await;
        world.publish().await.expect("the profile is published");
        world.run_due_jobs().await;
        let facts = world.facts().await;
        right(&world, |rights| rights.view_setup = false);
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        let problem = run.problem.expect("the run says why");
        assert_eq!(problem.code, "salesforce.licence_column_hidden");
        assert!(problem.fix.contains("View Setup and Configuration"));
        assert_eq!(world.facts().await, facts);
    })
    .await;
}

fn problem(refused: Result<profiles::ProfileView, ProfileError>) -> Problem {
    refused.map(|_| ()).expect_err("it is refused").problem()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_of_a_new_connection_has_its_own_words_and_keeps_the_draft() {
    type Change = fn(&mut OrgSpec);
    let cases: [(&str, &str, Change); 6] = [
        ("salesforce.wrong_domain", "login_url", |spec| {
            spec.shared_login_host = true;
        }),
        ("salesforce.no_run_as_user", "client_id", |spec| {
            spec.apps[0].client_credentials = false;
        }),
        ("salesforce.ip_restricted", "", |spec| {
            spec.apps[0].ip_restricted = true;
        }),
        ("salesforce.user_without_api", "", |spec| {
            spec.rights.api_enabled = false;
        }),
        ("salesforce.org_without_api", "", |spec| {
            spec.rights.api_in_edition = false;
        }),
        ("salesforce.no_common_version", "", |spec| {
            spec.versions = (31, 40);
        }),
    ];
    on_both(|database| async move {
        for (code, field, change) in cases {
            let mut spec = spec();
            change(&mut spec);
            let database = Database::new(database.engine);
            let mut world =
                World::unpublished(&database, spec, Arc::new(NoFaults), "client-credentials").await;
            let told = problem(world.publish().await);
            assert_eq!(told.code, code);
            assert_eq!(
                told.fix.field.as_deref().unwrap_or_default(),
                field,
                "{code}"
            );
            assert!(told.fix.text.len() > 20, "{code}");
            let profile = profiles::get(&world.host, &world.ana, &world.profile)
                .await
                .unwrap();
            assert_eq!(
                (profile.state, profile.organization),
                ("draft", None),
                "{code}"
            );
            assert_eq!(world.count("select count(*) from runs").await, 0, "{code}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_is_named_by_the_check_that_needs_it() {
    on_both(|database| async move {
        let mut world =
            World::unpublished(&database, spec(), Arc::new(NoFaults), "client-credentials").await;
        right(&world, |rights| rights.view_setup = false);
        let told = problem(world.publish().await);
        assert_eq!(told.code, "profile.checks", "{told:?}");
        let profile = profiles::get(&world.host, &world.ana, &world.profile)
            .await
            .unwrap();
        let failed = profile
            .checks
            .iter()
            .filter(|check| check.verdict == "fail");
        let fixes: Vec<_> = failed.filter_map(|check| check.fix.as_deref()).collect();
        assert!(!fixes.is_empty());
        assert!(
            fixes
                .iter()
                .all(|fix| fix.contains("View Setup and Configuration")),
            "{fixes:?}"
        );
        right(&world, |_| {});
        world.publish().await.unwrap();
        world.run_due_jobs().await;
        assert_eq!(world.runs().await[0].state, RunState::Complete);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_or_another_org_behind_the_address_changes_nothing() {
    on_both(|database| async move {
        let world = World::new(&database, spec(), Arc::new(NoFaults)).await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        let facts = world.facts().await;
        world.org.stop();
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        let problem = run.problem.expect("it says why");
        assert_eq!(problem.code, "salesforce.no_connection");
        assert!(problem.fix.contains("port 443"), "{problem:?}");
        let mut other = worked_example::org2(worked_example::T0_MS);
        other.apps = spec().apps;
        other.apps[0].run_as = worked_example::org2(worked_example::T0_MS).apps[0]
            .run_as
            .clone();
        let world = world.moved_to(other).await;
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(
            run.problem.expect("it says why").code,
            "sync.other_organization"
        );
        assert_eq!(world.facts().await, facts);
    })
    .await;
}

fn health(profile: &profiles::ProfileView) -> &str {
    &profile
        .credential
        .as_ref()
        .expect("it has a credential")
        .health
}

async fn profile(world: &World) -> profiles::ProfileView {
    profiles::get(&world.host, &world.ana, &world.profile)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a11_a_revoked_token_stops_the_run_without_a_storm_and_asks_for_a_person() {
    on_both(|database| async move {
        let world = World::connected(&database, spec(), Arc::new(NoFaults), "refresh-token").await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        let facts = world.facts().await;
        let control = world.org.control();
        let asked = control.requests("POST token");
        let _nothing = control.call("POST", "tokens/revoke", &Value::Null);
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(
            run.problem.expect("it says why").code,
            "salesforce.refresh_token_dead"
        );
        assert_eq!(control.requests("POST token") - asked, 1, "asked once");
        let profile = profile(&world).await;
        assert_eq!(health(&profile), "needs_sign_in");
        assert!(profile.attention.iter().any(|word| word == "needs_sign_in"));
        assert_eq!(world.facts().await, facts);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a12_a_token_service_that_is_down_is_waited_for_and_no_reason_to_sign_in_again() {
    on_both(|database| async move {
        let world = World::new(&database, spec(), Arc::new(NoFaults)).await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        let control = world.org.control();
        expire_tokens(&world);
        faults(&world, "token_503=1");
        let asked = control.requests("POST token");
        let back_again = async {
            while control.requests("POST token") < asked + 2 {
                tokio::task::yield_now().await;
            }
            faults(&world, "");
        };
        let (run, ()) = tokio::join!(world.collect(), back_again);
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert!(run.retries >= 2, "{} retries", run.retries);
        assert_eq!(health(&profile(&world).await), "good");

        expire_tokens(&world);
        faults(&world, "token_503=1");
        let asked = control.requests("POST token");
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(
            control.requests("POST token") - asked,
            5,
            "with backoff, and not for ever"
        );
        let profile = profile(&world).await;
        assert_eq!(health(&profile), "good");
        assert!(profile.attention.is_empty(), "{:?}", profile.attention);
    })
    .await;
}

/// With rotation a refresh token is good once; using it again costs the whole grant at the vendor.
fn rotating() -> OrgSpec {
    let mut spec = spec();
    spec.apps[0].rotation = true;
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_a_rotated_token_is_stored_before_it_is_used() {
    on_both(|database| async move {
        let world =
            World::connected(&database, rotating(), Arc::new(NoFaults), "refresh-token").await;
        for calls in [6, 11, 14] {
            // Sessions that die while several calls wait: one refresh each, each with the newest token.
            faults(&world, &format!("expire_after={calls}"));
            let run = world.collect().await;
            assert_eq!(run.state, RunState::Complete, "{calls}: {:?}", run.problem);
        }
        faults(&world, "");
        let world = world.restarted(Arc::new(NoFaults)).await;
        expire_tokens(&world);
        let run = world.collect().await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!(health(&profile(&world).await), "good");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a14_two_hosts_that_need_a_new_token_at_once_refresh_once_and_the_grant_lives() {
    on_both(|database| async move {
        let world =
            World::connected(&database, rotating(), Arc::new(NoFaults), "refresh-token").await;
        let second = world.second_host().await;
        let control = world.org.control();
        for round in 0..5 {
            expire_tokens(&world);
            let asked = control.requests("POST token");
            let (one, other) = tokio::join!(
                profiles::check(&world.host, &world.ana, &world.profile),
                profiles::check(&second, &world.ana, &world.profile),
            );
            for checks in [one.unwrap(), other.unwrap()] {
                assert!(
                    checks
                        .iter()
                        .all(|check| check.verdict != "fail" || !check.is_mandatory),
                    "round {round}: {checks:?}"
                );
            }
            assert_eq!(control.requests("POST token") - asked, 1, "round {round}");
        }
        assert_eq!(health(&profile(&world).await), "good");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_a_kill_between_answer_and_store_asks_for_a_person_and_never_loops() {
    on_both(|database| async move {
        let start = |faults: Arc<FaultAt>| {
            let database = Database::new(database.engine);
            async move { World::connected(&database, rotating(), faults, "refresh-token").await }
        };
        let counted = Arc::new(FaultAt::new(0, Mode::Dies));
        let undisturbed = start(counted.clone()).await;
        expire_tokens(&undisturbed);
        counted.arm();
        undisturbed.run_due_jobs().await;
        counted.disarm();
        let expected = undisturbed.facts().await;

        let mut lost = 0;
        for n in 1..=counted.count() {
            let faults = Arc::new(FaultAt::new(n, Mode::Dies));
            let world = start(faults.clone()).await;
            expire_tokens(&world);
            let control = world.org.control();
            let asked = control.requests("POST token");
            faults.arm();
            tokio::select! {
                () = world.run_due_jobs() => {}
                () = faults.wait() => {}
            }
            let world = world.restarted(Arc::new(NoFaults)).await;
            for _ in 0..5 {
                world.run_due_jobs().await;
                world.advance(60_000);
            }
            let run = world.runs().await.remove(0);
            let asked = control.requests("POST token") - asked;
            let at = faults.struck_at();
            match run.state {
                RunState::Complete => {
                    assert_eq!(world.facts().await, expected, "step {n} ({at:?})")
                }
                _ => {
                    lost += 1;
                    let problem = run.problem.expect("it says why");
                    assert_eq!(
                        problem.code, "salesforce.refresh_token_dead",
                        "step {n} ({at:?})"
                    );
                    assert_eq!(health(&profile(&world).await), "needs_sign_in");
                }
            }
            assert!(asked <= 2, "step {n} ({at:?}): {asked} refreshes");
        }
        assert!((1..=3).contains(&lost), "lost at {lost} steps");
    })
    .await;
}
