//! What the org answers, and to whom it hands a request: versions, describe and limits here; tokens, cursors and writes beside. No
//! sockets here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bulk::Job;
use crate::cursors::Cursor;
use crate::faults::Faults;
use crate::limits::{Usage, too_long};
use crate::login::Logins;
use crate::org::Org;
use crate::query::ApiError;
use crate::records::{not_allowed, not_found};
use crate::refusals;

/// Everything that changes while the org runs. A copy is a moment to go back to.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) org: Org,
    pub(crate) faults: Faults,
    pub(crate) calls: u64,
    pub(crate) write_attempts: u64,
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) usage: Usage,
    /// Requests under way that count against the limit of concurrent ones.
    pub(crate) under_way: Arc<AtomicU64>,
    pub(crate) base_url: String,
    pub(crate) logins: Logins,
    pub(crate) cursors: Vec<Cursor>,
    pub(crate) jobs: Vec<Job>,
    /// How many query jobs were made since the start, and when those of the last day were.
    pub(crate) jobs_made: u64,
    pub(crate) job_times: Vec<i64>,
    minted: u64,
}

/// A request, taken apart.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) basic: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    /// Where the connection comes from.
    pub(crate) peer: IpAddr,
    pub(crate) body: &'a [u8],
}

impl Request<'_> {
    /// A header as text, if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query string, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// Rows that are made while they are sent: each call gives the next piece, `None` is the end.
pub(crate) type Pieces = Box<dyn FnMut(&State) -> Option<Vec<u8>> + Send>;

/// An answer before it is put on the wire.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// What follows `body`, where the whole would be too much to hold.
    pub(crate) pieces: Option<Pieces>,
}

/// What the REST API and the token endpoint write.
pub(crate) const JSON: &str = "application/json;charset=UTF-8";

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, JSON, body.to_string())
    }

    pub(crate) fn text(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
            pieces: None,
        }
    }

    /// Without a body, such as 204.
    pub(crate) fn empty(status: u16) -> Self {
        Self::text(status, JSON, Vec::new())
    }

    /// As Salesforce writes its errors: a list of one.
    pub(crate) fn error(error: &ApiError) -> Self {
        let mut told = json!({"message": error.message, "errorCode": error.code});
        if !error.fields.is_empty() {
            told["fields"] = json!(error.fields);
        }
        Self::json(error.status, &json!([told]))
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

pub(crate) type Shared = Arc<Mutex<State>>;

/// The state stays whole between statements, so a panic of another holder does not spoil it.
pub(crate) fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
impl State {
    pub(crate) fn new(org: Org, base_url: String) -> Self {
        Self {
            org,
            faults: Faults::default(),
            calls: 0,
            write_attempts: 0,
            requests: BTreeMap::new(),
            usage: Usage::default(),
            under_way: Arc::default(),
            base_url,
            logins: Logins::default(),
            cursors: Vec::new(),
            jobs: Vec::new(),
            jobs_made: 0,
            job_times: Vec::new(),
            minted: 0,
        }
    }

    /// A text nobody guesses from outside this process and that repeats with the same history.
    pub(crate) fn mint(&mut self, kind: &str) -> String {
        self.minted += 1;
        let seed = format!(
            "{kind} {} {} {}",
            self.org.spec.org_id, self.org.started_ms, self.minted
        );
        STANDARD
            .encode(Sha256::digest(seed.as_bytes()))
            .replace(['+', '/', '='], "x")
    }

    pub(crate) fn answer(&mut self, request: &Request<'_>) -> Answer {
        let kind = format!("{} {}", request.method, kind_of(request.path));
        *self.requests.entry(kind).or_default() += 1;
        if let Some(answer) = self.login(request) {
            return answer;
        }
        if matches!(request.path, "/services/data" | "/services/data/") {
            return self.versions();
        }
        if let Some(refusal) = too_long(request) {
            return refusal;
        }
        let asker = self.org.asker();
        let mut answer = self
            .data(request)
            .unwrap_or_else(|error| Answer::error(&error));
        if self.org.asker() != asker
            && let Some(mut pieces) = answer.pieces.take()
        {
            // Made now: later pieces would show what the next caller may see.
            while let Some(piece) = pieces(self) {
                answer.body.extend(piece);
            }
        }
        self.org.asked_by(asker);
        self.with_limit_info(answer)
    }

    /// The answer that the fault `error` has for this call.
    fn told_error(&self, request: &Request<'_>) -> Option<Answer> {
        let name = self.faults.text("error")?;
        let is_meant = self
            .faults
            .text("error_on")
            .is_none_or(|part| request.path.contains(part));
        let every = self.faults.number("error_every").max(1);
        if !is_meant || !self.calls.is_multiple_of(every) {
            return None;
        }
        if name == "MULTIPLE_API_ERRORS" {
            return Some(refusals::several());
        }
        refusals::find(name).map(refusals::Row::answer)
    }

    fn versions(&self) -> Answer {
        let (low, high) = self.org.spec.versions;
        let listed: Vec<_> = (low..=high)
            .map(|n| json!({"label": format!("Release {n}"), "url": format!("/services/data/v{n}.0"), "version": format!("{n}.0")}))
            .collect();
        Answer::json(200, &Value::Array(listed))
    }

    fn data(&mut self, request: &Request<'_>) -> Result<Answer, ApiError> {
        self.check_session(request)?;
        if !self.org.rights.api_in_edition {
            return Err(ApiError::new(
                403,
                "API_DISABLED_FOR_ORG",
                "The REST API is not enabled for this Organization.",
            ));
        }
        if !self.org.rights.api_enabled {
            return Err(ApiError::new(
                403,
                "FUNCTIONALITY_NOT_ENABLED",
                "This feature is not currently enabled for this user",
            ));
        }
        self.calls += 1;
        self.count_request()?;
        if let Some(answer) = self.told_error(request) {
            return Ok(answer);
        }
        let has_body =
            matches!(request.method, "POST" | "PATCH" | "PUT") && !request.body.is_empty();
        let is_json = |kind: &str| kind.to_ascii_lowercase().contains("json");
        if has_body
            && request
                .header("content-type")
                .is_some_and(|kind| !is_json(kind))
        {
            return Err(ApiError::new(
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                "The entity in the request is in a format that is not supported by the method; send application/json",
            ));
        }
        self.resource(request)
    }

    /// What is behind an address, for a caller that may ask.
    pub(crate) fn resource(&mut self, request: &Request<'_>) -> Result<Answer, ApiError> {
        let rest = request
            .path
            .strip_prefix("/services/data/")
            .ok_or_else(not_found)?;
        let (version, resource) = rest.split_once('/').unwrap_or((rest, ""));
        let number = version
            .strip_prefix('v')
            .and_then(|v| v.strip_suffix(".0"))
            .and_then(|v| v.parse::<u32>().ok())
            .ok_or_else(not_found)?;
        if number < self.org.spec.versions.0 {
            return Err(ApiError::new(
                410,
                "UNSUPPORTED_API_VERSION",
                "GONE: this API version is retired",
            ));
        }
        if number > self.org.spec.versions.1 {
            return Err(not_found());
        }
        let parts: Vec<&str> = resource
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        match (request.method, parts.as_slice()) {
            ("GET", []) => Ok(resources(version)),
            ("GET", ["query" | "queryAll"]) => self.query(request, version),
            ("GET", ["query" | "queryAll", locator]) => self.query_more(locator),
            ("GET", ["limits"]) => self.limits(),
            (_, ["jobs", "query", rest @ ..]) => self.bulk(request, version, rest),
            (_, ["sobjects", rest @ ..]) => self.sobjects(request, version, rest),
            (_, ["composite", "sobjects", rest @ ..]) => self.collections(request, version, rest),
            ("POST", ["composite"]) => self.composite(request),
            ("POST", ["composite", "batch"]) => self.batch(request),
            (_, [] | ["query" | "queryAll", ..] | ["limits"]) => {
                Err(not_allowed(request.method, "HEAD,GET"))
            }
            (_, ["composite"] | ["composite", "batch"]) => Err(not_allowed(request.method, "POST")),
            _ => Err(not_found()),
        }
    }
}

/// What there is below a version.
fn resources(version: &str) -> Answer {
    let listed: serde_json::Map<String, Value> = [
        "composite",
        "jobs",
        "limits",
        "query",
        "queryAll",
        "sobjects",
    ]
    .into_iter()
    .map(|name| {
        (
            name.to_owned(),
            json!(format!("/services/data/{version}/{name}")),
        )
    })
    .collect();
    Answer::json(200, &Value::Object(listed))
}

/// The resource without ids, for counting.
fn kind_of(path: &str) -> &'static str {
    match path {
        "/services/oauth2/token" => "token",
        "/services/oauth2/authorize" => "authorize",
        "/services/oauth2/revoke" => "revoke",
        "/services/oauth2/introspect" => "introspect",
        "/services/oauth2/userinfo" => "userinfo",
        path if path.ends_with("/results") => "bulk results",
        path if path.contains("/jobs/query/") => "bulk job",
        path if path.contains("/jobs/query") => "bulk",
        path if path.contains("/query/") => "queryMore",
        path if path.contains("/query") => "query",
        path if path.ends_with("/describe") => "describe",
        path if path.contains("/sobjects/") => "record",
        path if path.ends_with("/limits") => "limits",
        path if path.contains("/composite") => "composite",
        _ => "other",
    }
}
