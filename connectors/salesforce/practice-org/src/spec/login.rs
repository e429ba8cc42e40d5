//! What an org asks of those who log in: hours, addresses, passwords, assurance, and how often.
//!
//! Plain data, readable from JSON so that a test can set it from outside (`/_practice/login`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The login side of an org. The default lets everybody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginPolicy {
    /// The org is neither expired nor locked. Not active: `inactive_org`.
    pub org_is_active: bool,
    /// The API of the whole org is switched off: 403 `API_CURRENTLY_DISABLED`.
    pub api_is_switched_off: bool,
    /// Says "Invalid Password" to the password grant, which is refused either way.
    pub names_bad_passwords: bool,
    /// Logins of one user in an hour; the next is `LOGIN_RATE_EXCEEDED`.
    pub logins_per_hour: usize,
    /// How long an authorization code is good, milliseconds.
    pub code_ms: i64,
    /// How long a device code is good, milliseconds.
    pub device_ms: i64,
    /// Seconds between two polls of a device.
    pub device_interval_s: i64,
    /// Login hours, addresses and assurance, by the name of the profile.
    pub profiles: BTreeMap<String, ProfileLogin>,
    /// State of a person's login, by username.
    pub people: BTreeMap<String, PersonLogin>,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self {
            org_is_active: true,
            api_is_switched_off: false,
            names_bad_passwords: false,
            logins_per_hour: 3600,
            code_ms: 10 * 60_000,
            device_ms: 10 * 60_000,
            device_interval_s: 5,
            profiles: BTreeMap::new(),
            people: BTreeMap::new(),
        }
    }
}

/// Limits of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileLogin {
    /// Logins only then; none is at any hour.
    pub hours: Option<LoginHours>,
    /// Logins only from these addresses; empty is from anywhere.
    pub ip_ranges: Vec<IpRange>,
    /// "Session security level required at login: high assurance". Tokens are given; each call answers 401.
    pub high_assurance: bool,
}

/// A span of the day in the org's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginHours {
    /// First hour, 0 to 23.
    pub from: i8,
    /// The hour it ends before, 1 to 24.
    pub to: i8,
}

/// Addresses from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpRange {
    /// First address.
    pub first: IpAddr,
    /// Last address.
    pub last: IpAddr,
}

impl IpRange {
    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

/// State of a person's login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonLogin {
    /// The password's state.
    pub password: Password,
    /// Salesforce wants a verification that no machine can give: `challenge required`.
    pub challenged: bool,
}

/// State of a password.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Password {
    /// Good.
    #[default]
    Good,
    /// Expired: no token, `password expired`.
    Expired,
    /// Expired, and a token is given that no call accepts: "not valid for use with the REST API" (jsforce#1411).
    ExpiredAfterLogin,
}
