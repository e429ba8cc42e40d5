//! Access tokens: what they may do, when they die, and what each call of the API checks first.

use serde_json::{Value, json};

use super::refused::Refused;
use crate::api::{Request, State};
use crate::query::ApiError;
use crate::schema::Object;
use crate::spec::{App, Password};

/// A living access token.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Row of the user it acts for.
    pub(super) user: u64,
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
    /// The consent behind it, where there is one.
    pub(super) grant: Option<usize>,
    pub(super) issued_ms: i64,
    pub(super) dies_at_ms: i64,
    calls: u64,
}

impl Session {
    /// Whether the token carries one of these scopes; `full` is all but the refresh token.
    pub(super) fn has_scope(&self, wanted: &[&str]) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope == "full" || wanted.contains(&scope.as_str()))
    }
}

/// 401 texts that no new token cures (jsforce's own list), by the fault `session_refused`.
pub(super) const NOT_CURED: [(&str, &str); 3] = [
    ("rest", NOT_FOR_REST),
    ("agent", "Connected app is not attached to Agent"),
    ("blacktab", "BlackTab users cannot perform API operations"),
];

const NOT_FOR_REST: &str = "This session is not valid for use with the REST API";

fn refuse(message: &'static str) -> ApiError {
    ApiError::new(401, "INVALID_SESSION_ID", message)
}

impl State {
    /// A token for the first app's run-as user, for tests that are about something else.
    pub(crate) fn open_session(&mut self) -> String {
        let app = self.org.spec.apps.first().cloned();
        let run_as = app.as_ref().and_then(|app| app.run_as.as_deref());
        let user = run_as.and_then(|name| self.org.user_named(name));
        let user = user.unwrap_or(1);
        match app {
            Some(app) => self.mint_session(&app, user, &app.scopes, None),
            None => String::new(),
        }
    }

    /// Ends every session of the org.
    pub(crate) fn end_sessions(&mut self) {
        self.logins.sessions.clear();
    }

    /// Revokes every grant of the org and ends every session.
    pub(crate) fn revoke_all(&mut self) {
        self.end_sessions();
        self.logins.grants.revoke_all();
    }

    /// Revokes a grant: its refresh token and every access token that came from it.
    pub(super) fn revoke_grant(&mut self, number: usize) {
        self.logins.grants.revoke(number);
        self.logins
            .sessions
            .retain(|_, session| session.grant != Some(number));
    }

    pub(super) fn mint_session(
        &mut self,
        app: &App,
        user: u64,
        scopes: &[String],
        grant: Option<usize>,
    ) -> String {
        let secret = self.mint("session");
        let org: String = self.org.spec.org_id.chars().take(15).collect();
        let token = format!("{org}!{secret}");
        let now = self.org.clock.now_ms();
        let session = Session {
            user,
            client_id: app.client_id.clone(),
            scopes: scopes.to_vec(),
            grant,
            issued_ms: now,
            dies_at_ms: now + app.session_ms.unwrap_or(self.org.spec.session_ms),
            calls: 0,
        };
        self.logins.sessions.insert(token.clone(), session);
        token
    }

    /// A refresh token as Salesforce's look.
    pub(super) fn mint_refresh(&mut self) -> String {
        format!("5Aep{}", self.mint("refresh"))
    }

    /// Records a consent and gives its number and its refresh token, where the scopes ask for one and the app gives any. A sixth
    /// consent ends the oldest.
    pub(super) fn give_grant(
        &mut self,
        app: &App,
        user: u64,
        scopes: &[String],
    ) -> (usize, Option<String>) {
        let wants = scopes
            .iter()
            .any(|scope| matches!(scope.as_str(), "refresh_token" | "offline_access"));
        let token = (wants && app.refresh_tokens).then(|| self.mint_refresh());
        let now = self.org.clock.now_ms();
        let (number, dropped) =
            self.logins
                .grants
                .give(&app.client_id, user, scopes.to_vec(), token.clone(), now);
        if let Some(dropped) = dropped {
            self.revoke_grant(dropped);
        }
        (number, token)
    }

    /// A consent of the first app's run-as user, made behind the scenes; gives its refresh token.
    pub(crate) fn quiet_consent(&mut self) -> Option<String> {
        let app = self.org.spec.apps.first().cloned()?;
        let user = self.org.user_named(app.run_as.as_deref()?)?;
        let mut scopes = app.scopes.clone();
        if !scopes.iter().any(|scope| scope == "refresh_token") {
            scopes.push("refresh_token".to_owned());
        }
        self.give_grant(&app, user, &scopes).1
    }

    /// The token answer (salesforce.md §1.8): `issued_at` is text, and there is no `expires_in`.
    ///
    /// # Errors
    /// `LOGIN_RATE_EXCEEDED`.
    pub(super) fn token_answer(
        &mut self,
        app: &App,
        user: u64,
        scopes: &[String],
        grant: Option<usize>,
        refresh_token: Option<String>,
    ) -> Result<Value, Refused> {
        self.count_login(user)?;
        let access_token = self.mint_session(app, user, scopes, grant);
        let (identity, issued_at) = (self.identity_url(user), self.org.clock.now_ms().to_string());
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, app.client_secret.as_bytes());
        let signed = ring::hmac::sign(&key, format!("{identity}{issued_at}").as_bytes());
        let instance = self
            .faults
            .text("evil_instance")
            .map_or_else(|| self.base_url.clone(), str::to_owned);
        let mut body = json!({
            "access_token": access_token, "signature": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signed),
            "scope": scopes.join(" "), "instance_url": instance, "id": identity, "token_type": "Bearer", "issued_at": issued_at,
        });
        if let Some(token) = refresh_token {
            body["refresh_token"] = Value::String(token);
        }
        Ok(body)
    }

    pub(super) fn identity_url(&self, user: u64) -> String {
        let user_id = self.org.id(Object::User, user);
        format!(
            "{}/id/{}/{}",
            self.base_url,
            self.org.spec.org_id,
            user_id.as_str()
        )
    }

    /// The living session behind a token. A user who may no longer come in has none.
    pub(super) fn session(&mut self, token: &str) -> Option<Session> {
        let now = self.org.clock.now_ms();
        let session = self.logins.sessions.get(token)?;
        let app = self
            .org
            .spec
            .apps
            .iter()
            .find(|app| app.client_id == session.client_id);
        let is_alive = session.dies_at_ms > now
            && app.is_none_or(|app| !app.blocked)
            && self.org.is_active(session.user)
            && !self.org.is_frozen(session.user);
        if is_alive {
            return Some(session.clone());
        }
        self.logins.sessions.remove(token);
        None
    }

    /// What each call of the API checks first (salesforce.md §1.10).
    pub(crate) fn check_session(&mut self, request: &Request<'_>) -> Result<(), ApiError> {
        let expired = || refuse("Session expired or invalid");
        let token = request.bearer.ok_or_else(expired)?;
        let session = self.session(token).ok_or_else(expired)?;
        let expire_after = self.faults.number("expire_after");
        if expire_after > 0 && session.calls >= expire_after {
            self.logins.sessions.remove(token);
            return Err(expired());
        }
        if let Some(session) = self.logins.sessions.get_mut(token) {
            session.calls += 1;
        }
        self.org.asks(session.user);
        let refused = self.faults.text("session_refused");
        if let Some((_, says)) = NOT_CURED.iter().find(|(name, _)| Some(*name) == refused) {
            return Err(refuse(says));
        }
        if !self.org.rights.session_valid_for_rest || !self.is_for_rest(&session) {
            return Err(refuse(NOT_FOR_REST));
        }
        if self.org.spec.login.api_is_switched_off {
            return Err(ApiError::new(
                403,
                "API_CURRENTLY_DISABLED",
                "API is currently disabled for this Organization.",
            ));
        }
        Ok(())
    }

    /// Scope `api` (help article 005226515), no high assurance demanded, no password to be changed first.
    fn is_for_rest(&self, session: &Session) -> bool {
        let profile = self.profile_login(session.user);
        let app = self.org.spec.apps.iter();
        let person = self
            .org
            .spec
            .login
            .people
            .get(self.username_of(session.user));
        session.has_scope(&["api"])
            && !profile.is_some_and(|profile| profile.high_assurance)
            && !app
                .filter(|app| app.client_id == session.client_id)
                .any(|app| app.high_assurance)
            && !person.is_some_and(|person| person.password == Password::ExpiredAfterLogin)
    }
}
