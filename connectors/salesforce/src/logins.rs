//! `LoginHistory`: who logged in when, how, and whether it worked (salesforce.md §3.9).
//!
//! Grouped where describe says that it can be: Salesforce counts, and a day of 2,000 people is one call. Row by row where
//! not. Invariants: only filterable columns stand in a WHERE; a failed login is never a login; rows without a user, which are
//! failed logins of unknown names, belong to nobody and are skipped.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{
    Call, Failure, Level,
    activity::{ActivityDay, Kind, Outcome},
    failure, json,
};
use serde::Deserialize;

use crate::{
    activity::Cursor,
    api::{Api, next_locator},
    ids,
    model::{QueryPage, Text},
    soql, time,
};

/// The object, and the source that each day names.
pub const OBJECT: &str = "LoginHistory";
/// Groups that one answer can hold; more are refused by Salesforce.
pub const GROUPS: usize = 2_000;

/// A page: what it tells, and where the chain goes on.
pub type Told = (Vec<ActivityDay>, Option<Cursor>);

/// What a `LoginType` stands for. Salesforce gives the label where the documentation gives the code, so both are known;
/// compared by letters and digits alone.
pub fn kind(login_type: &str) -> Kind {
    let plain: String = login_type
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    const MACHINES: [&str; 8] = [
        "oauth",
        "remoteaccess",
        "otherapexapi",
        "otherapi",
        "partnerproduct",
        "networksportalapionly",
        "certificate",
        "apexofficetoolkit",
    ];
    const PEOPLE: [&str; 15] = [
        "application",
        "saml",
        "thirdpartysso",
        "lightninglogin",
        "passwordlesslogin",
        "multifactor",
        "portal",
        "chattercommunit",
        "chattercommunityportal",
        "employeelogin",
        "customerservice",
        "partnerportal",
        "selfservice",
        "community",
        "appexchange",
    ];
    let starts = |all: &[&str]| all.iter().any(|start| plain.starts_with(start));
    if plain == "partner" || starts(&MACHINES) {
        Kind::Api
    } else if starts(&PEOPLE) {
        Kind::Interactive
    } else {
        Kind::Other
    }
}

fn outcome(status: &str) -> Outcome {
    if status == "Success" {
        Outcome::Success
    } else {
        Outcome::Failed
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group<'a> {
    #[serde(borrow, default)]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    login_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(default, rename = "expr0")]
    count: Option<u64>,
    #[serde(borrow, default, rename = "expr1")]
    newest: Option<Text<'a>>,
}

/// The first groups of a window: how many logins they stand for, and how many groups they are.
///
/// # Errors
/// What the query fails with.
pub fn sample(api: &Api<'_>, cursor: &Cursor) -> Result<(u64, u64), Failure> {
    let answer = api.query(&groups_query(cursor)?)?;
    let page: QueryPage<'_, Group<'_>> = json::parse(answer.body())?;
    let logins = page.records.iter().filter_map(|group| group.count).sum();
    Ok((logins, page.records.len() as u64))
}

fn groups_query(cursor: &Cursor) -> Result<String, Failure> {
    let after = if cursor.last.is_empty() {
        String::new()
    } else {
        format!(" AND UserId > {}", soql::quote(&cursor.last))
    };
    Ok(format!(
        "SELECT UserId, LoginType, Status, COUNT(Id), MAX(LoginTime) FROM LoginHistory WHERE {}{after} \
         GROUP BY UserId, LoginType, Status ORDER BY UserId LIMIT {GROUPS}",
        cursor.condition("LoginTime")?
    ))
}

/// Counts of one window, in key-set pages of accounts.
///
/// # Errors
/// What the query fails with.
pub fn groups(api: &Api<'_>, cursor: Cursor) -> Result<Told, Failure> {
    let answer = api.query(&groups_query(&cursor)?)?;
    let page: QueryPage<'_, Group<'_>> = json::parse(answer.body())?;
    let user = |group: &Group<'_>| {
        let id = group.user_id.as_ref()?.as_str();
        Some(id.to_owned())
    };
    let (complete, next) = split(&page.records, page.done, user, cursor)?;
    let mut days = Days::default();
    for group in complete {
        days.add(
            group.user_id.as_ref().map(Text::as_str),
            group.login_type.as_ref().map_or("", Text::as_str),
            group.status.as_ref().map_or("", Text::as_str),
            group.newest.as_ref().map_or("", Text::as_str),
            group.count.unwrap_or(0),
        );
    }
    Ok((days.finish(OBJECT), next))
}

/// The groups whose account is complete, and where to go on. A full answer may cut the groups of its last account in two;
/// that account is read again.
///
/// # Errors
/// `malformed` where an answer says that there is more, which groups never do.
pub fn split<T>(
    records: &[T],
    done: bool,
    account: impl Fn(&T) -> Option<String>,
    cursor: Cursor,
) -> Result<(&[T], Option<Cursor>), Failure> {
    if !done {
        return Err(failure::malformed(
            "groups_cut",
            "Salesforce says that there are more groups, which it never gives",
        ));
    }
    if records.len() < GROUPS {
        return Ok((records, cursor.after()));
    }
    let last = records.last().and_then(&account);
    let complete = records
        .iter()
        .position(|group| account(group) == last)
        .unwrap_or(0);
    let floor = records[..complete].last().and_then(&account);
    match floor {
        Some(floor) => Ok((&records[..complete], cursor.within(String::new(), floor))),
        // Rows of nobody fill the answer, or one account has 2,000 kinds of login in a day.
        None => Err(failure::malformed(
            "one_account_fills_the_answer",
            "One account has more kinds of activity in a day than one answer can hold",
        )),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    login_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    login_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
}

/// Rows of one window, page by page. A cursor that Salesforce has dropped is replaced by a query after the last row, so
/// nothing is counted twice.
///
/// # Errors
/// What the request fails with.
pub fn rows(call: &Call<'_>, api: &Api<'_>, cursor: Cursor) -> Result<Told, Failure> {
    let after = if cursor.last.is_empty() {
        String::new()
    } else {
        format!(" AND Id > {}", soql::quote(&cursor.last))
    };
    let query = format!(
        "SELECT Id, UserId, LoginTime, LoginType, Status FROM LoginHistory WHERE {}{after} ORDER BY Id",
        cursor.condition("LoginTime")?
    );
    let mut used = cursor.locator.clone();
    let answer = if used.is_empty() {
        api.query(&query)?
    } else {
        match api.get(&used) {
            Err(failure) if failure.code == "INVALID_QUERY_LOCATOR" => {
                call.log(
                    Level::Info,
                    "Salesforce has dropped the cursor; going on after the last login",
                    &[],
                );
                used.clear();
                api.query(&query)?
            }
            answered => answered?,
        }
    };
    let page: QueryPage<'_, Row<'_>> = json::parse(answer.body())?;
    let locator = next_locator(page.done, page.next_records_url.as_ref(), &used)?;
    let last = page.records.last().map(|row| row.id.as_str().to_owned());
    let next = match (locator, last) {
        (None, _) => cursor.after(),
        (Some(locator), Some(last)) => cursor.within(locator, last),
        (Some(_), None) => {
            return Err(failure::malformed(
                "empty_page",
                "Salesforce sent an empty page and says that there are more",
            ));
        }
    };
    let mut days = Days::default();
    for row in &page.records {
        days.add(
            row.user_id.as_ref().map(Text::as_str),
            row.login_type.as_ref().map_or("", Text::as_str),
            row.status.as_ref().map_or("", Text::as_str),
            row.login_time.as_ref().map_or("", Text::as_str),
            1,
        );
    }
    Ok((days.finish(OBJECT), next))
}

/// Account, day, and the places of kind and outcome: the contract's enums have no order of their own.
type DayKey = (String, String, u8, u8);

/// What is known of one key.
struct DayCount {
    kind: Kind,
    outcome: Outcome,
    count: u64,
    last: i64,
}

/// Counts by account, day, kind and outcome.
#[derive(Default)]
struct Days(BTreeMap<DayKey, DayCount>);

impl Days {
    fn add(&mut self, user: Option<&str>, login_type: &str, status: &str, at: &str, count: u64) {
        let Some(account) = user.and_then(ids::widen) else {
            return;
        };
        let Some(at) = time::parse(at) else { return };
        let Some(day) = time::day(at) else { return };
        let (kind, outcome) = (kind(login_type), outcome(status));
        let key = (account.into_owned(), day, kind as u8, outcome as u8);
        let entry = self.0.entry(key).or_insert(DayCount {
            kind,
            outcome,
            count: 0,
            last: at,
        });
        entry.count += count;
        entry.last = entry.last.max(at);
    }

    fn finish(self, source: &str) -> Vec<ActivityDay> {
        self.0
            .into_iter()
            .map(|((account, day, _, _), of)| ActivityDay {
                account,
                day,
                kind: of.kind,
                outcome: of.outcome,
                count: u32::try_from(of.count).unwrap_or(u32::MAX),
                last: of.last,
                source: source.to_owned(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_labels_of_a_login_type_are_the_same_kind() {
        for people in [
            "Application",
            "SAML Sfdc Initiated SSO",
            "Saml2",
            "ThirdPartySso",
            "Third Party SSO",
            "Lightning Login",
            "LightningLogin",
            "Passwordless Login",
            "ChatterCommunityPortalUnPwd",
            "Employee Login to Community",
            "EmployeeLoginToCommunity",
            "AppExchange",
        ] {
            assert_eq!(kind(people), Kind::Interactive, "{people}");
        }
        for machine in [
            "Remote Access 2.0",
            "Oauth2",
            "Oauth",
            "OtherApi",
            "Other Apex API",
            "Partner",
            "Partner Product",
            "NetworksPortalApiOnly",
            "Certificate",
        ] {
            assert_eq!(kind(machine), Kind::Api, "{machine}");
        }
        for other in ["", "SomethingNew"] {
            assert_eq!(kind(other), Kind::Other, "{other}");
        }
    }
}
