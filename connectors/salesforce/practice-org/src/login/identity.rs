//! The services around a token: revoke, introspect, userinfo, the identity URL and the discovery document (salesforce.md §1.1, §1.8).

use serde_json::{Value, json};

use super::Parameters;
use super::refused::{self, Refused};
use super::session::Session;
use crate::api::{Answer, Request, State};
use crate::schema::Object;

/// Scopes that let a token ask who it is. `api` does: clients with nothing else read the identity URL.
const IDENTITY: [&str; 5] = ["api", "id", "openid", "profile", "email"];

/// The identity services answer texts, not JSON.
fn forbidden(says: &str) -> Answer {
    Answer::text(403, "text/html;charset=UTF-8", says)
}

impl State {
    /// An empty 200, or a url-encoded error.
    pub(super) fn revoke(&mut self, request: &Request<'_>) -> Answer {
        let asked = Parameters::of(request);
        let refuse = |refused: &Refused| {
            Answer::text(
                refused.status,
                "application/x-www-form-urlencoded",
                refused.form(),
            )
        };
        let token = match asked.required("token") {
            Ok(token) => token,
            Err(refused) => return refuse(&refused),
        };
        if let Some(number) = self.logins.grants.of_token(token) {
            self.revoke_grant(number);
            return Answer::empty(200);
        }
        match self.logins.sessions.remove(token) {
            Some(_) => Answer::empty(200),
            None => refuse(&refused::UNSUPPORTED_TOKEN),
        }
    }

    pub(super) fn introspect(&mut self, request: &Request<'_>) -> Answer {
        let asked = Parameters::of(request);
        match self.introspected(request, &asked) {
            Ok(body) => Answer::json(200, &body).with("Cache-Control", "no-store"),
            Err(refused) => refused.answer(),
        }
    }

    fn introspected(
        &mut self,
        request: &Request<'_>,
        asked: &Parameters,
    ) -> Result<Value, Refused> {
        let app = self.proven_app(request, asked, |_| true)?;
        let token = asked.required("token")?;
        let now = self.org.clock.now_ms();
        let seconds = |ms: i64| ms.div_euclid(1000);
        if let Some(session) = self.session(token) {
            // Another app's token is nobody's business.
            if session.client_id == app.client_id {
                return Ok(json!({
                    "active": true, "scope": session.scopes.join(" "), "client_id": app.client_id,
                    "username": self.username_of(session.user), "sub": self.identity_url(session.user),
                    "token_type": "access_token", "exp": seconds(session.dies_at_ms),
                    "iat": seconds(session.issued_ms), "nbf": seconds(session.issued_ms),
                }));
            }
        }
        let policy = app.refresh_policy;
        let worth = self.logins.grants.worth(token, &app.client_id, policy, now);
        if let super::grants::Worth::Good(number) = worth
            && let Some(grant) = self.logins.grants.get(number)
        {
            return Ok(json!({
                "active": true, "scope": grant.scopes.join(" "), "client_id": app.client_id,
                "username": self.username_of(grant.user), "sub": self.identity_url(grant.user),
                "token_type": "refresh_token", "iat": seconds(grant.given_ms), "nbf": seconds(grant.given_ms),
            }));
        }
        Ok(json!({"active": false}))
    }

    /// The session of a request to an identity service.
    fn identified(&mut self, request: &Request<'_>) -> Result<Session, Answer> {
        let token = request
            .bearer
            .ok_or_else(|| forbidden("Missing_OAuth_Token"))?;
        self.session(token)
            .filter(|session| session.has_scope(&IDENTITY))
            .ok_or_else(|| forbidden("Bad_OAuth_Token"))
    }

    pub(super) fn userinfo(&mut self, request: &Request<'_>) -> Answer {
        match self.identified(request) {
            Ok(session) => Answer::json(200, &self.claims(session.user)),
            Err(answer) => answer,
        }
    }

    /// `/id/ORG/USER`: the same facts, for the token's own user only.
    pub(super) fn identity(&mut self, request: &Request<'_>, rest: &str) -> Answer {
        let session = match self.identified(request) {
            Ok(session) => session,
            Err(answer) => return answer,
        };
        let Some((org, user)) = rest.split_once('/') else {
            return forbidden("Bad_Id");
        };
        if crate::widen_id(org) != crate::widen_id(&self.org.spec.org_id) {
            return forbidden("Wrong_Org");
        }
        if self.org.row_of(Object::User, user) != Some(session.user) {
            return forbidden("Bad_Id");
        }
        let claims = self.claims(session.user);
        Answer::json(
            200,
            &json!({
                "id": claims["sub"], "asserted_user": true, "user_id": claims["user_id"],
                "organization_id": claims["organization_id"], "username": claims["preferred_username"],
                "nick_name": claims["nickname"], "display_name": claims["name"], "email": claims["email"],
                "first_name": claims["given_name"], "last_name": claims["family_name"],
                "timezone": claims["zoneinfo"], "urls": claims["urls"], "active": claims["active"],
            }),
        )
    }

    fn claims(&self, user: u64) -> Value {
        let base = &self.base_url;
        let user_id = self.org.id(Object::User, user).as_str().to_owned();
        let person = self.org.person(user);
        let text = |of: fn(&crate::Person) -> &str| person.map_or("", of).to_owned();
        let (first, last) = (text(|p| &p.first_name), text(|p| &p.last_name));
        let username = text(|p| &p.username);
        json!({
            "sub": self.identity_url(user), "user_id": user_id, "organization_id": self.org.spec.org_id,
            "preferred_username": username, "nickname": username.split('@').next().unwrap_or_default(),
            "name": format!("{first} {last}").trim(), "given_name": first, "family_name": last,
            "email": text(|p| &p.email), "email_verified": true, "zoneinfo": self.org.spec.time_zone,
            "active": self.org.is_active(user), "is_app_installed": true,
            "urls": {
                "rest": format!("{base}/services/data/v{{version}}/"), "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
                "query": format!("{base}/services/data/v{{version}}/query/"), "profile": format!("{base}/{user_id}"),
            },
        })
    }

    pub(super) fn discovery(&self) -> Answer {
        let base = &self.base_url;
        let at = |service: &str| format!("{base}/services/oauth2/{service}");
        Answer::json(
            200,
            &json!({
                "issuer": base, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
                "revocation_endpoint": at("revoke"), "userinfo_endpoint": at("userinfo"), "introspection_endpoint": at("introspect"),
                "jwks_uri": format!("{base}/id/keys"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "scopes_supported": ["api", "chatter_api", "email", "full", "id", "openid", "profile", "refresh_token", "web"],
                "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
            }),
        )
    }
}
