//! Assignments: permission-set licences, permission sets and groups of them, package seats, memberships.
//!
//! A permission set that hangs on a permission-set licence takes a seat of it when assigned; when the last such set goes, the seat
//! goes with it, as the vendor does in most cases (salesforce.md §4.5), unless the spec says that this org keeps it.

use super::super::assignments::Given;
use super::super::{Fields, Org, Value};
use super::{ApiError, refused, require};
use crate::schema::Object;
use crate::spec::{LicenceStatus, PackageStatus};

/// Fields that an assignment needs: who, what.
fn needed(object: Object) -> &'static [&'static str] {
    match object {
        Object::PermissionSetLicenseAssign => &["AssigneeId", "PermissionSetLicenseId"],
        Object::UserPackageLicense => &["UserId", "PackageLicenseId"],
        Object::GroupMember => &["UserOrGroupId", "GroupId"],
        _ => &["AssigneeId"],
    }
}

impl Org {
    pub(super) fn assign(&mut self, object: Object, mut fields: Fields) -> Result<u64, ApiError> {
        require(needed(object), &fields)?;
        let Some((user, given)) = self.given_made(object, &fields) else {
            return Err(refused(
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [PermissionSetId]",
            ));
        };
        if let Some((row, _)) = self
            .givens_of(object, user)
            .into_iter()
            .find(|(_, has)| *has == given)
        {
            return Err(refused(
                "DUPLICATE_VALUE",
                format!(
                    "duplicate value found: {} duplicates value on record with id: {}",
                    needed(object).join(", "),
                    self.id(object, row).as_str()
                ),
            ));
        }
        match given {
            Given::SetLicence(licence) => self.take_set_licence(licence)?,
            Given::Package(package) => self.take_package(package)?,
            Given::Set(set) => {
                self.may_have_set(user, set)?;
                self.take_licences_of(user, &[set])?;
            }
            Given::SetGroup(group) => {
                let sets = self.sets_of_group(group);
                for set in &sets {
                    self.may_have_set(user, *set)?;
                }
                self.take_licences_of(user, &sets)?;
                let own =
                    (self.spec.permission_sets.len() + self.spec.profiles.len()) as u64 + group;
                let own = self.id(Object::PermissionSet, own);
                fields.insert("PermissionSetId", Value::Id(own));
            }
            Given::Group(_) => {}
        }
        if object == Object::PermissionSetAssignment {
            fields.insert("IsActive", Value::Bool(true));
        }
        Ok(self.push(object, fields))
    }

    /// Gives a seat back. The caller marks the row as gone.
    pub(super) fn unassign(&mut self, object: Object, row: u64) -> Result<(), ApiError> {
        let Some((user, given)) = self.given(object, row) else {
            return Ok(());
        };
        match given {
            Given::SetLicence(licence) => {
                let needing = self
                    .sets_held(user)
                    .into_iter()
                    .find(|set| self.set_licence_behind(*set) == Some(licence));
                if let Some(set) = needing {
                    let label = &self.spec.permission_sets[index(set)].label;
                    return Err(refused(
                        "FIELD_INTEGRITY_EXCEPTION",
                        format!(
                            "This permission set license can't be removed because the permission set {label} still requires it. Remove the permission set from the user first."
                        ),
                    ));
                }
                self.pools.set_used[licence] -= 1;
            }
            Given::Package(package) => self.pools.package_used[package] -= 1,
            Given::Set(set) if index(set) >= self.spec.permission_sets.len() => {
                return Err(refused(
                    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
                    "the permission set of a profile is assigned and removed by the profile",
                ));
            }
            Given::Set(set) => self.drop_licences(user, row, &[set]),
            Given::SetGroup(group) => {
                let sets = self.sets_of_group(group);
                self.drop_licences(user, row, &sets);
            }
            Given::Group(_) => {}
        }
        Ok(())
    }

    fn take_set_licence(&mut self, licence: usize) -> Result<(), ApiError> {
        let listed = &self.spec.permission_set_licences[licence];
        let is_over = listed.expires_ms.is_some_and(|at| at < self.clock.now_ms());
        if listed.status == LicenceStatus::Disabled || is_over {
            return Err(refused(
                "FIELD_INTEGRITY_EXCEPTION",
                format!("The permission set license {} is not active", listed.label),
            ));
        }
        if self.pools.set_used[licence] >= self.pools.set_totals[licence] {
            return Err(refused(
                "LICENSE_LIMIT_EXCEEDED",
                format!(
                    "No seats are left of the permission set license {}",
                    listed.label
                ),
            ));
        }
        self.pools.set_used[licence] += 1;
        Ok(())
    }

    fn take_package(&mut self, package: usize) -> Result<(), ApiError> {
        let listed = &self.spec.packages[package];
        if listed.status == PackageStatus::Expired {
            return Err(refused(
                "FIELD_INTEGRITY_EXCEPTION",
                format!("The package {} has expired", listed.namespace),
            ));
        }
        if listed.allowed >= 0 && self.pools.package_used[package] >= listed.allowed {
            return Err(refused(
                "LICENSE_LIMIT_EXCEEDED",
                format!("No seats are left of the package {}", listed.namespace),
            ));
        }
        self.pools.package_used[package] += 1;
        Ok(())
    }

    /// Rows of the permission sets in a group.
    fn sets_of_group(&self, group: u64) -> Vec<u64> {
        self.components()
            .filter(|(of, _)| *of == group)
            .map(|(_, set)| set)
            .collect()
    }

    /// Rows of the spec's permission sets that a user has, directly or through a group.
    fn sets_held(&self, user: u64) -> Vec<u64> {
        self.sets_held_but(user, None)
    }

    fn sets_held_but(&self, user: u64, without: Option<u64>) -> Vec<u64> {
        let own = self.spec.permission_sets.len();
        let mut sets = Vec::new();
        for (row, given) in self.givens_of(Object::PermissionSetAssignment, user) {
            match given {
                _ if Some(row) == without => {}
                Given::Set(set) if index(set) < own => sets.push(set),
                Given::SetGroup(group) => sets.extend(self.sets_of_group(group)),
                _ => {}
            }
        }
        sets
    }

    /// Number of the permission-set licence that a set hangs on.
    fn set_licence_behind(&self, set: u64) -> Option<usize> {
        let name = self
            .spec
            .permission_sets
            .get(index(set))?
            .licence
            .as_deref()?;
        self.set_licence_named(name)
    }

    fn has_set_licence(&self, user: u64, licence: usize) -> Option<u64> {
        self.givens_of(Object::PermissionSetLicenseAssign, user)
            .into_iter()
            .find(|(_, given)| *given == Given::SetLicence(licence))
            .map(|(row, _)| row)
    }

    /// A set that hangs on a user licence fits users of that licence only.
    fn may_have_set(&self, user: u64, set: u64) -> Result<(), ApiError> {
        let Some(listed) = self.spec.permission_sets.get(index(set)) else {
            return Err(refused(
                "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
                "the permission set of a profile is assigned and removed by the profile",
            ));
        };
        let has = self
            .licence_of(user)
            .map(|licence| self.spec.licences[licence].key.as_str());
        match listed.licence.as_deref() {
            Some(name) if self.set_licence_named(name).is_none() && has != Some(name) => {
                Err(refused(
                    "FIELD_INTEGRITY_EXCEPTION",
                    format!(
                        "Can't assign permission set {} to this user: the user license doesn't allow it",
                        listed.label
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Label of a set that a change of user licence would leave without its licence.
    pub(super) fn sets_fit(&self, user: u64, from: &str, to: &str) -> Result<(), String> {
        for set in self.sets_held(user) {
            let listed = &self.spec.permission_sets[index(set)];
            if listed.licence.as_deref() == Some(from) && from != to {
                return Err(listed.label.clone());
            }
        }
        Ok(())
    }

    fn take_licences_of(&mut self, user: u64, sets: &[u64]) -> Result<(), ApiError> {
        let mut wanted: Vec<usize> = sets
            .iter()
            .filter_map(|set| self.set_licence_behind(*set))
            .filter(|licence| self.has_set_licence(user, *licence).is_none())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut taken = Vec::new();
        for licence in wanted {
            if let Err(error) = self.take_set_licence(licence) {
                for licence in taken {
                    self.pools.set_used[licence] -= 1;
                }
                return Err(error);
            }
            taken.push(licence);
        }
        for licence in taken {
            let fields: Fields = [
                ("AssigneeId", Value::Id(self.user_id(user))),
                (
                    "PermissionSetLicenseId",
                    Value::Id(self.id(Object::PermissionSetLicense, licence as u64 + 1)),
                ),
            ]
            .into();
            self.push(Object::PermissionSetLicenseAssign, fields);
        }
        Ok(())
    }

    /// Takes the permission-set licences away that only these sets needed.
    fn drop_licences(&mut self, user: u64, assignment: u64, sets: &[u64]) {
        if self.spec.keeps_set_licences {
            return;
        }
        let left = self.sets_held_but(user, Some(assignment));
        for licence in sets
            .iter()
            .filter_map(|set| self.set_licence_behind(*set))
            .collect::<std::collections::BTreeSet<_>>()
        {
            let is_needed = left
                .iter()
                .any(|set| self.set_licence_behind(*set) == Some(licence));
            if let (false, Some(row)) = (is_needed, self.has_set_licence(user, licence)) {
                self.pools.set_used[licence] -= 1;
                self.gone.insert((Object::PermissionSetLicenseAssign, row));
            }
        }
    }
}

fn index(row: u64) -> usize {
    usize::try_from(row.saturating_sub(1)).unwrap_or(usize::MAX)
}
