//! SQL of signing in: passwords, second factors, tries, and the list of sessions.

use sqlx::Row as _;

use super::{StoreError, Tx};
use crate::identity::account::SessionView;
use crate::identity::service::PrincipalKind;
use crate::kernel::{PrincipalId, SessionId};

/// Where a session comes from.
pub(in crate::identity) struct SessionRow<'a> {
    pub id: &'a SessionId,
    pub hash: String,
    pub csrf: &'a str,
    pub principal: &'a PrincipalId,
    pub expires_at: i64,
    pub method: &'static str,
    pub device: &'a str,
    pub address: &'a str,
}

pub(in crate::identity) async fn insert_session(
    tx: &mut Tx,
    row: &SessionRow<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into sessions (id, token_hash, csrf_token, principal_id, expires_at, created_at, method, device, address, last_seen_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6)",
    )
    .bind(row.id.as_str())
    .bind(&row.hash)
    .bind(row.csrf)
    .bind(row.principal.as_str())
    .bind(row.expires_at)
    .bind(now_ms)
    .bind(row.method)
    .bind(row.device)
    .bind(row.address)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::identity) async fn note_seen(
    tx: &mut Tx,
    session: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("update sessions set last_seen_at = $2 where id = $1")
        .bind(session)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in crate::identity) async fn end_by_cookie(
    tx: &mut Tx,
    hash: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("update sessions set ended_at = $2 where token_hash = $1 and ended_at is null")
        .bind(hash)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends the sessions of a principal: one of them, or all but one. Returns how many ended.
pub(in crate::identity) async fn end_sessions(
    tx: &mut Tx,
    principal: &PrincipalId,
    only: Option<&str>,
    but: Option<&str>,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update sessions set ended_at = $2 where principal_id = $1 and ended_at is null and expires_at > $2 \
         and (cast($3 as text) is null or id = $3) and (cast($4 as text) is null or id <> $4)",
    )
    .bind(principal.as_str())
    .bind(now_ms)
    .bind(only.map(str::to_owned))
    .bind(but.map(str::to_owned))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

pub(in crate::identity) async fn sessions(
    tx: &mut Tx,
    principal: &PrincipalId,
    now_ms: i64,
) -> Result<Vec<SessionView>, StoreError> {
    let rows = sqlx::query(
        "select id, method, device, address, created_at, last_seen_at, expires_at from sessions \
         where principal_id = $1 and ended_at is null and expires_at > $2 order by created_at desc, id",
    )
    .bind(principal.as_str())
    .bind(now_ms)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let began_at: i64 = row.try_get("created_at")?;
            Ok(SessionView {
                id: row.try_get::<String, _>("id")?.into(),
                method: row.try_get("method")?,
                device: row.try_get("device")?,
                address: row.try_get("address")?,
                began_at,
                last_seen_at: row
                    .try_get::<Option<i64>, _>("last_seen_at")?
                    .unwrap_or(began_at),
                expires_at: row.try_get("expires_at")?,
                is_this: false,
            })
        })
        .collect()
}

/// The PHC string of an active person's password and when it was set.
pub(in crate::identity) async fn password(
    tx: &mut Tx,
    principal: &PrincipalId,
) -> Result<Option<(String, i64)>, StoreError> {
    let row = sqlx::query("select hash, set_at from passwords where principal_id = $1")
        .bind(principal.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok((row.try_get("hash")?, row.try_get("set_at")?)))
        .transpose()
}

pub(in crate::identity) async fn put_password(
    tx: &mut Tx,
    principal: &PrincipalId,
    hash: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into passwords (principal_id, hash, set_at) values ($1, $2, $3) \
         on conflict (principal_id) do update set hash = excluded.hash, set_at = excluded.set_at",
    )
    .bind(principal.as_str())
    .bind(hash)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The person with this address, in whatever case it was typed.
pub(in crate::identity) async fn person_of_email(
    tx: &mut Tx,
    email: &str,
) -> Result<Option<PrincipalId>, StoreError> {
    let row = sqlx::query(
        "select id from principals where email = $1 and kind = 'person' and is_active = 1",
    )
    .bind(email)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok(row.try_get::<String, _>("id")?.into()))
        .transpose()
}

/// Whoever has this address, whether or not they may still come in.
pub(in crate::identity) async fn with_email(
    tx: &mut Tx,
    email: &str,
) -> Result<Option<(PrincipalId, PrincipalKind)>, StoreError> {
    let row = sqlx::query("select id, kind from principals where email = $1")
        .bind(email)
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        Ok((
            row.try_get::<String, _>("id")?.into(),
            PrincipalKind::parse(&row.try_get::<String, _>("kind")?),
        ))
    })
    .transpose()
}

/// Counts one more try of each subject within the window that began after `since_ms`; returns the tries of each, in order.
pub(in crate::identity) async fn count_tries(
    tx: &mut Tx,
    subjects: &[String],
    since_ms: i64,
    now_ms: i64,
) -> Result<Vec<(i64, i64)>, StoreError> {
    sqlx::query("delete from signin_tries where began_at <= $1")
        .bind(since_ms)
        .execute(tx.conn())
        .await?;
    let mut counted = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let row = sqlx::query(
            "insert into signin_tries (subject, tries, began_at) values ($1, 1, $2) \
             on conflict (subject) do update set tries = signin_tries.tries + 1 returning tries, began_at",
        )
        .bind(subject)
        .bind(now_ms)
        .fetch_one(tx.conn())
        .await?;
        counted.push((row.try_get("tries")?, row.try_get("began_at")?));
    }
    Ok(counted)
}

/// A right answer: the account starts anew, the address is given its one try back.
pub(in crate::identity) async fn forgive_tries(
    tx: &mut Tx,
    account: &str,
    address: &str,
) -> Result<(), StoreError> {
    sqlx::query("delete from signin_tries where subject = $1")
        .bind(account)
        .execute(tx.conn())
        .await?;
    sqlx::query("update signin_tries set tries = tries - 1 where subject = $1 and tries > 0")
        .bind(address)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A second factor as it is kept.
pub(in crate::identity) struct FactorRow {
    pub secret_sealed: Vec<u8>,
    pub confirmed_at: Option<i64>,
}

pub(in crate::identity) async fn factor(
    tx: &mut Tx,
    principal: &PrincipalId,
) -> Result<Option<FactorRow>, StoreError> {
    let row = sqlx::query(
        "select secret_sealed, confirmed_at from second_factors where principal_id = $1",
    )
    .bind(principal.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(FactorRow {
            secret_sealed: row.try_get("secret_sealed")?,
            confirmed_at: row.try_get("confirmed_at")?,
        })
    })
    .transpose()
}

/// Keeps a new secret until its first code; a confirmed factor is never overwritten. Returns whether it was kept.
pub(in crate::identity) async fn put_factor(
    tx: &mut Tx,
    principal: &PrincipalId,
    sealed: &[u8],
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into second_factors (principal_id, secret_sealed, last_step, created_at) values ($1, $2, 0, $3) \
         on conflict (principal_id) do update set secret_sealed = excluded.secret_sealed, last_step = 0, \
         created_at = excluded.created_at where second_factors.confirmed_at is null",
    )
    .bind(principal.as_str())
    .bind(sealed.to_vec())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a time step once: false when it, or a later one, was taken before.
pub(in crate::identity) async fn take_step(
    tx: &mut Tx,
    principal: &PrincipalId,
    step: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update second_factors set last_step = $2 where principal_id = $1 and last_step < $2",
    )
    .bind(principal.as_str())
    .bind(step)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::identity) async fn confirm_factor(
    tx: &mut Tx,
    principal: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("update second_factors set confirmed_at = $2 where principal_id = $1")
        .bind(principal.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in crate::identity) async fn remove_factor(
    tx: &mut Tx,
    principal: &PrincipalId,
) -> Result<bool, StoreError> {
    sqlx::query("delete from recovery_codes where principal_id = $1")
        .bind(principal.as_str())
        .execute(tx.conn())
        .await?;
    let done = sqlx::query("delete from second_factors where principal_id = $1")
        .bind(principal.as_str())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::identity) async fn put_recovery_codes(
    tx: &mut Tx,
    principal: &PrincipalId,
    hashes: &[String],
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("delete from recovery_codes where principal_id = $1")
        .bind(principal.as_str())
        .execute(tx.conn())
        .await?;
    for hash in hashes {
        sqlx::query(
            "insert into recovery_codes (principal_id, code_hash, created_at) values ($1, $2, $3)",
        )
        .bind(principal.as_str())
        .bind(hash)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

pub(in crate::identity) async fn spend_recovery_code(
    tx: &mut Tx,
    principal: &PrincipalId,
    hash: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update recovery_codes set used_at = $3 where principal_id = $1 and code_hash = $2 and used_at is null",
    )
    .bind(principal.as_str())
    .bind(hash)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::identity) async fn recovery_codes_left(
    tx: &mut Tx,
    principal: &PrincipalId,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select count(*) as n from recovery_codes where principal_id = $1 and used_at is null",
    )
    .bind(principal.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("n")?)
}
