//! Every licence of everybody in an org that holds each oddity, taken back and given back: whatever a plan blocks or the
//! vendor refuses changes nothing, and whatever is taken comes back.

use std::collections::BTreeMap;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector,
    reclaim::{Judgement, Target},
};
use seatwise_practice_org_salesforce::{
    OrgSpec,
    showcase::{generate, showcase},
    worked_example::T0_MS,
};

use crate::{
    link::Link,
    taking_back::{act, holds, plan, restore},
};

fn actions(identifier: &str) -> &'static [&'static str] {
    match identifier.split_once(':') {
        Some(("psl", _)) => &["remove-permission-set-licence"],
        Some(("package", _)) => &["free-package-seat"],
        Some(("feature", _)) => &["feature-off"],
        _ => &["freeze", "deactivate", "downgrade"],
    }
}

/// Holders of `SFDC` are to be moved to Platform.
fn choose_platform(link: &mut Link) {
    let platform = link.query("SELECT Id FROM Profile WHERE Name = 'Standard Platform User'");
    let platform = platform["records"][0]["Id"].as_str().unwrap();
    link.ctx.settings = format!("{{\"downgrade_profiles\":\"SFDC={platform}\"}}");
}

/// What became of every licence of everybody: how often each action was undone, and how often each blocker stopped one.
type Tally = (BTreeMap<&'static str, usize>, BTreeMap<String, usize>);

fn take_and_give_back(mut spec: OrgSpec) -> Tally {
    spec.api_limit = 1_000_000;
    let mut link = Link::to(spec, T0_MS);
    choose_platform(&mut link);
    let users = link.query("SELECT Id FROM User ORDER BY Id");
    let ids: Vec<String> = users["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Id"].as_str().unwrap().to_owned())
        .collect();
    let page = Salesforce::lookup_accounts(&link.call(), &ids).unwrap();
    let (mut undone, mut blocked) = Tally::default();
    for held in &page.assignments {
        for action in actions(&held.identifier) {
            let target = Target {
                account: held.account.clone(),
                identifier: held.identifier.clone(),
                action: (*action).to_owned(),
                to: None,
            };
            let says = format!("{action} {} of {}", held.identifier, held.account);
            let taken = plan(&link, &target);
            if !taken.blockers.is_empty() {
                assert!(taken.steps.is_empty() && taken.frees.is_empty(), "{says}");
                *blocked.entry(taken.blockers[0].code.clone()).or_default() += 1;
                continue;
            }
            let before = holds(&link, &held.account);
            let mut refused = None;
            for (sent, step) in taken.steps.iter().enumerate() {
                let verdict = Salesforce::judge(&link.ctx, step, &link.act(step));
                if verdict.judgement == Judgement::Refused {
                    assert_eq!(sent, 0, "{says}: half of it was taken: {verdict:?}");
                    refused = Some(verdict);
                    break;
                }
                assert!(
                    matches!(verdict.judgement, Judgement::Done | Judgement::AlreadyDone),
                    "{says}: {verdict:?}"
                );
            }
            if refused.is_none() && !taken.steps.is_empty() {
                assert_ne!(holds(&link, &held.account), before, "{says}");
                let back = restore(&link, &target, &taken);
                if let [only] = back.blockers.as_slice() {
                    // As far as the plan said before: what is over does not come back.
                    assert_eq!(only.code, "over", "{says}");
                    assert!(
                        taken
                            .consequences
                            .iter()
                            .any(|it| it.ends_with("an undo cannot give it back")),
                        "{says}: {:?}",
                        taken.consequences
                    );
                    *blocked.entry(only.code.clone()).or_default() += 1;
                    continue;
                }
                act(&link, &back);
                *undone.entry(action).or_default() += 1;
            }
            assert_eq!(holds(&link, &held.account), before, "{says}");
        }
    }
    (undone, blocked)
}

#[test]
fn whatever_is_taken_from_anybody_comes_back_and_whatever_is_refused_changes_nothing() {
    let (undone, blocked) = take_and_give_back(showcase(T0_MS));
    for action in [
        "freeze",
        "deactivate",
        "downgrade",
        "remove-permission-set-licence",
        "free-package-seat",
        "feature-off",
    ] {
        assert!(
            undone.contains_key(action),
            "{action}: {undone:?} {blocked:?}"
        );
    }
    for code in ["service_account", "last_admin", "scheduled_jobs", "over"] {
        assert!(blocked.contains_key(code), "{code}: {blocked:?}");
    }
}

#[test]
fn in_generated_orgs_too_whatever_is_taken_comes_back() {
    for seed in [1, 2] {
        let (undone, blocked) = take_and_give_back(generate(seed, 30, T0_MS));
        for action in ["freeze", "deactivate", "feature-off"] {
            assert!(
                undone.contains_key(action),
                "{seed} {action}: {undone:?} {blocked:?}"
            );
        }
    }
}

/// The host plans many at once and each one alone before it acts, and both must be the same words.
#[test]
fn a_plan_among_many_is_the_plan_alone_and_many_fit_the_hosts_bounds() {
    let mut spec = generate(3, 400, T0_MS);
    spec.api_limit = 1_000_000;
    let mut link = Link::to(spec, T0_MS);
    choose_platform(&mut link);
    let users = link.query("SELECT Id FROM User WHERE IsActive = true ORDER BY Id LIMIT 200");
    let ids: Vec<String> = users["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 200);
    let page = Salesforce::lookup_accounts(&link.call(), &ids).unwrap();
    for action in [
        "deactivate",
        "downgrade",
        "remove-permission-set-licence",
        "free-package-seat",
        "feature-off",
    ] {
        let mut targets: Vec<Target> = page
            .assignments
            .iter()
            .filter(|held| actions(&held.identifier).contains(&action))
            .map(|held| Target {
                account: held.account.clone(),
                identifier: held.identifier.clone(),
                action: action.to_owned(),
                to: None,
            })
            .collect();
        targets.truncate(200);
        assert!(!targets.is_empty(), "{action}");
        let asked = link.control().requests("GET query");
        let plans = Salesforce::plan_reclaim(&link.call(), &targets).unwrap();
        let calls = link.control().requests("GET query") - asked;
        assert!(calls <= 40, "{action}: {calls} calls of 50");
        for (target, among) in targets.iter().zip(&plans).step_by(9) {
            assert_eq!(*among.as_ref().unwrap(), plan(&link, target), "{target:?}");
        }
    }
}
