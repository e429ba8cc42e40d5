//! The org's records and what has been changed in them since the start.
//!
//! Users written out and made-up ones share one numbering (from 1); edits live in a sparse map, so millions of quiet users take no
//! memory. This module knows no HTTP and no query.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::clock::Clock;
use crate::crowd::Frame;
use crate::ids::{Id, Pod};
use crate::schema::Object;
use crate::spec::{OrgSpec, Person, Refusal, Rights};

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    /// Milliseconds UTC.
    Moment(i64),
}

/// What was changed in one user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    pub(crate) is_active: Option<bool>,
    pub(crate) is_frozen: Option<bool>,
    pub(crate) last_login_ms: Option<i64>,
    pub(crate) modified_ms: Option<i64>,
    pub(crate) texts: BTreeMap<&'static str, String>,
    pub(crate) is_hidden: bool,
}

/// A write that reached a record.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Write {
    /// Such as `User/005…`.
    pub record: String,
    /// Fields as they were sent.
    pub change: serde_json::Value,
    /// The org's clock, milliseconds UTC.
    pub at_ms: i64,
}

/// The records. A copy is what an undone request goes back to.
#[derive(Clone)]
pub(crate) struct Org {
    pub(crate) spec: OrgSpec,
    pub(crate) rights: Rights,
    pub(crate) refusals: BTreeMap<String, Refusal>,
    pub(crate) clock: Clock,
    pub(crate) writes: Vec<Write>,
    pub(crate) started_ms: i64,
    pod: Pod,
    frame: Frame,
    overlays: HashMap<u64, Overlay>,
    licence_totals: Vec<i64>,
    licence_used: Vec<i64>,
}

impl Org {
    pub(crate) fn new(spec: OrgSpec, clock: Clock) -> Self {
        let now = clock.now_ms();
        let mut end = 0;
        let crowd = spec.crowd.clone();
        let mix = crowd
            .iter()
            .flat_map(|crowd| &crowd.mix)
            .filter_map(|(name, weight)| {
                end += weight;
                Some((
                    end,
                    spec.profiles
                        .iter()
                        .position(|profile| &profile.name == name)?,
                ))
            });
        let frame = Frame {
            mix: mix.collect(),
            users: crowd.as_ref().map_or(0, |crowd| crowd.users),
            seed: crowd.as_ref().map_or(0, |crowd| crowd.seed),
            as_of_ms: crowd.and_then(|crowd| crowd.as_of_ms).unwrap_or(now),
        };
        let mut org = Self {
            rights: spec.rights,
            refusals: spec.refuses_deactivation.clone(),
            pod: spec.pod(),
            licence_totals: spec
                .licences
                .iter()
                .map(|licence| i64::try_from(licence.total).unwrap_or(i64::MAX))
                .collect(),
            licence_used: vec![0; spec.licences.len()],
            spec,
            clock,
            writes: Vec::new(),
            started_ms: now,
            frame,
            overlays: HashMap::new(),
        };
        for user in 1..=org.users() {
            if let (true, Some(licence)) = (org.is_active(user), org.licence_of(user)) {
                org.licence_used[licence] += 1;
            }
        }
        for (total, used) in org.licence_totals.iter_mut().zip(&org.licence_used) {
            *total = (*total).max(*used);
        }
        org
    }

    /// How many users there are, hidden ones included.
    pub(crate) fn users(&self) -> u64 {
        self.spec.people.len() as u64 + self.frame.users
    }

    /// How many rows an object has before any filter.
    pub(crate) fn rows(&self, object: Object) -> u64 {
        match object {
            Object::User | Object::UserLogin => self.users(),
            Object::UserLicense => self.spec.licences.len() as u64,
            Object::Profile => self.spec.profiles.len() as u64,
            Object::Organization | Object::UserPermissionAccess => 1,
        }
    }

    pub(crate) fn is_visible(&self, object: Object, row: u64) -> bool {
        let user = match object {
            Object::User | Object::UserLogin => row,
            _ => return true,
        };
        let is_own = || self.running_user() == Some(user);
        !self
            .overlays
            .get(&user)
            .is_some_and(|overlay| overlay.is_hidden)
            && (self.rights.view_all_users || is_own())
    }

    /// The user that the first app runs as.
    pub(crate) fn running_user(&self) -> Option<u64> {
        let username = self.spec.apps.first()?.run_as.as_deref()?;
        self.user_named(username)
    }

    pub(crate) fn user_named(&self, username: &str) -> Option<u64> {
        self.spec
            .people
            .iter()
            .position(|person| person.username == username)
            .map(|at| at as u64 + 1)
    }

    pub(crate) fn id(&self, object: Object, row: u64) -> Id {
        match object {
            Object::User => Id::of(b"005", self.pod, row),
            Object::UserLogin => Id::of(b"0Yw", self.pod, row),
            Object::UserLicense => Id::of(b"100", self.pod, row),
            Object::Profile => Id::of(b"00e", self.pod, row),
            Object::Organization => {
                Id::parse(&self.spec.org_id).unwrap_or_else(|| Id::of(b"00D", self.pod, 1))
            }
            Object::UserPermissionAccess => Id::of(b"0Pu", self.pod, 1),
        }
    }

    /// The row with this id, if the org has it.
    pub(crate) fn row_of(&self, object: Object, id: &str) -> Option<u64> {
        let id = Id::parse(id)?;
        if object == Object::Organization {
            return (id == self.id(object, 1)).then_some(1);
        }
        let row = id.seq(self.pod)?;
        ((1..=self.rows(object)).contains(&row) && self.id(object, row) == id).then_some(row)
    }

    fn person(&self, user: u64) -> Option<&Person> {
        self.spec
            .people
            .get(usize::try_from(user).ok()?.checked_sub(1)?)
    }

    fn drawn(&self, user: u64) -> u64 {
        user - self.spec.people.len() as u64
    }

    pub(crate) fn overlay(&mut self, user: u64) -> &mut Overlay {
        self.overlays.entry(user).or_default()
    }

    pub(crate) fn is_active(&self, user: u64) -> bool {
        let edited = self
            .overlays
            .get(&user)
            .and_then(|overlay| overlay.is_active);
        edited.unwrap_or_else(|| {
            self.person(user).map_or_else(
                || self.frame.is_active(self.drawn(user)),
                |person| person.is_active,
            )
        })
    }

    pub(crate) fn is_frozen(&self, user: u64) -> bool {
        let edited = self
            .overlays
            .get(&user)
            .and_then(|overlay| overlay.is_frozen);
        edited.unwrap_or_else(|| {
            self.person(user).map_or_else(
                || self.frame.is_frozen(self.drawn(user)),
                |person| person.is_frozen,
            )
        })
    }

    pub(crate) fn last_login_ms(&self, user: u64) -> Option<i64> {
        let edited = self
            .overlays
            .get(&user)
            .and_then(|overlay| overlay.last_login_ms);
        edited.or_else(|| match self.person(user) {
            Some(person) => person.last_login_ms,
            None => self.frame.last_login_ms(self.drawn(user)),
        })
    }

    fn created_ms(&self, user: u64) -> i64 {
        self.person(user).map_or_else(
            || self.frame.created_ms(self.drawn(user)),
            |person| person.created_ms,
        )
    }

    fn modified_ms(&self, user: u64) -> i64 {
        let edited = self
            .overlays
            .get(&user)
            .and_then(|overlay| overlay.modified_ms);
        edited.unwrap_or_else(|| {
            self.last_login_ms(user)
                .unwrap_or_else(|| self.created_ms(user))
                .min(self.started_ms)
        })
    }

    /// Index of the profile, if the user has one.
    pub(crate) fn profile_of(&self, user: u64) -> Option<usize> {
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
        let profile = self.spec.profiles.get(self.profile_of(user)?)?;
        self.spec
            .licences
            .iter()
            .position(|licence| licence.key == profile.licence)
    }

    pub(crate) fn used(&self, licence: usize) -> i64 {
        self.licence_used[licence]
    }

    pub(crate) fn total(&self, licence: usize) -> i64 {
        self.licence_totals[licence]
    }

    /// Users with an administrator profile that are active.
    pub(crate) fn active_admins(&self) -> HashSet<u64> {
        let is_admin = |user: u64| {
            self.profile_of(user)
                .is_some_and(|profile| self.spec.profiles[profile].admin)
        };
        (1..=self.users())
            .filter(|user| is_admin(*user) && self.is_active(*user))
            .collect()
    }

    /// Sets `IsActive` and keeps the pool's count.
    pub(crate) fn set_active(&mut self, user: u64, is_active: bool) {
        if self.is_active(user) != is_active
            && let Some(licence) = self.licence_of(user)
        {
            self.licence_used[licence] += if is_active { 1 } else { -1 };
        }
        self.overlay(user).is_active = Some(is_active);
        self.touch(user);
    }

    /// Moves the record's stamps to now.
    pub(crate) fn touch(&mut self, user: u64) {
        let now = self.clock.now_ms();
        self.overlay(user).modified_ms = Some(now);
    }

    /// The row behind a parent relationship.
    pub(crate) fn parent_row(&self, object: Object, row: u64, parent: Object) -> Option<u64> {
        match (object, parent) {
            (Object::User, Object::Profile) => self.profile_of(row).map(|at| at as u64 + 1),
            (Object::UserLogin, Object::User) => Some(row),
            (Object::Profile, Object::UserLicense) => {
                let key = &self.spec.profiles[usize::try_from(row).ok()? - 1].licence;
                self.spec
                    .licences
                    .iter()
                    .position(|licence| &licence.key == key)
                    .map(|at| at as u64 + 1)
            }
            _ => None,
        }
    }

    /// A field of a row; the caller has checked that the field exists.
    pub(crate) fn value(&self, object: Object, row: u64, field: &str) -> Value<'_> {
        if field == "Id" {
            return Value::Text(Cow::Owned(self.id(object, row).as_str().to_owned()));
        }
        let at = usize::try_from(row).unwrap_or(1) - 1;
        match object {
            Object::User => self.user_value(row, field),
            Object::UserLogin => match field {
                "UserId" => Value::Text(Cow::Owned(self.id(Object::User, row).as_str().to_owned())),
                "IsFrozen" => Value::Bool(self.is_frozen(row)),
                _ => Value::Bool(false),
            },
            Object::UserLicense => {
                let licence = &self.spec.licences[at];
                match field {
                    "Name" => text(&licence.name),
                    "MasterLabel" => text(&licence.label),
                    "LicenseDefinitionKey" => text(&licence.key),
                    "Status" => Value::Text(Cow::Owned(format!("{:?}", licence.status))),
                    "TotalLicenses" => Value::Int(self.licence_totals[at]),
                    "UsedLicenses" => Value::Int(self.licence_used[at]),
                    "UsedLicensesLastUpdated" => Value::Moment(self.clock.now_ms()),
                    _ => Value::Moment(self.spec.created_ms),
                }
            }
            Object::Profile => {
                let profile = &self.spec.profiles[at];
                match field {
                    "Name" => text(&profile.name),
                    "UserType" => text(&profile.user_type),
                    _ => self.parent_row(object, row, Object::UserLicense).map_or(
                        Value::Null,
                        |licence| {
                            Value::Text(Cow::Owned(
                                self.id(Object::UserLicense, licence).as_str().to_owned(),
                            ))
                        },
                    ),
                }
            }
            Object::Organization => match field {
                "Name" => text(&self.spec.name),
                "OrganizationType" => text(&self.spec.edition),
                "IsSandbox" => Value::Bool(self.spec.sandbox),
                "InstanceName" => text(&self.spec.instance),
                "TimeZoneSidKey" => text(&self.spec.time_zone),
                "CreatedDate" => Value::Moment(self.spec.created_ms),
                _ => Value::Null,
            },
            Object::UserPermissionAccess => Value::Bool(match field {
                "PermissionsApiEnabled" => self.rights.api_enabled,
                "PermissionsViewSetup" => self.rights.view_setup,
                "PermissionsManageUsers" => self.rights.manage_users,
                _ => self.rights.view_all_users,
            }),
        }
    }

    fn user_value(&self, user: u64, field: &str) -> Value<'_> {
        if let Some(edited) = self
            .overlays
            .get(&user)
            .and_then(|overlay| overlay.texts.get(field))
        {
            return text(edited);
        }
        match field {
            "IsActive" => return Value::Bool(self.is_active(user)),
            "LastLoginDate" => return self.last_login_ms(user).map_or(Value::Null, Value::Moment),
            "CreatedDate" => return Value::Moment(self.created_ms(user)),
            "SystemModstamp" | "LastModifiedDate" => return Value::Moment(self.modified_ms(user)),
            "ProfileId" => {
                return self.profile_of(user).map_or(Value::Null, |profile| {
                    Value::Text(Cow::Owned(
                        self.id(Object::Profile, profile as u64 + 1)
                            .as_str()
                            .to_owned(),
                    ))
                });
            }
            "ForecastEnabled" | "UserPermissionsMarketingUser" | "IsPortalEnabled" => {
                return Value::Bool(false);
            }
            _ => {}
        }
        let profile_type = || {
            self.profile_of(user).map_or(Value::Null, |profile| {
                text(&self.spec.profiles[profile].user_type)
            })
        };
        let Some(person) = self.person(user) else {
            return self.drawn_value(user, field, profile_type);
        };
        match field {
            "Username" => text(&person.username),
            "FirstName" => text(&person.first_name),
            "LastName" => text(&person.last_name),
            "Name" if person.first_name.is_empty() => text(&person.last_name),
            "Name" => Value::Text(Cow::Owned(format!(
                "{} {}",
                person.first_name, person.last_name
            ))),
            "Email" => text(&person.email),
            "Alias" => Value::Text(Cow::Owned(person.username.chars().take(8).collect())),
            "UserType" => person.user_type.as_deref().map_or_else(profile_type, text),
            "Department" => text(&person.department),
            "Division" => text(&person.division),
            "Title" => text(&person.title),
            "CompanyName" => text(&person.company),
            "EmployeeNumber" => text(&person.employee_number),
            "FederationIdentifier" => text(&person.federation_id),
            "UserPermissionsSupportUser" => Value::Bool(false),
            _ => Value::Null,
        }
    }

    fn drawn_value<'a>(
        &'a self,
        user: u64,
        field: &str,
        profile_type: impl FnOnce() -> Value<'a>,
    ) -> Value<'a> {
        let n = self.drawn(user);
        match field {
            "Username" | "Email" => Value::Text(Cow::Owned(self.frame.email(n))),
            "FirstName" => text(self.frame.first_name(n)),
            "LastName" => text(self.frame.last_name(n)),
            "Name" => Value::Text(Cow::Owned(
                [self.frame.first_name(n), " ", self.frame.last_name(n)].concat(),
            )),
            "Alias" => Value::Text(Cow::Owned(self.frame.email(n).chars().take(8).collect())),
            "UserType" => profile_type(),
            "Department" => text(self.frame.department(n)),
            "Title" => text(self.frame.title(n)),
            "CompanyName" => text(self.frame.company(n)),
            "UserPermissionsSupportUser" => Value::Bool(self.frame.is_support(n)),
            _ => Value::Null,
        }
    }
}

/// Empty texts are null in Salesforce.
fn text(text: &str) -> Value<'_> {
    if text.is_empty() {
        Value::Null
    } else {
        Value::Text(Cow::Borrowed(text))
    }
}
