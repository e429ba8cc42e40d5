//! Each way of reading, measured on a practice org: `cargo run --release -p seatwise-connector-salesforce --example ways [USERS
//! [LOGINS_PER_USER [DAYS]]]`.
//!
//! What is counted is calls, which are what an org has a budget of. Seconds are told beside them and are this machine's: the
//! practice org answers without a network.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot be taken has nothing to say"
)]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/org/link.rs"]
mod link;

use std::time::Instant;

use link::Link;
use seatwise_connector_sdk::cursor::Writer;
use seatwise_practice_org_salesforce::{Crowd, OrgSpec, worked_example::T0_MS};

const DAY_MS: i64 = 86_400_000;

fn main() {
    let mut words = std::env::args()
        .skip(1)
        .map(|word| word.parse().expect("each word is a whole number"));
    let users: u64 = words.next().unwrap_or(20_000);
    let logins: u64 = words.next().unwrap_or(10);
    let days = i64::try_from(words.next().unwrap_or(30)).expect("days fit");
    println!("users {users}, logins of a user up to {logins}, days of logins {days}");
    println!("way, rows, calls, seconds");
    for way in ["rest", "bulk"] {
        let settings = format!("{{\"read_users_by\":\"{way}\",\"licence_kinds\":[\"features\"]}}");
        let link = Link::with(spec(users, 0), T0_MS, &settings);
        measure(&format!("users by {way}"), &link, || {
            link.download(None).expect("the org answers").accounts.len()
        });
    }
    let link = Link::with(
        spec(users, logins),
        T0_MS,
        "{\"activity_source\":\"login_history\"}",
    );
    let from = T0_MS.div_euclid(DAY_MS) * DAY_MS - days * DAY_MS;
    for (what, way, widest) in [
        ("logins counted by Salesforce", 0, DAY_MS),
        ("logins row by row", 1, 7 * DAY_MS),
    ] {
        measure(what, &link, || {
            let days = link.follow_activity(vec![chain(way, widest, from)]);
            days.expect("the org answers")
                .iter()
                .map(|day| day.count as usize)
                .sum()
        });
    }
}

fn spec(users: u64, logins: u64) -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Ways", "ways.my.salesforce.com");
    spec.logins_per_user = logins;
    spec.api_limit = 5_000_000;
    spec.crowd = Some(Crowd {
        as_of_ms: Some(T0_MS),
        ..Crowd::new(users, 3)
    });
    spec
}

/// A chain of logins, as the connector makes it for either way.
fn chain(way: u64, widest: i64, from: i64) -> Vec<u8> {
    let end = T0_MS / 1000 * 1000;
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

fn calls(link: &Link) -> u64 {
    let (_, told) = link
        .control()
        .call("GET", "requests", &serde_json::Value::Null);
    let kinds = told.as_object().expect("requests are told by kind").iter();
    kinds
        .filter(|(kind, _)| *kind != "POST token" && *kind != "GET other")
        .map(|(_, count)| count.as_u64().expect("a count is a whole number"))
        .sum()
}

fn measure(what: &str, link: &Link, run: impl FnOnce() -> usize) {
    let (before, begun) = (calls(link), Instant::now());
    let rows = run();
    println!(
        "{what}, {rows}, {}, {:.1}",
        calls(link) - before,
        begun.elapsed().as_secs_f64()
    );
}
