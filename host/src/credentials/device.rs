//! The codes of the device flow, in the dialect that the manifest describes.

use std::sync::Mutex;

use oauth2::{AsyncHttpClient as _, RequestTokenError};
use seatwise_runtime::GuardedClient;
use seatwise_runtime::contract::types::{Failure, FailureKind};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::token::{self, Ask, Wire, failure};

/// Seconds between two looks when the vendor does not say (RFC 8628 §3.2).
const INTERVAL_S: u64 = 5;
/// Longest code that is shown to a person, characters.
const MOST: usize = 64;

/// The codes, and how to use them.
pub(super) struct Codes {
    /// Asks for the token; a secret.
    pub(super) device_code: Zeroizing<String>,
    /// What the person types.
    pub(super) user_code: String,
    /// Where.
    pub(super) page: Url,
    /// Seconds between two looks.
    pub(super) interval_s: i64,
    /// Seconds the codes are good.
    pub(super) lifetime_s: i64,
}

#[derive(Deserialize)]
struct Answer {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: Url,
    interval: Option<u64>,
    expires_in: Option<u64>,
}

/// Asks for the codes, once.
pub(super) async fn codes(client: &GuardedClient, ask: &Ask<'_>) -> Result<Codes, Failure> {
    let (offer, patterns) = token::offered(ask.manifest, ask.kind)?;
    let dialect = offer.device.as_ref().ok_or_else(|| {
        failure(
            FailureKind::Unsupported,
            "grant.unknown",
            "the connector does not say how its vendor spells the device flow",
        )
    })?;
    let endpoint = token::address(ask.login_url, &dialect.path)?;
    let scopes = offer.scopes.join(" ");
    let mut form: Vec<(&str, &str)> = dialect
        .ask
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    form.extend([("client_id", ask.client_id), ("scope", scopes.as_str())]);
    if !ask.client_secret.is_empty() {
        form.push(("client_secret", ask.client_secret));
    }
    let wire = Wire {
        client,
        patterns,
        status: Mutex::new(None),
    };
    let request =
        token::form_request(&endpoint, &form).map_err(|error| token::refused(None, error))?;
    let response = wire.call(request).await.map_err(|guarded| guarded.0)?;
    if !response.status().is_success() {
        let error = match serde_json::from_slice(response.body()) {
            Ok(error) => RequestTokenError::ServerResponse(error),
            Err(_) => RequestTokenError::Other("no OAuth error".to_owned()),
        };
        return Err(token::refused(Some(response.status()), error));
    }
    let shape = || {
        failure(
            FailureKind::Malformed,
            "token.shape",
            "the answer does not hold the codes of a device",
        )
    };
    let answer: Answer = serde_json::from_slice(response.body()).map_err(|_| shape())?;
    let is_plain = |code: &str| {
        !code.is_empty() && code.chars().count() <= MOST && !code.chars().any(char::is_control)
    };
    // A person is sent there to sign in: it must be the vendor's own.
    let is_own = client.permits(patterns, &answer.verification_uri).is_ok();
    if !is_plain(&answer.user_code) || !is_own {
        return Err(failure(
            FailureKind::Malformed,
            "signin.foreign_page",
            "the vendor names a page for the code that is not on its login hosts",
        ));
    }
    let seconds = |given: Option<u64>, usual: u64| {
        i64::try_from(given.unwrap_or(usual).clamp(1, 86_400)).unwrap_or(86_400)
    };
    Ok(Codes {
        device_code: Zeroizing::new(answer.device_code),
        user_code: answer.user_code,
        page: answer.verification_uri,
        interval_s: seconds(answer.interval, INTERVAL_S),
        lifetime_s: seconds(answer.expires_in, dialect.lifetime_s),
    })
}
