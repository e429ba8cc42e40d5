//! Planning, sending, judging, observing and restoring: the host's part is played by the test, with the real requests.

use seatwise_practice_org_salesforce::Faults;
use seatwise_practice_org_salesforce::worked_example::{self, T0_MS};
use seatwise_runtime::Acted;
use seatwise_runtime::contract::reclaim::{Judgement, Plan, State, Target};

use crate::link::Link;

fn id(name: &str) -> String {
    worked_example::org1(T0_MS).user_id_of(name).unwrap()
}

fn target(name: &str, action: &str) -> Target {
    Target {
        account: id(name),
        identifier: "SFDC".to_owned(),
        action: action.to_owned(),
        to: None,
    }
}

async fn plan(link: &Link, target: &Target) -> Plan {
    let mut plans = link
        .component
        .plan_reclaim(&link.call, &link.ctx, std::slice::from_ref(target))
        .await
        .unwrap();
    plans.remove(0).unwrap()
}

/// Sends every step of a plan as the host would, once, and gives the last judgement.
async fn carry_out(link: &Link, plan: &Plan) -> Judgement {
    let mut last = Judgement::AlreadyDone;
    for step in &plan.steps {
        let Acted::Answered(response) = link.egress.act(step).await else {
            return Judgement::Unknown;
        };
        last = link
            .component
            .judge(&link.call, &link.ctx, step, &response)
            .await
            .unwrap()
            .judgement;
    }
    last
}

async fn observe(link: &Link, target: &Target) -> State {
    link.component
        .observe(&link.call, &link.ctx, std::slice::from_ref(target))
        .await
        .unwrap()[0]
        .state
}

#[tokio::test]
async fn planning_writes_nothing_and_names_what_it_frees() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let plan = plan(&link, &target("dee@example.com", "deactivate")).await;
    assert!(plan.blockers.is_empty(), "{:?}", plan.blockers);
    assert_eq!(
        (plan.frees.as_slice(), plan.steps.len()),
        (["SFDC".to_owned()].as_slice(), 1)
    );
    assert!(
        !plan.unchecked.is_empty(),
        "what no query shows must be said"
    );
    assert!(plan.before.is_some());
    assert!(link.control().writes().is_empty());
}

#[tokio::test]
async fn equal_facts_give_equal_bytes() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let target = target("dee@example.com", "deactivate");
    assert_eq!(plan(&link, &target).await, plan(&link, &target).await);
}

#[tokio::test]
async fn a_seat_is_taken_back_once_and_given_back_whole() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let target = target("dee@example.com", "deactivate");
    let plan = plan(&link, &target).await;
    assert_eq!(observe(&link, &target).await, State::Untouched);
    assert_eq!(carry_out(&link, &plan).await, Judgement::Done);
    assert_eq!(
        (
            link.control().used_licences("SFDC"),
            link.control().write_count(&target.account)
        ),
        (Some(9), 1)
    );
    assert_eq!(observe(&link, &target).await, State::Reclaimed);
    let restore = link
        .component
        .plan_restore(&link.call, &link.ctx, &target, &plan.before.unwrap())
        .await
        .unwrap();
    assert!(restore.blockers.is_empty(), "{:?}", restore.blockers);
    assert_eq!(carry_out(&link, &restore).await, Judgement::Done);
    assert_eq!(link.control().used_licences("SFDC"), Some(10));
    assert_eq!(observe(&link, &target).await, State::Untouched);
}

#[tokio::test]
async fn freezing_keeps_the_seat() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let target = target("dee@example.com", "freeze");
    let plan = plan(&link, &target).await;
    assert!(plan.frees.is_empty());
    assert_eq!(carry_out(&link, &plan).await, Judgement::Done);
    assert_eq!(link.control().used_licences("SFDC"), Some(10));
    assert_eq!(observe(&link, &target).await, State::Reclaimed);
}

#[tokio::test]
async fn the_vendors_refusal_is_kept_word_for_word() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let plan = plan(&link, &target("fay@example.com", "deactivate")).await;
    assert!(
        plan.blockers.is_empty(),
        "no query shows a default case owner: {:?}",
        plan.blockers
    );
    let Acted::Answered(response) = link.egress.act(&plan.steps[0]).await else {
        panic!("answered")
    };
    let verdict = link
        .component
        .judge(&link.call, &link.ctx, &plan.steps[0], &response)
        .await
        .unwrap();
    assert_eq!(verdict.judgement, Judgement::Refused);
    let detail = verdict.detail.unwrap();
    assert_eq!(detail.code, "FIELD_INTEGRITY_EXCEPTION");
    assert!(detail.message.contains("case owner"), "{}", detail.message);
}

#[tokio::test]
async fn b10_the_connecting_user_is_never_offered() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let own = worked_example::org1(T0_MS).user_id(1);
    let target = Target {
        account: own,
        identifier: "SALESFORCE_INTEGRATION_USER".to_owned(),
        action: "deactivate".to_owned(),
        to: None,
    };
    let plan = plan(&link, &target).await;
    assert!(
        plan.blockers.iter().any(|blocker| blocker.code == "self"),
        "{:?}",
        plan.blockers
    );
    assert!(plan.steps.is_empty() || !plan.blockers.is_empty());
}

#[tokio::test]
async fn b6_a_lost_reply_is_unknown_and_observation_tells() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let target = target("dee@example.com", "deactivate");
    let plan = plan(&link, &target).await;
    link.control()
        .set_faults(Faults::parse("lose_write_reply_every=1").unwrap());
    assert!(matches!(
        link.egress.act(&plan.steps[0]).await,
        Acted::Unknown(_)
    ));
    assert_eq!(observe(&link, &target).await, State::Reclaimed);
    assert_eq!(link.control().write_count(&target.account), 1);
}

#[tokio::test]
async fn a_locked_row_is_tried_again_later() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let plan = plan(&link, &target("dee@example.com", "deactivate")).await;
    link.control()
        .set_faults(Faults::parse("patch_fail_every=1").unwrap());
    assert_eq!(carry_out(&link, &plan).await, Judgement::RetryLater);
    assert!(link.control().writes().is_empty());
}

#[tokio::test]
async fn fresh_facts_show_a_login_since_the_download() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let dee = id("dee@example.com");
    let _row = link.control().call(
        "POST",
        &format!("users/{dee}/login"),
        &serde_json::json!({"at_ms": T0_MS + 1_000}),
    );
    let page = link
        .component
        .lookup_accounts(&link.call, &link.ctx, std::slice::from_ref(&dee))
        .await
        .unwrap();
    assert_eq!(
        page.accounts[0].last_activity,
        seatwise_runtime::contract::subscriptions::LastActivity::At(T0_MS + 1_000)
    );
}
