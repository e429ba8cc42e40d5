//! Login history and edits of a running org, against what the user records say.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{
    activity::{ActivityDay, Kind, Outcome},
    cursor::Writer,
    subscriptions::LastActivity,
};
use seatwise_practice_org_salesforce::{Faults, OrgSpec, Rights, worked_example::T0_MS};

use crate::{link::Link, whole::crowd};

const LOGINS: &str = "{\"activity_source\":\"login_history\"}";
const DAY_MS: i64 = 86_400_000;

fn with_history(users: u64) -> OrgSpec {
    let mut spec = crowd(users);
    spec.logins_per_user = 12;
    if let Some(crowd) = &mut spec.crowd {
        crowd.is_rich = true;
    }
    spec
}

/// Counts by account, day, kind and outcome, whichever pages they came in.
fn sums(days: &[ActivityDay]) -> BTreeMap<(String, String, u8, u8), (u32, i64)> {
    let mut sums = BTreeMap::new();
    for day in days {
        let key = (
            day.account.clone(),
            day.day.clone(),
            day.kind as u8,
            day.outcome as u8,
        );
        let entry = sums.entry(key).or_insert((0, i64::MIN));
        entry.0 += day.count;
        entry.1 = entry.1.max(day.last);
    }
    sums
}

/// The chain that leaves counting to Salesforce, as it is made where there are many logins.
fn by_groups(from: i64, end: i64) -> Vec<u8> {
    chain(0, DAY_MS, from, end)
}

/// The chain that reads row by row, as it is made where there are few logins or they cannot be grouped.
fn by_rows(from: i64, end: i64) -> Vec<u8> {
    chain(1, 7 * DAY_MS, from, end)
}

fn chain(way: u64, widest: i64, from: i64, end: i64) -> Vec<u8> {
    Writer::new(1)
        .number(way)
        .maybe(Some(from))
        .maybe(Some((from + widest).min(end)))
        .maybe(Some(end))
        .maybe(Some(widest))
        .text("")
        .text("")
        .finish()
}

#[test]
fn the_newest_success_of_each_day_leads_up_to_the_last_login_of_the_user_record() {
    let link = Link::with(with_history(300), T0_MS, LOGINS);
    let days = link.activity(0).unwrap();
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for day in days.iter().filter(|day| day.outcome == Outcome::Success) {
        let known = newest.entry(&day.account).or_insert(day.last);
        *known = (*known).max(day.last);
    }
    let got = link.download(None).unwrap();
    let wall = T0_MS - 180 * DAY_MS;
    let mut compared = 0;
    for account in &got.accounts {
        match account.last_activity {
            LastActivity::At(at) if at >= wall && at < T0_MS / 1000 * 1000 => {
                assert_eq!(newest.get(account.id.as_str()), Some(&at), "{}", account.id);
                compared += 1;
            }
            LastActivity::Never => assert!(!newest.contains_key(account.id.as_str())),
            _ => {}
        }
    }
    assert!(compared > 150, "{compared}");
    for kind in [Kind::Interactive, Kind::Api] {
        assert!(days.iter().any(|day| day.kind == kind), "{kind:?}");
    }
    assert!(days.iter().any(|day| day.outcome == Outcome::Failed));
    assert!(days.iter().all(|day| day.kind != Kind::Other));
}

#[test]
fn counted_and_read_row_by_row_it_is_the_same_also_through_timeouts() {
    let from = T0_MS.div_euclid(DAY_MS) * DAY_MS - 20 * DAY_MS;
    let link = Link::with(with_history(400), T0_MS, LOGINS);
    let end = T0_MS / 1000 * 1000;
    let counted = sums(&link.follow_activity(vec![by_groups(from, end)]).unwrap());
    assert!(counted.len() > 300);
    assert_eq!(sums(&link.activity(from).unwrap()), counted);
    let rows = link.follow_activity(vec![by_rows(from, end)]).unwrap();
    assert_eq!(sums(&rows), counted);
    // Salesforce gives up on anything wider than two days: the windows narrow, and nothing is lost or counted twice.
    link.control()
        .set_faults(Faults::parse("timeout_days=2").unwrap());
    let before = link.control().requests("GET query");
    let rows = link.follow_activity(vec![by_rows(from, end)]).unwrap();
    assert_eq!(sums(&rows), counted);
    assert!(link.control().requests("GET query") > before + 10);
}

#[test]
fn without_the_right_nothing_is_taken_for_everybodys_history() {
    let link = Link::with(with_history(50), T0_MS, LOGINS);
    link.control().set_rights(Rights {
        manage_users: false,
        monitor_login_history: false,
        ..Rights::all()
    });
    assert!(link.activity(0).unwrap().is_empty());
    link.control().set_rights(Rights {
        manage_users: false,
        monitor_login_history: true,
        ..Rights::all()
    });
    assert!(!link.activity(0).unwrap().is_empty());
}

#[test]
fn edits_of_records_are_counted_for_those_who_made_them() {
    let mut spec = with_history(100);
    spec.records_per_user = 6;
    let link = Link::with(spec, T0_MS, "{\"object_edits\":true}");
    let days = link.activity(0).unwrap();
    assert!(!days.is_empty());
    assert!(days.iter().all(|day| day.kind == Kind::Other));
    for object in ["Account", "Opportunity", "Case", "Lead"] {
        let source = format!("edits of {object}");
        assert!(days.iter().any(|day| day.source == source), "{object}");
    }
}
