//! From an approved list to the vendor and back: what holds, what is looked at again, what is sent, and what is kept of it.

use std::sync::Arc;

use seatwise::jobs;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::profiles::model::WriteMode;
use seatwise::profiles::service as profiles;
use seatwise::reclamation::candidate::State;
use seatwise::reclamation::rule::{Edit, Limits};
use seatwise::reclamation::{act, actions, candidates, controls, rules};
use seatwise_practice_org_salesforce::{Faults, Rights};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::{Database, expire_leases, on_both};

/// All that were ready are approved, and nobody has answered in time.
async fn silent(database: &Database) -> Company {
    let company = Company::new(database, Contract::Shared, Arc::new(NoFaults)).await;
    company.approve_rule().await;
    company.approve_all().await;
    company.silence().await;
    company
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_looks_at_everything_and_sends_nothing_until_ana_goes_live() {
    on_both(|database| async move {
        let company = silent(&database).await;
        for name in ["cy", "dee", "ivy", "lou"] {
            let held = company.candidate(name).await;
            assert_eq!(held.state, State::Held, "{name}");
            assert_eq!(held.reason_code.as_deref(), Some("write_mode"), "{name}");
            assert!(
                held.reason_text.unwrap().contains("nothing was sent"),
                "{name}"
            );
        }
        assert_eq!(company.writes(), 0);
        assert_eq!(company.count("select count(*) from action_steps").await, 0);
        company.go_live().await;
        assert_eq!(
            company.states(&["cy", "dee", "ivy", "lou"]).await,
            [State::Reclaimed; 4]
        );
        assert_eq!(company.writes(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_live_is_refused_while_the_right_to_reclaim_is_missing() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let control = company.orgs[0].control();
        control.set_rights(Rights {
            manage_users: false,
            ..Rights::all()
        });
        let refused = profiles::set_write_mode(
            &company.host,
            &company.ana,
            &company.profiles[0],
            WriteMode::Live,
        )
        .await;
        assert!(refused.unwrap_err().to_string().contains("did not pass"));
        control.set_rights(Rights::all());
        profiles::set_write_mode(
            &company.host,
            &company.ana,
            &company.profiles[0],
            WriteMode::Live,
        )
        .await
        .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stop_switch_and_a_freeze_day_hold_what_is_live_and_let_it_go_again() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana) = (&company.host, &company.ana);
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        controls::stop_reclaims(host, ana, "quarter end")
            .await
            .unwrap();
        company.silence().await;
        assert_eq!(
            company.candidate("dee").await.reason_code.as_deref(),
            Some("stopped")
        );
        let today = seatwise::kernel::Day::of_ms(host.now_ms()).to_string();
        controls::set_freeze_days(host, ana, &[today], "release day")
            .await
            .unwrap();
        controls::start_reclaims(host, ana, "over").await.unwrap();
        company.work().await;
        assert_eq!(company.states(&["dee"]).await, [State::Held]);
        assert_eq!(company.writes(), 0);
        company.advance(DAY_MS);
        company.work().await;
        assert_eq!(company.states(&["dee"]).await, [State::Reclaimed]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_day_holds_the_rest_until_the_next_one() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let limits = Limits { per_run: 100, per_day: 1, percent_of_org: 100 };
        let edit = Edit { limits: Some(limits), ..Edit::default() };
        rules::edit_rule(&company.host, &company.ana, &company.rule().await.number, &edit).await.unwrap();
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.silence().await;
        // One in each org.
        assert_eq!(company.writes(), 2);
        let held = "select count(*) from candidates where state = 'held' and reason_code = 'limit_per_day'";
        assert!(company.count(held).await >= 2);
        company.advance(DAY_MS);
        company.work().await;
        assert_eq!(company.writes(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_one_sweep_holds_the_rest_until_the_next_one() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let limits = Limits {
            per_run: 1,
            per_day: 100,
            percent_of_org: 100,
        };
        let edit = Edit {
            limits: Some(limits),
            ..Edit::default()
        };
        rules::edit_rule(
            &company.host,
            &company.ana,
            &company.rule().await.number,
            &edit,
        )
        .await
        .unwrap();
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.silence().await;
        // One in each org, whatever the vendor said; Org2 has no second one.
        let tried = "select count(distinct action_id) from action_steps";
        assert_eq!(company.count(tried).await, 2);
        let held = "select count(*) from candidates where state = 'held' and reason_code = 'limit_per_run'";
        assert!(company.count(held).await >= 2);
        company.advance(DAY_MS);
        company.work().await;
        assert_eq!(company.count(tried).await, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_the_vendor_postponed_is_not_sent_before_its_time() {
    on_both(|database| async move {
        let company = silent(&database).await;
        let locked = Faults::parse("patch_fail_every=1").unwrap();
        company.orgs[1].control().set_faults(locked);
        company.go_live().await;
        let lou = company.candidate("lou").await;
        assert_eq!(
            (lou.state, lou.reason_code.as_deref()),
            (State::AwaitingRevocation, Some("retry_later"))
        );
        let sent = "select count(*) from action_steps s join actions a on a.id = s.action_id \
             where s.judgement = 'retry_later'";
        assert_eq!(company.count(sent).await, 1);
        company.orgs[1].control().set_faults(Faults::default());
        // A whole sweep before its time leaves it alone.
        company.work().await;
        assert_eq!(company.writes_to(1, "lou"), 0);
        company.advance(HOUR_MS);
        company.work().await;
        assert_eq!(company.states(&["lou"]).await, [State::Reclaimed]);
        assert_eq!(company.writes_to(1, "lou"), 1);
        assert_eq!(company.count(sent).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_an_org_is_never_exceeded() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let limits = Limits {
            per_run: 100,
            per_day: 100,
            percent_of_org: 20,
        };
        let edit = Edit {
            limits: Some(limits),
            ..Edit::default()
        };
        rules::edit_rule(
            &company.host,
            &company.ana,
            &company.rule().await.number,
            &edit,
        )
        .await
        .unwrap();
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.silence().await;
        // Two of ten in Org1; one of three in Org2 would be a third.
        assert_eq!(company.orgs[0].control().writes().len(), 2);
        assert_eq!(company.orgs[1].control().writes().len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_a_lost_answer_is_observed_and_never_sent_twice() {
    on_both(|database| async move {
        let company = silent(&database).await;
        let faults = Faults::parse("lose_write_reply_every=1").unwrap();
        company.orgs[1].control().set_faults(faults);
        company.go_live().await;
        assert_eq!(company.states(&["lou"]).await, [State::Reclaimed]);
        assert_eq!(company.writes_to(1, "lou"), 1);
        let lou = company.candidate("lou").await;
        let history = candidates::get_candidate(&company.host, &company.ben, &lou.number)
            .await
            .unwrap()
            .events;
        let words: Vec<&str> = history.iter().map(|e| e.event.as_str()).collect();
        assert!(
            words.ends_with(&["begun", "answer_lost", "observed_reclaimed"]),
            "{words:?}"
        );
        let action = actions::get_action(&company.host, &company.ben, &lou.action_number.unwrap())
            .await
            .unwrap();
        assert_eq!(action.state, "done");
        assert!(action.receipt.unwrap()["observed"].is_string());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b4_a_refusal_keeps_the_vendors_words_and_the_others_go_on() {
    on_both(|database| async move {
        let company = silent(&database).await;
        company.go_live().await;
        assert_eq!(
            company.states(&["cy", "dee", "fay", "ivy"]).await,
            [
                State::Reclaimed,
                State::Reclaimed,
                State::AttentionRequired,
                State::Reclaimed
            ]
        );
        let fay = company.candidate("fay").await;
        let action = actions::get_action(&company.host, &company.ben, &fay.action_number.unwrap())
            .await
            .unwrap();
        assert_eq!(action.state, "refused");
        assert!(action.error_text.unwrap().contains("default case owner"));
        assert_eq!(action.sent.len(), 1);
        assert_eq!(action.sent[0].judgement.as_deref(), Some("refused"));
        assert!(action.receipt.is_none());
        // Repaired by a person, it takes a new plan and a new approval.
        let repaired = candidates::repair(
            &company.host,
            &company.ana,
            &fay.number,
            "another owner was named",
        )
        .await
        .unwrap();
        assert_eq!(
            (repaired.state, repaired.batch_number),
            (State::Ready, None)
        );
        company.work().await;
        assert!(company.candidate("fay").await.action_number.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b9_whoever_logged_in_after_the_evaluation_is_left_alone() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.advance(HOUR_MS);
        company.login(1, "lou");
        // No download in between: the fresh look right before sending finds it.
        company.pause_schedules().await;
        company.silence().await;
        let lou = company.candidate("lou").await;
        assert_eq!(
            (lou.state, lou.reason_code.as_deref()),
            (State::ClosedCanceled, Some("activity_seen"))
        );
        assert_eq!(company.writes_to(1, "lou"), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_is_too_busy_is_asked_again_only_when_it_said() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        // Whatever is asked of Org2 is answered 503, the look before the request, too.
        company.orgs[1]
            .control()
            .set_faults(Faults::parse("rate_503=1000").unwrap());
        company.silence().await;
        assert_eq!(company.writes_to(1, "lou"), 0);
        assert_ne!(
            company.candidate("lou").await.state,
            State::AttentionRequired
        );
        company.orgs[1].control().set_faults(Faults::default());
        company.advance(HOUR_MS);
        company.work().await;
        assert_eq!(company.states(&["lou"]).await, [State::Reclaimed]);
        assert_eq!(company.writes_to(1, "lou"), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_whoever_somebody_else_reactivates_is_not_named_again_by_itself() {
    on_both(|database| async move {
        let company = silent(&database).await;
        company.go_live().await;
        company.advance(HOUR_MS);
        company.collect().await;
        assert_eq!(company.states(&["lou"]).await, [State::ClosedComplete]);
        let path = format!("users/{}/active", company.vendor_id(1, "lou"));
        let _ = company.orgs[1].control().call(
            "POST",
            &path,
            &serde_json::json!({ "is_active": true }),
        );
        company.advance(HOUR_MS);
        company.collect().await;
        assert_eq!(
            company.states(&["lou"]).await,
            [State::ClosedComplete],
            "no second candidate"
        );
        assert_eq!(
            company
                .count("select count(*) from clock_resets where cause = 'reactivated'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b15_undo_restores_once_however_often_it_is_asked() {
    on_both(|database| async move {
        let company = silent(&database).await;
        company.go_live().await;
        let (host, ana) = (&company.host, &company.ana);
        let lou = company.candidate("lou").await;
        let plan = actions::plan_undo(host, ana, &lou.number).await.unwrap();
        assert!(plan.steps[0].body.as_deref().unwrap().contains("true"));
        let first = actions::undo(host, ana, &lou.number, "mistake")
            .await
            .unwrap();
        let second = actions::undo(host, ana, &lou.number, "mistake")
            .await
            .unwrap();
        assert_eq!(first.number, second.number);
        company.work().await;
        actions::undo(host, ana, &lou.number, "mistake")
            .await
            .unwrap();
        company.work().await;
        assert_eq!(company.states(&["lou"]).await, [State::Undone]);
        assert_eq!(
            company.writes_to(1, "lou"),
            2,
            "one to take, one to give back"
        );
        let used = company.orgs[1].control().used_licences("SFDC");
        assert_eq!(used, Some(3));
        let action = actions::get_action(host, ana, &lou.action_number.unwrap())
            .await
            .unwrap();
        assert_eq!(action.state, "undone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_that_holds_takes_nothing_and_a_release_asks_again() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana) = (&company.host, &company.ana);
        let edit = Edit {
            silence: Some(seatwise::reclamation::rule::Silence::Hold),
            ..Edit::default()
        };
        rules::edit_rule(host, ana, &company.rule().await.number, &edit)
            .await
            .unwrap();
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.silence().await;
        let dee = company.candidate("dee").await;
        assert_eq!(
            (dee.state, dee.reason_code.as_deref()),
            (State::Held, Some("silence"))
        );
        let mails = company
            .count("select count(*) from outbox where kind = 'reclaim_notice'")
            .await;
        candidates::release(host, ana, &dee.number, "ask once more")
            .await
            .unwrap();
        company.work().await;
        assert_eq!(company.states(&["dee"]).await, [State::AwaitingUser]);
        assert_eq!(
            company
                .count("select count(*) from outbox where kind = 'reclaim_notice'")
                .await,
            mails + 1
        );
        company.advance(15 * DAY_MS + MINUTE_MS);
        company.work().await;
        assert_eq!(company.states(&["dee"]).await, [State::Held]);
        assert_eq!(company.writes(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_that_ends_closes_what_it_had_open() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        company.approve_all().await;
        use seatwise::profiles::model::ProfileEvent;
        profiles::change_state(
            &company.host,
            &company.ana,
            &company.profiles[1],
            ProfileEvent::Archive,
        )
        .await
        .unwrap();
        company.work().await;
        assert_eq!(
            company.states(&["lou", "dee"]).await,
            [State::ClosedSkipped, State::AwaitingUser]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b8_a_worker_that_wakes_after_its_work_was_taken_over_sends_nothing() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.pause_schedules().await;
        company.advance(15 * DAY_MS);
        // Two hosts take the same sweep: the first one stalls past its lease before it begins.
        let store = &company.host.store;
        let mut stalled = Vec::new();
        while let Some(job) = jobs::claim(store, company.host.now_ms(), "stalled")
            .await
            .unwrap()
        {
            stalled.push(job);
        }
        stalled.retain(|job| job.kind == jobs::JobKind::Reclaim);
        assert_eq!(stalled.len(), 2, "one sweep an organization");
        expire_leases(store).await;
        company.work().await;
        let writes = company.writes();
        assert_eq!(writes, 4);
        for job in &stalled {
            act::handle(&company.host, job).await;
        }
        assert_eq!(company.writes(), writes);
        let receipts = "select count(*) from actions where receipt is not null";
        assert_eq!(company.count(receipts).await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b5_no_request_carries_more_than_one_person() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        let batch = company.approve_all().await;
        assert_eq!(batch.items.len(), 5);
        for item in &batch.items {
            let [step] = item.plan.steps.as_slice() else {
                panic!("{} is one request", item.principal)
            };
            assert!(step.path.ends_with(&item.account_id), "{}", step.path);
            assert_eq!(step.body.as_deref(), Some(r#"{"IsActive":false}"#));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_every_request_fails_at_the_vendor_nothing_is_done_and_nothing_is_saved() {
    on_both(|database| async move {
        let company = silent(&database).await;
        for org in &company.orgs {
            let faults = Faults::parse("patch_fail_every=1").unwrap();
            org.control().set_faults(faults);
        }
        company.go_live().await;
        let taken = "select count(*) from actions where state = 'done' or receipt is not null";
        assert_eq!(company.count(taken).await, 0);
        let saved = "select count(*) from savings_events";
        assert_eq!(company.count(saved).await, 0);
        for name in ["cy", "dee", "ivy", "lou"] {
            let candidate = company.candidate(name).await;
            assert_ne!(candidate.state, State::Reclaimed, "{name}");
            let history = candidates::get_candidate(&company.host, &company.ben, &candidate.number)
                .await
                .unwrap()
                .events;
            let was_begun = history.iter().any(|e| e.event.as_str() == "begun");
            assert!(was_begun, "{name}: {history:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_finished_before_a_restart_is_not_sent_again() {
    on_both(|database| async move {
        let company = silent(&database).await;
        let [first, second] = [company.profiles[0].clone(), company.profiles[1].clone()];
        profiles::set_write_mode(&company.host, &company.ana, &first, WriteMode::Live)
            .await
            .unwrap();
        company.work().await;
        let finished = company.orgs[0].control().writes().len();
        assert!(finished > 0);
        assert_eq!(company.writes_to(1, "lou"), 0);
        let company = company.restarted(Arc::new(NoFaults)).await;
        profiles::set_write_mode(&company.host, &company.ana, &second, WriteMode::Live)
            .await
            .unwrap();
        company.work().await;
        assert_eq!(company.orgs[0].control().writes().len(), finished);
        assert_eq!(company.writes_to(1, "lou"), 1);
        assert_eq!(company.states(&["cy", "lou"]).await, [State::Reclaimed; 2]);
    })
    .await;
}
