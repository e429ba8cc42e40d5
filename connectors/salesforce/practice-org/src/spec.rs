//! What an org is made of before it starts: its name, apps, licences, profiles, people and the rights of the user it answers as.
//!
//! Plain data, made by tests, the demo and the command line. Nothing here runs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::{Id, Pod};

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
    /// How long a session lives on the org's clock, milliseconds.
    pub session_ms: i64,
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

/// A connected app or external client app.
#[derive(Debug, Clone, Serialize)]
pub struct App {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret.
    #[serde(skip)]
    pub client_secret: String,
    /// Username the client credentials grant runs as; none gives "no client credentials user enabled".
    pub run_as: Option<String>,
    /// Whether the client credentials grant is switched on.
    pub client_credentials: bool,
    /// Whether refresh tokens may be used.
    pub refresh_tokens: bool,
    /// Refresh token rotation: each refresh gives a new token, using a dead one revokes the grant.
    pub rotation: bool,
    /// Scopes granted.
    pub scopes: Vec<String>,
    /// The app's policy refuses this caller's address.
    pub ip_restricted: bool,
}

impl App {
    /// An app with both grants, without rotation, scope `api`.
    #[must_use]
    pub fn new(client_id: &str, client_secret: &str, run_as: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            run_as: Some(run_as.to_owned()),
            client_credentials: true,
            refresh_tokens: true,
            rotation: false,
            scopes: vec!["api".to_owned()],
            ip_restricted: false,
        }
    }
}

/// A row of `UserLicense`.
#[derive(Debug, Clone, Serialize)]
pub struct Licence {
    /// `LicenseDefinitionKey`: stable.
    pub key: String,
    /// `Name`: what people see; may occur twice.
    pub name: String,
    /// `MasterLabel`.
    pub label: String,
    /// `TotalLicenses`. Raised at the start when the people need more.
    pub total: u64,
    /// `Status`.
    pub status: LicenceStatus,
}

impl Licence {
    /// An active licence whose label is its name.
    #[must_use]
    pub fn new(key: &str, name: &str, total: u64) -> Self {
        Self {
            key: key.to_owned(),
            name: name.to_owned(),
            label: name.to_owned(),
            total,
            status: LicenceStatus::Active,
        }
    }
}

/// `UserLicense.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LicenceStatus {
    /// Bought.
    Active,
    /// Known but not bought.
    Disabled,
}

/// A row of `Profile`.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    /// `Name`, unique in the org.
    pub name: String,
    /// Key of its licence.
    pub licence: String,
    /// `UserType` of its users.
    pub user_type: String,
    /// Its users are administrators: the last active one cannot be deactivated.
    pub admin: bool,
}

impl Profile {
    /// A profile without administrator rights.
    #[must_use]
    pub fn new(name: &str, licence: &str, user_type: &str) -> Self {
        Self {
            name: name.to_owned(),
            licence: licence.to_owned(),
            user_type: user_type.to_owned(),
            admin: false,
        }
    }
}

/// A user written out. Empty texts are null in answers.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// Unique, in the form of an e-mail address.
    pub username: String,
    /// First name; empty for system users.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address, not unique.
    pub email: String,
    /// Name of the profile; `None` gives `Profile: null`, as the vendor's own system users have.
    pub profile: Option<String>,
    /// Overrides the profile's user type, such as `AutomatedProcess`.
    pub user_type: Option<String>,
    /// Holds a seat.
    pub is_active: bool,
    /// `UserLogin.IsFrozen`: cannot log in, still holds the seat.
    pub is_frozen: bool,
    /// Created, milliseconds UTC.
    pub created_ms: i64,
    /// `LastLoginDate`; `None` is "never".
    pub last_login_ms: Option<i64>,
    /// `Department`.
    pub department: String,
    /// `Division`.
    pub division: String,
    /// `Title`.
    pub title: String,
    /// `CompanyName`.
    pub company: String,
    /// `EmployeeNumber`.
    pub employee_number: String,
    /// `FederationIdentifier`.
    pub federation_id: String,
}

impl Person {
    /// An active user who never logged in, created on 2023-01-09, whose e-mail address is the username.
    #[must_use]
    pub fn new(first_name: &str, last_name: &str, username: &str, profile: &str) -> Self {
        Self {
            username: username.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            email: username.to_owned(),
            profile: Some(profile.to_owned()),
            user_type: None,
            is_active: true,
            is_frozen: false,
            created_ms: 1_673_222_400_000,
            last_login_ms: None,
            department: String::new(),
            division: String::new(),
            title: String::new(),
            company: String::new(),
            employee_number: String::new(),
            federation_id: String::new(),
        }
    }
}

/// Users made up on the fly: user `n` follows from the seed and `n`, so millions take no memory.
#[derive(Debug, Clone, Serialize)]
pub struct Crowd {
    /// How many.
    pub users: u64,
    /// Same seed, same people.
    pub seed: u64,
    /// The day their activity leads up to, milliseconds UTC; `None` is the moment of the start.
    pub as_of_ms: Option<i64>,
    /// Profile names with weights. Licence totals are raised to what the crowd needs.
    pub mix: Vec<(String, u32)>,
}

impl Crowd {
    /// A crowd of full users, platform users and Chatter Free users as 60 : 25 : 15.
    #[must_use]
    pub fn new(users: u64, seed: u64) -> Self {
        let mix = [
            ("Standard User", 60),
            ("Standard Platform User", 25),
            ("Chatter Free User", 15),
        ];
        Self {
            users,
            seed,
            as_of_ms: None,
            mix: mix.map(|(name, weight)| (name.to_owned(), weight)).to_vec(),
        }
    }
}

/// What the run-as user may do. Salesforce's names in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rights {
    /// API Enabled. Without: 403 `FUNCTIONALITY_NOT_ENABLED` on every call.
    pub api_enabled: bool,
    /// The edition has the API. Without: 403 `API_DISABLED_FOR_ORG`.
    pub api_in_edition: bool,
    /// View Setup and Configuration. Without: no `UserLicense`, no `/limits`.
    pub view_setup: bool,
    /// Manage Users. Without: no `UserLogin`, no writes.
    pub manage_users: bool,
    /// View All Users. Without: only the own row.
    pub view_all_users: bool,
    /// The session may use the REST API. Without: 401 "This session is not valid for use with the REST API", which no refresh cures.
    pub session_valid_for_rest: bool,
}

impl Rights {
    /// Every right.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            api_enabled: true,
            api_in_edition: true,
            view_setup: true,
            manage_users: true,
            view_all_users: true,
            session_valid_for_rest: true,
        }
    }
}

impl Default for Rights {
    fn default() -> Self {
        Self::all()
    }
}

/// Salesforce's refusal of a change: code and sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Refusal {
    /// `errorCode`.
    pub code: String,
    /// `message`.
    pub message: String,
}

impl Refusal {
    /// The refusal for a default case owner, a setting that no query shows.
    #[must_use]
    pub fn default_case_owner() -> Self {
        Self {
            code: "FIELD_INTEGRITY_EXCEPTION".to_owned(),
            message: "This user is the default case owner and cannot be deactivated. Choose another default case owner first.".to_owned(),
        }
    }
}
