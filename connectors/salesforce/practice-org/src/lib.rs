//! A local Salesforce org for demo, tests and connector authors.
//!
//! What it is for: everything a connector asks of Salesforce is answered here with the same shapes and the same refusals, and every
//! write is counted, so that a test can tell what happened at the vendor. [`PracticeOrg::start`] listens on http and https; faults, clock
//! and records are changed through [`Control`], or from another process through `/_practice/…`.
//!
//! Facts about Salesforce come from its REST API and Object Reference guides. What this crate must not know: the host.

mod api;
mod bulk;
mod clock;
mod collections;
mod composite;
mod control;
mod crowd;
mod cursors;
mod error;
mod faults;
mod ids;
mod limits;
mod login;
mod org;
pub mod population;
mod query;
mod records;
mod refusals;
mod schema;
mod server;
pub mod showcase;
mod soql;
pub mod spec;
mod value;
pub mod worked_example;
mod writes;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use faults::{Faults, FaultsError, KNOBS};
pub use ids::widen_id;
pub use org::Write;
pub use spec::{
    Account, App, Approval, Crowd, Dashboard, Entitlement, Group, IpRange, Job, Licence,
    LicenceStatus, LoginHours, LoginPolicy, OrgSpec, Package, PackageStatus, Password,
    PermissionSet, PermissionSetGroup, PermissionSetLicence, PermittedUsers, Person, PersonLogin,
    Pkce, Profile, ProfileLogin, RefreshPolicy, Refusal, Rights, Role,
};

use api::{Shared, State, lock};
use clock::Clock;
use org::Org;

/// Where to listen; port 0 takes a free one.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// Plain http.
    pub http: SocketAddr,
    /// https with a throw-away authority.
    pub https: Option<SocketAddr>,
}

impl Listen {
    /// Free ports on loopback, http only.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            https: None,
        }
    }
}

/// Why an org did not start.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; choose another --port")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a throw-away certificate: {0}")]
    Certificate(String),
}

/// Starts orgs.
pub struct PracticeOrg;

/// A running org. Dropped, it stops.
pub struct Running {
    state: Shared,
    base_url: String,
    https_url: Option<String>,
    ca_pem: Option<String>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

/// The handle that changes a running org and looks at it.
#[derive(Clone)]
pub struct Control(Shared);

/// A running org as it stood at some moment: records, sessions, counted calls and writes, faults, clock.
pub struct Moment(Box<State>);

impl PracticeOrg {
    /// Starts an org from its spec.
    ///
    /// # Errors
    /// [`PracticeError`] when it cannot listen or make its certificate.
    pub async fn start(spec: OrgSpec, listen: Listen) -> Result<Running, PracticeError> {
        let http = bind(listen.http).await?;
        let address = http.1;
        let base_url = format!("http://{address}");
        let my_domain = spec.my_domain.clone();
        let state: Shared = Arc::new(Mutex::new(State::new(
            Org::new(spec, Clock::real()),
            base_url.clone(),
        )));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server::accept(
            http.0,
            None,
            Arc::clone(&state),
            stopped.clone(),
        ));
        let (mut https_url, mut ca_pem) = (None, None);
        if let Some(wanted) = listen.https {
            let (pem, tls) = server::certificates(&my_domain)
                .map_err(|error| PracticeError::Certificate(error.to_string()))?;
            let (listener, at) = bind(wanted).await?;
            tokio::spawn(server::accept(
                listener,
                Some(tls),
                Arc::clone(&state),
                stopped,
            ));
            https_url = Some(format!("https://{at}"));
            ca_pem = Some(pem);
        }
        Ok(Running {
            state,
            base_url,
            https_url,
            ca_pem,
            address,
            stop,
        })
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), PracticeError> {
    let failed = |source| PracticeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

impl Running {
    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Host and port of the http listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The https address, where one was asked for.
    #[must_use]
    pub fn https_url(&self) -> Option<&str> {
        self.https_url.as_deref()
    }

    /// The throw-away authority that signed the https certificate.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The handle for tests.
    #[must_use]
    pub fn control(&self) -> Control {
        Control(Arc::clone(&self.state))
    }

    /// Stops listening and ends every connection.
    pub fn stop(&self) {
        // Nobody left to tell is as good as told.
        let _ = self.stop.send(true);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Control {
    /// One call of the control interface, as `/_practice/{path}` takes it: status and JSON.
    #[must_use]
    pub fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        control::answer(
            &mut lock(&self.0),
            method,
            path,
            body.to_string().as_bytes(),
        )
    }

    /// Stops the org's clock at this moment; `None` lets it follow real time.
    pub fn set_now(&self, now_ms: Option<i64>) {
        lock(&self.0).org.clock.set(now_ms);
    }

    /// The org as it stands, to go back to. It holds no more than what calls have changed since the start.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment(Box::new(lock(&self.0).clone()))
    }

    /// Puts the org back as it stood then. Requests under way end on what they find.
    pub fn go_back(&self, to: &Moment) {
        lock(&self.0).clone_from(&to.0);
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        lock(&self.0).set_faults(faults);
    }

    /// Every write that reached a record, in order.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        lock(&self.0).org.writes.clone()
    }

    /// How many writes reached the record with this id.
    #[must_use]
    pub fn write_count(&self, id: &str) -> usize {
        lock(&self.0)
            .org
            .writes
            .iter()
            .filter(|write| write.record.ends_with(id))
            .count()
    }

    /// Seats in use under an identifier, by the vendor's own count: a user licence by its key, `psl:DeveloperName`,
    /// `package:Namespace` or `feature:Name`.
    #[must_use]
    pub fn used_licences(&self, key: &str) -> Option<i64> {
        lock(&self.0).org.seats(key).map(|(used, _)| used)
    }

    /// What the run-as user may do from now on.
    pub fn set_rights(&self, rights: Rights) {
        lock(&self.0).org.rights = rights;
    }

    /// Lets every call be made by this user, with the rights that the spec gives them; `None` is the first app's user again. A username
    /// that nobody has changes nothing.
    pub fn act_as(&self, username: Option<&str>) {
        let mut state = lock(&self.0);
        let user = username.and_then(|name| state.org.user_named(name));
        if username.is_none() || user.is_some() {
            state.org.act_as(user);
        }
    }

    /// Changes the secret of the first app.
    pub fn change_secret(&self, secret: &str) {
        if let Some(app) = lock(&self.0).org.spec.apps.first_mut() {
            secret.clone_into(&mut app.client_secret);
        }
    }

    /// Calls so far of a kind, such as `GET query` or `POST token`.
    #[must_use]
    pub fn requests(&self, kind: &str) -> u64 {
        lock(&self.0).requests.get(kind).copied().unwrap_or(0)
    }

    /// API requests of the rolling day that count against the limit.
    #[must_use]
    pub fn api_used(&self) -> u64 {
        lock(&self.0).api_used()
    }

    /// Sets how many of the day's API requests are used up.
    pub fn set_api_used(&self, used: u64) {
        lock(&self.0).set_api_used(used);
    }
}

impl State {
    pub(crate) fn set_faults(&mut self, faults: Faults) {
        if let Some(share) = faults.share("api_used") {
            self.set_api_used((self.org.spec.api_limit as f64 * share) as u64);
        }
        let hidden = faults.number("hide_percent");
        let (written, all) = (self.org.spec.people.len() as u64, self.org.users());
        if hidden > 0 {
            for user in (written + 1..=all).filter(|user| user % 100 < hidden) {
                self.org.overlay(user).is_hidden = true;
            }
        }
        self.faults = faults;
    }
}
