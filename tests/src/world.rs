//! A host on a fixed day, with a practice org in this process behind the real component and the real egress guard.
//!
//! [`World`] covers downloads: the profile stands in the database as if it had been published, and [`Reader`] hands the run the
//! component's answers, with the effect points of a call (`guest.call`, `http.send`, `http.answer`) around them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use seatwise::app::host::{Host, HostOptions, Parts};
use seatwise::audit::signer::Signer;
use seatwise::identity::roles::{Actor, Role, Via};
use seatwise::jobs::{self, Claimed, JobKind, JobOutcome};
use seatwise::kernel::chance::SeededChance;
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::Faults;
use seatwise::kernel::seal::Sealer;
use seatwise::kernel::{OrgId, Problem, ProfileId, RunId};
use seatwise::store::Store;
use seatwise::sync::source::{Class, Gate, Source, Trouble};
use seatwise::sync::{RunKind, RunView, StartRun, download, service};
use seatwise_practice_org_salesforce::{Listen, OrgSpec, PracticeOrg, Running};
use seatwise_runtime::contract::types::{Context, Failure, FailureKind, Usage};
use seatwise_runtime::contract::{connection, consumption, http, subscriptions};
use seatwise_runtime::{
    AllowTargets, Call, CallError, Component, Egress, EgressObserver, EgressOptions, Grant,
    GrantPort, GuardedClient, HttpPort, Limits, LogLevel, LogSink, Manifest, Refusal, Runtime,
    RuntimeOptions,
};
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
    /// A host at [`T0_MS`] with a published profile for an org of this spec.
    pub async fn new(database: &Database, spec: OrgSpec, faults: Arc<dyn Faults>) -> Self {
        let org_id = spec.org_id.clone();
        let client = (
            spec.apps[0].client_id.clone(),
            spec.apps[0].client_secret.clone(),
        );
        let org = PracticeOrg::start(spec, Listen::loopback())
            .await
            .expect("the practice org listens on loopback");
        org.control().set_now(Some(T0_MS));
        let clock = Arc::new(SetClock::at(T0_MS));
        let store = database.open_with(faults.clone()).await;
        publish(&store, &org_id).await;
        let org = Arc::new(org);
        Self::over(database, store, clock, org, client, faults)
    }

    /// What a restart of the host finds: the same database, clock and vendor, a new process.
    pub async fn restarted(&self, faults: Arc<dyn Faults>) -> Self {
        self.host.store.close().await;
        let store = self.database.open_with(faults.clone()).await;
        crate::database::expire_leases(&store).await;
        let client = self.source.token.client.clone();
        Self::over(
            &self.database,
            store,
            self.clock.clone(),
            self.org.clone(),
            client,
            faults,
        )
    }

    fn over(
        database: &Database,
        store: Store,
        clock: Arc<SetClock>,
        org: Arc<Running>,
        client: (String, String),
        faults: Arc<dyn Faults>,
    ) -> Self {
        let host = Host::new(Parts {
            store,
            clock: clock.clone(),
            chance: Arc::new(SeededChance::new(42)),
            faults: faults.clone(),
            signer: Signer::new([7; 32]),
            sealer: Sealer::new(&[9; 32].into()),
            options: HostOptions {
                data_dir: database.folder().to_owned(),
                public_url: "http://127.0.0.1".to_owned(),
            },
        });
        let source = Arc::new(Reader::new(&org, client, clock.clone(), faults));
        Self {
            host,
            clock,
            org,
            profile: PROFILE.into(),
            organization: ORGANIZATION.into(),
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

/// The component, compiled once for all tests of the process.
fn component() -> &'static (Arc<Manifest>, Component) {
    static COMPONENT: OnceLock<(Arc<Manifest>, Component)> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let builtin = seatwise_builtin_connectors::all()
            .iter()
            .find(|connector| connector.id == "salesforce")
            .expect("the connector is built in");
        let manifest = Arc::new(Manifest::parse(builtin.manifest).expect("the manifest parses"));
        let runtime = Runtime::new(RuntimeOptions::default()).expect("the engine starts");
        let component = runtime
            .load(builtin.component, manifest.clone())
            .expect("the component loads");
        (manifest, component)
    })
}

/// Reads an org through the component, as the host's link does.
pub struct Reader {
    component: Component,
    http: Arc<Port>,
    clock: Arc<SetClock>,
    token: Arc<Token>,
    memo: Mutex<Vec<u8>>,
    faults: Arc<dyn Faults>,
    limits: Limits,
}

impl Reader {
    fn new(
        org: &Running,
        client: (String, String),
        clock: Arc<SetClock>,
        faults: Arc<dyn Faults>,
    ) -> Self {
        let (manifest, component) = component();
        let address = org.address();
        let mut allow = AllowTargets::none();
        allow.insert("127.0.0.1", address.port());
        let token = Arc::new(Token {
            login: org.base_url().to_owned(),
            client,
            guarded: GuardedClient::new(allow.clone(), &[]).expect("the client for tokens starts"),
            grant: Mutex::new(None),
        });
        let egress = Egress::new(EgressOptions {
            manifest: manifest.clone(),
            grants: token.clone(),
            observer: Arc::new(Deaf),
            allow,
            extra_roots: Vec::new(),
        })
        .expect("the egress guard starts");
        Self {
            component: component.clone(),
            http: Arc::new(Port {
                egress,
                faults: faults.clone(),
            }),
            clock,
            token,
            memo: Mutex::new(Vec::new()),
            faults,
            limits: Limits::default(),
        }
    }

    async fn context(&self) -> (Call, Context) {
        use seatwise::kernel::Clock as _;
        let now = self.clock.now_ms();
        let call = Call {
            http: self.http.clone(),
            log: Arc::new(Deaf),
            now_ms: now,
            limits: self.limits.clone(),
        };
        let context = Context {
            now,
            settings: "{}".to_owned(),
            granted_scopes: vec!["api".to_owned()],
            memo: self.memo.lock().await.clone(),
        };
        (call, context)
    }

    fn enter(&self) -> Result<(), Trouble> {
        self.faults.step("guest.call").map_err(|fault| Trouble {
            class: Class::Final,
            is_too_fast: false,
            problem: Problem::new("test.fault", 500, fault.to_string(), "Start the host again"),
        })
    }
}

fn trouble(error: &CallError) -> Trouble {
    let (class, is_too_fast, message) = match error {
        CallError::Failed(failure) => (
            Class::of(failure.kind, failure.retry_after_ms.map(u64::from)),
            failure.kind == FailureKind::RateLimited,
            failure.message.clone(),
        ),
        CallError::Timeout { .. } => (Class::Passing(None), false, error.to_string()),
        _ => (Class::Final, false, error.to_string()),
    };
    Trouble {
        class,
        is_too_fast,
        problem: Problem::new(
            error.code(),
            502,
            message,
            "Look at the vendor's status and run again",
        ),
    }
}

#[async_trait]
impl Source for Reader {
    fn digest(&self) -> String {
        self.component.digest().to_owned()
    }

    async fn identify(&self) -> Result<connection::Organization, Trouble> {
        self.enter()?;
        let (call, context) = self.context().await;
        let told = self
            .component
            .identify(&call, &context)
            .await
            .map_err(|error| trouble(&error))?;
        self.memo.lock().await.clone_from(&told.memo);
        Ok(told)
    }

    async fn begin(&self, since: Option<i64>) -> Result<subscriptions::Outline, Trouble> {
        self.enter()?;
        let (call, context) = self.context().await;
        self.component
            .begin_subscriptions(&call, &context, since)
            .await
            .map_err(|error| trouble(&error))
    }

    async fn page(&self, cursor: &[u8]) -> Result<subscriptions::Page, Trouble> {
        self.enter()?;
        let (call, context) = self.context().await;
        self.component
            .download_subscriptions(&call, &context, cursor)
            .await
            .map_err(|error| trouble(&error))
    }

    async fn pools(&self, resume: Option<&[u8]>) -> Result<consumption::Page, Trouble> {
        self.enter()?;
        let (call, context) = self.context().await;
        self.component
            .download_consumption(&call, &context, resume)
            .await
            .map_err(|error| trouble(&error))
    }

    async fn gate(&self, _usage: Option<Usage>) -> Result<Gate, Trouble> {
        // The budget is the link's own business and has its own tests.
        Ok(Gate::Go)
    }
}

/// The egress guard with effect points on both sides.
struct Port {
    egress: Egress,
    faults: Arc<dyn Faults>,
}

#[async_trait]
impl HttpPort for Port {
    async fn send(&self, request: http::Request) -> Result<http::Response, Failure> {
        self.step("http.send")?;
        let answer = self.egress.send(request).await;
        self.step("http.answer")?;
        answer
    }
}

impl Port {
    fn step(&self, point: &'static str) -> Result<(), Failure> {
        self.faults
            .step(point)
            .map_err(|fault| failure(FailureKind::Internal, fault.to_string()))
    }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure {
        kind,
        code: "test".to_owned(),
        message,
        retry_after_ms: None,
    }
}

/// Client credentials, one renewal at a time.
struct Token {
    login: String,
    client: (String, String),
    guarded: GuardedClient,
    grant: Mutex<Option<Grant>>,
}

impl Token {
    async fn fetch(&self, generation: u64) -> Result<Grant, Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client.0)
            .append_pair("client_secret", &self.client.1)
            .finish();
        let request = ::http::Request::post(format!("{}/services/oauth2/token", self.login))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .expect("a token request is well formed");
        let answer = self.guarded.send(&[], request).await?;
        if answer.status().is_server_error() {
            return Err(failure(
                FailureKind::Transient,
                "the token endpoint is away".to_owned(),
            ));
        }
        let answer: serde_json::Value = serde_json::from_slice(answer.body())
            .map_err(|error| failure(FailureKind::Malformed, error.to_string()))?;
        let (Some(token), Some(base)) = (
            answer["access_token"].as_str(),
            answer["instance_url"].as_str(),
        ) else {
            return Err(failure(FailureKind::Auth, answer.to_string()));
        };
        let base = base.parse().map_err(|_| {
            failure(
                FailureKind::Malformed,
                "instance_url is not a URL".to_owned(),
            )
        })?;
        let bases = BTreeMap::from([("instance".to_owned(), base)]);
        Ok(Grant::bearer(token, bases, generation))
    }
}

#[async_trait]
impl GrantPort for Token {
    async fn current(&self) -> Result<Grant, Failure> {
        let mut held = self.grant.lock().await;
        if let Some(grant) = &*held {
            return Ok(grant.clone());
        }
        let grant = self.fetch(1).await?;
        *held = Some(grant.clone());
        Ok(grant)
    }

    async fn renew(&self, rejected_generation: u64) -> Result<Grant, Failure> {
        let mut held = self.grant.lock().await;
        match &*held {
            Some(grant) if grant.generation > rejected_generation => Ok(grant.clone()),
            _ => {
                let grant = self.fetch(rejected_generation + 1).await?;
                *held = Some(grant.clone());
                Ok(grant)
            }
        }
    }
}

/// Hears nothing: these tests look at the database and at the vendor.
struct Deaf;

impl EgressObserver for Deaf {
    fn answered(&self, _origin: &str, _status: u16, _headers: &::http::HeaderMap) {}
    fn refused(&self, _reason: Refusal, _detail: &str) {}
}

impl LogSink for Deaf {
    fn emit(&self, _level: LogLevel, _message: &str, _fields: &[(String, String)]) {}
}
