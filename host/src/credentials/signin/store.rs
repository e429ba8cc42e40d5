//! SQL of sign-ins at the vendor's.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::credentials::model::SigninState;
use crate::kernel::clock::DAY_MS;
use crate::kernel::{AliasId, PrincipalId, ProfileId, SigninId};
use crate::store::{StoreError, Tx};

/// One row, still sealed.
pub(super) struct Row {
    pub(super) id: SigninId,
    pub(super) profile: ProfileId,
    pub(super) grant_kind: String,
    pub(super) state: SigninState,
    pub(super) login_url: String,
    pub(super) redirect_uri: String,
    pub(super) client_id: String,
    pub(super) uses_pkce: bool,
    /// None once it ended.
    pub(super) offer: Option<Vec<u8>>,
    pub(super) user_code: Option<String>,
    pub(super) interval_s: i64,
    pub(super) principal: PrincipalId,
    pub(super) session: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) expires_at: i64,
}

/// A sign-in that begins.
pub(super) struct NewRow<'a> {
    pub(super) id: &'a SigninId,
    pub(super) profile: &'a ProfileId,
    pub(super) alias: &'a AliasId,
    pub(super) grant_kind: &'a str,
    pub(super) state_hash: Option<String>,
    pub(super) login_url: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) client_id: &'a str,
    pub(super) uses_pkce: bool,
    pub(super) offer: Vec<u8>,
    pub(super) user_code: Option<String>,
    pub(super) interval_s: i64,
    pub(super) principal: &'a PrincipalId,
    pub(super) session: Option<String>,
    pub(super) expires_at: i64,
    pub(super) now_ms: i64,
}

/// Writes one, and clears away what ended a day ago.
pub(super) async fn insert(tx: &mut Tx, new: &NewRow<'_>) -> Result<(), StoreError> {
    sqlx::query("delete from signins where expires_at < $1")
        .bind(new.now_ms.saturating_sub(DAY_MS))
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "insert into signins (id, profile_id, alias_id, grant_kind, state, state_hash, login_url, redirect_uri, client_id, uses_pkce, \
           offer_sealed, user_code, interval_s, principal_id, session_id, expires_at, created_at) \
         values ($1, $2, $3, $4, 'waiting', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(new.id.as_str())
    .bind(new.profile.as_str())
    .bind(new.alias.as_str())
    .bind(new.grant_kind)
    .bind(new.state_hash.clone())
    .bind(new.login_url)
    .bind(new.redirect_uri)
    .bind(new.client_id)
    .bind(i64::from(new.uses_pkce))
    .bind(new.offer.clone())
    .bind(new.user_code.clone())
    .bind(new.interval_s)
    .bind(new.principal.as_str())
    .bind(new.session.clone())
    .bind(new.expires_at)
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select id, profile_id, grant_kind, state, login_url, redirect_uri, client_id, uses_pkce, offer_sealed, user_code, interval_s, \
             principal_id, session_id, problem, expires_at from signins",
            $tail
        )
    };
}

fn row(row: &AnyRow) -> Result<Row, StoreError> {
    let state: String = row.try_get("state")?;
    let state = SigninState::parse(&state).ok_or_else(|| {
        StoreError::Migrate(format!(
            "sign-in state `{state}` is not known to this version"
        ))
    })?;
    Ok(Row {
        id: row.try_get::<String, _>("id")?.into(),
        profile: row.try_get::<String, _>("profile_id")?.into(),
        grant_kind: row.try_get("grant_kind")?,
        state,
        login_url: row.try_get("login_url")?,
        redirect_uri: row.try_get("redirect_uri")?,
        client_id: row.try_get("client_id")?,
        uses_pkce: row.try_get::<i64, _>("uses_pkce")? == 1,
        offer: row.try_get("offer_sealed")?,
        user_code: row.try_get("user_code")?,
        interval_s: row.try_get("interval_s")?,
        principal: row.try_get::<String, _>("principal_id")?.into(),
        session: row.try_get("session_id")?,
        problem: row.try_get("problem")?,
        expires_at: row.try_get("expires_at")?,
    })
}

pub(super) async fn find(tx: &mut Tx, id: &str) -> Result<Option<Row>, StoreError> {
    let found = sqlx::query(select!(" where id = $1"))
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    found.as_ref().map(row).transpose()
}

pub(super) async fn find_by_state(
    tx: &mut Tx,
    state_hash: &str,
) -> Result<Option<Row>, StoreError> {
    let found = sqlx::query(select!(" where state_hash = $1"))
        .bind(state_hash)
        .fetch_optional(tx.conn())
        .await?;
    found.as_ref().map(row).transpose()
}

/// Takes a sign-in that waits. False when it was taken, ended or is too old: only one caller ever gets it.
pub(super) async fn take(tx: &mut Tx, id: &SigninId, now_ms: i64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update signins set state = 'taken' where id = $1 and state = 'waiting' and expires_at > $2",
    )
    .bind(id.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn slow_down(
    tx: &mut Tx,
    id: &SigninId,
    interval_s: i64,
) -> Result<(), StoreError> {
    sqlx::query("update signins set interval_s = $2 where id = $1")
        .bind(id.as_str())
        .bind(interval_s)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends one that has not ended; what was sealed for it is gone.
pub(super) async fn finish(
    tx: &mut Tx,
    id: &SigninId,
    state: SigninState,
    problem: Option<String>,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update signins set state = $2, problem = $3, ended_at = $4, offer_sealed = null, user_code = null \
         where id = $1 and state in ('waiting', 'taken')",
    )
    .bind(id.as_str())
    .bind(state.as_str())
    .bind(problem)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends all of an alias that have not ended; what was sealed for them is gone.
pub(super) async fn finish_all(
    tx: &mut Tx,
    alias: &AliasId,
    problem: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update signins set state = 'refused', problem = $2, ended_at = $3, offer_sealed = null, user_code = null \
         where alias_id = $1 and state in ('waiting', 'taken')",
    )
    .bind(alias.as_str())
    .bind(problem)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}
