//! How a token is got: the vendor's dialect of OAuth, as data.
//!
//! What it is for: the host knows five grants and no vendor. Which of them a vendor takes, with which scopes and hosts, how its
//! device flow is spelled and where it says who consented, stands here. Pure data; `validate` holds it together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use super::patterns::HostPattern;

/// How the host gets and renews a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The family.
    pub kind: CredentialKind,
    /// Hosts that a login URL may have.
    pub login_hosts: Vec<HostPattern>,
    /// Path of the token endpoint on the login URL.
    pub token_path: String,
    /// Path of the page where a person consents, on the login URL; only for the grant `authorization-code`.
    #[serde(default)]
    pub authorize_path: Option<String>,
    /// Where the client authenticates itself.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Whether a refresh sends the scopes again.
    #[serde(default)]
    pub scope_on_refresh: bool,
    /// Seconds a token lives when its answer does not say.
    #[serde(default = "default_lifetime_s")]
    pub default_lifetime_s: u64,
    /// Field of the token answer that names the connecting user.
    #[serde(default)]
    pub account_field: Option<String>,
    /// Scopes that a granted scope stands for besides itself.
    #[serde(default)]
    pub scope_covers: BTreeMap<String, Vec<String>>,
    /// Where a token says whose it is.
    #[serde(default)]
    pub identity: Option<IdentityAddress>,
    /// The vendor's own words for what a person enters.
    #[serde(default)]
    pub fields: Vec<FieldWords>,
    /// The grants a profile can use.
    pub grants: Vec<GrantOffer>,
}

fn default_lifetime_s() -> u64 {
    900
}

impl Credential {
    /// Whether the granted scopes carry this one, by themselves or by what they stand for.
    #[must_use]
    pub fn carries(&self, granted: &[String], scope: &str) -> bool {
        granted.iter().any(|given| {
            given == scope
                || self
                    .scope_covers
                    .get(given)
                    .is_some_and(|covered| covered.iter().any(|name| name == scope))
        })
    }

    /// The vendor's words for a field, where it has its own.
    #[must_use]
    pub fn words(&self, field: &str) -> Option<&FieldWords> {
        self.fields.iter().find(|words| words.id == field)
    }
}

/// The families of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// RFC 6749.
    Oauth2,
}

/// Where the client authenticates itself at the token endpoint (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form.
    #[default]
    Body,
    /// HTTP basic.
    Basic,
}

/// Where a token says whose it is: one GET with the token, answered by a JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityAddress {
    /// Name of the origin.
    pub origin: String,
    /// Path on it.
    pub path: String,
    /// Field with the name that people know the user by.
    pub name: String,
}

/// The vendor's own words for something a person enters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldWords {
    /// Name of the field.
    pub id: String,
    /// As the vendor calls it.
    pub title: String,
    /// Where to find it.
    pub hint: String,
}

/// The grants the host can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantKind {
    /// A person consents in the browser and comes back with a code (RFC 6749 §4.1, RFC 7636).
    AuthorizationCode,
    /// A person pastes a refresh token that was got elsewhere (RFC 6749 §6).
    RefreshToken,
    /// The app itself, acting as a user that the vendor's side names (RFC 6749 §4.4).
    ClientCredentials,
    /// An assertion signed with a private key (RFC 7523).
    JwtBearer,
    /// A person types a short code at the vendor's (RFC 8628 or a dialect of it).
    DeviceCode,
}

impl GrantKind {
    /// All of them, the one to recommend first.
    pub const ALL: [Self; 5] = [
        Self::ClientCredentials,
        Self::AuthorizationCode,
        Self::JwtBearer,
        Self::RefreshToken,
        Self::DeviceCode,
    ];

    /// The word used in manifests, tables, addresses and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization-code",
            Self::RefreshToken => "refresh-token",
            Self::ClientCredentials => "client-credentials",
            Self::JwtBearer => "jwt-bearer",
            Self::DeviceCode => "device-code",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether a person must consent at the vendor's before there is a token.
    #[must_use]
    pub fn needs_consent(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }

    /// Whether its tokens are renewed by a refresh token.
    #[must_use]
    pub fn refreshes(self) -> bool {
        matches!(
            self,
            Self::AuthorizationCode | Self::RefreshToken | Self::DeviceCode
        )
    }
}

/// Whether a proof key goes with an authorization code (RFC 7636, S256).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pkce {
    /// Sent, unless a person says that the app forbids it.
    #[default]
    Usual,
    /// Always sent.
    Always,
    /// The vendor knows none.
    Never,
}

/// One way to get a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantOffer {
    /// Which.
    pub id: GrantKind,
    /// For people.
    pub title: String,
    /// When to choose it, one sentence.
    #[serde(default)]
    pub about: String,
    /// Narrower than the credential's, where the vendor demands it. Empty: the credential's.
    #[serde(default)]
    pub login_hosts: Vec<HostPattern>,
    /// Scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What a person enters: `client_id`, `client_secret`, `refresh_token`, `username`, `private_key`.
    pub fields: Vec<String>,
    /// Those of the fields that may stay empty.
    #[serde(default)]
    pub optional_fields: Vec<String>,
    /// Of `authorization-code`: the proof key.
    #[serde(default)]
    pub pkce: Pkce,
    /// Of `authorization-code`: the `prompt` that makes the vendor ask who it is, whoever is signed in there.
    #[serde(default)]
    pub prompt: Option<String>,
    /// Of `jwt-bearer`: whom the assertion is for.
    #[serde(default)]
    pub audiences: Vec<Audience>,
    /// Of `device-code`: how the vendor spells it.
    #[serde(default)]
    pub device: Option<DeviceDialect>,
}

impl GrantOffer {
    /// Whether a person enters this field.
    #[must_use]
    pub fn takes(&self, field: &str) -> bool {
        self.fields.iter().any(|name| name == field)
    }

    /// Whether a person must enter this field.
    #[must_use]
    pub fn wants(&self, field: &str) -> bool {
        self.takes(field) && !self.optional_fields.iter().any(|name| name == field)
    }

    /// The audience of an assertion: the first whose hosts cover the login address, or the first of all.
    #[must_use]
    pub fn audience(&self, login: &Url) -> Option<&str> {
        let host = login.host_str().unwrap_or_default();
        self.audiences
            .iter()
            .find(|audience| audience.hosts.iter().any(|pattern| pattern.matches(host)))
            .or_else(|| self.audiences.first())
            .map(|audience| audience.value.as_str())
    }
}

/// Whom an assertion is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// The claim `aud`.
    pub value: String,
    /// For people.
    pub title: String,
    /// Login hosts whose orgs want it.
    pub hosts: Vec<HostPattern>,
}

/// How a vendor spells the device flow. RFC 8628 has a path of its own, the grant type
/// `urn:ietf:params:oauth:grant-type:device_code` and the field `device_code`; vendors that were first have others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceDialect {
    /// Path, on the login URL, where the codes are asked for.
    pub path: String,
    /// What the request for the codes carries besides client and scopes.
    #[serde(default)]
    pub ask: BTreeMap<String, String>,
    /// The `grant_type` of the request for the token.
    pub grant_type: String,
    /// The field of that request that carries the device code.
    pub code_field: String,
    /// Seconds the codes are good when the answer does not say.
    pub lifetime_s: u64,
}
