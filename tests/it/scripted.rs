//! A host whose runs read from a script: what a connector would answer, page by page, without a sandbox.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use seatwise::app::host::{Host, HostOptions, Parts};
use seatwise::audit::signer::Signer;
use seatwise::connectors::{ConnectorOptions, Connectors};
use seatwise::identity::roles::{Actor, Role, Via};
use seatwise::jobs::{self, JobKind, JobOutcome};
use seatwise::kernel::chance::SeededChance;
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::seal::Sealer;
use seatwise::kernel::{Day, Problem, ProfileId, RunId};
use seatwise::sync::source::{Checked, Class, Gate, Source, Standing, Trouble};
use seatwise::sync::{RunKind, RunView, StartRun, download, service};
use seatwise_runtime::contract::activity;
use seatwise_runtime::contract::connection::{CheckInfo, CheckResult, Environment, Organization};
use seatwise_runtime::contract::consumption::{self, Metric, Pool};
use seatwise_runtime::contract::subscriptions::{
    Account, AccountFact, AccountKind, Assignment, Fact, LastActivity, Outline, Page,
};
use seatwise_runtime::contract::types::Usage;
use seatwise_tests::database::Database;

/// Milliseconds of a day's ninth hour.
pub fn at(day: &str) -> i64 {
    day.parse::<Day>().unwrap().start_ms() + 9 * 3_600_000
}

/// Ana, who may do everything but approve.
pub fn ana() -> Actor {
    Actor {
        id: "prin_ana".into(),
        name: "Ana".to_owned(),
        roles: [Role::SamIntegrator, Role::SamAdmin].into(),
        via: Via::Session {
            session: "sess_1".to_owned(),
        },
        sight: seatwise::store::Sight::everything(),
    }
}

/// What the vendor would answer.
#[derive(Default)]
pub struct Script {
    /// Pages of each chain.
    pub chains: Vec<Vec<Page>>,
    /// The vendor's count of accounts.
    pub expected: Option<u64>,
    /// Pages of days of activity of each chain; empty: nothing deeper than the last login is read.
    pub history: Vec<Vec<Vec<activity::ActivityDay>>>,
    /// Calls used, as pages of activity tell it; `None`: as all others do.
    pub history_used: Option<u64>,
    /// What the first call for activity answers instead.
    pub history_trouble: Option<Trouble>,
    /// What the vendor counts; `None`: not readable.
    pub pools: Option<Vec<Pool>>,
    /// Cursors whose page fails, with how; each once when `true`.
    pub failing: Vec<(String, Trouble, bool)>,
    /// A chain's last page leads back to its first.
    pub is_circle: bool,
    /// Never answers a page.
    pub hangs: bool,
    /// Calls used, for the gate that pauses at 75 of 100.
    pub used: u64,
    /// Every call, in order.
    pub asked: Vec<String>,
}

/// A source that follows a [`Script`].
#[derive(Default)]
pub struct Scripted(pub Mutex<Script>);

impl Scripted {
    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.lock().unwrap());
    }

    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

pub fn trouble(class: Class) -> Trouble {
    Trouble {
        class,
        is_too_fast: false,
        problem: Problem::new(
            "vendor.scripted",
            502,
            "the script said so",
            "nothing to do",
        ),
    }
}

#[async_trait]
impl Source for Scripted {
    async fn digest(&self) -> String {
        "digest".to_owned()
    }

    async fn identify(&self) -> Result<Organization, Trouble> {
        Ok(Organization {
            id: "V1".to_owned(),
            name: "Org1".to_owned(),
            environment: Environment::Sandbox,
            edition: None,
            time_zone: None,
            accounts: None,
            memo: vec![1],
        })
    }

    async fn checks(&self) -> Result<Vec<CheckInfo>, Trouble> {
        Ok(Vec::new())
    }

    async fn check(&self, _id: &str) -> Result<CheckResult, Trouble> {
        Err(trouble(Class::Final))
    }

    async fn judge(&self, _checked: Vec<Checked>) -> Result<Standing, Trouble> {
        Ok(Standing::default())
    }

    async fn begin(&self, since: Option<i64>) -> Result<Outline, Trouble> {
        let mut script = self.0.lock().unwrap();
        script.asked.push(format!("begin {since:?}"));
        let chains = (0..script.chains.len())
            .map(|chain| format!("{chain}:0").into_bytes())
            .collect();
        Ok(Outline {
            chains,
            expected_accounts: script.expected,
            usage: Some(Usage {
                used: script.used,
                limit: 100,
            }),
        })
    }

    async fn page(&self, cursor: &[u8]) -> Result<Page, Trouble> {
        let key = String::from_utf8(cursor.to_vec()).unwrap();
        let hangs = {
            let mut script = self.0.lock().unwrap();
            script.asked.push(key.clone());
            if let Some(at) = script
                .failing
                .iter()
                .position(|(cursor, ..)| *cursor == key)
            {
                let (_, trouble, once) = script.failing[at].clone();
                if once {
                    script.failing.remove(at);
                }
                return Err(trouble);
            }
            script.hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let script = self.0.lock().unwrap();
        let (chain, number) = key.split_once(':').unwrap();
        let pages = &script.chains[chain.parse::<usize>().unwrap()];
        let number: usize = number.parse().unwrap();
        let mut page = pages[number].clone();
        page.next = if number + 1 < pages.len() {
            Some(format!("{chain}:{}", number + 1).into_bytes())
        } else if script.is_circle {
            Some(format!("{chain}:0").into_bytes())
        } else {
            None
        };
        page.usage = Some(Usage {
            used: script.used,
            limit: 100,
        });
        Ok(page)
    }

    async fn pools(&self, _: Option<&[u8]>) -> Result<consumption::Page, Trouble> {
        match &self.0.lock().unwrap().pools {
            Some(pools) => Ok(consumption::Page {
                pools: pools.clone(),
                next: None,
                usage: None,
            }),
            None => Err(trouble(Class::Absent)),
        }
    }

    async fn begin_activity(&self, since: i64) -> Result<activity::Outline, Trouble> {
        let mut script = self.0.lock().unwrap();
        if let Some(trouble) = &script.history_trouble {
            return Err(trouble.clone());
        }
        if !script.history.is_empty() {
            script.asked.push(format!("activity since {since}"));
        }
        Ok(activity::Outline {
            chains: (0..script.history.len())
                .map(|chain| format!("{chain}:0").into_bytes())
                .collect(),
            complete_from: Some(since.max(at("2025-10-01"))),
            usage: None,
        })
    }

    async fn activity(&self, cursor: &[u8]) -> Result<activity::Page, Trouble> {
        let key = String::from_utf8(cursor.to_vec()).unwrap();
        let mut script = self.0.lock().unwrap();
        script.asked.push(format!("activity {key}"));
        let failing = format!("activity {key}");
        if let Some(at) = script
            .failing
            .iter()
            .position(|(cursor, ..)| *cursor == failing)
        {
            let (_, trouble, once) = script.failing[at].clone();
            if once {
                script.failing.remove(at);
            }
            return Err(trouble);
        }
        let (chain, number) = key.split_once(':').unwrap();
        let pages = &script.history[chain.parse::<usize>().unwrap()];
        let number: usize = number.parse().unwrap();
        Ok(activity::Page {
            days: pages[number].clone(),
            next: (number + 1 < pages.len())
                .then(|| format!("{chain}:{}", number + 1).into_bytes()),
            usage: Some(Usage {
                used: script.history_used.unwrap_or(script.used),
                limit: 100,
            }),
        })
    }

    async fn gate(&self, usage: Option<Usage>, was_paused: bool) -> Result<Gate, Trouble> {
        let threshold = if was_paused { 70 } else { 75 };
        Ok(match usage {
            Some(Usage { used, limit }) if used >= threshold => Gate::Pause { used, limit },
            _ => Gate::Go,
        })
    }
}

/// A host with one published profile, or more, whose vendor follows a script.
pub struct Desk {
    pub host: Host,
    pub clock: Arc<SetClock>,
    pub source: Arc<Scripted>,
    pub profile: ProfileId,
}

impl Desk {
    /// On a day, with the profile `prof_1` of the organization `org_1`.
    pub async fn new(database: &Database, day: &str) -> Self {
        let clock = Arc::new(SetClock::at(at(day)));
        let host = Host::new(Parts {
            store: database.open().await,
            clock: clock.clone(),
            chance: Arc::new(SeededChance::new(7)),
            faults: Arc::new(NoFaults),
            signer: Signer::new([7; 32]),
            sealer: Sealer::new(&[9; 32].into()),
            connectors: Connectors::new(ConnectorOptions::default()).unwrap(),
            options: HostOptions {
                data_dir: database.folder().to_owned(),
                public_url: "http://127.0.0.1".to_owned(),
                mail: None,
                outbound: Vec::new(),
            },
            stop: seatwise::app::stop::Stop::default(),
        });
        let desk = Self {
            host,
            clock,
            source: Arc::default(),
            profile: "prof_1".into(),
        };
        desk.execute(
            "insert into connectors (id, name, version, digest, key_id, created_at) values ('salesforce', 'Vendor', '0', 'd', 'k', 0)",
        )
        .await;
        desk.connect(1).await;
        desk
    }

    /// One more published profile, `prof_N` of `org_N`.
    pub async fn connect(&self, n: u32) {
        for statement in [
            format!(
                "insert into aliases (id, connector_id, name, properties, created_at) values ('alias_{n}', 'salesforce', 'A{n}', '{{}}', 0)"
            ),
            format!(
                "insert into organizations (id, connector_id, vendor_org_id, name, environment, memo, created_at, updated_at) \
                values ('org_{n}', 'salesforce', 'V1{}', 'Org{n}', 'sandbox', {}, 0, 0)",
                if n == 1 { "" } else { "x" },
                self.host.store.dialect().pick("x''", "''::bytea")
            ),
            format!(
                "insert into profiles (id, number, name, connector_id, alias_id, organization_id, state, schedule_cron, schedule_zone, \
                created_by, changed_by, created_at, updated_at) values ('prof_{n}', 'PRF000{n}', 'P{n}', 'salesforce', 'alias_{n}', 'org_{n}', \
                'published', '0 3 * * *', 'UTC', 'prin_ana', 'prin_ana', 0, 0)"
            ),
        ] {
            self.execute(&statement).await;
        }
    }

    pub async fn execute(&self, statement: &str) {
        let mut tx = self.host.store.begin().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn count(&self, statement: &str) -> i64 {
        use sqlx::Row as _;
        let mut tx = self.host.store.read_everything().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get(0)
    }

    pub async fn start(&self, kind: RunKind) -> RunId {
        let mut tx = self.host.store.begin().await.unwrap();
        let start = StartRun {
            profile: &self.profile,
            kind,
            trigger: "collect_now",
        };
        let run = service::start_run(&self.host, &mut tx, &ana(), start)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        run
    }

    /// Works off what is due; what follows a run is done by the tests that look at it.
    pub async fn work(&self) {
        while let Some(job) = jobs::claim(&self.host.store, self.host.now_ms(), "here")
            .await
            .unwrap()
        {
            let outcome = match job.kind {
                JobKind::Sync => download::drive(&self.host, &job, self.source.clone()).await,
                JobKind::AfterRun => seatwise::app::runs::after_run(&self.host, &job).await,
                JobKind::Reconcile => {
                    seatwise::reconciliation::service::handle(&self.host, &job).await
                }
                _ => JobOutcome::Done,
            };
            if let JobOutcome::RetryAt(_, why) = &outcome {
                println!("{} is tried again: {why}", job.kind.as_str());
            }
            let mut tx = self.host.store.begin().await.unwrap();
            jobs::settle(&mut tx, self.host.now_ms(), &job, &outcome)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    }

    pub async fn view(&self, run: &RunId) -> RunView {
        service::get_run(&self.host, &ana(), run.as_str())
            .await
            .unwrap()
    }

    /// A full run from start to where it ends or waits.
    pub async fn collect(&self) -> RunView {
        let run = self.start(RunKind::Full).await;
        self.work().await;
        self.view(&run).await
    }
}

/// An account that was active at a moment.
pub fn person(id: &str, last: LastActivity) -> Account {
    Account {
        id: id.to_owned(),
        principal: format!("{id}@acme.com"),
        email: None,
        name: Some(id.to_owned()),
        kind: AccountKind::Person,
        active: true,
        created: Some(at("2023-01-09")),
        last_activity: last,
        attributes: vec![],
    }
}

pub fn holds(account: &str, identifier: &str) -> Assignment {
    Assignment {
        account: account.to_owned(),
        identifier: identifier.to_owned(),
        id: None,
        assigned: None,
        evidence: vec![],
    }
}

pub fn frozen(account: &str) -> AccountFact {
    AccountFact {
        account: account.to_owned(),
        fact: Fact::Frozen(true),
    }
}

/// A page of accounts, each holding the identifier.
pub fn page(accounts: Vec<Account>, identifier: &str) -> Page {
    Page {
        assignments: accounts
            .iter()
            .map(|account| holds(&account.id, identifier))
            .collect(),
        accounts,
        facts: vec![],
        next: None,
        out_of_scope: 0,
        usage: None,
    }
}

/// `count` people, a page of `size` each, in one chain.
pub fn crowd(count: usize, size: usize) -> Vec<Page> {
    let all: Vec<Account> = (0..count)
        .map(|n| person(&format!("u{n:06}"), LastActivity::At(at("2026-03-01"))))
        .collect();
    all.chunks(size)
        .map(|chunk| page(chunk.to_vec(), "SFDC"))
        .collect()
}

/// So many events of an account at one hour of a day.
pub fn events(
    account: &str,
    day: &str,
    kind: activity::Kind,
    outcome: activity::Outcome,
    count: u32,
) -> activity::ActivityDay {
    activity::ActivityDay {
        account: account.to_owned(),
        day: day.to_owned(),
        kind,
        outcome,
        count,
        last: at(day),
        source: "login_history".to_owned(),
    }
}

pub fn seats(identifier: &str, owned: u64, used: u64) -> Pool {
    Pool {
        identifier: identifier.to_owned(),
        label: identifier.to_owned(),
        metric: Metric::Seats,
        owned: Some(owned),
        used: Some(used),
        period: None,
        expires: None,
        active: true,
        attributes: vec![],
    }
}
