//! Users and what they hold: the download, in two chains, and fresh facts about a few.
//!
//! - Chain *users*: all rows in the order of their id, 2,000 a page, by the vendor's cursor. A cursor that the vendor has
//!   dropped is replaced by a query that begins after the last id seen, so nothing comes twice.
//! - Chain *frozen*: the few rows of `UserLogin` that are frozen. No row: not frozen. It exists only where `UserLogin` can
//!   be read; without it, frozen is unknown.

use seatwise_connector_sdk::{
    Answer, Attribute, Call, Failure, Level, attribute,
    cursor::{Reader, Writer},
    failure, json,
    subscriptions::{
        Account, AccountFact, AccountKind, Assignment, Fact, LastActivity, Outline, Page,
    },
};

use crate::{
    api::{Api, next_locator},
    ids, kinds,
    model::{QueryPage, Text, UserLoginRow, UserRow},
    org::{self, Org},
    settings::Settings,
    soql, time,
};

/// Format of the cursor.
const CURSOR_VERSION: u8 = 1;
/// Most ids of one look-up; the contract's bound. 200 ids make a URL of about 6 KB, of 16 KB that Salesforce takes.
const MAX_LOOKUP: usize = 200;

/// Columns of `User` that a download reads where they exist, beside the required ones.
const DOWNLOADED: [&str; 11] = [
    "Name",
    "Email",
    "UserType",
    "LastLoginDate",
    "CreatedDate",
    "Department",
    "Division",
    "CompanyName",
    "EmployeeNumber",
    "FederationIdentifier",
    "UserPermissionsSupportUser",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Users,
    Frozen,
}

/// Where a chain stands.
#[derive(Debug)]
struct Cursor {
    stage: Stage,
    since: Option<i64>,
    /// Path of the next page; empty: ask by key.
    locator: String,
    /// Last id seen; empty: none yet.
    last_id: String,
    /// Rows seen since the query was last started.
    rows: u64,
}

impl Cursor {
    fn start(stage: Stage, since: Option<i64>) -> Self {
        Self {
            stage,
            since,
            locator: String::new(),
            last_id: String::new(),
            rows: 0,
        }
    }

    fn write(&self) -> Vec<u8> {
        let stage = match self.stage {
            Stage::Users => 0,
            Stage::Frozen => 1,
        };
        Writer::new(CURSOR_VERSION)
            .number(stage)
            .maybe(self.since)
            .text(&self.locator)
            .text(&self.last_id)
            .number(self.rows)
            .finish()
    }

    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::open(bytes, CURSOR_VERSION)?;
        let stage = match reader.number()? {
            0 => Stage::Users,
            1 => Stage::Frozen,
            _ => {
                return Err(failure::invalid_input(
                    "cursor_damaged",
                    "The resume point names no chain",
                ));
            }
        };
        let cursor = Self {
            stage,
            since: reader.maybe()?,
            locator: reader.text()?.to_owned(),
            last_id: reader.text()?.to_owned(),
            rows: reader.number()?,
        };
        reader.end()?;
        Ok(cursor)
    }
}

/// Names the chains and counts the users.
///
/// # Errors
/// What counting fails with.
pub fn begin(call: &Call<'_>, since: Option<i64>) -> Result<Outline, Failure> {
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let since = since.filter(|_| org.has("SystemModstamp"));
    let expected_accounts = api.count(&format!(
        "SELECT COUNT() FROM User{}",
        changed_since(since, " WHERE ")
    ))?;
    let mut chains = vec![Cursor::start(Stage::Users, since).write()];
    if org.frozen {
        // Freezing does not touch the user's own stamp, so the frozen are always read whole.
        chains.push(Cursor::start(Stage::Frozen, None).write());
    }
    Ok(Outline {
        chains,
        expected_accounts: Some(expected_accounts),
        usage: api.usage(),
    })
}

fn changed_since(since: Option<i64>, before: &str) -> String {
    since
        .and_then(time::literal)
        .map_or_else(String::new, |moment| {
            format!("{before}SystemModstamp >= {moment}")
        })
}

/// One page of one chain.
///
/// # Errors
/// The vendor's, and `malformed` for an answer that contradicts itself.
pub fn download(call: &Call<'_>, at: &[u8]) -> Result<Page, Failure> {
    let cursor = Cursor::read(at)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    match cursor.stage {
        Stage::Users => users_page(call, &api, &org, cursor),
        Stage::Frozen => frozen_page(call, &api, cursor),
    }
}

fn select(org: &Org) -> String {
    let mut columns = org::REQUIRED_COLUMNS.to_vec();
    columns.retain(|column| *column != "ProfileId");
    columns.extend(DOWNLOADED.iter().filter(|column| org.has(column)));
    format!(
        "SELECT {}, Profile.Name, Profile.UserLicense.LicenseDefinitionKey, Profile.UserLicense.Name FROM User",
        columns.join(", ")
    )
}

/// The query that a full download begins with.
pub fn first_page(org: &Org) -> String {
    format!("{} ORDER BY Id", select(org))
}

/// The page a cursor stands at. The flag says that the query was started anew, by key.
fn fetch(
    call: &Call<'_>,
    api: &Api<'_>,
    cursor: &Cursor,
    by_key: impl FnOnce() -> String,
) -> Result<(Answer, bool), Failure> {
    if cursor.locator.is_empty() {
        return Ok((api.query(&by_key())?, true));
    }
    match api.get(&cursor.locator) {
        Ok(answer) => Ok((answer, false)),
        Err(failure) if failure.code == "INVALID_QUERY_LOCATOR" => {
            call.log(
                Level::Info,
                "Salesforce has dropped the cursor; going on after the last id",
                &[],
            );
            Ok((api.query(&by_key())?, true))
        }
        Err(failure) => Err(failure),
    }
}

/// Where the chain goes on after a page; `None` at its end.
fn advance<T>(
    cursor: Cursor,
    started_anew: bool,
    page: &QueryPage<'_, T>,
    last_id: Option<String>,
) -> Result<Option<Vec<u8>>, Failure> {
    let before = if started_anew { 0 } else { cursor.rows };
    let rows = before + page.records.len() as u64;
    if rows > page.total_size {
        return Err(failure::malformed(
            "too_many_rows",
            format!("Salesforce said {} rows and sent {rows}", page.total_size),
        ));
    }
    let used = if started_anew {
        ""
    } else {
        cursor.locator.as_str()
    };
    let Some(locator) = next_locator(page.done, page.next_records_url.as_ref(), used)? else {
        if rows < page.total_size {
            return Err(failure::malformed(
                "rows_missing",
                format!(
                    "Salesforce said {} rows and ended after {rows}",
                    page.total_size
                ),
            ));
        }
        return Ok(None);
    };
    let Some(last_id) = last_id else {
        return Err(failure::malformed(
            "empty_page",
            "Salesforce sent an empty page and says that there are more",
        ));
    };
    let next = Cursor {
        locator,
        last_id,
        rows,
        ..cursor
    };
    Ok(Some(next.write()))
}

fn users_page(call: &Call<'_>, api: &Api<'_>, org: &Org, cursor: Cursor) -> Result<Page, Failure> {
    let settings = Settings::of(call.ctx)?;
    let by_key = || {
        let mut filters = vec![];
        if !cursor.last_id.is_empty() {
            filters.push(format!("Id > {}", soql::quote(&cursor.last_id)));
        }
        filters.extend(Some(changed_since(cursor.since, "")).filter(|filter| !filter.is_empty()));
        let filters = if filters.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", filters.join(" AND "))
        };
        format!("{}{filters} ORDER BY Id", select(org))
    };
    let (answer, started_anew) = fetch(call, api, &cursor, by_key)?;
    let mut page: QueryPage<'_, UserRow<'_>> = json::parse(answer.body())?;
    let last_id = page.records.last().map(|row| row.id.as_str().to_owned());
    let next = advance(cursor, started_anew, &page, last_id)?;
    let mut out = empty_page(api);
    out.next = next;
    out.accounts.reserve(page.records.len());
    out.assignments.reserve(page.records.len());
    for row in page.records.drain(..) {
        if in_scope(&row, &settings) {
            push_user(&mut out, row)?;
        } else {
            out.out_of_scope += 1;
        }
    }
    Ok(out)
}

fn frozen_page(call: &Call<'_>, api: &Api<'_>, cursor: Cursor) -> Result<Page, Failure> {
    let by_key = || {
        let after = if cursor.last_id.is_empty() {
            String::new()
        } else {
            format!(" AND Id > {}", soql::quote(&cursor.last_id))
        };
        format!(
            "SELECT Id, UserId, IsFrozen FROM UserLogin WHERE IsFrozen = true{after} ORDER BY Id"
        )
    };
    let (answer, started_anew) = match fetch(call, api, &cursor, by_key) {
        Ok(fetched) => fetched,
        Err(failure) if org::is_absent(&failure) => {
            call.log(
                Level::Warn,
                "UserLogin cannot be read; frozen is unknown",
                &[("code", &failure.code)],
            );
            return Ok(empty_page(api));
        }
        Err(failure) => return Err(failure),
    };
    let page: QueryPage<'_, UserLoginRow> = json::parse(answer.body())?;
    let last_id = page.records.last().map(|row| row.id.clone());
    let next = advance(cursor, started_anew, &page, last_id)?;
    let mut out = empty_page(api);
    out.next = next;
    for row in &page.records {
        push_frozen(&mut out, row);
    }
    Ok(out)
}

/// Fresh facts, frozen included, about at most 200 users. A user that does not exist is simply not in the page.
///
/// # Errors
/// `invalid-input` for too many ids or for what is none; else what the queries fail with.
pub fn lookup(call: &Call<'_>, asked: &[String]) -> Result<Page, Failure> {
    if asked.len() > MAX_LOOKUP {
        return Err(failure::invalid_input(
            "too_many_ids",
            format!("At most {MAX_LOOKUP} accounts can be looked up at once"),
        ));
    }
    let ids = asked
        .iter()
        .map(|id| ids::given(id))
        .collect::<Result<Vec<_>, _>>()?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let mut out = empty_page(&api);
    if ids.is_empty() {
        return Ok(out);
    }
    let list = soql::list(ids.iter().map(String::as_str));
    // 200 rows are one page at every batch size Salesforce allows, but a wide row may still split it.
    let mut answer = api.query(&format!(
        "{} WHERE Id IN ({list}) ORDER BY Id",
        select(&org)
    ))?;
    let mut used = String::new();
    loop {
        let page: QueryPage<'_, UserRow<'_>> = json::parse(answer.body())?;
        let next = next_locator(page.done, page.next_records_url.as_ref(), &used)?;
        for row in page.records {
            push_user(&mut out, row)?;
        }
        let Some(next) = next else { break };
        if out.accounts.len() >= ids.len() {
            return Err(failure::malformed(
                "too_many_rows",
                "Salesforce sends more users than were asked for",
            ));
        }
        answer = api.get(&next)?;
        used = next;
    }
    if org.frozen {
        match user_logins(&api, &list) {
            Ok(rows) => rows.iter().for_each(|row| push_frozen(&mut out, row)),
            Err(failure) if org::is_absent(&failure) => {
                call.log(
                    Level::Warn,
                    "UserLogin cannot be read; frozen is unknown",
                    &[("code", &failure.code)],
                );
            }
            Err(failure) => return Err(failure),
        }
    }
    out.usage = api.usage();
    Ok(out)
}

/// The login rows of users in a quoted id list.
///
/// # Errors
/// What the query fails with.
pub fn user_logins(api: &Api<'_>, list: &str) -> Result<Vec<UserLoginRow>, Failure> {
    api.rows(&format!(
        "SELECT Id, UserId, IsFrozen FROM UserLogin WHERE UserId IN ({list}) ORDER BY Id"
    ))
}

fn empty_page(api: &Api<'_>) -> Page {
    Page {
        accounts: vec![],
        assignments: vec![],
        facts: vec![],
        next: None,
        out_of_scope: 0,
        usage: api.usage(),
    }
}

fn in_scope(row: &UserRow<'_>, settings: &Settings) -> bool {
    let user_type = row.user_type.as_ref().map_or("", Text::as_str);
    (settings.include_inactive || row.is_active != Some(false))
        && !settings
            .leave_out_user_types
            .iter()
            .any(|left_out| left_out == user_type)
}

fn push_frozen(page: &mut Page, row: &UserLoginRow) {
    if let (Some(frozen), Some(account)) =
        (row.is_frozen, row.user_id.as_deref().and_then(ids::widen))
    {
        page.facts.push(AccountFact {
            account: account.into_owned(),
            fact: Fact::Frozen(frozen),
        });
    }
}

fn push_user(page: &mut Page, row: UserRow<'_>) -> Result<(), Failure> {
    let id = ids::widen(row.id.as_str())
        .ok_or_else(|| failure::malformed("bad_id", "A user's id is no Salesforce id"))?
        .into_owned();
    let kind = kind_of(&row);
    let last_activity = match &row.last_login_date {
        None => LastActivity::Unknown,
        Some(None) => LastActivity::Never,
        // A date that is none must not look like "never".
        Some(Some(date)) => {
            time::parse(date.as_str()).map_or(LastActivity::Unknown, LastActivity::At)
        }
    };
    let mut attributes: Vec<Attribute> = vec![];
    let mut push = |name: &str, value: Option<Text<'_>>| {
        if let Some(value) = value {
            attributes.push(attribute(name, value.into_string()));
        }
    };
    push("user_type", row.user_type);
    push("department", row.department);
    push("division", row.division);
    push("company", row.company_name);
    push("employee_number", row.employee_number);
    push("federation_id", row.federation_identifier);

    if let Some(profile) = row.profile {
        let licence = profile.user_license;
        let key = licence
            .as_ref()
            .and_then(|licence| licence.license_definition_key.as_ref());
        if let Some(key) = key {
            let mut evidence = Vec::with_capacity(3);
            let identifier = key.clone().into_string();
            if let Some(name) = licence.and_then(|licence| licence.name) {
                evidence.push(attribute("licence", name.into_string()));
            }
            if let Some(name) = profile.name {
                evidence.push(attribute("profile", name.into_string()));
            }
            if row.user_permissions_support_user == Some(true) {
                evidence.push(attribute("feature", "SupportUser"));
            }
            page.assignments.push(Assignment {
                account: id.clone(),
                identifier,
                id: None,
                assigned: None,
                evidence,
            });
        }
    }
    page.accounts.push(Account {
        principal: row.username.map_or_else(|| id.clone(), Text::into_string),
        id,
        email: row.email.map(Text::into_string),
        name: row.name.map(Text::into_string),
        kind,
        active: row.is_active.unwrap_or(true),
        created: row
            .created_date
            .as_ref()
            .and_then(|date| time::parse(date.as_str())),
        last_activity,
        attributes,
    });
    Ok(())
}

fn kind_of(row: &UserRow<'_>) -> AccountKind {
    let user_type = row.user_type.as_ref().map_or("", Text::as_str);
    let username = row.username.as_ref().map_or("", Text::as_str);
    let key = row
        .profile
        .as_ref()
        .and_then(|profile| profile.user_license.as_ref())
        .and_then(|licence| licence.license_definition_key.as_ref())
        .map(Text::as_str);
    kinds::account_kind(
        user_type,
        username,
        row.profile.is_some(),
        key.unwrap_or_default(),
    )
}
