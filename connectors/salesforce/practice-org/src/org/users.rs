//! Users: written out, made up or created by calls, and what was changed in them.

use std::collections::{BTreeMap, HashSet};

use super::{Org, Value};
use crate::crowd::Draw;
use crate::ids::Id;
use crate::schema::Object;
use crate::spec::Person;
use crate::value::{owned, text};

/// What was changed in one user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    pub(crate) is_active: Option<bool>,
    pub(crate) is_frozen: Option<bool>,
    pub(crate) is_password_locked: Option<bool>,
    pub(crate) last_login_ms: Option<i64>,
    pub(crate) modified_ms: Option<i64>,
    /// Row of the user that changed it last.
    pub(crate) modified_by: Option<u64>,
    pub(crate) profile: Option<usize>,
    pub(crate) features: BTreeMap<&'static str, bool>,
    pub(crate) is_hidden: bool,
}

/// Columns of the feature licences, in the order of the pools.
pub(crate) const FEATURES: [&str; 15] = [
    "UserPermissionsMarketingUser",
    "UserPermissionsOfflineUser",
    "UserPermissionsAvantgoUser",
    "UserPermissionsCallCenterAutoLogin",
    "UserPermissionsSFContentUser",
    "UserPermissionsKnowledgeUser",
    "UserPermissionsInteractionUser",
    "UserPermissionsSupportUser",
    "UserPermissionsLiveAgentUser",
    "UserPermissionsSiteforceContributorUser",
    "UserPermissionsSiteforcePublisherUser",
    "UserPermissionsWorkDotComUserFeature",
    "UserPermissionsJigsawProspectingUser",
    "UserPermissionsChatterAnswersUser",
    "UserPermissionsMobileUser",
];

/// Places in [`FEATURES`] of those that made-up users may have at the start.
pub(super) const DRAWN_FEATURES: [usize; 2] = [0, 7];

/// The name of a feature licence: its column without `UserPermissions`.
pub(crate) fn feature_of(column: &str) -> Option<&str> {
    FEATURES
        .contains(&column)
        .then(|| column.trim_start_matches("UserPermissions"))
}

impl Org {
    pub(crate) fn user_named(&self, username: &str) -> Option<u64> {
        let written = self
            .spec
            .people
            .iter()
            .position(|person| person.username == username);
        let added = || {
            let at = self
                .added
                .iter()
                .position(|person| person.username == username)?;
            Some(self.base_users() + at as u64 + 1)
        };
        written.map(|at| at as u64 + 1).or_else(added)
    }

    pub(crate) fn person(&self, user: u64) -> Option<&Person> {
        let at = user.checked_sub(1)?;
        let people = &self.spec.people;
        if at < people.len() as u64 {
            return people.get(usize::try_from(at).ok()?);
        }
        self.added
            .get(usize::try_from(at.checked_sub(self.base_users())?).ok()?)
    }

    pub(super) fn drawn(&self, user: u64) -> u64 {
        user - self.spec.people.len() as u64
    }

    pub(crate) fn overlay(&mut self, user: u64) -> &mut Overlay {
        self.overlays.entry(user).or_default()
    }

    fn edited<T: Copy>(&self, user: u64, of: impl Fn(&Overlay) -> Option<T>) -> Option<T> {
        if self.overlays.is_empty() {
            return None;
        }
        self.overlays.get(&user).and_then(of)
    }

    pub(crate) fn is_active(&self, user: u64) -> bool {
        self.edited(user, |overlay| overlay.is_active)
            .unwrap_or_else(|| {
                self.person(user).map_or_else(
                    || self.frame.is_active(self.drawn(user)),
                    |person| person.is_active,
                )
            })
    }

    pub(crate) fn is_frozen(&self, user: u64) -> bool {
        self.edited(user, |overlay| overlay.is_frozen)
            .unwrap_or_else(|| {
                self.person(user).map_or_else(
                    || self.frame.is_frozen(self.drawn(user)),
                    |person| person.is_frozen,
                )
            })
    }

    /// `LastLoginDate`, milliseconds UTC.
    pub(crate) fn last_login_ms(&self, user: u64) -> Option<i64> {
        self.edited(user, |overlay| overlay.last_login_ms)
            .or_else(|| self.first_last_login_ms(user))
    }

    /// `LastLoginDate` as it was at the start.
    pub(super) fn first_last_login_ms(&self, user: u64) -> Option<i64> {
        match self.person(user) {
            Some(person) => person.last_login_ms,
            None => self.frame.last_login_ms(self.drawn(user)),
        }
    }

    pub(super) fn created_ms(&self, user: u64) -> i64 {
        self.person(user).map_or_else(
            || self.frame.created_ms(self.drawn(user)),
            |person| person.created_ms,
        )
    }

    pub(super) fn modified_ms(&self, user: u64) -> i64 {
        self.edited(user, |overlay| overlay.modified_ms)
            .unwrap_or_else(|| {
                self.last_login_ms(user)
                    .unwrap_or_else(|| self.created_ms(user))
                    .min(self.started_ms)
            })
    }

    /// Index of the profile, if the user has one.
    pub(crate) fn profile_of(&self, user: u64) -> Option<usize> {
        if let Some(profile) = self.edited(user, |overlay| overlay.profile) {
            return Some(profile);
        }
        match self.person(user) {
            Some(person) => {
                let name = person.profile.as_deref()?;
                self.spec
                    .profiles
                    .iter()
                    .position(|profile| profile.name == name)
            }
            None => Some(self.frame.profile(self.drawn(user))),
        }
    }

    pub(crate) fn licence_of(&self, user: u64) -> Option<usize> {
        self.profile_licences[self.profile_of(user)?]
    }

    /// `UserType`; empty for none.
    pub(crate) fn user_type(&self, user: u64) -> &str {
        if let Some(person) = self.person(user)
            && let Some(user_type) = &person.user_type
        {
            return user_type;
        }
        self.profile_of(user)
            .map_or("", |profile| &self.spec.profiles[profile].user_type)
    }

    /// Whether the user works with records: of type `Standard` and no program's account.
    pub(super) fn is_crm_person(&self, user: u64) -> bool {
        self.user_type(user) == "Standard" && !self.is_machine(user)
    }

    /// Whether only programs log in as this user.
    pub(super) fn is_machine(&self, user: u64) -> bool {
        match self.person(user) {
            Some(person) => {
                person.is_machine
                    || self.licence_of(user).is_some_and(|licence| {
                        self.spec.licences[licence]
                            .key
                            .ends_with("_INTEGRATION_USER")
                    })
            }
            None => self.frame.is_machine(self.drawn(user)),
        }
    }

    pub(crate) fn is_admin(&self, user: u64) -> bool {
        self.profile_of(user)
            .is_some_and(|profile| self.spec.profiles[profile].admin)
    }

    /// Users with an administrator profile that are active.
    pub(crate) fn active_admins(&self) -> HashSet<u64> {
        if !self.spec.profiles.iter().any(|profile| profile.admin) {
            return HashSet::new();
        }
        (1..=self.users())
            .filter(|user| self.is_admin(*user) && self.is_active(*user))
            .collect()
    }

    /// Whether the user has a feature licence; `column` is one of [`FEATURES`].
    pub(super) fn has_feature(&self, user: u64, column: &'static str) -> bool {
        self.edited(user, |overlay| overlay.features.get(column).copied())
            .unwrap_or_else(|| match self.person(user) {
                Some(person) => feature_of(column)
                    .is_some_and(|feature| person.features.iter().any(|has| has == feature)),
                None if column == "UserPermissionsSupportUser" => {
                    self.frame.is_support(self.drawn(user))
                }
                None => {
                    self.frame.is_rich
                        && column == "UserPermissionsMarketingUser"
                        && self
                            .frame
                            .draw(self.drawn(user), Draw::Marketing)
                            .is_multiple_of(12)
                }
            })
    }

    /// Sets `IsActive` and keeps the pool's count.
    pub(crate) fn set_active(&mut self, user: u64, is_active: bool) {
        if self.is_active(user) != is_active {
            self.count_user(user, if is_active { 1 } else { -1 });
        }
        self.overlay(user).is_active = Some(is_active);
        self.touch(user);
    }

    /// Moves the record's stamps to now.
    pub(crate) fn touch(&mut self, user: u64) {
        let now = self.clock.now_ms();
        let by = self.running_user();
        let overlay = self.overlay(user);
        overlay.modified_ms = Some(now);
        overlay.modified_by = by;
    }

    pub(super) fn user_login_value(&self, row: u64, field: &str) -> Value<'_> {
        match field {
            "UserId" => self.reference(Object::User, row),
            "IsFrozen" => Value::Bool(self.is_frozen(row)),
            "IsPasswordLocked" => Value::Bool(
                self.edited(row, |overlay| overlay.is_password_locked)
                    .unwrap_or_else(|| {
                        self.person(row)
                            .is_some_and(|person| person.failed_logins >= 10)
                    }),
            ),
            "LastModifiedById" => self.founder(),
            _ => Value::Moment(self.modified_ms(row)),
        }
    }

    /// The account of a portal user: by name for those written out, drawn for the others.
    pub(super) fn account_of(&self, user: u64) -> Option<u64> {
        let accounts = &self.spec.accounts;
        match self.person(user) {
            Some(person) => {
                let name = person.account.as_deref()?;
                let at = accounts.iter().position(|account| account.name == name)?;
                Some(at as u64 + 1)
            }
            None => {
                let is_portal = !matches!(self.user_type(user), "Standard" | "CsnOnly");
                (is_portal && !accounts.is_empty()).then(|| {
                    1 + self.frame.draw(self.drawn(user), Draw::Account) % accounts.len() as u64
                })
            }
        }
    }

    fn role_of(&self, user: u64) -> Option<u64> {
        let roles = &self.spec.roles;
        let at = match self.person(user) {
            Some(person) => {
                let name = person.role.as_deref()?;
                roles.iter().position(|role| role.name == name)?
            }
            None => {
                if !self.frame.is_rich || roles.is_empty() || self.user_type(user) != "Standard" {
                    return None;
                }
                let drawn = self.frame.draw(self.drawn(user), Draw::Role);
                usize::try_from(drawn % roles.len() as u64).unwrap_or(0)
            }
        };
        Some(at as u64 + 1)
    }

    pub(super) fn user_value(&self, user: u64, field: &'static str) -> Value<'_> {
        let or_null = |row: Option<u64>, object: Object| {
            row.map_or(Value::Null, |row| self.reference(object, row))
        };
        match field {
            "IsActive" => return Value::Bool(self.is_active(user)),
            "LastLoginDate" => return self.last_login_ms(user).map_or(Value::Null, Value::Moment),
            "CreatedDate" => return Value::Moment(self.created_ms(user)),
            "SystemModstamp" | "LastModifiedDate" => return Value::Moment(self.modified_ms(user)),
            "CreatedById" => return self.founder(),
            "LastModifiedById" => {
                return self
                    .edited(user, |overlay| overlay.modified_by)
                    .map_or_else(|| self.founder(), |by| self.reference(Object::User, by));
            }
            "ProfileId" => {
                return or_null(
                    self.profile_of(user).map(|at| at as u64 + 1),
                    Object::Profile,
                );
            }
            "UserRoleId" => return or_null(self.role_of(user), Object::UserRole),
            "AccountId" => return or_null(self.account_of(user), Object::Account),
            "ContactId" => {
                return or_null(self.account_of(user).map(|_| user), Object::Contact);
            }
            "IsPortalEnabled" => {
                return Value::Bool(self.account_of(user).is_some() && self.is_active(user));
            }
            "PortalRole" => {
                return self
                    .account_of(user)
                    .map_or(Value::Null, |_| text("Worker"));
            }
            "IsPrmSuperUser" => return Value::Bool(false),
            "UserType" => return text(self.user_type(user)),
            "TimeZoneSidKey" => return text(&self.spec.time_zone),
            "LocaleSidKey" | "LanguageLocaleKey" => return text("en_US"),
            "EmailEncodingKey" => return text("UTF-8"),
            "CallCenterId" | "IndividualId" | "PasswordExpirationDate" | "MobilePhone" => {
                return Value::Null;
            }
            "LastPasswordChangeDate" => {
                let is_sso = self.user_type(user) == "CsnOnly" || self.is_machine(user);
                return if is_sso {
                    Value::Null
                } else {
                    Value::Moment(self.created_ms(user) + 600_000)
                };
            }
            _ if field.starts_with("UserPermissions") => {
                return Value::Bool(self.has_feature(user, field));
            }
            _ => {}
        }
        match self.person(user) {
            Some(person) => self.written_value(person, field),
            None => self.drawn_value(user, field),
        }
    }

    fn written_value<'a>(&'a self, person: &'a Person, field: &str) -> Value<'a> {
        match field {
            "Username" => text(&person.username),
            "FirstName" => text(&person.first_name),
            "LastName" => text(&person.last_name),
            "Name" if person.first_name.is_empty() => text(&person.last_name),
            "Name" => owned([&person.first_name, " ", &person.last_name].concat()),
            "Email" => text(&person.email),
            "Alias" => owned(person.username.chars().take(8).collect()),
            "CommunityNickname" => owned(nickname(&person.username)),
            "Department" => text(&person.department),
            "Division" => text(&person.division),
            "Title" => text(&person.title),
            "CompanyName" => text(&person.company),
            "EmployeeNumber" => text(&person.employee_number),
            "FederationIdentifier" => text(&person.federation_id),
            "City" => text(&person.city),
            "State" => text(&person.state),
            "Country" => text(&person.country),
            "ForecastEnabled" => Value::Bool(person.forecast),
            "NumberOfFailedLogins" => Value::Int(i64::from(person.failed_logins)),
            "ManagerId" => person
                .manager
                .as_deref()
                .map_or(Value::Null, |name| self.reference_to(name)),
            "DelegatedApproverId" => person
                .delegated_approver
                .as_deref()
                .map_or(Value::Null, |name| self.reference_to(name)),
            _ => Value::Null,
        }
    }

    fn drawn_value(&self, user: u64, field: &str) -> Value<'_> {
        let n = self.drawn(user);
        let frame = &self.frame;
        match field {
            "Username" => owned(frame.username(n)),
            "Email" => owned(frame.email(n)),
            "FirstName" => text(frame.first_name(n)),
            "LastName" => text(frame.last_name(n)),
            "Name" if frame.first_name(n).is_empty() => text(frame.last_name(n)),
            "Name" => owned([frame.first_name(n), " ", frame.last_name(n)].concat()),
            "Alias" => owned(frame.username(n).chars().take(8).collect()),
            "CommunityNickname" => owned(nickname(&frame.username(n))),
            "Department" => text(frame.department(n)),
            "Title" => text(frame.title(n)),
            "CompanyName" => text(frame.company(n)),
            "ForecastEnabled" => Value::Bool(frame.is_forecasting(n)),
            "NumberOfFailedLogins" => Value::Int(frame.failed_logins(n)),
            "ManagerId" => frame.manager(n).map_or(Value::Null, |manager| {
                self.reference(Object::User, manager + self.spec.people.len() as u64)
            }),
            _ => frame.rich_value(n, field),
        }
    }

    /// The ids that a user is known by in tests and controls.
    pub(crate) fn user_id(&self, user: u64) -> Id {
        self.id(Object::User, user)
    }
}

/// What stands before the `@`, at most 40 characters.
fn nickname(username: &str) -> String {
    let local = username.split('@').next().unwrap_or_default();
    local.chars().take(40).collect()
}
