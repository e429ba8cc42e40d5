//! What a few people hold besides the user licence: permission-set licences, permission sets, package seats, groups.
//!
//! Read for all people of a call at once, one query per object. What the rights do not show is `None`, never empty.

use seatwise_connector_sdk::Failure;
use serde::Deserialize;

use super::look;
use crate::{api::Api, ids, soql};

/// A permission-set licence of the org.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetLicence {
    /// Widened after reading.
    pub id: String,
    /// The stable name.
    #[serde(default)]
    pub developer_name: Option<String>,
    /// Bought.
    #[serde(default)]
    pub total_licenses: Option<i64>,
    /// Assigned.
    #[serde(default)]
    pub used_licenses: Option<i64>,
    /// `Active` or `Disabled`.
    #[serde(default)]
    status: Option<String>,
    /// The day it ends.
    #[serde(default)]
    expiration_date: Option<String>,
}

impl SetLicence {
    /// Why nobody can be given it, now or from some day on.
    pub fn end(&self) -> Option<End> {
        End::of(
            self.status.as_deref() == Some("Disabled"),
            self.expiration_date.as_deref(),
        )
    }
}

/// The end of what was bought. A plan knows no time, so a day to come and a day gone by are told alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Salesforce says that it is over.
    Over,
    /// It ends on that day.
    On(String),
}

impl End {
    fn of(is_over: bool, day: Option<&str>) -> Option<Self> {
        match day {
            _ if is_over => Some(Self::Over),
            Some(day) => Some(Self::On(look::shown(day.get(..10).unwrap_or(day)))),
            None => None,
        }
    }
}

/// One person holding one permission-set licence.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetLicenceSeat {
    /// Widened after reading.
    pub id: String,
    #[serde(default)]
    assignee_id: Option<String>,
    #[serde(default)]
    permission_set_license_id: Option<String>,
}

impl SetLicenceSeat {
    /// The licence's id.
    pub fn licence(&self) -> String {
        wide(self.permission_set_license_id.as_deref())
    }
}

/// One person holding one permission set, or one group of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetSeat {
    /// Widened after reading.
    pub id: String,
    #[serde(default)]
    assignee_id: Option<String>,
    #[serde(default)]
    permission_set_id: Option<String>,
    #[serde(default)]
    permission_set_group_id: Option<String>,
    /// Day or time after which Salesforce takes it away by itself.
    #[serde(default)]
    pub expiration_date: Option<String>,
    #[serde(default)]
    permission_set: Option<SetRow>,
    #[serde(default)]
    permission_set_group: Option<GroupName>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetRow {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    license_id: Option<String>,
    #[serde(default)]
    is_owned_by_profile: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GroupName {
    #[serde(default)]
    developer_name: Option<String>,
}

impl SetSeat {
    /// The permission-set group, where the assignment is one of a group.
    pub fn group(&self) -> Option<String> {
        self.permission_set_group_id
            .as_deref()
            .map(|id| wide(Some(id)))
    }

    /// The permission set; empty for a group.
    pub fn set(&self) -> String {
        wide(self.permission_set_id.as_deref())
    }

    /// Its name, for a person; the id where there is none.
    pub fn name(&self) -> String {
        let name = match &self.permission_set_group {
            Some(group) => group.developer_name.as_ref(),
            None => self
                .permission_set
                .as_ref()
                .and_then(|set| set.name.as_ref()),
        };
        match (name, self.group()) {
            (Some(name), _) => look::shown(name),
            (None, Some(group)) => group,
            (None, None) => self.set(),
        }
    }

    /// The user licence or permission-set licence that the set belongs to.
    pub fn bound_to(&self) -> Option<String> {
        let licence = self.permission_set.as_ref()?.license_id.as_deref()?;
        Some(wide(Some(licence)))
    }
}

/// A permission set inside a permission-set group.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    #[serde(default)]
    permission_set_group_id: Option<String>,
    #[serde(default)]
    permission_set: Option<SetRow>,
}

/// A managed package's licence.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Package {
    /// Widened after reading.
    pub id: String,
    /// The stable name.
    #[serde(default)]
    pub namespace_prefix: Option<String>,
    /// Bought; negative where there is no bound.
    #[serde(default)]
    pub allowed_licenses: Option<i64>,
    /// Assigned.
    #[serde(default)]
    pub used_licenses: Option<i64>,
    /// `Active`, `Expired`, `Free` or `Trial`.
    #[serde(default)]
    status: Option<String>,
    /// When it ends.
    #[serde(default)]
    expiration_date: Option<String>,
}

impl Package {
    /// Why nobody can be given a seat, now or from some day on.
    pub fn end(&self) -> Option<End> {
        End::of(
            self.status.as_deref() == Some("Expired"),
            self.expiration_date.as_deref(),
        )
    }
}

/// One person holding one seat of a package.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PackageSeat {
    /// Widened after reading.
    pub id: String,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    package_license_id: Option<String>,
}

impl PackageSeat {
    /// The package licence's id.
    pub fn package(&self) -> String {
        wide(self.package_license_id.as_deref())
    }
}

/// One person in one queue or public group.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Membership {
    /// Widened after reading.
    pub id: String,
    #[serde(default)]
    group_id: Option<String>,
    #[serde(default)]
    user_or_group_id: Option<String>,
    #[serde(default)]
    group: Option<GroupRow>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GroupRow {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "Type")]
    kind: Option<String>,
}

impl Membership {
    /// The group's id.
    pub fn group(&self) -> String {
        wide(self.group_id.as_deref())
    }

    /// Its name, for a person; the id where there is none.
    pub fn name(&self) -> String {
        let name = self.group.as_ref().and_then(|group| group.name.as_deref());
        name.map_or_else(|| self.group(), look::shown)
    }

    /// `Queue`, `Regular`, …
    pub fn kind(&self) -> Option<&str> {
        self.group.as_ref()?.kind.as_deref()
    }
}

/// What people hold. Each list is of all people of the call; `None` is "not readable with these rights".
#[derive(Default)]
pub struct Holdings {
    /// All permission-set licences of the org.
    pub licences: Option<Vec<SetLicence>>,
    licence_seats: Option<Vec<SetLicenceSeat>>,
    set_seats: Option<Vec<SetSeat>>,
    components: Option<Vec<Component>>,
    /// All packages of the org.
    pub packages: Option<Vec<Package>>,
    package_seats: Option<Vec<PackageSeat>>,
    memberships: Option<Vec<Membership>>,
}

impl Holdings {
    /// Reads what these people hold; at most 200 checked ids.
    ///
    /// # Errors
    /// What may pass by itself; what the rights hide is no error.
    pub fn read(api: &Api<'_>, people: &[&str]) -> Result<Self, Failure> {
        if people.is_empty() {
            return Ok(Self::default());
        }
        let list = soql::list(people.iter().copied());
        let licences: Option<Vec<SetLicence>> = look::rows(
            api,
            "SELECT Id, DeveloperName, TotalLicenses, UsedLicenses, Status, ExpirationDate FROM PermissionSetLicense ORDER BY Id",
        )?;
        let licence_seats: Option<Vec<SetLicenceSeat>> = look::rows(
            api,
            &format!(
                "SELECT Id, AssigneeId, PermissionSetLicenseId FROM PermissionSetLicenseAssign \
                 WHERE AssigneeId IN ({list}) ORDER BY Id"
            ),
        )?;
        // The rows that every profile brings with it are left out here: a group has no permission set to filter by.
        let set_seats: Option<Vec<SetSeat>> = look::rows(
            api,
            &format!(
                "SELECT Id, AssigneeId, PermissionSetId, PermissionSetGroupId, ExpirationDate, PermissionSet.Name, \
                 PermissionSet.LicenseId, PermissionSet.IsOwnedByProfile, PermissionSetGroup.DeveloperName \
                 FROM PermissionSetAssignment WHERE AssigneeId IN ({list}) ORDER BY Id"
            ),
        )?;
        let set_seats = set_seats.map(|mut rows| {
            rows.retain(|row| {
                row.permission_set
                    .as_ref()
                    .and_then(|set| set.is_owned_by_profile)
                    != Some(true)
            });
            rows
        });
        let packages: Option<Vec<Package>> = look::rows(
            api,
            "SELECT Id, NamespacePrefix, AllowedLicenses, UsedLicenses, Status, ExpirationDate FROM PackageLicense ORDER BY Id",
        )?;
        let package_seats: Option<Vec<PackageSeat>> = look::rows(
            api,
            &format!(
                "SELECT Id, PackageLicenseId, UserId FROM UserPackageLicense WHERE UserId IN ({list}) ORDER BY Id"
            ),
        )?;
        let memberships: Option<Vec<Membership>> = look::rows(
            api,
            &format!(
                "SELECT Id, GroupId, UserOrGroupId, Group.Name, Group.Type FROM GroupMember \
                 WHERE UserOrGroupId IN ({list}) ORDER BY Id"
            ),
        )?;
        let components = components(api, set_seats.as_deref().unwrap_or_default())?;
        Ok(Self {
            licences: widened(licences, |row| &mut row.id),
            licence_seats: widened(licence_seats, |row| &mut row.id),
            set_seats: widened(set_seats, |row| &mut row.id),
            components,
            packages: widened(packages, |row| &mut row.id),
            package_seats: widened(package_seats, |row| &mut row.id),
            memberships: widened(memberships, |row| &mut row.id),
        })
    }

    /// A person's permission-set licences.
    pub fn licence_seats(&self, user: &str) -> Option<Vec<&SetLicenceSeat>> {
        of(&self.licence_seats, user, |row| row.assignee_id.as_deref())
    }

    /// A person's permission sets and groups of them, without the profile's own.
    pub fn set_seats(&self, user: &str) -> Option<Vec<&SetSeat>> {
        of(&self.set_seats, user, |row| row.assignee_id.as_deref())
    }

    /// A person's package seats.
    pub fn package_seats(&self, user: &str) -> Option<Vec<&PackageSeat>> {
        of(&self.package_seats, user, |row| row.user_id.as_deref())
    }

    /// A person's queues and public groups.
    pub fn memberships(&self, user: &str) -> Option<Vec<&Membership>> {
        of(&self.memberships, user, |row| {
            row.user_or_group_id.as_deref()
        })
    }

    /// The stable name of a permission-set licence; its id where it is not known.
    pub fn licence_name(&self, id: &str) -> String {
        let licences = self.licences.as_deref().unwrap_or_default();
        licences
            .iter()
            .find(|licence| licence.id == id)
            .and_then(|licence| licence.developer_name.clone())
            .unwrap_or_else(|| id.to_owned())
    }

    /// The permission-set licence of a name; one whose name is hidden goes by its id.
    pub fn licence(&self, name: &str) -> Option<&SetLicence> {
        let licences = self.licences.as_deref()?;
        licences
            .iter()
            .find(|licence| match &licence.developer_name {
                Some(known) => known == name,
                None => wide(Some(name)) == licence.id,
            })
    }

    /// The namespace of a package licence; its id where it is not known.
    pub fn namespace(&self, id: &str) -> String {
        let packages = self.packages.as_deref().unwrap_or_default();
        packages
            .iter()
            .find(|package| package.id == id)
            .and_then(|package| package.namespace_prefix.clone())
            .unwrap_or_else(|| id.to_owned())
    }

    /// The package licence of a namespace; one whose namespace is hidden goes by its id.
    pub fn package(&self, namespace: &str) -> Option<&Package> {
        let packages = self.packages.as_deref()?;
        packages
            .iter()
            .find(|package| match &package.namespace_prefix {
                Some(known) => known == namespace,
                None => wide(Some(namespace)) == package.id,
            })
    }

    /// Whether the sets inside permission-set groups could be read.
    pub fn knows_groups(&self) -> bool {
        self.components.is_some()
    }

    /// The permission-set licences that an assignment needs: of its set, or of a set in its group. Ids, sorted.
    pub fn needs(&self, seat: &SetSeat) -> Vec<String> {
        let mut needed: Vec<String> = match seat.group() {
            None => seat
                .permission_set
                .iter()
                .flat_map(|set| self.needed_by(set))
                .collect(),
            Some(group) => self
                .components
                .iter()
                .flatten()
                .filter(|part| wide(part.permission_set_group_id.as_deref()) == group)
                .filter_map(|part| part.permission_set.as_ref())
                .flat_map(|set| self.needed_by(set))
                .collect(),
        };
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// `LicenseId` says it, but for the one set that is known not to (salesforce.md §3.6).
    fn needed_by(&self, set: &SetRow) -> Vec<String> {
        let licences = self.licences.as_deref().unwrap_or_default();
        let bound = set.license_id.as_deref().map(|id| wide(Some(id)));
        let sales = set.name.as_deref() == Some("Sales_User");
        licences
            .iter()
            .filter(|licence| {
                bound.as_ref() == Some(&licence.id)
                    || sales && licence.developer_name.as_deref() == Some("SalesUserPsl")
            })
            .map(|licence| licence.id.clone())
            .collect()
    }
}

fn components(api: &Api<'_>, seats: &[SetSeat]) -> Result<Option<Vec<Component>>, Failure> {
    let mut groups: Vec<String> = seats.iter().filter_map(SetSeat::group).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut all = vec![];
    for some in groups.chunks(200) {
        let list = soql::list(some.iter().map(String::as_str));
        let rows: Option<Vec<Component>> = look::rows(
            api,
            &format!(
                "SELECT Id, PermissionSetGroupId, PermissionSet.Name, PermissionSet.LicenseId \
                 FROM PermissionSetGroupComponent WHERE PermissionSetGroupId IN ({list}) ORDER BY Id"
            ),
        )?;
        let Some(rows) = rows else { return Ok(None) };
        all.extend(rows);
    }
    Ok(Some(all))
}

fn wide(id: Option<&str>) -> String {
    let id = id.unwrap_or_default();
    ids::widen(id).map_or_else(|| id.to_owned(), |id| id.into_owned())
}

/// Widens the ids of rows, and leaves out rows whose id is none: a step could not name them.
fn widened<T>(rows: Option<Vec<T>>, id: impl Fn(&mut T) -> &mut String) -> Option<Vec<T>> {
    rows.map(|mut rows| {
        rows.retain_mut(|row| {
            let id = id(row);
            match ids::widen(id).map(|wide| wide.into_owned()) {
                Some(wide) => {
                    *id = wide;
                    true
                }
                None => false,
            }
        });
        rows
    })
}

fn of<'r, T>(
    rows: &'r Option<Vec<T>>,
    user: &str,
    owner: impl Fn(&T) -> Option<&str>,
) -> Option<Vec<&'r T>> {
    let rows = rows.as_ref()?;
    Some(rows.iter().filter(|row| wide(owner(row)) == user).collect())
}
