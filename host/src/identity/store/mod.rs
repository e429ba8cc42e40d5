//! SQL of identity. Principals, links, sessions and tokens here; passwords, second factors and tries in `sign_in`.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::any::AnyRow;

mod sign_in;
mod sign_on;
pub(super) mod units;

pub(super) use sign_in::{
    SessionRow, confirm_factor, count_tries, end_by_cookie, end_sessions, factor, forgive_tries,
    insert_session, note_seen, password, person_of_email, put_factor, put_password,
    put_recovery_codes, recovery_codes_left, remove_factor, sessions, spend_recovery_code,
    take_step, with_email,
};
pub(super) use sign_on::{
    AttemptRow, SignOnRow, add_group_role, follow_groups, forget_groups, group_roles,
    insert_attempt, people_of, person_at, put_person_at, put_sign_on, remove_group_role, sign_on,
    switch_sign_on, take_attempt,
};

use super::roles::{Actor, Permission, Role, Via};
use super::service::{PrincipalKind, PrincipalView, Session, TokenView};
use crate::kernel::{ApiTokenId, PrincipalId, SigninLinkId};
use crate::store::{Sight, StoreError, Tx};

/// A token's row.
pub(super) struct TokenRow {
    pub id: ApiTokenId,
    pub name: String,
    pub hash: String,
    pub principal: PrincipalId,
    pub minted_by: PrincipalId,
    pub scopes: BTreeSet<Permission>,
    pub expires_at: i64,
}

pub(super) async fn ensure_system(tx: &mut Tx, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("insert into principals (id, kind, name, created_at) values ($1, 'system', 'Seatwise', $2) on conflict (id) do nothing")
        .bind(Actor::SYSTEM_ID)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn insert_principal(
    tx: &mut Tx,
    id: &PrincipalId,
    kind: &str,
    name: &str,
    email: Option<&str>,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into principals (id, kind, name, email, created_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(id.as_str())
    .bind(kind)
    .bind(name)
    .bind(email.map(str::to_owned))
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives a principal exactly these roles by hand; those that their groups give stay.
pub(super) async fn put_roles(
    tx: &mut Tx,
    id: &PrincipalId,
    roles: &BTreeSet<Role>,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("delete from principal_roles where principal_id = $1 and from_group = 0")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    for role in roles {
        sqlx::query("insert into principal_roles (principal_id, role, granted_by, created_at) values ($1, $2, $3, $4) \
            on conflict (principal_id, role) do update set granted_by = excluded.granted_by, from_group = 0")
            .bind(id.as_str())
            .bind(role.as_str())
            .bind(by)
            .bind(now_ms)
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

pub(super) async fn deactivate(
    tx: &mut Tx,
    id: &PrincipalId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query("update principals set is_active = 0, version = version + 1 where id = $1 and kind <> 'system'")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    sqlx::query("update sessions set ended_at = $2 where principal_id = $1 and ended_at is null")
        .bind(id.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn reactivate(tx: &mut Tx, id: &PrincipalId) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update principals set is_active = 1, version = version + 1 where id = $1 and is_active = 0",
    )
    .bind(id.as_str())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn principals(tx: &mut Tx) -> Result<Vec<PrincipalView>, StoreError> {
    let rows = sqlx::query(
        "select p.id, p.kind, p.name, p.email, p.is_active, r.role, r.from_group from principals p \
         left join principal_roles r on r.principal_id = p.id order by p.name, p.id",
    )
    .fetch_all(tx.conn())
    .await?;
    let mut all = fold_roles(&rows)?;
    let mut units = units::of_principals(tx, None).await?;
    for principal in &mut all {
        principal.sight = Sight::of(units.remove(principal.id.as_str()).unwrap_or_default());
    }
    Ok(all)
}

pub(super) async fn principal(
    tx: &mut Tx,
    id: &PrincipalId,
) -> Result<Option<PrincipalView>, StoreError> {
    let rows = sqlx::query(
        "select p.id, p.kind, p.name, p.email, p.is_active, r.role, r.from_group from principals p \
         left join principal_roles r on r.principal_id = p.id where p.id = $1",
    )
    .bind(id.as_str())
    .fetch_all(tx.conn())
    .await?;
    let Some(mut found) = fold_roles(&rows)?.pop() else {
        return Ok(None);
    };
    let mut units = units::of_principals(tx, Some(id)).await?;
    found.sight = Sight::of(units.remove(id.as_str()).unwrap_or_default());
    Ok(Some(found))
}

fn fold_roles(rows: &[AnyRow]) -> Result<Vec<PrincipalView>, StoreError> {
    let mut all: Vec<PrincipalView> = Vec::new();
    for row in rows {
        let id: PrincipalId = row.try_get::<String, _>("id")?.into();
        let role = row
            .try_get::<Option<String>, _>("role")?
            .as_deref()
            .and_then(Role::parse);
        let from_group = row.try_get::<Option<i64>, _>("from_group")? == Some(1);
        match all.last_mut() {
            Some(last) if last.id == id => {
                last.roles.extend(role);
                last.group_roles.extend(role.filter(|_| from_group));
            }
            _ => all.push(PrincipalView {
                id,
                kind: PrincipalKind::parse(&row.try_get::<String, _>("kind")?),
                name: row.try_get("name")?,
                email: row.try_get("email")?,
                roles: role.into_iter().collect(),
                group_roles: role.filter(|_| from_group).into_iter().collect(),
                is_active: row.try_get::<i64, _>("is_active")? == 1,
                sight: Sight::everything(),
            }),
        }
    }
    Ok(all)
}

/// A one-time link, or the ticket of a sign-in's second step.
pub(super) struct LinkRow<'a> {
    pub id: SigninLinkId,
    pub hash: String,
    pub principal: &'a PrincipalId,
    pub purpose: &'static str,
    pub expires_at: i64,
}

pub(super) async fn insert_link(
    tx: &mut Tx,
    link: &LinkRow<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into signin_links (id, token_hash, principal_id, purpose, expires_at, created_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(link.id.as_str())
    .bind(&link.hash)
    .bind(link.principal.as_str())
    .bind(link.purpose)
    .bind(link.expires_at)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One statement decides, so two browsers with one link cannot both win.
pub(super) async fn spend_link(
    tx: &mut Tx,
    hash: &str,
    purpose: &str,
    now_ms: i64,
) -> Result<Option<PrincipalId>, StoreError> {
    let row = sqlx::query(
        "update signin_links set used_at = $3 where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3 \
         returning principal_id",
    )
    .bind(hash)
    .bind(purpose)
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok(row.try_get::<String, _>("principal_id")?.into()))
        .transpose()
}

/// Whose link this is, while it is good; it stays so.
pub(super) async fn link_of(
    tx: &mut Tx,
    hash: &str,
    purpose: &str,
    now_ms: i64,
) -> Result<Option<PrincipalId>, StoreError> {
    let row = sqlx::query(
        "select principal_id from signin_links where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3",
    )
    .bind(hash)
    .bind(purpose)
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok(row.try_get::<String, _>("principal_id")?.into()))
        .transpose()
}

pub(super) async fn session(
    tx: &mut Tx,
    hash: &str,
    now_ms: i64,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query(
        "select id, csrf_token, principal_id, expires_at, created_at, last_seen_at from sessions where token_hash = $1 and ended_at is null and expires_at > $2",
    )
    .bind(hash)
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let id: PrincipalId = row.try_get::<String, _>("principal_id")?.into();
    let Some(whom) = principal(tx, &id).await?.filter(|p| p.is_active) else {
        return Ok(None);
    };
    Ok(Some(Session {
        actor: Actor {
            id,
            name: whom.name,
            roles: whom.roles,
            via: Via::Session {
                session: row.try_get("id")?,
            },
            sight: whom.sight,
        },
        csrf_token: row.try_get("csrf_token")?,
        expires_at: row.try_get("expires_at")?,
        last_seen_at: row
            .try_get::<Option<i64>, _>("last_seen_at")?
            .unwrap_or(row.try_get("created_at")?),
    }))
}

pub(super) async fn end_session(tx: &mut Tx, id: &str, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("update sessions set ended_at = $2 where id = $1 and ended_at is null")
        .bind(id)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn insert_token(
    tx: &mut Tx,
    token: &TokenRow,
    now_ms: i64,
) -> Result<(), StoreError> {
    let scopes: Vec<_> = token.scopes.iter().map(|s| s.as_str()).collect();
    sqlx::query(
        "insert into api_tokens (id, name, token_hash, principal_id, minted_by, scopes, expires_at, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(token.id.as_str())
    .bind(&token.name)
    .bind(&token.hash)
    .bind(token.principal.as_str())
    .bind(token.minted_by.as_str())
    .bind(scopes.join(" "))
    .bind(token.expires_at)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn token_actor(
    tx: &mut Tx,
    hash: &str,
    now_ms: i64,
) -> Result<Option<(Actor, Option<i64>)>, StoreError> {
    let row = sqlx::query(
        "select id, principal_id, minted_by, scopes, last_used_at from api_tokens \
         where token_hash = $1 and revoked_at is null and expires_at > $2",
    )
    .bind(hash)
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let id: PrincipalId = row.try_get::<String, _>("principal_id")?.into();
    let minted_by: PrincipalId = row.try_get::<String, _>("minted_by")?.into();
    let Some(whom) = principal(tx, &id).await?.filter(|p| p.is_active) else {
        return Ok(None);
    };
    // A minter who lost access takes its tokens along.
    if minted_by != id
        && !principal(tx, &minted_by)
            .await?
            .is_some_and(|p| p.is_active)
    {
        return Ok(None);
    }
    let via = Via::Token {
        token: row.try_get("id")?,
        minted_by,
        scopes: scopes(&row.try_get::<String, _>("scopes")?),
    };
    Ok(Some((
        Actor {
            id,
            name: whom.name,
            roles: whom.roles,
            via,
            sight: whom.sight,
        },
        row.try_get("last_used_at")?,
    )))
}

pub(super) async fn note_token_use(tx: &mut Tx, hash: &str, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("update api_tokens set last_used_at = $2 where token_hash = $1")
        .bind(hash)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn tokens(tx: &mut Tx) -> Result<Vec<TokenView>, StoreError> {
    let rows = sqlx::query(
        "select id, name, principal_id, minted_by, scopes, expires_at, revoked_at, last_used_at from api_tokens order by created_at, id",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TokenView {
                id: row.try_get::<String, _>("id")?.into(),
                name: row.try_get("name")?,
                principal: row.try_get::<String, _>("principal_id")?.into(),
                minted_by: row.try_get::<String, _>("minted_by")?.into(),
                scopes: scopes(&row.try_get::<String, _>("scopes")?),
                expires_at: row.try_get("expires_at")?,
                revoked_at: row.try_get("revoked_at")?,
                last_used_at: row.try_get("last_used_at")?,
            })
        })
        .collect()
}

pub(super) async fn revoke_token(
    tx: &mut Tx,
    id: &ApiTokenId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("update api_tokens set revoked_at = $2 where id = $1 and revoked_at is null")
        .bind(id.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn scopes(text: &str) -> BTreeSet<Permission> {
    text.split_whitespace()
        .filter_map(Permission::parse)
        .collect()
}
