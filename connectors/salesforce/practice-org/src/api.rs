//! What the org answers: token endpoint, versions, describe, query, records, limits. No sockets here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::faults::Faults;
use crate::org::{Org, Write};
use crate::query::{ApiError, Plan, no_column};
use crate::schema::Object;
use crate::soql;

/// Open cursors of one user; one more drops the oldest.
const OPEN_CURSORS: usize = 10;

/// Everything that changes while the org runs.
pub(crate) struct State {
    pub(crate) org: Org,
    pub(crate) faults: Faults,
    pub(crate) calls: u64,
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) api_used: u64,
    pub(crate) base_url: String,
    /// Token to the app it was given to and when it dies.
    sessions: HashMap<String, Session>,
    /// Refresh token to its app; a dead one maps to `None`.
    pub(crate) refresh: HashMap<String, Option<String>>,
    cursors: Vec<Cursor>,
    minted: u64,
}

struct Session {
    dies_at_ms: i64,
    calls: u64,
}

struct Cursor {
    id: String,
    plan: Arc<Plan>,
    version: String,
    size: u64,
    /// Records sent before a page → where it begins. The last few, so that a page can be asked for again.
    pages: Vec<(u64, u64)>,
    served: u64,
}

/// A request, taken apart.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) basic: Option<&'a str>,
    pub(crate) batch_size: Option<u64>,
    pub(crate) body: &'a [u8],
}

/// An answer before it is put on the wire.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// `used/limit` for `Sforce-Limit-Info`.
    pub(crate) usage: Option<(u64, u64)>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            body: body.to_string().into_bytes(),
            usage: None,
        }
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
            requests: BTreeMap::new(),
            api_used: 0,
            base_url,
            sessions: HashMap::new(),
            refresh: HashMap::new(),
            cursors: Vec::new(),
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

    pub(crate) fn open_session(&mut self) -> String {
        let secret = self.mint("session");
        let token = format!(
            "{}!{secret}",
            self.org.spec.org_id.chars().take(15).collect::<String>()
        );
        let dies_at_ms = self.org.clock.now_ms() + self.org.spec.session_ms;
        self.sessions.insert(
            token.clone(),
            Session {
                dies_at_ms,
                calls: 0,
            },
        );
        token
    }

    pub(crate) fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    pub(crate) fn answer(&mut self, request: &Request<'_>) -> Answer {
        let kind = format!("{} {}", request.method, kind_of(request.path));
        *self.requests.entry(kind).or_default() += 1;
        match request.path {
            "/services/oauth2/token" => return self.token(request),
            "/services/oauth2/userinfo" => return self.userinfo(request),
            "/services/data" | "/services/data/" => return self.versions(),
            _ => {}
        }
        let result = self.data(request);
        let usage = Some((self.api_used, self.org.spec.api_limit));
        match result {
            Ok(mut answer) => {
                answer.usage = usage;
                answer
            }
            Err(error) => Answer {
                usage,
                ..Answer::json(
                    error.status,
                    &json!([{"message": error.message, "errorCode": error.code}]),
                )
            },
        }
    }

    fn versions(&self) -> Answer {
        let (low, high) = self.org.spec.versions;
        let listed: Vec<_> = (low..=high)
            .map(|n| json!({"label": format!("Release {n}"), "url": format!("/services/data/v{n}.0"), "version": format!("{n}.0")}))
            .collect();
        Answer::json(200, &Value::Array(listed))
    }

    fn token(&mut self, request: &Request<'_>) -> Answer {
        let form: HashMap<String, String> = url::form_urlencoded::parse(request.body)
            .chain(url::form_urlencoded::parse(request.query.as_bytes()))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let refuse = |error: &str, text: &str| {
            Answer::json(400, &json!({"error": error, "error_description": text}))
        };
        if self.faults.number("token_503") > 0 {
            return Answer::json(
                503,
                &json!({"error": "server_error", "error_description": "service unavailable"}),
            );
        }
        if self.faults.number("token_invalid_grant") > 0 {
            return refuse("invalid_grant", "expired access/refresh token");
        }
        let basic = request
            .basic
            .and_then(|text| STANDARD.decode(text).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let (basic_id, basic_secret) = basic
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .map_or((None, None), |(a, b)| (Some(a), Some(b)));
        let given = |name: &str, basic: Option<&str>| {
            form.get(name)
                .map(String::as_str)
                .or(basic)
                .unwrap_or_default()
                .to_owned()
        };
        let (client_id, secret) = (
            given("client_id", basic_id),
            given("client_secret", basic_secret),
        );
        let Some(app) = self
            .org
            .spec
            .apps
            .iter()
            .find(|app| app.client_id == client_id)
            .cloned()
        else {
            return refuse("invalid_client_id", "client identifier invalid");
        };
        if app.client_secret != secret {
            return refuse("invalid_client", "invalid client credentials");
        }
        if app.ip_restricted {
            return refuse("invalid_grant", "ip restricted or invalid login hours");
        }
        let mut next_refresh = None;
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {
                if self.org.spec.shared_login_host {
                    return refuse("invalid_grant", "request not supported on this domain");
                }
                if !app.client_credentials || app.run_as.is_none() {
                    return refuse("invalid_grant", "no client credentials user enabled");
                }
            }
            Some("refresh_token") if app.refresh_tokens => {
                let given = form.get("refresh_token").cloned().unwrap_or_default();
                match self.refresh.get(&given) {
                    Some(Some(owner)) if *owner == app.client_id => {
                        if app.rotation {
                            self.refresh.insert(given, None);
                            let fresh = format!("5Aep{}", self.mint("refresh"));
                            self.refresh
                                .insert(fresh.clone(), Some(app.client_id.clone()));
                            next_refresh = Some(fresh);
                        }
                    }
                    Some(None) => {
                        // A dead token used again: the whole grant goes, as with refresh token rotation at the vendor.
                        self.refresh.values_mut().for_each(|owner| *owner = None);
                        self.sessions.clear();
                        return refuse("invalid_grant", "expired access/refresh token");
                    }
                    _ => return refuse("invalid_grant", "expired access/refresh token"),
                }
            }
            _ => return refuse("unsupported_grant_type", "grant type not supported"),
        }
        let Some(user) = app
            .run_as
            .as_deref()
            .and_then(|name| self.org.user_named(name))
        else {
            return refuse("invalid_grant", "no client credentials user enabled");
        };
        if !self.org.is_active(user) {
            return refuse("invalid_grant", "inactive user");
        }
        let user_id = self.org.id(Object::User, user);
        let instance = self
            .faults
            .text("evil_instance")
            .map_or_else(|| self.base_url.clone(), str::to_owned);
        let mut body = json!({
            "access_token": self.open_session(), "signature": self.mint("signature"), "scope": app.scopes.join(" "),
            "instance_url": instance, "id": format!("{}/id/{}/{}", self.base_url, self.org.spec.org_id, user_id.as_str()),
            "token_type": "Bearer", "issued_at": self.org.clock.now_ms().to_string(),
        });
        if let Some(token) = next_refresh {
            body["refresh_token"] = Value::String(token);
        }
        Answer::json(200, &body)
    }

    fn userinfo(&mut self, request: &Request<'_>) -> Answer {
        if self.check_session(request).is_err() {
            return Answer {
                status: 403,
                body: b"Bad_OAuth_Token".to_vec(),
                usage: None,
            };
        }
        let user = self
            .org
            .running_user()
            .map(|user| self.org.id(Object::User, user).as_str().to_owned());
        let name = self
            .org
            .spec
            .apps
            .first()
            .and_then(|app| app.run_as.clone());
        Answer::json(
            200,
            &json!({"user_id": user, "organization_id": self.org.spec.org_id, "preferred_username": name}),
        )
    }

    fn check_session(&mut self, request: &Request<'_>) -> Result<(), ApiError> {
        let dead = || ApiError::new(401, "INVALID_SESSION_ID", "Session expired or invalid");
        let now = self.org.clock.now_ms();
        let expire_after = self.faults.number("expire_after");
        let session = request
            .bearer
            .and_then(|token| self.sessions.get_mut(token))
            .ok_or_else(dead)?;
        session.calls += 1;
        if session.dies_at_ms <= now || (expire_after > 0 && session.calls > expire_after) {
            if let Some(token) = request.bearer {
                self.sessions.remove(token);
            }
            return Err(dead());
        }
        if !self.org.rights.session_valid_for_rest {
            return Err(ApiError::new(
                401,
                "INVALID_SESSION_ID",
                "This session is not valid for use with the REST API",
            ));
        }
        Ok(())
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
        let limit_after = self.faults.number("limit_after");
        if self.api_used >= self.org.spec.api_limit || (limit_after > 0 && self.calls > limit_after)
        {
            return Err(ApiError::new(
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ));
        }
        self.api_used += 1;
        let not_found = || ApiError::new(404, "NOT_FOUND", "The requested resource does not exist");
        let rest = request
            .path
            .strip_prefix("/services/data/")
            .ok_or_else(not_found)?;
        let (version, resource) = rest.split_once('/').ok_or_else(not_found)?;
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
            ("GET", ["query" | "queryAll"]) => self.query(request, version),
            ("GET", ["query" | "queryAll", locator]) => self.query_more(locator),
            ("GET", ["limits"]) => self.limits(),
            ("GET", ["sobjects"]) => Ok(Answer::json(
                200,
                &json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": Object::ALL.map(|o| json!({"name": o.name(), "queryable": true}))}),
            )),
            ("GET", ["sobjects", name, "describe"]) => {
                let object = Object::parse(name)
                    .filter(|object| *object != Object::UserLogin || self.org.rights.manage_users)
                    .ok_or_else(not_found)?;
                Ok(Answer::json(200, &object.describe(&self.org.spec)))
            }
            ("PATCH", ["sobjects", name, id]) => {
                let object = Object::parse(name).ok_or_else(not_found)?;
                let change = serde_json::from_slice(request.body).map_err(|_| {
                    ApiError::new(
                        400,
                        "JSON_PARSER_ERROR",
                        "Unexpected character in the request body",
                    )
                })?;
                self.write(object, id, change)?;
                Ok(Answer {
                    status: 204,
                    body: Vec::new(),
                    usage: None,
                })
            }
            ("PATCH", ["composite", "sobjects"]) => self.collection(request.body),
            _ => Err(not_found()),
        }
    }

    fn query(&mut self, request: &Request<'_>, version: &str) -> Result<Answer, ApiError> {
        let text = url::form_urlencoded::parse(request.query.as_bytes())
            .find(|(name, _)| name == "q")
            .map(|(_, value)| value.into_owned());
        let text = text.ok_or_else(|| {
            ApiError::new(400, "MALFORMED_QUERY", "A query string has to be specified")
        })?;
        let query =
            soql::parse(&text).map_err(|error| ApiError::new(400, "MALFORMED_QUERY", error.0))?;
        let plan = Arc::new(Plan::new(&self.org, query)?);
        if plan.is_count() {
            let total = plan.total + self.faults.number("lie_total");
            return Ok(Answer::json(
                200,
                &json!({"totalSize": total, "done": true, "records": []}),
            ));
        }
        let size = request.batch_size.unwrap_or(2000).clamp(200, 2000);
        let id = format!("01g{}", &self.mint("cursor")[..15]);
        let start = plan.first();
        self.cursors.push(Cursor {
            id: id.clone(),
            plan,
            version: version.to_owned(),
            size,
            pages: vec![(0, start)],
            served: 0,
        });
        if self.cursors.len() > OPEN_CURSORS {
            self.cursors.remove(0);
        }
        self.page(&id, 0)
    }

    fn query_more(&mut self, locator: &str) -> Result<Answer, ApiError> {
        let (id, sent) = locator
            .rsplit_once('-')
            .and_then(|(id, sent)| Some((id, sent.parse().ok()?)))
            .unwrap_or((locator, 0));
        self.page(id, sent)
    }

    fn page(&mut self, id: &str, sent: u64) -> Result<Answer, ApiError> {
        let gone = || ApiError::new(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
        let expire_after = self.faults.number("cursor_expire_after");
        let at = self
            .cursors
            .iter()
            .position(|cursor| cursor.id == id)
            .ok_or_else(gone)?;
        if expire_after > 0 && self.cursors[at].served >= expire_after {
            self.cursors.remove(at);
            return Err(gone());
        }
        let cursor = &self.cursors[at];
        let start = cursor
            .pages
            .iter()
            .find(|(before, _)| *before == sent)
            .ok_or_else(gone)?
            .1;
        let page = cursor
            .plan
            .page(&self.org, start, sent, cursor.size, &cursor.version);
        let after = sent + page.count;
        let next = page.next.map(|_| {
            match (
                self.faults.text("evil_next"),
                self.faults.number("loop_next"),
            ) {
                (Some(evil), _) => evil.to_owned(),
                (None, 0) => format!("/services/data/{}/query/{id}-{after}", cursor.version),
                (None, _) => format!("/services/data/{}/query/{id}-{sent}", cursor.version),
            }
        });
        let total = cursor.plan.total + self.faults.number("lie_total");
        let mut body = format!("{{\"totalSize\":{total},\"done\":{}", next.is_none()).into_bytes();
        if let Some(next) = &next {
            body.extend_from_slice(
                format!(",\"nextRecordsUrl\":{}", Value::String(next.clone())).as_bytes(),
            );
        }
        body.extend_from_slice(b",\"records\":[");
        body.extend_from_slice(&page.records);
        body.extend_from_slice(b"]}");
        let cursor = &mut self.cursors[at];
        cursor.served += 1;
        if let Some(row) = page.next {
            cursor.pages.retain(|(before, _)| *before != after);
            cursor.pages.push((after, row));
            let extra = cursor.pages.len().saturating_sub(4);
            cursor.pages.drain(..extra);
        }
        Ok(Answer {
            status: 200,
            body,
            usage: None,
        })
    }

    fn limits(&self) -> Result<Answer, ApiError> {
        if !self.org.rights.view_setup {
            return Err(ApiError::new(
                403,
                "INSUFFICIENT_ACCESS",
                "insufficient access rights on cross-reference id",
            ));
        }
        let max = self.org.spec.api_limit;
        Ok(Answer::json(
            200,
            &json!({
                "DailyApiRequests": {"Max": max, "Remaining": max.saturating_sub(self.api_used), "sample-app": {"Max": 0, "Remaining": 0}},
                "DailyBulkV2QueryJobs": {"Max": 10000, "Remaining": 10000},
            }),
        ))
    }

    fn collection(&mut self, body: &[u8]) -> Result<Answer, ApiError> {
        let parsed: Value = serde_json::from_slice(body).map_err(|_| {
            ApiError::new(
                400,
                "JSON_PARSER_ERROR",
                "Unexpected character in the request body",
            )
        })?;
        let records = parsed["records"].as_array().cloned().unwrap_or_default();
        let results = records.into_iter().map(|mut record| {
            let object = record["attributes"]["type"].as_str().and_then(Object::parse);
            let id = record["id"].as_str().or(record["Id"].as_str()).unwrap_or_default().to_owned();
            if let Some(fields) = record.as_object_mut() {
                fields.retain(|name, _| name != "attributes" && !name.eq_ignore_ascii_case("id"));
            }
            let done = object.ok_or_else(|| ApiError::new(400, "INVALID_TYPE", "no such object")).and_then(|object| self.write(object, &id, record));
            match done {
                Ok(()) => json!({"id": id, "success": true, "errors": []}),
                Err(error) => json!({"success": false, "errors": [{"statusCode": error.code, "message": error.message, "fields": []}]}),
            }
        });
        Ok(Answer::json(200, &Value::Array(results.collect())))
    }

    /// Applies a change to a record, or refuses what Salesforce refuses. Counts it.
    fn write(&mut self, object: Object, id: &str, change: Value) -> Result<(), ApiError> {
        let Some(fields) = change.as_object().cloned() else {
            return Err(ApiError::new(
                400,
                "JSON_PARSER_ERROR",
                "The request body is not an object",
            ));
        };
        let Some(row) = self
            .org
            .row_of(object, id)
            .filter(|row| self.org.is_visible(object, *row))
        else {
            return Err(ApiError::new(
                404,
                "NOT_FOUND",
                "Provided external ID field does not exist or is not accessible: Id",
            ));
        };
        if !matches!(object, Object::User | Object::UserLogin) || !self.org.rights.manage_users {
            return Err(ApiError::new(
                400,
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id",
            ));
        }
        let refuse_every = self.faults.number("patch_fail_every");
        if refuse_every > 0
            && (self.org.writes.len() as u64 + self.calls).is_multiple_of(refuse_every)
        {
            return Err(ApiError::new(
                400,
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access to this record",
            ));
        }
        for (name, value) in &fields {
            let (field, _, updateable) = object
                .field(&self.org.spec, name)
                .ok_or_else(|| no_column(name, object))?;
            if !updateable {
                return Err(ApiError::new(
                    400,
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    format!(
                        "Unable to create/update fields: {field}. Please check the security settings of this field and verify that it is read/write for your profile or permission set."
                    ),
                ));
            }
            match (object, field, value) {
                (Object::User, "IsActive", Value::Bool(false)) => self.may_deactivate(row)?,
                (Object::User, "IsActive", Value::Bool(true)) => self.may_activate(row)?,
                (Object::UserLogin, "IsFrozen", Value::Bool(_)) => {}
                (Object::User, field, Value::String(_) | Value::Null)
                    if !object.is_boolean(field) => {}
                _ => {
                    return Err(ApiError::new(
                        400,
                        "JSON_PARSER_ERROR",
                        format!("Cannot deserialize {field} from this value"),
                    ));
                }
            }
        }
        for (name, value) in &fields {
            let Some((field, ..)) = object.field(&self.org.spec, name) else {
                continue;
            };
            match (object, field, value) {
                (Object::User, "IsActive", Value::Bool(is_active)) => {
                    self.org.set_active(row, *is_active)
                }
                (Object::UserLogin, "IsFrozen", Value::Bool(is_frozen)) => {
                    self.org.overlay(row).is_frozen = Some(*is_frozen)
                }
                (Object::User, _, value) => {
                    let text = value.as_str().unwrap_or_default().to_owned();
                    self.org.overlay(row).texts.insert(field, text);
                    self.org.touch(row);
                }
                _ => {}
            }
        }
        let at_ms = self.org.clock.now_ms();
        self.org.writes.push(Write {
            record: format!("{}/{}", object.name(), self.org.id(object, row).as_str()),
            change,
            at_ms,
        });
        Ok(())
    }

    fn may_deactivate(&self, user: u64) -> Result<(), ApiError> {
        if self.org.running_user() == Some(user) {
            return Err(ApiError::new(
                400,
                "CANNOT_DISABLE_SELF",
                "You cannot deactivate yourself",
            ));
        }
        let admins = self.org.active_admins();
        if admins.len() == 1 && admins.contains(&user) {
            return Err(ApiError::new(
                400,
                "CANNOT_DISABLE_LAST_ADMIN",
                "You cannot deactivate the last active administrator",
            ));
        }
        match self
            .org
            .refusals
            .get(self.org.id(Object::User, user).as_str())
        {
            Some(refusal) => {
                let known = [
                    "FIELD_INTEGRITY_EXCEPTION",
                    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                ];
                let code = known
                    .into_iter()
                    .find(|code| *code == refusal.code)
                    .unwrap_or("FIELD_INTEGRITY_EXCEPTION");
                Err(ApiError::new(400, code, refusal.message.clone()))
            }
            None => Ok(()),
        }
    }

    fn may_activate(&self, user: u64) -> Result<(), ApiError> {
        match self.org.licence_of(user) {
            Some(licence)
                if !self.org.is_active(user)
                    && self.org.used(licence) >= self.org.total(licence) =>
            {
                Err(ApiError::new(
                    400,
                    "LICENSE_LIMIT_EXCEEDED",
                    "You have reached the maximum number of active users for this license",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The resource without ids, for counting.
fn kind_of(path: &str) -> &'static str {
    match path {
        "/services/oauth2/token" => "token",
        path if path.contains("/query/") => "queryMore",
        path if path.contains("/query") => "query",
        path if path.ends_with("/describe") => "describe",
        path if path.contains("/sobjects/") => "record",
        path if path.ends_with("/limits") => "limits",
        path if path.contains("/composite") => "composite",
        _ => "other",
    }
}
