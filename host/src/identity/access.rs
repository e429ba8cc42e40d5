//! What an administrator decides about somebody's access: roles, sessions, and whether they have any.
//!
//! Invariants: there is always an administrator who can sign in; a change of roles ends the sessions of its person, so that no open
//! page keeps what was taken away.

use std::collections::BTreeSet;

use serde::Serialize;

use super::account::SessionView;
use super::roles::{Actor, Permission, Role};
use super::service::{
    NewPrincipal, PrincipalKind, PrincipalView, SigninLink, create_principal, invalid,
    mint_signin_link,
};
use super::{IdentityError, second_factor, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::{PrincipalId, SessionId};
use crate::store::Tx;

/// Somebody's access, for an administrator.
#[derive(Clone, Debug, Serialize)]
pub struct AccessView {
    /// Who, with roles.
    pub principal: PrincipalView,
    /// When the password was set; absent without one.
    pub password_set_at: Option<i64>,
    /// Whether signing in asks for a code.
    pub has_second_factor: bool,
    /// Open sessions, newest first.
    pub sessions: Vec<SessionView>,
}

/// Somebody's access.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`].
pub async fn access_of(
    host: &Host,
    actor: &Actor,
    id: &PrincipalId,
) -> Result<AccessView, IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.read_everything().await?;
    Ok(AccessView {
        principal: known(&mut tx, id).await?,
        password_set_at: store::password(&mut tx, id).await?.map(|(_, at)| at),
        has_second_factor: second_factor::is_on(&mut tx, id).await?,
        sessions: store::sessions(&mut tx, id, host.now_ms()).await?,
    })
}

/// Makes a person and the one-time link by which they come in and set a password.
///
/// # Errors
/// As [`create_principal`] and [`mint_signin_link`].
pub async fn invite(
    host: &Host,
    actor: &Actor,
    new: NewPrincipal,
) -> Result<SigninLink, IdentityError> {
    actor.may(Permission::Administer)?;
    if new
        .email
        .as_deref()
        .is_none_or(|email| email.trim().is_empty())
    {
        return Err(invalid(
            "email",
            "a person is invited by their e-mail address, which they sign in with",
        ));
    }
    let id = create_principal(host, actor, new).await?;
    let mut link = mint_signin_link(host, actor, &id).await?;
    // They come to the page where they set their password.
    link.url.push_str("&next=/account");
    Ok(link)
}

/// Gives a principal exactly these roles by hand; what their groups give stays. Where that changes something, their sessions end.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::LastAdmin`].
pub async fn set_roles(
    host: &Host,
    actor: &Actor,
    id: &PrincipalId,
    roles: &BTreeSet<Role>,
) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    let before = known(&mut tx, id).await?;
    let by_hand: BTreeSet<Role> = before
        .roles
        .difference(&before.group_roles)
        .copied()
        .collect();
    if by_hand == *roles {
        return Ok(());
    }
    if !roles.contains(&Role::Admin) {
        keeps_an_admin(&mut tx, &before).await?;
    }
    store::put_roles(&mut tx, id, roles, actor.id.as_str(), now).await?;
    let ended = store::end_sessions(&mut tx, id, None, None, now).await?;
    let detail = serde_json::json!({ "from": by_hand, "to": roles, "sessions_ended": ended });
    record(host, &mut tx, actor, id, "principal.roles_set", detail).await?;
    Ok(tx.commit().await?)
}

/// Takes a principal's access: its sessions end, its tokens stop working.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::LastAdmin`].
pub async fn deactivate(host: &Host, actor: &Actor, id: &PrincipalId) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let before = known(&mut tx, id).await?;
    keeps_an_admin(&mut tx, &before).await?;
    if !store::deactivate(&mut tx, id, host.now_ms()).await? {
        return Err(IdentityError::NotFound("principal"));
    }
    let detail = serde_json::Value::Null;
    record(host, &mut tx, actor, id, "principal.deactivated", detail).await?;
    Ok(tx.commit().await?)
}

/// Gives a principal its access back, with the roles it had. Its tokens that are not over work again.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`] also for one that is active.
pub async fn reactivate(host: &Host, actor: &Actor, id: &PrincipalId) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    if !store::reactivate(&mut tx, id).await? {
        return Err(IdentityError::NotFound("principal"));
    }
    let detail = serde_json::Value::Null;
    record(host, &mut tx, actor, id, "principal.reactivated", detail).await?;
    Ok(tx.commit().await?)
}

/// Ends one of somebody's sessions.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`] also for a session that is over.
pub async fn end_session_of(
    host: &Host,
    actor: &Actor,
    id: &PrincipalId,
    session: &SessionId,
) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    known(&mut tx, id).await?;
    if store::end_sessions(&mut tx, id, Some(session.as_str()), None, now).await? == 0 {
        return Err(IdentityError::NotFound("session"));
    }
    let detail = serde_json::json!({ "session": session });
    record(host, &mut tx, actor, id, "session.ended", detail).await?;
    Ok(tx.commit().await?)
}

pub(super) async fn known(tx: &mut Tx, id: &PrincipalId) -> Result<PrincipalView, IdentityError> {
    store::principal(tx, id)
        .await?
        .filter(|p| p.kind != PrincipalKind::System)
        .ok_or(IdentityError::NotFound("principal"))
}

pub(super) async fn keeps_an_admin(
    tx: &mut Tx,
    leaving: &PrincipalView,
) -> Result<(), IdentityError> {
    // A group may be lost at any time: only an administrator by hand is sure to stay one.
    let is_admin = |p: &PrincipalView| {
        p.is_active
            && p.kind == PrincipalKind::Person
            && p.roles.contains(&Role::Admin)
            && !p.group_roles.contains(&Role::Admin)
            && p.sight.is_whole()
    };
    let others = store::principals(tx).await?;
    let is_kept = !is_admin(leaving) || others.iter().any(|p| p.id != leaving.id && is_admin(p));
    if is_kept {
        Ok(())
    } else {
        Err(IdentityError::LastAdmin)
    }
}

pub(super) async fn record(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    id: &PrincipalId,
    event: &str,
    detail: serde_json::Value,
) -> Result<(), IdentityError> {
    let entry = Entry {
        event,
        subject_kind: "principal",
        subject_id: id.as_str(),
        detail,
    };
    Ok(host.audit(tx, actor, entry).await?)
}
