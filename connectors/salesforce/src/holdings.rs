//! What people hold beside their user licence: permission-set licences and seats of managed packages.
//!
//! Identifiers: `psl:DEVELOPERNAME` and `package:NAMESPACE`. A permission-set licence whose name is hidden, or a package that
//! is, goes by its id in the same place. Each assignment carries the vendor's own id of it.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{
    Answer, Call, Failure, attribute, failure, json,
    subscriptions::{Assignment, Page},
};
use serde::Deserialize;

use crate::{
    api::{Api, next_path},
    chains::{Cursor, advance, empty_page, fetch},
    clouds::Holders,
    ids,
    model::{ProfileRow, QueryPage, Text},
    org::Org,
    scope::{Scope, Subject},
    settings::{LicenceKind, Settings},
    shown,
};

/// Prefix of the identifier of a permission-set licence.
pub const PERMISSION_SET_LICENCE: &str = "psl:";
/// Prefix of the identifier of a managed package.
pub const PACKAGE: &str = "package:";

/// What is read of each assignment of a permission-set licence.
const LICENCE_ASSIGNS: &str = "SELECT Id, AssigneeId, PermissionSetLicenseId, PermissionSetLicense.DeveloperName, \
    PermissionSetLicense.MasterLabel FROM PermissionSetLicenseAssign";
/// What is read of each package seat.
const PACKAGE_SEATS: &str = "SELECT Id, UserId, PackageLicenseId FROM UserPackageLicense";
/// Pages that the holdings of 200 people may take.
const FEW_PAGES: usize = 20;

/// What a download asks for a kind of licence that has an object of its own.
pub fn query_of(kind: LicenceKind) -> Option<&'static str> {
    match kind {
        LicenceKind::PermissionSetLicences => Some(LICENCE_ASSIGNS),
        LicenceKind::Packages => Some(PACKAGE_SEATS),
        LicenceKind::Features => None,
    }
}

/// The query with more columns; each starts with its comma.
fn with_columns(select: &str, more: &str) -> String {
    select.replacen(" FROM ", &format!("{more} FROM "), 1)
}

/// The holder, as far as the filters ask.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Holder<'a> {
    #[serde(default)]
    is_active: Option<bool>,
    #[serde(borrow, default)]
    user_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    email: Option<Text<'a>>,
    #[serde(borrow, default)]
    profile: Option<ProfileRow<'a>>,
}

/// Columns of the holder behind a relationship, where any filter is set.
fn holder_columns(relationship: &str, org: &Org, scope: &Scope) -> String {
    if scope.is_all() {
        return String::new();
    }
    let mut columns = format!(
        ", {relationship}.IsActive, {relationship}.Profile.UserLicense.LicenseDefinitionKey"
    );
    for column in ["UserType", "Email"] {
        if org.has(column) {
            columns.push_str(&format!(", {relationship}.{column}"));
        }
    }
    columns
}

fn is_wanted(scope: &Scope, holder: Option<&Holder<'_>>) -> bool {
    if scope.is_all() {
        return true;
    }
    // A holder that is hidden is not among the accounts either.
    let Some(holder) = holder else { return false };
    let licence = holder
        .profile
        .as_ref()
        .and_then(|profile| profile.user_license.as_ref())
        .and_then(|licence| licence.license_definition_key.as_ref());
    scope.wants(Subject {
        is_active: holder.is_active,
        user_type: holder.user_type.as_ref().map_or("", Text::as_str),
        email: holder.email.as_ref().map(Text::as_str),
        licence: licence.map_or("", Text::as_str),
    })
}

/// The page a cursor stands at; `None` where a chain that was not begun cannot be read at all, and never could.
fn first_may_be_absent(
    call: &Call<'_>,
    api: &Api<'_>,
    (org, kind): (&Org, LicenceKind),
    cursor: &Cursor,
    by_key: impl FnOnce() -> String,
) -> Result<Option<(Answer, bool)>, Failure> {
    match fetch(call, api, cursor, by_key) {
        Err(failure) if cursor.is_at_start() => {
            shown::none_of(call, org, kind, failure).map(|()| None)
        }
        fetched => fetched.map(Some),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LicenceAssign<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    assignee_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    permission_set_license_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    permission_set_license: Option<LicenceName<'a>>,
    #[serde(borrow, default)]
    assignee: Option<Holder<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LicenceName<'a> {
    #[serde(borrow, default)]
    developer_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    master_label: Option<Text<'a>>,
}

/// One page of the chain of permission-set licences.
///
/// # Errors
/// What the query fails with, but not for an object that never could be read at all: a right lost on the way, or since the last
/// run, fails the run, or everybody would seem to have lost the licence.
pub fn permission_set_licences(
    call: &Call<'_>,
    api: &Api<'_>,
    org: &Org,
    cursor: Cursor,
) -> Result<Page, Failure> {
    let scope = Scope::of(&Settings::of(call.ctx)?)?;
    let by_key = || {
        format!(
            "{}{} ORDER BY Id",
            with_columns(LICENCE_ASSIGNS, &holder_columns("Assignee", org, &scope)),
            cursor.filter("")
        )
    };
    let kind = (org, LicenceKind::PermissionSetLicences);
    let Some((answer, started_anew)) = first_may_be_absent(call, api, kind, &cursor, by_key)?
    else {
        return Ok(empty_page(api));
    };
    let page: QueryPage<'_, LicenceAssign<'_>> = json::parse(answer.body())?;
    let last_id = page.records.last().map(|row| row.id.as_str().to_owned());
    let mut out = empty_page(api);
    out.next = advance(cursor, started_anew, &page, last_id)?;
    for row in page.records {
        if is_wanted(&scope, row.assignee.as_ref()) {
            push_licence(&mut out, row);
        }
    }
    Ok(out)
}

fn push_licence(out: &mut Page, row: LicenceAssign<'_>) {
    let (name, label) = row.permission_set_license.map_or((None, None), |licence| {
        (licence.developer_name, licence.master_label)
    });
    if let Some(key) = name.or(row.permission_set_license_id) {
        push(
            out,
            row.assignee_id,
            format!("{PERMISSION_SET_LICENCE}{}", key.into_string()),
            row.id,
            label.map(Text::into_string),
        );
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PackageSeat<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    package_license_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    user: Option<Holder<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PackageName {
    id: String,
    #[serde(default)]
    namespace_prefix: Option<String>,
}

/// One page of the chain of package seats.
///
/// # Errors
/// As [`permission_set_licences`].
pub fn packages(
    call: &Call<'_>,
    api: &Api<'_>,
    org: &Org,
    cursor: Cursor,
) -> Result<Page, Failure> {
    let scope = Scope::of(&Settings::of(call.ctx)?)?;
    let by_key = || {
        format!(
            "{}{} ORDER BY Id",
            with_columns(PACKAGE_SEATS, &holder_columns("User", org, &scope)),
            cursor.filter("")
        )
    };
    let kind = (org, LicenceKind::Packages);
    let Some((answer, started_anew)) = first_may_be_absent(call, api, kind, &cursor, by_key)?
    else {
        return Ok(empty_page(api));
    };
    let page: QueryPage<'_, PackageSeat<'_>> = json::parse(answer.body())?;
    let last_id = page.records.last().map(|row| row.id.as_str().to_owned());
    let next = advance(cursor, started_anew, &page, last_id)?;
    let names = if page.records.is_empty() {
        BTreeMap::new()
    } else {
        namespaces(api)?
    };
    let mut out = empty_page(api);
    out.next = next;
    for row in page.records {
        if is_wanted(&scope, row.user.as_ref()) {
            push_seat(&mut out, row, &names);
        }
    }
    Ok(out)
}

fn push_seat(out: &mut Page, row: PackageSeat<'_>, names: &BTreeMap<String, String>) {
    let Some(package) = row.package_license_id.as_ref().map(Text::as_str) else {
        return;
    };
    let package = ids::widen(package).map_or_else(|| package.to_owned(), Into::into);
    let key = names.get(&package).cloned().unwrap_or(package);
    push(out, row.user_id, format!("{PACKAGE}{key}"), row.id, None);
}

/// What a few people hold right now beside their user licences, and who of them holds the licences of the two clouds. The ids
/// are quoted for an IN list. A kind that never could be read is left out, as in a download, with a word in the log.
///
/// # Errors
/// A kind that can be read no more; and what says nothing about rights: the vendor is down, the limit is spent.
pub fn of_a_few(
    call: &Call<'_>,
    api: &Api<'_>,
    (org, settings): (&Org, &Settings),
    list: &str,
) -> Result<(Vec<Assignment>, Holders), Failure> {
    let mut out = empty_page(api);
    let mut holders = Holders::default();
    if settings.reads(LicenceKind::PermissionSetLicences) {
        let query = format!("{LICENCE_ASSIGNS} WHERE AssigneeId IN ({list}) ORDER BY Id");
        let read = every_page(api, &query, |body| {
            let page: QueryPage<'_, LicenceAssign<'_>> = json::parse(body)?;
            let ends = (page.done, page.next_records_url.map(Text::into_string));
            page.records
                .into_iter()
                .for_each(|row| push_licence(&mut out, row));
            Ok(ends)
        });
        tolerate(call, org, LicenceKind::PermissionSetLicences, read)?;
    }
    for seat in &out.assignments {
        if let Some(name) = seat.identifier.strip_prefix(PERMISSION_SET_LICENCE) {
            holders.note(&seat.account, name);
        }
    }
    if settings.reads(LicenceKind::Packages) {
        let mut names = None;
        let query = format!("{PACKAGE_SEATS} WHERE UserId IN ({list}) ORDER BY Id");
        let read = every_page(api, &query, |body| {
            let page: QueryPage<'_, PackageSeat<'_>> = json::parse(body)?;
            let ends = (page.done, page.next_records_url.map(Text::into_string));
            for row in page.records {
                let names = match &mut names {
                    Some(names) => names,
                    none => none.insert(namespaces(api)?),
                };
                push_seat(&mut out, row, names);
            }
            Ok(ends)
        });
        tolerate(call, org, LicenceKind::Packages, read)?;
    }
    Ok((out.assignments, holders))
}

fn tolerate(
    call: &Call<'_>,
    org: &Org,
    kind: LicenceKind,
    read: Result<(), Failure>,
) -> Result<(), Failure> {
    read.or_else(|failure| shown::none_of(call, org, kind, failure))
}

/// Reads a small query to its end. `page` answers whether it was the last one, and where the next is.
fn every_page(
    api: &Api<'_>,
    query: &str,
    mut page: impl FnMut(&[u8]) -> Result<(bool, Option<String>), Failure>,
) -> Result<(), Failure> {
    let mut answer = api.query(query)?;
    let mut used = String::new();
    for _ in 0..FEW_PAGES {
        let (done, next) = page(answer.body())?;
        let Some(next) = next_path(done, next, &used)? else {
            return Ok(());
        };
        answer = api.get(&next)?;
        used = next;
    }
    Err(failure::malformed(
        "endless_query",
        "A small query did not end",
    ))
}

/// Namespace of each package by its id: some dozens of rows.
fn namespaces(api: &Api<'_>) -> Result<BTreeMap<String, String>, Failure> {
    let rows: Vec<PackageName> =
        api.rows("SELECT Id, NamespacePrefix FROM PackageLicense ORDER BY Id")?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let id = ids::widen(&row.id)?.into_owned();
            Some((id, row.namespace_prefix?))
        })
        .collect())
}

/// A holder whose id is none is skipped: it could not be joined to an account.
fn push(
    page: &mut Page,
    holder: Option<Text<'_>>,
    identifier: String,
    id: Text<'_>,
    label: Option<String>,
) {
    let Some(account) = holder
        .as_ref()
        .and_then(|holder| ids::widen(holder.as_str()))
    else {
        return;
    };
    page.assignments.push(Assignment {
        account: account.into_owned(),
        identifier,
        id: Some(ids::widen(id.as_str()).map_or_else(|| id.as_str().to_owned(), Into::into)),
        assigned: None,
        evidence: label
            .map(|label| attribute("licence", label))
            .into_iter()
            .collect(),
    });
}
