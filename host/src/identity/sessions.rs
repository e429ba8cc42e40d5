//! Signing in: one-time links, and the sessions they open.

use serde::Serialize;

use super::roles::{Actor, Permission, Via};
use super::service::{active, refuse_token, secret};
use super::{IdentityError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::clock::{HOUR_MS, MINUTE_MS};
use crate::kernel::digest::sha256_hex;
use crate::kernel::{PrincipalId, SessionId, SigninLinkId};

/// How long a sign-in link is good: long enough to copy it into a browser, too short to lie around in a log.
pub const LINK_MS: i64 = 15 * MINUTE_MS;

/// How long a session lasts, used or not: a working day.
pub const SESSION_MS: i64 = 12 * HOUR_MS;

/// A one-time sign-in link, shown once.
#[derive(Clone, Serialize)]
pub struct SigninLink {
    /// Where to open it; the page there posts the token.
    pub url: String,
    /// The secret part alone.
    pub token: String,
    /// For whom.
    pub name: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A session that has just begun.
#[derive(Clone)]
pub struct NewSession {
    /// Goes into the cookie, nowhere else.
    pub cookie: String,
    /// Goes into every form.
    pub csrf_token: String,
    /// Whose.
    pub principal: PrincipalId,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A session that a cookie belongs to.
#[derive(Clone)]
pub struct Session {
    /// Who, with the roles of this moment.
    pub actor: Actor,
    /// What forms must carry.
    pub csrf_token: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A one-time link for somebody to sign in with.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::TokenCannotMint`].
pub async fn mint_signin_link(
    host: &Host,
    actor: &Actor,
    principal: &PrincipalId,
) -> Result<SigninLink, IdentityError> {
    actor.may(Permission::Administer)?;
    refuse_token(actor)?;
    let mut tx = host.store.begin().await?;
    let whom = active(&mut tx, principal).await?;
    let token = secret(host, "swl_");
    let now = host.now_ms();
    let id = SigninLinkId::mint(now, &*host.chance);
    let expires_at = now + LINK_MS;
    store::insert_link(
        &mut tx,
        &id,
        &sha256_hex(&token),
        principal,
        expires_at,
        now,
    )
    .await?;
    let detail = serde_json::json!({ "link": id });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "signin_link.minted",
            subject_kind: "principal",
            subject_id: principal.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    let url = format!(
        "{}/sign-in?token={token}",
        host.options.public_url.trim_end_matches('/')
    );
    Ok(SigninLink {
        url,
        token,
        name: whom.name,
        expires_at,
    })
}

/// Spends a link and begins a session. Only a POST may call this: a mail scanner that opens links must not spend them.
///
/// # Errors
/// [`IdentityError::LinkSpent`] alike for unknown, over, used, and for a principal without access.
pub async fn redeem_signin_link(host: &Host, token: &str) -> Result<NewSession, IdentityError> {
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    let principal = store::spend_link(&mut tx, &sha256_hex(token), now)
        .await?
        .ok_or(IdentityError::LinkSpent)?;
    let whom = active(&mut tx, &principal)
        .await
        .map_err(|error| match error {
            IdentityError::NotFound(_) => IdentityError::LinkSpent,
            other => other,
        })?;
    let id = SessionId::mint(now, &*host.chance);
    let session = NewSession {
        cookie: secret(host, "sws_"),
        csrf_token: secret(host, ""),
        principal: principal.clone(),
        expires_at: now + SESSION_MS,
    };
    store::insert_session(
        &mut tx,
        &id,
        &sha256_hex(&session.cookie),
        &session.csrf_token,
        &principal,
        session.expires_at,
        now,
    )
    .await?;
    let actor = Actor {
        id: principal.clone(),
        name: whom.name,
        roles: whom.roles,
        via: Via::Session {
            session: id.to_string(),
        },
    };
    let detail = serde_json::json!({ "session": id });
    host.audit(
        &mut tx,
        &actor,
        Entry {
            event: "session.began",
            subject_kind: "principal",
            subject_id: principal.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    Ok(session)
}

/// Who holds this cookie.
///
/// # Errors
/// [`IdentityError::NotSignedIn`] when nobody does any more.
pub async fn authenticate_session(host: &Host, cookie: &str) -> Result<Session, IdentityError> {
    let mut tx = host.store.read().await?;
    store::session(&mut tx, &sha256_hex(cookie), host.now_ms())
        .await?
        .ok_or(IdentityError::NotSignedIn)
}

/// Ends the actor's session.
///
/// # Errors
/// The database's own. A token has no session: nothing happens.
pub async fn end_session(host: &Host, actor: &Actor) -> Result<(), IdentityError> {
    let Via::Session { session } = &actor.via else {
        return Ok(());
    };
    let mut tx = host.store.begin().await?;
    store::end_session(&mut tx, session, host.now_ms()).await?;
    let detail = serde_json::json!({ "session": session });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "session.ended",
            subject_kind: "principal",
            subject_id: actor.id.as_str(),
            detail,
        },
    )
    .await?;
    Ok(tx.commit().await?)
}
