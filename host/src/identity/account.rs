//! One's own account: password, second factor, and the sessions that are open.

use std::collections::BTreeSet;

use serde::Serialize;
use zeroize::Zeroizing;

use super::roles::{Actor, Permission, Role, Via};
use super::service::{NewSession, active};
use super::sign_in::{self, Device, Method};
use super::{IdentityError, passwords, second_factor, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::SessionId;
use crate::kernel::clock::MINUTE_MS;

/// For so long after a one-time link a new password may be set without the old one, by whoever forgot it.
const FRESH_LINK_MS: i64 = 15 * MINUTE_MS;

/// One's own account as its page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct AccountView {
    /// Name.
    pub name: String,
    /// Address; what one signs in with besides the password.
    pub email: Option<String>,
    /// Roles now.
    pub roles: BTreeSet<Role>,
    /// When the password was set; absent without one.
    pub password_set_at: Option<i64>,
    /// Whether the old password must be typed to set a new one.
    pub needs_old_password: bool,
    /// Whether signing in asks for a code.
    pub has_second_factor: bool,
    /// Recovery codes that are not used up.
    pub recovery_codes_left: i64,
    /// Open sessions, newest first.
    pub sessions: Vec<SessionView>,
}

/// An open session, for its person.
#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    /// Its id; not its secret.
    pub id: SessionId,
    /// `link`, `password` or `single_sign_on`.
    pub method: String,
    /// The browser's name for itself.
    pub device: String,
    /// Network address it began from.
    pub address: String,
    /// Milliseconds UTC.
    pub began_at: i64,
    /// Last request, to five minutes.
    pub last_seen_at: i64,
    /// Milliseconds UTC.
    pub expires_at: i64,
    /// The one that asks.
    pub is_this: bool,
}

/// The session behind an actor: what follows belongs to a person at a browser, not to a script.
///
/// # Errors
/// [`IdentityError::TokenCannotMint`].
pub(super) fn own_session(actor: &Actor) -> Result<&str, IdentityError> {
    match &actor.via {
        Via::Session { session } => Ok(session),
        Via::Token { .. } | Via::HandOver { .. } | Via::System => {
            Err(IdentityError::TokenCannotMint)
        }
    }
}

/// One's own account.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`].
pub async fn account(host: &Host, actor: &Actor) -> Result<AccountView, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    let this = own_session(actor)?;
    let mut tx = host.store.read_everything().await?;
    let whom = active(&mut tx, &actor.id).await?;
    let mut sessions = store::sessions(&mut tx, &actor.id, host.now_ms()).await?;
    for session in &mut sessions {
        session.is_this = session.id.as_str() == this;
    }
    let password_set_at = store::password(&mut tx, &actor.id).await?.map(|(_, at)| at);
    let needs_old_password =
        password_set_at.is_some() && !came_by_fresh_link(&sessions, host.now_ms());
    Ok(AccountView {
        name: whom.name,
        email: whom.email,
        roles: whom.roles,
        password_set_at,
        needs_old_password,
        has_second_factor: second_factor::is_on(&mut tx, &actor.id).await?,
        recovery_codes_left: store::recovery_codes_left(&mut tx, &actor.id).await?,
        sessions,
    })
}

fn came_by_fresh_link(sessions: &[SessionView], now_ms: i64) -> bool {
    sessions.iter().any(|s| {
        s.is_this && s.method == Method::Link.as_str() && now_ms - s.began_at <= FRESH_LINK_MS
    })
}

/// Sets one's own password. All sessions end; the answer is a new one for the browser that asked.
///
/// # Errors
/// [`IdentityError::WrongPassword`] when the old one is needed and not right, [`IdentityError::Invalid`] at `password`,
/// [`IdentityError::TooManyTries`], [`IdentityError::TokenCannotMint`].
pub async fn change_password(
    host: &Host,
    actor: &Actor,
    old: Zeroizing<String>,
    new: Zeroizing<String>,
    device: &Device,
) -> Result<NewSession, IdentityError> {
    let view = account(host, actor).await?;
    passwords::check(&new, &view.name, view.email.as_deref())?;
    if view.needs_old_password {
        let tried = sign_in::count_own_try(host, actor).await?;
        let mut tx = host.store.read_everything().await?;
        let stored = store::password(&mut tx, &actor.id)
            .await?
            .map(|(hash, _)| hash);
        drop(tx);
        if !passwords::matches(stored, old).await {
            return Err(IdentityError::WrongPassword);
        }
        let mut tx = host.store.begin().await?;
        tried.forgive(&mut tx).await?;
        tx.commit().await?;
    }
    let hash = passwords::hash(host, new).await?;
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    let whom = active(&mut tx, &actor.id).await?;
    store::put_password(&mut tx, &actor.id, &hash, now).await?;
    let ended = store::end_sessions(&mut tx, &actor.id, None, None, now).await?;
    record(
        host,
        actor,
        "password.set",
        serde_json::json!({ "sessions_ended": ended }),
        &mut tx,
    )
    .await?;
    let session = sign_in::begin(host, &mut tx, whom, Method::Password, device).await?;
    tx.commit().await?;
    Ok(session)
}

/// Ends one of one's own sessions.
///
/// # Errors
/// [`IdentityError::NotFound`] alike for an absent session and somebody else's.
pub async fn end_own_session(
    host: &Host,
    actor: &Actor,
    session: &SessionId,
) -> Result<(), IdentityError> {
    actor.may(Permission::OwnAccount)?;
    own_session(actor)?;
    let mut tx = host.store.begin().await?;
    let only = Some(session.as_str());
    if store::end_sessions(&mut tx, &actor.id, only, None, host.now_ms()).await? == 0 {
        return Err(IdentityError::NotFound("session"));
    }
    let detail = serde_json::json!({ "session": session });
    record(host, actor, "session.ended", detail, &mut tx).await?;
    Ok(tx.commit().await?)
}

/// Ends all of one's own sessions but the one that asks. Returns how many.
///
/// # Errors
/// [`IdentityError::TokenCannotMint`].
pub async fn end_other_sessions(host: &Host, actor: &Actor) -> Result<u64, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    let this = own_session(actor)?;
    let mut tx = host.store.begin().await?;
    let ended = store::end_sessions(&mut tx, &actor.id, None, Some(this), host.now_ms()).await?;
    let detail = serde_json::json!({ "sessions_ended": ended });
    record(host, actor, "session.others_ended", detail, &mut tx).await?;
    tx.commit().await?;
    Ok(ended)
}

async fn record(
    host: &Host,
    actor: &Actor,
    event: &str,
    detail: serde_json::Value,
    tx: &mut crate::store::Tx,
) -> Result<(), IdentityError> {
    let entry = Entry {
        event,
        subject_kind: "principal",
        subject_id: actor.id.as_str(),
        detail,
    };
    Ok(host.audit(tx, actor, entry).await?)
}
