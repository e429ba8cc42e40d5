//! Who holds which permission-set licence, permission set, package and group, and how many seats of each pool that makes.
//!
//! Each user has one place for each entry of the catalogue; whether the place holds a row follows from the spec or the seed, unless
//! a call deleted it. Rows that calls created come after. Counts of pools are kept with every change, never made up.

use super::users::{DRAWN_FEATURES, FEATURES, feature_of};
use super::{Fields, Org, Value};
use crate::crowd::Draw;
use crate::schema::Object;
use crate::spec::OrgSpec;

/// Seats bought and used, by the order of the catalogue.
#[derive(Debug, Clone)]
pub(super) struct Pools {
    pub(super) licence_totals: Vec<i64>,
    pub(super) licence_used: Vec<i64>,
    pub(super) set_totals: Vec<i64>,
    pub(super) set_used: Vec<i64>,
    pub(super) package_used: Vec<i64>,
    /// Active users with the feature.
    pub(super) feature_used: [i64; FEATURES.len()],
}

impl Pools {
    pub(super) fn of(spec: &OrgSpec) -> Self {
        let bought = |total: u64| i64::try_from(total).unwrap_or(i64::MAX);
        Self {
            licence_totals: spec.licences.iter().map(|row| bought(row.total)).collect(),
            licence_used: vec![0; spec.licences.len()],
            set_totals: spec
                .permission_set_licences
                .iter()
                .map(|row| bought(row.total))
                .collect(),
            set_used: vec![0; spec.permission_set_licences.len()],
            package_used: vec![0; spec.packages.len()],
            feature_used: [0; FEATURES.len()],
        }
    }
}

/// What an assignment gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// Number of the permission-set licence, from 0.
    SetLicence(usize),
    /// Row of the permission set.
    Set(u64),
    /// Row of the permission-set group.
    SetGroup(u64),
    /// Number of the package, from 0.
    Package(usize),
    /// Row of the group.
    Group(u64),
}

impl Org {
    /// Counts every pool from the rows. Totals are raised to what the people need.
    pub(super) fn count_pools(&mut self) {
        for user in 1..=self.users() {
            if self.is_active(user) {
                self.count_user(user, 1);
            }
            for licence in 0..self.spec.permission_set_licences.len() {
                self.pools.set_used[licence] +=
                    i64::from(self.starts_with_set_licence(user, licence));
            }
            for package in 0..self.spec.packages.len() {
                self.pools.package_used[package] +=
                    i64::from(self.starts_with_package(user, package));
            }
        }
        let pools = &mut self.pools;
        for (total, used) in pools.licence_totals.iter_mut().zip(&pools.licence_used) {
            *total = (*total).max(*used);
        }
        for (total, used) in pools.set_totals.iter_mut().zip(&pools.set_used) {
            *total = (*total).max(*used);
        }
        for (package, used) in self.spec.packages.iter_mut().zip(&self.pools.package_used) {
            if package.allowed >= 0 {
                package.allowed = package.allowed.max(*used);
            }
        }
    }

    /// Counts a user that becomes active (1) or stops being so (-1) in the pools of licences and features.
    pub(super) fn count_user(&mut self, user: u64, by: i64) {
        if let Some(licence) = self.licence_of(user) {
            self.pools.licence_used[licence] += by;
        }
        // Most users are made up and unchanged: no need to ask for what they cannot have.
        let is_drawn = self.person(user).is_none() && !self.overlays.contains_key(&user);
        let places = 0..FEATURES.len();
        for at in places.filter(|at| !is_drawn || DRAWN_FEATURES.contains(at)) {
            if self.has_feature(user, FEATURES[at]) {
                self.pools.feature_used[at] += by;
            }
        }
    }

    /// Seats of a user licence in use: its active users.
    pub(crate) fn used(&self, licence: usize) -> i64 {
        self.pools.licence_used[licence]
    }

    pub(crate) fn total(&self, licence: usize) -> i64 {
        self.pools.licence_totals[licence]
    }

    /// Seats in use under an identifier: a user licence by its key, `psl:DeveloperName`, `package:Namespace` or `feature:Name`.
    pub(crate) fn seats(&self, identifier: &str) -> Option<(i64, i64)> {
        if let Some(name) = identifier.strip_prefix("psl:") {
            let at = self.set_licence_named(name)?;
            return Some((self.pools.set_used[at], self.pools.set_totals[at]));
        }
        if let Some(name) = identifier.strip_prefix("package:") {
            let at = self
                .spec
                .packages
                .iter()
                .position(|package| package.namespace == name)?;
            return Some((self.pools.package_used[at], self.spec.packages[at].allowed));
        }
        if let Some(name) = identifier.strip_prefix("feature:") {
            let at = FEATURES
                .into_iter()
                .position(|column| feature_of(column) == Some(name))?;
            return Some((self.pools.feature_used[at], self.feature_total(name)));
        }
        let at = self
            .spec
            .licences
            .iter()
            .position(|licence| licence.key == identifier)?;
        Some((self.used(at), self.total(at)))
    }

    /// Seats of a feature licence; one that the spec does not name has as many as it needs.
    pub(super) fn feature_total(&self, name: &str) -> i64 {
        let bought = self.spec.features.get(name).copied();
        let bought = bought.and_then(|total| i64::try_from(total).ok());
        bought.unwrap_or(i64::from(i32::MAX))
    }

    pub(super) fn set_licence_named(&self, name: &str) -> Option<usize> {
        self.spec
            .permission_set_licences
            .iter()
            .position(|licence| licence.developer_name == name)
    }

    fn is_drawn(&self, user: u64, salt: u64, per_mille: u32) -> bool {
        per_mille > 0
            && self.frame.draw_at(self.drawn(user), Draw::Assignment, salt) % 1000
                < u64::from(per_mille)
            && self.user_type(user) == "Standard"
    }

    fn starts_with_set_licence(&self, user: u64, at: usize) -> bool {
        let licence = &self.spec.permission_set_licences[at];
        match self.person(user) {
            Some(person) => person
                .permission_set_licences
                .contains(&licence.developer_name),
            None => self.is_drawn(user, at as u64, licence.crowd_per_mille),
        }
    }

    fn starts_with_package(&self, user: u64, at: usize) -> bool {
        let package = &self.spec.packages[at];
        match self.person(user) {
            Some(person) => person.packages.contains(&package.namespace),
            None => self.is_drawn(user, 100_000 + at as u64, package.crowd_per_mille),
        }
    }

    fn starts_with_set(&self, user: u64, at: usize) -> bool {
        let set = &self.spec.permission_sets[at];
        match self.person(user) {
            Some(person) => person.permission_sets.contains(&set.name),
            None => {
                let licence = set.licence.as_deref();
                self.is_drawn(user, 200_000 + at as u64, set.crowd_per_mille)
                    && licence
                        .and_then(|name| self.set_licence_named(name))
                        .is_none_or(|licence| self.starts_with_set_licence(user, licence))
            }
        }
    }

    /// Whether the place holds a row, deletions aside.
    pub(super) fn is_assigned(&self, object: Object, user: u64, at: u64) -> bool {
        let place = usize::try_from(at).unwrap_or(usize::MAX);
        let sets = self.spec.permission_sets.len();
        match object {
            Object::PermissionSetLicenseAssign => self.starts_with_set_licence(user, place),
            Object::UserPackageLicense => self.starts_with_package(user, place),
            Object::PermissionSetAssignment if place == 0 => self.profile_of(user).is_some(),
            Object::PermissionSetAssignment if place <= sets => {
                self.starts_with_set(user, place - 1)
            }
            Object::PermissionSetAssignment => {
                let group = &self.spec.permission_set_groups[place - 1 - sets];
                self.person(user).is_some_and(|person| {
                    person.permission_set_groups.contains(&group.developer_name)
                })
            }
            Object::GroupMember => {
                let group = &self.spec.groups[place];
                match self.person(user) {
                    Some(person) => person.groups.contains(&group.name),
                    None => self.is_drawn(user, 300_000 + at, group.crowd_per_mille),
                }
            }
            _ => false,
        }
    }

    /// What a place of a user stands for.
    fn given_at(&self, object: Object, user: u64, at: u64) -> Option<Given> {
        let place = usize::try_from(at).ok()?;
        let sets = self.spec.permission_sets.len() as u64;
        Some(match object {
            Object::PermissionSetLicenseAssign => Given::SetLicence(place),
            Object::UserPackageLicense => Given::Package(place),
            Object::GroupMember => Given::Group(at + 1),
            Object::PermissionSetAssignment if at == 0 => {
                Given::Set(sets + self.profile_of(user)? as u64 + 1)
            }
            Object::PermissionSetAssignment if at <= sets => Given::Set(at),
            Object::PermissionSetAssignment => Given::SetGroup(at - sets),
            _ => return None,
        })
    }

    /// The user and what an assignment's row gives; none for a row that is not there.
    pub(super) fn given(&self, object: Object, row: u64) -> Option<(u64, Given)> {
        if !self.exists(object, row) {
            return None;
        }
        if let Some(made) = self.made(object, row) {
            return self.given_made(object, made);
        }
        let (user, at) = self.place_of(object, row)?;
        Some((user, self.given_at(object, user, at)?))
    }

    pub(super) fn given_made(&self, object: Object, made: &Fields) -> Option<(u64, Given)> {
        let row = |name: &str, of: Object| self.row_of_id(of, made.get(name)?.id()?);
        let number = |row: u64| usize::try_from(row - 1).ok();
        Some(match object {
            Object::PermissionSetLicenseAssign => (
                row("AssigneeId", Object::User)?,
                Given::SetLicence(number(row(
                    "PermissionSetLicenseId",
                    Object::PermissionSetLicense,
                )?)?),
            ),
            Object::UserPackageLicense => (
                row("UserId", Object::User)?,
                Given::Package(number(row("PackageLicenseId", Object::PackageLicense)?)?),
            ),
            Object::GroupMember => (
                row("UserOrGroupId", Object::User)?,
                Given::Group(row("GroupId", Object::Group)?),
            ),
            Object::PermissionSetAssignment => (
                row("AssigneeId", Object::User)?,
                match row("PermissionSetGroupId", Object::PermissionSetGroup) {
                    Some(group) => Given::SetGroup(group),
                    None => Given::Set(row("PermissionSetId", Object::PermissionSet)?),
                },
            ),
            _ => return None,
        })
    }

    /// A user's assignments of one object, with their rows.
    pub(super) fn givens_of(&self, object: Object, user: u64) -> Vec<(u64, Given)> {
        let key = match object {
            Object::UserPackageLicense => "UserId",
            Object::GroupMember => "UserOrGroupId",
            _ => "AssigneeId",
        };
        let rows = self.rows_of_user(object, key, user).unwrap_or_default();
        rows.into_iter()
            .filter_map(|row| {
                let (of, given) = self.given(object, row)?;
                (of == user).then_some((row, given))
            })
            .collect()
    }

    pub(super) fn assignment_value(&self, object: Object, row: u64, field: &str) -> Value<'_> {
        let Some((user, at)) = self.place_of(object, row) else {
            return Value::Null;
        };
        let given = self.given_at(object, user, at);
        let at = |number: usize| number as u64 + 1;
        match (field, given) {
            ("AssigneeId" | "UserId" | "UserOrGroupId", _) => self.reference(Object::User, user),
            ("PermissionSetLicenseId", Some(Given::SetLicence(number))) => {
                self.reference(Object::PermissionSetLicense, at(number))
            }
            ("PackageLicenseId", Some(Given::Package(number))) => {
                self.reference(Object::PackageLicense, at(number))
            }
            ("GroupId", Some(Given::Group(row))) => self.reference(Object::Group, row),
            ("PermissionSetId", Some(Given::Set(row))) => {
                self.reference(Object::PermissionSet, row)
            }
            // A group's own permission set stands for it.
            ("PermissionSetId", Some(Given::SetGroup(row))) => self.reference(
                Object::PermissionSet,
                (self.spec.permission_sets.len() + self.spec.profiles.len()) as u64 + row,
            ),
            ("PermissionSetGroupId", Some(Given::SetGroup(row))) => {
                self.reference(Object::PermissionSetGroup, row)
            }
            ("IsActive", _) => Value::Bool(true),
            ("IsRevoked", _) => Value::Bool(false),
            ("CreatedById", _) => self.founder(),
            ("CreatedDate" | "LastModifiedDate" | "SystemModstamp", _) => {
                Value::Moment(self.created_ms(user) + 3_600_000)
            }
            _ => Value::Null,
        }
    }
}
