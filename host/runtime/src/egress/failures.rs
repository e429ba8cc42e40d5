//! What a guest and a person are told when a request fails without an answer. Codes are stable; texts carry no secret
//! and no address that resolution gave.

use std::error::Error;

use super::decide::{Refusal, Refused};
use crate::contract::types::{Failure, FailureKind};

pub(crate) const DNS: &str = "dns";
pub(crate) const CONNECT: &str = "connect";
pub(crate) const TLS: &str = "tls";
pub(crate) const TIMEOUT: &str = "timeout";
pub(crate) const CUT_BODY: &str = "cut_body";
pub(crate) const TOO_LARGE: &str = "too_large";
pub(crate) const BAD_ENCODING: &str = "bad_encoding";
pub(crate) const LEAK: &str = "egress.leak";

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
        | Refusal::TooManyAddresses => FailureKind::InvalidInput,
    };
    failure(
        kind,
        refused.reason.code(),
        format!("Refused before sending: {}", refused.detail),
    )
}

/// An error of the HTTP client. `host` is what was asked for.
pub(crate) fn network(error: &reqwest::Error, host: &str) -> Failure {
    let chain = || {
        std::iter::successors(
            Some(error as &(dyn Error + 'static)),
            |e: &&(dyn Error + 'static)| (*e).source(),
        )
    };
    let tls = chain().find_map(as_tls);
    let hyper = chain().find_map(|e| e.downcast_ref::<hyper::Error>());
    if error.is_timeout() {
        return failure(
            FailureKind::Transient,
            TIMEOUT,
            format!("{host} did not answer in time"),
        );
    }
    if let Some(tls) = tls {
        return failure(
            FailureKind::InvalidInput,
            TLS,
            format!("No secure connection to {host}: {tls}"),
        );
    }
    if error.is_connect() {
        return failure(
            FailureKind::Transient,
            CONNECT,
            format!("No connection to {host}"),
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

/// A TLS error in a chain. The layers below wrap it in one `io::Error` or two, whose `source` leaves out what they wrap.
fn as_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let wrapped = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    as_tls(wrapped)
}
