//! The connector against a scripted vendor: what it asks, and what it makes of each answer. The cases are named after the
//! facts; a leading `a5` or `b9` is the number of the case in the reliability list.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod activity;
mod bulk;
mod checks;
mod connection;
mod cursors;
mod downloads;
mod failures;
mod giving_back;
mod hidden;
mod holdings;
mod judging;
mod licences;
mod lookups;
mod moves;
mod observing;
mod oddities;
mod pools;
mod readme;
mod reclaim;
mod restore;
mod shelf;
mod ties;

use seatwise_connector_sdk::testkit::{Bench, Scripted, ScriptedHttp};

/// A user of the org; the tests' ids are `005…` with this number.
pub fn id(number: u32) -> String {
    format!("00500000000{number:04}AAA")
}

/// The id of a user's login row.
pub fn login_id(number: u32) -> String {
    format!("0Yw00000000{number:04}AAA")
}

/// One row of `User`, a person with the licence `SFDC` unless `over` says otherwise: `key=json` replaces a field, `-key`
/// takes it away.
pub fn user(number: u32, over: &[&str]) -> String {
    let mut fields = vec![
        ("Id".to_owned(), format!("{:?}", id(number))),
        ("Username".to_owned(), format!("\"u{number}@acme.example\"")),
        ("Name".to_owned(), format!("\"Person {number}\"")),
        ("Email".to_owned(), format!("\"u{number}@acme.example\"")),
        ("IsActive".to_owned(), "true".to_owned()),
        ("UserType".to_owned(), "\"Standard\"".to_owned()),
        ("ProfileId".to_owned(), "\"00e000000000001AAA\"".to_owned()),
        (
            "LastLoginDate".to_owned(),
            "\"2026-03-30T08:00:00.000+0000\"".to_owned(),
        ),
        (
            "CreatedDate".to_owned(),
            "\"2023-01-09T00:00:00.000+0000\"".to_owned(),
        ),
        (
            "Profile".to_owned(),
            profile("Sales User", "SFDC", "Salesforce"),
        ),
    ];
    for change in over {
        match change.strip_prefix('-') {
            Some(gone) => fields.retain(|(name, _)| name != gone),
            None => {
                let (name, value) = change.split_once('=').expect("key=json");
                fields.retain(|(known, _)| known != name);
                fields.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name:?}:{value}"))
        .collect();
    format!(
        "{{\"attributes\":{{\"type\":\"User\",\"url\":\"/x\"}},{}}}",
        fields.join(",")
    )
}

/// A nested profile.
pub fn profile(name: &str, key: &str, licence: &str) -> String {
    format!(
        "{{\"attributes\":{{\"type\":\"Profile\"}},\"Name\":{name:?},\"UserLicense\":{{\"attributes\":{{}},\
         \"LicenseDefinitionKey\":{key:?},\"Name\":{licence:?}}}}}"
    )
}

/// One row of `UserLogin`.
pub fn login(number: u32, frozen: bool) -> String {
    format!(
        "{{\"attributes\":{{\"type\":\"UserLogin\"}},\"Id\":{:?},\"UserId\":{:?},\"IsFrozen\":{frozen}}}",
        login_id(number),
        id(number)
    )
}

/// A query's only page.
pub fn rows(rows: &[String]) -> Scripted {
    page(rows.len() as u64, None, rows)
}

/// A page of a query; `next` is the path of the next one.
pub fn page(total: u64, next: Option<&str>, rows: &[String]) -> Scripted {
    let next = next.map_or_else(String::new, |next| format!(",\"nextRecordsUrl\":{next:?}"));
    let done = next.is_empty();
    Scripted::json(
        200,
        format!(
            "{{\"totalSize\":{total},\"done\":{done}{next},\"records\":[{}]}}",
            rows.join(",")
        ),
    )
    .header("Sforce-Limit-Info", "api-usage=18/5000")
}

/// The answer to `SELECT COUNT()`.
pub fn count(count: u64) -> Scripted {
    Scripted::json(
        200,
        format!("{{\"totalSize\":{count},\"done\":true,\"records\":[]}}"),
    )
    .header("Sforce-Limit-Info", "api-usage=18/5000")
}

/// One error of the API.
pub fn error(status: u16, code: &str, message: &str) -> Scripted {
    Scripted::json(
        status,
        format!("[{{\"message\":{message:?},\"errorCode\":{code:?}}}]"),
    )
}

/// Describes an object with these fields.
pub fn describe(fields: &[&str]) -> Scripted {
    let fields: Vec<String> = fields
        .iter()
        .map(|name| format!("{{\"name\":{name:?},\"type\":\"string\",\"filterable\":true}}"))
        .collect();
    Scripted::json(
        200,
        format!("{{\"name\":\"x\",\"fields\":[{}]}}", fields.join(",")),
    )
}

/// All columns of `User` that the connector can use.
pub const COLUMNS: [&str; 22] = [
    "Id",
    "Username",
    "IsActive",
    "ProfileId",
    "Name",
    "Email",
    "UserType",
    "LastLoginDate",
    "CreatedDate",
    "SystemModstamp",
    "Department",
    "Division",
    "CompanyName",
    "Title",
    "City",
    "Country",
    "EmployeeNumber",
    "FederationIdentifier",
    "ForecastEnabled",
    "UserPermissionsSupportUser",
    "UserRoleId",
    "ManagerId",
];

/// The answer to the versions resource.
pub fn versions(listed: &[&str]) -> Scripted {
    let listed: Vec<String> = listed
        .iter()
        .map(|version| format!("{{\"label\":\"Spring \u{2019}25\",\"url\":\"/services/data/v{version}\",\"version\":{version:?}}}"))
        .collect();
    Scripted::json(200, format!("[{}]", listed.join(",")))
}

/// The answer to userinfo; user 999 is the connection's.
pub fn userinfo() -> Scripted {
    Scripted::json(
        200,
        format!(
            "{{\"sub\":\"x\",\"user_id\":{:?},\"organization_id\":\"00D000000000001EAA\"}}",
            id(999)
        ),
    )
}

/// The one row of `Organization`.
pub fn organization(over: &str) -> Scripted {
    rows(&[format!(
        "{{\"attributes\":{{}},\"Id\":\"00D000000000001EAA\",\"Name\":\"Acme\",\"OrganizationType\":\"Enterprise Edition\",\
         \"TimeZoneSidKey\":\"Europe/Berlin\"{over}}}"
    )])
}

/// Everything `identify` asks before the organization, with these columns.
pub fn discovery(columns: &[&str]) -> ScriptedHttp {
    discovery_with(columns, rows(&[]))
}

/// The same with these API-only users.
pub fn discovery_with(columns: &[&str], api_only: Scripted) -> ScriptedHttp {
    ScriptedHttp::new()
        .get("/services/data/", versions(&["59.0", "62.0", "66.0"]))
        .get(
            "/services/data/v62.0/sobjects/User/describe",
            describe(columns),
        )
        .get(
            "/services/data/v62.0/sobjects/UserLogin/describe",
            describe(&["Id", "UserId", "IsFrozen"]),
        )
        .get_with(&API_ONLY, api_only)
        .get("/services/oauth2/userinfo", userinfo())
}

/// The query for API-only users.
pub const API_ONLY: [&str; 1] =
    ["FROM PermissionSetAssignment WHERE PermissionSet.PermissionsApiUserOnly = true"];

/// Settings under which only users and their feature licences are read: one query a page.
pub const PLAIN: &str = "{\"licence_kinds\":[\"features\"]}";

/// The memo that `identify` makes of an org with these columns.
pub fn memo_of(columns: &[&str]) -> Vec<u8> {
    memo_from(discovery(columns))
}

/// The memo that `identify` makes of a discovery.
pub fn memo_from(http: ScriptedHttp) -> Vec<u8> {
    use seatwise_connector_sdk::Connector as _;
    let bench = Bench::new(
        http.get_with(
            &["FROM Organization"],
            organization(",\"IsSandbox\":false,\"TrialExpirationDate\":null"),
        )
        .get_with(&["SELECT COUNT() FROM User"], count(1)),
    )
    .settings(PLAIN);
    seatwise_connector_salesforce::Salesforce::identify(&bench.call())
        .unwrap()
        .memo
}

/// A bench over a script, for an org with every column, under [`PLAIN`] settings.
pub fn bench(http: ScriptedHttp) -> Bench {
    Bench::new(http).memo(memo_of(&COLUMNS)).settings(PLAIN)
}
