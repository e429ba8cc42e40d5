//! Use cases of sign-ins that identity providers report; one transaction each.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use super::reading::{self, Events};
use super::store;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::imports::ImportError;
use crate::imports::mapping::Dates;
use crate::imports::reading::BadLine;
use crate::jobs::{JobKind, NewJob};
use crate::kernel::sheet::{self, Charset};
use crate::kernel::{IdentityApplicationId, IdentitySourceId, OrgId};
use crate::reclamation::{follow, naming, planning};
use crate::store::{StoreError, Tx};

/// An identity provider with the applications that it told of.
#[derive(Clone, Debug, Serialize)]
pub struct IdentitySourceView {
    /// Its id.
    pub id: IdentitySourceId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: i64,
    /// By name.
    pub applications: Vec<ApplicationView>,
}

/// An application of an identity provider.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationView {
    /// Its id.
    pub id: IdentityApplicationId,
    /// As the provider calls it.
    pub name: String,
    /// The organization of ours that it stands for.
    pub organization_id: Option<OrgId>,
    /// That organization's name.
    pub organization: Option<String>,
    /// Logins that were seen.
    pub logins: i64,
    /// Of these, logins that match no account.
    pub strangers: i64,
    /// The last sign-in of anybody.
    pub last_at: Option<i64>,
}

/// A login that matches no account.
#[derive(Clone, Debug, Serialize)]
pub struct StrangerView {
    /// As the provider told it, in small letters.
    pub login: String,
    /// Its last sign-in.
    pub last_at: i64,
}

/// What a file or list of sign-ins came to.
#[derive(Clone, Debug, Serialize)]
pub struct Brought {
    /// Sign-ins that succeeded.
    pub good: u64,
    /// Attempts that failed: no use.
    pub failed: u64,
    /// Lines or events that were left out.
    pub left_out: u64,
    /// The first of these, with their reasons.
    pub reasons: Vec<BadLine>,
    /// Applications that were named.
    pub applications: u64,
}

/// Whether sign-ins count for the rules of a profile, and what that changes.
#[derive(Clone, Debug, Serialize)]
pub struct CountingView {
    /// Number of the profile.
    pub number: String,
    /// Its organization.
    pub organization_id: OrgId,
    /// The later of the vendor's last activity and the last sign-in counts.
    pub counts: bool,
    /// Accounts with a sign-in.
    pub accounts: i64,
    /// Accounts whose last sign-in is later than the vendor's own activity.
    pub later: i64,
    /// Removal candidates that the rules would name by the vendor's own activity alone.
    pub candidates_by_vendor: i64,
    /// By the later of both.
    pub candidates_by_later: i64,
}

fn not_found(what: &'static str, key: &str) -> ImportError {
    ImportError::NotFound {
        what,
        key: key.chars().take(80).collect(),
    }
}

/// All identity providers with their applications.
///
/// # Errors
/// [`ImportError::Denied`].
pub async fn list_sources(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<IdentitySourceView>, ImportError> {
    actor.may(Permission::Read)?;
    Ok(store::list_sources(&mut host.store.read(&actor.sight).await?).await?)
}

/// Organizations that an application may stand for: id and name.
///
/// # Errors
/// [`ImportError::Denied`].
pub async fn list_organizations(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<(OrgId, String)>, ImportError> {
    actor.may(Permission::Read)?;
    Ok(store::list_organizations(&mut host.store.read(&actor.sight).await?).await?)
}

/// Names an identity provider.
///
/// # Errors
/// [`ImportError::ProviderName`] for a name that is none or taken, [`ImportError::Denied`].
pub async fn create_source(
    host: &Host,
    actor: &Actor,
    name: &str,
) -> Result<IdentitySourceView, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let name = name.trim();
    if !(1..=80).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(ImportError::ProviderName);
    }
    let now_ms = host.now_ms();
    let id = IdentitySourceId::mint(now_ms, &*host.chance);
    let mut tx = host.store.begin().await?;
    if store::find_source(&mut tx, name).await?.is_some() {
        return Err(ImportError::ProviderName);
    }
    store::insert_source(&mut tx, &id, name, actor.id.as_str(), now_ms).await?;
    let entry = Entry {
        event: "identity_source.created",
        subject_kind: "identity_source",
        subject_id: id.as_str(),
        detail: json!({ "name": name }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(IdentitySourceView {
        id,
        name: name.to_owned(),
        created_at: now_ms,
        applications: Vec::new(),
    })
}

/// A file of sign-ins.
#[derive(Clone, Debug, Default)]
pub struct SignInFile<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Encoding by name; empty: by its mark, else UTF-8.
    pub encoding: &'a str,
    /// Form of dates; empty: ISO 8601.
    pub dates: &'a str,
    /// Lines that cannot be used are left out; otherwise they stop everything.
    pub leaves_out: bool,
}

/// Takes sign-ins from a table as the provider exports it.
///
/// # Errors
/// [`ImportError::Sheet`], [`ImportError::SignInColumn`], [`ImportError::SignInLines`], [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn bring_file(
    host: &Host,
    actor: &Actor,
    source: &str,
    file: SignInFile<'_>,
) -> Result<Brought, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let choice = |what: &'static str, given: &str| ImportError::Choice {
        what,
        given: given.chars().take(20).collect(),
    };
    let chosen = match file.encoding {
        "" => None,
        given => Some(Charset::parse(given).ok_or_else(|| choice("encoding", given))?),
    };
    let dates = match file.dates {
        "" => Dates::Iso,
        given => Dates::parse(given).ok_or_else(|| choice("form of dates", given))?,
    };
    let (text, _) = sheet::decode(file.bytes, chosen)?;
    let text = sheet::unix_lines(&text);
    let separator = sheet::separator(&text);
    let headings = sheet::headings(&text, separator)?;
    let columns = reading::columns(&headings)?;
    let mut events = Events::default();
    for record in sheet::records(&text, separator, 1).skip(1) {
        events.take(&record, columns, headings.len(), dates, host.now_ms());
    }
    take(host, actor, source, events, file.leaves_out).await
}

/// One sign-in as a program sends it.
#[derive(Clone, Debug)]
pub struct SignInEvent {
    /// Who.
    pub login: String,
    /// To what.
    pub application: String,
    /// When, milliseconds UTC.
    pub at: i64,
}

/// Takes sign-ins one by one; an event that cannot be used is named by its place, from 1.
///
/// # Errors
/// [`ImportError::SignInLines`], [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn bring_events(
    host: &Host,
    actor: &Actor,
    source: &str,
    list: &[SignInEvent],
    leaves_out: bool,
) -> Result<Brought, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let mut events = Events::default();
    for (place, event) in (1_u64..).zip(list) {
        let noted = events.note(&event.login, &event.application, event.at, host.now_ms());
        if let Err(reason) = noted {
            events.refuse(place, reason);
        }
    }
    take(host, actor, source, events, leaves_out).await
}

async fn take(
    host: &Host,
    actor: &Actor,
    source: &str,
    events: Events,
    leaves_out: bool,
) -> Result<Brought, ImportError> {
    if events.bad > 0 && !leaves_out {
        return Err(ImportError::SignInLines {
            bad: events.bad,
            reasons: events.reasons,
        });
    }
    let now_ms = host.now_ms();
    let mut tx = host.store.begin().await?;
    let id = store::find_source(&mut tx, source)
        .await?
        .ok_or_else(|| not_found("identity provider", source))?;
    let names: BTreeSet<&String> = events.last.keys().map(|(name, _)| name).collect();
    let mut applications: BTreeMap<String, IdentityApplicationId> = BTreeMap::new();
    let mut organizations: BTreeSet<OrgId> = BTreeSet::new();
    for name in names {
        let fresh = IdentityApplicationId::mint(now_ms, &*host.chance);
        let (known, organization) =
            store::keep_application(&mut tx, &fresh, &id, name, now_ms).await?;
        organizations.extend(organization);
        applications.insert(name.clone(), known);
    }
    let mut rows: Vec<(IdentityApplicationId, String, i64)> = events
        .last
        .into_iter()
        .filter_map(|((name, login), at)| Some((applications.get(&name)?.clone(), login, at)))
        .collect();
    rows.sort();
    store::put_signins(&mut tx, &rows, now_ms).await?;
    for organization in &organizations {
        settle(host, &mut tx, organization).await?;
    }
    let entry = Entry {
        event: "sign_ins.brought",
        subject_kind: "identity_source",
        subject_id: id.as_str(),
        detail: json!({ "good": events.good, "failed": events.failed, "left_out": events.bad, "applications": applications.len() }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(Brought {
        good: events.good,
        failed: events.failed,
        left_out: events.bad,
        reasons: events.reasons,
        applications: applications.len() as u64,
    })
}

/// Resolves whose sign-ins they are, and lets the rules see it: who is active is no candidate any more where sign-ins count.
async fn settle(host: &Host, tx: &mut Tx, organization: &OrgId) -> Result<(), ImportError> {
    store::resolve(tx, organization).await?;
    follow::follow_run(host, tx, organization, None).await?;
    planning::wake(host, tx, organization).await?;
    let reconcile = NewJob {
        kind: JobKind::Reconcile,
        organization: None,
        key: "reconcile:sign_ins".to_owned(),
        subject: "sign_ins".to_owned(),
        due_at: host.now_ms(),
        payload: serde_json::Value::Null,
    };
    Ok(host.wake(tx, &reconcile).await?)
}

/// Resolves the sign-ins of an organization anew, after its accounts or whose they are changed.
///
/// # Errors
/// The database's own.
pub async fn resolve(tx: &mut Tx, organization: &OrgId) -> Result<(), StoreError> {
    if store::has_application(tx, organization).await? {
        store::resolve(tx, organization).await?;
    }
    Ok(())
}

/// Says which organization an application stands for; `None`: none.
///
/// # Errors
/// [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn map_application(
    host: &Host,
    actor: &Actor,
    application: &str,
    organization: Option<&OrgId>,
) -> Result<(), ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let before = store::find_application(&mut tx, application)
        .await?
        .ok_or_else(|| not_found("application", application))?;
    if let Some(wanted) = organization
        && !store::list_organizations(&mut tx)
            .await?
            .iter()
            .any(|(id, _)| id == wanted)
    {
        return Err(not_found("organization", wanted.as_str()));
    }
    store::set_organization(&mut tx, application, organization).await?;
    let touched: BTreeSet<&OrgId> = before.as_ref().into_iter().chain(organization).collect();
    for one in touched {
        settle(host, &mut tx, one).await?;
    }
    let entry = Entry {
        event: "sign_ins.mapped",
        subject_kind: "identity_application",
        subject_id: application,
        detail: json!({ "from": before, "to": organization }),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}

/// Logins of an application that match no account, by login, at most `limit` (1 to 1,000) after one.
///
/// # Errors
/// [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn list_strangers(
    host: &Host,
    actor: &Actor,
    application: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<StrangerView>, ImportError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    store::find_application(&mut tx, application)
        .await?
        .ok_or_else(|| not_found("application", application))?;
    Ok(store::strangers(&mut tx, application, after, limit.clamp(1, 1_000)).await?)
}

async fn counting_in(host: &Host, tx: &mut Tx, profile: &str) -> Result<CountingView, ImportError> {
    let (number, organization_id, counts) = store::counting_of(tx, profile)
        .await?
        .ok_or_else(|| not_found("published profile", profile))?;
    let (accounts, later) = store::count_resolved(tx, &organization_id).await?;
    let (by_vendor, by_later) = naming::named_by_either(host, tx, &organization_id).await?;
    Ok(CountingView {
        number,
        organization_id,
        counts,
        accounts,
        later,
        candidates_by_vendor: by_vendor,
        candidates_by_later: by_later,
    })
}

/// Whether sign-ins count for a profile, and what counting them changes or would change.
///
/// # Errors
/// [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn counting(
    host: &Host,
    actor: &Actor,
    profile: &str,
) -> Result<CountingView, ImportError> {
    actor.may(Permission::Read)?;
    counting_in(host, &mut host.store.read(&actor.sight).await?, profile).await
}

/// Lets the later of the vendor's last activity and the last sign-in count for the rules of a profile, or the vendor's alone again.
///
/// # Errors
/// [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn set_counting(
    host: &Host,
    actor: &Actor,
    profile: &str,
    counts: bool,
) -> Result<CountingView, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let before = counting_in(host, &mut tx, profile).await?;
    store::set_counting(&mut tx, &before.organization_id, counts).await?;
    settle(host, &mut tx, &before.organization_id).await?;
    let entry = Entry {
        event: "profile.counts_sign_ins",
        subject_kind: "profile",
        subject_id: &before.number,
        detail: json!({
            "from": before.counts, "to": counts, "candidates_by_vendor": before.candidates_by_vendor,
            "candidates_by_later": before.candidates_by_later,
        }),
    };
    host.audit(&mut tx, actor, entry).await?;
    let after = counting_in(host, &mut tx, profile).await?;
    tx.commit().await?;
    Ok(after)
}
