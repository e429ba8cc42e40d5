//! The company of the worked example (`sam-domain.md` §10): two practice orgs, a directory, rights, exemptions, and a rule for Sales
//! Cloud that Ana has changed to her taste. Ben has decided nothing yet.

use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::app::worker;
use seatwise::entitlements::model::SourceOfRights;
use seatwise::entitlements::service::{self as entitlements, NewEntitlement};
use seatwise::entitlements::terms::Period;
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::kernel::Day;
use seatwise::kernel::clock::{DAY_MS, SetClock};
use seatwise::kernel::faults::Faults;
use seatwise::people::service as people;
use seatwise::profiles::model::WriteMode;
use seatwise::profiles::service::{self as profiles, NewProfile};
use seatwise::reclamation::candidate::State;
use seatwise::reclamation::candidates::{self, CandidateFilter};
use seatwise::reclamation::controls::{self, NewExemption};
use seatwise::reclamation::model::{BatchView, CandidateView, RuleView};
use seatwise::reclamation::rule::{Edit, Silence};
use seatwise::reclamation::{batches, rules};
use seatwise::reconciliation::{PositionView, ReconciliationView, service as reconciliation};
use seatwise_practice_org_salesforce::{Listen, Moment, PracticeOrg, Running, worked_example};

use crate::database::{Database, count, expire_leases};
use crate::world::{T0_MS, host, person};

/// How the rights are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// One contract over both orgs.
    Shared,
    /// The vendor enforces seats per org; entitlements only carry prices.
    PerOrganization,
}

/// The company on a day.
pub struct Company {
    /// The host.
    pub host: Host,
    /// Its clock, and the vendors'.
    pub clock: Arc<SetClock>,
    /// Org1 and Org2.
    pub orgs: [Arc<Running>; 2],
    /// Connected the orgs, set the prices, made the exemptions, changed the rule.
    pub ana: Actor,
    /// The approver.
    pub ben: Actor,
    /// Numbers of the two profiles.
    pub profiles: Vec<String>,
    /// The database underneath.
    pub database: Database,
    starts: u64,
}

/// A company at a moment that can be had again and again, one at a time: its orgs are the same ones, put back.
pub struct Remembered {
    company: Company,
    moments: [Moment; 2],
    at_ms: i64,
}

impl Remembered {
    /// The company as it stood, on a database of its own, with a host that was just started.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn again(&self, faults: Arc<dyn Faults>) -> Company {
        let Company {
            orgs,
            ana,
            ben,
            profiles,
            database,
            starts,
            ..
        } = &self.company;
        for (org, moment) in orgs.iter().zip(&self.moments) {
            org.control().go_back(moment);
        }
        let database = database.copied();
        let (clock, starts) = (Arc::new(SetClock::at(self.at_ms)), starts + 1);
        let store = database.open_with(faults.clone()).await;
        let ports: Vec<u16> = orgs.iter().map(|org| org.address().port()).collect();
        let host = host(
            database.folder(),
            store,
            clock.clone(),
            &ports,
            faults,
            starts,
        );
        Company {
            host,
            clock,
            orgs: orgs.clone(),
            ana: ana.clone(),
            ben: ben.clone(),
            profiles: profiles.clone(),
            database,
            starts,
        }
    }
}

impl Company {
    /// The company at T0, downloaded and reconciled, nothing approved, both profiles in dry run.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn new(database: &Database, contract: Contract, faults: Arc<dyn Faults>) -> Self {
        let mut orgs = Vec::new();
        for spec in [worked_example::org1(T0_MS), worked_example::org2(T0_MS)] {
            let apps = spec.apps.clone();
            let org = PracticeOrg::start(spec, Listen::loopback())
                .await
                .expect("the practice org listens on loopback");
            org.control().set_now(Some(T0_MS));
            orgs.push((Arc::new(org), apps[0].clone()));
        }
        let ports: Vec<u16> = orgs.iter().map(|(org, _)| org.address().port()).collect();
        let clock = Arc::new(SetClock::at(T0_MS));
        let store = database.open_with(faults.clone()).await;
        let host = host(database.folder(), store, clock.clone(), &ports, faults, 1);
        identity::ensure_system(&host)
            .await
            .expect("the system's own actor is made");
        let mut company = Self {
            ana: person(&host, "Ana", Role::SamIntegrator).await,
            ben: person(&host, "Ben", Role::Approver).await,
            host,
            clock,
            orgs: [orgs[0].0.clone(), orgs[1].0.clone()],
            profiles: Vec::new(),
            database: database.clone(),
            starts: 1,
        };
        people::import_csv(&company.host, &company.ana, &worked_example::people_csv())
            .await
            .expect("the directory is read");
        for (name, (org, app)) in ["Org1", "Org2"].into_iter().zip(&orgs) {
            let new = NewProfile {
                connector: "salesforce".to_owned(),
                name: name.to_owned(),
                parent: None,
                login_url: org.base_url().to_owned(),
                grant: "client-credentials".to_owned(),
                client_id: app.client_id.clone(),
                client_secret: app.client_secret.clone().into(),
                refresh_token: None,
                settings: Vec::new(),
            };
            let draft = profiles::create(&company.host, &company.ana, new)
                .await
                .expect("the profile is created");
            profiles::publish(&company.host, &company.ana, &draft.number)
                .await
                .expect("the profile is published");
            company.profiles.push(draft.number);
        }
        company.work().await;
        company.buy(contract).await;
        for (principal, kind, reason) in [
            ("gus@example.com", "vip", "member of the board"),
            ("integ@example.com", "service_account", "nightly import"),
        ] {
            let new = NewExemption {
                organization: None,
                principal: principal.to_owned(),
                kind: kind.to_owned(),
                reason: reason.to_owned(),
                until: None,
            };
            controls::add_exemption(&company.host, &company.ana, new)
                .await
                .expect("the exemption is made");
        }
        let edit = Edit {
            silence: Some(Silence::Reclaim),
            ..Edit::default()
        };
        rules::edit_rule(
            &company.host,
            &company.ana,
            &company.rule().await.number,
            &edit,
        )
        .await
        .expect("the rule is changed");
        company
    }

    /// E1 to E4.
    async fn buy(&self, contract: Contract) {
        let all = [
            ("Sales Cloud", Some(10), "1800", "2025-07-01", "2026-06-30"),
            ("Platform", Some(3), "300", "2025-07-01", "2026-06-30"),
            ("Chatter Free", None, "0", "2025-07-01", "2026-06-30"),
            ("Sales Cloud", Some(5), "1800", "2025-01-01", "2025-12-31"),
        ];
        for (product, rights, price, starts, ends) in all {
            let day = |text: &str| text.parse::<Day>().expect("a day");
            let new = NewEntitlement {
                product: product.to_owned(),
                organization: None,
                is_shared: contract == Contract::Shared,
                rights,
                unit_price: price.to_owned(),
                currency: "USD".to_owned(),
                period: Period::Year,
                starts_on: day(starts),
                ends_on: day(ends),
                source: SourceOfRights::Contract,
                note: None,
            };
            entitlements::add_entitlement(&self.host, &self.ana, new)
                .await
                .expect("the entitlement is entered");
        }
        self.work().await;
    }

    /// Ends the host and remembers how everything stands, so that the same moment can be had again and again.
    pub async fn remembered(self) -> Remembered {
        self.host.store.close().await;
        Remembered {
            moments: self.orgs.each_ref().map(|org| org.control().moment()),
            at_ms: self.clock_ms(),
            company: self,
        }
    }

    /// What a restart of the host finds.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restarted(self, faults: Arc<dyn Faults>) -> Self {
        self.host.store.close().await;
        let store = self.database.open_with(faults.clone()).await;
        expire_leases(&store).await;
        let ports: Vec<u16> = self.orgs.iter().map(|org| org.address().port()).collect();
        let starts = self.starts + 1;
        let host = host(
            self.database.folder(),
            store,
            self.clock.clone(),
            &ports,
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
    ///
    /// # Panics
    /// When it does not start.
    pub async fn second_host(&self, faults: Arc<dyn Faults>) -> Host {
        let store = self.database.open_with(faults.clone()).await;
        let ports: Vec<u16> = self.orgs.iter().map(|org| org.address().port()).collect();
        let folder = self.database.folder();
        host(
            folder,
            store,
            self.clock.clone(),
            &ports,
            faults,
            self.starts + 100,
        )
    }

    /// Works off everything that is due now. What a fault breaks stays for the next start.
    pub async fn work(&self) {
        if let Err(error) = worker::run_due(&self.host).await {
            eprintln!("the worker stopped: {error}");
        }
    }

    /// Puts the clock of host and vendors to nine in the morning of a day, and does what is due by then.
    ///
    /// # Panics
    /// When the day lies in the past.
    pub async fn on(&self, day: &str) {
        let at = day.parse::<Day>().expect("a day").start_ms() + 9 * 3_600_000;
        assert!(at >= self.clock_ms(), "{day} lies in the past");
        self.advance(at - self.clock_ms());
        self.work().await;
    }

    /// Lets time pass for host and vendors.
    pub fn advance(&self, ms: i64) {
        self.clock.advance(ms);
        for org in &self.orgs {
            org.control().set_now(Some(self.clock_ms()));
        }
    }

    fn clock_ms(&self) -> i64 {
        self.host.now_ms()
    }

    /// Downloads both orgs, and does what follows.
    ///
    /// # Panics
    /// When a run does not start.
    pub async fn collect(&self) {
        for profile in &self.profiles {
            profiles::collect_now(&self.host, &self.ana, profile)
                .await
                .expect("a run starts");
        }
        self.work().await;
        // What was opened or closed by it is reconciled, too.
        reconciliation::reconcile(&self.host, &self.ana, "demand")
            .await
            .expect("it reconciles");
    }

    /// Ana goes live with both profiles.
    ///
    /// # Panics
    /// When a check fails.
    pub async fn go_live(&self) {
        for profile in &self.profiles {
            profiles::set_write_mode(&self.host, &self.ana, profile, WriteMode::Live)
                .await
                .expect("going live is allowed");
        }
        self.work().await;
    }

    /// The rule of Sales Cloud.
    ///
    /// # Panics
    /// When there is none.
    pub async fn rule(&self) -> RuleView {
        rules::list_rules(&self.host, &self.ben)
            .await
            .expect("rules can be listed")
            .into_iter()
            .find(|rule| rule.product == "Sales Cloud")
            .expect("a rule was proposed")
    }

    /// Approval A by Ben.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn approve_rule(&self) {
        let rule = self.rule().await;
        rules::approve_rule(&self.host, &self.ben, &rule.number, &rule.digest)
            .await
            .expect("Ben approves the rule");
        self.work().await;
    }

    /// Approval B by Ben of all that are ready.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn approve_all(&self) -> BatchView {
        let rule = self.rule().await;
        let batch = batches::create_batch(&self.host, &self.ben, &rule.number, &[])
            .await
            .expect("a list is made");
        let approved = batches::approve_batch(&self.host, &self.ben, &batch.number, &batch.digest)
            .await
            .expect("Ben approves the list");
        self.work().await;
        approved
    }

    /// The newest candidate of a person in an org, by first name.
    ///
    /// # Panics
    /// When there is none.
    pub async fn candidate(&self, first_name: &str) -> CandidateView {
        let filter = CandidateFilter {
            search: Some(format!("{first_name}@")),
            ..CandidateFilter::default()
        };
        candidates::list_candidates(&self.host, &self.ben, &filter, 1)
            .await
            .expect("candidates can be listed")
            .pop()
            .unwrap_or_else(|| panic!("{first_name} is no candidate"))
    }

    /// Where the newest candidate of each of these people stands.
    pub async fn states(&self, first_names: &[&str]) -> Vec<State> {
        let mut states = Vec::new();
        for name in first_names {
            states.push(self.candidate(name).await.state);
        }
        states
    }

    /// The newest reconciliation.
    ///
    /// # Panics
    /// When there is none.
    pub async fn reconciliation(&self) -> ReconciliationView {
        reconciliation::get_reconciliation(&self.host, &self.ben, None)
            .await
            .expect("it was reconciled")
    }

    /// The position of a product for the contract, or for an organization by its place.
    ///
    /// # Panics
    /// When there is none.
    pub async fn position(&self, product: &str, scope: &str) -> PositionView {
        let view = self.reconciliation().await;
        let found = view
            .positions
            .iter()
            .find(|p| p.product == product && (p.scope == scope || p.scope_name == scope));
        found
            .unwrap_or_else(|| panic!("{product} has no position in {scope}: {:?}", view.positions))
            .clone()
    }

    /// The vendor's id of a person in Org1 or Org2.
    ///
    /// # Panics
    /// When the org does not know them.
    #[must_use]
    pub fn vendor_id(&self, org: usize, first_name: &str) -> String {
        let spec = if org == 0 {
            worked_example::org1(T0_MS)
        } else {
            worked_example::org2(T0_MS)
        };
        spec.user_id_of(&format!("{first_name}@example.com"))
            .unwrap_or_else(|| panic!("{first_name} is not in the org"))
    }

    /// Somebody logs in at the vendor now.
    pub fn login(&self, org: usize, first_name: &str) {
        let path = format!("users/{}/login", self.vendor_id(org, first_name));
        let (status, _) = self.orgs[org]
            .control()
            .call("POST", &path, &serde_json::json!({}));
        assert_eq!(status, 200, "{first_name} logs in");
    }

    /// How many writes reached the vendors.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.orgs
            .iter()
            .map(|org| org.control().writes().len())
            .sum()
    }

    /// How many writes reached a person's record in an org.
    #[must_use]
    pub fn writes_to(&self, org: usize, first_name: &str) -> usize {
        self.orgs[org]
            .control()
            .write_count(&self.vendor_id(org, first_name))
    }

    /// One number from the database.
    ///
    /// # Panics
    /// When the statement fails.
    pub async fn count(&self, statement: &'static str) -> i64 {
        count(&self.host.store, statement).await
    }

    /// One more approver.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn approver(&self, name: &str) -> Actor {
        person(&self.host, name, Role::Approver).await
    }

    /// Nothing is downloaded by itself any more.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn pause_schedules(&self) {
        let mut tx = self.host.store.begin().await.expect("a write begins");
        sqlx::query("update jobs set state = 'cancelled' where kind = 'schedule'")
            .execute(tx.conn())
            .await
            .expect("jobs are rows");
        tx.commit().await.expect("the write commits");
    }

    /// Fifteen days at once: every silence has ended.
    pub async fn silence(&self) {
        self.advance(15 * DAY_MS);
        self.work().await;
    }
}
