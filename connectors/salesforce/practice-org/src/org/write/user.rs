//! Users and their logins: created, changed, frozen, deactivated, moved to another profile.

use super::super::users::{FEATURES, feature_of};
use super::super::{Fields, Org, Value, moves};
use super::{ApiError, refused, require};
use crate::schema::Object;
use crate::spec::Person;

/// What is in force for every user of a licence that is full.
const NO_SEAT: &str = "You have reached the maximum number of active users for this license";

impl Org {
    pub(super) fn create_user(&mut self, fields: &Fields) -> Result<u64, ApiError> {
        require(
            &[
                "Username",
                "LastName",
                "Email",
                "Alias",
                "TimeZoneSidKey",
                "LocaleSidKey",
                "EmailEncodingKey",
                "ProfileId",
                "LanguageLocaleKey",
            ],
            fields,
        )?;
        let profile = self.profile_in(fields)?;
        let is_active = fields.get("IsActive") != Some(&Value::Bool(false));
        self.is_free_username(fields, None)?;
        if is_active {
            self.has_free_seat(self.profile_licences[profile])?;
        }
        let said = |name: &str| match fields.get(name) {
            Some(Value::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        let profile_name = self.spec.profiles[profile].name.clone();
        let person = Person {
            email: said("Email"),
            is_active,
            created_ms: self.clock.now_ms(),
            ..Person::new(
                &said("FirstName"),
                &said("LastName"),
                &said("Username").to_lowercase(),
                &profile_name,
            )
        };
        self.added.push(person);
        let user = self.users();
        self.keep_texts(user, fields.clone());
        self.give_profile_set(user, profile);
        if is_active {
            self.count_user(user, 1);
        }
        self.touch(user);
        Ok(user)
    }

    pub(super) fn update_user(&mut self, user: u64, fields: Fields) -> Result<(), ApiError> {
        match fields.get("IsActive") {
            Some(Value::Bool(false)) => self.may_deactivate(user)?,
            Some(Value::Bool(true)) => self.may_activate(user)?,
            _ => {}
        }
        self.is_free_username(&fields, Some(user))?;
        let profile = match fields.get("ProfileId") {
            Some(_) => {
                let profile = self.profile_in(&fields)?;
                self.may_move(user, profile, &fields)?;
                Some(profile)
            }
            None => None,
        };
        self.may_have_features(user, &fields)?;
        if let Some(Value::Id(manager)) = fields.get("ManagerId")
            && *manager == self.user_id(user)
        {
            return Err(ApiError::of_field(
                "FIELD_INTEGRITY_EXCEPTION",
                "ManagerId",
                "A user cannot be their own manager",
            ));
        }
        if let Some(profile) = profile {
            let is_active = self.is_active(user);
            if is_active {
                self.count_user(user, -1);
            }
            self.overlay(user).profile = Some(profile);
            self.give_profile_set(user, profile);
            if is_active {
                self.count_user(user, 1);
            }
        }
        for column in FEATURES {
            if let Some(Value::Bool(has)) = fields.get(column) {
                self.set_feature(user, column, *has);
            }
        }
        if let Some(Value::Bool(is_active)) = fields.get("IsActive") {
            self.set_active(user, *is_active);
        }
        self.keep_texts(user, fields);
        self.touch(user);
        Ok(())
    }

    /// Assigns the permission set of a profile to a user that a call created; those of the start have a place for it.
    fn give_profile_set(&mut self, user: u64, profile: usize) {
        if user <= self.base_users() {
            return;
        }
        let own = (self.spec.permission_sets.len() + profile) as u64 + 1;
        let set = Value::Id(self.id(Object::PermissionSet, own));
        let assignee = Value::Id(self.user_id(user));
        let rows = self
            .made
            .entry(Object::PermissionSetAssignment)
            .or_default();
        // A created user's first assignment is the profile's.
        if let Some(known) = rows
            .iter_mut()
            .find(|row| row.get("AssigneeId") == Some(&assignee))
        {
            known.insert("PermissionSetId", set);
            return;
        }
        let fields: Fields = [
            ("AssigneeId", assignee),
            ("PermissionSetId", set),
            ("IsActive", Value::Bool(true)),
        ]
        .into();
        self.push(Object::PermissionSetAssignment, fields);
    }

    /// Keeps what has no meaning of its own.
    fn keep_texts(&mut self, user: u64, mut fields: Fields) {
        fields.retain(|name, _| {
            !matches!(*name, "IsActive" | "ProfileId") && !FEATURES.contains(name)
        });
        if fields.contains_key("FirstName") || fields.contains_key("LastName") {
            let part = |name: &'static str| match fields
                .get(name)
                .cloned()
                .unwrap_or_else(|| self.value(Object::User, user, name).into_owned())
            {
                Value::Text(text) => text.into_owned(),
                _ => String::new(),
            };
            let name = [part("FirstName"), part("LastName")].join(" ");
            fields.insert("Name", crate::value::owned(name.trim().to_owned()));
        }
        if !fields.is_empty() {
            self.edits
                .entry((Object::User, user))
                .or_default()
                .extend(fields);
        }
    }

    fn set_feature(&mut self, user: u64, column: &'static str, has: bool) {
        let had = self.has_feature(user, column);
        if had != has
            && self.is_active(user)
            && let Some(at) = FEATURES.iter().position(|listed| *listed == column)
        {
            self.pools.feature_used[at] += if has { 1 } else { -1 };
        }
        self.overlay(user).features.insert(column, has);
    }

    fn may_have_features(&self, user: u64, fields: &Fields) -> Result<(), ApiError> {
        for (at, column) in FEATURES.into_iter().enumerate() {
            let gets = fields.get(column) == Some(&Value::Bool(true));
            if !gets || self.has_feature(user, column) {
                continue;
            }
            let total = self.feature_total(feature_of(column).unwrap_or_default());
            if self.is_active(user) && self.pools.feature_used[at] >= total {
                return Err(ApiError::of_field(
                    "LICENSE_LIMIT_EXCEEDED",
                    column,
                    "You have reached the maximum number of users for this feature license",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn update_user_login(&mut self, user: u64, fields: &Fields) -> Result<(), ApiError> {
        if fields.get("IsPasswordLocked") == Some(&Value::Bool(true)) {
            return Err(ApiError::of_field(
                "FIELD_INTEGRITY_EXCEPTION",
                "IsPasswordLocked",
                "IsPasswordLocked can only be set to false",
            ));
        }
        if let Some(Value::Bool(is_frozen)) = fields.get("IsFrozen") {
            self.overlay(user).is_frozen = Some(*is_frozen);
        }
        if fields.contains_key("IsPasswordLocked") {
            self.overlay(user).is_password_locked = Some(false);
        }
        Ok(())
    }

    fn profile_in(&self, fields: &Fields) -> Result<usize, ApiError> {
        let row = fields
            .get("ProfileId")
            .and_then(Value::id)
            .and_then(|id| self.row_of_id(Object::Profile, id));
        row.and_then(|row| usize::try_from(row - 1).ok())
            .ok_or_else(|| {
                ApiError::of_field(
                    "INVALID_CROSS_REFERENCE_KEY",
                    "ProfileId",
                    "invalid cross reference id",
                )
            })
    }

    fn is_free_username(&self, fields: &Fields, of: Option<u64>) -> Result<(), ApiError> {
        let Some(Value::Text(name)) = fields.get("Username") else {
            return Ok(());
        };
        let is_taken = (1..=self.users()).any(|user| {
            Some(user) != of
                && matches!(self.value(Object::User, user, "Username"),
                    Value::Text(taken) if taken.eq_ignore_ascii_case(name))
        });
        if is_taken {
            return Err(ApiError::of_field(
                "DUPLICATE_USERNAME",
                "Username",
                "Duplicate Username.<br>The username already exists in this or another Salesforce organization. Usernames must be unique across all Salesforce organizations. To resolve, use a different username (it doesn't need to match the user's email address).",
            ));
        }
        Ok(())
    }

    fn has_free_seat(&self, licence: Option<usize>) -> Result<(), ApiError> {
        match licence {
            Some(licence) if self.used(licence) >= self.total(licence) => {
                Err(refused("LICENSE_LIMIT_EXCEEDED", NO_SEAT))
            }
            _ => Ok(()),
        }
    }

    /// What blocks a change of profile (salesforce.md §4.4).
    fn may_move(&self, user: u64, profile: usize, fields: &Fields) -> Result<(), ApiError> {
        let about =
            |message: &str| ApiError::of_field("FIELD_INTEGRITY_EXCEPTION", "ProfileId", message);
        let (from, to) = (self.licence_of(user), self.profile_licences[profile]);
        if self.running_user() == Some(user) && self.profile_of(user) != Some(profile) {
            return Err(about("You cannot change your own profile"));
        }
        if self.is_admin(user) && !self.spec.profiles[profile].admin {
            self.is_not_last_admin(user)?;
        }
        if from == to {
            return Ok(());
        }
        let key = |licence: Option<usize>| {
            licence.map_or("", |licence| self.spec.licences[licence].key.as_str())
        };
        moves::check(key(from), key(to)).map_err(about)?;
        let role = fields
            .get("UserRoleId")
            .cloned()
            .unwrap_or_else(|| self.value(Object::User, user, "UserRoleId").into_owned());
        let takes_role = self.spec.profiles[profile].user_type == "Standard";
        if !takes_role && !role.is_null() {
            return Err(ApiError::of_field(
                "FIELD_INTEGRITY_EXCEPTION",
                "UserRoleId",
                "A user with this license cannot have a role: the role must be empty",
            ));
        }
        self.sets_fit(user, key(from), key(to)).map_err(|set| {
            about(&format!(
                "The permission set {set} requires the user license {}, which this change removes. Remove its assignment first.",
                key(from)
            ))
        })?;
        if self.is_active(user) {
            self.has_free_seat(to)?;
        }
        Ok(())
    }

    fn is_not_last_admin(&self, user: u64) -> Result<(), ApiError> {
        let admins = self.active_admins();
        if admins.len() == 1 && admins.contains(&user) {
            return Err(refused(
                "CANNOT_DISABLE_LAST_ADMIN",
                "You cannot deactivate the last active administrator",
            ));
        }
        Ok(())
    }

    /// What blocks a deactivation (salesforce.md §4.2).
    ///
    /// # Errors
    /// With Salesforce's code and sentence.
    pub(crate) fn may_deactivate(&self, user: u64) -> Result<(), ApiError> {
        if self.running_user() == Some(user) {
            return Err(refused(
                "CANNOT_DISABLE_SELF",
                "You cannot deactivate yourself",
            ));
        }
        self.is_not_last_admin(user)?;
        if let Some(refusal) = self.refusals.get(self.user_id(user).as_str()) {
            let known = [
                "FIELD_INTEGRITY_EXCEPTION",
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            ];
            let code = known
                .into_iter()
                .find(|code| *code == refusal.code)
                .unwrap_or("FIELD_INTEGRITY_EXCEPTION");
            return Err(refused(code, refusal.message.clone()));
        }
        if self.is_active(user) && self.owns_portal_account(user) {
            return Err(refused(
                "FIELD_INTEGRITY_EXCEPTION",
                "This user owns an account with active portal users and cannot be deactivated. Transfer the account first.",
            ));
        }
        Ok(())
    }

    /// Whether a seat is free for a user who is not active.
    ///
    /// # Errors
    /// `LICENSE_LIMIT_EXCEEDED`.
    pub(crate) fn may_activate(&self, user: u64) -> Result<(), ApiError> {
        if self.is_active(user) {
            return Ok(());
        }
        self.has_free_seat(self.licence_of(user))
    }
}
