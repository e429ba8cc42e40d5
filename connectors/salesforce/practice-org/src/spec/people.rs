//! Who uses an org: people written out, and crowds made up on the fly.

use serde::Serialize;

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
    /// `City`.
    pub city: String,
    /// `State`.
    pub state: String,
    /// `Country`.
    pub country: String,
    /// Name of the role.
    pub role: Option<String>,
    /// Username of the manager.
    pub manager: Option<String>,
    /// Username of the delegated approver.
    pub delegated_approver: Option<String>,
    /// `ForecastEnabled`.
    pub forecast: bool,
    /// Feature licences by their name without `UserPermissions`, such as `SupportUser`.
    pub features: Vec<String>,
    /// Permission-set licences by developer name.
    pub permission_set_licences: Vec<String>,
    /// Permission sets by name.
    pub permission_sets: Vec<String>,
    /// Permission-set groups by developer name.
    pub permission_set_groups: Vec<String>,
    /// Packages by namespace.
    pub packages: Vec<String>,
    /// Queues and public groups by name.
    pub groups: Vec<String>,
    /// Name of the account of a portal user.
    pub account: Option<String>,
    /// Logs in by programs only, over the API.
    pub is_machine: bool,
    /// `NumberOfFailedLogins`.
    pub failed_logins: u32,
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
            city: String::new(),
            state: String::new(),
            country: String::new(),
            role: None,
            manager: None,
            delegated_approver: None,
            forecast: false,
            features: Vec::new(),
            permission_set_licences: Vec::new(),
            permission_sets: Vec::new(),
            permission_set_groups: Vec::new(),
            packages: Vec::new(),
            groups: Vec::new(),
            account: None,
            is_machine: false,
            failed_logins: 0,
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
    /// Adds what a plain crowd leaves out: places, roles, managers, feature licences, numbers, doubles, hostile texts in every column
    /// and, for about one in a hundred, an account used by a program.
    pub is_rich: bool,
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
            is_rich: false,
        }
    }
}
