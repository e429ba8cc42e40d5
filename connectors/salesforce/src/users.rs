//! Users: the chain of all of them, the chain of the frozen, and fresh facts about a few.

use seatwise_connector_sdk::{
    Call, Failure, Level, failure, json,
    subscriptions::{AccountFact, Fact, Page},
};

use crate::{
    accounts::{self, Lens},
    api::{Api, next_locator},
    chains::{self, Cursor, advance, empty_page, fetch},
    clouds, holdings, ids,
    model::{QueryPage, UserLoginRow, UserRow},
    org::{self, Org},
    probe::{self, CloudLicences},
    scope::Scope,
    settings::{LicenceKind, Settings},
    soql,
};

/// Most ids of one look-up; the contract's bound. 200 ids make a URL of about 6 KB, of 16 KB that Salesforce takes.
const MAX_LOOKUP: usize = 200;

/// Columns of `User` that a download reads where they exist, beside the required ones.
const DOWNLOADED: [&str; 16] = [
    "Name",
    "Email",
    "UserType",
    "LastLoginDate",
    "CreatedDate",
    "Department",
    "Division",
    "CompanyName",
    "Title",
    "City",
    "Country",
    "EmployeeNumber",
    "FederationIdentifier",
    "ForecastEnabled",
    "ContactId",
    "AccountId",
];

/// Feature licences that tell the clouds apart, read whatever the settings say.
const TELLING: [&str; 2] = ["SupportUser", "MarketingUser"];

/// `SELECT … FROM User` of what a download reads.
pub fn select(org: &Org, settings: &Settings) -> String {
    let mut columns: Vec<String> = org::REQUIRED_COLUMNS
        .into_iter()
        .filter(|column| *column != "ProfileId")
        .chain(DOWNLOADED.into_iter().filter(|column| org.has(column)))
        .map(str::to_owned)
        .collect();
    let features = org::FEATURES
        .into_iter()
        .filter(|feature| settings.reads(LicenceKind::Features) || TELLING.contains(feature))
        .map(org::feature_column)
        .filter(|column| org.has(column));
    columns.extend(features);
    format!(
        "SELECT {}, Profile.Name, Profile.UserLicense.LicenseDefinitionKey, Profile.UserLicense.Name, \
         Profile.UserLicense.MasterLabel, Profile.UserLicense.Status FROM User",
        columns.join(", ")
    )
}

/// The query that a full download begins with.
///
/// # Errors
/// Settings that cannot be read.
pub fn first_page(call: &Call<'_>, org: &Org) -> Result<String, Failure> {
    let settings = Settings::of(call.ctx)?;
    Ok(format!("{} ORDER BY Id", select(org, &settings)))
}

/// One page of the chain of users.
///
/// # Errors
/// What the queries fail with, and `malformed` for an answer that contradicts itself.
pub fn page(
    call: &Call<'_>,
    api: &Api<'_>,
    org: &Org,
    mut cursor: Cursor,
) -> Result<Page, Failure> {
    let settings = Settings::of(call.ctx)?;
    // Settings that make no sense are told before anything is asked.
    let scope = Scope::of(&settings)?;
    let by_key = || {
        format!(
            "{}{} ORDER BY Id",
            select(org, &settings),
            cursor.filter("")
        )
    };
    let (answer, started_anew) = fetch(call, api, &cursor, by_key)?;
    let page: QueryPage<'_, UserRow<'_>> = json::parse(answer.body())?;
    if cursor.clouds.is_none() {
        cursor.clouds = Some(probe::cloud_licences(api, &settings)?);
    }
    let last_id = page.records.last().map(|row| row.id.as_str().to_owned());
    let clouds = cursor.clouds.clone();
    let next = advance(cursor, started_anew, &page, last_id)?;
    let mut out = page_of(
        call,
        api,
        org,
        (&settings, &scope),
        clouds.as_ref(),
        page.records,
    )?;
    out.next = next;
    Ok(out)
}

/// Rows of users, in the order of their ids, as a page without a next one.
///
/// # Errors
/// What reading the holders of the clouds' licences fails with, and `malformed` for an id that is none.
pub fn page_of(
    call: &Call<'_>,
    api: &Api<'_>,
    org: &Org,
    (settings, scope): (&Settings, &Scope),
    licences: Option<&CloudLicences>,
    rows: Vec<UserRow<'_>>,
) -> Result<Page, Failure> {
    let holders = clouds::of_page(call, api, licences, &rows)?;
    let mut out = empty_page(api);
    out.accounts.reserve(rows.len());
    out.assignments.reserve(rows.len());
    let lens = Lens {
        org,
        settings,
        holders: &holders,
    };
    for row in rows {
        if accounts::is_wanted(&row, scope) {
            accounts::push(&mut out, row, &lens)?;
        } else {
            out.out_of_scope += 1;
        }
    }
    Ok(out)
}

/// One page of the chain of the frozen.
///
/// # Errors
/// What the query fails with; a right that was lost is no failure, frozen is unknown then.
pub fn frozen_page(call: &Call<'_>, api: &Api<'_>, cursor: Cursor) -> Result<Page, Failure> {
    let by_key = || {
        format!(
            "SELECT Id, UserId, IsFrozen FROM UserLogin{} ORDER BY Id",
            cursor.filter("IsFrozen = true")
        )
    };
    let (answer, started_anew) = match fetch(call, api, &cursor, by_key) {
        Ok(fetched) => fetched,
        Err(failure) if org::is_absent(&failure) => {
            say_frozen_is_unknown(call, &failure);
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

fn say_frozen_is_unknown(call: &Call<'_>, failure: &Failure) {
    call.log(
        Level::Warn,
        "UserLogin cannot be read; frozen is unknown",
        &[("code", &failure.code)],
    );
}

/// Fresh facts about at most 200 users: frozen included, and everything they hold. A user that does not exist is simply not in the page.
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
    let settings = Settings::of(call.ctx)?;
    let api = Api::new(call, &org.version);
    let mut out = chains::empty_page(&api);
    if ids.is_empty() {
        return Ok(out);
    }
    let list = soql::list(ids.iter().map(String::as_str));
    let (held, holders) = holdings::of_a_few(call, &api, (&org, &settings), &list)?;
    // 200 rows are one page at every batch size Salesforce allows, but a wide row may still split it.
    let mut answer = api.query(&format!(
        "{} WHERE Id IN ({list}) ORDER BY Id",
        select(&org, &settings)
    ))?;
    let mut used = String::new();
    loop {
        let page: QueryPage<'_, UserRow<'_>> = json::parse(answer.body())?;
        let next = next_locator(page.done, page.next_records_url.as_ref(), &used)?;
        let lens = Lens {
            org: &org,
            settings: &settings,
            holders: &holders,
        };
        for row in page.records {
            accounts::push(&mut out, row, &lens)?;
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
    out.assignments.extend(held);
    if org.frozen {
        match user_logins(&api, &list) {
            Ok(rows) => rows.iter().for_each(|row| push_frozen(&mut out, row)),
            Err(failure) if org::is_absent(&failure) => say_frozen_is_unknown(call, &failure),
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
