//! The login side of the org, over loopback http: every grant, every refusal, and what becomes of the tokens.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod authorize;
mod device;
mod doors;
mod jwt;
mod refresh;
mod seeds;
mod services;
mod table;
mod ways;

use reqwest::header::LOCATION;
use seatwise_practice_org_salesforce::{
    App, Control, Listen, OrgSpec, Person, PracticeOrg, Running, spec::INTEGRATION_USERNAME,
};
use serde_json::{Value, json};

/// 2026-03-31 09:00 UTC.
pub(crate) const NOON: i64 = 1_774_947_600_000;
pub(crate) const CALLBACK: &str = "https://client.example.com/callback";
pub(crate) const ANA: &str = "ana@example.com";
pub(crate) const KEY: &str = "the consumer key";
pub(crate) const SECRET: &str = "the consumer secret";
// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An org with one person, Ana, and one app; its clock stands still.
pub(crate) fn spec() -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Login", "login.my.salesforce.com");
    spec.people
        .push(Person::new("Ana", "Example", ANA, "Standard User"));
    let mut app = App::new(KEY, SECRET, INTEGRATION_USERNAME);
    app.redirect_uris = vec![CALLBACK.to_owned()];
    spec.apps = vec![app];
    spec
}

pub(crate) struct Org {
    pub(crate) http: reqwest::Client,
    pub(crate) running: Running,
}

impl Org {
    pub(crate) async fn of(spec: OrgSpec) -> Self {
        let running = PracticeOrg::start(spec, Listen::loopback()).await.unwrap();
        running.control().set_now(Some(NOON));
        // A second test of the same process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { http, running }
    }

    /// The org with its app changed.
    pub(crate) async fn with(change: impl FnOnce(&mut App)) -> Self {
        let mut spec = spec();
        change(&mut spec.apps[0]);
        Self::of(spec).await
    }

    pub(crate) fn control(&self) -> Control {
        self.running.control()
    }

    /// A call of the control interface that must work.
    pub(crate) fn set(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.control().call("POST", path, &body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub(crate) fn later(&self, ms: i64) {
        self.control().set_now(Some(NOON + ms));
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.running.base_url())
    }

    /// A token request with the app's key and secret before the given fields.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> (u16, Value) {
        let app = [("client_id", KEY), ("client_secret", SECRET)];
        let form: Vec<_> = app.into_iter().chain(fields.iter().copied()).collect();
        self.bare_token(&form).await
    }

    pub(crate) async fn bare_token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let url = self.at("/services/oauth2/token");
        let response = self.http.post(url).form(form).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn refresh(&self, token: &str) -> (u16, Value) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    pub(crate) async fn redeem(&self, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ];
        fields.extend(more);
        self.token(&fields).await
    }

    pub(crate) async fn client_credentials(&self) -> (u16, Value) {
        self.token(&[("grant_type", "client_credentials")]).await
    }

    /// The address of the authorize page, with the usual parameters before the given ones.
    pub(crate) fn authorize_url(&self, more: &[(&str, &str)]) -> String {
        let usual = [
            ("response_type", "code"),
            ("client_id", KEY),
            ("redirect_uri", CALLBACK),
            ("state", "a state"),
        ];
        let pairs = usual
            .into_iter()
            .filter(|(name, _)| more.iter().all(|(given, _)| given != name))
            .chain(more.iter().copied().filter(|(_, value)| !value.is_empty()));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.at(&format!("/services/oauth2/authorize?{query}"))
    }

    /// Where Ana's consent leads, or her refusal.
    pub(crate) fn consent(&self, url: &str, allow: bool) -> Landing {
        let body = json!({"url": url, "username": ANA, "allow": allow});
        Landing::at(self.set("consent", body)["location"].as_str().unwrap())
    }

    /// Ana consents; the code.
    pub(crate) fn code(&self, more: &[(&str, &str)]) -> String {
        self.consent(&self.authorize_url(more), true).get("code")
    }

    /// Ana consents to scopes; the whole token answer.
    pub(crate) async fn tokens(&self, scope: &str) -> Value {
        let code = self.code(&[("scope", scope)]);
        let (status, body) = self.redeem(&code, &[]).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// A data call: status and the whole body.
    pub(crate) async fn data(&self, token: &str) -> (u16, Value) {
        let response = self
            .http
            .get(self.at("/services/data/v62.0/query?q=SELECT+Id+FROM+User"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn landing(&self, url: &str) -> Landing {
        let response = self.http.get(url).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 302, "{url}");
        Landing::at(response.headers()[LOCATION].to_str().unwrap())
    }
}

/// The callback as the browser was sent to it.
pub(crate) struct Landing(pub(crate) url::Url);

impl Landing {
    pub(crate) fn at(location: &str) -> Self {
        assert!(location.starts_with(CALLBACK), "{location}");
        Self(url::Url::parse(location).unwrap())
    }

    pub(crate) fn get(&self, name: &str) -> String {
        let pair = self.0.query_pairs().find(|(found, _)| found == name);
        pair.map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }
}

pub(crate) fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap_or_default()
}

/// Status, error and description of a refusal.
pub(crate) fn refusal(answer: &(u16, Value)) -> (u16, &str, &str) {
    let (status, body) = answer;
    (
        *status,
        text(body, "error"),
        text(body, "error_description"),
    )
}
