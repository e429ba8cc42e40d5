//! SQL of vaults and of the fields that are fetched there.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::model::{FromVault, VaultKind};
use crate::kernel::{AliasId, PrincipalId, VaultId};
use crate::store::{StoreError, Tx};

/// A vault's row, its token still sealed.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: VaultId,
    pub(super) name: String,
    pub(super) kind: VaultKind,
    pub(super) address: String,
    pub(super) app_id: String,
    pub(super) mount: String,
    pub(super) namespace: String,
    pub(super) token: Option<Vec<u8>>,
    pub(super) token_hint: Option<String>,
    pub(super) roots_pem: Option<String>,
    /// By name.
    pub(super) set_by: Option<String>,
    pub(super) set_at: i64,
    /// Fields that are fetched there.
    pub(super) fields: i64,
}

fn row(row: &AnyRow) -> Result<Row, StoreError> {
    let kind: String = row.try_get("kind")?;
    Ok(Row {
        id: row.try_get::<String, _>("id")?.into(),
        name: row.try_get("name")?,
        kind: VaultKind::parse(&kind).ok_or_else(|| {
            StoreError::Migrate(format!("vault kind `{kind}` is not known to this version"))
        })?,
        address: row.try_get("address")?,
        app_id: row.try_get("app_id")?,
        mount: row.try_get("mount")?,
        namespace: row.try_get("namespace")?,
        token: row.try_get("token_sealed")?,
        token_hint: row.try_get("token_hint")?,
        roots_pem: row.try_get("roots_pem")?,
        set_by: row.try_get("set_by")?,
        set_at: row.try_get("set_at")?,
        fields: row.try_get("fields")?,
    })
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select v.id, v.name, v.kind, v.address, v.app_id, v.mount, v.namespace, v.token_sealed, v.token_hint, v.roots_pem, \
             p.name as set_by, v.set_at, (select count(*) from vault_fields f where f.vault_id = v.id) as fields \
             from vaults v left join principals p on p.id = v.set_by ",
            $tail
        )
    };
}

pub(super) async fn find(tx: &mut Tx, name: &str) -> Result<Option<Row>, StoreError> {
    let found = sqlx::query(select!("where v.name = $1"))
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    found.as_ref().map(row).transpose()
}

pub(super) async fn list(tx: &mut Tx) -> Result<Vec<Row>, StoreError> {
    sqlx::query(select!("order by v.name"))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(row)
        .collect()
}

/// Makes a vault, or changes the one of this id.
pub(super) async fn put(
    tx: &mut Tx,
    new: &Row,
    key_id: Option<&str>,
    by: &PrincipalId,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into vaults (id, name, kind, address, app_id, mount, namespace, token_sealed, token_hint, key_id, roots_pem, set_by, set_at, \
           created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) \
         on conflict (id) do update set kind = excluded.kind, address = excluded.address, app_id = excluded.app_id, mount = excluded.mount, \
           namespace = excluded.namespace, token_sealed = excluded.token_sealed, token_hint = excluded.token_hint, \
           key_id = excluded.key_id, roots_pem = excluded.roots_pem, set_by = excluded.set_by, set_at = excluded.set_at, \
           version = vaults.version + 1",
    )
    .bind(new.id.as_str())
    .bind(&new.name)
    .bind(new.kind.as_str())
    .bind(&new.address)
    .bind(&new.app_id)
    .bind(&new.mount)
    .bind(&new.namespace)
    .bind(new.token.clone())
    .bind(new.token_hint.clone())
    .bind(key_id.map(str::to_owned))
    .bind(new.roots_pem.clone())
    .bind(by.as_str())
    .bind(new.set_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: &VaultId) -> Result<(), StoreError> {
    sqlx::query("delete from vaults where id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A field of an alias with where it is fetched, who said so and when.
pub(super) struct FieldRow {
    pub(super) field: String,
    pub(super) from: FromVault,
    /// By name.
    pub(super) set_by: Option<String>,
    pub(super) set_at: i64,
}

pub(super) async fn fields(tx: &mut Tx, alias: &AliasId) -> Result<Vec<FieldRow>, StoreError> {
    sqlx::query(
        "select f.field, v.name, f.query, f.property, p.name as set_by, f.set_at from vault_fields f join vaults v on v.id = f.vault_id \
         left join principals p on p.id = f.set_by where f.alias_id = $1 order by f.field",
    )
    .bind(alias.as_str())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(FieldRow {
            field: row.try_get("field")?,
            from: FromVault {
                vault: row.try_get("name")?,
                query: row.try_get("query")?,
                property: row.try_get("property")?,
            },
            set_by: row.try_get("set_by")?,
            set_at: row.try_get("set_at")?,
        })
    })
    .collect()
}

pub(super) async fn forget_fields(tx: &mut Tx, alias: &AliasId) -> Result<(), StoreError> {
    sqlx::query("delete from vault_fields where alias_id = $1")
        .bind(alias.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn put_field(
    tx: &mut Tx,
    alias: &AliasId,
    field: &str,
    vault: &VaultId,
    from: &FromVault,
    (by, now_ms): (&PrincipalId, i64),
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into vault_fields (alias_id, field, vault_id, query, property, set_by, set_at) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(alias.as_str())
    .bind(field)
    .bind(vault.as_str())
    .bind(&from.query)
    .bind(&from.property)
    .bind(by.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}
