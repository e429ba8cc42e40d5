//! What a guest and a person are told when a request fails without an answer. Codes are stable; texts carry no secret
//! and no address that resolution gave.
//!
//! With a proxy it is said who failed: the proxy (unreachable, wants a login, refuses), or the vendor behind it.

use std::error::Error;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;

use super::decide::{Refusal, Refused};
use super::proxy::Proxy;
use crate::contract::types::{Failure, FailureKind};

/// What the HTTP client's way through a proxy failed with; the library does not export the name.
type TunnelError = <Tunnel<HttpConnector> as tower_service::Service<http::Uri>>::Error;

pub(crate) const DNS: &str = "dns";
pub(crate) const CONNECT: &str = "connect";
pub(crate) const TLS: &str = "tls";
pub(crate) const TIMEOUT: &str = "timeout";
pub(crate) const CUT_BODY: &str = "cut_body";
pub(crate) const TOO_LARGE: &str = "too_large";
pub(crate) const BAD_ENCODING: &str = "bad_encoding";
pub(crate) const LEAK: &str = "egress.leak";
pub(crate) const PROXY_UNREACHABLE: &str = "proxy_unreachable";
pub(crate) const PROXY_LOGIN: &str = "proxy_login";
pub(crate) const PROXY_REFUSED: &str = "proxy_refused";
pub(crate) const PROXY_TLS: &str = "proxy_tls";

pub(crate) fn failure(kind: FailureKind, code: &str, message: impl Into<String>) -> Failure {
    Failure {
        kind,
        code: code.to_owned(),
        message: message.into(),
        retry_after_ms: None,
    }
}

pub(crate) fn too_large(message: &str) -> Failure {
    failure(FailureKind::Malformed, TOO_LARGE, message)
}

/// A refusal as the guest sees it: the guest's or the profile's mistake, never one that passes by itself.
pub(crate) fn refused(refused: &Refused) -> Failure {
    let kind = match refused.reason {
        Refusal::UndeclaredOrigin
        | Refusal::BadPath
        | Refusal::NotAReadOperation
        | Refusal::NotAWriteOperation
        | Refusal::BodyNotAllowed
        | Refusal::ForbiddenHeader
        | Refusal::TooLarge => FailureKind::Unsupported,
        Refusal::NoBase
        | Refusal::NotHttps
        | Refusal::BadBase
        | Refusal::IpLiteral
        | Refusal::HostNotDeclared
        | Refusal::PrivateAddress
        | Refusal::TooManyAddresses
        | Refusal::ProxyAddress => FailureKind::InvalidInput,
    };
    failure(
        kind,
        refused.reason.code(),
        format!("Refused before sending: {}", refused.detail),
    )
}

/// An error of the HTTP client. `host` is what was asked for, `proxy` what it was asked through.
pub(crate) fn network(error: &reqwest::Error, host: &str, proxy: Option<&Proxy>) -> Failure {
    let chain = || {
        std::iter::successors(
            Some(error as &(dyn Error + 'static)),
            |e: &&(dyn Error + 'static)| (*e).source(),
        )
    };
    let through = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    if let (Some(proxy), Some(tunnel)) =
        (proxy, chain().find_map(|e| e.downcast_ref::<TunnelError>()))
    {
        return in_tunnel(tunnel, host, proxy);
    }
    let tls = chain().find_map(as_tls);
    let hyper = chain().find_map(|e| e.downcast_ref::<hyper::Error>());
    if error.is_timeout() {
        return failure(
            FailureKind::Transient,
            TIMEOUT,
            format!("{host} did not answer in time{through}"),
        );
    }
    if let Some(tls) = tls {
        return failure(
            FailureKind::InvalidInput,
            TLS,
            format!("No secure connection to {host}{through}: {tls}"),
        );
    }
    if error.is_connect() {
        return failure(
            FailureKind::Transient,
            CONNECT,
            format!("No connection to {host}{through}"),
        );
    }
    if hyper.is_some_and(hyper::Error::is_parse_too_large) {
        return too_large(&format!("The headers of {host}'s answer are too large"));
    }
    if hyper.is_some_and(hyper::Error::is_parse) {
        return failure(
            FailureKind::Malformed,
            "not_http",
            format!("{host} did not answer in HTTP"),
        );
    }
    failure(
        FailureKind::Transient,
        CUT_BODY,
        format!("The connection to {host} was cut before its answer was complete"),
    )
}

/// The way through the proxy was not opened: nothing has reached the vendor.
fn in_tunnel(error: &TunnelError, host: &str, proxy: &Proxy) -> Failure {
    match error {
        TunnelError::ProxyAuthRequired if proxy.has_login() => failure(
            FailureKind::InvalidInput,
            PROXY_LOGIN,
            format!("The proxy {proxy} did not accept its user name and password"),
        ),
        TunnelError::ProxyAuthRequired => failure(
            FailureKind::InvalidInput,
            PROXY_LOGIN,
            format!("The proxy {proxy} wants a user name and password"),
        ),
        // A proxy says no in the same way to a host that its rules forbid and to one that it cannot reach just now.
        TunnelError::TunnelUnsuccessful | TunnelError::MissingHost => failure(
            FailureKind::Transient,
            PROXY_REFUSED,
            format!(
                "The proxy {proxy} did not open a way to {host}: its rules forbid it, or it cannot reach it"
            ),
        ),
        TunnelError::ConnectFailed(cause) => match as_tls_in(&**cause) {
            Some(tls) => failure(
                FailureKind::InvalidInput,
                PROXY_TLS,
                format!("No secure connection to the proxy {proxy}: {tls}"),
            ),
            None => failure(
                FailureKind::Transient,
                PROXY_UNREACHABLE,
                format!("The proxy {proxy} cannot be reached"),
            ),
        },
        TunnelError::Io(_)
        | TunnelError::ProxyHeadersTooLong
        | TunnelError::TunnelUnexpectedEof => failure(
            FailureKind::Transient,
            PROXY_UNREACHABLE,
            format!("The proxy {proxy} cut the connection before the way to {host} was open"),
        ),
    }
}

/// A TLS error anywhere below.
fn as_tls_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    std::iter::successors(Some(error), |e| (*e).source()).find_map(as_tls)
}

/// A TLS error in a chain. The layers below wrap it in one `io::Error` or two, whose `source` leaves out what they wrap.
fn as_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let wrapped = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    as_tls(wrapped)
}
