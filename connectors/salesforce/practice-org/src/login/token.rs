//! The token endpoint: which app asks, with which grant, and what it gets or why not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::authorize::Code;
use super::grants::Worth;
use super::refused::{self, Refused};
use super::{Parameters, pkce};
use crate::api::{Answer, Request, State};
use crate::spec::App;

/// Scopes that no client credentials token carries (simple-salesforce#662).
const ONLY_FOR_PEOPLE: [&str; 4] = ["full", "web", "refresh_token", "offline_access"];

/// Who asks, as far as the request says.
struct Client {
    id: String,
    secret: Option<String>,
}

impl State {
    pub(super) fn token(&mut self, request: &Request<'_>) -> Answer {
        match self.grant(request) {
            Ok(body) => Answer::json(200, &body).with("Cache-Control", "no-store"),
            Err(refused) => refused.answer(),
        }
    }

    fn grant(&mut self, request: &Request<'_>) -> Result<Value, Refused> {
        self.logins.token_calls += 1;
        self.token_fault()?;
        if request.method != "POST" {
            return Err(refused::MUST_POST);
        }
        let asked = Parameters::of(request);
        if !self.org.spec.login.org_is_active {
            return Err(refused::INACTIVE_ORG);
        }
        if asked.get("response_type") == Some("device_code") {
            return self.issue_device_code(&asked);
        }
        match asked.get("grant_type") {
            Some("authorization_code") => self.by_code(request, &asked),
            Some("refresh_token") => self.by_refresh(request, &asked),
            Some("client_credentials") => self.by_client(request, &asked),
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
                self.by_assertion(request, &asked)
            }
            Some("device") => self.by_device(request, &asked),
            Some("password") => self.by_password(request, &asked),
            _ => {
                let _app = self.proven_app(request, &asked, |_| false)?;
                Err(refused::UNKNOWN_GRANT)
            }
        }
    }

    /// The faults that belong to this endpoint.
    fn token_fault(&self) -> Result<(), Refused> {
        if self.faults.number("token_503") > 0 {
            return Err(refused::SERVER_ERROR);
        }
        if self.faults.number("token_invalid_grant") > 0 {
            return Err(refused::DEAD_TOKEN);
        }
        if self
            .faults
            .hits_every("token_retry_every", self.logins.token_calls)
        {
            return Err(refused::RETRY);
        }
        let named = self.faults.text("token_error").and_then(Refused::named);
        named.map_or(Ok(()), Err)
    }

    /// The app that asks, its secret checked where it must send one or sent one.
    pub(super) fn proven_app(
        &self,
        request: &Request<'_>,
        asked: &Parameters,
        must_prove: impl FnOnce(&App) -> bool,
    ) -> Result<App, Refused> {
        let client = Client::of(request, asked);
        let app = self.app(&client.id)?;
        client.prove(&app, must_prove(&app))?;
        Ok(app)
    }

    fn by_client(&mut self, request: &Request<'_>, asked: &Parameters) -> Result<Value, Refused> {
        let app = self.proven_app(request, asked, |_| true)?;
        if self.is_on_shared_host(request) {
            return Err(refused::WRONG_DOMAIN);
        }
        if !app.client_credentials {
            return Err(refused::NO_RUN_AS);
        }
        let user = app
            .run_as
            .as_deref()
            .and_then(|name| self.org.user_named(name))
            .ok_or(refused::NO_RUN_AS)?;
        self.may_log_in(user, &app, request.peer)?;
        let scopes: Vec<String> = app
            .scopes
            .iter()
            .filter(|scope| !ONLY_FOR_PEOPLE.contains(&scope.as_str()))
            .cloned()
            .collect();
        self.token_answer(&app, user, &scopes, None, None)
    }

    fn by_code(&mut self, request: &Request<'_>, asked: &Parameters) -> Result<Value, Refused> {
        let app = self.proven_app(request, asked, |app| app.secret_for_code)?;
        if !app.authorization_code {
            return Err(refused::GRANT_OFF);
        }
        if asked.get("scope").is_some() {
            return Err(refused::SCOPE_NOT_SUPPORTED);
        }
        let text = asked.required("code")?;
        let redirect_uri = asked.required("redirect_uri")?;
        let code = self.logins.codes.get(text).cloned();
        let code = code.filter(|code| code.client_id == app.client_id);
        let code = code.ok_or(refused::INVALID_CODE)?;
        if code.is_used || self.org.clock.now_ms() - code.made_ms >= self.org.spec.login.code_ms {
            return Err(refused::EXPIRED_CODE);
        }
        if code.redirect_uri != redirect_uri {
            return Err(refused::REDIRECT_MISMATCH);
        }
        // Used up by the attempt, so that a verifier cannot be guessed.
        if let Some(code) = self.logins.codes.get_mut(text) {
            code.is_used = true;
        }
        pkce::verify(code.challenge.as_deref(), asked.get("code_verifier"))?;
        let Code { user, scopes, .. } = code;
        self.may_log_in(user, &app, request.peer)?;
        let (grant, refresh_token) = self.give_grant(&app, user, &scopes);
        self.token_answer(&app, user, &scopes, Some(grant), refresh_token)
    }

    fn by_refresh(&mut self, request: &Request<'_>, asked: &Parameters) -> Result<Value, Refused> {
        let app = self.proven_app(request, asked, |app| app.secret_for_refresh)?;
        if !app.refresh_tokens {
            return Err(refused::GRANT_OFF);
        }
        if asked.get("scope").is_some() {
            return Err(refused::SCOPE_NOT_SUPPORTED);
        }
        let token = asked.required("refresh_token")?;
        let now = self.org.clock.now_ms();
        let policy = app.refresh_policy;
        let number = match self.logins.grants.worth(token, &app.client_id, policy, now) {
            Worth::Good(number) => number,
            Worth::Reused(number) => {
                self.revoke_grant(number);
                return Err(refused::DEAD_TOKEN);
            }
            Worth::Dead => return Err(refused::DEAD_TOKEN),
        };
        let grant = self.logins.grants.get(number).cloned();
        let grant = grant.ok_or(refused::DEAD_TOKEN)?;
        self.may_log_in(grant.user, &app, request.peer)?;
        let fresh = app.rotation.then(|| self.mint_refresh());
        let answer =
            self.token_answer(&app, grant.user, &grant.scopes, Some(number), fresh.clone())?;
        self.logins.grants.used(number, fresh.as_deref(), now);
        Ok(answer)
    }

    /// Refused since Summer '23 unless an org switches it on; this one never does, and keeps no passwords.
    fn by_password(&mut self, request: &Request<'_>, asked: &Parameters) -> Result<Value, Refused> {
        let _app = self.proven_app(request, asked, |_| true)?;
        if self.org.spec.login.names_bad_passwords {
            return Err(refused::INVALID_PASSWORD);
        }
        Err(refused::AUTHENTICATION_FAILURE)
    }
}

impl Client {
    /// From the form, or from HTTP Basic. RFC 6749 §2.3.1 has both halves of Basic form-encoded; simple-salesforce sends them as they
    /// are, and Salesforce takes either.
    fn of(request: &Request<'_>, asked: &Parameters) -> Self {
        let basic = request
            .basic
            .and_then(|text| STANDARD.decode(text).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let basic = basic.as_deref().and_then(|text| text.split_once(':'));
        let id = asked.get("client_id").map(str::to_owned);
        let secret = asked.get("client_secret").map(str::to_owned);
        Self {
            id: id
                .or_else(|| basic.map(|(id, _)| form_decoded(id)))
                .unwrap_or_default(),
            secret: secret.or_else(|| basic.map(|(_, secret)| secret.to_owned())),
        }
    }

    /// Whether the secret is the app's. One that is sent is checked even where none is asked for.
    fn prove(&self, app: &App, is_required: bool) -> Result<(), Refused> {
        let is_right = match &self.secret {
            Some(secret) => {
                *secret == app.client_secret || form_decoded(secret) == app.client_secret
            }
            None => !is_required,
        };
        is_right.then_some(()).ok_or(refused::WRONG_SECRET)
    }
}

fn form_decoded(text: &str) -> String {
    let pair = format!("v={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}
