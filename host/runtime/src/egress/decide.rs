//! The reasons for which a request does not leave. One enum, so that audit, tests and metrics use the same words.

use std::fmt;

/// Why a request was refused before it left. The code is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// The manifest declares no such origin.
    UndeclaredOrigin,
    /// The grant gives no base URL for the origin.
    NoBase,
    /// The path is not a plain absolute path.
    BadPath,
    /// No read operation has this method and path.
    NotAReadOperation,
    /// No write operation has this method and path.
    NotAWriteOperation,
    /// The read operation takes no body.
    BodyNotAllowed,
    /// A header is one that only the host sets, or does not parse.
    ForbiddenHeader,
    /// Path, headers or body are larger than allowed.
    TooLarge,
    /// The base URL is not https.
    NotHttps,
    /// The base URL has a user, a query, a fragment or a path.
    BadBase,
    /// The base URL's host is an IP address.
    IpLiteral,
    /// The base URL's host or port is not one the manifest names.
    HostNotDeclared,
    /// The name resolves to an address that is not public.
    PrivateAddress,
    /// The name resolves to more addresses than are looked at.
    TooManyAddresses,
    /// The proxy is at an address that only the operator may name.
    ProxyAddress,
}

impl Refusal {
    /// Stable code, for audit, metrics and the guest.
    pub fn code(self) -> &'static str {
        match self {
            Self::UndeclaredOrigin => "egress.undeclared_origin",
            Self::NoBase => "egress.no_base",
            Self::BadPath => "egress.bad_path",
            Self::NotAReadOperation => "egress.not_a_read_operation",
            Self::NotAWriteOperation => "egress.not_a_write_operation",
            Self::BodyNotAllowed => "egress.body_not_allowed",
            Self::ForbiddenHeader => "egress.forbidden_header",
            Self::TooLarge => "egress.request_too_large",
            Self::NotHttps => "egress.not_https",
            Self::BadBase => "egress.bad_base",
            Self::IpLiteral => "egress.ip_literal",
            Self::HostNotDeclared => "egress.host_not_declared",
            Self::PrivateAddress => "egress.private_address",
            Self::TooManyAddresses => "egress.too_many_addresses",
            Self::ProxyAddress => "egress.proxy_address",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal with what it was about; never with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: Refusal,
    pub(crate) detail: String,
}

impl Refused {
    pub(crate) fn new(reason: Refusal, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}
