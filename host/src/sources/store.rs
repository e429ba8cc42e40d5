//! SQL of sources.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::service::{SourceView, Supersession};
use crate::kernel::{OrgId, SupersessionId};
use crate::store::{StoreError, Tx};

const SUPERSESSION: &str = "select s.*, o.name as name, n.name as by_name from supersessions s \
     join organizations o on o.id = s.organization_id join organizations n on n.id = s.by_organization_id";

fn supersession(row: &AnyRow) -> Result<Supersession, StoreError> {
    Ok(Supersession {
        id: row.try_get::<String, _>("id")?.into(),
        organization_id: row.try_get::<String, _>("organization_id")?.into(),
        name: row.try_get("name")?,
        by_organization_id: row.try_get::<String, _>("by_organization_id")?.into(),
        by_name: row.try_get("by_name")?,
        reason: row.try_get("reason")?,
        at: row.try_get("at")?,
        accounts: row.try_get("accounts")?,
        subscriptions: row.try_get("subscriptions")?,
        pools: row.try_get("pools")?,
        entitlements: serde_json::from_str(&row.try_get::<String, _>("entitlements")?)
            .unwrap_or_default(),
        made_by: row.try_get("made_by")?,
        ended_at: row.try_get("ended_at")?,
    })
}

/// The supersession that holds for an organization now.
pub(super) async fn of(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Option<Supersession>, StoreError> {
    let sql = format!("{SUPERSESSION} where s.organization_id = $1 and s.ended_at is null");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(organization.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(supersession).transpose()
}

/// Every supersession, newest first, those taken back too.
pub(super) async fn all(tx: &mut Tx) -> Result<Vec<Supersession>, StoreError> {
    let sql = format!("{SUPERSESSION} order by s.at desc, s.id desc");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(supersession).collect()
}

/// All organizations with what counts of them, by name.
pub(super) async fn sources(tx: &mut Tx) -> Result<Vec<SourceView>, StoreError> {
    let rows = sqlx::query(
        "select o.id, o.name, o.vendor_org_id, o.connector_id, o.environment, \
           (select p.number from profiles p where p.organization_id = o.id and p.state in ('published', 'paused')) as profile, \
           (select count(*) from accounts a where a.organization_id = o.id and a.valid_to is null and a.is_gone = 0) as accounts, \
           (select count(*) from subscriptions s where s.organization_id = o.id and s.valid_to is null and s.is_active = 1) as subscriptions \
         from organizations o order by o.name, o.id",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(SourceView {
                id: row.try_get::<String, _>("id")?.into(),
                name: row.try_get("name")?,
                vendor_org_id: row.try_get("vendor_org_id")?,
                connector: row.try_get("connector_id")?,
                environment: row.try_get("environment")?,
                profile: row.try_get("profile")?,
                accounts: row.try_get("accounts")?,
                subscriptions: row.try_get("subscriptions")?,
                superseded: None,
            })
        })
        .collect()
}

/// Waits for whoever merges rows of the organization, and keeps others out until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, organization: &OrgId) -> Result<(), StoreError> {
    let sql = tx.dialect().pick(
        "select id from organizations where id = $1",
        "select id from organizations where id = $1 for update",
    );
    sqlx::query(sql)
        .bind(organization.as_str())
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// Accounts of one that the other has, too, by address or by name of sign-in.
pub(super) async fn shared(tx: &mut Tx, older: &OrgId, newer: &OrgId) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select count(*) as n from accounts a where a.organization_id = $1 and a.valid_to is null and a.is_gone = 0 and (\
           lower(a.principal) in (select lower(b.principal) from accounts b where b.organization_id = $2 and b.valid_to is null and b.is_gone = 0) \
           or lower(a.email) in (select lower(b.email) from accounts b where b.organization_id = $2 and b.valid_to is null and b.is_gone = 0 \
             and b.email is not null))",
    )
    .bind(older.as_str())
    .bind(newer.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("n")?)
}

/// Ids and numbers of the rights bound to an organization that are in use.
pub(super) async fn rights(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query(
        "select id, number from entitlements where organization_id = $1 and state = 'in_use' order by number",
    )
    .bind(organization.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("number")?)))
        .collect()
}

/// The time of the newest interval of an organization.
pub(super) async fn newest(tx: &mut Tx, organization: &OrgId) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select cast(coalesce(max(t.at), 0) as bigint) as at from (\
           select max(valid_from) as at from accounts where organization_id = $1 \
           union all select max(valid_from) from subscriptions where organization_id = $1 \
           union all select max(valid_from) from pools where organization_id = $1) t",
    )
    .bind(organization.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("at")?)
}

/// Closes what is current of an organization: how many accounts, subscriptions and pools.
pub(super) async fn close(
    tx: &mut Tx,
    organization: &OrgId,
    at: i64,
) -> Result<(i64, i64, i64), StoreError> {
    let mut closed = Vec::new();
    for statement in [
        "update accounts set valid_to = $2 where organization_id = $1 and valid_to is null",
        "update subscriptions set valid_to = $2 where organization_id = $1 and valid_to is null",
        "update pools set valid_to = $2 where organization_id = $1 and valid_to is null",
    ] {
        let done = sqlx::query(statement)
            .bind(organization.as_str())
            .bind(at)
            .execute(tx.conn())
            .await?;
        closed.push(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX));
    }
    Ok((closed[0], closed[1], closed[2]))
}

/// Opens again what was closed at that very time.
pub(super) async fn reopen(tx: &mut Tx, organization: &OrgId, at: i64) -> Result<(), StoreError> {
    for statement in [
        "update accounts set valid_to = null where organization_id = $1 and valid_to = $2",
        "update subscriptions set valid_to = null where organization_id = $1 and valid_to = $2",
        "update pools set valid_to = null where organization_id = $1 and valid_to = $2",
    ] {
        sqlx::query(statement)
            .bind(organization.as_str())
            .bind(at)
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Moves rights between in use and retired; only those that stand where they are expected.
pub(super) async fn move_rights(
    tx: &mut Tx,
    ids: &[String],
    (from, to): (&str, &str),
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    for id in ids {
        sqlx::query(
            "update entitlements set state = $3, changed_by = $4, updated_at = $5, version = version + 1 where id = $1 and state = $2",
        )
        .bind(id)
        .bind(from)
        .bind(to)
        .bind(by)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

pub(super) async fn insert(tx: &mut Tx, new: &Supersession) -> Result<(), StoreError> {
    sqlx::query(
        "insert into supersessions (id, organization_id, by_organization_id, reason, at, accounts, subscriptions, pools, entitlements, \
           made_by, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $5)",
    )
    .bind(new.id.as_str())
    .bind(new.organization_id.as_str())
    .bind(new.by_organization_id.as_str())
    .bind(&new.reason)
    .bind(new.at)
    .bind(new.accounts)
    .bind(new.subscriptions)
    .bind(new.pools)
    .bind(serde_json::json!(new.entitlements).to_string())
    .bind(&new.made_by)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a supersession; false when it had ended.
pub(super) async fn end(
    tx: &mut Tx,
    id: &SupersessionId,
    by: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update supersessions set ended_at = $3, ended_by = $2 where id = $1 and ended_at is null",
    )
    .bind(id.as_str())
    .bind(by)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
