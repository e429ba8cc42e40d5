//! A whole download of a running org.

use std::collections::BTreeSet;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{Connector, FailureKind};
use seatwise_practice_org_salesforce::{
    Crowd, Faults, OrgSpec, Rights,
    worked_example::{self, T0_MS},
};

use crate::link::Link;

/// A made-up org of some thousand users.
pub fn crowd(users: u64) -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Crowd", "crowd.my.salesforce.com");
    spec.crowd = Some(Crowd {
        as_of_ms: Some(T0_MS),
        ..Crowd::new(users, 3)
    });
    spec
}

#[test]
fn a_large_org_is_read_once_and_whole() {
    let link = Link::to(crowd(5_000), T0_MS);
    let got = link.download(None).unwrap();
    let ids: BTreeSet<_> = got.accounts.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(
        (ids.len(), got.accounts.len(), got.expected),
        (5_001, 5_001, Some(5_001))
    );
}

#[test]
fn a18_an_expired_cursor_goes_on_by_key_without_doubles() {
    let link = Link::to(crowd(7_000), T0_MS);
    link.control()
        .set_faults(Faults::parse("cursor_expire_after=2").unwrap());
    let got = link.download(None).unwrap();
    let ids: BTreeSet<_> = got.accounts.iter().map(|a| a.id.as_str()).collect();
    assert_eq!((ids.len(), got.accounts.len()), (7_001, 7_001));
}

#[test]
fn the_pools_are_what_the_vendor_counts() {
    let link = Link::to(worked_example::org1(T0_MS), T0_MS);
    let pools = link.pools().unwrap();
    let sales = pools.iter().find(|pool| pool.identifier == "SFDC").unwrap();
    let used = u64::try_from(link.control().used_licences("SFDC").unwrap()).unwrap();
    assert_eq!((sales.owned, sales.used), (Some(12), Some(used)));
}

#[test]
fn without_manage_users_the_rest_is_read_and_nobody_is_called_frozen() {
    let mut link = Link::unidentified(worked_example::org1(T0_MS), T0_MS);
    link.control().set_rights(Rights {
        manage_users: false,
        ..Rights::all()
    });
    link.identify();
    let got = link.download(None).unwrap();
    assert_eq!(got.accounts.len(), 14);
    assert!(got.facts.is_empty());
}

#[test]
fn without_view_setup_the_download_fails_as_a_missing_right_and_ends_no_licence() {
    let mut link = Link::unidentified(worked_example::org1(T0_MS), T0_MS);
    link.control().set_rights(Rights {
        view_setup: false,
        ..Rights::all()
    });
    link.identify();
    let failure = link.download(None).map(|_| ()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permission, "{failure:?}");
    let failure = link.pools().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permission, "{failure:?}");
}

#[test]
fn each_way_of_failing_has_its_own_kind() {
    for (fault, expected) in [
        ("rate_503=1000", FailureKind::Transient),
        ("rate_500=1000", FailureKind::Transient),
        ("rate_429=1000", FailureKind::RateLimited),
        ("truncate_every=1", FailureKind::Transient),
        ("malformed_every=1", FailureKind::Malformed),
        ("html_every=1", FailureKind::Transient),
        ("limit_after=1", FailureKind::Quota),
    ] {
        let link = Link::to(crowd(3_000), T0_MS);
        link.control().set_faults(Faults::parse(fault).unwrap());
        let outline = Salesforce::begin_subscriptions(&link.call(), None);
        let failure = match outline {
            Err(failure) => failure,
            Ok(outline) => {
                let chains = outline.chains.iter();
                chains
                    .map(|at| Salesforce::download_subscriptions(&link.call(), at))
                    .find_map(Result::err)
                    .unwrap()
            }
        };
        assert_eq!(failure.kind, expected, "{fault}: {}", failure.code);
    }
}

/// The budget is shared with every other app of the org, so what a run costs is no accident.
#[test]
fn a_run_of_4_101_users_costs_21_calls_and_the_first_two_more() {
    const KINDS: [&str; 5] = [
        "GET describe",
        "GET query",
        "GET queryMore",
        "GET userinfo",
        "GET other",
    ];
    let mut link = Link::to(crowd(4_100), T0_MS);
    let asked = |link: &Link| {
        let (_, requests) = link
            .control()
            .call("GET", "requests", &serde_json::Value::Null);
        KINDS.map(|kind| requests[kind].as_u64().unwrap_or(0))
    };
    let first = asked(&link);
    link.identify();
    let second = asked(&link);
    let got = link.download(None).unwrap();
    link.pools().unwrap();
    assert_eq!(got.accounts.len(), 4_101);
    let all = asked(&link);
    // Two objects; API-only users, the org, two counts, a first page of users, the clouds, the frozen, two kinds of holders,
    // six kinds of pools and user licences once more without monthly logins; two more pages; userinfo; the versions, which
    // are free.
    let run: Vec<u64> = all
        .iter()
        .zip(first)
        .map(|(all, first)| all - first)
        .collect();
    assert_eq!(run, [2, 16, 2, 1, 1]);
    // The first `identify` tries which kinds of licence are shown; what is known is not asked again.
    let again: Vec<u64> = second
        .iter()
        .zip(first)
        .map(|(all, first)| all - first)
        .collect();
    assert_eq!((first[1], again[1]), (5, 3));
}

/// The bench compares other clients with this connector, so all must read the same.
#[test]
fn the_bench_reads_the_columns_that_the_connector_reads() {
    let link = Link::to(crowd(10), T0_MS);
    link.download(None).unwrap();
    let asked = link.asked.borrow();
    let users = asked
        .iter()
        .find(|path| path.ends_with(" FROM User ORDER BY Id"))
        .unwrap();
    let columns = users.split("q=SELECT ").nth(1).unwrap();
    let columns = columns.strip_suffix(" FROM User ORDER BY Id").unwrap();
    let bench = include_str!("../../../../tests/bench/run");
    let listed = bench.split("COLUMNS = (").nth(1).unwrap();
    let listed: String = listed
        .split("\n)")
        .next()
        .unwrap()
        .split('"')
        .skip(1)
        .step_by(2)
        .collect();
    assert_eq!(listed, columns);
}
