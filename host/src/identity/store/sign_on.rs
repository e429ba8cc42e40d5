//! SQL of single sign-on: its settings, the groups that give roles, sign-ins under way, and who somebody is at an issuer.

use std::collections::BTreeSet;

use sqlx::Row as _;

use super::{StoreError, Tx};
use crate::identity::roles::Role;
use crate::identity::sign_on::GroupRole;
use crate::kernel::PrincipalId;

/// There is one set of settings.
const ROW: &str = "sso";

/// The settings as they are kept.
pub(in crate::identity) struct SignOnRow {
    pub issuer: String,
    pub client_id: String,
    pub secret_sealed: Vec<u8>,
    pub secret_set_at: i64,
    pub scopes: String,
    pub group_claim: String,
    pub label: String,
    pub is_on: bool,
}

pub(in crate::identity) async fn sign_on(tx: &mut Tx) -> Result<Option<SignOnRow>, StoreError> {
    let row = sqlx::query(
        "select issuer, client_id, secret_sealed, secret_set_at, scopes, group_claim, label, is_on from sign_on where id = $1",
    )
    .bind(ROW)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(SignOnRow {
            issuer: row.try_get("issuer")?,
            client_id: row.try_get("client_id")?,
            secret_sealed: row.try_get("secret_sealed")?,
            secret_set_at: row.try_get("secret_set_at")?,
            scopes: row.try_get("scopes")?,
            group_claim: row.try_get("group_claim")?,
            label: row.try_get("label")?,
            is_on: row.try_get::<i64, _>("is_on")? == 1,
        })
    })
    .transpose()
}

pub(in crate::identity) async fn put_sign_on(
    tx: &mut Tx,
    row: &SignOnRow,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into sign_on (id, issuer, client_id, secret_sealed, secret_set_at, scopes, group_claim, label, is_on, changed_by, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) \
         on conflict (id) do update set issuer = excluded.issuer, client_id = excluded.client_id, secret_sealed = excluded.secret_sealed, \
           secret_set_at = excluded.secret_set_at, scopes = excluded.scopes, group_claim = excluded.group_claim, label = excluded.label, \
           is_on = excluded.is_on, changed_by = excluded.changed_by, updated_at = excluded.updated_at, version = sign_on.version + 1",
    )
    .bind(ROW)
    .bind(&row.issuer)
    .bind(&row.client_id)
    .bind(row.secret_sealed.clone())
    .bind(row.secret_set_at)
    .bind(&row.scopes)
    .bind(&row.group_claim)
    .bind(&row.label)
    .bind(i64::from(row.is_on))
    .bind(by)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::identity) async fn switch_sign_on(
    tx: &mut Tx,
    is_on: bool,
    by: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update sign_on set is_on = $2, changed_by = $3, updated_at = $4, version = version + 1 where id = $1",
    )
    .bind(ROW)
    .bind(i64::from(is_on))
    .bind(by)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::identity) async fn group_roles(tx: &mut Tx) -> Result<Vec<GroupRole>, StoreError> {
    let rows = sqlx::query("select group_name, role from sign_on_groups order by group_name, role")
        .fetch_all(tx.conn())
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(role) = Role::parse(&row.try_get::<String, _>("role")?) {
            all.push(GroupRole {
                group: row.try_get("group_name")?,
                role,
            });
        }
    }
    Ok(all)
}

pub(in crate::identity) async fn add_group_role(
    tx: &mut Tx,
    pair: &GroupRole,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into sign_on_groups (group_name, role, created_at) values ($1, $2, $3) on conflict (group_name, role) do nothing",
    )
    .bind(&pair.group)
    .bind(pair.role.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::identity) async fn remove_group_role(
    tx: &mut Tx,
    pair: &GroupRole,
) -> Result<bool, StoreError> {
    let done = sqlx::query("delete from sign_on_groups where group_name = $1 and role = $2")
        .bind(&pair.group)
        .bind(pair.role.as_str())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A sign-in under way.
pub(in crate::identity) struct AttemptRow {
    pub issuer: String,
    pub client_id: String,
    pub sealed: Vec<u8>,
    pub next: String,
}

/// Keeps a new one, and forgets those that are over.
pub(in crate::identity) async fn insert_attempt(
    tx: &mut Tx,
    state_hash: &str,
    browser_hash: &str,
    row: &AttemptRow,
    expires_at: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("delete from sign_on_attempts where expires_at <= $1")
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "insert into sign_on_attempts (state_hash, browser_hash, issuer, client_id, bound_sealed, next, expires_at, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(state_hash)
    .bind(browser_hash)
    .bind(&row.issuer)
    .bind(&row.client_id)
    .bind(row.sealed.clone())
    .bind(&row.next)
    .bind(expires_at)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes one, once: one statement decides, so that a redirect that comes twice is good once.
pub(in crate::identity) async fn take_attempt(
    tx: &mut Tx,
    state_hash: &str,
    browser_hash: &str,
    now_ms: i64,
) -> Result<Option<AttemptRow>, StoreError> {
    let row = sqlx::query(
        "delete from sign_on_attempts where state_hash = $1 and browser_hash = $2 and expires_at > $3 \
         returning issuer, client_id, bound_sealed, next",
    )
    .bind(state_hash)
    .bind(browser_hash)
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(AttemptRow {
            issuer: row.try_get("issuer")?,
            client_id: row.try_get("client_id")?,
            sealed: row.try_get("bound_sealed")?,
            next: row.try_get("next")?,
        })
    })
    .transpose()
}

pub(in crate::identity) async fn person_at(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
) -> Result<Option<PrincipalId>, StoreError> {
    let row =
        sqlx::query("select principal_id from sign_on_people where issuer = $1 and subject = $2")
            .bind(issuer)
            .bind(subject)
            .fetch_optional(tx.conn())
            .await?;
    row.map(|row| Ok(row.try_get::<String, _>("principal_id")?.into()))
        .transpose()
}

/// Keeps who somebody is at an issuer, with the groups they came with.
pub(in crate::identity) async fn put_person_at(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
    principal: &PrincipalId,
    groups: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into sign_on_people (issuer, subject, principal_id, groups, last_at, created_at) values ($1, $2, $3, $4, $5, $5) \
         on conflict (issuer, subject) do update set groups = excluded.groups, last_at = excluded.last_at",
    )
    .bind(issuer)
    .bind(subject)
    .bind(principal.as_str())
    .bind(groups)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Everybody who came from an issuer, with the groups of their last sign-in.
pub(in crate::identity) async fn people_of(
    tx: &mut Tx,
    issuer: &str,
) -> Result<Vec<(PrincipalId, String)>, StoreError> {
    let rows = sqlx::query(
        "select principal_id, groups from sign_on_people where issuer = $1 order by principal_id, last_at",
    )
    .bind(issuer)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get::<String, _>("principal_id")?.into(),
                row.try_get("groups")?,
            ))
        })
        .collect()
}

/// Gives somebody exactly these roles by their groups. What was given by hand stays.
pub(in crate::identity) async fn follow_groups(
    tx: &mut Tx,
    id: &PrincipalId,
    roles: &BTreeSet<Role>,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("delete from principal_roles where principal_id = $1 and from_group = 1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    for role in roles {
        sqlx::query(
            "insert into principal_roles (principal_id, role, granted_by, created_at, from_group) values ($1, $2, $3, $4, 1) \
             on conflict (principal_id, role) do nothing",
        )
        .bind(id.as_str())
        .bind(role.as_str())
        .bind("sign_on")
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Ends every role that a group gave: the issuer whose groups they were is no longer asked.
pub(in crate::identity) async fn forget_groups(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("delete from principal_roles where from_group = 1")
        .execute(tx.conn())
        .await?;
    Ok(())
}
