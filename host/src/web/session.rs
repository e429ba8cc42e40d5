//! From a cookie or a bearer token to the person behind it.
//!
//! The cookie is `HttpOnly`, `SameSite=Lax`, bound to the whole host; under https it is also `Secure` and carries the
//! `__Host-` prefix (RFC 6265bis §4.1.3.2), so no neighbouring host can set it.
use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use subtle::ConstantTimeEq as _;

use super::error::told;
use crate::app::host::Host;
use crate::identity::roles::Actor;
use crate::identity::service::{Device, NewSession};
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

fn binding_name(host: &Host) -> &'static str {
    if is_https(host) {
        "__Host-seatwise-sso"
    } else {
        "seatwise-sso"
    }
}

/// The session's secret as the browser sent it.
#[must_use]
pub fn cookie(host: &Host, headers: &HeaderMap) -> Option<String> {
    cookie_called(headers, cookie_name(host))
}

/// What binds a sign-in at the identity provider to the browser that began it.
#[must_use]
pub fn bound_browser(host: &Host, headers: &HeaderMap) -> Option<String> {
    cookie_called(headers, binding_name(host))
}

fn cookie_called(headers: &HeaderMap, name: &str) -> Option<String> {
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

/// What a sign-in is made from: the browser, its address, the cookie it brings.
///
/// Behind a reverse proxy on the same machine the address is the last one of `X-Forwarded-For`, which the proxy itself appends;
/// whoever is not on this machine cannot set it.
pub struct From(pub Device);

impl FromRequestParts<Host> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, host: &Host) -> Result<Self, Infallible> {
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip());
        let forwarded = text("x-forwarded-for")
            .rsplit(',')
            .next()
            .and_then(|last| last.trim().parse().ok())
            .filter(|_| peer.is_none_or(|peer| peer.is_loopback()));
        Ok(Self(Device {
            agent: text("user-agent").to_owned(),
            address: forwarded
                .or(peer)
                .map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
            cookie: cookie(host, &parts.headers),
        }))
    }
}

/// The header that hands this session to the browser.
#[must_use]
pub fn hand_over(host: &Host, session: &NewSession) -> HeaderValue {
    let lasts_s = (session.expires_at - host.now_ms()).max(0) / 1_000;
    set_cookie(host, cookie_name(host), &session.cookie, lasts_s)
}

/// The header that binds this browser to a sign-in at the identity provider.
#[must_use]
pub fn bind_browser(host: &Host, secret: &str, lasts_ms: i64) -> HeaderValue {
    set_cookie(host, binding_name(host), secret, lasts_ms / 1_000)
}

/// The header that takes that binding back.
#[must_use]
pub fn unbind_browser(host: &Host) -> HeaderValue {
    set_cookie(host, binding_name(host), "", 0)
}

fn set_cookie(host: &Host, name: &str, secret: &str, max_age_s: i64) -> HeaderValue {
    let secure = if is_https(host) { "; Secure" } else { "" };
    let text =
        format!("{name}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("a session's secret is plain letters and digits")
}

/// The header that takes a session from the browser.
#[must_use]
pub fn clear_cookie(host: &Host) -> HeaderValue {
    set_cookie(host, cookie_name(host), "", 0)
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
