//! An app that may ask for tokens: a connected app or an external client app, with the switches an administrator sets on it.
//!
//! Plain data. Each field is one switch of the vendor's setup pages; what it does is in `login/`.

use serde::{Deserialize, Serialize};

use super::login::IpRange;

/// A connected app or external client app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret.
    #[serde(skip)]
    pub client_secret: String,
    /// What the consent page calls it.
    pub name: String,
    /// Username the client credentials grant runs as; none gives "no client credentials user enabled".
    pub run_as: Option<String>,
    /// Whether the client credentials grant is switched on.
    pub client_credentials: bool,
    /// Whether the authorization code grant (web server flow) is switched on.
    pub authorization_code: bool,
    /// Whether the device flow is switched on.
    pub device: bool,
    /// Whether refresh tokens may be used.
    pub refresh_tokens: bool,
    /// Refresh token rotation: each refresh gives a new token, using a dead one revokes the grant.
    pub rotation: bool,
    /// How long a refresh token is good.
    pub refresh_policy: RefreshPolicy,
    /// Scopes the app may hand out.
    pub scopes: Vec<String>,
    /// Callback URLs; a request names one of them letter by letter.
    pub redirect_uris: Vec<String>,
    /// "Require secret for web server flow".
    pub secret_for_code: bool,
    /// "Require secret for refresh token flow".
    pub secret_for_refresh: bool,
    /// "Require Proof Key for Code Exchange (PKCE)".
    pub pkce: Pkce,
    /// Certificate (PEM, X.509, RSA) that JWT assertions are checked with; none refuses them.
    pub certificate: Option<String>,
    /// "Permitted users".
    pub permitted: PermittedUsers,
    /// Usernames that gave their consent before the org started, so that a JWT assertion needs no consent page.
    pub approved_by: Vec<String>,
    /// Installed in the org. Not installed, it is refused with "app must be installed into org" (rule of September 2025).
    pub installed: bool,
    /// Blocked by an administrator: `OAUTH_APP_BLOCKED`, and its sessions end.
    pub blocked: bool,
    /// Until this moment (milliseconds UTC) nobody knows the app: a new one takes up to ten minutes.
    pub known_from_ms: Option<i64>,
    /// The app's policy refuses this caller's address.
    pub ip_restricted: bool,
    /// "Relax IP restrictions": the ranges of the user's profile are not asked for.
    pub ip_relaxed: bool,
    /// "Trusted IP ranges for OAuth web server flow": from here too the ranges of the profile are not asked for. Counts for every
    /// grant of this org.
    pub trusted_ranges: Vec<IpRange>,
    /// The session policy demands high assurance, which no token of this org has: each call answers 401.
    pub high_assurance: bool,
    /// Session timeout of the app's own policy, milliseconds; none is the org's.
    pub session_ms: Option<i64>,
}

impl App {
    /// An app with all grants but the device flow, without rotation, scope `api` and refresh tokens, callback
    /// `http://127.0.0.1/callback`, PKCE optional, secrets required, everybody permitted.
    #[must_use]
    pub fn new(client_id: &str, client_secret: &str, run_as: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            name: "Seatwise".to_owned(),
            run_as: Some(run_as.to_owned()),
            client_credentials: true,
            authorization_code: true,
            device: false,
            refresh_tokens: true,
            rotation: false,
            refresh_policy: RefreshPolicy::UntilRevoked,
            scopes: vec!["api".to_owned(), "refresh_token".to_owned()],
            redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
            secret_for_code: true,
            secret_for_refresh: true,
            pkce: Pkce::Optional,
            certificate: None,
            permitted: PermittedUsers::SelfAuthorize,
            approved_by: Vec::new(),
            installed: true,
            blocked: false,
            known_from_ms: None,
            ip_restricted: false,
            ip_relaxed: false,
            trusted_ranges: Vec::new(),
            high_assurance: false,
            session_ms: None,
        }
    }
}

/// What an app says to a code challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// Checked where the client sends one.
    Optional,
    /// Without one: `invalid_request`, "missing required code challenge".
    Required,
    /// With one: `invalid_request`. No source says that Salesforce has such an app; gateways in front of it do.
    Forbidden,
}

/// How long a refresh token is good ("Refresh token policy").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshPolicy {
    /// Valid until revoked.
    UntilRevoked,
    /// Immediately expire refresh token: it is handed out dead.
    Immediately,
    /// Expires when it was not used for so many milliseconds.
    Idle(i64),
    /// Expires so many milliseconds after the consent.
    Fixed(i64),
}

/// Who may use an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermittedUsers {
    /// All users may self-authorize: each gives consent once.
    SelfAuthorize,
    /// Admin approved users are pre-authorized: users of these profiles, without a consent page; all others are refused.
    AdminApproved(Vec<String>),
}
