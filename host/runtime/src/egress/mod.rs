//! The only way out: builds URLs, decides, resolves, classifies, dials, injects the credential, caps the answer.
//!
//! Order of evaluation for a guest's request, each step refusing with a [`Refusal`]: origin declared, path well formed,
//! read operation, headers, body, base of the origin allowed ([`target`]), name resolved once and every address
//! classified ([`dialer`], [`addresses`]), then the request with the credential, then the answer's caps ([`answer`]).
//!
//! Invariants: nothing is dialled that was not classified; no redirect is followed; no proxy of the environment is used,
//! only the one of a [`WayOut`], and with it nothing is dialled directly ([`proxy`]); a connection is never shared between
//! two [`Egress`]; a write leaves only through [`Egress::act`], which no guest can reach.
//!
//! What it must not know: any vendor, SQL, pages.

mod addresses;
mod answer;
mod decide;
mod dialer;
mod failures;
mod guarded;
mod headers;
mod path;
mod proxy;
mod roots;
mod send;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use url::Url;

use crate::contract::http::Response;
use crate::contract::types::Failure;
use crate::manifest::{HostPattern, Manifest};
use crate::secret::Secret;

pub use decide::Refusal;
pub use guarded::GuardedClient;
pub use proxy::{Proxy, ProxyError};
pub use roots::{RootsError, TrustedRoot, read_roots};
pub use send::Egress;
pub use target::AllowTargets;

/// What a token answer gives: the credential and where it may be used.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The whole value of the `Authorization` header, e.g. `Bearer …`. See [`Grant::bearer`].
    pub authorization: Secret,
    /// Base URL of each origin, from the token answer or the profile. Checked against the manifest before use.
    pub bases: BTreeMap<String, Url>,
    /// Raised by each renewal, so that a renewal is asked for once per rejected token.
    pub generation: u64,
}

impl Grant {
    /// A grant of a bearer token (RFC 6750).
    pub fn bearer(token: &str, bases: BTreeMap<String, Url>, generation: u64) -> Self {
        Self {
            authorization: Secret::new(format!("Bearer {token}")),
            bases,
            generation,
        }
    }
}

/// Where the egress gets its grant from.
#[async_trait]
pub trait GrantPort: Send + Sync {
    /// The current grant, got first where there is none yet.
    ///
    /// # Errors
    /// A failure for the guest and the person, of kind `auth` where the credential is at fault.
    async fn current(&self) -> Result<Grant, Failure>;

    /// A newer grant than the rejected generation. Single flight: many callers, one renewal.
    ///
    /// # Errors
    /// As [`GrantPort::current`].
    async fn renew(&self, rejected_generation: u64) -> Result<Grant, Failure>;
}

/// Told of every answer and every refusal. Must not block.
pub trait EgressObserver: Send + Sync {
    /// The vendor answered; the host reads its quota from the headers.
    fn answered(&self, origin: &str, status: u16, headers: &HeaderMap);
    /// A request was refused before it left; the host writes it into the audit trail.
    fn refused(&self, reason: Refusal, detail: &str);
}

/// What an [`Egress`] is made of.
pub struct EgressOptions {
    /// Origins and operations.
    pub manifest: Arc<Manifest>,
    /// The credential.
    pub grants: Arc<dyn GrantPort>,
    /// Quota and audit.
    pub observer: Arc<dyn EgressObserver>,
    /// Private targets that the operator named.
    pub allow: AllowTargets,
    /// Proxy, roots and hosts of the connection.
    pub way: WayOut,
}

/// How the requests of one connection leave. The default: directly, under the system's roots, to the manifest's hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayOut {
    /// The proxy that everything goes through.
    pub proxy: Option<Proxy>,
    /// More trusted roots, each a PEM text; the system's are trusted too.
    pub extra_roots: Vec<Vec<u8>>,
    /// Hosts that an administrator allowed beside the manifest's, over https at the manifest's ports.
    pub extra_hosts: Vec<HostPattern>,
}

/// Why an egress could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// A root certificate does not parse.
    #[error("root certificate {index} is not a PEM certificate: {why}")]
    Root {
        /// Its place in the list, from 0.
        index: usize,
        /// What the parser says.
        why: String,
    },
    /// The TLS library could not be set up.
    #[error("the HTTP client could not be set up: {0}")]
    Client(String),
}

/// What became of a write.
#[derive(Clone, Debug)]
pub enum Acted {
    /// The vendor answered; the connector judges what that means.
    Answered(Response),
    /// The request provably never left: refused, not resolved, not connected. Nothing happened at the vendor.
    NotSent(Failure),
    /// It may have reached the vendor. Observe before anything is sent again.
    Unknown(Failure),
}
