//! Queries against the rows they must find.

use proptest::prelude::*;

use super::*;
use crate::clock::Clock;
use crate::showcase;
use crate::soql;
use crate::worked_example::T0_MS;

/// A small generated org with a few changes, so that every kind of row is there.
fn org() -> Org {
    let clock = Clock::real();
    clock.set(Some(T0_MS));
    let mut org = Org::new(showcase::generate(3, 40, T0_MS), clock);
    for user in [3, 11, 12] {
        org.log_in(user, T0_MS - 86_400_000, "Application", "", "Browser");
    }
    let owned = |org: &Org, user: u64| {
        let fields = serde_json::json!({"OwnerId": org.user_id(user).as_str()});
        fields.as_object().cloned().unwrap()
    };
    let case = (1..=org.rows(Object::Case)).find(|row| org.exists(Object::Case, *row));
    let id = org.id(Object::Case, case.unwrap());
    let given = owned(&org, 14);
    org.update(Object::Case, id.as_str(), &given).unwrap();
    let mut made = owned(&org, 15);
    made.insert("Subject".to_owned(), "Made".into());
    org.create(Object::Case, &made).unwrap();
    org
}

fn rows(org: &Org, soql: &str) -> Vec<u64> {
    let query = soql::parse(soql).unwrap_or_else(|error| panic!("{soql}: {error}"));
    let plan = Plan::at(org, query, DEFAULT_VERSION)
        .unwrap_or_else(|error| panic!("{soql}: {}", error.message));
    let mut rows = Vec::new();
    plan.each_row(org, |row| rows.push(row));
    assert_eq!(plan.total, rows.len() as u64, "{soql}");
    rows
}

const OBJECTS: [(&str, &str); 8] = [
    ("User", "Id"),
    ("UserLogin", "UserId"),
    ("LoginHistory", "UserId"),
    ("PermissionSetLicenseAssign", "AssigneeId"),
    ("PermissionSetAssignment", "AssigneeId"),
    ("GroupMember", "UserOrGroupId"),
    ("Case", "OwnerId"),
    ("Account", "OwnerId"),
];

/// Conditions that narrow what is looked at, for the object with this key.
fn condition(object: &'static str, key: &'static str) -> impl Strategy<Value = String> {
    let id = |field: &'static str, prefix: &'static [u8; 3]| {
        (
            prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]),
            0u64..70,
        )
            .prop_map(move |(op, row)| {
                format!(
                    "{field} {op} '{}'",
                    crate::ids::Id::of(prefix, *b"8j0", row).as_str()
                )
            })
    };
    let prefix = Object::parse(object).map_or(b"005", Object::prefix);
    let many = prop::collection::vec(0u64..60, 1..6).prop_map(move |rows| {
        let ids: Vec<String> = rows
            .iter()
            .map(|row| format!("'{}'", crate::ids::Id::of(b"005", *b"8j0", *row).as_str()))
            .collect();
        format!("{key} IN ({})", ids.join(", "))
    });
    let join = Just(format!(
        "{key} IN (SELECT Id FROM User WHERE IsActive = false)"
    ));
    let moment = (
        prop::sample::select(vec!["=", "<", "<=", ">", ">="]),
        prop::sample::select(vec![
            "TODAY",
            "LAST_N_DAYS:7",
            "LAST_N_DAYS:60",
            "LAST_MONTH",
            "N_DAYS_AGO:1",
            "2026-03-20T00:00:00Z",
            "2025-12-01T00:00:00Z",
        ]),
    )
        .prop_map(|(op, word)| format!("LoginTime {op} {word}"));
    let others = prop_oneof![id("Id", prefix), id(key, b"005"), many, join];
    if object == "LoginHistory" {
        prop_oneof![others, moment].boxed()
    } else {
        others.boxed()
    }
}

fn filter() -> impl Strategy<Value = (&'static str, String)> {
    prop::sample::select(OBJECTS.to_vec()).prop_flat_map(|(object, key)| {
        prop::collection::vec(condition(object, key), 1..4).prop_map(move |parts| {
            // At most two semi-joins are allowed.
            let mut joins = 0;
            let parts: Vec<String> = parts
                .into_iter()
                .filter(|part| {
                    joins += usize::from(part.contains("SELECT"));
                    !part.contains("SELECT") || joins <= 1
                })
                .collect();
            (object, parts.join(" AND "))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Under NOT nothing is narrowed: every row is looked at.
    #[test]
    fn what_is_not_looked_at_would_not_have_matched((object, filter) in filter()) {
        thread_local! {
            static ORG: Org = org();
        }
        ORG.with(|org| {
            let narrowed = rows(org, &format!("SELECT Id FROM {object} WHERE {filter}"));
            let all = rows(org, &format!("SELECT Id FROM {object} WHERE NOT (NOT ({filter}))"));
            prop_assert_eq!(narrowed, all, "{} {}", object, filter);
            Ok(())
        })?;
    }
}

#[test]
fn pages_put_together_are_the_whole_in_any_order() {
    let org = org();
    for order in [
        "",
        " ORDER BY Id",
        " ORDER BY LastLoginDate DESC NULLS LAST",
        " ORDER BY Department, Name DESC",
    ] {
        for limit in ["", " LIMIT 37", " LIMIT 30 OFFSET 7"] {
            let query = soql::parse(&format!("SELECT Id FROM User{order}{limit}")).unwrap();
            let plan = Plan::at(&org, query, DEFAULT_VERSION).unwrap();
            let mut whole = Vec::new();
            plan.each_row(&org, |row| whole.push(row));
            let (mut sent, mut at, mut records) = (0, plan.first(), Vec::new());
            loop {
                let page = plan.page(&org, at, sent, 8, "v62.0");
                records.push(String::from_utf8(page.records).unwrap());
                sent += page.count;
                match page.next {
                    Some(next) => at = next,
                    None => break,
                }
            }
            assert_whole(&org, &whole, &records.join(","));
            assert_eq!(sent, plan.total);
        }
    }
}

fn assert_whole(org: &Org, whole: &[u64], records: &str) {
    let records: Vec<serde_json::Value> = serde_json::from_str(&format!("[{records}]")).unwrap();
    let told: Vec<&str> = records
        .iter()
        .filter_map(|record| record["Id"].as_str())
        .collect();
    let ids: Vec<String> = whole
        .iter()
        .map(|row| org.user_id(*row).as_str().to_owned())
        .collect();
    assert_eq!(told, ids);
}
