//! Use cases of sources: which there are, what superseding would do, doing it, taking it back.

use serde::Serialize;
use serde_json::json;

use super::store;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::written::{self, Unfit};
use crate::kernel::{IntoProblem, OrgId, Problem, SupersessionId};
use crate::store::{StoreError, Tx};

/// Why a source could not be superseded or taken back.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such source.
    #[error("there is no source `{0}`")]
    NotFound(String),
    /// No reason was given, or one that is longer than people read.
    #[error("the reason {0}")]
    Reason(Unfit),
    /// Something stands in the way.
    #[error("{0}")]
    InTheWay(String),
    /// It is not superseded.
    #[error("this source is not superseded")]
    NotSuperseded,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for SourceError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
            Self::NotFound(_) => Problem::new(
                "source.not_found",
                404,
                text,
                "List the sources and use the id of one of them",
            ),
            Self::Reason(_) => Problem::new(
                "source.no_reason",
                422,
                text,
                "Say why; the reason is kept with the record",
            )
            .at("reason"),
            Self::InTheWay(_) => Problem::new(
                "source.in_the_way",
                409,
                text,
                "Put right what stands in the way, then look at the preview again",
            ),
            Self::NotSuperseded => Problem::new(
                "source.not_superseded",
                409,
                text,
                "Load the sources again and look at where it stands",
            ),
        }
    }
}

/// That one source counts instead of another.
#[derive(Clone, Debug, Serialize)]
pub struct Supersession {
    /// Its id.
    pub id: SupersessionId,
    /// The source that counts no more.
    pub organization_id: OrgId,
    /// Its name.
    pub name: String,
    /// The source that counts instead.
    pub by_organization_id: OrgId,
    /// Its name.
    pub by_name: String,
    /// Why.
    pub reason: String,
    /// Since when, milliseconds UTC.
    pub at: i64,
    /// Accounts that were retired.
    pub accounts: i64,
    /// Subscriptions that were retired.
    pub subscriptions: i64,
    /// Licence counts of the vendor that were retired.
    pub pools: i64,
    /// Ids of the rights that were retired.
    pub entitlements: Vec<String>,
    /// Who decided it.
    pub made_by: String,
    /// When it was taken back.
    pub ended_at: Option<i64>,
}

/// A source as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct SourceView {
    /// Its organization.
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// The vendor's own id of it.
    pub vendor_org_id: String,
    /// Where its rows come from.
    pub connector: String,
    /// Production, sandbox, …
    pub environment: String,
    /// Number of the profile that collects it, if one does.
    pub profile: Option<String>,
    /// Accounts that count.
    pub accounts: i64,
    /// Active subscriptions that count.
    pub subscriptions: i64,
    /// What counts instead of it.
    pub superseded: Option<Supersession>,
}

/// What superseding would do.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The source that would count no more.
    pub older: SourceView,
    /// The one that would count instead.
    pub newer: SourceView,
    /// Accounts of the older one that the newer one has, too.
    pub shared_accounts: i64,
    /// Accounts that only the older one has: nobody would count them any more.
    pub lost_accounts: i64,
    /// Numbers of the rights that would be retired with it.
    pub entitlements: Vec<String>,
    /// Why it cannot be done now.
    pub in_the_way: Option<String>,
}

/// All sources, by name.
///
/// # Errors
/// [`SourceError::Denied`].
pub async fn list_sources(host: &Host, actor: &Actor) -> Result<Vec<SourceView>, SourceError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    read(&mut tx).await
}

/// Every supersession, newest first, those taken back too.
///
/// # Errors
/// [`SourceError::Denied`].
pub async fn list_supersessions(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<Supersession>, SourceError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    Ok(store::all(&mut tx).await?)
}

async fn read(tx: &mut Tx) -> Result<Vec<SourceView>, SourceError> {
    let mut sources = store::sources(tx).await?;
    for one in store::all(tx).await? {
        if one.ended_at.is_none()
            && let Some(source) = sources.iter_mut().find(|s| s.id == one.organization_id)
        {
            source.superseded = Some(one);
        }
    }
    Ok(sources)
}

/// Why one source cannot supersede the other now. Pure.
fn obstacle(older: &SourceView, newer: &SourceView) -> Option<String> {
    if older.id == newer.id {
        return Some("a source cannot supersede itself".to_owned());
    }
    if let Some(had) = &older.superseded {
        return Some(format!(
            "{} is superseded already, by {}",
            older.name, had.by_name
        ));
    }
    if let Some(had) = &newer.superseded {
        return Some(format!(
            "{} does not count itself: it is superseded by {}",
            newer.name, had.by_name
        ));
    }
    if let Some(profile) = &older.profile {
        return Some(format!(
            "{} is still collected by {profile}: end that profile first",
            older.name
        ));
    }
    (newer.subscriptions == 0).then(|| {
        format!(
            "{} has brought no subscriptions yet: collect it first, or nothing would count",
            newer.name
        )
    })
}

async fn look(tx: &mut Tx, older: &OrgId, newer: &OrgId) -> Result<Preview, SourceError> {
    let sources = read(tx).await?;
    let find = |id: &OrgId| {
        sources
            .iter()
            .find(|source| source.id == *id)
            .cloned()
            .ok_or_else(|| SourceError::NotFound(id.as_str().chars().take(80).collect()))
    };
    let (older, newer) = (find(older)?, find(newer)?);
    let shared_accounts = store::shared(tx, &older.id, &newer.id).await?;
    let rights = store::rights(tx, &older.id).await?;
    Ok(Preview {
        lost_accounts: older.accounts - shared_accounts,
        shared_accounts,
        entitlements: rights.into_iter().map(|(_, number)| number).collect(),
        in_the_way: obstacle(&older, &newer),
        older,
        newer,
    })
}

/// What superseding `older` by `newer` would do; nothing is changed.
///
/// # Errors
/// [`SourceError::NotFound`], [`SourceError::Denied`].
pub async fn preview(
    host: &Host,
    actor: &Actor,
    older: &OrgId,
    newer: &OrgId,
) -> Result<Preview, SourceError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    look(&mut tx, older, newer).await
}

/// Retires what `older` brought, in favour of `newer`: accounts, subscriptions, the vendor's counts, and the rights bound to it.
///
/// # Errors
/// [`SourceError::InTheWay`], [`SourceError::Reason`], [`SourceError::NotFound`], [`SourceError::Denied`].
pub async fn supersede(
    host: &Host,
    actor: &Actor,
    older: &OrgId,
    newer: &OrgId,
    reason: &str,
) -> Result<Supersession, SourceError> {
    actor.may(Permission::ManageSam)?;
    let reason = written::reason(reason)
        .map_err(SourceError::Reason)?
        .to_owned();
    let mut tx = host.store.begin().await?;
    store::lock(&mut tx, older).await?;
    let seen = look(&mut tx, older, newer).await?;
    if let Some(why) = seen.in_the_way {
        return Err(SourceError::InTheWay(why));
    }
    let now_ms = host.now_ms();
    // Later than every interval, so that what was closed by it is known by its time.
    let at = now_ms.max(store::newest(&mut tx, older).await? + 1);
    let rights = store::rights(&mut tx, older).await?;
    let ids: Vec<String> = rights.into_iter().map(|(id, _)| id).collect();
    let by = actor.id.as_str();
    store::move_rights(&mut tx, &ids, ("in_use", "retired"), by, now_ms).await?;
    let (accounts, subscriptions, pools) = store::close(&mut tx, older, at).await?;
    let new = Supersession {
        id: SupersessionId::mint(now_ms, &*host.chance),
        organization_id: older.clone(),
        name: seen.older.name,
        by_organization_id: newer.clone(),
        by_name: seen.newer.name,
        reason,
        at,
        accounts,
        subscriptions,
        pools,
        entitlements: ids,
        made_by: by.to_owned(),
        ended_at: None,
    };
    store::insert(&mut tx, &new).await?;
    changed(host, &mut tx, actor, "source.superseded", &new, &new.reason).await?;
    tx.commit().await?;
    Ok(new)
}

/// Takes a supersession back: the very rows that it retired count again.
///
/// # Errors
/// [`SourceError::NotSuperseded`], [`SourceError::Reason`], [`SourceError::Denied`].
pub async fn take_back(
    host: &Host,
    actor: &Actor,
    older: &OrgId,
    reason: &str,
) -> Result<Supersession, SourceError> {
    actor.may(Permission::ManageSam)?;
    let reason = written::reason(reason)
        .map_err(SourceError::Reason)?
        .to_owned();
    let mut tx = host.store.begin().await?;
    store::lock(&mut tx, older).await?;
    let mut held = store::of(&mut tx, older)
        .await?
        .ok_or(SourceError::NotSuperseded)?;
    let (by, now_ms) = (actor.id.as_str(), host.now_ms());
    if !store::end(&mut tx, &held.id, by, now_ms).await? {
        return Err(SourceError::NotSuperseded);
    }
    store::reopen(&mut tx, older, held.at).await?;
    store::move_rights(
        &mut tx,
        &held.entitlements,
        ("retired", "in_use"),
        by,
        now_ms,
    )
    .await?;
    held.ended_at = Some(now_ms);
    changed(host, &mut tx, actor, "source.taken_back", &held, &reason).await?;
    tx.commit().await?;
    Ok(held)
}

/// Audit, and a reconciliation soon.
async fn changed(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: &str,
    what: &Supersession,
    reason: &str,
) -> Result<(), StoreError> {
    let entry = Entry {
        event,
        subject_kind: "organization",
        subject_id: what.organization_id.as_str(),
        detail: json!({
            "by": what.by_organization_id, "reason": reason, "accounts": what.accounts, "subscriptions": what.subscriptions,
            "pools": what.pools, "entitlements": what.entitlements,
        }),
    };
    host.audit(tx, actor, entry).await?;
    let reconcile = NewJob {
        kind: JobKind::Reconcile,
        organization: None,
        key: "reconcile:sources".to_owned(),
        subject: "sources".to_owned(),
        due_at: host.now_ms(),
        payload: serde_json::Value::Null,
    };
    host.wake(tx, &reconcile).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: &str, profile: Option<&str>, subscriptions: i64) -> SourceView {
        SourceView {
            id: id.into(),
            name: id.to_owned(),
            vendor_org_id: id.to_owned(),
            connector: "c".to_owned(),
            environment: "production".to_owned(),
            profile: profile.map(str::to_owned),
            accounts: subscriptions,
            subscriptions,
            superseded: None,
        }
    }

    #[test]
    fn only_an_ended_source_is_superseded_and_only_by_one_that_counts() {
        let (older, newer) = (source("older", None, 5), source("newer", Some("PRF1"), 4));
        assert_eq!(obstacle(&older, &newer), None);
        for (older, newer, why) in [
            (older.clone(), older.clone(), "itself"),
            (newer.clone(), older.clone(), "end that profile first"),
            (older.clone(), source("empty", None, 0), "collect it first"),
        ] {
            let said = obstacle(&older, &newer).unwrap();
            assert!(said.contains(why), "{said}");
        }
        let mut gone = source("gone", None, 5);
        gone.superseded = Some(Supersession {
            id: "sup_1".into(),
            organization_id: "older".into(),
            name: "older".to_owned(),
            by_organization_id: "newer".into(),
            by_name: "newer".to_owned(),
            reason: "r".to_owned(),
            at: 1,
            accounts: 1,
            subscriptions: 1,
            pools: 0,
            entitlements: Vec::new(),
            made_by: "p".to_owned(),
            ended_at: None,
        });
        assert!(obstacle(&gone, &newer).unwrap().contains("already"));
        assert!(
            obstacle(&older, &gone)
                .unwrap()
                .contains("does not count itself")
        );
    }
}
