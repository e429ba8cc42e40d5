//! Practice orgs by connector: what `practice-org` serves and what the demo connects to. The host sees only these plain types.

use std::net::SocketAddr;

use seatwise_practice_org_salesforce as salesforce;

/// Why a practice org or a scenario cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    /// No connector of this build has a practice org under this name.
    #[error("the connector `{0}` has no practice org; those that have one: salesforce")]
    Unknown(String),
    /// A fault spec that cannot be read.
    #[error("{0}")]
    Faults(#[from] salesforce::FaultsError),
    /// The org did not start.
    #[error("{0}")]
    Start(#[from] salesforce::PracticeError),
}

/// A running practice org. Dropped, it stops.
pub struct RunningOrg {
    org: salesforce::Running,
    /// Where to sign in, for a profile's login address.
    pub login_url: String,
    /// `host:port`, for the operator's list of private targets.
    pub target: String,
    /// https address, where it was asked for.
    pub https_url: Option<String>,
    /// PEM of the throw-away authority behind the https address.
    pub ca_pem: Option<String>,
    /// Grant to choose.
    pub grant: &'static str,
    /// Client id of its app.
    pub client_id: String,
    /// Client secret of its app.
    pub client_secret: String,
}

impl RunningOrg {
    async fn start(
        spec: salesforce::OrgSpec,
        listen: salesforce::Listen,
    ) -> Result<Self, PracticeError> {
        let app = spec.apps.first().cloned();
        let org = salesforce::PracticeOrg::start(spec, listen).await?;
        let (client_id, client_secret) =
            app.map_or_else(Default::default, |app| (app.client_id, app.client_secret));
        Ok(Self {
            login_url: org.base_url().to_owned(),
            target: org.address().to_string(),
            https_url: org.https_url().map(str::to_owned),
            ca_pem: org.ca_pem().map(str::to_owned),
            grant: "client-credentials",
            client_id,
            client_secret,
            org,
        })
    }

    /// Seats in use under an identifier, by the vendor's own count.
    #[must_use]
    pub fn seats_used(&self, identifier: &str) -> Option<i64> {
        self.org.control().used_licences(identifier)
    }

    /// How many writes reached one record, by the vendor's id.
    #[must_use]
    pub fn writes_to(&self, id: &str) -> usize {
        self.org.control().write_count(id)
    }

    /// How many writes reached the vendor's records.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.org.control().writes().len()
    }
}

/// One org of a scenario.
pub struct ScenarioOrg {
    /// Name for its profile.
    pub profile: &'static str,
    /// Settings of its profile that differ from the defaults, as name and value.
    pub settings: &'static [(&'static str, &'static str)],
    /// The vendor.
    pub org: RunningOrg,
}

/// Rights that a scenario owns.
pub struct ScenarioEntitlement {
    /// Product name.
    pub product: &'static str,
    /// `None`: unlimited.
    pub rights: Option<i64>,
    /// Price of one right for a year.
    pub unit_price: &'static str,
    /// First and last day, as days from today.
    pub days: (i64, i64),
}

/// Somebody who is never named by a rule.
pub struct ScenarioExemption {
    /// User principal name.
    pub principal: &'static str,
    /// Kind of exemption.
    pub kind: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// A company with its orgs, people and rights.
pub struct Scenario {
    /// Connector of all orgs.
    pub connector: &'static str,
    /// The orgs, running.
    pub orgs: Vec<ScenarioOrg>,
    /// The directory, CSV.
    pub people_csv: String,
    /// Rights, shared by contract.
    pub entitlements: Vec<ScenarioEntitlement>,
    /// Who is never named by a rule.
    pub exemptions: Vec<ScenarioExemption>,
    /// Currency of the prices.
    pub currency: &'static str,
    /// Identifiers whose seats must agree with the vendor's own count.
    pub identifiers: &'static [&'static str],
}

/// The worked example with today as its T0, and `users` more people spread over both orgs.
///
/// # Errors
/// [`PracticeError`] when an org cannot listen.
pub async fn scenario(now_ms: i64, users: u64, seed: u64) -> Result<Scenario, PracticeError> {
    use salesforce::worked_example::{org1, org2, people_csv, with_crowd};
    let mut orgs = Vec::new();
    let specs = [
        (
            "SFDC Org1",
            // One org shows the deeper mode, the other the default.
            &[("activity_source", "login_history")][..],
            with_crowd(org1(now_ms), users - users / 3, seed, now_ms),
        ),
        (
            "SFDC Org2",
            &[][..],
            with_crowd(org2(now_ms), users / 3, seed + 1, now_ms),
        ),
    ];
    for (profile, settings, spec) in specs {
        orgs.push(ScenarioOrg {
            profile,
            settings,
            org: RunningOrg::start(spec, salesforce::Listen::loopback()).await?,
        });
    }
    Ok(Scenario {
        connector: "salesforce",
        orgs,
        people_csv: people_csv(),
        entitlements: vec![
            ScenarioEntitlement {
                product: "Sales Cloud",
                rights: Some(10),
                unit_price: "1800",
                days: (-273, 91),
            },
            ScenarioEntitlement {
                product: "Platform",
                rights: Some(3),
                unit_price: "300",
                days: (-273, 91),
            },
            ScenarioEntitlement {
                product: "Chatter Free",
                rights: None,
                unit_price: "0",
                days: (-273, 91),
            },
            ScenarioEntitlement {
                product: "Sales Cloud",
                rights: Some(5),
                unit_price: "1800",
                days: (-455, -90),
            },
        ],
        exemptions: vec![
            ScenarioExemption {
                principal: "gus@example.com",
                kind: "vip",
                reason: "member of the board",
            },
            ScenarioExemption {
                principal: "integ@example.com",
                kind: "service_account",
                reason: "nightly import of the data warehouse",
            },
        ],
        currency: "USD",
        identifiers: &["SFDC", "AUL"],
    })
}

/// A practice org for a connector author: about `users` made-up people, or one of each kind for 0; http on `port`, https on the next one (free ones for 0).
///
/// # Errors
/// [`PracticeError`] naming what is wrong.
pub async fn serve(
    connector: &str,
    port: u16,
    users: u64,
    seed: u64,
    faults: Option<&str>,
) -> Result<RunningOrg, PracticeError> {
    if connector != "salesforce" {
        return Err(PracticeError::Unknown(connector.chars().take(64).collect()));
    }
    let faults = salesforce::Faults::parse(faults.unwrap_or_default())?;
    let spec = salesforce::showcase::served(users, seed);
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let https = if port == 0 { 0 } else { port.saturating_add(1) };
    let running = RunningOrg::start(
        spec,
        salesforce::Listen {
            http: at(port),
            https: Some(at(https)),
        },
    )
    .await?;
    running.org.control().set_faults(faults);
    Ok(running)
}
