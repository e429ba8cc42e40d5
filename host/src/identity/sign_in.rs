//! Signing in: by one-time link or by password, and then, where the person has one, by second factor.
//!
//! Invariants: an unknown address and a wrong password give the same answer after the same work; tries are counted before anything
//! is compared, by account and by network address, whether or not the account exists; a session's secret is always new.

use zeroize::Zeroizing;

use super::roles::{Actor, Via};
use super::service::{LINK_MS, NewSession, PrincipalView, SESSION_MS, active, secret};
use super::{IdentityError, passwords, second_factor, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::clock::MINUTE_MS;
use crate::kernel::digest::sha256_hex;
use crate::kernel::{SessionId, SigninLinkId};
use crate::store::Tx;

/// How long the second step of a sign-in may take.
const TICKET_MS: i64 = 5 * MINUTE_MS;
/// Tries are counted over this time.
pub const WINDOW_MS: i64 = 15 * MINUTE_MS;
/// Tries of one account within it: 40 an hour, below the 100 an hour of OWASP ASVS 4.0 §2.2.1.
pub const TRIES_OF_ACCOUNT: i64 = 10;
/// Tries of one network address within it: an office behind one address mistypes more often than one person.
pub const TRIES_OF_ADDRESS: i64 = 50;
/// Longest name of a device that is kept.
const DEVICE_LETTERS: usize = 200;

/// What is signed in from, for the person's own list of sessions.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The browser's name for itself; anything at all.
    pub agent: String,
    /// Network address.
    pub address: String,
    /// The cookie that came along; its session ends when the new one begins.
    pub cookie: Option<String>,
}

impl Device {
    fn words(&self) -> String {
        self.agent
            .chars()
            .filter(|c| !c.is_control())
            .take(DEVICE_LETTERS)
            .collect()
    }
}

/// How far a sign-in has come.
#[derive(Clone)]
pub enum SignedIn {
    /// All the way.
    Session(NewSession),
    /// The second factor is missing; the ticket goes with its code.
    CodeNeeded {
        /// Good for five minutes, for this person.
        ticket: String,
    },
}

/// By which proof somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Link,
    Password,
    SingleSignOn,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Password => "password",
            Self::SingleSignOn => "single_sign_on",
        }
    }
}

/// Spends a link. Only a POST may call this: a mail scanner that opens links must not spend them.
///
/// # Errors
/// [`IdentityError::LinkSpent`] alike for unknown, over, used, and for a principal without access.
pub async fn redeem_signin_link(
    host: &Host,
    token: &str,
    device: &Device,
) -> Result<SignedIn, IdentityError> {
    let mut tx = host.store.begin().await?;
    let principal = store::spend_link(&mut tx, &sha256_hex(token), "sign_in", host.now_ms())
        .await?
        .ok_or(IdentityError::LinkSpent)?;
    let whom = active(&mut tx, &principal)
        .await
        .map_err(|error| match error {
            IdentityError::NotFound(_) => IdentityError::LinkSpent,
            other => other,
        })?;
    let signed_in = first_factor_is_right(host, &mut tx, whom, Method::Link, device).await?;
    tx.commit().await?;
    Ok(signed_in)
}

/// Signs in by e-mail address and password.
///
/// # Errors
/// [`IdentityError::NotRecognised`] alike for an unknown address, a person without a password and a wrong one;
/// [`IdentityError::TooManyTries`] alike for accounts that exist and that do not.
pub async fn sign_in_with_password(
    host: &Host,
    email: &str,
    password: Zeroizing<String>,
    device: &Device,
) -> Result<SignedIn, IdentityError> {
    let email = email.trim().to_lowercase();
    let tried = count_try(host, &email, &device.address).await?;
    let mut tx = host.store.read_everything().await?;
    let whom = store::person_of_email(&mut tx, &email).await?;
    let stored = match &whom {
        Some(id) => store::password(&mut tx, id).await?.map(|(hash, _)| hash),
        None => None,
    };
    drop(tx);
    let is_right = passwords::matches(stored, password).await;
    let mut tx = host.store.begin().await?;
    let Some(whom) = whom.filter(|_| is_right) else {
        return Err(IdentityError::NotRecognised);
    };
    let whom = active(&mut tx, &whom)
        .await
        .map_err(|_| IdentityError::NotRecognised)?;
    let signed_in = first_factor_is_right(host, &mut tx, whom, Method::Password, device).await?;
    if matches!(signed_in, SignedIn::Session(_)) {
        tried.forgive(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(signed_in)
}

/// The second step: a ticket of the first, and a code of the app or a recovery code.
///
/// # Errors
/// [`IdentityError::LinkSpent`] for a ticket that is unknown, over or used; [`IdentityError::WrongCode`];
/// [`IdentityError::TooManyTries`].
pub async fn sign_in_with_code(
    host: &Host,
    ticket: &str,
    code: &str,
    device: &Device,
) -> Result<NewSession, IdentityError> {
    let hash = sha256_hex(ticket);
    let mut tx = host.store.read_everything().await?;
    let principal = store::link_of(&mut tx, &hash, "second_factor", host.now_ms())
        .await?
        .ok_or(IdentityError::LinkSpent)?;
    drop(tx);
    let tried = count_try(host, principal.as_str(), &device.address).await?;
    let mut tx = host.store.begin().await?;
    let whom = active(&mut tx, &principal)
        .await
        .map_err(|_| IdentityError::LinkSpent)?;
    if !second_factor::takes(host, &mut tx, &principal, code).await? {
        return Err(IdentityError::WrongCode);
    }
    store::spend_link(&mut tx, &hash, "second_factor", host.now_ms())
        .await?
        .ok_or(IdentityError::LinkSpent)?;
    tried.forgive(&mut tx).await?;
    let session = begin(host, &mut tx, whom, Method::Password, device).await?;
    tx.commit().await?;
    Ok(session)
}

/// Begins a session, or asks for the second factor where there is one.
pub(super) async fn first_factor_is_right(
    host: &Host,
    tx: &mut Tx,
    whom: PrincipalView,
    method: Method,
    device: &Device,
) -> Result<SignedIn, IdentityError> {
    if !second_factor::is_on(tx, &whom.id).await? {
        return Ok(SignedIn::Session(
            begin(host, tx, whom, method, device).await?,
        ));
    }
    let now = host.now_ms();
    let ticket = secret(host, "swc_");
    let link = store::LinkRow {
        id: SigninLinkId::mint(now, &*host.chance),
        hash: sha256_hex(&ticket),
        principal: &whom.id,
        purpose: "second_factor",
        expires_at: now + TICKET_MS.min(LINK_MS),
    };
    store::insert_link(tx, &link, now).await?;
    Ok(SignedIn::CodeNeeded { ticket })
}

/// A new session, in the caller's transaction. The one that the browser brought along ends.
pub(super) async fn begin(
    host: &Host,
    tx: &mut Tx,
    whom: PrincipalView,
    method: Method,
    device: &Device,
) -> Result<NewSession, IdentityError> {
    let now = host.now_ms();
    if let Some(cookie) = &device.cookie {
        store::end_by_cookie(tx, &sha256_hex(cookie), now).await?;
    }
    let id = SessionId::mint(now, &*host.chance);
    let session = NewSession {
        cookie: secret(host, "sws_"),
        csrf_token: secret(host, ""),
        principal: whom.id.clone(),
        expires_at: now + SESSION_MS,
    };
    let row = store::SessionRow {
        id: &id,
        hash: sha256_hex(&session.cookie),
        csrf: &session.csrf_token,
        principal: &whom.id,
        expires_at: session.expires_at,
        method: method.as_str(),
        device: &device.words(),
        address: &device.address,
    };
    store::insert_session(tx, &row, now).await?;
    let actor = Actor {
        id: whom.id.clone(),
        name: whom.name,
        roles: whom.roles,
        via: Via::Session {
            session: id.to_string(),
        },
        sight: whom.sight,
    };
    let detail =
        serde_json::json!({ "session": id, "method": method.as_str(), "address": device.address });
    host.audit(
        tx,
        &actor,
        Entry {
            event: "session.began",
            subject_kind: "principal",
            subject_id: whom.id.as_str(),
            detail,
        },
    )
    .await?;
    Ok(session)
}

/// A try that was counted and may be forgiven.
pub(crate) struct Tried {
    account: String,
    address: String,
}

impl Tried {
    pub(super) async fn forgive(&self, tx: &mut Tx) -> Result<(), IdentityError> {
        Ok(store::forgive_tries(tx, &self.account, &self.address).await?)
    }
}

/// Counts a try before anything is looked up, so that parallel tries cannot pass the limit together.
pub(crate) async fn count_try(
    host: &Host,
    account: &str,
    address: &str,
) -> Result<Tried, IdentityError> {
    let now = host.now_ms();
    let tried = Tried {
        account: sha256_hex(format!("account {account}")),
        address: sha256_hex(format!("address {address}")),
    };
    let subjects = [tried.account.clone(), tried.address.clone()];
    let mut tx = host.store.begin().await?;
    let counted = store::count_tries(&mut tx, &subjects, now - WINDOW_MS, now).await?;
    let mut until = None;
    for ((tries, began_at), (limit, kind)) in counted
        .into_iter()
        .zip([(TRIES_OF_ACCOUNT, "account"), (TRIES_OF_ADDRESS, "address")])
    {
        if tries > limit {
            until = until.max(Some(began_at + WINDOW_MS));
        }
        if tries == limit + 1 {
            // Once per window, so that whoever tries cannot fill the trail.
            let detail = serde_json::json!({ "what": kind, "address": address, "tries": tries });
            let entry = Entry {
                event: "sign_in.blocked",
                subject_kind: "sign_in",
                subject_id: if kind == "account" {
                    &tried.account
                } else {
                    &tried.address
                },
                detail,
            };
            host.audit(&mut tx, &Actor::system(), entry).await?;
        }
    }
    tx.commit().await?;
    match until {
        Some(until) => Err(IdentityError::TooManyTries {
            minutes: (until - now).max(0) / MINUTE_MS + 1,
        }),
        None => Ok(tried),
    }
}

/// Counts a try of somebody who is signed in: a stolen session must not guess the password either.
pub(super) async fn count_own_try(host: &Host, actor: &Actor) -> Result<Tried, IdentityError> {
    let own = format!("own {}", actor.id.as_str());
    count_try(host, &own, &own).await
}
