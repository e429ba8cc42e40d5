//! The login side of the org: authorize page, tokens of every grant, the identity services, and when a session is dead.
//!
//! Follows salesforce.md §1. Invariants: a session belongs to one user and one app; with a grant it dies with it; nothing here reads
//! the machine's clock. Records of users are read from the org, never changed.

mod authorize;
mod device;
mod door;
mod grants;
mod identity;
mod jwt;
mod pages;
mod pkce;
mod refused;
mod session;
mod setup;
mod token;

use std::collections::{HashMap, VecDeque};

use crate::api::{Answer, Request, State};
use crate::spec::App;

pub(crate) use setup::control;

use authorize::{Code, Visit};
use device::Device;
use grants::Grants;
use refused::Refused;
use session::Session;
use setup::Change;

/// Everything of the login side that changes while the org runs.
#[derive(Clone, Default)]
pub(crate) struct Logins {
    sessions: HashMap<String, Session>,
    grants: Grants,
    codes: HashMap<String, Code>,
    visits: HashMap<String, Visit>,
    /// Cookie to the user signed in with it.
    browsers: HashMap<String, u64>,
    devices: Vec<Device>,
    /// Moments of the last hour's logins, by user.
    recent: HashMap<u64, VecDeque<i64>>,
    /// Changes of apps that take effect later.
    changes: Vec<Change>,
    token_calls: u64,
}

/// Parameters of a request: of the query string and of the form in the body.
pub(crate) struct Parameters(HashMap<String, String>);

impl Parameters {
    fn of(request: &Request<'_>) -> Self {
        let pairs = url::form_urlencoded::parse(request.query.as_bytes())
            .chain(url::form_urlencoded::parse(request.body))
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self(pairs.collect())
    }

    /// A parameter that is there and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).ok_or_else(|| Refused::missing(name))
    }
}

/// What a fault of the login side may be set to; `None` for faults that are not its own.
pub(crate) fn fault_values(fault: &str) -> Option<Vec<&'static str>> {
    match fault {
        "token_error" => Some(refused::ALL.iter().map(|row| row.name).collect()),
        "session_refused" => Some(session::NOT_CURED.iter().map(|(name, _)| *name).collect()),
        _ => None,
    }
}

impl State {
    /// Answers what belongs to the login side; `None` for everything else.
    pub(crate) fn login(&mut self, request: &Request<'_>) -> Option<Answer> {
        self.apply_due_changes();
        let path = request.path;
        let is_ours = path.starts_with("/services/oauth2/")
            || path.starts_with("/id/")
            || path.starts_with("/.well-known/")
            || path == "/setup/connect";
        if !is_ours {
            return None;
        }
        // A UI host sends everything on to the My Domain host, and clients drop the body on the way (OpenFn/adaptors#295).
        if host_of(request).ends_with(".lightning.force.com") {
            let there = format!("https://{}{path}", self.org.spec.my_domain);
            return Some(Answer::empty(302).with("Location", there));
        }
        Some(match path {
            "/services/oauth2/authorize" => self.authorize(request),
            "/services/oauth2/token" => self.token(request),
            // Where an app without a page of its own sends the browser; the person copies the code from the address (seed 4).
            "/services/oauth2/success" => {
                pages::end("Authorization Successful", "You may close this window.")
            }
            "/services/oauth2/revoke" => self.revoke(request),
            "/services/oauth2/introspect" => self.introspect(request),
            "/services/oauth2/userinfo" => self.userinfo(request),
            "/setup/connect" => self.device_page(request),
            "/.well-known/openid-configuration" => self.discovery(),
            "/id/keys" => Answer::json(200, &serde_json::json!({"keys": []})),
            path => match path.strip_prefix("/id/") {
                Some(identity) => self.identity(request, identity),
                None => Answer::empty(404),
            },
        })
    }

    /// The app of that consumer key, if it may be used at all.
    fn app(&self, client_id: &str) -> Result<App, Refused> {
        let now = self.org.clock.now_ms();
        let app = self
            .org
            .spec
            .apps
            .iter()
            .find(|app| app.client_id == client_id)
            .filter(|app| app.known_from_ms.is_none_or(|from| from <= now))
            .ok_or(refused::UNKNOWN_CLIENT)?;
        if app.blocked {
            return Err(refused::APP_BLOCKED);
        }
        if !app.installed {
            return Err(refused::NOT_INSTALLED);
        }
        Ok(app.clone())
    }

    /// Whether the request came to the login host that all orgs share.
    fn is_on_shared_host(&self, request: &Request<'_>) -> bool {
        self.org.spec.shared_login_host
            || matches!(
                host_of(request),
                "login.salesforce.com" | "test.salesforce.com"
            )
    }
}

fn host_of<'a>(request: &'a Request<'_>) -> &'a str {
    let host = request.header("host").unwrap_or_default();
    host.split(':').next().unwrap_or(host)
}
