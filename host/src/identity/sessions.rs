//! One-time links, and the sessions that a sign-in opens.

use serde::Serialize;

use super::roles::{Actor, Permission, Via};
use super::service::{active, refuse_token, secret};
use super::{IdentityError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::clock::{HOUR_MS, MINUTE_MS};
use crate::kernel::digest::sha256_hex;
use crate::kernel::{PrincipalId, SigninLinkId};

/// How long a sign-in link is good: long enough to copy it into a browser, too short to lie around in a log.
pub const LINK_MS: i64 = 15 * MINUTE_MS;

/// How long a session lasts, used or not: a working day.
pub const SESSION_MS: i64 = 12 * HOUR_MS;

/// A session's last request is noted at most this often, so that reading does not mean writing.
const SEEN_NOTED_MS: i64 = 5 * MINUTE_MS;

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
    /// Last request, to five minutes.
    pub last_seen_at: i64,
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
    let link = store::LinkRow {
        id: id.clone(),
        hash: sha256_hex(&token),
        principal,
        purpose: "sign_in",
        expires_at,
    };
    store::insert_link(&mut tx, &link, now).await?;
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

/// Who holds this cookie.
///
/// # Errors
/// [`IdentityError::NotSignedIn`] when nobody does any more.
pub async fn authenticate_session(host: &Host, cookie: &str) -> Result<Session, IdentityError> {
    let now = host.now_ms();
    let mut tx = host.store.read_everything().await?;
    let session = store::session(&mut tx, &sha256_hex(cookie), now)
        .await?
        .ok_or(IdentityError::NotSignedIn)?;
    drop(tx);
    if now - session.last_seen_at > SEEN_NOTED_MS
        && let Via::Session { session: id } = &session.actor.via
    {
        let mut tx = host.store.begin().await?;
        store::note_seen(&mut tx, id, now).await?;
        tx.commit().await?;
    }
    Ok(session)
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
