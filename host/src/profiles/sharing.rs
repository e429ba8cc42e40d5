//! One alias of more than one profile: the connection and its secret are held once, by the alias, and whoever uses it re-uses them.
//!
//! Invariants: two published profiles never share an alias, so a second one is the successor of the first: a draft beside it, published
//! once the first has ended. While the first is live, the second changes nothing of the connection. The secret goes when the last
//! profile that is not ended goes; no credential of another org than the one that any of them has ever had takes its place.

use serde::Serialize;
use serde_json::json;

use super::error::ProfileError;
use super::model::ProfileState;
use super::playbook::Answers;
use super::playbook::service::{begun, inherit};
use super::service::{get, need, needs_connector};
use super::store::{self, NewRow, ProfileRow};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::ProfileId;
use crate::store::numbers::{self, Series};
use crate::store::{StoreError, Tx};

/// Another profile of the same alias that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sharer {
    /// Its number.
    pub number: String,
    /// Its name.
    pub name: String,
    /// Draft, published or paused.
    pub state: &'static str,
    /// Published or paused: the connection is its own to change.
    pub is_live: bool,
}

/// Who else uses the alias of a profile; ended ones left out.
pub(super) async fn sharers(tx: &mut Tx, row: &ProfileRow) -> Result<Vec<Sharer>, StoreError> {
    let all = store::of_alias(tx, &row.alias).await?;
    Ok(all
        .into_iter()
        .filter(|other| other.id != row.id && other.state != ProfileState::Archived)
        .map(|other| Sharer {
            is_live: other.state.is_live(),
            state: other.state.as_str(),
            number: other.number,
            name: other.name,
        })
        .collect())
}

/// Refuses a change of a connection that a live profile uses as well.
pub(super) async fn own_to_change(tx: &mut Tx, row: &ProfileRow) -> Result<(), ProfileError> {
    let others = sharers(tx, row).await?;
    match others.into_iter().find(|other| other.is_live) {
        Some(other) => Err(ProfileError::Shared {
            number: other.number,
            name: other.name,
        }),
        None => Ok(()),
    }
}

/// The vendor's id of the org that the alias of a profile is for, whichever of its profiles was published for it.
pub(super) async fn org_of_alias(
    tx: &mut Tx,
    row: &ProfileRow,
) -> Result<Option<String>, StoreError> {
    let known = match &row.organization {
        Some(organization) => Some(organization.clone()),
        None => store::of_alias(tx, &row.alias)
            .await?
            .into_iter()
            .rev()
            .find_map(|other| other.organization),
    };
    match known {
        Some(organization) => store::vendor_org_id(tx, &organization).await,
        None => Ok(None),
    }
}

/// Makes a draft that uses the alias of another profile: its answers are copied, its connection and secret are re-used where they stand.
/// Answers its number.
///
/// # Errors
/// [`ProfileError::NotFound`], [`ProfileError::Imported`].
pub async fn succeed(host: &Host, actor: &Actor, key: &str) -> Result<String, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let key = get(host, actor, key).await?.id;
    let now_ms = host.now_ms();
    let id = ProfileId::mint(now_ms, &*host.chance);
    let mut tx = host.store.begin().await?;
    let first = need(&mut tx, key.as_str()).await?;
    needs_connector(&first)?;
    let manifest = host.connectors.manifest(&first.connector)?;
    let number = numbers::next(&mut tx, Series::Profile).await?;
    let new = NewRow {
        id: &id,
        number: &number,
        name: &number,
        connector: &first.connector,
        alias: &first.alias,
        parent: None,
        login_url: &first.login_url,
        settings: &first.settings,
        schedule_cron: &first.schedule_cron,
        schedule_zone: &first.schedule_zone,
        by: &actor.id,
        now_ms,
    };
    store::insert_profile(&mut tx, &new).await?;
    inherit(host, &mut tx, &first.alias, |_| ()).await?;
    let answers = Answers::parse(&first.answers).copied(&first.number, false);
    begun(
        &mut tx,
        actor,
        &manifest,
        &first,
        &answers,
        (&id, &number),
        now_ms,
    )
    .await?;
    let entry = Entry {
        event: "profile.started",
        subject_kind: "profile",
        subject_id: id.as_str(),
        detail: json!({"number": number, "connector": first.connector, "from": first.number, "alias": first.alias, "shares_alias": true}),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(number)
}
