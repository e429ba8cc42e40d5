//! SQL of business units: which there are, who sees which, and what a profile belongs to.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;

use crate::identity::units::{Placed, UnitView};
use crate::kernel::{BusinessUnitId, PrincipalId, ProfileId};
use crate::store::{StoreError, Tx};

/// The units of one principal, or of each that has any: id and name.
pub(in crate::identity) async fn of_principals(
    tx: &mut Tx,
    id: Option<&PrincipalId>,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, StoreError> {
    let rows = match id {
        Some(id) => {
            sqlx::query(
                "select u.principal_id, b.id, b.name from principal_units u join business_units b on b.id = u.business_unit_id \
                 where u.principal_id = $1",
            )
            .bind(id.as_str())
            .fetch_all(tx.conn())
            .await?
        }
        None => {
            sqlx::query(
                "select u.principal_id, b.id, b.name from principal_units u join business_units b on b.id = u.business_unit_id",
            )
            .fetch_all(tx.conn())
            .await?
        }
    };
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in &rows {
        all.entry(row.try_get("principal_id")?)
            .or_default()
            .insert(row.try_get("id")?, row.try_get("name")?);
    }
    Ok(all)
}

/// Lets a principal see exactly these units; without any, all.
pub(in crate::identity) async fn put(
    tx: &mut Tx,
    id: &PrincipalId,
    units: &BTreeSet<BusinessUnitId>,
    by: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("delete from principal_units where principal_id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    for unit in units {
        sqlx::query(
            "insert into principal_units (principal_id, business_unit_id, granted_by, created_at) values ($1, $2, $3, $4)",
        )
        .bind(id.as_str())
        .bind(unit.as_str())
        .bind(by.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// All units by name, each with how many profiles, people of the directory and principals it has.
pub(in crate::identity) async fn list(tx: &mut Tx) -> Result<Vec<UnitView>, StoreError> {
    sqlx::query(
        "select b.id, b.name, (select count(*) from profiles p where p.business_unit_id = b.id) as profiles, \
           (select count(*) from people p where p.business_unit_id = b.id) as people, \
           (select count(*) from principal_units u where u.business_unit_id = b.id) as principals \
         from business_units b order by b.name",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(UnitView {
            id: row.try_get::<String, _>("id")?.into(),
            name: row.try_get("name")?,
            profiles: row.try_get("profiles")?,
            people: row.try_get("people")?,
            principals: row.try_get("principals")?,
        })
    })
    .collect()
}

pub(in crate::identity) async fn insert(
    tx: &mut Tx,
    id: &BusinessUnitId,
    name: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("insert into business_units (id, name, created_at) values ($1, $2, $3)")
        .bind(id.as_str())
        .bind(name)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Every profile by number, with the unit it belongs to.
pub(in crate::identity) async fn profiles(tx: &mut Tx) -> Result<Vec<Placed>, StoreError> {
    sqlx::query(
        "select p.id, p.number, p.name, p.business_unit_id, b.name as unit from profiles p \
         left join business_units b on b.id = p.business_unit_id order by p.number",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(Placed {
            id: row.try_get::<String, _>("id")?.into(),
            number: row.try_get("number")?,
            name: row.try_get("name")?,
            business_unit: row.try_get("unit")?,
        })
    })
    .collect()
}

pub(in crate::identity) async fn place(
    tx: &mut Tx,
    profile: &ProfileId,
    unit: Option<&BusinessUnitId>,
    now_ms: i64,
) -> Result<(), StoreError> {
    // Profiles of one alias share a connection and an organization, so they are in one unit.
    sqlx::query(
        "update profiles set business_unit_id = $2, updated_at = $3 where alias_id = (select alias_id from profiles where id = $1)",
    )
        .bind(profile.as_str())
        .bind(unit.map(|unit| unit.as_str().to_owned()))
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The units that a happening belongs to, `None` for none; empty when it is the company's.
pub(in crate::identity) async fn of_subject(
    tx: &mut Tx,
    kind: &str,
    id: &str,
) -> Result<Vec<Option<String>>, StoreError> {
    let text = match kind {
        "profile" => "select business_unit_id from profiles where id = $1",
        "run" => {
            "select p.business_unit_id from runs r join profiles p on p.id = r.profile_id where r.id = $1"
        }
        "batch" => {
            "select distinct p.business_unit_id from batch_items i join candidates c on c.id = i.candidate_id \
             join profiles p on p.organization_id = c.organization_id and p.state in ('published', 'paused') where i.batch_id = $1"
        }
        _ => return Ok(Vec::new()),
    };
    sqlx::query(text)
        .bind(id)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| Ok(row.try_get("business_unit_id")?))
        .collect()
}
