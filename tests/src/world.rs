//! A host on a fixed day, with a practice org in this process behind the real component and the real egress guard.
//!
//! [`World`] covers downloads: the profile stands in the database as if it had been published, the credential is sealed in it, and
//! [`Reader`] hands the run what the host's link to the org answers.

use std::sync::Arc;

use async_trait::async_trait;
use seatwise::app::host::{Host, HostOptions, Parts};
use seatwise::audit::signer::Signer;
use seatwise::connectors::link::{self, OrgLink, Wanted};
use seatwise::connectors::{ConnectorOptions, Connectors, quota};
use seatwise::credentials;
use seatwise::credentials::service::NewCredential;
use seatwise::identity::roles::{Actor, Role, Via};
use seatwise::jobs::{self, Claimed, JobKind, JobOutcome};
use seatwise::kernel::chance::SeededChance;
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::Faults;
use seatwise::kernel::seal::Sealer;
use seatwise::kernel::{OrgId, ProfileId, RunId};
use seatwise::store::Store;
use seatwise::sync::source::{Class, Gate, Source, Trouble};
use seatwise::sync::{RunKind, RunView, StartRun, download, service};
use seatwise_practice_org_salesforce::{Listen, OrgSpec, PracticeOrg, Running};
use seatwise_runtime::contract::types::{FailureKind, Usage};
use seatwise_runtime::contract::{connection, consumption, subscriptions};
use seatwise_runtime::{AllowTargets, CallError};
use sqlx::Row as _;
use tokio::sync::Mutex;

use crate::database::Database;

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
    /// The published profile.
    pub profile: ProfileId,
    /// Its organization.
    pub organization: OrgId,
    /// The database underneath.
    pub database: Database,
    source: Arc<Reader>,
}

impl World {
    /// A host at [`T0_MS`] with a published profile for an org of this spec, connected with client credentials.
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
        let org_id = spec.org_id.clone();
        let app = spec.apps[0].clone();
        let org = PracticeOrg::start(spec, Listen::loopback())
            .await
            .expect("the practice org listens on loopback");
        org.control().set_now(Some(T0_MS));
        let clock = Arc::new(SetClock::at(T0_MS));
        let store = database.open_with(faults.clone()).await;
        publish(&store, &org_id).await;
        let world = Self::over(database, store, clock, Arc::new(org), faults).await;
        let refresh_token = (grant == "refresh-token").then(|| {
            let (_, made) =
                world
                    .org
                    .control()
                    .call("POST", "tokens/refresh", &serde_json::Value::Null);
            made["refresh_token"]
                .as_str()
                .expect("the org mints a refresh token")
                .to_owned()
                .into()
        });
        let credential = NewCredential {
            grant_kind: grant.to_owned(),
            client_id: app.client_id,
            client_secret: app.client_secret.into(),
            refresh_token,
        };
        world.store_credential(&credential).await;
        world
    }

    /// Seals a credential for the profile's alias, as Ana.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn store_credential(&self, credential: &NewCredential) {
        let manifest = self
            .host
            .connectors
            .manifest("salesforce")
            .expect("the connector is built in");
        let mut tx = self.host.store.begin().await.expect("a transaction begins");
        credentials::service::set(
            &mut tx,
            &self.host,
            &ana(),
            &manifest,
            &ALIAS.into(),
            credential,
        )
        .await
        .expect("the credential is stored");
        tx.commit().await.expect("the transaction commits");
    }

    /// What a restart of the host finds: the same database, clock and vendor, a new process.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restarted(&self, faults: Arc<dyn Faults>) -> Self {
        self.host.store.close().await;
        let store = self.database.open_with(faults.clone()).await;
        crate::database::expire_leases(&store).await;
        Self::over(
            &self.database,
            store,
            self.clock.clone(),
            self.org.clone(),
            faults,
        )
        .await
    }

    async fn over(
        database: &Database,
        store: Store,
        clock: Arc<SetClock>,
        org: Arc<Running>,
        faults: Arc<dyn Faults>,
    ) -> Self {
        let mut allow = AllowTargets::none();
        allow.insert("127.0.0.1", org.address().port());
        let connectors = Connectors::new(ConnectorOptions {
            cache_dir: Some(std::env::temp_dir().join("seatwise-tests-compiled")),
            allow,
            extra_roots: Vec::new(),
        })
        .expect("the sandbox starts");
        let host = Host::new(Parts {
            store,
            clock: clock.clone(),
            chance: Arc::new(SeededChance::new(42)),
            faults,
            signer: Signer::new([7; 32]),
            sealer: Sealer::new(&[9; 32].into()),
            connectors,
            options: HostOptions {
                data_dir: database.folder().to_owned(),
                public_url: "http://127.0.0.1".to_owned(),
            },
        });
        let organization = ORGANIZATION.into();
        let source = Arc::new(Reader::open(&host, org.base_url()).await);
        Self {
            host,
            clock,
            org,
            profile: PROFILE.into(),
            organization,
            database: database.clone(),
            source,
        }
    }

    /// Lets time pass for host and vendor.
    pub fn advance(&self, ms: i64) {
        self.clock.advance(ms);
        self.org.control().set_now(Some(self.host.now_ms()));
    }

    /// Starts a full run, as *Collect now* does.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn start_run(&self) -> RunId {
        self.try_start_run().await.expect("a run starts")
    }

    /// The same, for hosts with faults.
    ///
    /// # Errors
    /// What the service says.
    pub async fn try_start_run(&self) -> Result<RunId, seatwise::sync::SyncError> {
        let mut tx = self.host.store.begin().await?;
        let start = StartRun {
            profile: &self.profile,
            kind: RunKind::Full,
            trigger: "collect_now",
        };
        let run = service::start_run(&self.host, &mut tx, &ana(), start).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// One run from start to where it ends or waits.
    pub async fn collect(&self) -> RunView {
        let run = self.start_run().await;
        self.run_due_jobs().await;
        self.run(&run).await
    }

    /// Works off every download that is due now; other work is left to its own tests.
    pub async fn run_due_jobs(&self) {
        // A restart after a fault may find its own lease; a bound keeps a wrong host from working forever.
        for _ in 0..200 {
            let Ok(claimed) = jobs::claim(&self.host.store, self.host.now_ms(), "this host").await
            else {
                return;
            };
            let Some(job) = claimed else { return };
            let outcome = match job.kind {
                JobKind::Sync => download::drive(&self.host, &job, self.source.clone()).await,
                _ => JobOutcome::Done,
            };
            if self.settle(&job, &outcome).await.is_err() {
                return;
            }
        }
        panic!("work is due again and again without time passing");
    }

    async fn settle(&self, job: &Claimed, outcome: &JobOutcome) -> Result<(), jobs::JobError> {
        let mut tx = self.host.store.begin().await?;
        jobs::settle(&mut tx, self.host.now_ms(), job, outcome).await?;
        Ok(tx.commit().await?)
    }

    /// How the run stands.
    ///
    /// # Panics
    /// When there is no such run.
    pub async fn run(&self, run: &RunId) -> RunView {
        service::get_run(&self.host, &ana(), run.as_str())
            .await
            .expect("the run is there")
    }

    /// Everything that others can see of the download: accounts, subscriptions, pools, without their times.
    ///
    /// # Panics
    /// When the database cannot be read.
    pub async fn facts(&self) -> Vec<String> {
        let mut tx = self.host.store.read().await.expect("a read begins");
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

    /// One number from the database.
    ///
    /// # Panics
    /// When the statement fails.
    pub async fn count(&self, statement: &'static str) -> i64 {
        let mut tx = self.host.store.read().await.expect("a read begins");
        sqlx::query(statement)
            .fetch_one(tx.conn())
            .await
            .expect("the statement counts")
            .get(0)
    }
}

const PROFILE: &str = "prof_test";
const ORGANIZATION: &str = "org_test";
const ALIAS: &str = "alias_test";

/// A person with the integrator's role, signed in.
#[must_use]
pub fn ana() -> Actor {
    person("prin_ana", "Ana", Role::SamIntegrator)
}

/// A person with the approver's role, signed in.
#[must_use]
pub fn ben() -> Actor {
    person("prin_ben", "Ben", Role::Approver)
}

fn person(id: &str, name: &str, role: Role) -> Actor {
    Actor {
        id: id.into(),
        name: name.to_owned(),
        roles: [role].into(),
        via: Via::Session {
            session: format!("sess_{id}"),
        },
    }
}

/// The rows that publishing a profile leaves.
async fn publish(store: &Store, org_id: &str) {
    let mut tx = store.begin().await.expect("a transaction begins");
    for statement in [
        "insert into principals (id, kind, name, created_at) values ('prin_ana', 'person', 'Ana', 0), ('prin_ben', 'person', 'Ben', 0)",
        "insert into connectors (id, name, version, digest, key_id, created_at) values ('salesforce', 'Salesforce CRM', '0.1.0', '-', '-', 0)",
        "insert into aliases (id, connector_id, name, properties, created_at) values ('alias_test', 'salesforce', 'Org', '{}', 0)",
    ] {
        sqlx::query(statement)
            .execute(tx.conn())
            .await
            .expect("the schema takes these rows");
    }
    sqlx::query(
        "insert into organizations (id, connector_id, vendor_org_id, name, environment, memo, created_at, updated_at) \
         values ($1, 'salesforce', $2, 'Org', 'production', $3, 0, 0)",
    )
    .bind(ORGANIZATION)
    .bind(org_id)
    .bind(Vec::<u8>::new())
    .execute(tx.conn())
    .await
    .expect("the schema takes an organization");
    sqlx::query(
        "insert into profiles (id, number, name, connector_id, alias_id, organization_id, state, schedule_cron, schedule_zone, \
           created_by, changed_by, created_at, updated_at) \
         values ($1, 'PRF0001001', 'Org', 'salesforce', 'alias_test', $2, 'published', '0 2 * * *', 'UTC', 'prin_ana', 'prin_ana', 0, 0)",
    )
    .bind(PROFILE)
    .bind(ORGANIZATION)
    .execute(tx.conn())
    .await
    .expect("the schema takes a profile");
    tx.commit().await.expect("the transaction commits");
}

/// Reads an org over the host's own link, for the run's driver.
pub struct Reader {
    host: Host,
    link: Mutex<OrgLink>,
}

impl Reader {
    async fn open(host: &Host, login: &str) -> Self {
        let manifest = host
            .connectors
            .manifest("salesforce")
            .expect("the connector is built in");
        let login = login.parse().expect("a base URL parses");
        let wanted = Wanted {
            connector: "salesforce".to_owned(),
            settings: "{}".to_owned(),
            granted_scopes: vec!["api".to_owned()],
            memo: Vec::new(),
            grants: credentials::service::grants(host, &ALIAS.into(), manifest, login),
            label: "PRF0001001".to_owned(),
        };
        let link = link::open(host, wanted).await.expect("the link opens");
        Self {
            host: host.clone(),
            link: Mutex::new(link),
        }
    }

    async fn link(&self) -> OrgLink {
        self.link.lock().await.clone()
    }
}

fn trouble(link: &OrgLink, error: &CallError) -> Trouble {
    let (class, is_too_fast) = match error {
        CallError::Failed(failure) => (
            Class::of(failure.kind, failure.retry_after_ms.map(u64::from)),
            failure.kind == FailureKind::RateLimited,
        ),
        CallError::Timeout { .. } | CallError::Host { .. } => (Class::Passing(None), false),
        _ => (Class::Final, false),
    };
    Trouble {
        class,
        is_too_fast,
        problem: link.explain(error),
    }
}

#[async_trait]
impl Source for Reader {
    async fn digest(&self) -> String {
        self.host
            .connectors
            .digest("salesforce")
            .expect("the connector is built in")
            .to_owned()
    }

    async fn identify(&self) -> Result<connection::Organization, Trouble> {
        let link = self.link().await;
        let told = link.identify().await.map_err(|e| trouble(&link, &e))?;
        *self.link.lock().await = link.remembering(told.memo.clone());
        Ok(told)
    }

    async fn begin(&self, since: Option<i64>) -> Result<subscriptions::Outline, Trouble> {
        let link = self.link().await;
        link.begin_subscriptions(since)
            .await
            .map_err(|e| trouble(&link, &e))
    }

    async fn page(&self, cursor: &[u8]) -> Result<subscriptions::Page, Trouble> {
        let link = self.link().await;
        link.download_subscriptions(cursor)
            .await
            .map_err(|e| trouble(&link, &e))
    }

    async fn pools(&self, resume: Option<&[u8]>) -> Result<consumption::Page, Trouble> {
        let link = self.link().await;
        link.download_consumption(resume)
            .await
            .map_err(|e| trouble(&link, &e))
    }

    async fn gate(&self, usage: Option<Usage>, was_paused: bool) -> Result<Gate, Trouble> {
        let Some(usage) = usage else {
            return Ok(Gate::Go);
        };
        let (used, limit) = (usage.used, usage.limit);
        let count = |calls: u64| i64::try_from(calls).unwrap_or(i64::MAX);
        let decision = quota::decide(
            count(used),
            count(limit),
            75,
            quota::Purpose::Sync,
            was_paused,
        );
        Ok(match decision {
            quota::Decision::Go => Gate::Go,
            quota::Decision::Pause => Gate::Pause { used, limit },
        })
    }
}
