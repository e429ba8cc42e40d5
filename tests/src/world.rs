//! A host on a fixed day, with a practice org in this process behind the real component and the real egress guard.
//!
//! Ana (integrator) has connected the org and published its profile through the services; Ben (approver) has done nothing yet. The
//! clock of host and vendor moves only by [`World::advance`]; work is done by [`World::run_due_jobs`].

use std::sync::Arc;

use seatwise::app::host::{Host, HostOptions, Parts};
use seatwise::app::worker;
use seatwise::audit::signer::Signer;
use seatwise::connectors::{ConnectorOptions, Connectors};
use seatwise::identity::roles::{Actor, Role, Via};
use seatwise::identity::service::{self as identity, NewPrincipal};
use seatwise::kernel::RunId;
use seatwise::kernel::chance::SeededChance;
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::Faults;
use seatwise::kernel::seal::Sealer;
use seatwise::profiles::service::{self as profiles, NewProfile, ProfileError, ProfileView};
use seatwise::store::{Sight, Store};
use seatwise::sync::{RunView, service as runs};
use seatwise_practice_org_salesforce::{Listen, OrgSpec, PracticeOrg, Running};
use seatwise_runtime::AllowTargets;
use sqlx::Row as _;

use crate::database::{Database, count};

/// T0 of the worked example, 2026-03-31, at nine in the morning UTC.
pub const T0_MS: i64 = seatwise_practice_org_salesforce::worked_example::T0_MS + 9 * 3_600_000;

/// A host, its database, and one vendor org.
pub struct World {
    /// The host.
    pub host: Host,
    /// Its clock, and the org's.
    pub clock: Arc<SetClock>,
    /// The vendor.
    pub org: Arc<Running>,
    /// The integrator, who connected the org.
    pub ana: Actor,
    /// The approver.
    pub ben: Actor,
    /// The published profile's number.
    pub profile: String,
    /// The database underneath.
    pub database: Database,
    /// How often the host was started; each start draws other numbers.
    starts: u64,
}

impl World {
    /// A host at [`T0_MS`] with a published profile for an org of this spec, connected with client credentials. Its first run is due.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn new(database: &Database, spec: OrgSpec, faults: Arc<dyn Faults>) -> Self {
        Self::connected(database, spec, faults, "client-credentials").await
    }

    /// The same with a grant of choice: `client-credentials` or `refresh-token`.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn connected(
        database: &Database,
        spec: OrgSpec,
        faults: Arc<dyn Faults>,
        grant: &str,
    ) -> Self {
        let mut world = Self::unpublished(database, spec, faults, grant).await;
        world.publish().await.expect("the profile is published");
        world
    }

    /// A host with people and a draft profile for the org.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn unpublished(
        database: &Database,
        spec: OrgSpec,
        faults: Arc<dyn Faults>,
        grant: &str,
    ) -> Self {
        Self::set_up(database, spec, faults, grant, &[]).await
    }

    /// The same with settings of the profile, each a name and its value.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn set_up(
        database: &Database,
        spec: OrgSpec,
        faults: Arc<dyn Faults>,
        grant: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let app = spec.apps[0].clone();
        let org = PracticeOrg::start(spec, Listen::loopback())
            .await
            .expect("the practice org listens on loopback");
        org.control().set_now(Some(T0_MS));
        let clock = Arc::new(SetClock::at(T0_MS));
        let store = database.open_with(faults.clone()).await;
        let host = host(
            database.folder(),
            store,
            clock.clone(),
            &[org.address().port()],
            faults,
            1,
        );
        identity::ensure_system(&host)
            .await
            .expect("the system's own actor is made");
        let ana = person(&host, "Ana", Role::SamIntegrator).await;
        let ben = person(&host, "Ben", Role::Approver).await;
        let refresh_token = (grant == "refresh-token").then(|| {
            let nothing = serde_json::Value::Null;
            let (_, made) = org.control().call("POST", "tokens/refresh", &nothing);
            let token = made["refresh_token"].as_str();
            token
                .expect("the org mints a refresh token")
                .to_owned()
                .into()
        });
        let new = NewProfile {
            connector: "salesforce".to_owned(),
            name: "Org".to_owned(),
            parent: None,
            login_url: org.base_url().to_owned(),
            grant: grant.to_owned(),
            client_id: app.client_id,
            client_secret: app.client_secret.into(),
            refresh_token,
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let profile = profiles::create(&host, &ana, new)
            .await
            .expect("the profile is created");
        Self {
            host,
            clock,
            org: Arc::new(org),
            ana,
            ben,
            profile: profile.number,
            database: database.clone(),
            starts: 1,
        }
    }

    /// Publishes the profile, as Ana.
    ///
    /// # Errors
    /// What the service says.
    pub async fn publish(&mut self) -> Result<ProfileView, ProfileError> {
        profiles::publish(&self.host, &self.ana, &self.profile).await
    }

    /// What a restart of the host finds: the same database, clock and vendor, a new process.
    pub async fn restarted(self, faults: Arc<dyn Faults>) -> Self {
        self.host.store.close().await;
        let store = self.database.open_with(faults.clone()).await;
        crate::database::expire_leases(&store).await;
        let starts = self.starts + 1;
        let clock = self.clock.clone();
        let host = host(
            self.database.folder(),
            store,
            clock,
            &[self.org.address().port()],
            faults,
            starts,
        );
        Self {
            host,
            starts,
            ..self
        }
    }

    /// Another host on the same database, at the same clock.
    pub async fn second_host(&self) -> Host {
        let faults: Arc<dyn Faults> = Arc::new(seatwise::kernel::faults::NoFaults);
        let store = self.database.open_with(faults.clone()).await;
        let ports = [self.org.address().port()];
        let starts = self.starts + 100;
        let folder = self.database.folder();
        host(folder, store, self.clock.clone(), &ports, faults, starts)
    }

    /// Another org answers at the same address from now on.
    ///
    /// # Panics
    /// When the address is not free again within ten seconds.
    pub async fn moved_to(self, spec: OrgSpec) -> Self {
        let address = self.org.address();
        self.org.stop();
        let now = self.host.now_ms();
        let listen = Listen {
            http: address,
            https: None,
        };
        let org = tokio::time::timeout(std::time::Duration::from_secs(10), async {
            loop {
                match PracticeOrg::start(spec.clone(), listen).await {
                    Ok(org) => return org,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await
        .expect("the address is free again");
        org.control().set_now(Some(now));
        Self {
            org: Arc::new(org),
            ..self
        }
    }

    /// Lets time pass for host and vendor.
    pub fn advance(&self, ms: i64) {
        self.clock.advance(ms);
        self.org.control().set_now(Some(self.host.now_ms()));
    }

    /// *Collect now*: the run that is open, or a new one.
    ///
    /// # Errors
    /// What the service says.
    pub async fn collect_now(&self) -> Result<RunId, ProfileError> {
        profiles::collect_now(&self.host, &self.ana, &self.profile).await
    }

    /// One run from start to where it ends or waits, and what follows it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn collect(&self) -> RunView {
        let run = self.collect_now().await.expect("a run starts");
        self.run_due_jobs().await;
        self.run(&run).await
    }

    /// Works off everything that is due now. What a fault breaks stays for the next start.
    pub async fn run_due_jobs(&self) {
        if let Err(error) = worker::run_due(&self.host).await {
            eprintln!("the worker stopped: {error}");
        }
    }

    /// How the run stands.
    ///
    /// # Panics
    /// When there is no such run.
    pub async fn run(&self, run: &RunId) -> RunView {
        runs::get_run(&self.host, &self.ana, run.as_str())
            .await
            .expect("the run is there")
    }

    /// All runs, newest first.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn runs(&self) -> Vec<RunView> {
        runs::list_runs(&self.host, &self.ana, None, None, 50)
            .await
            .expect("runs can be listed")
    }

    /// See [`facts`].
    ///
    /// # Panics
    /// When the database cannot be read.
    pub async fn facts(&self) -> Vec<String> {
        facts(&self.host.store).await
    }

    /// One number from the database.
    ///
    /// # Panics
    /// When the statement fails.
    pub async fn count(&self, statement: &'static str) -> i64 {
        count(&self.host.store, statement).await
    }
}

/// Everything that others can see of the download: accounts, subscriptions, pools, without their times.
///
/// # Panics
/// When the database cannot be read.
pub async fn facts(store: &Store) -> Vec<String> {
    let mut tx = store.read_everything().await.expect("a read begins");
    let mut facts = Vec::new();
    for statement in [
        "select 'account ' || vendor_id || ' ' || principal || ' active ' || cast(is_active as text) || ' frozen ' || frozen \
           || ' ' || activity_state || ' ' || coalesce(cast(activity_at as text), '-') || ' gone ' || cast(is_gone as text) as fact \
         from accounts where valid_to is null",
        "select 'subscription ' || account_id || ' ' || identifier || ' active ' || cast(is_active as text) as fact \
         from subscriptions where valid_to is null",
        "select 'pool ' || identifier || ' ' || coalesce(cast(owned as text), '-') || ' ' || coalesce(cast(used as text), '-') as fact \
         from pools where valid_to is null",
    ] {
        let rows = sqlx::query(statement)
            .fetch_all(tx.conn())
            .await
            .expect("facts can be read");
        facts.extend(rows.iter().map(|row| row.get::<String, _>("fact")));
    }
    facts.sort();
    facts
}

/// A host over a store, on a clock, that may reach these ports of loopback. `start` counts the starts on one database: each draws
/// other numbers.
///
/// # Panics
/// When the sandbox does not start.
pub fn host(
    folder: &std::path::Path,
    store: Store,
    clock: Arc<SetClock>,
    ports: &[u16],
    faults: Arc<dyn Faults>,
    start: u64,
) -> Host {
    let mut allow = AllowTargets::none();
    for port in ports {
        allow.insert("127.0.0.1", *port);
    }
    host_allowing(folder, store, clock, allow, faults, start)
}

/// The same with the targets as the operator would name them.
///
/// # Panics
/// When the sandbox does not start.
pub fn host_allowing(
    folder: &std::path::Path,
    store: Store,
    clock: Arc<SetClock>,
    allow: AllowTargets,
    faults: Arc<dyn Faults>,
    start: u64,
) -> Host {
    let connectors = Connectors::new(ConnectorOptions {
        cache_dir: Some(std::env::temp_dir().join("seatwise-tests-compiled")),
        allow,
        extra_roots: Vec::new(),
    })
    .expect("the sandbox starts");
    Host::new(Parts {
        store,
        clock,
        chance: Arc::new(SeededChance::new(42 + start)),
        faults,
        signer: Signer::new([7; 32]),
        sealer: Sealer::new(&[9; 32].into()),
        connectors,
        options: HostOptions {
            data_dir: folder.to_owned(),
            public_url: "http://127.0.0.1".to_owned(),
            mail: None,
            outbound: Vec::new(),
        },
        stop: seatwise::app::stop::Stop::default(),
    })
}

/// Creates a person with one role and signs them in.
pub async fn person(host: &Host, name: &str, role: Role) -> Actor {
    let new = NewPrincipal {
        kind: seatwise::identity::service::PrincipalKind::Person,
        name: name.to_owned(),
        email: Some(format!("{}@company.example", name.to_lowercase())),
        roles: [role].into(),
    };
    let id = identity::create_principal(host, &Actor::system(), new)
        .await
        .expect("a person is created");
    Actor {
        name: name.to_owned(),
        roles: [role].into(),
        via: Via::Session {
            session: format!("sess_{id}"),
        },
        sight: Sight::everything(),
        id,
    }
}
