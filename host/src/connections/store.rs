//! SQL of a connection's way out.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::model::ProxyUse;
use crate::kernel::{AliasId, PrincipalId};
use crate::store::{StoreError, Tx};

/// The part of a connection that says how it leaves.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) alias: AliasId,
    pub(super) name: String,
    pub(super) parent: Option<AliasId>,
    pub(super) proxy_use: ProxyUse,
    pub(super) proxy_url: Option<String>,
    pub(super) proxy_user: Option<String>,
    pub(super) proxy_password: Option<Vec<u8>>,
    pub(super) proxy_password_hint: Option<String>,
    pub(super) proxy_set_by: Option<String>,
    pub(super) proxy_set_at: Option<i64>,
    pub(super) roots_pem: Option<String>,
    pub(super) roots_set_by: Option<String>,
    pub(super) roots_set_at: Option<i64>,
    pub(super) extra_hosts: String,
}

fn row(row: &AnyRow) -> Result<Row, StoreError> {
    let word: String = row.try_get("proxy_use")?;
    Ok(Row {
        alias: row.try_get::<String, _>("alias_id")?.into(),
        name: row.try_get("name")?,
        parent: row
            .try_get::<Option<String>, _>("parent_id")?
            .map(AliasId::from),
        proxy_use: ProxyUse::parse(&word).ok_or_else(|| {
            StoreError::Migrate(format!("proxy use `{word}` is not known to this version"))
        })?,
        proxy_url: row.try_get("proxy_url")?,
        proxy_user: row.try_get("proxy_user")?,
        proxy_password: row.try_get("proxy_password_sealed")?,
        proxy_password_hint: row.try_get("proxy_password_hint")?,
        proxy_set_by: row.try_get("proxy_set_by")?,
        proxy_set_at: row.try_get("proxy_set_at")?,
        roots_pem: row.try_get("roots_pem")?,
        roots_set_by: row.try_get("roots_set_by")?,
        roots_set_at: row.try_get("roots_set_at")?,
        extra_hosts: row.try_get("extra_hosts")?,
    })
}

/// Who set a thing is given by name, as a person reads it.
pub(super) async fn find(tx: &mut Tx, alias: &AliasId) -> Result<Option<Row>, StoreError> {
    let found = sqlx::query(
        "select c.alias_id, a.name, a.parent_id, c.proxy_use, c.proxy_url, c.proxy_user, c.proxy_password_sealed, c.proxy_password_hint, \
           p.name as proxy_set_by, c.proxy_set_at, c.roots_pem, r.name as roots_set_by, c.roots_set_at, c.extra_hosts \
         from connections c join aliases a on a.id = c.alias_id \
         left join principals p on p.id = c.proxy_set_by left join principals r on r.id = c.roots_set_by where c.alias_id = $1",
    )
    .bind(alias.as_str())
    .fetch_optional(tx.conn())
    .await?;
    found.as_ref().map(row).transpose()
}

/// Aliases one level below.
pub(super) async fn children(tx: &mut Tx, alias: &AliasId) -> Result<Vec<AliasId>, StoreError> {
    sqlx::query("select id from aliases where parent_id = $1 order by id")
        .bind(alias.as_str())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| Ok(row.try_get::<String, _>("id")?.into()))
        .collect()
}

/// A proxy, already judged and sealed.
pub(super) struct ProxyRow<'a> {
    pub(super) proxy_use: ProxyUse,
    pub(super) url: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a [u8]>,
    pub(super) hint: Option<&'a str>,
}

pub(super) async fn put_proxy(
    tx: &mut Tx,
    alias: &AliasId,
    new: &ProxyRow<'_>,
    by: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update connections set proxy_use = $2, proxy_url = $3, proxy_user = $4, proxy_password_sealed = $5, proxy_password_hint = $6, \
           proxy_set_by = $7, proxy_set_at = $8, updated_at = $8, version = version + 1 where alias_id = $1",
    )
    .bind(alias.as_str())
    .bind(new.proxy_use.as_str())
    .bind(new.url.map(str::to_owned))
    .bind(new.user.map(str::to_owned))
    .bind(new.password.map(<[u8]>::to_vec))
    .bind(new.hint.map(str::to_owned))
    .bind(by.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn put_roots(
    tx: &mut Tx,
    alias: &AliasId,
    pem: Option<&str>,
    by: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update connections set roots_pem = $2, roots_set_by = $3, roots_set_at = $4, updated_at = $4, version = version + 1 \
         where alias_id = $1",
    )
    .bind(alias.as_str())
    .bind(pem.map(str::to_owned))
    .bind(by.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn put_hosts(
    tx: &mut Tx,
    alias: &AliasId,
    hosts: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update connections set extra_hosts = $2, updated_at = $3, version = version + 1 where alias_id = $1",
    )
    .bind(alias.as_str())
    .bind(hosts)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}
