//! Business units: who sees which, and which profile belongs to which.
//!
//! Invariants: without a unit somebody sees the whole company; there is always an administrator who does; a change ends the sessions of
//! its person. What follows from a sight is decided in one place, the store's views of what is seen.

use std::collections::BTreeSet;

use serde::Serialize;

use super::access::{keeps_an_admin, known, record};
use super::roles::{Actor, Permission};
use super::service::{checked_name, invalid};
use super::{IdentityError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::{BusinessUnitId, PrincipalId, ProfileId};
use crate::store::{StoreError, Tx};

/// A business unit.
#[derive(Clone, Debug, Serialize)]
pub struct UnitView {
    /// Its id.
    pub id: BusinessUnitId,
    /// Its name; the directory names units, too.
    pub name: String,
    /// Profiles that belong to it.
    pub profiles: i64,
    /// People of the directory in it.
    pub people: i64,
    /// Principals whose sight it is a part of.
    pub principals: i64,
}

/// A profile and the unit it belongs to.
#[derive(Clone, Debug, Serialize)]
pub struct Placed {
    /// The profile.
    pub id: ProfileId,
    /// Its number.
    pub number: String,
    /// Its name.
    pub name: String,
    /// The unit's name; none: only whoever sees everything sees it.
    pub business_unit: Option<String>,
}

/// The units by name, and the profiles by number.
#[derive(Clone, Debug, Serialize)]
pub struct UnitsView {
    /// The units.
    pub units: Vec<UnitView>,
    /// The profiles.
    pub profiles: Vec<Placed>,
}

/// All business units and what belongs to them.
///
/// # Errors
/// [`IdentityError::Denied`].
pub async fn list_units(host: &Host, actor: &Actor) -> Result<UnitsView, IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.read_everything().await?;
    Ok(UnitsView {
        units: store::units::list(&mut tx).await?,
        profiles: store::units::profiles(&mut tx).await?,
    })
}

/// Makes a business unit. Imports of the directory make those that they name.
///
/// # Errors
/// [`IdentityError::Invalid`] for a name that is none or taken, [`IdentityError::Denied`].
pub async fn create_unit(
    host: &Host,
    actor: &Actor,
    name: &str,
) -> Result<BusinessUnitId, IdentityError> {
    actor.may(Permission::Administer)?;
    let name = checked_name(name, "business_unit")?;
    let now_ms = host.now_ms();
    let id = BusinessUnitId::mint(now_ms, &*host.chance);
    let mut tx = host.store.begin().await?;
    store::units::insert(&mut tx, &id, &name, now_ms)
        .await
        .map_err(|error| {
            if error.is_unique("name") {
                invalid("business_unit", "there is a business unit of this name")
            } else {
                error.into()
            }
        })?;
    let entry = Entry {
        event: "business_unit.created",
        subject_kind: "business_unit",
        subject_id: id.as_str(),
        detail: serde_json::json!({ "name": name }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(id)
}

/// Lets a principal see exactly these business units, by name; without any, everything. Where that changes something, their sessions
/// end.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::Invalid`] for a unit that there is not,
/// [`IdentityError::LastAdmin`].
pub async fn set_sight(
    host: &Host,
    actor: &Actor,
    id: &PrincipalId,
    names: &BTreeSet<String>,
) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let now_ms = host.now_ms();
    let mut tx = host.store.begin().await?;
    let before = known(&mut tx, id).await?;
    let mut wanted = BTreeSet::new();
    for name in names {
        wanted.insert(unit_of(&mut tx, name).await?);
    }
    let had: BTreeSet<String> = before
        .sight
        .names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    if had == *names {
        return Ok(());
    }
    if !wanted.is_empty() {
        keeps_an_admin(&mut tx, &before).await?;
    }
    store::units::put(&mut tx, id, &wanted, &actor.id, now_ms).await?;
    let ended = store::end_sessions(&mut tx, id, None, None, now_ms).await?;
    let detail = serde_json::json!({ "from": had, "to": names, "sessions_ended": ended });
    record(
        host,
        &mut tx,
        actor,
        id,
        "principal.business_units_set",
        detail,
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Lets a profile belong to a business unit, by name, or to none: with it go the others of its alias, its organization, accounts, runs, candidates and positions.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::Invalid`] for a unit that there is not.
pub async fn place_profile(
    host: &Host,
    actor: &Actor,
    number: &str,
    unit: Option<&str>,
) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let profile = store::units::profiles(&mut tx)
        .await?
        .into_iter()
        .find(|profile| profile.number == number || profile.id.as_str() == number)
        .ok_or(IdentityError::NotFound("profile"))?;
    let wanted = match unit {
        Some(name) => Some(unit_of(&mut tx, name).await?),
        None => None,
    };
    if profile.business_unit.as_deref() == unit {
        return Ok(());
    }
    store::units::place(&mut tx, &profile.id, wanted.as_ref(), host.now_ms()).await?;
    let entry = Entry {
        event: "profile.business_unit_set",
        subject_kind: "profile",
        subject_id: profile.id.as_str(),
        detail: serde_json::json!({ "number": profile.number, "from": profile.business_unit, "to": unit }),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}

async fn unit_of(tx: &mut Tx, name: &str) -> Result<BusinessUnitId, IdentityError> {
    store::units::list(tx)
        .await?
        .into_iter()
        .find(|unit| unit.name == name)
        .map(|unit| unit.id)
        .ok_or_else(|| {
            invalid(
                "business_unit",
                format!(
                    "there is no business unit `{}`",
                    name.chars().take(80).collect::<String>()
                ),
            )
        })
}

/// The units that a happening of this kind belongs to, for whoever tells people of it; `None` among them: something of no unit. Empty:
/// it is the whole company's.
///
/// # Errors
/// The database's own.
pub async fn units_of(
    tx: &mut Tx,
    subject_kind: &str,
    subject_id: &str,
) -> Result<Vec<Option<String>>, StoreError> {
    store::units::of_subject(tx, subject_kind, subject_id).await
}
