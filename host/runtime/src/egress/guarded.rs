//! The host's own calls (token endpoint) through the same guard: same decision about the target, same classification of
//! addresses, no redirects, capped answers.
//!
//! Invariant: no call of this crate reaches the network in another way than the egress guard's dialer.

use std::time::Duration;

use http::header;
use url::Url;

use super::decide::{Refusal, Refused};
use super::dialer::{DialError, Dialer, Use};
use super::target::{self, AllowTargets, Target};
use super::{EgressError, WayOut, answer, failures};
use crate::contract::types::{Failure, FailureKind};
use crate::limits;
use crate::manifest::HostPattern;

/// The only port of a host that the operator did not name.
const PORTS: [u16; 1] = [443];

/// A client for calls that the host itself makes.
pub struct GuardedClient {
    allow: AllowTargets,
    extra_hosts: Vec<HostPattern>,
    dialer: Dialer,
}

impl GuardedClient {
    /// Sets up a client; dials nothing yet.
    ///
    /// # Errors
    /// [`EgressError::Root`] where an extra root is no certificate.
    pub fn new(allow: AllowTargets, extra_roots: &[Vec<u8>]) -> Result<Self, EgressError> {
        let way = WayOut {
            extra_roots: extra_roots.to_vec(),
            ..WayOut::default()
        };
        Self::through(allow, &way)
    }

    /// The same for a connection that has a proxy, roots or hosts of its own.
    ///
    /// # Errors
    /// [`EgressError::Root`] where an extra root is no certificate.
    pub fn through(allow: AllowTargets, way: &WayOut) -> Result<Self, EgressError> {
        Ok(Self {
            dialer: Dialer::new(way, &allow)?,
            allow,
            extra_hosts: way.extra_hosts.clone(),
        })
    }

    fn decide(&self, patterns: &[HostPattern], url: &Url) -> Result<Target, Refused> {
        let target = target::decide(url, &[patterns, &self.extra_hosts], &PORTS, &self.allow)?;
        self.dialer.permits(&target)?;
        Ok(target)
    }

    /// Whether a URL could be called at all, without a name look-up; for checking what a person enters.
    ///
    /// # Errors
    /// A failure of kind `invalid-input` with the [`Refusal`]'s code.
    pub fn permits(&self, patterns: &[HostPattern], url: &Url) -> Result<(), Failure> {
        self.decide(patterns, url)
            .map(|_| ())
            .map_err(|refused| failures::refused(&refused))
    }

    /// Sends one request, once, to a host that a pattern covers or the operator named. Redirects are answers.
    ///
    /// # Errors
    /// A refusal (`egress.…`), or `dns`, `connect`, `tls`: nothing left. `timeout`, `cut_body`, `too_large`,
    /// `bad_encoding`, `not_http`: it may have arrived.
    pub async fn send(
        &self,
        patterns: &[HostPattern],
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Failure> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|e| {
            failures::refused(&Refused::new(Refusal::BadBase, format!("not a URL: {e}")))
        })?;
        let target = self
            .decide(patterns, &url)
            .map_err(|refused| failures::refused(&refused))?;
        // Token calls are not repeatable (a refresh token may rotate): a fresh connection each, as for writes.
        let client = self
            .dialer
            .client(&target, Use::Write)
            .await
            .map_err(|e| match e {
                DialError::Refused(refused) => failures::refused(&refused),
                DialError::Failed(failure) => failure,
            })?;
        let mut outgoing = reqwest::Request::new(parts.method, url);
        *outgoing.headers_mut() = parts.headers;
        outgoing.headers_mut().remove(header::HOST);
        if !body.is_empty() {
            *outgoing.body_mut() = Some(body.into());
        }
        let exchange = async {
            let response = client
                .execute(outgoing)
                .await
                .map_err(|e| self.dialer.failure(&e, &target.host))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body =
                answer::read_body(response, &target.host, limits::TOKEN_RESPONSE_BYTES).await?;
            let mut answer = http::Response::new(body);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        };
        match tokio::time::timeout(Duration::from_millis(limits::TOKEN_TOTAL_MS), exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(failures::failure(
                FailureKind::Transient,
                failures::TIMEOUT,
                format!("{} did not finish its answer in time", target.host),
            )),
        }
    }
}
