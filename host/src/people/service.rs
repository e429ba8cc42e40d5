//! Importing people, matching accounts to them, and what could not be matched.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::import::{self, ImportError, Row};
use super::matching::{NotADomain, Transform, fold};
use super::model::{ImportReport, PersonView, ResolutionRuleView, UnresolvedView};
use super::store::{self, Known};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::written::{self, Unfit};
use crate::kernel::{
    BusinessUnitId, EmploymentId, IntoProblem, OrgId, PersonId, Problem, ResolutionRuleId,
};
use crate::store::{StoreError, Tx};

/// Why people were not changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The file as a whole.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A resolution rule that can match nothing.
    #[error(transparent)]
    NotADomain(#[from] NotADomain),
    /// The name is in use.
    #[error("a user resolution rule named `{0}` exists already")]
    RuleNameTaken(String),
    /// A name is missing.
    #[error("the name of the user resolution rule {0}")]
    Name(Unfit),
    /// No such account or person.
    #[error("there is no {0}")]
    NotFound(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for PeopleError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
            Self::Import(_) => Problem::new(
                "people.import",
                422,
                text,
                "Give a CSV file with the columns name, email, external_id, business_unit, department, cost_centre, status; name and one of email and external_id are needed",
            )
            .at("file"),
            Self::NotADomain(_) => Problem::new(
                "people.not_a_domain",
                422,
                text,
                "Give a domain such as acme.com, without @",
            )
            .at("from"),
            Self::RuleNameTaken(_) => {
                Problem::new("people.rule_name_taken", 409, text, "Choose another name").at("name")
            }
            Self::Name(_) => {
                Problem::new("people.no_name", 422, text, "Give the rule a name").at("name")
            }
            Self::NotFound(_) => Problem::new(
                "people.not_found",
                404,
                text,
                "List the people and unresolved accounts and use one of them",
            ),
        }
    }
}

/// People compared and written at once; what an import holds besides the file's rows is bounded by it.
const SLICE: usize = 2_000;

/// Imports a directory export and matches all accounts anew. Rows that cannot be used are reported; the others count.
/// People the file does not name stay as they are.
///
/// # Errors
/// [`PeopleError::Import`] for a file that is none; [`PeopleError::Denied`].
pub async fn import_csv(
    host: &Host,
    actor: &Actor,
    text: &str,
) -> Result<ImportReport, PeopleError> {
    actor.may(Permission::ManageSam)?;
    let (rows, refused) = import::parse(text)?;
    let mut tx = host.store.begin().await?;
    let now_ms = host.now_ms();
    let mut report = ImportReport {
        refused,
        ..ImportReport::default()
    };
    let names: BTreeSet<&String> = rows
        .iter()
        .filter_map(|row| row.business_unit.as_ref())
        .collect();
    let wanted: Vec<_> = names
        .into_iter()
        .map(|name| (BusinessUnitId::mint(now_ms, &*host.chance), name.clone()))
        .collect();
    let units = store::units(&mut tx, &wanted, now_ms).await?;
    for slice in rows.chunks(SLICE) {
        import_slice(host, &mut tx, slice, &units, &mut report).await?;
    }
    for organization in store::list_organizations(&mut tx).await? {
        report.matched += match_accounts(host, &mut tx, &organization).await?;
    }
    let entry = Entry {
        event: "people.imported",
        subject_kind: "people",
        subject_id: "import",
        detail: json!({ "added": report.added, "changed": report.changed, "refused": report.refused.len() }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(report)
}

/// Compares some rows with who is known, and writes what is new or changed.
async fn import_slice(
    host: &Host,
    tx: &mut Tx,
    rows: &[Row],
    units: &HashMap<String, String>,
    report: &mut ImportReport,
) -> Result<(), StoreError> {
    let now_ms = host.now_ms();
    let mails: Vec<String> = rows
        .iter()
        .filter_map(|row| row.email.as_deref().map(fold))
        .collect();
    let ids: Vec<String> = rows
        .iter()
        .filter_map(|row| row.external_id.clone())
        .collect();
    let known = store::list_known(tx, &mails, &ids).await?;
    let by_mail: HashMap<String, &Known> = known
        .iter()
        .filter_map(|k| Some((fold(k.email.as_deref()?), k)))
        .collect();
    let by_id: HashMap<&str, &Known> = known
        .iter()
        .filter_map(|k| Some((k.external_id.as_deref()?, k)))
        .collect();
    let (mut people, mut employments) = (Vec::new(), Vec::new());
    for row in rows {
        let mailed = row
            .email
            .as_deref()
            .and_then(|mail| by_mail.get(&fold(mail)).copied());
        let keyed = row
            .external_id
            .as_deref()
            .and_then(|id| by_id.get(id).copied());
        if let (Some(mailed), Some(keyed)) = (mailed, keyed)
            && mailed.id != keyed.id
        {
            report.refused.push((
                row.line,
                "mail address and external id belong to two different people".to_owned(),
            ));
            continue;
        }
        let unit = row
            .business_unit
            .as_ref()
            .and_then(|name| units.get(name).cloned());
        let had = keyed.or(mailed);
        let id = had.map_or_else(
            || PersonId::mint(now_ms, &*host.chance),
            |known| known.id.clone(),
        );
        let is_same = had.is_some_and(|known| says_the_same(known, row, unit.as_ref()));
        let is_same_employment = had.and_then(|known| known.employment.as_ref()).is_some_and(
            |(status, department, cost)| {
                (status, department, cost) == (&row.status, &row.department, &row.cost_centre)
            },
        );
        match (had, is_same && is_same_employment) {
            (None, _) => report.added += 1,
            (Some(_), true) => report.unchanged += 1,
            (Some(_), false) => report.changed += 1,
        }
        if !is_same_employment {
            employments.push((EmploymentId::mint(now_ms, &*host.chance), id.clone(), row));
        }
        if !is_same {
            people.push((id, row, unit));
        }
    }
    store::put_people(tx, &people, now_ms).await?;
    store::put_employments(tx, &employments, now_ms).await
}

fn says_the_same(known: &Known, row: &Row, unit: Option<&String>) -> bool {
    known.name == row.name
        && known.email == row.email
        && known.external_id == row.external_id
        && known.unit.as_ref() == unit
        && known.is_active == row.is_active()
}

/// Matches the accounts of an organization to people: by principal, by mail address, then by the user resolution rules.
/// Answers how many are matched that were not. Running it again changes nothing.
///
/// # Errors
/// The database's own.
pub async fn match_accounts(
    host: &Host,
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<i64, StoreError> {
    let now_ms = host.now_ms();
    store::drop_stale(tx, organization).await?;
    let mut matched = store::match_by_mail(tx, organization, now_ms).await?;
    for rule in store::list_rules(tx)
        .await?
        .iter()
        .filter(|rule| rule.is_active)
    {
        matched += store::match_by_rule(tx, organization, rule, now_ms).await?;
    }
    if matched > 0 {
        // What waited for its holder to be known can go on.
        let job = NewJob::of_organization(JobKind::Plan, organization, now_ms);
        host.wake(tx, &job).await?;
    }
    Ok(i64::try_from(matched).unwrap_or(i64::MAX))
}

/// Adds a user resolution rule and applies it to all organizations at once.
///
/// # Errors
/// [`PeopleError::NotADomain`], [`PeopleError::RuleNameTaken`], [`PeopleError::Name`], [`PeopleError::Denied`].
pub async fn add_resolution_rule(
    host: &Host,
    actor: &Actor,
    name: &str,
    transform: Transform,
) -> Result<i64, PeopleError> {
    actor.may(Permission::ManageSam)?;
    transform.check()?;
    let name = written::name(name).map_err(PeopleError::Name)?;
    let mut tx = host.store.begin().await?;
    let now_ms = host.now_ms();
    let id = ResolutionRuleId::mint(now_ms, &*host.chance);
    store::insert_rule(&mut tx, &id, name, &transform, now_ms)
        .await
        .map_err(|error| {
            if error.is_unique("resolution_rules.name") {
                PeopleError::RuleNameTaken(name.to_owned())
            } else {
                error.into()
            }
        })?;
    let mut matched = 0;
    for organization in store::list_organizations(&mut tx).await? {
        matched += match_accounts(host, &mut tx, &organization).await?;
    }
    let entry = Entry {
        event: "resolution_rule.added",
        subject_kind: "resolution_rule",
        subject_id: id.as_str(),
        detail: json!({ "name": name, "rule": transform, "matched": matched }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(matched)
}

/// All user resolution rules, in the order in which they are applied.
///
/// # Errors
/// [`PeopleError::Denied`].
pub async fn list_resolution_rules(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<ResolutionRuleView>, PeopleError> {
    actor.may(Permission::Read)?;
    Ok(store::list_rules(&mut host.store.read(&actor.sight).await?).await?)
}

/// Says by hand whose account it is; no later matching undoes that.
///
/// # Errors
/// [`PeopleError::NotFound`], [`PeopleError::Denied`].
pub async fn match_by_hand(
    host: &Host,
    actor: &Actor,
    organization: &OrgId,
    account: &str,
    person: &PersonId,
) -> Result<(), PeopleError> {
    actor.may(Permission::ManageSam)?;
    let mut tx = host.store.begin().await?;
    let done = store::put_match(&mut tx, organization, account, person, host.now_ms())
        .await
        .map_err(|error| match error {
            StoreError::Constraint { .. } => PeopleError::NotFound(format!("person {person}")),
            other => other.into(),
        })?;
    if !done {
        return Err(PeopleError::NotFound(format!("account {account}")));
    }
    let job = NewJob::of_organization(JobKind::Plan, organization, host.now_ms());
    host.wake(&mut tx, &job).await?;
    let entry = Entry {
        event: "account.matched",
        subject_kind: "account",
        subject_id: account,
        detail: json!({ "organization": organization, "person": person }),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}

/// People after an id, at most `limit` (1 to 500).
///
/// # Errors
/// [`PeopleError::Denied`].
pub async fn list_people(
    host: &Host,
    actor: &Actor,
    after: Option<&PersonId>,
    limit: i64,
) -> Result<Vec<PersonView>, PeopleError> {
    actor.may(Permission::Read)?;
    let after = after.map_or("", PersonId::as_str);
    Ok(store::list_people(
        &mut host.store.read(&actor.sight).await?,
        after,
        limit.clamp(1, 500),
    )
    .await?)
}

/// Accounts of people that hold active subscriptions and match nobody; `after` is organization and account of the last one
/// of the page before.
///
/// # Errors
/// [`PeopleError::Denied`].
pub async fn list_unresolved(
    host: &Host,
    actor: &Actor,
    after: Option<(&str, &str)>,
    limit: i64,
) -> Result<Vec<UnresolvedView>, PeopleError> {
    actor.may(Permission::Read)?;
    let after = after.unwrap_or(("", ""));
    Ok(store::list_unresolved(
        &mut host.store.read(&actor.sight).await?,
        after,
        limit.clamp(1, 500),
    )
    .await?)
}
