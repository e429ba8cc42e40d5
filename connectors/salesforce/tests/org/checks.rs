//! Every check against a running org, with all rights and with each right missing.

use std::collections::BTreeMap;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector,
    connection::{CheckResult, Verdict},
};
use seatwise_practice_org_salesforce::{
    Rights,
    worked_example::{self, T0_MS},
};

use crate::link::Link;

fn results(rights: Rights) -> BTreeMap<String, CheckResult> {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS);
    link.control().set_rights(rights);
    let results = Salesforce::checks(&link.call())
        .into_iter()
        .map(|info| {
            let result = Salesforce::check(&link.call(), &info.id).unwrap();
            (info.id, result)
        })
        .collect();
    assert!(link.control().writes().is_empty(), "a check wrote");
    results
}

fn failed(results: &BTreeMap<String, CheckResult>) -> Vec<&str> {
    results
        .iter()
        .filter(|(_, result)| result.verdict == Verdict::Fail)
        .map(|(id, _)| id.as_str())
        .collect()
}

#[test]
fn with_every_right_no_check_fails_and_each_says_what_it_read() {
    let results = results(Rights::all());
    assert_eq!(failed(&results), Vec::<&str>::new(), "{results:?}");
    for (id, result) in &results {
        assert!(!result.evidence.is_empty(), "{id}");
        assert_eq!(
            result.fix.is_some(),
            result.verdict == Verdict::Warn,
            "{id}: {result:?}"
        );
    }
    assert_eq!(results["all-users"].verdict, Verdict::Pass);
    assert_eq!(results["view-setup"].verdict, Verdict::Pass);
}

#[test]
fn each_missing_right_fails_the_checks_that_prove_it_and_names_it() {
    for (rights, expected, right) in [
        (
            Rights {
                view_setup: false,
                ..Rights::all()
            },
            "view-setup",
            "View Setup and Configuration",
        ),
        (
            Rights {
                manage_users: false,
                ..Rights::all()
            },
            "reclaim-right",
            "Manage Users",
        ),
        (
            Rights {
                view_all_users: false,
                ..Rights::all()
            },
            "all-users",
            "View All Users",
        ),
        (
            Rights {
                api_enabled: false,
                ..Rights::all()
            },
            "organization",
            "API Enabled",
        ),
    ] {
        let results = results(rights);
        let failed = failed(&results);
        assert!(failed.contains(&expected), "{right}: {failed:?}");
        for id in failed {
            let fix = results[id].fix.as_deref().unwrap_or_default();
            assert!(fix.contains(right), "{id} without {right}: {fix}");
        }
    }
}
