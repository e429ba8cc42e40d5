//! One request from decision to answer: a guest's read, and the host's write.
//!
//! Invariants: a read is replayed at most once, with a renewed grant, after a 401; a write is sent at most once, and its
//! outcome is one of three words that say what is known; the credential is added after every decision and never comes
//! back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{self, HeaderMap, HeaderValue};
use url::Url;

use super::decide::{Refusal, Refused};
use super::dialer::{DialError, Dialer, Use};
use super::path::CleanPath;
use super::target::{self, Target};
use super::{
    Acted, AllowTargets, EgressError, EgressObserver, EgressOptions, Grant, GrantPort, answer,
    failures, headers,
};
use crate::call::HttpPort;
use crate::contract::http::{Header, Method, Request, Response};
use crate::contract::reclaim::{Step, WriteMethod};
use crate::contract::types::{Failure, FailureKind};
use crate::limits;
use crate::manifest::{self, HostPattern, Manifest, Operation, Origin};

/// The way out for one profile and one run. Connections are its own.
pub struct Egress {
    manifest: Arc<Manifest>,
    grants: Arc<dyn GrantPort>,
    observer: Arc<dyn EgressObserver>,
    allow: AllowTargets,
    extra_hosts: Vec<HostPattern>,
    dialer: Dialer,
}

/// A request that passed everything that can be decided without a grant.
struct Prepared<'a> {
    origin: &'a Origin,
    method: http::Method,
    path: CleanPath,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// Why an attempt gave no answer.
enum Lost {
    /// Provably nothing left.
    Before(Failure),
    /// It may have arrived.
    After(Failure),
}

impl Lost {
    fn failure(self) -> Failure {
        match self {
            Self::Before(failure) | Self::After(failure) => failure,
        }
    }
}

impl Egress {
    /// Sets up a way out; dials nothing yet.
    ///
    /// # Errors
    /// [`EgressError::Root`] where an extra root is no certificate.
    pub fn new(options: EgressOptions) -> Result<Self, EgressError> {
        let EgressOptions {
            manifest,
            grants,
            observer,
            allow,
            way,
        } = options;
        Ok(Self {
            manifest,
            grants,
            observer,
            dialer: Dialer::new(&way, &allow)?,
            allow,
            extra_hosts: way.extra_hosts,
        })
    }

    /// Sends the very bytes of an approved step, once: no retry, no replay after a 401. The only way a write leaves, and
    /// out of every guest's reach.
    pub async fn act(&self, step: &Step) -> Acted {
        let prepared = match self.prepare_write(step) {
            Ok(prepared) => prepared,
            Err(refused) => return Acted::NotSent(self.refuse(&refused)),
        };
        let grant = match self.grants.current().await {
            Ok(grant) => grant,
            Err(failure) => return Acted::NotSent(failure),
        };
        match self.attempt(&prepared, &grant, Use::Write).await {
            Ok(answer) => Acted::Answered(answer.response),
            Err(Lost::Before(failure)) => Acted::NotSent(failure),
            Err(Lost::After(failure)) => Acted::Unknown(failure),
        }
    }

    /// Whether a planned step is one of the manifest's write operations; asked when a plan is made, long before it is
    /// sent, so that a plan with anything else is never shown for approval.
    ///
    /// # Errors
    /// The reason, with what is wrong.
    pub fn permits(&self, step: &Step) -> Result<(), Failure> {
        self.prepare_write(step)
            .map(|_| ())
            .map_err(|refused| failures::refused(&refused))
    }

    async fn read(&self, request: Request) -> Result<Response, Failure> {
        let prepared = self
            .prepare_read(request)
            .map_err(|refused| self.refuse(&refused))?;
        let grant = self.grants.current().await?;
        let first = self
            .attempt(&prepared, &grant, Use::Read)
            .await
            .map_err(Lost::failure)?;
        if !first.is_session_expired {
            return Ok(first.response);
        }
        // The new grant may name another base; the URL is built again from it.
        let renewed = self.grants.renew(grant.generation).await?;
        let second = self
            .attempt(&prepared, &renewed, Use::Read)
            .await
            .map_err(Lost::failure)?;
        Ok(second.response)
    }

    fn refuse(&self, refused: &Refused) -> Failure {
        tracing::debug!(reason = refused.reason.code(), detail = %refused.detail, "egress refused a request");
        self.observer.refused(refused.reason, &refused.detail);
        failures::refused(refused)
    }

    fn origin(&self, name: &str) -> Result<&Origin, Refused> {
        self.manifest.origin(name).ok_or_else(|| {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            Refused::new(
                Refusal::UndeclaredOrigin,
                format!("\"{shown}\" is not an origin of the connector's manifest"),
            )
        })
    }

    fn prepare_read(&self, request: Request) -> Result<Prepared<'_>, Refused> {
        let origin = self.origin(&request.origin)?;
        let path = CleanPath::parse(&request.path_with_query)?;
        let method = read_method(request.method);
        let operation = find(
            &self.manifest.read_operations,
            &origin.name,
            method,
            path.path(),
        )
        .ok_or_else(|| {
            let detail = format!(
                "{} {} on \"{}\" is not a read operation of the connector's manifest",
                method.as_str(),
                path.path(),
                origin.name
            );
            Refused::new(Refusal::NotAReadOperation, detail)
        })?;
        let headers = headers::of_request(&request.headers)?;
        let body = request.body.filter(|body| !body.is_empty());
        if let Some(body) = &body {
            if !operation.body {
                let detail = format!("{} {} takes no body", method.as_str(), path.path());
                return Err(Refused::new(Refusal::BodyNotAllowed, detail));
            }
            if body.len() > limits::REQUEST_BODY_BYTES {
                return Err(Refused::new(
                    Refusal::TooLarge,
                    format!("the body has {} bytes", body.len()),
                ));
            }
        }
        Ok(Prepared {
            origin,
            method: wire(method),
            path,
            headers,
            body,
        })
    }

    fn prepare_write(&self, step: &Step) -> Result<Prepared<'_>, Refused> {
        let origin = self.origin(&step.origin)?;
        let path = CleanPath::parse(&step.path)?;
        let method = write_method(step.method);
        find(
            &self.manifest.write_operations,
            &origin.name,
            method,
            path.path(),
        )
        .ok_or_else(|| {
            let detail = format!(
                "{} {} on \"{}\" is not a write operation of the connector's manifest",
                method.as_str(),
                path.path(),
                origin.name
            );
            Refused::new(Refusal::NotAWriteOperation, detail)
        })?;
        if step
            .body
            .as_ref()
            .is_some_and(|body| body.len() > limits::STEP_BODY_BYTES)
        {
            return Err(Refused::new(
                Refusal::TooLarge,
                "the body of the step is too large",
            ));
        }
        let mut headers = HeaderMap::new();
        if let Some(content_type) = &step.content_type {
            let value = HeaderValue::from_str(content_type).map_err(|_| {
                Refused::new(
                    Refusal::ForbiddenHeader,
                    "the content type of the step has a character that is not allowed",
                )
            })?;
            headers.insert(header::CONTENT_TYPE, value);
        }
        Ok(Prepared {
            origin,
            method: wire(method),
            path,
            headers,
            body: step.body.clone(),
        })
    }

    /// Where the grant says the origin is, if the manifest or the operator allows it.
    fn target(&self, origin: &Origin, grant: &Grant) -> Result<Target, Refused> {
        let base = grant.bases.get(&origin.name).ok_or_else(|| {
            Refused::new(
                Refusal::NoBase,
                format!(
                    "the token answer names no base for origin \"{}\"",
                    origin.name
                ),
            )
        })?;
        if !matches!(base.path(), "/" | "") || base.query().is_some() || base.fragment().is_some() {
            return Err(Refused::new(
                Refusal::BadBase,
                format!("the base of origin \"{}\" is more than a host", origin.name),
            ));
        }
        target::decide(
            base,
            &[&origin.hosts, &self.extra_hosts],
            &origin.ports,
            &self.allow,
        )
    }

    async fn attempt(
        &self,
        prepared: &Prepared<'_>,
        grant: &Grant,
        usage: Use,
    ) -> Result<Answer, Lost> {
        let refuse = |refused: Refused| Lost::Before(self.refuse(&refused));
        let target = self.target(prepared.origin, grant).map_err(refuse)?;
        let url = prepared.path.onto(&target.base).map_err(refuse)?;
        let client = self
            .dialer
            .client(&target, usage)
            .await
            .map_err(|e| match e {
                DialError::Refused(refused) => refuse(refused),
                DialError::Failed(failure) => Lost::Before(failure),
            })?;
        let request = self
            .build(prepared, grant, &url, usage)
            .map_err(Lost::Before)?;
        let exchange = self.exchange(client, request, prepared, grant, &url, &target.host);
        match tokio::time::timeout(Duration::from_millis(limits::HTTP_TOTAL_MS), exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Lost::After(failures::failure(
                FailureKind::Transient,
                failures::TIMEOUT,
                format!("{} did not finish its answer in time", target.host),
            ))),
        }
    }

    fn build(
        &self,
        prepared: &Prepared<'_>,
        grant: &Grant,
        url: &Url,
        usage: Use,
    ) -> Result<reqwest::Request, Failure> {
        let mut request = reqwest::Request::new(prepared.method.clone(), url.clone());
        let all = request.headers_mut();
        *all = prepared.headers.clone();
        if usage == Use::Read {
            all.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut authorization =
            HeaderValue::from_str(grant.authorization.expose()).map_err(|_| {
                failures::failure(
                    FailureKind::Auth,
                    "egress.bad_token",
                    "The token that the vendor gave has a character that no header can carry",
                )
            })?;
        authorization.set_sensitive(true);
        all.insert(header::AUTHORIZATION, authorization);
        if let Some(body) = &prepared.body {
            *request.body_mut() = Some(body.clone().into());
        }
        Ok(request)
    }

    async fn exchange(
        &self,
        client: reqwest::Client,
        request: reqwest::Request,
        prepared: &Prepared<'_>,
        grant: &Grant,
        url: &Url,
        host: &str,
    ) -> Result<Answer, Lost> {
        let response = client.execute(request).await.map_err(|e| {
            let failure = self.dialer.failure(&e, host);
            // Only an error of the connection itself proves that no byte of the request was written.
            if e.is_connect() {
                Lost::Before(failure)
            } else {
                Lost::After(failure)
            }
        })?;
        let status = response.status().as_u16();
        self.observer
            .answered(&prepared.origin.name, status, response.headers());
        let is_session_expired = status == 401 && !is_scope_missing(response.headers());
        let seen = headers::of_response(response.headers(), url).map_err(Lost::After)?;
        let body = answer::read_body(response, host, limits::RESPONSE_BYTES)
            .await
            .map_err(Lost::After)?;
        let token = token_of(grant.authorization.expose());
        if answer::carries(&body, token)
            || seen
                .iter()
                .any(|header: &Header| answer::carries(&header.value, token))
        {
            let message =
                format!("The answer of {host} repeats the credential; it was not handed on");
            return Err(Lost::After(failures::failure(
                FailureKind::Refused,
                failures::LEAK,
                message,
            )));
        }
        Ok(Answer {
            response: Response {
                status,
                headers: seen,
                body,
            },
            is_session_expired,
        })
    }
}

#[async_trait]
impl HttpPort for Egress {
    async fn send(&self, request: Request) -> Result<Response, Failure> {
        self.read(request).await
    }
}

struct Answer {
    response: Response,
    is_session_expired: bool,
}

/// RFC 6750 §3.1: a valid token without the right; a new one would be no better.
fn is_scope_missing(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .any(|value| {
            value
                .to_str()
                .is_ok_and(|text| text.contains("insufficient_scope"))
        })
}

/// The secret part of an `Authorization` value: what follows the scheme.
fn token_of(authorization: &str) -> &str {
    authorization
        .split_once(' ')
        .map_or(authorization, |(_, token)| token.trim())
}

fn find<'a>(
    operations: &'a [Operation],
    origin: &str,
    method: manifest::Method,
    path: &str,
) -> Option<&'a Operation> {
    operations
        .iter()
        .find(|o| o.origin == origin && o.method == method && o.path.matches(path))
}

fn read_method(method: Method) -> manifest::Method {
    match method {
        Method::Get => manifest::Method::Get,
        Method::Head => manifest::Method::Head,
        Method::Post => manifest::Method::Post,
        Method::Delete => manifest::Method::Delete,
    }
}

fn write_method(method: WriteMethod) -> manifest::Method {
    match method {
        WriteMethod::Post => manifest::Method::Post,
        WriteMethod::Put => manifest::Method::Put,
        WriteMethod::Patch => manifest::Method::Patch,
        WriteMethod::Delete => manifest::Method::Delete,
    }
}

fn wire(method: manifest::Method) -> http::Method {
    match method {
        manifest::Method::Get => http::Method::GET,
        manifest::Method::Head => http::Method::HEAD,
        manifest::Method::Post => http::Method::POST,
        manifest::Method::Put => http::Method::PUT,
        manifest::Method::Patch => http::Method::PATCH,
        manifest::Method::Delete => http::Method::DELETE,
    }
}
