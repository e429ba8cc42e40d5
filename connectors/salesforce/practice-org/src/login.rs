//! Tokens and sessions: the token endpoint, the identity service, and when a session is dead.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::{Answer, Request, State};
use crate::query::ApiError;
use crate::schema::Object;

pub(crate) struct Session {
    pub(crate) dies_at_ms: i64,
    pub(crate) calls: u64,
}

impl State {
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

    pub(crate) fn token(&mut self, request: &Request<'_>) -> Answer {
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

    pub(crate) fn userinfo(&mut self, request: &Request<'_>) -> Answer {
        if self.check_session(request).is_err() {
            return Answer::text(403, "text/html;charset=UTF-8", "Bad_OAuth_Token");
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

    pub(crate) fn check_session(&mut self, request: &Request<'_>) -> Result<(), ApiError> {
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
}
