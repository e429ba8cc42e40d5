//! The token call: one request to the vendor's token endpoint, made by the `oauth2` crate through the egress guard.

use std::pin::Pin;
use std::sync::Mutex;

use http::StatusCode;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, Client, ClientId, ClientSecret, ExtraTokenFields, HttpRequest,
    HttpResponse, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::manifest::ClientAuth;
use seatwise_runtime::{GuardedClient, HostPattern, Manifest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

/// What the vendor's token endpoint is asked with.
pub(super) struct Ask<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) login_url: &'a Url,
    pub(super) grant_kind: &'a str,
    pub(super) client_id: &'a str,
    pub(super) client_secret: &'a str,
    pub(super) refresh_token: Option<&'a str>,
}

/// What it answered.
pub(super) struct Answer {
    pub(super) access_token: Zeroizing<String>,
    /// Only with rotation.
    pub(super) refresh_token: Option<Zeroizing<String>>,
    pub(super) scopes: Vec<String>,
    pub(super) lifetime_s: u64,
    /// Plain text fields of the answer, without the tokens: the org's address, who connected.
    pub(super) fields: Map<String, Value>,
}

/// Whatever else a vendor puts into its answer.
#[derive(Debug, Serialize, Deserialize)]
struct Extra {
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl ExtraTokenFields for Extra {}

type VendorClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<Extra, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// The guard's failure in the form the `oauth2` crate wants.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
struct Guarded(Failure);

/// The guarded client as the `oauth2` crate's transport; keeps the status, which the crate's errors do not carry.
struct Wire<'a> {
    client: &'a GuardedClient,
    patterns: &'a [HostPattern],
    status: Mutex<Option<StatusCode>>,
}

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = Guarded;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Guarded>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = self
                .client
                .send(self.patterns, request)
                .await
                .map_err(Guarded)?;
            *self
                .status
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(response.status());
            Ok(response)
        })
    }
}

/// Asks once. No retry here: the caller knows whether it may.
pub(super) async fn ask(client: &GuardedClient, ask: &Ask<'_>) -> Result<Answer, Failure> {
    let credential = &ask.manifest.credential;
    let unknown = || {
        failure(
            FailureKind::Unsupported,
            "grant.unknown",
            "the connector does not offer this grant",
        )
    };
    let grant = ask.manifest.grant(ask.grant_kind).ok_or_else(unknown)?;
    let patterns = if grant.login_hosts.is_empty() {
        &credential.login_hosts
    } else {
        &grant.login_hosts
    };
    let endpoint = ask.login_url.join(&credential.token_path).map_err(|_| {
        failure(
            FailureKind::InvalidInput,
            "login_url",
            "the login address cannot be used",
        )
    })?;
    let vendor = VendorClient::new(ClientId::new(ask.client_id.to_owned()))
        .set_client_secret(ClientSecret::new(ask.client_secret.to_owned()))
        .set_auth_type(match credential.client_auth {
            ClientAuth::Body => AuthType::RequestBody,
            ClientAuth::Basic => AuthType::BasicAuth,
        })
        .set_token_uri(TokenUrl::from_url(endpoint));
    let wire = Wire {
        client,
        patterns,
        status: Mutex::new(None),
    };
    let refresh_token = ask
        .refresh_token
        .map(|token| RefreshToken::new(token.to_owned()));
    let answered = match &refresh_token {
        Some(token) => {
            let scopes = grant
                .scopes
                .iter()
                .filter(|_| credential.scope_on_refresh)
                .cloned()
                .map(Scope::new);
            vendor
                .exchange_refresh_token(token)
                .add_scopes(scopes)
                .request_async(&wire)
                .await
        }
        None => {
            vendor
                .exchange_client_credentials()
                .request_async(&wire)
                .await
        }
    };
    let status = wire
        .status
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let token = answered.map_err(|error| refused(status, error))?;
    let mut fields = token.extra_fields().fields.clone();
    fields.retain(|name, value| {
        value.is_string() && !matches!(name.as_str(), "signature" | "id_token")
    });
    Ok(Answer {
        access_token: Zeroizing::new(token.access_token().secret().clone()),
        refresh_token: token
            .refresh_token()
            .map(|token| Zeroizing::new(token.secret().clone())),
        scopes: token.scopes().map_or_else(
            || grant.scopes.clone(),
            |scopes| scopes.iter().map(|scope| scope.to_string()).collect(),
        ),
        lifetime_s: token
            .expires_in()
            .map_or(credential.default_lifetime_s, |lifetime| lifetime.as_secs()),
        fields,
    })
}

/// An error answer of RFC 6749 §5.2, a passing fault of the endpoint, or none at all.
fn refused(
    status: Option<StatusCode>,
    error: RequestTokenError<Guarded, BasicErrorResponse>,
) -> Failure {
    let is_passing = |code: &str| {
        status.is_some_and(|status| {
            status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
        }) || matches!(
            code,
            "retry_request" | "server_error" | "temporarily_unavailable"
        )
    };
    let clean = |text: &str| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect::<String>()
    };
    match error {
        RequestTokenError::Request(Guarded(guarded)) => guarded,
        RequestTokenError::ServerResponse(answer) => {
            let code = clean(answer.error().as_ref());
            let message = answer.error_description().map_or_else(
                || format!("the token endpoint answered {code}"),
                |text| clean(text),
            );
            let kind = match code.as_str() {
                code if is_passing(code) => FailureKind::Transient,
                // Nothing is wrong with the credential; waiting helps (RFC 8628 §3.5 for the first).
                code if ["slow_down", "rate_limit_exceeded", "login_rate_exceeded"]
                    .iter()
                    .any(|known| code.eq_ignore_ascii_case(known)) =>
                {
                    FailureKind::RateLimited
                }
                "invalid_request" | "unsupported_grant_type" => FailureKind::InvalidInput,
                _ => FailureKind::Auth,
            };
            failure(kind, &code, &message)
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) if is_passing("") => failure(
            FailureKind::Transient,
            "token.unavailable",
            "the token endpoint is not available",
        ),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => failure(
            FailureKind::Malformed,
            "token.shape",
            "the token endpoint's answer is not an OAuth answer",
        ),
    }
}

pub(super) fn failure(kind: FailureKind, code: &str, message: &str) -> Failure {
    Failure {
        kind,
        code: code.to_owned(),
        message: message.to_owned(),
        retry_after_ms: None,
    }
}
