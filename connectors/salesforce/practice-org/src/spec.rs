//! What an org is made of before it starts: its name, apps, licences, profiles, people and the rights of the user it answers as.
//!
//! Plain data, made by tests, the demo and the command line. Nothing here runs.

mod app;
mod catalog;
mod login;
mod people;
mod rights;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::{Id, Pod};

pub use app::{App, PermittedUsers, Pkce, RefreshPolicy};
pub use catalog::{
    Account, Approval, Dashboard, Entitlement, Group, Job, Licence, LicenceStatus, Package,
    PackageStatus, PermissionSet, PermissionSetGroup, PermissionSetLicence, Profile, Role,
};
pub use login::{IpRange, LoginHours, LoginPolicy, Password, PersonLogin, ProfileLogin};
pub use people::{Crowd, Person};
pub use rights::{Refusal, Rights};

/// Everything a practice org is started from. [`OrgSpec::new`] gives a complete, small one to change.
#[derive(Debug, Clone, Serialize)]
pub struct OrgSpec {
    /// 18 characters, prefix `00D`. Characters 4 to 6 are the pod and mark every id of this org, so two orgs need different ones.
    pub org_id: String,
    /// `Organization.Name`.
    pub name: String,
    /// The My Domain host, such as `acme.my.salesforce.com`. A certificate for it is served on https.
    pub my_domain: String,
    /// `Organization.IsSandbox` (the vendor's kind of org).
    pub sandbox: bool,
    /// `Organization.OrganizationType`, such as `Enterprise Edition`.
    pub edition: String,
    /// IANA zone of the org and its users; relative date literals are read in it.
    pub time_zone: String,
    /// `Organization.InstanceName`, such as `EU42`.
    pub instance: String,
    /// When the org was created, milliseconds UTC.
    pub created_ms: i64,
    /// Apps that may ask for tokens.
    pub apps: Vec<App>,
    /// Rows of `UserLicense`.
    pub licences: Vec<Licence>,
    /// Rows of `Profile`; a user has one by its name.
    pub profiles: Vec<Profile>,
    /// Rows of `PermissionSetLicense`.
    pub permission_set_licences: Vec<PermissionSetLicence>,
    /// Rows of `PermissionSet`, beside the one that each profile and each group owns.
    pub permission_sets: Vec<PermissionSet>,
    /// Rows of `PermissionSetGroup`.
    pub permission_set_groups: Vec<PermissionSetGroup>,
    /// Rows of `PackageLicense`.
    pub packages: Vec<Package>,
    /// Rows of `TenantUsageEntitlement`.
    pub entitlements: Vec<Entitlement>,
    /// Totals of feature licences by their name without `UserPermissions`, such as `SupportUser`.
    pub features: BTreeMap<String, u64>,
    /// Rows of `Group`: queues and public groups.
    pub groups: Vec<Group>,
    /// Rows of `UserRole`.
    pub roles: Vec<Role>,
    /// Rows of `CronTrigger`.
    pub jobs: Vec<Job>,
    /// Rows of `Dashboard`.
    pub dashboards: Vec<Dashboard>,
    /// Rows of `ProcessInstanceWorkitem`: approvals that wait.
    pub approvals: Vec<Approval>,
    /// Rows of `Account` written out; portal users belong to them.
    pub accounts: Vec<Account>,
    /// How many rows of `Account`, `Opportunity`, `Case`, `Lead` and `Task` each user with a CRM seat may own; about half of them are
    /// there.
    pub records_per_user: u64,
    /// How many rows of `LoginHistory` each user may have; those older than six months are gone.
    pub logins_per_user: u64,
    /// The org filters profiles: without View All Profiles only the own one is seen.
    pub filters_profiles: bool,
    /// A permission-set licence stays with a user whose last permission set of it was taken away; off, it goes with it.
    pub keeps_set_licences: bool,
    /// Rights of single users, by username, where a session acts as somebody else than the first app's user.
    pub rights_of: BTreeMap<String, Rights>,
    /// Users written out one by one; user number `n` (from 1) gets [`OrgSpec::user_id`]`(n)`.
    pub people: Vec<Person>,
    /// Users made up on the fly after them.
    pub crowd: Option<Crowd>,
    /// API requests of a rolling 24 hours.
    pub api_limit: u64,
    /// Rights of the user the apps run as.
    pub rights: Rights,
    /// Users whose deactivation Salesforce refuses, by user id.
    pub refuses_deactivation: BTreeMap<String, Refusal>,
    /// The address stands for `login.salesforce.com`: client credentials are refused on it as "not supported on this domain".
    pub shared_login_host: bool,
    /// Portals or communities are on: `ContactId`, `AccountId`, `IsPortalEnabled` exist on `User`.
    pub communities: bool,
    /// Release numbers offered by `/services/data/`, lowest and highest. Older ones answer 410.
    pub versions: (u32, u32),
    /// How long a session lives on the org's clock, milliseconds; an app may say otherwise.
    pub session_ms: i64,
    /// What the org asks of those who log in.
    pub login: LoginPolicy,
    /// Compress answers for clients that accept gzip. Off, the org answers plain as Salesforce sometimes does.
    pub gzip: bool,
}

impl OrgSpec {
    /// A complete enterprise org without people but its integration user: the usual licences with room, one profile each, one app
    /// with client credentials and refresh tokens, every right granted, 100,000 API requests a day.
    #[must_use]
    pub fn new(org_id: &str, name: &str, my_domain: &str) -> Self {
        Self {
            org_id: org_id.to_owned(),
            name: name.to_owned(),
            my_domain: my_domain.to_owned(),
            sandbox: false,
            edition: "Enterprise Edition".to_owned(),
            time_zone: "UTC".to_owned(),
            instance: "EU42".to_owned(),
            created_ms: 1_672_531_200_000,
            apps: vec![App::new(
                &format!("3MVG9.{}.seatwise", &org_id[..org_id.len().min(15)]),
                "a practice secret, not a real one",
                INTEGRATION_USERNAME,
            )],
            licences: vec![
                Licence::new("SFDC", "Salesforce", 100),
                Licence::new("AUL", "Salesforce Platform", 100),
                Licence::new("CSN_User", "Chatter Free", 5000),
                Licence::new("PID_Customer_Community", "Customer Community", 0),
                Licence::new("PID_Partner_Community", "Partner Community", 0),
                Licence::new(INTEGRATION_LICENCE, "Salesforce Integration", 5),
                Licence {
                    status: LicenceStatus::Disabled,
                    ..Licence::new("AUL_LIGHT", "Salesforce Platform Light", 0)
                },
            ],
            profiles: vec![
                Profile {
                    admin: true,
                    ..Profile::new("System Administrator", "SFDC", "Standard")
                },
                Profile::new("Standard User", "SFDC", "Standard"),
                Profile::new("Standard Platform User", "AUL", "Standard"),
                Profile::new("Chatter Free User", "CSN_User", "CsnOnly"),
                Profile::new(
                    "Customer Community User",
                    "PID_Customer_Community",
                    "CspLitePortal",
                ),
                Profile::new(
                    "Partner Community User",
                    "PID_Partner_Community",
                    "PowerPartner",
                ),
                Profile::new(INTEGRATION_PROFILE, INTEGRATION_LICENCE, "Standard"),
            ],
            permission_set_licences: Vec::new(),
            permission_sets: Vec::new(),
            permission_set_groups: Vec::new(),
            packages: Vec::new(),
            entitlements: Vec::new(),
            features: BTreeMap::new(),
            groups: Vec::new(),
            roles: Vec::new(),
            jobs: Vec::new(),
            dashboards: Vec::new(),
            approvals: Vec::new(),
            accounts: Vec::new(),
            records_per_user: 0,
            logins_per_user: 12,
            filters_profiles: false,
            keeps_set_licences: false,
            rights_of: BTreeMap::new(),
            people: vec![Person {
                created_ms: 1_672_617_600_000,
                last_login_ms: None,
                ..Person::new(
                    "Seatwise",
                    "Integration",
                    INTEGRATION_USERNAME,
                    INTEGRATION_PROFILE,
                )
            }],
            crowd: None,
            api_limit: 100_000,
            rights: Rights::all(),
            refuses_deactivation: BTreeMap::new(),
            shared_login_host: false,
            communities: false,
            versions: (31, 66),
            session_ms: 2 * 3_600_000,
            login: LoginPolicy::default(),
            gzip: true,
        }
    }

    /// The id that user number `number` (from 1, in the order of [`OrgSpec::people`]) has in this org.
    #[must_use]
    pub fn user_id(&self, number: u64) -> String {
        Id::of(b"005", self.pod(), number).as_str().to_owned()
    }

    /// The id of the user with this username, if the spec names one.
    #[must_use]
    pub fn user_id_of(&self, username: &str) -> Option<String> {
        let at = self
            .people
            .iter()
            .position(|person| person.username == username)?;
        Some(self.user_id(at as u64 + 1))
    }

    /// Characters 4 to 6 of the org's id.
    pub(crate) fn pod(&self) -> Pod {
        let bytes = self.org_id.as_bytes();
        match bytes {
            [_, _, _, a, b, c, ..] => [*a, *b, *c],
            _ => *b"000",
        }
    }
}

/// Username of the integration user that [`OrgSpec::new`] makes.
pub const INTEGRATION_USERNAME: &str = "seatwise@integration.example.com";
/// Its profile.
pub const INTEGRATION_PROFILE: &str = "Salesforce API Only System Integrations";
/// Its licence: counted as a seat, recognised as a service identity by the `_INTEGRATION_USER` ending, free of charge.
pub const INTEGRATION_LICENCE: &str = "SALESFORCE_INTEGRATION_USER";
