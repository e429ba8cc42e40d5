//! The token call: one request to the vendor's token endpoint, made by the `oauth2` crate through the egress guard.

use std::pin::Pin;
use std::sync::Mutex;

use http::StatusCode;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode, Client, ClientId, ClientSecret, ExtraTokenFields,
    HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::manifest::{ClientAuth, GrantKind, GrantOffer};
use seatwise_runtime::{GuardedClient, HostPattern, Manifest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

/// What the vendor's token endpoint is asked with.
pub(super) struct Ask<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) login_url: &'a Url,
    pub(super) kind: GrantKind,
    pub(super) client_id: &'a str,
    /// Empty for an app that wants none.
    pub(super) client_secret: &'a str,
    pub(super) proof: Proof<'a>,
}

/// What the token is asked for with.
pub(super) enum Proof<'a> {
    /// The client itself.
    Client,
    /// A refresh token.
    Refresh(&'a str),
    /// An authorization code.
    Code {
        code: &'a str,
        redirect_uri: &'a str,
        /// Absent for an app that forbids it.
        verifier: Option<&'a str>,
    },
    /// A signed assertion.
    Assertion(&'a str),
    /// The code of a device.
    Device(&'a str),
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
pub(super) struct Extra {
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl ExtraTokenFields for Extra {}

type Token = StandardTokenResponse<Extra, BasicTokenType>;

/// The `grant_type` of RFC 8628.
const RFC_8628: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) type VendorClient = Client<
    BasicErrorResponse,
    Token,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// The guard's failure in the form the `oauth2` crate wants.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub(super) struct Guarded(pub(super) Failure);

/// The guarded client as the `oauth2` crate's transport; keeps the status, which the crate's errors do not carry.
pub(super) struct Wire<'a> {
    pub(super) client: &'a GuardedClient,
    pub(super) patterns: &'a [HostPattern],
    pub(super) status: Mutex<Option<StatusCode>>,
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

/// The grant as the manifest offers it, and the hosts its login address may have.
pub(super) fn offered(
    manifest: &Manifest,
    kind: GrantKind,
) -> Result<(&GrantOffer, &[HostPattern]), Failure> {
    let offer = manifest.grant(kind.as_str()).ok_or_else(|| {
        failure(
            FailureKind::Unsupported,
            "grant.unknown",
            "the connector does not offer this grant",
        )
    })?;
    let patterns = if offer.login_hosts.is_empty() {
        &manifest.credential.login_hosts
    } else {
        &offer.login_hosts
    };
    Ok((offer, patterns))
}

/// An address at the vendor's login host.
pub(super) fn address(login_url: &Url, path: &str) -> Result<Url, Failure> {
    login_url.join(path).map_err(|_| {
        failure(
            FailureKind::InvalidInput,
            "login_url",
            "the login address cannot be used",
        )
    })
}

/// Asks once. No retry here: the caller knows whether it may.
pub(super) async fn ask(client: &GuardedClient, ask: &Ask<'_>) -> Result<Answer, Failure> {
    let credential = &ask.manifest.credential;
    let (offer, patterns) = offered(ask.manifest, ask.kind)?;
    let endpoint = address(ask.login_url, &credential.token_path)?;
    let wire = Wire {
        client,
        patterns,
        status: Mutex::new(None),
    };
    let vendor = vendor(ask).set_token_uri(TokenUrl::from_url(endpoint.clone()));
    let answered = match ask.proof {
        Proof::Client => {
            vendor
                .exchange_client_credentials()
                .request_async(&wire)
                .await
        }
        Proof::Refresh(token) => {
            let scopes = offer
                .scopes
                .iter()
                .filter(|_| credential.scope_on_refresh)
                .cloned()
                .map(Scope::new);
            vendor
                .exchange_refresh_token(&RefreshToken::new(token.to_owned()))
                .add_scopes(scopes)
                .request_async(&wire)
                .await
        }
        Proof::Code {
            code,
            redirect_uri,
            verifier,
        } => {
            let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| {
                failure(
                    FailureKind::InvalidInput,
                    "public_url",
                    "this server's public address cannot be a callback",
                )
            })?;
            let request = vendor
                .exchange_code(AuthorizationCode::new(code.to_owned()))
                .set_redirect_uri(std::borrow::Cow::Owned(redirect));
            match verifier {
                Some(verifier) => {
                    request.set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
                }
                None => request,
            }
            .request_async(&wire)
            .await
        }
        Proof::Assertion(assertion) => {
            let form = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", assertion),
            ];
            posted(&wire, &endpoint, &form).await
        }
        Proof::Device(code) => {
            let (grant_type, code_field) = offer
                .device
                .as_ref()
                .map_or((RFC_8628, "device_code"), |dialect| {
                    (dialect.grant_type.as_str(), dialect.code_field.as_str())
                });
            let mut form = vec![
                ("grant_type", grant_type),
                ("client_id", ask.client_id),
                (code_field, code),
            ];
            if !ask.client_secret.is_empty() {
                form.push(("client_secret", ask.client_secret));
            }
            posted(&wire, &endpoint, &form).await
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
            || offer.scopes.clone(),
            |scopes| scopes.iter().map(|scope| scope.to_string()).collect(),
        ),
        lifetime_s: token
            .expires_in()
            .map_or(credential.default_lifetime_s, |lifetime| lifetime.as_secs()),
        fields,
    })
}

/// The client as the vendor knows it.
pub(super) fn vendor(ask: &Ask<'_>) -> VendorClient {
    let client = VendorClient::new(ClientId::new(ask.client_id.to_owned())).set_auth_type(
        match ask.manifest.credential.client_auth {
            ClientAuth::Body => AuthType::RequestBody,
            ClientAuth::Basic => AuthType::BasicAuth,
        },
    );
    if ask.client_secret.is_empty() {
        client
    } else {
        client.set_client_secret(ClientSecret::new(ask.client_secret.to_owned()))
    }
}

/// A form of a grant that the `oauth2` crate does not know; its answer is read as all others are.
async fn posted(
    wire: &Wire<'_>,
    endpoint: &Url,
    form: &[(&str, &str)],
) -> Result<Token, RequestTokenError<Guarded, BasicErrorResponse>> {
    let response = wire.call(form_request(endpoint, form)?).await?;
    let body = response.body();
    if response.status().is_success() {
        serde_json::from_slice(body)
            .map_err(|_| RequestTokenError::Other("no token answer".to_owned()))
    } else {
        match serde_json::from_slice(body) {
            Ok(error) => Err(RequestTokenError::ServerResponse(error)),
            Err(_) => Err(RequestTokenError::Other("no OAuth error".to_owned())),
        }
    }
}

pub(super) fn form_request(
    endpoint: &Url,
    form: &[(&str, &str)],
) -> Result<HttpRequest, RequestTokenError<Guarded, BasicErrorResponse>> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    http::Request::post(endpoint.as_str())
        .header(
            http::header::CONTENT_TYPE,
            "application/x-www-form-urlencoded",
        )
        .header(http::header::ACCEPT, "application/json")
        .body(body.into_bytes())
        .map_err(|error| RequestTokenError::Other(error.to_string()))
}

/// An error answer of RFC 6749 §5.2, a passing fault of the endpoint, or none at all.
pub(super) fn refused(
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
