//! Coming in by single sign-on: to the identity provider and back, as the person it names, with the roles their groups give.
//!
//! Invariants: a redirect is good once, for ten minutes, in the browser that began it, for the settings it was begun with; an account
//! here is taken over by its e-mail address only when the provider says that the address was verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::provider::{Bound, Newcomer, Provider, Registration, short};
use super::{PLACE, SignOnFault, callback_url, given};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::IdentityError;
use crate::identity::roles::Actor;
use crate::identity::service::{NewSession, PrincipalKind, PrincipalView, secret};
use crate::identity::sign_in::{self, Device, Method, WINDOW_MS};
use crate::identity::store::{self, AttemptRow, SignOnRow};
use crate::kernel::PrincipalId;
use crate::kernel::clock::MINUTE_MS;
use crate::kernel::digest::sha256_hex;
use crate::kernel::seal::Place;
use crate::store::Tx;

/// How long somebody has to come back.
const COMES_BACK_MS: i64 = 10 * MINUTE_MS;
/// Sign-ins that one network address may begin within [`WINDOW_MS`]: each costs the provider a request, and a whole office shares one.
const BEGINNINGS: i64 = 600;
/// Random bytes of a verifier: 86 characters, within the 43 to 128 of RFC 7636 §4.1.
const VERIFIER_BYTES: usize = 64;
/// Longest code or state that is looked at.
const MOST: usize = 8_192;
/// Longest name that is kept, characters.
const NAME_LETTERS: usize = 200;

/// A sign-in that has begun.
pub struct Begun {
    /// The provider's page.
    pub goes_to: String,
    /// Binds the browser; goes into a cookie, nowhere else.
    pub browser: String,
    /// How long the cookie is good, milliseconds.
    pub lasts_ms: i64,
}

/// What the provider's redirect brought back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Callback {
    /// The authorization code.
    pub code: Option<String>,
    /// As it was sent.
    pub state: Option<String>,
    /// The provider's or the person's no.
    pub error: Option<String>,
    /// In words.
    pub error_description: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
}

fn is_on(row: Option<SignOnRow>) -> Result<SignOnRow, IdentityError> {
    Ok(row.filter(|row| row.is_on).ok_or(SignOnFault::Off)?)
}

/// Begins a sign-in at the provider; `next` is where the person wanted to go.
///
/// # Errors
/// [`IdentityError::SignOn`], [`IdentityError::TooManyTries`].
pub async fn begin(host: &Host, next: &str, device: &Device) -> Result<Begun, IdentityError> {
    let now = host.now_ms();
    let row = {
        let mut tx = host.store.begin().await?;
        let row = is_on(store::sign_on(&mut tx).await?)?;
        let subject = [sha256_hex(format!("sign-on {}", device.address))];
        let counted = store::count_tries(&mut tx, &subject, now - WINDOW_MS, now).await?;
        tx.commit().await?;
        if let Some((tries, began_at)) = counted.first()
            && *tries > BEGINNINGS
        {
            return Err(IdentityError::TooManyTries {
                minutes: (began_at + WINDOW_MS - now).max(0) / MINUTE_MS + 1,
            });
        }
        row
    };
    let mut bytes = Zeroizing::new([0u8; VERIFIER_BYTES]);
    host.chance.fill(&mut *bytes);
    let bound = Bound {
        nonce: secret(host, ""),
        verifier: URL_SAFE_NO_PAD.encode(*bytes),
    };
    let (state, browser) = (secret(host, ""), secret(host, ""));
    let callback = callback_url(host);
    let registration = Registration {
        issuer: &row.issuer,
        client_id: &row.client_id,
        client_secret: "",
        callback: &callback,
    };
    let provider = Provider::discovered(host.connectors.client(), &registration).await?;
    let scopes: Vec<String> = row.scopes.split(' ').map(str::to_owned).collect();
    let goes_to = provider.page(&state, &bound, &scopes).to_string();
    let state_hash = sha256_hex(&state);
    let plain = Zeroizing::new(serde_json::to_vec(&bound).map_err(|_| IdentityError::Hashing)?);
    let sealed = host.sealer.seal(place(&state_hash), &plain, &*host.chance);
    let attempt = AttemptRow {
        issuer: row.issuer,
        client_id: row.client_id,
        sealed: sealed.map_err(|_| IdentityError::Hashing)?,
        next: next.to_owned(),
    };
    let mut tx = host.store.begin().await?;
    let until = now + COMES_BACK_MS;
    store::insert_attempt(
        &mut tx,
        &state_hash,
        &sha256_hex(&browser),
        &attempt,
        until,
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(Begun {
        goes_to,
        browser,
        lasts_ms: COMES_BACK_MS,
    })
}

/// Brings in whoever comes back; the second part is where they wanted to go.
///
/// # Errors
/// [`IdentityError::SignOn`], each in its own words.
pub async fn returned(
    host: &Host,
    callback: &Callback,
    browser: &str,
    device: &Device,
) -> Result<(NewSession, String), IdentityError> {
    let state = callback.state.as_deref().unwrap_or_default();
    if state.is_empty() || state.len() > MOST || browser.is_empty() || browser.len() > MOST {
        return Err(SignOnFault::Unusable.into());
    }
    let state_hash = sha256_hex(state);
    let mut tx = host.store.begin().await?;
    let row = is_on(store::sign_on(&mut tx).await?)?;
    let attempt = store::take_attempt(&mut tx, &state_hash, &sha256_hex(browser), host.now_ms())
        .await?
        .filter(|attempt| attempt.issuer == row.issuer && attempt.client_id == row.client_id);
    tx.commit().await?;
    let attempt = attempt.ok_or(SignOnFault::Unusable)?;
    if callback.iss.as_ref().is_some_and(|iss| *iss != row.issuer) {
        return Err(SignOnFault::Issuer.into());
    }
    if let Some(error) = &callback.error {
        return Err(SignOnFault::Refused {
            code: short(error),
            sentence: callback.error_description.as_deref().map(short),
        }
        .into());
    }
    let code = callback.code.as_deref().unwrap_or_default();
    if code.is_empty() || code.len() > MOST {
        return Err(SignOnFault::Code.into());
    }
    let opened = host.sealer.open(place(&state_hash), &attempt.sealed);
    let opened = opened.map_err(|_| SignOnFault::Unusable)?;
    let bound: Bound = serde_json::from_slice(&opened).map_err(|_| SignOnFault::Unusable)?;
    let newcomer = asked(host, &row, code, &bound).await?;
    let session = admitted(host, &row, newcomer, device).await?;
    Ok((session, attempt.next))
}

fn place(state_hash: &str) -> Place<'_> {
    Place {
        table: "sign_on_attempts",
        row: state_hash,
        column: "bound_sealed",
    }
}

async fn asked(
    host: &Host,
    row: &SignOnRow,
    code: &str,
    bound: &Bound,
) -> Result<Newcomer, IdentityError> {
    let opened = host.sealer.open(PLACE, &row.secret_sealed);
    let opened = opened.map_err(|_| IdentityError::Hashing)?;
    let client_secret = std::str::from_utf8(&opened).map_err(|_| IdentityError::Hashing)?;
    let callback = callback_url(host);
    let registration = Registration {
        issuer: &row.issuer,
        client_id: &row.client_id,
        client_secret,
        callback: &callback,
    };
    let provider = Provider::discovered(host.connectors.client(), &registration).await?;
    let now = host.now_ms();
    Ok(provider
        .newcomer(code, bound, &row.group_claim, now)
        .await?)
}

/// One transaction: who it is here, the roles of their groups, the session.
async fn admitted(
    host: &Host,
    row: &SignOnRow,
    newcomer: Newcomer,
    device: &Device,
) -> Result<NewSession, IdentityError> {
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    let id = whom(host, &mut tx, row, &newcomer).await?;
    let before = known(&mut tx, &id).await?;
    let groups = serde_json::to_string(&newcomer.groups).map_err(|_| IdentityError::Hashing)?;
    store::put_person_at(&mut tx, &row.issuer, &newcomer.subject, &id, &groups, now).await?;
    let roles = given(&newcomer.groups, &store::group_roles(&mut tx).await?);
    store::follow_groups(&mut tx, &id, &roles, now).await?;
    let after = known(&mut tx, &id).await?;
    if after.roles != before.roles {
        // No page that is open elsewhere keeps what was taken away.
        let ended = store::end_sessions(&mut tx, &id, None, None, now).await?;
        let detail = serde_json::json!({
            "from": before.roles, "to": after.roles, "by": "groups", "sessions_ended": ended,
        });
        record(host, &mut tx, &id, "principal.roles_followed", detail).await?;
    }
    let session = sign_in::begin(host, &mut tx, after, Method::SingleSignOn, device).await?;
    tx.commit().await?;
    Ok(session)
}

async fn known(tx: &mut Tx, id: &PrincipalId) -> Result<PrincipalView, IdentityError> {
    let found = store::principal(tx, id).await?.filter(|p| p.is_active);
    Ok(found.ok_or(SignOnFault::NoAccess)?)
}

/// The person here: known by their subject, else by a verified address, else new.
async fn whom(
    host: &Host,
    tx: &mut Tx,
    row: &SignOnRow,
    newcomer: &Newcomer,
) -> Result<PrincipalId, IdentityError> {
    if let Some(id) = store::person_at(tx, &row.issuer, &newcomer.subject).await? {
        return Ok(id);
    }
    let email = newcomer
        .email
        .as_deref()
        .map(|email| email.trim().to_lowercase())
        .filter(|email| email.contains('@') && email.len() <= 254);
    let taken = match &email {
        Some(email) => store::with_email(tx, email).await?,
        None => None,
    };
    if let (Some((id, kind)), Some(email)) = (taken, &email) {
        if kind != PrincipalKind::Person || newcomer.is_email_verified != Some(true) {
            return Err(SignOnFault::EmailTaken(email.clone()).into());
        }
        let detail = serde_json::json!({ "issuer": row.issuer, "email": email });
        record(host, tx, &id, "principal.linked", detail).await?;
        return Ok(id);
    }
    // An address that the provider calls unverified would keep its owner out.
    let email = email.filter(|_| newcomer.is_email_verified != Some(false));
    let now = host.now_ms();
    let id = PrincipalId::mint(now, &*host.chance);
    let name = name_of(newcomer, email.as_deref());
    store::insert_principal(
        tx,
        &id,
        PrincipalKind::Person.as_str(),
        &name,
        email.as_deref(),
        now,
    )
    .await?;
    let detail = serde_json::json!({ "name": name, "kind": "person", "issuer": row.issuer });
    record(host, tx, &id, "principal.created", detail).await?;
    Ok(id)
}

fn name_of(newcomer: &Newcomer, email: Option<&str>) -> String {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|c| !c.is_control());
        letters
            .take(NAME_LETTERS)
            .collect::<String>()
            .trim()
            .to_owned()
    };
    [newcomer.name.as_deref(), email, Some(&*newcomer.subject)]
        .into_iter()
        .flatten()
        .map(plain)
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "Somebody".to_owned())
}

async fn record(
    host: &Host,
    tx: &mut Tx,
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
    Ok(host.audit(tx, &Actor::system(), entry).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_called_by_name_else_by_address_else_by_subject() {
        let of = |name: Option<&str>, email: Option<&str>| {
            let newcomer = Newcomer {
                subject: "00u1".to_owned(),
                name: name.map(str::to_owned),
                email: None,
                is_email_verified: None,
                groups: std::collections::BTreeSet::new(),
            };
            name_of(&newcomer, email)
        };
        assert_eq!(of(Some("Zoe\u{7} Q"), Some("z@acme.example")), "Zoe Q");
        assert_eq!(of(Some(" \n"), Some("z@acme.example")), "z@acme.example");
        assert_eq!(of(None, None), "00u1");
        assert_eq!(of(Some(&"n".repeat(999)), None).len(), NAME_LETTERS);
    }
}
