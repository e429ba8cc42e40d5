//! Every licence of everybody in an org that holds each oddity, taken back and given back: whatever a plan blocks or the
//! vendor refuses changes nothing, and whatever is taken comes back.

use std::collections::BTreeMap;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector,
    reclaim::{Judgement, Target},
};
use seatwise_practice_org_salesforce::{showcase::showcase, worked_example::T0_MS};

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

#[test]
fn whatever_is_taken_from_anybody_comes_back_and_whatever_is_refused_changes_nothing() {
    let mut spec = showcase(T0_MS);
    spec.api_limit = 1_000_000;
    let mut link = Link::to(spec, T0_MS);
    let platform = link.query("SELECT Id FROM Profile WHERE Name = 'Standard Platform User'");
    let platform = platform["records"][0]["Id"].as_str().unwrap();
    link.ctx.settings = format!("{{\"downgrade_profiles\":\"SFDC={platform}\"}}");
    let users = link.query("SELECT Id FROM User ORDER BY Id");
    let ids: Vec<String> = users["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Id"].as_str().unwrap().to_owned())
        .collect();
    let page = Salesforce::lookup_accounts(&link.call(), &ids).unwrap();
    let mut undone: BTreeMap<&str, usize> = BTreeMap::new();
    let mut blocked: BTreeMap<String, usize> = BTreeMap::new();
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
