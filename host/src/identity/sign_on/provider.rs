//! The company's identity provider, spoken to through the egress guard: OpenID Connect Discovery 1.0 and Core 1.0, the code flow, with
//! the crate `oauth2`.
//!
//! Invariants: every request goes to the host of its own address and through the guard; a token is believed only when a key of the
//! provider signed it, for this client, from this issuer, in time and with the nonce of this sign-in.

use std::collections::BTreeSet;
use std::pin::Pin;

use http::header;
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use seatwise_runtime::contract::types::Failure;
use seatwise_runtime::{GuardedClient, HostPattern};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::faults::SignOnFault;
use super::jws::{self, Expected, Keys};

/// Most groups of one person that are looked at; Entra ID itself stops at 200.
const MOST_GROUPS: usize = 2_000;
/// Longest sentence of the provider that is shown, characters.
const MOST_SAID: usize = 300;

/// The provider's document (OpenID Connect Discovery 1.0 §3): what we use of it.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// What the token endpoint gives besides OAuth's own.
#[derive(Debug, Serialize, Deserialize)]
struct Extra {
    id_token: Option<String>,
}

impl ExtraTokenFields for Extra {}

type Token = StandardTokenResponse<Extra, BasicTokenType>;

type Party = Client<
    BasicErrorResponse,
    Token,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What a token or the userinfo endpoint says of somebody (OpenID Connect Core 1.0 §5.1).
#[derive(Deserialize)]
struct Said {
    sub: String,
    name: Option<String>,
    email: Option<String>,
    /// A boolean; some providers write it as text.
    email_verified: Option<Value>,
    /// Groups, above all.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Said {
    fn is_email_verified(&self) -> Option<bool> {
        match self.email_verified.as_ref()? {
            Value::Bool(is_verified) => Some(*is_verified),
            Value::String(text) => Some(text == "true"),
            _ => None,
        }
    }
}

/// What the provider is asked with.
#[derive(Clone, Copy)]
pub(super) struct Registration<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) client_secret: &'a str,
    pub(super) callback: &'a str,
}

/// What a sign-in is bound by.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// Who came, as the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newcomer {
    pub(super) subject: String,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) is_email_verified: Option<bool>,
    pub(super) groups: BTreeSet<String>,
}

/// The guard's failure in the form the crate wants.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub(super) struct Guarded(Failure);

/// The guarded client as the crate's transport; each request may go to its own host only, and the guard refuses private ones.
struct Wire<'a>(&'a GuardedClient);

impl Wire<'_> {
    async fn sent(&self, request: HttpRequest) -> Result<HttpResponse, Guarded> {
        let host = request.uri().host().unwrap_or_default();
        let patterns: Vec<HostPattern> = HostPattern::parse(host).ok().into_iter().collect();
        self.0.send(&patterns, request).await.map_err(Guarded)
    }

    /// Reads a JSON document; `what` names it in messages.
    async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        address: &Url,
        bearer: Option<&str>,
    ) -> Result<T, SignOnFault> {
        let mut request =
            http::Request::get(address.as_str()).header(header::ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Vec::new())
            .map_err(|_| SignOnFault::Provider(format!("the address of {what} cannot be used")))?;
        let answer = self
            .sent(request)
            .await
            .map_err(|Guarded(failure)| SignOnFault::Unreachable(failure.message))?;
        if answer.status() != http::StatusCode::OK {
            let status = answer.status();
            return Err(SignOnFault::Provider(format!(
                "{what} at {address} answers {status}"
            )));
        }
        serde_json::from_slice(answer.body()).map_err(|error| {
            SignOnFault::Provider(short(&format!("{what} cannot be read: {error}")))
        })
    }
}

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = Guarded;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Guarded>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.sent(request))
    }
}

/// The provider, as its own document describes it at this moment.
pub(super) struct Provider<'a> {
    wire: Wire<'a>,
    document: Document,
    party: Party,
    client_id: &'a str,
}

impl<'a> Provider<'a> {
    /// Reads the provider's document.
    ///
    /// # Errors
    /// [`SignOnFault::Unreachable`], [`SignOnFault::Provider`].
    pub(super) async fn discovered(
        client: &'a GuardedClient,
        registration: &Registration<'a>,
    ) -> Result<Self, SignOnFault> {
        let wire = Wire(client);
        let wrong = |what: &str| SignOnFault::Provider(what.to_owned());
        // Discovery §4.1: the path is appended to the issuer, without a slash at its end.
        let address = format!(
            "{}/.well-known/openid-configuration",
            registration.issuer.trim_end_matches('/')
        );
        let address = Url::parse(&address).map_err(|_| wrong("its address cannot be used"))?;
        let document: Document = wire.read("its document", &address, None).await?;
        if document.issuer != registration.issuer {
            let said = format!("it calls itself {}", document.issuer);
            return Err(SignOnFault::Provider(short(&said)));
        }
        let takes_basic = document
            .token_endpoint_auth_methods_supported
            .as_ref()
            .is_none_or(|ways| ways.iter().any(|way| way == "client_secret_basic"));
        let callback = RedirectUrl::new(registration.callback.to_owned())
            .map_err(|_| wrong("this server's public address cannot be a callback"))?;
        let party = Client::new(ClientId::new(registration.client_id.to_owned()))
            .set_client_secret(ClientSecret::new(registration.client_secret.to_owned()))
            .set_auth_type(if takes_basic {
                AuthType::BasicAuth
            } else {
                AuthType::RequestBody
            })
            .set_auth_uri(AuthUrl::from_url(document.authorization_endpoint.clone()))
            .set_token_uri(TokenUrl::from_url(document.token_endpoint.clone()))
            .set_redirect_uri(callback);
        Ok(Self {
            wire,
            document,
            party,
            client_id: registration.client_id,
        })
    }

    /// Reads the provider's keys too: whether settings hold is found out before they are taken.
    ///
    /// # Errors
    /// [`SignOnFault::Unreachable`], [`SignOnFault::Provider`].
    pub(super) async fn keys(&self) -> Result<Keys, SignOnFault> {
        let address = &self.document.jwks_uri;
        self.wire.read("its list of keys", address, None).await
    }

    /// The provider's page where a person signs in.
    pub(super) fn page(&self, state: &str, bound: &Bound, scopes: &[String]) -> Url {
        let verifier = PkceCodeVerifier::new(bound.verifier.clone());
        let state = CsrfToken::new(state.to_owned());
        self.party
            .authorize_url(|| state)
            .add_scopes(scopes.iter().cloned().map(Scope::new))
            .add_extra_param("nonce", &bound.nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url()
            .0
    }

    /// Exchanges the code of a redirect, verifies the token, and reads who it is. What the token leaves out is asked of the userinfo
    /// endpoint.
    ///
    /// # Errors
    /// [`SignOnFault`], each its own.
    pub(super) async fn newcomer(
        &self,
        code: &str,
        bound: &Bound,
        group_claim: &str,
        now_ms: i64,
    ) -> Result<Newcomer, SignOnFault> {
        let answered = self
            .party
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(bound.verifier.clone()))
            .request_async(&self.wire)
            .await
            .map_err(unexchanged)?;
        let token = answered
            .extra_fields()
            .id_token
            .as_deref()
            .ok_or_else(|| SignOnFault::Provider("it gives no ID token".to_owned()))?;
        let expected = Expected {
            issuer: &self.document.issuer,
            client_id: self.client_id,
            nonce: &bound.nonce,
            now_s: now_ms.div_euclid(1_000),
        };
        let said: Said = jws::verified(token, &self.keys().await?, &expected)?;
        let mut newcomer = Newcomer {
            is_email_verified: said.is_email_verified(),
            subject: said.sub,
            name: said.name,
            email: said.email,
            groups: BTreeSet::new(),
        };
        let mut rest = said.rest;
        let is_whole = newcomer.email.is_some() && rest.contains_key(group_claim);
        if !is_whole && let Some(address) = &self.document.userinfo_endpoint {
            let bearer = Some(answered.access_token().secret().as_str());
            let more: Said = self
                .wire
                .read("its userinfo endpoint", address, bearer)
                .await?;
            // Core §5.3.2: an answer about somebody else must not be used.
            if more.sub != newcomer.subject {
                let said = "the userinfo endpoint speaks of somebody else".to_owned();
                return Err(SignOnFault::Token(said));
            }
            if newcomer.email.is_none() {
                newcomer.is_email_verified = more.is_email_verified();
                newcomer.email = more.email;
            }
            newcomer.name = newcomer.name.or(more.name);
            for (name, value) in more.rest {
                rest.entry(name).or_insert(value);
            }
        }
        newcomer.groups = groups(&rest, group_claim)?;
        Ok(newcomer)
    }
}

/// The groups in the claims: a list of texts, or one text.
///
/// # Errors
/// [`SignOnFault::GroupsElsewhere`] where the provider only points to them (Entra ID's overage): as no groups they would end every role.
fn groups(rest: &Map<String, Value>, claim: &str) -> Result<BTreeSet<String>, SignOnFault> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match rest.get(claim) {
        Some(Value::Array(all)) if all.len() > MOST_GROUPS => Err(SignOnFault::GroupsElsewhere),
        Some(Value::Array(all)) => Ok(all.iter().filter_map(text).collect()),
        Some(one) => Ok(text(one).into_iter().collect()),
        None if rest
            .get("_claim_names")
            .is_some_and(|names| names.get(claim).is_some()) =>
        {
            Err(SignOnFault::GroupsElsewhere)
        }
        None => Ok(BTreeSet::new()),
    }
}

fn unexchanged(error: RequestTokenError<Guarded, BasicErrorResponse>) -> SignOnFault {
    match error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => {
                SignOnFault::Client(said.error().to_string())
            }
            BasicErrorResponseType::InvalidGrant => SignOnFault::Code,
            other => SignOnFault::Refused {
                code: short(&other.to_string()),
                sentence: said.error_description().map(|text| short(text)),
            },
        },
        RequestTokenError::Request(Guarded(failure)) => SignOnFault::Unreachable(failure.message),
        RequestTokenError::Parse(error, _) => {
            SignOnFault::Provider(format!("its token cannot be read: {error}"))
        }
        RequestTokenError::Other(sentence) => SignOnFault::Provider(short(&sentence)),
    }
}

/// A stranger's words, without control characters and not too many.
pub(super) fn short(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MOST_SAID)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_a_list_or_one_text_and_a_pointer_to_them_is_not_none() {
        let read = |value: Value| {
            let Value::Object(rest) = value else {
                panic!("an object")
            };
            groups(&rest, "groups").map(|all| all.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(
            read(json!({"groups": ["b", "a", 3]})).unwrap(),
            ["a".to_owned(), "b".to_owned()]
        );
        assert_eq!(read(json!({"groups": "one"})).unwrap(), ["one".to_owned()]);
        assert!(read(json!({"roles": ["a"]})).unwrap().is_empty());
        for elsewhere in [
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}),
            json!({"groups": vec!["g"; MOST_GROUPS + 1]}),
        ] {
            assert!(matches!(read(elsewhere), Err(SignOnFault::GroupsElsewhere)));
        }
    }

    #[test]
    fn what_the_provider_says_keeps_no_control_characters_and_has_an_end() {
        assert_eq!(short("a\u{1b}[31mb\n"), "a[31mb");
        assert_eq!(short(&"x".repeat(9_999)).len(), MOST_SAID);
    }
}
