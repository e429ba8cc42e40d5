//! The two orgs of the worked example (`sam-domain.md` §10), with dates moved so that T0 is any day.
//!
//! Every number of the example stays exact: the integration user of each org holds a free `SALESFORCE_INTEGRATION_USER` seat, which no
//! total of the example counts.

use crate::clock::DAY_MS;
use crate::spec::{Crowd, Licence, OrgSpec, Person, Profile, Refusal};

/// 2026-03-31, the example's T0, in milliseconds UTC.
pub const T0_MS: i64 = 1_774_915_200_000;

/// Id, first name, org, profile, days since the last login (`None`: never), days since creation, active, frozen.
type Row = (
    &'static str,
    &'static str,
    u8,
    &'static str,
    Option<i64>,
    i64,
    bool,
    bool,
);

const PEOPLE: [Row; 18] = [
    ("S01", "ana", 1, "Standard User", Some(1), 1177, true, false),
    ("S02", "bo", 1, "Standard User", Some(59), 1177, true, false),
    ("S03", "cy", 1, "Standard User", Some(60), 1177, true, false),
    (
        "S04",
        "dee",
        1,
        "Standard User",
        Some(150),
        1177,
        true,
        false,
    ),
    ("S05", "eli", 1, "Standard User", None, 30, true, false),
    ("S06", "fay", 1, "Standard User", None, 181, true, false),
    (
        "S07",
        "gus",
        1,
        "Standard User",
        Some(211),
        1177,
        true,
        false,
    ),
    (
        "S08",
        "integ",
        1,
        "Standard User",
        Some(303),
        1177,
        true,
        false,
    ),
    (
        "S09",
        "hal",
        1,
        "Standard User",
        Some(106),
        1177,
        true,
        false,
    ),
    ("S10", "ivy", 1, "Standard User", Some(85), 1177, true, true),
    (
        "S11",
        "jon",
        1,
        "Standard User",
        Some(334),
        1177,
        false,
        false,
    ),
    ("S12", "ana", 2, "Standard User", Some(2), 812, true, false),
    ("S13", "kim", 2, "Standard User", Some(16), 812, true, false),
    (
        "S14",
        "lou",
        2,
        "Standard User",
        Some(120),
        812,
        true,
        false,
    ),
    (
        "S15",
        "mia",
        1,
        "Standard Platform User",
        Some(11),
        812,
        true,
        false,
    ),
    (
        "S16",
        "ned",
        1,
        "Standard Platform User",
        Some(49),
        812,
        true,
        false,
    ),
    (
        "S17",
        "ola",
        2,
        "Chatter Free User",
        Some(242),
        812,
        true,
        false,
    ),
    (
        "S18",
        "pat",
        2,
        "New Thing User",
        Some(30),
        812,
        true,
        false,
    ),
];

/// Org1: the example's S01–S11, S15, S16; 12 Sales seats bought. `t0_ms` is any moment of T0's day.
#[must_use]
pub fn org1(t0_ms: i64) -> OrgSpec {
    let mut spec = org(
        "00D5g0000000001EAA",
        "SFDC Org1",
        "org1.my.salesforce.com",
        1,
        12,
        t0_ms,
    );
    if let Some(fay) = spec.user_id_of("fay@example.com") {
        spec.refuses_deactivation
            .insert(fay, Refusal::default_case_owner());
    }
    spec
}

/// Org2: S12–S14, S17, S18; 5 Sales seats bought.
#[must_use]
pub fn org2(t0_ms: i64) -> OrgSpec {
    org(
        "00D6h0000000002EAA",
        "SFDC Org2",
        "org2.my.salesforce.com",
        2,
        5,
        t0_ms,
    )
}

/// Adds made-up people on community seats, which no number of the example counts.
#[must_use]
pub fn with_crowd(mut spec: OrgSpec, users: u64, seed: u64, t0_ms: i64) -> OrgSpec {
    let mix = vec![
        ("Customer Community User".to_owned(), 70),
        ("Partner Community User".to_owned(), 30),
    ];
    spec.crowd = (users > 0).then_some(Crowd {
        users,
        seed,
        as_of_ms: Some(t0_ms),
        mix,
        is_rich: false,
    });
    spec
}

/// The directory: everyone but hal, who stays unresolved.
#[must_use]
pub fn people_csv() -> String {
    let mut seen = std::collections::BTreeSet::new();
    let mut csv =
        String::from("external_id,name,email,business_unit,department,cost_centre,status\n");
    for (id, first, ..) in PEOPLE {
        if first != "hal" && seen.insert(first) {
            csv.push_str(&format!(
                "{id},{first},{first}@example.com,Sales,Field Sales,CC-100,employed\n"
            ));
        }
    }
    csv
}

fn org(
    org_id: &str,
    name: &str,
    my_domain: &str,
    number: u8,
    sales_seats: u64,
    t0_ms: i64,
) -> OrgSpec {
    let t0 = t0_ms.div_euclid(DAY_MS) * DAY_MS;
    let mut spec = OrgSpec::new(
        &crate::widen_id(&org_id[..15]).unwrap_or_else(|| org_id.to_owned()),
        name,
        my_domain,
    );
    for licence in &mut spec.licences {
        match licence.key.as_str() {
            "SFDC" => licence.total = sales_seats,
            "AUL" => licence.total = 3,
            _ => {}
        }
    }
    if number == 2 {
        spec.licences
            .push(Licence::new("PID_NEWTHING", "New Thing", 5));
        spec.profiles
            .push(Profile::new("New Thing User", "PID_NEWTHING", "Standard"));
    }
    for (_, first, _, profile, login, created, is_active, is_frozen) in
        PEOPLE.into_iter().filter(|person| person.2 == number)
    {
        spec.people.push(Person {
            is_active,
            is_frozen,
            created_ms: t0 - created * DAY_MS,
            last_login_ms: login.map(|days| t0 - days * DAY_MS + 9 * 3_600_000),
            department: "Field Sales".to_owned(),
            company: "Example".to_owned(),
            ..Person::new(first, "Example", &format!("{first}@example.com"), profile)
        });
    }
    spec
}
