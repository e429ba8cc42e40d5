//! Downloading: what arrives is what the org holds, through every fault.

use std::collections::{BTreeMap, BTreeSet};

use seatwise_practice_org_salesforce::worked_example::{self, T0_MS};
use seatwise_practice_org_salesforce::{Crowd, Faults, OrgSpec, Rights};
use seatwise_runtime::CallError;
use seatwise_runtime::contract::connection::{Environment, Verdict};
use seatwise_runtime::contract::subscriptions::{AccountKind, Fact, LastActivity};
use seatwise_runtime::contract::types::FailureKind;

use crate::link::Link;

fn crowd(users: u64) -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Crowd", "crowd.my.salesforce.com");
    spec.crowd = Some(Crowd {
        as_of_ms: Some(T0_MS),
        ..Crowd::new(users, 3)
    });
    spec
}

fn failure(error: CallError) -> (FailureKind, String) {
    match error {
        CallError::Failed(failure) => (failure.kind, failure.code),
        other => panic!("not a failure of the connector: {other}"),
    }
}

#[tokio::test]
async fn identify_reads_the_orgs_own_facts() {
    let link = Link::unidentified(worked_example::org1(T0_MS), T0_MS).await;
    let org = link
        .component
        .identify(&link.call, &link.ctx)
        .await
        .unwrap();
    assert_eq!(
        (org.name.as_str(), org.environment),
        ("SFDC Org1", Environment::Production)
    );
    assert!(org.id.starts_with("00D5g0000000001"));
    assert_eq!(org.edition.as_deref(), Some("Enterprise Edition"));
    assert!(!org.memo.is_empty() && org.memo.len() <= 16 * 1024);
}

#[tokio::test]
async fn the_worked_example_arrives_whole() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let got = link.download().await.unwrap();
    let accounts: BTreeMap<_, _> = got
        .accounts
        .iter()
        .map(|a| (a.principal.as_str(), a))
        .collect();
    assert_eq!(accounts.len(), 14);
    assert_eq!(
        accounts["fay@example.com"].last_activity,
        LastActivity::Never
    );
    assert!(
        matches!(accounts["cy@example.com"].last_activity, LastActivity::At(at) if at / 86_400_000 == T0_MS / 86_400_000 - 60)
    );
    assert!(!accounts["jon@example.com"].active);
    assert_eq!(accounts["cy@example.com"].kind, AccountKind::Person);
    assert_eq!(
        accounts["seatwise@integration.example.com"].kind,
        AccountKind::Service
    );
    let sales: BTreeSet<_> = got
        .assignments
        .iter()
        .filter(|a| a.identifier == "SFDC")
        .map(|a| a.account.as_str())
        .collect();
    assert_eq!(
        sales
            .iter()
            .filter(|id| got.accounts.iter().any(|a| a.id == **id && a.active))
            .count(),
        10
    );
    let ivy = accounts["ivy@example.com"].id.as_str();
    assert!(
        got.facts
            .iter()
            .any(|fact| fact.account == ivy && fact.fact == Fact::Frozen(true))
    );
}

#[tokio::test]
async fn pools_are_the_vendors_own_count() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    let page = link
        .component
        .download_consumption(&link.call, &link.ctx, None)
        .await
        .unwrap();
    let sales = page
        .pools
        .iter()
        .find(|pool| pool.identifier == "SFDC")
        .unwrap();
    assert_eq!((sales.owned, sales.used), (Some(12), Some(10)));
}

#[tokio::test]
async fn a_large_org_is_read_once_and_whole() {
    let link = Link::to(crowd(9_000), T0_MS).await;
    let got = link.download().await.unwrap();
    let ids: BTreeSet<_> = got.accounts.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(
        (ids.len(), got.accounts.len(), got.expected),
        (9_001, 9_001, Some(9_001))
    );
}

#[tokio::test]
async fn a18_an_expired_cursor_goes_on_by_key_without_doubles() {
    let link = Link::to(crowd(9_000), T0_MS).await;
    link.control()
        .set_faults(Faults::parse("cursor_expire_after=2").unwrap());
    let got = link.download().await.unwrap();
    let ids: BTreeSet<_> = got.accounts.iter().map(|a| a.id.as_str()).collect();
    assert_eq!((ids.len(), got.accounts.len()), (9_001, 9_001));
}

#[tokio::test]
async fn a10_a_token_that_dies_in_mid_run_is_renewed_once_and_the_page_repeated() {
    let link = Link::to(crowd(9_000), T0_MS).await;
    let before = link.tokens.asked();
    let _nothing = link
        .control()
        .call("POST", "tokens/expire", &serde_json::Value::Null);
    let got = link.download().await.unwrap();
    assert_eq!(
        (got.accounts.len(), link.tokens.asked()),
        (9_001, before + 1)
    );
}

#[tokio::test]
async fn a19_a_locator_that_points_to_itself_is_found() {
    let link = Link::to(crowd(9_000), T0_MS).await;
    link.control()
        .set_faults(Faults::parse("loop_next=1").unwrap());
    let (kind, code) = failure(link.download().await.map(|_| ()).unwrap_err());
    assert_eq!(
        (kind, code.as_str()),
        (FailureKind::Malformed, "repeated_locator")
    );
}

#[tokio::test]
async fn a20_a_locator_elsewhere_is_refused_and_nothing_leaves() {
    let link = Link::to(crowd(9_000), T0_MS).await;
    link.control()
        .set_faults(Faults::parse("evil_next=http://169.254.169.254/latest/meta-data").unwrap());
    let (kind, code) = failure(link.download().await.map(|_| ()).unwrap_err());
    assert_eq!(
        (kind, code.as_str()),
        (FailureKind::Malformed, "foreign_locator")
    );
}

#[tokio::test]
async fn each_way_of_failing_has_its_own_kind() {
    let cases = [
        ("rate_503=1000", FailureKind::Transient),
        ("rate_500=1000", FailureKind::Transient),
        ("rate_429=1000", FailureKind::RateLimited),
        ("drop_every=1", FailureKind::Transient),
        ("truncate_every=1", FailureKind::Transient),
        ("malformed_every=1", FailureKind::Malformed),
        ("html_every=1", FailureKind::Transient),
        ("limit_after=1", FailureKind::Quota),
    ];
    for (spec, expected) in cases {
        let link = Link::to(crowd(3_000), T0_MS).await;
        link.control().set_faults(Faults::parse(spec).unwrap());
        let (kind, code) = failure(link.download().await.map(|_| ()).unwrap_err());
        assert_eq!(kind, expected, "{spec}: {code}");
    }
}

#[tokio::test]
async fn a_missing_right_is_a_permission_and_frozen_is_then_unknown() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    link.control().set_rights(Rights {
        manage_users: false,
        ..Rights::all()
    });
    let got = link.download().await.unwrap();
    assert!(!got.accounts.is_empty());
    assert!(
        !got.facts
            .iter()
            .any(|fact| matches!(fact.fact, Fact::Frozen(_)))
    );
    link.control().set_rights(Rights {
        api_enabled: false,
        ..Rights::all()
    });
    let (kind, code) = failure(link.download().await.map(|_| ()).unwrap_err());
    assert!(
        matches!(kind, FailureKind::Permission | FailureKind::Auth),
        "{kind:?} {code}"
    );
}

#[tokio::test]
async fn checks_tell_which_right_is_missing_and_who_can_give_it() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS).await;
    for info in link.component.checks(&link.call, &link.ctx).await.unwrap() {
        let result = link
            .component
            .check(&link.call, &link.ctx, &info.id)
            .await
            .unwrap();
        assert!(
            matches!(
                result.verdict,
                Verdict::Pass | Verdict::Warn | Verdict::Skipped
            ),
            "{}: {result:?}",
            info.id
        );
    }
    link.control().set_rights(Rights {
        manage_users: false,
        ..Rights::all()
    });
    let mut failed = 0;
    for info in link.component.checks(&link.call, &link.ctx).await.unwrap() {
        let result = link
            .component
            .check(&link.call, &link.ctx, &info.id)
            .await
            .unwrap();
        if result.verdict == Verdict::Fail {
            failed += 1;
            assert!(
                result.fix.is_some_and(|fix| fix.contains("Manage Users")),
                "{}",
                info.id
            );
        }
    }
    assert!(failed > 0, "nothing noticed that Manage Users is gone");
    assert!(link.control().writes().is_empty(), "a check wrote");
}
