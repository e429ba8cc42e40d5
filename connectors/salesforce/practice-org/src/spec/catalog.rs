//! What an org has bought and set up: licences, permission sets, packages, groups, jobs.

use serde::Serialize;

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
    /// `MonthlyLoginsEntitlement`; none is charged per member.
    pub monthly_logins: Option<u64>,
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
            monthly_logins: None,
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
    /// `Permissions…` columns that are true beside those that follow from the kind of profile, such as `ApiUserOnly`.
    pub permissions: Vec<String>,
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
            permissions: Vec::new(),
        }
    }
}

/// A row of `PermissionSetLicense`.
#[derive(Debug, Clone, Serialize)]
pub struct PermissionSetLicence {
    /// `DeveloperName` and `PermissionSetLicenseKey`, such as `SalesUserPsl`.
    pub developer_name: String,
    /// `MasterLabel`.
    pub label: String,
    /// `TotalLicenses`. Raised at the start when the people need more.
    pub total: u64,
    /// `Status`.
    pub status: LicenceStatus,
    /// `ExpirationDate`, milliseconds UTC of its midnight.
    pub expires_ms: Option<i64>,
    /// How many of a thousand made-up users with a CRM seat hold it.
    pub crowd_per_mille: u32,
}

impl PermissionSetLicence {
    /// An active one without end that no made-up user holds.
    #[must_use]
    pub fn new(developer_name: &str, label: &str, total: u64) -> Self {
        Self {
            developer_name: developer_name.to_owned(),
            label: label.to_owned(),
            total,
            status: LicenceStatus::Active,
            expires_ms: None,
            crowd_per_mille: 0,
        }
    }
}

/// A row of `PermissionSet` of type `Regular`.
#[derive(Debug, Clone, Serialize)]
pub struct PermissionSet {
    /// `Name`, unique in the org.
    pub name: String,
    /// `Label`.
    pub label: String,
    /// Key of the user licence or developer name of the permission-set licence it hangs on.
    pub licence: Option<String>,
    /// `Permissions…` columns that are true, such as `ApiUserOnly`.
    pub permissions: Vec<String>,
    /// How many of a thousand made-up users with a CRM seat have it; only holders of its permission-set licence do.
    pub crowd_per_mille: u32,
}

impl PermissionSet {
    /// One that no made-up user has.
    #[must_use]
    pub fn new(name: &str, label: &str, licence: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            licence: licence.map(str::to_owned),
            permissions: Vec::new(),
            crowd_per_mille: 0,
        }
    }
}

/// A row of `PermissionSetGroup`, with a `PermissionSet` of type `Group` of its own.
#[derive(Debug, Clone, Serialize)]
pub struct PermissionSetGroup {
    /// `DeveloperName`.
    pub developer_name: String,
    /// `MasterLabel`.
    pub label: String,
    /// Names of its permission sets.
    pub permission_sets: Vec<String>,
}

/// A row of `PackageLicense`.
#[derive(Debug, Clone, Serialize)]
pub struct Package {
    /// `NamespacePrefix`.
    pub namespace: String,
    /// `Status`.
    pub status: PackageStatus,
    /// `AllowedLicenses`; -1 is a site licence.
    pub allowed: i64,
    /// `ExpirationDate`, milliseconds UTC.
    pub expires_ms: Option<i64>,
    /// How many of a thousand made-up users with a CRM seat hold it.
    pub crowd_per_mille: u32,
}

impl Package {
    /// An active package without end that no made-up user holds.
    #[must_use]
    pub fn new(namespace: &str, allowed: i64) -> Self {
        Self {
            namespace: namespace.to_owned(),
            status: PackageStatus::Active,
            allowed,
            expires_ms: None,
            crowd_per_mille: 0,
        }
    }
}

/// `PackageLicense.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PackageStatus {
    /// Bought.
    Active,
    /// Over.
    Expired,
    /// Costs nothing.
    Free,
    /// On trial.
    Trial,
}

/// A row of `TenantUsageEntitlement`.
#[derive(Debug, Clone, Serialize)]
pub struct Entitlement {
    /// `Setting`, such as `force.com/monthly-api-requests`.
    pub setting: String,
    /// `MasterLabel`; empty is null.
    pub label: String,
    /// `CurrentAmountAllowed`.
    pub allowed: f64,
    /// `AmountUsed`; none is "not reported", which is not nought.
    pub used: Option<f64>,
    /// `Frequency`, such as `Monthly`; empty is null.
    pub frequency: String,
    /// `StartDate`, milliseconds UTC of its midnight.
    pub start_ms: i64,
    /// `EndDate`, likewise.
    pub end_ms: Option<i64>,
}

/// A row of `Group`.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// `Name`; its `DeveloperName` has underscores for blanks.
    pub name: String,
    /// A queue for these objects; empty is a public group.
    pub queue_for: Vec<String>,
    /// How many of a thousand made-up users with a CRM seat are members.
    pub crowd_per_mille: u32,
}

impl Group {
    /// A queue.
    #[must_use]
    pub fn queue(name: &str, objects: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            queue_for: objects.iter().map(|object| (*object).to_owned()).collect(),
            crowd_per_mille: 0,
        }
    }

    /// A public group.
    #[must_use]
    pub fn public(name: &str) -> Self {
        Self::queue(name, &[])
    }
}

/// A row of `UserRole`.
#[derive(Debug, Clone, Serialize)]
pub struct Role {
    /// `Name`.
    pub name: String,
    /// Name of the role above.
    pub parent: Option<String>,
}

/// A row of `CronTrigger` with its `CronJobDetail`.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    /// `CronJobDetail.Name`.
    pub name: String,
    /// Username of the owner, who the job runs as.
    pub owner: String,
    /// `State`, such as `WAITING` or `DELETED`.
    pub state: String,
}

/// A row of `Dashboard`.
#[derive(Debug, Clone, Serialize)]
pub struct Dashboard {
    /// `Title`.
    pub title: String,
    /// Username of the running user.
    pub running_user: String,
}

/// A row of `ProcessInstanceWorkitem` with its `ProcessInstance`.
#[derive(Debug, Clone, Serialize)]
pub struct Approval {
    /// Username of whoever must decide.
    pub actor: String,
    /// Username of whoever asked.
    pub submitter: String,
}

/// A row of `Account` written out.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// `Name`.
    pub name: String,
    /// Username of the owner.
    pub owner: String,
    /// `IsPartner`: its users are partners.
    pub is_partner: bool,
    /// `IsCustomerPortal`: its users are customers.
    pub is_customer: bool,
}
