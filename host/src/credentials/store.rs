//! SQL of credentials.

use sqlx::Row as _;

use crate::kernel::{AliasId, PrincipalId, Problem};
use crate::store::{StoreError, Tx};

/// One row, secrets still sealed.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) grant_kind: String,
    pub(super) client_id: String,
    pub(super) client_secret: Option<Vec<u8>>,
    pub(super) client_secret_hint: Option<String>,
    pub(super) refresh_token: Option<Vec<u8>>,
    pub(super) access_token: Option<Vec<u8>>,
    pub(super) access_expires_at: Option<i64>,
    pub(super) grant_fields: String,
    pub(super) granted_scopes: String,
    pub(super) generation: i64,
    pub(super) health: String,
    pub(super) health_detail: Option<String>,
    pub(super) health_problem: Option<String>,
    pub(super) username: Option<String>,
    pub(super) private_key: Option<Vec<u8>>,
    pub(super) private_key_hint: Option<String>,
    pub(super) uses_pkce: bool,
    pub(super) connected_as: Option<String>,
    pub(super) connected_at: Option<i64>,
    pub(super) connected_by: Option<String>,
    pub(super) refreshed_at: Option<i64>,
    pub(super) set_by: String,
    pub(super) set_at: i64,
}

/// What a token answer leaves behind.
pub(super) struct Refreshed {
    pub(super) access_token: Vec<u8>,
    pub(super) access_expires_at: i64,
    /// `None` keeps the stored one.
    pub(super) refresh_token: Option<Vec<u8>>,
    pub(super) grant_fields: String,
    pub(super) granted_scopes: String,
}

/// A credential to be stored, its secrets sealed.
pub(super) struct Put<'a> {
    pub(super) grant_kind: &'a str,
    pub(super) client_id: &'a str,
    pub(super) client_secret: Option<Vec<u8>>,
    pub(super) client_secret_hint: &'a str,
    pub(super) refresh_token: Option<Vec<u8>>,
    pub(super) username: Option<&'a str>,
    pub(super) private_key: Option<Vec<u8>>,
    pub(super) private_key_hint: Option<String>,
    pub(super) uses_pkce: bool,
    /// A person must sign in at the vendor's first.
    pub(super) needs_consent: bool,
    pub(super) key_id: &'a str,
    pub(super) by: &'a PrincipalId,
    pub(super) now_ms: i64,
}

pub(super) async fn find(tx: &mut Tx, alias: &AliasId) -> Result<Option<Row>, StoreError> {
    let row = sqlx::query(
        "select grant_kind, client_id, client_secret_sealed, client_secret_hint, refresh_token_sealed, access_token_sealed, access_expires_at, \
         grant_fields, granted_scopes, generation, health, health_detail, health_problem, username, private_key_sealed, private_key_hint, \
         uses_pkce, connected_as, connected_at, connected_by, refreshed_at, set_by, set_at from credentials where alias_id = $1",
    )
    .bind(alias.as_str())
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Row {
        grant_kind: row.try_get("grant_kind")?,
        client_id: row.try_get("client_id")?,
        client_secret: row.try_get("client_secret_sealed")?,
        client_secret_hint: row.try_get("client_secret_hint")?,
        refresh_token: row.try_get("refresh_token_sealed")?,
        access_token: row.try_get("access_token_sealed")?,
        access_expires_at: row.try_get("access_expires_at")?,
        grant_fields: row.try_get("grant_fields")?,
        granted_scopes: row.try_get("granted_scopes")?,
        generation: row.try_get("generation")?,
        health: row.try_get("health")?,
        health_detail: row.try_get("health_detail")?,
        health_problem: row.try_get("health_problem")?,
        username: row.try_get("username")?,
        private_key: row.try_get("private_key_sealed")?,
        private_key_hint: row.try_get("private_key_hint")?,
        uses_pkce: row.try_get::<i64, _>("uses_pkce")? == 1,
        connected_as: row.try_get("connected_as")?,
        connected_at: row.try_get("connected_at")?,
        connected_by: row.try_get("connected_by")?,
        refreshed_at: row.try_get("refreshed_at")?,
        set_by: row.try_get("set_by")?,
        set_at: row.try_get("set_at")?,
    }))
}

/// Stores a credential without a token. A refresher that worked for the one before loses its turn.
pub(super) async fn put(tx: &mut Tx, alias: &AliasId, new: &Put<'_>) -> Result<(), StoreError> {
    let (health, detail) = if new.needs_consent {
        let text = "nobody has signed in at the vendor for this connection yet";
        ("needs_sign_in", Some(text))
    } else {
        ("untested", None)
    };
    sqlx::query(
        "insert into credentials (alias_id, grant_kind, client_id, client_secret_sealed, client_secret_hint, refresh_token_sealed, username, \
           private_key_sealed, private_key_hint, uses_pkce, key_id, health, health_detail, set_by, set_at, created_at) \
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15) \
         on conflict (alias_id) do update set grant_kind = excluded.grant_kind, client_id = excluded.client_id, \
           client_secret_sealed = excluded.client_secret_sealed, client_secret_hint = excluded.client_secret_hint, \
           refresh_token_sealed = excluded.refresh_token_sealed, access_token_sealed = null, access_expires_at = null, \
           username = excluded.username, private_key_sealed = excluded.private_key_sealed, private_key_hint = excluded.private_key_hint, \
           uses_pkce = excluded.uses_pkce, granted_scopes = '', generation = credentials.generation + 1, key_id = excluded.key_id, \
           health = excluded.health, health_detail = excluded.health_detail, health_problem = null, connected_as = null, \
           connected_at = null, connected_by = null, set_by = excluded.set_by, set_at = excluded.set_at, lease_owner = null, \
           lease_until = 0, version = credentials.version + 1",
    )
    .bind(alias.as_str())
    .bind(new.grant_kind)
    .bind(new.client_id)
    .bind(new.client_secret.clone())
    .bind(new.client_secret_hint)
    .bind(new.refresh_token.clone())
    .bind(new.username.map(str::to_owned))
    .bind(new.private_key.clone())
    .bind(new.private_key_hint.clone())
    .bind(i64::from(new.uses_pkce))
    .bind(new.key_id)
    .bind(health)
    .bind(detail.map(str::to_owned))
    .bind(new.by.as_str())
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The first token of a credential that was just put, and whose it is.
pub(super) async fn connected(
    tx: &mut Tx,
    alias: &AliasId,
    answer: &Refreshed,
    connected_as: Option<&str>,
    by: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update credentials set access_token_sealed = $2, access_expires_at = $3, refresh_token_sealed = coalesce($4, refresh_token_sealed), \
           grant_fields = $5, granted_scopes = $6, generation = generation + 1, health = 'good', health_detail = null, health_problem = null, \
           connected_as = $7, connected_by = $8, connected_at = $9, refreshed_at = $9, lease_owner = null, lease_until = 0 where alias_id = $1",
    )
    .bind(alias.as_str())
    .bind(answer.access_token.clone())
    .bind(answer.access_expires_at)
    .bind(answer.refresh_token.clone())
    .bind(&answer.grant_fields)
    .bind(&answer.granted_scopes)
    .bind(connected_as.map(str::to_owned))
    .bind(by.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Deletes the secrets, because where they are sent has changed.
pub(super) async fn forget(tx: &mut Tx, alias: &AliasId) -> Result<(), StoreError> {
    sqlx::query("delete from credentials where alias_id = $1")
        .bind(alias.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes the refresher's lease, by the database's clock. False while another holds it.
pub(super) async fn take_lease(
    tx: &mut Tx,
    alias: &AliasId,
    owner: &str,
    lease_ms: i64,
) -> Result<bool, StoreError> {
    let text = tx.dialect().pick(
        "update credentials set lease_owner = $2, lease_until = cast((julianday('now') - 2440587.5) * 86400000 as integer) + $3 \
         where alias_id = $1 and (lease_owner = $2 or lease_until < cast((julianday('now') - 2440587.5) * 86400000 as integer))",
        "update credentials set lease_owner = $2, lease_until = cast(extract(epoch from clock_timestamp()) * 1000 as bigint) + $3 \
         where alias_id = $1 and (lease_owner = $2 or lease_until < cast(extract(epoch from clock_timestamp()) * 1000 as bigint))",
    );
    let done = sqlx::query(text)
        .bind(alias.as_str())
        .bind(owner)
        .bind(lease_ms)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores a token answer and gives the lease back. False when the lease was lost meanwhile.
pub(super) async fn refreshed(
    tx: &mut Tx,
    alias: &AliasId,
    owner: &str,
    answer: &Refreshed,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update credentials set access_token_sealed = $3, access_expires_at = $4, refresh_token_sealed = coalesce($5, refresh_token_sealed), \
           grant_fields = $6, granted_scopes = $7, generation = generation + 1, health = 'good', health_detail = null, health_problem = null, \
           refreshed_at = $8, \
           lease_owner = null, lease_until = 0 where alias_id = $1 and lease_owner = $2",
    )
    .bind(alias.as_str())
    .bind(owner)
    .bind(answer.access_token.clone())
    .bind(answer.access_expires_at)
    .bind(answer.refresh_token.clone())
    .bind(&answer.grant_fields)
    .bind(&answer.granted_scopes)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the lease back after a refusal; a dead grant is remembered with what to do.
pub(super) async fn failed(
    tx: &mut Tx,
    alias: &AliasId,
    owner: &str,
    needs_sign_in: Option<&Problem>,
) -> Result<(), StoreError> {
    let detail = needs_sign_in.map(|problem| problem.message.clone());
    let problem = needs_sign_in.map(|problem| serde_json::json!(problem).to_string());
    sqlx::query(
        "update credentials set lease_owner = null, lease_until = 0, \
           health = case when $3 is null then health else 'needs_sign_in' end, health_detail = coalesce($3, health_detail), \
           health_problem = coalesce($4, health_problem) where alias_id = $1 and lease_owner = $2",
    )
    .bind(alias.as_str())
    .bind(owner)
    .bind(detail)
    .bind(problem)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nobody refreshes.
pub(super) async fn free_all(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query(
        "update credentials set lease_owner = null, lease_until = 0 where lease_owner is not null",
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Id, number and name of the profile that an alias belongs to, once it is published.
pub(super) async fn profile_of(
    tx: &mut Tx,
    alias: &AliasId,
) -> Result<Option<(String, String, String)>, StoreError> {
    let row = sqlx::query(
        "select id, number, name from profiles where alias_id = $1 and state in ('published', 'paused')",
    )
    .bind(alias.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok((
            row.try_get("id")?,
            row.try_get("number")?,
            row.try_get("name")?,
        ))
    })
    .transpose()
}
