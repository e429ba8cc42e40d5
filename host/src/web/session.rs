//! From a cookie or a bearer token to the person behind it.
//!
//! The cookie is `HttpOnly`, `SameSite=Lax`, bound to the whole host; under https it is also `Secure` and carries the
//! `__Host-` prefix (RFC 6265bis §4.1.3.2), so no neighbouring host can set it.
use axum::http::{HeaderMap, HeaderValue, header};
use subtle::ConstantTimeEq as _;

use super::error::told;
use crate::app::host::Host;
use crate::identity::roles::Actor;
use crate::identity::{self, IdentityError};
use crate::kernel::Problem;

/// A live session.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The person, with their roles of this moment.
    pub actor: Actor,
    /// The secret that this session's forms carry.
    pub csrf: String,
}

fn is_https(host: &Host) -> bool {
    host.options.public_url.starts_with("https://")
}

fn cookie_name(host: &Host) -> &'static str {
    if is_https(host) {
        "__Host-seatwise"
    } else {
        "seatwise"
    }
}

/// The session's secret as the browser sent it.
#[must_use]
pub fn cookie(host: &Host, headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(host);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(given, _)| *given == name)
        .map(|(_, value)| value.to_owned())
}

/// The live session of a request, if it has one.
///
/// # Errors
/// The database's own.
pub async fn of_request(host: &Host, headers: &HeaderMap) -> Result<Option<Signed>, Problem> {
    let Some(secret) = cookie(host, headers) else {
        return Ok(None);
    };
    match identity::service::authenticate_session(host, &secret).await {
        Ok(session) => Ok(Some(Signed {
            actor: session.actor,
            csrf: session.csrf_token,
        })),
        Err(IdentityError::NotSignedIn) => Ok(None),
        Err(error) => Err(told(&error)),
    }
}

/// The actor behind a personal token.
///
/// # Errors
/// 401 for a token that is unknown, ended or expired.
pub async fn of_token(host: &Host, token: &str) -> Result<Actor, Problem> {
    identity::service::authenticate_token(host, token)
        .await
        .map_err(|error| told(&error))
}

/// The header that hands a new session to the browser.
#[must_use]
pub fn set_cookie(host: &Host, secret: &str, max_age_s: i64) -> HeaderValue {
    let secure = if is_https(host) { "; Secure" } else { "" };
    let text = format!(
        "{}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}",
        cookie_name(host)
    );
    HeaderValue::from_str(&text).expect("a session's secret is plain letters and digits")
}

/// The header that takes a session from the browser.
#[must_use]
pub fn clear_cookie(host: &Host) -> HeaderValue {
    set_cookie(host, "", 0)
}

/// Compares two secrets without telling by time how much of them agrees.
#[must_use]
pub fn same_secret(given: &str, kept: &str) -> bool {
    !kept.is_empty() && bool::from(given.as_bytes().ct_eq(kept.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_equals_nothing() {
        assert!(!same_secret("", ""));
        assert!(same_secret("abc", "abc"));
        assert!(!same_secret("abd", "abc"));
    }
}
