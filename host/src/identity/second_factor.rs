//! The second factor: six-digit codes of an authenticator app (TOTP, RFC 6238), and recovery codes for the day the device is gone.
//!
//! Invariants: the secret is sealed at rest and shown only until its first code; a code is taken once (RFC 6238 §5.2); recovery
//! codes are kept as hashes and work once.

use qrcodegen::{QrCode, QrCodeEcc};
use serde::Serialize;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use super::account::own_session;
use super::roles::{Actor, Permission};
use super::service::active;
use super::{IdentityError, sign_in, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::PrincipalId;
use crate::kernel::digest::sha256_hex;
use crate::kernel::seal::Place;
use crate::store::Tx;

/// RFC 4226 §4 recommends 160 bits.
const SECRET_BYTES: usize = 20;
/// Recovery codes of one set.
const RECOVERY_CODES: usize = 10;
/// Random bytes of one: 80 bits, so that a plain hash is enough.
const RECOVERY_BYTES: usize = 10;
/// Empty modules around the symbol (ISO/IEC 18004 asks for four).
const QUIET: i32 = 4;

/// What an authenticator app needs, shown until its first code is typed.
#[derive(Clone, Serialize)]
pub struct Enrolment {
    /// For typing by hand, in groups of four.
    pub secret: String,
    /// `otpauth://totp/…`
    pub url: String,
    /// Outline of the QR symbol's dark modules, in its own units.
    pub path: String,
    /// Units from edge to edge, quiet zone included.
    pub size: i32,
}

/// Makes a secret and shows it; it counts from its first code on.
///
/// # Errors
/// [`IdentityError::TokenCannotMint`], [`IdentityError::FactorExists`].
pub async fn begin_second_factor(host: &Host, actor: &Actor) -> Result<Enrolment, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    own_session(actor)?;
    let mut bytes = Zeroizing::new([0u8; SECRET_BYTES]);
    host.chance.fill(&mut *bytes);
    let sealed = host
        .sealer
        .seal(place(&actor.id), &*bytes, &*host.chance)
        .map_err(|_| IdentityError::Hashing)?;
    let mut tx = host.store.begin().await?;
    let whom = active(&mut tx, &actor.id).await?;
    if !store::put_factor(&mut tx, &actor.id, &sealed, host.now_ms()).await? {
        return Err(IdentityError::FactorExists);
    }
    tx.commit().await?;
    let label = whom.email.unwrap_or(whom.name);
    enrolment(&*bytes, &label)
}

/// The secret that waits for its first code, to be shown again after a typing error; absent once it is confirmed.
///
/// # Errors
/// [`IdentityError::TokenCannotMint`].
pub async fn pending_second_factor(
    host: &Host,
    actor: &Actor,
) -> Result<Option<Enrolment>, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    own_session(actor)?;
    let mut tx = host.store.read_everything().await?;
    let whom = active(&mut tx, &actor.id).await?;
    let Some(row) = store::factor(&mut tx, &actor.id)
        .await?
        .filter(|row| row.confirmed_at.is_none())
    else {
        return Ok(None);
    };
    let secret = host
        .sealer
        .open(place(&actor.id), &row.secret_sealed)
        .map_err(|_| IdentityError::Hashing)?;
    Ok(Some(enrolment(&secret, &whom.email.unwrap_or(whom.name))?))
}

/// The first code proves that the device holds the secret: from now on a sign-in asks for one. Gives the recovery codes, shown once.
/// Ends the person's other sessions.
///
/// # Errors
/// [`IdentityError::WrongCode`], [`IdentityError::TokenCannotMint`], [`IdentityError::FactorExists`].
pub async fn confirm_second_factor(
    host: &Host,
    actor: &Actor,
    code: &str,
) -> Result<Vec<String>, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    let session = own_session(actor)?;
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    let row = store::factor(&mut tx, &actor.id)
        .await?
        .ok_or(IdentityError::WrongCode)?;
    if row.confirmed_at.is_some() {
        return Err(IdentityError::FactorExists);
    }
    if !is_fresh_code(host, &mut tx, &actor.id, &row.secret_sealed, code).await? {
        return Err(IdentityError::WrongCode);
    }
    store::confirm_factor(&mut tx, &actor.id, now).await?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(host)).collect();
    let hashes: Vec<String> = codes.iter().map(|code| sha256_hex(plain(code))).collect();
    store::put_recovery_codes(&mut tx, &actor.id, &hashes, now).await?;
    let ended = store::end_sessions(&mut tx, &actor.id, None, Some(session), now).await?;
    record(
        host,
        &mut tx,
        actor,
        &actor.id,
        "second_factor.on",
        serde_json::json!({ "sessions_ended": ended }),
    )
    .await?;
    tx.commit().await?;
    Ok(codes)
}

/// Takes one's second factor away; a code, or a recovery code, proves that it is one's own.
///
/// # Errors
/// [`IdentityError::WrongCode`], [`IdentityError::TooManyTries`], [`IdentityError::TokenCannotMint`].
pub async fn end_second_factor(
    host: &Host,
    actor: &Actor,
    code: &str,
) -> Result<(), IdentityError> {
    actor.may(Permission::OwnAccount)?;
    own_session(actor)?;
    sign_in::count_own_try(host, actor).await?;
    let mut tx = host.store.begin().await?;
    if !takes(host, &mut tx, &actor.id, code).await? {
        return Err(IdentityError::WrongCode);
    }
    store::remove_factor(&mut tx, &actor.id).await?;
    let detail = serde_json::Value::Null;
    record(host, &mut tx, actor, &actor.id, "second_factor.off", detail).await?;
    Ok(tx.commit().await?)
}

/// Takes somebody's second factor away who has lost device and recovery codes. Their sessions end.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`].
pub async fn reset_second_factor(
    host: &Host,
    actor: &Actor,
    principal: &PrincipalId,
) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    if !store::remove_factor(&mut tx, principal).await? {
        return Err(IdentityError::NotFound("second factor"));
    }
    store::end_sessions(&mut tx, principal, None, None, host.now_ms()).await?;
    let detail = serde_json::Value::Null;
    record(
        host,
        &mut tx,
        actor,
        principal,
        "second_factor.reset",
        detail,
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Whether the person signs in with a second factor.
pub(super) async fn is_on(tx: &mut Tx, principal: &PrincipalId) -> Result<bool, IdentityError> {
    let row = store::factor(tx, principal).await?;
    Ok(row.is_some_and(|row| row.confirmed_at.is_some()))
}

/// Takes a code of the app, or a recovery code, once.
pub(super) async fn takes(
    host: &Host,
    tx: &mut Tx,
    principal: &PrincipalId,
    code: &str,
) -> Result<bool, IdentityError> {
    let Some(row) = store::factor(tx, principal)
        .await?
        .filter(|row| row.confirmed_at.is_some())
    else {
        return Ok(false);
    };
    if is_fresh_code(host, tx, principal, &row.secret_sealed, code).await? {
        return Ok(true);
    }
    let hash = sha256_hex(plain(code));
    Ok(store::spend_recovery_code(tx, principal, &hash, host.now_ms()).await?)
}

async fn is_fresh_code(
    host: &Host,
    tx: &mut Tx,
    principal: &PrincipalId,
    sealed: &[u8],
    code: &str,
) -> Result<bool, IdentityError> {
    let secret = host
        .sealer
        .open(place(principal), sealed)
        .map_err(|_| IdentityError::Hashing)?;
    let totp = totp(&secret, "account")?;
    let seconds = u64::try_from(host.now_ms() / 1_000).unwrap_or(0);
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let Some(step) = totp.check(&typed, seconds) else {
        return Ok(false);
    };
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    Ok(store::take_step(tx, principal, step).await?)
}

fn place(principal: &PrincipalId) -> Place<'_> {
    Place {
        table: "second_factors",
        row: principal.as_str(),
        column: "secret_sealed",
    }
}

fn totp(secret: &[u8], label: &str) -> Result<Totp, IdentityError> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_account_name(label.replace(':', " "))
        .with_issuer(Some("Seatwise"))
        .build()
        .map_err(|_| IdentityError::Hashing)
}

fn enrolment(secret: &[u8], label: &str) -> Result<Enrolment, IdentityError> {
    let totp = totp(secret, label)?;
    let url = totp.to_url().map_err(|_| IdentityError::Hashing)?;
    let symbol =
        QrCode::encode_text(&url, QrCodeEcc::Medium).map_err(|_| IdentityError::Hashing)?;
    Ok(Enrolment {
        secret: grouped(&Secret::from(secret.to_vec()).to_base32()),
        path: outline(&symbol),
        size: symbol.size() + 2 * QUIET,
        url,
    })
}

/// One rectangle for each run of dark modules in a row.
fn outline(symbol: &QrCode) -> String {
    use std::fmt::Write as _;
    let mut path = String::new();
    for y in 0..symbol.size() {
        let mut x = 0;
        while x < symbol.size() {
            let begin = x;
            while x < symbol.size() && symbol.get_module(x, y) {
                x += 1;
            }
            if x > begin {
                let (left, top, long) = (begin + QUIET, y + QUIET, x - begin);
                // Writing to a String cannot fail.
                let _ = write!(path, "M{left},{top}h{long}v1h-{long}z");
            }
            x += 1;
        }
    }
    path
}

fn recovery_code(host: &Host) -> String {
    let mut bytes = [0u8; RECOVERY_BYTES];
    host.chance.fill(&mut bytes);
    grouped(&Secret::from(bytes.to_vec()).to_base32().to_lowercase()).replace(' ', "-")
}

fn grouped(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters
        .chunks(4)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A recovery code as it is hashed: without the marks that only help reading.
fn plain(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

async fn record(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    principal: &PrincipalId,
    event: &str,
    detail: serde_json::Value,
) -> Result<(), IdentityError> {
    let entry = Entry {
        event,
        subject_kind: "principal",
        subject_id: principal.as_str(),
        detail,
    };
    Ok(host.audit(tx, actor, entry).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = totp(b"12345678901234567890", "a@b").unwrap();
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert!(totp.check(code, seconds).is_some(), "{seconds}");
            assert!(totp.check(code, seconds + 90).is_none(), "{seconds}");
        }
    }

    #[test]
    fn the_symbol_holds_every_dark_module_and_the_url_what_an_app_needs() {
        let shown = enrolment(b"12345678901234567890", "ana@acme.example").unwrap();
        assert_eq!(shown.secret, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert!(
            shown.url.starts_with("otpauth://totp/Seatwise"),
            "{}",
            shown.url
        );
        let symbol = QrCode::encode_text(&shown.url, QrCodeEcc::Medium).unwrap();
        let dark = (0..symbol.size())
            .flat_map(|y| (0..symbol.size()).map(move |x| (x, y)))
            .filter(|(x, y)| symbol.get_module(*x, *y))
            .count();
        let drawn: usize = shown
            .path
            .split('h')
            .filter_map(|part| part.split('v').next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(drawn, dark);
    }
}
